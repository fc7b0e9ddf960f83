"""DDIM: the Euler method on the re-parameterised flow."""

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
    name="ddim",
    title="DDIM",
    summary="Straight steps. Simple and robust, but needs many of them.",
    order=1,
    reference="Song, Meng and Ermon, Denoising Diffusion Implicit Models, 2021, equation 13",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar += h eps, with h = gamma_next - gamma."""
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field(xbar, gamma)
        xbar = xbar.add(here.eps, alpha=gamma_next - gamma)
        yield State(index, xbar, here.x0)
