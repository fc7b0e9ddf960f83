"""DDPM++ "deep" with continuous time (Song et al., 2021, appendix H), as GENIE uses it for CIFAR-10.

In its authors' files the architecture goes by the name of its sister NCSN++: residual blocks
as in BigGAN resample on both of their paths, and every sum is divided by sqrt(2).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from engine.networks.blocks import KEEP_VARIANCE, Parts, ResidualBlock, SelfAttention, TimedUNet
from engine.schedule import VPSchedule

__all__ = ["NCSNpp", "NCSNppConfig"]


@dataclass(frozen=True)
class NCSNppConfig:
    """Everything that decides the shape of an `NCSNpp`; the default is CIFAR-10's.

    `widths` and `attention` hold one entry a resolution, finest first. The network embeds
    `time_scale` t.
    """

    image_size: int = 32
    channels: int = 3
    classes: int = 0
    widths: tuple[int, ...] = (128, 256, 256, 256)
    blocks: int = 8
    attention: tuple[bool, ...] = (False, True, False, False)
    time_scale: float = 999.0


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(channels // 4, 32), channels, eps=1e-6)


class NCSNpp(TimedUNet):
    """The network of an `NCSNppConfig`; see `TimedUNet` for what it takes and returns."""

    def __init__(self, config: NCSNppConfig, schedule: VPSchedule | None = None) -> None:
        c = config

        def block(channels_in: int, channels: int, resample: str | None = None) -> ResidualBlock:
            return ResidualBlock(
                channels_in, channels, 4 * c.widths[0], norm=_norm, resample=resample,
                project=resample is not None, rescale=KEEP_VARIANCE,
            )  # fmt: skip

        parts = Parts(
            norm=_norm,
            block=block,
            attention=lambda channels: SelfAttention(channels, 1, norm=_norm, rescale=KEEP_VARIANCE),
            down=lambda channels: block(channels, channels, "down"),
            up=lambda channels: block(channels, channels, "up"),
            attends_once_going_up=True,
        )
        super().__init__(
            parts, c.channels, c.widths, c.blocks, c.attention, c.time_scale, schedule or VPSchedule()
        )
        self.config = config
