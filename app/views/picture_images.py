"""Pictures as the engine sends them, turned into QImages once, when they are first painted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPixmap

from engine.messages import Pictures

__all__ = ["TileImages", "draw_enlarged", "pixmap_of", "to_image"]


def to_image(pictures: Pictures, index: int = 0) -> QImage:
    """Picture `index` as a QImage that owns its pixels (RGB32, the format painted fastest)."""
    start = index * pictures.stride
    grey = pictures.channels == 1
    shared = QImage(
        pictures.data[start : start + pictures.stride],
        pictures.width,
        pictures.height,
        pictures.width * pictures.channels,
        QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888,
    )
    return shared.convertToFormat(QImage.Format.Format_RGB32)


def draw_enlarged(painter: QPainter, corner: QPoint, image: QImage, zoom: int, dirty: QRect) -> None:
    """Draw what `dirty` shows of `image`, every pixel exactly `zoom` by `zoom` device pixels.

    Qt steps through an image in 1/65536 of a pixel, which far out puts edges a pixel off. Drawn
    in blocks small enough for that not to show, the picture is exact at any zoom.
    """
    block = max(1, 32768 // (zoom * zoom))
    if block >= max(image.width(), image.height()):
        painter.drawImage(QRect(corner, image.size() * zoom), image)
        return
    seen = dirty.translated(-corner)
    left, top = max(0, seen.left() // zoom), max(0, seen.top() // zoom)
    right, bottom = (
        min(image.width(), seen.right() // zoom + 1),
        min(image.height(), seen.bottom() // zoom + 1),
    )
    for y in range(top - top % block, bottom, block):
        for x in range(left - left % block, right, block):
            source = QRect(x, y, block, block).intersected(image.rect())
            target = QRect(corner + source.topLeft() * zoom, source.size() * zoom)
            painter.drawImage(target, image, source)


@lru_cache(maxsize=512)
def pixmap_of(png: bytes, side: int, ratio: float = 1.0) -> QPixmap:
    """The picture in the bytes of a PNG, at most `side` px each way; a null one where there is none.

    Whole pixels when enlarged, averaged when reduced.
    """
    image = QImage()
    if png:
        image.loadFromData(png)
    if image.isNull():
        return QPixmap()
    device = round(side * ratio)
    larger = max(image.width(), image.height())
    if larger <= device:
        size, mode = image.size() * (device // larger), Qt.TransformationMode.FastTransformation
    else:
        size = image.size().scaled(QSize(device, device), Qt.AspectRatioMode.KeepAspectRatio)
        mode = Qt.TransformationMode.SmoothTransformation
    made = QPixmap.fromImage(image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode))
    made.setDevicePixelRatio(ratio)
    return made


class TileImages:
    """The QImages of a batch, asked from `source` one by one and kept."""

    def __init__(self, source: Callable[[int], Pictures | None]) -> None:
        self._source = source
        self._pictures: dict[int, Pictures | None] = {}
        self._images: dict[int, QImage] = {}
        self._reduced: dict[int, QImage] = {}

    def forget(self) -> None:
        """Another batch, which has nothing to do with this one."""
        for kept in (self._pictures, self._images, self._reduced):
            kept.clear()

    def renew(self, indices: Iterable[int]) -> list[int]:
        """Those of `indices` that look different now."""
        changed = []
        for index in indices:
            if index in self._pictures:
                now = self._source(index)
                if now == self._pictures[index]:
                    continue
                self._pictures[index] = now
                self._images.pop(index, None)
                self._reduced.pop(index, None)
            changed.append(index)
        return changed

    def image(self, index: int) -> QImage | None:
        """Picture `index` in its own size; None where there is none yet."""
        if index not in self._pictures:
            self._pictures[index] = self._source(index)
        picture = self._pictures[index]
        if picture is None:
            return None
        if index not in self._images:
            self._images[index] = to_image(picture)
        return self._images[index]

    def reduced(self, index: int, size: QSize) -> QImage | None:
        """Picture `index` averaged down to `size`, for a zoom below one."""
        reduced = self._reduced.get(index)
        if reduced is not None and reduced.size() == size:
            return reduced
        image = self.image(index)
        if image is None:
            return None
        reduced = self._reduced[index] = image.scaled(
            size,
            Qt.AspectRatioMode.IgnoreAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        return reduced
