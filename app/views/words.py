"""Numbers and names as a person reads them."""

from __future__ import annotations

from engine.errors import UnknownName
from engine.messages import Catalogue

__all__ = ["class_name", "counted", "model_title", "plural", "seconds", "solver_title"]


def counted(number: int, thing: str) -> str:
    """ "1 image", "16 images"."""
    return f"{number:,} {thing if number == 1 else plural(thing)}"


def plural(thing: str) -> str:
    return thing + ("es" if thing.endswith(("s", "x", "ch", "sh")) else "s")


def seconds(duration: float) -> str:
    """ "0.12 s", "1.2 s", "34 s", "2 min 5 s", "1 h 20 min"."""
    if duration < 0.995:
        return f"{duration:.2f} s"
    if duration < 9.95:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


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
