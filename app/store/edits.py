"""Edit sessions in the history's file, and the files that belong to them in a folder beside it.

A session is a tree of edits. What an edit is, is JSON that only the Edit room reads; its pictures
and latents are files named by their content, so that equal ones are kept once and nothing is
ever written over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.store.records import StoreError, timestamp
from app.store.store import Store
from engine.files import write_atomically

__all__ = ["DirectionRow", "EditFiles", "EditRow", "EditStore", "SessionRow", "is_file_name"]

_ORPHANED = 86_400.0  # seconds after which a file that nothing refers to is thrown away
_FILE = re.compile(r"[0-9a-f]{64}\.(png|safetensors)")


def is_file_name(name: object) -> bool:
    """Whether this is a name that `EditFiles` gives."""
    return isinstance(name, str) and _FILE.fullmatch(name) is not None


@dataclass(frozen=True)
class EditRow:
    """One edit of a session. `data` holds plain values."""

    id: str
    parent: str | None
    name: str
    data: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class SessionRow:
    """A session as it is listed, the one changed last first."""

    id: str
    name: str
    model: str
    current: str  # the id of the edit a person was at
    changed: datetime
    edits: int = 0


@dataclass(frozen=True)
class DirectionRow:
    """A named direction in the latents of a model."""

    id: str
    name: str
    model: str
    data: dict[str, Any] = field(repr=False)


class EditFiles:
    """PNG and safetensors files by their content. Without a folder they last as long as this object."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="genie-edits-") if folder is None else None
        self.folder = Path(self._temporary.name) if self._temporary is not None else Path(str(folder))

    def put(self, data: bytes, suffix: str) -> str:
        """Keep a file; its name. `suffix` is "png" or "safetensors". An `UnusableFolder` if it can't be."""
        name = f"{hashlib.sha256(data).hexdigest()}.{suffix}"
        path = self.path(name)
        if not path.is_file():
            write_atomically(path, lambda temporary: temporary.write_bytes(data))
        return name

    def path(self, name: str) -> Path:
        if not is_file_name(name):
            raise ValueError(f"{name!r} is no name of a file kept here")
        return self.folder / name

    def get(self, name: str) -> bytes:
        """What was kept; a `StoreError` where it is gone or is something else now."""
        try:
            data = self.path(name).read_bytes()
        except OSError as error:
            raise StoreError(
                f"A picture of this edit is gone: {self.path(name)} can't be read "
                f"({error.strerror or error}). The other edits are untouched."
            ) from error
        if hashlib.sha256(data).hexdigest() != name.partition(".")[0]:
            raise StoreError(f"A picture of this edit was changed by something else: {self.path(name)}.")
        return data

    def sweep(self, keep: Iterable[str], dropped: Iterable[str] = ()) -> int:
        """Remove files nobody needs any more; how many.

        Those of `dropped` go at once. Others only when they are old: another window may just
        have written one and not yet said in the store what it is of.
        """
        needed, known, gone = set(keep), set(dropped), 0
        before = time.time() - _ORPHANED
        with contextlib.suppress(OSError):
            for path in list(self.folder.iterdir()):
                old = path.name in known or path.stat().st_mtime < before
                if is_file_name(path.name) and path.name not in needed and old:
                    with contextlib.suppress(OSError):
                        path.unlink()
                        gone += 1
        return gone

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None


class EditStore:
    """The tables `edit_sessions`, `edits` and `directions` of a store. Used in the store's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.files = EditFiles(None if store.path is None else store.path.with_name("edits"))

    def close(self) -> None:
        """Throw away what was deleted, and the files of it. Before the store closes."""
        with contextlib.suppress(StoreError):
            before = self._files_in_use()
            with self._store.transaction("empty the trash of the edits") as connection:
                connection.execute("DELETE FROM edits WHERE deleted_at IS NOT NULL")
                connection.execute("DELETE FROM edit_sessions WHERE deleted_at IS NOT NULL")
                connection.execute("DELETE FROM directions WHERE deleted_at IS NOT NULL")
            self.files.sweep(self._files_in_use(), before)
        self.files.close()

    # --- sessions

    def sessions(self) -> list[SessionRow]:
        rows = self._store.rows(
            "SELECT id, name, model, current, changed,"
            " (SELECT count(*) FROM edits WHERE session = edit_sessions.id AND deleted_at IS NULL)"
            " FROM edit_sessions WHERE deleted_at IS NULL ORDER BY changed DESC"
        )
        return [
            SessionRow(id, name, model, current, _moment(changed), count)
            for id, name, model, current, changed, count in rows
        ]

    def add_session(self, id: str, name: str, model: str, edits: Sequence[EditRow], current: str) -> None:
        """A new session with its first edits: all of it or, with a `StoreError`, nothing."""
        with self._store.transaction("keep the edits") as connection:
            connection.execute(
                "INSERT INTO edit_sessions (id, changed, model, name, current) VALUES (?, ?, ?, ?, ?)",
                (id, _now(), model, name, current),
            )
            connection.executemany(
                "INSERT INTO edits (id, session, position, parent, name, data) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (edit.id, id, position, edit.parent, edit.name, json.dumps(edit.data))
                    for position, edit in enumerate(edits)
                ],
            )

    def set_session(self, id: str, *, name: str | None = None, current: str | None = None) -> None:
        with self._store.transaction("keep the edits") as connection:
            connection.execute(
                "UPDATE edit_sessions SET changed = ?, name = coalesce(?, name),"
                " current = coalesce(?, current) WHERE id = ?",
                (_now(), name, current, id),
            )

    def delete_session(self, id: str, deleted: bool = True) -> bool:
        """Into the trash, or back out of it. False: it is gone for good, as another window has closed."""
        with self._store.transaction(_doing(deleted, "session")) as connection:
            found = connection.execute(
                "UPDATE edit_sessions SET deleted_at = ? WHERE id = ?", (_now() if deleted else None, id)
            )
        return found.rowcount > 0

    # --- edits

    def edits(self, session: str) -> list[EditRow]:
        """The edits of a session in the order they were made; damaged ones are left out."""
        found = []
        for id, parent, name, data in self._store.rows(
            "SELECT id, parent, name, data FROM edits WHERE session = ? AND deleted_at IS NULL"
            " ORDER BY position",
            [session],
        ):
            with contextlib.suppress(ValueError):
                values = json.loads(data)
                if isinstance(values, dict):
                    found.append(EditRow(id, parent, name, values))
        return found

    def add_edit(self, session: str, edit: EditRow) -> None:
        with self._store.transaction("keep the edit") as connection:
            connection.execute(
                "INSERT INTO edits (id, session, position, parent, name, data) VALUES (?, ?,"
                " (SELECT coalesce(max(position), -1) + 1 FROM edits WHERE session = ?), ?, ?, ?)",
                (edit.id, session, session, edit.parent, edit.name, json.dumps(edit.data)),
            )
            connection.execute(
                "UPDATE edit_sessions SET changed = ?, current = ? WHERE id = ?", (_now(), edit.id, session)
            )

    def set_edit(self, id: str, *, name: str | None = None, data: dict[str, Any] | None = None) -> None:
        with self._store.transaction("keep the edit") as connection:
            connection.execute(
                "UPDATE edits SET name = coalesce(?, name), data = coalesce(?, data) WHERE id = ?",
                (name, None if data is None else json.dumps(data), id),
            )

    def delete_edits(self, ids: Sequence[str], deleted: bool = True, *, session: str | None = None) -> bool:
        """Into the trash, or back out of it, a `session` that was emptied with them. See `delete_session`."""
        moment = _now() if deleted else None
        with self._store.transaction(_doing(deleted, "edits")) as connection:
            found = connection.executemany(
                "UPDATE edits SET deleted_at = ? WHERE id = ?", [(moment, id) for id in ids]
            )
            if session is not None:
                connection.execute("UPDATE edit_sessions SET deleted_at = ? WHERE id = ?", (moment, session))
        return found.rowcount > 0

    # --- directions

    def directions(self, model: str) -> list[DirectionRow]:
        rows = self._store.rows(
            "SELECT id, name, model, data FROM directions WHERE model = ? AND deleted_at IS NULL"
            " ORDER BY created",
            [model],
        )
        return [DirectionRow(id, name, of, json.loads(data)) for id, name, of, data in rows]

    def add_direction(self, row: DirectionRow) -> None:
        with self._store.transaction("keep the direction") as connection:
            connection.execute(
                "INSERT INTO directions (id, created, model, name, data) VALUES (?, ?, ?, ?, ?)",
                (row.id, _now(), row.model, row.name, json.dumps(row.data)),
            )

    def delete_direction(self, id: str, deleted: bool = True) -> bool:
        """See `delete_session`."""
        with self._store.transaction(_doing(deleted, "direction")) as connection:
            found = connection.execute(
                "UPDATE directions SET deleted_at = ? WHERE id = ?", (_now() if deleted else None, id)
            )
        return found.rowcount > 0

    def _files_in_use(self) -> set[str]:
        texts = self._store.rows("SELECT data FROM edits UNION ALL SELECT data FROM directions")
        return {match.group(0) for (text,) in texts for match in _FILE.finditer(text)}


def _doing(deleted: bool, what: str) -> str:
    return f"{'delete' if deleted else 'bring back'} the {what}"


def _now() -> str:
    return timestamp(datetime.now(UTC))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
