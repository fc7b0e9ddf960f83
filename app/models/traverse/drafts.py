"""The frames of the walk, made ahead: drafts of all of them first, coarse before fine, then in full.

So that a person can scrub and play at once. What was made is kept by what it shows (the point,
not the number of the frame): moving a keyframe makes only those frames anew that change.
"""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.queue import QueueModel
from app.models.traverse.keys import State, same_points
from app.models.traverse.quality import Quality
from app.models.traverse.timeline import TimelineModel
from engine.messages import Loading, Outcome, Pictures, Progress
from engine.messages.traverse import FrameRequest, FrameResult, Sampling
from engine.messages.walks import Point

__all__ = ["LANE", "DraftFrames"]

LANE = "walk"
_GROUP = 8  # drafts at a time: about a tenth of a second with the bundled model
_FULL_GROUP = 4
_MOST = 3000  # frames that are made ahead; of a longer walk every second, third, ...
_TOLD = 600
_BYTES = 256 * 2**20
_MET = 100_000


class DraftFrames(QObject):
    """`picture(frame)` is the best there is of a frame; `changed` says when there is more."""

    changed = Signal()  # pictures came, or belong to other frames now
    state_changed = Signal(str)  # "idle", "loading", "drafting", "sharpening", "failed"

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        quality: Quality,
        timeline: TimelineModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._queue = queue
        self._quality = quality
        self._timeline = timeline
        self._numbers: dict[tuple[str, Point], int] = {}  # each point ever met, so that it is hashed once
        self._last_number = 0
        self._frames: dict[int, int] = {}  # the number of what a frame shows
        self._made: dict[Sampling, dict[int, Pictures]] = {}
        self._bytes = 0
        self._asked: FrameRequest | None = None
        self._asked_of = State()  # the walk of what was asked for last
        self._held = True  # nobody looks
        self._playing = False
        self._state = "idle"
        self._failure: Failure | None = None
        self._loading = 0.0
        host.live_progress.connect(self._on_progress)
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)
        timeline.changed.connect(self._on_walk_changed)
        timeline.settled.connect(self._on_settled)
        timeline.playhead_changed.connect(self._on_playhead)
        queue.counts_changed.connect(self._go_on)
        quality.changed.connect(self._on_quality)

    # --- what there is

    @property
    def state(self) -> str:
        return self._state

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def loading(self) -> float:
        return self._loading

    def picture(self, frame: int) -> Pictures | None:
        """The best picture of exactly this frame, if there is one."""
        return self._full(frame) or self._draft(frame)

    def level(self, frame: int) -> int:
        """0: not made yet, 1: a draft, 2: in full."""
        return 2 if self._full(frame) is not None else int(self._draft(frame) is not None)

    def nearest(self, frame: int) -> tuple[int, Pictures] | None:
        """The frame closest to this one that has a picture, within a second, and that picture."""
        reach = max(round(self._timeline.fps), 16)
        for away in range(reach + 1):
            for there in (frame - away, frame + away):
                if 0 <= there < self._timeline.total and (made := self.picture(there)) is not None:
                    return there, made
        return None

    def levels(self) -> list[int]:
        """The level of each frame, or of every `level_stride`th of a long walk."""
        full, draft = self._made.get(self._fulls_by, {}), self._made.get(self._drafts_by, {})
        frames = range(0, self._timeline.total, self.level_stride)
        numbers = [self._number(frame) for frame in frames]
        return [2 if number in full else int(number in draft) for number in numbers]

    @property
    def level_stride(self) -> int:
        """Every so many frames are told by `levels`: more than that no screen shows."""
        return self.stride * max(1, -(-self._timeline.total // (self.stride * _TOLD)))

    @property
    def stride(self) -> int:
        """Every so many frames are made ahead: no more than there is room for, draft and in full."""
        info = self._quality.info(self._timeline.model)
        most = _MOST
        if info is not None:
            most = min(most, max(_BYTES // (3 * info.channels * info.image_size**2), 1))
        return max(1, -(-self._timeline.total // most))

    # --- verbs

    def set_held(self, held: bool) -> None:
        """Make nothing while nobody looks, or while a hand needs the engine."""
        if held != self._held:
            self._held = held
            if held:
                self._stop()
                self._set_state("idle")
            else:
                self._go_on()

    def set_playing(self, playing: bool) -> None:
        """While it plays only drafts are made, so that they stay ahead."""
        self._playing = playing
        self._go_on()

    def retry(self) -> None:
        self._forgive()
        self._go_on()

    def _forgive(self) -> None:
        self._failure = None
        self._set_state("idle")

    # --- which frames next

    def _number(self, frame: int) -> int:
        """What a frame shows, as a number; -1 if there is no such frame."""
        number = self._frames.get(frame)
        if number is None:
            point = self._timeline.point(frame)
            known = (self._timeline.model, point) if point is not None else None
            number = -1 if known is None else self._number_of(known)
            self._frames[frame] = number
        return number

    def _number_of(self, known: tuple[str, Point]) -> int:
        number = self._numbers.get(known)
        if number is None:
            self._last_number += 1
            number = self._numbers[known] = self._last_number
        return number

    def _draft(self, frame: int) -> Pictures | None:
        return self._made.get(self._drafts_by, {}).get(self._number(frame))

    def _full(self, frame: int) -> Pictures | None:
        return self._made.get(self._fulls_by, {}).get(self._number(frame))

    def _order(self) -> Iterator[int]:
        """All frames, from the playhead on: every 16th, then every 8th, ... of those made ahead."""
        total, stride, here = self._timeline.total, self.stride, self._timeline.frame
        yield here
        for coarse in (16, 8, 4, 2, 1):
            step = coarse * stride
            for away in range(0, total, step):
                frame = (here - here % step + away) % (total + (-total % step))
                if frame < total:
                    yield frame

    def _missing(self, sampling: Sampling, most: int) -> list[int]:
        """The next frames without a picture of this quality, each point once."""
        there = self._made.get(sampling, {})
        found: dict[int, int] = {}
        for frame in self._order():
            number = self._number(frame)
            if number >= 0 and number not in there and number not in found:
                found[number] = frame
                if len(found) == most:
                    break
        return list(found.values())

    # --- the engine

    @Slot()
    def _go_on(self) -> None:
        """Ask for the next group, unless one is on its way."""
        if self._held or self._asked is not None:
            return
        model = self._timeline.model
        if not model or not self._quality.usable(model):
            self._set_state("idle")
            return
        if self._failure is not None:
            self._set_state("failed")  # again, where nobody looked meanwhile
            return
        busy = self._queue.running is not None
        draft = self._missing(self._drafts_by, 1 if busy else _GROUP)
        if draft and (not busy or draft[0] == self._timeline.frame):
            self._ask(draft, self._drafts_by, "drafting")
            return
        full = [] if self._playing or busy else self._missing(self._fulls_by, _FULL_GROUP)
        if full:
            self._ask(full, self._fulls_by, "sharpening")
        else:
            self._set_state("idle")

    def _ask(self, frames: list[int], sampling: Sampling, state: str) -> None:
        points = tuple(point for frame in frames if (point := self._timeline.point(frame)) is not None)
        self._asked = FrameRequest(self._timeline.model, points, sampling)
        self._asked_of = self._timeline.state
        self._set_state(state)
        # The fine ones may be cut off: what the playhead needs comes first.
        self._host.live(LANE, self._asked, yields=state == "sharpening")

    def _stop(self) -> None:
        if self._asked is not None:
            self._asked = None
            self._host.live_stop(LANE)

    @Slot(str, object)
    def _on_progress(self, lane: str, event: Progress | Loading) -> None:
        if lane == LANE and isinstance(event, Loading) and self._asked is not None:
            self._loading = event.fraction
            self._set_state("loading")

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        if lane != LANE or not isinstance(outcome, FrameResult):
            return
        request = outcome.request
        for index, point in enumerate(request.points[: outcome.pictures.count]):
            number = self._number_of((request.model, point))
            self._keep(request.sampling, number, outcome.pictures.one(index))
        if request == self._asked:
            self._asked = None
        self.changed.emit()
        self._go_on()

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        if lane == LANE and self._asked is not None:
            self._asked = None
            self._failure = failure
            self._set_state("failed")

    def _keep(self, sampling: Sampling, number: int, picture: Pictures) -> None:
        made = self._made.setdefault(sampling, {})
        if number not in made:
            self._bytes += len(picture.data)
        made[number] = picture
        while self._bytes > _BYTES:  # the oldest of the kind there is most of
            largest = max(self._made.values(), key=len)
            self._bytes -= len(largest.pop(next(iter(largest))).data)

    # --- what changes

    @property
    def _drafts_by(self) -> Sampling:
        return self._quality.draft(self._timeline.model)

    @property
    def _fulls_by(self) -> Sampling:
        return self._quality.final(self._timeline.model)

    @Slot()
    def _on_walk_changed(self) -> None:
        self._frames.clear()
        if len(self._numbers) > _MET:  # a long drag meets many; those without a picture are forgotten
            made = set().union(*self._made.values())
            self._numbers = {known: number for known, number in self._numbers.items() if number in made}
        self._forgive_another()
        self.changed.emit()

    def _forgive_another(self) -> None:
        """Another way may be drawn; another name, time or picture of a keyframe changes nothing."""
        if self._failure is not None and not same_points(self._timeline.state, self._asked_of):
            self._forgive()

    @Slot()
    def _on_settled(self) -> None:
        self._forgive_another()  # it may have failed only after the walk had changed
        self._stop()  # what is on its way may be of a walk that was
        self._go_on()

    @Slot(int)
    def _on_playhead(self, frame: int) -> None:
        if self._held or self._playing or self.picture(frame) is not None:
            return
        self._asked = None  # the frame under the hand goes before all others
        self._go_on()

    @Slot()
    def _on_quality(self) -> None:
        self._stop()
        self.changed.emit()
        self._go_on()

    def _set_state(self, state: str) -> None:
        if state != self._state or state == "loading":
            self._state = state
            self.state_changed.emit(state)
