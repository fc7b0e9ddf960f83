"""Walks through the latents of a model: keyframes on a track, and the points between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadRequest
from engine.messages.checks import flag, number, one_of, shown, text
from engine.messages.latents import (
    BlendLatent,
    FileLatent,
    Label,
    LatentSource,
    SeedLatent,
    SlerpLatent,
    check_label,
    source_from_dict,
    source_to_dict,
)

__all__ = [
    "EASINGS",
    "MAX_FRAMES",
    "MAX_KEYFRAMES",
    "PATHS",
    "Easing",
    "Keyframe",
    "Pace",
    "Point",
    "Walk",
    "fields_of",
    "label_from_plain",
    "label_to_plain",
]

# How the position between two keyframes depends on time, both from 0 to 1. Four numbers are a
# cubic Bezier curve's inner points (x1, y1, x2, y2), as in style sheets.
EASINGS = ("linear", "smooth", "in", "out")
Easing = str | tuple[float, float, float, float]

# "arcs": on great circles from keyframe to keyframe; "smooth": one curve without corners.
PATHS = ("arcs", "smooth")

MAX_KEYFRAMES = 1000
MAX_FRAMES = 1_000_000
_MAX_SECONDS = 3600.0


@dataclass(frozen=True)
class Point:
    """One image of a walk or a pad: from which latent, of which class, how much guided."""

    latent: LatentSource
    label: Label = None
    guidance: float = 0.0

    def __post_init__(self) -> None:
        _check_source(self.latent)
        check_label(self.label)
        number("guidance", self.guidance, -1.0, 50.0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "latent": source_to_dict(self.latent),
            "label": label_to_plain(self.label),
            "guidance": self.guidance,
        }

    @classmethod
    def from_dict(cls, data: object) -> Point:
        d = fields_of(data, cls, "point")
        return cls(
            source_from_dict(d.get("latent")), label_from_plain(d.get("label")), d.get("guidance", 0.0)
        )


@dataclass(frozen=True)
class Keyframe:
    """A stop of a walk, and the way from it to the next.

    `hold` is how many seconds it stands still there; `seconds` how long the way to the next
    takes, with `easing` (the last keyframe of a walk that is no loop has no use for these two).
    """

    latent: LatentSource
    label: Label = None
    guidance: float = 0.0
    hold: float = 0.0
    seconds: float = 2.0
    easing: Easing = "smooth"
    name: str = ""

    def __post_init__(self) -> None:
        _check_source(self.latent)
        check_label(self.label)
        number("guidance", self.guidance, -1.0, 50.0)
        number("hold", self.hold, 0.0, _MAX_SECONDS)
        number("seconds", self.seconds, 0.0, _MAX_SECONDS)
        if isinstance(self.easing, tuple):
            if len(self.easing) != 4:
                raise BadRequest(
                    f"easing is {shown(self.easing)}; four numbers from 0 to 1 are needed.", field="easing"
                )
            for value in self.easing:
                number("easing", value, 0.0, 1.0)
        else:
            one_of("easing", self.easing, EASINGS)
        if not isinstance(self.name, str) or len(self.name) > 200:
            raise BadRequest(
                f"name is {shown(self.name)}; a text of 200 letters at most is needed.", field="name"
            )

    @property
    def point(self) -> Point:
        return Point(self.latent, self.label, self.guidance)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.point.to_dict(),
            "hold": self.hold,
            "seconds": self.seconds,
            "easing": list(self.easing) if isinstance(self.easing, tuple) else self.easing,
            "name": self.name,
        }

    @classmethod
    def from_dict(cls, data: object) -> Keyframe:
        d = fields_of(data, cls, "keyframe")
        easing = d.get("easing", "smooth")
        return cls(
            source_from_dict(d.get("latent")),
            label_from_plain(d.get("label")),
            d.get("guidance", 0.0),
            d.get("hold", 0.0),
            d.get("seconds", 2.0),
            tuple(easing) if isinstance(easing, list) else easing,
            d.get("name", ""),
        )


# For each way between two keyframes: pairs of position (0 to 1) and how far the picture has
# changed up to there, both rising from 0. In what unit does not matter.
Pace = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Walk:
    """Keyframes on a track, two or more, for one model.

    A `loop` goes on from the last to the first, whose frame is not shown twice. With
    `constant_pace` the frames are spread so that the picture changes equally from each to the
    next; easings and the keyframes' own `seconds` then only say how long the walk is in all.
    `pace` is what was measured for that (a `PaceRequest` or a render does it); take it out
    (`dataclasses.replace(walk, pace=())`) when keyframes or path change.
    """

    model: str
    keyframes: tuple[Keyframe, ...]
    fps: float = 30.0
    loop: bool = False
    path: str = "arcs"
    constant_pace: bool = False
    pace: Pace = ()
    name: str = ""

    def __post_init__(self) -> None:
        text("model", self.model)
        if not isinstance(self.keyframes, tuple) or not all(isinstance(k, Keyframe) for k in self.keyframes):
            raise BadRequest("The walk's keyframes are not keyframes.", field="keyframes")
        if len(self.keyframes) < 2:
            have = "one keyframe" if self.keyframes else "no keyframe"
            raise BadRequest(
                f"The walk has {have}; it needs two or more to go from one to another.", field="keyframes"
            )
        if len(self.keyframes) > MAX_KEYFRAMES:
            raise BadRequest(
                f"The walk has {len(self.keyframes):,} keyframes; {MAX_KEYFRAMES:,} are possible.",
                field="keyframes",
            )
        check_fps(self.fps)
        flag("loop", self.loop)
        one_of("path", self.path, PATHS)
        flag("constant_pace", self.constant_pace)
        _check_pace(self.pace, self.segments)
        if not isinstance(self.name, str) or len(self.name) > 200:
            raise BadRequest(
                f"name is {shown(self.name)}; a text of 200 letters at most is needed.", field="name"
            )
        seconds = sum(k.hold for k in self.keyframes) + sum(
            k.seconds for k in self.keyframes[: self.segments]
        )
        if seconds * self.fps > MAX_FRAMES:
            raise BadRequest(
                f"The walk lasts {seconds:,.0f} seconds at {self.fps:g} frames a second; "
                f"{MAX_FRAMES:,} frames are the most a video may have.",
                field="fps",
            )

    @property
    def segments(self) -> int:
        """Ways between keyframes: as many as keyframes in a loop, otherwise one less."""
        return len(self.keyframes) - (0 if self.loop else 1)

    def to_dict(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        plain["keyframes"] = [keyframe.to_dict() for keyframe in self.keyframes]
        plain["pace"] = [[list(pair) for pair in way] for way in self.pace]
        return plain

    @classmethod
    def from_dict(cls, data: object) -> Walk:
        d = fields_of(data, cls, "walk")
        keyframes = d.pop("keyframes", ())
        if not isinstance(keyframes, (list, tuple)):
            raise BadRequest("The walk's keyframes are not a list.", field="keyframes")
        try:
            pace = tuple(tuple((pair[0], pair[1]) for pair in way) for way in d.pop("pace", ()))
            return cls(keyframes=tuple(Keyframe.from_dict(k) for k in keyframes), pace=pace, **d)
        except (TypeError, LookupError) as error:
            raise BadRequest(f"The walk is incomplete: {error}.", field="walk") from error


# --- checks and plain values --------------------------------------------------------------------


def check_fps(value: object) -> None:
    number("fps", value, 1.0, 240.0)


def label_to_plain(label: Label) -> Any:
    """A label as JSON and TOML can write it inside a list: null is "none"."""
    if isinstance(label, tuple):
        return [["none" if number is None else number, weight] for number, weight in label]
    return label


def label_from_plain(plain: Any) -> Label:
    """The label of `label_to_plain`, as yet unchecked."""
    if plain == "none":
        return None
    if not isinstance(plain, (list, tuple)):
        return plain  # type: ignore[no-any-return]
    parts = []
    for part in plain:
        if not isinstance(part, (list, tuple)) or len(part) != 2:
            raise BadRequest(
                f"label is {shown(plain)}; a mixture is pairs of class and weight.", field="label"
            )
        parts.append((None if part[0] == "none" else part[0], part[1]))
    return tuple(parts)


def _check_source(source: object) -> None:
    if not isinstance(source, (SeedLatent, FileLatent, BlendLatent, SlerpLatent)):
        raise BadRequest(
            f"latent is {shown(source)}; a seed, a file or a blend of them is needed.", field="latent"
        )


def _check_pace(pace: object, segments: int) -> None:
    if not isinstance(pace, tuple) or len(pace) not in (0, segments):
        raise BadRequest(
            f"The walk's pace was measured for another number of keyframes; there are {segments} ways now. "
            "Measure it again.",
            field="pace",
        )
    for way in pace:
        before = (0.0, 0.0)
        for position, distance in way:
            number("pace", position, before[0], 1.0)
            number("pace", distance, before[1], 1e12)
            before = (position, distance)
        if len(way) < 2 or way[0] != (0.0, 0.0) or way[-1][0] != 1.0:
            raise BadRequest("The walk's pace does not go from 0 to 1. Measure it again.", field="pace")


def fields_of(data: object, cls: type[Any], what: str) -> dict[str, Any]:
    """A copy of an object that has no fields but those of `cls`."""
    if not isinstance(data, Mapping):
        raise BadRequest(f"The {what} is {shown(data)}; an object is needed.", field=what)
    unknown = sorted(set(map(str, data)) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        raise BadRequest(f"The {what} has fields nobody knows: {', '.join(unknown)[:200]}.", field=what)
    return dict(data)
