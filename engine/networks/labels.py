"""Class labels as vectors, and mixtures of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["embed_labels"]


def embed_labels(embedding: nn.Embedding, label: Tensor) -> Tensor:
    """Labels as class numbers (B,), or as weights (B, labels) of each -> (B, width).

    A mixture is that of the embeddings: sum w_i e_i. All the weight on one label gives its
    embedding to the bit. Weights for labels the embedding has not (a null label it was not
    trained with) are left out.
    """
    if not label.is_floating_point():
        single: Tensor = embedding(label)
        return single
    # In bf16 the weights have steps of 1/256, at which a walk between classes would jump.
    fine = torch.promote_types(embedding.weight.dtype, torch.float32)
    mixed = label[:, : embedding.num_embeddings].to(fine) @ embedding.weight.to(fine)
    return mixed.to(embedding.weight.dtype)
