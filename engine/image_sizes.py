"""How large pictures can be in the formats they are written in, known without what writes them."""

from __future__ import annotations

import math

__all__ = ["grid_columns", "grid_size", "too_large"]

# Pixels each way: what WebP and GIF have room for, and what libjpeg is built for.
_LARGEST = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500, ".gif": 65_535}
_NAMES = {".webp": "WebP", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF"}


def grid_columns(count: int) -> int:
    """How many of `count` pictures stand beside each other in a grid that is about square."""
    return math.isqrt(count - 1) + 1


def grid_size(count: int, width: int, height: int) -> tuple[int, int]:
    """Width and height of the grid of `count` pictures, in pixels."""
    columns = grid_columns(count)
    return columns * width, -(-count // columns) * height


def too_large(suffix: str, width: int, height: int) -> str:
    """Why a picture of this size can't be a file with this suffix, in words; empty if it can."""
    most = _LARGEST.get(suffix.lower(), 0)
    if not most or max(width, height) <= most:
        return ""
    return (
        f"This would be {width:,} x {height:,} pixels; a {_NAMES[suffix.lower()]} file has room for "
        f"{most:,} each way. Choose a smaller size, or PNG."
    )
