"""GENIE: the second truncated Taylor method, with the derivative from the distilled head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.messages import SolverInfo
from engine.solvers.base import Flow, State, taylor_step

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["INFO", "solve"]

INFO = SolverInfo(
    name="genie",
    title="GENIE",
    summary="Curved steps: a small head tells how the path bends. Good images in 5 to 10 steps.",
    order=2,
    derivative="head",
    reference="Dockhorn, Vahdat and Kreis, GENIE, 2022, equation 8",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar += h eps + h^2/2 d eps/d gamma, with h = gamma_next - gamma."""
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field_with_derivative(xbar, gamma)
        xbar = taylor_step(xbar, here, gamma_next - gamma)
        yield State(index, xbar, here.x0)
