"""Two pictures against each other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from app.models.names import class_name, model_title, solver_title
from app.models.settings import LABELS
from engine.messages import Catalogue, GenerateRequest, Pictures

__all__ = ["ComparePane", "Difference", "difference_of", "differing_settings", "pane_title"]


@dataclass(frozen=True)
class ComparePane:
    """One side of a comparison: a single picture and the request and index it came from."""

    title: str
    picture: Pictures
    request: GenerateRequest
    index: int = 0  # of the picture in its request


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


def pane_title(request: GenerateRequest, index: int, catalogue: Catalogue | None = None) -> str:
    """ "GENIE 10, seed 48151625": how picture `index` of a request was made."""
    return f"{solver_title(catalogue, request.solver)} {request.steps}, seed {request.seeds[index]}"


def differing_settings(
    left: ComparePane, right: ComparePane, catalogue: Catalogue | None = None
) -> list[tuple[str, str, str]]:
    """(setting as a person calls it, left, right) for each that differs; the picture's own seed and class."""
    rows = []
    for field in dataclasses.fields(GenerateRequest):
        ours, theirs = (_value(pane, field.name) for pane in (left, right))
        if ours != theirs:
            name = "Class" if field.name == "labels" else LABELS.get(field.name, field.name)
            rows.append((name, _words(left, field.name, catalogue), _words(right, field.name, catalogue)))
    return rows


def _value(pane: ComparePane, field: str) -> object:
    if field == "seed":
        return pane.request.seeds[pane.index]
    if field == "labels":
        return pane.request.labels[pane.index]
    return getattr(pane.request, field)


def _words(pane: ComparePane, field: str, catalogue: Catalogue | None) -> str:
    value = _value(pane, field)
    if field == "labels" and isinstance(value, int):
        return class_name(catalogue, pane.request.model, value)
    if field in ("model", "guidance_model") and isinstance(value, str):
        return model_title(catalogue, value)
    if field == "solver":
        return solver_title(catalogue, str(value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
