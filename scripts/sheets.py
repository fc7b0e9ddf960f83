"""Sheets of what a model of emoji draws, as PNG beside its card.

python scripts/sheets.py emoji64 [--model FOLDER]       a row a class; 5, 10 and 25 steps
                                                        side by side; one sheet a guidance
python scripts/sheets.py emoji256-up [--model FOLDER]   a row a held-out picture: what it was
                                                        made from, bicubic, 5, 10, 25 steps, real
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.card import CARD, read_card
from engine.checkpoints.library import bundled_folder
from engine.checkpoints.native import load_head, load_network
from engine.evaluation.enlarging import enlarged, made_small, plainly_enlarged
from engine.evaluation.features import tensor_from_pictures
from engine.messages import GenerateRequest, Result
from engine.networks.compact_upsampler import CompactUpsampler
from engine.tasks import Engine
from engine.training.emoji import load_emoji
from engine.training.samples import tiled, write_picture

STEPS = (5, 10, 25)
GUIDANCE = (0.0, 1.0, 2.0)


def base_sheets(folder: Path, columns: int) -> list[Path]:
    """One sheet a guidance: a row for every class, `columns` samples at each number of steps."""
    engine = Engine([folder])
    (info,) = engine.catalogue().models
    written = []
    for guidance in GUIDANCE:
        blocks: list[Tensor] = []
        for steps in STEPS:
            labels = tuple(label for label in range(len(info.classes)) for _ in range(columns))
            request = GenerateRequest(
                info.name, labels=labels, seed=1, solver="genie" if info.has_head else "ddim", steps=steps,
                spacing=info.spacing, guidance=guidance,
            )  # fmt: skip
            *_, result = engine.run(request)
            assert isinstance(result, Result)
            blocks.append(
                tensor_from_pictures(result.pictures).reshape(-1, columns, 3, *_size(info.image_size))
            )
        rows = torch.cat(blocks, dim=1).flatten(0, 1)
        written.append(folder / f"samples-guidance-{guidance:g}.png")
        write_picture(written[-1], tiled(rows.float() / 127.5 - 1.0, columns * len(STEPS)))
    return written


def _size(size: int) -> tuple[int, int]:
    return size, size


def upsampled_sheet(folder: Path, data: Path | None, level: float | None, count: int) -> list[Path]:
    """A row for each of `count` held-out pictures."""
    card = read_card(folder / CARD)
    network, head = load_network(folder, card), load_head(folder, card)
    assert isinstance(network, CompactUpsampler)
    test = load_emoji(card.image_size, data).part("test")
    level = card.aug_level if level is None else level
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(3)).tolist()
    one_each = {test.families[row]: row for row in order}  # no two skin tones of one emoji
    real = test.images[0, list(one_each.values())[:count]]
    small = made_small(real, network.config.low_resolution)
    shown = [
        small.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3),
        plainly_enlarged(small, card.image_size, "bicubic"),
    ]
    for steps in STEPS:
        parts = [
            enlarged(
                network, head, small[i : i + 1], solver_name="ddim" if head is None else "genie",
                steps=steps, level=level, seeds=[i], spacing=card.spacing, consistent=card.consistent,
            )
            for i in range(count)
        ]  # fmt: skip
        shown.append(torch.cat(parts))
    columns = torch.stack([*shown, real], dim=1).flatten(0, 1)
    path = folder / "upsampled.png"
    write_picture(path, tiled(columns.float() / 127.5 - 1.0, len(shown) + 1))
    return [path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=("emoji64", "emoji256-up"))
    parser.add_argument("--model", type=Path, default=None, help="model folder (default: the bundled one)")
    parser.add_argument("--data", type=Path, default=None, help="folder of the emoji")
    parser.add_argument("--columns", type=int, default=4, help="samples a class (default: 4)")
    parser.add_argument("--count", type=int, default=8, help="pictures of the upsampler's sheet (default: 8)")
    parser.add_argument("--level", type=float, help="noise of its small pictures (default: its own)")
    options = parser.parse_args()
    folder = options.model or bundled_folder() / options.name
    if options.name == "emoji64":
        written = base_sheets(folder, options.columns)
    else:
        written = upsampled_sheet(folder, options.data, options.level, options.count)
    print("\n".join(map(str, written)))  # noqa: T201


if __name__ == "__main__":
    main()
