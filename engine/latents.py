"""Where an image begins: noise that depends on its seed and on nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["noise"]


def noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """Standard normal noise (B, C, H, W) in float64, on the CPU, one generator per image.

    Drawn in float32, so that the numbers are those other programs draw for the same seed. An
    image of a batch gets the very numbers it gets alone, on every device.
    """
    images = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(images).double()
