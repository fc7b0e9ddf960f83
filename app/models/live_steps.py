"""The steps a running job has come through so far, as its previews showed them."""

from __future__ import annotations

from app.models.batch import LiveBatch
from engine.messages import Progress, StepFrame

__all__ = ["LiveSteps"]

_MOST = 32 * 2**20  # bytes of all steps; a larger job shows its steps when it is done


class LiveSteps:
    """One frame a step. A step between two previews has none; the finished result has them all."""

    def __init__(self) -> None:
        self._batches: dict[int, LiveBatch] = {}
        self._frames: dict[int, StepFrame] = {}
        self.frames: tuple[StepFrame, ...] = ()

    def add(self, progress: Progress, count: int) -> bool:
        """Take in a preview of a job of `count` images. False: it changed nothing."""
        preview = progress.preview
        if preview is None or progress.step < 1 or count * preview.stride * progress.steps > _MOST:
            return False
        batch = self._batches.get(progress.step)
        if batch is None or not batch.fits(preview):
            batch = LiveBatch(count, preview.width, preview.height, preview.channels)
            self._batches[progress.step] = batch
        batch.merge(progress.first, preview)
        # Evaluations count over the whole job; of one image it is its share of a group.
        groups = max(round(progress.evaluations_total / max(progress.steps, 1)), 1)
        a_group = max(progress.evaluations_total // groups, 1)
        evaluations = (progress.evaluations - 1) % a_group + 1
        known = self._frames.get(progress.step)
        self._frames[progress.step] = StepFrame(
            progress.step,
            progress.t,
            known.evaluations if known is not None else evaluations,
            batch.pictures(),
        )
        self.frames = tuple(self._frames[step] for step in sorted(self._frames))
        return True

    def begun(self, place: int, index: int) -> bool:
        """Whether image `index` has come to the step at `place`."""
        return index in self._batches[self.frames[place].step].begun
