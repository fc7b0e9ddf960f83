"""Sampling steps inverted: from the picture up to the very latent that a solver makes it from.

Encoding along the flow misses the picture by what the solver errs on the way back. Inverting
does not: for each step xbar_next = Phi(xbar) of decoding, from the last to the first, it solves
Phi(xbar) = xbar_next for xbar. That needs a solver whose step depends on its start alone.

    x <- x + r,   r = xbar_next - Phi(x)

does converge (where the network is sure of the image, I - dPhi/dx is at most 1 - gamma_next/gamma),
but slowly where the step is long; Anderson acceleration (Walker and Ni, 2011) combines
the last iterates so that r becomes least, as GMRES would, at one evaluation each and no more. The
start is free: DPM-Solver++ upwards with the images predicted at the points solved before.

What is wanted are bytes, so the last step of decoding may end anywhere within a part of a
level around the picture, and beyond black and white as far as it likes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from engine.flow import ProbabilityFlow
from engine.solvers.base import Solver

__all__ = ["Inversion", "Inverted", "SolvedStep", "Tolerance", "invert", "level_error"]

_LEVELS = 127.5  # of a byte in one unit of x


@dataclass(frozen=True)
class Tolerance:
    """How well steps are solved, in levels of 255.

    The last step of decoding may end `slack` away from the picture, and 3 x `residual` beyond.
    All others are solved up to `residual`, far from the picture less well: errors made at a
    gamma shrink on the way down about as 1 / (1 + gamma / 2) does. Together that stays
    within 0.48 levels for all but one image or two of a hundred; those are solved again, more
    strictly. `iterations` is the most one step may take.
    """

    slack: float = 0.17
    residual: float = 0.05
    iterations: int = 30
    memory: int = 5

    def stricter(self) -> Tolerance:
        return replace(self, slack=0.4 * self.slack, residual=0.25 * self.residual, iterations=48)


@dataclass(frozen=True)
class SolvedStep:
    """One step of decoding, from gamma to gamma_next, solved for its start; see `StepReport`."""

    gamma: float
    gamma_next: float
    residual: float
    evaluations: int
    parts: int
    converged: bool


@dataclass(frozen=True)
class Inverted:
    """What decodes to one image: xbar (C, H, W) at gammas[0], falling along `gammas`.

    `gammas` are those asked for, with a point more wherever a step was split.
    """

    xbar: Tensor
    gammas: tuple[float, ...]
    steps: tuple[SolvedStep, ...]
    evaluations: int

    @property
    def converged(self) -> bool:
        return all(step.converged for step in self.steps)


@dataclass(frozen=True)
class Inversion:
    """After one network evaluation on the images `rows`: `done` of `total` steps are solved.

    xbar (B, C, H, W) stands at `gamma`, as good as is known now; `evaluations` counts calls.
    """

    done: int
    total: int
    gamma: float
    xbar: Tensor
    rows: tuple[int, ...]
    evaluations: int


def level_error(x: Tensor, picture: Tensor) -> Tensor:
    """How far x is from the levels of `picture`, both (B, C, H, W), at worst, in levels: (B,).

    Beyond black and white nothing is an error, as nobody sees it.
    """
    error = x - picture
    seen = ~(((picture <= -1.0) & (error < 0)) | ((picture >= 1.0) & (error > 0)))
    return (error * seen).flatten(1).abs().amax(dim=1) * _LEVELS


# The flow for some images of the batch, by their numbers.
FlowOf = Callable[[Sequence[int]], ProbabilityFlow]


@dataclass
class _Row:
    """One image on its way up."""

    gammas: list[float]
    steps: list[SolvedStep]
    evaluations: int = 0


@dataclass
class _Front:
    """Where all images stand: x and the image predicted there, and what was predicted below."""

    xbar: Tensor
    x0: Tensor
    x0_below: Tensor
    h_below: Tensor  # (B, 1, 1, 1); 0 where nothing lies below

    def at(self, rows: Tensor) -> _Front:
        return _Front(self.xbar[rows], self.x0[rows], self.x0_below[rows], self.h_below[rows])

    def put(self, rows: Tensor, part: _Front) -> None:
        self.xbar[rows], self.x0[rows] = part.xbar, part.x0
        self.x0_below[rows], self.h_below[rows] = part.x0_below, part.h_below

    def guess(self, gamma: float, gamma_up: float) -> Tensor:
        """xbar at gamma_up by a step of DPM-Solver++ (2M) upwards; costs nothing."""
        h = math.log(gamma / gamma_up)  # negative: lambda falls on the way up
        trend = torch.where(
            self.h_below == 0, 0.0, 0.5 * h / torch.where(self.h_below == 0, 1.0, self.h_below)
        )
        x0 = self.x0 + trend * (self.x0 - self.x0_below)
        return x0.lerp(self.xbar, gamma_up / gamma)


@torch.inference_mode()
def invert(
    solver: Solver,
    flow_of: FlowOf,
    picture: Tensor,
    gammas: Sequence[float],
    tolerance: Tolerance | None = None,
) -> Generator[Inversion, None, list[Inverted]]:
    """The latents that `solver` takes along the falling `gammas` to `picture` (B, C, H, W) in [-1, 1].

    Yields after every network evaluation, so that its consumer can show and stop; returns one
    `Inverted` an image. A step that does not converge is split, in two and then in four; where
    that does not help either, the best found stays and says so.
    """
    tolerance = tolerance or Tolerance()
    count, total = len(picture), len(gammas) - 1
    end = gammas[-1]
    state = [_Row([end], []) for _ in range(count)]
    spent = 0

    xbar = picture * math.sqrt(1.0 + end * end)
    flow = flow_of(range(count))
    x0 = flow.field(xbar, end).x0
    spent += flow.evaluations
    for image in state:
        image.evaluations += flow.evaluations
    zero = torch.zeros(count, 1, 1, 1, dtype=picture.dtype, device=picture.device)
    front = _Front(xbar.clone(), x0.clone(), x0.clone(), zero)
    yield Inversion(0, total, end, xbar, tuple(range(count)), spent)

    for done, (gamma_next, gamma) in enumerate(pairwise(reversed(gammas))):
        rows = torch.arange(count, device=picture.device)
        last = picture if done == 0 else None
        best: dict[int, SolvedStep] = {}
        chosen: dict[int, tuple[_Front, list[float]]] = {}
        for parts in (1, 2, 4):
            solved = yield from _segment(
                solver, flow_of, front.at(rows), rows, gamma, gamma_next, parts,
                tolerance, last, done, total, spent,
            )  # fmt: skip
            after, points, reports, spent = solved
            for i, row in enumerate(rows.tolist()):
                report = reports[i]
                state[row].evaluations += report.evaluations
                before = best.get(row)
                used = report.evaluations + (before.evaluations if before else 0)
                if before is None or report.residual < before.residual or report.converged:
                    best[row] = replace(report, evaluations=used)
                    chosen[row] = (after.at(torch.tensor([i], device=rows.device)), points)
                else:
                    best[row] = replace(before, evaluations=used)
            rows = torch.tensor(
                [r for r in rows.tolist() if not best[r].converged], dtype=torch.int64, device=rows.device
            )
            if not len(rows):
                break
        for row, (part, points) in chosen.items():
            front.put(torch.tensor([row], device=rows.device), part)
            state[row].gammas += points
            state[row].steps.append(best[row])
    return [
        Inverted(front.xbar[i], tuple(reversed(one.gammas)), tuple(reversed(one.steps)), one.evaluations)
        for i, one in enumerate(state)
    ]


def _segment(
    solver: Solver, flow_of: FlowOf, front: _Front, rows: Tensor, gamma: float, gamma_next: float,
    parts: int, tolerance: Tolerance, last: Tensor | None, done: int, total: int, spent: int,
) -> Generator[Inversion, None, tuple[_Front, list[float], list[SolvedStep], int]]:  # fmt: skip
    """From gamma_next up to gamma in `parts` steps; the points visited, and a report for each image."""
    ratio = (gamma / gamma_next) ** (1.0 / parts)
    points = [gamma_next * ratio**i for i in range(1, parts)] + [gamma]
    worst = torch.zeros(len(rows), dtype=torch.float64)
    within = torch.ones(len(rows), dtype=torch.bool)
    evaluations = torch.zeros(len(rows), dtype=torch.int64)
    below = gamma_next
    for part, point in enumerate(points):
        goal = _Goal(front.xbar, below, tolerance, last[rows] if last is not None and part == 0 else None)
        solved = yield from _solve(
            solver,
            flow_of,
            front.guess(below, point),
            rows,
            point,
            below,
            goal,
            tolerance,
            done,
            total,
            spent,
        )
        xbar, x0, residual, used, spent = solved
        evaluations += used
        worst = torch.maximum(worst, residual)
        within &= residual <= goal.enough
        h = torch.full_like(front.h_below, math.log(below / point))
        front = _Front(xbar, x0, front.x0, h)
        below = point
    reports = [
        SolvedStep(gamma, gamma_next, worst[i].item(), int(evaluations[i]), parts, bool(within[i]))
        for i in range(len(rows))
    ]
    return front, points, reports, spent


class _Goal:
    """Where a step must end: at xbar, or within a part of a level around the picture."""

    def __init__(self, xbar: Tensor, gamma: float, tolerance: Tolerance, picture: Tensor | None) -> None:
        self._target = xbar
        self.enough = tolerance.residual * (1.0 + 0.5 * gamma)
        self._low: Tensor | None = None
        if picture is not None:
            self.enough = 3.0 * tolerance.residual
            slack = tolerance.slack / _LEVELS * math.sqrt(1.0 + gamma * gamma)
            beyond = torch.full_like(xbar, math.inf)
            self._low = torch.where(picture <= -1.0, -beyond, xbar - slack)
            self._high = torch.where(picture >= 1.0, beyond, xbar + slack)

    def missing(self, reached: Tensor, rows: Tensor) -> Tensor:
        """What must be added to `reached` to get there."""
        if self._low is None:
            return self._target[rows] - reached
        return reached.clamp(self._low[rows], self._high[rows]) - reached


def _solve(
    solver: Solver, flow_of: FlowOf, guess: Tensor, rows: Tensor, gamma: float, gamma_next: float,
    goal: _Goal, tolerance: Tolerance, done: int, total: int, spent: int,
) -> Generator[Inversion, None, tuple[Tensor, Tensor, Tensor, Tensor, int]]:  # fmt: skip
    """Phi(x) = goal for x by Anderson's iteration, each image by itself until it is good enough.

    Returns x and the image predicted there, what is missing (levels) and evaluations of each.
    """
    count, shape = len(guess), guess.shape[1:]
    best, best_x0 = guess.clone(), guess.clone()
    best_missing = torch.zeros_like(guess)
    residual = torch.full((count,), math.inf, dtype=torch.float64)
    used = torch.zeros(count, dtype=torch.int64)
    active = torch.arange(count, device=guess.device)
    x = guess
    history = _History(tolerance.memory)
    iterations = 0
    while len(active):
        iterations += 1
        flow = flow_of(rows[active].tolist())
        reached, x0 = x, x
        for step in solver.solve(flow, x, (gamma, gamma_next)):
            reached, x0 = step.xbar, step.x0
        spent += flow.evaluations
        missing = goal.missing(reached, active)
        size = missing.flatten(1).abs().amax(dim=1).cpu().double() * _LEVELS  # MPS has no float64
        size = torch.where(size.isfinite(), size, math.inf)
        here = active.cpu()
        used[here] += flow.evaluations
        better = (size < residual[here]).to(active.device)
        improved = active[better]
        best[improved], best_x0[improved] = x[better], x0[better]
        best_missing[improved] = missing[better]
        lost = (size > 3.0 * residual[here]).to(active.device)
        residual[here] = torch.minimum(residual[here], size)
        yield Inversion(done, total, gamma, best, tuple(rows.tolist()), spent)
        go_on = (residual[here] > goal.enough).to(active.device)
        if iterations == tolerance.iterations or not bool(go_on.any()):
            break
        # Iterates that went astray go half a plain step from the best there was.
        x = torch.where(lost[:, None, None, None], best[active] + 0.5 * best_missing[active], x)
        following = history.next(x.flatten(1), missing.flatten(1), lost)
        active, x = active[go_on], following[go_on].reshape(-1, *shape)
        history.keep(go_on)
    return best, best_x0, residual, used, spent


class _History:
    """The last iterates of a batch, as differences, and where they say the solution lies."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._x: Tensor | None = None
        self._r: Tensor | None = None
        self._trusted: Tensor | None = None  # where x and r belong together
        self._dx: list[Tensor] = []
        self._dr: list[Tensor] = []

    def next(self, x: Tensor, r: Tensor, lost: Tensor) -> Tensor:
        """From iterates x (B, N) with residuals r: where to look next. `lost` rows stay at x."""
        keep = (~lost).to(x.dtype)[:, None]
        if self._x is not None and self._r is not None and self._trusted is not None:
            self._dx = [*self._dx, (x - self._x) * self._trusted][-self._memory :]
            self._dr = [*self._dr, (r - self._r) * self._trusted][-self._memory :]
        self._x, self._r, self._trusted = x, r, keep
        step = r * keep
        if not self._dx:
            return x + step
        self._dx, self._dr = [d * keep for d in self._dx], [d * keep for d in self._dr]
        dx, dr = torch.stack(self._dx, dim=2), torch.stack(self._dr, dim=2)
        gram = dr.transpose(1, 2) @ dr
        # Nearly parallel differences must not be told apart by their rounding.
        diagonal = gram.diagonal(dim1=1, dim2=2)
        gram = gram + torch.diag_embed(1e-10 * diagonal + 1e-30)
        weights = torch.linalg.solve(gram, dr.transpose(1, 2) @ step[..., None])
        following: Tensor = x + step - ((dx + dr) @ weights)[..., 0]
        return following

    def keep(self, rows: Tensor) -> None:
        """Only these rows go on."""
        assert self._x is not None
        assert self._r is not None
        assert self._trusted is not None
        self._x, self._r, self._trusted = self._x[rows], self._r[rows], self._trusted[rows]
        self._dx, self._dr = [d[rows] for d in self._dx], [d[rows] for d in self._dr]
