"""What jobs have finished goes into the history, and their pictures on the canvas know where."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from app.models.queue import Job, JobState
from engine.errors import EngineError
from engine.messages import Outcome, Result

if TYPE_CHECKING:
    from app.models.studio import Studio

__all__ = ["ResultKeeper"]


class ResultKeeper(QObject):
    """Listens to the queue, after the canvas has shown a result, and to the history."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._studio = studio
        studio.queue.job_finished.connect(self._keep)
        studio.queue.job_cancelled.connect(self._keep)
        studio.history.added.connect(self._on_added)

    @Slot(object, object)
    def _keep(self, job: Job, outcome: Outcome | None) -> None:
        """Of a stopped job, too."""
        studio = self._studio
        if isinstance(outcome, Result):
            with contextlib.suppress(EngineError):  # the history has said what and keeps it in memory
                studio.history.add_result(outcome, studio.class_names(outcome.request))
            if job.enlarge and job.state == JobState.FINISHED:
                studio.upsampling.enlarge(outcome)
        elif outcome is not None and outcome.request.kind == "upsample":
            studio.upsampling.keep(outcome)
        elif outcome is not None and outcome.request.kind == "encode":
            studio.take_in_encoding(outcome)
        elif outcome is not None and outcome.request.kind == "direction":
            studio.edits.directions.take_in(job, outcome)

    @Slot(object, object)
    def _on_added(self, source: object, ids: list[int]) -> None:
        self._studio.canvas.take_record_ids(source, ids)
