"""Small images made large, a few at a time, live and stoppable after every evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator

from engine.devices import Placement, choose_placement, free_memory
from engine.errors import BadRequest
from engine.groups import Groups
from engine.latents import noise
from engine.messages import (
    Catalogue,
    Control,
    Event,
    ModelInfo,
    Pictures,
    SolverInfo,
    Upsampled,
    UpsampleRequest,
    Upsampling,
)
from engine.photos import read_small
from engine.pictures import from_pictures, join_pictures
from engine.plan import usable_model
from engine.provenance import provenance
from engine.sampling import Step
from engine.upsampling import augmentation_noise, enlarging
from engine.workbench import Workbench

__all__ = ["check_upsampling", "run"]

_FRAME_BYTES = 256 << 20  # more than this of recorded steps is not kept


def check_upsampling(how: Upsampling, catalogue: Catalogue) -> tuple[ModelInfo, SolverInfo, int]:
    """The upsampler and solver it names, and the evaluations an image costs.

    Errors say what doesn't fit and what would.
    """
    info = usable_model(how.model, catalogue)
    if not info.is_upsampler:
        able = [m for m in catalogue.models if m.is_upsampler and m.problem is None]
        there = ", ".join(f"{m.name} (from {m.upsamples_from} pixels)" for m in able)
        raise BadRequest(
            f"{info.title} makes images of noise and enlarges none. "
            + (f"Upsamplers: {there}." if there else "There is no upsampler yet; import one."),
            field="model",
        )
    walker = catalogue.solver(how.solver)
    if walker.derivative == "head" and not info.has_head:
        raise BadRequest(
            f"{info.title} has no GENIE head, which the solver {walker.name!r} needs. "
            "Use 'genie-exact', which computes the derivative itself, or any other solver.",
            field="solver",
        )
    calls = walker.evaluations(how.steps, analytic_first=how.analytic_first, denoise=how.denoise)
    if calls < 1:
        raise BadRequest(
            f"{walker.title} with one step and an analytic first step would never look at the picture. "
            "Use two steps or more, or leave the analytic first step out.",
            field="steps",
        )
    return info, walker, calls


def run(workbench: Workbench, request: UpsampleRequest, control: Control) -> Iterator[Event]:
    """Make the images large; ends with exactly one Upsampled.

    After a stop it holds the groups finished by then (perhaps none), and likewise once memory
    no longer suffices for one picture more, which a Notice says. All images are read, and must
    fit, before the first evaluation.
    """
    info, walker, calls = check_upsampling(request, workbench.catalogue())
    _check_memory(request, info)
    sources = _read(request, info)
    placement = choose_placement(request.device, request.precision, exact=walker.derivative == "exact")
    model = yield from workbench.load(info, placement)
    shape = (info.channels, info.image_size, info.image_size)
    small_shape = (sources.channels, sources.height, sources.width)

    def part(first: int, count: int) -> Pictures:
        return join_pictures([sources.one(i) for i in range(first, first + count)], small_shape)

    def walk(first: int, count: int) -> Iterator[Step]:
        chosen = slice(first, first + count)
        augmentation = augmentation_noise(request.aug_seeds[chosen], small_shape)
        x = noise(request.seeds[chosen], shape)
        return enlarging(model, from_pictures(part(first, count)), x, augmentation, request)

    frames = request.count * math.prod(shape) * (request.steps + int(request.denoise))
    groups = Groups(
        workbench, control, model, None, request.count, shape, calls,
        _batch(request, info, placement), control.keep_steps and frames <= _FRAME_BYTES,
    )  # fmt: skip
    yield from groups.run(walk)
    yield Upsampled(
        request=request,
        pictures=groups.pictures,
        sources=part(0, groups.finished),
        steps=groups.steps,
        evaluations=calls,
        seconds=groups.seconds,
        provenance=provenance(placement, groups.sizes),
        notices=tuple(groups.notices),
    )


def _read(request: UpsampleRequest, info: ModelInfo) -> Pictures:
    """All images as the upsampler wants them; the first that does not fit is a `BadImage`."""
    size = info.upsamples_from
    assert size is not None
    images = [read_small(source, size, info.channels, crop=request.crop) for source in request.images]
    return join_pictures(images, (info.channels, size, size))


def _check_memory(request: UpsampleRequest, info: ModelInfo) -> None:
    """The network's memory is a matter of the batch; the pictures themselves must fit."""
    stride = info.channels * info.image_size**2
    free = free_memory()
    # Twice: the groups and their concatenation. Half of what is free is left to everything else.
    if free is not None and 2 * stride * request.count > free // 2:
        raise BadRequest(
            f"The {request.count:,} large pictures alone would need {2 * stride * request.count / 1e9:.1f} GB "
            f"and {free / 1e9:.1f} GB of memory are free. Ask for {max(1, free // (4 * stride)):,} at most.",
            field="images",
        )


def _batch(request: UpsampleRequest, info: ModelInfo, placement: Placement) -> int:
    """Images that go through the network together: on a CPU one, so that each is soon there."""
    if request.batch:
        return min(request.batch, request.count)
    if placement.device.type == "cpu":
        return 1
    return max(1, min(request.count, 8 * 256 * 256 // info.image_size**2))
