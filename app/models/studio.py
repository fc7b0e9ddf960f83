"""The studio: settings, queue, canvas and history around one engine. What views talk to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.engine_worker import EngineLike
from app.failure import Failure
from app.models.announcer import Announcer
from app.models.canvas import CanvasModel, Shown
from app.models.deeds import Deeds
from app.models.doings import Doings
from app.models.dropped import RequestDiff, can_enlarge, read_dropped
from app.models.history import HistoryModel
from app.models.job_editor import JobEditor
from app.models.live import LiveCanvas
from app.models.queue import QueueModel
from app.models.queue_keeper import QueueKeeper
from app.models.recall import Recall
from app.models.result_keeper import ResultKeeper
from app.models.saver import Saver
from app.models.saving import FileWriter
from app.models.session import Session
from app.models.settings import RANDOM_SEED, GenerateSettings, fresh_seed
from app.models.status import APP_TITLE, StatusModel
from app.models.undo import Change
from app.models.warm_up import IdleLoader
from app.store import Store, history_path, open_store
from engine.errors import BadRequest, EngineError
from engine.messages import Catalogue, GenerateRequest, ModelInfo, Outcome, Request

if TYPE_CHECKING:
    from app.models.edit.edits import Edits
    from app.models.library import LibraryModel
    from app.models.traverse.desk import TraverseModel
    from app.models.upsampling import UpsampleModel

__all__ = ["APP_TITLE", "ROOMS", "Studio"]


# The room that shows a job of a kind.
ROOMS = {
    "generate": "generate",
    "upsample": "generate",
    "encode": "edit",
    "edit": "edit",
    "round-trip": "edit",
    "direction": "edit",
    "traverse": "traverse",
    "import": "models",
}


class Studio(QObject):
    """One window's worth of state. Views call its verbs and listen to its models.

    Verbs never raise for what a person can do wrong: they put it beside the control (settings
    errors), on the canvas (its failure) or into `notice`.
    """

    # text, kind ("info", "good", "care", "bad"), what the Undo button calls, the Failure it is about, or None
    notice = Signal(str, str, object)
    title_changed = Signal(str)
    catalogue_changed = Signal(object)  # Catalogue
    engine_state_changed = Signal(str)  # "starting", "ready", "failed"
    # the last job is done: in words, and how many seconds it took
    work_finished = Signal(str, float)
    editing_changed = Signal(object)  # the id of the job being edited, or None
    following_changed = Signal(bool)
    room_wanted = Signal(str)  # where the work just asked for is done

    def __init__(
        self,
        store: Store | None = None,
        engine_factory: Callable[[], EngineLike] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Opens the person's history unless given a `store` (`Store(None)`: in memory only)."""
        super().__init__(parent)
        self.store = store if store is not None else open_store(history_path())
        self.host = EngineHost(engine_factory, self)
        self.settings = GenerateSettings(self)
        self.canvas = CanvasModel(self)
        self.history = HistoryModel(self.store, self)
        self.queue = QueueModel(self.host, self)
        self.queue.renew = self._renew
        self.status = StatusModel(self)
        self.writer = FileWriter(self)
        self.session = Session(self.store, self)
        self._doings = Doings(self.settings, self)
        self.undo_list = self._doings.undo_list
        self._deeds = Deeds(self.history, self.queue, self._doings, self)
        self._editor = JobEditor(
            self.queue, self.settings, self._doings.setting_edits, self._build_request, self
        )
        self.live = LiveCanvas(self.host, self.queue, self.canvas, self.settings, self)
        self._result_keeper = ResultKeeper(self)  # behind the canvas, which has shown a result by then
        self._recall = Recall(self.history, self.canvas, self.live, self.settings)
        self._saver = Saver(self.writer, self.canvas, self.history, self.class_names, self)
        self._library: LibraryModel | None = None
        self._upsampling: UpsampleModel | None = None
        self._keeper = QueueKeeper(self.queue, self.session, self)
        self._announcer = Announcer(self.queue, self.history, self.writer, self.session, self.status, self)
        self._loader = IdleLoader(self.host, self.queue, self.settings, self.status, self)
        self._catalogue: Catalogue | None = None
        self._wanted: list[bool] = []  # Generate pressed before the catalogue came; whether first
        self._traverse: TraverseModel | None = None
        self._edits: Edits | None = None
        self._closed = False
        self._connect()
        self._restore()

    def _connect(self) -> None:
        self.host.catalogue_ready.connect(self._on_catalogue)
        self.host.catalogue_failed.connect(self._announcer.tell_failure)
        self.host.engine_ready.connect(self._on_engine_ready)
        self.host.engine_failed.connect(self._on_engine_failed)
        self.settings.changed.connect(self._on_settings_changed)
        self._doings.notice.connect(self.notice)
        self._deeds.notice.connect(self.notice)
        self._editor.notice.connect(self.notice)
        self._editor.changed.connect(self.editing_changed)
        self._saver.notice.connect(self.notice)
        self._announcer.notice.connect(self.notice)
        self._announcer.work_finished.connect(self.work_finished)
        self.status.title_changed.connect(self.title_changed)
        self.status.engine_state_changed.connect(self.engine_state_changed)
        self.live.following_changed.connect(self.following_changed)
        self._loader.failed.connect(self._announcer.tell_failure)
        self.canvas.request_changed.connect(self._refresh_stale)

    # --- state

    @property
    def catalogue(self) -> Catalogue | None:
        """What can be chosen; None for the first milliseconds."""
        return self._catalogue

    @property
    def engine_state(self) -> str:
        """ "starting", "ready" or "failed"."""
        return self.status.engine_state

    @property
    def window_title(self) -> str:
        """ "step 6/10 - 1.2 s left - GENIE Studio" while something runs."""
        return self.status.title

    @property
    def following(self) -> bool:
        """The canvas shows the running job; opening something from the history ends that."""
        return self.live.following

    @property
    def editing(self) -> int | None:
        """The pending job whose settings are being edited."""
        return self._editor.job

    @property
    def would_lose_work(self) -> bool:
        """Closing now would cut off a job, or lose results or strokes. Waiting jobs come back."""
        strokes = self._edits is not None and self._edits.pending.unkept
        return self.queue.running is not None or strokes or self.save_results() > 0

    @property
    def traverse(self) -> TraverseModel:
        """Shelf, pad and walk; made when it is first wanted, since the start can do without."""
        if self._traverse is None:
            from app.models.traverse.desk import TraverseModel

            self._traverse = TraverseModel(
                self.host,
                self.queue,
                self.history,
                self.settings,
                self.store,
                self.session,
                self.undo_list,
                self,
            )
            self._traverse.notice.connect(self.notice)
        return self._traverse

    @property
    def library(self) -> LibraryModel:
        """Models imported and removed; made when it is first wanted."""
        if self._library is None:
            from app.models.library import LibraryModel

            self._library = LibraryModel(self.host, self.queue, self.settings, self._doings, self)
            self._library.notice.connect(self.notice)
        return self._library

    @property
    def upsampling(self) -> UpsampleModel:
        """Pictures made large by an upsampler; made when it is first wanted."""
        if self._upsampling is None:
            from app.models.upsampling import UpsampleModel

            self._upsampling = UpsampleModel(
                self.queue, self.canvas, self.history, self.settings, self.session, self._enqueue, self
            )
            self._upsampling.notice.connect(self.notice)
        return self._upsampling

    @property
    def edits(self) -> Edits:
        """What the Edit room shows; made when it is first asked for."""
        if self._edits is None:
            from app.models.edit.edits import Edits

            self._edits = Edits(self)
            self._edits.notice.connect(self.notice)
        return self._edits

    def take_in_encoding(self, outcome: Outcome) -> None:
        """What an encoding left over from the last time has come to: its room was not entered yet."""
        from engine.messages.encode import Encoding

        if self._edits is None and isinstance(outcome, Encoding):
            self.edits.encode.take_in(outcome)

    def model_info(self, name: str) -> ModelInfo | None:
        models = self._catalogue.models if self._catalogue is not None else ()
        return next((info for info in models if info.name == name), None)

    def class_names(self, request: Request) -> tuple[str, ...]:
        """The class names of a request's model; empty if the model is not there."""
        info = self.model_info(request.model)
        return info.classes if info is not None else ()

    # --- start and end

    def start(self) -> None:
        """Start the engine; call it when the window is on screen."""
        self.host.start()
        if self.store.notice:
            self.notice.emit(self.store.notice, "care", None)
        if self._keeper.restored:
            self._deeds.queue_again(self._keeper)

    def shutdown(self, timeout_ms: int = 30_000) -> bool:
        """Keep everything, end the engine thread, close the store. False: see `EngineHost.shutdown`."""
        if self._closed:
            return True
        self._closed = True
        self._doings.close()
        self._editor.cancel()  # the settings kept are a person's own
        self.session.set("settings", self.settings.to_dict())
        if self._traverse is not None:
            self._traverse.close()
        self._keeper.close()
        ended = self.host.shutdown(timeout_ms)
        if self._edits is not None:  # what the last job has finished is there now
            self._edits.close()
        self.writer.close()
        self.history.close()
        self.session.close()
        self.store.close()
        return ended

    def _restore(self) -> None:
        values = self.session.get("settings", {})
        if isinstance(values, dict):
            self.settings.from_dict(values)
            self._doings.absorb()
        self._keeper.restore()
        if any(job.request.kind == "import" for job in self.queue.jobs):
            _ = self.library  # it reads the models again when that is done

    # --- verbs: generating

    def generate(self, first: bool = False) -> int | None:
        """Queue what the settings say; None if they can't be (an error is beside the control)."""
        if self._catalogue is None:
            self._wanted.append(first)
            self.canvas.wait("starting")
            return None
        request = self._build_request()
        if request is None:
            return None
        return self._enqueue(request, first)

    def make_like(self, request: GenerateRequest) -> int:
        """Run a request and make the settings its own, but for the seed: the next ones differ."""
        self.settings.apply_request(request)
        self.settings.seed = RANDOM_SEED
        return self._enqueue(request, first=False)

    def _enqueue(self, request: Request, first: bool) -> int:
        self.live.follow()
        alone = self.queue.running is None and not self.queue.pending
        job_id = self.queue.add(request, first)
        if alone:
            # The canvas answers the click now; the engine may need a moment.
            self.live.begin(job_id, request, "running" if self.engine_state == "ready" else "starting")
        return job_id

    def generate_forever(self, on: bool) -> None:
        """Generate again and again with fresh seeds (and classes, where those are random).

        Each batch is what the settings say when the one before it ends. Nothing begins if they
        can't be (an error is beside the control).
        """
        if on and not any(job.request.kind == "generate" and not job.ended for job in self.queue.jobs):
            on = self.generate() is not None or bool(self._wanted)
        self.queue.set_forever(on)

    def submit(self, request: Request, first: bool = False) -> int:
        """Queue work of any room; what comes of it is heard from `queue`."""
        return self.queue.add(request, first)

    def _renew(self, last: GenerateRequest) -> GenerateRequest:
        seed = fresh_seed()
        try:
            return self._doings.setting_edits.own_request(seed)
        except BadRequest:  # something is being typed, say
            return dataclasses.replace(last, seed=seed)

    def stop(self) -> None:
        """Interrupt the running job within one network evaluation; one that still waits is cancelled."""
        self._wanted.clear()
        self.queue.set_forever(False)
        if self.queue.running is not None:
            self.queue.stop_current()
            return
        if not self.canvas.busy:
            return
        waiting = self.queue.job(self.live.job or 0)
        if waiting is not None and not waiting.ended:
            self.queue.remove(waiting.id)
        else:
            self.canvas.stop(None)

    def retry(self) -> int | None:
        """Run the request on the canvas again, as it was."""
        if self.canvas.request is None:
            return self.generate()
        return self._enqueue(self.canvas.request, first=True)

    def reuse_seed(self, index: int | None = None) -> None:
        """Take over the seed of a picture on the canvas (the selected one, or the first)."""
        seed = self.canvas.seed_of(max(self.canvas.selected, 0) if index is None else index)
        if seed is not None:
            self.settings.seed = seed

    def follow(self) -> None:
        """Show the running job on the canvas."""
        self.live.follow()

    # --- verbs: queue

    def remove_job(self, job_id: int) -> None:
        """Cancel a pending job (with undo) or take an ended one off the list."""
        self._deeds.remove_job(job_id)

    def edit_job(self, job_id: int) -> bool:
        """Put a pending job's settings beside the canvas; `commit_edit` gives them back to it."""
        job = self.queue.job(job_id)
        if job is None or job.ended or job == self.queue.running:
            return False
        if not isinstance(job.request, GenerateRequest):
            self.room_wanted.emit(ROOMS.get(job.request.kind, "generate"))
            return False
        return self._editor.begin(job, job.request)

    def commit_edit(self, *, first: bool = False) -> bool:
        """Give the edited settings to the job, which goes to the front of the queue if `first`.

        False: they can't be, or it runs already.
        """
        return self._editor.commit(first)

    def cancel_edit(self) -> None:
        self._editor.cancel()

    # --- verbs: undo

    def undo(self) -> Change | None:
        """Take back what was done last and say so; None if there is nothing."""
        return self._doings.undo()

    def redo(self) -> Change | None:
        """Do again what was taken back last and say so; None if there is nothing."""
        return self._doings.redo()

    # --- verbs: settings

    def apply_settings(self, request: Request) -> None:
        """Make the settings those of a request, with undo; shows the room of one of another kind."""
        if not isinstance(request, GenerateRequest):
            self.room_wanted.emit(ROOMS.get(request.kind, "generate"))
            return
        self._doings.change_settings("Settings applied.", lambda: self.settings.apply_request(request))

    def use_seed(self, seed: int) -> None:
        """Take over a seed only, with undo."""
        self._doings.change_settings(
            f"Seed {seed} taken over.", lambda: self.settings.set_value("seed", seed)
        )

    def open_dropped_file(
        self, path: Path | str, otherwise: Callable[[], bool] | None = None
    ) -> RequestDiff | None:
        """What applying the settings in a picture file would change; None (and a notice) if it has none.

        One that can be upsampled is first offered to `otherwise`, which says whether it took it.
        """
        try:
            return read_dropped(Path(path), self.settings.to_dict(), self._catalogue)
        except EngineError as error:
            offered = can_enlarge(error, self.upsampling.upsamplers())
            if not (offered and otherwise is not None and otherwise()):
                self.notice.emit(error.message, "bad", None)
            return None

    # --- verbs: history

    def save_results(self) -> int:
        """Try now to keep what is not in the history yet; how many results only the memory holds."""
        self.history.save_waiting()
        encoded = self._edits.encode.save_waiting() if self._edits is not None else 0
        return self.history.waiting + encoded

    def star_records(self, ids: Sequence[int], on: bool) -> None:
        """Star images, or take their stars away, with undo."""
        self._deeds.star(ids, on)

    def show_record(self, record_id: int) -> bool:
        """Put an image of the history on the canvas, with its whole batch where that is still there."""
        return self._managed(lambda: self._recall.show(record_id))

    def apply_record(self, record_id: int) -> None:
        """Make the settings those an image of the history was made with (double-click).

        Others have none of them: what was upsampled is shown on the canvas, what was encoded or
        edited goes into the Edit room.
        """

        def apply() -> None:
            request = self.history.request(record_id)
            if request.kind == "upsample":
                self._recall.show(record_id)
            elif ROOMS.get(request.kind) == "edit":
                self.edit_record(record_id)
            else:
                self.apply_settings(request)

        self._managed(apply)

    def edit_record(self, record_id: int) -> bool:
        """Take an image of the history into the Edit room."""
        if not self.edits.open_record(record_id):
            return False
        self.room_wanted.emit("edit")
        return True

    def compare_records(self, left: int, right: int) -> bool:
        """Compare two images of the history on the canvas."""
        return self._managed(lambda: self._recall.compare(left, right))

    def compare_with_canvas(self, record_id: int) -> bool:
        """Compare an image of the history (A) with the picture the canvas shows (B)."""
        return self._managed(lambda: self._recall.compare_with_canvas(record_id), "info")

    def delete_records(self, ids: Sequence[int]) -> None:
        """Into the trash at once, with undo."""
        self._deeds.delete(ids)

    # --- verbs: files

    def save_images(
        self,
        indices: Sequence[int],
        path: Path | str,
        format: str = "",
        *,
        scale: int = 1,
        grid: bool = False,
        shown: Shown | None = None,
    ) -> bool:
        """Save finished pictures of the canvas, off the window's thread; `writer` says when.

        `path` is a file for one picture with a suffix, otherwise a folder; `format` is one of
        `IMAGE_FORMATS` there. `scale` enlarges pixels, `grid` puts all finished pictures into
        one, `shown` is what the canvas showed before. False (and a notice): there is nothing to save.
        """
        return self._saver.save_images(indices, Path(path), format, scale, grid, shown)

    def save_records(self, ids: Sequence[int], path: Path | str, format: str = "", *, scale: int = 1) -> bool:
        """Save images of the history; see `save_images`."""
        return self._saver.save_records(ids, Path(path), format, scale)

    def export_steps(
        self,
        path: Path | str,
        index: int | None = None,
        scale: int = 0,
        step_ms: int = 120,
        shown: Shown | None = None,
    ) -> bool:
        """Save the steps on the canvas as GIF, APNG or WebP by the suffix, off the window's thread.

        `index` is one picture, None the whole grid; `scale` enlarges pixels (0: to about 512 px).
        """
        return self._saver.export_steps(Path(path), index, scale, step_ms, shown)

    # --- what the engine and the models say

    @Slot(object)
    def _on_catalogue(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.settings.set_catalogue(catalogue)
        self.canvas.set_catalogue(catalogue)
        self.history.set_catalogue(catalogue)
        self._doings.absorb()  # what had to give way with a model is no change of a person's
        self.catalogue_changed.emit(catalogue)
        wanted, self._wanted = self._wanted, []
        if wanted:
            self.canvas.wait("empty")
        for first in wanted:
            self.generate(first)
        if wanted and self.queue.forever:
            self.generate_forever(True)  # the settings may not let it

    @Slot()
    def _on_engine_ready(self) -> None:
        self.status.set_engine_state("ready")

    @Slot(object)
    def _on_engine_failed(self, failure: Failure) -> None:
        self.status.set_engine_state("failed", failure)
        self._wanted.clear()
        self.canvas.fail(failure)
        self._announcer.tell_failure(failure)

    @Slot()
    def _on_settings_changed(self) -> None:
        self._refresh_stale()
        self.session.set("settings", self._doings.setting_edits.own)

    @Slot()
    def _refresh_stale(self) -> None:
        request = self.canvas.request
        self.canvas.set_stale(isinstance(request, GenerateRequest) and not self.settings.matches(request))

    # --- inside

    def _managed(self, work: Callable[[], object], kind: str = "bad") -> bool:
        """Whether it could be done; if not, the person is told why."""
        try:
            work()
        except EngineError as error:
            self.notice.emit(error.message, kind, None)
            return False
        return True

    def _build_request(self) -> GenerateRequest | None:
        try:
            return self.settings.build_request()
        except BadRequest as error:
            if not self.settings.errors:  # it is about none of the settings
                self.notice.emit(error.message, "bad", None)
            return None
