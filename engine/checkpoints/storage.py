"""Models leave, and come back: removed ones wait in a folder beside the others until it is emptied.

Imports no torch. Everything is a rename on one disk: at once, and whole or not at all.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.card import CARD, read_card
from engine.checkpoints.library import model_folders, user_folder
from engine.errors import BadCheckpoint, BadRequest, UnknownName, UnusableFolder
from engine.messages import ModelInfo

__all__ = ["Removed", "clear_leftovers", "empty_trash", "folder_bytes", "remove", "removed_models", "restore"]

_TRASH = ".removed"  # with a dot, so that no model in it is found
# A model while it is written, and the one it replaces: a dot, its name, eight characters.
_LEFT = re.compile(r"\.(.+)\.[a-z0-9_]{8}(\.old)?")


@dataclass(frozen=True)
class Removed:
    """A model that was removed: it lies in `folder`, and was called `name` and stood at `place`."""

    name: str
    folder: Path
    place: Path

    @property
    def bytes(self) -> int:
        return folder_bytes(self.folder)


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder; 0 for one that is not there."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # gone since it was listed
            total += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
    return total


def remove(info: ModelInfo) -> Removed:
    """Take a model away; `restore` brings it back. A bundled one is a `BadRequest`."""
    place = Path(info.folder)
    if info.bundled:
        raise BadRequest(
            f"{info.title} comes with the program and can't be removed. It takes {info.bytes / 1e6:.1f} MB.",
            field="model",
        )
    trash = place.parent / _TRASH
    removed = Removed(info.name, trash / f"{place.name}.{secrets.token_hex(4)}", place)
    try:
        trash.mkdir(exist_ok=True)
        place.rename(removed.folder)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't remove {place}: {error.strerror or error}. Close the program that uses it.",
            field="model",
        ) from error
    return removed


def removed_models(folder: Path | None = None) -> tuple[Removed, ...]:
    """What was removed from a folder of models (default: the user's own), the last one first."""
    folder = folder or user_folder()
    try:
        found = [entry for entry in (folder / _TRASH).iterdir() if entry.is_dir()]
        found.sort(key=lambda entry: entry.stat().st_ctime_ns, reverse=True)
    except OSError:
        return ()
    return tuple(Removed(_name_of(entry), entry, folder / entry.name.rpartition(".")[0]) for entry in found)


def _name_of(entry: Path) -> str:
    try:
        return read_card(entry / CARD).name
    except BadCheckpoint:
        return entry.name.rpartition(".")[0]


def restore(removed: Removed) -> Path:
    """Bring a removed model back to its place; refused if another has it, or its name, by now."""
    if removed.place.exists() or removed.name in _names(removed.place.parent):
        raise BadRequest(
            f"A model called {removed.name!r} is there by now: {removed.place}. Remove it first.",
            field="model",
        )
    if not removed.folder.is_dir():
        raise UnknownName(f"{removed.name!r} was removed for good.", field="model")
    try:
        removed.folder.rename(removed.place)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't put {removed.place} back: {error.strerror or error}.", field="model"
        ) from error
    return removed.place


def clear_leftovers(folder: Path, older_than: float = 3600.0) -> None:
    """Delete what writing a model left behind when the program was killed (seconds without a change).

    A model that was just being replaced comes back.
    """
    with contextlib.suppress(OSError):
        for entry in list(folder.iterdir()):
            match = _LEFT.fullmatch(entry.name)
            if match is None or time.time() - _changed(entry) < older_than:
                continue
            place = folder / match[1]
            if match[2] and not place.exists():
                entry.rename(place)
            else:
                shutil.rmtree(entry, ignore_errors=True)


def _changed(folder: Path) -> float:
    """When something in it was written last."""
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))


def _names(folder: Path) -> set[str]:
    names: set[str] = set()
    for place in model_folders([folder]):
        with contextlib.suppress(BadCheckpoint):
            names.add(read_card(place / CARD).name)
    return names


def empty_trash(folder: Path | None = None, name: str | None = None) -> int:
    """Delete what was removed (all, or those called `name`) for good; the bytes that became free."""
    freed = 0
    for removed in removed_models(folder):
        if name is None or removed.name == name:
            size = removed.bytes
            shutil.rmtree(removed.folder, ignore_errors=True)
            freed += size - folder_bytes(removed.folder)
    return freed
