"""Playing the walk: a clock that moves the playhead."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

from app.models.traverse.timeline import TimelineModel

__all__ = ["Player"]

_LEAST_MS = 8


class Player(QObject):
    """Plays in real time: where drawing is too slow, frames are left out, never time."""

    playing_changed = Signal(bool)

    def __init__(self, timeline: TimelineModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timeline = timeline
        self._clock = QElapsedTimer()
        self._from = 0  # the frame it began at
        self._at = 0  # the frame it went to last
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        timeline.changed.connect(self._on_changed)

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def play(self) -> None:
        """From the playhead; from the beginning when it stands at the end. A loop goes round."""
        if self.playing or self._timeline.total < 2:
            return
        if self._timeline.frame >= self._timeline.total - 1:
            self._timeline.seek(0)
        self._begin()
        self.playing_changed.emit(True)

    def pause(self) -> None:
        if self.playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    @Slot()
    def toggle(self) -> None:
        self.pause() if self.playing else self.play()

    def step(self, by: int) -> None:
        """So many frames on or back; round and round in a loop."""
        self.pause()
        frame = self._timeline.frame + by
        if self._timeline.loop and self._timeline.total:
            frame %= self._timeline.total
        self._timeline.seek(frame)

    def _begin(self) -> None:
        self._from = self._at = self._timeline.frame
        self._clock.start()
        self._timer.start(max(_LEAST_MS, int(500 / self._timeline.fps)))

    @Slot()
    def _tick(self) -> None:
        timeline = self._timeline
        if timeline.frame != self._at:  # somebody else moved it, as another walk does: on from there
            self._begin()
            return
        frame = self._from + int(self._clock.elapsed() * timeline.fps / 1000)
        if frame >= timeline.total:
            if not timeline.loop:
                timeline.seek(timeline.total - 1)
                self.pause()
                return
            frame %= timeline.total
        timeline.seek(frame)
        self._at = timeline.frame

    @Slot()
    def _on_changed(self) -> None:
        if self.playing:
            if self._timeline.total < 2:
                self.pause()
            else:
                self._begin()
