"""The one door into the engine: a request goes in, events come out.

    engine = Engine()
    for event in engine.run(GenerateRequest("fashion32", labels=(9,) * 16)):
        match event:
            case Progress(): ...
            case Result(): ...

Everything here runs in the caller's thread; one Engine belongs to one thread.
"""

from __future__ import annotations

import importlib.metadata
import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch

from engine.catalogue import read_catalogue
from engine.checkpoints.card import CARD, Card, read_card
from engine.checkpoints.native import load_head, load_network
from engine.denoiser import Denoiser, ImageNetwork, NetworkDenoiser
from engine.devices import Placement, choose_placement, is_out_of_memory, release_memory, use_threads
from engine.errors import BadRequest, EngineError, OutOfMemory
from engine.flow import ProbabilityFlow
from engine.generate import (
    Frame,
    Plan,
    choose_batch,
    join_frames,
    join_pictures,
    make_plan,
    to_pictures,
    usable_model,
)
from engine.guidance import GuidedByNullLabel, GuidedPair
from engine.latents import noise
from engine.messages import (
    Catalogue,
    Control,
    Event,
    GenerateRequest,
    Loading,
    ModelInfo,
    Notice,
    Pictures,
    Progress,
    Provenance,
    Request,
    Result,
    WarmUp,
)
from engine.networks.head import HeadNetwork
from engine.sampling import Step, sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import solver

__all__ = ["Engine"]

_MODELS_KEPT = 3


@dataclass(frozen=True)
class _Loaded:
    """A model in the memory of a device."""

    card: Card
    network: torch.nn.Module
    head: torch.nn.Module | None
    placement: Placement

    @property
    def schedule(self) -> VPSchedule:
        return VPSchedule(self.card.beta_min, self.card.beta_d)

    def denoiser(self, labels: Sequence[int | None], *, head: bool) -> Denoiser:
        """The network asked for these labels; None is its null label, or 0 without classes."""
        numbers = [len(self.card.classes) if label is None else label for label in labels]
        return NetworkDenoiser(
            cast(ImageNetwork, self.network),
            self.card.prediction,
            torch.tensor(numbers, dtype=torch.int64, device=self.placement.device),
            dtype=self.placement.dtype,
            head=cast("HeadNetwork | None", self.head) if head else None,
            memory_format=self.placement.memory_format,
        )


@dataclass
class _Job:
    """What a generate request has come to; groups are finished ones only."""

    plan: Plan
    control: Control
    placement: Placement
    model: _Loaded
    guide: _Loaded | None
    keep_steps: bool
    began: float = field(default_factory=time.monotonic)
    pictures: list[Pictures] = field(default_factory=list)
    frames: list[list[Frame]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    batch: int = 0
    evaluations: int = 0  # of all groups, given-up ones included
    work: int = 0  # evaluations times images, for the time left

    @property
    def finished(self) -> int:
        """Images that are done."""
        return sum(p.count for p in self.pictures)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Engine:
    """Runs requests, one at a time, and keeps the models used last in memory.

    `folders` holds the folders to look for models in (default: the bundled and the user's
    own). `threads` is how many torch may compute with (default: all cores but one).
    """

    def __init__(self, folders: Sequence[Path] | None = None, *, threads: int | None = None) -> None:
        self._folders = folders
        self._loaded: dict[tuple[str, Placement], _Loaded] = {}
        self.threads = use_threads(threads)

    def catalogue(self) -> Catalogue:
        """What can be chosen now; models that came since the last look are in it."""
        return read_catalogue(self._folders)

    def release(self) -> None:
        """Forget all loaded models and give their memory back."""
        self._release_except(())

    def run(self, request: Request, control: Control | None = None) -> Iterator[Event]:
        """Do what `request` says. Errors are raised before or between events.

        A GenerateRequest ends with exactly one Result, which after a stop holds the groups
        finished by then (perhaps no picture), and likewise once memory no longer suffices for
        one picture more, which a Notice says. A WarmUp ends without one. An `EngineError`
        leaves the engine usable, and so does not exhausting the iterator.
        """
        control = control or Control()
        if isinstance(request, WarmUp):
            return self._warm_up(request)
        return self._generate(request, control)

    # --- loading ------------------------------------------------------------------------------

    def _load(self, info: ModelInfo, placement: Placement) -> Generator[Loading, None, _Loaded]:
        """The model on that device; says how far it is unless it was there already."""
        card = read_card(Path(info.folder) / CARD)
        key = (info.folder, placement)
        there = self._loaded.pop(key, None)
        if there is not None and there.card == card:
            self._loaded[key] = there  # now the one used last
            return there
        yield Loading(info.name, 0.0)
        folder = Path(info.folder)
        try:
            loaded = yield from self._read(info.name, folder, card, placement)
            failure = None
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error)
        # Out of the handler, whose traceback would keep what was loaded so far.
        if failure is not None:
            self._release_except(())
            try:
                loaded = yield from self._read(info.name, folder, card, placement)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise OutOfMemory(
                    f"{info.title} doesn't fit into the memory of {placement.title}. "
                    "Close other programs or choose another device.",
                    field="device",
                    details=failure,
                ) from error
        self._loaded[key] = loaded
        while len(self._loaded) > _MODELS_KEPT:
            del self._loaded[next(iter(self._loaded))]
        yield Loading(info.name, 1.0)
        return loaded

    def _read(
        self, name: str, folder: Path, card: Card, placement: Placement
    ) -> Generator[Loading, None, _Loaded]:
        network = placement.place(load_network(folder, card))
        yield Loading(name, 0.8)
        head = load_head(folder, card)
        return _Loaded(card, network, placement.place(head) if head is not None else None, placement)

    def _release_except(self, kept: Sequence[_Loaded]) -> None:
        devices = {loaded.placement.device for loaded in self._loaded.values()}
        self._loaded = {
            key: loaded for key, loaded in self._loaded.items() if any(loaded is other for other in kept)
        }
        for device in devices:
            release_memory(device)

    def _warm_up(self, request: WarmUp) -> Iterator[Event]:
        info = usable_model(request.model, self.catalogue())
        placement = choose_placement(request.device, request.precision)
        loaded = yield from self._load(info, placement)
        with torch.inference_mode():
            shape = (info.channels, info.image_size, info.image_size)
            x = noise([0], shape).to(placement.device, placement.state_dtype)
            denoiser = loaded.denoiser([None], head=info.has_head)
            if denoiser.has_head:
                denoiser.eps_with_derivative(x, 1.0)
            else:
                denoiser.eps(x, 1.0)

    # --- generating ---------------------------------------------------------------------------

    def _generate(self, request: GenerateRequest, control: Control) -> Iterator[Event]:
        plan = make_plan(request, self.catalogue())
        exact = plan.solver.derivative == "exact"
        placement = choose_placement(request.device, request.precision, exact=exact)
        model = yield from self._load(plan.model, placement)
        guide = None
        if plan.guide is not None:
            guide = yield from self._load(plan.guide, placement)
            if guide.schedule != model.schedule:
                raise BadRequest(
                    f"{plan.guide.title} was trained with another noise schedule than {plan.model.title}. "
                    "A guided pair needs the same.",
                    field="guidance_model",
                )
        job = _Job(plan, control, placement, model, guide, control.keep_steps and plan.keeps_steps())
        job.batch = choose_batch(plan, placement)
        if control.keep_steps and not job.keep_steps:
            yield self._notice(
                job, "The steps of so many pictures would fill the memory; they were not kept."
            )
        while job.finished < request.count and not control.cancelled.is_set():
            failure: str | None = None
            stopped = False
            try:
                stopped = yield from self._group(job)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                failure = str(error) or type(error).__name__
            if failure is not None:
                # Only now: inside the handler its traceback still holds the tensors.
                stopped = not (yield from self._halve(job, failure))
            if stopped:
                break
        yield self._result(job)

    def _group(self, job: _Job) -> Generator[Progress, None, bool]:
        """The next images, together through the network; True if they were cancelled."""
        request, plan, control = job.plan.request, job.plan, job.control
        first = job.finished
        count = min(job.batch, request.count - first)
        chosen = slice(first, first + count)
        denoiser = self._denoiser(job, request.labels[chosen])
        flow = ProbabilityFlow(denoiser)
        x = noise(request.seeds[chosen], plan.shape).to(job.placement.device, job.placement.state_dtype)
        gammas = step_grid(job.model.schedule, request.steps, request.spacing, request.t_end).tolist()
        before, work = job.evaluations, job.work
        groups_left = -(-(request.count - first) // job.batch)
        total = before + groups_left * plan.calls * denoiser.evaluations
        work_left = (request.count - first) * plan.calls * denoiser.evaluations
        frames: list[Frame] = []
        step: Step | None = None
        for step in sample(
            solver(request.solver), flow, x, gammas,
            schedule=job.model.schedule, analytic_first=request.analytic_first, denoise=request.denoise,
        ):  # fmt: skip
            _check_finite(step, job.placement)
            # Whole steps are kept, so their pictures are made anyway; in between only if wanted.
            shown: Pictures | None = None
            if job.keep_steps and step.whole:
                shown = to_pictures(step.x0)
                frames.append(Frame(step.index, step.t, step.evaluations, shown))
            spent = before + step.evaluations
            if spent > job.evaluations:
                job.evaluations, job.work = spent, work + step.evaluations * count
                pace = job.seconds / job.work
                left = pace * (work_left - step.evaluations * count)
                preview = (shown or to_pictures(step.x0)) if control.wants_preview() else None
                yield Progress(
                    first, count, step.index, step.total, step.t, spent, total, job.seconds, left, preview
                )
            # A stop that comes with the last evaluation loses nothing: these images are done.
            if control.cancelled.is_set() and step.index < step.total:
                return True
        assert step is not None
        finished = to_pictures(step.x)
        if frames:
            frames[-1] = Frame(step.index, step.t, step.evaluations, finished)
        job.frames.append(frames)
        job.pictures.append(finished)
        return False

    def _denoiser(self, job: _Job, labels: Sequence[int | None]) -> Denoiser:
        head = job.plan.solver.derivative == "head"
        count, scale = len(labels), job.plan.request.guidance
        if not job.plan.guided:
            return job.model.denoiser(labels, head=head)
        if job.guide is None:
            both = [*labels, *([None] * count)]
            return GuidedByNullLabel(job.model.denoiser(both, head=head), scale)
        return GuidedPair(
            job.model.denoiser(labels, head=head),
            job.guide.denoiser([None] * count, head=head),
            scale,
        )

    def _halve(self, job: _Job, failure: str) -> Generator[Event, None, bool]:
        """Memory ran out: free what can be freed and go on with half as many at once.

        False if it can't go on: then one picture was too many, but some are finished already.
        """
        kept = [job.model] if job.guide is None else [job.model, job.guide]
        self._release_except(kept)
        tried = min(job.batch, job.plan.request.count - job.finished)
        if tried == 1 and job.finished:
            yield self._notice(
                job,
                f"The memory of {job.placement.title} ran out; the first {job.finished} of "
                f"{job.plan.request.count} pictures are finished and kept. Close other programs and "
                "make the rest again.",
            )
            return False
        if tried == 1:
            raise OutOfMemory(
                f"Not even one picture of {job.plan.model.title} fits into the memory of "
                f"{job.placement.title}. Close other programs, choose another device or another precision.",
                field="device",
                details=failure,
            )
        job.batch = tried // 2
        yield self._notice(
            job,
            f"The memory of {job.placement.title} ran out with {tried} pictures at once; "
            f"the job goes on with {job.batch}.",
        )
        return True

    def _notice(self, job: _Job, message: str) -> Notice:
        job.notices.append(message)
        return Notice(message)

    def _result(self, job: _Job) -> Result:
        plan, placement = job.plan, job.placement
        # With no picture to spend them on, the labels of one image tell what an evaluation costs.
        cost = self._denoiser(job, plan.request.labels[:1]).evaluations
        return Result(
            request=plan.request,
            pictures=join_pictures(job.pictures, plan.shape),
            steps=join_frames(job.frames, plan.shape) if job.keep_steps else (),
            evaluations=plan.calls * cost,
            evaluations_paper=plan.calls,
            seconds=job.seconds,
            provenance=Provenance(
                device=placement.name,
                device_name=placement.title,
                precision=placement.precision,
                torch=torch.__version__,
                version=_version(),
                batches=tuple(p.count for p in job.pictures),
                threads=torch.get_num_threads() if placement.name == "cpu" else 0,
            ),
            notices=tuple(job.notices),
        )


def _check_finite(step: Step, placement: Placement) -> None:
    # One number to look at instead of all: it is not finite if any of its terms is not. It
    # also waits for the device, so that a stop is never more than one evaluation away.
    if not math.isfinite((step.x if step.whole else step.x0).sum().item()):
        advice = (
            "Try precision fp32." if placement.precision != "fp32" else "Try more steps or less guidance."
        )
        raise EngineError(
            f"The numbers ran out of bounds in step {step.index} of {step.total} "
            f"({placement.precision} on {placement.title}). {advice}",
            field="precision" if placement.precision != "fp32" else "steps",
        )


def _version() -> str:
    try:
        return importlib.metadata.version("genie-studio")
    except importlib.metadata.PackageNotFoundError:
        return "from source"
