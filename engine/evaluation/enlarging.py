"""How good an upsampler is: its pictures beside the real ones and beside plain enlargements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from engine.denoiser import NetworkDenoiser
from engine.evaluation.features import feature_distance, fit
from engine.evaluation.imagenet import Components, Judge, features_of
from engine.evaluation.quality import bytes_from_images
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.networks.compact_upsampler import CompactUpsampler
from engine.networks.upsampler import ConditionedNetwork, enlarge, noisy_image
from engine.sampling import sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import solver
from engine.training.objective import bind_head, shrink
from engine.upsampling import made_consistent

__all__ = [
    "Enlargement", "enlarged", "judge_enlargement", "made_small", "plainly_enlarged", "psnr", "walked",
]  # fmt: skip

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def made_small(images: Tensor, size: int) -> Tensor:
    """uint8 (N, C, H, W) -> uint8 (N, C, size, size), averaged over squares."""
    return bytes_from_images(shrink(images.float() / 127.5 - 1.0, size, images.shape[-1]))


def plainly_enlarged(images: Tensor, size: int, how: str) -> Tensor:
    """uint8 (N, 3, h, w) -> uint8 (N, 3, size, size) with Pillow's "bicubic" or "lanczos"."""
    made = [
        np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).resize((size, size), _FILTERS[how]))
        for image in images
    ]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).contiguous()


def walked(
    network: CompactUpsampler,
    head: nn.Module | None,
    small: Tensor,
    *,
    solver_name: str,
    steps: int,
    level: float,
    seeds: Sequence[int],
    spacing: str = "quadratic",
) -> Tensor:
    """uint8 (N, C, h, w) -> float (N, C, H, W) in -1 to 1, each with the noises of its own seed, in float32."""
    schedule, c = VPSchedule(), network.config
    seen = small.float() / 127.5 - 1.0
    levels = torch.full((len(seen),), level)
    grain = noise([seed + 1_000_003 for seed in seeds], (c.channels, c.low_resolution, c.low_resolution))
    condition = enlarge(noisy_image(seen, grain.float(), levels, schedule), c.image_size)
    denoiser = NetworkDenoiser(
        ConditionedNetwork(network, condition, levels),
        "v",
        torch.zeros(len(seen), dtype=torch.int64),
        dtype=torch.float32,
        head=None if head is None else bind_head(head, condition),
    )
    start = noise(seeds, (c.channels, c.image_size, c.image_size))
    grid = step_grid(schedule, steps, spacing, 1e-3).tolist()
    *_, last = sample(solver(solver_name), ProbabilityFlow(denoiser), start, grid, schedule=schedule)
    return last.x


def enlarged(
    network: CompactUpsampler, head: nn.Module | None, small: Tensor, *, consistent: bool, **how: Any
) -> Tensor:
    """The same as uint8; `consistent` ones are corrected towards the small images. `how` is as there."""
    made = walked(network, head, small, **how)
    return bytes_from_images(made_consistent(made, small.float() / 127.5 - 1.0) if consistent else made)


@dataclass(frozen=True)
class Enlargement:
    """Of enlarged pictures against the real ones.

    `feature_distance` is between the two sets; `feature_error` between each picture and its
    original, as a part of how far apart different originals are (squares; 0 the same, 1 as far
    as any other picture); `psnr` of the pixels and `consistency`, made small again, against what
    they were made from, in decibels.
    """

    feature_distance: float
    feature_error: float
    psnr: float
    consistency: float


def judge_enlargement(
    judge: Judge, components: Components, made: Tensor, small: Tensor, real: Tensor
) -> Enlargement:
    """made, real uint8 (N, 3, H, W) and small uint8 (N, 3, h, w)."""
    seen, truth = features_of(judge, made), features_of(judge, real)
    spread = 2.0 * (truth - truth.mean(dim=0)).square().sum(dim=1).mean()
    return Enlargement(
        feature_distance(fit(components(seen)), fit(components(truth))),
        float((seen - truth).square().sum(dim=1).mean() / spread),
        psnr(made, real),
        psnr(made_small(made, small.shape[-1]), small),
    )


def psnr(a: Tensor, b: Tensor) -> float:
    """Of uint8 images (N, C, H, W), the mean over images, in decibels; at most 99."""
    error = (a.float() - b.float()).square().mean(dim=(1, 2, 3)).clamp_min(255.0**2 * 10**-9.9)
    return float((10.0 * torch.log10(255.0**2 / error)).mean())
