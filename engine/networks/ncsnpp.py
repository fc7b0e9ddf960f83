"""DDPM++ "deep" with continuous time (Song et al., 2021, appendix H), as GENIE uses it for CIFAR-10.

In its authors' files the architecture goes by the name of its sister NCSN++: residual blocks
as in BigGAN resample on both of their paths, and every sum is divided by sqrt(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.blocks import (
    Parts,
    ResidualBlock,
    SelfAttention,
    TwoLinear,
    UNet,
    add_and_rescale,
    sinusoids,
)
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


class NCSNpp(nn.Module):
    """x_t (B, C, H, W), log gamma (B,), label -> output (B, C, H, W), features, embedding.

    It knows no classes: the label is not looked at. `features` are (B, widths[0], H, W) and
    `embedding` is (B, 4 widths[0]); both feed the GENIE head.
    """

    def __init__(self, config: NCSNppConfig, schedule: VPSchedule | None = None) -> None:
        super().__init__()
        c = self.config = config
        self._schedule = schedule or VPSchedule()
        embedding = 4 * c.widths[0]
        self.embed = TwoLinear(c.widths[0], embedding)

        def block(channels_in: int, channels: int, resample: str | None = None) -> ResidualBlock:
            return ResidualBlock(
                channels_in, channels, embedding, norm=_norm, resample=resample,
                project=resample is not None, join=add_and_rescale,
            )  # fmt: skip

        parts = Parts(
            norm=_norm,
            block=block,
            attention=lambda channels: SelfAttention(channels, 1, norm=_norm, join=add_and_rescale),
            down=lambda channels: block(channels, channels, "down"),
            up=lambda channels: block(channels, channels, "up"),
            attends_once_going_up=True,
        )
        self.unet = UNet(parts, c.channels, c.channels, c.widths[0], c.widths, c.blocks, c.attention)

    def forward(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG002
        t = self._schedule.t(log_gamma.exp())
        embedding = self.embed(sinusoids(self.config.time_scale * t, self.config.widths[0]))
        output, features = self.unet(x_t, F.silu(embedding))
        return output, features, embedding
