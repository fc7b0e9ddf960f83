"""The variance-preserving schedule and the grids a solver walks.

Dockhorn et al., "GENIE: Higher-Order Denoising Diffusion Solvers", 2022, section 2:

    alpha(t) = exp(-(beta_min t + beta_d t^2 / 2) / 2)    sigma(t) = sqrt(1 - alpha^2)
    gamma = sigma / alpha                                  x_t = alpha x_0 + sigma eps

Time runs over (0, 1]: 1 is noise, 0 the image. Functions take and return tensors of any
shape in float64 or float32, or Python floats through `float64` tensors of no dimension.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.messages import SPACINGS

__all__ = ["SPACINGS", "VPSchedule", "expand", "step_grid"]


def expand(values: Tensor, like: Tensor) -> Tensor:
    """Shape (B,) or () -> (B, 1, 1, ...), ready to be multiplied with `like` (B, ...)."""
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim)) if values.ndim else values


@dataclass(frozen=True)
class VPSchedule:
    """alpha, sigma and gamma of the variance-preserving process, and their inverses."""

    beta_min: float = 0.1
    beta_d: float = 19.9

    def log_alpha(self, t: Tensor) -> Tensor:
        return -0.5 * (self.beta_min * t + 0.5 * self.beta_d * t**2)

    def alpha(self, t: Tensor) -> Tensor:
        return self.log_alpha(t).exp()

    def sigma(self, t: Tensor) -> Tensor:
        # expm1 keeps the digits that 1 - alpha^2 would lose near t = 0.
        return (-torch.expm1(2.0 * self.log_alpha(t))).sqrt()

    def gamma(self, t: Tensor) -> Tensor:
        """sigma / alpha = sqrt(exp(-2 log alpha) - 1)."""
        return torch.expm1(-2.0 * self.log_alpha(t)).sqrt()

    def t(self, gamma: Tensor) -> Tensor:
        """The inverse of `gamma`: the positive root of beta_d t^2/2 + beta_min t = log(1 + gamma^2)."""
        c = torch.log1p(gamma**2)
        b, d = self.beta_min, self.beta_d
        # The stable form of (-b + sqrt(b^2 + 2 d c)) / d: nothing cancels for small c.
        return 2.0 * c / (b + (b * b + 2.0 * d * c).sqrt())

    def dt_dgamma(self, gamma: Tensor) -> Tensor:
        """dt/dgamma = 2 gamma / ((1 + gamma^2) (beta_min + beta_d t))."""
        return 2.0 * gamma / ((1.0 + gamma**2) * (self.beta_min + self.beta_d * self.t(gamma)))


def step_grid(
    schedule: VPSchedule, steps: int, spacing: str, t_end: float = 1e-3, t_start: float = 1.0
) -> Tensor:
    """The gammas a solver visits: float64 of shape (steps + 1,), strictly falling.

    - linear: t equally spaced
    - quadratic: sqrt(t) equally spaced (DDIM, Song et al. 2021, section D.3)
    - log-snr: log(gamma) equally spaced (DPM-Solver, Lu et al. 2022)
    - rho: gamma^(1/7) equally spaced (Karras et al. 2022, equation 5)
    """
    u = torch.linspace(0.0, 1.0, steps + 1, dtype=torch.float64)
    start, end = (torch.tensor(v, dtype=torch.float64) for v in (t_start, t_end))
    if spacing == "linear":
        gammas = schedule.gamma(start + u * (end - start))
    elif spacing == "quadratic":
        gammas = schedule.gamma((start.sqrt() + u * (end.sqrt() - start.sqrt())) ** 2)
    elif spacing == "log-snr":
        first, last = schedule.gamma(start).log(), schedule.gamma(end).log()
        gammas = (first + u * (last - first)).exp()
    elif spacing == "rho":
        first, last = schedule.gamma(start) ** (1 / 7), schedule.gamma(end) ** (1 / 7)
        gammas = (first + u * (last - first)) ** 7
    else:
        raise ValueError(f"spacing {spacing!r} is none of {', '.join(SPACINGS)}")
    # The ends are exact whatever the powers in between rounded to.
    gammas[0], gammas[-1] = schedule.gamma(start), schedule.gamma(end)
    return gammas
