"""What blocks are told of noise level and class: made once, and kept for the next picture.

An embedding of both goes through a linear layer in every block. That is little work, but for one
small image on a CPU it is an eighth of an evaluation; and picture after picture is walked along
the same levels, often with the same class. So it is kept, once the weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Conditioning", "KeptConditionings", "KeptOutputs", "Modulation"]

_MOST = 64  # of each kind, two walks of Best 25; 21 MB for Emoji 64 in fp32
_IMAGES = 16  # with more at once the images are all the work

K = TypeVar("K")
V = TypeVar("V")


class Modulation(nn.Linear):
    """An embedding (B, E) -> a scale around one and a shift of channels that come last, (B, 1, 1, C) each."""

    def __init__(self, embedding: int, channels: int) -> None:
        super().__init__(embedding, 2 * channels)

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        scale, shift = super().forward(embedding)[:, None, None].chunk(2, dim=-1)
        return 1 + scale, shift


class Conditioning:
    """An embedding (B, E), and what each block's modulation makes of it, once."""

    def __init__(self, embedding: Tensor) -> None:
        self.embedding = embedding
        self._made: dict[Modulation, tuple[Tensor, Tensor]] = {}

    def through(self, modulation: Modulation) -> tuple[Tensor, Tensor]:
        """modulation(embedding)."""
        made = self._made.get(modulation)
        if made is None:
            made = self._made[modulation] = modulation(self.embedding)
        return made


class KeptConditionings:
    """A network's last conditionings, by noise level and labels."""

    def __init__(self) -> None:
        self._kept: dict[object, Conditioning] = {}

    def of(self, log_gamma: Tensor, label: Tensor, embed: Callable[[], Tensor]) -> Conditioning:
        """That of log gamma (B,) and label (B,); what is new is made with `embed`.

        Only of one level for all images and of labels that are no mixtures anything is kept.
        """
        one_level = len(log_gamma) == 1 or log_gamma.stride(0) == 0
        if not (one_level and not label.is_floating_point() and _worth_keeping(label)):
            return Conditioning(embed())
        asked = (float(log_gamma[0]), log_gamma.dtype, *label.tolist())
        found = self._kept.get(asked)
        return _keep(self._kept, asked, Conditioning(embed())) if found is None else found


class KeptOutputs:
    """What a layer made of the last embeddings, which a network that keeps its own gives again."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def of(self, embedding: Tensor) -> Tensor:
        """layer(embedding) of an embedding (B, E)."""
        if not _worth_keeping(embedding):
            made: Tensor = self._layer(embedding)
            return made
        found = self._kept.get(id(embedding))  # it is kept as well, so no other can have its id
        if found is None:
            found = _keep(self._kept, id(embedding), (embedding, self._layer(embedding)))
        return found[1]


def _worth_keeping(rows: Tensor) -> bool:
    """Not while anything is differentiated, and not on a GPU, which would have to be waited for."""
    return torch.is_inference_mode_enabled() and rows.device.type == "cpu" and len(rows) <= _IMAGES


def _keep(kept: dict[K, V], key: K, value: V) -> V:
    kept[key] = value
    while len(kept) > _MOST:
        del kept[next(iter(kept))]
    return value
