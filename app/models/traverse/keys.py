"""The keyframes of a walk that is being authored, as values: changed, merged, written and read."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.models.traverse.spots import Spot, source_words, spot_from_dict, spot_to_dict
from engine.errors import EngineError
from engine.messages import SeedLatent
from engine.messages.walks import Easing, Keyframe, Pace, Walk

__all__ = [
    "EDITED",
    "SET",
    "SETTINGS",
    "Key",
    "State",
    "begins",
    "check",
    "key_from_dict",
    "key_of",
    "key_to_dict",
    "key_words",
    "lasting",
    "merged",
    "moved_in_time",
    "respotted",
    "same_points",
    "same_way",
    "state_from_dict",
]

# What Undo calls a change of a keyframe, and of the walk.
EDITED = {
    "hold": "Hold changed.",
    "seconds": "Time to the next keyframe changed.",
    "easing": "Easing changed.",
    "name": "Keyframe renamed.",
    "label": "Class changed.",
    "guidance": "Guidance changed.",
    "spot": "Latent exchanged.",
}
SET = {
    "fps": "Frames per second changed.",
    "loop": "Loop changed.",
    "path": "Path changed.",
    "constant_pace": "Pace changed.",
    "name": "Walk renamed.",
}

SETTINGS = ("fps", "loop", "path", "constant_pace", "name")  # of a `State`, besides its keyframes


@dataclass(frozen=True)
class Key:
    """A keyframe: the latent, how long the walk rests there, and the way to the next."""

    id: int
    spot: Spot
    hold: float = 0.0  # seconds
    seconds: float = 2.0
    easing: Easing = "smooth"

    @property
    def keyframe(self) -> Keyframe:
        spot = self.spot
        return Keyframe(
            spot.source, spot.label, spot.guidance, self.hold, self.seconds, self.easing, spot.name[:200]
        )


@dataclass(frozen=True)
class State:
    """All that undo brings back."""

    keys: tuple[Key, ...] = ()
    fps: float = 30.0
    loop: bool = False
    path: str = "arcs"
    constant_pace: bool = False
    name: str = ""


def key_words(key: Key) -> str:
    """A keyframe as a person calls it."""
    return key.spot.name or source_words(key.spot.source).capitalize()


def respotted(spot: Spot, field: str, value: Any) -> Spot:
    """The latent with another name, class or guidance; its picture is made anew where that changes it."""
    if field == "name":
        return dataclasses.replace(spot, name=str(value).strip() or source_words(spot.source).capitalize())
    if field == "spot":
        assert isinstance(value, Spot)
        return dataclasses.replace(value, id=0)
    if getattr(spot, field) == value:
        return spot
    return dataclasses.replace(spot, **{field: value}, thumbnail=b"")


def merged(now: State, before: State, after: State) -> State:
    """Take back a change though others came after it: keyframes it took come back, those it added go."""
    was, became = {k.id: k for k in before.keys}, {k.id: k for k in after.keys}
    keys = [
        was.get(key.id, key) if became.get(key.id) == key else key
        for key in now.keys
        if key.id in was or key.id not in became
    ]
    there = {key.id for key in keys}
    for index, key in enumerate(before.keys):
        if key.id not in there and key.id not in became:
            keys.insert(min(index, len(keys)), key)
    changes = {
        name: getattr(before, name)
        for name in SETTINGS
        if getattr(before, name) != getattr(after, name) == getattr(now, name)
    }
    return dataclasses.replace(now, keys=tuple(keys), **changes)


def key_to_dict(key: Key) -> dict[str, Any]:
    easing = list(key.easing) if isinstance(key.easing, tuple) else key.easing
    return {"spot": spot_to_dict(key.spot), "hold": key.hold, "seconds": key.seconds, "easing": easing}


def key_from_dict(data: Any) -> Key:
    easing = data.get("easing", "smooth")
    key = Key(
        0,
        spot_from_dict(data["spot"]),
        float(data.get("hold", 0.0)),
        float(data.get("seconds", 2.0)),
        tuple(easing) if isinstance(easing, list) else easing,
    )
    _ = key.keyframe  # its checks
    return key


def key_of(id: int, model: str, keyframe: Keyframe) -> Key:
    """A keyframe of the engine's walk; one without a name is called by its latent."""
    name = keyframe.name or source_words(keyframe.latent).capitalize()
    spot = Spot(model, keyframe.latent, keyframe.label, keyframe.guidance, name)
    return Key(id, spot, keyframe.hold, keyframe.seconds, keyframe.easing)


def lasting(keys: Sequence[Key], *, loop: bool) -> float:
    """How long a walk lasts by the seconds that were typed."""
    return sum(key.hold for key in keys) + sum(key.seconds for key in (keys if loop else keys[:-1]))


def begins(keys: Sequence[Key], index: int) -> float:
    """When a keyframe begins by the seconds that were typed, before they are rounded to frames."""
    return sum(key.hold + key.seconds for key in keys[:index])


def moved_in_time(
    keys: Sequence[Key], index: int, seconds: float, fps: float, *, loop: bool
) -> tuple[Key, ...]:
    """Keyframe `index`, not the first, begins at `seconds`, or as close as its neighbours let it.

    The others stay where they are, but for the last of a walk that is no loop: it has no end. A frame is
    left on either side, or each move against a neighbour would push it on by one.
    """
    moved = list(keys)
    prior, key = moved[index - 1], moved[index]
    start = begins(keys, index - 1) + prior.hold
    end = begins(keys, index) + key.hold + key.seconds
    most = end - key.hold if index < len(moved) - 1 or loop else math.inf
    least = 1.0 / fps
    at = max(min(seconds, most - least), start + least)
    moved[index - 1] = dataclasses.replace(prior, seconds=round(at - start, 4))
    if math.isfinite(most):
        moved[index] = dataclasses.replace(key, seconds=round(max(most - at, least), 4))
    return tuple(moved)


def same_way(one: Walk, other: Walk) -> bool:
    """Whether two walks go the same way, whatever they are called and however long they take.

    How much the picture changes along the one is then how much it changes along the other.
    """
    return (one.model, one.path, one.loop) == (other.model, other.path, other.loop) and (
        [keyframe.point for keyframe in one.keyframes] == [keyframe.point for keyframe in other.keyframes]
    )


def same_points(one: State, other: State) -> bool:
    """The same of two states, which may be no walk yet."""
    return (one.path, one.loop) == (other.path, other.loop) and [
        (key.spot.model, key.spot.source, key.spot.label, key.spot.guidance) for key in one.keys
    ] == [(key.spot.model, key.spot.source, key.spot.label, key.spot.guidance) for key in other.keys]


def state_from_dict(data: Mapping[str, Any], keys: tuple[Key, ...]) -> State:
    """A state of these keyframes with the settings in `data`; what can't be read is left out."""
    state = State(keys)
    for name in SETTINGS:
        if type(data.get(name)) in (type(getattr(state, name)), int):
            with contextlib.suppress(EngineError, TypeError):
                changed = dataclasses.replace(state, **{name: data[name]})
                check(changed)
                state = changed
    return state


def check(state: State, pace: Pace = ()) -> Walk:
    """The engine's walk of a state; a `BadRequest` says what is wrong with it.

    With one keyframe or none the settings can be checked all the same: it is taken twice.
    """
    keyframes = tuple(key.keyframe for key in state.keys)
    if len(keyframes) < 2:
        keyframes = (keyframes or (Keyframe(SeedLatent(0)),)) * 2
    model = state.keys[0].spot.model if state.keys else "none"
    fps = float(state.fps)
    return Walk(model, keyframes, fps, state.loop, state.path, state.constant_pace, pace, state.name)
