"""Painting with the pointer or the keys: a mask over a picture, or colours on it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app.models.edit.brush import BrushLayer, MaskLayer
from app.views import theme
from app.views.edit.following_view import FollowingView
from app.views.image_view import paint_image
from app.views.picture_images import to_image
from app.views.zoom_view import claims_key, fitting_zoom

__all__ = ["BrushCanvas"]

_ACROSS, _DOWN = 32, 60  # px left free about the picture: as beside it, where a title stands
_TINT = 0.55  # how strongly a mask covers the picture
_KEYS = (
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Space,
    Qt.Key.Key_BracketLeft,
    Qt.Key.Key_BracketRight,
    Qt.Key.Key_X,
)


class BrushCanvas(FollowingView):
    """The left button paints, the right one erases, the middle one pans, the wheel zooms.

    With the keys: arrows move the brush (Shift: by eight pixels), Space touches, X changes between
    painting and erasing, [ and ] make the brush smaller and larger.
    """

    erase_changed = Signal(bool)
    painted = Signal()  # a stroke is done
    picked = Signal(tuple)  # Alt and a click: the colour there, one level a channel

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: BrushLayer | None = None
        self._base = QImage()
        self._overlay: QImage | None = None
        self._erase = False
        self._soft = True
        self._at = QPointF(-1, -1)  # the brush, in pixels of the picture
        self._strokes = False
        # What a stroke paints: given whether it erases, one level a channel.
        self.colour: Callable[[bool], Sequence[int]] = lambda erase: (0,) if erase else (255,)
        self.setAccessibleName(name)
        self.setCursor(Qt.CursorShape.CrossCursor)
        theme.current().changed.connect(self._forget)

    @property
    def layer(self) -> BrushLayer | None:
        return self._layer

    def set_layer(self, layer: BrushLayer) -> None:
        """What is painted on; once."""
        self._layer = layer
        layer.changed.connect(self._forget)
        layer.brush_changed.connect(self.update)
        if isinstance(layer, MaskLayer):
            layer.feather_changed.connect(self._forget)
        self._forget()

    def set_base(self, image: QImage) -> None:
        """The picture under a mask."""
        other = image.size() != self._base.size()
        self._base = image
        if other:
            self.fit()
            self.content_changed()
        self.update()

    @property
    def erase(self) -> bool:
        return self._erase

    def set_erase(self, erase: bool) -> None:
        if erase != self._erase:
            self._erase = erase
            self.erase_changed.emit(erase)

    def set_soft(self, soft: bool) -> None:
        """Show a mask with its feathered edge, as the engine gets it, or as it was painted."""
        self._soft = soft
        self._forget()

    # --- geometry

    def _size(self) -> QSize:
        if not self._base.isNull():
            return self._base.size()
        layer = self._layer
        return QSize(layer.width, layer.height) if layer is not None else QSize(1, 1)

    def content_size(self, zoom: float) -> QSize:
        size = self._size()
        return QSize(round(size.width() * zoom), round(size.height() * zoom))

    def fit_zoom(self) -> float:
        ratio, view = self.devicePixelRatioF(), self.view_size()
        room = QSize(view.width() - round(_ACROSS * ratio), view.height() - round(_DOWN * ratio))
        return fitting_zoom(self._size(), room.expandedTo(QSize(1, 1)))

    def image_rect(self) -> QRect:
        return QRect(self.origin, self.content_size(self.zoom))

    def place(self, position: QPointF) -> QPointF:
        """Pixels of the picture, from a place in the widget."""
        return (self.to_device(position) - QPointF(self.origin)) / self.zoom

    def position_of(self, x: float, y: float) -> QPointF:
        """The place in the widget, from pixels of the picture."""
        return (QPointF(x, y) * self.zoom + QPointF(self.origin)) / self.devicePixelRatioF()

    # --- painting

    def _forget(self, _signal: object = None) -> None:
        self._overlay = None
        layer = self._layer
        if layer is not None:
            said = f"{layer.width} by {layer.height} pixels"
            if isinstance(layer, MaskLayer):
                said += f", {layer.share:.0%} may change"
            self.setAccessibleDescription(said)
        self.update()

    def paint_content(self, painter: QPainter, dirty: QRect) -> None:
        layer = self._layer
        if layer is None:
            return
        rect = self.image_rect()
        if isinstance(layer, MaskLayer):
            if not self._base.isNull():
                paint_image(painter, rect, self._base, dirty)
            if self._overlay is None:
                self._overlay = self._tint(layer)
        elif self._overlay is None:
            self._overlay = to_image(layer.picture)
        paint_image(painter, rect, self._overlay, dirty)
        painter.setPen(theme.current().color("line"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(rect.adjusted(-1, -1, 0, 0))
        self._paint_brush(painter, layer, rect)

    def _tint(self, layer: MaskLayer) -> QImage:
        """The mask in the accent's colour, as strong as it is."""
        levels = layer.soft() if self._soft else layer.pixels[:, :, 0]
        colour = theme.current().color("accent")
        rgb = colour.red() << 16 | colour.green() << 8 | colour.blue()
        shares = np.rint(_TINT * np.arange(256)).astype(np.uint32)
        data = (shares[levels] << 24 | rgb).astype(np.uint32).tobytes()
        form = QImage.Format.Format_ARGB32
        return QImage(data, layer.width, layer.height, 4 * layer.width, form).copy()

    def _paint_brush(self, painter: QPainter, layer: BrushLayer, rect: QRect) -> None:
        if self._at.x() < 0 or not (self.underMouse() or self.hasFocus()):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(rect.topLeft()) + self._at * self.zoom
        width = max(1.0, self.devicePixelRatioF())
        look = theme.current()
        for radius, style in (
            (layer.brush.size / 2, Qt.PenStyle.SolidLine),
            (layer.brush.size / 2 * layer.brush.hardness, Qt.PenStyle.DotLine),
        ):
            across = max(radius, 0.5) * self.zoom
            circle = QRectF(middle.x() - across, middle.y() - across, 2 * across, 2 * across)
            # Twice, so that it is seen on light and on dark.
            painter.setPen(QPen(look.color("ground"), width + 2))
            painter.drawEllipse(circle)
            painter.setPen(QPen(look.color("care" if self._erase else "text"), width, style))
            painter.drawEllipse(circle)

    # --- pointer

    def mousePressEvent(self, event: QMouseEvent) -> None:
        paints = event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton)
        if self._layer is None or not paints:
            super().mousePressEvent(event)
            return
        self._at = self.place(event.position())
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._pick()
        else:
            erase = self._erase != (event.button() == Qt.MouseButton.RightButton)
            self._strokes = True
            self._layer.press(self._at.x(), self._at.y(), self.colour(erase))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._at = self.place(event.position())
        if self._strokes and self._layer is not None:
            self._layer.move(self._at.x(), self._at.y())
            event.accept()
        else:
            super().mouseMoveEvent(event)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._strokes and self._layer is not None:
            self._strokes = False
            self._layer.release()
            self.painted.emit()
            event.accept()
        else:
            super().mouseReleaseEvent(event)
            self.setCursor(Qt.CursorShape.CrossCursor)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()

    def _pick(self) -> None:
        layer = self._layer
        x, y = math.floor(self._at.x()), math.floor(self._at.y())
        if layer is not None and 0 <= x < layer.width and 0 <= y < layer.height:
            self.picked.emit(tuple(int(level) for level in layer.pixels[y, x]))

    # --- keys

    def event(self, event: QEvent) -> bool:
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        layer = self._layer
        if layer is None:
            super().keyPressEvent(event)
            return
        far = 8 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        way = {
            Qt.Key.Key_Left: (-far, 0),
            Qt.Key.Key_Right: (far, 0),
            Qt.Key.Key_Up: (0, -far),
            Qt.Key.Key_Down: (0, far),
        }.get(Qt.Key(event.key()))
        if way is not None:
            if self._at.x() < 0:
                self._at = QPointF(layer.width / 2, layer.height / 2)
            else:
                self._at = QPointF(
                    max(0.0, min(float(layer.width), self._at.x() + way[0])),
                    max(0.0, min(float(layer.height), self._at.y() + way[1])),
                )
            self.update()
        elif event.key() == Qt.Key.Key_Space:
            if self._at.x() < 0:
                self._at = QPointF(layer.width / 2, layer.height / 2)
            layer.press(self._at.x(), self._at.y(), self.colour(self._erase))
            layer.release()
            self.painted.emit()
        elif event.key() == Qt.Key.Key_X:
            self.set_erase(not self._erase)
        elif event.key() in (Qt.Key.Key_BracketLeft, Qt.Key.Key_BracketRight):
            grow = 1.25 if event.key() == Qt.Key.Key_BracketRight else 0.8
            size = max(1.0, min(float(max(layer.width, layer.height)), layer.brush.size * grow))
            layer.set_brush(dataclasses.replace(layer.brush, size=round(size, 1)))
        else:
            super().keyPressEvent(event)
