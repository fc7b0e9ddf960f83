"""Walks through the latents of a model: where they go, single frames of them, and whole videos.

A `Walk` is keyframes on a track. What lies between two of them is computed in `engine.walk`
(standard library only, so a window may use it):

    walk = random_walk("fashion32", count=5, seed=7)           # or Walk(..., keyframes=(...))
    plan_frames(walk).total                                     # how many frames it has
    point_of_frame(walk, 12)                                    # what frame 12 shows: a Point

Whoever wants pictures asks the engine:

    FrameRequest(model, (point,), DRAFT)     one or several points, quickly -> FrameResult
    PaceRequest(walk)                        measures the walk's pace       -> PaceResult
    TraverseRequest(walk, "walk.mp4")        the video                      -> TraverseResult
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import (
    MAX_COUNT,
    MAX_STEPS,
    SPACINGS,
    flag,
    number,
    one_of,
    place,
    shown,
    text,
    whole,
)
from engine.messages.events import Outcome, Pictures, PicturesOutcome, Progress, Provenance
from engine.messages.request import Request
from engine.messages.upsample import Upsampling
from engine.messages.videos import FORMATS, QUALITIES, VideoFormat, video_format
from engine.messages.walks import Point, Walk, fields_of

__all__ = [
    "DRAFT",
    "FrameRequest",
    "FrameResult",
    "PaceRequest",
    "PaceResult",
    "RenderProgress",
    "Sampling",
    "TraverseRequest",
    "TraverseResult",
    "sampling_from_dict",
    "sampling_to_dict",
]


@dataclass(frozen=True)
class Sampling:
    """How points become images; the fields are those of a `GenerateRequest`.

    `upsampling` enlarges every image by a second model; its latent and augmentation noise are
    those of its seeds for all images, so that only what the walk changes moves.
    """

    solver: str = "genie"
    steps: int = 10
    spacing: str = "quadratic"
    guidance_model: str | None = None
    analytic_first: bool = False
    denoise: bool = False
    t_end: float = 1e-3
    device: str = "auto"
    precision: str = "auto"
    batch: int = 0
    upsampling: Upsampling | None = None

    def __post_init__(self) -> None:
        text("solver", self.solver)
        whole("steps", self.steps, 1, MAX_STEPS)
        one_of("spacing", self.spacing, SPACINGS)
        if self.guidance_model is not None:
            text("guidance_model", self.guidance_model)
        flag("analytic_first", self.analytic_first)
        flag("denoise", self.denoise)
        number("t_end", self.t_end, 1e-5, 0.5)
        place(self.device, self.precision)
        whole("batch", self.batch, 0, MAX_COUNT)
        if self.upsampling is not None and type(self.upsampling) is not Upsampling:
            raise BadRequest(
                f"upsampling is {shown(self.upsampling)}; settings are needed.", field="upsampling"
            )


# While something is dragged or played. With `dataclasses.replace(sampling, steps=5)` the
# spacing, device and precision chosen by the person stay.
DRAFT = Sampling(steps=5)


@dataclass(frozen=True)
class FrameRequest(Request):
    """Pictures of single points, through the network together: a pad, a scrub, frames ahead.

    For a pad ask for one point with `steps=5` while it is dragged, and with the full number
    when it is let go.
    """

    kind: ClassVar[str] = "frame"

    model: str
    points: tuple[Point, ...]
    sampling: Sampling = DRAFT

    def __post_init__(self) -> None:
        text("model", self.model)
        if not isinstance(self.points, tuple) or not self.points:
            raise BadRequest("No point is given to make a picture of.", field="points")
        whole("count", self.count, 1, MAX_COUNT)

    @property
    def count(self) -> int:
        return len(self.points)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "points": [point.to_dict() for point in self.points],
            "sampling": sampling_to_dict(self.sampling),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        d = fields_of(data, cls, "request")
        points = d.get("points", ())
        if not isinstance(points, (list, tuple)):
            raise BadRequest("The points are not a list.", field="points")
        return cls(
            d.get("model", ""),
            tuple(Point.from_dict(point) for point in points),
            sampling_from_dict(d.get("sampling", {})),
        )


@dataclass(frozen=True)
class FrameResult(PicturesOutcome):
    """The pictures of a `FrameRequest`, in the order of its points; none after a stop."""

    request: FrameRequest
    pictures: Pictures
    evaluations: int  # of the network, for one image
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return f"{self.pictures.count:,} of {self.request.count:,} frames made."


@dataclass(frozen=True)
class PaceRequest(Request):
    """Measure how much the picture changes along a walk.

    Drafts tell where about it does. With the sampling of the video itself the video will be
    most even: in other steps a picture turns into another at another place.
    """

    kind: ClassVar[str] = "pace"

    walk: Walk
    sampling: Sampling = DRAFT

    @property
    def model(self) -> str:  # type: ignore[override]
        return self.walk.model

    def to_dict(self) -> dict[str, Any]:
        return {"walk": self.walk.to_dict(), "sampling": sampling_to_dict(self.sampling)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        d = fields_of(data, cls, "request")
        return cls(Walk.from_dict(d.get("walk")), sampling_from_dict(d.get("sampling", {})))


@dataclass(frozen=True)
class PaceResult(Outcome):
    """The walk with its pace in it; as it was after a stop."""

    request: PaceRequest
    walk: Walk
    seconds: float
    provenance: Provenance | None = None
    notices: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return bool(self.walk.pace)

    @property
    def kept(self) -> bool:
        return self.complete

    @property
    def words(self) -> str:
        return "The walk's pace is measured." if self.complete else "Stopped; the pace is not measured yet"


@dataclass(frozen=True)
class TraverseRequest(Request):
    """A walk as a video.

    `out` is the file, or the folder of a PNG sequence; `format` one of `videos.FORMATS`, by
    the suffix of `out` if empty. `scale` enlarges every picture so many times without
    smoothing. A render that was stopped or killed is continued when the same is asked for
    again, unless `fresh`; its frames wait in a folder beside the video until it is whole.
    Without `replace` it is refused where another video, or the frames of another render, would be
    lost: the frames may be with `fresh`.
    """

    kind: ClassVar[str] = "traverse"
    lasting: ClassVar[bool] = True

    walk: Walk
    out: str
    sampling: Sampling = field(default_factory=Sampling)
    format: str = ""
    quality: str = "good"
    scale: int = 1
    fresh: bool = False
    replace: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.out, str) or not self.out or len(self.out) > 4096:
            raise BadRequest(f"out is {shown(self.out)}; the name of a file is needed.", field="out")
        if self.format:
            one_of("format", self.format, tuple(FORMATS))
        one_of("quality", self.quality, QUALITIES)
        whole("scale", self.scale, 1, 64)
        flag("fresh", self.fresh)
        flag("replace", self.replace)
        self.video.check_fps(self.walk.fps)

    @property
    def model(self) -> str:  # type: ignore[override]
        return self.walk.model

    @property
    def summary(self) -> str:
        """ "fashion32, video walk.mp4, 5 keyframes, genie 10"."""
        file = os.path.basename(self.out.rstrip("/\\")) or self.out  # noqa: PTH119
        stops, how = len(self.walk.keyframes), self.sampling
        return f"{self.model}, video {file}, {stops} keyframes, {how.solver} {how.steps}"

    @property
    def video(self) -> VideoFormat:
        """The format that is written; a `BadRequest` if the suffix says none."""
        return video_format(self.out, self.format)

    def to_dict(self) -> dict[str, Any]:
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return plain | {"walk": self.walk.to_dict(), "sampling": sampling_to_dict(self.sampling)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        d = fields_of(data, cls, "request")
        walk, sampling = Walk.from_dict(d.pop("walk", None)), sampling_from_dict(d.pop("sampling", {}))
        try:
            return cls(walk=walk, sampling=sampling, **d)
        except TypeError as error:
            raise BadRequest(f"The settings are incomplete: {error}.") from error


@dataclass(frozen=True)
class RenderProgress(Progress):
    """Progress of a render. `preview`, if one was wanted, is the last finished frame.

    `first` and `count` say which frames are in the network. `frames` counts those that are
    finished, those of an earlier run and those shown again during a hold included;
    `frames_per_second` only what this run made.
    """

    frames: int = 0
    frames_total: int = 0
    frames_per_second: float = 0.0
    measuring: bool = False  # the pace, before the first frame


@dataclass(frozen=True)
class TraverseResult(Outcome):
    """The video, whole or up to where it was stopped; either way it plays.

    After a stop the folder `unfinished` holds what a later render of the same goes on with.
    `walk` has its pace in it if it was measured.
    """

    request: TraverseRequest
    path: str  # "" if there is no video
    frames: int  # finished; without a path they wait in `unfinished`
    frames_total: int
    width: int
    height: int
    bytes: int
    seconds: float
    frames_per_second: float
    walk: Walk
    provenance: Provenance
    resumed: int = 0  # frames that were there from an earlier run
    unfinished: str = ""
    notices: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return bool(self.path) and self.frames == self.frames_total

    @property
    def kept(self) -> bool:
        return self.frames > 0

    @property
    def words(self) -> str:
        if self.complete:
            return f"Video finished: {self.frames:,} frame{'' if self.frames == 1 else 's'}."
        return f"Stopped; {self.frames:,} of {self.frames_total:,} frames kept"


def sampling_to_dict(sampling: Sampling) -> dict[str, Any]:
    return dataclasses.asdict(sampling)


def sampling_from_dict(data: object) -> Sampling:
    d = fields_of(data, Sampling, "sampling")
    upsampling = d.pop("upsampling", None)
    try:
        if upsampling is not None:
            upsampling = Upsampling(**fields_of(upsampling, Upsampling, "upsampling"))
        return Sampling(**d, upsampling=upsampling)
    except TypeError as error:
        raise BadRequest(f"The settings are incomplete: {error}.") from error
