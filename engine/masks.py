"""What may change and what must not: masks with soft edges. Imports no torch."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["composite", "feathered"]

Floats = NDArray[np.float64]


def feathered(mask: Floats, radius: float) -> Floats:
    """`mask` (height, width), 0 to 1, with its edges softened over `radius` pixels to each side.

    Farther than that outside of the mask the result is 0 to the last bit: nothing changes there.
    """
    if radius <= 0.0:
        return mask.copy()
    reach = math.floor(radius)
    taps = np.array([radius + 1.0 - abs(i) for i in range(-reach, reach + 1)])
    taps /= taps.sum()
    soft: Floats = mask
    for axis in (0, 1):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        wide = np.pad(soft, padding, mode="edge")
        length = mask.shape[axis]
        soft = sum(
            (tap * np.take(wide, range(i, i + length), axis=axis) for i, tap in enumerate(taps)),
            np.zeros_like(mask),
        )
    return np.clip(soft, 0.0, 1.0)


def composite(new: NDArray[np.uint8], old: NDArray[np.uint8], mask: Floats) -> NDArray[np.uint8]:
    """`new` where the mask is 1, `old` where it is 0, byte for byte; both (height, width, channels)."""
    share = mask[:, :, None]
    mixed = np.rint(share * new + (1.0 - share) * old).astype(np.uint8)
    return np.where(share == 0.0, old, mixed).astype(np.uint8)
