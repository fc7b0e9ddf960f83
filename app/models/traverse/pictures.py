"""Small pictures of latents, made by the engine when it has a moment.

The shelf, the pad and the timeline all show what a latent looks like. Each asks `want`; the
pictures come with `made`, several at a time.
"""

from __future__ import annotations

from collections import OrderedDict

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.traverse.quality import Quality
from engine.messages import Outcome, Pictures
from engine.messages.traverse import FrameRequest, FrameResult
from engine.messages.walks import Point

__all__ = ["LANE", "Thumbnailer", "thumbnail_of"]

LANE = "thumbnails"
_GROUP = 8
_KEPT = 500
_SIDE = 128  # px; larger pictures are made smaller

_Wish = tuple[str, Point]  # model, point


class Thumbnailer(QObject):
    """One request at a time, eight points of a model in each; the newest wishes first."""

    made = Signal(str, object, object)  # model, Point, PNG bytes
    failed = Signal(str, object, object)  # model, Point, Failure

    def __init__(self, host: EngineHost, quality: Quality, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._quality = quality
        self._wishes: OrderedDict[_Wish, None] = OrderedDict()
        self._alone: set[_Wish] = set()  # was in a group that failed
        self._made: OrderedDict[_Wish, bytes] = OrderedDict()  # the last ones, for who asks again
        self._asked: FrameRequest | None = None
        self._soon = False
        self._held = False
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)
        quality.changed.connect(self._ask)

    def want(self, model: str, point: Point) -> None:
        """Make a picture of this some time soon."""
        self._wishes[model, point] = None
        self._wishes.move_to_end((model, point))
        if not self._soon:  # what is wished for in one go is made in one go
            self._soon = True
            QTimer.singleShot(0, self._begin)

    def set_held(self, held: bool) -> None:
        """Leave the engine to a hand that needs all of it."""
        if held != self._held:
            self._held = held
            if held and self._asked is not None:
                self._asked = None
                self._host.live_stop(LANE)
            self._ask()

    @Slot()
    def _begin(self) -> None:
        self._soon = False
        for wish in [wish for wish in self._wishes if wish in self._made]:
            self._forget(wish)
            self.made.emit(*wish, self._made[wish])
        self._ask()

    @Slot()
    def _ask(self) -> None:
        if self._asked is not None or self._held or not self._wishes:
            return
        usable = [wish for wish in reversed(self._wishes) if self._quality.usable(wish[0])]
        if not usable:
            return  # before the models are known, or of one that is not here
        model = usable[0][0]
        if usable[0] in self._alone:
            group = usable[:1]
        else:
            group = [wish for wish in usable if wish[0] == model and wish not in self._alone][:_GROUP]
        points = tuple(point for _, point in group)
        self._asked = FrameRequest(model, points, self._quality.final(model))
        self._host.live(LANE, self._asked)

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        if lane != LANE or not isinstance(outcome, FrameResult):
            return
        if outcome.request == self._asked:
            self._asked = None
        for index, point in enumerate(outcome.request.points[: outcome.pictures.count]):
            wish = (outcome.request.model, point)
            self._forget(wish)
            self._made[wish] = thumbnail_of(outcome.pictures.one(index))
            self.made.emit(*wish, self._made[wish])
        while len(self._made) > _KEPT:
            self._made.popitem(last=False)
        self._ask()

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        if lane != LANE or self._asked is None:
            return
        asked, self._asked = self._asked, None
        wishes = [(asked.model, point) for point in asked.points]
        if len(wishes) > 1:  # one of them spoils it for the others
            self._alone.update(wishes)
        else:
            self._forget(wishes[0])
            self.failed.emit(*wishes[0], failure)
        self._ask()

    def _forget(self, wish: _Wish) -> None:
        self._wishes.pop(wish, None)
        self._alone.discard(wish)


def thumbnail_of(picture: Pictures) -> bytes:
    """One picture as a PNG of at most 128 px; a smaller one is kept as it is."""
    from PIL import Image  # the start can do without

    from engine.images import encode_png, from_pil, to_pil

    if max(picture.width, picture.height) <= _SIDE:
        return encode_png(picture)
    image = to_pil(picture)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return encode_png(from_pil(image))
