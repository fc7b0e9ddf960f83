"""What the fake engine answers to the requests of the Edit room.

    FakeEngine(scripts=edit_scripts())

A round trip differs from its original by one level in one byte; an edit of strength s moves every
level by round(100 s), a variation of seed i by i more, and inside a mask only what it says.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from engine.errors import BadImage, EngineError
from engine.images import from_pil
from engine.messages import Control, Event, Loading, Pictures, Progress, Provenance
from engine.messages.edit import Direction, DirectionRequest, Edited, EditRequest, MaskEdit, VaryEdit
from engine.messages.encode import (
    Encoded,
    EncodeRequest,
    Encoding,
    Fidelity,
    LatentStatistics,
    Photo,
    PhotoFacts,
    Refused,
    RoundTrip,
    RoundTripPoint,
    RoundTripRequest,
    StepReport,
)
from engine.photos import open_photo

__all__ = ["PROVENANCE", "edit_scripts", "fake_latent", "pixels_of", "png_of"]

PROVENANCE = Provenance("cpu", "Fake CPU", "fp32", "0.0", "0.1.0", (1,), 2)
_NOISE = LatentStatistics(0.01, 1.02, -0.05, 0.02, (0.08, 0.06, 0.4, 0.1))

Script = Callable[[Any, Control], Iterator[Event | Exception]]


def edit_scripts(size: int = 8, channels: int = 1) -> dict[str, Script]:
    """Scripts for encode, edit, round-trip and direction requests of a model of that size."""

    def encode(request: EncodeRequest, control: Control) -> Iterator[Event | Exception]:
        return _encode(request, control, size, channels)

    return {"encode": encode, "edit": _edit, "round-trip": _round_trip, "direction": _direction}


def fake_latent(salt: bytes) -> bytes:
    """A safetensors file of one float64, as small as can be."""
    header = json.dumps({"z": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + hashlib.sha256(salt).digest()[:8]


def png_of(picture: Pictures) -> bytes:
    mode = "L" if picture.channels == 1 else "RGB"
    buffer = io.BytesIO()
    Image.frombytes(mode, (picture.width, picture.height), picture.data).save(buffer, "PNG")
    return buffer.getvalue()


def pixels_of(photo: object) -> Pictures:
    """The pixels of a photo whose PNG has the model's size."""
    assert isinstance(photo, Photo)
    return from_pil(open_photo(photo)[0])


def _fidelity(one: Pictures, other: Pictures) -> Fidelity:
    apart = [abs(a - b) for a, b in zip(one.data, other.data, strict=True)]
    mse = sum(d * d for d in apart) / len(apart)
    psnr = math.inf if mse == 0 else 10 * math.log10(255**2 / mse)
    return Fidelity(psnr, 1.0 if mse == 0 else max(0.0, 1 - mse / 4000), sum(map(bool, apart)), max(apart))


def _progress(i: int, n: int, preview: Pictures | None = None) -> Progress:
    return Progress(0, 1, i, n, i / n, i, n, 0.01 * i, 0.01 * (n - i), preview)


def _moved(picture: Pictures, by: int) -> Pictures:
    data = bytes(min(255, max(0, level + by)) for level in picture.data)
    return Pictures(1, picture.width, picture.height, picture.channels, data)


def _encode(
    request: EncodeRequest, control: Control, size: int, channels: int
) -> Iterator[Event | Exception]:
    yield Loading(request.model, 1.0)
    items: list[Encoded | Refused] = []
    for photo, label in zip(request.photos, request.labels, strict=True):
        try:
            image = open_photo(photo)[0].convert("L" if channels == 1 else "RGB").resize((size, size))
            original = from_pil(image)
        except EngineError as error:
            items.append(Refused(photo.name, error.message))
            continue
        for step in range(1, request.steps + 1):
            if control.cancelled.is_set():
                yield Encoding(request, tuple(items), 0.1, PROVENANCE)
                return
            preview = _dissolved(original, step / request.steps) if control.wants_preview() else None
            yield _progress(step, request.steps, preview)
        back = original
        if not request.exact:
            data = bytearray(original.data)
            data[0] ^= 1
            back = Pictures(1, size, size, channels, bytes(data))
        latent = fake_latent(original.data)
        steps = tuple(StepReport(2.0**-i, 2.0 ** -(i + 1), 0.2, 5) for i in range(request.steps))
        items.append(
            Encoded(
                name=photo.name,
                label=label,
                facts=PhotoFacts(size, size, "PNG", (0, 0, size, size), "none"),
                latent=latent,
                latent_id="abcdefghij",
                latent_sha256=hashlib.sha256(latent).hexdigest(),
                original=original,
                round_trip=back,
                difference=_moved(original, -255),
                stretch=0.0,
                fidelity=_fidelity(original, back),
                statistics=_NOISE,
                gammas=(1.0, 0.1),
                evaluations=request.steps,
                evaluations_back=request.steps,
                steps=steps if request.exact else (),
            )
        )
    yield Encoding(request, tuple(items), 0.2, PROVENANCE)


def _dissolved(picture: Pictures, share: float) -> Pictures:
    state, data = 1, bytearray()
    for level in picture.data:
        state = (1103515245 * state + 12345) % 2**31
        data.append(round((1 - share) * level + share * ((state >> 8) % 256)))
    return Pictures(1, picture.width, picture.height, picture.channels, bytes(data))


def _edit(request: EditRequest, control: Control) -> Iterator[Event | Exception]:
    source = pixels_of(request.source)
    edit = request.edit
    mask = from_pil(open_photo(Photo(edit.mask))[0].convert("L")) if isinstance(edit, MaskEdit) else None
    if mask is not None and mask.stride != source.width * source.height:
        yield BadImage("The mask has another size than the picture.", field="mask")
        return
    seeds = edit.seeds if isinstance(edit, VaryEdit) else (0,)
    made = []
    for number in range(len(seeds)):
        for strength in request.strengths:
            if control.cancelled.is_set():
                break
            picture = _moved(source, round(100 * strength) + (number if strength else 0))
            if mask is not None:
                picture = _masked(source, picture, mask)
            made.append(picture)
    pictures = Pictures(
        len(made), source.width, source.height, source.channels, b"".join(one.data for one in made)
    )
    fidelity = tuple(_fidelity(source, one) for one in made)
    yield _progress(1, 1)
    provenance = dataclasses.replace(PROVENANCE, batches=(1,) * len(made))
    yield Edited(request, source, pictures, fidelity, 2 * request.steps, 0.05, provenance)


def _masked(source: Pictures, inside: Pictures, mask: Pictures) -> Pictures:
    data = bytes(
        round(a + (b - a) * mask.data[i // source.channels] / 255)
        for i, (a, b) in enumerate(zip(source.data, inside.data, strict=True))
    )
    return Pictures(1, source.width, source.height, source.channels, data)


def _round_trip(request: RoundTripRequest, control: Control) -> Iterator[Event | Exception]:
    points = []
    total = len(request.solvers) * len(request.counts)
    for row, solver in enumerate(request.solvers):
        for count in request.counts:
            if control.cancelled.is_set():
                break
            psnr = 18.0 + 7.0 * math.log2(count / 5) + (9.0 if row == 0 else 0.0)
            points.append(RoundTripPoint(solver, count, 2 * count, Fidelity(psnr, 0.9, 10, 5), 0.01))
            yield _progress(len(points), total)
    yield RoundTrip(request, tuple(points), 0.1, PROVENANCE)


def _direction(request: DirectionRequest, control: Control) -> Iterator[Event | Exception]:
    yield _progress(1, 2)
    if control.cancelled.is_set():
        yield Direction(request, b"", "", "", (0, 0), 0.0, 0, 0.0, PROVENANCE)
        return
    latent = fake_latent(request.name.encode())
    digest = hashlib.sha256(latent).hexdigest()
    yield Direction(request, latent, "abcdefghij", digest, (64, 64), 2.1, 640, 0.5, PROVENANCE)
