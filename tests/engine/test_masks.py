"""Soft masks that leave what is outside alone."""

from __future__ import annotations

import numpy as np
import pytest

from engine.masks import composite, feathered


def square() -> np.ndarray:
    mask = np.zeros((20, 20))
    mask[6:14, 6:14] = 1.0
    return mask


@pytest.mark.parametrize("radius", [0.0, 0.5, 1.0, 2.5, 4.0])
def test_beyond_the_feather_nothing_is_touched(radius: float) -> None:
    soft = feathered(square(), radius)
    rows, columns = np.indices(soft.shape)
    outside = np.maximum(np.maximum(6 - rows, rows - 13), np.maximum(6 - columns, columns - 13))
    assert (soft[outside > radius] == 0.0).all()
    assert soft[outside <= -int(radius)] == pytest.approx(1.0)
    assert 0.0 <= soft.min() <= soft.max() <= 1.0


def test_a_feather_is_symmetric_and_keeps_no_hole() -> None:
    soft = feathered(square(), 2.0)
    assert np.allclose(soft, soft.T)
    assert np.allclose(soft, soft[::-1])
    assert (np.diff(soft[10, :10]) >= 0).all()
    assert feathered(np.ones((5, 5)), 3.0) == pytest.approx(1.0)


def test_a_composite_keeps_every_byte_where_the_mask_is_zero() -> None:
    random = np.random.default_rng(0)
    old, new = (random.integers(0, 256, (20, 20, 3)).astype(np.uint8) for _ in range(2))
    mask = feathered(square(), 1.0)
    joined = composite(new, old, mask)
    assert (joined[mask == 0.0] == old[mask == 0.0]).all()
    assert (joined[mask == 1.0] == new[mask == 1.0]).all()
    edge = (mask > 0) & (mask < 1)
    low, high = np.minimum(old, new)[edge], np.maximum(old, new)[edge]
    assert ((low <= joined[edge]) & (joined[edge] <= high)).all()
