"""The probability flow ODE in the variables in which DDIM is Euler's method.

d xbar / d gamma = eps(x_t, t),   xbar = x_t sqrt(1 + gamma^2)     (GENIE, equation 6)
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.denoiser import Denoiser, Level
from engine.networks.attention import forward_differentiable
from engine.solvers.base import Field, Flow

__all__ = ["AnalyticFirstStep", "ProbabilityFlow", "exact_derivative"]


def exact_derivative(denoiser: Denoiser, x_t: Tensor, eps: Tensor, gamma: Level) -> Tensor:
    """d eps/d gamma along the flow by one Jacobian-vector product, (B, C, H, W).

    With x_t = xbar / sqrt(1 + gamma^2) and d xbar/d gamma = eps (GENIE, equation 9):

        d x_t/d gamma = eps / sqrt(1 + gamma^2) - x_t gamma / (1 + gamma^2)

    eps must be the denoiser's own at (x_t, gamma). Runs in the precision of the network.
    """
    one = 1.0 + gamma * gamma
    tangent = eps * one**-0.5 - x_t * (gamma / one)
    level = torch.as_tensor(gamma, dtype=x_t.dtype, device=x_t.device)

    def along(x: Tensor, g: Tensor) -> Tensor:
        return denoiser.eps(x, g)

    # inference_mode(False): forward-mode tangents cannot live on inference tensors.
    with torch.inference_mode(False), torch.no_grad(), forward_differentiable():
        point, direction = (x_t.clone(), level), (tangent.clone(), torch.ones_like(level))
        derivative: Tensor = torch.func.jvp(along, point, direction)[1]
    return derivative


class ProbabilityFlow:
    """A denoiser as a right-hand side. `evaluations` counts, per image, what was spent."""

    def __init__(self, denoiser: Denoiser) -> None:
        self._denoiser = denoiser
        self.evaluations = 0

    def field(self, xbar: Tensor, gamma: float) -> Field:
        eps = self._denoiser.eps(_x_t(xbar, gamma), gamma)
        self.evaluations += self._denoiser.evaluations
        return Field(eps, xbar.sub(eps, alpha=gamma))

    def field_with_derivative(self, xbar: Tensor, gamma: float) -> Field:
        """With the head's derivative; a `ValueError` without a head."""
        eps, k = self._denoiser.eps_with_derivative(_x_t(xbar, gamma), gamma)
        self.evaluations += self._denoiser.evaluations
        return Field(eps, xbar.sub(eps, alpha=gamma), k)

    def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
        """The Jacobian-vector product goes through the network once more."""
        k = exact_derivative(self._denoiser, _x_t(xbar, gamma), here.eps, gamma)
        self.evaluations += self._denoiser.evaluations
        return Field(here.eps, here.x0, k)


def _x_t(xbar: Tensor, gamma: float) -> Tensor:
    scale: float = (1.0 + gamma * gamma) ** -0.5
    return xbar * scale


class AnalyticFirstStep:
    """At the first gamma the data hardly matters: eps := x_t, derivative := 0, for nothing.

    (Dockhorn et al., 2022, section 3.3.) Everywhere else it is the flow it wraps.
    """

    def __init__(self, flow: Flow, gamma: float) -> None:
        self._flow = flow
        self._gamma = gamma

    def _here(self, xbar: Tensor) -> Field:
        eps = _x_t(xbar, self._gamma)
        return Field(eps, xbar.sub(eps, alpha=self._gamma), torch.zeros_like(eps), guessed=True)

    def field(self, xbar: Tensor, gamma: float) -> Field:
        return self._here(xbar) if gamma == self._gamma else self._flow.field(xbar, gamma)

    def field_with_derivative(self, xbar: Tensor, gamma: float) -> Field:
        if gamma == self._gamma:
            return self._here(xbar)
        return self._flow.field_with_derivative(xbar, gamma)

    def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
        if gamma == self._gamma:
            return self._here(xbar)
        return self._flow.with_exact_derivative(here, xbar, gamma)
