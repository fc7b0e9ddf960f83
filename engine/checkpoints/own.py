"""Models of our own kind from elsewhere: folders with a card, as a training or another computer made them.

Copied aside, checked there as they are on loading, and put in place as a whole.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

from engine.checkpoints.card import CARD, Card, read_card
from engine.checkpoints.convert import check_space, put_in_place
from engine.checkpoints.native import load_head, load_network
from engine.errors import BadCheckpoint, UnusableFolder
from engine.files import surely

__all__ = ["WEIGHTS", "copy_model", "folder_meant", "refusal"]

WEIGHTS = ".safetensors"
_SAMPLE = "sample.png"
_OF_A_TRAINING = "model"  # the folder a training leaves its model in
_BLOCK = 1 << 22  # bytes
_COPIED, _CHECKED = 0.7, 0.95  # shares of the work
_ADVICE = " Import the model again."  # which is what is being done


def folder_meant(path: Path) -> Path | None:
    """The model folder that is meant by itself, its card, its weights or a training's folder; else None."""
    path = path.absolute()
    if path.name == CARD or (path.suffix.lower() == WEIGHTS and surely(path.is_file)):
        candidates = [path.parent]
    else:
        candidates = [path, path / _OF_A_TRAINING]
    return next((folder for folder in candidates if surely((folder / CARD).is_file)), None)


def refusal(folder: Path, error: BadCheckpoint, where: Path | None = None) -> BadCheckpoint:
    """What was found in `where` (the folder itself, or its copy) as the reason not to import it."""
    words = error.message.replace(f"{where or folder}{os.sep}", "").removesuffix(_ADVICE)
    return BadCheckpoint(f"Couldn't import {folder}: {words}", field="file", details=error.details)


def copy_model(folder: Path, card: Card, models: Path) -> Generator[float, None, None]:
    """Copy the model of `folder` into `models`, under its name; yields the share done, 0 to 1.

    Closing the generator before it yields 1 stops it; whatever stood there before then stays, as it does
    after an `UnusableFolder` (no space, no permission) or a `BadCheckpoint`.
    """
    target = models / card.name
    staging = models / f".{card.name}.{secrets.token_hex(4)}"
    parts = [card.network, *([card.head] if card.head is not None else [])]
    names = list(dict.fromkeys([CARD, *(part.weights for part in parts), _SAMPLE]))
    if not surely((folder / _SAMPLE).is_file):
        names.remove(_SAMPLE)
    for name in names:
        if not surely((folder / name).is_file):
            raise refusal(folder, BadCheckpoint(f"{name} is not in the folder. Copy all of it."))
    try:
        total = sum((folder / name).stat().st_size for name in names)
        staging.mkdir(parents=True)
        check_space(staging, total)
        done = 0
        for name in names:
            for length in _copied(folder / name, staging / name):
                done += length
                yield _COPIED * done / max(total, done)
        # What stands here by now is what will: it is checked, and not what was copied.
        if read_card(staging / CARD) != card:
            raise BadCheckpoint("its card has changed meanwhile.")
        load_network(staging, card)
        yield _CHECKED
        load_head(staging, card)
        put_in_place(staging, target)
    except BadCheckpoint as error:
        raise refusal(folder, error, staging) from error
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't copy {folder} to {target}: {error.strerror or error}. Nothing was changed.",
            field="out",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    yield 1.0


def _copied(source: Path, target: Path) -> Iterator[int]:
    """Copies a file; yields the length of each block."""
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(_BLOCK):
            out.write(block)
            yield len(block)
        # A full disk may show only now.
        out.flush()
        os.fsync(out.fileno())
