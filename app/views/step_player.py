"""Plays the steps of a finished batch on the canvas, from noise to picture."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.models.canvas import CanvasModel
from app.views import theme, tokens

__all__ = ["StepPlayer"]


class StepPlayer(QObject):
    """Shows a step after the other and stops at the finished pictures.

    Where no movement is wanted it turns the steps over slowly, like pages.
    """

    playing_changed = Signal(bool)

    def __init__(self, canvas: CanvasModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._next)
        canvas.request_changed.connect(self.stop)
        canvas.state_changed.connect(self.stop)

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    @Slot()
    def toggle(self) -> None:
        """Play on from the step shown (from the first, where the end is shown), or stop there."""
        if self.playing:
            self.stop()
        elif self._canvas.steps:
            if self._canvas.shown_step is None:
                self._canvas.show_step(0)
            self._timer.start(tokens.PLAY_STEP if theme.current().motion else tokens.PLAY_STEP_STILL)
            self.playing_changed.emit(True)

    @Slot()
    def stop(self) -> None:
        """Stay at the step shown."""
        if self.playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    @Slot()
    def _next(self) -> None:
        self._canvas.step_by(1)
        if self._canvas.shown_step is None:
            self.stop()
