"""A tiny random model on disk, for every test that needs one: 8x8 pixels, made in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from engine.checkpoints.card import Card, Part
from engine.checkpoints.native import config_of, save_model
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig

__all__ = ["CLASSES", "tiny_card", "tiny_states", "write_tiny_model"]

CLASSES = ("Apple", "Boat", "Cloud")


def tiny_card(
    name: str = "tiny",
    classes: Sequence[str] = CLASSES,
    *,
    head: bool = True,
    channels: int = 1,
    image_size: int = 8,
    null_label: bool = True,
) -> Card:
    """The card of such a model; its checksums are filled in on saving."""
    network = CompactConfig(
        image_size=image_size, channels=channels, classes=len(classes), patch=2, widths=(16, 16), blocks=1,
        middle=1, embedding=16,
    )  # fmt: skip
    part = CompactHeadConfig(channels=channels, patch=2, features=16, embedding=16, width=8)
    return Card(
        name=name,
        title=name.capitalize(),
        summary="Random weights, for tests.",
        image_size=image_size,
        channels=channels,
        classes=tuple(classes),
        null_label=null_label,
        network=Part("compact", config_of(network), "network.safetensors"),
        head=Part("compact", config_of(part), "head.safetensors") if head else None,
        data={"name": "Random", "licence": "MIT", "note": ""},
        training={"command": "none", "seed": 0, "steps": 0, "seconds": 0.0, "hardware": "none"},
    )


def tiny_states(card: Card, seed: int = 0) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor] | None]:
    """Random weights for a card: every layer does something, outputs stay of order one."""
    random = torch.Generator().manual_seed(seed)

    def state(module: nn.Module) -> dict[str, torch.Tensor]:
        filled = {}
        for key, value in module.state_dict().items():
            fan_in = max(1, value[0].numel()) if value.ndim > 1 else 1
            noise = torch.randn(value.shape, generator=random)
            if value.ndim > 1:
                filled[key] = noise * (0.7 / fan_in**0.5 if "embed" not in key else 0.5)
            else:
                filled[key] = value + 0.1 * noise
        return filled

    network = state(CompactUNet(CompactConfig(**card.network.config)))
    head = state(CompactHead(CompactHeadConfig(**card.head.config))) if card.head else None
    if head is not None:
        # A head that bends at random throws every pixel to black or white: bend a little.
        head |= {key: 0.05 * value for key, value in head.items() if key.startswith("conv_out")}
    return network, head


def write_tiny_model(
    folder: Path,
    name: str = "tiny",
    classes: Sequence[str] = CLASSES,
    head: bool = True,
    seed: int = 0,
    *,
    channels: int = 1,
    image_size: int = 8,
    null_label: bool = True,
) -> Path:
    """Write the model `folder/name` and return its folder; `Engine([folder])` then offers it."""
    card = tiny_card(
        name, classes, head=head, channels=channels, image_size=image_size, null_label=null_label
    )
    network, head_weights = tiny_states(card, seed)
    save_model(folder / name, card, network, head_weights, torch.float32)
    return folder / name
