"""UniPC-2: DPM-Solver++(2M) predicts; the next evaluation corrects what it arrived at.

The correction costs nothing: the evaluation at the predicted point, which the next step needs
anyway, also tells how x0 went during the last one. See `dpmpp_2m` for the variables.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.messages import SolverInfo
from engine.solvers.base import Flow, State
from engine.solvers.dpmpp_2m import Before, step_with_image

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["INFO", "solve"]

INFO = SolverInfo(
    name="unipc",
    title="UniPC",
    summary="Predicts, then corrects each step by the next look. Very accurate with many steps.",
    order=3,
    reference="Zhao et al., UniPC, 2023, section 3, with p = 2 and B(h) = e^h - 1",
)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """Correct the step behind with the evaluation here, then predict the one ahead.

    UniPC-p is of order p + 1. The last point is predicted only: correcting it would cost an
    evaluation more, and one step's error of order h^3 does not lower the order.
    """
    start: Tensor | None = None  # xbar where the last step began, x0 there, and its h
    last: Before | None = None
    older: Before | None = None  # the same of the step before that
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field(xbar, gamma)
        if start is not None and last is not None:
            xbar = _corrected(start, last, older, here.x0)
        start, older = xbar, last
        xbar = step_with_image(start, here.x0, older, gamma, gamma_next)
        last = Before(here.x0, math.log(gamma / gamma_next))
        yield State(index, xbar, here.x0)


def _corrected(xbar: Tensor, last: Before, older: Before | None, x0_after: Tensor) -> Tensor:
    """The last step again from its start `xbar`, now knowing x0 at its end.

    w_k = integral_0^h e^(s - h) (s/h)^k ds obeys w_0 = 1 - e^(-h), w_k = 1 - (k/h) w_(k-1).
    For small h digits cancel in w_1 and w_2, by as much as their factors are small.
    """
    h = last.h
    w_0 = -math.expm1(-h)
    rise = x0_after - last.x0
    if older is None:  # the mean of both ends
        return last.x0.lerp(xbar, 1.0 - w_0) + (0.5 * w_0) * rise
    # x0 over the step as the parabola x0 + slope u + bend u^2 through three points, u = s/h:
    # u = 1 at its end, 0 at its start and -r where the step before began.
    w_1 = 1.0 - w_0 / h
    w_2 = 1.0 - 2.0 * w_1 / h
    r = older.h / h
    slope_before = (last.x0 - older.x0) / r
    bend = (rise - slope_before) / (1.0 + r)
    return last.x0.lerp(xbar, 1.0 - w_0) + w_1 * rise + (w_2 - w_1) * bend
