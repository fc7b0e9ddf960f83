"""The studio's own network: a compact class-conditional U-Net made for CPUs.

The image is folded 2x2 into channels (`pixel_unshuffle`), so that no convolution runs at
full resolution: on two cores that is what lets a latent be dragged by hand. Forward-mode
differentiation goes through every operation, which the exact derivative needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.attention import attend
from engine.networks.labels import embed_labels

__all__ = ["CompactConfig", "CompactUNet"]


@dataclass(frozen=True)
class CompactConfig:
    """Everything that decides the shape of a `CompactUNet`.

    `widths` holds one channel count a resolution, beginning at `image_size / patch`;
    `attention` says at which of them self-attention follows each block.
    """

    image_size: int = 32
    channels: int = 1
    classes: int = 10
    patch: int = 2
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 2
    attention: tuple[bool, ...] = (False, True)
    embedding: int = 256
    dropout: float = 0.0


class PlanarGroupNorm(nn.GroupNorm):
    """Group norm that, in low precision, is computed in the usual memory order.

    Convolutions are fastest in channels_last, but there torch's group norm in bf16 takes
    sixteen times as long on a CPU (1.7 ms against 0.1 for 16x64x16x16; going there and back
    costs 0.2). The result comes in the order of x.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float32 or x.is_contiguous():
            return super().forward(x)
        return super().forward(x.contiguous()).contiguous(memory_format=torch.channels_last)


def _norm(channels: int) -> nn.GroupNorm:
    return PlanarGroupNorm(min(16, channels // 4), channels, eps=1e-5)


class LogGammaEmbedding(nn.Module):
    """Sinusoidal features of log(gamma) / 4, then two linear layers: (B,) -> (B, width)."""

    frequencies: Tensor

    def __init__(self, width: int, bands: int = 32) -> None:
        super().__init__()
        # From one period over the whole range of log gamma to one over about a hundredth.
        frequencies = torch.exp(torch.linspace(math.log(0.5), math.log(32.0), bands))
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.linear_1 = nn.Linear(2 * bands, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, log_gamma: Tensor) -> Tensor:
        phase = (log_gamma / 4.0)[:, None].float() * self.frequencies.float()[None, :]
        waves = torch.cat([phase.sin(), phase.cos()], dim=1).to(self.linear_1.weight.dtype)
        hidden: Tensor = self.linear_2(F.silu(self.linear_1(waves)))
        return hidden


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions; the embedding scales and shifts between them."""

    def __init__(self, channels_in: int, channels: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.norm_1 = _norm(channels_in)
        self.conv_1 = nn.Conv2d(channels_in, channels, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * channels)
        self.norm_2 = _norm(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.skip = nn.Conv2d(channels_in, channels, 1) if channels_in != channels else nn.Identity()
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        h = self.conv_1(F.silu(self.norm_1(x)))
        scale, shift = self.modulate(emb)[:, :, None, None].chunk(2, dim=1)
        h = torch.addcmul(shift, self.norm_2(h), 1 + scale)
        h = self.conv_2(self.dropout(F.silu(h)))
        out: Tensor = self.skip(x) + h
        return out


class AttentionBlock(nn.Module):
    """Self-attention over all positions, 32 channels a head, with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // 32)
        self.norm = _norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        b, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, height * width)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # each (B, heads, positions, channels a head)
        h = attend(q, k, v).transpose(2, 3).reshape(b, c, height, width)
        out: Tensor = x + self.out(h)
        return out


class Stage(nn.Module):
    """A residual block and, where asked, attention."""

    def __init__(self, channels_in: int, channels: int, attention: bool, c: CompactConfig) -> None:
        super().__init__()
        self.block = ResidualBlock(channels_in, channels, c.embedding, c.dropout)
        self.attention = AttentionBlock(channels) if attention else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        out: Tensor = self.attention(self.block(x, emb))
        return out


class CompactUNet(nn.Module):
    """x (B, C, H, W), log gamma (B,), label (B,) -> output (B, C, H, W), features, embedding.

    The label `classes` is the null label of classifier-free guidance; mixtures of labels are
    weights (B, classes + 1) of any floating type. `features` are the
    activations before the last convolution, (B, widths[0], H / patch, W / patch), and
    `embedding` (B, embedding) is that of noise level and label: both feed the GENIE head.
    """

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        c = self.config = config
        folded = c.channels * c.patch**2
        self.embed_noise = LogGammaEmbedding(c.embedding)
        self.embed_label = nn.Embedding(c.classes + 1, c.embedding)
        self.stem = nn.Conv2d(folded, c.widths[0], 3, padding=1)

        levels = list(zip(c.widths, c.attention, strict=True))
        self.down = nn.ModuleList()
        skips = [c.widths[0]]
        width = c.widths[0]
        for level, (channels, attention) in enumerate(levels):
            if level:
                self.down.append(nn.Conv2d(width, channels, 3, stride=2, padding=1))
                width = channels
                skips.append(width)
            for _ in range(c.blocks):
                self.down.append(Stage(width, channels, attention, c))
                width = channels
                skips.append(width)
        self.middle = Stage(width, width, True, c)
        self.up = nn.ModuleList()
        for level, (channels, attention) in reversed(list(enumerate(levels))):
            for _ in range(c.blocks + 1):
                self.up.append(Stage(width + skips.pop(), channels, attention, c))
                width = channels
            if level:
                self.up.append(nn.Conv2d(width, c.widths[level - 1], 3, padding=1))
                width = c.widths[level - 1]
        self.norm_out = _norm(width)
        self.conv_out = nn.Conv2d(width, folded, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        emb = F.silu(self.embed_noise(log_gamma) + embed_labels(self.embed_label, label))
        h = self.stem(F.pixel_unshuffle(x, self.config.patch))
        skips = [h]
        for layer in self.down:
            h = layer(h, emb) if isinstance(layer, Stage) else layer(h)
            skips.append(h)
        h = self.middle(h, emb)
        for layer in self.up:
            if isinstance(layer, Stage):
                h = layer(torch.cat([h, skips.pop()], dim=1), emb)
            else:
                h = layer(F.interpolate(h, scale_factor=2.0, mode="nearest"))
        features = F.silu(self.norm_out(h))
        return F.pixel_shuffle(self.conv_out(features), self.config.patch), features, emb
