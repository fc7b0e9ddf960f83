"""The optimiser of the networks: Muon for what is inside, AdamW for what is at the ends.

Muon (Jordan et al., 2024) makes the momentum of every hidden matrix orthogonal before it steps
along it, with steps as large as AdamW's would be (Liu et al., Muon is Scalable for LLM Training,
2025, section 2.2). On the emoji it came to the loss of AdamW in a fifth of the time. It is made
for matrices between hidden layers: embeddings, the first and the last layer, and all vectors stay
with AdamW.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

__all__ = ["Optimiser", "network_optimiser"]

_ENDS = ("embed_", "stem.", "conv_out.")  # how a network's first and last layers are called


class Optimiser:
    """Optimisers of parts of one module, stepped, saved and restored as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self._parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {type(part).__name__: part.state_dict() for part in self._parts}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Errors: `KeyError`, `ValueError` for the state of other optimisers or another module."""
        for part in self._parts:
            part.load_state_dict(state[type(part).__name__])


def network_optimiser(network: nn.Module, learning_rate: float, weight_decay: float) -> Optimiser:
    """Muon with `weight_decay` for the hidden matrices, AdamW without any for the rest."""
    hidden = [
        value for name, value in network.named_parameters() if value.ndim == 2 and not name.startswith(_ENDS)
    ]
    chosen = {id(value) for value in hidden}
    rest = [value for value in network.parameters() if id(value) not in chosen]
    return Optimiser(
        torch.optim.Muon(hidden, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True),
    )
