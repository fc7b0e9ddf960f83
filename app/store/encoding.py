"""A result as the store keeps it: PNG files, thumbnails and packed steps.

Nothing here touches the database, so a large result can be encoded in another thread.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app.store.making import Making, listing
from engine.messages import Pictures, StepFrame

__all__ = ["THUMBNAIL", "EncodedImage", "EncodedResult", "decode_png", "encode_result", "unpack_steps"]

THUMBNAIL = 128  # px; smaller pictures are kept as they are: the view enlarges them pixel by pixel


@dataclass(frozen=True)
class EncodedImage:
    png: bytes  # with the settings in it
    thumbnail: bytes  # PNG
    frames: str  # JSON [[step, t, evaluations], ...]; empty if no steps were kept
    steps: bytes  # zlib of the frames' uint8 pixels, one after the other


@dataclass(frozen=True)
class EncodedResult:
    making: Making
    uuid: str
    created: datetime
    images: tuple[EncodedImage, ...]


def encode_result(making: Making, label_names: Sequence[str] = ()) -> EncodedResult:
    """All that is slow about keeping pictures. `label_names` are the classes of their model."""
    from engine.images import SavedSettings, encode_png  # NumPy and Pillow can wait for the first result

    images = []
    for i in range(making.pictures.count):
        picture = making.pictures.one(i)
        saved = None
        if making.saved is not None:
            saved = making.saved(i)
        elif making.provenance is not None:
            words = listing(making.request, i, label_names).label_name
            saved = SavedSettings.alone(making.request, i, making.provenance, words)
        frames, steps = _pack_steps(making.steps, i, picture)
        images.append(EncodedImage(encode_png(picture, saved), _thumbnail(picture), frames, steps))
    import uuid  # the start can do without

    return EncodedResult(making, uuid.uuid4().hex, datetime.now(UTC), tuple(images))


def _thumbnail(picture: Pictures) -> bytes:
    from PIL import Image

    from engine.images import encode_png, from_pil, to_pil

    if max(picture.width, picture.height) <= THUMBNAIL:
        return encode_png(picture)
    image = to_pil(picture)
    image.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return encode_png(from_pil(image))


def decode_png(png: bytes) -> Pictures:
    """One picture back from its PNG; Pillow's `OSError`, `ValueError` or `SyntaxError` if damaged."""
    from PIL import Image

    from engine.images import from_pil

    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return from_pil(image)


def _pack_steps(steps: Sequence[StepFrame], index: int, like: Pictures) -> tuple[str, bytes]:
    kept = [
        frame
        for frame in steps
        if index < frame.pictures.count and frame.pictures.one(index).stride == like.stride
    ]
    if not kept:
        return "", b""
    frames = json.dumps([[frame.step, frame.t, frame.evaluations] for frame in kept])
    return frames, zlib.compress(b"".join(frame.pictures.one(index).data for frame in kept), 1)


def unpack_steps(
    frames: str, steps: bytes, *, width: int, height: int, channels: int
) -> tuple[StepFrame, ...]:
    """What `_pack_steps` packed; each frame holds one picture."""
    pixels = zlib.decompress(steps)
    stride = width * height * channels
    return tuple(
        StepFrame(
            step, t, evaluations, Pictures(1, width, height, channels, pixels[i * stride : (i + 1) * stride])
        )
        for i, (step, t, evaluations) in enumerate(json.loads(frames))
    )
