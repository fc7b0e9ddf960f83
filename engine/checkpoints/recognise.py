"""Which of GENIE's seven published models is this? Told from keys and shapes alone.

The shape of a network is read off its keys, the network is laid out on the meta device (which
costs no memory), and its layout is compared with what is there, every key and shape. Two
things no shape tells: Bedrooms and Church-Outdoor share one architecture, and so do the heads
of models of the same width. `Recognised.models` then lists all it can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import nn

from engine.checkpoints.foreign import describe_foreign, foreign_kind
from engine.checkpoints.layouts import rows_of
from engine.checkpoints.structure import NetworkConfig, read_structure
from engine.errors import BadCheckpoint
from engine.networks.adm import ADM, ADMConfig, ADMUpsampler, ADMUpsamplerConfig
from engine.networks.ddpm import DDPM, DDPMConfig
from engine.networks.ncsnpp import NCSNpp, NCSNppConfig
from engine.networks.published_head import PublishedHead, PublishedHeadConfig

__all__ = ["PUBLISHED", "PublishedModel", "Recognised", "Shapes", "build", "differences", "recognise"]

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class PublishedModel:
    """One of the seven: what its files hold, what its network predicts and learnt from.

    `word` is one that a folder or file of this model is likely to be named with.
    """

    name: str
    title: str
    network: NetworkConfig
    head: PublishedHeadConfig
    prediction: str
    data: str
    word: str


_HEAD_128 = PublishedHeadConfig()
_HEAD_192 = PublishedHeadConfig(features=192, embedding=768, width=192)
_CATS = ADMConfig(
    image_size=128, widths=(192, 384, 384, 576, 576), blocks=2, attention=(False, False, False, True, True)
)

PUBLISHED = (
    PublishedModel("cifar10", "CIFAR-10", NCSNppConfig(), _HEAD_128, "eps", "CIFAR-10", "cifar"),
    PublishedModel(
        "bedroom128", "LSUN Bedrooms", DDPMConfig(), _HEAD_128, "eps", "LSUN Bedrooms", "bedroom"
    ),
    PublishedModel(
        "church128", "LSUN Church-Outdoor", DDPMConfig(), replace(_HEAD_128, normalized=True), "eps",
        "LSUN Church-Outdoor", "church",
    ),
    PublishedModel("imagenet64", "ImageNet 64", ADMConfig(), _HEAD_192, "eps", "ImageNet", "imagenet"),
    PublishedModel(
        "imagenet64-cond", "ImageNet 64 with classes", ADMConfig(classes=1000), _HEAD_192, "eps",
        "ImageNet", "imagenet",
    ),
    PublishedModel("cats128", "AFHQ-v2 cats", _CATS, _HEAD_192, "v", "AFHQ-v2 cats", "cat"),
    PublishedModel(
        "cats-upsampler", "AFHQ-v2 cats, 128 to 512", ADMUpsamplerConfig(),
        PublishedHeadConfig(features=96, embedding=384, width=96, conditioned=True), "v",
        "AFHQ-v2 cats", "upsampler",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Recognised:
    """What a state is: a network or a head, and the published models whose it can be.

    `exact` says that its size is the published one. Otherwise it is the same architecture in
    another size, and what no key tells (image size, channels of an attention head) is assumed.
    """

    config: NetworkConfig | PublishedHeadConfig
    models: tuple[PublishedModel, ...]
    exact: bool

    @property
    def is_head(self) -> bool:
        return isinstance(self.config, PublishedHeadConfig)


def build(config: NetworkConfig | PublishedHeadConfig) -> nn.Module:
    """The network or head of this shape, on torch's present default device."""
    match config:
        case NCSNppConfig():
            return NCSNpp(config)
        case DDPMConfig():
            return DDPM(config)
        case ADMConfig():
            return ADM(config)
        case ADMUpsamplerConfig():
            return ADMUpsampler(config)
        case PublishedHeadConfig():
            return PublishedHead(config)


def recognise(shapes: Shapes, name: str) -> Recognised:
    """What a state with these keys (without `module.`) and shapes is.

    A `BadCheckpoint` says what `name`, the file, holds instead, as far as it can be told, and
    what could be imported.
    """
    config = read_structure(shapes)
    if config is not None and not differences(shapes, config):
        return _known(config)
    nearest = None if foreign_kind(shapes) else _nearest(shapes)
    if nearest is not None:
        part, model, differing = nearest
        raise BadCheckpoint(
            f"{name} is almost the {part} of {model.title}, but not quite: {differing}. "
            "Use the file as it was published.",
            field="file",
        )
    raise BadCheckpoint(
        f"{name} holds {describe_foreign(shapes)}. Models you can import: "
        f"{', '.join(model.title for model in PUBLISHED)}, each a network and a GENIE head.",
        field="file",
    )


def differences(shapes: Shapes, config: NetworkConfig | PublishedHeadConfig) -> str:
    """The first keys in which a state differs from the published layout; empty if none does."""
    expected = _layout(config)
    said = []
    missing = [key for key in expected if key not in shapes]
    unknown = [key for key in shapes if key not in expected]
    other = [
        f"{key} {list(shapes[key])} instead of {list(shape)}"
        for key, shape in expected.items()
        if key in shapes and tuple(shapes[key]) != shape
    ]
    for word, keys in (("missing ", missing), ("unknown ", unknown), ("", other)):
        if keys:
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            # A hostile file may have keys of any length.
            said.append(word + ", ".join(key[:100] for key in keys[:3]) + more)
    return "; ".join(said)


@lru_cache(maxsize=32)
def _layout(config: NetworkConfig | PublishedHeadConfig) -> Shapes:
    with torch.device("meta"):
        return {row.key: row.shape for row in rows_of(build(config))}


def _known(config: NetworkConfig | PublishedHeadConfig) -> Recognised:
    """The published models of this shape, or, where there is none, of this kind."""
    if isinstance(config, PublishedHeadConfig):
        models = tuple(model for model in PUBLISHED if model.head == config)
        if models:
            return Recognised(config, models, True)
        kind = (config.conditioned, config.normalized)
        like = tuple(m for m in PUBLISHED if (m.head.conditioned, m.head.normalized) == kind)
        return Recognised(config, like or PUBLISHED, False)
    for model in PUBLISHED:
        if _visible(model.network) == _visible(config):
            same = tuple(other for other in PUBLISHED if other.network == model.network)
            return Recognised(model.network, same, True)
    alike = tuple(m for m in PUBLISHED if _kind(m.network) == _kind(config))
    return Recognised(config, alike or tuple(m for m in PUBLISHED if type(m.network) is type(config)), False)


def _visible(config: NetworkConfig) -> tuple[object, ...]:
    """All that keys and shapes tell of a network."""
    return type(config), config.widths, config.blocks, config.attention, config.classes, config.channels


def _kind(config: NetworkConfig) -> tuple[object, ...]:
    """What the published networks of one architecture differ in, but for their size."""
    # ImageNet's attend at one resolution, the cats' at several.
    several = isinstance(config, ADMConfig) and sum(config.attention) > 1
    return type(config), config.classes > 0, several


def _nearest(shapes: Shapes) -> tuple[str, PublishedModel, str] | None:
    """(part, model, differences) of the published state that shares most keys, if it shares many."""
    best: tuple[float, str, PublishedModel] | None = None
    for model in PUBLISHED:
        for part, config in (("network", model.network), ("GENIE head", model.head)):
            expected = _layout(config)
            same = sum(tuple(shapes.get(key, ())) == shape for key, shape in expected.items())
            share = same / max(len(expected), len(shapes))
            if best is None or share > best[0]:
                best = (share, part, model)
    if best is None or best[0] < 0.5:
        return None
    _, part, model = best
    return part, model, differences(shapes, model.network if part == "network" else model.head)
