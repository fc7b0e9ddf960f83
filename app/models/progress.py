"""How far a job on the canvas is."""

from __future__ import annotations

from dataclasses import dataclass

from engine.messages import Progress

__all__ = ["CanvasProgress"]


@dataclass(frozen=True)
class CanvasProgress:
    """How far the running job is. Seconds; `seconds_per_step` is 0 until one step is done."""

    step: int = 0
    steps: int = 0
    evaluations: int = 0
    evaluations_total: int = 0
    seconds: float = 0.0
    seconds_per_step: float = 0.0
    seconds_left: float = 0.0
    first: int = 0  # the images in the network now: first .. first + count - 1
    count: int = 0
    loading: float = 0.0  # 0 to 1 while a model is read

    @property
    def fraction(self) -> float:
        return self.evaluations / self.evaluations_total if self.evaluations_total else 0.0

    @classmethod
    def of(cls, event: Progress) -> CanvasProgress:
        """What an event of the engine says of it."""
        # Seconds count over the whole job, steps start again with every group of images.
        share = event.evaluations / event.evaluations_total if event.evaluations_total else 0.0
        groups = max(round(event.evaluations_total / max(event.steps, 1)), 1)
        done = event.step if event.evaluations else 0
        steps_done = share * groups * event.steps if share else float(done)
        return cls(
            step=event.step,
            steps=event.steps,
            evaluations=event.evaluations,
            evaluations_total=event.evaluations_total,
            seconds=event.seconds,
            seconds_per_step=event.seconds / steps_done if steps_done else 0.0,
            seconds_left=event.seconds_left,
            first=event.first,
            count=event.count,
        )
