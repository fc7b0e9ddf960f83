"""What each setting is called and what its value must be.

A check takes the setting's name and a value; it returns the value or raises a `BadRequest`
with the setting as its `field`, in one line that fits beside the control.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import BadRequest
from engine.messages import DEVICES

__all__ = ["LABELS", "Pick", "device", "flag", "number", "one_of", "optional_text", "pick", "text", "whole"]

Pick = str | tuple[int, ...]  # "all", "random", "none" (no class) or class numbers

# Settings as a person calls them: for errors, tooltips and lists of differences.
LABELS = {
    "model": "Model",
    "pick": "Class",
    "guidance": "Guidance",
    "solver": "Solver",
    "steps": "Steps",
    "spacing": "Spacing",
    "analytic_first": "Analytic first step",
    "denoise": "Final denoising step",
    "t_end": "End time",
    "seed": "Seed",
    "count": "Count",
    "device": "Device",
    "precision": "Precision",
    "guidance_model": "Guidance model",
}


def whole(low: int, high: int) -> Callable[[str, object], int]:
    """A whole number from `low` to `high`."""

    def check(name: str, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise BadRequest(f"{LABELS[name]} needs a whole number from {low:,} to {high:,}.", field=name)

    return check


def number(low: float, high: float) -> Callable[[str, object], float]:
    """A finite number from `low` to `high`."""

    def check(name: str, value: object) -> float:
        # The comparison is also what keeps NaN out.
        if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        raise BadRequest(f"{LABELS[name]} needs a number from {low:g} to {high:g}.", field=name)

    return check


def one_of(allowed: tuple[str, ...]) -> Callable[[str, object], str]:
    """One of the words in `allowed`."""

    def check(name: str, value: object) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise BadRequest(f"{LABELS[name]} can be {', '.join(allowed)}.", field=name)

    return check


def device(name: str, value: object) -> str:
    """A device of the engine; a CUDA one may have a number."""
    if isinstance(value, str):
        kind, _, number = value.partition(":")
        if kind in DEVICES and (not number or (kind == "cuda" and number.isdecimal())):
            return value
    raise BadRequest(f"Device can be {', '.join(DEVICES)}.", field=name)


def text(name: str, value: object) -> str:
    """A name, or nothing yet."""
    if isinstance(value, str) and len(value) <= 200:
        return value
    raise BadRequest(f"{LABELS[name]} needs a name.", field=name)


def optional_text(name: str, value: object) -> str | None:
    return None if value is None else text(name, value)


def flag(name: str, value: object) -> bool:
    """On or off."""
    if isinstance(value, bool):
        return value
    raise BadRequest(f"{LABELS[name]} is either on or off.", field=name)


def pick(name: str, value: object) -> Pick:
    """A choice of classes; a list (from JSON) becomes a tuple."""
    if isinstance(value, str) and value in ("all", "random", "none"):
        return value
    if isinstance(value, (tuple, list)):
        numbers = tuple(value)
        if all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 1_000_000 for n in numbers):
            return numbers
    raise BadRequest("Class can be every class once, random, or classes from the list.", field=name)
