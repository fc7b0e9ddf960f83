"""The GENIE head: d eps/d gamma from what the network already knows.

Dockhorn et al., 2022, section 3.2: the head sees [x_t, eps, last features] and the embedding
of the noise level, puts out h1, h2, h3, and the derivative is the mixture

    k = -h1 / gamma + h2 gamma / (1 + gamma^2) + h3 / (gamma (1 + gamma^2))

whose three terms have the magnitudes d eps/d gamma has over most of the range of gamma, so
that the network itself only has to put out numbers of order one. Far out they are too large:
for data of variance c around a mean the flow can be solved, and there

    gamma d eps/d gamma = c gamma z / (c + gamma^2)^(3/2)  ~  1 / gamma^2,    z ~ N(0, 1),

while the mixture falls no faster than h. Our heads' outputs are therefore faded out, times
1 / (1 + (gamma / fade)^2); else what little they err there, times the square of the first
step, is most of the error of five steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.networks.conditioning import KeptOutputs
from engine.networks.onednn import Conv2d

__all__ = ["CompactHead", "CompactHeadConfig", "HeadNetwork", "mixed_convolution", "mixed_derivative"]


class HeadNetwork(Protocol):
    """x_t, eps (B, C, H, W), features, embedding (B, E), gamma -> d eps/d gamma (B, C, H, W).

    gamma is a number or broadcasts against (B, C, H, W).
    """

    def __call__(
        self, x_t: Tensor, eps: Tensor, features: Tensor, embedding: Tensor, gamma: float | Tensor
    ) -> Tensor: ...


def mixed_derivative(h: Tensor, gamma: float | Tensor, fade: float = math.inf) -> Tensor:
    """h1, h2, h3 as (B, 3C, H, W) -> k (B, C, H, W). gamma is a number or broadcasts against k.

    `fade` is the gamma around which the outputs begin to count less; infinite for never.
    """
    h1, h2, h3 = h.chunk(3, dim=1)
    of_1, of_2, of_3 = _shares(gamma, fade)
    k: Tensor = h1 * of_1 + h2 * of_2 + h3 * of_3
    return k


def _shares(gamma: float | Tensor, fade: float) -> tuple[Any, Any, Any]:
    """What h1, h2 and h3 count at gamma: numbers, or tensors as gamma is."""
    level = 1.0 + gamma * gamma
    left = 1.0 / (1.0 + (gamma / fade) ** 2)
    return -left / gamma, left * gamma / level, left / (gamma * level)


def mixed_convolution(conv: nn.Conv2d, x: Tensor, gamma: float | Tensor, fade: float = math.inf) -> Tensor:
    """`mixed_derivative` of conv(x): (B, W, H, W) -> (B, C, H, W), for a convolution with 3C outputs.

    Where gamma is one number, its rows are mixed before the images come to them: a third of the
    work, and no difference of large numbers is taken in low precision.
    """
    if isinstance(gamma, Tensor):
        return mixed_derivative(conv(x), gamma, fade)
    assert conv.bias is not None
    finer = torch.promote_types(x.dtype, torch.float32)
    rows = torch.cat([conv.weight.flatten(1), conv.bias[:, None]], dim=1).to(finer)
    of_1, of_2, of_3 = _shares(gamma, fade)
    first, second, third = rows.chunk(3)
    mixed = (first * of_1).add_(second, alpha=of_2).add_(third, alpha=of_3).to(x.dtype)
    weight = mixed[:, :-1].reshape(-1, *conv.weight.shape[1:])
    return F.conv2d(x, weight, mixed[:, -1], padding=conv.padding)


@dataclass(frozen=True)
class CompactHeadConfig:
    """The shape of a `CompactHead`; the first four repeat those of its network.

    `kernel` is how wide it looks at the features, `image` whether it looks at x_t and eps at all.
    """

    channels: int = 1
    patch: int = 2
    features: int = 64
    embedding: int = 256
    width: int = 32
    fade: float = 4.0
    kernel: int = 3
    image: bool = True


class CompactHead(nn.Module):
    """A head for `CompactUNet` that works on the folded image, where its features live.

    Next to a network this small every pass over an image counts. Only the look at the features
    is wide, if anything is: a position is a square of p x p pixels already. Image and features
    are convolved apart and added, which spares putting them side by side. Where a position has
    many features for few pixels, the image tells the head little that they do not (`image` off).

    `width` should not be far below the 3C p^2 numbers that are put out at every position: with a
    fourth of that, next to nothing was learnt.
    """

    _kept: KeptOutputs | None = None

    def __init__(self, config: CompactHeadConfig) -> None:
        super().__init__()
        c = self.config = config
        self.fade = c.fade
        self.conv_features = Conv2d(c.features, c.width, c.kernel)
        # From square to square of pixels: what a 1x1 convolution of the folded image would be.
        self.conv_image = (
            nn.Conv2d(2 * c.channels, c.width, c.patch, stride=c.patch, bias=False) if c.image else None
        )
        self.modulate = nn.Linear(c.embedding, 2 * c.width)
        self.conv_out = nn.Conv2d(c.width, 3 * c.channels * c.patch**2, 1)
        with torch.no_grad():
            self.modulate.bias[: c.width].fill_(1.0)  # scales begin around one, shifts around zero
            self.conv_out.weight.zero_()
        nn.init.zeros_(self.conv_out.bias)  # type: ignore[arg-type]

    def forward(
        self, x_t: Tensor, eps: Tensor, features: Tensor, embedding: Tensor, gamma: float | Tensor
    ) -> Tensor:
        h = self.conv_features(features)
        if self.conv_image is not None:
            h = h + self.conv_image(torch.cat([x_t, eps], dim=1))
        modulation = self.modulate(embedding) if self._kept is None else self._kept.of(embedding)
        scale, shift = modulation[:, :, None, None].chunk(2, dim=1)
        h = F.silu(torch.addcmul(shift, h, scale))
        # Each of h1, h2, h3 fills (B, C p^2, H/p, W/p), so that they can be mixed while folded.
        return F.pixel_shuffle(mixed_convolution(self.conv_out, h, gamma, self.fade), self.config.patch)

    def settle(self) -> None:
        """The weights are where they stay, and as they stay."""
        self._kept = KeptOutputs(self.modulate)
