"""What a recipe's network is, and what it is shown of a batch.

A network that makes images of noise sees x_t, its level and a label. An upsampler sees the same
image small, made noisy and enlarged, in place of the label; the level of that noise is drawn
anew for every image. Training, distillation and sample sheets all ask here, and treat both alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.denoiser import ImageNetwork
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.compact_upsampler import (
    CompactUpsampler,
    CompactUpsamplerHead,
    CompactUpsamplerHeadConfig,
)
from engine.networks.head import CompactHead, CompactHeadConfig, HeadNetwork
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork, enlarge, noisy_image
from engine.schedule import VPSchedule
from engine.training.recipes import Recipe

__all__ = ["View", "bind_head", "draw_view", "head_config", "make_head", "make_network", "shrink", "view_of"]


@dataclass(frozen=True)
class View:
    """A network as it sees one batch: `network(x_t, log gamma, label)`.

    An upsampler's has its `condition` (B, C, H, W) and the `level` (B,) of its noise.
    """

    network: ImageNetwork
    condition: Tensor | None = None
    level: Tensor | None = None

    def weight(self, log_gamma: Tensor) -> Tensor | None:
        """What squared errors of v count, (B,); None: all the same."""
        if self.level is None:
            return None
        assert isinstance(self.network, ConditionedNetwork)
        network = self.network.network
        assert isinstance(network, CompactUpsampler)
        return network.weight(log_gamma, self.level)


def make_network(recipe: Recipe) -> CompactUNet | CompactUpsampler:
    """The recipe's network with fresh weights."""
    config = recipe.network
    return CompactUNet(config) if isinstance(config, CompactConfig) else CompactUpsampler(config)


def head_config(recipe: Recipe) -> CompactHeadConfig | CompactUpsamplerHeadConfig:
    """The head that fits the recipe's network."""
    n, look = recipe.network, (recipe.head_width, recipe.head_fade, recipe.head_kernel)
    shape = (n.channels, n.patch, n.widths[0], n.embedding)
    if isinstance(n, CompactConfig):
        return CompactHeadConfig(*shape, *look, recipe.head_image)
    return CompactUpsamplerHeadConfig(*shape, *look)


def make_head(recipe: Recipe) -> CompactHead | CompactUpsamplerHead:
    """The recipe's head with fresh weights."""
    config = head_config(recipe)
    return CompactHead(config) if isinstance(config, CompactHeadConfig) else CompactUpsamplerHead(config)


def bind_head(head: nn.Module, condition: Tensor | None) -> HeadNetwork:
    """The head as it sees a batch: an upsampler's with the condition of its network."""
    if condition is None:
        assert isinstance(head, CompactHead)
        return head
    assert isinstance(head, CompactUpsamplerHead)
    return ConditionedHead(head, condition)


def shrink(images: Tensor, size: int, whole: int) -> Tensor:
    """(B, C, H, W) -> the mean over squares of whole / size pixels: what an upsampler starts from."""
    return F.avg_pool2d(images, whole // size)


def draw_view(network: nn.Module, x0: Tensor, random: torch.Generator) -> View:
    """The network looking at a batch x0 (B, C, H, W) in -1 to 1, as it does in training.

    Levels come from the whole range, half of them below 0.125: an upsampler is mostly used at
    low levels, and all that is left at high ones is grey.
    """
    if isinstance(network, CompactUNet):
        return View(network)
    assert isinstance(network, CompactUpsampler)
    levels = torch.rand(len(x0), generator=random, dtype=torch.float64).pow(3).clamp_min(1e-3)
    low = network.config.low_resolution * x0.shape[-1] // network.config.image_size
    noise = torch.randn((*x0.shape[:2], low, low), generator=random)
    return _conditioned(network, x0, noise, levels.float())


def view_of(network: nn.Module, x0: Tensor, level: float, seeds: Sequence[int]) -> View:
    """The network looking at a batch at one level, each image with noise of its own seed."""
    if isinstance(network, CompactUNet):
        return View(network)
    assert isinstance(network, CompactUpsampler)
    low = network.config.low_resolution * x0.shape[-1] // network.config.image_size
    noise = torch.stack(
        [torch.randn(x0.shape[1], low, low, generator=torch.Generator().manual_seed(s)) for s in seeds]
    )
    return _conditioned(network, x0, noise, torch.full((len(x0),), level))


def _conditioned(network: CompactUpsampler, x0: Tensor, noise: Tensor, level: Tensor) -> View:
    level, noise = level.to(x0.device), noise.to(x0.device)
    small = shrink(x0, network.config.low_resolution, network.config.image_size)
    condition = enlarge(noisy_image(small, noise, level, VPSchedule()), x0.shape[-1])
    return View(ConditionedNetwork(network, condition, level), condition, level)
