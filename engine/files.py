"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from engine.errors import UnusableFolder

__all__ = ["cut_name", "is_disk_full", "surely", "write_atomically"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def cut_name(name: str) -> str:
    """The start of a name, short enough to begin that of a file: 100 bytes, of the 255 there may be."""
    return name.encode(errors="surrogateescape")[:100].decode(errors="ignore")


def surely(question: Callable[[], bool]) -> bool:
    """The answer of `path.exists`, `is_file` or `is_dir`; False where the place can't be reached.

    Behind a folder that may not be entered, or for a name that is too long, they raise.
    """
    try:
        return question()
    except OSError:
        return False


def is_disk_full(error: BaseException) -> bool:
    """Whether that is why `write_atomically` could not write: the next file will not fit either."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _FULL


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path beside `path`, then put the result in its place.

    Nobody ever sees half a file, and whatever stood at `path` stays when `write` fails; its
    permissions stay in any case, and a link goes on pointing where it did. A full disk or a
    folder that can't be written is an `UnusableFolder` that says so: let `write` raise an
    OSError then, which libraries that write files of their own often don't.
    """
    place = Path(os.path.realpath(path))
    temporary = place.parent / f".{place.name[:40]}.{secrets.token_hex(4)}{place.suffix}"
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        # As open() makes a file, so that the umask decides who may read it.
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write into {path.parent}: {error.strerror or error}. "
            "Choose a folder you may write to.",
            field="out",
        ) from error
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        with contextlib.suppress(OSError):  # nothing there, or a disk without permissions
            shutil.copymode(place, temporary)
        temporary.replace(place)
    except OSError as error:
        advice = "Free some space" if error.errno in _FULL else "Close the program that uses it"
        raise UnusableFolder(
            f"Couldn't write {path}: {error.strerror or error}. "
            f"{advice} or choose another folder; what was there before is untouched.",
            field="out",
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
