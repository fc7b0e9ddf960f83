"""The line at the foot: engine, model in memory, memory, what is going on; and the panel switches."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.models.studio import Studio
from app.views import theme, tokens
from app.views.fields import icon_button

__all__ = ["StatusBar"]


class _Dot(QWidget):
    """Filled while something runs, a ring while idle, so that colour is not the only sign."""

    def __init__(self) -> None:
        super().__init__()
        self._role, self._filled = "quiet", False
        self.setFixedSize(10, 10)

    def show_state(self, role: str, filled: bool) -> None:
        self._role, self._filled = role, filled
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        colour = theme.current().color(self._role)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(colour)
        painter.setBrush(colour if self._filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(2, 2, 6, 6)


class StatusBar(QWidget):
    """Always one line; its middle parts give way when the window is narrow."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", "foot")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(tokens.CONTROL + 1)
        self._status = studio.status
        self._dot = _Dot()
        self.text = _Elided()
        self.text.setAccessibleName("Status")
        self.left = icon_button(
            "panel-left", "Controls", "Show or hide the controls (Ctrl+B).", checkable=True
        )
        self.right = icon_button(
            "panel-right",
            "History and queue",
            "Show or hide history and queue (Ctrl+Shift+B).",
            checkable=True,
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 1, tokens.GAP_TINY, 0)
        row.setSpacing(tokens.GAP)
        row.addWidget(self._dot)
        row.addWidget(self.text, 1)
        for button in (self.left, self.right):
            button.setProperty("kind", "tiny")
            button.setFixedSize(24, 22)
            button.setIconSize(QSize(tokens.ICON, tokens.ICON))
            row.addWidget(button)
        self._status.changed.connect(self.refresh)
        theme.current().changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        state, activity = self._status.engine_state, self._status.activity
        if state == "failed":
            self._dot.show_state("bad", True)
        elif state == "starting":
            self._dot.show_state("care", False)
        else:
            self._dot.show_state("accent" if activity != "idle" else "good", activity != "idle")
        self.text.set_full(self._status.text.replace(" | ", "    ·    "))
        self.text.setToolTip(self._status.text)


class _Elided(QLabel):
    """Shortens itself to the room there is instead of asking for more.

    To the label underneath it never gives its text: that would have the whole window laid out
    again with every step of a job.
    """

    def __init__(self) -> None:
        super().__init__()
        self._full = ""
        self.setProperty("role", "caption")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def text(self) -> str:
        return self._full

    def set_full(self, text: str) -> None:
        if text != self._full:
            self._full = text
            self.setAccessibleDescription(text)
            self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(theme.current().color("quiet"))
        short = self.fontMetrics().elidedText(self._full, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, short)
