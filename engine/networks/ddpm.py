"""The U-Net of DDPM (Ho, Jain and Abbeel, 2020, appendix B), as GENIE uses it for LSUN."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.blocks import (
    Downsample,
    Parts,
    ResidualBlock,
    SelfAttention,
    TwoLinear,
    UNet,
    Upsample,
    sinusoids,
)
from engine.schedule import VPSchedule

__all__ = ["DDPM", "DDPMConfig"]


@dataclass(frozen=True)
class DDPMConfig:
    """Everything that decides the shape of a `DDPM`; the default is LSUN's at 128x128.

    `widths` and `attention` hold one entry a resolution, finest first. The network embeds
    `time_scale` t.
    """

    image_size: int = 128
    channels: int = 3
    classes: int = 0
    widths: tuple[int, ...] = (128, 128, 256, 256, 512, 512, 512)
    blocks: int = 2
    attention: tuple[bool, ...] = (False, False, False, True, False, False, False)
    time_scale: float = 1.0


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class DDPM(nn.Module):
    """x_t (B, C, H, W), log gamma (B,), label -> output (B, C, H, W), features, embedding.

    It knows no classes: the label is not looked at. `features` are (B, widths[0], H, W) and
    `embedding` is (B, 4 widths[0]); both feed the GENIE head.
    """

    def __init__(self, config: DDPMConfig, schedule: VPSchedule | None = None) -> None:
        super().__init__()
        c = self.config = config
        self._schedule = schedule or VPSchedule()
        embedding = 4 * c.widths[0]
        self.embed = TwoLinear(c.widths[0], embedding)
        parts = Parts(
            norm=_norm,
            block=lambda channels_in, channels: ResidualBlock(channels_in, channels, embedding, norm=_norm),
            attention=lambda channels: SelfAttention(channels, 1, norm=_norm),
            down=Downsample,
            up=Upsample,
        )
        self.unet = UNet(parts, c.channels, c.channels, c.widths[0], c.widths, c.blocks, c.attention)

    def forward(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG002
        t = self._schedule.t(log_gamma.exp())
        embedding = self.embed(sinusoids(self.config.time_scale * t, self.config.widths[0]))
        output, features = self.unet(x_t, F.silu(embedding))
        return output, features, embedding
