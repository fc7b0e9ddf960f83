"""The walk that is being authored: keyframes on a track, what is selected, where the playhead is.

`Walk` of the engine is a finished walk of two keyframes or more. Here one may be empty or have a
single keyframe, and its keyframes have ids, names and pictures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData, QObject, QTimer, Signal

from app.models.traverse.keys import (
    EDITED,
    SET,
    SETTINGS,
    Key,
    State,
    begins,
    check,
    key_from_dict,
    key_of,
    key_to_dict,
    lasting,
    merged,
    moved_in_time,
    respotted,
    same_points,
    same_way,
    state_from_dict,
)
from app.models.traverse.shelf import point_of
from app.models.traverse.spots import Spot, source_words, spots_to_mime
from app.models.undo import UndoList
from engine.errors import BadRequest, EngineError
from engine.messages.walks import MAX_KEYFRAMES, Pace, Point, Walk
from engine.walk import FramePlan, noise_loop, plan_frames, random_walk

__all__ = ["KEYS_MIME", "Key", "TimelineModel"]

KEYS_MIME = "application/x-genie-keyframes"  # JSON list, beside the latents in the same drag
_CHANGED_MS = 120  # after the last change the walk is settled: then its drafts are made anew


class TimelineModel(QObject):
    """Verbs put what is wrong into `errors` (setting -> words) or `notice`; nothing is lost by it."""

    notice = Signal(str, str, object)  # as that of Studio
    changed = Signal()  # keyframes or settings
    settled = Signal()  # a moment after the last change: what shows the walk may be made anew
    selection_changed = Signal()
    playhead_changed = Signal(int)  # frame
    errors_changed = Signal()

    def __init__(self, undo_list: UndoList, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._undo_list = undo_list
        self._state = State()
        self._pace: Pace = ()
        self._plan: FramePlan | None = None
        self._selected: frozenset[int] = frozenset()
        self._current: int | None = None
        self._frame = 0
        self._next_id = 1
        self._walk_number = 0  # what was done in a walk that was put aside is not undone in another
        self._errors: dict[str, str] = {}
        self._settling = QTimer(self, singleShot=True, interval=_CHANGED_MS)
        self._settling.timeout.connect(self.settled)

    # --- what there is

    @property
    def state(self) -> State:
        """All of it, as a value to be compared with another."""
        return self._state

    @property
    def keys(self) -> tuple[Key, ...]:
        return self._state.keys

    @property
    def model(self) -> str:
        """The model of the keyframes; "" while there are none."""
        return self.keys[0].spot.model if self.keys else ""

    @property
    def fps(self) -> float:
        return self._state.fps

    @property
    def loop(self) -> bool:
        return self._state.loop

    @property
    def path(self) -> str:
        return self._state.path

    @property
    def constant_pace(self) -> bool:
        return self._state.constant_pace

    @property
    def name(self) -> str:
        return self._state.name

    @property
    def errors(self) -> dict[str, str]:
        return dict(self._errors)

    @property
    def plan(self) -> FramePlan | None:
        """Which frames there are; None for a walk that is not one yet."""
        return self._plan

    @property
    def walk(self) -> Walk | None:
        """The walk for the engine, with its pace if that was measured."""
        return self._plan.walk if self._plan is not None else None

    @property
    def total(self) -> int:
        """How many frames there are."""
        return self._plan.total if self._plan is not None else len(self.keys)

    @property
    def seconds(self) -> float:
        return self._plan.seconds if self._plan is not None else 0.0

    @property
    def pace_missing(self) -> bool:
        """Constant pace is wanted, and how much the picture changes was not measured yet."""
        return self.constant_pace and self._plan is not None and not self._plan.walk.pace

    def key(self, id: int) -> Key | None:
        return next((key for key in self.keys if key.id == id), None)

    def index(self, id: int) -> int:
        return next((i for i, key in enumerate(self.keys) if key.id == id), -1)

    def arrival(self, index: int) -> float:
        """When a keyframe is first shown, in seconds."""
        return self._plan.arrive[index] / self.fps if self._plan is not None else 0.0

    def departure(self, index: int) -> float:
        """When its hold is over."""
        return self._plan.leave[index] / self.fps if self._plan is not None else self.keys[index].hold

    def point(self, frame: int) -> Point | None:
        """What a frame shows."""
        if self._plan is not None and 0 <= frame < self._plan.total:
            return self._plan.point(frame)
        return point_of(self.keys[0].spot) if self.keys and self._plan is None else None

    def spot_here(self) -> Spot | None:
        """The latent under the playhead; a keyframe's own where it stands on one."""
        point = self.point(self._frame)
        if point is None:
            return None
        for key in self.keys:
            if point_of(key.spot) == point:
                return key.spot
        name = f"{self.name or 'Walk'} at {self._frame / self.fps:.2f} s"
        return Spot(self.model, point.latent, point.label, point.guidance, name)

    # --- playhead

    @property
    def frame(self) -> int:
        return self._frame

    def seek(self, frame: int) -> None:
        frame = min(max(frame, 0), max(self.total - 1, 0))
        if frame != self._frame:
            self._frame = frame
            self.playhead_changed.emit(frame)

    def seek_seconds(self, seconds: float) -> None:
        if self._plan is not None and math.isfinite(seconds):
            self.seek(self._plan.frame_at(seconds + 1e-9))

    def seek_key(self, by: int) -> None:
        """To the next keyframe, or the one before; it is selected then."""
        if self._plan is None:
            return
        stops = self._plan.arrive[: len(self.keys)]
        after = [i for i, stop in enumerate(stops) if stop > self._frame]
        before = [i for i, stop in enumerate(stops) if stop < self._frame]
        found = after[:1] if by > 0 else before[-1:]
        if found:
            self.seek(stops[found[0]])
            self.select([self.keys[found[0]].id])

    # --- selection

    @property
    def selected(self) -> frozenset[int]:
        return self._selected

    @property
    def current(self) -> Key | None:
        """The keyframe whose values are shown: the one selected last."""
        return self.key(self._current) if self._current is not None else None

    def select(self, ids: Collection[int], *, add: bool = False, toggle: bool = False) -> None:
        """Select keyframes: these alone, these as well, or the other way round."""
        known = frozenset(key.id for key in self.keys) & frozenset(ids)
        if toggle:
            known = self._selected ^ known
        elif add:
            known |= self._selected
        current = next((id for id in reversed(list(ids)) if id in known), None)
        if current is None:
            current = self._current if self._current in known else next(iter(sorted(known)), None)
        if (known, current) != (self._selected, self._current):
            another = current != self._current
            self._selected, self._current = known, current
            if another:
                self._clear_errors(EDITED)
            self.selection_changed.emit()

    def select_to(self, id: int) -> None:
        """Select everything from the current keyframe to this one."""
        here = self.index(self._current) if self._current is not None else -1
        there = self.index(id)
        if here < 0 or there < 0:
            self.select([id])
            return
        span = self.keys[min(here, there) : max(here, there) + 1]
        ids = [key.id for key in span]
        self.select(ids if there >= here else ids[::-1])

    def select_all(self) -> None:
        self.select([key.id for key in self.keys])

    # --- verbs: keyframes

    def add(self, spots: Sequence[Spot], index: int | None = None, keys: Sequence[Key] = ()) -> list[int]:
        """Put latents on the track before keyframe `index`, or behind the last; their new ids.

        `keys` gives hold, time and easing of each; without it those of a fresh keyframe.
        """
        if not spots:
            return []
        model = self.model or spots[0].model
        if any(spot.model != model for spot in spots):
            self.notice.emit(
                f"This walk goes through latents of {model}, and that one belongs to "
                f"{next(spot.model for spot in spots if spot.model != model)}. Begin a new walk for it.",
                "care",
                None,
            )
            return []
        if len(self.keys) + len(spots) > MAX_KEYFRAMES:
            self.notice.emit(f"A walk has {MAX_KEYFRAMES:,} keyframes at most.", "care", None)
            return []
        fresh = []
        for i, spot in enumerate(spots):
            like = keys[i] if keys else Key(0, spot)
            spot = dataclasses.replace(spot, id=0, name=spot.name or source_words(spot.source).capitalize())
            fresh.append(dataclasses.replace(like, id=self._new_id(), spot=spot))
        at = len(self.keys) if index is None else min(max(index, 0), len(self.keys))
        words = "Keyframe added." if len(fresh) == 1 else f"{len(fresh)} keyframes added."
        self._set(words, keys=(*self.keys[:at], *fresh, *self.keys[at:]))
        ids = [key.id for key in fresh]
        self.select(ids[-1:] if len(ids) == 1 else ids)
        return ids

    def add_at_playhead(self, spot: Spot) -> list[int]:
        """Put a latent where the playhead is, between the keyframes around it, taking from their time."""
        plan = self._plan
        at_end = plan is not None and self._frame >= plan.arrive[len(self.keys) - 1] and not self.loop
        if plan is None or at_end or spot.model != self.model:
            return self.add([spot])
        segment = plan.place(self._frame).segment
        before, leave = self.keys[segment], plan.leave[segment]
        # By its share of the way: at a constant pace frames come at other times than were typed.
        gone = before.seconds * max(self._frame - leave, 0) / (plan.arrive[segment + 1] - leave)
        left, shorter = before.seconds - gone, dataclasses.replace(before, seconds=gone)
        key = Key(self._new_id(), dataclasses.replace(spot, id=0), 0.0, left, before.easing)
        keys = (*self.keys[:segment], shorter, key, *self.keys[segment + 1 :])
        self._set("Keyframe added here.", keys=keys)
        self.select([key.id])
        return [key.id]

    def set_walk_of(self, stops: Sequence[tuple[float, Spot]], words: str) -> None:
        """Behind the last keyframe, latents at given times, straight from one to the next."""
        if not stops:
            return
        model = self.model or stops[0][1].model
        if any(spot.model != model for _, spot in stops):
            self.add([spot for _, spot in stops])  # which says why not
            return
        times = [when for when, _ in stops]
        ways = [max(later - sooner, 0.02) for sooner, later in pairwise(times)]
        room = MAX_KEYFRAMES - len(self.keys)
        keys = [
            Key(self._new_id(), spot, 0.0, round(seconds, 3), "linear")
            for (_, spot), seconds in zip(stops, (*ways, 2.0), strict=True)
        ][:room]
        self._set(words, keys=(*self.keys, *keys))
        self.select([key.id for key in keys])

    def remove(self, ids: Collection[int] | None = None) -> None:
        """Take keyframes (the selected ones) off the track at once, with undo."""
        gone = set(self._selected if ids is None else ids) & {key.id for key in self.keys}
        if not gone:
            return
        first = min(self.index(id) for id in gone)
        words = "Keyframe deleted." if len(gone) == 1 else f"{len(gone)} keyframes deleted."
        self._set(words, tell=True, keys=tuple(key for key in self.keys if key.id not in gone))
        if self.keys:
            self.select([self.keys[min(first, len(self.keys) - 1)].id])

    def duplicate(self) -> None:
        """Another of each selected keyframe, behind the last of them."""
        chosen = [key for key in self.keys if key.id in self._selected]
        if chosen:
            self.add([key.spot for key in chosen], self.index(chosen[-1].id) + 1, chosen)

    def shift(self, by: int) -> None:
        """Move the selected keyframes one place earlier or later in the order."""
        keys = list(self.keys)
        rows = [i for i, key in enumerate(keys) if key.id in self._selected]
        if not rows or rows[0] + by < 0 or rows[-1] + by >= len(keys):
            return
        for row in rows if by < 0 else reversed(rows):
            keys[row], keys[row + by] = keys[row + by], keys[row]
        self._set("Keyframes moved.", keys=tuple(keys))

    def reverse(self) -> None:
        """The same walk backwards."""
        ways = [key.seconds for key in self.keys]
        turned = [*ways[:-1][::-1], *ways[-1:]]  # the way back to the first stays that
        keys = tuple(
            dataclasses.replace(key, seconds=seconds)
            for key, seconds in zip(reversed(self.keys), turned, strict=True)
        )
        self._set("Walk reversed.", keys=keys)

    def drag_key(self, id: int, seconds: float, *, last: bool = True, before: Sequence[Key] = ()) -> None:
        """Move a keyframe in time, between its neighbours; the others stay where they are.

        While it is dragged (`last` False) nothing is noted for Undo; at the end `before` is what
        the keyframes were when it began.
        """
        index = self.index(id)
        if index < 1:
            return  # the first is where the walk begins
        keys = moved_in_time(self.keys, index, seconds, self.fps, loop=self.loop)
        if not last:
            self._put(dataclasses.replace(self._state, keys=keys))
            return
        if before:
            self._put(dataclasses.replace(self._state, keys=tuple(before)))
        self._set("Keyframe moved.", keys=keys)

    def nudge(self, seconds: float) -> None:
        """Move the current keyframe a little in time."""
        if (key := self.current) is not None:
            self.drag_key(key.id, begins(self.keys, self.index(key.id)) + seconds)

    def edit(self, field: str, value: Any, ids: Collection[int] | None = None) -> bool:
        """Set hold, seconds, easing, name, label or guidance of keyframes (the selected ones).

        False, and words in `errors`, for a value that can't be.
        """
        chosen = set(self._selected if ids is None else ids)
        keys = []
        try:
            for key in self.keys:
                if key.id in chosen:
                    if field in ("hold", "seconds", "easing"):
                        key = dataclasses.replace(key, **{field: value})
                    else:
                        key = dataclasses.replace(key, spot=respotted(key.spot, field, value))
                    _ = key.keyframe  # its checks
                keys.append(key)
            check(dataclasses.replace(self._state, keys=tuple(keys)))
        except EngineError as error:
            self._tell(field, error.message)
            return False
        self._tell(field, "")
        return self._set(EDITED.get(field, "Keyframe changed."), keys=tuple(keys))

    def set_thumbnail(self, model: str, point: Point, png: bytes) -> None:
        """A picture of these keyframes was made."""
        keys = tuple(
            dataclasses.replace(key, spot=dataclasses.replace(key.spot, thumbnail=png))
            if key.spot.model == model and not key.spot.thumbnail and point_of(key.spot) == point
            else key
            for key in self.keys
        )
        if keys != self.keys:
            self._state = dataclasses.replace(self._state, keys=keys)
            self.changed.emit()

    # --- verbs: the whole walk

    def set_setting(self, name: str, value: Any) -> bool:
        """fps, loop, path, constant_pace or name; False, and words in `errors`, for what can't be."""
        try:
            state = dataclasses.replace(self._state, **{name: value})
            check(state)
        except EngineError as error:
            self._tell(name, error.message)
            return False
        self._tell(name, "")
        return self._set(SET.get(name, "Walk changed."), **{name: value})

    def set_seconds(self, seconds: float) -> bool:
        """Make the whole walk last so long, each part in proportion."""
        now = lasting(self.keys, loop=self.loop)
        if self._plan is None or not math.isfinite(seconds) or not 0.1 <= seconds <= 36_000:
            self._tell("total", "Type how many seconds the walk should last, from 0.1 to 36,000.")
            return False
        factor = seconds / max(now, 1e-6)
        keys = tuple(
            dataclasses.replace(key, hold=round(key.hold * factor, 4), seconds=round(key.seconds * factor, 4))
            for key in self.keys
        )
        try:
            check(dataclasses.replace(self._state, keys=keys))
        except EngineError as error:
            self._tell("total", error.message)
            return False
        self._tell("total", "")
        return self._set("Walk re-timed.", keys=keys)

    def set_pace(self, walk: Walk) -> None:
        """How much the picture changes was measured for `walk`; of another walk it is of no use."""
        mine = self.walk
        if mine is not None and same_way(mine, walk):
            self._pace = walk.pace
            self._replan()
            self.changed.emit()
            self._settling.start()

    def load_walk(self, walk: Walk, words: str = "") -> None:
        """Put the engine's walk on the track in place of what is there, with undo."""
        keys = tuple(key_of(self._new_id(), walk.model, keyframe) for keyframe in walk.keyframes)
        self._clear_errors()
        changes = {name: getattr(walk, name) for name in SETTINGS}
        self._set(words or f"{walk.name or 'Walk'} opened.", tell=bool(words), keys=keys, **changes)
        if walk.pace:
            self.set_pace(walk)
        self.select([keys[0].id])
        self.seek(0)

    def random_walk(self, model: str, count: int, seed: int, **how: Any) -> None:
        """A smooth closed curve through the noise of `count` seeds; `how` is as that of the engine."""
        self._ready_made(lambda: random_walk(model, count, seed, fps=self.fps, **how))

    def noise_loop(self, model: str, seed: int, **how: Any) -> None:
        """Once round a circle of noise; `how` is as that of the engine."""
        self._ready_made(lambda: noise_loop(model, seed, fps=self.fps, **how))

    def _ready_made(self, make: Callable[[], Walk]) -> None:
        try:
            walk = make()
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return
        self.load_walk(
            walk, f"{walk.name} is on the track." if not self.keys else f"{walk.name} took its place."
        )

    def clear(self) -> None:
        """An empty track, with undo."""
        if self.keys:
            self._set("Walk cleared.", tell=True, keys=(), name="")

    def close(self) -> None:
        """Nothing settles any more."""
        self._settling.stop()

    # --- clipboard

    def copy(self) -> QMimeData | None:
        """The selected keyframes, as keyframes for a track and as latents for everything else."""
        chosen = [key for key in self.keys if key.id in self._selected]
        if not chosen:
            return None
        mime = spots_to_mime([key.spot for key in chosen])
        mime.setData(KEYS_MIME, QByteArray(json.dumps([key_to_dict(key) for key in chosen]).encode()))
        return mime

    def paste_keys(self, mime: QMimeData) -> bool:
        """Put copied keyframes behind the current one; False if there are none in `mime`."""
        keys: list[Key] = []
        with contextlib.suppress(BadRequest, ValueError, TypeError, KeyError):
            keys = [key_from_dict(one) for one in json.loads(bytes(mime.data(KEYS_MIME).data()))]
        if not keys:
            return False
        index = self.index(self._current) + 1 if self._current is not None else None
        return bool(self.add([key.spot for key in keys], index or None, keys))

    # --- the session

    def to_dict(self) -> dict[str, Any]:
        state = self._state
        return {
            "keys": [key_to_dict(key) for key in state.keys],
            **{name: getattr(state, name) for name in SETTINGS},
            "pace": [[list(pair) for pair in way] for way in self._pace],
            "frame": self._frame,
        }

    def from_dict(self, data: object) -> None:
        """A walk as it was; what can't be read of it is left out."""
        if not isinstance(data, dict):
            return
        keys: list[Key] = []
        for one in data.get("keys", ()):
            with contextlib.suppress(BadRequest, ValueError, TypeError, KeyError):
                key = dataclasses.replace(key_from_dict(one), id=self._new_id())
                if not keys or key.spot.model == keys[0].spot.model:
                    keys.append(key)
        self._pace = ()
        self._walk_number += 1
        self._clear_errors()
        self._put(state_from_dict(data, tuple(keys)))
        with contextlib.suppress(EngineError, TypeError, ValueError, LookupError):
            pace = tuple(tuple((float(s), float(d)) for s, d in way) for way in data.get("pace", ()))
            if pace and self.walk is not None:
                self.set_pace(dataclasses.replace(self.walk, pace=pace))
        frame = data.get("frame")
        self.select([keys[0].id] if keys else [])
        self.seek(frame if isinstance(frame, int) else 0)

    # --- inside

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _set(self, words: str, *, tell: bool = False, **changes: Any) -> bool:
        """Change the walk and note how to take it back; `tell` says so, with a button."""
        before, after = self._state, dataclasses.replace(self._state, **changes)
        if after == before:
            return True
        self._put(after)
        number = self._walk_number

        def undo() -> None:
            if number == self._walk_number:
                self._put(before if self._state == after else merged(self._state, before, after))

        def redo() -> None:
            if number == self._walk_number:
                self._put(after)

        change = self._undo_list.add(words, undo, redo)
        if tell:
            self.notice.emit(words, "info", change)
        return True

    def _put(self, state: State) -> None:
        before, self._state = self._state, state
        if not same_points(state, before):
            self._pace = ()
        self._replan()
        ids = {key.id for key in state.keys}
        if not self._selected <= ids:
            self.select(self._selected & ids)
        self.changed.emit()
        if self._frame >= max(self.total, 1):
            self.seek(self.total - 1)
        self._settling.start()

    def _replan(self) -> None:
        self._plan = None
        if len(self.keys) >= 2:
            try:
                self._plan = plan_frames(check(self._state, self._pace))
                self._tell("walk", "")
            except EngineError as error:  # what was typed is checked before, so this is a file of old
                self._tell("walk", error.message)

    def _tell(self, field: str, words: str) -> None:
        if self._errors.get(field, "") != words:
            self._errors.pop(field, None)
            if words:
                self._errors[field] = words
            self.errors_changed.emit()

    def clear_error(self, field: str) -> None:
        """What was typed wrongly there is no longer there."""
        self._tell(field, "")

    def _clear_errors(self, fields: Collection[str] | None = None) -> None:
        """Say no more of what was typed (into these fields) for another keyframe, or another walk."""
        self._errors = {} if fields is None else {f: w for f, w in self._errors.items() if f not in fields}
        self.errors_changed.emit()
