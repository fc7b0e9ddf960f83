"""What waits, what runs and what has just been done. Feeds the engine one job after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.settings import fresh_seed
from engine.messages import GenerateRequest, Loading, Notice, Outcome, Progress, Request, Result

__all__ = ["ENDED_KEPT", "Job", "JobState", "QueueModel"]

ENDED_KEPT = 50  # how many ended jobs are listed

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class JobState:
    """The states of a job, in the order it may take them."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """One row: a frozen request and how far it has come."""

    id: int
    request: Request
    state: str = JobState.PENDING
    progress: float = 0.0  # 0 to 1
    message: str = ""
    failure: Failure | None = None
    images: int = field(default=0)  # finished and kept
    enlarge: bool = False  # what it makes is made large at once

    @property
    def ended(self) -> bool:
        return self.state not in (JobState.PENDING, JobState.RUNNING)


class QueueModel(QAbstractListModel):
    """Rows: the running job, the pending ones in their order, then those that ended, newest first.

    Interrupting is for the job that runs, cancelling for one that waits. Requests are frozen:
    editing one replaces it.
    """

    JobRole = Qt.ItemDataRole.UserRole + 1  # the Job
    IdRole = Qt.ItemDataRole.UserRole + 2
    StateRole = Qt.ItemDataRole.UserRole + 3
    ProgressRole = Qt.ItemDataRole.UserRole + 4
    MessageRole = Qt.ItemDataRole.UserRole + 5

    job_added = Signal(object)  # Job
    job_removed = Signal(object)  # Job: it waited, and will not run
    job_restored = Signal(object)  # Job: it waits again
    job_started = Signal(object)  # Job
    job_progress = Signal(object, object)  # Job, Progress | Loading | Notice
    job_finished = Signal(object, object)  # Job, Outcome
    job_cancelled = Signal(object, object)  # Job, Outcome of what was finished, or None
    job_failed = Signal(object, object)  # Job, Failure
    counts_changed = Signal()  # pending_count or running
    forever_changed = Signal(bool)
    idle = Signal()  # nothing runs and nothing waits any more

    def __init__(self, host: EngineHost, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._jobs: list[Job] = []
        self._next_id = 1
        self._forever = False
        self._last: GenerateRequest | None = None  # what "for ever" repeats, whatever was done in between
        # What a new round of "for ever" asks for, given the request of the last one.
        self.renew: Callable[[GenerateRequest], GenerateRequest] = _with_fresh_seed
        host.accepting_changed.connect(self._feed)
        host.job_started.connect(self._on_started)
        host.job_progress.connect(self._on_progress)
        host.job_finished.connect(self._on_finished)
        host.job_cancelled.connect(self._on_cancelled)
        host.job_failed.connect(self._on_failed)

    # --- what is in it

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(self._jobs)

    @property
    def running(self) -> Job | None:
        return next((job for job in self._jobs if job.state == JobState.RUNNING), None)

    @property
    def pending(self) -> tuple[Job, ...]:
        return tuple(job for job in self._jobs if job.state == JobState.PENDING)

    @property
    def pending_count(self) -> int:
        return len(self.pending)

    def job(self, job_id: int) -> Job | None:
        return next((job for job in self._jobs if job.id == job_id), None)

    def row_of(self, job_id: int) -> int:
        """The row of a job, -1 when it is not listed (any more)."""
        return next((row for row, job in enumerate(self._jobs) if job.id == job_id), -1)

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._jobs)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._jobs):
            return None
        job = self._jobs[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return job.request.summary
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{job.request.summary}, {job.state}. {job.message}".strip()
        if role == self.JobRole:
            return job
        if role == self.IdRole:
            return job.id
        if role == self.StateRole:
            return job.state
        if role == self.ProgressRole:
            return job.progress
        if role == self.MessageRole:
            return job.message
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and self._jobs[index.row()].state == JobState.PENDING:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    # --- verbs

    def add(self, request: Request, first: bool = False, *, enlarge: bool = False) -> int:
        """Queue a request, behind the others or `first` among them; the new job's id."""
        job = Job(self._next_id, request, enlarge=enlarge)
        self._next_id += 1
        start, end = self._pending_rows()
        self._insert(start if first else end, job)
        self.job_added.emit(job)
        self._feed()
        return job.id

    def replace(self, job_id: int, request: Request) -> bool:
        """Give a pending job another request; False when it does not wait any more."""
        return self._change(job_id, JobState.PENDING, request=request) is not None

    def enlarge(self, job_id: int) -> None:
        """Note that what a pending job makes is to be made large."""
        self._change(job_id, JobState.PENDING, enlarge=True)

    def move(self, source: int, target: int) -> bool:
        """Move the pending job in row `source` to row `target` (kept among the pending ones)."""
        start, end = self._pending_rows()
        if not start <= source < end:
            return False
        target = min(max(target, start), end - 1)
        if target == source:
            return False
        below = target + 1 if target > source else target
        self.beginMoveRows(_NOWHERE, source, source, _NOWHERE, below)
        self._jobs.insert(target, self._jobs.pop(source))
        self.endMoveRows()
        return True

    def run_first(self, job_id: int) -> bool:
        """Let a pending job be the next one."""
        return self.move(self.row_of(job_id), self._pending_rows()[0])

    def remove(self, job_id: int) -> Job | None:
        """Take a job off the list: cancels a pending one, forgets an ended one. Not the running one.

        Returns it, so that `restore` can undo that.
        """
        row = self.row_of(job_id)
        if row < 0 or self._jobs[row].state == JobState.RUNNING:
            return None
        job = self._take(row)
        self.counts_changed.emit()
        if not job.ended:
            self.job_removed.emit(job)
        return job

    def restore(self, job: Job, position: int = 0) -> None:
        """Put back a pending job that was removed, at `position` among the pending ones."""
        if job.state != JobState.PENDING or self.row_of(job.id) >= 0:
            return
        start, end = self._pending_rows()
        self._insert(min(start + max(position, 0), end), job)
        self.job_restored.emit(job)
        self._feed()

    def stop_current(self) -> None:
        """Interrupt the running job, within one network evaluation. "For ever" ends, too."""
        self.set_forever(False)
        if (job := self.running) is not None:
            self._host.cancel(job.id)

    def cancel_all(self) -> tuple[Job, ...]:
        """Remove every pending job; they are returned in their order."""
        pending = self.pending
        for job in pending:
            self.remove(job.id)
        return pending

    def clear_ended(self) -> None:
        """Forget the jobs that ended. Their images stay in the history."""
        start = self._pending_rows()[1]
        if start < len(self._jobs):
            self.beginRemoveRows(_NOWHERE, start, len(self._jobs) - 1)
            del self._jobs[start:]
            self.endRemoveRows()

    @property
    def forever(self) -> bool:
        """After the last job comes what `renew` makes of it, until that is stopped or fails."""
        return self._forever

    def set_forever(self, on: bool) -> None:
        if on != self._forever:
            self._forever = on
            self.forever_changed.emit(on)

    # --- the engine

    @Slot()
    def _feed(self) -> None:
        start, end = self._pending_rows()
        if not self._host.accepting or self._host.busy or start == end:
            return
        # The next one is on top of the pending rows and nothing runs: it stays where it is.
        job = self._set_row(start, state=JobState.RUNNING)
        self.counts_changed.emit()
        self._host.submit(job.id, job.request)

    @Slot(int)
    def _on_started(self, job_id: int) -> None:
        if (job := self.job(job_id)) is not None:
            self.job_started.emit(job)

    @Slot(int, object)
    def _on_progress(self, job_id: int, event: Progress | Loading | Notice) -> None:
        changes: dict[str, Any] = {}
        if isinstance(event, Progress):
            changes = {"progress": event.evaluations / max(event.evaluations_total, 1), "message": ""}
        elif isinstance(event, Notice):
            changes = {"message": event.message}
        elif isinstance(event, Loading):
            changes = {"message": "Loading the model"}
        job = self._change(job_id, JobState.RUNNING, **changes)
        if job is not None:
            self.job_progress.emit(job, event)

    @Slot(int, object)
    def _on_finished(self, job_id: int, result: Outcome) -> None:
        job = self._end(
            job_id,
            JobState.FINISHED,
            progress=1.0,
            images=_images(result),
            message=" ".join(result.notices),
        )
        if job is None:
            return
        self.job_finished.emit(job, result)
        if isinstance(job.request, GenerateRequest):
            self._last = job.request
        self._next()

    @Slot(int, object)
    def _on_cancelled(self, job_id: int, result: Outcome | None) -> None:
        words = result.words if result is not None else "Stopped"
        job = self._end(job_id, JobState.CANCELLED, images=_images(result), message=words)
        if job is None:
            return
        self._end_forever(job)
        self.job_cancelled.emit(job, result)
        self._next()

    @Slot(int, object)
    def _on_failed(self, job_id: int, failure: Failure) -> None:
        job = self._end(job_id, JobState.FAILED, failure=failure, message=failure.message)
        if job is None:
            return
        self._end_forever(job)
        self.job_failed.emit(job, failure)
        self._next()

    def _end_forever(self, job: Job) -> None:
        """What failed would only fail again, for ever; what was stopped was meant to end."""
        if job.request.kind in ("generate", "upsample"):  # other rooms have nothing to do with it
            self.set_forever(False)

    def _next(self) -> None:
        if self._forever and self._last is not None and not self.pending and self._host.accepting:
            self.add(self.renew(self._last))
        self._feed()
        if self.running is None and not self.pending:
            self.idle.emit()

    # --- rows

    def _pending_rows(self) -> tuple[int, int]:
        """The rows [start, end) of the pending jobs."""
        start = sum(job.state == JobState.RUNNING for job in self._jobs)
        return start, start + self.pending_count

    def _insert(self, row: int, job: Job) -> None:
        self.beginInsertRows(_NOWHERE, row, row)
        self._jobs.insert(row, job)
        self.endInsertRows()
        self.counts_changed.emit()

    def _take(self, row: int) -> Job:
        self.beginRemoveRows(_NOWHERE, row, row)
        job = self._jobs.pop(row)
        self.endRemoveRows()
        return job

    def _set_row(self, row: int, **changes: Any) -> Job:
        job = self._jobs[row] = dataclasses.replace(self._jobs[row], **changes)
        index = self.index(row)
        self.dataChanged.emit(index, index)
        return job

    def _change(self, job_id: int, now: str, /, **changes: Any) -> Job | None:
        """Change a job that is in state `now`; None when there is no such job."""
        row = self.row_of(job_id)
        if row < 0 or self._jobs[row].state != now:
            return None
        return self._set_row(row, **changes)

    def _end(self, job_id: int, state: str, **changes: Any) -> Job | None:
        job = self._change(job_id, JobState.RUNNING, state=state, **changes)
        if job is None:
            return None
        row, end = self.row_of(job_id), self._pending_rows()[1]
        if end > row:  # from above the pending jobs to below them
            self.beginMoveRows(_NOWHERE, row, row, _NOWHERE, end + 1)
            self._jobs.insert(end, self._jobs.pop(row))
            self.endMoveRows()
        while len(self._jobs) > self._pending_rows()[1] + ENDED_KEPT:
            self._take(len(self._jobs) - 1)
        self.counts_changed.emit()
        return job


def _images(outcome: Outcome | None) -> int:
    return outcome.pictures.count if isinstance(outcome, Result) else 0


def _with_fresh_seed(request: GenerateRequest) -> GenerateRequest:
    return dataclasses.replace(request, seed=fresh_seed())
