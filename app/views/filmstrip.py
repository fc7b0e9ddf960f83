"""The steps of one image as a strip to scrub along; while a job runs, a row of dots."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QWidget

from app.views import theme, tokens
from app.views.picture_images import to_image
from engine.messages import Pictures, StepFrame

__all__ = ["Filmstrip"]

_GAP = 2
_EDGE = 5
_THUMB = 64  # widget pixels a step may take at most
_LABEL = 24  # below a thumbnail: the notch and the caption
_CORNER = 24  # side of the button beside the caption


class Filmstrip(QAbstractSlider):
    """A slider whose positions are the steps of an image; the last is the image itself.

    `set_frames` gives it the steps to show; of an image that is still being made those so far, with
    blank places for those to come. `set_dots` shows how far a job is that has none to show yet.
    Left and Right move by a step, Home and End to the ends; press or drag anywhere to scrub.
    """

    def __init__(self) -> None:
        super().__init__()
        self._frames: tuple[StepFrame, ...] = ()
        self._final: Pictures | None = None
        self._index = 0
        self._live = False
        self._to_come = 0
        self._images: dict[int, QImage] = {}
        self._dots = (0, 0)
        self._hovered = -1
        self._corner: QWidget | None = None
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Steps of this image")
        self.setToolTip(
            "The steps this image came by: what the network thought the picture to be after each. "
            "Drag along it, or press Alt+Left and Alt+Right."
        )
        self.setPageStep(5)
        self.setRange(0, 0)

    def set_corner(self, button: QWidget) -> None:
        """Put a small button below the first thumbnail, where the caption gives way to it."""
        button.setParent(self)
        button.setProperty("kind", "tiny")
        button.setFixedSize(_CORNER, _CORNER)
        self._corner = button

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._corner is not None:
            self._corner.move(_EDGE, self.height() - _CORNER - 2)

    # --- what is shown ---

    def set_frames(
        self,
        frames: tuple[StepFrame, ...],
        final: Pictures | None,
        index: int,
        *,
        live: bool = False,
        to_come: int = 0,
    ) -> None:
        """Show picture `index` of each frame, and of `final` at the end.

        `live`: it is still being made, and `to_come` steps follow.
        """
        if final is not None and frames and frames[-1].pictures.data == final.data:
            frames = frames[:-1]  # the last step is the finished picture: show it once
        if final is None or not frames:
            frames, final = (), None
        if not frames:
            live, to_come = False, 0
        if (frames, index, live, to_come) == (self._frames, self._index, self._live, self._to_come) and (
            final is self._final
        ):
            return
        kept = 0  # how many of the thumbnails look the same as before
        if (index, len(frames) + to_come) == (self._index, len(self._frames) + self._to_come):
            same = [new is old for new, old in zip(frames, self._frames, strict=False)]
            kept = same.index(False) if False in same else len(same)
        if frames != self._frames or final is not self._final:
            self._frames, self._final = frames, final
            self._hovered = min(self._hovered, len(frames)) if live else -1
            blocked = self.blockSignals(True)
            self.setRange(0, len(frames))
            self.setValue(self.maximum())
            self.blockSignals(blocked)
        self._index, self._live, self._to_come = index, live, to_come
        self._images = {place: image for place, image in self._images.items() if place < kept}
        self._describe()
        self.update()

    def set_dots(self, done: int, total: int) -> None:
        """`done` of `total` steps of a running job, shown while there are no frames."""
        if (done, total) != self._dots:
            self._dots = (done, total)
            if not self._frames:
                self._describe()
                self.update()

    @property
    def positions(self) -> int:
        """How many places there are to scrub to: the steps and the finished image."""
        return len(self._frames) + 1 if self._frames else 0

    @property
    def _places(self) -> int:
        """The same with the places of the steps to come."""
        return self.positions + self._to_come if self._frames else 0

    @property
    def shown(self) -> int | None:
        """The step under the mark; None: the finished image."""
        return self.value() if self.value() < len(self._frames) else None

    def set_shown(self, step: int | None) -> None:
        """Mark a step without telling anyone; None is the finished image."""
        blocked = self.blockSignals(True)
        self.setValue(self.maximum() if step is None else step)
        self.blockSignals(blocked)

    def caption(self, position: int) -> str:
        """What is known of the step at `position`, in words."""
        if not 0 <= position < self.positions:
            return ""
        if position == len(self._frames):
            return "live" if self._live else "finished image"
        frame = self._frames[position]
        evaluations = "1 evaluation" if frame.evaluations == 1 else f"{frame.evaluations} evaluations"
        return f"step {frame.step} · {evaluations} · t {frame.t:.3g}"

    def _describe(self) -> None:
        done, total = self._dots
        words = self.caption(self.value()) if self._frames else f"Step {done} of {total}" if total else ""
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)

    def _picture(self, position: int) -> Pictures:
        if position < len(self._frames):
            return self._frames[position].pictures
        assert self._final is not None
        return self._final

    # --- geometry ---

    def sizeHint(self) -> QSize:
        return QSize(320, _THUMB + _LABEL + 12)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def thumb_side(self) -> int:
        """Side of a thumbnail in device pixels: a whole multiple of the picture where that fits."""
        ratio = self.devicePixelRatioF()
        side = max(1, self._frames[0].pictures.width) if self._frames else 32
        room = (self.width() - 2 * _EDGE + _GAP) / max(1, self._places) - _GAP
        most = max(24.0, min(_THUMB, room)) * ratio
        return side * int(most // side) if most >= side else int(most)

    def _cells(self) -> int:
        """How many thumbnails fit; with more steps than that, some go without one."""
        cell = self.thumb_side() / self.devicePixelRatioF() + _GAP
        return max(1, min(self._places, int((self.width() - 2 * _EDGE + _GAP) / cell)))

    def _strip(self) -> QRectF:
        """Where the thumbnails are, in widget pixels."""
        side = self.thumb_side() / self.devicePixelRatioF()
        width = self._cells() * (side + _GAP) - _GAP
        return QRectF((self.width() - width) / 2, (self.height() - side - _LABEL) / 2, width, side)

    def position_at(self, x: float) -> int:
        """The step under widget coordinate `x`."""
        strip = self._strip()
        share = (x - strip.left() + _GAP / 2) / max(1.0, strip.width() + _GAP)
        return max(0, min(self.maximum(), int(share * self._places)))

    def center_of(self, position: int) -> QPoint:
        """The middle of the place on the strip that stands for `position`, in widget pixels."""
        strip = self._strip()
        share = (position + 0.5) / max(1, self._places)
        x = strip.left() - _GAP / 2 + share * (strip.width() + _GAP)
        return QPointF(x, strip.center().y()).toPoint()

    # --- painting ---

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._frames:
            self._paint_frames(painter)
        else:
            self._paint_dots(painter)

    def _paint_frames(self, painter: QPainter) -> None:
        colors = theme.current()
        ratio = self.devicePixelRatioF()
        side, strip = self.thumb_side(), self._strip()
        scale = side / max(1, self._frames[0].pictures.width)
        painter.save()
        painter.scale(1 / ratio, 1 / ratio)
        left, top = round(strip.left() * ratio), round(strip.top() * ratio)
        cells = self._cells()
        for cell in range(cells):
            rect = QRect(left + cell * (side + round(_GAP * ratio)), top, side, side)
            position = round(cell * (self._places - 1) / (cells - 1)) if cells > 1 else self._places - 1
            if position < self.positions:
                painter.drawImage(rect, self._thumb(position, scale, rect.size()))
            else:
                painter.fillRect(rect, colors.color("groove"))
        painter.restore()
        center = self.center_of(self.value())
        half = side / ratio / 2
        crowded = cells < self._places
        ring = QRectF(center.x() - half, strip.top(), 2 * half, 2 * half)
        if crowded:  # a thumbnail stands for several steps: put the chosen one over them
            ring.moveLeft(max(strip.left(), min(strip.right() - ring.width(), ring.left())))
            painter.save()
            painter.scale(1 / ratio, 1 / ratio)
            rect = QRect(round(ring.left() * ratio), top, side, side)
            painter.drawImage(rect, self._thumb(self.value(), scale, rect.size()))
            painter.restore()
        else:
            ring.moveLeft(strip.left() + self.value() * (side / ratio + _GAP))
        painter.setPen(QPen(colors.color("accent"), 2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(ring.adjusted(-1.5, -1.5, 1.5, 1.5))
        # A notch under the chosen step: seen without its colour, and when a thumbnail is tiny.
        notch = QPointF(ring.center().x(), ring.bottom() + 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colors.color("accent"))
        painter.drawPolygon([notch, notch + QPointF(-5, 5), notch + QPointF(5, 5)])
        self._paint_label(painter, ring)

    def _paint_label(self, painter: QPainter, ring: QRectF) -> None:
        position = self._hovered if self._hovered >= 0 else self.value()
        text = self.caption(position)
        painter.setFont(theme.current().font(tokens.FONT_CAPTION, figures=True))
        painter.setPen(theme.current().color("text" if self.hasFocus() else "quiet"))
        width = painter.fontMetrics().horizontalAdvance(text) + 4
        left = float(_EDGE + _CORNER + 4 if self._corner is not None else 0)
        x = max(left, min(self.width() - width - _EDGE, self.center_of(position).x() - width / 2))
        below = QRectF(x, ring.bottom() + 8, width, _LABEL - 8)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_dots(self, painter: QPainter) -> None:
        done, total = self._dots
        if not total:
            return
        colors = theme.current()
        shown = min(total, max(1, (self.width() - 2 * _EDGE) // 12))
        pitch = min(24.0, (self.width() - 2 * _EDGE) / shown)
        left = (self.width() - pitch * (shown - 1)) / 2
        reached = done * shown // total
        for dot in range(shown):
            at = QPointF(left + dot * pitch, self.height() / 2)
            current = dot == reached - 1
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colors.color("accent" if dot < reached else "line"))
            radius = 5.0 if current else 3.0 if dot < reached else 2.0
            painter.drawEllipse(at, radius, radius)

    def _thumb(self, position: int, scale: float, size: QSize) -> QImage:
        """The picture of a step, in its own size, or averaged down where it is larger than `size`."""
        image = self._images.get(position)
        if image is None:
            full = to_image(self._picture(position), self._index)
            image = (
                full
                if scale >= 1
                else full.scaled(
                    size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
                )
            )
            self._images[position] = image
        return image

    # --- pointer and keys ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._frames:
            self.setSliderDown(True)
            self.setValue(self.position_at(event.position().x()))
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._frames:
            return
        position = self.position_at(event.position().x())
        if self.isSliderDown():
            self.setValue(position)
        if position != self._hovered:
            self._hovered = position
            self.update()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hovered = -1
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
            return
        super().keyPressEvent(event)

    def sliderChange(self, change: QAbstractSlider.SliderChange) -> None:
        super().sliderChange(change)
        self._describe()
        self.update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
