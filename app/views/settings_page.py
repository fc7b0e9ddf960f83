"""The Settings room: looks, motion, where things are kept, and the keys."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.studio import Studio
from app.views import icons, theme, tokens
from app.views.fields import Segments, Switch
from app.views.help import describe
from app.views.shortcuts import Shortcuts

__all__ = ["SettingsPage"]

_LABEL = 200


class SettingsPage(QWidget):
    """Everything takes effect at once and is remembered."""

    def __init__(self, studio: Studio, shortcuts: Shortcuts) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        self._shortcuts = shortcuts
        self.edits: dict[str, QKeySequenceEdit] = {}
        title = QLabel("Settings")
        title.setProperty("role", "hero")
        inside = QWidget()
        inside.setProperty("panel", "plain")
        inside.setMaximumWidth(720)
        column = QVBoxLayout(inside)
        column.setContentsMargins(32, 32, 32, 32)
        column.setSpacing(tokens.GAP_LARGE)
        column.addWidget(title)
        column.addWidget(self._looks())
        column.addWidget(self._places())
        column.addWidget(self._keys())
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        shortcuts.changed.connect(self._show_keys)
        theme.current().changed.connect(self._show_look)

    def _looks(self) -> QWidget:
        box, grid = _section("Looks")
        self.look = Segments(
            [
                ("system", "System", "Light or dark as the system is."),
                ("dark", "Dark", "Always dark."),
                ("light", "Light", "Always light."),
            ]
        )
        self.look.chosen.connect(self._choose_look)
        self.still = Switch("No movement")
        describe(self.still, "No movement", "Nothing slides or fades, whatever the system says.")
        self.still.setChecked(bool(self._studio.session.get("still", False)))
        self.still.toggled.connect(self._set_still)
        _row(grid, "Colours", self.look)
        _row(grid, "Motion", self.still)
        self._show_look()
        return box

    def _places(self) -> QWidget:
        box, grid = _section("Places")
        path = self._studio.store.path
        self.folder = Path(path).parent if path is not None else None
        words = QLabel(str(self.folder) if self.folder else "In memory only: nothing is kept after closing.")
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reveal = QPushButton("Show the folder")
        icons.bind(self.reveal, "folder")
        describe(
            self.reveal, "Show the data folder", "Open the folder with history, settings and your own models."
        )
        self.reveal.setEnabled(self.folder is not None)
        self.reveal.clicked.connect(self._reveal)
        _row(grid, "History and models", words)
        _row(grid, "", self.reveal, stretch=False)
        return box

    def _keys(self) -> QWidget:
        box, grid = _section("Shortcuts")
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("Why a shortcut could not be changed")
        self.problem.hide()
        for command in self._shortcuts.available():
            if command.fixed:
                continue
            edit = QKeySequenceEdit()
            edit.setMaximumSequenceLength(1)
            edit.setObjectName(command.name)
            describe(edit, f"Keys for {command.title}", f"Click and press the new keys for: {command.title}.")
            edit.editingFinished.connect(self._keys_edited)
            self.edits[command.name] = edit
            _row(grid, command.title, edit)
        reset = QPushButton("All as they were at first")
        describe(reset, "Reset all shortcuts", "Every shortcut as it was at first.")
        reset.clicked.connect(self._shortcuts.reset)
        grid.addWidget(self.problem, grid.rowCount(), 0, 1, 2)
        _row(grid, "", reset, stretch=False)
        self._show_keys()
        return box

    @Slot()
    def _show_look(self) -> None:
        self.look.choose(theme.current().choice)

    @Slot(str)
    def _choose_look(self, choice: theme.Choice) -> None:
        self._studio.session.set("theme", choice)
        theme.current().set_choice(choice)

    @Slot(bool)
    def _set_still(self, still: bool) -> None:
        self._studio.session.set("still", still)
        theme.current().set_still(still)

    @Slot()
    def _reveal(self) -> None:
        if self.folder is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.folder))):
            self._studio.notice.emit(f"The folder is {self.folder}.", "info", None)

    @Slot()
    def _show_keys(self) -> None:
        for name, edit in self.edits.items():
            edit.setKeySequence(QKeySequence(self._shortcuts.keys(name).split("; ")[0]))

    @Slot()
    def _keys_edited(self) -> None:
        edit = self.sender()
        assert isinstance(edit, QKeySequenceEdit)
        name = edit.objectName()
        keys = edit.keySequence().toString(QKeySequence.SequenceFormat.PortableText)
        if keys == self._shortcuts.keys(name).split("; ")[0]:
            return
        other = self._shortcuts.user_of(keys, but=name)
        if other is not None:
            self.problem.setText(f"{keys} is taken: {other.title}. Press other keys, or change those first.")
            self.problem.show()
            self._show_keys()
            return
        self.problem.hide()
        self._shortcuts.set_keys(name, keys)


def _section(title: str) -> tuple[QWidget, QGridLayout]:
    box = QWidget()
    box.setProperty("panel", "card")
    box.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    column = QVBoxLayout(box)
    column.setContentsMargins(tokens.GAP_LARGE, 12, tokens.GAP_LARGE, tokens.GAP_LARGE)
    column.setSpacing(12)
    heading = QLabel(title)
    heading.setProperty("role", "strong")
    column.addWidget(heading)
    grid = QGridLayout()
    grid.setHorizontalSpacing(tokens.GAP_LARGE)
    grid.setVerticalSpacing(tokens.GAP)
    grid.setColumnMinimumWidth(0, _LABEL)
    grid.setColumnStretch(1, 1)
    column.addLayout(grid)
    return box, grid


def _row(grid: QGridLayout, title: str, control: QWidget, *, stretch: bool = True) -> None:
    row = grid.rowCount()
    if title:
        label = QLabel(title)
        label.setBuddy(control)
        label.setWordWrap(True)
        grid.addWidget(label, row, 0)
    if stretch:
        grid.addWidget(control, row, 1)
        return
    holder = QHBoxLayout()
    holder.addWidget(control)
    holder.addStretch(1)
    grid.addLayout(holder, row, 1)
