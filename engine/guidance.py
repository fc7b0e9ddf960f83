"""Classifier-free guidance: a denoiser made of denoisers.

    eps = (1 + w) eps_cond - w eps_uncond          (Ho and Salimans, 2021, equation 6)

and, because it is linear, the derivative likewise, each branch with its own head. The weight w is
a number, or a tensor (B, 1, 1, 1) where it differs between the images, as along a walk.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.denoiser import Denoiser, Level

__all__ = ["GuidedByNullLabel", "GuidedPair"]


class GuidedPair:
    """Two denoisers, two evaluations: for a conditional and an unconditional network."""

    def __init__(self, conditional: Denoiser, unconditional: Denoiser, scale: Level) -> None:
        self._conditional = conditional
        self._unconditional = unconditional
        self._scale = scale

    @property
    def evaluations(self) -> int:
        return self._conditional.evaluations + self._unconditional.evaluations

    @property
    def has_head(self) -> bool:
        return self._conditional.has_head and self._unconditional.has_head

    def _mix(self, conditional: Tensor, unconditional: Tensor) -> Tensor:
        return conditional + self._scale * (conditional - unconditional)

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor:
        return self._mix(self._conditional.eps(x_t, gamma), self._unconditional.eps(x_t, gamma))

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        eps_c, k_c = self._conditional.eps_with_derivative(x_t, gamma)
        eps_u, k_u = self._unconditional.eps_with_derivative(x_t, gamma)
        return self._mix(eps_c, eps_u), self._mix(k_c, k_u)


class GuidedByNullLabel:
    """One network with a null label: both branches go through it as one batch of 2B.

    `both` is a denoiser whose labels are those of the B images followed by B null labels.
    """

    def __init__(self, both: Denoiser, scale: Level) -> None:
        self._both = both
        self._scale = scale

    @property
    def evaluations(self) -> int:
        return 2 * self._both.evaluations

    @property
    def has_head(self) -> bool:
        return self._both.has_head

    def _mix(self, both: Tensor) -> Tensor:
        conditional, unconditional = both.chunk(2)
        return conditional + self._scale * (conditional - unconditional)

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor:
        return self._mix(self._both.eps(torch.cat([x_t, x_t]), gamma))

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        eps, k = self._both.eps_with_derivative(torch.cat([x_t, x_t]), gamma)
        return self._mix(eps), self._mix(k)
