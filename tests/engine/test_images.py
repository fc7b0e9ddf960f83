"""Pictures in files: pixels and settings come back, and no file can do harm."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import BadImage, BadRequest, EngineError, UnusableFolder
from engine.images import (
    SavedSettings,
    describe,
    encode_png,
    from_pil,
    grid,
    group_of,
    read_settings,
    save,
    settings_from_json,
    settings_in,
    settings_to_json,
    to_pil,
)
from engine.messages import FileImage, GenerateRequest, Pictures, Provenance, UpsampleRequest

PROVENANCE = Provenance("cpu", "Prozessör", "bf16", "2.13.0", "0.1.0", (2, 2, 1), threads=2)
REQUEST = GenerateRequest("tiny", seed=40, labels=(0, 1, None, 2, 1), guidance=0.5, denoise=True)
SETTINGS = SavedSettings(REQUEST, 3, PROVENANCE)


def pictures(count: int = 1, channels: int = 1, width: int = 6, height: int = 4) -> Pictures:
    size = count * channels * width * height
    return Pictures(count, width, height, channels, bytes((i * 37) % 256 for i in range(size)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_settings_and_pixels_come_back(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"a{suffix}"
    picture = pictures(channels=channels)
    save(path, picture, SETTINGS)
    assert read_settings(path) == SETTINGS
    with Image.open(path) as image:
        assert image.size == (6, 4)
        if suffix == ".png":
            assert from_pil(image) == picture
            assert json.loads(image.info["genie"])["request"]["seed"] == 40
            assert "Solver: genie" in image.info["parameters"]
            assert "Seed: 43" in image.info["parameters"]
        elif suffix == ".webp":
            assert image.convert("L" if channels == 1 else "RGB").tobytes() == picture.data
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_labels_of_ten_thousand_pictures_fit(tmp_path: Path, suffix: str) -> None:
    many = GenerateRequest("tiny", labels=tuple((i * 7919) % 1_000_000 for i in range(10_000)))
    saved = SavedSettings(many, 9_999, Provenance("cpu", "", "fp32", "2", "0", (10_000,)))
    path = tmp_path / f"a{suffix}"
    save(path, pictures(), saved)
    assert read_settings(path) == saved


def test_encode_png_is_what_save_writes(tmp_path: Path) -> None:
    save(tmp_path / "a.png", pictures(), SETTINGS)
    assert (tmp_path / "a.png").read_bytes() == encode_png(pictures(), SETTINGS)


def test_a_grid_keeps_every_pixel() -> None:
    five = pictures(5, channels=3)
    for columns in (None, 1, 2, 3, 5, 9):
        sheet = to_pil(grid(five, columns))
        across = sheet.width // 6
        assert across == {None: 3, 9: 5}.get(columns, columns)
        for i in range(5):
            left, top = (i % across) * 6, (i // across) * 4
            assert sheet.crop((left, top, left + 6, top + 4)).tobytes() == five.one(i).data


@pytest.mark.parametrize("suffix", [".bmp", "", ".exe"])
def test_other_suffixes(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(BadRequest, match=r"\.png, \.jpg, \.jpeg, \.webp") as caught:
        save(tmp_path / f"a{suffix}", pictures())
    assert caught.value.field == "out"


@pytest.mark.parametrize(("suffix", "most"), [(".webp", 16_383), (".jpg", 65_500)])
def test_a_picture_larger_than_the_format(tmp_path: Path, suffix: str, most: int) -> None:
    file = tmp_path / f"long{suffix}"
    with pytest.raises(BadRequest, match="smaller size, or PNG"):
        save(file, Pictures(1, most + 1, 1, 1, bytes(most + 1)))
    assert not file.exists()
    save(file, Pictures(1, most, 1, 1, bytes(most)))
    save(file.with_suffix(".png"), Pictures(1, most + 1, 1, 1, bytes(most + 1)))


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    save(path, pictures(), SETTINGS)
    before = path.read_bytes()

    def full(self: Image.Image, fp: Any, format: str | None = None, **_: Any) -> None:
        Path(fp).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UnusableFolder, match="No space left on device"):
        save(path, pictures(channels=3))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusableFolder, match="file"):
        save(tmp_path / "file" / "a.png", pictures())


# --- files that are not ours ------------------------------------------------------------------


def png_with(path: Path, text: str) -> Path:
    texts = PngInfo()
    texts.add_text("genie", text, zip=True)
    Image.new("L", (2, 2)).save(path, pnginfo=texts)
    return path


def changed(**changes: Any) -> str:
    return json.dumps({**json.loads(settings_to_json(SETTINGS)), **changes})


def provenance(**changes: Any) -> dict[str, Any]:
    return {**json.loads(settings_to_json(SETTINGS))["provenance"], **changes}


HOSTILE = {
    "not JSON": ("{", "readable JSON"),
    "deep": ("[" * 100_000, "readable JSON"),
    "a list": ("[1, 2]", "JSON object"),
    "huge number": ('{"genie": ' + "9" * 5000 + "}", "readable JSON"),
    "no version": ("{}", "version None"),
    "newer": (changed(genie=2), "version 2"),
    "true version": (changed(genie=True), "version True"),
    "no request": (changed(request=None), "no request"),
    "empty request": (changed(request={}), "version None"),
    "warm-up": (changed(request={"genie": 1, "kind": "warm-up", "model": "a"}), "not for making pictures"),
    "steps": (
        changed(request={"genie": 1, "kind": "generate", "model": "a", "steps": 10**7}),
        "steps is 10000000",
    ),
    "guidance": (
        changed(request={"genie": 1, "kind": "generate", "model": "a", "guidance": float("nan")}),
        "guidance is nan",
    ),
    "kind": (changed(request={"genie": 1, "kind": ["generate"], "model": "a"}), "kind"),
    "field": (
        changed(request={"genie": 1, "kind": "generate", "model": "a", "__class__": 1}),
        "nobody knows",
    ),
    "index": (changed(index=5), "0 to 4"),
    "index kind": (changed(index="3"), "0 to 4"),
    "negative index": (changed(index=-1), "0 to 4"),
    "no provenance": (changed(provenance=7), "where the picture was computed"),
    "provenance device": (changed(provenance=provenance(device=1)), "provenance.device"),
    "provenance precision": (changed(provenance=provenance(precision="fp8")), "provenance.precision"),
    "batches": (changed(provenance=provenance(batches=[2, -1])), "group sizes"),
    "threads": (changed(provenance=provenance(threads=-1)), "provenance.threads"),
    "too many": (changed(provenance=provenance(batches=[10**9])), "which can't be"),
    "too few": (changed(provenance=provenance(batches=[3])), "which can't be"),
}


@pytest.mark.parametrize(("text", "words"), HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_settings(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read_settings(png_with(tmp_path / "a.png", text))
    assert words in caught.value.message
    assert len(caught.value.message) < 500


def test_settings_longer_than_any(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        read_settings(png_with(tmp_path / "a.png", "x" * 1_000_001))
    with pytest.raises(BadRequest, match="longer"):
        settings_from_json("x" * 1_000_001)


def test_a_comment_that_unpacks_to_too_much(tmp_path: Path) -> None:
    import base64

    exif = Image.Exif()
    bomb = base64.b64encode(zlib.compress(b"a" * 20_000_000, 9))
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0genie-zlib:" + bomb
    Image.new("L", (2, 2)).save(tmp_path / "a.jpg", exif=exif)
    with pytest.raises(BadRequest, match="longer"):
        read_settings(tmp_path / "a.jpg")
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0genie-zlib:!!!!"
    Image.new("L", (2, 2)).save(tmp_path / "b.jpg", exif=exif)
    with pytest.raises(BadRequest, match="damaged"):
        read_settings(tmp_path / "b.jpg")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_without_settings(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / f"a{suffix}")
    with pytest.raises(BadImage, match="carries no settings"):
        read_settings(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + b"\0" * 40])
def test_files_that_are_no_pictures(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadImage, match=r"a\.png"):
        read_settings(tmp_path / "a.png")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(BadImage, match="Couldn't read"):
            read_settings(path)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is that large and holds no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + header + end


@pytest.mark.parametrize("size", [(9_000, 9_000), (10_000, 10_000), (100_000, 100_000)])
def test_decompression_bombs_are_refused_unopened(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(png_of_size(*size))
    with pytest.raises(BadImage, match="larger than"):
        read_settings(tmp_path / "a.png")


def test_settings_behind_the_pixels_are_found(tmp_path: Path) -> None:
    raw = encode_png(pictures(), None)
    body = b"tEXtgenie\0" + settings_to_json(SETTINGS).encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "a.png").write_bytes(raw[:-12] + chunk + raw[-12:])
    assert read_settings(tmp_path / "a.png") == SETTINGS


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=60), at=st.floats(0, 1))
def test_damaged_files_give_our_errors_or_the_settings(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: float
) -> None:
    raw = encode_png(pictures(), SETTINGS)
    start = int(at * len(raw))
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(raw[:start] + data + raw[start + len(data) :])
    try:
        found: object = read_settings(path)
    except EngineError as error:
        found = error
    assert isinstance(found, SavedSettings) or len(str(found)) > 20


# --- making a picture again -------------------------------------------------------------------


def test_the_group_of_a_picture() -> None:
    request, index = group_of(REQUEST, 3, (2, 2, 1))
    assert (request.seed, request.labels, request.batch, index) == (42, (None, 2), 2, 1)
    assert request.seeds[index] == REQUEST.seeds[3]
    request, index = group_of(REQUEST, 4, (2, 2, 1))
    assert (request.seed, request.labels, request.batch, index) == (44, (1,), 1, 0)
    with pytest.raises(BadRequest, match="picture 5"):
        group_of(REQUEST, 5, (2, 2, 1))
    repeated, _ = SETTINGS.repeat()
    assert repeated.precision == "bf16"


def test_pillow_and_back() -> None:
    for channels in (1, 3):
        two = pictures(2, channels)
        assert from_pil(to_pil(two, 1)) == two.one(1)
    buffer = io.BytesIO()
    Image.new("RGBA", (2, 2), (255, 0, 0, 128)).save(buffer, format="PNG")
    assert from_pil(Image.open(buffer)).channels == 3


def test_the_words_in_the_file_name_the_class(tmp_path: Path) -> None:
    named = dataclasses.replace(SETTINGS, class_name="Ankle boot")
    number = named.request.labels[named.index]  # type: ignore[attr-defined]
    assert f"Class: Ankle boot ({number})" in describe(named)
    assert f"Class: {number}\n" in describe(SETTINGS)
    save(tmp_path / "a.png", pictures(), named)
    with Image.open(tmp_path / "a.png") as image:
        assert f"Class: Ankle boot ({number})" in image.text["parameters"]  # type: ignore[attr-defined]
    assert read_settings(tmp_path / "a.png") == SETTINGS  # the number alone decides


def test_a_picture_of_another_task_carries_its_request(tmp_path: Path) -> None:
    request = UpsampleRequest("up", seed=3, aug_level=0.25, images=(FileImage("/x/a.png"),) * 2)
    made = SavedSettings.alone(request, 1, dataclasses.replace(PROVENANCE, batches=(2,)))
    assert (made.request, made.index, made.provenance.batches) == (request.part(1, 1), 0, (1,))
    save(tmp_path / "a.png", pictures(), made)
    found = read_settings(tmp_path / "a.png")
    assert found == made
    assert settings_in((tmp_path / "a.png").read_bytes()) == made
    assert {"Task: upsample", "Seed: 4", "Aug level: 0.25"} <= set(describe(made).splitlines())
    with pytest.raises(BadRequest, match="another task"):
        found.repeat()


def test_settings_in_bytes_that_hold_none() -> None:
    assert settings_in(b"") is None
    assert settings_in(encode_png(pictures())) is None
