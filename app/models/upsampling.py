"""Pictures made large: how, which ones, and by which upsampler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from app.models.blocks import enlarged
from app.models.canvas import CanvasModel
from app.models.history import HistoryModel
from app.models.queue import Job, QueueModel
from app.models.session import Session
from app.models.settings import GenerateSettings
from engine.errors import BadRequest, EngineError, UnknownName
from engine.messages import (
    GenerateRequest,
    ModelInfo,
    Outcome,
    Pictures,
    PngImage,
    Request,
    Result,
    Upsampled,
    UpsampleRequest,
)

if TYPE_CHECKING:
    from engine.images import SavedSettings

__all__ = ["DEFAULTS", "SmallPictures", "UpsampleModel"]

# What the panel begins with. None is what suits the upsampler, and of seeds that of the picture itself.
DEFAULTS: dict[str, Any] = {
    "steps": 5, "aug_level": None, "consistent": None, "aug_seed": None, "seed": None,
}  # fmt: skip
# A seed is meant for the pictures at hand: the next session, and the switch, do without it.
_SEEDS = ("aug_seed", "seed")


@dataclass(frozen=True)
class SmallPictures:
    """What is to be made large: `pictures`, as the upsampler will be given them.

    Of a result, the indices of which are meant; of an image of the history, or of the user's, one.
    """

    title: str
    pictures: Pictures
    upsampler: ModelInfo
    result: Result | None = None
    png: bytes = b""  # of a single picture that is of no whole result
    seed: int = 0  # of that


class UpsampleModel(QObject):
    """Settings of upsampling, kept over sessions but for the seeds, and the jobs made with them."""

    changed = Signal()  # a setting, or the switch
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        queue: QueueModel,
        canvas: CanvasModel,
        history: HistoryModel,
        settings: GenerateSettings,
        session: Session,
        enqueue: Callable[[Request, bool], int],
        parent: QObject | None = None,
    ) -> None:
        """`enqueue` queues a request (first, if so) and lets the canvas show it."""
        super().__init__(parent)
        self._canvas = canvas
        self._history = history
        self._queue = queue
        self._settings = settings
        self._session = session
        self._enqueue = enqueue
        self._values = {**DEFAULTS, **self._kept()}
        self._auto = bool(session.get("upsample-auto", False))
        queue.job_added.connect(self._on_added)

    def _kept(self) -> dict[str, Any]:
        """The settings of the last session, as far as they can be."""
        kept = self._session.get("upsample", {})
        good = {}
        for name, value in kept.items() if isinstance(kept, dict) else ():
            try:
                if name in DEFAULTS and name not in _SEEDS:
                    good[name] = self._checked(name, value)
            except BadRequest:
                continue
        return good

    # --- settings

    def value(self, name: str) -> Any:
        """The setting called `name`, one of `DEFAULTS`."""
        return self._values[name]

    def set_value(self, name: str, value: object) -> None:
        """A `BadRequest` with its `field` if it can't be that."""
        checked = self._checked(name, value)
        if checked != self._values[name]:
            self._values[name] = checked
            kept = {name: value for name, value in self._values.items() if name not in _SEEDS}
            self._session.set("upsample", kept)
            self.changed.emit()

    def differs(self, names: Iterable[str] = tuple(DEFAULTS)) -> bool:
        """Whether one of these settings is not as it was at first."""
        return any(self._values[name] != DEFAULTS[name] for name in names)

    def reset(self) -> None:
        """All settings as they were at first."""
        for name, value in DEFAULTS.items():
            self.set_value(name, value)

    def _checked(self, name: str, value: object) -> object:
        if value is None and DEFAULTS[name] is None:
            return None
        # The request knows what each may be.
        UpsampleRequest("any", images=(_BLANK,), **{name: value})  # type: ignore[arg-type]
        return value

    @property
    def auto(self) -> bool:
        """The switch of the generate panel: what is generated is made large at once."""
        return self._auto

    def set_auto(self, auto: bool) -> None:
        if auto != self._auto:
            self._auto = auto
            self._session.set("upsample-auto", auto)
            self.changed.emit()

    # --- what can be made large

    def upsamplers(self) -> list[ModelInfo]:
        """Those that can be used."""
        return [info for info in self._settings.catalogue.models if info.is_upsampler and not info.problem]

    def upsampler_of(self, model: str) -> ModelInfo | None:
        """The upsampler that goes with what a model makes."""
        try:
            name = self._settings.catalogue.model(model).upsampler
            return self._settings.catalogue.model(name) if name else None
        except UnknownName:
            return None

    def of_canvas(self) -> SmallPictures | None:
        """The finished pictures on the canvas, if an upsampler goes with their model."""
        result = self._canvas.result
        if not isinstance(result, Result) or not result.kept:
            return None
        upsampler = self.upsampler_of(result.request.model)
        if upsampler is None:
            return None
        return SmallPictures(self._title(result.request.model), result.pictures, upsampler, result)

    def can_record(self, record_id: int) -> bool:
        """Whether an image of the history can be made large."""
        row = self._history.row_of(record_id)
        if row is None:
            return False
        record = self._history.record_at(row)
        return self._fitting(record.model, record.width, record.channels) is not None

    def of_record(self, record_id: int) -> SmallPictures:
        """An image of the history; an `EngineError` if it is gone or nothing enlarges it."""
        record = self._history.details(record_id).record
        upsampler = self._fitting(record.model, record.width, record.channels)
        if upsampler is None:
            raise BadRequest(
                f"No upsampler here starts from {record.width} × {record.height} pixels. Import one that does."
            )
        picture = self._history.pictures(record_id)
        title = record.label_name or self._title(record.model)
        png = self._history.png(record_id)
        return SmallPictures(title, picture, upsampler, png=png, seed=record.seed or 0)

    def of_picture(self, picture: Pictures, title: str, upsampler: ModelInfo) -> SmallPictures:
        """A picture of the user's own, brought to the upsampler's size."""
        from engine.images import encode_png

        return SmallPictures(title, picture, upsampler, png=encode_png(picture))

    def _fitting(self, model: str, size: int, channels: int) -> ModelInfo | None:
        """The model's own upsampler where there is one, else any for pictures of this size.

        What was edited or encoded has its model's size, what was upsampled has not.
        """
        own = self.upsampler_of(model)
        able = [own, *self.upsamplers()] if own is not None else self.upsamplers()
        wanted = (size, channels)
        return next((info for info in able if (info.upsamples_from, info.channels) == wanted), None)

    def _title(self, model: str) -> str:
        try:
            return self._settings.catalogue.model(model).title
        except UnknownName:
            return model

    # --- doing it

    def submit(self, small: SmallPictures, indices: Sequence[int] | None = None) -> list[int]:
        """Queue what makes these pictures large (all of them, without `indices`); the jobs' ids.

        Nothing, and a notice, if it can't be.
        """
        try:
            return [
                self._queue_one(request, small, first=False) for request in self._requests(small, indices)
            ]
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return []

    def _requests(
        self, small: SmallPictures, indices: Sequence[int] | None = None, *, seeds: bool = True
    ) -> tuple[UpsampleRequest, ...]:
        upsampler = small.upsampler
        names = [name for name in DEFAULTS if seeds or name not in _SEEDS]
        how = {name: self._values[name] for name in names if self._values[name] is not None}
        how["solver"] = "genie" if upsampler.has_head else "dpmpp-2m"
        if small.result is not None:
            from engine.upsample_requests import requests_for

            return requests_for(small.result, upsampler, indices, **how)
        own: dict[str, Any] = {"seed": small.seed, "aug_seed": small.seed}
        own |= {name: getattr(upsampler, name) for name in ("spacing", "aug_level", "consistent")}
        device, precision = self._settings.device, self._settings.precision
        images = (PngImage(small.png),)
        return (
            UpsampleRequest(upsampler.name, images=images, device=device, precision=precision, **own | how),
        )

    def _queue_one(self, request: UpsampleRequest, small: SmallPictures, *, first: bool) -> int:
        job = self._enqueue(request, first)
        if request == self._canvas.request and small.pictures.count == request.count:
            # Until they are painted over, the small pictures stand there in their size to come.
            size = small.upsampler.image_size
            self._canvas.fill(enlarged(small.pictures, size))
        return job

    @Slot(object)
    def _on_added(self, job: Job) -> None:
        if self._auto and isinstance(job.request, GenerateRequest):
            self._queue.enlarge(job.id)

    def enlarge(self, result: Result) -> None:
        """Queue what makes a result large, before all that waits, if an upsampler goes with its model.

        Each picture with its own seeds: nobody looks at those typed in the dialog here.
        """
        model = result.request.model
        upsampler = self.upsampler_of(model)
        if upsampler is None:
            return
        small = SmallPictures(self._title(model), result.pictures, upsampler, result)
        try:
            requests = self._requests(small, seeds=False)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return
        for request in reversed(requests):  # each goes before the one after it
            self._queue_one(request, small, first=True)

    def keep(self, outcome: Outcome) -> None:
        """What was made large goes into the history."""
        if isinstance(outcome, Upsampled) and outcome.kept:
            self._history.add_pictures(
                outcome.request,
                outcome.pictures,
                steps=outcome.steps,
                evaluations=outcome.evaluations,
                evaluations_paper=outcome.evaluations_paper,
                seconds=outcome.seconds,
                provenance=outcome.provenance,
                notices=outcome.notices,
                source=outcome,
                saved=_saved_settings(outcome),
            )


def _saved_settings(outcome: Upsampled) -> Callable[[int], SavedSettings]:
    def saved(index: int) -> SavedSettings:
        from engine.upsample_requests import settings_of

        return settings_of(outcome, index)

    return saved


# The smallest PNG there is: a request is only to be checked with it.
_BLANK = PngImage(b"\x89PNG\r\n\x1a\n")
