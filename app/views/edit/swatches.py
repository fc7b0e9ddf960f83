"""Colours to paint with: the colours of what is painted, not of the interface."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.views import theme, tokens
from app.views.help import describe
from app.views.zoom_view import claims_key

__all__ = ["Swatches"]

_SIDE = 20
_GREYS = tuple((level, level, level) for level in (0, 36, 73, 109, 146, 182, 219, 255))
_HUES = (0, 30, 55, 120, 180, 220, 280)

Colour = tuple[int, int, int]


def _colours() -> tuple[Colour, ...]:
    found = [(0, 0, 0), (128, 128, 128), (255, 255, 255)]
    for hue in _HUES:
        colour = QColor.fromHsv(hue, 200, 230)
        found.append((colour.red(), colour.green(), colour.blue()))
    return tuple(found)


class Swatches(QWidget):
    """A few colours, one of them chosen; Left and Right go from one to the next."""

    chosen = Signal(tuple)

    def __init__(self) -> None:
        super().__init__()
        self._colours: tuple[Colour, ...] = _GREYS
        self._colour: Colour = (255, 255, 255)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(tokens.CONTROL)
        describe(self, "Colour", "What the brush paints. Left and Right choose.")

    @property
    def colour(self) -> Colour:
        return self._colour

    def set_grey(self, grey: bool) -> None:
        """Only greys, for a model of grey pictures."""
        colours = _GREYS if grey else _colours()
        if colours != self._colours:
            self._colours = colours
            self.update()

    def choose(self, colour: tuple[int, ...]) -> None:
        red, green, blue = colour
        self._colour = (red, green, blue)
        self.setAccessibleDescription(f"Red {red}, green {green}, blue {blue}")
        self.chosen.emit(self._colour)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, tokens.CONTROL)

    def _shown(self) -> tuple[Colour, ...]:
        """Those of the row; a colour that is none of them stands at its end."""
        return self._colours if self._colour in self._colours else (*self._colours[:-1], self._colour)

    def _rect(self, index: int) -> QRect:
        every = min(_SIDE, self.width() // max(1, len(self._shown())))
        side = every - 3
        return QRect(index * every + 2, (self.height() - side) // 2, side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for index, colour in enumerate(self._shown()):
            here = colour == self._colour
            painter.setBrush(QColor(*colour))
            painter.setPen(QPen(look.color("accent" if here else "edge"), 2 if here else 1))
            painter.drawRoundedRect(self._rect(index), 4, 4)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("accent"), 1))
            painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), tokens.RADIUS, tokens.RADIUS)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._choose_at(event.position().toPoint())

    def _choose_at(self, position: QPoint) -> None:
        for index, colour in enumerate(self._shown()):
            if self._rect(index).adjusted(-2, -4, 2, 4).contains(position):
                self.choose(colour)
                return

    def event(self, event: QEvent) -> bool:
        return claims_key(event, (Qt.Key.Key_Left, Qt.Key.Key_Right)) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        way = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if not way:
            super().keyPressEvent(event)
            return
        shown = self._shown()
        self.choose(shown[(shown.index(self._colour) + way) % len(shown)])
