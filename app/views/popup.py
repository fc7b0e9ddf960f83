"""A small panel that opens under a control and closes on Esc or a click elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from app.views import tokens

__all__ = ["Popup"]


class Popup(QFrame):
    """Put widgets into `column`; `open_under(control)` shows it as wide as the control or wider."""

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setProperty("panel", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(tokens.GAP, tokens.GAP, tokens.GAP, tokens.GAP)
        self.column.setSpacing(tokens.GAP_TINY)

    def open_under(self, control: QWidget, height: int | None = None) -> None:
        """Below the control, or above it where the screen ends."""
        self.setFixedWidth(max(control.width(), self.minimumSizeHint().width()))
        wanted = height if height is not None else self.sizeHint().height()
        below = control.mapToGlobal(QPoint(0, control.height() + tokens.GAP_TINY))
        screen = control.screen().availableGeometry()
        room = screen.bottom() - below.y()
        if wanted <= room or room >= 240:
            self.setFixedHeight(min(wanted, room))
            self.move(below)
        else:
            top = control.mapToGlobal(QPoint(0, -tokens.GAP_TINY))
            self.setFixedHeight(min(wanted, top.y() - screen.top()))
            self.move(top.x(), top.y() - self.height())
        self.show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        else:
            super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.closed.emit()
