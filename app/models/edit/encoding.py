"""Pictures on their way in: opened, cut, encoded as a job, and put into a session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.edit.crop import CropModel
from app.models.edit.facts import facts_of_encode
from app.models.edit.opening import Opened, PictureReader, pictures_in
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.history import HistoryModel
from app.models.progress import CanvasProgress
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from engine.errors import BadRequest, EngineError
from engine.messages import FileImage, Loading, Notice, Pictures, PngImage, Progress
from engine.messages.encode import EXACT_SOLVERS, Encoded, EncodeRequest, Encoding, Photo

__all__ = ["EncodeModel"]

_SHOWN = 200  # pictures of a folder that become edits; all go to the history
_REFUSED_NAMED = 3


class EncodeModel(QObject):
    """What is being brought in. `state` is one of

    "" (nothing), "reading" (a file), "waiting" (in the queue, or for the engine), "loading" (the
    model), "encoding", "stopped" (before anything was finished), "failed".
    """

    state_changed = Signal(str)
    progress_changed = Signal()
    preview_changed = Signal()  # the picture as it dissolves
    cropping = Signal(object)  # CropModel: ask which pixels are meant
    refused = Signal(str)  # why a picture can't be opened, to be said where it was asked for
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        settings: GenerateSettings,
        queue: QueueModel,
        sessions: Sessions,
        history: HistoryModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
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
        self._notes: tuple[str, ...] = ()
        self._exact = False
        queue.job_started.connect(self._on_started)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_finished)
        queue.job_cancelled.connect(self._on_cancelled)
        queue.job_failed.connect(self._on_failed)

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
        """One picture goes to the crop, several (or a folder) are encoded as one job at once."""
        try:
            files = pictures_in(paths)
        except (EngineError, OSError) as error:
            self.refused.emit(error.message if isinstance(error, EngineError) else f"{error}.")
            return False
        if len(files) == 1:
            self._set_state("reading")
            self.reader.read_file(files[0])
            return True
        return self._encode_files(files)

    def open_png(self, data: bytes, name: str, label: int | None = None) -> None:
        """A picture that is no file of a person's: pasted, or of the history."""
        self._label = label
        self._set_state("reading")
        self.reader.read_png(data, name)

    def drop_crop(self) -> None:
        """The picture is not wanted after all."""
        self._crop = None
        if self._state == "reading":
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
        if self._request is not None:
            self._start(self._request, self._names, self._original)

    def dismiss(self) -> bool:
        """Think no more of what failed or was stopped; False if nothing has."""
        if self._state not in ("failed", "stopped"):
            return False
        self._set_state("")
        return True

    def stop(self) -> bool:
        """Stop the job; False if there is none."""
        job = self._queue.job(self._job) if self._job is not None else None
        if job is None or job.ended:
            return False
        if job == self._queue.running:
            self._queue.stop_current()
        else:
            self._queue.remove(job.id)
            self._end("stopped")
        return True

    def close(self) -> None:
        self.reader.close()

    # --- inside

    def _encode_files(self, files: Sequence[Path]) -> bool:
        photos = tuple(Photo(FileImage(str(path))) for path in files)
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
            self,
        )
        self.cropping.emit(self._crop)

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
        if self._ours(job):
            if outcome is not None and outcome.encoded:
                self._take(outcome)
            else:
                self._end("stopped")

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if self._ours(job):
            self._failure = failure
            self._settings.set_error(failure.field, failure.message)
            self._end("failed")

    def take_in(self, outcome: Encoding) -> None:
        """What a job has encoded that nobody waits for here: one left over from the last time."""
        if outcome.encoded and not self.busy:
            self._request, self._original = outcome.request, None
            self._names = tuple(Path(photo.name).name for photo in outcome.request.photos)
            self._take(outcome)

    def _take(self, outcome: Encoding) -> None:
        """What was encoded becomes a session; the round trips go to the history."""
        self._end("")
        if outcome.refused:
            self.notice.emit(_refusals(outcome), "care", None)
        encoded = outcome.encoded
        if not encoded:
            self._failure = Failure(outcome.refused[0].message, "images", "bad-image")
            self._set_state("failed")
            return
        try:
            nodes = [self._node(outcome, item) for item in encoded[:_SHOWN]]
        except EngineError as error:
            self._failure = Failure.from_exception(error)
            self._set_state("failed")
            return
        single = len(self._names) == 1
        name = Path(self._names[0]).stem if single else f"{len(encoded):,} pictures"
        self._sessions.create(name[:80] or "Picture", outcome.request.model, nodes)
        if not single:
            self._keep(outcome, encoded)

    def _node(self, outcome: Encoding, item: Encoded) -> EditNode:
        from engine.images import encode_png

        request, files = outcome.request, self._sessions.files
        name = Path(self._names[0] if len(self._names) == 1 else item.name).stem
        facts = facts_of_encode(item, request.exact, request.solver, request.steps, outcome.seconds)
        if len(self._names) == 1:
            facts["notes"] = [*self._notes, *facts["notes"]]
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

    def _keep(self, outcome: Encoding, encoded: Sequence[Encoded]) -> None:
        """A folder's round trips, in the history."""
        first = encoded[0].round_trip
        data = b"".join(item.round_trip.data for item in encoded)
        pictures = Pictures(len(encoded), first.width, first.height, first.channels, data)
        info = self._settings.model_info
        self._history.add_pictures(
            outcome.request,
            pictures,
            evaluations=encoded[0].evaluations,
            seconds=outcome.seconds,
            provenance=outcome.provenance,
            notices=outcome.notices,
            label_names=info.classes if info is not None else (),
            source=outcome,
        )


def _refusals(outcome: Encoding) -> str:
    count = len(outcome.refused)
    shown = " ".join(item.message for item in outcome.refused[:_REFUSED_NAMED])
    more = f" And {count - _REFUSED_NAMED} more." if count > _REFUSED_NAMED else ""
    return f"{count} could not be encoded, the others were. {shown}{more}"
