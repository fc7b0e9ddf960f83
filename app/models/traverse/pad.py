"""The pad: latents pinned to a plane, and the picture of the point between them that a hand moves.

While the point moves, five steps have to do and only its newest place counts; when it is let go
its picture is made in full.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.traverse.mixing import CORNERS, Pin, blend_at, clip, free_place, simplify
from app.models.traverse.quality import Quality
from app.models.traverse.shelf import point_of
from app.models.traverse.spots import Spot, spot_from_dict, spot_to_dict
from app.models.undo import UndoList
from engine.errors import EngineError
from engine.messages import Loading, Outcome, Pictures, Progress
from engine.messages.traverse import FrameRequest, FrameResult
from engine.messages.walks import Point

__all__ = ["LANE", "MOST_PINS", "PadModel"]

LANE = "pad"
MOST_PINS = 32
_DRIFT_MS = 16
_DRIFT_SPEED = 0.12  # of the pad's side in a second
_TURNING = 0.7  # radians in a second
_SAMPLE_S = 0.05  # of a recorded drag


class PadModel(QObject):
    """Pins, the point, its picture, and how quickly it follows the hand."""

    notice = Signal(str, str, object)  # as that of Studio
    pins_changed = Signal()
    position_changed = Signal()
    picture_changed = Signal()
    state_changed = Signal(str)  # "empty", "waiting", "loading", "running", "done", "failed"
    rate_changed = Signal()
    drifting_changed = Signal(bool)
    recording_changed = Signal(bool)
    recorded = Signal(object)  # list of (seconds since the first, Spot)

    def __init__(
        self,
        host: EngineHost,
        quality: Quality,
        undo_list: UndoList,
        parent: QObject | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._quality = quality
        self._undo_list = undo_list
        self._clock = clock
        self._pins: tuple[Pin, ...] = ()
        self._x = self._y = 0.5
        self._state = "empty"
        self._failure: Failure | None = None
        self._picture: Pictures | None = None
        self._picture_is_draft = False
        self._loading = 0.0
        self._moving = False
        self._asked: dict[Point, float] = {}  # when the hand was there
        self._newest: FrameRequest | None = None
        self._arrived: deque[tuple[float, float]] = deque(maxlen=240)  # (when, seconds it took)
        self._recording: list[tuple[float, float, float]] | None = None
        self._heading = 0.6
        self._drift_clock = QElapsedTimer()
        self._drift = QTimer(self, interval=_DRIFT_MS)
        self._drift.timeout.connect(self._drift_on)
        host.live_progress.connect(self._on_progress)
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)
        quality.changed.connect(self._on_quality)

    # --- state

    @property
    def pins(self) -> tuple[Pin, ...]:
        return self._pins

    @property
    def model(self) -> str:
        """The model of the pins; "" while there are none."""
        return self._pins[0].spot.model if self._pins else ""

    @property
    def position(self) -> tuple[float, float]:
        return self._x, self._y

    @property
    def here(self) -> Spot | None:
        """The latent under the point."""
        return blend_at(self._pins, self._x, self._y) if self._pins else None

    @property
    def state(self) -> str:
        return self._state

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def picture(self) -> Pictures | None:
        return self._picture

    @property
    def picture_is_draft(self) -> bool:
        return self._picture_is_draft

    @property
    def loading(self) -> float:
        """0 to 1 while the model is read."""
        return self._loading

    @property
    def moving(self) -> bool:
        """A hand or the drift has the point."""
        return self._moving or self.drifting

    @property
    def rate(self) -> float:
        """Pictures a second, over the last second of moving; 0 where nothing moves."""
        now = self._clock()
        recent = [when for when, _ in self._arrived if now - when <= 1.0]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else 0.0

    @property
    def delays(self) -> list[float]:
        """Seconds from the hand to the picture, of the last pictures."""
        return [delay for _, delay in self._arrived]

    # --- verbs: pins

    def set_pins(self, pins: Sequence[Pin], words: str = "") -> None:
        """Other pins; with `words` it can be undone."""
        pins = tuple(pins[:MOST_PINS])
        if pins == self._pins:
            return
        before, self._pins = self._pins, pins
        if not pins and self.recording:  # of what was recorded nothing is left
            self._recording = None
            self.recording_changed.emit(False)
        if words:
            self._undo_list.add(words, lambda: self.set_pins(before), lambda: self.set_pins(pins))
        self.pins_changed.emit()
        if not pins:
            self.stop()
            self._picture = None
            self.picture_changed.emit()
            self._set_state("empty")
        else:
            self.refine()

    def show_thumbnails(self, pins: Sequence[Pin]) -> None:
        """The same pins, their latents with pictures now."""
        if tuple(pins) != self._pins:
            self._pins = tuple(pins)
            self.pins_changed.emit()

    def add_pins(self, spots: Sequence[Spot], at: tuple[float, float] | None = None) -> bool:
        """Pin latents: at a place, or at the corners first and then wherever there is room."""
        if not spots:
            return False
        model = self.model or spots[0].model
        if any(spot.model != model for spot in spots):
            self.notice.emit(
                "The pad mixes latents of one model, and this one belongs to another. Clear the pad to begin "
                "with it.",
                "care",
                None,
            )
            return False
        pins = list(self._pins)
        for spot in spots:
            if len(pins) == MOST_PINS:
                self.notice.emit(f"There is room for {MOST_PINS} pins on the pad.", "care", None)
                break
            x, y = at if at is not None else free_place(pins)
            at = None
            pins.append(Pin(spot, x, y))
        self.set_pins(pins, "Pinned to the pad." if len(spots) == 1 else f"{len(spots)} pinned to the pad.")
        return True

    def move_pin(
        self, index: int, x: float, y: float, *, last: bool = True, before: Pin | None = None
    ) -> None:
        """Drag a pin; the picture follows. `before` says where it came from, for Undo at the end."""
        pins = list(self._pins)
        pins[index] = dataclasses.replace(pins[index], x=clip(x), y=clip(y))
        self._pins = tuple(pins)
        self.pins_changed.emit()
        if last and before is not None and before != pins[index]:
            old = list(pins)
            old[index] = before
            self._undo_list.add("Pin moved.", lambda: self.set_pins(old), lambda: self.set_pins(pins))
        self._ask(draft=not last)

    def replace_pin(self, index: int, spot: Spot) -> None:
        pins = list(self._pins)
        if len(pins) == 1 or spot.model == self.model:
            pins[index] = dataclasses.replace(pins[index], spot=spot)
            self.set_pins(pins, "Pin exchanged.")
        else:
            self.add_pins([spot])

    def remove_pin(self, index: int) -> None:
        self.set_pins([pin for i, pin in enumerate(self._pins) if i != index], "Pin taken from the pad.")

    def clear(self) -> None:
        self.set_pins((), "Pad cleared.")

    def to_corners(self) -> None:
        """Four pins at the four corners; with others, spread on a circle."""
        count = len(self._pins)
        if count == len(CORNERS):
            places: Sequence[tuple[float, float]] = CORNERS
        else:
            places = [
                (
                    0.5 + 0.45 * math.sin(2 * math.pi * i / count),
                    0.5 - 0.45 * math.cos(2 * math.pi * i / count),
                )
                for i in range(count)
            ]
        self.set_pins(
            [Pin(pin.spot, *at) for pin, at in zip(self._pins, places, strict=True)], "Pins spread."
        )

    # --- verbs: the point

    def press(self) -> None:
        """A hand takes the point."""
        self._moving = True
        self._arrived.clear()

    def move_to(self, x: float, y: float) -> None:
        """The point is here now; a draft of its picture follows while it is held, else the full one."""
        self._put(x, y)
        self._ask(draft=self._moving or self.drifting)

    def move_by(self, dx: float, dy: float) -> None:
        """A step of the arrow keys; while it drifts, a push into that direction."""
        if self.drifting:
            self._heading = math.atan2(dy, dx)
            return
        self._put(self._x + dx, self._y + dy)
        self._ask(draft=self._moving)

    def release(self) -> None:
        """The hand lets go: now its picture in full."""
        if self._moving:
            self._moving = False
            self.refine()
            self.rate_changed.emit()

    def refine(self) -> None:
        """The picture here in full."""
        self._ask(draft=False)

    retry = refine

    def stop(self) -> None:
        """No more pictures are wanted."""
        self.set_drifting(False)
        self._newest = None
        self._asked.clear()
        self._host.live_stop(LANE)

    def _put(self, x: float, y: float) -> None:
        self._x, self._y = clip(x), clip(y)
        if self._recording is not None:
            now = self._clock()
            if not self._recording or now - self._recording[-1][0] >= _SAMPLE_S:
                self._recording.append((now, self._x, self._y))
        self.position_changed.emit()

    # --- verbs: drift and record

    @property
    def drifting(self) -> bool:
        return self._drift.isActive()

    def set_drifting(self, on: bool) -> None:
        """Let the point wander by itself, turning gently; arrow keys steer it."""
        if on == self.drifting or (on and not self._pins):
            return
        if on:
            self._arrived.clear()
            self._drift_clock.start()
            self._drift.start()
        else:
            self._drift.stop()
            self.refine()
        self.drifting_changed.emit(on)

    @Slot()
    def _drift_on(self) -> None:
        seconds = min(self._drift_clock.restart() / 1000, 0.1)
        self._heading += _TURNING * seconds * math.sin(0.9 * self._clock())
        x = self._x + _DRIFT_SPEED * seconds * math.cos(self._heading)
        y = self._y + _DRIFT_SPEED * seconds * math.sin(self._heading)
        if not 0 <= x <= 1:  # off the cushion
            self._heading = math.pi - self._heading
        if not 0 <= y <= 1:
            self._heading = -self._heading
        self._put(x, y)
        self._ask(draft=True)

    @property
    def recording(self) -> bool:
        return self._recording is not None

    def set_recording(self, on: bool) -> None:
        """Note where the point goes; at the end the way comes as latents with `recorded`."""
        if on == self.recording or (on and not self._pins):
            return
        if on:
            self._recording = [(self._clock(), self._x, self._y)]
            self.recording_changed.emit(True)
            return
        way, self._recording = self._recording or [], None
        self.recording_changed.emit(False)
        if way and (way[-1][1], way[-1][2]) != (self._x, self._y):
            way.append((self._clock(), self._x, self._y))
        stops = simplify(way)
        if len(stops) < 2:
            self.notice.emit("Nothing was recorded: drag the point while recording.", "info", None)
            return
        self.recorded.emit([(when - stops[0][0], blend_at(self._pins, x, y)) for when, x, y in stops])

    # --- the engine

    def _ask(self, *, draft: bool) -> None:
        here = self.here
        if here is None:
            return
        if not self._quality.usable(here.model):
            if self._quality.catalogue.models:
                words = (
                    f"The model {here.model} is not here, so its latents can't be shown. Import it in Models."
                )
                self._fail(Failure(words))
            else:
                self._set_state("waiting")
            return
        try:
            point = point_of(here)
            sampling = self._quality.draft(here.model) if draft else self._quality.final(here.model)
            request = FrameRequest(here.model, (point,), sampling)
        except EngineError as error:
            self._fail(Failure.from_exception(error))
            return
        self._newest = request
        if draft:
            self._asked[point] = self._clock()
            while len(self._asked) > 64:  # replaced before their turn came
                del self._asked[next(iter(self._asked))]
        if self._state not in ("loading", "running"):
            self._set_state("running")
        self._host.live(LANE, request, yields=not draft)

    @Slot(str, object)
    def _on_progress(self, lane: str, event: Progress | Loading) -> None:
        if lane == LANE and isinstance(event, Loading) and self._newest is not None:
            self._loading = event.fraction
            self._set_state("loading")

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        if lane != LANE or not isinstance(outcome, FrameResult) or not outcome.kept or self._newest is None:
            return
        request = outcome.request
        self._picture = outcome.pictures.one(0)
        self._picture_is_draft = request.sampling == self._quality.draft(request.model)
        self._failure = None
        now = self._clock()
        began = self._asked.pop(request.points[0], None)
        if began is not None:
            self._arrived.append((now, now - began))
        self.picture_changed.emit()
        if request == self._newest:
            self._set_state("done")
        else:
            self._set_state("running")
        if began is not None:
            self.rate_changed.emit()

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        if lane == LANE:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        drifted = self.drifting
        self._drift.stop()
        if drifted:
            self.drifting_changed.emit(False)
        self._set_state("failed")

    @Slot()
    def _on_quality(self) -> None:
        if self._pins and not self.moving:
            self.refine()

    def _set_state(self, state: str) -> None:
        if state != self._state or state in ("loading", "failed"):
            self._state = state
            self.state_changed.emit(state)

    # --- the session

    def to_dict(self) -> dict[str, Any]:
        return {
            "position": [self._x, self._y],
            "pins": [{"x": pin.x, "y": pin.y, **spot_to_dict(pin.spot)} for pin in self._pins],
        }

    def from_dict(self, data: object) -> None:
        """Pins and point as they were; what can't be read is left out."""
        if not isinstance(data, dict):
            return
        with contextlib.suppress(TypeError, ValueError, KeyError):
            self._x, self._y = (clip(float(value)) for value in data["position"])
        pins = []
        for one in data.get("pins", ()):
            with contextlib.suppress(EngineError, TypeError, ValueError, KeyError):
                pins.append(Pin(spot_from_dict(one), clip(float(one["x"])), clip(float(one["y"]))))
        self._pins = tuple(pins[:MOST_PINS])
        if self._pins:
            self._state = "waiting"
            self.pins_changed.emit()
