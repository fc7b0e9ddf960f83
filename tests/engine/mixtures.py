"""Data whose diffusion is known in closed form: mixtures of round Gaussians in a few dimensions.

With components N(mu_k, s_k^2 I), xbar at noise level gamma has the components
N(mu_k, (s_k^2 + gamma^2) I), and eps = -gamma grad log p(xbar).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.denoiser import Level

SHAPE = (1, 2, 2)


class Mixture:
    """A `Denoiser` of a mixture; `weights` is (K,) or, one row an image, (B, K)."""

    evaluations = 1
    has_head = True

    def __init__(self, means: Tensor, stds: Tensor, weights: Tensor) -> None:
        self.means = means  # (K, D)
        self.stds = stds  # (K,)
        self.weights = weights

    def _parts(self, xbar: Tensor, gamma: Level) -> tuple[Tensor, Tensor, Tensor]:
        """Variances (K,), responsibilities (B, K) and pulls (xbar - mu) / v (B, K, D)."""
        v = self.stds**2 + gamma * gamma
        away = xbar.flatten(1)[:, None, :] - self.means
        logits = self.weights.log() - 0.5 * away.shape[2] * v.log() - 0.5 * (away**2).sum(2) / v
        return v, logits.softmax(1), away / v[:, None]

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor:
        _, r, pull = self._parts(x_t * (1.0 + gamma * gamma) ** 0.5, gamma)
        return (gamma * (r[:, :, None] * pull).sum(1)).reshape(x_t.shape)

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        """eps and d eps/d gamma along the flow, by differentiating the formula by hand."""
        return self.eps(x_t, gamma), self.derivative_along(x_t, gamma, self.eps(x_t, gamma))

    def derivative_along(self, x_t: Tensor, gamma: Level, velocity: Tensor) -> Tensor:
        """d eps/d gamma where d xbar/d gamma = velocity (B, C, H, W)."""
        v, r, pull = self._parts(x_t * (1.0 + gamma * gamma) ** 0.5, gamma)
        move = velocity.flatten(1)[:, None, :]
        log_rate = gamma * (pull**2).sum(2) - pull.shape[2] * gamma / v - (pull * move).sum(2)
        r_rate = r * (log_rate - (r * log_rate).sum(1, keepdim=True))
        pull_rate = (move - 2.0 * gamma * pull) / v[:, None]
        total = (r[:, :, None] * pull).sum(1)
        total = total + gamma * (r_rate[:, :, None] * pull + r[:, :, None] * pull_rate).sum(1)
        return total.reshape(x_t.shape)


def example_mixture(seed: int = 0, weights: Sequence[float] = (0.5, 0.3, 0.2)) -> Mixture:
    """Three overlapping components in the shape (1, 2, 2)."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(3, math.prod(SHAPE), generator=generator, dtype=torch.float64)
    return Mixture(means, torch.tensor([0.5, 0.7, 0.9]).double(), torch.tensor(weights).double())


def gaussian(mean: float, std: float) -> Mixture:
    """One round Gaussian, whose flow is a straight contraction towards its mean."""
    one = torch.ones(1, dtype=torch.float64)
    return Mixture(torch.full((1, math.prod(SHAPE)), mean).double(), std * one, one)


def gaussian_end(xbar: Tensor, mean: float, std: float, gamma: float, gamma_end: float) -> Tensor:
    """Where the flow of `gaussian` takes xbar: its distance to the mean scales as the spread."""
    return mean + (xbar - mean) * ((std**2 + gamma_end**2) / (std**2 + gamma**2)) ** 0.5


def accurate_end(mixture: Mixture, xbar: Tensor, gamma: float, gamma_end: float, steps: int = 1500) -> Tensor:
    """xbar at gamma_end by the classical Runge-Kutta method in u = log gamma (d xbar/du = gamma eps)."""

    def slope(x: Tensor, u: float) -> Tensor:
        g = math.exp(u)
        return g * mixture.eps(x * (1.0 + g * g) ** -0.5, g)

    u, h = math.log(gamma), math.log(gamma_end / gamma) / steps
    for _ in range(steps):
        k1 = slope(xbar, u)
        k2 = slope(xbar + 0.5 * h * k1, u + 0.5 * h)
        k3 = slope(xbar + 0.5 * h * k2, u + 0.5 * h)
        k4 = slope(xbar + h * k3, u + h)
        xbar = xbar + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        u += h
    return xbar


def noise(count: int, seed: int = 1) -> Tensor:
    """(count, 1, 2, 2) standard normal numbers in float64."""
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
