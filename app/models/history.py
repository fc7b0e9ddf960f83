"""The history as a list: what a grid shows of it, and what can be done with its images.

Rows are loaded a page at a time as the view scrolls. Thumbnails are read in blocks when they
come into sight and the last few hundred are remembered.
"""

from __future__ import annotations

import contextlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QUrl,
    Signal,
    Slot,
)

from app.models.keeper import Keeper
from app.models.record_words import describe, file_name_of, title_of
from app.models.thumbnails import BLOCK, Thumbnails
from app.store.making import Making
from app.store.records import Details, Facets, Filter, Record, StoreError, Undo
from app.store.store import Store
from engine.errors import EngineError, UnusableFolder
from engine.messages import Catalogue, Pictures, Provenance, Request, Result, StepFrame

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from engine.images import SavedSettings

__all__ = ["RECORDS_MIME", "Details", "Facets", "Filter", "HistoryModel", "HistoryRole", "Record", "Undo"]

RECORDS_MIME = "application/x-genie-records"  # JSON list of ids, for drags inside the window

_PAGE = 200

_Index = QModelIndex | QPersistentModelIndex


class HistoryRole(IntEnum):
    """The roles of a row besides Qt's own."""

    RECORD = Qt.ItemDataRole.UserRole + 1  # Record, without its thumbnail
    THUMBNAIL = Qt.ItemDataRole.UserRole + 2  # bytes of a PNG
    STARRED = Qt.ItemDataRole.UserRole + 3  # bool
    TITLE = Qt.ItemDataRole.UserRole + 4  # str


class _Files(QMimeData):
    """Files that are written only when whoever they are dropped on asks which they are."""

    _URLS = "text/uri-list"

    def __init__(self, urls: Callable[[], list[QUrl]]) -> None:
        super().__init__()
        self._urls = urls

    def formats(self) -> list[str]:
        return [self._URLS, *super().formats()]

    def retrieveData(self, mime_type: str, preferred: Any) -> Any:
        return self._urls() if mime_type == self._URLS else super().retrieveData(mime_type, preferred)


class HistoryModel(QAbstractListModel):
    """The images of a store that pass `filter`, newest result first."""

    RecordRole = HistoryRole.RECORD
    ThumbnailRole = HistoryRole.THUMBNAIL
    StarredRole = HistoryRole.STARRED
    TitleRole = HistoryRole.TITLE

    # what was added (a Result, or the source that `add_pictures` was given), list of its ids: it is
    # in the store now
    added = Signal(object, object)
    filter_changed = Signal(object)  # Filter
    total_changed = Signal(int)  # how many images pass the filter
    facets_changed = Signal()  # what there is to filter by may have changed
    trouble = Signal(str)  # something went wrong, in plain words; nothing is lost

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._filter = Filter()
        self._records: list[Record] = []
        self._rows: dict[int, int] | None = None  # id -> row, made anew after rows have moved
        self._total = 0
        self._moving = False  # rows and total do not agree just now: nothing may be fetched
        self._thumbnails = Thumbnails(store)
        self._undos: list[Undo] = []
        self._keeper = Keeper(store, self)
        self._keeper.kept.connect(self._on_kept)
        self._keeper.trouble.connect(self.trouble)
        self._catalogue: Catalogue | None = None
        self._drag_folder: TemporaryDirectory[str] | None = None
        self.reload()

    def close(self) -> None:
        """Save what is still waiting; remove old trash and the files made for drags.

        To be called before the store closes.
        """
        self._keeper.close()
        with contextlib.suppress(StoreError):
            self._store.purge()
        if self._drag_folder is not None:
            self._drag_folder.cleanup()
            self._drag_folder = None

    # --- what the view asks ----------------------------------------------------------------

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._records)

    def canFetchMore(self, parent: _Index) -> bool:
        return not parent.isValid() and not self._moving and len(self._records) < self._total

    def fetchMore(self, parent: _Index) -> None:
        """Append the next page."""
        if self.canFetchMore(parent):
            self._fetch(_PAGE)

    def fetch_all(self) -> None:
        """Append all rows that are not there yet: they are light, thumbnails still come into sight first."""
        if self.canFetchMore(QModelIndex()):
            self._fetch(self._total - len(self._records))

    def _fetch(self, count: int) -> None:
        try:
            page = self._store.page(self._filter, len(self._records), count, thumbnails=False)
            known = self._row_by_id()
            page = [record for record in page if record.id not in known]
            if not page:  # another window has deleted in between
                self._set_total(len(self._records))
                return
        except StoreError as error:
            self._set_total(len(self._records))
            self.trouble.emit(error.message)
            return
        first = len(self._records)
        with self._moving_rows():
            self.beginInsertRows(QModelIndex(), first, first + len(page) - 1)
            self._records += page
            self._rows = None
            self.endInsertRows()

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._records):
            return None
        record = self._records[index.row()]
        if role == HistoryRole.RECORD:
            return record
        if role == HistoryRole.THUMBNAIL:
            return self._thumbnail(index.row())
        if role == HistoryRole.STARRED:
            return record.starred
        if role in (HistoryRole.TITLE, Qt.ItemDataRole.DisplayRole):
            return title_of(record, self._catalogue)
        if role == Qt.ItemDataRole.ToolTipRole:
            return describe(record, self._catalogue)
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            return describe(record, self._catalogue).replace("\n", ", ")
        return None

    def roleNames(self) -> dict[int, QByteArray]:
        names = super().roleNames()
        return {**names, **{int(role): QByteArray(role.name.lower().encode()) for role in HistoryRole}}

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list", RECORDS_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """Files for the desktop, ids for the window."""
        ids = [self._records[row].id for row in sorted({index.row() for index in indexes})]
        mime = _Files(lambda: self._drag_urls(ids))
        mime.setData(RECORDS_MIME, QByteArray(json.dumps(ids).encode()))
        return mime

    def _drag_urls(self, ids: Sequence[int]) -> list[QUrl]:
        try:
            return [QUrl.fromLocalFile(str(path)) for path in self.export_for_drag(ids)]
        except EngineError as error:
            self.trouble.emit(error.message)
            return []

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Where the titles of models and solvers come from."""
        self._catalogue = catalogue

    # --- choosing what is shown ------------------------------------------------------------

    @property
    def filter(self) -> Filter:
        return self._filter

    def set_filter(self, filter: Filter) -> None:
        if filter != self._filter:
            self._filter = filter
            self.reload()
            self.filter_changed.emit(filter)

    @property
    def total(self) -> int:
        """How many images pass the filter, loaded or not."""
        return self._total

    def is_empty(self) -> bool:
        """Nothing was ever kept, or all of it is in the trash; whatever the filter."""
        try:
            return not self._store.count()
        except StoreError:
            return False

    def facets(self) -> Facets:
        """Models, class names and solvers there are, each with how many images it has."""
        try:
            return self._store.facets()
        except StoreError as error:
            self.trouble.emit(error.message)
            return Facets()

    def reload(self) -> None:
        """Read the first page anew."""
        records: list[Record] = []
        total = 0
        try:
            total = self._store.count(self._filter)
            records = self._store.page(self._filter, 0, _PAGE, thumbnails=False)
        except StoreError as error:
            self.trouble.emit(error.message)
        with self._moving_rows():
            self.beginResetModel()
            self._records = records
            self._rows = None
            changed, self._total = total != self._total, total
            self.endResetModel()
        if changed:
            self.total_changed.emit(total)

    # --- reading one image -----------------------------------------------------------------

    def record_at(self, row: int) -> Record:
        return self._records[row]

    def row_of(self, id: int) -> int | None:
        """The row of an image, None if it is filtered out or not loaded yet."""
        return self._row_by_id().get(id)

    def details(self, id: int) -> Details:
        """Everything about an image; a `StoreError` if it is gone."""
        return self._store.details(id)

    def each(self, ids: Sequence[int]) -> list[Record]:
        """The images of these ids, one for one, also those in the trash; a `StoreError` if one is gone."""
        return self._store.each(ids)

    def request(self, id: int) -> Request:
        """The request of the whole result the image belongs to, of any kind."""
        return self._store.request(id)

    def pictures(self, id: int) -> Pictures:
        """The image's pixels."""
        return self._store.pictures(id)

    def png(self, id: int) -> bytes:
        """The image as a PNG file with its settings in it."""
        return self._store.png(id)

    def png_reader(self, id: int) -> Callable[[], bytes]:
        """Gives what `png` does, in any thread."""
        return self._store.png_reader(id)

    def thumbnail(self, id: int) -> bytes:
        """PNG of at most 128 px; empty if the image is gone."""
        return self._thumbnails.get(id, lambda: [id])

    def steps_of(self, id: int) -> tuple[StepFrame, ...]:
        """The image's filmstrip, a picture a frame; empty if it is no longer kept."""
        return self._store.steps_of(id)

    def ids_of_result(self, id: int) -> list[int]:
        """The ids of the result the image belongs to, in order, filtered out or not."""
        return self._store.ids_of_result(id)

    def result(self, id: int) -> Result | None:
        """The whole result the image belongs to, if all of it is still there."""
        return self._store.result(id)

    # --- changing --------------------------------------------------------------------------

    def add_result(self, result: Result, label_names: Sequence[str] = ()) -> list[int]:
        """Keep a result of generating. Returns its ids, or nothing yet if it is saved a little later.

        It waits when it is large (it is encoded in another thread) and when the disk is full
        (it is tried again by and by); `added` tells when it is in the store.
        """
        return self._keeper.add(Making.of(result), label_names, result)

    def add_pictures(
        self,
        request: Request,
        pictures: Pictures,
        *,
        steps: Sequence[StepFrame] = (),
        evaluations: int | None = None,
        evaluations_paper: int | None = None,
        seconds: float | None = None,
        provenance: Provenance | None = None,
        notices: Sequence[str] = (),
        label_names: Sequence[str] = (),
        source: object = None,
        saved: Callable[[int], SavedSettings] | None = None,
    ) -> list[int]:
        """Keep pictures that any task has made; picture i is image i of `request`. See `add_result`.

        `label_names` are the classes of the request's model. `source` is what `added` tells them
        by (say, the task's outcome). With a provenance their files carry the request, or what
        `saved` gives for a picture (called in another thread).
        """
        making = Making(
            request,
            pictures,
            tuple(steps),
            evaluations,
            evaluations_paper,
            seconds,
            provenance,
            tuple(notices),
            saved,
        )
        return self._keeper.add(making, label_names, making if source is None else source)

    @property
    def waiting(self) -> int:
        """How many results are still in memory only."""
        return self._keeper.waiting

    @Slot()
    def save_waiting(self) -> list[int]:
        """Try again now to save what waits; see `add_result`."""
        return self._keeper.save_waiting()

    @Slot(object, object)
    def _on_kept(self, source: object, ids: list[int]) -> None:
        with self._telling():
            self._show(ids)
        self.facets_changed.emit()
        self.added.emit(source, ids)

    def star(self, ids: Sequence[int], on: bool = True) -> bool:
        """Mark images; they leave the list at once if the filter no longer lets them pass.

        False: they could not be marked, and `trouble` has said why.
        """
        done = False
        with self._telling():
            self._store.star(ids, on)
            done = True
            self._refresh(ids)
            self.facets_changed.emit()
        return done

    def starred(self, ids: Sequence[int]) -> set[int]:
        """Those of `ids` that have a star; one that is gone has none."""
        with contextlib.suppress(StoreError):
            return self._store.starred(ids)
        return set()

    def is_deleted(self, id: int) -> bool:
        """Whether an image is in the trash, or gone for good."""
        with contextlib.suppress(StoreError):
            return not self._store.records([id])
        return False

    def note(self, id: int, text: str) -> None:
        """Write words beside an image; the text filter finds them."""
        with self._telling():
            self._store.note(id, text)
            self._refresh([id])

    def delete(self, ids: Sequence[int]) -> Undo | None:
        """Into the trash at once; `undo_delete` takes it back. What it returns may name no ids.

        None: they could not be deleted, and `trouble` has said why.
        """
        undo: Undo | None = None
        with self._telling():
            undo = self._store.delete(ids)
            if undo.ids:
                self._undos.append(undo)
                self._hide(undo.ids)
                if not self._records:  # all that was loaded is gone: the view has nothing to scroll
                    self.fetchMore(QModelIndex())
                self.facets_changed.emit()
        return undo

    @property
    def can_undo(self) -> bool:
        return bool(self._undos)

    def undo_delete(self, undo: Undo | None = None) -> list[int] | None:
        """Bring back what `undo`, or else the latest deletion, took away. Returns the ids.

        None: they could not be brought back, and `trouble` has said why.
        """
        ids: list[int] | None = None
        if undo is None:
            if not self._undos:
                return []
            undo = self._undos[-1]
        with self._telling():
            ids = self._store.undo(undo)
            if undo in self._undos:
                self._undos.remove(undo)
            self._show(ids)
            self.facets_changed.emit()
        return ids

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """A verb of the window never raises what only needs saying."""
        try:
            yield
        except StoreError as error:
            self.trouble.emit(error.message)

    def export_for_drag(self, ids: Sequence[int]) -> list[Path]:
        """Write PNG files with the settings in them into a temporary folder, for a drag.

        Raises `StoreError` or `UnusableFolder`.
        """
        from tempfile import TemporaryDirectory

        if self._drag_folder is None:
            self._drag_folder = TemporaryDirectory(prefix="genie-drag-")
        folder = Path(self._drag_folder.name)
        unfinished = folder / "unfinished"
        paths = []
        for record in self._store.records(ids):
            path = folder / f"{file_name_of(record)}.png"
            if not path.exists():
                png = self._store.png(record.id)
                try:  # a copy that is soon gone need not reach the disk, so nothing waits for that
                    unfinished.write_bytes(png)
                    unfinished.replace(path)
                except OSError as error:
                    raise UnusableFolder(
                        f"Couldn't write {path}: {error.strerror or error}. Free some space and drag again; "
                        "the history is untouched."
                    ) from error
            paths.append(path)
        return paths

    # --- keeping rows in step with the store -----------------------------------------------

    def _show(self, ids: Sequence[int]) -> None:
        """Rows for images that are in the store now, without a reset where there are rows already."""
        if not self._records and len(ids) > _PAGE:  # the first page will do for now
            self.reload()
            return
        total = self._store.count(self._filter)
        known = self._row_by_id()
        new = [id for id in ids if id not in known]
        fresh = self._store.records(new, self._filter) if new else []
        all_loaded = len(self._records) >= self._total
        with self._moving_rows():
            for run, row in self._runs(fresh):
                if row == len(self._records) and not all_loaded:
                    break  # below what is loaded: it comes with its page
                self.beginInsertRows(QModelIndex(), row, row + len(run) - 1)
                self._records[row:row] = run
                self._rows = None
                self.endInsertRows()
        self._set_total(total)

    def _runs(self, fresh: Sequence[Record]) -> list[tuple[list[Record], int]]:
        """Neighbours among `fresh` (in order) with the row each run goes to, in order."""
        runs: list[tuple[list[Record], int]] = []
        for before, record in enumerate(fresh):
            row = bisect_left(self._records, record.place, key=lambda other: other.place)
            if runs and runs[-1][1] == row + before - len(runs[-1][0]):
                runs[-1][0].append(record)
            else:
                runs.append(([record], row + before))
        return runs

    def _hide(self, ids: Sequence[int]) -> None:
        total = self._store.count(self._filter)
        known = self._row_by_id()
        rows = sorted((known[id] for id in ids if id in known), reverse=True)
        with self._moving_rows():
            for last, first in _ranges(rows):
                self.beginRemoveRows(QModelIndex(), first, last)
                del self._records[first : last + 1]
                self._rows = None
                self.endRemoveRows()
        self._set_total(total)

    @contextlib.contextmanager
    def _moving_rows(self) -> Iterator[None]:
        # A view may ask for more in the middle of a change, when offsets mean nothing.
        before, self._moving = self._moving, True
        try:
            yield
        finally:
            self._moving = before

    def _refresh(self, ids: Sequence[int]) -> None:
        """Read rows anew after their record changed; drop or add them as the filter says."""
        passing = {record.id: record for record in self._store.records(ids, self._filter)}
        known = self._row_by_id()
        rows = sorted((known[id] for id in passing if id in known), reverse=True)
        with self._moving_rows():
            for row in rows:
                self._records[row] = passing[self._records[row].id]
            for last, first in _ranges(rows):
                self.dataChanged.emit(self.index(first), self.index(last))
            self._show(list(passing))
            self._hide([id for id in ids if id not in passing])

    def _row_by_id(self) -> dict[int, int]:
        if self._rows is None:
            self._rows = {record.id: row for row, record in enumerate(self._records)}
        return self._rows

    def _set_total(self, total: int) -> None:
        if total != self._total:
            self._total = total
            self.total_changed.emit(total)

    def _thumbnail(self, row: int) -> bytes:
        first = row - row % BLOCK
        return self._thumbnails.get(
            self._records[row].id,
            lambda: [record.id for record in self._records[first : first + BLOCK]],
        )


def _ranges(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Falling row numbers as (last, first) of unbroken stretches."""
    ranges: list[tuple[int, int]] = []
    for row in rows:
        if ranges and ranges[-1][1] == row + 1:
            ranges[-1] = (ranges[-1][0], row)
        else:
            ranges.append((row, row))
    return ranges
