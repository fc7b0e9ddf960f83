"""Loads the chosen model while there is nothing else to do, so that the first picture is quick."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from app.models.status import StatusModel
from engine.messages import GenerateRequest, Loading, Notice, Progress, WarmUp

__all__ = ["IdleLoader"]

_DELAY = 300  # ms a model must stay chosen: walking through a list loads none


class IdleLoader(QObject):
    """Asks the host for a warm-up when the engine is idle; a real job always goes first."""

    failed = Signal(object)  # Failure that belongs to none of the settings

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        settings: GenerateSettings,
        status: StatusModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._queue = queue
        self._settings = settings
        self._status = status
        self._last: WarmUp | None = None  # in memory already, or tried in vain
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self._load)
        host.accepting_changed.connect(self._soon)
        host.warmed_up.connect(self._on_warmed_up)
        host.warm_up_failed.connect(self._on_failed)
        queue.idle.connect(self._soon)
        queue.job_progress.connect(self._on_progress)
        settings.changed.connect(self._soon)
        settings.catalogue_changed.connect(self._soon)

    @Slot()
    def _soon(self) -> None:
        if self._host.accepting:
            self._timer.start()
        else:
            self._timer.stop()

    @Slot()
    def _load(self) -> None:
        settings, info = self._settings, self._settings.model_info
        if info is None or info.problem or self._queue.pending_count:
            return
        wanted = WarmUp(settings.model, settings.device, settings.precision)
        if wanted != self._last and self._host.warm_up(wanted):
            self._last = wanted

    @Slot(str)
    def _on_warmed_up(self, model: str) -> None:
        self._show(model)
        self._soon()  # another one may have been chosen meanwhile

    @Slot(object)
    def _on_failed(self, failure: Failure) -> None:
        if not self._settings.set_error(failure.field or "model", failure.message):
            self.failed.emit(failure)

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if isinstance(event, Loading) and event.fraction >= 1.0:
            if isinstance(job.request, GenerateRequest):
                self._last = WarmUp(job.request.model, job.request.device, job.request.precision)
            self._show(job.request.model)

    def _show(self, model: str) -> None:
        models = self._settings.catalogue.models
        self._status.set_loaded_model(next((info for info in models if info.name == model), None))
