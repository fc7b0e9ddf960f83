"""Which training labels of Fashion-MNIST are in doubt.

One in twelve of its pictures is labelled otherwise than anybody would who sees the picture
alone: shirts that are T-shirts, coats that are pullovers. A model taught with these labels draws
what they say, and who asks for a shirt gets something else. As in confident learning (Northcutt
et al., 2021), the training pictures are dealt into folds, each fold is judged by a classifier
that was trained on the others, and a label is in doubt where that classifier sees another class.
Recipes train such pictures without a class (`engine.training.data`). Test images play no part.

    python -m engine.evaluation.doubt      writes resources/training/fashion_doubtful.txt
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from engine.evaluation.classifier import new_classifier, train_classifier
from engine.evaluation.features import judge
from engine.files import write_atomically
from engine.training.diffusion import step_generator
from engine.training.fashion import DOUBTFUL, fingerprint_of_labels, load_fashion

__all__ = ["find_doubtful", "write_doubtful"]


def find_doubtful(
    images: Tensor, labels: Tensor, *, seed: int = 1, folds: int = 3, epochs: int = 5
) -> Iterator[tuple[int, Tensor]]:
    """Images uint8 (N, C, H, W), labels (N,) -> for each fold its number and the rows in doubt (n,)."""
    fold_of = torch.randperm(len(images), generator=step_generator(seed, 0)) % folds
    for fold in range(folds):
        classifier = new_classifier(seed + fold)
        others = fold_of != fold
        for _ in train_classifier(
            classifier, images[others], labels[others], seed=seed + fold, epochs=epochs
        ):
            pass
        rows = torch.nonzero(~others)[:, 0]
        seen = judge(classifier, images[rows])[1]
        yield fold, rows[seen != labels[rows]]


def write_doubtful(path: Path, rows: Tensor, labels: Tensor, command: str) -> None:
    """Rows (n,) as text, after comments that say of which labels and how they were found."""
    numbers = " ".join(str(row) for row in sorted(rows.tolist()))
    text = (
        f"# Rows of Fashion-MNIST's training images whose labels are in doubt: {len(rows):,} of {len(labels):,}\n"
        f"# {command}\n"
        f"# labels {fingerprint_of_labels(labels)}\n" + "\n".join(textwrap.wrap(numbers, 100)) + "\n"
    )
    write_atomically(path, lambda file: file.write_text(text))


def main(arguments: list[str] | None = None) -> int:
    """Find and write them; four minutes on one core."""
    parser = argparse.ArgumentParser(prog="python -m engine.evaluation.doubt", description=__doc__)
    parser.add_argument("--out", type=Path, default=DOUBTFUL, help=f"default: {DOUBTFUL.name}")
    parser.add_argument("--data", type=Path, default=None, help="folder of the four idx files")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    parser.add_argument("--folds", type=int, default=3, help="default: 3")
    parser.add_argument("--epochs", type=int, default=5, help="default: 5")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    images, labels = load_fashion("train", options.data)
    found = []
    for fold, rows in find_doubtful(
        images, labels, seed=options.seed, folds=options.folds, epochs=options.epochs
    ):
        sys.stderr.write(f"fold {fold + 1}/{options.folds}  {len(rows):,} labels in doubt\n")
        found.append(rows)
    command = "python -m engine.evaluation.doubt"
    command += f" --seed {options.seed} --folds {options.folds} --epochs {options.epochs}"
    write_doubtful(options.out, torch.cat(found), labels, command)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
