"""Images from noise, group after group, live and stoppable after every evaluation."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from engine.denoiser import Denoiser
from engine.devices import Placement, choose_placement, is_out_of_memory
from engine.errors import BadRequest, OutOfMemory
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.messages import (
    Control,
    Event,
    GenerateRequest,
    Notice,
    Pictures,
    Progress,
    Result,
)
from engine.pictures import Frame, join_frames, join_pictures, to_pictures
from engine.plan import Plan, choose_batch, make_plan
from engine.provenance import check_finite, provenance
from engine.sampling import Step, sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.workbench import LoadedModel, Workbench

__all__ = ["run"]


@dataclass
class _Job:
    """What a generate request has come to; groups are finished ones only."""

    workbench: Workbench
    plan: Plan
    control: Control
    placement: Placement
    model: LoadedModel
    guide: LoadedModel | None
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


def run(workbench: Workbench, request: GenerateRequest, control: Control) -> Iterator[Event]:
    """Generate; ends with exactly one Result.

    After a stop it holds the groups finished by then (perhaps no picture), and likewise once
    memory no longer suffices for one picture more, which a Notice says.
    """
    plan = make_plan(request, workbench.catalogue())
    exact = plan.solver.derivative == "exact"
    placement = choose_placement(request.device, request.precision, exact=exact)
    model = yield from workbench.load(plan.model, placement)
    guide = None
    if plan.guide is not None:
        guide = yield from workbench.load(plan.guide, placement)
        if guide.schedule != model.schedule:
            raise BadRequest(
                f"{plan.guide.title} was trained with another noise schedule than {plan.model.title}. "
                "A guided pair needs the same.",
                field="guidance_model",
            )
    job = _Job(workbench, plan, control, placement, model, guide, control.keep_steps and plan.keeps_steps())
    job.batch = choose_batch(plan, placement)
    if control.keep_steps and not job.keep_steps:
        yield _notice(job, "The steps of so many pictures would fill the memory; they were not kept.")
    while job.finished < request.count and not control.cancelled.is_set():
        failure: str | None = None
        stopped = False
        try:
            stopped = yield from _group(job)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            failure = str(error) or type(error).__name__
        if failure is not None:
            # Only now: inside the handler its traceback still holds the tensors.
            stopped = not (yield from _halve(job, failure))
        if stopped:
            break
    yield _result(job)


def _group(job: _Job) -> Generator[Progress, None, bool]:
    """The next images, together through the network; True if they were cancelled."""
    request, plan, control = job.plan.request, job.plan, job.control
    first = job.finished
    count = min(job.batch, request.count - first)
    chosen = slice(first, first + count)
    denoiser = _denoiser(job, request.labels[chosen])
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
        check_finite(step, job.placement)
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


def _denoiser(job: _Job, labels: Sequence[int | None]) -> Denoiser:
    head = job.plan.solver.derivative == "head"
    guidance = job.plan.request.guidance if job.plan.guided else 0.0
    return job.model.guided(labels, guidance, job.guide, head=head)


def _halve(job: _Job, failure: str) -> Generator[Event, None, bool]:
    """Memory ran out: free what can be freed and go on with half as many at once.

    False if it can't go on: then one picture was too many, but some are finished already.
    """
    kept = [job.model] if job.guide is None else [job.model, job.guide]
    job.workbench.release_except(kept)
    tried = min(job.batch, job.plan.request.count - job.finished)
    if tried == 1 and job.finished:
        yield _notice(
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
    yield _notice(
        job,
        f"The memory of {job.placement.title} ran out with {tried} pictures at once; "
        f"the job goes on with {job.batch}.",
    )
    return True


def _notice(job: _Job, message: str) -> Notice:
    job.notices.append(message)
    return Notice(message)


def _result(job: _Job) -> Result:
    plan, placement = job.plan, job.placement
    # With no picture to spend them on, the labels of one image tell what an evaluation costs.
    cost = _denoiser(job, plan.request.labels[:1]).evaluations
    return Result(
        request=plan.request,
        pictures=join_pictures(job.pictures, plan.shape),
        steps=join_frames(job.frames, plan.shape) if job.keep_steps else (),
        evaluations=plan.calls * cost,
        evaluations_paper=plan.calls,
        seconds=job.seconds,
        provenance=provenance(placement, [p.count for p in job.pictures]),
        notices=tuple(job.notices),
    )
