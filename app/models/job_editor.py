"""A waiting job whose settings are being changed beside the canvas."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from app.models.queue import Job, QueueModel
from app.models.setting_edits import SettingEdits
from app.models.settings import GenerateSettings
from engine.messages import GenerateRequest

__all__ = ["JobEditor"]


class JobEditor(QObject):
    """At most one job at a time; it is unchanged until `commit`, a person's own settings come back after."""

    changed = Signal(object)  # the id of the job, or None
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        queue: QueueModel,
        settings: GenerateSettings,
        edits: SettingEdits,
        build: Callable[[], GenerateRequest | None],
        parent: QObject | None = None,
    ) -> None:
        """`build` makes a request of the settings; None, and it has said why, if they can't be one."""
        super().__init__(parent)
        self._queue = queue
        self._settings = settings
        self._edits = edits
        self._build = build
        self.job: int | None = None
        queue.job_removed.connect(self._on_removed)

    def begin(self, job: Job, request: GenerateRequest) -> None:
        """Put the job's settings beside the canvas."""
        self._edits.put_aside()
        self._settings.apply_request(request)
        self._edits.absorb()
        self._set(job.id)

    def commit(self) -> bool:
        """Give the edited settings to the job. False: they can't be, or it runs already."""
        if self.job is None:
            return False
        request = self._build()
        if request is None:
            return False
        job_id = self.job
        self._set(None)
        if not self._queue.replace(job_id, request):
            self.notice.emit("This job has started meanwhile, so it runs as it was.", "care", None)
            return False
        return True

    def cancel(self) -> None:
        """Leave the job as it was."""
        self._set(None)

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.id == self.job:
            self.cancel()

    def _set(self, job_id: int | None) -> None:
        if job_id is None:
            self._edits.bring_back()
        if job_id != self.job:
            self.job = job_id
            self.changed.emit(job_id)
