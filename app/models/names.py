"""What a person calls a model, a solver or a class, where the catalogue knows it."""

from __future__ import annotations

from engine.errors import UnknownName
from engine.messages import Catalogue

__all__ = ["class_name", "model_title", "solver_title"]


def model_title(catalogue: Catalogue | None, name: str) -> str:
    """The model's title, or its bare name where it is not (any more) there."""
    try:
        return catalogue.model(name).title if catalogue is not None else name
    except UnknownName:
        return name


def solver_title(catalogue: Catalogue | None, name: str) -> str:
    try:
        return catalogue.solver(name).title if catalogue is not None else name
    except UnknownName:
        return name


def class_name(catalogue: Catalogue | None, model: str, label: int | None) -> str:
    """The name of a class of a model; "" for an image without one."""
    if label is None:
        return ""
    try:
        classes = catalogue.model(model).classes if catalogue is not None else ()
    except UnknownName:
        classes = ()
    return classes[label] if label < len(classes) else f"class {label}"
