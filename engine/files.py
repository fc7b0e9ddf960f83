"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from engine.errors import UnusableFolder

__all__ = ["write_atomically"]


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then put the result in its place.

    Nobody ever sees half a file, and whatever stood at `path` stays when `write` fails. A
    full disk or a folder that can't be written is an `UnusableFolder` that says so.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write into {path.parent}: {error.strerror or error}. "
            "Choose a folder you may write to.",
            field="out",
        ) from error
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write {path}: {error.strerror or error}. "
            "Free some space or choose another folder; what was there before is untouched.",
            field="out",
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
