"""How well a GENIE head says d eps/d gamma: its relative error against the exact derivative.

The head is trained on gamma^2 |k - d eps/d gamma|^2, so errors over several levels are summed
with that weight. 0 is a perfect head, 1 one that says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from engine.denoiser import Denoiser
from engine.flow import ProbabilityFlow, exact_derivative
from engine.schedule import VPSchedule, step_grid

__all__ = ["LevelError", "along_trajectory", "log_levels", "measure", "on_noised_images", "overall"]


@dataclass(frozen=True)
class LevelError:
    """At one gamma: RMS of gamma d eps/d gamma, and of gamma times the head's error of it."""

    gamma: float
    target: float
    error: float

    @property
    def relative(self) -> float:
        return self.error / self.target if self.target > 0.0 else math.inf


def log_levels(schedule: VPSchedule, levels: int = 24, t_end: float = 1e-3) -> list[float]:
    """`levels` gammas from gamma(1) down to gamma(t_end), their logarithms equally spaced."""
    gammas: list[float] = step_grid(schedule, levels - 1, "log-snr", t_end).tolist()
    return gammas


@torch.no_grad()
def measure(denoiser: Denoiser, x_t: Tensor, gamma: float) -> LevelError:
    """The head of `denoiser` against the Jacobian-vector product at x_t (B, C, H, W).

    `denoiser` has a head and runs in float32: in less, the exact derivative is not exact.
    """
    eps, k = denoiser.eps_with_derivative(x_t, gamma)
    exact = exact_derivative(denoiser, x_t, eps, gamma)
    return LevelError(gamma, gamma * _rms(exact), gamma * _rms(k - exact))


def on_noised_images(
    denoiser: Denoiser, images: Tensor, gammas: Sequence[float], *, seed: int = 0
) -> Iterator[LevelError]:
    """One error a gamma, where training looks: images (B, C, H, W) in [-1, 1] with noise added."""
    for index, gamma in enumerate(gammas):
        random = torch.Generator().manual_seed(seed * 1_000_003 + index)
        noise = torch.randn(images.shape, generator=random).to(images)
        yield measure(denoiser, (images + gamma * noise) * (1.0 + gamma * gamma) ** -0.5, gamma)


def along_trajectory(
    denoiser: Denoiser, noise: Tensor, gammas: Sequence[float], *, between: int = 4
) -> Iterator[LevelError]:
    """One error a gamma, where sampling goes: from x_t = noise (B, C, H, W) at gammas[0] by DDIM.

    Between two gammas lie `between` DDIM steps, so that the states are those of a good sampler.
    """
    flow = ProbabilityFlow(denoiser)
    xbar = noise.double() * (1.0 + gammas[0] ** 2) ** 0.5
    yield measure(denoiser, noise.float(), gammas[0])
    for upper, lower in pairwise(gammas):
        ratio = (lower / upper) ** (1.0 / between)
        for step in range(between):
            gamma = upper * ratio**step
            xbar = _ddim(flow, xbar, gamma, gamma * ratio)
        yield measure(denoiser, (xbar * (1.0 + lower * lower) ** -0.5).float(), lower)


@torch.no_grad()
def _ddim(flow: ProbabilityFlow, xbar: Tensor, gamma: float, gamma_next: float) -> Tensor:
    return xbar + (gamma_next - gamma) * flow.field(xbar, gamma).eps


def overall(errors: Sequence[LevelError]) -> float:
    """The relative error over all levels, each weighted as the head's training weighs it."""
    target = math.fsum(e.target**2 for e in errors)
    return math.sqrt(math.fsum(e.error**2 for e in errors) / target)


def _rms(x: Tensor) -> float:
    return float(x.double().square().mean().sqrt())
