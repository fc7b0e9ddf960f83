"""The data of the recipes, by the name a recipe calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from engine.training.emoji import load_emoji
from engine.training.examples import Examples, PlainExamples, VariedExamples
from engine.training.fashion import CLASSES, load_doubtful, load_fashion

__all__ = ["LOADERS", "load_examples"]

Say = Callable[[str], None]


def load_examples(name: str, folder: Path | None = None, say: Say | None = None) -> Examples:
    """The training examples called `name`, from `folder` or from where they usually are.

    `say` hears what was left out, if anything was. Errors: `MissingData`.
    """
    return LOADERS[name](folder, say)


def _fashion(folder: Path | None, say: Say | None) -> Examples:
    images, labels = load_fashion("train", folder)
    doubtful = load_doubtful(labels)
    if say is not None and not doubtful.any():
        say("These are other labels than Fashion-MNIST's, of which some are in doubt: all are trusted.")
    # The null label: these pictures teach how clothes look, but not which is called a shirt.
    return PlainExamples(images, labels.masked_fill(doubtful, len(CLASSES)))


def _emoji64(folder: Path | None, say: Say | None) -> Examples:
    pictures = load_emoji(64, folder)
    _tell_skipped(pictures.skipped, say)
    part = pictures.part("train")
    return VariedExamples(part.images, part.labels, part.weights(), part.mirrored(), shift=3, hue=0.15)


def _emoji256_crops(folder: Path | None, say: Say | None) -> Examples:
    pictures = load_emoji(256, folder)
    _tell_skipped(pictures.skipped, say)
    part = pictures.part("train")
    # Pieces have no left and right that matter, nor a colour that must be kept.
    mirrored = torch.ones(len(part), dtype=torch.bool)
    return VariedExamples(part.images, part.labels, part.weights(), mirrored, hue=0.6, crop=128)


def _tell_skipped(skipped: tuple[str, ...], say: Say | None) -> None:
    if skipped and say is not None:
        more = f" and {len(skipped) - 5} more" if len(skipped) > 5 else ""
        pictures = "1 picture that" if len(skipped) == 1 else f"{len(skipped):,} pictures that"
        say(f"Skipped {pictures} can't be read: {', '.join(skipped[:5])}{more}.")


LOADERS: dict[str, Callable[[Path | None, Say | None], Examples]] = {
    "fashion": _fashion,
    "emoji64": _emoji64,
    "emoji256-crops": _emoji256_crops,
}
