"""What a result must be asked to be made large with: the same from window, command line and code.

Imports no torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import BadRequest
from engine.images import SavedSettings, encode_png
from engine.messages import ModelInfo, PngImage, Result, Upsampled, UpsampleRequest
from engine.messages.images import MAX_IMAGE_BYTES
from engine.messages.upsample import MAX_UPSAMPLED

__all__ = ["repeat", "requests_for", "settings_of"]


def requests_for(
    result: Result, upsampler: ModelInfo, indices: Sequence[int] | None = None, **how: Any
) -> tuple[UpsampleRequest, ...]:
    """Requests that make these images of a result (all, if none are named) large, in their order.

    Image i is made large with its own seed, as both noises' seed, so that it comes out the same
    whichever others are with it; device and precision are those of the result's request. `how`
    holds fields of `UpsampleRequest` that shall be other; a `seed` or `aug_seed` in it is that
    of the first image. The images are carried with the settings they were made with. One
    request, unless they are more than one can carry or their seeds do not follow each other.
    """
    made, request = result.pictures, result.request
    if upsampler.upsamples_from is None:
        raise BadRequest(f"{upsampler.title} makes images of noise and enlarges none.", field="upsample")
    if (made.width, made.height) != (upsampler.upsamples_from, upsampler.upsamples_from):
        raise BadRequest(
            f"{upsampler.title} enlarges images of {upsampler.upsamples_from} x {upsampler.upsamples_from}, "
            f"and these are {made.width} x {made.height}.",
            field="upsample",
        )
    if made.channels != upsampler.channels:
        kinds = {1: "grey", 3: "colour"}
        raise BadRequest(
            f"{upsampler.title} enlarges {kinds[upsampler.channels]} images, and these are "
            f"{kinds[made.channels]}.",
            field="upsample",
        )
    given: dict[str, Any] = {"device": request.device, "precision": request.precision}
    given |= {name: getattr(upsampler, name) for name in ("spacing", "aug_level", "consistent")} | how
    chosen = range(made.count) if indices is None else indices
    groups: list[list[_Chosen]] = []
    for place, index in enumerate(chosen):
        seed = request.seeds[index]
        image = _Chosen(
            PngImage(encode_png(made.one(index), SavedSettings(request, index, result.provenance))),
            how["seed"] + place if "seed" in how else seed,
            how["aug_seed"] + place if "aug_seed" in how else seed,
        )
        if not groups or not _belongs(image, groups[-1]):
            groups.append([])
        groups[-1].append(image)
    return tuple(
        UpsampleRequest(
            model=upsampler.name,
            images=tuple(one.image for one in group),
            **given | {"seed": group[0].seed, "aug_seed": group[0].aug_seed},
        )
        for group in groups
    )


@dataclass(frozen=True)
class _Chosen:
    image: PngImage
    seed: int
    aug_seed: int


def _belongs(image: _Chosen, group: Sequence[_Chosen]) -> bool:
    """Can the image be the next of the group's request?"""
    last = group[-1]
    carried = sum(len(one.image.data) for one in group) + len(image.image.data)
    follows = (image.seed, image.aug_seed) == (last.seed + 1, last.aug_seed + 1)
    return follows and carried <= MAX_IMAGE_BYTES and len(group) < MAX_UPSAMPLED


def settings_of(outcome: Upsampled, index: int) -> SavedSettings:
    """What a file of picture `index` is to know: all it takes to make it again, the small image too.

    That is the request for the group that went through the network together, because rounding
    depends on it, with the small images as they were enlarged.
    """
    first = 0
    for size in outcome.provenance.batches:
        if index < first + size:
            break
        first += size
    else:
        raise ValueError(f"picture {index} of {first}")
    group = outcome.request.part(first, size)
    images = tuple(
        source
        if isinstance(source, PngImage) and not outcome.request.crop
        else PngImage(encode_png(outcome.sources.one(first + place)))
        for place, source in enumerate(group.images)
    )
    request = dataclasses.replace(group, images=images, crop=False, batch=size)
    return SavedSettings(request, index - first, dataclasses.replace(outcome.provenance, batches=(size,)))


def repeat(settings: SavedSettings) -> tuple[UpsampleRequest, int]:
    """The request that makes this picture again bit by bit on the same device, and its place.

    A `BadRequest` if it was not enlarged.
    """
    if not isinstance(settings.request, UpsampleRequest):
        raise BadRequest("The picture was not enlarged by an upsampler.", field="image")
    return dataclasses.replace(settings.request, precision=settings.provenance.precision), settings.index
