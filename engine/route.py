"""Walks between picture and noise, as encoding and editing share them.

A route is a model with a way of sampling, loaded and checked. Walking is a generator: it yields
after every network evaluation and returns where it came to.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from engine.devices import Placement, choose_placement
from engine.flow import ProbabilityFlow
from engine.inversion import Inverted, Tolerance, invert
from engine.messages import MAX_COUNT, Control, GenerateRequest, Label, Loading, Pictures, Progress
from engine.messages.encode import RouteRequest
from engine.pictures import to_pictures
from engine.plan import Plan, choose_batch, label_numbers, make_plan
from engine.provenance import check_finite
from engine.sampling import sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.workbench import LoadedModel, Workbench

__all__ = ["Look", "Meter", "Route", "Shape", "load_route", "to_tensor"]

Shape = tuple[int, int, int]
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Look:
    """After one network evaluation: `step` of `steps` is done, at time `t`.

    `shown` (B, C, H, W) is what a preview shows: the picture as predicted on the way down, what it
    dissolves into on the way up. `evaluations` of this walk were spent on each image.
    """

    step: int
    steps: int
    t: float
    evaluations: int
    shown: Tensor


@dataclass(frozen=True)
class Route:
    """Walks with one model along grids of one kind. Belongs to one request."""

    workbench: Workbench
    plan: Plan
    settings: RouteRequest
    placement: Placement
    model: LoadedModel
    guide: LoadedModel | None

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        return self.plan.shape

    @property
    def batch(self) -> int:
        """How many images go through the network together, at most."""
        # The plan was made of the labels there are, whatever the number of images.
        many = replace(self.plan.request, labels=(None,) * MAX_COUNT)
        return choose_batch(replace(self.plan, request=many), self.placement)

    def grid(self, t_start: float = 1.0) -> list[float]:
        """The gammas from t_start down to the picture; those of the request if it names its own."""
        s = self.settings
        if s.gammas:
            top = float(self.model.schedule.gamma(torch.tensor(t_start, dtype=torch.float64)))
            below = [gamma for gamma in s.gammas if gamma < top * (1.0 - 1e-6)]
            return list(s.gammas) if t_start >= 1.0 else [top, *below]
        gammas: list[float] = step_grid(self.model.schedule, s.steps, s.spacing, s.t_end, t_start).tolist()
        return gammas

    def time(self, strength: float) -> float:
        """The time a strength from 0 to 1 enters the flow at: between the end and the start."""
        return self.settings.t_end + strength * (1.0 - self.settings.t_end)

    def place(self, x: Tensor) -> Tensor:
        """On the device, in the precision of the state."""
        return x.to(self.placement.device, self.placement.state_dtype)

    def flow(
        self, labels: Sequence[Label], guidance: float | Sequence[float] = 0.0, *, name: str | None = None
    ) -> ProbabilityFlow:
        head = solver(name or self.settings.solver).info.derivative == "head"
        return ProbabilityFlow(self.model.guided(labels, guidance, self.guide, head=head))

    def cost(self, gammas: int, guidance: float = 0.0, *, name: str | None = None) -> int:
        """Network evaluations of a walk over so many gammas, for one image."""
        info = solver(name or self.settings.solver).info
        return info.evaluations_per_step * (gammas - 1) * (2 if guidance else 1)

    def walk(
        self,
        x: Tensor,
        labels: Sequence[Label],
        gammas: Sequence[float],
        guidance: float | Sequence[float] = 0.0,
        *,
        name: str | None = None,
    ) -> Generator[Look, None, Tensor]:
        """From x_t (B, C, H, W) at gammas[0] to gammas[-1], up or down."""
        flow = self.flow(labels, guidance, name=name)
        rising = gammas[-1] > gammas[0]
        steps = sample(
            solver(name or self.settings.solver), flow, self.place(x), gammas, schedule=self.model.schedule
        )
        for step in steps:
            check_finite(step, self.placement)
            x = step.x
            yield Look(step.index, step.total, step.t, step.evaluations, x if rising else step.x0)
        return x

    def invert(
        self,
        x: Tensor,
        labels: Sequence[Label],
        gammas: Sequence[float],
        guidance: float = 0.0,
        tolerance: Tolerance | None = None,
    ) -> Generator[Look, None, list[Inverted]]:
        """What decodes exactly to the pictures x (B, C, H, W) along falling gammas."""
        times = self.model.schedule.t(torch.tensor(gammas, dtype=torch.float64)).tolist()
        inversion = invert(
            solver(self.settings.solver),
            lambda rows: self.flow([labels[row] for row in rows], guidance),
            self.place(x),
            gammas,
            tolerance,
        )
        while True:
            try:
                state = next(inversion)
            except StopIteration as ended:
                found: list[Inverted] = ended.value
                return found
            scale = (1.0 + state.gamma**2) ** -0.5
            t = times[len(gammas) - 1 - min(state.done + 1, state.total)]
            yield Look(state.done, state.total, t, state.evaluations, state.xbar * scale)

    def smaller(self, tried: int, error: BaseException) -> int | None:
        """After memory ran out with `tried` images at once: how many to try now.

        None if the error is about something else; `OutOfMemory` if one was tried.
        """
        return self.workbench.smaller_batch(tried, error, [self.model, self.guide])


def load_route(
    workbench: Workbench, settings: RouteRequest, labels: Iterable[Label], *, precise: bool = False
) -> Generator[Loading, None, Route]:
    """The route for these settings and labels; errors say what doesn't fit.

    `precise` says that precision "auto" means fp32: up and down agree to the level of a byte
    only if the network does not round as bf16 does.
    """
    plan = make_plan(_as_generate(settings, labels), workbench.catalogue())
    exact = plan.solver.derivative == "exact"
    precision = "fp32" if precise and settings.precision == "auto" else settings.precision
    placement = choose_placement(settings.device, precision, exact=exact)
    model, guide = yield from workbench.load_pair(plan.model, plan.guide, placement)
    return Route(workbench, plan, settings, placement, model, guide)


def _as_generate(s: RouteRequest, labels: Iterable[Label]) -> GenerateRequest:
    """A request for images from noise that needs what this walk needs, to be checked as such."""
    return GenerateRequest(
        model=s.model,
        labels=label_numbers(labels) or (None,),
        solver=s.solver,
        steps=s.steps,
        spacing=s.spacing,
        guidance=s.guidance,
        guidance_model=s.guidance_model,
        t_end=s.t_end,
        device=s.device,
        precision=s.precision,
        batch=s.batch,
    )


def to_tensor(pictures: Pictures) -> Tensor:
    """Bytes -> (B, C, H, W) float64 in [-1, 1] on the CPU; `to_pictures` gives the bytes back."""
    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    levels = np.frombuffer(pictures.data, np.uint8).reshape(shape)
    return torch.from_numpy(levels.astype(np.float64)).permute(0, 3, 1, 2) / 127.5 - 1.0


@dataclass
class Meter:
    """Counts a job's evaluations and turns looks into progress events.

    `total` is what the job is expected to take, in network calls on a group; it grows when
    more are needed.
    """

    control: Control
    total: int
    began: float = field(default_factory=time.monotonic)
    spent: int = 0
    first: int = 0
    count: int = 1

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def stopped(self) -> bool:
        return self.control.cancelled.is_set()

    def group(self, first: int, count: int) -> None:
        """The images that follow now."""
        self.first, self.count = first, count

    def follow(self, walk: Generator[Look, None, _Found]) -> Generator[Progress, None, _Found | None]:
        """Go the whole walk; None if it was stopped on the way."""
        before = self.spent
        while True:
            try:
                look = next(walk)
            except StopIteration as ended:
                found: _Found = ended.value
                return found
            fresh = before + look.evaluations > self.spent
            self.spent = before + look.evaluations
            self.total = max(self.total, self.spent)
            if fresh:
                yield self._progress(look)
            if self.stopped and look.step < look.steps:
                walk.close()
                return None

    def _progress(self, look: Look) -> Progress:
        seconds = self.seconds
        left = seconds / self.spent * (self.total - self.spent)
        preview = to_pictures(look.shown) if self.control.wants_preview() else None
        return Progress(
            self.first,
            self.count,
            look.step,
            look.steps,
            look.t,
            self.spent,
            self.total,
            seconds,
            left,
            preview,
        )
