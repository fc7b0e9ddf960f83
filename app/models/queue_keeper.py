"""Keeps the jobs that wait in the session while the program runs, so that a crash loses none."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Slot

from app.models.queue import Job, QueueModel
from app.models.session import Session
from engine.messages import Request

__all__ = ["QueueKeeper"]

_DELAY = 250  # ms; a row changes with every step of the running job


class QueueKeeper(QObject):
    """Brings back the jobs of the last time, and writes those that wait a moment after they change.

    The running job is left out until the end: if it was what ended the program, it must not end
    every start after that, too.
    """

    def __init__(self, queue: QueueModel, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._session = session
        self._kept: list[tuple[Request, bool]] | None = None
        self._closed = False
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self.keep)
        for changed in (queue.rowsInserted, queue.rowsRemoved, queue.rowsMoved, queue.dataChanged):
            changed.connect(self._soon)
        self._restored: list[int] = []
        self._dropped: list[Job] = []

    def restore(self) -> None:
        """Queue the jobs of the last time."""
        requests = self._session.requests()
        self._restored = [self._queue.add(request, enlarge=large) for request, large in requests]

    @property
    def restored(self) -> int:
        """How many there were."""
        return len(self._restored)

    def drop_restored(self) -> int:
        """Do without those of the last time that still wait; how many there were."""
        removed = [self._queue.remove(job.id) for job in self._queue.pending if job.id in self._restored]
        self._dropped = [job for job in removed if job is not None]
        return len(self._dropped)

    def put_back(self) -> None:
        """Have those again that `drop_restored` took away."""
        for job in self._dropped:
            self._queue.restore(job, self._queue.pending_count)

    @Slot()
    def _soon(self) -> None:
        if not self._closed and not self._timer.isActive():  # not put off again and again by a job that runs
            self._timer.start()

    @Slot()
    def keep(self) -> None:
        """Note what waits now."""
        self._write(self._queue.pending)

    def close(self) -> None:
        """Note what waits and what runs: at the next start all of it goes on."""
        self._closed = True
        self._timer.stop()
        running = (self._queue.running,) if self._queue.running else ()
        self._write((*running, *self._queue.pending))

    def _write(self, jobs: Sequence[Job]) -> None:
        requests = [(job.request, job.enlarge) for job in jobs]
        if requests != self._kept:
            self._kept = requests
            self._session.set_requests(requests)
