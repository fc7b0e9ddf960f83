"""What an upsampler sees besides x_t: the small image, made noisy and enlarged.

Noise of a known level hides what the small image has and a real one has not (Ho et al.,
"Cascaded Diffusion Models", 2022, section 4); the network is told the level.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from engine.networks.adm import ADMUpsampler
from engine.networks.compact_upsampler import CompactUpsampler, CompactUpsamplerHead
from engine.networks.published_head import PublishedHead
from engine.schedule import VPSchedule, expand

__all__ = ["ConditionedHead", "ConditionedNetwork", "enlarge", "noisy_image"]


def noisy_image(image: Tensor, noise: Tensor, level: Tensor, schedule: VPSchedule) -> Tensor:
    """alpha(s) image + sigma(s) noise for images (B, C, h, w) in -1 to 1 and levels s (B,)."""
    alpha, sigma = (expand(part(level), image) for part in (schedule.alpha, schedule.sigma))
    return (alpha * image + sigma * noise).to(image.dtype)


def enlarge(image: Tensor, size: int) -> Tensor:
    """(B, C, h, w) -> (B, C, size, size), linear between pixels and without aliasing."""
    return F.interpolate(image, size=(size, size), mode="bilinear", antialias=True)


class ConditionedNetwork:
    """An upsampler with what it starts from, to be called as any other network.

    `condition` (B, C, H, W) is as `enlarge` returns it, `level` (B,) as `noisy_image` had it.
    """

    def __init__(self, network: ADMUpsampler | CompactUpsampler, condition: Tensor, level: Tensor) -> None:
        self.network = network
        self._condition = condition
        self._level = level

    def __call__(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG002
        out: tuple[Tensor, Tensor, Tensor] = self.network(
            x_t, log_gamma, self._condition.to(x_t.dtype), self._level
        )
        return out


class ConditionedHead:
    """The head of an upsampler with what its network starts from."""

    def __init__(self, head: PublishedHead | CompactUpsamplerHead, condition: Tensor) -> None:
        self._head = head
        self._condition = condition

    def __call__(
        self, x_t: Tensor, eps: Tensor, features: Tensor, embedding: Tensor, gamma: float | Tensor
    ) -> Tensor:
        out: Tensor = self._head(x_t, eps, features, embedding, gamma, self._condition.to(x_t.dtype))
        return out
