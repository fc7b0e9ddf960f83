"""Small models with random weights, written the way GENIE's files are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints.layouts import Row, rows_of
from engine.checkpoints.recognise import PUBLISHED, PublishedModel, build
from engine.networks.adm import ADMConfig, ADMUpsamplerConfig
from engine.networks.ddpm import DDPMConfig
from engine.networks.ncsnpp import NCSNppConfig
from engine.networks.published_head import PublishedHeadConfig

__all__ = [
    "HEADS",
    "NETWORKS",
    "document_of",
    "random_network",
    "shapes_of",
    "small_models",
    "write_published",
    "write_small_model",
]

# One of each architecture, with what makes it that of a published model: where there is attention.
NETWORKS: dict[str, Any] = {
    "cifar10": NCSNppConfig(widths=(32, 64, 64), blocks=1, attention=(False, True, False)),
    "church128": DDPMConfig(image_size=32, widths=(32, 64), blocks=1, attention=(False, True)),
    "imagenet64": ADMConfig(
        image_size=16, widths=(32, 64), blocks=1, attention=(False, True), head_channels=16
    ),
    "imagenet64-cond": ADMConfig(
        image_size=16, classes=5, widths=(32, 64), blocks=1, attention=(False, True), head_channels=16
    ),
    "cats128": ADMConfig(
        image_size=32, widths=(32, 32, 64), blocks=1, attention=(False, True, True), head_channels=16
    ),
    "cats-upsampler": ADMUpsamplerConfig(
        image_size=32, widths=(32, 32, 64), blocks=1, attention=(False, True, True), head_channels=16,
        low_resolution=8,
    ),
}  # fmt: skip
HEADS = {
    name: PublishedHeadConfig(
        features=32,
        embedding=128,
        width=32,
        conditioned=name == "cats-upsampler",
        normalized=name == "church128",
    )
    for name in NETWORKS
}


def random_network(config: Any, seed: int = 0) -> nn.Module:
    network = build(config).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(seed)
    for value in network.state_dict().values():
        value.copy_(torch.randn(value.shape, generator=random) * 0.3)
    return network


def _published_value(row: Row, state: dict[str, Tensor]) -> Tensor:
    ours = state[row.ours]
    if row.third is not None:
        ours = ours.chunk(3)[row.third]
    return (ours.T if row.transposed else ours).reshape(row.shape).clone()


def document_of(network: nn.Module) -> dict[str, Any]:
    """What `torch.save` was given: raw weights of zero beside the averages, but for a head."""
    rows, state = rows_of(network), network.state_dict()
    values = [_published_value(row, state) for row in rows]
    if "conv_out.weight" in state:
        model = dict(zip(("module." + row.key for row in rows), values, strict=True))
        return {"model": model, "optimizer": {"state": {}, "param_groups": []}, "step": 20000}
    raw = {
        "module." + row.key: value if row.frozen else torch.zeros_like(value)
        for row, value in zip(rows, values, strict=True)
    }
    averages = [value for row, value in zip(rows, values, strict=True) if not row.frozen]
    ema = {"decay": 0.9999, "num_updates": 300000, "shadow_params": averages}
    return {"model": raw, "ema": ema, "optimizer": {"state": {}, "param_groups": []}, "step": 300000}


def write_published(path: Path, network: nn.Module) -> Path:
    torch.save(document_of(network), path)
    return path


def shapes_of(config: Any) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {row.key: row.shape for row in rows_of(build(config))}


def small_models() -> tuple[PublishedModel, ...]:
    """The published models as if they were of the sizes above, to stand in `recognise.PUBLISHED`.

    ImageNet's keeps its 1,000 classes.
    """
    configs = NETWORKS | {"imagenet64-cond": replace(NETWORKS["imagenet64-cond"], classes=1000)}
    configs["bedroom128"] = NETWORKS["church128"]
    heads = HEADS | {"bedroom128": HEADS["cifar10"]}
    return tuple(replace(model, network=configs[model.name], head=heads[model.name]) for model in PUBLISHED)


def write_small_model(folder: Path, name: str, *, head: bool = True) -> list[Path]:
    """The files of one of `small_models`, in a folder of its own: the network, then the head."""
    model = next(model for model in small_models() if model.name == name)
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    files = [write_published(place / "checkpoint.pth", random_network(model.network))]
    if head:
        files.append(write_published(place / "genie_checkpoint.pth", random_network(model.head, seed=1)))
    return files
