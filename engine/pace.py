"""How much the picture changes along a walk, so that it can go evenly.

A walk at an even speed through the latents is not even to the eye: here nothing happens for a
while, there one thing turns into another at once. The distance between pictures, summed up
along the way, is the clock by which it is. Pictures made for that are called drafts here; the
more their sampling is like that of the video, the more even the video will be: where a picture
turns into another, five steps turn it at another place than ten.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.messages import (
    Control,
    Event,
    Pace,
    PaceRequest,
    PaceResult,
    Point,
    RenderProgress,
    Walk,
)
from engine.pictures import to_pictures
from engine.points import Painter, load_painter
from engine.provenance import provenance
from engine.walk import plan_frames, point_at
from engine.workbench import Workbench

__all__ = ["measure_pace", "run"]

_FIRST = 9  # drafts of a segment before it is looked at more closely
_MOST = 2000  # drafts of a walk, however long it is, unless it has more segments than that
_SIDE = 48  # pixels: the drafts are kept and compared no larger
_CLOSEST = 2.0**-20  # positions nearer than this are not told apart


def run(workbench: Workbench, request: PaceRequest, control: Control) -> Iterator[Event]:
    """Measure; ends with exactly one `PaceResult`, which holds the walk with its pace.

    After a stop it is the walk as it was.
    """
    began = time.monotonic()
    painter = yield from load_painter(workbench, request.model, corners(request.walk), request.sampling)
    pace = yield from measure_pace(painter, request.walk, control)
    walk = dataclasses.replace(request.walk, pace=pace, constant_pace=True) if pace else request.walk
    done = provenance(painter.placement, ())
    yield PaceResult(request, walk, time.monotonic() - began, done)


def corners(walk: Walk) -> list[Point]:
    """The points a painter for this walk has to be able to paint; all others are mixtures of them."""
    return [keyframe.point for keyframe in walk.keyframes]


@dataclasses.dataclass
class _Way:
    """One segment: its drafts so far, by position."""

    drafts: dict[float, Tensor] = dataclasses.field(default_factory=dict)

    def gaps(self) -> list[tuple[float, float, float]]:
        """Neighbouring positions and how far apart their pictures are (root mean square)."""
        places = sorted(self.drafts)
        return [
            (s0, s1, (self.drafts[s1] - self.drafts[s0]).square().mean().sqrt().item())
            for s0, s1 in pairwise(places)
        ]


def measure_pace(painter: Painter, walk: Walk, control: Control) -> Generator[RenderProgress, None, Pace]:
    """Drafts along the walk, close together where much changes; () after a stop.

    Intervals across which the picture changes by more than from one frame to the next are
    halved, those of the largest change first, as long as there are fewer drafts than twice the
    frames and than `_MOST` (but a few for each segment in any case).
    """
    ways = [_Way() for _ in range(walk.segments)]
    frames = plan_frames(dataclasses.replace(walk, pace=())).total
    moving = max(frames, walk.segments)
    each = max(2, min(_FIRST, _MOST // walk.segments))
    budget = max(min(2 * moving, _MOST), each * walk.segments)
    wanted = [(i, n / (each - 1)) for i in range(walk.segments) for n in range(each)]
    began, made = time.monotonic(), 0
    while wanted:
        batch = painter.batch
        for first in range(0, len(wanted), batch):
            group = wanted[first : first + batch]
            images = yield from _drafts(painter, walk, group, control, made, budget, began)
            if images is None:
                return ()
            for (segment, s), image in zip(group, images, strict=True):
                ways[segment].drafts[s] = _seen(image)
            made += len(group)
        gaps = [(d, i, s0, s1) for i, way in enumerate(ways) for s0, s1, d in way.gaps()]
        step = sum(gap[0] for gap in gaps) / moving
        wide = sorted((gap for gap in gaps if gap[0] > step and gap[3] - gap[2] > _CLOSEST), reverse=True)
        room = budget - made
        wanted = [(i, 0.5 * (s0 + s1)) for _, i, s0, s1 in wide[: max(0, room)]]
        if len(wanted) < max(1, min(batch, moving) // 4):
            break  # hardly worth another pass
    return tuple(_table(way) for way in ways)


def _seen(image: Tensor) -> Tensor:
    """What the screen shows of an image (C, H, W), averaged down so that many can be kept."""
    shown = image.clamp(-1.0, 1.0).to("cpu", torch.float32)
    if shown.shape[-1] <= _SIDE:
        return shown
    return F.adaptive_avg_pool2d(shown, _SIDE)


def _table(way: _Way) -> tuple[tuple[float, float], ...]:
    """Positions and the change up to there, in digits that a readable file can hold."""
    table, far = [(0.0, 0.0)], 0.0
    for _, s1, distance in way.gaps():
        far += distance
        table.append((s1, max(round(far, 6), table[-1][1])))
    return tuple(table)


def _drafts(
    painter: Painter,
    walk: Walk,
    places: list[tuple[int, float]],
    control: Control,
    made: int,
    budget: int,
    began: float,
) -> Generator[RenderProgress, None, Tensor | None]:
    """Images (B, C, H, W) at these places, fewer at once if memory runs out; None after a stop."""
    images: list[Tensor] = []
    batch = len(places)
    while (finished := sum(len(part) for part in images)) < len(places):
        points = [point_at(walk, segment, s) for segment, s in places[finished : finished + batch]]
        try:
            strokes = painter.paint(points)
            while True:
                stroke = next(strokes)
                seconds = time.monotonic() - began
                share = (made + finished + len(points) * stroke.evaluations / stroke.total) / budget
                yield RenderProgress(
                    made + finished, len(points), stroke.step, stroke.steps, stroke.t,
                    stroke.evaluations, stroke.total, seconds,
                    max(0.0, seconds / share - seconds) if share > 0.0 else 0.0,
                    to_pictures(stroke.x0[-1:]) if control.wants_preview() else None,
                    frames_total=budget, frames=min(made + finished, budget), measuring=True,
                )  # fmt: skip
                if control.cancelled.is_set():
                    return None
        except StopIteration as ended:
            images.append(ended.value)
        except Exception as error:
            smaller = painter.smaller(len(points), error)
            if smaller is None:
                raise
            batch = smaller
    return torch.cat(images)
