"""How a picture was made, in words, whichever task made it."""

from __future__ import annotations

import dataclasses

from app.models.names import class_name, model_title, solver_title
from app.models.settings import LABELS
from app.store.making import NO_SEED, label_words, listing
from engine.errors import UnknownName
from engine.files import cut_name
from engine.messages import Catalogue, Label, Request

__all__ = [
    "ABSENT",
    "count_of",
    "facts_of",
    "file_name",
    "kind_title",
    "label_of",
    "name_of",
    "seed_of",
    "title_of",
]

ABSENT = "–"  # in a list of differences: the other side has no such setting

_KINDS = {
    "generate": "Generated",
    "upsample": "Upsampled",
    "encode": "Encoded",
    "decode": "Decoded",
    "round-trip": "There and back",
    "edit": "Edited",
    "traverse": "Walk",
    "frame": "On the way",
}
# Beside LABELS: settings of other tasks than generating.
_NAMES = {
    "aug_level": "Augmentation level",
    "aug_seed": "Augmentation seed",
    "consistent": "Matches the small picture",
    "crop": "Cropped",
}


def kind_title(kind: str) -> str:
    """What was done to get a picture, in a word or two."""
    return _KINDS.get(kind, kind.capitalize())


def count_of(request: Request) -> int:
    """How many pictures a request is for."""
    return request.count


def seed_of(request: Request, index: int) -> int | None:
    """The seed of picture `index`; None where none was drawn."""
    seed = listing(request, index).seed if 0 <= index < count_of(request) else NO_SEED
    return None if seed == NO_SEED else seed


def label_of(request: Request, index: int) -> int | None:
    """The class of picture `index`; None for none, or a mixture of several."""
    return listing(request, index).label if 0 <= index < count_of(request) else None


def title_of(request: Request, index: int, catalogue: Catalogue | None = None) -> str:
    """ "GENIE 10, seed 48151625": how picture `index` of a request was made."""
    row = listing(request, index)
    solver = f"{solver_title(catalogue, row.solver)} {row.steps}" if row.solver else ""
    seed = f"seed {row.seed}" if row.seed != NO_SEED else ""
    kind = kind_title(row.kind) if row.kind != "generate" else ""
    return ", ".join(filter(None, (kind, solver, seed))) or model_title(catalogue, row.model)


def file_name(request: Request, index: int, label: str = "") -> str:
    """A name that tells the picture: "fashion32-ankle-boot-48151623"."""
    return name_of(request.kind, request.model, label, seed_of(request, index))


def name_of(kind: str, model: str, label: str, seed: int | None) -> str:
    """See `file_name`. Long words are cut, the seed is not: it tells pictures of a class apart."""
    title = "" if kind == "generate" else kind_title(kind)
    words = "-".join(f"{model} {label} {title}".casefold().split())
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in words)
    return cut_name(name) if seed is None else f"{cut_name(name)}-{seed}"


def facts_of(request: Request, index: int, catalogue: Catalogue | None = None) -> list[tuple[str, str]]:
    """(setting as a person calls it, its value) of picture `index`: its own seed and class among them.

    What is no plain value (pictures, masks, ways) is left out.
    """
    facts = []
    for field in dataclasses.fields(request):  # type: ignore[arg-type]
        value = getattr(request, field.name)
        if field.name == "seed":
            value = seed_of(request, index)
        elif field.name in ("labels", "label"):
            labels = value if field.name == "labels" else (value,)
            label = labels[index] if index < len(labels) else None
            facts.append(("Class", _class_words(request.model, label, catalogue)))
            continue
        if value is None or isinstance(value, (bool, int, float, str)):
            name = (
                LABELS.get(field.name) or _NAMES.get(field.name) or field.name.replace("_", " ").capitalize()
            )
            facts.append((name, _words(field.name, value, catalogue)))
    return facts


def _class_words(model: str, label: Label, catalogue: Catalogue | None) -> str:
    if isinstance(label, tuple):
        return label_words(label, _classes(model, catalogue))
    return class_name(catalogue, model, label) or "none"


def _classes(model: str, catalogue: Catalogue | None) -> tuple[str, ...]:
    try:
        return catalogue.model(model).classes if catalogue is not None else ()
    except UnknownName:
        return ()


def _words(name: str, value: bool | float | str | None, catalogue: Catalogue | None) -> str:
    if value is None:
        return "none"
    if name in ("model", "guidance_model"):
        return model_title(catalogue, str(value))
    if name == "solver":
        return solver_title(catalogue, str(value))
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
