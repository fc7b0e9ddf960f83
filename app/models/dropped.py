"""An image file someone drops on the window: which settings made it, and how ours differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.models.facts import kind_title
from app.models.settings import LABELS, RANDOM_SEED
from engine.errors import BadRequest, EngineError
from engine.messages import Catalogue, GenerateRequest, ModelInfo, Provenance, choose_labels

__all__ = [
    "DiffRow",
    "OtherTask",
    "RequestDiff",
    "can_enlarge",
    "compare_requests",
    "compare_settings",
    "read_dropped",
]

_CLASSES_SHOWN = 4
_CARRIERS = (".png", ".jpg", ".jpeg", ".webp")  # files that settings can be in
_NEXT = "To change the picture, drop it on the Edit room; to enlarge it, choose “Upsample a picture of your own” (Ctrl+K)."


class OtherTask(BadRequest):
    """A picture's settings are none that the controls have; `side` is its own, in pixels."""

    def __init__(self, message: str, side: int) -> None:
        super().__init__(message)
        self.side = side


@dataclass(frozen=True)
class DiffRow:
    """One setting that differs, as text to be read. `name` is that of the setting."""

    name: str
    label: str
    current: str
    theirs: str


@dataclass(frozen=True)
class RequestDiff:
    """The settings in a file beside the current ones; `rows` holds only what differs."""

    request: GenerateRequest
    image_index: int  # which image of the request the file is
    rows: tuple[DiffRow, ...]
    provenance: Provenance | None = None

    @property
    def image_seed(self) -> int:
        """The seed that makes this very image, for "Seed only"."""
        return self.request.seeds[self.image_index]


def read_dropped(path: Path, current: Mapping[str, Any], catalogue: Catalogue | None = None) -> RequestDiff:
    """Read the settings in the image file `path` and compare them with `current`.

    `current` is what `GenerateSettings.to_dict` gives; `catalogue` says what is known of the
    file's model. Raises `BadImage` for what is no image of ours, `OtherTask` for one that was not
    generated and `BadRequest` for settings that can't be.
    """
    # These bring NumPy and Pillow, which the start can do without.
    from PIL import Image

    from engine.images import NoSettings, read_settings

    if path.suffix.casefold() not in _CARRIERS:
        raise NoSettings(f"{path.name} carries no settings: only PNG, JPEG and WebP files do. {_NEXT}")
    saved = read_settings(path)
    request = saved.request
    if not isinstance(request, GenerateRequest):
        with Image.open(path) as image:
            side = image.width if image.width == image.height else 0
        raise OtherTask(
            f"{path.name} holds settings that the controls here don't have: those of another task "
            f"({kind_title(request.kind)}). {_NEXT}",
            side,
        )
    models = catalogue.models if catalogue is not None else ()
    info = next((model for model in models if model.name == request.model), None)
    rows = compare_settings(current, request, info.classes if info is not None else ())
    if catalogue is not None and info is None:
        missing = f"{request.model}, which is not here: choose another, or import it in Models"
        rows = tuple(dataclasses.replace(r, theirs=missing) if r.name == "model" else r for r in rows)
    return RequestDiff(request, saved.index, rows, saved.provenance)


def can_enlarge(error: EngineError, upsamplers: Sequence[ModelInfo]) -> bool:
    """Whether a picture without settings for the controls is one to upsample.

    One of another task is where it has just the size for that: it may be large already.
    """
    from engine.images import NoSettings

    if isinstance(error, OtherTask):
        return any(info.upsamples_from == error.side for info in upsamplers)
    return isinstance(error, NoSettings)


def compare_settings(
    current: Mapping[str, Any], theirs: GenerateRequest, class_names: Sequence[str] = ()
) -> tuple[DiffRow, ...]:
    """What applying `theirs` would change, in the order of the controls."""
    rows = []
    for name, label in LABELS.items():
        if name not in current:
            continue
        mine = current[name]
        if name == "pick":
            same = _gives(mine, theirs, len(class_names))
            texts = _pick_text(mine, class_names), _pick_text(_distinct(theirs.labels), class_names)
        else:
            other = theirs.count if name == "count" else getattr(theirs, name)
            same = mine == other
            texts = _text(name, mine), _text(name, other)
        if not same:
            rows.append(DiffRow(name, label, *texts))
    return tuple(rows)


def compare_requests(
    left: GenerateRequest, right: GenerateRequest, class_names: Sequence[str] = ()
) -> tuple[DiffRow, ...]:
    """The settings two results differ in (`current` is the left one), for the comparison."""
    values = {name: getattr(left, name) for name in LABELS if name not in ("pick", "count")}
    rows = compare_settings({**values, "count": left.count}, right, class_names)
    if left.labels != right.labels:
        sides = (_pick_text(_distinct(side.labels), class_names) for side in (left, right))
        row = DiffRow("pick", LABELS["pick"], *sides)
        if row.current != row.theirs:  # another number of images of the same classes is said by Count
            rows = (*rows, row)
    order = list(LABELS)
    return tuple(sorted(rows, key=lambda row: order.index(row.name)))


def _gives(pick: object, theirs: GenerateRequest, classes: int) -> bool:
    """Whether `pick` chooses the labels of `theirs`, given its count and seed."""
    chosen = tuple(pick) if isinstance(pick, list) else pick
    known = _distinct(theirs.labels)
    if known == (None,):
        return chosen == "none" or classes == 0
    if isinstance(chosen, tuple) and chosen:
        return choose_labels(chosen, theirs.count, len(chosen), theirs.seed) == theirs.labels
    try:
        return choose_labels(str(chosen), theirs.count, classes, theirs.seed) == theirs.labels
    except BadRequest:
        return False


def _distinct(labels: Sequence[int | None]) -> tuple[int | None, ...]:
    return tuple(dict.fromkeys(labels))


def _pick_text(pick: object, class_names: Sequence[str]) -> str:
    if pick == "all":
        return "every class once"
    if pick in ("none", (None,)):
        return "no class"
    if not isinstance(pick, (tuple, list)):
        return str(pick)
    if len(pick) == len(class_names) > 1:
        return "every class once"
    names = [_class_text(label, class_names) for label in pick]
    more = len(names) - _CLASSES_SHOWN
    return ", ".join(names[:_CLASSES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _class_text(label: int | None, class_names: Sequence[str]) -> str:
    if label is None:
        return "no class"
    return class_names[label] if label < len(class_names) else f"class {label}"


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "seed" and value == RANDOM_SEED:
        return "random"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
