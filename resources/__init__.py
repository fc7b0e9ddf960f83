"""Files the program ships: fonts, icons, bundled models. `path` finds them wherever it is installed."""

from __future__ import annotations

from pathlib import Path

__all__ = ["path"]

_ROOT = Path(__file__).resolve().parent


def path(*parts: str) -> Path:
    """The file or folder of that name inside the resources, say `path("icons", "dice.svg")`."""
    return _ROOT.joinpath(*parts)
