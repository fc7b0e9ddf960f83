"""The shelf and the walks in the history file: latents a person has put aside, and ways through them.

A latent is kept as where it comes from (a seed, a file, a blend of others), which is a few
hundred bytes and gives it again to the bit; only its thumbnail is pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.store.records import timestamp
from app.store.store import Store
from engine.errors import BadRequest
from engine.messages import Label, LatentSource, source_from_dict, source_to_dict
from engine.messages.walks import Point

__all__ = ["KeptWalk", "ShelfStore", "Spot", "label_from_json", "label_to_json"]

_AMONG = "id IN (SELECT value FROM json_each(?))"
_COLUMNS = "id, model, source, label, guidance, name, tags, starred, thumbnail"


@dataclass(frozen=True)
class Spot:
    """A latent as a person handles it: where it comes from, and what is known of its picture.

    `id` is that on the shelf; 0: it is not there.
    """

    model: str
    source: LatentSource
    label: Label = None
    guidance: float = 0.0
    name: str = ""
    tags: tuple[str, ...] = ()
    starred: bool = False
    thumbnail: bytes = field(default=b"", repr=False)  # PNG, at most 128 px; empty until it was made
    id: int = 0


@dataclass(frozen=True)
class KeptWalk:
    """One walk by name, without reading what is in it."""

    id: int
    name: str
    changed: datetime


class ShelfStore:
    """The two tables, through the connection of the store. A `StoreError` says what went wrong."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def folder(self) -> Path | None:
        """Where latent files are kept, beside the database; None for a store in memory."""
        return self._store.path.parent / "latents" if self._store.path is not None else None

    # --- latents

    def latents(self) -> list[Spot]:
        """Everything on the shelf, newest first. What can't be read (of a newer version) is left out."""
        rows = self._store.rows(f"SELECT {_COLUMNS} FROM shelf WHERE deleted_at IS NULL ORDER BY id DESC")
        kept = []
        for row in rows:
            with suppress(BadRequest, ValueError, TypeError):
                kept.append(_latent(row))
        return kept

    def add(self, latents: Sequence[Spot]) -> list[int]:
        """Put latents on the shelf; their ids."""
        now = timestamp(datetime.now(UTC))
        ids = []
        with self._store.transaction("put it on the shelf") as connection:
            for latent in latents:
                row = connection.execute(
                    "INSERT INTO shelf (created, model, source, label, guidance, name, tags, starred, thumbnail)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        now,
                        latent.model,
                        json.dumps(source_to_dict(latent.source)),
                        label_to_json(latent.label),
                        latent.guidance,
                        _plain(latent.name),
                        json.dumps([_plain(tag) for tag in latent.tags]),
                        int(latent.starred),
                        latent.thumbnail,
                    ),
                ).lastrowid
                assert row is not None
                ids.append(row)
        return ids

    def change(self, latent: Spot) -> None:
        """Keep name, tags, star, label, guidance and thumbnail as they are now."""
        with self._store.transaction("keep the change on the shelf") as connection:
            connection.execute(
                "UPDATE shelf SET name = ?, tags = ?, starred = ?, label = ?, guidance = ?, thumbnail = ?"
                " WHERE id = ?",
                (
                    _plain(latent.name),
                    json.dumps([_plain(tag) for tag in latent.tags]),
                    int(latent.starred),
                    label_to_json(latent.label),
                    latent.guidance,
                    latent.thumbnail,
                    latent.id,
                ),
            )

    def delete(self, ids: Sequence[int], *, back: bool = False) -> None:
        """Into the trash, or `back` out of it."""
        when = None if back else timestamp(datetime.now(UTC))
        with self._store.transaction("change the shelf") as connection:
            connection.execute(
                f"UPDATE shelf SET deleted_at = ? WHERE {_AMONG}", (when, json.dumps(list(ids)))
            )

    # --- walks

    def walks(self) -> list[KeptWalk]:
        """All walks, the one changed last first."""
        rows = self._store.rows(
            "SELECT id, name, changed FROM walks WHERE deleted_at IS NULL ORDER BY changed DESC, id DESC"
        )
        return [KeptWalk(id, name, datetime.fromisoformat(changed)) for id, name, changed in rows]

    def walk(self, id: int) -> dict[str, Any] | None:
        """What was kept of a walk; None if it is gone or can't be read."""
        rows = self._store.rows("SELECT data FROM walks WHERE id = ? AND deleted_at IS NULL", [id])
        with suppress(ValueError):
            data = json.loads(rows[0][0]) if rows else None
            return data if isinstance(data, dict) else None
        return None

    def keep_walk(self, id: int | None, name: str, data: dict[str, Any]) -> int:
        """Keep a walk under its id, or as a new one; its id."""
        now = timestamp(datetime.now(UTC))
        text = json.dumps(data)
        with self._store.transaction("keep the walk") as connection:
            if id is not None:
                found = connection.execute(
                    "UPDATE walks SET name = ?, data = ?, changed = ?, deleted_at = NULL WHERE id = ?",
                    (_plain(name), text, now, id),
                ).rowcount
                if found:
                    return id
            row = connection.execute(
                "INSERT INTO walks (name, data, changed) VALUES (?, ?, ?)", (_plain(name), text, now)
            ).lastrowid
            assert row is not None
            return row

    def delete_walk(self, id: int, *, back: bool = False) -> None:
        when = None if back else timestamp(datetime.now(UTC))
        with self._store.transaction("change the walks") as connection:
            connection.execute("UPDATE walks SET deleted_at = ? WHERE id = ?", (when, id))


def label_to_json(label: Label) -> str:
    """A class, none or a mixture as text; `label_from_json` reads it."""
    return json.dumps(label)


def label_from_json(text: str) -> Label:
    """The label in a text; `ValueError` or `TypeError` for what is none."""
    value = json.loads(text)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return tuple((None if one is None else int(one), float(weight)) for one, weight in value)


def _latent(row: Sequence[Any]) -> Spot:
    id, model, source, label, guidance, name, tags, starred, thumbnail = row
    point = Point(source_from_dict(json.loads(source)), label_from_json(label), float(guidance))
    return Spot(
        model,
        point.latent,
        point.label,
        point.guidance,
        name,
        tuple(map(str, json.loads(tags))),
        bool(starred),
        bytes(thumbnail),
        id,
    )


def _plain(text: str) -> str:
    """Half an emoji can be pasted, not kept."""
    return text.encode("utf-8", "replace").decode()
