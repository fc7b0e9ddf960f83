"""One picture by itself: the single view of the canvas, and the large preview over the window."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QSize, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from app.views import theme
from app.views.picture_images import draw_enlarged
from app.views.zoom_view import ZoomView, claims_key, fitting_zoom

__all__ = ["ImageView", "LargePreview", "paint_image"]

_MARGIN = 16
_KEYS = (
    Qt.Key.Key_Escape,
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Space,
)


def paint_image(painter: QPainter, rect: QRect, image: QImage, dirty: QRect) -> None:
    """Paint `image` over `rect` (device pixels): crisp when enlarged, averaged when reduced."""
    zoom = rect.width() // max(1, image.width())
    if rect.width() < image.width():
        image = image.scaled(
            rect.size(), Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        painter.drawImage(rect.topLeft(), image)
    elif rect.size() == image.size() * zoom:
        draw_enlarged(painter, rect.topLeft(), image, zoom, dirty)
    else:  # beside a picture of another size, whose zoom is the whole one
        painter.drawImage(rect, image)


class ImageView(ZoomView):
    """A single picture. Left and Right ask for the neighbours, Space for the large preview,

    a double-click, Enter or Esc for the grid.
    """

    moved = Signal(int)  # -1 or 1
    closed = Signal()
    preview_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self.setAccessibleName("Image")

    @property
    def image(self) -> QImage:
        return self._image

    def set_image(self, image: QImage, caption: str) -> None:
        other_size = image.size() != self._image.size()
        self._image = image
        self.setAccessibleDescription(caption)
        if other_size:
            self.content_changed()
        self.update()

    def image_rect(self) -> QRect:
        """Where the picture is painted, in device pixels."""
        return QRect(self.origin, self.content_size(self.zoom))

    def content_size(self, zoom: float) -> QSize:
        return QSize(round(self._image.width() * zoom), round(self._image.height() * zoom))

    def fit_zoom(self) -> float:
        margin = round(2 * _MARGIN * self.devicePixelRatioF())
        view = self.view_size()
        return fitting_zoom(
            self._image.size(), QSize(max(1, view.width() - margin), max(1, view.height() - margin))
        )

    def paint_content(self, painter: QPainter, dirty: QRect) -> None:
        if not self._image.isNull():
            paint_image(painter, self.image_rect(), self._image, dirty)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.closed.emit()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        match event.key():
            case Qt.Key.Key_Left | Qt.Key.Key_Up if not alt:
                self.moved.emit(-1)
            case Qt.Key.Key_Right | Qt.Key.Key_Down if not alt:
                self.moved.emit(1)
            case Qt.Key.Key_Space:
                self.preview_wanted.emit()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Escape:
                self.closed.emit()
            case _:
                super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Esc closes what is open before the window hears it and stops the job.
        return claims_key(event, _KEYS) or super().event(event)


class LargePreview(ImageView):
    """The picture as large as the window allows, over everything; Space, Esc or a click closes it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setAccessibleName("Large preview")
        self.hide()
        window.installEventFilter(self)

    def show_over(self) -> None:
        """Cover the window and take the keys."""
        self.setGeometry(self._window.rect())
        self.raise_()
        self.show()
        self.fit()
        self.setFocus(Qt.FocusReason.PopupFocusReason)

    def clicked_at(self, _position: QPointF) -> None:
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def paint_content(self, painter: QPainter, dirty: QRect) -> None:
        painter.fillRect(dirty, theme.current().color("ground"))
        super().paint_content(painter, dirty)

    def eventFilter(self, _watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self.setGeometry(self._window.rect())
        return False
