"""Lists that change with the end of a job are painted a moment after the canvas.

All at once would hold the window up for longer than a hand notices; one after the other does not.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QAbstractItemView

__all__ = ["PaintLater"]


class PaintLater(QObject):
    """Puts off what `view` paints because its rows have come, gone or moved, by `delay` ms."""

    def __init__(self, view: QAbstractItemView, delay: int) -> None:
        super().__init__(view)
        self._view = view
        self._timer = QTimer(self, singleShot=True, interval=delay)
        self._timer.timeout.connect(self._paint)
        model = view.model()
        for changed in (model.rowsInserted, model.rowsRemoved, model.rowsMoved):
            changed.connect(self._wait)

    @property
    def pending(self) -> bool:
        """Whether there is something that will be painted later."""
        return self._timer.isActive()

    def _wait(self) -> None:
        if not self._timer.isActive() and self._view.isVisible():
            self._view.viewport().setUpdatesEnabled(False)
            self._timer.start()

    def _paint(self) -> None:
        self._view.viewport().setUpdatesEnabled(True)
