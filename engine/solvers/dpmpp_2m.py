"""DPM-Solver++(2M): multistep in the predicted image, over the log of the signal-to-noise ratio.

With lambda = -log gamma and the image x0(lambda) predicted along the way, the flow is

    xbar(lambda + h) = e^(-h) xbar(lambda) + integral_0^h e^(s - h) x0(lambda + s) ds

which leaves only x0 to be approximated; e^(-h) = gamma_next / gamma.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.messages import SolverInfo
from engine.solvers.base import Flow, State

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["INFO", "Before", "solve", "step_with_image"]

INFO = SolverInfo(
    name="dpmpp-2m",
    title="DPM-Solver++ 2M",
    summary="Extends the trend of the predicted image. Accurate at one evaluation a step.",
    order=2,
    reference="Lu et al., DPM-Solver++, 2022, algorithm 2",
)


@dataclass(frozen=True)
class Before:
    """What a multistep solver remembers of the step before: x0 at its start, and its h."""

    x0: Tensor
    h: float


def step_with_image(
    xbar: Tensor, x0: Tensor, before: Before | None, gamma: float, gamma_next: float
) -> Tensor:
    """One step with x0 taken as constant: that expected in the middle of the step.

    Without a step before, x0 stays as it is and the step is DDIM's.
    """
    if before is not None:
        h = math.log(gamma / gamma_next)
        x0 = x0 + (0.5 * h / before.h) * (x0 - before.x0)
    # x0 + e^(-h) (xbar - x0)
    return x0.lerp(xbar, gamma_next / gamma)


def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]:
    """xbar := e^(-h) xbar + (1 - e^(-h)) x0, x0 extrapolated over half the step in lambda."""
    before = None
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas), start=1):
        here = flow.field(xbar, gamma)
        xbar = step_with_image(xbar, here.x0, before, gamma, gamma_next)
        before = Before(here.x0, math.log(gamma / gamma_next))
        yield State(index, xbar, here.x0)
