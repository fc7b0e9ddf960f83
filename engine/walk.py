"""Where a walk is at each of its frames. Pure arithmetic; imports no torch.

A walk's way from one keyframe to the next is a segment, and a place on it a position s from 0
to 1. Keyframes always lie on whole frames, so that each is shown exactly and only once.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from engine.messages import (
    MAX_SEED,
    BlendLatent,
    Easing,
    Keyframe,
    Label,
    LatentSource,
    Point,
    SeedLatent,
    SlerpLatent,
    Walk,
)

__all__ = [
    "FramePlan",
    "Place",
    "ease",
    "mix_labels",
    "noise_loop",
    "plan_frames",
    "point_at",
    "point_of_frame",
    "random_walk",
    "spline_weights",
]


@dataclass(frozen=True)
class Place:
    """Position `s`, from 0 to below 1, on the way from keyframe `segment` to the next."""

    segment: int
    s: float


@dataclass(frozen=True)
class FramePlan:
    """Which frames a walk has. Keyframe i is first shown by frame `arrive[i]` and last by
    `leave[i]`. A loop's `arrive` ends with the return to the first keyframe, which is frame
    `total`, or 0 of the next round.
    """

    walk: Walk
    arrive: tuple[int, ...]
    leave: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many frames there are."""
        return self.arrive[-1] if self.walk.loop else self.leave[-1] + 1

    @property
    def seconds(self) -> float:
        return self.total / self.walk.fps

    def frame_at(self, seconds: float) -> int:
        """The frame that is shown then; before the first it is the first, after the last the last."""
        return min(max(int(seconds * self.walk.fps), 0), self.total - 1)

    def place(self, frame: int) -> Place:
        """Where the walk is at this frame; an `IndexError` if it has no such frame."""
        if not 0 <= frame < self.total:
            raise IndexError(f"frame {frame} of {self.total}")
        segment = bisect.bisect_right(self.arrive, frame) - 1
        start = self.leave[segment]
        if frame <= start:
            return Place(segment, 0.0)
        u = (frame - start) / (self.arrive[segment + 1] - start)
        if _has_pace(self.walk):
            return Place(segment, _invert(self.walk.pace[segment], u))
        return Place(segment, ease(self.walk.keyframes[segment].easing, u))

    def point(self, frame: int) -> Point:
        """What this frame shows. During a hold it is the same point for every frame."""
        place = self.place(frame)
        return point_at(self.walk, place.segment, place.s)

    def points(self) -> Iterator[Point]:
        """What each frame shows."""
        return (self.point(frame) for frame in range(self.total))


def plan_frames(walk: Walk) -> FramePlan:
    """Spread a walk over frames.

    Times are rounded where they end up, not one by one, so that the whole lasts what it should.
    """
    arrive: list[int] = []
    leave: list[int] = []
    now = 0.0
    for index, keyframe in enumerate(walk.keyframes):
        arrive.append(max(round(now * walk.fps), leave[-1] + 1 if leave else 0))
        now += keyframe.hold
        leave.append(max(round(now * walk.fps), arrive[-1]))
        if index < walk.segments:
            now += keyframe.seconds
    if walk.loop:
        arrive.append(max(round(now * walk.fps), leave[-1] + 1))
    plan = FramePlan(walk, tuple(arrive), tuple(leave))
    return _even(plan) if _has_pace(walk) else plan


def point_of_frame(walk: Walk, frame: int) -> Point:
    """What one frame shows; for many, make a plan once."""
    return plan_frames(walk).point(frame)


def _has_pace(walk: Walk) -> bool:
    return walk.constant_pace and bool(walk.pace) and any(way[-1][1] > 0.0 for way in walk.pace)


def _even(plan: FramePlan) -> FramePlan:
    """The same number of frames, each segment getting its share of how far the picture changes."""
    walk = plan.walk
    holds = [last - first for first, last in zip(plan.arrive, plan.leave, strict=False)]
    moving = (plan.arrive[-1] if walk.loop else plan.leave[-1]) - sum(holds)
    whole = sum(way[-1][1] for way in walk.pace)
    arrive, leave, far, before = [0], [holds[0]], 0.0, 0
    for index, way in enumerate(walk.pace):
        far += way[-1][1]
        # At least one frame for this segment and one for each that follows.
        upto = min(max(round(moving * far / whole), before + 1), moving - (walk.segments - 1 - index))
        arrive.append(leave[-1] + upto - before)
        before = upto
        if index + 1 < len(walk.keyframes):
            leave.append(arrive[-1] + holds[index + 1])
    return FramePlan(walk, tuple(arrive), tuple(leave))


def _invert(way: tuple[tuple[float, float], ...], u: float) -> float:
    """The position at which the share u of the way's whole change is behind."""
    wanted = u * way[-1][1]
    if wanted <= 0.0:
        return u  # nothing changes here: any pace is as even as another
    for (s0, d0), (s1, d1) in pairwise(way):
        if d1 >= wanted and d1 > d0:
            return s0 + (s1 - s0) * (wanted - d0) / (d1 - d0)
    return way[-1][0]


# --- between two keyframes ----------------------------------------------------------------------


def ease(easing: Easing, u: float) -> float:
    """Position after the share u of a segment's time, both from 0 to 1; the ends are exact."""
    if u <= 0.0 or u >= 1.0:
        return min(max(u, 0.0), 1.0)
    if isinstance(easing, tuple):
        return _bezier(easing, u)
    if easing == "smooth":
        return u * u * (3.0 - 2.0 * u)
    if easing == "in":
        return u * u
    return u * (2.0 - u) if easing == "out" else u


def _bezier(inner: tuple[float, float, float, float], u: float) -> float:
    """y at x = u of the cubic Bezier curve from (0, 0) to (1, 1) with these inner points."""
    x1, y1, x2, y2 = inner

    def curve(a: float, b: float, t: float) -> float:
        return 3.0 * (1.0 - t) ** 2 * t * a + 3.0 * (1.0 - t) * t * t * b + t**3

    low, high = 0.0, 1.0
    for _ in range(60):  # x rises with t, so halving the interval always gets there
        middle = 0.5 * (low + high)
        if curve(x1, x2, middle) < u:
            low = middle
        else:
            high = middle
    return min(max(curve(y1, y2, 0.5 * (low + high)), 0.0), 1.0)


def point_at(walk: Walk, segment: int, s: float) -> Point:
    """The point at position s, from 0 to 1, of a segment. The ends are the keyframes' own."""
    here, there = walk.keyframes[segment], walk.keyframes[(segment + 1) % len(walk.keyframes)]
    if s <= 0.0 or s >= 1.0:
        return (here if s <= 0.0 else there).point
    latent: LatentSource
    if walk.path == "smooth":
        latent = _on_curve(walk, segment, s)
    else:
        latent = here.latent if here.latent == there.latent else SlerpLatent(here.latent, there.latent, s)
    guidance = here.guidance + (there.guidance - here.guidance) * s
    return Point(latent, mix_labels(here.label, there.label, s), guidance)


def mix_labels(a: Label, b: Label, s: float) -> Label:
    """The mixture with weight 1 - s of `a` and s of `b`; a plain label where it is one."""
    if a == b or s <= 0.0:
        return a
    if s >= 1.0:
        return b
    weights: dict[int | None, float] = {}
    for label, share in ((a, 1.0 - s), (b, s)):
        for number, weight in label if isinstance(label, tuple) else ((label, 1.0),):
            weights[number] = weights.get(number, 0.0) + share * weight
    left = [(number, weight) for number, weight in weights.items() if weight > 0.0]
    if len(left) == 1:
        return left[0][0]
    # In one order whichever way the walk goes, so that it adds up to the same bits.
    return tuple(sorted(left, key=lambda part: -1 if part[0] is None else part[0]))


def spline_weights(s: float) -> tuple[float, float, float, float]:
    """Weights of the keyframes before, at, after and behind position s (Catmull and Rom, 1974).

    They add up to 1, are (0, 1, 0, 0) and (0, 0, 1, 0) at the ends, and so is their slope equal
    to that of the neighbouring segment: the curve has no corners.
    """
    return (
        0.5 * s * (s * (2.0 - s) - 1.0),
        0.5 * (s * s * (3.0 * s - 5.0) + 2.0),
        0.5 * s * (s * (4.0 - 3.0 * s) + 1.0),
        0.5 * s * s * (s - 1.0),
    )


def _on_curve(walk: Walk, segment: int, s: float) -> LatentSource:
    count = len(walk.keyframes)
    weights: dict[LatentSource, float] = {}
    for index, weight in zip(range(segment - 1, segment + 3), spline_weights(s), strict=True):
        near = index % count if walk.loop else min(max(index, 0), count - 1)
        latent = walk.keyframes[near].latent
        weights[latent] = weights.get(latent, 0.0) + weight
    return BlendLatent(tuple(weights.items()))


# --- ready-made walks ---------------------------------------------------------------------------


def random_walk(
    model: str,
    count: int,
    seed: int,
    *,
    labels: tuple[Label, ...] = (None,),
    guidance: float = 0.0,
    seconds: float = 2.0,
    fps: float = 30.0,
) -> Walk:
    """A smooth closed curve through the noise of `count` seeds, from `seed` on.

    The keyframes take their labels from `labels`, which is gone round.
    """
    keyframes = tuple(
        Keyframe(
            SeedLatent((seed + i) % (MAX_SEED + 1)),
            labels[i % len(labels)],
            guidance,
            seconds=seconds,
            easing="linear",
        )
        for i in range(count)
    )
    return Walk(model, keyframes, fps, loop=True, path="smooth", name=f"Random walk {seed}")


def noise_loop(
    model: str,
    seed: int,
    *,
    label: Label = None,
    guidance: float = 0.0,
    seconds: float = 8.0,
    fps: float = 30.0,
) -> Walk:
    """Once round a circle in the plane of two seeds' noise a and b: a, b, -a, -b and back."""
    a, b = SeedLatent(seed), SeedLatent((seed + 1) % (MAX_SEED + 1))
    around: tuple[LatentSource, ...] = (a, b, BlendLatent(((a, -1.0),)), BlendLatent(((b, -1.0),)))
    keyframe = Keyframe(a, label, guidance, seconds=seconds / 4.0, easing="linear")
    keyframes = tuple(dataclasses.replace(keyframe, latent=latent) for latent in around)
    return Walk(model, keyframes, fps, loop=True, name=f"Noise loop {seed}")
