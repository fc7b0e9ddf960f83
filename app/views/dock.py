"""A dock with a quiet title bar of our own: name, float, close."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QWidget

from app.views import tokens
from app.views.fields import icon_button

__all__ = ["Dock"]


class Dock(QDockWidget):
    """Folds, splits and floats; `name` is what its place is remembered under."""

    def __init__(
        self, name: str, title: str, content: QWidget, least: int, note: QLabel | None = None
    ) -> None:
        """`note` stands beside the title, say how many jobs wait."""
        super().__init__(title)
        self.setObjectName(name)
        self.setAllowedAreas(Qt.DockWidgetArea.LeftDockWidgetArea | Qt.DockWidgetArea.RightDockWidgetArea)
        self.setAccessibleName(title)
        content.setMinimumWidth(least)
        self.setWidget(content)
        head = QWidget()
        head.setProperty("panel", "panel")
        head.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        label = QLabel(title)
        label.setProperty("role", "heading")
        self.float_button = icon_button(
            "float", f"Float {title}", f"Take {title} out of the window, or put it back."
        )
        self.close_button = icon_button(
            "close", f"Hide {title}", f"Hide {title}. The foot of the window shows it again."
        )
        row = QHBoxLayout(head)
        row.setContentsMargins(tokens.GAP_LARGE, tokens.GAP_TINY, tokens.GAP_TINY, 0)
        row.setSpacing(0)
        row.addWidget(label)
        if note is not None:
            row.addSpacing(tokens.GAP)
            row.addWidget(note)
        row.addStretch(1)
        for button in (self.float_button, self.close_button):
            button.setProperty("kind", "tiny")
            button.setFixedSize(24, 24)
            row.addWidget(button)
        self.setTitleBarWidget(head)
        self.float_button.clicked.connect(self._toggle_float)
        self.close_button.clicked.connect(self.close)

    @Slot()
    def _toggle_float(self) -> None:
        self.setFloating(not self.isFloating())
