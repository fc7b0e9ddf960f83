"""An edit over its strength: a small picture each, from untouched to as far as it goes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.views import theme, tokens
from app.views.zoom_view import claims_key

__all__ = ["StripView"]

_CAPTION = 18
_SMALLEST = 24


class StripView(QWidget):
    """Pictures in a row, each with its words below; a click or Left and Right choose one."""

    chosen = Signal(int)

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._images: tuple[QImage, ...] = ()
        self._words: tuple[str, ...] = ()
        self._selected = -1
        self._hovered = -1
        self._waiting = False
        self.setAccessibleName(name)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(400, 96)

    @property
    def count(self) -> int:
        return len(self._images)

    @property
    def selected(self) -> int:
        return self._selected

    def show_pictures(self, images: Sequence[QImage], words: Sequence[str], *, waiting: bool = False) -> None:
        """`waiting` says that what is shown is of before, and the new is on its way."""
        self._images, self._words, self._waiting = tuple(images), tuple(words), waiting
        self._describe()
        self.update()

    def select(self, index: int) -> None:
        if index != self._selected:
            self._selected = index
            self._describe()
            self.update()

    def _describe(self) -> None:
        words = self._words[self._selected] if 0 <= self._selected < self.count else "none"
        self.setAccessibleDescription(f"{self.count} pictures, chosen: {words}")

    # --- geometry, in widget pixels

    def _cell(self) -> int:
        return self.width() // max(1, self.count)

    def _side(self) -> int:
        """A picture's side: whole multiples of its pixels where there is room."""
        room = max(_SMALLEST, min(self._cell() - tokens.GAP, self.height() - _CAPTION - 6))
        pixels = self._images[0].width() if self._images else 0
        return room // pixels * pixels if pixels and room >= pixels else room

    def picture_rect(self, index: int) -> QRect:
        side, cell = self._side(), self._cell()
        return QRect(index * cell + (cell - side) // 2, 3, side, side)

    def _index_at(self, position: QPoint) -> int:
        index = position.x() // max(1, self._cell())
        return index if 0 <= index < self.count else -1

    # --- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.setOpacity(0.5 if self._waiting else 1.0)
        for index, image in enumerate(self._images):
            rect = self.picture_rect(index)
            if image.isNull():
                painter.fillRect(rect, look.color("panel"))
            else:
                smooth = image.width() > rect.width() * self.devicePixelRatioF()
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
                painter.drawImage(rect, image)
            here = index == self._selected
            if here or index == self._hovered:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(look.color("accent" if here else "edge"), 2))
                painter.drawRect(rect.adjusted(-2, -2, 1, 1))
            painter.setFont(look.font(tokens.FONT_CAPTION, 600 if here else 400, figures=True))
            painter.setPen(look.color("text" if here else "quiet"))
            below = QRect(index * self._cell(), rect.bottom() + 5, self._cell(), _CAPTION - 4)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._words[index])
        if self.hasFocus() and self.count:
            painter.setOpacity(1.0)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("accent"), 1))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), tokens.RADIUS, tokens.RADIUS)

    # --- pointer and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._index_at(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index >= 0:
            self._choose(index)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._index_at(event.position().toPoint())
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hovered = -1
        self.update()

    def event(self, event: QEvent) -> bool:
        return claims_key(event, (Qt.Key.Key_Left, Qt.Key.Key_Right)) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        way = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if way and self.count:
            self._choose(max(0, min(self.count - 1, self._selected + way)))
        else:
            super().keyPressEvent(event)

    def _choose(self, index: int) -> None:
        self.select(index)
        self.chosen.emit(index)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
