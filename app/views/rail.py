"""The rail at the left edge: the rooms there are, settings at its foot."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QToolButton, QVBoxLayout, QWidget

from app.views import icons, tokens
from app.views.help import describe

__all__ = ["Rail"]


class Rail(QWidget):
    """`add_room` for every room that exists; `chosen` says which one is wanted."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", "rail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(tokens.RAIL_WIDTH + 1)
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._top = QVBoxLayout()
        self._top.setSpacing(tokens.GAP_TINY)
        self._foot = QVBoxLayout()
        self._foot.setSpacing(tokens.GAP_TINY)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, tokens.GAP, 5, tokens.GAP)
        column.addLayout(self._top)
        column.addStretch(1)
        column.addLayout(self._foot)

    def add_room(self, name: str, title: str, icon: str, tip: str, *, foot: bool = False) -> None:
        """A button for a room."""
        button = QToolButton()
        button.setProperty("kind", "rail")
        button.setCheckable(True)
        button.setText(title)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(tokens.ICON_LARGE, tokens.ICON_LARGE))
        button.setFixedSize(tokens.RAIL_WIDTH - 8, 56)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        icons.bind(button, icon, "quiet", tokens.ICON_LARGE)
        describe(button, title, tip)
        button.clicked.connect(self._clicked)
        self._group.addButton(button)
        self.buttons[name] = button
        (self._foot if foot else self._top).addWidget(button)

    def show_room(self, name: str) -> None:
        self.buttons[name].setChecked(True)

    @Slot()
    def _clicked(self) -> None:
        for name, button in self.buttons.items():
            if button is self.sender():
                self.chosen.emit(name)
