"""The track: keyframes along time, the playhead, and how much of the walk is made ahead."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from app.models.traverse.desk import TraverseModel
from app.models.traverse.keys import Key, begins, key_words
from app.views import theme, tokens
from app.views.traverse.thumbs import draw_thumb

__all__ = ["TRACK_KEYS", "Track", "tick_seconds"]

_RULER = 20
_THUMB = 44
_CROWD = 6  # pixels between two keyframes that are drawn at least
_MADE = 4  # height of the line that shows what is made
_PAD = 28  # left and right of the time axis, so that the first keyframe is whole
_CTRL, _ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
_SHIFT, _NONE = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier

# Keys that mean something on the track: (key, modifiers) -> what the panel does.
TRACK_KEYS: dict[tuple[Qt.Key, Qt.KeyboardModifier], str] = {
    (Qt.Key.Key_Left, _NONE): "frame-back",
    (Qt.Key.Key_Right, _NONE): "frame-on",
    (Qt.Key.Key_Left, _CTRL): "key-back",
    (Qt.Key.Key_Right, _CTRL): "key-on",
    (Qt.Key.Key_Left, _ALT): "nudge-back",
    (Qt.Key.Key_Right, _ALT): "nudge-on",
    (Qt.Key.Key_Left, _SHIFT): "select-back",
    (Qt.Key.Key_Right, _SHIFT): "select-on",
    (Qt.Key.Key_Up, _ALT): "earlier",
    (Qt.Key.Key_Down, _ALT): "later",
    (Qt.Key.Key_Home, _NONE): "start",
    (Qt.Key.Key_End, _NONE): "end",
    (Qt.Key.Key_Space, _NONE): "play",
    (Qt.Key.Key_Delete, _NONE): "delete",
    (Qt.Key.Key_Backspace, _NONE): "delete",
    (Qt.Key.Key_A, _CTRL): "select-all",
    (Qt.Key.Key_C, _CTRL): "copy",
    (Qt.Key.Key_X, _CTRL): "cut",
    (Qt.Key.Key_V, _CTRL): "paste",
    (Qt.Key.Key_D, _CTRL): "duplicate",
    (Qt.Key.Key_K, _NONE): "add-here",
    (Qt.Key.Key_Plus, _NONE): "zoom-in",
    (Qt.Key.Key_Minus, _NONE): "zoom-out",
    (Qt.Key.Key_0, _NONE): "zoom-fit",
}


def tick_seconds(pixels_per_second: float, room: float = 64.0) -> float:
    """A round number of seconds that takes about `room` pixels."""
    wanted = room / max(pixels_per_second, 1e-6)
    for base in (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800):
        if base >= wanted:
            return base
    return 3600.0


class Track(QWidget):
    """Press or drag the ruler to scrub; press a keyframe to select it, drag it to move it in time.

    Ctrl and Shift select several. What a key does is said in `TRACK_KEYS` and done by the panel.
    """

    wanted = Signal(str)  # what a key asks for
    menu_wanted = Signal(object)  # where, as a global QPoint
    zoomed = Signal()

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self._traverse = traverse
        self._timeline = traverse.timeline
        self._zoom = 1.0
        self._scrubbing = False
        self._dragged: int | None = None
        self._moved = False
        self._pressed = QPointF()
        self._grip = 0.0  # seconds from where the dragged keyframe is drawn to the pointer
        self._ahead = 0.0  # seconds it was typed later than drawn: a constant pace spreads the time anew
        self._held_span = 0.0  # seconds the axis shows while a keyframe is dragged
        self._before: tuple[Key, ...] = ()
        self._drop_index: int | None = None
        self._levels: list[int] | None = None  # looked up when it is next painted
        self._hovered: int | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Timeline")
        self.setProperty("help_term", "timeline")
        self.setToolTip(
            "<qt>Drag the ruler to scrub, keyframes to move them. Drop latents to add keyframes. Space plays, "
            "K adds a keyframe of what is shown, Delete takes the selected ones away.</qt>"
        )
        self._timeline.changed.connect(self._on_changed)
        self._timeline.selection_changed.connect(self._on_changed)
        self._timeline.playhead_changed.connect(self.update)
        traverse.drafts.changed.connect(self._on_drafts)
        theme.current().changed.connect(self.update)
        self._on_drafts()
        self._on_changed()

    # --- geometry

    @property
    def zoom(self) -> float:
        """1: the whole walk is in sight."""
        return self._zoom

    def set_zoom(self, zoom: float) -> None:
        zoom = min(max(zoom, 1.0), 64.0)
        if zoom != self._zoom:
            self._zoom = zoom
            self.updateGeometry()
            self.update()
            self.zoomed.emit()

    def sizeHint(self) -> QSize:
        return QSize(320, _RULER + _THUMB + _MADE + 26)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    @property
    def span(self) -> float:
        """Seconds the axis shows; one that is being begun shows four.

        It rests while a keyframe is dragged: an axis that followed would pull the keyframe from the hand.
        """
        if self._dragged is not None:
            return self._held_span
        return max(self._timeline.seconds, 1.0 if len(self._timeline.keys) > 1 else 4.0)

    @property
    def scale(self) -> float:
        """Pixels a second."""
        return max(self.width() - 2 * _PAD, 20) / self.span

    def x_of(self, seconds: float) -> float:
        return _PAD + seconds * self.scale

    def seconds_at(self, x: float) -> float:
        return (x - _PAD) / self.scale

    def _key_time(self, index: int) -> float:
        """When a keyframe is drawn, in seconds: a dragged one where the hand has it, paced or not."""
        if self._timeline.keys[index].id == self._dragged:
            return begins(self._timeline.keys, index) - self._ahead
        return self._timeline.arrival(index)

    def _typed_at(self, x: float) -> float:
        """When the dragged keyframe is to begin, by the seconds that are typed, with the pointer at `x`.

        It stays between its neighbours as they are drawn; those that were typed hold it too.
        """
        line, wanted = self._timeline, self.seconds_at(x) - self._grip
        index = line.index(self._dragged) if self._dragged is not None else -1
        if line.plan is not None and index > 0:
            wanted = max(wanted, line.departure(index - 1))
            if index + 1 < len(line.plan.arrive):  # which of a loop also has the return
                hold = line.departure(index) - line.arrival(index)
                wanted = min(wanted, line.arrival(index + 1) - hold)
        return wanted + self._ahead

    def key_rect(self, index: int) -> QRectF:
        """The picture of a keyframe, in the middle over its time."""
        box = QRectF(0, _RULER + 8, _THUMB, _THUMB)
        box.moveLeft(round(self.x_of(self._key_time(index)) - _THUMB / 2))
        return box

    def key_at(self, place: QPointF) -> int | None:
        """The keyframe under the pointer; the selected one of several that overlap."""
        found = [i for i in range(len(self._timeline.keys)) if self.key_rect(i).contains(place)]
        for index in found:
            if self._timeline.keys[index].id in self._timeline.selected:
                return index
        return found[-1] if found else None

    # --- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        timeline = self._timeline
        self._paint_ruler(painter, event.rect().toRectF())
        if not timeline.keys:
            self._paint_empty(painter)
        elif timeline.plan is not None:
            self._paint_ways(painter)
        current = timeline.current
        for index in self._painted_keys(event.rect().toRectF()):
            self._paint_key(painter, index, timeline.keys[index] is current)
        if self._drop_index is not None:
            self._paint_drop(painter)
        if timeline.plan is not None:
            self._paint_playhead(painter)
        if self.hasFocus():
            painter.setPen(QPen(theme.current().color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)

    def _painted_keys(self, seen: QRectF) -> list[int]:
        """The keyframes in sight, the selected ones last; of a crowd only as many as can be told apart."""
        timeline, selected = self._timeline, self._timeline.selected
        left, right = self.seconds_at(seen.left() - _THUMB), self.seconds_at(seen.right() + _THUMB)
        near = _CROWD / self.scale
        current = timeline.current
        rows: tuple[list[int], list[int]] = ([], [])
        last = [-math.inf, -math.inf]
        for index, key in enumerate(timeline.keys):
            at = self._key_time(index)
            which = int(key.id in selected)
            if left <= at <= right and (at - last[which] >= near or key is current):
                rows[which].append(index)
                last[which] = at
        return rows[0] + rows[1]

    def _paint_ruler(self, painter: QPainter, seen: QRectF) -> None:
        look = theme.current()
        painter.fillRect(QRectF(0, 0, self.width(), _RULER), look.color("raised"))
        painter.setPen(QPen(look.color("line"), 1))
        painter.drawLine(QPointF(0, _RULER + 0.5), QPointF(self.width(), _RULER + 0.5))
        every = tick_seconds(self.scale)
        painter.setFont(look.font(tokens.FONT_CAPTION, figures=True))
        first = max(math.floor(self.seconds_at(seen.left() - 60) / every), 0)
        last = math.ceil(self.seconds_at(seen.right() + 60) / every)
        for number in range(first, last + 1):
            x = self.x_of(number * every)
            if x > self.width():
                break
            painter.setPen(QPen(look.color("edge"), 1))
            painter.drawLine(QPointF(x, _RULER - 5), QPointF(x, _RULER))
            painter.setPen(look.color("quiet"))
            words = f"{number * every:g} s"
            painter.drawText(
                QRectF(x - 30, 0, 60, _RULER - 5),
                Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom,
                words,
            )

    def _paint_empty(self, painter: QPainter) -> None:
        look = theme.current()
        painter.setPen(look.color("quiet"))
        painter.setFont(look.font())
        room = QRectF(8, _RULER, self.width() - 16, self.height() - _RULER)
        painter.drawText(
            room,
            Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap,
            "Drop latents here to walk from one to the next, press K to add what is shown, or begin with a random walk.",
        )

    def _paint_ways(self, painter: QPainter) -> None:
        """A line from keyframe to keyframe, thick where it holds, and below it what is made ahead."""
        look, timeline = theme.current(), self._timeline
        middle = self.key_rect(0).center().y()
        painter.setPen(QPen(look.color("edge"), 2))
        painter.drawLine(QPointF(self.x_of(0), middle), QPointF(self.x_of(timeline.seconds), middle))
        for index in range(len(timeline.keys)):
            hold = timeline.departure(index) - timeline.arrival(index)
            if hold > 0:
                box = QRectF(self.x_of(self._key_time(index)), middle - 4, hold * self.scale, 8)
                painter.fillRect(box, look.color("groove"))
        top = self.key_rect(0).bottom() + 5
        painter.fillRect(
            QRectF(self.x_of(0), top, self.x_of(timeline.seconds) - self.x_of(0), _MADE), look.color("groove")
        )
        stride = self._traverse.drafts.level_stride
        each = max(stride / timeline.fps * self.scale, 1.0)
        if self._levels is None:
            self._levels = self._traverse.drafts.levels()
        begin, level = 0, -1
        for place, now in enumerate([*self._levels, -1]):
            if now != level:
                if level > 0:
                    left = self.x_of(begin * stride / timeline.fps)
                    width = (place - begin) * stride / timeline.fps * self.scale
                    role = "accent" if level == 2 else "quiet"
                    painter.fillRect(QRectF(left, top, max(width, each), _MADE), look.color(role))
                begin, level = place, now

    def _paint_key(self, painter: QPainter, index: int, current: bool) -> None:
        look, timeline, key = theme.current(), self._timeline, self._timeline.keys[index]
        box = self.key_rect(index)
        covers = draw_thumb(painter, box, key.spot.thumbnail)
        selected = key.id in timeline.selected
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if selected:
            painter.setPen(QPen(look.color("accent"), 2 if not current else 3))
        else:
            painter.setPen(QPen(look.color("text" if index == self._hovered else "edge"), 1))
        painter.drawRect(covers.adjusted(-0.5, -0.5, 0.5, 0.5))
        x = self.x_of(self._key_time(index))
        mark = QPolygonF([QPointF(x - 4, _RULER), QPointF(x + 4, _RULER), QPointF(x, _RULER + 6)])
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("accent" if selected else "quiet"))
        painter.drawPolygon(mark)

    def _paint_drop(self, painter: QPainter) -> None:
        index, keys = self._drop_index or 0, self._timeline.keys
        if not keys:
            x = self.x_of(0)
        elif index >= len(keys):
            x = self.key_rect(len(keys) - 1).right() + 8
        elif index == 0:
            x = self.key_rect(0).left() - 8
        else:
            x = (self.key_rect(index - 1).center().x() + self.key_rect(index).center().x()) / 2
        painter.setPen(QPen(theme.current().color("accent"), 3))
        painter.drawLine(QPointF(x, _RULER + 4), QPointF(x, _RULER + _THUMB + 12))

    def _paint_playhead(self, painter: QPainter) -> None:
        look = theme.current()
        x = self.x_of(self._timeline.frame / self._timeline.fps)
        painter.setPen(QPen(look.color("text"), 1))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height() - 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(look.color("text"))
        painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 8)]))

    @Slot()
    def _on_drafts(self) -> None:
        self._levels = None
        self.update()

    @Slot()
    def _on_changed(self) -> None:
        timeline = self._timeline
        if not timeline.keys:
            words = "No keyframes yet."
        else:
            words = f"{len(timeline.keys)} keyframes, {timeline.seconds:.1f} seconds."
            if (key := timeline.current) is not None:
                number = timeline.index(key.id)
                words += f" Keyframe {number + 1}, {key_words(key)}, at {timeline.arrival(number):.2f} s is chosen."
            if len(timeline.selected) > 1:
                words += f" {len(timeline.selected)} are selected."
        self.setAccessibleDescription(words)
        self._levels = None
        self.update()

    # --- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        place = event.position()
        index = self.key_at(place) if place.y() > _RULER else None
        if index is None:
            self._scrubbing = True
            self._traverse.player.pause()
            self._traverse.set_stage("walk")
            if not event.modifiers() and place.y() > _RULER:
                self._timeline.select([])
            self._timeline.seek_seconds(self.seconds_at(place.x()))
            return
        key = self._timeline.keys[index]
        if event.modifiers() & _CTRL:
            self._timeline.select([key.id], toggle=True)
        elif event.modifiers() & _SHIFT:
            self._timeline.select_to(key.id)
        else:
            if key.id not in self._timeline.selected:
                self._timeline.select([key.id])
            else:
                self._timeline.select([*(self._timeline.selected - {key.id}), key.id])
            drawn = self._timeline.arrival(index)
            self._grip = self.seconds_at(place.x()) - drawn
            self._ahead = begins(self._timeline.keys, index) - drawn
            self._held_span = self.span
            self._dragged, self._moved, self._pressed = key.id, False, place
            self._before = self._timeline.keys

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._scrubbing:
            self._timeline.seek_seconds(self.seconds_at(place.x()))
        elif self._dragged is not None:
            far = (place - self._pressed).manhattanLength() >= QApplication.startDragDistance()
            if far or self._moved:
                self._moved = True
                self._timeline.drag_key(self._dragged, self._typed_at(place.x()), last=False)
        else:
            hovered = self.key_at(place)
            if hovered != self._hovered:
                self._hovered = hovered
                self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self._scrubbing = False
        if self._dragged is None:
            return
        seconds = self._typed_at(event.position().x())
        dragged, self._dragged = self._dragged, None
        self.update()
        if self._moved:
            self._timeline.drag_key(dragged, seconds, before=self._before)
        else:
            self._timeline.select([dragged])
            self._go_to(dragged)

    def _go_to(self, id: int) -> None:
        """Show a keyframe."""
        index = self._timeline.index(id)
        self._traverse.player.pause()
        self._traverse.set_stage("walk")
        if index >= 0 and self._timeline.plan is not None:
            self._timeline.seek(self._timeline.plan.arrive[index])

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & _CTRL and event.angleDelta().y():
            self.set_zoom(self._zoom * (1.25 if event.angleDelta().y() > 0 else 0.8))
            event.accept()
        else:
            event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Mouse:
            index = self.key_at(event.pos().toPointF())
            if index is not None and self._timeline.keys[index].id not in self._timeline.selected:
                self._timeline.select([self._timeline.keys[index].id])
        self.menu_wanted.emit(event.globalPos())

    # --- keys

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and _wish(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if wish := _wish(event):
            self.wanted.emit(wish)
        else:
            super().keyPressEvent(event)

    # --- drops

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._traverse.accepts(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()
        self._drop_index = self._index_at(event.position().x())
        self.update()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._drop_index = None
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        index, self._drop_index = self._index_at(event.position().x()), None
        self.update()
        if self._traverse.drop_on_track(event.mimeData(), index):
            event.acceptProposedAction()
            self._traverse.set_stage("walk")

    def _index_at(self, x: float) -> int:
        """Before which keyframe something let go at `x` comes."""
        return sum(self.key_rect(i).center().x() < x for i in range(len(self._timeline.keys)))


def _wish(event: QKeyEvent) -> str:
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
        modifiers &= ~_SHIFT
        return TRACK_KEYS.get((Qt.Key.Key_Plus, modifiers), "")
    return TRACK_KEYS.get((Qt.Key(event.key()), modifiers), "")
