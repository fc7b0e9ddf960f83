"""How much the picture changes along the walk, measured by the engine when constant pace is wanted."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.traverse.keys import same_way
from app.models.traverse.quality import Quality
from app.models.traverse.timeline import TimelineModel
from engine.messages import Outcome
from engine.messages.traverse import PaceRequest, PaceResult
from engine.messages.walks import Walk

__all__ = ["LANE", "PaceMeter"]

LANE = "pace"


class PaceMeter(QObject):
    """Measures whenever the walk has settled and its pace is missing, unless it is held."""

    changed = Signal()  # whether it measures, or why it could not

    def __init__(
        self, host: EngineHost, quality: Quality, timeline: TimelineModel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._quality = quality
        self._timeline = timeline
        self._asked: PaceRequest | None = None
        self._failure: Failure | None = None
        self._failed: Walk | None = None  # the walk it could not be measured for
        self._held = True
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)
        timeline.changed.connect(self._on_walk_changed)
        timeline.settled.connect(self._measure)
        quality.changed.connect(self._measure)

    @property
    def measuring(self) -> bool:
        return self._asked is not None

    @property
    def failure(self) -> Failure | None:
        """Why it could not be measured."""
        return self._failure

    def set_held(self, held: bool) -> None:
        """Leave the engine to others: while nobody looks, or a hand needs all of it."""
        if held != self._held:
            self._held = held
            if held:
                self._stop()
            self._measure()

    @Slot()
    def _measure(self) -> None:
        walk = self._timeline.walk
        wanted = walk is not None and self._timeline.pace_missing and self._failure is None
        if walk is None or not wanted or self._held or self._asked is not None:
            return
        if self._quality.usable(walk.model):
            # As the video will be made: in fewer steps a picture turns into another at another place.
            self._asked = PaceRequest(walk, self._quality.final(walk.model))
            self._host.live(LANE, self._asked, yields=True)
            self.changed.emit()

    def _stop(self) -> None:
        if self._asked is not None:
            self._asked = None
            self._host.live_stop(LANE)
            self.changed.emit()

    @Slot()
    def _on_walk_changed(self) -> None:
        walk = self._timeline.walk
        last = self._asked.walk if self._asked is not None else self._failed
        if last is not None and walk is not None and same_way(walk, last) and walk.constant_pace:
            return  # another picture of a keyframe, another name, another time
        self._stop()
        if self._failed is not None:
            self._failed = self._failure = None
            self.changed.emit()

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        if lane == LANE and isinstance(outcome, PaceResult) and outcome.request == self._asked:
            self._asked = None
            self._timeline.set_pace(outcome.walk)
            self.changed.emit()

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        if lane == LANE and self._asked is not None:
            self._failed, self._asked, self._failure = self._asked.walk, None, failure
            self.changed.emit()
