"""The classes of a model as a list to search in: by name, by synonym, best match first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot

from app.models.settings import GenerateSettings
from engine.messages import ModelInfo

__all__ = ["SPECIAL", "ClassList"]

# What can be chosen instead of classes: its name and what it does.
SPECIAL = {
    "all": ("Every class", "Goes round the whole list, one class a picture."),
    "random": ("Random", "Draws a class for each picture from its seed."),
    "none": ("No class", "Leaves to the model what to draw."),
}
_Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()
_NO_MATCH = 99


@dataclass(frozen=True)
class _Entry:
    pick: str | int  # a word of SPECIAL, or the number of a class
    title: str
    tip: str
    names: tuple[str, ...]  # the title and its synonyms
    folded: tuple[str, ...]  # the same, to search in


class ClassList(QAbstractListModel):
    """What passes the search. `ChosenRole` says what the settings have chosen now."""

    PickRole = Qt.ItemDataRole.UserRole + 1
    ChosenRole = Qt.ItemDataRole.UserRole + 2

    def __init__(self, settings: GenerateSettings, info: ModelInfo, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._all = _entries(info)
        self._found: list[tuple[_Entry, str]] = [(entry, "") for entry in self._all]
        settings.pick_changed.connect(self._on_pick)

    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._found)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._found):
            return None
        entry, synonym = self._found[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{entry.title} ({synonym})" if synonym else entry.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.tip
        if role == self.PickRole:
            return entry.pick
        if role == self.ChosenRole:
            return self._chosen(entry)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.title}, {'chosen' if self._chosen(entry) else 'not chosen'}"
        return None

    def search(self, text: str) -> None:
        """Show what matches every word of `text`: names before synonyms, beginnings before the rest."""
        words = text.casefold().split()
        self.beginResetModel()
        if not words:
            self._found = [(entry, "") for entry in self._all]
        else:
            ranked = [(*_rank(entry, words), entry) for entry in self._all]
            ranked = [found for found in ranked if found[0] < _NO_MATCH]
            ranked.sort(key=lambda found: found[0])  # stable: equals stay in the order of the classes
            self._found = [(entry, entry.names[which] if which else "") for _, which, entry in ranked]
        self.endResetModel()

    def toggle(self, row: int) -> bool:
        """Choose what is in a row, or take it out again. True: it stands for itself, so that was all."""
        if not 0 <= row < len(self._found):
            return False
        chosen = self._found[row][0].pick
        if isinstance(chosen, str):
            self._settings.pick = chosen
            return True
        pick = self._settings.pick
        numbers = list(pick) if isinstance(pick, tuple) else []
        if chosen in numbers:
            numbers.remove(chosen)
        else:
            numbers.append(chosen)
        self._settings.pick = tuple(numbers) or "all"
        return False

    def _chosen(self, entry: _Entry) -> bool:
        pick = self._settings.pick
        return (
            entry.pick == pick
            if isinstance(entry.pick, str)
            else isinstance(pick, tuple) and entry.pick in pick
        )

    @Slot()
    def _on_pick(self) -> None:
        if self._found:
            self.dataChanged.emit(self.index(0), self.index(len(self._found) - 1))


def _entries(info: ModelInfo) -> list[_Entry]:
    special = ("all", "random", *(("none",) if info.null_label else ()))
    entries = [
        _Entry(name, SPECIAL[name][0], SPECIAL[name][1], (SPECIAL[name][0],), (SPECIAL[name][0].casefold(),))
        for name in special
    ]
    for number, title in enumerate(info.classes):
        also = info.synonyms[number] if number < len(info.synonyms) else ()
        tip = f"Class {number} of {info.title}." + (f" Also: {', '.join(also)}." if also else "")
        names = (title, *also)
        entries.append(_Entry(number, title, tip, names, tuple(name.casefold() for name in names)))
    return entries


def _rank(entry: _Entry, words: Sequence[str]) -> tuple[int, int]:
    """How well an entry matches (0 best, `_NO_MATCH` not at all), and by which of its names."""
    best = (_NO_MATCH, 0)
    for which, name in enumerate(entry.folded):
        if not all(word in name for word in words):
            continue
        begins = name.startswith(words[0])
        starts = begins or all(f" {word}" in f" {name}" for word in words)
        exact = name == " ".join(words)
        rank = (0 if exact else 1 if begins else 2 if starts else 3) + (4 if which else 0)
        best = min(best, (rank, which))
    return best
