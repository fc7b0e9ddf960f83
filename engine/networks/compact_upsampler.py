"""The studio's own upsampler: a convolutional U-Net that adds what an enlarged image lacks.

The images are folded 4x4 into channels, so that no convolution runs at full resolution. It is
built around what can be said without any network. With the condition c the image is modelled as
normal around it, x_0 ~ N(c, s^2), for which the best guess from x_t is known in closed form:

    r = x_t - alpha c        q = s^2 alpha^2 + sigma^2        (r has the variance q)
    x_0 = c + s^2 alpha r / q        v = (alpha x_t - x_0) / sigma = (1 - s^2) alpha sigma r / q - sigma c

The network sees r / sqrt(q) and c, and puts out what is left of v in units of its standard
deviation, s / sqrt(q) (as in Karras et al., 2022, section 5, around a condition instead of
around zero). An untrained network is a blurred enlargement already, not noise.

c itself is the enlarged image times w: for pixels of variance m^2 that were mixed with noise,
y = a x + b n, the best guess is w y with w = a m^2 / (a^2 m^2 + b^2), and what it misses,
m^2 b^2 / (a^2 m^2 + b^2), adds to s^2. So c fades to grey and s grows where the condition is
mostly noise.

It is put together from the blocks of `engine.networks.compact`, channels last, but has no
attention: what a pixel becomes depends on its surroundings alone, so that training on crops is
training on whole images.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.compact import (
    Convolution,
    LogGammaEmbedding,
    ResidualBlock,
    channel_norm,
    fold,
    unfold,
)
from engine.networks.conditioning import Conditioning
from engine.networks.head import mixed_convolution
from engine.networks.onednn import Linear
from engine.schedule import VPSchedule, expand

__all__ = [
    "CompactUpsampler",
    "CompactUpsamplerConfig",
    "CompactUpsamplerHead",
    "CompactUpsamplerHeadConfig",
]


@dataclass(frozen=True)
class CompactUpsamplerConfig:
    """Everything that decides the shape of a `CompactUpsampler`.

    `low_resolution` is the size of the image it starts from, `widths` holds one channel count a
    resolution, beginning at `image_size / patch`; at each but the last are `blocks` residual
    blocks on the way down and as many on the way up, at the last `middle`. `detail` is s, the
    standard deviation of images around their enlarged selves, and `contrast` m, that of pixels
    around middle grey.
    """

    image_size: int = 256
    channels: int = 3
    classes: int = 0
    patch: int = 4
    widths: tuple[int, ...] = (96, 160, 256)
    blocks: int = 2
    middle: int = 2
    embedding: int = 256
    low_resolution: int = 64
    detail: float = 0.1
    contrast: float = 0.75


@dataclass(frozen=True)
class CompactUpsamplerHeadConfig:
    """The shape of a `CompactUpsamplerHead`; the first four repeat those of its network."""

    channels: int = 3
    patch: int = 4
    features: int = 96
    embedding: int = 256
    width: int = 128
    fade: float = 0.5
    kernel: int = 1


class CompactUpsampler(nn.Module):
    """x_t, log gamma (B,), condition (B, C, H, W), level (B,) -> output (v), features, embedding.

    `condition` is the noisy small image enlarged to the size of x_t, `level` the time s of its
    noise. `features` (B, widths[0], H / patch, W / patch) and `embedding` (B, embedding) feed the
    head. H and W are multiples of patch times 2^(resolutions - 1).
    """

    def __init__(self, config: CompactUpsamplerConfig, schedule: VPSchedule | None = None) -> None:
        super().__init__()
        c = self.config = config
        self._schedule = schedule or VPSchedule()
        folded = c.channels * c.patch**2
        self.embed_noise = LogGammaEmbedding(c.embedding)
        self.embed_level = LogGammaEmbedding(c.embedding)

        def blocks(width: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(ResidualBlock(width, c.embedding) for _ in range(count))

        *upper, lowest = c.widths
        finer = list(zip(upper, c.widths[1:], strict=True))
        self.stem = Convolution(2 * folded, c.widths[0])
        self.before = nn.ModuleList(blocks(width, c.blocks) for width in upper)
        self.down = nn.ModuleList(Linear(4 * fine, coarse) for fine, coarse in finer)
        self.middle = blocks(lowest, c.middle)
        self.up = nn.ModuleList(Linear(coarse, 4 * fine) for fine, coarse in finer)
        self.merge = nn.ModuleList(Linear(2 * width, width) for width in upper)
        self.after = nn.ModuleList(blocks(width, c.blocks) for width in upper)
        self.conv_out = Convolution(c.widths[0], folded, zero=True)

    def forward(
        self, x_t: Tensor, log_gamma: Tensor, condition: Tensor, level: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        patch, dtype = self.config.patch, self.stem.weight.dtype
        gamma_level = self._gamma(level)
        told = Conditioning(F.silu(self.embed_noise(log_gamma) + self.embed_level(gamma_level.log())))

        # Differences of nearly equal images: never in low precision.
        gamma = expand(log_gamma.float().exp(), x_t)
        alpha = (1.0 + gamma**2).rsqrt()
        sigma = gamma * alpha
        shrink, s2 = (expand(part, x_t) for part in self._guess(gamma_level))
        c = shrink * condition.float()
        q = s2 * alpha**2 + sigma**2
        r = x_t.float() - alpha * c
        seen = torch.cat([r * q.rsqrt(), c], dim=1)

        h = self.stem(fold(seen.permute(0, 2, 3, 1), patch).to(dtype))
        skips = []
        for blocks, down in zip(self.before, self.down, strict=True):
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, told)
            skips.append(h)
            h = down(fold(h, 2))
        for block in self.middle:
            h = block(h, told)
        for blocks, merge, up in reversed(list(zip(self.after, self.merge, self.up, strict=True))):
            h = merge(torch.cat([unfold(up(h), 2), skips.pop()], dim=-1))
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, told)
        features = F.silu(channel_norm(h))
        left = unfold(self.conv_out(features), patch).permute(0, 3, 1, 2).float()
        v = (1.0 - s2) * alpha * sigma / q * r - sigma * c + (s2 / q).sqrt() * left
        return v, features.permute(0, 3, 1, 2), told.embedding

    def weight(self, log_gamma: Tensor, level: Tensor) -> Tensor:
        """q / s^2 (B,): what makes squared errors of v at all levels squared errors of the network."""
        s2 = self._guess(self._gamma(level))[1]
        alpha2 = 1.0 / (1.0 + (2.0 * log_gamma.float()).exp())
        return alpha2 + (1.0 - alpha2) / s2

    def _gamma(self, level: Tensor) -> Tensor:
        """gamma of the condition's noise (B,); below that of t = 1e-3 is as good as none."""
        return self._schedule.gamma(level.float().clamp_min(1e-3))

    def _guess(self, gamma_level: Tensor) -> tuple[Tensor, Tensor]:
        """w and s^2 (B,) of the module's first lines, for a = 1/sqrt(1 + gamma^2), b = gamma a."""
        m2 = self.config.contrast**2
        a2 = 1.0 / (1.0 + gamma_level**2)
        spread = a2 * m2 + 1.0 - a2
        return a2.sqrt() * m2 / spread, self.config.detail**2 + m2 * (1.0 - a2) / spread


class CompactUpsamplerHead(nn.Module):
    """The GENIE head of a `CompactUpsampler`, on the folded image; it sees the condition too.

    Only its look at the features is `kernel` wide: a folded position is a square of pixels
    already, and at this size that keeps the head under a twentieth of its network.
    """

    def __init__(self, config: CompactUpsamplerHeadConfig) -> None:
        super().__init__()
        c = self.config = config
        self.fade = c.fade
        folded = c.channels * c.patch**2
        self.conv_features = nn.Conv2d(c.features, c.width, c.kernel, padding=c.kernel // 2)
        self.conv_image = nn.Conv2d(3 * folded, c.width, 1, bias=False)
        self.modulate = nn.Linear(c.embedding, 2 * c.width)
        self.conv_out = nn.Conv2d(c.width, 3 * folded, 1)
        with torch.no_grad():
            self.modulate.bias[: c.width].fill_(1.0)  # scales begin around one, shifts around zero
            self.conv_out.weight.zero_()
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(
        self,
        x_t: Tensor,
        eps: Tensor,
        features: Tensor,
        embedding: Tensor,
        gamma: float | Tensor,
        condition: Tensor,
    ) -> Tensor:
        patch = self.config.patch
        images = torch.cat([x_t, eps.to(x_t.dtype), condition.to(x_t.dtype)], dim=1)
        image = F.pixel_unshuffle(images, patch).to(features.dtype)
        scale, shift = self.modulate(embedding)[:, :, None, None].chunk(2, dim=1)
        h = F.silu(torch.addcmul(shift, self.conv_features(features) + self.conv_image(image), scale))
        # As in `CompactHead`: mixed while folded.
        return F.pixel_shuffle(mixed_convolution(self.conv_out, h, gamma, self.fade), patch)
