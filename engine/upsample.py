"""Small images made large, a few at a time, live and stoppable after every evaluation."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from engine.devices import Placement, choose_placement, free_memory, is_out_of_memory
from engine.errors import BadRequest, OutOfMemory
from engine.latents import noise
from engine.messages import (
    Catalogue,
    Control,
    Event,
    ModelInfo,
    Notice,
    Pictures,
    Progress,
    SolverInfo,
    Upsampled,
    UpsampleRequest,
    Upsampling,
)
from engine.pictures import Frame, from_pictures, join_frames, join_pictures, to_pictures
from engine.plan import usable_model
from engine.provenance import check_finite, provenance
from engine.sampling import Step
from engine.sources import fit, named, read_image
from engine.upsampling import augmentation_noise, enlarging
from engine.workbench import LoadedModel, Workbench

__all__ = ["check_upsampling", "run"]

_FRAME_BYTES = 256 << 20  # more than this of recorded steps is not kept


@dataclass
class _Job:
    """What a request has come to; groups are finished ones only."""

    workbench: Workbench
    request: UpsampleRequest
    info: ModelInfo
    calls: int  # evaluations of one group
    control: Control
    placement: Placement
    model: LoadedModel
    sources: Pictures
    keep_steps: bool
    batch: int
    began: float = field(default_factory=time.monotonic)
    pictures: list[Pictures] = field(default_factory=list)
    frames: list[list[Frame]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    evaluations: int = 0  # of all groups, given-up ones included
    work: int = 0  # evaluations times images, for the time left

    @property
    def finished(self) -> int:
        """Images that are done."""
        return sum(p.count for p in self.pictures)

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.info.channels, self.info.image_size, self.info.image_size)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def notice(self, message: str) -> Notice:
        self.notices.append(message)
        return Notice(message)


def check_upsampling(how: Upsampling, catalogue: Catalogue) -> tuple[ModelInfo, SolverInfo, int]:
    """The upsampler and solver it names, and the evaluations an image costs.

    Errors say what doesn't fit and what would.
    """
    info = usable_model(how.model, catalogue)
    if not info.is_upsampler:
        able = [m for m in catalogue.models if m.is_upsampler and m.problem is None]
        there = ", ".join(f"{m.name} (from {m.upsamples_from} pixels)" for m in able)
        raise BadRequest(
            f"{info.title} makes images of noise and enlarges none. "
            + (f"Upsamplers: {there}." if there else "There is no upsampler yet; import one."),
            field="model",
        )
    walker = catalogue.solver(how.solver)
    if walker.derivative == "head" and not info.has_head:
        raise BadRequest(
            f"{info.title} has no GENIE head, which the solver {walker.name!r} needs. "
            "Use 'genie-exact', which computes the derivative itself, or any other solver.",
            field="solver",
        )
    calls = walker.evaluations(how.steps, analytic_first=how.analytic_first, denoise=how.denoise)
    if calls < 1:
        raise BadRequest(
            f"{walker.title} with one step and an analytic first step would never look at the picture. "
            "Use two steps or more, or leave the analytic first step out.",
            field="steps",
        )
    return info, walker, calls


def run(workbench: Workbench, request: UpsampleRequest, control: Control) -> Iterator[Event]:
    """Make the images large; ends with exactly one Upsampled.

    After a stop it holds the groups finished by then (perhaps none), and likewise once memory
    no longer suffices for one picture more, which a Notice says. All images are read, and must
    fit, before the first evaluation.
    """
    info, walker, calls = check_upsampling(request, workbench.catalogue())
    _check_memory(request, info)
    sources = _read(request, info)
    placement = choose_placement(request.device, request.precision, exact=walker.derivative == "exact")
    model = yield from workbench.load(info, placement)
    frames = request.count * info.channels * info.image_size**2 * (request.steps + int(request.denoise))
    keep_steps = control.keep_steps and frames <= _FRAME_BYTES
    batch = _batch(request, info, placement)
    job = _Job(
        workbench, request, info, calls, control, placement, model, sources, keep_steps, batch
    )  # fmt: skip
    if control.keep_steps and not keep_steps:
        yield job.notice("The steps of so many pictures would fill the memory; they were not kept.")
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
    yield _outcome(job)


def _read(request: UpsampleRequest, info: ModelInfo) -> Pictures:
    """All images as the upsampler wants them; the first that does not fit is a `BadImage`."""
    size = info.upsamples_from
    assert size is not None
    images = [
        fit(read_image(source), size, info.channels, crop=request.crop, name=named(source))
        for source in request.images
    ]
    return join_pictures(images, (info.channels, size, size))


def _check_memory(request: UpsampleRequest, info: ModelInfo) -> None:
    """The network's memory is a matter of the batch; the pictures themselves must fit."""
    stride = info.channels * info.image_size**2
    free = free_memory()
    # Twice: the groups and their concatenation. Half of what is free is left to everything else.
    if free is not None and 2 * stride * request.count > free // 2:
        raise BadRequest(
            f"The {request.count:,} large pictures alone would need {2 * stride * request.count / 1e9:.1f} GB "
            f"and {free / 1e9:.1f} GB of memory are free. Ask for {max(1, free // (4 * stride)):,} at most.",
            field="images",
        )


def _batch(request: UpsampleRequest, info: ModelInfo, placement: Placement) -> int:
    """Images that go through the network together: on a CPU one, so that each is soon there."""
    if request.batch:
        return min(request.batch, request.count)
    if placement.device.type == "cpu":
        return 1
    return max(1, min(request.count, 8 * 256 * 256 // info.image_size**2))


def _group(job: _Job) -> Generator[Progress, None, bool]:
    """The next images, together through the network; True if they were cancelled."""
    request, control = job.request, job.control
    first = job.finished
    count = min(job.batch, request.count - first)
    chosen = slice(first, first + count)
    small = from_pictures(join_pictures([job.sources.one(i) for i in range(first, first + count)], _of(job)))
    x = noise(request.seeds[chosen], job.shape)
    augmentation = augmentation_noise(request.aug_seeds[chosen], _of(job))
    before, work = job.evaluations, job.work
    total = before + -(-(request.count - first) // job.batch) * job.calls
    work_left = (request.count - first) * job.calls
    frames: list[Frame] = []
    step: Step | None = None
    for step in enlarging(job.model, small, x, augmentation, request):
        check_finite(step, job.placement)
        # Whole steps are kept, so their pictures are made anyway; in between only if wanted.
        shown: Pictures | None = None
        if job.keep_steps and step.whole:
            shown = to_pictures(step.x0)
            frames.append(Frame(step.index, step.t, step.evaluations, shown))
        spent = before + step.evaluations
        if spent > job.evaluations:
            job.evaluations, job.work = spent, work + step.evaluations * count
            left = job.seconds / job.work * (work_left - step.evaluations * count)
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


def _of(job: _Job) -> tuple[int, int, int]:
    """Channels, height and width of the small images."""
    return (job.sources.channels, job.sources.height, job.sources.width)


def _halve(job: _Job, failure: str) -> Generator[Event, None, bool]:
    """Memory ran out: free what can be freed and go on with half as many at once.

    False if it can't go on: then one picture was too many, but some are finished already.
    """
    job.workbench.release_except([job.model])
    tried = min(job.batch, job.request.count - job.finished)
    if tried == 1 and job.finished:
        yield job.notice(
            f"The memory of {job.placement.title} ran out; the first {job.finished} of "
            f"{job.request.count} pictures are finished and kept. Close other programs and "
            "make the rest again."
        )
        return False
    if tried == 1:
        raise OutOfMemory(
            f"Not even one picture of {job.info.title} fits into the memory of "
            f"{job.placement.title}. Close other programs, choose another device or another precision.",
            field="device",
            details=failure,
        )
    job.batch = tried // 2
    yield job.notice(
        f"The memory of {job.placement.title} ran out with {tried} pictures at once; "
        f"the job goes on with {job.batch}."
    )
    return True


def _outcome(job: _Job) -> Upsampled:
    done = [job.sources.one(index) for index in range(job.finished)]
    return Upsampled(
        request=job.request,
        pictures=join_pictures(job.pictures, job.shape),
        sources=join_pictures(done, _of(job)),
        steps=join_frames(job.frames, job.shape) if job.keep_steps else (),
        evaluations=job.calls,
        seconds=job.seconds,
        provenance=provenance(job.placement, [p.count for p in job.pictures]),
        notices=tuple(job.notices),
    )
