"""Two pictures against each other."""

from __future__ import annotations

from dataclasses import dataclass

from app.models.facts import ABSENT, facts_of
from engine.messages import Catalogue, Pictures, Request

__all__ = ["ComparePane", "Difference", "difference_of", "differing_settings"]


@dataclass(frozen=True)
class ComparePane:
    """One side of a comparison: a single picture and the request and index it came from."""

    title: str
    picture: Pictures
    request: Request
    index: int = 0  # of the picture in its request
    step: int | None = None  # the picture as it was predicted at this step; None: the finished one


@dataclass(frozen=True)
class Difference:
    """|left - right|, brightened `gain` times to be seen; `rmse` in levels of 255, not brightened.

    `picture` is None where the two can't be subtracted; `note` says why.
    """

    picture: Pictures | None
    rmse: float = 0.0
    largest: int = 0
    gain: int = 1
    note: str = ""


def differing_settings(
    left: ComparePane, right: ComparePane, catalogue: Catalogue | None = None
) -> list[tuple[str, str, str]]:
    """(setting as a person calls it, left, right) for each that differs; the picture's own seed and class."""
    ours, theirs = (
        {"Shown": _moment(pane), **dict(facts_of(pane.request, pane.index, catalogue))}
        for pane in (left, right)
    )
    names = list(dict.fromkeys((*ours, *theirs)))
    sides = [(name, ours.get(name, ABSENT), theirs.get(name, ABSENT)) for name in names]
    return [(name, one, other) for name, one, other in sides if one != other]


def _moment(pane: ComparePane) -> str:
    """Which of its pictures is compared: the finished one, or that of a step."""
    if pane.step is None:
        return "the finished picture"
    steps = getattr(pane.request, "steps", None)
    return f"step {pane.step} of {steps}" if steps else f"step {pane.step}"


def difference_of(left: Pictures, right: Pictures, gain: int | None = None) -> Difference:
    """Subtract two single pictures; a grey one is compared with a coloured one as grey in colour.

    Without a `gain` the difference is brightened as far as nothing is cut off.
    """
    import numpy as np  # here: the window opens before it is needed

    if (left.width, left.height) != (right.width, right.height):
        return Difference(
            None,
            note=f"The two have different sizes ({left.width}x{left.height} and {right.width}x{right.height}); "
            "a difference needs pictures of one size.",
        )
    sides = []
    channels = max(left.channels, right.channels)
    for side in (left, right):
        values = np.frombuffer(side.data, np.uint8).reshape(side.height, side.width, side.channels)
        sides.append(np.broadcast_to(values, (side.height, side.width, channels)).astype(np.int16))
    distance = np.abs(sides[0] - sides[1])
    largest = int(distance.max())
    if gain is None:
        gain = next((g for g in (16, 8, 4, 2) if largest * g <= 255), 1) if largest else 1
    shown = np.minimum(distance * gain, 255).astype(np.uint8)
    rmse = float(np.sqrt(np.mean(distance.astype(np.float64) ** 2)))
    return Difference(Pictures(1, left.width, left.height, channels, shown.tobytes()), rmse, largest, gain)
