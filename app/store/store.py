"""The history of results and the settings, in one SQLite file.

A `Store` belongs to the thread that opened it (SQLite refuses any other). Whatever happens to
the program, the file holds whole results only; whatever happens to the file, it is moved
aside, never overwritten.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from app.store.encoding import EncodedResult, decode_png, encode_result, unpack_steps
from app.store.making import Making, listing
from app.store.opening import connect, explain, mark_open
from app.store.reading import gone, read_png
from app.store.records import DamagedStore, Details, Facets, Filter, Record, StoreError, Undo, timestamp
from app.store.rows import COLUMNS, THUMBNAIL, read_provenance, read_request, record_of, together
from app.store.schema import search_words
from engine.messages import GenerateRequest, Pictures, Request, Result, StepFrame, request_to_json

__all__ = ["STEP_LIMIT", "Store"]

STEP_LIMIT = 512 * 2**20  # bytes of filmstrips; beyond it the oldest are dropped, the images stay

_EVERYTHING = Filter()
_AMONG = "id IN (SELECT value FROM json_each(?))"  # one parameter however many ids
_ORDER = "ORDER BY job_id DESC, position"


class Store:
    """`path` None keeps everything in memory. `notice` is something to tell the person.

    Raises `NewerStore` or `DamagedStore` if the file can't be used and `StoreError` if it
    can't be opened at all; `open_store` deals with all three.
    """

    def __init__(self, path: Path | None, *, step_limit: int = STEP_LIMIT, notice: str = "") -> None:
        self.path = path
        self.notice = notice
        self._step_limit = step_limit
        self._step_bytes: int | None = None  # added up when first needed
        self._damaged = False
        self._connection = connect(path)

    def close(self) -> None:
        """Close the file; harmless when it is closed already."""
        with suppress(sqlite3.Error):
            if not self._damaged:  # a file left marked as open is checked at the next start
                mark_open(self._connection, False)
        self._connection.close()

    # --- results ---------------------------------------------------------------------------

    def add_result(self, result: Result, label_names: Sequence[str] = ()) -> list[int]:
        """Keep every image of `result`; all of it or, with a `StoreError`, nothing.

        `label_names` are the class names of the result's model. Returns the images' ids.
        """
        return self.add_making(Making.of(result), label_names)

    def add_making(self, making: Making, label_names: Sequence[str] = ()) -> list[int]:
        """Keep pictures of any task; see `add_result`."""
        return self.add_encoded(encode_result(making, label_names), label_names)

    def add_encoded(self, encoded: EncodedResult, label_names: Sequence[str] = ()) -> list[int]:
        """`add_making` for pictures that were encoded elsewhere."""
        making = encoded.making
        created = timestamp(encoded.created)
        ids: list[int] = []
        with self.transaction("keep the result in the history") as connection:
            job = connection.execute(
                "INSERT INTO jobs (uuid, created, request, provenance, evaluations, evaluations_paper,"
                " seconds, notices) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    encoded.uuid,
                    created,
                    request_to_json(making.request),
                    None if making.provenance is None else json.dumps(dataclasses.asdict(making.provenance)),
                    making.evaluations,
                    making.evaluations_paper,
                    making.seconds,
                    json.dumps(making.notices),
                ),
            ).lastrowid
            size = (making.pictures.width, making.pictures.height, making.pictures.channels)
            for i in range(len(encoded.images)):  # of a job that was stopped, the rest was never made
                row = listing(making.request, i, label_names)
                listed = (row.model, row.label, row.label_name, row.solver, row.steps, row.guidance)
                words = search_words(row.model, row.label_name, row.solver, row.seed, "")
                id_ = connection.execute(
                    "INSERT INTO images (job_id, position, created, kind, model, label, label_name, solver,"
                    " steps, guidance, spacing, seed, width, height, channels, words)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (job, i, created, row.kind, *listed, row.spacing, row.seed, *size, words),
                ).lastrowid
                assert id_ is not None
                ids.append(id_)
            connection.executemany(
                "INSERT INTO pixels (image_id, thumbnail, png) VALUES (?, ?, ?)",
                ((id_, image.thumbnail, image.png) for id_, image in zip(ids, encoded.images, strict=True)),
            )
            steps = [
                (id_, image.frames, len(image.steps), image.steps)
                for id_, image in zip(ids, encoded.images, strict=True)
                if image.frames
            ]
            connection.executemany(
                "INSERT INTO steps (image_id, frames, bytes, data) VALUES (?, ?, ?, ?)", steps
            )
        if self._step_bytes is not None:
            self._step_bytes += sum(row[2] for row in steps)
        with suppress(StoreError):  # the result is safe; there is a next time for tidying up
            self._drop_old_steps()
        return ids

    def _drop_old_steps(self) -> None:
        if self.step_bytes() <= self._step_limit:
            return
        with self.transaction("drop old filmstrips") as connection:
            total = self._step_bytes = self._number("SELECT coalesce(sum(bytes), 0) FROM steps")
            last = None
            # Down to four fifths, so that this is not done again for every result.
            for image_id, size in connection.execute("SELECT image_id, bytes FROM steps ORDER BY image_id"):
                if total <= self._step_limit * 4 // 5:
                    break
                total, last = total - size, image_id
            if last is not None:
                connection.execute("DELETE FROM steps WHERE image_id <= ?", (last,))
        self._step_bytes = total

    # --- reading ---------------------------------------------------------------------------

    def page(
        self, filter: Filter = _EVERYTHING, offset: int = 0, limit: int = 200, *, thumbnails: bool = True
    ) -> list[Record]:
        """Images that pass `filter`, newest result first, from the `offset`th on."""
        where, values = filter.sql()
        return self._records(
            f"WHERE {where} {_ORDER} LIMIT ? OFFSET ?", [*values, limit, offset], thumbnails=thumbnails
        )

    def records(
        self, ids: Sequence[int], filter: Filter = _EVERYTHING, *, thumbnails: bool = False
    ) -> list[Record]:
        """Those of `ids` that pass `filter` and are not in the trash, in the history's order."""
        where, values = filter.sql()
        return self._records(
            f"WHERE {where} AND {_AMONG} {_ORDER}", [*values, json.dumps(list(ids))], thumbnails=thumbnails
        )

    def record(self, id: int) -> Record:
        """One image, also from the trash; a `StoreError` if there is no such image."""
        found = self._records("WHERE id = ?", [id], thumbnails=True)
        if not found:
            raise gone(id)
        return found[0]

    def each(self, ids: Sequence[int]) -> list[Record]:
        """The images of these ids, one for one, also from the trash; a `StoreError` if one is gone."""
        found = {record.id: record for record in self._records(f"WHERE {_AMONG}", [json.dumps(list(ids))])}
        for id in ids:
            if id not in found:
                raise gone(id)
        return [found[id] for id in ids]

    def starred(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that have a star and are not in the trash."""
        found = self.rows(
            f"SELECT id FROM images WHERE deleted_at IS NULL AND starred = 1 AND {_AMONG}",
            [json.dumps(list(ids))],
        )
        return {row[0] for row in found}

    def count(self, filter: Filter = _EVERYTHING) -> int:
        where, values = filter.sql()
        return self._number(f"SELECT count(*) FROM images WHERE {where}", values)

    def facets(self) -> Facets:
        """What there is to filter by."""

        def values_of(column: str) -> tuple[tuple[str, int], ...]:
            return tuple(
                self.rows(
                    f"SELECT {column}, count(*) FROM images WHERE deleted_at IS NULL AND {column} != ''"
                    f" GROUP BY {column} ORDER BY count(*) DESC, {column}"
                )
            )

        starred = self.count(Filter(starred=True))
        return Facets(
            models=values_of("model"),
            labels=values_of("label_name"),
            solvers=values_of("solver"),
            kinds=values_of("kind"),
            starred=starred,
        )

    def png(self, id: int) -> bytes:
        """The image as a PNG file with its settings in it."""
        data: bytes = self._one("SELECT png FROM pixels WHERE image_id = ?", id)[0]
        return data

    def png_reader(self, id: int) -> Callable[[], bytes]:
        """Gives what `png` does, in any thread while the store is open: a file is not read before."""
        if self.path is not None:
            return partial(read_png, self.path, id)
        png = self.png(id)  # nobody else can look into this memory
        return lambda: png

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        """PNG thumbnails by id, at most 128 px; ids that are gone are left out."""
        return dict(
            self.rows(
                "SELECT image_id, thumbnail FROM pixels WHERE image_id IN (SELECT value FROM json_each(?))",
                [json.dumps(list(ids))],
            )
        )

    def pictures(self, id: int) -> Pictures:
        """The image's pixels."""
        png = self.png(id)
        try:
            return decode_png(png)
        except (OSError, ValueError, SyntaxError) as error:
            raise StoreError(
                f"Couldn't read image {id} of the history: its picture is damaged. The others are untouched.",
                details=str(error),
            ) from error

    def steps_of(self, id: int) -> tuple[StepFrame, ...]:
        """The filmstrip of one image, a picture a frame; empty if it was dropped or never kept."""
        found = self.rows(
            "SELECT frames, data, width, height, channels FROM steps"
            " JOIN images ON images.id = image_id WHERE image_id = ?",
            [id],
        )
        if not found:
            return ()
        frames, data, width, height, channels = found[0]
        with suppress(ValueError, zlib.error):  # a damaged filmstrip is as good as none
            return unpack_steps(frames, data, width=width, height=height, channels=channels)
        return ()

    def details(self, id: int) -> Details:
        """Everything about one image; its `request` is the whole result's."""
        record = self.record(id)
        request, provenance, evaluations, paper, seconds, notices = self._one(
            "SELECT request, provenance, evaluations, evaluations_paper, seconds, notices"
            " FROM jobs WHERE id = (SELECT job_id FROM images WHERE id = ?)",
            id,
        )
        return Details(
            record,
            read_request(request),
            read_provenance(provenance),
            evaluations,
            paper,
            seconds,
            tuple(json.loads(notices)),
        )

    def request(self, id: int) -> Request:
        """The request of the whole result an image belongs to."""
        text = self._one("SELECT request FROM jobs WHERE id = (SELECT job_id FROM images WHERE id = ?)", id)[
            0
        ]
        return read_request(text)

    def ids_of_result(self, id: int) -> list[int]:
        """The ids of all images of the result that `id` belongs to, in order, but those in the trash."""
        return [row[0] for row in self._images_of_result(id)]

    def _images_of_result(self, id: int) -> list[Any]:
        """(id, position) of each."""
        return self.rows(
            "SELECT id, position FROM images WHERE deleted_at IS NULL"
            " AND job_id = (SELECT job_id FROM images WHERE id = ?) ORDER BY position",
            [id],
        )

    def result(self, id: int) -> Result | None:
        """The whole result an image belongs to, as it was finished, to show it on the canvas again.

        None if some of its images are gone, if it is older than the record of its provenance, or
        of another task than making pictures from noise.
        """
        details = self.details(id)
        request = details.request
        rows = self._images_of_result(id)
        ids = [row[0] for row in rows]
        whole = bool(ids) and [row[1] for row in rows] == list(range(len(ids)))
        if not whole or details.provenance is None or not isinstance(request, GenerateRequest):
            return None
        strips = [self.steps_of(one) for one in ids]
        alike = len({tuple((f.step, f.t, f.evaluations) for f in strip) for strip in strips}) == 1
        steps = tuple(
            dataclasses.replace(frames[0], pictures=together([frame.pictures for frame in frames]))
            for frames in (zip(*strips, strict=True) if alike else ())
        )
        return Result(
            request=request,
            pictures=together([self.pictures(one) for one in ids]),
            steps=steps,
            evaluations=details.evaluations or 0,
            evaluations_paper=details.evaluations_paper or 0,
            seconds=details.seconds or 0.0,
            provenance=details.provenance,
            notices=details.notices,
        )

    # --- changing --------------------------------------------------------------------------

    def star(self, ids: Sequence[int], on: bool = True) -> None:
        with self.transaction("change the star") as connection:
            connection.execute(
                f"UPDATE images SET starred = ? WHERE {_AMONG}", (int(on), json.dumps(list(ids)))
            )

    def note(self, id: int, text: str) -> None:
        """Write a person's own words beside an image; the text filter finds them."""
        text = text.encode("utf-8", "replace").decode()  # half an emoji can be pasted, not kept
        with self.transaction("keep the note") as connection:
            connection.execute(
                "UPDATE images SET note = ?, words = search_words(model, label_name, solver, seed, ?)"
                " WHERE id = ?",
                (text, text, id),
            )

    def delete(self, ids: Sequence[int]) -> Undo:
        """Put images into the trash. The answer brings back exactly those this call put there."""
        now = timestamp(datetime.now(UTC))
        with self.transaction("delete") as connection:
            rows = connection.execute(
                f"UPDATE images SET deleted_at = ? WHERE deleted_at IS NULL AND {_AMONG} RETURNING id",
                (now, json.dumps(list(ids))),
            ).fetchall()
        return Undo(tuple(row[0] for row in rows), now)

    def undo(self, token: Undo) -> list[int]:
        """Take a deletion back. Returns the ids that were still in the trash."""
        with self.transaction("undo the deletion") as connection:
            rows = connection.execute(
                f"UPDATE images SET deleted_at = NULL WHERE deleted_at = ? AND {_AMONG} RETURNING id",
                (token.deleted_at, json.dumps(list(token.ids))),
            ).fetchall()
        return [row[0] for row in rows]

    def purge(self, older_than: timedelta = timedelta(days=30)) -> int:
        """Remove for good what has been in the trash for longer than that; returns how many."""
        before = timestamp(datetime.now(UTC) - older_than)
        with self.transaction("empty the trash") as connection:
            gone = connection.execute("DELETE FROM images WHERE deleted_at <= ?", (before,)).rowcount
            if gone:
                connection.execute("DELETE FROM jobs WHERE id NOT IN (SELECT job_id FROM images)")
        if gone:
            self._step_bytes = None
            with self._plainly("give space back"):
                self._connection.execute("PRAGMA incremental_vacuum").fetchall()
        return gone

    # --- settings and size -----------------------------------------------------------------

    def get_setting(self, key: str, default: Any = None) -> Any:
        """A value kept by `set_setting`, or `default` if there is none that can be read."""
        found = self.rows("SELECT value FROM settings WHERE key = ?", [f"app/{key}"])
        with suppress(ValueError):
            return json.loads(found[0][0]) if found else default
        return default

    def set_setting(self, key: str, value: Any) -> None:
        """Keep `value`, anything JSON can hold."""
        text = json.dumps(value)
        with self.transaction("keep the settings") as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (f"app/{key}", text))

    def total_bytes(self) -> int:
        """The size of the history on disk."""
        return self._number("PRAGMA page_count") * self._number("PRAGMA page_size")

    def step_bytes(self) -> int:
        """How much of it is filmstrips."""
        if self._step_bytes is None:
            self._step_bytes = self._number("SELECT coalesce(sum(bytes), 0) FROM steps")
        return self._step_bytes

    # --- the connection --------------------------------------------------------------------

    @contextmanager
    def _plainly(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.ProgrammingError:  # closed, or the wrong thread: our mistake
            raise
        except sqlite3.Error as error:
            plain = explain(error, self.path, doing)
            self._damaged = self._damaged or isinstance(plain, DamagedStore)
            raise plain from error

    @contextmanager
    def transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """A change of the file: all of it or, with a `StoreError` ("Couldn't `doing`: ..."), nothing.

        For the modules beside this one that keep tables of their own, like `rows`.
        """
        with self._plainly(doing):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back already
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """What a query finds; a `StoreError` if the file can't be read."""
        with self._plainly("read the history"):
            return self._connection.execute(sql, tuple(values)).fetchall()

    def _one(self, sql: str, id: int) -> Any:
        rows = self.rows(sql, [id])
        if not rows:
            raise gone(id)
        return rows[0]

    def _number(self, sql: str, values: Sequence[object] = ()) -> int:
        return int(self.rows(sql, values)[0][0])

    def _records(self, rest: str, values: Sequence[object], *, thumbnails: bool = False) -> list[Record]:
        extra = THUMBNAIL if thumbnails else ""
        return [record_of(row) for row in self.rows(f"SELECT {COLUMNS}{extra} FROM images {rest}", values)]
