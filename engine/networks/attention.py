"""Attention that is fused where it can be and differentiable forwards where it must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend", "forward_differentiable"]

_explicit: ContextVar[bool] = ContextVar("explicit_attention", default=False)


@contextmanager
def forward_differentiable() -> Iterator[None]:
    """Spell attention out inside this block.

    The fused kernels have no forward-mode derivative; Jacobian-vector products need one.
    """
    token = _explicit.set(True)
    try:
        yield
    finally:
        _explicit.reset(token)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for q, k, v of shape (B, heads, positions, d)."""
    if not _explicit.get():
        fused: Tensor = F.scaled_dot_product_attention(q, k, v)
        return fused
    weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(dim=-1)
    mixed: Tensor = weights @ v
    return mixed
