"""From the rows of the tables to the values of `records`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from app.store.making import NO_SEED
from app.store.records import Record, StoreError
from engine.errors import BadRequest
from engine.messages import Pictures, Provenance, Request, request_from_json

__all__ = ["COLUMNS", "THUMBNAIL", "read_provenance", "read_request", "record_of", "together"]

# Columns that are fields of a Record under the same name.
_PLAIN = (
    *("model", "label", "label_name", "solver", "steps", "guidance", "spacing"),
    *("width", "height", "channels", "kind", "note"),
)
COLUMNS = (
    "id, (SELECT uuid FROM jobs WHERE jobs.id = job_id), job_id, position, created, seed, starred, "
    f"{', '.join(_PLAIN)}"
)
THUMBNAIL = ", (SELECT thumbnail FROM pixels WHERE image_id = images.id)"


def record_of(row: Sequence[Any]) -> Record:
    """A row of `COLUMNS`, with or without `THUMBNAIL` behind them."""
    id_, job, number, position, created, seed, starred, *rest = row
    plain, thumbnail = rest[: len(_PLAIN)], rest[len(_PLAIN) :]
    return Record(
        id=id_,
        job=job,
        place=(-number, position),
        index=position,
        created=datetime.fromisoformat(created).astimezone(UTC),
        seed=None if seed == NO_SEED else seed,
        starred=bool(starred),
        thumbnail=thumbnail[0] if thumbnail else b"",
        **dict(zip(_PLAIN, plain, strict=True)),
    )


def together(pictures: Sequence[Pictures]) -> Pictures:
    """Single pictures of one size as one batch."""
    return dataclasses.replace(pictures[0], count=len(pictures), data=b"".join(one.data for one in pictures))


def read_request(text: str) -> Request:
    """A request as the store keeps it; a `StoreError` if this program can't read it."""
    try:
        return request_from_json(text)
    except BadRequest as error:
        raise StoreError(
            "Couldn't read the settings of this image; the picture itself is untouched. "
            "A newer version of the program may have made it.",
            details=error.message,
        ) from error


def read_provenance(text: str | None) -> Provenance | None:
    """A provenance as the store keeps it; None where it can't be read."""
    if text is None:
        return None
    try:
        data = json.loads(text)
        return Provenance(**{**data, "batches": tuple(data["batches"])})
    except (ValueError, TypeError, KeyError):  # kept by a version that knew it otherwise
        return None
