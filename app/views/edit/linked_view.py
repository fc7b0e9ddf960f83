"""Several pictures of one size beside each other, in one zoom and one pan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.views import theme, tokens
from app.views.edit.following_view import FollowingView
from app.views.image_view import paint_image
from app.views.zoom_view import fitting_zoom

__all__ = ["LinkedView", "Pane"]

_MARGIN = 16
_PILL = 22


@dataclass(frozen=True)
class Pane:
    """One picture and what it is called. A null image is still to come."""

    title: str
    image: QImage


class LinkedView(FollowingView):
    """Each pane shows its picture at the same place; the pixel under the pointer is framed in all."""

    hovered = Signal(int, int)  # the pixel under the pointer; -1, -1: none

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._panes: tuple[Pane, ...] = ()
        self._pixel = QPoint(-1, -1)
        self.setAccessibleName(name)

    @property
    def panes(self) -> tuple[Pane, ...]:
        return self._panes

    @property
    def pixel(self) -> QPoint:
        """The pixel of the pictures the pointer is over; (-1, -1) if none."""
        return QPoint(self._pixel)

    def set_panes(self, panes: Sequence[Pane]) -> None:
        before = (len(self._panes), self._picture())
        self._panes = tuple(panes)
        self.setAccessibleDescription(", ".join(pane.title for pane in panes))
        if before != (len(self._panes), self._picture()):
            self.fit()
        self.update()

    # --- geometry

    def _picture(self) -> QSize:
        sizes = [pane.image.size() for pane in self._panes if not pane.image.isNull()]
        return max(sizes, key=lambda size: size.width(), default=QSize(32, 32))

    def _count(self) -> int:
        return max(1, len(self._panes))

    def columns(self) -> int:
        """How many panes stand beside each other: as many as make the pictures largest."""
        whole, picture, count = super().view_size(), self._picture(), self._count()
        best, columns = -1.0, count
        for across in range(count, 0, -1):
            down = -(-count // across)
            room = self._room(QSize(whole.width() // across, whole.height() // down))
            zoom = fitting_zoom(picture, room)
            if zoom > best:
                best, columns = zoom, across
        return columns

    def pane_rect(self, pane: int) -> QRect:
        """Where a pane lies, in device pixels."""
        size, columns = self.view_size(), self.columns()
        return QRect(QPoint(pane % columns * size.width(), pane // columns * size.height()), size)

    def view_size(self) -> QSize:
        """That of one pane."""
        whole, columns = super().view_size(), self.columns()
        return QSize(whole.width() // columns, whole.height() // -(-self._count() // columns))

    def to_device(self, position: QPointF | QPoint) -> QPointF:
        """Device pixels within the pane that `position` is in."""
        place = super().to_device(position)
        if self._pressed is None:
            place -= QPointF(self.pane_rect(self._pane_at(position)).topLeft())
        return place

    def _pane_at(self, position: QPointF | QPoint) -> int:
        place, size, columns = super().to_device(position), self.view_size(), self.columns()
        column = max(0, min(columns - 1, int(place.x() // max(1, size.width()))))
        row = max(0, int(place.y() // max(1, size.height())))
        return min(self._count() - 1, row * columns + column)

    def content_size(self, zoom: float) -> QSize:
        return QSize(round(self._picture().width() * zoom), round(self._picture().height() * zoom))

    def fit_zoom(self) -> float:
        return fitting_zoom(self._picture(), self._room(self.view_size()))

    def _room(self, pane: QSize) -> QSize:
        """What a pane has for its picture, below its title."""
        ratio = self.devicePixelRatioF()
        across, down = round(2 * _MARGIN * ratio), round((_MARGIN + 2 * _PILL) * ratio)
        return QSize(max(1, pane.width() - across), max(1, pane.height() - down))

    def actual_pixels(self) -> None:
        center = self.view_size() / self.devicePixelRatioF() / 2
        self.zoom_to(1.0, QPointF(center.width(), center.height()))

    def image_rect(self, pane: int = 0) -> QRect:
        """Where the picture of a pane is painted, in device pixels."""
        return QRect(self.origin + self.pane_rect(pane).topLeft(), self.content_size(self.zoom))

    # --- painting

    def paint_content(self, painter: QPainter, _dirty: QRect) -> None:
        look = theme.current()
        for number, pane in enumerate(self._panes):
            clip = self.pane_rect(number)
            painter.save()
            painter.setClipRect(clip)
            rect = self.image_rect(number)
            if pane.image.isNull():
                painter.fillRect(rect, look.color("panel"))
            else:
                paint_image(painter, rect, pane.image, clip)
            self._paint_pixel(painter, rect)
            painter.restore()
            if clip.left():
                painter.fillRect(QRect(clip.left(), clip.top(), 1, clip.height()), look.color("line"))
            if clip.top():
                painter.fillRect(QRect(clip.left(), clip.top(), clip.width(), 1), look.color("line"))
        ratio = self.devicePixelRatioF()
        painter.scale(ratio, ratio)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, pane in enumerate(self._panes):
            corner = QPointF(self.pane_rect(number).topLeft()) / ratio
            self._paint_title(painter, pane.title, corner, self.pane_rect(number).width() / ratio)

    def _paint_pixel(self, painter: QPainter, rect: QRect) -> None:
        zoom = int(self.zoom)
        if self._pixel.x() < 0 or zoom < 4:
            return
        frame = QRect(rect.topLeft() + self._pixel * zoom, QSize(zoom, zoom))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.current().color("accent"), max(1, round(self.devicePixelRatioF()))))
        painter.drawRect(frame)

    def _paint_title(self, painter: QPainter, title: str, corner: QPointF, width: float) -> None:
        look = theme.current()
        painter.setFont(look.font(tokens.FONT_CAPTION, 600))
        metrics = painter.fontMetrics()
        room = width - 2 * tokens.GAP - 16
        words = metrics.elidedText(title, Qt.TextElideMode.ElideRight, max(0, round(room)))
        if not words:
            return
        box = QRectF(0, 0, metrics.horizontalAdvance(words) + 16, _PILL)
        box.translate(corner + QPointF(tokens.GAP, tokens.GAP))
        painter.setPen(QPen(look.color("line"), 1))
        painter.setBrush(look.color("panel"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), tokens.RADIUS, tokens.RADIUS)
        painter.setPen(look.color("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, words)

    # --- pointer

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        place = self.to_device(event.position()) - QPointF(self.origin)
        x, y = int(place.x() // max(self.zoom, 1e-9)), int(place.y() // max(self.zoom, 1e-9))
        size = self._picture()
        inside = 0 <= x < size.width() and 0 <= y < size.height() and self._panes and not self._dragging
        self._set_pixel(QPoint(x, y) if inside else QPoint(-1, -1))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._set_pixel(QPoint(-1, -1))

    def _set_pixel(self, pixel: QPoint) -> None:
        if pixel != self._pixel:
            self._pixel = pixel
            self.hovered.emit(pixel.x(), pixel.y())
            self.update()
