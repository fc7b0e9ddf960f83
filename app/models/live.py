"""Puts the job that runs on the canvas, as long as the canvas follows."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.canvas import CanvasModel, ShownResult
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from engine.messages import Loading, Notice, Progress, Request

__all__ = ["SHOWN", "LiveCanvas"]

SHOWN = ("generate", "upsample")  # kinds of job the canvas follows; other rooms show their own


class LiveCanvas(QObject):
    """Between queue and canvas: which job is shown, its previews, progress and end."""

    following_changed = Signal(bool)

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        canvas: CanvasModel,
        settings: GenerateSettings,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue = queue
        self._canvas = canvas
        self._settings = settings
        self._job: int | None = None
        self._following = True
        host.preview_arrived.connect(self._on_preview)
        queue.job_removed.connect(self._on_removed)
        queue.job_started.connect(self._on_started)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_finished)
        queue.job_cancelled.connect(self._on_cancelled)
        queue.job_failed.connect(self._on_failed)

    @property
    def job(self) -> int | None:
        """The id of the job whose pictures are on the canvas; None: they are from elsewhere."""
        return self._job

    @property
    def following(self) -> bool:
        return self._following

    def follow(self) -> None:
        """Show the running job, and those after it."""
        self._set_following(True)
        job = self._queue.running
        if job is not None and self._job != job.id and job.request.kind in SHOWN:
            self.begin(job.id, job.request, "running")

    def leave(self) -> None:
        """Something else is on the canvas now."""
        self._job = None
        self._set_following(False)

    def begin(self, job_id: int, request: Request, state: str) -> None:
        """Blank tiles at once; the engine may need a moment."""
        self._job = job_id
        models = self._settings.catalogue.models
        model = next((info for info in models if info.name == request.model), None)
        self._canvas.begin(request, model, state, hold=self._queue.forever)

    def _set_following(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self.following_changed.emit(following)

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.id == self._job:
            self._job = None
            self._canvas.stop(None)

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if job.request.kind not in SHOWN:  # other rooms show theirs
            return
        if job.id == self._job and job.request == self._canvas.request:
            self._canvas.wait("running")
        elif job.id == self._job or self._following:  # the same job, edited while it waited, begins anew
            self.begin(job.id, job.request, "running")

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if job.id == self._job:
            self._canvas.on_event(event)

    @Slot(int, object)
    def _on_preview(self, job_id: int, progress: Progress) -> None:
        if job_id == self._job:
            self._canvas.show_preview(progress)

    @Slot(object, object)
    def _on_finished(self, job: Job, result: ShownResult) -> None:
        if job.id == self._job:
            self._canvas.show_result(result)

    @Slot(object, object)
    def _on_cancelled(self, job: Job, result: ShownResult | None) -> None:
        if job.id == self._job:
            self._canvas.stop(result)

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if job.id == self._job:
            self._canvas.fail(failure)
            if job.request.kind == "generate":
                self._settings.set_error(failure.field, failure.message)
