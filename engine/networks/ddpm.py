"""The U-Net of DDPM (Ho, Jain and Abbeel, 2020, appendix B), as GENIE uses it for LSUN."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from engine.networks.blocks import Downsample, Parts, ResidualBlock, SelfAttention, TimedUNet, Upsample
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


class DDPM(TimedUNet):
    """The network of a `DDPMConfig`; see `TimedUNet` for what it takes and returns."""

    def __init__(self, config: DDPMConfig, schedule: VPSchedule | None = None) -> None:
        c = config
        parts = Parts(
            norm=_norm,
            block=lambda channels_in, channels: ResidualBlock(
                channels_in, channels, 4 * c.widths[0], norm=_norm
            ),
            attention=lambda channels: SelfAttention(channels, 1, norm=_norm),
            down=Downsample,
            up=Upsample,
        )
        super().__init__(
            parts, c.channels, c.widths, c.blocks, c.attention, c.time_scale, schedule or VPSchedule()
        )
        self.config = config
