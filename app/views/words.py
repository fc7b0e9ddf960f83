"""Numbers and names as a person reads them."""

from __future__ import annotations

import re

from app.models.names import class_name, model_title, solver_title

__all__ = [
    "breakable",
    "class_name",
    "counted",
    "in_bytes",
    "model_title",
    "plural",
    "seconds",
    "solver_title",
]


def breakable(words: str) -> str:
    """The same words, but a long path or name in them may go on in the next line."""
    parted = re.sub(r"([/\\_])", "\\1\u200b", words)
    return re.sub(r"([^\s\u200b-]{24})(?=[^\s\u200b-])", "\\1\u200b", parted)


def counted(number: int, thing: str) -> str:
    """ "1 image", "16 images"."""
    return f"{number:,} {thing if number == 1 else plural(thing)}"


def plural(thing: str) -> str:
    return thing + ("es" if thing.endswith(("s", "x", "ch", "sh")) else "s")


def in_bytes(size: int) -> str:
    """ "41 kB", "5.5 MB", "1.1 GB"."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.0f} kB"


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
