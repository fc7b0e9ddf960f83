"""Labels in doubt: they are found, kept as text, and trained on without a class."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.evaluation.doubt import find_doubtful, write_doubtful
from engine.training.data import load_examples
from engine.training.fashion import CLASSES, DEBIAN_FOLDER, DOUBTFUL, load_doubtful, load_fashion


def striped(count: int) -> tuple[Tensor, Tensor]:
    """Pictures uint8 (N, 1, 32, 32), bright above or below, and which: int64 (N,)."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = torch.randint(0, 60, (count, 1, 32, 32), generator=random, dtype=torch.uint8)
    images[labels == 0, :, :16] += 150
    images[labels == 1, :, 16:] += 150
    return images, labels


def test_wrong_labels_are_found_and_right_ones_are_left_alone() -> None:
    images, labels = striped(1536)
    wrong = torch.arange(5, 1536, 97)
    labels[wrong] = 1 - labels[wrong]
    found = list(find_doubtful(images, labels, folds=3, epochs=6))
    assert [fold for fold, _ in found] == [0, 1, 2]
    assert torch.equal(torch.cat([rows for _, rows in found]).sort().values, wrong)


def test_what_is_written_is_read_for_these_labels_only(tmp_path: Path) -> None:
    labels = torch.arange(40) % 10
    write_doubtful(tmp_path / "doubtful.txt", torch.tensor([31, 4, 7]), labels, "the command")
    assert "the command" in (tmp_path / "doubtful.txt").read_text()
    read = load_doubtful(labels, tmp_path / "doubtful.txt")
    assert torch.nonzero(read)[:, 0].tolist() == [4, 7, 31]
    assert not load_doubtful(labels.flip(0), tmp_path / "doubtful.txt").any()


def test_pictures_with_a_label_in_doubt_are_trained_on_without_a_class() -> None:
    if not DEBIAN_FOLDER.exists():
        pytest.skip("Fashion-MNIST is not installed: its labels can't be compared")
    images, labels = load_fashion("train")
    doubtful = load_doubtful(labels)
    assert f"{int(doubtful.sum()):,} of {len(labels):,}" in DOUBTFUL.read_text().splitlines()[0]
    examples = load_examples("fashion")
    assert len(examples) == len(images)
    seen = examples.draw(4096, torch.Generator().manual_seed(0))[1]
    share = float((seen == len(CLASSES)).float().mean())
    assert abs(share - float(doubtful.float().mean())) < 0.02
