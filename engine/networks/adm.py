"""ADM (Dhariwal and Nichol, 2021, section 3), as GENIE uses it: ImageNet, cats, and the upsampler.

Time enters through Fourier features of log t with frozen frequencies; a class is a learnt
vector added to it. The upsampler sees a second image beside x_t and the level of the noise
that was added to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.blocks import FourierFeatures, Parts, ResidualBlock, SelfAttention, TwoLinear, UNet
from engine.networks.labels import embed_labels
from engine.schedule import VPSchedule

__all__ = ["ADM", "ADMConfig", "ADMUpsampler", "ADMUpsamplerConfig"]


@dataclass(frozen=True)
class ADMConfig:
    """Everything that decides the shape of an `ADM`; the default is ImageNet's without classes.

    `widths` and `attention` hold one entry a resolution, finest first.
    """

    image_size: int = 64
    channels: int = 3
    classes: int = 0
    widths: tuple[int, ...] = (192, 384, 576, 768)
    blocks: int = 3
    attention: tuple[bool, ...] = (False, False, False, True)
    head_channels: int = 64


@dataclass(frozen=True)
class ADMUpsamplerConfig:
    """Everything that decides the shape of an `ADMUpsampler`; the default is that of the cats.

    `low_resolution` is the size of the image it starts from.
    """

    image_size: int = 512
    channels: int = 3
    classes: int = 0
    widths: tuple[int, ...] = (96, 96, 192, 192, 288, 288, 384)
    blocks: int = 2
    attention: tuple[bool, ...] = (False, False, False, False, False, True, True)
    head_channels: int = 32
    low_resolution: int = 128


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-5)


def _unet(c: ADMConfig | ADMUpsamplerConfig, channels_in: int, embedding: int) -> UNet:
    def block(channels_in: int, channels: int, resample: str | None = None) -> ResidualBlock:
        return ResidualBlock(channels_in, channels, embedding, norm=_norm, scale=True, resample=resample)

    parts = Parts(
        norm=_norm,
        block=block,
        attention=lambda channels: SelfAttention(channels, channels // c.head_channels, norm=_norm),
        down=lambda channels: block(channels, channels, "down"),
        up=lambda channels: block(channels, channels, "up"),
    )
    return UNet(parts, channels_in, c.channels, c.widths[0], c.widths, c.blocks, c.attention)


class ADM(nn.Module):
    """x_t (B, C, H, W), log gamma (B,), label (B,) -> output (B, C, H, W), features, embedding.

    Without classes the label is not looked at; mixtures of labels are weights (B, classes + 1),
    the last of which counts for nothing. `features` are (B, widths[0], H, W) and
    `embedding` (B, 4 widths[0]) is that of time and label; both feed the GENIE head.
    """

    def __init__(self, config: ADMConfig, schedule: VPSchedule | None = None) -> None:
        super().__init__()
        c = self.config = config
        self._schedule = schedule or VPSchedule()
        embedding = 4 * c.widths[0]
        self.fourier = FourierFeatures(c.widths[0])
        self.embed = TwoLinear(2 * c.widths[0], embedding)
        self.embed_label = nn.Embedding(c.classes, embedding) if c.classes else None
        self.unet = _unet(c, c.channels, embedding)

    def forward(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        t = self._schedule.t(log_gamma.exp())
        embedding = self.embed(self.fourier(t.log()))
        if self.embed_label is not None:
            embedding = embedding + embed_labels(self.embed_label, label)
        output, features = self.unet(x_t, F.silu(embedding))
        return output, features, embedding


class ADMUpsampler(nn.Module):
    """As `ADM`, with the image to be enlarged beside x_t.

    `condition` (B, C, H, W) is that image, noisy and already enlarged to the size of x_t;
    `level` (B,) is the time s of its noise, above 0.
    """

    def __init__(self, config: ADMUpsamplerConfig, schedule: VPSchedule | None = None) -> None:
        super().__init__()
        c = self.config = config
        self._schedule = schedule or VPSchedule()
        embedding = 4 * c.widths[0]
        self.fourier = FourierFeatures(c.widths[0])
        self.fourier_level = FourierFeatures(c.widths[0])
        self.embed = TwoLinear(4 * c.widths[0], embedding)
        self.unet = _unet(c, 2 * c.channels, embedding)

    def forward(
        self, x_t: Tensor, log_gamma: Tensor, condition: Tensor, level: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        t = self._schedule.t(log_gamma.exp())
        waves = [self.fourier(t.log()), self.fourier_level(level.to(t.dtype).log())]
        embedding = self.embed(torch.cat(waves, dim=1))
        output, features = self.unet(torch.cat([x_t, condition], dim=1), F.silu(embedding))
        return output, features, embedding
