"""A tiny upsampler with random weights on disk: 8 to 32 pixels, made in milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.checkpoints.card import Card, Part
from engine.checkpoints.native import config_of, save_model
from engine.networks.adm import ADMUpsampler, ADMUpsamplerConfig
from engine.networks.compact_upsampler import (
    CompactUpsampler,
    CompactUpsamplerConfig,
    CompactUpsamplerHead,
    CompactUpsamplerHeadConfig,
)
from engine.networks.published_head import PublishedHead, PublishedHeadConfig

__all__ = ["write_tiny_upsampler"]


_PARTS: dict[str, tuple[Any, Any]] = {
    "adm-upsampler": (ADMUpsampler, PublishedHead),
    "compact-upsampler": (CompactUpsampler, CompactUpsamplerHead),
}


def write_tiny_upsampler(
    folder: Path,
    name: str = "larger",
    *,
    kind: str = "adm-upsampler",
    head: bool = True,
    data: str = "Random",
    channels: int = 3,
    aug_level: float = 0.1,
) -> Path:
    """Write the upsampler `folder/name`; `Engine([folder])` then offers it."""
    config: Any
    part: Any
    if kind == "adm-upsampler":
        config = ADMUpsamplerConfig(
            image_size=32, channels=channels, widths=(32, 32), blocks=1, attention=(False, True),
            head_channels=16, low_resolution=8,
        )  # fmt: skip
        part = PublishedHeadConfig(channels=channels, features=32, embedding=128, width=32, conditioned=True)
    else:
        config = CompactUpsamplerConfig(
            image_size=32, channels=channels, widths=(16, 16), embedding=16, low_resolution=8
        )
        part = CompactUpsamplerHeadConfig(channels=channels, features=16, embedding=16, width=8)
    network, bent = _PARTS[kind]
    card = Card(
        name=name,
        title=name.capitalize(),
        summary="Random weights, for tests.",
        image_size=32,
        channels=channels,
        classes=(),
        null_label=False,
        network=Part(kind, config_of(config), "network.safetensors"),
        head=Part("published" if kind == "adm-upsampler" else kind, config_of(part), "head.safetensors")
        if head
        else None,
        aug_level=aug_level,
        data={"name": data, "licence": "MIT", "note": ""},
    )
    head_state = _random(bent(part), 1) if head else None
    save_model(folder / name, card, _random(network(config), 0), head_state, torch.float32)
    return folder / name


def _random(module: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {
        key: torch.randn(value.shape, generator=random) * 0.1 for key, value in module.state_dict().items()
    }
