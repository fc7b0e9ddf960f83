"""The window's side of the engine thread: starts it, hands it jobs, ends it."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event as ThreadEvent

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QThread, Signal, Slot

from app.background import share_the_interpreter
from app.engine_worker import EngineLike, EngineWorker, TorchEngine
from app.failure import Failure
from app.live_lane import LiveLanes, Order
from app.preview import Mailbox
from engine.messages import Catalogue, Control, Loading, Notice, Outcome, Progress, Request, WarmUp

__all__ = ["EngineHost"]

_WARM_UP = 0  # the id of warm-ups; jobs have ids from 1


class EngineHost(QObject):
    """Owns the engine's QThread. Lives, and is used, in the window's thread only.

    Every job that `submit` took ends in exactly one of `job_finished`, `job_cancelled` and
    `job_failed`, also when the engine has a bug, could not start or is shut down meanwhile.
    """

    catalogue_ready = Signal(object)  # Catalogue: what can be chosen; comes before torch is loaded
    catalogue_failed = Signal(object)  # Failure: it could not be read again; the last one stands
    engine_ready = Signal(float)  # seconds since start(); torch is loaded
    engine_failed = Signal(object)  # Failure: the engine can't run; every job will fail with it
    accepting_changed = Signal(bool)  # whether submit() takes jobs now

    job_started = Signal(int)  # id
    job_progress = Signal(int, object)  # id, Progress without preview | Loading | Notice
    preview_arrived = Signal(int, object)  # id, Progress with the newest preview
    job_finished = Signal(int, object)  # id, Outcome
    job_cancelled = Signal(int, object)  # id, Outcome of what was finished, or None
    job_failed = Signal(int, object)  # id, Failure

    live_progress = Signal(str, object)  # lane, Progress with a preview | Loading
    live_finished = Signal(str, object)  # lane, Outcome
    live_failed = Signal(str, object)  # lane, Failure

    warm_up_progress = Signal(object)  # Loading
    warmed_up = Signal(str)  # the model that is in memory now
    warm_up_failed = Signal(object)  # Failure

    _run = Signal(int, object, object)  # id, request, Control
    _refresh = Signal()
    _wake = Signal()  # something waits on a live lane
    _close = Signal()

    def __init__(
        self, engine_factory: Callable[[], EngineLike] | None = None, parent: QObject | None = None
    ) -> None:
        """`engine_factory` is called in the engine thread; without one it is the real engine."""
        super().__init__(parent)
        self.mailbox = Mailbox()
        self._lanes = LiveLanes()
        self._worker = EngineWorker(engine_factory or TorchEngine, self.mailbox, self._lanes)
        self._thread = QThread()
        self._thread.setObjectName("engine")
        self._worker.moveToThread(self._thread)
        self._thread.started.connect(self._worker.start_up)
        queued = Qt.ConnectionType.QueuedConnection
        self._run.connect(self._worker.run, queued)
        self._refresh.connect(self._worker.read_catalogue, queued)
        self._wake.connect(self._worker.serve_lanes, queued)
        self._close.connect(self._worker.close, queued)
        self._worker.catalogue_ready.connect(self._on_catalogue, queued)
        self._worker.catalogue_failed.connect(self._on_catalogue_failed, queued)
        self._worker.engine_ready.connect(self._on_ready, queued)
        self._worker.engine_failed.connect(self._on_engine_failed, queued)
        self._worker.job_started.connect(self._on_started, queued)
        self._worker.job_progress.connect(self._on_progress, queued)
        self._worker.preview_arrived.connect(self._on_preview, queued)
        self._worker.job_finished.connect(self._on_finished, queued)
        self._worker.job_cancelled.connect(self._on_cancelled, queued)
        self._worker.job_failed.connect(self._on_failed, queued)
        self._worker.live_progress.connect(self._on_live_progress, queued)
        self._worker.live_finished.connect(self._on_live_finished, queued)
        self._worker.live_failed.connect(self._on_live_failed, queued)
        self._job: int | None = None
        self._controls: dict[int, ThreadEvent] = {}
        self._warming: WarmUp | None = None
        self._settled = False
        self._closing = False

    # --- state

    @property
    def accepting(self) -> bool:
        """The engine has started (or failed to, and answers that) and is not shutting down."""
        return self._settled and not self._closing

    @property
    def busy(self) -> bool:
        """A job was submitted and has not ended. A warm-up does not count."""
        return self._job is not None

    @property
    def current_job(self) -> int | None:
        return self._job

    # --- verbs

    def start(self) -> None:
        """Start the thread; the catalogue follows within tens of milliseconds, torch in a second or two."""
        if not self._closing and not self._thread.isRunning():
            share_the_interpreter()
            self._thread.start(QThread.Priority.LowPriority)

    def submit(self, job: int, request: Request) -> None:
        """Run a request as job `job` (1 or more). One at a time, and from `accepting` on it starts at once."""
        if self._closing:
            raise RuntimeError("the engine is shutting down")
        if self._job is not None:
            raise RuntimeError(f"job {self._job} has not ended")
        if job <= _WARM_UP:
            raise ValueError("jobs are numbered from 1")
        if self._warming is not None and self._warming.model != request.model:
            self._controls[_WARM_UP].set()  # another model: the job should not wait for it
        self._job = job
        self.mailbox.clear()
        self._send(job, request)

    def warm_up(self, request: WarmUp) -> bool:
        """Load a model while nothing else is to be done. False: the engine has something to do."""
        if not self.accepting or self.busy or self._warming is not None:
            return False
        self._warming = request
        self._send(_WARM_UP, request)
        return True

    def cancel(self, job: int) -> None:
        """Stop a job within one network evaluation; what it has finished comes with `job_cancelled`."""
        if job in self._controls:
            self._controls[job].set()

    def live(self, lane: str, request: Request, *, yields: bool = False) -> None:
        """Do `request` as soon as may be, unless the lane wants something newer by then.

        It is done between two evaluations of a running job, so that a drag is answered at
        once. What runs is done to its end, so that there is always something to show; with
        `yields` (a slow, fine picture) a newer request of the lane cuts it off. What was
        replaced or cut off says nothing more.
        """
        if not self._closing:
            self._lanes.put(Order(lane, request, yields))
            self._wake.emit()

    def live_stop(self, lane: str) -> None:
        """Want nothing of this lane any more; what runs on it is cut off."""
        self._lanes.stop(lane)

    def refresh_catalogue(self) -> None:
        """Read again what there is to choose from; `catalogue_ready` follows, also while a job runs."""
        if not self._closing:
            self._worker.catalogue_wanted.set()
            self._refresh.emit()

    def shutdown(self, timeout_ms: int = 30_000) -> bool:
        """Refuse jobs, cancel what runs, leave the thread and wait for it. Never kills it.

        The last job's signals are delivered before this returns. False: the thread is still
        inside a call that can't be stopped; end the process with os._exit after closing files.
        """
        if not self._closing:
            self._closing = True
            self.accepting_changed.emit(False)
            for cancelled in self._controls.values():
                cancelled.set()
            self._lanes.close()
            self._close.emit()
        ended = self._thread.wait(timeout_ms) if self._thread.isRunning() else True
        # The window's event loop may never run again: what the worker said last is heard here.
        QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall.value)
        if ended and self._job is not None:
            self._on_cancelled(self._job, None)
        return ended

    def _send(self, job: int, request: Request) -> None:
        cancelled = self._controls[job] = ThreadEvent()
        self._run.emit(job, request, Control(cancelled, self.mailbox.wants_preview))

    # --- what the worker says; queued, so these run in the window's thread

    @Slot(object)
    def _on_catalogue(self, catalogue: Catalogue) -> None:
        self.catalogue_ready.emit(catalogue)

    @Slot(object)
    def _on_catalogue_failed(self, failure: Failure) -> None:
        self.catalogue_failed.emit(failure)

    @Slot(float)
    def _on_ready(self, seconds: float) -> None:
        self._settle()
        self.engine_ready.emit(seconds)

    @Slot(object)
    def _on_engine_failed(self, failure: Failure) -> None:
        self._settle()
        self.engine_failed.emit(failure)

    def _settle(self) -> None:
        if not self._settled:
            self._settled = True
            self.accepting_changed.emit(self.accepting)

    @Slot(int)
    def _on_started(self, job: int) -> None:
        if job == self._job:
            self.job_started.emit(job)

    @Slot(int, object)
    def _on_progress(self, job: int, event: Progress | Loading | Notice) -> None:
        if job == self._job:
            self.job_progress.emit(job, event)
        elif job == _WARM_UP and isinstance(event, Loading):
            self.warm_up_progress.emit(event)

    @Slot(int)
    def _on_preview(self, _job: int) -> None:
        # Whichever job the signal was about, the slot holds the newest.
        taken = self.mailbox.take()
        if taken is not None and taken[0] == self._job:
            self.preview_arrived.emit(*taken)

    @Slot(int, object)
    def _on_finished(self, job: int, result: Outcome | None) -> None:
        if self._end_warm_up(job):
            return
        if self._end(job):
            self.job_finished.emit(job, result)

    @Slot(int, object)
    def _on_cancelled(self, job: int, result: Outcome | None) -> None:
        if job == _WARM_UP:
            self._warming = None
        elif self._end(job):
            self.job_cancelled.emit(job, result)

    @Slot(int, object)
    def _on_failed(self, job: int, failure: Failure) -> None:
        if job == _WARM_UP:
            self._warming = None
            self.warm_up_failed.emit(failure)
        elif self._end(job):
            self.job_failed.emit(job, failure)

    @Slot(str, object)
    def _on_live_progress(self, lane: str, event: Progress | Loading) -> None:
        self.live_progress.emit(lane, event)

    @Slot(str, object)
    def _on_live_finished(self, lane: str, outcome: Outcome) -> None:
        self.live_finished.emit(lane, outcome)

    @Slot(str, object)
    def _on_live_failed(self, lane: str, failure: Failure) -> None:
        self.live_failed.emit(lane, failure)

    def _end_warm_up(self, job: int) -> bool:
        if job != _WARM_UP:
            return False
        request, self._warming = self._warming, None
        if request is not None:
            self.warmed_up.emit(request.model)
        return True

    def _end(self, job: int) -> bool:
        """Close the books on a job; False if they are closed."""
        if job != self._job:
            return False
        self._job = None
        self._controls.pop(job, None)
        return True
