"""What goes into the store and comes out of it: plain frozen values without a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from engine.errors import EngineError
from engine.messages import Provenance, Request

__all__ = [
    "DamagedStore",
    "Details",
    "Facets",
    "Filter",
    "NewerStore",
    "Record",
    "StoreError",
    "StoreFull",
    "Undo",
    "timestamp",
]


class StoreError(EngineError):
    """The history can't be read or written; the message says what to do about it."""

    kind = "store"


class NewerStore(StoreError):
    """The file was written by a newer program."""


class DamagedStore(StoreError):
    """The file is not a readable history."""


class StoreFull(StoreError):
    """The disk is full; what was already in the history is untouched."""


@dataclass(frozen=True)
class Record:
    """One image of the history, light enough to keep ten thousand of them.

    `place` orders the history: results newest first, the images of a result in their order.
    """

    id: int
    job: str  # the result this image belongs to
    place: tuple[int, int]  # (minus the number of the result, index)
    index: int  # which image of the request
    created: datetime  # UTC
    model: str
    label: int | None
    label_name: str
    solver: str
    steps: int
    guidance: float
    spacing: str
    seed: int | None  # of this very image; None: none was drawn
    width: int
    height: int
    channels: int
    kind: str = "generate"  # of the request: which task made it
    starred: bool = False
    note: str = ""
    thumbnail: bytes = field(default=b"", repr=False)  # PNG, at most 128 px; empty unless asked for


@dataclass(frozen=True)
class Details:
    """All that is known of one image. `request` is that of the whole result."""

    record: Record
    request: Request
    provenance: Provenance | None  # None: made before the history kept it
    evaluations: int | None
    evaluations_paper: int | None
    seconds: float | None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Undo:
    """What a deletion took away; `Store.undo` puts exactly this back."""

    ids: tuple[int, ...]
    deleted_at: str


@dataclass(frozen=True)
class Facets:
    """What there is to filter by, each with how many images it has, the most frequent first."""

    models: tuple[tuple[str, int], ...] = ()
    labels: tuple[tuple[str, int], ...] = ()  # class names
    solvers: tuple[tuple[str, int], ...] = ()
    starred: int = 0
    kinds: tuple[tuple[str, int], ...] = ()  # kinds of request


@dataclass(frozen=True)
class Filter:
    """Which images to show; every condition given must hold.

    `kind` is that of the request. `label` is a class name. `text` is looked for word by word, ignoring case, in model, class,
    solver, seed and note. The dates are days of the person's own calendar, both included.
    """

    model: str | None = None
    label: str | None = None
    solver: str | None = None
    starred: bool = False
    text: str = ""
    date_from: date | None = None
    date_to: date | None = None
    kind: str | None = None

    def sql(self) -> tuple[str, list[object]]:
        """The condition on the table `images`, and its parameters."""
        where: list[str] = ["deleted_at IS NULL"]
        values: list[object] = []
        for column, value in (
            ("model", self.model), ("label_name", self.label), ("solver", self.solver), ("kind", self.kind)
        ):  # fmt: skip
            if value is not None:
                where.append(f"{column} = ?")
                values.append(value)
        if self.starred:
            where.append("starred = 1")
        for word in self.text.casefold().split():
            where.append("instr(words, ?) > 0")
            values.append(word)
        if self.date_from is not None:
            where.append("created >= ?")
            values.append(_moment(self.date_from, time.min))
        if self.date_to is not None:
            where.append("created <= ?")
            values.append(_moment(self.date_to, time.max))
        return " AND ".join(where), values


def _moment(day: date, clock: time) -> str:
    try:
        return timestamp(datetime.combine(day, clock).astimezone())
    except (OverflowError, ValueError, OSError):  # the first and last days the calendar has
        return timestamp(datetime.combine(day, clock, UTC))


def timestamp(moment: datetime) -> str:
    """UTC as ISO text of fixed width, so that comparing the texts compares the moments."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
