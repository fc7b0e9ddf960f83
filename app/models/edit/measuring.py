"""Longer work of the Edit room: error versus steps, and directions. Both run as jobs."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.edit.asking import photo_of
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.progress import CanvasProgress
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from app.store.edits import DirectionRow
from engine.errors import BadRequest, EngineError
from engine.messages import Loading, Notice, Outcome, Progress, Request
from engine.messages.edit import ClassSet, Direction, DirectionRequest
from engine.messages.encode import FAST_SOLVER, RoundTrip, RoundTripRequest

__all__ = ["Directions", "JobWatch", "RoundTrips"]

Curves = dict[str, tuple[tuple[int, float], ...]]  # solver -> (steps, PSNR)


class JobWatch(QObject):
    """One job of the queue at a time, and what becomes of it."""

    changed = Signal()  # busy, progress or failure

    def __init__(self, queue: QueueModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._request: Request | None = None
        self._id: int | None = None
        self._failure: Failure | None = None
        self._progress = 0.0
        queue.job_removed.connect(self._on_removed)
        queue.job_restored.connect(self._on_restored)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_finished)
        queue.job_cancelled.connect(self._on_cancelled)
        queue.job_failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        return self._request is not None

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return self._progress

    @property
    def failure(self) -> Failure | None:
        return self._failure

    def start(self, request: Request) -> None:
        """Queue it; what ran before here goes on unheard."""
        self._request, self._failure, self._progress = request, None, 0.0
        self._id = self._queue.add(request)
        self.changed.emit()

    def fail(self, failure: Failure) -> None:
        self._request, self._failure = None, failure
        self.changed.emit()

    def stop(self) -> bool:
        job = self._queue.job(self._id) if self._id is not None and self.busy else None
        if job is None or job.ended:
            return False
        if job == self._queue.running:
            self._queue.stop_current()
        else:
            self._queue.remove(job.id)
        return True

    def take(self, outcome: Outcome) -> None:
        """What a subclass does with what came of it."""
        raise NotImplementedError

    def _over(self) -> None:
        self._request = None
        self.changed.emit()

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.request is self._request:
            self._over()

    @Slot(object)
    def _on_restored(self, job: Job) -> None:
        if job.id == self._id and not self.busy:
            self._request = job.request
            self.changed.emit()

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if job.request is self._request and isinstance(event, Progress):
            self._progress = CanvasProgress.of(event).fraction
            self.changed.emit()

    @Slot(object, object)
    def _on_finished(self, job: Job, outcome: Outcome) -> None:
        if job.request is self._request:
            self.take(outcome)
            self._over()

    @Slot(object, object)
    def _on_cancelled(self, job: Job, outcome: Outcome | None) -> None:
        if job.request is self._request:
            if outcome is not None:
                self.take(outcome)
            self._over()

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if job.request is self._request:
            self.fail(failure)


class RoundTrips(JobWatch):
    """How well the picture comes back by the number of steps: measured once, kept with the picture."""

    def __init__(
        self, queue: QueueModel, settings: GenerateSettings, sessions: Sessions, parent: QObject | None = None
    ) -> None:
        super().__init__(queue, parent)
        self._settings = settings
        self._sessions = sessions
        self._node: EditNode | None = None
        sessions.current_changed.connect(self.changed)

    @property
    def curves(self) -> Curves:
        """Those of the picture looked at; empty if they were not measured."""
        node = self._sessions.current
        kept = node.facts.get("round_trips") if node is not None else None
        if not isinstance(kept, dict):
            return {}
        return {str(s): tuple((int(n), float(p)) for n, p in points) for s, points in kept.items()}

    def measure(self) -> None:
        node = self._sessions.current
        if node is None or self.busy:
            return
        label = node.facts.get("label")
        try:
            request = RoundTripRequest(
                model=self._sessions.model,
                photo=photo_of(self._sessions, node),
                label=label if isinstance(label, int) else None,
                spacing=self._settings.spacing,
                guidance=self._settings.guidance,
                device=self._settings.device,
                precision=self._settings.precision,
                solvers=self._solvers(),
            )
        except EngineError as error:
            self.fail(Failure.from_exception(error))
            return
        self._node = node
        self.start(request)

    def _solvers(self) -> tuple[str, ...]:
        """The best there is for this first, then what it is measured against."""
        info = self._settings.model_info
        if info is not None and not info.has_head:
            return ("dpmpp-2m", "ddim")
        known = {solver.name for solver in self._settings.catalogue.solvers}
        return tuple(name for name in (FAST_SOLVER, "genie", "ddim") if name in known)

    def take(self, outcome: Outcome) -> None:
        node, tree = self._node, self._sessions.tree
        if not isinstance(outcome, RoundTrip) or node is None or not outcome.points:
            return
        node = tree.node(node.id) if node.id in tree else node
        curves = {solver: [list(p) for p in outcome.curve(solver)] for solver in outcome.request.solvers}
        facts = {**node.facts, "round_trips": curves}
        self._sessions.update(dataclasses.replace(node, facts=facts))


class Directions(JobWatch):
    """Named directions in a model's latents: made from two classes or two selections of edits."""

    listed_changed = Signal()
    made = Signal(object)  # DirectionRow
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self, queue: QueueModel, settings: GenerateSettings, sessions: Sessions, parent: QObject | None = None
    ) -> None:
        super().__init__(queue, parent)
        self._settings = settings
        self._sessions = sessions
        sessions.opened.connect(self.listed_changed)

    def listed(self) -> list[DirectionRow]:
        """Those of the open session's model."""
        try:
            return self._sessions.store.directions(self._sessions.model)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return []

    def of_classes(self, name: str, toward: int, away: int, count: int = 64) -> bool:
        return self._make(name, ClassSet(toward, count), ClassSet(away, count))

    def of_edits(self, name: str, toward: Sequence[EditNode], away: Sequence[EditNode]) -> bool:
        try:
            sides = [tuple(photo_of(self._sessions, node) for node in side) for side in (toward, away)]
        except EngineError as error:
            self.fail(Failure.from_exception(error))
            return False
        return self._make(name, sides[0], sides[1])

    def _make(self, name: str, toward: object, away: object) -> bool:
        try:
            if not name.strip():
                raise BadRequest("Give the direction a name.", field="name")
            if any(row.name == name.strip() for row in self.listed()):
                raise BadRequest(
                    f"There is a direction {name.strip()} already. Choose another name.", field="name"
                )
            if toward == away:
                raise BadRequest("Both sides are the same: choose two different ones.", field="selection")
            request = DirectionRequest(
                model=self._sessions.model,
                solver=self._settings.solver,
                steps=self._settings.steps,
                spacing=self._settings.spacing,
                device=self._settings.device,
                precision=self._settings.precision,
                name=name.strip()[:80],
                toward=toward,  # type: ignore[arg-type]  # checked by the request
                away=away,  # type: ignore[arg-type]
            )
        except EngineError as error:
            self.fail(Failure.from_exception(error))
            return False
        self.start(request)
        return True

    def delete(self, row: DirectionRow) -> None:
        """With undo."""

        def put(deleted: bool) -> object:
            came = self._sessions.attempt(
                lambda: self._sessions.store.delete_direction(row.id, deleted),
                f"Direction {row.name} is not kept any more.",
            )
            self.listed_changed.emit()
            return came

        if put(True) is True:
            change = self._sessions.undo_list.add(
                f"Direction {row.name} deleted.", lambda: put(False), lambda: put(True)
            )
            self.notice.emit(change.words, "info", change)

    def take(self, outcome: Outcome) -> None:
        row = self._put(outcome)
        if row is not None:
            self.made.emit(row)

    def take_in(self, job: Job, outcome: Outcome) -> None:
        """What nobody waits for here: left over from the last time, or begun before the one watched."""
        if job.request is not self._request:
            self._put(outcome)

    def _put(self, outcome: Outcome) -> DirectionRow | None:
        """Keep a direction and tell of it."""
        if not isinstance(outcome, Direction) or not outcome.complete:
            return None
        try:
            file = self._sessions.files.put(outcome.latent, "safetensors")
            request = outcome.request
            taken = {row.name for row in self._sessions.store.directions(request.model)}
            request = dataclasses.replace(request, name=_free_name(request.name, taken))
            outcome = dataclasses.replace(outcome, request=request)  # whose words tell the name
            row = DirectionRow(
                fresh_id(),
                request.name,
                request.model,
                {"file": file, "separation": outcome.separation, "counts": list(outcome.counts)},
            )
            self._sessions.store.add_direction(row)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return None
        self.notice.emit(outcome.words, "good" if outcome.separation >= 1 else "care", None)
        self.listed_changed.emit()
        return row


def _free_name(name: str, taken: Collection[str]) -> str:
    """The name, or with a number behind where there is one already: two that waited may be called the same."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} {count}"
    return free
