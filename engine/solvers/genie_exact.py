"""GENIE without a head: the same step, with the derivative by a Jacobian-vector product."""

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
    name="genie-exact",
    title="GENIE (exact)",
    summary="GENIE's curved steps for a model without a head: the bend is computed, at twice the cost.",
    order=2,
    evaluations_per_step=2,
    derivative="exact",
    reference="Dockhorn, Vahdat and Kreis, GENIE, 2022, equations 8 and 9",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar += h eps + h^2/2 d eps/d gamma, with h = gamma_next - gamma."""
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field(xbar, gamma)
        yield State(index - 1, xbar, here.x0, whole=False)
        here = flow.with_exact_derivative(here, xbar, gamma)
        xbar = taylor_step(xbar, here, gamma_next - gamma)
        yield State(index, xbar, here.x0)
