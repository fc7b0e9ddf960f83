"""Tells what the engine, the queue and the files have to say: in the status line and as notices."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.history import HistoryModel
from app.models.queue import Job, QueueModel
from app.models.saving import FileWriter
from app.models.session import Session
from app.models.status import StatusModel
from engine.messages import Loading, Notice, Outcome, Progress

__all__ = ["Announcer"]


class Announcer(QObject):
    """Listens to the models and turns what happens into words."""

    notice = Signal(str, str, object)  # as that of Studio
    work_finished = Signal(str, float)  # as that of Studio

    def __init__(
        self,
        queue: QueueModel,
        history: HistoryModel,
        writer: FileWriter,
        session: Session,
        status: StatusModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue = queue
        self._status = status
        queue.job_progress.connect(self._on_job_progress)
        queue.job_finished.connect(self._on_job_finished)
        queue.job_cancelled.connect(self._on_job_cancelled)
        queue.job_failed.connect(self._on_job_failed)
        history.trouble.connect(self.tell_trouble)
        session.trouble.connect(self.tell_trouble)
        writer.written.connect(self._on_written)
        writer.failed.connect(self.tell_failure)

    @Slot(object)
    def tell_failure(self, failure: Failure) -> None:
        self.notice.emit(failure.message, "bad", failure)

    @Slot(str)
    def tell_trouble(self, message: str) -> None:
        self.notice.emit(message, "bad", None)

    @Slot(object, object)
    def _on_job_progress(self, _job: Job, event: Progress | Loading | Notice) -> None:
        if isinstance(event, Loading):
            self._status.set_activity("loading the model")
        elif isinstance(event, Progress):
            self._status.show_progress(event)

    @Slot(object, object)
    def _on_job_finished(self, _job: Job, result: Outcome) -> None:
        self._status.show_idle()
        self._tell_provenance(result)
        for words in result.notices:
            self.notice.emit(words, "care", None)
        if not self._queue.pending and not self._queue.forever:
            self.work_finished.emit(result.words, result.seconds)

    @Slot(object, object)
    def _on_job_cancelled(self, _job: Job, result: Outcome | None) -> None:
        self._status.show_idle()
        if result is not None:
            self._tell_provenance(result)

    def _tell_provenance(self, result: Outcome) -> None:
        if result.provenance is not None:
            self._status.set_provenance(result.provenance)

    @Slot(object, object)
    def _on_job_failed(self, _job: Job, failure: Failure) -> None:
        self._status.show_idle()
        self.tell_failure(failure)

    @Slot(object, str)
    def _on_written(self, _paths: object, words: str) -> None:
        self.notice.emit(words, "good", None)
