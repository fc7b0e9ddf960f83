"""A surface that zooms in whole device pixels, at the pointer, and is panned by dragging."""

from __future__ import annotations

import math
from collections.abc import Container

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.views import theme

__all__ = ["ZOOMS", "ZoomView", "claims_key", "fitting_zoom", "next_zoom"]

ZOOMS = (
    1 / 16,
    1 / 12,
    1 / 8,
    1 / 6,
    1 / 4,
    1 / 3,
    1 / 2,
    1,
    2,
    3,
    4,
    5,
    6,
    8,
    10,
    12,
    16,
    20,
    24,
    32,
    48,
    64,
)
_KEPT_IN_SIGHT = 48  # device pixels of the content that panning cannot push out of the view


def claims_key(event: QEvent, keys: Container[int]) -> bool:
    """Whether `event` asks, before a shortcut of the window is run, for one of these bare keys.

    Accepts it then: the key comes to the widget that has the focus.
    """
    if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
        return False
    if event.key() not in keys or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return False
    event.accept()
    return True


def next_zoom(zoom: float, notches: int) -> float:
    """The level `notches` steps above (or below) `zoom`; a zoom between levels goes to the next."""
    for _ in range(abs(notches)):
        if notches > 0:
            zoom = next((level for level in ZOOMS if level > zoom * 1.001), ZOOMS[-1])
        else:
            zoom = next((level for level in reversed(ZOOMS) if level < zoom * 0.999), ZOOMS[0])
    return zoom


def fitting_zoom(content: QSize, view: QSize) -> float:
    """The largest whole zoom at which `content` fits into `view`; below one, the exact ratio."""
    if content.isEmpty() or view.isEmpty():
        return 1.0
    ratio = min(view.width() / content.width(), view.height() / content.height())
    return float(math.floor(ratio)) if ratio >= 1 else ratio


class ZoomView(QWidget):
    """Base of the canvas' surfaces.

    `zoom` counts device pixels for one pixel of a picture, so that a zoom of 1 is "actual
    pixels" on any screen and every whole zoom is crisp. `origin` is where the content's top
    left corner lies, in whole device pixels. A subclass says how large its content is
    (`content_size`), paints it (`paint_content`) and may hear of clicks (`clicked_at`).
    """

    zoom_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._zoom = 1.0
        self._origin = QPoint()
        self._fitted = True
        self._ratio = self.devicePixelRatioF()  # that zoom and origin were counted with
        self._notches = 0.0
        self._pressed: QPointF | None = None
        self._pressed_origin = QPoint()
        self._dragging = False

    # --- what a subclass says ---

    def content_size(self, zoom: float) -> QSize:
        """Size of the whole content in device pixels at `zoom`."""
        raise NotImplementedError

    def fit_zoom(self) -> float:
        """The zoom at which everything is in sight."""
        raise NotImplementedError

    def paint_content(self, painter: QPainter, _dirty: QRect) -> None:
        """Paint; `painter` and `dirty` are in device pixels of this widget."""
        raise NotImplementedError

    def clicked_at(self, position: QPointF) -> None:
        """A click (press and release without a drag) at `position`, in widget coordinates."""

    def anchor_at(self, place: QPointF, zoom: float) -> QPointF:
        """What lies `place` device pixels from the origin, in units that survive a zoom."""
        return QPointF(place.x() / zoom, place.y() / zoom)

    def place_of(self, anchor: QPointF, zoom: float) -> QPointF:
        """Where `anchor` lies, in device pixels from the origin."""
        return QPointF(anchor.x() * zoom, anchor.y() * zoom)

    # --- state ---

    @property
    def zoom(self) -> float:
        return self._zoom

    @property
    def origin(self) -> QPoint:
        return QPoint(self._origin)

    @property
    def fitted(self) -> bool:
        return self._fitted

    def view_size(self) -> QSize:
        """This widget's size in device pixels."""
        ratio = self.devicePixelRatioF()
        return QSize(math.floor(self.width() * ratio), math.floor(self.height() * ratio))

    def to_device(self, position: QPointF | QPoint) -> QPointF:
        return QPointF(position) * self.devicePixelRatioF()

    def device_rect_to_widget(self, rect: QRect) -> QRect:
        """The smallest widget rectangle that covers a rectangle of device pixels."""
        ratio = self.devicePixelRatioF()
        left, top = math.floor(rect.left() / ratio), math.floor(rect.top() / ratio)
        right = math.ceil((rect.left() + rect.width()) / ratio)
        bottom = math.ceil((rect.top() + rect.height()) / ratio)
        return QRect(left, top, right - left, bottom - top)

    def fit(self) -> None:
        """Show everything, centred, and stay so when the window changes its size."""
        self._fitted = True
        zoom = self.fit_zoom()
        size, view = self.content_size(zoom), self.view_size()
        self._place(zoom, QPoint((view.width() - size.width()) // 2, (view.height() - size.height()) // 2))

    def actual_pixels(self) -> None:
        """One device pixel for a pixel of the picture, about the middle of the view."""
        self.zoom_to(1.0, self.rect().toRectF().center())

    def zoom_to(self, zoom: float, about: QPointF) -> None:
        """Zoom so that what is at widget position `about` stays there."""
        self._fitted = False
        place = self.to_device(about)
        anchor = self.anchor_at(place - QPointF(self._origin), self._zoom)
        target = place - self.place_of(anchor, zoom)
        self._place(zoom, QPoint(round(target.x()), round(target.y())))

    def pan_to(self, origin: QPoint) -> None:
        self._fitted = False
        self._place(self._zoom, origin)

    def content_changed(self) -> None:
        """The content has another size or shape: fit it again, or keep it in sight."""
        if self._fitted:
            self.fit()
        else:
            self._place(self._zoom, self._origin)
        self.update()

    def _change_scale(self) -> None:
        """The window came to a screen of another scale: as large as it was, in its device pixels."""
        factor = self.devicePixelRatioF() / self._ratio
        if not self._fitted:
            self._place(self._zoom * factor, (QPointF(self._origin) * factor).toPoint())
        self.content_changed()

    def _place(self, zoom: float, origin: QPoint) -> None:
        self._ratio = self.devicePixelRatioF()
        size, view = self.content_size(zoom), self.view_size()
        kept_x, kept_y = min(_KEPT_IN_SIGHT, size.width()), min(_KEPT_IN_SIGHT, size.height())
        origin = QPoint(
            max(kept_x - size.width(), min(view.width() - kept_x, origin.x())),
            max(kept_y - size.height(), min(view.height() - kept_y, origin.y())),
        )
        if origin == self._origin and zoom == self._zoom:
            return
        changed = zoom != self._zoom
        self._zoom, self._origin = zoom, origin
        self.update()
        if changed:
            self.zoom_changed.emit(zoom)

    # --- Qt ---

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.current().color("ground"))
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        # At 150 % a widget may begin between two device pixels: step back onto the raster.
        device = painter.deviceTransform()
        painter.translate(round(device.dx()) - device.dx(), round(device.dy()) - device.dy())
        dirty = event.rect()
        self.paint_content(
            painter,
            QRect(
                math.floor(dirty.left() * ratio) - 1,
                math.floor(dirty.top() * ratio) - 1,
                math.ceil(dirty.width() * ratio) + 2,
                math.ceil(dirty.height() * ratio) + 2,
            ),
        )

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._change_scale()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.content_changed()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._notches += event.angleDelta().y() / 120
        whole = int(self._notches)
        if whole:
            self._notches -= whole
            self.zoom_to(next_zoom(self._zoom, whole), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pressed = event.position()
            self._pressed_origin = self.origin
            self._dragging = False
            event.accept()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            super().mouseMoveEvent(event)
            return
        moved = event.position() - self._pressed
        if not self._dragging and moved.manhattanLength() >= QApplication.startDragDistance():
            self._dragging = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        if self._dragging:
            self.pan_to(self._pressed_origin + self.to_device(moved).toPoint())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None:
            super().mouseReleaseEvent(event)
            return
        dragged, self._pressed, self._dragging = self._dragging, None, False
        self.unsetCursor()
        if not dragged and event.button() == Qt.MouseButton.LeftButton:
            self.clicked_at(event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_0:
                self.fit()
            case Qt.Key.Key_1:
                self.actual_pixels()
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom_to(next_zoom(self._zoom, 1), self.rect().toRectF().center())
            case Qt.Key.Key_Minus:
                self.zoom_to(next_zoom(self._zoom, -1), self.rect().toRectF().center())
            case _:
                super().keyPressEvent(event)
