"""From noise to image, or back: a solver walks a flow along a list of gammas.

Sampling is a generator. Whoever consumes it shows, records, counts or stops; leaving the loop
is all there is to cancelling, and nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.flow import AnalyticFirstStep, ProbabilityFlow
from engine.schedule import VPSchedule
from engine.solvers.base import Flow, Solver

__all__ = ["Step", "sample"]


@dataclass(frozen=True)
class Step:
    """Where sampling is after one evaluation: `index` of `total` whole steps are done.

    x is x_t (B, C, H, W) at `gamma` and time `t`; x0, of the same shape, is the image as
    last predicted. `evaluations` counts those spent on each image. A step with `whole` False
    stands in the middle: it has a newer x0, but the x of the last whole step. A final
    denoising step is a step of its own and ends at gamma = t = 0.
    """

    index: int
    total: int
    t: float
    gamma: float
    x: Tensor
    x0: Tensor
    evaluations: int
    whole: bool


# As a decorator it is on only while the generator runs; a `with` inside would stay on in the
# caller at each yield.
@torch.inference_mode()
def sample(
    solver: Solver,
    flow: ProbabilityFlow,
    x_start: Tensor,
    gammas: Sequence[float],
    *,
    schedule: VPSchedule,
    analytic_first: bool = False,
    denoise: bool = False,
) -> Iterator[Step]:
    """Walk from x_start = x_t (B, C, H, W) at gammas[0] to gammas[-1]; the last Step is the result.

    Falling gammas generate and rising ones encode; there must be at least two, all above 0.
    `analytic_first` spares the first evaluation (see `AnalyticFirstStep`). `denoise` adds
    one, which ends at the image predicted at the last gamma. Both are for falling gammas: a
    `ValueError` says so otherwise.

    The tensors of a Step belong to inference mode: read or copy them, don't write to them.
    """
    if len(gammas) < 2 or min(gammas) <= 0.0:
        raise ValueError("a solver needs two or more gammas, all above 0")
    if (analytic_first or denoise) and gammas[-1] > gammas[0]:
        raise ValueError("an analytic first step and denoising are for gammas that fall")

    steps = len(gammas) - 1
    total = steps + int(denoise)
    before = flow.evaluations
    times = schedule.t(torch.tensor(gammas, dtype=torch.float64)).tolist()
    scales = [(1.0 + gamma * gamma) ** -0.5 for gamma in gammas]
    walked: Flow = AnalyticFirstStep(flow, gammas[0]) if analytic_first else flow

    xbar = x_start / scales[0]
    for state in solver.solve(walked, xbar, gammas):
        xbar, index = state.xbar, state.index
        yield Step(
            index, total, times[index], gammas[index], xbar * scales[index], state.x0,
            flow.evaluations - before, state.whole,
        )  # fmt: skip
    if denoise:
        x0 = flow.field(xbar, gammas[-1]).x0
        yield Step(total, total, 0.0, 0.0, x0, x0, flow.evaluations - before, True)
