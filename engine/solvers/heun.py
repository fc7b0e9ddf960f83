"""Heun's method: look ahead with a straight step, then go with the mean of both slopes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.messages import SolverInfo
from engine.solvers.base import Flow, State

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["INFO", "solve"]

INFO = SolverInfo(
    name="heun",
    title="Heun",
    summary="Looks ahead before each step. Accurate, but every step costs two evaluations.",
    order=2,
    evaluations_per_step=2,
    reference="Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models, 2022, algorithm 1",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar += h (eps + eps') / 2, with eps' taken where the straight step arrives."""
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        h = gamma_next - gamma
        here = flow.field(xbar, gamma)
        yield State(index - 1, xbar, here.x0, whole=False)
        ahead = flow.field(xbar + h * here.eps, gamma_next)
        xbar = xbar + (0.5 * h) * (here.eps + ahead.eps)
        yield State(index, xbar, ahead.x0)
