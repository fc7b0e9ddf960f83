"""Where each tensor of a published file goes in our networks: one row a tensor, in the file's order.

The order matters beyond reading well: a published file keeps its averaged weights (EMA) as a
bare list, which follows the rows that are not frozen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.networks.adm import ADM, ADMUpsampler
from engine.networks.blocks import Level, Stage, UNet
from engine.networks.ddpm import DDPM
from engine.networks.ncsnpp import NCSNpp
from engine.networks.published_head import PublishedHead

__all__ = ["Row", "place", "rows_of"]


@dataclass(frozen=True)
class Row:
    """One tensor of a published file: its key, its shape there, and its name in our network.

    It fills one third of ours where q, k and v are one tensor here. A frozen one is not
    trained and so not averaged.
    """

    key: str
    shape: tuple[int, ...]
    ours: str
    third: int | None = None
    transposed: bool = False
    frozen: bool = False


def rows_of(network: nn.Module) -> tuple[Row, ...]:
    """The layout of the file a network or head came in; it may stand on the meta device."""
    table = _Table(network)
    if isinstance(network, DDPM):
        _ddpm(table, network.unet)
    elif isinstance(network, NCSNpp):
        _ncsnpp(table, network.unet)
    elif isinstance(network, (ADM, ADMUpsampler)):
        _adm(table, network.unet)
    elif isinstance(network, PublishedHead):
        _head(table, normalized=network.config.normalized)
    else:
        raise TypeError(f"{type(network).__name__} was never published")
    return tuple(table.rows)


@torch.no_grad()
def place(row: Row, tensor: Tensor, state: Mapping[str, Tensor]) -> None:
    """Copy a tensor of a published file into the state of our network."""
    ours = state[row.ours]
    if row.third is not None:
        ours = ours.chunk(3)[row.third]
    ours.copy_((tensor.T if row.transposed else tensor).reshape(ours.shape))


# --- writing tables ---------------------------------------------------------------------------

_BLOCK = ("norm_1", "conv_1", "modulate", "norm_2", "conv_2", "skip")


class _Table:
    """Rows as they are written down: each line names a layer here and its name in the file."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.rows: list[Row] = []

    def layer(self, ours: str, theirs: str, trailing: int = 0) -> None:
        """Weight and bias; the file's weight has `trailing` more dimensions, of size 1."""
        for name, value in self.network.get_submodule(ours).named_parameters(recurse=False):
            ones = (1,) * trailing if name == "weight" else ()
            self.rows.append(Row(f"{theirs}.{name}", (*value.shape, *ones), f"{ours}.{name}"))

    def frequencies(self, ours: str, theirs: str) -> None:
        shape = tuple(self.network.get_buffer(f"{ours}.frequencies").shape)
        self.rows.append(Row(f"{theirs}.W", shape, f"{ours}.frequencies", frozen=True))

    def block(self, ours: str, theirs: str, names: Sequence[str]) -> None:
        """A residual block, with the file's names for the six of `_BLOCK`."""
        for part, name in zip(_BLOCK, names, strict=True):
            self.layer(f"{ours}.{part}", f"{theirs}.{name}")

    def thirds(self, ours: str, theirs: Sequence[str]) -> None:
        """Three 1x1 convolutions, which are one linear layer here."""
        channels = self._width(ours)
        for third, name in enumerate(theirs):
            self.rows.append(Row(f"{name}.weight", (channels, channels, 1, 1), f"{ours}.weight", third))
            self.rows.append(Row(f"{name}.bias", (channels,), f"{ours}.bias", third))

    def turned(self, ours: str, theirs: str, third: int | None = None) -> None:
        """A product x W + b where ours is x W^T + b."""
        channels = self._width(ours)
        self.rows.append(Row(f"{theirs}.W", (channels, channels), f"{ours}.weight", third, transposed=True))
        self.rows.append(Row(f"{theirs}.b", (channels,), f"{ours}.bias", third))

    def _width(self, ours: str) -> int:
        return int(self.network.get_parameter(f"{ours}.weight").shape[1])


def _levels(levels: nn.ModuleList) -> list[tuple[int, list[Stage], nn.Module | None]]:
    """(level, stages, resampling) of one arm, finest first."""
    found = []
    for index, level in enumerate(levels):
        assert isinstance(level, Level)
        found.append((index, [stage for stage in level.stages if isinstance(stage, Stage)], level.resample))
    return found


# --- the tables -------------------------------------------------------------------------------


def _ddpm(table: _Table, unet: UNet) -> None:
    names = ("norm1", "conv1", "temb_proj", "norm2", "conv2", "nin_shortcut")

    def attention(ours: str, theirs: str) -> None:
        table.layer(f"{ours}.norm", f"{theirs}.norm")
        table.thirds(f"{ours}.qkv", [f"{theirs}.{one}" for one in "qkv"])
        table.layer(f"{ours}.out", f"{theirs}.proj_out", trailing=2)

    def arm(name: str, levels: nn.ModuleList) -> None:
        for level, stages, resample in _levels(levels):
            here, there = f"unet.{name}.{level}", f"{name}.{level}"
            for index in range(len(stages)):
                table.block(f"{here}.stages.{index}.block", f"{there}.block.{index}", names)
            for index, stage in enumerate(stages):
                if stage.attention is not None:
                    attention(f"{here}.stages.{index}.attention", f"{there}.attn.{index}")
            if resample is not None:
                table.layer(f"{here}.resample.conv", f"{there}.{name}sample.conv")

    table.layer("embed.linear_1", "temb.dense.0")
    table.layer("embed.linear_2", "temb.dense.1")
    table.layer("unet.stem", "conv_in")
    arm("down", unet.down)
    table.block("unet.middle.0.block", "mid.block_1", names)
    attention("unet.middle.0.attention", "mid.attn_1")
    table.block("unet.middle.1.block", "mid.block_2", names)
    arm("up", unet.up)
    table.layer("unet.norm_out", "norm_out")
    table.layer("unet.conv_out", "conv_out")


_DDPMPP_BLOCK = ("GroupNorm_0", "Conv_0", "Dense_0", "GroupNorm_1", "Conv_1", "Conv_2")


def _ncsnpp(table: _Table, unet: UNet) -> None:
    """One flat list in the order of execution, the ascent coarsest first."""
    count = 0

    def next_name() -> str:
        nonlocal count
        count += 1
        return f"all_modules.{count - 1}"

    def stage(ours: str, this: Stage) -> None:
        table.block(f"{ours}.block", next_name(), _DDPMPP_BLOCK)
        if this.attention is not None:
            theirs = next_name()
            table.layer(f"{ours}.attention.norm", f"{theirs}.GroupNorm_0")
            for third in range(3):
                table.turned(f"{ours}.attention.qkv", f"{theirs}.NIN_{third}", third)
            table.turned(f"{ours}.attention.out", f"{theirs}.NIN_3")

    def arm(name: str, levels: list[tuple[int, list[Stage], nn.Module | None]]) -> None:
        for level, stages, resample in levels:
            for index, this in enumerate(stages):
                stage(f"unet.{name}.{level}.stages.{index}", this)
            if resample is not None:
                table.block(f"unet.{name}.{level}.resample", next_name(), _DDPMPP_BLOCK)

    table.layer("embed.linear_1", next_name())
    table.layer("embed.linear_2", next_name())
    table.layer("unet.stem", next_name())
    arm("down", _levels(unet.down))
    for index, this in enumerate(unet.middle):
        assert isinstance(this, Stage)
        stage(f"unet.middle.{index}", this)
    arm("up", _levels(unet.up)[::-1])
    table.layer("unet.norm_out", next_name())
    table.layer("unet.conv_out", next_name())


def _adm(table: _Table, unet: UNet) -> None:
    """Each entry of input_blocks makes one skip and each of output_blocks takes one."""
    names = (
        "in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection",
    )  # fmt: skip

    def attention(ours: str, theirs: str) -> None:
        table.layer(f"{ours}.norm", f"{theirs}.norm")
        table.layer(f"{ours}.qkv", f"{theirs}.qkv", trailing=1)
        table.layer(f"{ours}.out", f"{theirs}.proj_out", trailing=1)

    if isinstance(table.network, ADMUpsampler):
        table.frequencies("fourier_level", "aug_gfp.0")
    table.frequencies("fourier", "time_embed.0")
    table.layer("embed.linear_1", "time_embed.1")
    table.layer("embed.linear_2", "time_embed.3")
    if isinstance(table.network, ADM) and table.network.embed_label is not None:
        table.layer("embed_label", "label_emb")
    table.layer("unet.stem", "input_blocks.0.0")
    entry = 1
    for level, stages, resample in _levels(unet.down):
        for index, stage in enumerate(stages):
            ours, theirs = f"unet.down.{level}.stages.{index}", f"input_blocks.{entry}"
            table.block(f"{ours}.block", f"{theirs}.0", names)
            if stage.attention is not None:
                attention(f"{ours}.attention", f"{theirs}.1")
            entry += 1
        if resample is not None:
            table.block(f"unet.down.{level}.resample", f"input_blocks.{entry}.0", names)
            entry += 1
    table.block("unet.middle.0.block", "middle_block.0", names)
    attention("unet.middle.0.attention", "middle_block.1")
    table.block("unet.middle.1.block", "middle_block.2", names)
    entry = 0
    for level, stages, resample in reversed(_levels(unet.up)):
        for index, stage in enumerate(stages):
            ours, theirs = f"unet.up.{level}.stages.{index}", f"output_blocks.{entry}"
            table.block(f"{ours}.block", f"{theirs}.0", names)
            if stage.attention is not None:
                attention(f"{ours}.attention", f"{theirs}.1")
            if resample is not None and index == len(stages) - 1:
                part = 1 if stage.attention is None else 2
                table.block(f"unet.up.{level}.resample", f"{theirs}.{part}", names)
            entry += 1
    table.layer("unet.norm_out", "out.0")
    table.layer("unet.conv_out", "out.2")


def _head(table: _Table, *, normalized: bool) -> None:
    """One flat list; only a head that normalises its features begins with a norm."""
    first = 1 if normalized else 0
    inner = "all_modules.0.all_modules"
    if normalized:
        table.layer("norm_features", f"{inner}.0")
    table.layer("stem", f"{inner}.{first}")
    table.block("block", f"{inner}.{first + 1}", _DDPMPP_BLOCK)
    table.layer("norm_out", f"{inner}.{first + 2}")
    table.layer("conv_out", f"{inner}.{first + 3}")
