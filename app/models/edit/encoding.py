"""Pictures on their way in: opened, cut, encoded as a job, and put into a session."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.edit.aside import Aside
from app.models.edit.crop import CropModel
from app.models.edit.facts import facts_of_encode
from app.models.edit.opening import Opened, PictureReader, pictures_in
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.history import HistoryModel
from app.models.progress import CanvasProgress
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from app.store.edits import EditFiles
from engine.errors import BadRequest, EngineError
from engine.messages import FileImage, Loading, Notice, Pictures, PngImage, Progress
from engine.messages.encode import EXACT_SOLVERS, Encoded, EncodeRequest, Encoding, Photo

__all__ = ["EncodeModel"]

_SHOWN = 200  # pictures of a folder that become edits; all go to the history
_REFUSED_NAMED = 3
_AT_ONCE = 4  # pictures whose files are written without anybody noticing


@dataclass(eq=False)
class _Taken:
    """An outcome on its way into the files: what it is called, and whether it is shown then."""

    outcome: Encoding
    name: str
    single: bool
    notes: tuple[str, ...] = ()  # of reading the file of a single one
    shown: bool = True


class EncodeModel(QObject):
    """What is being brought in. `state` is one of

    "" (nothing), "reading" (a file), "waiting" (in the queue, or for the engine), "loading" (the
    model), "encoding", "stopped" (before anything was finished), "failed".
    """

    state_changed = Signal(str)
    progress_changed = Signal()
    preview_changed = Signal()  # the picture as it dissolves
    cropping = Signal(object)  # CropModel: ask which pixels are meant
    class_wanted = Signal(int)  # how many pictures: the model needs a class to encode them as
    refused = Signal(str)  # why a picture can't be opened, to be said where it was asked for
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        settings: GenerateSettings,
        queue: QueueModel,
        sessions: Sessions,
        history: HistoryModel,
        aside: Aside,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._aside = aside
        self._settings = settings
        self._queue = queue
        self._sessions = sessions
        self._history = history
        self.reader = PictureReader(self)
        self.reader.read.connect(self._on_read)
        self._state = ""
        self._crop: CropModel | None = None
        self._job: int | None = None
        self._names: tuple[str, ...] = ()
        self._original: Pictures | None = None
        self._preview: Pictures | None = None
        self._progress = CanvasProgress()
        self._failure: Failure | None = None
        self._request: EncodeRequest | None = None
        self._label: int | None = None
        self._batch: tuple[Path, ...] = ()  # that wait for a person to say their class
        self._not_kept: list[_Taken] = []  # encoded, but their files could not be written
        self._again: _Taken | None = None  # the one of these that is shown as failed
        self._notes: tuple[str, ...] = ()
        self._exact = False
        queue.job_removed.connect(self._on_removed)
        queue.job_restored.connect(self._on_restored)
        queue.job_started.connect(self._on_started)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_finished)
        queue.job_cancelled.connect(self._on_cancelled)
        queue.job_failed.connect(self._on_failed)
        settings.model_changed.connect(self._on_model)

    # --- what is there

    @property
    def state(self) -> str:
        return self._state

    @property
    def busy(self) -> bool:
        return self._state in ("reading", "waiting", "loading", "encoding")

    @property
    def name(self) -> str:
        """What is being encoded: a file's name, or how many there are."""
        return self._names[0] if len(self._names) == 1 else f"{len(self._names):,} pictures"

    @property
    def count(self) -> int:
        return len(self._names)

    @property
    def original(self) -> Pictures | None:
        """The pixels that are encoded, where it is one picture."""
        return self._original

    @property
    def preview(self) -> Pictures | None:
        """How far it has dissolved."""
        return self._preview

    @property
    def progress(self) -> CanvasProgress:
        return self._progress

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def crop(self) -> CropModel | None:
        """The picture that waits for a person to say which part is meant."""
        return self._crop

    @property
    def label(self) -> int | None:
        """The class pictures are encoded as; None: no class."""
        return self._label

    def set_label(self, label: int | None) -> None:
        self._label = label

    @property
    def exact(self) -> bool:
        return self._exact

    def set_exact(self, exact: bool) -> None:
        self._exact = exact

    # --- verbs

    def open_files(self, paths: Sequence[Path]) -> bool:
        """One picture goes to the crop, several (or a folder) are encoded as one job at once.

        Without a class, whatever the one before was: of several, a model that can't do without is
        asked about with `class_wanted`.
        """
        if self._must_wait():
            return False
        self._label, self._batch = None, ()
        try:
            files = pictures_in(paths)
        except (EngineError, OSError) as error:
            self.refused.emit(error.message if isinstance(error, EngineError) else f"{error}.")
            return False
        if len(files) == 1:
            self._set_state("reading")
            self.reader.read_file(files[0], self._background())
            return True
        info = self._settings.model_info
        if info is not None and info.classes and not info.null_label:
            self._batch = tuple(files)
            self.class_wanted.emit(len(files))
            return True
        return self._encode_files(files)

    def encode_batch(self, label: int) -> bool:
        """Encode the pictures that `class_wanted` was about, all of them as this class."""
        files, self._batch = self._batch, ()
        self._label = label
        return bool(files) and self._encode_files(files)

    def open_png(self, data: bytes | Callable[[], bytes], name: str, label: int | None = None) -> None:
        """A picture that is no file of a person's: pasted, or of the history.

        What gives its bytes is called off the window's thread.
        """
        if self._must_wait():
            return
        self._label = label
        self._set_state("reading")
        self.reader.read_png(data if callable(data) else lambda: data, name, self._background())

    def _must_wait(self) -> bool:
        """One encoding at a time: what came of the one before would not be seen."""
        if not self.busy or self._state == "reading":
            return False
        self.notice.emit(
            "A picture is being encoded. Wait until it is done, or stop it with Esc.", "care", None
        )
        return True

    def drop_crop(self) -> None:
        """The picture, or the pictures, are not wanted after all."""
        self._crop, self._batch = None, ()
        if self._state == "reading":
            self.reader.forget()
            self._set_state("")

    def encode(self) -> bool:
        """Encode what the crop shows. False: it can't be; the settings say why."""
        crop = self._crop
        if crop is None:
            return False
        from engine.images import encode_png

        photo = Photo(PngImage(encode_png(crop.pixels)))
        if not self._submit((photo,), (crop.name,), crop.pixels):
            return False
        self._notes = crop.notes
        self._crop = None
        return True

    def retry(self) -> None:
        """Do again what failed: encode, or only keep what is encoded."""
        if self._again is not None:
            self._set_state("encoding")
            self._keep(self._again)
        elif self._request is not None:
            self._start(self._request, self._names, self._original)

    def save_waiting(self) -> int:
        """Try again to keep what was encoded and could not be; how many only the memory holds."""
        if not self._aside.busy:  # where it may be under way
            for taken in tuple(self._not_kept):
                # From the others a person has gone on.
                taken.shown = taken is self._again and self._state == "failed"
                self._keep(taken)
        return len(self._not_kept)

    def dismiss(self) -> bool:
        """Think no more of what failed or was stopped; False if nothing has."""
        if self._state not in ("failed", "stopped"):
            return False
        if self._again is not None:
            self._kept(self._again)
        self._set_state("")
        return True

    def stop(self) -> bool:
        """Stop the job, or the reading of a file; False if there is none."""
        if self._state == "reading":
            self.drop_crop()
            return True
        job = self._queue.job(self._job) if self._job is not None else None
        if job is None or job.ended:
            return False
        if job == self._queue.running:
            self._queue.stop_current()
        else:
            self._queue.remove(job.id)
        return True

    def close(self) -> None:
        self.reader.close()

    # --- inside

    def _background(self) -> tuple[int, int, int]:
        """What lies behind the pictures of the model, so behind what is clear in a person's own."""
        info = self._settings.model_info
        return (0, 0, 0) if info is None else info.background

    def _encode_files(self, files: Sequence[Path]) -> bool:
        ground = self._background()
        photos = tuple(Photo(FileImage(str(path)), background=ground) for path in files)
        return self._submit(photos, tuple(path.name for path in files), None)

    def _submit(self, photos: tuple[Photo, ...], names: tuple[str, ...], original: Pictures | None) -> bool:
        settings = self._settings
        solver = settings.solver
        if self._exact and solver not in EXACT_SOLVERS:
            info = settings.model_info
            solver = "genie" if info is not None and info.has_head else "ddim"
        try:
            request = EncodeRequest(
                model=settings.model,
                solver=solver,
                steps=settings.steps,
                spacing=settings.spacing,
                guidance=settings.guidance,
                t_end=settings.t_end,
                device=settings.device,
                precision=settings.precision,
                photos=photos,
                labels=(self._label,) * len(photos),
                exact=self._exact,
            )
        except BadRequest as error:
            if not settings.set_error(error.field, error.message):
                self.refused.emit(error.message)
            return False
        self._start(request, names, original)
        return True

    def _start(self, request: EncodeRequest, names: tuple[str, ...], original: Pictures | None) -> None:
        self._request, self._names, self._original, self._notes = request, names, original, ()
        self._preview, self._failure, self._progress = None, None, CanvasProgress(steps=request.steps)
        self._again = None
        self._set_state("waiting")
        self.preview_changed.emit()
        self._job = -1  # a job may start within add()
        self._job = self._queue.add(request)

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)

    def _end(self, state: str) -> None:
        self._job = None
        self._set_state(state)

    def _ours(self, job: Job) -> bool:
        return self._job is not None and job.request is self._request

    @Slot()
    def _on_model(self) -> None:
        """The class was one of the model before."""
        self._label, self._batch = None, ()

    @Slot(object)
    def _on_read(self, opened: Opened) -> None:
        self._set_state("")
        if opened.failure is not None:
            self.refused.emit(opened.failure.message)
            return
        info = self._settings.model_info
        if info is None or opened.image is None:
            self.refused.emit("There is no model to encode with yet. Choose one first.")
            return
        self._crop = CropModel(
            opened.image,
            opened.name,
            info.image_size,
            info.channels,
            opened.notes,
            opened.shown,
            opened.halves,
        )  # without a parent: a large picture goes with the last who looks at it
        self.cropping.emit(self._crop)

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.id == self._job:
            self._end("stopped")

    @Slot(object)
    def _on_restored(self, job: Job) -> None:
        if job.request is self._request and not self.busy:
            self._job = job.id
            self._set_state("waiting")

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if self._ours(job):
            self._set_state("encoding")

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if not self._ours(job):
            return
        if isinstance(event, Loading):
            self._progress = CanvasProgress(steps=self._progress.steps, loading=event.fraction)
            self._set_state("loading")
        elif isinstance(event, Progress):
            self._set_state("encoding")
            self._progress = CanvasProgress.of(event)
        self.progress_changed.emit()

    @Slot(int, object)
    def show_preview(self, job_id: int, progress: Progress) -> None:
        """The newest preview of a job; connected to the host."""
        if job_id == self._job and progress.preview is not None:
            self._preview = progress.preview
            self.preview_changed.emit()

    @Slot(object, object)
    def _on_finished(self, job: Job, outcome: Encoding) -> None:
        if self._ours(job):
            self._take(outcome)
        elif isinstance(outcome, Encoding):
            self.take_in(outcome)

    @Slot(object, object)
    def _on_cancelled(self, job: Job, outcome: Encoding | None) -> None:
        if not self._ours(job):
            if isinstance(outcome, Encoding):
                self.take_in(outcome)
        elif outcome is not None and outcome.encoded:
            self._take(outcome)
        else:
            self._end("stopped")

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if self._ours(job):
            self._settings.set_error(failure.field, failure.message)
            self._fail(failure)

    def take_in(self, outcome: Encoding) -> None:
        """What a job has encoded that nobody waits for here: one left over from the last time."""
        if not outcome.encoded:
            return
        shown = not self.busy
        if shown:
            self._request, self._original = outcome.request, None
            self._names = tuple(Path(photo.name).name for photo in outcome.request.photos)
        single = outcome.request.count == 1
        name = Path(outcome.request.photos[0].name).stem if single else _counted(outcome)
        self._keep(_Taken(outcome, name, single, shown=shown))

    def _take(self, outcome: Encoding) -> None:
        """What was encoded becomes a session; the round trips of several go to the history."""
        self._job = None
        if outcome.refused:
            self.notice.emit(_refusals(outcome), "care", None)
        if not outcome.encoded:
            self._fail(Failure(outcome.refused[0].message, "images", "bad-image"))
            return
        single = len(self._names) == 1
        name = Path(self._names[0]).stem if single else _counted(outcome)
        self._keep(_Taken(outcome, name, single, self._notes))

    def _keep(self, taken: _Taken) -> None:
        """Write the files, many of them off the window's thread, and then the session."""
        files = self._sessions.files
        if len(taken.outcome.encoded) > _AT_ONCE:
            if taken.shown:
                self._set_state("encoding")
            self._aside.do(
                lambda: _nodes_of(taken, files),
                lambda nodes: self._on_kept(taken, nodes),
                lambda failure: self._on_not_kept(taken, failure),
            )
            return
        try:
            nodes = _nodes_of(taken, files)
        except EngineError as error:
            self._on_not_kept(taken, Failure.from_exception(error))
        else:
            self._on_kept(taken, nodes)

    def _on_kept(self, taken: _Taken, nodes: list[EditNode]) -> None:
        outcome, name = taken.outcome, taken.name[:80] or "Picture"
        self._kept(taken)
        if taken.shown:
            self._end("")
        self._sessions.create(name, outcome.request.model, nodes, show=taken.shown)
        if not taken.shown:
            self.notice.emit(f"{name} is encoded, too: it is in the list of sessions.", "good", None)
        if len(outcome.encoded) > _SHOWN:
            self.notice.emit(
                f"The first {_SHOWN} of {len(outcome.encoded):,} pictures can be edited here; the round trips "
                "of all are in the history.",
                "care",
                None,
            )
        if not taken.single:
            self._add_to_history(outcome)

    def _on_not_kept(self, taken: _Taken, failure: Failure) -> None:
        """What took long to encode waits in memory until there is room for it on the disk."""
        if taken not in self._not_kept:
            self._not_kept.append(taken)
        if taken.shown:
            self._fail(failure, taken)
        else:
            self.notice.emit(failure.message, "bad", failure)

    def _kept(self, taken: _Taken) -> None:
        """It waits no more."""
        if taken in self._not_kept:
            self._not_kept.remove(taken)
        if taken is self._again:
            self._again = None

    def _fail(self, failure: Failure, again: _Taken | None = None) -> None:
        self._failure, self._again = failure, again
        self._end("failed")

    def _add_to_history(self, outcome: Encoding) -> None:
        """The round trips of several pictures, each with the request for it."""
        encoded = outcome.encoded
        first = encoded[0].round_trip
        data = b"".join(item.round_trip.data for item in encoded)
        pictures = Pictures(len(encoded), first.width, first.height, first.channels, data)
        # Picture i of the history is photo i of its request: those that were refused are not in it.
        rows = [row for row, item in enumerate(outcome.items) if isinstance(item, Encoded)]
        request = dataclasses.replace(
            outcome.request,
            photos=tuple(outcome.request.photos[row] for row in rows),
            labels=tuple(outcome.request.labels[row] for row in rows),
        )
        models = self._settings.catalogue.models
        self._history.add_pictures(
            request,
            pictures,
            evaluations=encoded[0].evaluations,
            seconds=outcome.seconds,
            provenance=outcome.provenance,
            notices=outcome.notices,
            label_names=next((info.classes for info in models if info.name == request.model), ()),
            source=outcome,
        )


def _nodes_of(taken: _Taken, files: EditFiles) -> list[EditNode]:
    """The edits that begin a session, their files in place; in any thread."""
    return [_node(taken, item, files) for item in taken.outcome.encoded[:_SHOWN]]


def _node(taken: _Taken, item: Encoded, files: EditFiles) -> EditNode:
    from engine.images import encode_png

    request = taken.outcome.request
    name = taken.name if taken.single else Path(item.name).stem
    facts = facts_of_encode(item, request.exact, request.solver, request.steps, taken.outcome.seconds)
    if taken.single:
        facts["notes"] = [*taken.notes, *facts["notes"]]
    return EditNode(
        fresh_id(),
        None,
        "picture",
        name[:80] or "Picture",
        {
            "picture": files.put(encode_png(item.original), "png"),
            "round_trip": files.put(encode_png(item.round_trip), "png"),
            "latent": files.put(item.latent, "safetensors"),
        },
        None,
        facts,
    )


def _counted(outcome: Encoding) -> str:
    return f"{len(outcome.encoded):,} pictures"


def _refusals(outcome: Encoding) -> str:
    count = len(outcome.refused)
    shown = " ".join(item.message for item in outcome.refused[:_REFUSED_NAMED])
    more = f" And {count - _REFUSED_NAMED} more." if count > _REFUSED_NAMED else ""
    return f"{count} could not be encoded, the others were. {shown}{more}"
