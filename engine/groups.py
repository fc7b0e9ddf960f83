"""Pictures made group after group: what generating and enlarging have in common.

A stop keeps the groups that were finished, and so does memory that ran out with one picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from engine.devices import is_out_of_memory
from engine.messages import Control, Event, Notice, Pictures, Progress, StepFrame
from engine.pictures import Frame, join_frames, join_pictures, to_pictures
from engine.provenance import check_finite
from engine.sampling import Step
from engine.workbench import LoadedModel, Workbench

__all__ = ["Groups"]


@dataclass
class Groups:
    """`count` pictures of `shape` (C, H, W), at most `batch` at once through `model`.

    `cost` are the network evaluations of a group. `finished` pictures are those of finished groups.
    """

    workbench: Workbench
    control: Control
    model: LoadedModel
    guide: LoadedModel | None
    count: int
    shape: tuple[int, int, int]
    cost: int
    batch: int
    keep_steps: bool
    notices: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _done: list[Pictures] = field(default_factory=list)
    _frames: list[list[Frame]] = field(default_factory=list)
    _evaluations: int = 0  # of all groups, given-up ones included
    _work: int = 0  # evaluations times images, for the time left

    @property
    def finished(self) -> int:
        return sum(self.sizes)

    @property
    def sizes(self) -> list[int]:
        """Images in each finished group."""
        return [part.count for part in self._done]

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def pictures(self) -> Pictures:
        return join_pictures(self._done, self.shape)

    @property
    def steps(self) -> tuple[StepFrame, ...]:
        return join_frames(self._frames, self.shape) if self.keep_steps else ()

    def notice(self, message: str) -> Notice:
        """Say it now, and keep it for the outcome."""
        self.notices.append(message)
        return Notice(message)

    def run(self, walk: Callable[[int, int], Iterator[Step]]) -> Iterator[Event]:
        """Make the pictures; `walk(first, count)` takes those of one group through the network."""
        if self.control.keep_steps and not self.keep_steps:
            yield self.notice("The steps of so many pictures would fill the memory; they were not kept.")
        while self.finished < self.count and not self.control.cancelled.is_set():
            tried = min(self.batch, self.count - self.finished)
            place = self.model.placement.title
            try:
                if (yield from self._group(walk, self.finished, tried)):
                    return
                continue
            except Exception as error:
                if is_out_of_memory(error) and tried == 1 and self.finished:
                    smaller: int | None = 0
                else:
                    smaller = self.workbench.smaller_batch(tried, error, [self.model, self.guide])
                if smaller is None:
                    raise
            if not smaller:
                yield self.notice(
                    f"The memory of {place} ran out; the first {self.finished} of {self.count} pictures are "
                    "finished and kept. Close other programs and make the rest again."
                )
                return
            self.batch = smaller
            yield self.notice(
                f"The memory of {place} ran out with {tried} pictures at once; "
                f"the job goes on with {self.batch}."
            )

    def _group(
        self, walk: Callable[[int, int], Iterator[Step]], first: int, count: int
    ) -> Generator[Progress, None, bool]:
        """The next images, together through the network; True if they were cancelled."""
        before, work = self._evaluations, self._work
        total = before + -(-(self.count - first) // self.batch) * self.cost
        work_left = (self.count - first) * self.cost
        frames: list[Frame] = []
        step: Step | None = None
        for step in walk(first, count):
            check_finite(step, self.model.placement)
            # Whole steps are kept, so their pictures are made anyway; in between only if wanted.
            shown: Pictures | None = None
            if self.keep_steps and step.whole:
                shown = to_pictures(step.x0)
                frames.append(Frame(step.index, step.t, step.evaluations, shown))
            spent = before + step.evaluations
            if spent > self._evaluations:
                self._evaluations, self._work = spent, work + step.evaluations * count
                left = self.seconds / self._work * (work_left - step.evaluations * count)
                preview = (shown or to_pictures(step.x0)) if self.control.wants_preview() else None
                yield Progress(
                    first, count, step.index, step.total, step.t, spent, total, self.seconds, left, preview
                )
            # A stop that comes with the last evaluation loses nothing: these images are done.
            if self.control.cancelled.is_set() and step.index < step.total:
                return True
        assert step is not None
        finished = to_pictures(step.x)
        if frames:
            frames[-1] = Frame(step.index, step.t, step.evaluations, finished)
        self._frames.append(frames)
        self._done.append(finished)
        return False
