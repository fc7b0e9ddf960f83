"""The shape of a network, read off the keys and shapes of its published state."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from engine.networks.adm import ADMConfig, ADMUpsamplerConfig
from engine.networks.ddpm import DDPMConfig
from engine.networks.ncsnpp import NCSNppConfig
from engine.networks.published_head import PublishedHeadConfig

__all__ = ["NetworkConfig", "read_structure"]

NetworkConfig = DDPMConfig | NCSNppConfig | ADMConfig | ADMUpsamplerConfig

_Shapes = Mapping[str, tuple[int, ...]]


def read_structure(shapes: _Shapes) -> NetworkConfig | PublishedHeadConfig | None:
    """The config these keys speak of, or None; whether all of them fit it is not checked here."""
    for mark, read in _READERS.items():
        if mark in shapes:
            try:
                config = read(shapes)
            except (LookupError, ValueError, ZeroDivisionError):
                return None
            return config if _plausible(config) else None
    return None


def _plausible(config: NetworkConfig | PublishedHeadConfig) -> bool:
    """Can this be built? A hostile file may speak of a billion levels."""
    if isinstance(config, PublishedHeadConfig):
        return (
            config.width % 4 == 0
            and min(config.channels, config.features, config.embedding, config.width) > 0
        )
    return (
        config.channels > 0
        and 0 < len(config.widths) <= 12
        and 0 < config.blocks <= 64
        and all(width > 0 and width % 32 == 0 for width in config.widths)
    )


def _head(shapes: _Shapes) -> PublishedHeadConfig:
    inner = "all_modules.0.all_modules"
    normalized = len(shapes[f"{inner}.0.weight"]) == 1
    first = int(normalized)
    channels = shapes[f"{inner}.{first + 3}.weight"][0] // 3
    width, seen = shapes[f"{inner}.{first}.weight"][:2]
    embedding = shapes[f"{inner}.{first + 1}.Dense_0.weight"][1]
    # Two images and the features, or three: the features are as wide as the head itself.
    conditioned = seen == 3 * channels + width
    features = seen - (3 if conditioned else 2) * channels
    return PublishedHeadConfig(channels, features, embedding, width, conditioned, normalized)


def _ddpm(shapes: _Shapes) -> DDPMConfig:
    levels = range(_count(shapes, r"down\.(\d+)\."))
    widths = tuple(shapes[f"down.{level}.block.0.conv1.weight"][0] for level in levels)
    attention = tuple(f"down.{level}.attn.0.q.weight" in shapes for level in levels)
    # Published with attention at 16 pixels.
    size = 16 << attention.index(True) if any(attention) else 2 << len(widths)
    blocks = _count(shapes, r"down\.0\.block\.(\d+)\.")
    return DDPMConfig(size, shapes["conv_in.weight"][1], 0, widths, blocks, attention)


def _ncsnpp(shapes: _Shapes) -> NCSNppConfig:
    """Walks the flat list down to the coarsest level; a block that resamples ends a level.

    Such a block has a convolution on its skip though its channels stay. Half of them go down.
    """
    count = _count(shapes, r"all_modules\.(\d+)\.")
    skips = (shapes.get(f"all_modules.{index}.Conv_2.weight", (0, 1)) for index in range(count))
    ends = [index for index, skip in enumerate(skips) if skip[0] == skip[1]]
    starts = [3, *(end + 1 for end in ends[: len(ends) // 2])]
    widths = tuple(shapes[f"all_modules.{start}.Conv_0.weight"][0] for start in starts)
    attention = tuple(f"all_modules.{start + 1}.NIN_0.W" in shapes for start in starts)
    size = 16 << attention.index(True) if any(attention) else 2 << len(widths)
    blocks = (ends[0] - 3) // (2 if attention[0] else 1)
    return NCSNppConfig(size, shapes["all_modules.2.weight"][1], 0, widths, blocks, attention)


def _adm(shapes: _Shapes) -> ADMConfig:
    widths, blocks, attention = _adm_levels(shapes)
    classes = shapes.get("label_emb.weight", (0,))[0]
    channels = shapes["input_blocks.0.0.weight"][1]
    # Published down to 8 pixels.
    size = 4 << len(widths)
    return ADMConfig(size, channels, classes, widths, blocks, attention, _head_channels(widths))


def _adm_upsampler(shapes: _Shapes) -> ADMUpsamplerConfig:
    widths, blocks, attention = _adm_levels(shapes)
    channels = shapes["input_blocks.0.0.weight"][1] // 2
    size = 4 << len(widths)
    return ADMUpsamplerConfig(size, channels, 0, widths, blocks, attention, _head_channels(widths), size // 4)


def _adm_levels(shapes: _Shapes) -> tuple[tuple[int, ...], int, tuple[bool, ...]]:
    """Widths, blocks and attention; every level but the finest ends with a block that doubles."""
    outputs = _count(shapes, r"output_blocks\.(\d+)\.")
    doubling = re.compile(r"output_blocks\.\d+\.[12]\.in_layers\.0\.weight")
    levels = 1 + sum(doubling.fullmatch(key) is not None for key in shapes)
    blocks = outputs // levels - 1
    starts = range(1, 1 + levels * (blocks + 1), blocks + 1)
    widths = tuple(shapes[f"input_blocks.{start}.0.in_layers.2.weight"][0] for start in starts)
    attention = tuple(f"input_blocks.{start}.1.qkv.weight" in shapes for start in starts)
    return widths, blocks, attention


def _head_channels(widths: Sequence[int]) -> int:
    """No shape tells. The published ones: the largest power of two in half the width, 64 at most."""
    return min(64, 1 << ((widths[0] // 2).bit_length() - 1))


def _count(shapes: _Shapes, pattern: str) -> int:
    """One more than the largest number in this place of a key."""
    found = (re.match(pattern, key) for key in shapes)
    count = 1 + max(int(match[1]) for match in found if match)
    if count > len(shapes):
        raise ValueError("the numbers in the keys leave most of them out")
    return count


# A key that only this kind of state has; the more special kinds first.
_READERS: dict[str, Callable[[_Shapes], NetworkConfig | PublishedHeadConfig]] = {
    "all_modules.0.all_modules.0.weight": _head,
    "temb.dense.0.weight": _ddpm,
    "all_modules.3.GroupNorm_0.weight": _ncsnpp,
    "aug_gfp.0.W": _adm_upsampler,
    "time_embed.0.W": _adm,
}
