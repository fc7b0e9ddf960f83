"""A waiting job whose settings are being changed beside the canvas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

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
        self._batch = 0  # of the job's request: no control shows it
        self._at_first: dict[str, Any] = {}  # what the controls showed before anything was changed
        queue.job_removed.connect(self._on_removed)
        queue.job_started.connect(self._on_started)

    def begin(self, job: Job, request: GenerateRequest) -> bool:
        """Put the job's settings beside the canvas; another job keeps what was changed in it.

        False: what was changed there can't be kept, and that is said.
        """
        if job.id == self.job:
            return True
        if self.job is not None and not self._finish():
            return False
        self._edits.put_aside()
        self._settings.apply_request(request)
        self._edits.absorb()
        self._batch = request.batch
        self._at_first = self._settings.to_dict()
        self._set(job.id)
        return True

    def _finish(self) -> bool:
        """End the editing of one job for that of another; nothing that was changed is lost."""
        if self._settings.to_dict() == self._at_first and not self._settings.errors:
            self.cancel()
        elif self.commit():
            self.notice.emit("The job that was edited before has its new settings.", "info", None)
        elif self.job is not None:
            self.notice.emit(
                "The job being edited can't run with these settings. Put them right, or leave it as it was, "
                "before you edit another one.",
                "care",
                None,
            )
        return self.job is None

    def commit(self, first: bool = False) -> bool:
        """Give the edited settings to the job, and let it be the next one if it is to be the `first`.

        False: they can't be, or it runs already.
        """
        if self.job is None:
            return False
        request = self._build()
        if request is None:
            return False
        job_id = self.job
        request = dataclasses.replace(request, batch=self._batch)
        self._set(None)
        if not self._queue.replace(job_id, request):
            self.notice.emit("This job has started meanwhile, so it runs as it was.", "care", None)
            return False
        if first:
            self._queue.run_first(job_id)
        return True

    def cancel(self) -> None:
        """Leave the job as it was."""
        self._set(None)

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.id == self.job:
            self.cancel()

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if job.id == self.job:
            self.cancel()
            self.notice.emit(
                "The job you were editing has started, so it runs as it was. Your own settings are back.",
                "care",
                None,
            )

    def _set(self, job_id: int | None) -> None:
        if job_id is None:
            self._edits.bring_back()
        if job_id != self.job:
            self.job = job_id
            self.changed.emit(job_id)
