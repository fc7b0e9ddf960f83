"""The object that lives in the engine thread and alone touches networks and devices."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event as ThreadEvent
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, Signal, Slot

from app.background import give_way
from app.failure import Failure
from app.live_lane import LiveLanes, Order
from app.preview import Mailbox
from engine.errors import EngineError
from engine.messages import Catalogue, Control, Event, Loading, Notice, Outcome, Progress, Request

if TYPE_CHECKING:
    from engine.tasks import Engine

__all__ = ["EngineLike", "EngineWorker", "TorchEngine"]

PROGRESS_INTERVAL = 1 / 30  # seconds; more often than that nobody reads


class EngineLike(Protocol):
    """What the worker asks of an engine; all of it in the engine thread."""

    def catalogue(self) -> Catalogue:
        """What can be chosen. Called before `load`; must not need torch."""
        ...

    def load(self) -> None:
        """Get ready to run (import torch)."""
        ...

    def run(self, request: Request, control: Control) -> Iterator[Event]:
        """Do one request; ends with an `Outcome`, or with nothing for a warm-up."""
        ...

    def release(self) -> None:
        """Let go of models and device memory."""
        ...


class TorchEngine:
    """The real engine. Nothing imports torch before `load`."""

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._folders = folders
        self._engine: Engine | None = None

    def catalogue(self) -> Catalogue:
        from engine.catalogue import read_catalogue

        return read_catalogue(self._folders)

    def load(self) -> None:
        from engine.tasks import Engine

        self._engine = Engine(self._folders)

    def run(self, request: Request, control: Control) -> Iterator[Event]:
        if self._engine is None:
            raise RuntimeError("the engine is not loaded")
        return self._engine.run(request, control)

    def release(self) -> None:
        if self._engine is not None:
            self._engine.release()


class EngineWorker(QObject):
    """Made without a parent and moved to the engine thread before that starts.

    Its slots catch everything: what would escape would leave the window waiting for ever.
    """

    catalogue_ready = Signal(object)  # Catalogue
    engine_ready = Signal(float)  # seconds
    catalogue_failed = Signal(object)  # Failure: it could not be read again
    engine_failed = Signal(object)  # Failure
    job_started = Signal(int)
    job_progress = Signal(int, object)  # id, Progress without preview | Loading | Notice
    preview_arrived = Signal(int)
    job_finished = Signal(int, object)  # id, Outcome; None for a warm-up
    job_cancelled = Signal(int, object)  # id, Outcome | None
    job_failed = Signal(int, object)  # id, Failure
    live_progress = Signal(str, object)  # lane, Progress | Loading
    live_finished = Signal(str, object)  # lane, Outcome
    live_failed = Signal(str, object)  # lane, Failure

    def __init__(self, factory: Callable[[], EngineLike], mailbox: Mailbox, lanes: LiveLanes) -> None:
        super().__init__()
        self._factory = factory
        self._mailbox = mailbox
        self._lanes = lanes
        self.catalogue_wanted = ThreadEvent()  # set by the window's thread: read it again soon
        self._engine: EngineLike | None = None
        self._broken: Failure | None = None  # why there is no engine

    @Slot()
    def start_up(self) -> None:
        """First what can be chosen, then torch: the controls are filled while it loads."""
        start = time.perf_counter()
        give_way()
        try:
            self._engine = self._factory()
            self.catalogue_ready.emit(self._engine.catalogue())
            self._engine.load()
        except BaseException as error:
            self._broken = _not_started(error)
            self.engine_failed.emit(self._broken)
            return
        self.engine_ready.emit(time.perf_counter() - start)

    @Slot()
    def read_catalogue(self) -> None:
        """Read again what can be chosen, if that is still wanted."""
        if not self.catalogue_wanted.is_set():
            return
        self.catalogue_wanted.clear()  # first: what changes while it is read is read once more
        try:
            if self._engine is not None:
                self.catalogue_ready.emit(self._engine.catalogue())
        except BaseException as error:
            # What was read before stays in use; a job with a model that is gone says so itself.
            self.catalogue_failed.emit(Failure.from_exception(error))

    @Slot(int, object, object)
    def run(self, job: int, request: Request, control: Control) -> None:
        """Do one job and answer it with exactly one of finished, cancelled and failed."""
        self.job_started.emit(job)
        try:
            result = self._consume(job, request, control)
        except BaseException as error:
            self.job_failed.emit(job, Failure.from_exception(error))
            return
        if result is not None and (result.complete or not control.cancelled.is_set()):
            self.job_finished.emit(job, result)
        elif control.cancelled.is_set():
            kept = result if result is not None and result.kept else None
            self.job_cancelled.emit(job, kept)
        elif request.kind == "warm-up":
            self.job_finished.emit(job, None)
        else:
            self.job_failed.emit(
                job, Failure.from_exception(RuntimeError("the engine ended without a result"))
            )

    def _consume(self, job: int, request: Request, control: Control) -> Outcome | None:
        if control.cancelled.is_set():
            return None
        if self._engine is None or self._broken is not None:
            raise _NoEngine(self._broken)
        result: Outcome | None = None
        reporter = _Reporter(self, job)
        events = self._engine.run(request, control)
        try:
            for event in events:
                if isinstance(event, Outcome):
                    result = event
                else:
                    reporter.report(event)
                self.serve_lanes()  # so that a drag is answered while a long job runs
                self.read_catalogue()  # and a model removed meanwhile is on offer no longer
        finally:
            # Generators free their tensors now, not when somebody collects garbage.
            close = getattr(events, "close", None)
            if close is not None:
                close()
        reporter.flush()
        return result

    @Slot()
    def serve_lanes(self) -> None:
        """Do what waits on the live lanes, the newest of each."""
        while (order := self._lanes.take()) is not None:
            try:
                self._serve(order)
            except BaseException as error:
                self.live_failed.emit(order.lane, Failure.from_exception(error))
            finally:
                self._lanes.done()

    def _serve(self, order: Order) -> None:
        if self._engine is None or self._broken is not None:
            raise _NoEngine(self._broken)
        events = self._engine.run(order.request, order.control)
        try:
            for event in events:
                if isinstance(event, Outcome):
                    if event.complete or not order.cancelled.is_set():
                        self.live_finished.emit(order.lane, event)
                elif isinstance(event, Loading) or (isinstance(event, Progress) and event.preview):
                    self.live_progress.emit(order.lane, event)
        finally:
            close = getattr(events, "close", None)
            if close is not None:
                close()

    def leave_preview(self, job: int, progress: Progress) -> None:
        if self._mailbox.put(job, progress):
            self.preview_arrived.emit(job)

    @Slot()
    def close(self) -> None:
        """Release the engine and leave the thread."""
        try:
            if self._engine is not None:
                self._engine.release()
        except BaseException:  # nothing is left that could be told
            pass
        finally:
            self._engine = None
            self.thread().quit()


class _Reporter:
    """Passes progress on at a pace a window can follow; the first and last of each kind always arrive."""

    def __init__(self, worker: EngineWorker, job: int) -> None:
        self._worker = worker
        self._job = job
        self._sent = float("-inf")
        self._held: Progress | Loading | None = None
        self._kind: type = type(None)

    def report(self, event: Progress | Loading | Notice) -> None:
        if type(event) is not self._kind:  # the last of one kind and the first of the next both go
            self.flush()
            self._kind, self._sent = type(event), float("-inf")
        if isinstance(event, Progress) and event.preview is not None:
            self._worker.leave_preview(self._job, event)
            event = dataclasses.replace(event, preview=None)
        if isinstance(event, Notice):
            self._worker.job_progress.emit(self._job, event)
            return
        self._held = event
        if time.perf_counter() - self._sent >= PROGRESS_INTERVAL:
            self.flush()

    def flush(self) -> None:
        if self._held is not None:
            self._worker.job_progress.emit(self._job, self._held)
            self._held = None
            self._sent = time.perf_counter()


class _NoEngine(EngineError):
    kind = "no-engine"

    def __init__(self, why: Failure | None) -> None:
        super().__init__(why.message if why else _NOT_STARTED, details=why.details if why else "")


_NOT_STARTED = (
    "The engine could not start, so no pictures can be made. Your history and settings are safe; "
    "install the program again, or report this with the details below."
)


def _not_started(error: BaseException) -> Failure:
    failure = Failure.from_exception(error)
    if failure.kind == "bug":
        return dataclasses.replace(failure, message=_NOT_STARTED, kind="no-engine")
    return failure
