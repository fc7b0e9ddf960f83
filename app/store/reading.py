"""Reading a history's file beside the `Store` that has it open, in any thread."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from app.store.opening import explain
from app.store.records import StoreError

__all__ = ["gone", "read_png"]


def read_png(path: Path, id: int) -> bytes:
    """The image as a PNG file with its settings in it; a `StoreError` if it can't be read.

    The connection lasts for this one picture: it is soon made, and none is left for a thread to close.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT png FROM pixels WHERE image_id = ?", (id,)).fetchone()
    except sqlite3.Error as error:
        raise explain(error, path, "read the history") from error
    if found is None:
        raise gone(id)
    return bytes(found[0])


def gone(id: int) -> StoreError:
    return StoreError(f"Image {id} is no longer in the history. It was removed for good.")
