"""The shelf: latents that a person has put aside, newest first."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
    Slot,
)

from app.failure import Failure
from app.models.history import HistoryModel
from app.models.names import class_name, model_title
from app.models.traverse.pictures import Thumbnailer, thumbnail_of
from app.models.traverse.quality import Quality
from app.models.traverse.spots import (
    LATENTS_MIME,
    Spot,
    average,
    same_place,
    short_id,
    source_words,
    spot_of_file,
    spot_of_record,
    spots_from_mime,
    spots_to_mime,
)
from app.models.undo import NOT_NOW, Change, UndoList
from app.store.shelf import ShelfStore
from engine.errors import EngineError
from engine.messages import MAX_SEED, Label, Pictures, SeedLatent
from engine.messages.walks import Point

__all__ = ["ShelfModel", "ShelfRole", "label_words", "point_of"]

_Index = QModelIndex | QPersistentModelIndex


class ShelfRole(IntEnum):
    """The roles of a row besides Qt's own."""

    SPOT = Qt.ItemDataRole.UserRole + 1  # Spot
    THUMBNAIL = Qt.ItemDataRole.UserRole + 2  # bytes of a PNG
    STARRED = Qt.ItemDataRole.UserRole + 3  # bool


class ShelfModel(QAbstractListModel):
    """What is on the shelf and passes the filter. Verbs say in `notice` what could not be done."""

    notice = Signal(str, str, object)  # as that of Studio
    filter_changed = Signal()

    def __init__(
        self,
        store: ShelfStore,
        history: HistoryModel,
        quality: Quality,
        thumbnails: Thumbnailer,
        undo_list: UndoList,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._history = history
        self._quality = quality
        self._thumbnails = thumbnails
        self._undo_list = undo_list
        self._all: list[Spot] = []
        self._shown: list[Spot] = []
        self._text = ""
        self._starred_only = False
        thumbnails.made.connect(self._on_made)
        thumbnails.failed.connect(self._on_not_made)
        quality.changed.connect(self._on_catalogue)
        self.reload()

    def reload(self) -> None:
        """Read the shelf anew."""
        self._all = self._try(self._store.latents) or []
        for spot in self._all:
            self._want(spot)
        self._filter()

    # --- what the view asks

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._shown):
            return None
        spot = self._shown[index.row()]
        if role == ShelfRole.SPOT:
            return spot
        if role == ShelfRole.THUMBNAIL:
            return spot.thumbnail
        if role == ShelfRole.STARRED:
            return spot.starred
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return spot.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(self.describe(spot))
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            return ", ".join(self.describe(spot))
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        return self.rename(self._shown[index.row()].id, str(value))

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid():
            return flags | Qt.ItemFlag.ItemIsDragEnabled | Qt.ItemFlag.ItemIsEditable
        return flags

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return [LATENTS_MIME, "text/plain", "text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        return spots_to_mime([self._shown[row] for row in sorted({index.row() for index in indexes})])

    def roleNames(self) -> dict[int, QByteArray]:
        names = super().roleNames()
        return {**names, **{int(role): QByteArray(role.name.lower().encode()) for role in ShelfRole}}

    def describe(self, spot: Spot) -> list[str]:
        """What is known of a latent, a fact an entry."""
        facts = [spot.name or source_words(spot.source), source_words(spot.source).capitalize()]
        if words := label_words(self._quality, spot.model, spot.label):
            facts.append(words)
        facts.append(model_title(self._quality.catalogue, spot.model))
        if not self._quality.usable(spot.model):
            facts.append("its model is not here")
        if spot.tags:
            facts.append("Tags: " + ", ".join(spot.tags))
        facts.append(f"Id {short_id(spot)}")
        return list(dict.fromkeys(facts))

    @property
    def total(self) -> int:
        """How many latents there are, whatever the filter."""
        return len(self._all)

    def spots(self, ids: Sequence[int]) -> list[Spot]:
        """Those of these ids that are on the shelf, in the order asked for."""
        by_id = {spot.id: spot for spot in self._all}
        return [by_id[id] for id in ids if id in by_id]

    def spot_at(self, row: int) -> Spot:
        return self._shown[row]

    @property
    def everything(self) -> tuple[Spot, ...]:
        return tuple(self._all)

    # --- filter

    @property
    def filtered(self) -> bool:
        return bool(self._text) or self._starred_only

    def set_filter(self, text: str = "", starred: bool = False) -> None:
        """Words looked for in names, tags, classes, models and ids; all of them must be found."""
        if (text, starred) != (self._text, self._starred_only):
            self._text, self._starred_only = text, starred
            self._filter()

    def _filter(self) -> None:
        words = self._text.casefold().split()
        self.beginResetModel()
        self._shown = [spot for spot in self._all if self._passes(spot, words)]
        self.endResetModel()
        self.filter_changed.emit()

    def _passes(self, spot: Spot, words: Sequence[str]) -> bool:
        if self._starred_only and not spot.starred:
            return False
        return not words or all(word in " ".join(self.describe(spot)).casefold() for word in words)

    # --- verbs: putting something on it

    def add(self, spots: Sequence[Spot]) -> list[int]:
        """Put latents on the shelf, with undo; those that are there already stay as they are.

        Answers the ids of all of them.
        """
        known = [next((one for one in self._all if same_place(one, spot)), None) for spot in spots]
        fresh = [
            dataclasses.replace(spot, id=0, name=spot.name or source_words(spot.source).capitalize())
            for spot, there in zip(spots, known, strict=True)
            if there is None
        ]
        ids = self._put(fresh)
        if fresh and len(ids) != len(fresh):
            return []
        if fresh:
            words = (
                f"{fresh[0].name} is on the shelf." if len(fresh) == 1 else f"{len(fresh)} put on the shelf."
            )
            self._did(words, ids)
        elif known:
            self.notice.emit("That is on the shelf already.", "info", None)
        new = iter(ids)
        return [there.id if there is not None else next(new) for there in known]

    def _put(self, spots: Sequence[Spot]) -> list[int]:
        if not spots:
            return []
        ids = self._try(lambda: self._store.add(spots)) or []
        added = [dataclasses.replace(spot, id=id) for spot, id in zip(spots, ids, strict=False)]
        for spot in added:
            self._all.insert(0, spot)
            self._want(spot)
        self._filter()
        return ids

    def _did(self, words: str, ids: list[int]) -> None:
        change = self._note(words, ids, hidden=False)
        self.notice.emit(words, "good", change)

    def add_seeds(self, model: str, text: str, label: Label = None, guidance: float = 0.0) -> list[int]:
        """From seeds as they are typed: "7", "7 8 9" or "100-115" (at most 64 at once)."""
        seeds: list[int] = []
        for part in text.replace(",", " ").split():
            first, dash, last = part.partition("-")
            if len(part) > 40 or not (first.isdecimal() and (last.isdecimal() or not dash)):
                self.notice.emit(f"{part[:40]!r} is no seed. Type whole numbers, or 100-115.", "care", None)
                return []
            seeds += range(int(first), min(int(last or first), int(first) + 64) + 1)
        if not seeds or max(seeds) > MAX_SEED or len(seeds) > 64:
            self.notice.emit(
                f"Type one seed or up to 64, each from 0 to {MAX_SEED:,}: 7, or 7 8 9, or 100-115.",
                "care",
                None,
            )
            return []
        return self.add([Spot(model, SeedLatent(seed), label, guidance, f"Seed {seed}") for seed in seeds])

    def add_records(self, record_ids: Sequence[int]) -> list[int]:
        """From pictures of the history."""
        return self._add_read([lambda id=id: spot_of_record(self._history, id) for id in record_ids])  # type: ignore[misc]

    def add_files(self, paths: Sequence[Path], model: str = "") -> list[int]:
        """From latent files, or pictures that carry their settings."""
        folder = self._store.folder
        return self._add_read([lambda path=path: spot_of_file(path, model, folder) for path in paths])  # type: ignore[misc]

    def add_encoded(self, path: Path, model: str, name: str, picture: Pictures | None = None) -> list[int]:
        """The latent of a picture that was encoded, from the file the encoding wrote."""

        def read() -> Spot:
            spot = spot_of_file(path, model, self._store.folder)
            return dataclasses.replace(
                spot, name=name[:200], thumbnail=b"" if picture is None else thumbnail_of(picture)
            )

        return self._add_read([read])

    def _add_read(self, reads: Sequence[Callable[[], Spot]]) -> list[int]:
        spots = []
        for read in reads:
            try:
                spots.append(read())
            except EngineError as error:
                self.notice.emit(error.message, "bad", None)
        return self.add(spots) if spots else []

    def add_mime(self, mime: QMimeData, model: str = "") -> list[int]:
        """From a drag or the clipboard."""
        spots, troubles = spots_from_mime(mime, self._history, self._all, model, self._store.folder)
        for words in troubles[:3]:
            self.notice.emit(words, "bad", None)
        if not spots and not troubles:
            self.notice.emit(
                "There is no latent here: copy one from a shelf, a seed, or a picture of ours.", "care", None
            )
        return self.add(spots) if spots else []

    def add_average(self, ids: Sequence[int], weights: Sequence[float] | None = None) -> list[int]:
        """The latent between several."""
        chosen = self.spots(ids)
        if len(chosen) < 2:
            self.notice.emit("Select two latents or more to make their average.", "info", None)
            return []
        made = self._try(lambda: average(chosen, weights))
        return self.add([made]) if made is not None else []

    # --- verbs: changing

    def rename(self, id: int, name: str) -> bool:
        name = name.strip()
        return bool(name) and self._change(id, name=name[:200])

    def set_tags(self, ids: Sequence[int], text: str) -> None:
        """Tags as they are typed, parted by commas."""
        tags = tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
        for id in ids:
            self._change(id, tags=tags)

    def toggle_star(self, ids: Sequence[int]) -> None:
        """Star these, or take the stars away if all have one."""
        spots = self.spots(ids)
        on = not all(spot.starred for spot in spots)
        for spot in spots:
            self._change(spot.id, starred=on)

    def delete(self, ids: Sequence[int]) -> None:
        """Away at once, with undo."""
        ids = [spot.id for spot in self.spots(ids)]
        if ids and self._hide(ids, True):
            words = "Taken from the shelf." if len(ids) == 1 else f"{len(ids)} latents taken from the shelf."
            undo = self._note(words, ids, hidden=True)
            self.notice.emit(words, "info", undo)

    def _note(self, words: str, ids: Sequence[int], hidden: bool) -> Change:
        """How to undo that they were hidden, or shown; one that failed can be tried again."""

        def hide(hidden: bool) -> object:
            return self._hide(ids, hidden) or NOT_NOW

        return self._undo_list.add(words, lambda: hide(not hidden), lambda: hide(hidden))

    def _hide(self, ids: Sequence[int], hidden: bool) -> bool:
        if not self._done(lambda: self._store.delete(ids, back=not hidden)):
            return False
        if hidden:
            self._all = [spot for spot in self._all if spot.id not in ids]
        else:
            self._all = self._try(self._store.latents) or self._all
        self._filter()
        return True

    def _change(self, id: int, **changes: Any) -> bool:
        row = next((row for row, spot in enumerate(self._all) if spot.id == id), None)
        if row is None:
            return False
        changed = dataclasses.replace(self._all[row], **changes)
        if not self._done(lambda: self._store.change(changed)):
            return False
        self._all[row] = changed
        for shown_row, spot in enumerate(self._shown):
            if spot.id == id:
                self._shown[shown_row] = changed
                self.dataChanged.emit(self.index(shown_row), self.index(shown_row))
        return True

    # --- pictures

    def _want(self, spot: Spot) -> None:
        if not spot.thumbnail:
            with contextlib.suppress(EngineError):
                self._thumbnails.want(spot.model, point_of(spot))

    @Slot(str, object, object)
    def _on_made(self, model: str, point: Point, png: bytes) -> None:
        for spot in list(self._all):
            if not spot.thumbnail and spot.model == model and point_of(spot) == point:
                self._change(spot.id, thumbnail=png)

    @Slot(str, object, object)
    def _on_not_made(self, model: str, point: Point, failure: Failure) -> None:
        for spot in self._all:
            if not spot.thumbnail and spot.model == model and point_of(spot) == point:
                self.notice.emit(f"{spot.name} can't be shown: {failure.message}", "care", None)

    @Slot()
    def _on_catalogue(self) -> None:
        for row in range(len(self._shown)):
            self.dataChanged.emit(self.index(row), self.index(row))

    def _done(self, work: Callable[[], object]) -> bool:
        """Whether it could be done; if not, the person is told why."""
        return self._try(lambda: (work(), True)) is not None

    def _try(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return None


def point_of(spot: Spot) -> Point:
    """What to ask the engine for."""
    return Point(spot.source, spot.label, spot.guidance)


def label_words(quality: Quality, model: str, label: Label) -> str:
    """A class in words, a mixture with its shares, largest first; "" for none."""
    if not isinstance(label, tuple):
        return class_name(quality.catalogue, model, label)
    parts = sorted(label, key=lambda part: -part[1])
    return ", ".join(
        f"{100 * weight:.0f} % {class_name(quality.catalogue, model, one) or 'no class'}"
        for one, weight in parts[:3]
        if weight >= 0.005
    )
