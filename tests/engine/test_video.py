"""Videos of every format, read again by others than wrote them."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from engine import video
from engine.errors import BadImage, BadRequest
from engine.latents import Latent, noise, write_latent
from engine.messages import (
    FORMATS,
    QUALITIES,
    FileLatent,
    Keyframe,
    Pictures,
    Sampling,
    SeedLatent,
    Walk,
    expected_bytes,
    video_format,
)
from engine.video import Output, frame_name, open_writer, output_size, probe
from engine.video_encoder import Encoding
from engine.video_files import describe_walk, open_video, read_video_walk
from engine.walk_files import file_latents, file_sha256
from tests.engine.containers import Contents, read_mp4, read_webm

NAMES = tuple(FORMATS)
ROOT = Path(__file__).parents[2]
WALK = Walk("tiny", (Keyframe(SeedLatent(1)), Keyframe(SeedLatent(2), label=3)), fps=12.5)
TEXT = describe_walk(WALK, Sampling(steps=7))


def frames(count: int, width: int, height: int, channels: int) -> np.ndarray:
    """Smooth pictures that move: uint8 (count, height, width, channels)."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        127.5 + 127.5 * np.sin(2 * np.pi * ((x + k * (c + 1)) / width + c * y / height))
        for k in range(count)
        for c in range(channels)
    ]
    return np.stack(waves).reshape(count, channels, height, width).transpose(0, 2, 3, 1).astype(np.uint8)


def path_for(folder: Path, name: str) -> Path:
    return folder / f"video{FORMATS[name].suffix}"


def write(path: Path, name: str, pictures: np.ndarray, quality: str = "best", fps: float = 12.5) -> None:
    _, height, width, channels = pictures.shape
    writer = open_writer(path, name, quality, (width, height), channels, fps, TEXT)
    for picture in pictures:
        writer.add(picture)
    writer.close()


def read_by_another(path: Path, name: str) -> tuple[Contents, list[np.ndarray] | None]:
    """What the file says, read by hand or by Pillow, and the pictures if Pillow can show them."""
    if name == "mp4":
        return read_mp4(path.read_bytes()), None
    if name.startswith("webm"):
        return read_webm(path.read_bytes()), None
    found, shown = Contents(), []
    files = [path] if path.is_file() else sorted(path.glob("*.png"))
    for file in files:
        with Image.open(file) as image:
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                shown.append(np.asarray(image.convert("RGB")))
                found.seconds += float(image.info.get("duration", 1000 / 12.5)) / 1000
            found.width, found.height, found.codec = image.width, image.height, image.format or ""
    found.frames = len(shown)
    return found, shown


CODECS = {
    "mp4": "avc1", "webm": "V_VP9", "webm-av1": "V_AV1", "gif": "GIF", "apng": "PNG", "webp": "WEBP", "png": "PNG",
}  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_another_reader_finds_what_was_written(tmp_path: Path, name: str, channels: int) -> None:
    pictures = frames(25, 33, 17, channels)
    path = path_for(tmp_path, name)
    write(path, name, pictures)
    found, shown = read_by_another(path, name)
    assert found.codec == CODECS[name]
    assert found.frames == 25
    assert found.seconds == pytest.approx(2.0, abs=0.05)
    assert (found.width, found.height) == output_size(name, 33, 17)
    if name in ("mp4", "webm", "webm-av1"):
        assert (found.width, found.height) == (34, 18)
        assert {key.lower(): value for key, value in found.texts.items()}["genie"] == TEXT
    if shown is not None:
        wanted = np.broadcast_to(pictures, (25, 17, 33, 3)).astype(float)
        error = np.abs(np.stack(shown)[:, :17, :33] - wanted).mean()
        assert (
            error == 0.0 if name in ("apng", "png", "webp") or (name, channels) == ("gif", 1) else error < 8.0
        )


@pytest.mark.parametrize("name", NAMES)
def test_our_own_reader_finds_frames_and_walk(tmp_path: Path, name: str) -> None:
    pictures = frames(25, 32, 32, 3)
    path = path_for(tmp_path, name)
    write(path, name, pictures)
    reader = open_video(path)
    assert (reader.count, reader.width, reader.height) == (25, 32, 32)
    assert reader.fps == pytest.approx(30.0 if name == "png" else 12.5, rel=0.01)
    read = list(reader.frames())
    assert len(read) == 25
    for index in (0, 11, 24):
        assert reader.frame(index) == read[index]
        shown = np.frombuffer(read[index].data, np.uint8).reshape(32, 32, 3).astype(float)
        assert np.abs(shown - pictures[index]).mean() < 12.0  # colours at half the resolution
    with pytest.raises(IndexError):
        reader.frame(25)
    back = read_video_walk(path, tmp_path / "latents")
    assert back.walk == WALK
    assert back.sampling == Sampling(steps=7)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, name: str) -> None:
    pictures = frames(12, 64, 48, 3)
    made = []
    for folder in ("one", "two"):
        path = path_for(tmp_path / folder, name)
        path.parent.mkdir()
        write(path, name, pictures)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]


@pytest.mark.parametrize("name", [n for n in NAMES if not FORMATS[n].lossless])
def test_better_quality_is_larger_and_of_the_size_that_was_expected(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    pictures = frames(40, 128, 128, 3)
    pictures = np.clip(pictures + rng.normal(0, 4, pictures.shape), 0, 255).astype(np.uint8)
    sizes = []
    for quality in QUALITIES:
        path = path_for(tmp_path / quality, name)
        path.parent.mkdir()
        write(path, name, pictures, quality)
        sizes.append(path.stat().st_size)
        guess = expected_bytes(name, quality, 128, 128, 40)
        assert guess / 15 < sizes[-1] < guess * 15
    assert sizes == sorted(sizes)


def test_colours_are_right_after_decoding(tmp_path: Path) -> None:
    colour = np.zeros((8, 32, 32, 3), np.uint8)
    colour[:] = (200, 60, 30)
    for name in ("mp4", "webm", "webm-av1"):
        path = path_for(tmp_path, name)
        write(path, name, colour)
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
            assert frame.colorspace == 1  # BT.709, said in the file
            shown = frame.to_ndarray(format="rgb24", src_colorspace="ITU709")
        assert np.abs(shown.astype(int) - (200, 60, 30)).max() <= 4


def test_a_gif_keeps_its_rate_on_average(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    write(path, "gif", frames(60, 16, 16, 1), fps=30)
    found, _ = read_by_another(path, "gif")
    assert found.seconds == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_fractions_of_frames_a_second(tmp_path: Path, name: str) -> None:
    path = path_for(tmp_path, name)
    write(path, name, frames(30, 16, 16, 1), fps=29.97)
    if name == "mp4":
        assert 30 / read_mp4(path.read_bytes()).seconds == pytest.approx(29.97, abs=0.01)
    elif name != "png":
        assert open_video(path).fps == pytest.approx(29.97, abs=0.5)


@pytest.mark.parametrize("size", [(5, 3), (8, 8), (31, 9)])
@pytest.mark.parametrize("name", NAMES)
def test_small_and_odd_sizes(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    probe(name, "good", size, 1, 10.0)
    path = path_for(tmp_path, name)
    write(path, name, frames(3, *size, 1))
    assert open_video(path).count == 3


def test_a_shorter_sequence_leaves_no_frame_of_a_longer_one(tmp_path: Path) -> None:
    write(tmp_path / "seq", "png", frames(9, 8, 8, 1))
    write(tmp_path / "seq", "png", frames(4, 8, 8, 1))
    assert sorted(p.name for p in (tmp_path / "seq").iterdir()) == [frame_name(i) for i in range(4)]


# --- what is in the file ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_latents_come_with_the_video(tmp_path: Path, name: str) -> None:
    source = tmp_path / "a.safetensors"
    write_latent(source, Latent(noise([7], (3, 64, 64))[0], "tiny"))
    digest = file_sha256(source)
    walk = Walk("tiny", (Keyframe(FileLatent(str(source))), Keyframe(SeedLatent(2))))
    path = path_for(tmp_path, name)
    writer = open_writer(path, name, "good", (16, 16), 1, 10.0, describe_walk(walk, Sampling()))
    for picture in frames(3, 16, 16, 1):
        writer.add(picture)
    writer.close()
    source.unlink()
    back = read_video_walk(path, tmp_path / "latents").walk
    (there,) = file_latents(back)
    assert file_sha256(Path(there.path)) == digest
    found, _ = read_by_another(path, name)
    assert found.frames == 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".png", ".webp"])
def test_a_video_of_somebody_else_says_so(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"other{suffix}"
    if suffix in (".mp4", ".webm"):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264" if suffix == ".mp4" else "libvpx-vp9", rate=Fraction(10))
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
            container.mux(stream.encode(None))
    else:
        Image.new("RGB", (16, 16)).save(path)
    with pytest.raises(BadImage, match="carries no walk of GENIE Studio"):
        read_video_walk(path, tmp_path / "latents")


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video at all, but long enough to be looked at" * 10)
    (tmp_path / "b.gif").write_bytes(b"GIF89a" + bytes(4))
    for name in ("a.mp4", "b.gif", "gone.mp4"):
        with pytest.raises(BadImage):
            read_video_walk(tmp_path / name, tmp_path)
        with pytest.raises(BadImage):
            open_video(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"kind": "video", "genie": 9}', '{"kind": "video", "genie": 1}',
     json.dumps({**json.loads(TEXT), "sampling": {"steps": 0}})],
)  # fmt: skip
def test_a_text_that_is_no_walk_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.mp4"
    writer = open_writer(path, "mp4", "good", (16, 16), 1, 10.0, text)
    writer.add(frames(1, 16, 16, 1)[0])
    writer.close()
    with pytest.raises(BadRequest):
        read_video_walk(path, tmp_path)


@pytest.mark.parametrize("name", ["gif", "apng", "webp", "mp4", "webm"])
def test_cut_off_files_fail_in_words(tmp_path: Path, name: str) -> None:
    path = path_for(tmp_path, name)
    write(path, name, frames(5, 16, 16, 1))
    data = path.read_bytes()
    for end in (13, 60, len(data) // 2):
        path.write_bytes(data[:end])
        with contextlib.suppress(BadImage, BadRequest):
            read_video_walk(path, tmp_path)


# --- the choice of format -----------------------------------------------------------------------


def test_the_suffix_says_the_format() -> None:
    for out, name in (("a.MP4", "mp4"), ("a.webm", "webm"), ("a.apng", "apng"), ("folder", "png")):
        assert video_format(out).name == name
    assert video_format("a.webm", "webm-av1").name == "webm-av1"
    with pytest.raises(BadRequest, match=r"\.avi.*Use one of"):
        video_format("a.avi")


def test_a_codec_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(video._ENCODERS, "mp4", (("libnowhere", ({}, {}, {}), {}),))
    with pytest.raises(BadRequest, match=r"can't write MP4 .*libnowhere") as caught:
        probe("mp4", "good", (16, 16), 3, 30.0)
    assert caught.value.field == "format"


def test_the_next_encoder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = video._ENCODERS["mp4"][0]
    monkeypatch.setitem(video._ENCODERS, "mp4", (("libnowhere", ({}, {}, {}), {}), there))
    write(tmp_path / "a.mp4", "mp4", frames(2, 16, 16, 1))
    assert read_mp4((tmp_path / "a.mp4").read_bytes()).frames == 2


# --- where bytes go -----------------------------------------------------------------------------


def test_a_splice_is_not_seen_by_who_writes(tmp_path: Path) -> None:
    for cuts in ([3, 7, 40], [33], [1, 2, 3], [50]):
        output = Output(tmp_path / "a")
        output.splice(b"<inside>", lambda first: 8)
        data = bytes(range(64))
        at = 0
        for cut in [*cuts, 64]:
            output.write(data[at:cut])
            at = cut
        assert output.seek(0, 2) == 64
        output.seek(6)
        output.write(b"XXXX")
        assert output.tell() == 10
        output.close()
        wanted = bytearray(data)
        wanted[6:10] = b"XXXX"
        assert (tmp_path / "a").read_bytes() == bytes(wanted[:8]) + b"<inside>" + bytes(wanted[8:])


class FullDisk(io.RawIOBase):
    """A file that takes `room` bytes in all."""

    def __init__(self, file: io.RawIOBase, room: int) -> None:
        super().__init__()
        self.file, self.room = file, room

    def write(self, data: object) -> int:
        taken = min(self.room, len(data))  # type: ignore[arg-type]
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return self.file.write(data[:taken]) or 0  # type: ignore[index]

    def seek(self, *where: int) -> int:
        return self.file.seek(*where)

    def close(self) -> None:
        self.file.close()


def test_a_full_disk_is_said_by_every_writer_and_room_lets_it_finish(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    for name in ("mp4", "webm", "gif", "apng"):
        for has_reserve in (False, True):
            path = path_for(tmp_path, name)
            disk: list[FullDisk] = []

            def make_room(disk: list[FullDisk] = disk, given: bool = has_reserve) -> bool:
                disk[0].room += 10_000_000
                return given

            writer = open_writer(path, name, "best", (64, 64), 3, 10.0, TEXT, make_room)
            output = writer._output  # type: ignore[attr-defined]
            disk.append(FullDisk(output._file, 100_000))
            output._file = disk[0]
            encoding = Encoding(writer)
            group = Pictures(40, 64, 64, 3, pictures.tobytes())
            if has_reserve:
                encoding.put(group, [1] * 40)
                encoding.close()
                assert open_video(path).count == 40
                continue

            def fill(encoding: Encoding = encoding, group: Pictures = group) -> None:
                for _ in range(5):
                    encoding.put(group, [1] * 40)
                encoding.close()

            with pytest.raises(OSError) as caught:
                fill()
            encoding.abandon()
            assert caught.value.errno == errno.ENOSPC


def test_what_lay_in_memory_before_is_not_in_a_video(tmp_path: Path) -> None:
    """A video encoder that reads what nobody wrote makes other bytes in another process."""
    script = (
        "import sys; from pathlib import Path; from tests.engine.test_video import frames, write\n"
        "for number, size in enumerate(((64, 48), (240, 144), (500, 300))):\n"
        "    write(Path(sys.argv[1]) / f'{number}.mp4', 'mp4', frames(12, *size, 3))\n"
    )
    made = []
    for filled in ("85", "170"):  # glibc fills memory with these; elsewhere it is as it is
        folder = tmp_path / filled
        folder.mkdir()
        environment = {**os.environ, "MALLOC_PERTURB_": filled}
        subprocess.run([sys.executable, "-c", script, str(folder)], env=environment, cwd=ROOT, check=True)
        made.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert made[0] == made[1]
