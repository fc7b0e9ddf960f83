"""ImageNet's 1,000 classes by name, each with its synonyms.

The facts are WordNet's: which words mean the same thing. The order is that of the WordNet ids,
which is how the published networks number them. Imports no torch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from engine.checkpoints.card import Card

__all__ = ["DATA", "class_names", "synonyms_of"]

DATA = "ImageNet"  # as a card's data table calls it
_FILE = Path(__file__).resolve().parents[2] / "resources" / "classes" / "imagenet_classes.txt"


@lru_cache(maxsize=1)
def _entries() -> tuple[tuple[str, ...], ...]:
    """All words for each class; the first is what it is called."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(tuple(line.split(", ")) for line in lines if line and not line.startswith("#"))


def class_names() -> tuple[str, ...]:
    """What each class is called; no two alike."""
    return tuple(words[0] for words in _entries())


def synonyms_of(card: Card) -> tuple[tuple[str, ...], ...]:
    """Other words for each class of the card; none for one that is not of ImageNet's classes."""
    if card.data["name"] != DATA or card.classes != class_names():
        return ()
    return tuple(words[1:] for words in _entries())
