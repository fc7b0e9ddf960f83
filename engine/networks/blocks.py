"""What the published U-Nets are made of: embeddings, residual blocks, attention, and the U itself.

DDPM, DDPM++ and ADM differ in how they embed time, how the embedding enters a block, how they
resample and how they scale a sum; each of their files says so and nothing else. Everything
here takes forward-mode derivatives. Dropout is left out: these networks come trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.attention import attend
from engine.networks.onednn import Conv2d
from engine.schedule import VPSchedule

__all__ = [
    "KEEP_VARIANCE",
    "Downsample",
    "FourierFeatures",
    "Level",
    "Parts",
    "ResidualBlock",
    "SelfAttention",
    "Stage",
    "TimedUNet",
    "TwoLinear",
    "UNet",
    "Upsample",
    "activated",
    "sinusoids",
]


# --- embeddings -------------------------------------------------------------------------------


def sinusoids(position: Tensor, width: int) -> Tensor:
    """sin and cos of position (B,) at `width` / 2 frequencies from 1 to 1/10000: (B, width).

    (Vaswani et al., 2017, section 3.5, with the last frequency included.)
    """
    half = width // 2
    steps = torch.arange(half, dtype=position.dtype, device=position.device)
    phase = position[:, None] * torch.exp(steps * (-math.log(10000.0) / (half - 1)))
    return torch.cat([phase.sin(), phase.cos()], dim=1)


class FourierFeatures(nn.Module):
    """sin and cos of 2 pi W value, for value (B,) and frozen random W (F,): (B, 2 F).

    (Tancik et al., 2020.) W is a buffer, which stays in float32 whatever the network computes
    in: with frequencies this high, a rounded one would encode another noise level.
    """

    frequencies: Tensor

    def __init__(self, bands: int, scale: float = 16.0) -> None:
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(bands))

    def forward(self, value: Tensor) -> Tensor:
        phase = value[:, None] * self.frequencies.to(value.dtype) * (2.0 * math.pi)
        return torch.cat([phase.sin(), phase.cos()], dim=1)


class TwoLinear(nn.Module):
    """Two linear layers with a SiLU between them: (B, channels_in) -> (B, channels)."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(channels_in, channels)
        self.linear_2 = nn.Linear(channels, channels)

    def forward(self, waves: Tensor) -> Tensor:
        out: Tensor = self.linear_2(F.silu(self.linear_1(waves.to(self.linear_1.weight.dtype))))
        return out


# --- blocks -----------------------------------------------------------------------------------

Norm = Callable[[int], nn.GroupNorm]

# What a sum of two is multiplied by to keep the variance of its terms (Song et al., 2021).
KEEP_VARIANCE = math.sqrt(0.5)


def activated(norm: nn.Module, x: Tensor) -> Tensor:
    """SiLU of the normalised x, in the memory of the norm: a page never touched before costs
    as much as the arithmetic."""
    return F.silu(norm(x), inplace=True)


def halve(x: Tensor) -> Tensor:
    """The mean of each 2x2 pixels."""
    return F.avg_pool2d(x, 2)


def double(x: Tensor) -> Tensor:
    """Each pixel becomes 2x2."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


_RESAMPLE: dict[str, Callable[[Tensor], Tensor]] = {"down": halve, "up": double}


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions with the embedding between them and a skip around them.

    The embedding (B, E), already activated, is added before the second norm or, with `scale`,
    scales and shifts after it. `resample` ("down", "up") halves or doubles the image on both
    paths. `project` puts a 1x1 convolution on the skip; it must where channels change. The sum
    of both paths is multiplied by `rescale`.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        *,
        norm: Norm,
        scale: bool = False,
        resample: str | None = None,
        project: bool = False,
        rescale: float = 1.0,
    ) -> None:
        super().__init__()
        self._scale = scale
        self._resample = _RESAMPLE[resample] if resample else None
        self._rescale = rescale
        self.norm_1 = norm(channels_in)
        self.conv_1 = Conv2d(channels_in, channels, 3)
        self.modulate = nn.Linear(embedding, 2 * channels if scale else channels)
        self.norm_2 = norm(channels)
        self.conv_2 = Conv2d(channels, channels, 3)
        projected = project or channels != channels_in
        self.skip = Conv2d(channels_in, channels, 1) if projected else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = activated(self.norm_1, x)
        if self._resample is not None:
            h, x = self._resample(h), self._resample(x)
        modulation = self.modulate(emb)
        if self._scale:
            h = self._scaled(self.conv_1(h), modulation)
        else:
            h = self.norm_2(self._shifted(h, modulation))
        h = F.silu(h, inplace=True)
        # Only the outcome of a convolution is ours to write over.
        spare = not isinstance(self.skip, nn.Identity)
        out = self.conv_2.onto(self.skip(x), h, spare=spare)
        return out if self._rescale == 1.0 else out.mul_(self._rescale)

    def _shifted(self, h: Tensor, shift: Tensor) -> Tensor:
        """The first convolution plus shift (B, C); for a single image it is part of the bias."""
        conv = self.conv_1
        if len(h) > 1:
            shifted: Tensor = conv(h).add_(shift[:, :, None, None])
            return shifted
        assert conv.bias is not None
        return conv.convolve(h, conv.bias + shift[0])

    def _scaled(self, h: Tensor, modulation: Tensor) -> Tensor:
        """The norm of h, scaled and shifted by (B, 2 C); for a single image its own weights are."""
        norm = self.norm_2
        if len(h) > 1:
            scale, shift = modulation[:, :, None, None].chunk(2, dim=1)
            return torch.addcmul(shift, norm(h), 1 + scale)
        scale, shift = modulation[0].chunk(2)
        scale = 1 + scale
        return F.group_norm(
            h, norm.num_groups, norm.weight * scale, torch.addcmul(shift, norm.bias, scale), norm.eps
        )


class SelfAttention(nn.Module):
    """Self-attention over all positions of an image, with a skip around it."""

    def __init__(self, channels: int, heads: int, *, norm: Norm, rescale: float = 1.0) -> None:
        super().__init__()
        self._heads = heads
        self._rescale = rescale
        self.norm = norm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        tokens = self.norm(x).flatten(2).transpose(1, 2)  # (B, positions, C)
        qkv = self.qkv(tokens).unflatten(2, (3, self._heads, c // self._heads))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, positions, C / heads)
        h = self.out(attend(q, k, v).transpose(1, 2).flatten(2))
        out: Tensor = x + h.transpose(1, 2).reshape(b, c, height, width)
        return out if self._rescale == 1.0 else out.mul_(self._rescale)


class Downsample(nn.Module):
    """A 3x3 convolution of stride 2 that pads below and to the right only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:  # noqa: ARG002 - as a residual block is called
        out: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)))
        return out


class Upsample(nn.Module):
    """Twice the size, then a 3x3 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:  # noqa: ARG002 - as a residual block is called
        out: Tensor = self.conv(double(x))
        return out


# --- the U ------------------------------------------------------------------------------------


class Stage(nn.Module):
    """A residual block and, where there is one, attention."""

    def __init__(self, block: nn.Module, attention: nn.Module | None) -> None:
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h: Tensor = self.block(x, emb)
        return h if self.attention is None else self.attention(h)


class Level(nn.Module):
    """The stages of one resolution, then the way to the next; `skips` is the stack between both arms."""

    def __init__(self, stages: Sequence[Stage], resample: nn.Module | None) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.resample = resample

    def descend(self, h: Tensor, emb: Tensor, skips: list[Tensor]) -> Tensor:
        for stage in self.stages:
            h = stage(h, emb)
            skips.append(h)
        if self.resample is not None:
            h = self.resample(h, emb)
            skips.append(h)
        return h

    def ascend(self, h: Tensor, emb: Tensor, skips: list[Tensor]) -> Tensor:
        for stage in self.stages:
            h = stage(torch.cat([h, skips.pop()], dim=1), emb)
        return h if self.resample is None else self.resample(h, emb)


@dataclass(frozen=True)
class Parts:
    """How one architecture makes each part of its U-Net; arguments are channel counts."""

    norm: Norm
    block: Callable[[int, int], nn.Module]
    attention: Callable[[int], nn.Module]
    down: Callable[[int], nn.Module]
    up: Callable[[int], nn.Module]
    attends_once_going_up: bool = False  # after the last block of a level, instead of after each


class UNet(nn.Module):
    """x (B, channels_in, H, W), activated embedding -> output (B, channels_out, H, W), features.

    `widths` and `attention` hold one entry a resolution, finest first; `blocks` counts those
    of a level going down, and one more goes up. `features` (B, widths[0], H, W) are what the
    last norm, activation and convolution turn into the output. `up` is in the order of `down`.
    """

    def __init__(
        self,
        parts: Parts,
        channels_in: int,
        channels_out: int,
        stem: int,
        widths: Sequence[int],
        blocks: int,
        attention: Sequence[bool],
    ) -> None:
        super().__init__()

        def stage(width_in: int, width: int, attends: bool) -> Stage:
            return Stage(parts.block(width_in, width), parts.attention(width) if attends else None)

        self.stem = nn.Conv2d(channels_in, stem, 3, padding=1)
        last = len(widths) - 1
        here, skips, down, up = stem, [stem], [], []
        for level, (width, attends) in enumerate(zip(widths, attention, strict=True)):
            stages = []
            for _ in range(blocks):
                stages.append(stage(here, width, attends))
                here = width
                skips.append(here)
            if level < last:
                skips.append(here)
            down.append(Level(stages, parts.down(here) if level < last else None))
        self.down = nn.ModuleList(down)
        self.middle = nn.ModuleList([stage(here, here, True), stage(here, here, False)])
        for level in range(last, -1, -1):
            stages = []
            for index in range(blocks + 1):
                attends = attention[level] and (index == blocks or not parts.attends_once_going_up)
                stages.append(stage(here + skips.pop(), widths[level], attends))
                here = widths[level]
            up.append(Level(stages, parts.up(here) if level else None))
        self.up = nn.ModuleList(reversed(up))
        self.norm_out = parts.norm(here)
        self.conv_out = nn.Conv2d(here, channels_out, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> tuple[Tensor, Tensor]:
        h: Tensor = self.stem(x)
        skips = [h]
        for level in self.down:
            assert isinstance(level, Level)
            h = level.descend(h, emb, skips)
        for stage in self.middle:
            h = stage(h, emb)
        for level in reversed(self.up):
            assert isinstance(level, Level)
            h = level.ascend(h, emb, skips)
        return self.conv_out(activated(self.norm_out, h)), h


class TimedUNet(nn.Module):
    """A U-Net that embeds `time_scale` t in sinusoids, and knows no classes.

    x_t (B, C, H, W), log gamma (B,), label -> output (B, C, H, W), features, embedding. The
    label is not looked at. `features` are (B, widths[0], H, W) and `embedding` is
    (B, 4 widths[0]); both feed the GENIE head.
    """

    def __init__(
        self,
        parts: Parts,
        channels: int,
        widths: Sequence[int],
        blocks: int,
        attention: Sequence[bool],
        time_scale: float,
        schedule: VPSchedule,
    ) -> None:
        super().__init__()
        self._schedule = schedule
        self._time_scale = time_scale
        self._waves = widths[0]
        self.embed = TwoLinear(widths[0], 4 * widths[0])
        self.unet = UNet(parts, channels, channels, widths[0], widths, blocks, attention)

    def forward(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # noqa: ARG002
        t = self._schedule.t(log_gamma.exp())
        embedding = self.embed(sinusoids(self._time_scale * t, self._waves))
        output, features = self.unet(x_t, F.silu(embedding))
        return output, features, embedding
