"""F1 and ?: the longer explanation of a term, and the sheet of all shortcuts."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.views import tokens
from app.views.help import TERMS, describe
from app.views.popup import Popup
from app.views.shortcuts import Shortcuts, keys_text

__all__ = ["ShortcutSheet", "TermCard"]


class TermCard(Popup):
    """What a term means, beside the control it belongs to."""

    def __init__(self, parent: QWidget, term: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(360)
        known = TERMS[term]
        self.setAccessibleName(f"{known.title}: {known.long}")
        self.column.setContentsMargins(tokens.GAP_LARGE, 12, tokens.GAP_LARGE, tokens.GAP_LARGE)
        self.column.setSpacing(tokens.GAP)
        title = QLabel(known.title)
        title.setProperty("role", "title")
        short = QLabel(known.short)
        short.setWordWrap(True)
        short.setProperty("role", "strong")
        self.column.addWidget(title)
        self.column.addWidget(short)
        for paragraph in known.long.split("\n\n"):
            text = QLabel(paragraph)
            text.setWordWrap(True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.column.addWidget(text)

    def open_beside(self, control: QWidget) -> None:
        """To the right of the control, inside its screen."""
        layout = self.layout()
        assert layout is not None
        height = (
            layout.heightForWidth(self.width()) if layout.hasHeightForWidth() else self.sizeHint().height()
        )
        self.setFixedHeight(max(height, 80) + 2)
        screen = control.screen().availableGeometry()
        corner = control.mapToGlobal(QPoint(control.width() + tokens.GAP_LARGE, -tokens.GAP))
        x = min(corner.x(), screen.right() - self.width() - tokens.GAP)
        y = max(min(corner.y(), screen.bottom() - self.height() - tokens.GAP), screen.top())
        self.move(x, y)
        self.show()
        self.setFocus()


class ShortcutSheet(QDialog):
    """Every command and its keys, by groups."""

    def __init__(self, parent: QWidget, shortcuts: Shortcuts) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Shortcuts")
        title = QLabel("Shortcuts")
        title.setProperty("role", "title")
        note = QLabel("Those of the whole window can be changed in Settings.")
        note.setProperty("role", "quiet")
        columns = QHBoxLayout()
        columns.setSpacing(2 * tokens.GAP_LARGE)
        groups: dict[str, list[tuple[str, str]]] = {}
        for command in shortcuts.available():
            if keys := shortcuts.keys(command.name):
                groups.setdefault(command.group, []).append((command.title, keys))
        halves = (("Generate", "Edit", "Walk"), ("Window",), ("Picture",))
        for half in halves:
            column = QVBoxLayout()
            column.setSpacing(tokens.GAP)
            for group in half:
                if group in groups:
                    column.addWidget(_group(group, groups[group]))
            column.addStretch(1)
            columns.addLayout(column)
        close = QPushButton("Close")
        close.setDefault(True)
        describe(close, "Close", "Close this sheet (Esc).")
        close.clicked.connect(self.accept)
        foot = QHBoxLayout()
        foot.addWidget(note, 1)
        foot.addWidget(close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 20, 24, 20)
        outer.setSpacing(tokens.GAP_LARGE)
        outer.addWidget(title)
        outer.addLayout(columns, 1)
        outer.addLayout(foot)

    @Slot()
    def open_sheet(self) -> None:
        self.open()


def _group(name: str, rows: list[tuple[str, str]]) -> QWidget:
    box = QFrame()
    grid = QGridLayout(box)
    grid.setContentsMargins(0, 0, 0, tokens.GAP)
    grid.setHorizontalSpacing(tokens.GAP_LARGE)
    grid.setVerticalSpacing(6)
    heading = QLabel(name)
    heading.setProperty("role", "heading")
    grid.addWidget(heading, 0, 0, 1, 2)
    for row, (title, keys) in enumerate(rows, start=1):
        key = QLabel(keys_text(keys) if name != "Picture" or len(keys.split("; ")) < 3 else "Arrows")
        key.setProperty("key", True)
        grid.addWidget(QLabel(title), row, 0)
        grid.addWidget(key, row, 1, Qt.AlignmentFlag.AlignLeft)
    return box
