"""Opening the history file, and saying plainly what is wrong with one that can't be opened."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from app.store.records import DamagedStore, NewerStore, StoreError, StoreFull
from app.store.schema import SCHEMA_VERSION, migrate

if TYPE_CHECKING:
    from app.store.store import Store

__all__ = ["connect", "explain", "mark_open", "open_store"]

_BUSY_MS = 2000  # how long another window may write before a person is told
_MAGIC = b"SQLite format 3\0"
_TABLES = {"images", "jobs", "latents", "pixels", "settings", "steps"}


def connect(path: Path | None) -> sqlite3.Connection:
    """An open connection to a file of today's schema, made or migrated as needed."""
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            _look_at(path)
        # isolation_level None: transactions begin and end where the code says so.
        connection = sqlite3.connect(path or ":memory:", timeout=_BUSY_MS / 1000, isolation_level=None)
    except OSError as error:
        raise StoreError(
            f"Couldn't open the history {path}: {error.strerror or error}. "
            "Check that you may write into its folder.",
        ) from error
    except sqlite3.Error as error:
        raise explain(error, path, "open the history") from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise explain(error, path, "open the history") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _look_at(path: Path) -> None:
    """Tell a file that was cut short or is something else before SQLite writes to it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        header = file.read(100)
    size = int.from_bytes(header[16:18], "big")
    page = 65536 if size == 1 else size
    pages = int.from_bytes(header[28:32], "big")
    whole = len(header) == 100 and header.startswith(_MAGIC)
    # With a write-ahead log beside it the newest pages are there, not here.
    cut = not path.with_name(f"{path.name}-wal").exists() and path.stat().st_size < page * pages
    if not whole or cut:
        raise DamagedStore(
            f"The history {path} is damaged: it is {'cut short' if whole else 'another kind of file'}."
        )


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise NewerStore(
            f"The history {path} was written by a newer GENIE Studio (its version is {version}, this "
            f"program reads up to {SCHEMA_VERSION}). It is left as it is; update the program to see it."
        )
    tables = _tables(connection)
    if version == 0 and tables:
        raise DamagedStore(f"The history {path} is damaged: it is the database of something else.")
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    # With a write-ahead log NORMAL can lose the last moments to a power cut, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)
    if not _tables(connection) >= _TABLES:
        raise DamagedStore(f"The history {path} is damaged: tables are missing.")
    # Checking every page takes long, so it is done only after a run that did not end well.
    if connection.execute("SELECT 1 FROM settings WHERE key = 'open'").fetchone():
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise DamagedStore(f"The history {path} is damaged: {found}.", details=found)
    mark_open(connection, True)


def mark_open(connection: sqlite3.Connection, on: bool) -> None:
    """Note that the file is in use. On a full disk or beside another window it can do without."""
    connection.execute("PRAGMA busy_timeout = 20").fetchone()
    with suppress(sqlite3.OperationalError):
        if on:
            connection.execute("INSERT OR REPLACE INTO settings VALUES ('open', 'true')")
        else:
            connection.execute("DELETE FROM settings WHERE key = 'open'")
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}").fetchone()


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def open_store(path: Path) -> Store:
    """The store at `path`, or the best that can be had; its `notice` says what was done instead.

    A damaged file is renamed and a new one begun. A file of a newer program stays as it is and
    one of our own is used beside it. If nothing can be written there, this session is kept in
    memory only. No file is ever destroyed.
    """
    from app.store.store import Store

    try:
        return Store(path)
    except NewerStore as error:
        beside = path.with_name(f"{path.stem}-{SCHEMA_VERSION}{path.suffix}")
        store = open_store(beside)
        store.notice = (
            f"{error.message} Until then your results are kept in {beside.name}. {store.notice}".strip()
        )
        return store
    except DamagedStore as error:
        try:
            aside = _move_aside(path)
            store = Store(path)
        except (OSError, StoreError) as trouble:
            return Store(None, notice=f"{error.message} It couldn't be moved aside: {trouble}. {_IN_MEMORY}")
        store.notice = f"{error.message} It was renamed to {aside.name} and a new history was begun."
        return store
    except StoreError as error:
        return Store(None, notice=f"{error.message} {_IN_MEMORY}")


_IN_MEMORY = (
    "Results of this session are shown but will not be there at the next start: save what you want to keep."
)


def _move_aside(path: Path) -> Path:
    stem = f"{path.name}.damaged-{date.today().isoformat()}"
    names = (stem, *(f"{stem}-{n}" for n in range(2, 1000)))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    path.rename(aside)
    for tail in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + tail).rename(aside.with_name(aside.name + tail))
    return aside


def explain(error: sqlite3.Error, path: Path | None, doing: str) -> StoreError:
    """`error` in words a person can act on."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    details = f"{type(error).__name__}: {error}"
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(
            f"Couldn't {doing}: the disk is full. What was in the history before is untouched. Free some space"
            f"{f' on the disk of {path.parent}' if path else ''}, then try again.",
            details=details,
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DamagedStore(
            f"Couldn't {doing}: the history {path} is damaged. At the next start it will be moved aside "
            "and a new one begun.",
            details=details,
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"Couldn't {doing}: another GENIE Studio is writing to it. Try again in a moment.",
            details=details,
        )
    return StoreError(
        f"Couldn't {doing}: {error}. Check that {path or 'the memory'} can be written.", details=details
    )
