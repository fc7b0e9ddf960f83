"""PSNR, SSIM, pictures of differences, and latents next to noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.fidelity import difference, latent_statistics, measure, psnr, ssim
from engine.messages import Pictures
from engine.messages.encode import Fidelity


def picture(array: np.ndarray) -> Pictures:
    array = array if array.ndim == 4 else array[None]
    count, height, width, channels = array.shape
    return Pictures(count, width, height, channels, array.astype(np.uint8).tobytes())


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def grey(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(20, 230, (16, 16, 1)).astype(np.uint8)


def test_psnr_by_hand() -> None:
    a = np.zeros((4, 4, 1), np.uint8)
    b = a.copy()
    b[0, 0, 0] = 16
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / (256 / 16)))
    assert psnr(a, a) == math.inf


def test_ssim_is_one_for_equals_and_falls_with_noise_but_not_with_a_little_brightness() -> None:
    a = grey()
    rough = np.clip(a + 20 * noise(a.shape), 0, 255).astype(np.uint8)
    assert ssim(a, a) == pytest.approx(1.0)
    assert ssim(a, rough) < 0.97
    assert ssim(a, a + 10) > 0.98
    assert -1.0 <= ssim(a, 255 - a) < 0.0


def test_ssim_of_flat_pictures_is_its_formula() -> None:
    a, b = np.full((12, 12, 3), 100, np.uint8), np.full((12, 12, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1))


@pytest.mark.parametrize("side", [1, 2, 3, 8, 10, 11])
def test_pictures_smaller_than_the_window_have_an_ssim(side: int) -> None:
    a = grey()[:side, :side]
    assert ssim(a, a) == pytest.approx(1.0)


def test_measure_compares_each_with_its_own_or_all_with_one() -> None:
    a, b = grey(1), grey(2)
    both = picture(np.stack([a, b]))
    first, second = measure(both, picture(a))
    assert first.identical
    assert first.psnr == math.inf
    assert not second.identical
    assert second.changed == np.count_nonzero(a != b)
    assert second.largest == np.abs(a.astype(int) - b).max()
    assert all(found.identical for found in measure(both, both))
    with pytest.raises(ValueError, match="compared"):
        measure(both, picture(a[:8]))


def test_a_difference_is_stretched_to_white() -> None:
    a = np.full((2, 2, 1), 50, np.uint8)
    b = a.copy()
    b[0, 0] = 45
    b[1, 1] = 48
    shown, stretch = difference(picture(a), picture(b))
    assert stretch == pytest.approx(51.0)
    assert list(shown.data) == [255, 0, 0, 102]
    nothing, none = difference(picture(a), picture(a))
    assert none == 0.0
    assert set(nothing.data) == {0}


def test_noise_looks_like_noise() -> None:
    seen = [latent_statistics(noise((1, 32, 32), seed)) for seed in range(100)]
    # Each of four figures departs in about one of a hundred.
    assert sum(one.looks_like_noise for one in seen) >= 88
    assert "Looks like noise." in {one.words for one in seen}


@pytest.mark.parametrize(
    ("z", "words"),
    [
        (noise((1, 32, 32)) + 0.5, "mean is +0.45"),
        (noise((1, 32, 32)) * 0.6, "spread is 0.58"),
        (noise((1, 32, 32)) ** 3 / math.sqrt(15), "tails are heavier"),
        (np.kron(noise((1, 16, 16)), np.ones((1, 2, 2))), "neighbouring pixels agree"),
        (np.zeros((1, 8, 8)), "spread is 0.00"),
    ],
)
def test_structure_is_said_in_words(z: np.ndarray, words: str) -> None:
    found = latent_statistics(z)
    assert not found.looks_like_noise
    assert words in found.words
    assert found.words.startswith("Structured: edits may drift")


@pytest.mark.parametrize(
    ("psnr", "words"), [(45.0, "no eye"), (35.0, "well"), (28.0, "visible"), (15.0, "another picture")]
)
def test_fidelity_in_words(psnr: float, words: str) -> None:
    assert words in Fidelity(psnr, 0.9, 10, 3).words
    assert Fidelity(math.inf, 1.0, 0, 0).words == "Comes back to the byte."
