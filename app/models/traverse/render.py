"""The walk as a video: what is chosen for it, and how the render that runs is doing."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.queue import Job, QueueModel
from app.models.traverse.quality import Quality
from app.models.traverse.timeline import TimelineModel
from engine.errors import BadRequest, EngineError
from engine.messages import (
    Loading,
    Notice,
    Outcome,
    Pictures,
    Progress,
    Upsampling,
    request_from_json,
    request_to_json,
)
from engine.messages.traverse import RenderProgress, TraverseRequest, TraverseResult
from engine.messages.videos import FORMATS, QUALITIES, expected_bytes

__all__ = ["SCALES", "RenderChoices", "RenderModel"]

SCALES = (1, 2, 4, 8, 16)


def place_of(request: TraverseRequest) -> Path:
    """The file or folder a render writes."""
    return Path(request.out).expanduser().absolute()


def _left(request: TraverseRequest) -> bool:
    """Whether frames of a render that did not end wait to be gone on with."""
    from engine.journal import unfinished_folder

    return unfinished_folder(place_of(request)).is_dir()


@dataclass(frozen=True)
class RenderChoices:
    """What a person chooses besides the walk itself."""

    format: str = "mp4"
    quality: str = "good"
    scale: int = 8
    upsample: bool = False
    name: str = "walk"
    folder: str = ""


class RenderModel(QObject):
    """One render at a time is followed here; others wait in the queue like any job."""

    notice = Signal(str, str, object)  # as that of Studio
    choices_changed = Signal()
    state_changed = Signal(
        str
    )  # "none", "waiting", "loading", "measuring", "running", "stopped", "failed", "done"
    progress_changed = Signal()
    picture_changed = Signal()  # the last finished frame
    finished = Signal(str)  # path: a whole video is there

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        quality: Quality,
        timeline: TimelineModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue = queue
        self._quality = quality
        self._timeline = timeline
        self._choices = RenderChoices()
        self._job: int | None = None
        self._request: TraverseRequest | None = None
        self._state = "none"
        self._progress: RenderProgress | None = None
        self._loading = 0.0
        self._picture: Pictures | None = None
        self._result: TraverseResult | None = None
        self._failure: Failure | None = None
        self._left_over = False
        host.preview_arrived.connect(self._on_preview)
        queue.job_added.connect(self._on_added)
        queue.job_restored.connect(self._on_added)
        queue.job_removed.connect(self._on_removed)
        queue.job_started.connect(self._on_started)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_finished)
        queue.job_cancelled.connect(self._on_cancelled)
        queue.job_failed.connect(self._on_failed)
        for job in queue.jobs:  # of the last time, before this room was entered
            if isinstance(job.request, TraverseRequest) and not job.ended:
                self._on_added(job)

    # --- what is chosen

    @property
    def choices(self) -> RenderChoices:
        return self._choices

    def choose(self, **changes: Any) -> None:
        choices = dataclasses.replace(self._choices, **changes)
        if choices != self._choices:
            self._choices = choices
            self.choices_changed.emit()

    @property
    def path(self) -> Path:
        """The file that will be written, or the folder of a PNG sequence."""
        name = self._choices.name.strip() or "walk"
        suffix = FORMATS[self._choices.format].suffix
        if suffix and name.casefold().endswith(suffix):
            name = name[: -len(suffix)]
        return Path(self._choices.folder or ".").expanduser() / f"{name}{suffix}"

    @property
    def begun(self) -> bool:
        """Whether frames of an unfinished render wait where this one would go."""
        from engine.journal import unfinished_folder

        return unfinished_folder(self.path.absolute()).is_dir()

    @property
    def upsampler(self) -> str | None:
        """The upsampler of the walk's model, if it has a usable one."""
        info = self._quality.info(self._timeline.model)
        name = info.upsampler if info is not None else None
        return name if name and self._quality.usable(name) else None

    @property
    def size(self) -> tuple[int, int]:
        """Pixels of the video each way, odd sizes padded."""
        info = self._quality.info(self._timeline.model)
        side = info.image_size if info is not None else 32
        if self._choices.upsample and self.upsampler is not None:
            large = self._quality.info(self.upsampler)
            side = large.image_size if large is not None else side
        side *= self._choices.scale
        if self._choices.format in ("mp4", "webm", "webm-av1"):
            side += side % 2
        return side, side

    @property
    def expected_bytes(self) -> int:
        """About how large the file will be."""
        chosen = self._choices
        return expected_bytes(chosen.format, chosen.quality, *self.size, self._timeline.total)

    def request(self) -> TraverseRequest:
        """The render as chosen; a `BadRequest` says what can't be."""
        walk = self._timeline.walk
        if walk is None:
            words = self._timeline.errors.get("walk") or (
                "The walk needs two keyframes or more to go from one to another. Add them from the shelf, or "
                "make a random walk."
            )
            raise BadRequest(words, field="keyframes")
        if not self._quality.usable(walk.model):
            raise BadRequest(f"The model {walk.model} is not here. Import it in Models first.", field="model")
        sampling = self._quality.final(walk.model)
        if self._choices.upsample and self.upsampler is not None:
            large = self._quality.info(self.upsampler)
            how = Upsampling(self.upsampler)
            if large is not None:
                solver = "genie" if large.has_head else "dpmpp-2m"
                how = dataclasses.replace(
                    how,
                    solver=solver,
                    spacing=large.spacing,
                    aug_level=large.aug_level,
                    consistent=large.consistent,
                )
            sampling = dataclasses.replace(sampling, upsampling=how)
        return TraverseRequest(
            walk, str(self.path), sampling, self._choices.format, self._choices.quality, self._choices.scale
        )

    # --- verbs

    def start(self, *, fresh: bool = False) -> bool:
        """Queue the render; False (and why in `notice`) if it can't be."""
        try:
            request = dataclasses.replace(self.request(), fresh=fresh)
        except EngineError as error:
            self.notice.emit(error.message, "care", None)
            return False
        self._submit(request)
        return True

    def resume(self) -> None:
        """Go on with the render that was stopped, from its last frame."""
        if self._request is not None and self.can_resume:
            self._submit(dataclasses.replace(self._request, fresh=False))

    def _submit(self, request: TraverseRequest) -> None:
        self._request, self._result, self._failure = request, None, None
        self._progress, self._picture = None, None
        self._job = -1  # the one that is added now
        self._set_state("waiting")
        self._queue.add(request)

    def stop(self) -> None:
        """Stop the render; what is done plays, and it can be gone on with."""
        job = self._queue.job(self._job) if self._job is not None else None
        if job is None:
            return
        if job == self._queue.running:
            self._queue.stop_current()
        elif not job.ended:
            self._queue.remove(job.id)

    def dismiss(self) -> None:
        """Speak no more of the last render; what was kept of it stays where it is."""
        if not self.busy:
            self._request = self._result = self._failure = self._progress = self._picture = None
            self._set_state("none")
            self.picture_changed.emit()

    # --- state

    @property
    def state(self) -> str:
        return self._state

    @property
    def busy(self) -> bool:
        return self._state in ("waiting", "loading", "measuring", "running")

    @property
    def can_resume(self) -> bool:
        return self._state in ("stopped", "failed") and self._request is not None

    @property
    def left_over(self) -> bool:
        """What can be gone on with was not made just now: its frames lie beside the video."""
        return self._left_over

    @property
    def rendered(self) -> TraverseRequest | None:
        """What is or was rendered last."""
        return self._request

    @property
    def progress(self) -> RenderProgress | None:
        return self._progress

    @property
    def loading(self) -> float:
        return self._loading

    @property
    def picture(self) -> Pictures | None:
        return self._picture

    @property
    def result(self) -> TraverseResult | None:
        return self._result

    @property
    def failure(self) -> Failure | None:
        return self._failure

    # --- what the queue says

    @Slot(object)
    def _on_added(self, job: Job) -> None:
        if isinstance(job.request, TraverseRequest) and self._job in (None, -1):
            self._job = job.id
            self._request = job.request
            self._set_state("waiting")

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if job.id == self._job:
            self._job = None
            self._left_over = self._request is not None and _left(self._request)
            self._set_state("stopped" if self._left_over else "none")

    @Slot(object)
    def _on_started(self, job: Job) -> None:
        if isinstance(job.request, TraverseRequest):
            self._job, self._request = job.id, job.request
            self._result = self._failure = self._progress = None
            self._loading = 0.0
            self._set_state("loading")

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if job.id != self._job:
            return
        if isinstance(event, Loading):
            self._loading = event.fraction
            self.progress_changed.emit()
        elif isinstance(event, RenderProgress):
            self._progress = event
            self._set_state("measuring" if event.measuring else "running")
            self.progress_changed.emit()
        if isinstance(event, Progress) and event.preview is not None:
            self._show(event.preview)

    @Slot(int, object)
    def _on_preview(self, job_id: int, progress: Progress) -> None:
        if job_id == self._job and progress.preview is not None:
            self._show(progress.preview)

    def _show(self, picture: Pictures) -> None:
        self._picture = picture.one(picture.count - 1)
        self.picture_changed.emit()

    @Slot(object, object)
    def _on_finished(self, job: Job, outcome: Outcome) -> None:
        if isinstance(outcome, TraverseResult) and job.id == self._job:
            if outcome.complete:
                self._end(outcome, "done")
                self.finished.emit(outcome.path)
            else:  # the disk is full: what is done is kept, and it can be gone on with
                self._end(outcome, "stopped")

    @Slot(object, object)
    def _on_cancelled(self, job: Job, outcome: Outcome | None) -> None:
        if job.id == self._job:
            self._end(outcome if isinstance(outcome, TraverseResult) else None, "stopped")

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if job.id == self._job:
            self._failure = failure
            self._job = None
            self._set_state("failed")

    def _end(self, result: TraverseResult | None, state: str) -> None:
        self._result, self._job = result, None
        if result is not None and result.walk.pace:
            self._timeline.set_pace(result.walk)
        self._set_state(state)

    def _set_state(self, state: str) -> None:
        self._left_over = self._left_over and state == "stopped"
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)

    # --- the session

    def to_dict(self) -> dict[str, Any]:
        """What is chosen, and the render that is not finished: after a crash it can be gone on with."""
        left = self._request if self.busy or self.can_resume else None
        return {**dataclasses.asdict(self._choices), "left": left and request_to_json(left)}

    def from_dict(self, data: object) -> None:
        if not isinstance(data, dict):
            return
        self._take_up(data.get("left"))
        first = RenderChoices()
        same = {f.name: type(getattr(first, f.name)) for f in dataclasses.fields(first)}
        values: dict[str, Any] = {n: data[n] for n, kind in same.items() if type(data.get(n)) is kind}
        kept = dataclasses.replace(first, **values)
        if kept.format in FORMATS and kept.quality in QUALITIES and kept.scale in SCALES:
            self._choices = kept
            self.choices_changed.emit()

    def _take_up(self, text: object) -> None:
        """Offer to go on with a render of the last time, if its frames are still there."""
        if self._job is not None or not isinstance(text, str):
            return
        with contextlib.suppress(EngineError, TypeError, ValueError):
            request = request_from_json(text)
            if isinstance(request, TraverseRequest) and _left(request):
                self._request = dataclasses.replace(request, fresh=False)
                self._result = self._failure = self._progress = None
                self._left_over = True
                self._set_state("stopped")
