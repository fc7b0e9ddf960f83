"""Writing videos frame by frame, with the walk that made them inside. Imports no torch.

Everything is written in one go and in one thread of the encoder, so that the same frames give
the same file, byte for byte. Memory does not grow with the number of frames.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

# The AV1 encoder speaks to standard error; only what goes wrong is of interest.
os.environ.setdefault("SVT_LOG", "1")

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from engine.errors import BadRequest, UnusableFolder
from engine.files import write_atomically
from engine.messages import FORMATS, QUALITIES

__all__ = [
    "CHUNK_PNG",
    "CHUNK_WEBP",
    "COMMENT_GIF",
    "DISK_FULL",
    "Frame",
    "Output",
    "VideoWriter",
    "frame_name",
    "open_writer",
    "output_size",
    "probe",
]

Frame = NDArray[np.uint8]  # (height, width, channels), 1 grey or 3 RGB

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Where formats that know no long texts carry ours: a private chunk that every reader skips.
CHUNK_PNG, CHUNK_WEBP, COMMENT_GIF = b"gnIe", b"GNIE", b"genie-walk:"

_WORDS = "A walk through the latents of a diffusion model. GENIE Studio opens it again from this file."


def _has_avx512() -> bool:
    """Whether NumPy finds it in the processor; False where this NumPy does not tell."""
    told: Any = np.show_config(mode="dicts")
    found = told.get("SIMD Extensions", {}).get("found", ())
    return any(name.startswith(("AVX512", "X86_V4")) for name in found)


# For each of QUALITIES: constant rate factors (smaller is better) or, for WebP, its quality.
_H264 = ({"crf": "30"}, {"crf": "22"}, {"crf": "14"})
_VP9 = ({"crf": "42", "b": "0"}, {"crf": "32", "b": "0"}, {"crf": "18", "b": "0"})
_AV1 = ({"crf": "46"}, {"crf": "34"}, {"crf": "20"})
_WEBP = ({"quality": "50"}, {"quality": "80"}, {"quality": "100"})

# x264's AVX-512 code for what a later frame takes from an earlier one reads memory that nobody wrote, so
# that the bytes of a video depended on what had lain there. AVX2, which is as quick, gives those of plain C.
# Only where there is AVX-512: x264 takes the names as they are, also where the processor has no such thing.
_STEADY = {"x264-params": "asm=AVX2,FMA3,BMI2"} if _has_avx512() else {}

# The encoders of each format, the one we would rather have first, with what they are told.
_ENCODERS: dict[str, tuple[tuple[str, tuple[dict[str, str], ...], dict[str, str]], ...]] = {
    "mp4": (
        ("libx264", _H264, {"preset": "medium", "bf": "2"} | _STEADY),
        ("libopenh264", ({"b": "500k"}, {"b": "2M"}, {"b": "8M"}), {}),
    ),
    "webm": (("libvpx-vp9", _VP9, {"deadline": "good", "cpu-used": "4"}),),
    "webm-av1": (
        ("libsvtav1", _AV1, {"preset": "8", "svtav1-params": "lp=1"}),
        ("libaom-av1", _AV1, {"cpu-used": "6", "b": "0"}),
    ),
    "gif": (("gif", ({}, {}, {}), {}),),
    "apng": (("apng", ({}, {}, {}), {"pred": "mixed"}),),
    "webp": (("libwebp_anim", _WEBP, {}),),
}
_CONTAINERS = {"webm-av1": "webm"}
_OPTIONS = {"mp4": {"movflags": "+use_metadata_tags"}, "apng": {"plays": "0"}, "webp": {"loop": "0"}}
# Without it WebM draws random numbers to tell its parts apart.
_EXACT = {"fflags": "+bitexact"}
_COLOURS = 1  # BT.709, for matrix, primaries and transfer alike
_LIMITED = 1  # the range of ordinary video


class VideoWriter(Protocol):
    """Takes frames of one size, one after another."""

    def add(self, frame: Frame) -> None: ...

    def close(self) -> None:
        """Finish the file; it plays then, however many frames it got."""
        ...

    def abandon(self) -> None:
        """Let go of everything without finishing."""
        ...


def output_size(name: str, width: int, height: int) -> tuple[int, int]:
    """The size of a video with frames of this size: what the format can't have is padded."""
    if name in ("mp4", "webm", "webm-av1"):
        return width + width % 2, height + height % 2
    return width, height


def open_writer(
    path: Path,
    name: str,
    quality: str,
    size: tuple[int, int],
    channels: int,
    fps: float,
    text: str = "",
    make_room: Callable[[], bool] = lambda: False,
) -> VideoWriter:
    """A writer for a video of frames (width, height). `text` goes into the file.

    When the disk is full `make_room` is called; if it says that there is some now, the write
    is tried again. Errors: a `BadRequest` if no encoder for the format is there, an OSError
    from the disk.
    """
    if name == "png":
        return _Folder(path, text, make_room)
    return _Stream(Output(path, make_room), name, quality, size, channels, fps, text)


def probe(name: str, quality: str, size: tuple[int, int], channels: int, fps: float) -> None:
    """Write one frame to nowhere: a `BadRequest` if that can't be done, before anything is computed."""
    if name == "png":
        return
    writer = _Stream(Output(None), name, quality, size, channels, fps, "")
    width, height = size
    try:
        writer.add(np.zeros((height, width, channels), np.uint8))
        writer.close()
    except (FFmpegError, ValueError, OSError) as error:
        writer.abandon()
        raise BadRequest(
            f"{FORMATS[name].title} can't be written with {width} x {height} pixels: {error}. "
            "Enlarge the pictures, or choose another format.",
            field="format",
        ) from error


# --- where the bytes go -------------------------------------------------------------------------


class Output(io.RawIOBase):
    """A file, or nowhere, that makes room when the disk is full and can splice bytes in.

    The writer of the container sees a file without what was spliced in.
    """

    def __init__(self, path: Path | None, make_room: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self._file: BinaryIO = io.BytesIO() if path is None else path.open("wb", buffering=0)
        self._make_room = make_room
        self._where: Callable[[bytes], int] | None = None
        self._payload = b""
        self._split: int | None = None  # what is written from here on lies behind the payload
        self._spliced = False
        self._at = 0
        self.failure: OSError | None = None

    def splice(self, payload: bytes, where: Callable[[bytes], int]) -> None:
        """Put the payload where `where` says, which is shown the first bytes that are written."""
        self._payload, self._where = payload, where

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        base = {0: 0, 1: self._at, 2: self._end()}[whence]
        self._at = base + offset
        return self._at

    def _end(self) -> int:
        end = self._file.seek(0, 2)
        return end - len(self._payload) if self._spliced else end

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self._where is not None:
            self._split, self._where = self._where(bytes(view)), None
        before = view[: max(0, self._split - self._at)] if self._split is not None else view
        self._put(self._at, before)
        self._at += len(before)
        if self._split is not None and self._at >= self._split:
            if not self._spliced:
                self._put(self._split, self._payload)
                self._spliced = True
            self._put(self._at + len(self._payload), view[len(before) :])
            self._at += len(view) - len(before)
        return len(view)

    def _put(self, at: int, data: memoryview | bytes) -> None:
        self._file.seek(at)
        left = memoryview(data)
        while left:
            try:
                # A disk that is nearly full takes a part.
                left = left[self._file.write(left) :]
            except OSError as error:
                if error.errno not in DISK_FULL or not self._make_room():
                    self.failure = error
                    raise

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


# --- writers ------------------------------------------------------------------------------------


class _Stream:
    """A video in one file."""

    def __init__(
        self,
        output: Output,
        name: str,
        quality: str,
        size: tuple[int, int],
        channels: int,
        fps: float,
        text: str,
    ) -> None:
        self._output = output
        self._name = name
        self._channels = channels
        self._width, self._height = output_size(name, *size)
        self._rate = Fraction(str(fps)).limit_denominator(10_000)
        self._count = 0
        self._text = text
        try:
            self._container: Any = av.open(
                output, "w", format=_CONTAINERS.get(name, name), options={**_OPTIONS.get(name, {}), **_EXACT}
            )
            self._stream = self._add_stream(QUALITIES.index(quality))
        except BaseException:
            output.close()
            raise
        if text:
            self._keep(text)

    def _add_stream(self, quality: int) -> Any:
        for codec, qualities, options in _ENCODERS[self._name]:
            try:
                av.codec.Codec(codec, "w")
            except (FFmpegError, ValueError):
                continue
            options = {**options, **qualities[quality]}
            if codec == "libwebp_anim" and quality == len(QUALITIES) - 1:
                options |= {"lossless": "1"}
            stream = self._container.add_stream(codec, rate=self._rate, options=options)
            stream.width, stream.height = self._width, self._height
            stream.pix_fmt = self._pixels = self._pixel_format(codec, quality)
            context = stream.codec_context
            context.thread_count = 1
            if self._pixels == "yuv420p" and codec != "libwebp_anim":
                context.colorspace = context.color_primaries = context.color_trc = _COLOURS
                context.color_range = _LIMITED
            return stream
        raise BadRequest(
            f"This installation can't write {FORMATS[self._name].title}: its video library has none of "
            f"{', '.join(entry[0] for entry in _ENCODERS[self._name])}. Choose another format.",
            field="format",
        )

    def _pixel_format(self, codec: str, quality: int) -> str:
        if codec == "gif":
            return "pal8"
        if codec == "apng":
            return "gray" if self._channels == 1 else "rgb24"
        if codec == "libwebp_anim" and quality == len(QUALITIES) - 1:
            return "bgra"
        return "yuv420p"

    def _keep(self, text: str) -> None:
        """Put the text where the format has room for it."""
        packed = zlib.compress(text.encode("utf-8"), 9)
        if self._name == "gif":
            self._output.splice(_gif_comment(packed), _after_gif_header)
        elif self._name == "apng":
            self._output.splice(_png_chunk(packed), lambda _: 33)  # behind signature and IHDR
        elif self._name != "webp":
            self._container.metadata["genie"] = text
            self._container.metadata["comment"] = _WORDS

    def add(self, frame: Frame) -> None:
        picture = self._picture(frame)
        picture.pts, picture.time_base = self._count, 1 / self._rate
        self._count += 1
        with self._disk_errors():
            for packet in self._stream.encode(picture):
                self._container.mux(packet)

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """An error of the disk as the OSError it was."""
        try:
            yield
        except FFmpegError as error:
            raise (self._output.failure or OSError(error.errno, error.strerror)) from error

    def _picture(self, frame: Frame) -> av.VideoFrame:
        height, width, channels = frame.shape
        if (width, height) != (self._width, self._height):
            # The last row and column once more: no border shows.
            frame = np.pad(frame, ((0, self._height - height), (0, self._width - width), (0, 0)), mode="edge")
        if self._pixels == "pal8":
            return _with_palette(frame)
        if self._pixels == "gray":
            return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:, :, 0]), format="gray")
        colour = np.ascontiguousarray(np.repeat(frame, 3, axis=2) if channels == 1 else frame)
        picture = av.VideoFrame.from_ndarray(colour, format="rgb24")
        if self._pixels == "rgb24":
            return picture
        if self._pixels == "bgra" or self._name == "webp":
            return picture.reformat(format=self._pixels)
        picture = picture.reformat(format=self._pixels, dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.colorspace, picture.color_range = _COLOURS, _LIMITED
        return picture

    def close(self) -> None:
        try:
            with self._disk_errors():
                for packet in self._stream.encode(None) if self._count else ():
                    self._container.mux(packet)
                self._container.close()
            if self._name == "webp" and self._text:
                self._append_to_webp(zlib.compress(self._text.encode("utf-8"), 9))
        finally:
            self._output.close()

    def _append_to_webp(self, packed: bytes) -> None:
        """A chunk of ours at the end, where the format allows any, and the length of the whole."""
        end = self._output.seek(0, 2)
        self._output.write(CHUNK_WEBP + struct.pack("<I", len(packed)) + packed + b"\0" * (len(packed) % 2))
        self._output.seek(4)
        self._output.write(struct.pack("<I", end + 8 + len(packed) + len(packed) % 2 - 8))

    def abandon(self) -> None:
        with contextlib.suppress(FFmpegError, OSError, ValueError):
            self._container.close()
        self._output.close()


def _with_palette(frame: Frame) -> av.VideoFrame:
    """Up to 256 colours: for grey all there are, otherwise those that fit this frame best."""
    colours = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
    if frame.shape[2] == 1:
        colours[:, 1:] = np.arange(256, dtype=np.uint8)[:, None]
        indices = frame[:, :, 0]
    else:
        image = Image.fromarray(frame, "RGB").quantize(
            256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE
        )
        found = np.frombuffer(bytes(image.getpalette() or b""), np.uint8).reshape(-1, 3)
        colours[: len(found), 1:] = found
        indices = np.asarray(image)
    return av.VideoFrame.from_ndarray((np.ascontiguousarray(indices), colours), format="pal8")  # type: ignore[arg-type]


def _gif_comment(packed: bytes) -> bytes:
    """A comment extension, in letters only, as the format would like it."""
    letters = COMMENT_GIF + packed.hex().encode("ascii")
    blocks = b"".join(
        bytes([len(letters[i : i + 255])]) + letters[i : i + 255] for i in range(0, len(letters), 255)
    )
    return b"\x21\xfe" + blocks + b"\0"


def _after_gif_header(first: bytes) -> int:
    """Behind the header and the colours common to all frames, if there are any."""
    return 13 + (3 << ((first[10] & 7) + 1) if first[10] & 0x80 else 0)


def _png_chunk(packed: bytes) -> bytes:
    crc = zlib.crc32(CHUNK_PNG + packed)
    return struct.pack(">I", len(packed)) + CHUNK_PNG + packed + struct.pack(">I", crc)


def frame_name(index: int) -> str:
    """ "frame_000001.png" for index 0."""
    return f"frame_{index + 1:06d}.png"


class _Folder:
    """A sequence of PNG files; the first carries the text."""

    def __init__(self, folder: Path, text: str, make_room: Callable[[], bool]) -> None:
        self._folder = folder
        self._make_room = make_room
        self._text = text
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, frame: Frame) -> None:
        grey = frame.shape[2] == 1
        image = Image.fromarray(np.ascontiguousarray(frame[:, :, 0] if grey else frame))
        info = PngInfo()
        if self._text and self._count == 0:
            info.add(CHUNK_PNG, zlib.compress(self._text.encode("utf-8"), 9))
            info.add_text("Comment", _WORDS)
        path = self._folder / frame_name(self._count)
        try:
            write_atomically(path, lambda temporary: image.save(temporary, format="PNG", pnginfo=info))
        except UnusableFolder as error:
            failure = error.__cause__
            if not isinstance(failure, OSError):
                raise
            if failure.errno not in DISK_FULL or not self._make_room():
                raise failure from None
            write_atomically(path, lambda temporary: image.save(temporary, format="PNG", pnginfo=info))
        self._count += 1

    def close(self) -> None:
        """Every frame is a finished file already; those of a longer video before are in the way."""
        index = self._count
        while (leftover := self._folder / frame_name(index)).is_file():
            leftover.unlink()
            index += 1

    def abandon(self) -> None:
        pass
