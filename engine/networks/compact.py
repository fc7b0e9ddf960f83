"""The studio's own network: a compact class-conditional U-Net made for CPUs.

The image is folded p x p into channels, so that nothing runs at full resolution: on two cores
that is what lets a latent be dragged by hand. Inside, channels come last (B, H, W, C): there a
3x3 convolution in bf16 is twice as fast as in torch's usual order, normalisation over channels
runs along memory, and every change of resolution is a matrix product. Weights of the
convolutions are matrices (out, 9 in), which is what orthogonalised training wants
(`engine.training.optimiser`). Forward-mode differentiation goes through every operation, which
the exact derivative needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.conditioning import Conditioning, KeptConditionings, Modulation
from engine.networks.labels import embed_labels
from engine.networks.onednn import Linear, PackedWeight

__all__ = [
    "CompactConfig",
    "CompactUNet",
    "Convolution",
    "LogGammaEmbedding",
    "ResidualBlock",
    "channel_norm",
    "fold",
    "unfold",
]


@dataclass(frozen=True)
class CompactConfig:
    """Everything that decides the shape of a `CompactUNet`.

    `widths` holds one channel count a resolution, beginning at `image_size / patch` and halved
    from each to the next; at each but the last are `blocks` residual blocks on the way down and
    as many on the way up, at the last `middle`, each followed by self-attention.
    """

    image_size: int = 32
    channels: int = 1
    classes: int = 10
    patch: int = 2
    widths: tuple[int, ...] = (64, 128)
    blocks: int = 2
    middle: int = 2
    embedding: int = 256


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


class Convolution(nn.Module):
    """A 3x3 convolution (B, H, W, in) -> (B, H, W, out); its weight is (out, 9 in), row by row.

    Once `settled`, it may keep the weight in another order too, for when nothing is differentiated.
    """

    _packed: PackedWeight | None = None

    def __init__(self, channels_in: int, channels: int, *, zero: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 9 * channels_in))
        self.bias = nn.Parameter(torch.zeros(channels))
        if not zero:
            nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))  # as nn.Conv2d

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        if self._packed is not None and torch.is_inference_mode_enabled():
            return self._packed.convolve(x, self.bias).permute(0, 2, 3, 1)
        return F.conv2d(x, self._kernel(), self.bias, padding=1).permute(0, 2, 3, 1)

    def settle(self) -> None:
        """The weight is where it stays, and as it stays."""
        kernel = self._kernel().detach()
        self._packed = PackedWeight(kernel) if PackedWeight.helps(kernel) else None

    def _kernel(self) -> Tensor:
        """(out, in, 3, 3), a view in the order that torch calls channels_last: nothing is moved."""
        return self.weight.view(len(self.weight), 3, 3, -1).permute(0, 3, 1, 2)


def channel_norm(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the channels of each position (B, H, W, C)."""
    return F.layer_norm(x, x.shape[-1:])


def fold(x: Tensor, size: int) -> Tensor:
    """(B, H, W, C) -> (B, H / size, W / size, size^2 C): squares into channels."""
    b, h, w, c = x.shape
    squares = x.reshape(b, h // size, size, w // size, size, c).transpose(2, 3)
    return squares.reshape(b, h // size, w // size, size * size * c)


def unfold(x: Tensor, size: int) -> Tensor:
    """(B, H, W, size^2 C) -> (B, size H, size W, C), what `fold` undoes."""
    b, h, w, c = x.shape
    squares = x.reshape(b, h, w, size, size, c // size**2).transpose(2, 3)
    return squares.reshape(b, h * size, w * size, c // size**2)


class ResidualBlock(nn.Module):
    """Two normalised 3x3 convolutions; noise level and class scale and shift between them."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.conv_1 = Convolution(channels, channels)
        self.modulate = Modulation(embedding, channels)
        self.conv_2 = Convolution(channels, channels, zero=True)

    def forward(self, x: Tensor, conditioning: Conditioning) -> Tensor:
        scale, shift = conditioning.through(self.modulate)
        h = self.conv_1(F.silu(channel_norm(x)))
        h = torch.addcmul(shift, channel_norm(h), scale)
        out: Tensor = x + self.conv_2(F.silu(h))
        return out


class AttentionBlock(nn.Module):
    """Self-attention over all positions, 32 channels a head, with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // 32)
        self.qkv = Linear(channels, 3 * channels)
        self.out = Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        b, height, width, c = x.shape
        qkv = self.qkv(channel_norm(x)).reshape(b, height * width, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, positions, channels a head)
        # Spelled out: for as few positions as there are here the fused kernels take twice as
        # long to train on a CPU, and they have no forward-mode derivative.
        weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
        mixed = (weights @ v).transpose(1, 2).reshape(x.shape)
        out: Tensor = x + self.out(mixed)
        return out


class CompactUNet(nn.Module):
    """x (B, C, H, W), log gamma (B,), label (B,) -> output (B, C, H, W), features, embedding.

    The label `classes` is the null label of classifier-free guidance; mixtures of labels are
    weights (B, classes + 1) of any floating type. `features` are the
    activations before the last convolution, (B, widths[0], H / patch, W / patch), and
    `embedding` (B, embedding) is that of noise level and label: both feed the GENIE head.
    """

    _kept: KeptConditionings | None = None

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        c = self.config = config
        folded = c.channels * c.patch**2

        def blocks(width: int) -> nn.ModuleList:
            return nn.ModuleList(ResidualBlock(width, c.embedding) for _ in range(c.blocks))

        *upper, lowest = c.widths
        finer = list(zip(upper, c.widths[1:], strict=True))
        self.embed_noise = LogGammaEmbedding(c.embedding)
        self.embed_label = nn.Embedding(c.classes + 1, c.embedding)
        self.stem = Linear(folded, c.widths[0])
        self.before = nn.ModuleList(blocks(width) for width in upper)
        self.down = nn.ModuleList(Linear(4 * fine, coarse) for fine, coarse in finer)
        self.middle = nn.ModuleList(ResidualBlock(lowest, c.embedding) for _ in range(c.middle))
        self.attention = nn.ModuleList(AttentionBlock(lowest) for _ in range(c.middle))
        self.up = nn.ModuleList(Linear(coarse, 4 * fine) for fine, coarse in finer)
        # Each block on the way up begins with what its counterpart on the way down ended with.
        self.merge = nn.ModuleList(
            nn.ModuleList(Linear(2 * width, width) for _ in range(c.blocks)) for width in upper
        )
        self.after = nn.ModuleList(blocks(width) for width in upper)
        self.conv_out = Convolution(c.widths[0], folded, zero=True)

    def forward(self, x: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def embed() -> Tensor:
            return F.silu(self.embed_noise(log_gamma) + embed_labels(self.embed_label, label))

        told = Conditioning(embed()) if self._kept is None else self._kept.of(log_gamma, label, embed)
        h = self.stem(fold(x.permute(0, 2, 3, 1), self.config.patch))
        skips = []
        for blocks, down in zip(self.before, self.down, strict=True):
            for block in blocks:  # type: ignore[attr-defined]
                h = block(h, told)
                skips.append(h)
            h = down(fold(h, 2))
        for block, attention in zip(self.middle, self.attention, strict=True):
            h = attention(block(h, told))
        for blocks, merges, up in reversed(list(zip(self.after, self.merge, self.up, strict=True))):
            h = unfold(up(h), 2)
            for block, merge in zip(blocks, merges, strict=True):  # type: ignore[call-overload]
                h = block(merge(torch.cat([h, skips.pop()], dim=-1)), told)
        features = F.silu(channel_norm(h))
        out = unfold(self.conv_out(features), self.config.patch)
        return out.permute(0, 3, 1, 2), features.permute(0, 3, 1, 2), told.embedding

    def settle(self) -> None:
        """The weights are where they stay, and as they stay."""
        self._kept = KeptConditionings()
