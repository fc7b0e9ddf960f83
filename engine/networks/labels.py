"""Class labels as vectors, and mixtures of them."""

from __future__ import annotations

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
    return label[:, : embedding.num_embeddings].to(embedding.weight.dtype) @ embedding.weight
