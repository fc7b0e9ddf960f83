"""Two pictures in one zoom and one pan: side by side, under a split, or as their difference."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPen

from app.views import theme, tokens
from app.views.image_view import paint_image
from app.views.zoom_view import ZoomView, claims_key, fitting_zoom

__all__ = ["Arrangement", "CompareView"]

Arrangement = Literal["side", "split", "difference"]
_MARGIN = 16
_GRIP = 10  # widget pixels about the split in which a press takes hold of it


class CompareView(ZoomView):
    """Paints two images with one zoom and pan between them.

    Side by side, each half of the view shows its picture at the same place. Under the split the
    two lie upon each other, and the split is dragged or moved with Left and Right.
    """

    split_moved = Signal(float)  # by the person
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._images = (QImage(), QImage())
        self._difference = QImage()
        self._arrangement: Arrangement = "side"
        self._split = 0.5
        self._moving_split = False
        self.setAccessibleName("Two images compared")

    # --- what is shown ---

    @property
    def arrangement(self) -> Arrangement:
        return self._arrangement

    @property
    def split(self) -> float:
        """Where the split is, from 0 (left edge of the view) to 1."""
        return self._split

    def set_images(self, one: QImage, other: QImage) -> None:
        sizes = (self._images[0].size(), self._images[1].size())
        self._images = (one, other)
        if sizes != (one.size(), other.size()):
            self.fit()
        self.update()

    def set_difference(self, image: QImage) -> None:
        """The picture for the arrangement "difference"; a null image where there is none."""
        self._difference = image
        self.update()

    def set_arrangement(self, arrangement: Arrangement) -> None:
        if arrangement != self._arrangement:
            self._arrangement = arrangement
            self.content_changed()

    def set_split(self, split: float) -> None:
        split = max(0.0, min(1.0, split))
        if split != self._split:
            self._split = split
            self.setAccessibleDescription(f"Split at {split:.0%}")
            self.update()
            self.split_moved.emit(split)

    # --- geometry ---

    def _picture(self) -> QSize:
        """The size both are shown in: that of the larger."""
        one, other = self._images[0].size(), self._images[1].size()
        return one if one.width() * one.height() >= other.width() * other.height() else other

    def view_size(self) -> QSize:
        size = super().view_size()
        return QSize(size.width() // 2, size.height()) if self._arrangement == "side" else size

    def _half(self) -> int:
        return super().view_size().width() // 2 if self._arrangement == "side" else 0

    def to_device(self, position: QPointF | QPoint) -> QPointF:
        """Device pixels within the half of the view that `position` is in."""
        place = super().to_device(position)
        if self._half() and self._pressed is None and place.x() >= self._half():
            place.setX(place.x() - self._half())
        return place

    def content_size(self, zoom: float) -> QSize:
        return QSize(round(self._picture().width() * zoom), round(self._picture().height() * zoom))

    def fit_zoom(self) -> float:
        margin = round(2 * _MARGIN * self.devicePixelRatioF())
        view = self.view_size()
        return fitting_zoom(
            self._picture(), QSize(max(1, view.width() - margin), max(1, view.height() - margin))
        )

    def actual_pixels(self) -> None:
        center = self.view_size() / self.devicePixelRatioF() / 2
        self.zoom_to(1.0, QPointF(center.width(), center.height()))

    # --- painting ---

    def paint_content(self, painter: QPainter, _dirty: QRect) -> None:
        if self._images[0].isNull() or self._images[1].isNull():
            return
        rect = QRect(self.origin, self.content_size(self.zoom))
        view = QRect(QPoint(0, 0), super().view_size())
        match self._arrangement:
            case "side":
                middle = self._half()
                self._paint_clipped(painter, QRect(0, 0, middle, view.height()), rect, 0)
                right = QRect(middle, 0, view.width() - middle, view.height())
                self._paint_clipped(painter, right, rect.translated(middle, 0), 1)
                painter.fillRect(QRect(middle, 0, 1, view.height()), theme.current().color("line"))
            case "split":
                at = round(view.width() * self._split)
                self._paint_clipped(painter, QRect(0, 0, at, view.height()), rect, 0)
                self._paint_clipped(painter, QRect(at, 0, view.width() - at, view.height()), rect, 1)
            case "difference":
                if not self._difference.isNull():
                    paint_image(painter, rect, self._difference, view)
        ratio = self.devicePixelRatioF()
        painter.scale(ratio, ratio)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._arrangement == "split":
            self._paint_split(painter)
        self._paint_letters(painter)

    def _paint_clipped(self, painter: QPainter, clip: QRect, rect: QRect, which: int) -> None:
        painter.save()
        painter.setClipRect(clip)
        paint_image(painter, rect, self._images[which], clip)
        painter.restore()

    def _paint_split(self, painter: QPainter) -> None:
        colors = theme.current()
        x, middle = self.width() * self._split, self.height() / 2
        painter.setPen(QPen(colors.color("accent"), 2))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        painter.setBrush(colors.color("panel"))
        painter.drawEllipse(QPointF(x, middle), 12, 12)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("text"))
        for way in (-1, 1):
            tip = QPointF(x + way * 8, middle)
            back = QPointF(-way * 4, 0)
            painter.drawPolygon([tip, tip + back + QPointF(0, 4), tip + back - QPointF(0, 4)])

    def _paint_letters(self, painter: QPainter) -> None:
        if self._arrangement == "difference":
            return
        middle = self.width() / 2 if self._arrangement == "side" else None
        second = QPointF(middle + 12 if middle is not None else self.width() - 36, 12)
        painter.setFont(theme.current().font(tokens.FONT_BODY, 600))
        for letter, corner in (("A", QPointF(12, 12)), ("B", second)):
            box = QRectF(corner.x(), corner.y(), 24, 24)
            painter.setPen(QPen(theme.current().color("line"), 1))
            painter.setBrush(theme.current().color("panel"))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
            painter.setPen(theme.current().color("text"))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, letter)

    # --- pointer and keys ---

    def event(self, event: QEvent) -> bool:
        return claims_key(event, (Qt.Key.Key_Escape, Qt.Key.Key_Left, Qt.Key.Key_Right)) or super().event(
            event
        )

    def _at_split(self, position: QPointF) -> bool:
        return self._arrangement == "split" and abs(position.x() - self.width() * self._split) <= _GRIP

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._at_split(event.position()):
            self._moving_split = True
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._moving_split:
            self.set_split(event.position().x() / max(1, self.width()))
            return
        if self._pressed is None:
            over = self._at_split(event.position())
            self.setCursor(Qt.CursorShape.SplitHCursor if over else Qt.CursorShape.ArrowCursor)
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._moving_split:
            self._moving_split = False
        else:
            super().mouseReleaseEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        way = {Qt.Key.Key_Left: -0.02, Qt.Key.Key_Right: 0.02}.get(Qt.Key(event.key()))
        if way is not None and self._arrangement == "split":
            self.set_split(self._split + way)
        elif event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)
