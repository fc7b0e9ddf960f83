"""GENIE 2M: the head says how the path bends, and the last step says how wrong the head was.

In lambda = -log gamma the flow is that of `dpmpp_2m`, and of the image predicted along it the
head knows the slope as well:

    d x0/d lambda = gamma^2 d eps/d gamma =: s

so a step is the second Taylor method for x0 under the exponential integral,

    xbar(lambda + h) = e^(-h) xbar + w_0 x0 + w_1 h s,    w_k = integral_0^h e^(u - h) (u/h)^k du.

Over the step behind, x0 did rise at a mean slope that is known; the mean of the head's slopes at
its two ends should have been that (up to O(h^2)). What it missed is added to s. A head that
is exact loses nothing by it, and without any head this is DPM-Solver++ of two steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.messages import SolverInfo
from engine.solvers.base import Flow, State

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["INFO", "solve"]

INFO = SolverInfo(
    name="genie-2m",
    title="GENIE 2M",
    summary="GENIE that learns from its last step. The best there and back: for encoding and editing.",
    order=2,
    derivative="head",
    reference="Dockhorn et al., GENIE, 2022, equation 8, in the variables of Lu et al., DPM-Solver++, 2022",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar := e^(-h) xbar + w_0 x0 + w_1 h (s + what the head missed over the last step)."""
    before: tuple[Tensor, Tensor, float] | None = None  # x0 and s where the last step began, and its h
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field_with_derivative(xbar, gamma)
        assert here.derivative is not None
        slope = here.derivative * (gamma * gamma)
        h = math.log(gamma / gamma_next)
        rise = slope * h
        if before is not None:
            x0_before, slope_before, h_before = before
            mean = (here.x0 - x0_before) / h_before
            rise = rise + h * (mean - 0.5 * (slope + slope_before))
        w_0 = -math.expm1(-h)
        w_1 = 1.0 - w_0 / h
        xbar = here.x0.lerp(xbar, 1.0 - w_0).add(rise, alpha=w_1)
        before = (here.x0, slope, h)
        yield State(index, xbar, here.x0)
