"""Error versus steps: how well a picture comes back, a line a solver."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QToolTip, QWidget

from app.views import theme, tokens

__all__ = ["PlotView"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 120, 16, 40
_DASHES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
_HIGHEST = 60.0  # dB; beyond it nothing is to be told apart, and an identical picture has no PSNR
_IDENTICAL = 99.0  # how an identical picture is given
_NEAR = 24  # px within which a point is meant


class PlotView(QWidget):
    """PSNR over steps. The first solver is drawn solid in the accent, the others in dashes and dots.

    The numbers of steps stand at equal distances: they grow about geometrically.
    """

    def __init__(self) -> None:
        super().__init__()
        self._curves: dict[str, tuple[tuple[int, float], ...]] = {}
        self._titles: dict[str, str] = {}
        self.setMouseTracking(True)
        self.setAccessibleName("Error versus steps")
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(480, 320)

    def show_curves(
        self, curves: Mapping[str, tuple[tuple[int, float], ...]], titles: Mapping[str, str]
    ) -> None:
        self._curves, self._titles = dict(curves), dict(titles)
        said = "; ".join(
            f"{self._title(solver)}: "
            + ", ".join(f"{_words(psnr)} at {steps} steps" for steps, psnr in points)
            for solver, points in self._curves.items()
        )
        self.setAccessibleDescription(said or "Not measured yet")
        self.update()

    def _title(self, solver: str) -> str:
        return self._titles.get(solver, solver)

    # --- geometry

    def _steps(self) -> list[int]:
        return sorted({steps for points in self._curves.values() for steps, _ in points})

    def _range(self) -> tuple[float, float, float]:
        """The lowest and the highest line of the grid, and how far they are apart."""
        values = [min(psnr, _HIGHEST) for points in self._curves.values() for _, psnr in points]
        if not values:
            return 0.0, 50.0, 10.0
        step = _step(max(values) - min(values))
        low = math.floor(min(values) / step) * step
        return low, max(math.ceil(max(values) / step) * step, low + step), step

    def point(self, steps: int, psnr: float) -> QPointF:
        """Where a measurement is drawn."""
        every = self._steps()
        low, high, _ = self._range()
        across = every.index(steps) / max(1, len(every) - 1)
        up = (min(psnr, _HIGHEST) - low) / max(1e-9, high - low)
        return QPointF(
            _LEFT + across * max(1, self.width() - _LEFT - _RIGHT),
            self.height() - _BOTTOM - up * max(1, self.height() - _TOP - _BOTTOM),
        )

    # --- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._curves:
            return
        look = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(look.font(tokens.FONT_CAPTION, figures=True))
        self._paint_grid(painter)
        ends: list[float] = []
        for number, (solver, points) in enumerate(self._curves.items()):
            colour = look.color("accent" if number == 0 else "quiet")
            dash = _DASHES[min(number, len(_DASHES) - 1)]
            places = [self.point(*measured) for measured in points]
            painter.setPen(QPen(colour, 2, dash))
            painter.drawPolyline(QPolygonF(places))
            self._paint_dots(painter, places, colour, filled=number == 0)
            if places:
                name = self._title(solver)
                same = points[-1][1] >= _IDENTICAL
                self._paint_name(painter, f"{name}: same" if same else name, places[-1], colour, ends)

    def _paint_grid(self, painter: QPainter) -> None:
        look = theme.current()
        low, high, step = self._range()
        right = self.width() - _RIGHT
        level = low
        while level <= high + 1e-9:
            y = self.point(self._steps()[0], level).y()
            painter.setPen(QPen(look.color("line"), 1))
            painter.drawLine(QPointF(_LEFT, y), QPointF(right, y))
            painter.setPen(look.color("quiet"))
            words = f"{level:.0f}" + (" dB" if level + step > high + 1e-9 else "")
            box = QRectF(0, y - 9, _LEFT - tokens.GAP, 18)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)
            level += step
        for steps in self._steps():
            x = self.point(steps, low).x()
            box = QRectF(x - 24, self.height() - _BOTTOM + 6, 48, 16)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(steps))
        box = QRectF(_LEFT, self.height() - 18, right - _LEFT, 16)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "steps")

    def _paint_dots(self, painter: QPainter, places: list[QPointF], colour: QColor, *, filled: bool) -> None:
        painter.setPen(QPen(colour, 2))
        painter.setBrush(colour if filled else theme.current().color("ground"))
        for place in places:
            painter.drawEllipse(place, 4, 4)

    def _paint_name(
        self, painter: QPainter, title: str, end: QPointF, colour: QColor, ends: list[float]
    ) -> None:
        """At the end of its line, moved aside where another name is."""
        y = end.y()
        while any(abs(y - other) < 16 for other in ends):
            y += 4
        ends.append(y)
        painter.setPen(colour)
        box = QRectF(end.x() + 12, y - 9, _RIGHT - 16, 18)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, title)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        for solver, points in self._curves.items():
            for steps, psnr in points:
                if (self.point(steps, psnr) - at).manhattanLength() < _NEAR:
                    words = f"{self._title(solver)}, {steps} steps: {_words(psnr)}"
                    QToolTip.showText(event.globalPosition().toPoint(), words, self)
                    return
        QToolTip.hideText()


def _words(psnr: float) -> str:
    return "identical" if psnr >= _IDENTICAL else f"{psnr:.1f} dB"


def _step(span: float) -> float:
    """Decibels from one line of the grid to the next."""
    return 10.0 if span > 40 else 5.0
