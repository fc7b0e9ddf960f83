"""What lies between pinned latents, and how a way across them is made a few stops. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.models.traverse.spots import Spot, source_words
from engine.messages import BlendLatent, Label

__all__ = ["CORNERS", "Pin", "blend_at", "clip", "free_place", "pin_words", "simplify", "weights_at"]

CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
_AT_PIN = 1e-4  # so close to a pin, the point is the pin
_LEAST = 1e-3  # a share of the blend that makes no difference


@dataclass(frozen=True)
class Pin:
    """A latent at a place of the plane; x and y run from 0 to 1, y downwards."""

    spot: Spot
    x: float
    y: float


def weights_at(pins: Sequence[Pin], x: float, y: float) -> list[float]:
    """How much of each pin there is at (x, y); they add up to 1, and at a pin it alone counts.

    Four pins at the corners mix bilinearly. Others count by the inverse square of their distance
    (Shepard, 1968), which is smooth however the pins lie.
    """
    if len(pins) == len(CORNERS) and {(pin.x, pin.y) for pin in pins} == set(CORNERS):
        return [(x if pin.x else 1 - x) * (y if pin.y else 1 - y) for pin in pins]
    near = [(pin.x - x) ** 2 + (pin.y - y) ** 2 for pin in pins]
    if near and min(near) < _AT_PIN**2:
        closest = near.index(min(near))
        return [float(index == closest) for index in range(len(pins))]
    shares = [1.0 / distance for distance in near]
    whole = sum(shares)
    return [share / whole for share in shares]


def blend_at(pins: Sequence[Pin], x: float, y: float) -> Spot:
    """The latent at (x, y): that of the pins around it by weight, their classes and guidance alike."""
    weighted = [
        (pin.spot, round(weight, 6))
        for pin, weight in zip(pins, weights_at(pins, x, y), strict=True)
        if weight >= _LEAST
    ]
    if len(weighted) == 1:
        return weighted[0][0]
    whole = sum(weight for _, weight in weighted)
    mixed: dict[int | None, float] = {}
    for spot, weight in weighted:
        for one, share in spot.label if isinstance(spot.label, tuple) else ((spot.label, 1.0),):
            mixed[one] = mixed.get(one, 0.0) + weight * share / whole
    label: Label = next(iter(mixed)) if len(mixed) == 1 else tuple(mixed.items())
    guidance = round(sum(weight * spot.guidance for spot, weight in weighted) / whole, 4)
    source = BlendLatent(tuple((spot.source, weight) for spot, weight in weighted))
    return Spot(weighted[0][0].model, source, label, guidance, f"Pad {x:.2f}, {y:.2f}")


def pin_words(pin: Pin) -> str:
    """A pin as a person calls it."""
    return pin.spot.name or source_words(pin.spot.source)


def simplify(
    way: Sequence[tuple[float, float, float]], tolerance: float = 0.02
) -> list[tuple[float, float, float]]:
    """Fewer stops of a recorded (seconds, x, y) way, none of the others further than `tolerance` off.

    Off means in place at the same time (Ramer, 1972; Douglas and Peucker, 1973), so that the pace
    of the hand is kept as well.
    """
    if len(way) < 3:
        return [stop for i, stop in enumerate(way) if i == 0 or stop[1:] != way[0][1:]]
    (t0, x0, y0), (t1, x1, y1) = way[0], way[-1]
    furthest, index = 0.0, 0
    for i, (t, x, y) in enumerate(way[1:-1], start=1):
        share = (t - t0) / (t1 - t0) if t1 > t0 else 0.0
        off = math.hypot(x0 + share * (x1 - x0) - x, y0 + share * (y1 - y0) - y)
        if off > furthest:
            furthest, index = off, i
    if furthest <= tolerance:
        return [way[0], way[-1]] if way[0][1:] != way[-1][1:] else [way[0]]
    left = simplify(way[: index + 1], tolerance)
    return left + [stop for stop in simplify(way[index:], tolerance) if stop not in left]


def clip(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.5


def free_place(pins: Sequence[Pin]) -> tuple[float, float]:
    """The first free corner, or the place of a coarse grid furthest from all pins."""
    taken = {(pin.x, pin.y) for pin in pins}
    for corner in CORNERS:
        if corner not in taken:
            return corner
    grid = [(x / 8, y / 8) for y in range(9) for x in range(9)]
    return max(grid, key=lambda at: min(math.hypot(pin.x - at[0], pin.y - at[1]) for pin in pins))
