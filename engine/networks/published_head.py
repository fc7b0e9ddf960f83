"""The published GENIE head (Dockhorn et al., 2022, appendix): one residual block at full size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.blocks import KEEP_VARIANCE, ResidualBlock, activated
from engine.networks.head import mixed_convolution
from engine.networks.onednn import convolve_onto

__all__ = ["PublishedHead", "PublishedHeadConfig"]


@dataclass(frozen=True)
class PublishedHeadConfig:
    """The shape of a `PublishedHead`; `features` and `embedding` repeat those of its network.

    `conditioned` heads also see the image an upsampler starts from; `normalized` ones
    normalise the features first.
    """

    channels: int = 3
    features: int = 128
    embedding: int = 512
    width: int = 128
    conditioned: bool = False
    normalized: bool = False


_EPS = 1e-6


def _norm(channels: int, eps: float = _EPS) -> nn.GroupNorm:
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=eps)


class PublishedHead(nn.Module):
    """x_t, eps (B, C, H, W), features, embedding (B, E), gamma -> d eps/d gamma (B, C, H, W).

    A conditioned head also needs `condition` (B, C, H, W), as its network had it.
    """

    def __init__(self, config: PublishedHeadConfig) -> None:
        super().__init__()
        c = self.config = config
        images = 3 if c.conditioned else 2
        self.norm_features = _norm(c.features) if c.normalized else nn.Identity()
        self.stem = nn.Conv2d(images * c.channels + c.features, c.width, 3, padding=1)
        self.block = ResidualBlock(c.width, c.width, c.embedding, norm=_norm)
        # As published the block's sum is scaled by KEEP_VARIANCE, which the norm takes out again
        # but for its eps: scaling that instead spares a pass over the image.
        self.norm_out = _norm(c.width, _EPS / KEEP_VARIANCE**2)
        self.conv_out = nn.Conv2d(c.width, 3 * c.channels, 3, padding=1)

    def forward(
        self,
        x_t: Tensor,
        eps: Tensor,
        features: Tensor,
        embedding: Tensor,
        gamma: float | Tensor,
        condition: Tensor | None = None,
    ) -> Tensor:
        images = [x_t, eps] if condition is None else [x_t, condition, eps]
        h = self._stem(torch.cat(images, dim=1), self.norm_features(features))
        h = self.block(h, F.silu(embedding))
        return mixed_convolution(self.conv_out, activated(self.norm_out, h), gamma)

    def _stem(self, images: Tensor, features: Tensor) -> Tensor:
        """The first convolution, of images and features apart: putting them side by side costs more."""
        seen = images.shape[1]
        weight = self.stem.weight
        if features.is_contiguous(memory_format=torch.channels_last):
            images = images.contiguous(memory_format=torch.channels_last)
        h = F.conv2d(images, weight[:, :seen], self.stem.bias, padding=1)
        return convolve_onto(h, features, weight[:, seen:], None, spare=True)
