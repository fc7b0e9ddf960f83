"""What a training draws its batches from.

A recipe names its data (`engine.training.data`); whatever that is, it arrives here: pictures as
uint8 and labels, drawn with a generator, so that a batch depends on the seed and the step alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Examples", "PlainExamples", "VariedExamples", "turn_hue"]


class Examples(Protocol):
    """Labelled pictures to train on."""

    def __len__(self) -> int: ...

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` pictures uint8 (count, C, H, W) on the CPU and their labels int64 (count,)."""
        ...


@dataclass(frozen=True)
class PlainExamples:
    """images uint8 (N, C, H, W) with labels (N,), each as likely as any other, as they are."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(self.images), (count,), generator=random)
        return self.images[rows], self.labels[rows]


@dataclass(frozen=True)
class VariedExamples:
    """Few pictures, made to go further: each drawn a little otherwise every time.

    `images` (V, N, 3, H, W) holds every picture in V sizes on a plain `background`; one is drawn
    with probability in proportion to `weights` (N,), in any of its sizes, mirrored half the time
    where `mirrored` (N,) allows it, moved by up to `shift` pixels each way, with its hues turned
    by up to `hue` radians. Nothing of this is seen as a fault in a picture that comes out so.
    With `crop` a square of that many pixels is cut out of it, anywhere.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor
    mirrored: Tensor
    shift: int = 0
    hue: float = 0.0
    crop: int = 0
    background: int = 255

    def __len__(self) -> int:
        return len(self.labels)

    def draw(self, count: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        # All random numbers first and always as many, whatever becomes of them.
        rows = torch.multinomial(self.weights, count, replacement=True, generator=random)
        sizes = torch.randint(len(self.images), (count,), generator=random)
        coins = torch.rand(count, generator=random) < 0.5
        moves = torch.randint(-self.shift, self.shift + 1, (count, 2), generator=random)
        angles = (2.0 * torch.rand(count, generator=random) - 1.0) * self.hue

        height, width = (self.crop or side for side in self.images.shape[3:])
        if self.crop:
            room = torch.tensor([side - self.crop + 1 for side in self.images.shape[3:]])
            corners = (torch.rand(count, 2, generator=random) * room).long().tolist()
            drawn = torch.stack(
                [
                    self.images[size, row, :, top : top + height, left : left + width]
                    for size, row, (top, left) in zip(sizes, rows, corners, strict=True)
                ]
            )
        else:
            drawn = self.images[sizes, rows]
        flip = coins & self.mirrored[rows]
        drawn = torch.where(flip[:, None, None, None], drawn.flip(3), drawn)
        if self.shift:
            s = self.shift
            padded = F.pad(drawn, (s, s, s, s), value=self.background)
            starts = (moves + s).tolist()
            drawn = torch.stack(
                [
                    image[:, top : top + height, left : left + width]
                    for image, (top, left) in zip(padded, starts, strict=True)
                ]
            )
        if self.hue:
            drawn = turn_hue(drawn, angles)
        return drawn, self.labels[rows]


def turn_hue(images: Tensor, angles: Tensor) -> Tensor:
    """uint8 RGB (B, 3, H, W), its colours turned by angles (B,) in radians about the grey axis.

    Greys, and so a white background, stay as they are; lightness (Rec. 601) nearly does.
    """
    # RGB -> YIQ (NTSC 1953), where a turn of (I, Q) is a turn of the hue.
    to_yiq = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
    cos, sin = angles.cos(), angles.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    turn = torch.stack([one, zero, zero, zero, cos, -sin, zero, sin, cos], dim=1).reshape(-1, 3, 3)
    matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq  # (B, 3, 3)
    turned = torch.bmm(matrix, images.float().flatten(2)).reshape(images.shape)
    return turned.round_().clamp_(0.0, 255.0).to(torch.uint8)
