"""Ctrl+K: type a few letters of what you want to do, press Enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QPoint, QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.popup import Popup

__all__ = ["Entry", "Palette", "score"]

_WIDTH = 480


@dataclass(frozen=True)
class Entry:
    """A line of the palette."""

    title: str
    do: Callable[[], object]
    keys: str = ""
    icon: str = ""


def score(typed: str, title: str) -> int:
    """How well the letters typed fit a title: 0 not at all, more is better."""
    typed, title = typed.casefold().strip(), title.casefold()
    if not typed:
        return 1
    if title.startswith(typed):
        return 4
    if f" {typed}" in title:
        return 3
    if all(word in title for word in typed.split()):
        return 2
    letters = iter(title)
    return int(all(letter in letters for letter in typed.replace(" ", "")))


class _KeysAtTheRight(QStyledItemDelegate):
    """The keys of a command, quietly at the end of its line."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        entry = index.data(Qt.ItemDataRole.UserRole)
        if isinstance(entry, Entry) and entry.keys:
            painter.setFont(theme.current().font(tokens.FONT_CAPTION))
            painter.setPen(theme.current().color("quiet"))
            place = option.rect.adjusted(0, 0, -12, 0)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, entry.keys)


class Palette(Popup):
    """A search line and what it finds."""

    def __init__(self, parent: QWidget, entries: Sequence[Entry]) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._entries = list(entries)
        self.search = QLineEdit()
        self.search.setPlaceholderText("What do you want to do?")
        describe(self.search, "Find a command", "Type a few letters, choose with Up and Down, press Enter.")
        self.list = QListWidget()
        self.list.setProperty("kind", "menu")
        self.list.setUniformItemSizes(True)
        self.list.setIconSize(QSize(tokens.ICON, tokens.ICON))
        self.list.setItemDelegate(_KeysAtTheRight(self.list))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        describe(self.list, "Commands", "What the letters typed find.")
        self.column.addWidget(self.search)
        self.column.addWidget(self.list, 1)
        self.search.textChanged.connect(self._find)
        self.search.installEventFilter(self)
        self.list.itemClicked.connect(self._run)
        self._find("")

    def open_over(self, window: QWidget) -> None:
        """In the upper middle of the window."""
        self.setFixedSize(_WIDTH, 400)
        corner = window.mapToGlobal(QPoint((window.width() - _WIDTH) // 2, 64))
        self.move(corner)
        self.show()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot(str)
    def _find(self, typed: str) -> None:
        scored = [(score(typed, entry.title), entry) for entry in self._entries]
        found = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
        self.list.clear()
        for _, entry in found:
            item = QListWidgetItem(entry.title)
            item.setIcon(icons.icon(entry.icon, "quiet") if entry.icon else icons.blank())
            item.setData(Qt.ItemDataRole.UserRole, entry)
            if entry.keys:
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{entry.title}, {entry.keys}")
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            by = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}.get(
                Qt.Key(event.key())
            )
            if by is not None and self.list.count():
                row = min(max(self.list.currentRow() + by, 0), self.list.count() - 1)
                self.list.setCurrentRow(row)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._run(self.list.currentItem())
                return True
        return super().eventFilter(watched, event)

    @Slot(object)
    def _run(self, item: QListWidgetItem | None) -> None:
        if item is None:
            return
        entry: Entry = item.data(Qt.ItemDataRole.UserRole)
        self.close()
        entry.do()
