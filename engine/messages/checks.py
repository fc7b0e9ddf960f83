"""What a setting may be: each check raises a `BadRequest` that names field, value and limits."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence

from engine.errors import BadRequest

__all__ = [
    "DEVICES",
    "MAX_COUNT",
    "MAX_SEED",
    "MAX_STEPS",
    "PRECISIONS",
    "SPACINGS",
    "flag",
    "nearest",
    "number",
    "one_of",
    "place",
    "shown",
    "text",
    "whole",
]

SPACINGS = ("linear", "quadratic", "log-snr", "rho")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MAX_STEPS = 1000
MAX_COUNT = 10_000
MAX_SEED = 2**53 - 1  # every integer up to here survives any JSON reader

# A value from a file may be of any size; in a message its beginning and end are enough.
_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxlong = _shorten.maxother = 80


def shown(value: object) -> str:
    """The value as Python writes it, shortened if it is long or deep."""
    return _shorten.repr(value)


def whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(
            f"{name} is {shown(value)}; a whole number from {low:,} to {high:,} is needed.", field=name
        )


def number(name: str, value: object, low: float, high: float) -> None:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not ok or not low <= value <= high:  # type: ignore[operator]  # NaN fails this too
        raise BadRequest(
            f"{name} is {shown(value)}; a number from {low:g} to {high:g} is needed.", field=name
        )


def one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        near = nearest(value, allowed) if isinstance(value, str) else ""
        raise BadRequest(f"{name} is {shown(value)}.{near} Allowed: {', '.join(allowed)}.", field=name)


def text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > 200:
        raise BadRequest(f"{name} is {shown(value)}; a name is needed.", field=name)


def flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise BadRequest(f"{name} is {shown(value)}; true or false is needed.", field=name)


def place(device: object, precision: object) -> None:
    one_of("device", device.partition(":")[0] if isinstance(device, str) else device, DEVICES)
    one_of("precision", precision, PRECISIONS)


def nearest(name: str, names: Sequence[str], *, quoted: bool = True) -> str:
    """ " Did you mean 'heun'?" (a name that holds this one, or is nearly written like it), or nothing."""
    from difflib import get_close_matches  # here: the window opens before it is needed

    folded = {entry.casefold(): entry for entry in names}
    wanted = name[:200].casefold()
    holding = [entry for entry in folded if wanted in entry] if len(wanted) > 2 else []
    close = get_close_matches(wanted, holding, n=1, cutoff=0) or get_close_matches(wanted, folded, n=1)
    if not close:
        return ""
    found = folded[close[0]]
    return f" Did you mean {found!r}?" if quoted else f" Did you mean {found}?"
