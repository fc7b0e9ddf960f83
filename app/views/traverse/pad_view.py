"""The plane of the pad: pins with their pictures, and the point that a hand moves between them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.models.traverse.desk import TraverseModel
from app.models.traverse.mixing import Pin, pin_words, weights_at
from app.views import icons, theme, tokens
from app.views.traverse.thumbs import draw_thumb
from app.views.zoom_view import claims_key

__all__ = ["PadView"]

_PIN = 40  # px, the picture of a pin
_EDGE = 2
_POINT = 9  # radius
_STEP = 0.02
_KEYS = (
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Up,
    Qt.Key.Key_Down,
    Qt.Key.Key_Delete,
    Qt.Key.Key_PageUp,
    Qt.Key.Key_PageDown,
    Qt.Key.Key_Return,
    Qt.Key.Key_Enter,
    Qt.Key.Key_Space,
)
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class PadView(QWidget):
    """Drag anywhere to move the point, drag a pin's picture to move the pin, drop latents to pin them.

    Arrow keys move the point (Shift: further), Page Up and Page Down go from pin to pin, Enter takes
    the point to it, Delete takes it away, Space starts and ends the drift.
    """

    pasted = Signal()

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self._traverse = traverse
        self._pad = traverse.pad
        self._dragged: int | None = None  # the pin under the hand
        self._before: Pin | None = None  # where it was
        self._grip = QPointF()
        self._holding = False  # the point is under the hand
        self._hovered: int | None = None
        self._chosen: int | None = None
        self._dropping = False
        self._backdrop_key: tuple[object, ...] = ()
        self._drawn_backdrop = QPixmap()
        self._pictures: list[QRectF] = []  # where the pins' pictures are
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setAcceptDrops(True)
        self.setMinimumSize(160, 160)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Pad")
        self.setProperty("help_term", "pad")
        self.setToolTip(
            "<qt>Drag anywhere: the picture is the mixture of the pins, by how near they are. Drop latents "
            "here to pin them. Arrow keys move the point, Space lets it drift.</qt>"
        )
        self._pad.pins_changed.connect(self._on_pins)
        self._pad.position_changed.connect(self.update)
        self._pad.state_changed.connect(self._describe)
        self._pad.drifting_changed.connect(self._describe)
        theme.current().changed.connect(self.update)
        self._describe()

    def sizeHint(self) -> QSize:
        return QSize(260, 260)

    # --- geometry

    def plane(self) -> QRectF:
        """The square in the middle, where x and y run from 0 to 1."""
        side = min(self.width(), self.height()) - 2 * _EDGE - 2 * tokens.GAP_TINY
        square = QRectF(0, 0, side, side)
        square.moveCenter(QRectF(self.rect()).center())
        return square

    def place_of(self, x: float, y: float) -> QPointF:
        plane = self.plane()
        return QPointF(plane.left() + x * plane.width(), plane.top() + y * plane.height())

    def at(self, place: QPointF) -> tuple[float, float]:
        plane = self.plane()
        return (place.x() - plane.left()) / plane.width(), (place.y() - plane.top()) / plane.height()

    def pin_rect(self, pin: Pin) -> QRectF:
        """The picture of a pin: round its place, but inside the plane."""
        plane = self.plane()
        side = min(_PIN, plane.width() / 4)
        box = QRectF(0, 0, side, side)
        box.moveCenter(self.place_of(pin.x, pin.y))
        inner = plane.adjusted(3, 3, -3, -3)
        box.moveLeft(min(max(box.left(), inner.left()), inner.right() - side))
        box.moveTop(min(max(box.top(), inner.top()), inner.bottom() - side))
        return box

    def pin_at(self, place: QPointF) -> int | None:
        for index in reversed(range(len(self._pad.pins))):
            if self.pin_rect(self._pad.pins[index]).contains(place):
                return index
        return None

    # --- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        look, plane, pad = theme.current(), self.plane(), self._pad
        painter.drawPixmap(0, 0, self._backdrop())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not pad.pins:
            self._paint_empty(painter, plane)
            return
        here = self.place_of(*pad.position)
        # How much of each pin there is under the point: a bar in its picture.
        accent = look.color("accent")
        for covers, weight in zip(self._pictures, weights_at(pad.pins, *pad.position), strict=True):
            bar = QRectF(covers.left(), covers.bottom() - 4, covers.width() * weight, 4)
            painter.fillRect(bar, accent)
        painter.setPen(QPen(look.color("panel"), 4))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(here, _POINT, _POINT)
        painter.setPen(QPen(look.color("accent"), 2))
        painter.drawEllipse(here, _POINT, _POINT)
        painter.setBrush(look.color("accent"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(here, 2, 2)

    def _backdrop(self) -> QPixmap:
        """The plane, its grid and the pins, drawn once as long as they are the same.

        While the point is dragged only what moves is drawn, since the engine needs the time.
        """
        look, ratio = theme.current(), self.devicePixelRatioF()
        edge = "accent" if self._dropping or self.hasFocus() else "line"
        marks = (self._chosen if self.hasFocus() else None, self._hovered, self._dragged)
        key = (self.width(), self.height(), ratio, look.name, edge, marks, self._pad.pins)
        if key != self._backdrop_key:
            self._backdrop_key = key
            made = QPixmap(self.size() * ratio)
            made.setDevicePixelRatio(ratio)
            made.fill(Qt.GlobalColor.transparent)
            painter = QPainter(made)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(look.color(edge), 1))
            painter.setBrush(look.color("raised"))
            painter.drawRoundedRect(self.plane().adjusted(-0.5, -0.5, 0.5, 0.5), 2, 2)
            painter.setPen(QPen(look.color("line"), 1, Qt.PenStyle.DotLine))
            for part in (0.25, 0.5, 0.75):
                painter.drawLine(self.place_of(part, 0), self.place_of(part, 1))
                painter.drawLine(self.place_of(0, part), self.place_of(1, part))
            self._pictures = [
                self._paint_pin(painter, index, pin) for index, pin in enumerate(self._pad.pins)
            ]
            painter.end()
            self._drawn_backdrop = made
        return self._drawn_backdrop

    def _paint_empty(self, painter: QPainter, plane: QRectF) -> None:
        look = theme.current()
        painter.setPen(look.color("quiet"))
        painter.setFont(look.font(tokens.FONT_CAPTION))
        words = "Let go to pin it here" if self._dropping else "Drop latents here:\nthe point mixes them"
        painter.drawText(plane.adjusted(8, 8, -8, -8), Qt.AlignmentFlag.AlignCenter, words)

    def _paint_pin(self, painter: QPainter, index: int, pin: Pin) -> QRectF:
        """Its picture and its place; what the picture covers."""
        look, box = theme.current(), self.pin_rect(pin)
        covers = draw_thumb(painter, box, pin.spot.thumbnail)
        chosen = index == self._chosen and self.hasFocus()
        role = "accent" if chosen or index == self._dragged else "text" if index == self._hovered else "edge"
        painter.setPen(QPen(look.color(role), 2 if role == "accent" else 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(covers.adjusted(-0.5, -0.5, 0.5, 0.5))
        place = self.place_of(pin.x, pin.y)
        painter.setPen(QPen(look.color("panel"), 1))
        painter.setBrush(look.color("text"))
        painter.drawEllipse(place, 3, 3)
        return covers

    @Slot()
    def _on_pins(self) -> None:
        count = len(self._pad.pins)
        if self._chosen is not None and self._chosen >= count:
            self._chosen = count - 1 if count else None
        if self._dragged is not None and self._dragged >= count:
            self._dragged = None
        self._describe()
        self.update()

    @Slot()
    def _describe(self) -> None:
        pad = self._pad
        if not pad.pins:
            words = "No pins yet. Drop latents here, or use Pin in the menu of the shelf."
        else:
            shares = zip(pad.pins, weights_at(pad.pins, *pad.position), strict=True)
            most = sorted(shares, key=lambda pair: -pair[1])[:3]
            words = ", ".join(f"{100 * share:.0f} % {pin_words(pin)}" for pin, share in most if share > 0.005)
            if pad.drifting:
                words = f"Drifting. {words}"
        self.setAccessibleDescription(words)
        self.update()

    # --- mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._pad.pins:
            super().mousePressEvent(event)
            return
        place = event.position()
        index = self.pin_at(place)
        near_point = (place - self.place_of(*self._pad.position)).manhattanLength() <= _POINT + 3
        self._traverse.set_stage("pad")
        if index is not None and not near_point:
            self._dragged, self._chosen = index, index
            self._before = self._pad.pins[index]
            self._grip = place - self.place_of(self._before.x, self._before.y)
            self.update()
        else:
            self._holding = True
            self._pad.press()
            self._pad.move_to(*self.at(place))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._holding:
            self._pad.move_to(*self.at(place))
        elif self._dragged is not None:
            self._pad.move_pin(self._dragged, *self.at(place - self._grip), last=False)
        else:
            hovered = self.pin_at(place)
            if hovered != self._hovered:
                self._hovered = hovered
                self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if self._holding:
            self._holding = False
            self._pad.release()
            self._describe()
        elif self._dragged is not None:
            index, self._dragged = self._dragged, None
            pin = self._pad.pins[index]
            self._pad.move_pin(index, pin.x, pin.y, before=self._before)
            self._describe()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.pin_at(event.position())
        if index is not None:
            self._go_to_pin(index)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()
        super().leaveEvent(event)

    def _go_to_pin(self, index: int) -> None:
        pin = self._pad.pins[index]
        self._dragged = None
        self._traverse.set_stage("pad")
        self._pad.move_to(pin.x, pin.y)
        self._describe()

    # --- keys

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            shifted = event.modifiers() == Qt.KeyboardModifier.ShiftModifier
            if shifted and event.key() in _ARROWS:
                event.accept()
                return True
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        pins = self._pad.pins
        if key in _ARROWS and pins:
            size = 5 * _STEP if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else _STEP
            dx, dy = _ARROWS[key]
            self._traverse.set_stage("pad")
            if event.isAutoRepeat() and not self._pad.moving:
                self._pad.press()  # a key held down is a drag
            self._pad.move_by(dx * size, dy * size)
            self._describe()
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) and pins:
            step = 1 if key == Qt.Key.Key_PageDown else -1
            self._chosen = (self._chosen + step) % len(pins) if self._chosen is not None else 0
            self.setAccessibleDescription(
                f"Pin {self._chosen + 1} of {len(pins)}: {pin_words(pins[self._chosen])}"
            )
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._chosen is not None:
            self._go_to_pin(self._chosen)
        elif key == Qt.Key.Key_Delete and self._chosen is not None:
            self._pad.remove_pin(self._chosen)
        elif key == Qt.Key.Key_Space and pins:
            self._traverse.set_stage("pad")
            self._pad.set_drifting(not self._pad.drifting)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ARROWS and not event.isAutoRepeat() and not self._holding:
            self._pad.release()
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        if not self._holding:
            self._pad.release()  # a key that was held down is let go elsewhere
        super().focusOutEvent(event)

    # --- drops

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._traverse.accepts(event.mimeData()):
            event.acceptProposedAction()
            self._dropping = True
            self.update()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._dropping = False
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._dropping = False
        spots = self._traverse.spots_of(event.mimeData())
        if not spots:
            return
        event.acceptProposedAction()
        on = self.pin_at(event.position())
        if on is not None and len(spots) == 1:
            self._pad.replace_pin(on, spots[0])
        else:
            x, y = self.at(event.position())
            at = (min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) if len(spots) == 1 else None
            # Close to a corner is meant as the corner.
            if at is not None and all(min(v, 1 - v) < 0.12 for v in at):
                at = (float(round(at[0])), float(round(at[1])))
            self._pad.add_pins(spots, at)
        self._traverse.set_stage("pad")

    # --- menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = (
            event.pos().toPointF() if event.reason() == QContextMenuEvent.Reason.Mouse else QPointF(-1, -1)
        )
        index = self.pin_at(place)
        self.menu(self._chosen if index is None and place.x() < 0 else index).popup(event.globalPos())

    def menu(self, index: int | None = None) -> QMenu:
        """What can be done with a pin, or with the pad."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        pad, traverse = self._pad, self._traverse
        entries: list[tuple[str, str, Callable[[], object], bool] | None] = []
        if index is not None and index < len(pad.pins):
            pin = pad.pins[index]
            entries += [
                ("generate", "Take the point here", lambda: self._go_to_pin(index), True),
                ("star", "Put it on the shelf", lambda: traverse.shelf.add([pin.spot]), True),
                ("plus", "Add it as a keyframe", lambda: traverse.timeline.add([pin.spot]), True),
                ("trash", "Take the pin away", lambda: pad.remove_pin(index), True),
                None,
            ]
        some = bool(pad.pins)
        entries += [
            ("plus", "Add a keyframe of the point", traverse.add_here, some),
            ("star", "Put the point on the shelf", traverse.shelve_here, some),
            ("paste", "Paste latents as pins", self.pasted.emit, True),
            ("grid", "Spread the pins", pad.to_corners, len(pad.pins) > 1),
            ("close", "Clear the pad", pad.clear, some),
        ]
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            icon, title, work, enabled = entry
            action = menu.addAction(icons.icon(icon), title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu
