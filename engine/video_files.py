"""What a video of ours says about itself, and its frames again. Imports no torch."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, UnidentifiedImageError

from engine.errors import BadImage, BadRequest
from engine.files import surely, write_atomically
from engine.images import from_pil
from engine.messages import FileLatent, Pictures, Sampling, Walk
from engine.messages.traverse import sampling_from_dict, sampling_to_dict
from engine.video import CHUNK_PNG, CHUNK_WEBP, COMMENT_GIF, frame_name
from engine.walk_files import file_latents, file_sha256, map_files, walk_from_plain, walk_to_plain

__all__ = ["VideoReader", "VideoWalk", "describe_walk", "open_video", "read_video_walk"]

_VERSION = 1
_LONGEST = 64_000_000  # characters of the text in a video
_EMBEDDED = 8_000_000  # bytes of latents that are put into a video
_CHECKSUM = re.compile("[0-9a-f]{64}")
# What the libraries say of damaged files, each in its own words.
_DAMAGED = (
    FFmpegError, UnidentifiedImageError, Image.DecompressionBombError, IndexError, EOFError, SyntaxError,
    ValueError, struct.error,
)  # fmt: skip


# --- the walk in a video ------------------------------------------------------------------------


@dataclass(frozen=True)
class VideoWalk:
    """The walk that a video shows, and how its frames were made."""

    walk: Walk
    sampling: Sampling


def describe_walk(walk: Walk, sampling: Sampling) -> str:
    """The text a video carries. Latents that are files come with it unless they are very large."""
    files = {latent: Path(latent.path) for latent in file_latents(walk)}
    known = {latent: FileLatent(path.name, file_sha256(path)) for latent, path in files.items()}
    embedded = {}
    if sum(path.stat().st_size for path in files.values()) <= _EMBEDDED:
        embedded = {
            known[latent].sha256: base64.b64encode(path.read_bytes()).decode("ascii")
            for latent, path in files.items()
        }
    return json.dumps(
        {
            "genie": _VERSION,
            "kind": "video",
            "walk": walk_to_plain(map_files(walk, lambda latent: known[latent])),
            "sampling": sampling_to_dict(sampling),
            "latents": embedded,
        }
    )


def read_video_walk(path: Path, folder: Path) -> VideoWalk:
    """The walk in a video that was rendered here; its latents are put into `folder`.

    Errors: a `BadImage` if the file is no video or carries no walk, a `BadRequest` if the walk
    in it can't be what this program wrote, `UnusableFolder` if the folder can't be written.
    """
    text = _text_of(path)
    if text is None:
        raise BadImage(
            f"{path} carries no walk of GENIE Studio. Only videos that it rendered do, and programs that "
            "edit, convert or send videos often remove it.",
            field="video",
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The walk in {path} is not readable: {error}.", field="video") from error
    if not isinstance(data, dict) or data.get("kind") != "video" or data.get("genie") != _VERSION:
        raise BadRequest(
            f"{path} carries something this program can't read. A newer one may be needed.", field="video"
        )
    latents = data.get("latents")
    walk = walk_from_plain(data.get("walk"))
    sampling = sampling_from_dict(data.get("sampling", {}))
    carried = latents if isinstance(latents, dict) else {}
    return VideoWalk(map_files(walk, lambda latent: _unpacked(latent, carried, folder, path)), sampling)


def _unpacked(latent: FileLatent, carried: dict[str, Any], folder: Path, video: Path) -> FileLatent:
    """The latent as a file in `folder`; where the video didn't carry it, it may be there already."""
    if not _CHECKSUM.fullmatch(latent.sha256):  # it becomes the name of a file
        raise BadRequest(f"A latent in {video} is damaged: it has no checksum.", field="video")
    target = folder / f"{latent.sha256[:16]}.safetensors"
    coded = carried.get(latent.sha256)
    if target.is_file() and file_sha256(target) == latent.sha256:
        pass
    elif isinstance(coded, str):
        try:
            content = base64.b64decode(coded, validate=True)
        except ValueError as error:
            raise BadRequest(f"A latent in {video} is damaged: {error}.", field="video") from error
        if hashlib.sha256(content).hexdigest() != latent.sha256:
            raise BadRequest(f"A latent in {video} is damaged: it is not what it was.", field="video")
        write_atomically(target, lambda temporary: temporary.write_bytes(content))
    else:
        raise BadRequest(
            f"{video} was made with the latent {latent.path}, which was too large to be put into it. "
            f"Put that file into {folder} as {target.name}.",
            field="video",
        )
    return replace(latent, path=str(target))


def _text_of(path: Path) -> str | None:
    """The text in a video, as yet unchecked."""
    if surely(path.is_dir):
        path = path / frame_name(0)
    try:
        with path.open("rb") as file:
            start = file.read(12)
            file.seek(0)
            if start.startswith(b"\x89PNG\r\n\x1a\n"):
                return _inflate(_png_text(file))
            if start.startswith(b"GIF8"):
                return _inflate(_gif_text(file))
            if start.startswith(b"RIFF") and start[8:] == b"WEBP":
                return _inflate(_webp_text(file))
        with av.open(str(path)) as container:
            text = container.metadata.get("genie") or container.metadata.get("GENIE")
            return text if text is None or len(text) <= _LONGEST else None
    except FFmpegError as error:
        raise BadImage(
            f"{path} is not a video this program can open (MP4, WebM, GIF, animated PNG or WebP).",
            field="video",
        ) from error
    except OSError as error:
        raise BadImage(f"Couldn't read {path}: {error.strerror or error}.", field="video") from error
    except (ValueError, struct.error, zlib.error, IndexError) as error:
        raise BadImage(f"Couldn't read {path}: it is damaged ({error}).", field="video") from error


def _inflate(packed: bytes | None) -> str | None:
    if packed is None:
        return None
    machine = zlib.decompressobj()
    data = machine.decompress(packed, _LONGEST)
    if machine.unconsumed_tail:
        raise ValueError("the text in it is longer than any this program writes")
    return data.decode("utf-8")


def _png_text(file: BinaryIO) -> bytes | None:
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == CHUNK_PNG:
            return _read(file, length)
        file.seek(length + 4, 1)
    return None


def _webp_text(file: BinaryIO) -> bytes | None:
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == CHUNK_WEBP:
            return _read(file, length)
        file.seek(length + length % 2, 1)
    return None


def _gif_text(file: BinaryIO) -> bytes | None:
    """Of the extensions before the first picture, the comment that is ours."""
    head = file.read(13)
    file.seek(3 << ((head[10] & 7) + 1) if head[10] & 0x80 else 0, 1)
    while (mark := file.read(2)) and mark[0] == 0x21:
        letters = bytearray()
        while (length := _read(file, 1)[0]) and len(letters) <= 2 * _LONGEST:
            letters += _read(file, length)
        if mark[1] == 0xFE and letters.startswith(COMMENT_GIF):
            return bytes.fromhex(letters[len(COMMENT_GIF) :].decode("ascii"))
    return None


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length) if length <= _LONGEST else b""
    if len(data) != length:
        raise ValueError("it ends too early")
    return data


# --- the frames of a video ----------------------------------------------------------------------


@dataclass(frozen=True)
class VideoReader:
    """A video to be played. Give each thread that reads one of its own."""

    path: Path
    count: int
    fps: float
    width: int
    height: int
    moving_picture: bool  # read by Pillow: GIF, animated PNG or WebP, or a folder of pictures

    def frames(self, start: int = 0) -> Iterator[Pictures]:
        """Frame `start` and all that follow, RGB or grey."""
        if self.path.is_dir():
            for index in range(start, self.count):
                with Image.open(self.path / frame_name(index)) as image:
                    yield from_pil(image)
        elif self.moving_picture:
            with Image.open(self.path) as image:
                for index in range(start, self.count):
                    image.seek(index)
                    yield from_pil(image)
        else:
            yield from self._decoded(start)

    def _decoded(self, start: int) -> Iterator[Pictures]:
        with av.open(str(self.path)) as container:
            stream = container.streams.video[0]
            if start:
                # To the last frame before it that stands for itself; those between are decoded.
                container.seek(round(start / self.fps / (stream.time_base or Fraction(1))), stream=stream)
            for frame in container.decode(stream):
                if round((frame.time or 0.0) * self.fps) >= start:
                    # The library doesn't look at what the frame says of its colours.
                    matrix = "ITU709" if frame.colorspace == 1 else None
                    array = frame.to_ndarray(format="rgb24", src_colorspace=matrix)
                    yield Pictures(1, self.width, self.height, 3, np.ascontiguousarray(array).tobytes())

    def frame(self, index: int) -> Pictures:
        """One frame; an `IndexError` if there is none."""
        if 0 <= index < self.count:
            for picture in self.frames(index):
                return picture
        raise IndexError(f"frame {index} of {self.count}")


def open_video(path: Path) -> VideoReader:
    """A reader for a video, of ours or not; a `BadImage` says why there is none."""
    try:
        if path.is_dir():
            count = 0
            while (path / frame_name(count)).is_file():
                count += 1
            with Image.open(path / frame_name(0)) as image:
                return VideoReader(path, count, 30.0, image.width, image.height, True)
        if path.suffix.lower() in (".gif", ".png", ".apng", ".webp"):
            return _open_moving_picture(path)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            fps = float(stream.average_rate or 30)
            count = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
            return VideoReader(path, count, fps, stream.width, stream.height, False)
    except _DAMAGED as error:
        raise BadImage(
            f"{path} is not a video this program can play (MP4, WebM, GIF, animated PNG or WebP, or a "
            "folder of frames).",
            field="video",
        ) from error
    except OSError as error:
        raise BadImage(f"Couldn't read {path}: {error.strerror or error}.", field="video") from error


def _open_moving_picture(path: Path) -> VideoReader:
    with Image.open(path) as image:
        count = int(getattr(image, "n_frames", 1))
        milliseconds = 0.0
        for index in range(count):
            image.seek(index)
            image.load()
            milliseconds += float(image.info.get("duration", 0.0) or 0.0)
        fps = 1000.0 * count / milliseconds if milliseconds > 0.0 else 30.0
        return VideoReader(path, count, fps, image.width, image.height, True)
