"""Thumbnails of latents, painted crisp: from the bytes of a PNG to pixels of the screen, remembered."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter

from app.views import icons, theme
from app.views.picture_images import pixmap_of

__all__ = ["draw_thumb", "pixmap_of"]


def draw_thumb(painter: QPainter, box: QRectF, png: bytes) -> QRectF:
    """Draw a thumbnail in the middle of `box`, or a place holder while there is none; what it covers."""
    device = painter.device()
    ratio = device.devicePixelRatio() if device is not None else 1.0
    picture = pixmap_of(png, int(min(box.width(), box.height())), ratio)
    if picture.isNull():
        painter.fillRect(box, theme.current().color("groove"))
        side = min(16.0, box.width() - 4)
        mark = icons.pixmap("image", "quiet", int(side), ratio)
        painter.drawPixmap(
            QRectF(0, 0, side, side).translated(box.center().x() - side / 2, box.center().y() - side / 2),
            mark,
            QRectF(mark.rect()),
        )
        return box
    size = picture.deviceIndependentSize()
    covers = QRectF(0, 0, size.width(), size.height())
    covers.moveCenter(box.center())
    # On whole device pixels, so that none is drawn wider than another.
    covers.moveTopLeft((covers.topLeft() * ratio).toPoint().toPointF() / ratio)
    painter.drawPixmap(covers.topLeft(), picture)
    return covers
