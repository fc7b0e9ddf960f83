"""Keeps the jobs that wait in the session while the program runs, so that a crash loses none."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Slot

from app.models.queue import QueueModel
from app.models.session import Session
from engine.messages import Request

__all__ = ["QueueKeeper"]

_DELAY = 250  # ms; a row changes with every step of the running job


class QueueKeeper(QObject):
    """Writes the waiting requests a moment after they change.

    The running job is left out until the end: if it was what ended the program, it must not end
    every start after that, too.
    """

    def __init__(self, queue: QueueModel, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._session = session
        self._kept: list[Request] | None = None
        self._closed = False
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self.keep)
        for changed in (queue.rowsInserted, queue.rowsRemoved, queue.rowsMoved, queue.dataChanged):
            changed.connect(self._soon)

    @Slot()
    def _soon(self) -> None:
        if not self._closed and not self._timer.isActive():  # not put off again and again by a job that runs
            self._timer.start()

    @Slot()
    def keep(self) -> None:
        """Note what waits now."""
        self._write([job.request for job in self._queue.pending])

    def close(self) -> None:
        """Note what waits and what runs: at the next start all of it goes on."""
        self._closed = True
        self._timer.stop()
        running = (self._queue.running,) if self._queue.running else ()
        self._write([job.request for job in (*running, *self._queue.pending)])

    def _write(self, requests: list[Request]) -> None:
        if requests != self._kept:
            self._kept = requests
            self._session.set_requests(requests)
