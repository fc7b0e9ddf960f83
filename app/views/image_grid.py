"""The batch as a grid of crisp pictures: one painted widget, whatever the number of images."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen

from app.views import theme
from app.views.picture_images import TileImages, draw_enlarged
from app.views.zoom_view import ZoomView, claims_key, fitting_zoom
from engine.messages import Pictures

__all__ = ["ImageGrid", "best_columns"]

_GAP = 8  # between two pictures, in widget pixels
_MARGIN = 16
_NARROW = 480  # widget pixels; a smaller view spends none on a margin
_KEYS = (
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Return,
    Qt.Key.Key_Enter,
    Qt.Key.Key_Space,
)
_SMALLEST = 32  # "fit" does not make a picture narrower than this; the rest is panned to


def best_columns(count: int, picture: QSize, view: QSize, gap: int) -> int:
    """The number of columns that shows `count` pictures largest; the fullest grid among equals."""
    best, best_key = 1, (-1.0, 0.0)
    for columns in range(1, count + 1):
        rows = math.ceil(count / columns)
        if columns > 1 and math.ceil(count / (columns - 1)) == rows:
            continue  # the same rows with a narrower grid: already tried
        room = QSize(view.width() - gap * (columns - 1), view.height() - gap * (rows - 1))
        zoom = fitting_zoom(QSize(picture.width() * columns, picture.height() * rows), room)
        if room.isEmpty():
            zoom = 0.0
        key = (zoom, -float(rows * columns - count) - abs(columns - rows) / (count + 1))
        if key > best_key:
            best, best_key = columns, key
    return best


class ImageGrid(ZoomView):
    """Shows `count` pictures in a grid; those that have not arrived are quiet placeholders.

    `source` gives a picture, or None while there is none. `caption` names one (under the pointer, and for screen readers). A click or Enter
    opens a picture, arrows move the selection, Space asks for the large preview.
    """

    selected = Signal(int)
    opened = Signal(int)
    preview_wanted = Signal()

    def __init__(self, source: Callable[[int], Pictures | None], caption: Callable[[int], str]) -> None:
        super().__init__()
        self._caption = caption
        self._images = TileImages(source)
        self._count = 0
        self._columns = 1
        self._size = QSize(32, 32)
        self._selection = -1
        self._hovered = -1
        self.setAccessibleName("Images of the batch")
        self.setAccessibleDescription("Arrows move the selection, Enter opens it, Space shows it large.")

    # --- what is shown ---

    @property
    def count(self) -> int:
        return self._count

    @property
    def columns(self) -> int:
        return self._columns

    @property
    def selection(self) -> int:
        return self._selection

    def set_batch(self, count: int, picture: QSize) -> None:
        """Another batch: `count` pictures of the size `picture`."""
        if (count, picture) == (self._count, self._size):
            self.pictures_changed(0, count)
            return
        self._images.forget()
        self._count, self._size = count, picture
        self._selection = min(self._selection, count - 1)
        self._hovered = -1
        self._arrange()
        self.content_changed()
        self.update()

    def pictures_changed(self, first: int, count: int) -> None:
        """These pictures may look different now: paint again what does."""
        if not self.isVisible():
            self._images.forget()
            return
        changed = self._images.renew(range(max(0, first), min(self._count, first + count)))
        if len(changed) == self._count or len(changed) > 64:
            self.update(self.device_rect_to_widget(QRect(self.origin, self.content_size(self.zoom))))
            return
        for index in changed:
            self.update(self.device_rect_to_widget(self.tile_rect(index)))

    def set_selection(self, index: int) -> None:
        if index == self._selection:
            return
        old, self._selection = self._selection, index
        self._update_tile(old)
        self._update_tile(index)
        if 0 <= index < self._count:
            self.setAccessibleDescription(f"Image {index + 1} of {self._count}: {self._caption(index)}")
            self._bring_into_view(index)

    # --- geometry, in device pixels ---

    def _px(self, length: float) -> int:
        return round(length * self.devicePixelRatioF())

    def _room(self) -> QSize:
        """What there is for the pictures."""
        view = self.view_size()
        margin = _MARGIN if min(view.width(), view.height()) >= self._px(_NARROW) else 2
        return view - QSize(2 * self._px(margin), 2 * self._px(margin))

    def _arrange(self) -> None:
        """Choose the columns for the present size of the view."""
        view = self._room()
        gap = self._px(_GAP)
        self._columns = best_columns(max(self._count, 1), self._size, view, gap)
        rows = math.ceil(max(self._count, 1) / self._columns)
        smallest = self._px(_SMALLEST)
        if (view.height() - gap * (rows - 1)) / rows < smallest:
            self._columns = max(1, (view.width() + gap) // (max(smallest, 1) + gap))

    def fit_zoom(self) -> float:
        view = self._room()
        gap = self._px(_GAP)
        rows = math.ceil(max(self._count, 1) / self._columns)
        width = view.width() - gap * (self._columns - 1)
        height = view.height() - gap * (rows - 1)
        if height / rows < self._px(_SMALLEST):
            height = 1 << 24  # too many for one view: fill its width, pan down to the rest
        return fitting_zoom(
            QSize(self._size.width() * self._columns, self._size.height() * rows),
            QSize(max(width, 1), max(height, 1)),
        )

    def fit(self) -> None:
        self._arrange()
        super().fit()

    def _tile(self, zoom: float) -> QSize:
        return QSize(
            max(1, round(self._size.width() * zoom)),
            max(1, round(self._size.height() * zoom)),
        )

    def content_size(self, zoom: float) -> QSize:
        tile, gap = self._tile(zoom), self._px(_GAP)
        rows = math.ceil(max(self._count, 1) / self._columns)
        return QSize(
            self._columns * (tile.width() + gap) - gap,
            rows * (tile.height() + gap) - gap,
        )

    def anchor_at(self, place: QPointF, zoom: float) -> QPointF:
        """Column (row) plus the fraction of the picture there: gaps do not grow with the zoom."""
        tile, gap = self._tile(zoom), self._px(_GAP)

        def along(at: float, length: int) -> float:
            cell = math.floor(at / (length + gap))
            return cell + min((at - cell * (length + gap)) / length, 1 - 1e-9)

        return QPointF(along(place.x(), tile.width()), along(place.y(), tile.height()))

    def place_of(self, anchor: QPointF, zoom: float) -> QPointF:
        tile, gap = self._tile(zoom), self._px(_GAP)

        def along(at: float, length: int) -> float:
            cell = math.floor(at)
            return cell * (length + gap) + (at - cell) * length

        return QPointF(along(anchor.x(), tile.width()), along(anchor.y(), tile.height()))

    def tile_rect(self, index: int) -> QRect:
        """Where picture `index` is painted, in device pixels of this widget."""
        tile, gap = self._tile(self.zoom), self._px(_GAP)
        row, column = divmod(index, self._columns)
        corner = self.origin + QPoint(column * (tile.width() + gap), row * (tile.height() + gap))
        return QRect(corner, tile)

    def index_at(self, position: QPointF) -> int:
        """The picture at a widget position, or -1."""
        place = self.to_device(position) - QPointF(self.origin)
        tile, gap = self._tile(self.zoom), self._px(_GAP)
        column = math.floor(place.x() / (tile.width() + gap))
        row = math.floor(place.y() / (tile.height() + gap))
        index = row * self._columns + column
        if not (0 <= column < self._columns and 0 <= index < self._count):
            return -1
        inside = self.tile_rect(index).contains(self.to_device(position).toPoint())
        return index if inside else -1

    def _update_tile(self, index: int) -> None:
        if 0 <= index < self._count:
            edge = self._px(_GAP)
            self.update(self.device_rect_to_widget(self.tile_rect(index).adjusted(-edge, -edge, edge, edge)))

    def _bring_into_view(self, index: int) -> None:
        edge = self._px(_GAP)
        tile = self.tile_rect(index).adjusted(-edge, -edge, edge, edge)
        view = QRect(QPoint(0, 0), self.view_size())
        dx = max(0, view.left() - tile.left()) - max(0, tile.right() - view.right())
        dy = max(0, view.top() - tile.top()) - max(0, tile.bottom() - view.bottom())
        # What fits as a whole stays where it is: only the ring would be moved into view.
        whole = self.content_size(self.zoom)
        dx = dx if whole.width() > view.width() else 0
        dy = dy if whole.height() > view.height() else 0
        if dx or dy:
            self.pan_to(self.origin + QPoint(dx, dy))

    # --- painting ---

    def paint_content(self, painter: QPainter, dirty: QRect) -> None:
        colors = theme.current()
        for index in self._tiles_in(dirty):
            rect = self.tile_rect(index)
            crisp = self.zoom >= 1
            image = self._images.image(index) if crisp else self._images.reduced(index, rect.size())
            if image is None:
                painter.fillRect(rect, colors.color("groove"))
            elif crisp:
                draw_enlarged(painter, rect.topLeft(), image, round(self.zoom), dirty)
            else:
                painter.drawImage(rect.topLeft(), image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if 0 <= self._hovered < self._count and self._hovered != self._selection:
            self._paint_frame(painter, self.tile_rect(self._hovered), "quiet", 1)
        if 0 <= self._selection < self._count:
            self._paint_selection(painter, self.tile_rect(self._selection))
        if 0 <= self._hovered < self._count:
            self._paint_caption(painter)

    def _tiles_in(self, dirty: QRect) -> list[int]:
        tile, gap = self._tile(self.zoom), self._px(_GAP)
        wide, high = tile.width() + gap, tile.height() + gap
        left = max(0, (dirty.left() - self.origin.x()) // wide)
        right = min(self._columns - 1, (dirty.right() - self.origin.x()) // wide)
        top = max(0, (dirty.top() - self.origin.y()) // high)
        bottom = (dirty.bottom() - self.origin.y()) // high
        indices = (
            row * self._columns + column
            for row in range(top, min(bottom, self._count // self._columns) + 1)
            for column in range(left, right + 1)
        )
        return [index for index in indices if index < self._count]

    def _paint_frame(self, painter: QPainter, rect: QRect, color: str, width: float) -> None:
        pen = QPen(theme.current().color(color), self._px(width))
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        away = self._px(2) + self._px(width) / 2
        painter.drawRect(QRectF(rect).adjusted(-away, -away, away, away))

    def _paint_selection(self, painter: QPainter, rect: QRect) -> None:
        """A ring and heavy corners: the corners tell it apart without its colour."""
        self._paint_frame(painter, rect, "accent", 2)
        thick, away = self._px(4), self._px(2)
        pen = QPen(theme.current().color("accent"), thick)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        reach = QRectF(rect).adjusted(-away, -away, away, away)
        reach.adjust(-thick / 2, -thick / 2, thick / 2, thick / 2)
        arm = min(self._px(12), rect.width() / 3, rect.height() / 3)
        for corner, dx, dy in (
            (reach.topLeft(), arm, arm),
            (reach.topRight(), -arm, arm),
            (reach.bottomRight(), -arm, -arm),
            (reach.bottomLeft(), arm, -arm),
        ):
            painter.drawPolyline([corner + QPointF(dx, 0), corner, corner + QPointF(0, dy)])

    def _caption_rect(self, index: int, text: str) -> QRect:
        """Where the caption of picture `index` goes, in widget pixels."""
        metrics = self.fontMetrics()
        tile = self.device_rect_to_widget(self.tile_rect(index))
        size = QSize(metrics.horizontalAdvance(text) + 16, metrics.height() + 8)
        corner = QPoint(tile.center().x() - size.width() // 2, tile.bottom() - size.height() - 3)
        if tile.height() < 3 * size.height():
            corner.setY(tile.bottom() + 6)
        corner.setX(max(4, min(self.width() - size.width() - 4, corner.x())))
        corner.setY(max(4, min(self.height() - size.height() - 4, corner.y())))
        return QRect(corner, size)

    def _paint_caption(self, painter: QPainter) -> None:
        text = self._caption(self._hovered)
        if not text:
            return
        colors = theme.current()
        painter.save()
        ratio = self.devicePixelRatioF()
        painter.scale(ratio, ratio)
        rect = QRectF(self._caption_rect(self._hovered, text))
        painter.setPen(QPen(colors.color("line"), 1))
        painter.setBrush(colors.color("panel"))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setPen(colors.color("text"))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()

    # --- pointer and keys ---

    def _hover(self, index: int) -> None:
        if index == self._hovered:
            return
        for old_or_new in (self._hovered, index):
            if 0 <= old_or_new < self._count:
                self._update_tile(old_or_new)
                self.update(self._caption_rect(old_or_new, self._caption(old_or_new)))
        self._hovered = index

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(-1 if self._dragging else self.index_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def clicked_at(self, position: QPointF) -> None:
        index = self.index_at(position)
        if index >= 0:
            self.selected.emit(index)
            self.opened.emit(index)

    def event(self, event: QEvent) -> bool:
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -self._columns,
            Qt.Key.Key_Down: self._columns,
            Qt.Key.Key_Home: -self._count,
            Qt.Key.Key_End: self._count,
        }
        key = Qt.Key(event.key())
        if key in moves and self._count and not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            target = self._selection + moves[key]
            if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and not 0 <= target < self._count:
                return
            self.selected.emit(max(0, min(self._count - 1, target)))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._selection >= 0:
            self.opened.emit(self._selection)
        elif key == Qt.Key.Key_Space:
            self.preview_wanted.emit()
        else:
            super().keyPressEvent(event)
