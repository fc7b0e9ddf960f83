"""What one window alone may look after, where several are open on the same history."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

__all__ = ["Claims"]


class Claims:
    """Names held by one window at a time, beside the history at `path` (None: nobody else sees it).

    A name is a locked file. SQLite locks it because it does so on every system, and the system takes
    the lock back from a program that has ended, however it did: nothing is left to be cleared up.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._held: dict[str, sqlite3.Connection | None] = {}

    def take(self, name: str) -> bool:
        """Hold `name` until `close`. False: another window does."""
        if self._path is None or name in self._held:
            return True
        connection = None
        try:
            connection = sqlite3.connect(
                self._path.with_name(f"{self._path.name}.{name}"), timeout=0, isolation_level=None
            )
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            connection = None  # nothing can be locked there: better done twice than not at all
        self._held[name] = connection
        return True

    def close(self) -> None:
        """Give all of them up."""
        for connection in self._held.values():
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()
        self._held.clear()
