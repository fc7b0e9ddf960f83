"""The curve of an easing: how the way to the next keyframe depends on time, shaped by two handles."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.views import theme
from app.views.zoom_view import claims_key
from engine.messages.walks import Easing
from engine.walk import ease

__all__ = ["CUBICS", "EasingEditor", "cubic_of"]

# What a named easing is as a cubic, to begin shaping it from there. The first three are exact.
CUBICS: dict[str, tuple[float, float, float, float]] = {
    "linear": (1 / 3, 1 / 3, 2 / 3, 2 / 3),
    "smooth": (1 / 3, 0.0, 2 / 3, 1.0),
    "in": (1 / 3, 0.0, 2 / 3, 1 / 3),
    "out": (1 / 3, 2 / 3, 2 / 3, 1.0),
}
_HANDLE = 6
_REACH = 12
_STEP = 0.05
_ARROWS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, 1),
    Qt.Key.Key_Down: (0, -1),
}
_KEYS = (*_ARROWS, Qt.Key.Key_Space)


def cubic_of(easing: Easing) -> tuple[float, float, float, float]:
    """The easing as four numbers."""
    return easing if isinstance(easing, tuple) else CUBICS[easing]


class EasingEditor(QWidget):
    """Drag a handle, or choose one with Space and move it with the arrow keys (Shift: further)."""

    edited = Signal(object, bool)  # the four numbers; whether the hand has let go

    def __init__(self) -> None:
        super().__init__()
        self._easing: Easing = "smooth"
        self._dragged: int | None = None
        self._chosen = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Easing curve")
        self.setProperty("help_term", "easing")
        self.setToolTip(
            "<qt>Time runs to the right, the way to the next keyframe upwards. Drag the two handles; or press "
            "Space to choose one and the arrow keys to move it.</qt>"
        )
        theme.current().changed.connect(self.update)
        self._describe()

    def sizeHint(self) -> QSize:
        return QSize(180, 112)

    def set_easing(self, easing: Easing) -> None:
        if easing != self._easing and self._dragged is None:
            self._easing = easing
            self._describe()
            self.update()

    @property
    def easing(self) -> Easing:
        return self._easing

    # --- geometry

    def plane(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_HANDLE + 1, _HANDLE + 1, -_HANDLE - 1, -_HANDLE - 1)

    def place_of(self, x: float, y: float) -> QPointF:
        plane = self.plane()
        return QPointF(plane.left() + x * plane.width(), plane.bottom() - y * plane.height())

    def handle(self, which: int) -> QPointF:
        """Where a handle is, 0 the first, 1 the second."""
        inner = cubic_of(self._easing)
        return self.place_of(*inner[2 * which : 2 * which + 2])

    # --- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        look, plane = theme.current(), self.plane()
        painter.setPen(QPen(look.color("edge" if not self.hasFocus() else "accent"), 1))
        painter.setBrush(look.color("raised" if self.isEnabled() else "panel"))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setPen(QPen(look.color("line"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(plane.bottomLeft(), plane.topRight())
        path = QPainterPath(self.place_of(0, 0))
        for i in range(1, 49):
            path.lineTo(self.place_of(i / 48, ease(self._easing, i / 48)))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(look.color("accent" if self.isEnabled() else "disabled"), 2))
        painter.drawPath(path)
        if not self.isEnabled():
            return
        for which, end in ((0, self.place_of(0, 0)), (1, self.place_of(1, 1))):
            place = self.handle(which)
            painter.setPen(QPen(look.color("quiet"), 1))
            painter.drawLine(end, place)
            chosen = which == self._dragged or (self.hasFocus() and which == self._chosen)
            painter.setPen(QPen(look.color("text"), 1))
            painter.setBrush(look.color("accent" if chosen else "panel"))
            painter.drawEllipse(place, _HANDLE - 1, _HANDLE - 1)

    def _describe(self) -> None:
        inner = ", ".join(f"{value:.2f}" for value in cubic_of(self._easing))
        self.setAccessibleDescription(f"Handles at {inner}. Handle {self._chosen + 1} is chosen.")

    # --- hands

    def _move(self, which: int, x: float, y: float, *, last: bool) -> None:
        inner = list(cubic_of(self._easing))
        inner[2 * which : 2 * which + 2] = [
            round(min(max(x, 0.0), 1.0), 3),
            round(min(max(y, 0.0), 1.0), 3),
        ]
        self._easing = (inner[0], inner[1], inner[2], inner[3])
        self._describe()
        self.update()
        self.edited.emit(self._easing, last)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        near = [(event.position() - self.handle(which)).manhattanLength() for which in (0, 1)]
        which = near.index(min(near))
        self._chosen = which
        if near[which] <= _REACH:
            self._dragged = which
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None:
            self._move(self._dragged, *self._at(event.position()), last=False)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None and event.button() == Qt.MouseButton.LeftButton:
            which, self._dragged = self._dragged, None
            self._move(which, *self._at(event.position()), last=True)

    def _at(self, place: QPointF) -> tuple[float, float]:
        plane = self.plane()
        return (place.x() - plane.left()) / plane.width(), (plane.bottom() - place.y()) / plane.height()

    def event(self, event: QEvent) -> bool:
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self._chosen = 1 - self._chosen
            self._describe()
            self.update()
        elif key in _ARROWS:
            far = 4 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            dx, dy = _ARROWS[key]
            x, y = cubic_of(self._easing)[2 * self._chosen : 2 * self._chosen + 2]
            self._move(self._chosen, x + dx * far * _STEP, y + dy * far * _STEP, last=True)
        else:
            super().keyPressEvent(event)
