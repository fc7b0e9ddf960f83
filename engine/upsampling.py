"""From a small image to a large one: an upsampler walks from noise, seeing the small image.

Whatever has small images in its hands uses this: the task for a person's pictures, and
videos, whose frames share their noise so that nothing flickers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.denoiser import NetworkDenoiser
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.messages import Upsampling
from engine.networks.adm import ADMUpsampler
from engine.networks.compact_upsampler import CompactUpsampler, CompactUpsamplerHead
from engine.networks.published_head import PublishedHead
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork, enlarge, noisy_image
from engine.sampling import Step, sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.workbench import LoadedModel

__all__ = ["augmentation_noise", "conditioned", "enlarging", "made_consistent"]

# Seeds of 0 and 0 must not mean the same noise in the small image as in the large one.
_ANOTHER = 0x5EED_A116
_CORRECTIONS = 5  # what is left then is below a rounding


def augmentation_noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """What is added to small images: (B, C, h, w) in float64, other than `noise` of these seeds."""
    return noise([seed ^ _ANOTHER for seed in seeds], shape)


def conditioned(
    model: LoadedModel, small: Tensor, augmentation: Tensor, level: float, *, head: bool
) -> NetworkDenoiser:
    """The upsampler looking at `small` (B, C, h, w) in -1 to 1, with noise of this level (time s).

    `augmentation` is that noise, of the same shape.
    """
    place, card = model.placement, model.card
    seen = small.to(place.device, place.state_dtype)
    levels = torch.full((len(seen),), level, dtype=place.state_dtype, device=place.device)
    noisy = noisy_image(seen, augmentation.to(seen), levels, model.schedule)
    # Once, not at every evaluation.
    condition = enlarge(noisy, card.image_size).to(place.dtype, memory_format=place.memory_format)
    bent = None
    if head:
        if model.head is None:
            raise ValueError("this upsampler has no GENIE head")
        bent = ConditionedHead(cast("PublishedHead | CompactUpsamplerHead", model.head), condition)
    return NetworkDenoiser(
        ConditionedNetwork(cast("ADMUpsampler | CompactUpsampler", model.network), condition, levels),
        card.prediction,
        torch.zeros(len(seen), dtype=torch.int64, device=place.device),
        dtype=place.dtype,
        head=bent,
        memory_format=place.memory_format,
    )


def enlarging(
    model: LoadedModel, small: Tensor, x: Tensor, augmentation: Tensor, how: Upsampling
) -> Iterator[Step]:
    """Walk from the noise `x` (B, C, H, W) to `small` (B, C, h, w; -1 to 1) made large.

    One Step an evaluation; the last one is the result. `augmentation` (B, C, h, w) is the noise
    for the small images. Of `how` everything counts but the seeds: they are in the noises.
    """
    walk = _walk(model, small, x, augmentation, how)
    if not how.consistent:
        yield from walk
        return
    for step in walk:
        if step.whole and step.index == step.total:
            step = replace(step, x=made_consistent(step.x, small))
        yield step


def made_consistent(large: Tensor, small: Tensor) -> Tensor:
    """`large` (B, C, H, W) in -1 to 1, so corrected that it is `small` (B, C, h, w) when averaged to its size.

    What an upsampler guesses is the detail; the colours it only copies, and errs a little there.
    What is missing from them is enlarged smoothly and added, a few times over, because of what was
    added smoothly some misses again (Irani and Peleg, "Improving Resolution by Image Registration",
    1991).
    """
    wanted = small.to(large)
    (height, width), size = wanted.shape[-2:], large.shape[-2:]
    large = large.clamp(-1.0, 1.0)
    for _ in range(_CORRECTIONS):
        missing = wanted - F.adaptive_avg_pool2d(large, (height, width))
        large = (large + F.interpolate(missing, size=size, mode="bilinear")).clamp(-1.0, 1.0)
    return large


def _walk(
    model: LoadedModel, small: Tensor, x: Tensor, augmentation: Tensor, how: Upsampling
) -> Iterator[Step]:
    level = how.aug_level
    if not (math.isfinite(level) and level > 0.0):
        raise ValueError(f"the level of the noise is a time above 0, not {level}")
    walker, place = solver(how.solver), model.placement
    denoiser = conditioned(model, small, augmentation, level, head=walker.info.derivative == "head")
    return sample(
        walker,
        ProbabilityFlow(denoiser),
        x.to(place.device, place.state_dtype),
        step_grid(model.schedule, how.steps, how.spacing, how.t_end).tolist(),
        schedule=model.schedule,
        analytic_first=how.analytic_first,
        denoise=how.denoise,
    )
