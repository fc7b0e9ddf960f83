"""How close two pictures are, and how much a latent is like noise.

Pictures are compared by their bytes, as people get to see them. Imports no torch.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engine.messages import Pictures
from engine.messages.encode import Fidelity, LatentStatistics

__all__ = ["difference", "latent_statistics", "measure", "psnr", "ssim"]

Floats = NDArray[np.float64]

# Of a standard normal distribution: 99 of 100 draws lie within.
_LIKELY = 2.5758


def _array(pictures: Pictures) -> NDArray[np.uint8]:
    """(count, height, width, channels)."""
    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    return np.frombuffer(pictures.data, np.uint8).reshape(shape)


def measure(found: Pictures, wanted: Pictures) -> tuple[Fidelity, ...]:
    """Each picture next to the one it should be; one of `wanted` is compared with all."""
    a, b = _array(found), _array(wanted)
    if a.shape[1:] != b.shape[1:] or len(b) not in (1, len(a)):
        raise ValueError(f"pictures of {a.shape} can't be compared with pictures of {b.shape}")
    results = []
    for index in range(len(a)):
        x, y = a[index], b[index if len(b) > 1 else 0]
        gap = np.abs(x.astype(np.int16) - y)
        results.append(Fidelity(psnr(x, y), ssim(x, y), int(np.count_nonzero(gap)), int(gap.max(initial=0))))
    return tuple(results)


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """10 log10(255^2 / mean (a - b)^2) in dB; infinite for equal bytes."""
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return 10.0 * math.log10(255.0**2 / error) if error > 0.0 else math.inf


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Structural similarity of two pictures (height, width, channels), the mean over channels.

    Wang et al., 2004: a Gaussian window of 11 pixels and sigma 1.5, K = (0.01, 0.03), means over
    all places the window fits in (a smaller odd window where it fits in nowhere).
    """
    x, y = a.astype(np.float64), b.astype(np.float64)
    side = min(11, x.shape[0] - 1 + x.shape[0] % 2, x.shape[1] - 1 + x.shape[1] % 2)
    taps = np.exp(-0.5 * ((np.arange(side) - side // 2) / 1.5) ** 2)
    taps /= taps.sum()
    mean_x, mean_y = _smooth(x, taps), _smooth(y, taps)
    var_x = _smooth(x * x, taps) - mean_x**2
    var_y = _smooth(y * y, taps) - mean_y**2
    both = _smooth(x * y, taps) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    index = ((2 * mean_x * mean_y + c1) * (2 * both + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return float(index.mean())


def _smooth(x: Floats, taps: Floats) -> Floats:
    """The window's mean wherever it fits: rows, then columns."""
    height, width = x.shape[0] - len(taps) + 1, x.shape[1] - len(taps) + 1
    rows: Floats = np.zeros((height, *x.shape[1:]))
    for i, tap in enumerate(taps):
        rows += tap * x[i : i + height]
    both: Floats = np.zeros((height, width, *x.shape[2:]))
    for i, tap in enumerate(taps):
        both += tap * rows[:, i : i + width]
    return both


def difference(found: Pictures, wanted: Pictures) -> tuple[Pictures, float]:
    """|found - wanted| as a picture, stretched so that its largest value is white, and by how much."""
    gap = np.abs(_array(found).astype(np.int16) - _array(wanted))
    largest = int(gap.max(initial=0))
    stretch = 255.0 / largest if largest else 0.0
    data = np.rint(gap * stretch).astype(np.uint8).tobytes()
    return Pictures(found.count, found.width, found.height, found.channels, data), stretch


def latent_statistics(z: Floats) -> LatentStatistics:
    """z (channels, height, width) next to standard normal noise."""
    n = z.size
    mean, std = float(z.mean()), float(z.std())
    centred = (z - mean) / max(std, 1e-12)
    kurtosis = float((centred**4).mean()) - 3.0
    across, down = centred[:, :, 1:] * centred[:, :, :-1], centred[:, 1:] * centred[:, :-1]
    pairs = across.size + down.size
    autocorrelation = float(across.sum() + down.sum()) / max(pairs, 1)
    spreads = (1.0, math.sqrt(0.5), math.sqrt(24.0), math.sqrt(n / max(pairs, 1)))
    likely = tuple(_LIKELY * spread / math.sqrt(n) for spread in spreads)
    return LatentStatistics(
        mean, std, kurtosis, autocorrelation, (likely[0], likely[1], likely[2], likely[3])
    )
