"""Pictures of points: what pads, scrubs, walks and their videos have in common.

A painter is a model with a way of sampling, loaded and checked; it turns points into images,
enlarged if a second model is to do that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.devices import Placement, choose_placement
from engine.errors import BadRequest
from engine.flow import ProbabilityFlow
from engine.latents import noise, realise
from engine.messages import (
    GenerateRequest,
    Loading,
    ModelInfo,
    Point,
    Sampling,
    Upsampling,
)
from engine.plan import Plan, choose_batch, label_numbers, make_plan
from engine.provenance import check_finite
from engine.sampling import sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.upsample import check_upsampling
from engine.upsampling import augmentation_noise, enlarging
from engine.workbench import LoadedModel, Workbench

__all__ = ["Painter", "Stroke", "load_painter"]

_MANY = 256  # images at once are never more


@dataclass(frozen=True)
class Stroke:
    """One network evaluation on a group of points: `step` of `steps` is done at time `t`.

    x0 (B, C, H, W) is the image as last predicted; `evaluations` of `total` count network
    calls on this group.
    """

    step: int
    steps: int
    t: float
    evaluations: int
    total: int
    x0: Tensor


@dataclass(frozen=True)
class Painter:
    """Turns points into images. Belongs to one request."""

    workbench: Workbench
    plan: Plan
    sampling: Sampling
    placement: Placement
    model: LoadedModel
    guide: LoadedModel | None
    upsampler: LoadedModel | None
    calls: int  # network calls a group costs, the upsampler's included, a guided pair as one

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the finished images."""
        if self.upsampler is None:
            return self.plan.shape
        size = self.upsampler.card.image_size
        return (self.plan.model.channels, size, size)

    @property
    def batch(self) -> int:
        """How many points go through the network together, if there are so many."""
        if self.upsampler is not None:
            most = (16 if self.placement.device.type == "cpu" else 128) * 32 * 32
            return self.sampling.batch or max(1, most // self.upsampler.card.image_size**2)
        many = dataclasses.replace(self.plan.request, labels=(None,) * _MANY)
        return choose_batch(dataclasses.replace(self.plan, request=many), self.placement)

    def evaluations(self, points: Sequence[Point]) -> int:
        """Network calls `paint` makes for these points; a guided pair costs two."""
        guided = any(point.guidance for point in points)
        return self.calls + (self.plan.calls if guided else 0)

    def paint(self, points: Sequence[Point]) -> Generator[Stroke, None, Tensor]:
        """Take the points through the network together; returns their images (B, C, H, W)."""
        total = self.evaluations(points)
        image = yield from self._base(points, total)
        if self.upsampler is not None and self.sampling.upsampling is not None:
            image = yield from self._enlarged(image, self.sampling.upsampling, total)
        return image

    def _base(self, points: Sequence[Point], total: int) -> Generator[Stroke, None, Tensor]:
        how, place = self.sampling, self.placement
        z = [realise(point.latent, self.plan.shape, self.plan.model.name) for point in points]
        denoiser = self.model.guided(
            [point.label for point in points],
            [point.guidance for point in points],
            self.guide,
            head=self.plan.solver.derivative == "head",
        )
        gammas = step_grid(self.model.schedule, how.steps, how.spacing, how.t_end).tolist()
        for step in sample(
            solver(how.solver), ProbabilityFlow(denoiser), torch.stack(z).to(place.device, place.state_dtype),
            gammas, schedule=self.model.schedule, analytic_first=how.analytic_first, denoise=how.denoise,
        ):  # fmt: skip
            check_finite(step, place)
            yield Stroke(step.index, self._steps, step.t, step.evaluations, total, step.x0)
        return step.x

    def _enlarged(self, x: Tensor, how: Upsampling, total: int) -> Generator[Stroke, None, Tensor]:
        """`x` made large; every image with the noise of the same seeds."""
        assert self.upsampler is not None
        count, small = len(x), x.clamp(-1.0, 1.0)
        channels, height, width = self.plan.shape
        augmentation = augmentation_noise([how.aug_seed], (channels, height, width))
        start = noise([how.seed], self.shape)
        before, steps = total - self._upsampler_calls, self._steps
        for step in enlarging(
            self.upsampler, small, start.expand(count, -1, -1, -1),
            augmentation.expand(count, -1, -1, -1), how,
        ):  # fmt: skip
            check_finite(step, self.placement)
            index = steps - step.total + step.index
            yield Stroke(index, steps, step.t, before + step.evaluations, total, step.x0)
        return step.x

    @property
    def _upsampler_calls(self) -> int:
        return self.calls - self.plan.calls

    @property
    def _steps(self) -> int:
        """Steps of both models."""
        how, up = self.sampling, self.sampling.upsampling
        base = how.steps + int(how.denoise)
        return base if up is None or self.upsampler is None else base + up.steps + int(up.denoise)

    def smaller(self, tried: int, error: BaseException) -> int | None:
        """After memory ran out with `tried` at once: how many to try now, everything else freed.

        None if the error is about something else; `OutOfMemory` if one was tried.
        """
        return self.workbench.smaller_batch(tried, error, [self.model, self.guide, self.upsampler])


def load_painter(
    workbench: Workbench, model: str, points: Iterable[Point], sampling: Sampling
) -> Generator[Loading, None, Painter]:
    """The painter for these points; errors say what of them or of the sampling doesn't fit."""
    catalogue = workbench.catalogue()
    points = list(points)
    plan = make_plan(_as_generate(model, points, sampling), catalogue)
    calls, enlarger, exact = plan.calls, None, plan.solver.derivative == "exact"
    if sampling.upsampling is not None:
        enlarger, walker, more = check_upsampling(sampling.upsampling, catalogue)
        _check_pair(plan.model, enlarger)
        calls += more
        exact = exact or walker.derivative == "exact"
    for latent in dict.fromkeys(point.latent for point in points):
        realise(latent, plan.shape, plan.model.name)  # before anything slow: is each there, and does it fit?
    placement = choose_placement(sampling.device, sampling.precision, exact=exact)
    loaded, guide = yield from workbench.load_pair(plan.model, plan.guide, placement)
    upsampler = (yield from workbench.load(enlarger, placement)) if enlarger is not None else None
    return Painter(workbench, plan, sampling, placement, loaded, guide, upsampler, calls)


def _as_generate(model: str, points: Sequence[Point], sampling: Sampling) -> GenerateRequest:
    """A request for images from noise that needs what these points need, to be checked as such."""
    guidance = next((point.guidance for point in points if point.guidance), 0.0)
    return GenerateRequest(
        model=model,
        labels=label_numbers(point.label for point in points),
        solver=sampling.solver,
        steps=sampling.steps,
        spacing=sampling.spacing,
        guidance=guidance,
        guidance_model=sampling.guidance_model,
        analytic_first=sampling.analytic_first,
        denoise=sampling.denoise,
        t_end=sampling.t_end,
        device=sampling.device,
        precision=sampling.precision,
        batch=sampling.batch,
    )


def _check_pair(model: ModelInfo, upsampler: ModelInfo) -> None:
    if (model.image_size, model.channels) != (upsampler.upsamples_from, upsampler.channels):
        raise BadRequest(
            f"{upsampler.title} enlarges images of {upsampler.upsamples_from} x {upsampler.upsamples_from} "
            f"pixels with {upsampler.channels} channels; {model.title} makes them of {model.image_size} x "
            f"{model.image_size} with {model.channels}. Choose an upsampler that fits, or none.",
            field="upsampler",
        )
