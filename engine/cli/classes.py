"""`--classes`: from what a person types to class numbers."""

from __future__ import annotations

import re

from engine.cli.command import nearest, shorten
from engine.errors import BadRequest, UnknownName
from engine.messages import ModelInfo, choose_labels

__all__ = ["class_name", "pick_classes", "pick_labels", "slug"]


def slug(text: str) -> str:
    """ "Ankle boot" -> "ankle-boot": fit for a file name, and forgiving to compare with."""
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") or "x"


def class_name(model: ModelInfo, label: int | None) -> str | None:
    return model.classes[label] if label is not None and label < len(model.classes) else None


def pick_classes(text: str, model: ModelInfo) -> str | tuple[int, ...]:
    """ "all", "random", "none", or the numbers of the classes named, in the order given."""
    if text.casefold() in ("all", "random", "none"):
        return text.casefold()
    if not model.classes:
        raise BadRequest(
            f"--classes is {shorten(text)}, but {model.title} knows no classes. Leave it out.",
            field="classes",
        )
    numbers = tuple(_number(entry.strip(), model) for entry in text.split(",") if entry.strip())
    if not numbers:
        raise BadRequest("--classes is empty. Give names, numbers, all or random.", field="classes")
    return numbers


def _number(entry: str, model: ModelInfo) -> int:
    """The class of that name, number or synonym; a name goes before a synonym."""
    known = {slug(name): number for number, name in enumerate(model.classes)}
    if slug(entry) in known:
        return known[slug(entry)]
    listed = ", ".join(f"{i} {name}" for i, name in enumerate(model.classes[:20]))
    listed += ", ..." if len(model.classes) > 20 else ""
    if re.fullmatch(r"-?\d{1,9}", entry):
        number = int(entry)
        if 0 <= number < len(model.classes):
            return number
        raise UnknownName(
            f"--classes has number {entry}; {model.title} knows 0 to {len(model.classes) - 1}: {listed}.",
            field="classes",
        )
    called = [number for number, words in enumerate(model.synonyms) if slug(entry) in map(slug, words)]
    if len(called) == 1:
        return called[0]
    if called:
        either = " or ".join(f"{number} {model.classes[number]}" for number in called)
        raise UnknownName(
            f"--classes has {shorten(entry)}, a word for several classes. Which one: {either}?",
            field="classes",
        )
    words = [*model.classes, *(word for words in model.synonyms for word in words)]
    raise UnknownName(
        f"--classes has {shorten(entry)}, which {model.title} doesn't know."
        f"{nearest(entry, words)} It knows: {listed}.",
        field="classes",
    )


def pick_labels(
    picked: str | tuple[int, ...], model: ModelInfo, count: int | None, seed: int
) -> tuple[int | None, ...]:
    """One label an image. Without a count: one image of each class picked."""
    if count is None:
        chosen = len(picked) if isinstance(picked, tuple) else len(model.classes) if picked == "all" else 1
        count = max(1, chosen)
    return (None,) * count if picked == "none" else choose_labels(picked, count, len(model.classes), seed)
