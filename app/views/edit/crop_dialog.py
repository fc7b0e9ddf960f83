"""Which pixels are meant: the picture with a square to move, and exactly what will be encoded."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.edit.crop import CropModel
from app.models.edit.edits import Edits
from app.views import theme, tokens
from app.views.edit.class_dialog import class_choice
from app.views.fields import CalmSlider, Segments, Switch
from app.views.help import describe
from app.views.image_view import ImageView
from app.views.picture_images import to_image

__all__ = ["CropDialog", "CropView"]

_SIZE = QSize(780, 560)
_GRIP = 12  # px about a corner in which a press takes hold of it


class CropView(QWidget):
    """The whole picture; what is outside the square is dimmed.

    Drag the square to move it and a corner to resize it; the wheel resizes, arrows move
    (Shift: further), + and - resize.
    """

    def __init__(self, model: CropModel) -> None:
        super().__init__()
        self._model = model
        self._image = to_image(model.shown)
        self._held: str | None = None  # "move" or "size"
        self._from = QPointF()
        self._corner = (0, 0)
        self.setMinimumSize(280, 280)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        describe(
            self,
            "Part of the picture",
            "Drag the square to move it, a corner to resize it. Arrows move it, + and - resize it.",
        )
        model.changed.connect(self._on_changed)
        self._on_changed()

    def _on_changed(self) -> None:
        crop = self._model.crop
        said = "all of it" if crop.whole else f"{crop.side} pixels from {crop.left}, {crop.top}"
        self.setAccessibleDescription(f"{self._model.width} by {self._model.height}, {said}")
        self.update()

    # --- geometry, in widget pixels

    def scale(self) -> float:
        """Widget pixels of one pixel of the picture."""
        return min((self.width() - 8) / self._model.width, (self.height() - 8) / self._model.height)

    def picture_rect(self) -> QRectF:
        scale = self.scale()
        width, height = self._model.width * scale, self._model.height * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)

    def square(self) -> QRectF:
        """Where the square is drawn."""
        picture, scale, crop = self.picture_rect(), self.scale(), self._model.crop
        if crop.whole:
            return picture
        return QRectF(
            picture.left() + crop.left * scale,
            picture.top() + crop.top * scale,
            crop.side * scale,
            crop.side * scale,
        )

    def _source(self, position: QPointF) -> QPointF:
        return (position - self.picture_rect().topLeft()) / self.scale()

    # --- painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), look.color("ground"))
        picture, square = self.picture_rect(), self.square()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.scale() < 1)
        painter.drawImage(picture, self._image)
        outside = QPainterPath()
        outside.addRect(picture)
        inside = QPainterPath()
        inside.addRect(square)
        dim = look.color("ground")
        dim.setAlphaF(0.72)
        painter.fillPath(outside.subtracted(inside), dim)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(look.color("ground"), 4))
        painter.drawRect(square)
        painter.setPen(QPen(look.color("accent"), 2))
        painter.drawRect(square)
        if not self._model.crop.whole:
            painter.setBrush(look.color("accent"))
            painter.setPen(QPen(look.color("ground"), 1.5))
            for corner in (square.topLeft(), square.topRight(), square.bottomLeft(), square.bottomRight()):
                painter.drawEllipse(corner, 5, 5)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(look.color("accent"), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    # --- pointer and keys

    def _corner_at(self, position: QPointF) -> tuple[int, int] | None:
        """Which corner: (-1, -1) is the top left."""
        square = self.square()
        for x, y, corner in (
            (-1, -1, square.topLeft()),
            (1, -1, square.topRight()),
            (-1, 1, square.bottomLeft()),
            (1, 1, square.bottomRight()),
        ):
            if (position - corner).manhattanLength() <= _GRIP:
                return x, y
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._model.crop.whole:
            return
        position = event.position()
        corner = self._corner_at(position)
        crop = self._model.crop
        if corner is not None:
            self._held, self._corner = "size", corner
        else:
            at = self._source(position)
            if not self.square().contains(position):  # the square comes to where it is pressed
                self._model.move_to(at.x() - crop.side / 2, at.y() - crop.side / 2)
                crop = self._model.crop
            self._held = "move"
            self._from = at - QPointF(crop.left, crop.top)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        at, crop = self._source(position), self._model.crop
        if self._held == "move":
            self._model.move_to(at.x() - self._from.x(), at.y() - self._from.y())
        elif self._held == "size":
            x, y = self._corner
            # The opposite corner stays.
            still = (crop.left + (crop.side if x < 0 else 0), crop.top + (crop.side if y < 0 else 0))
            reach = max(abs(at.x() - still[0]), abs(at.y() - still[1]))
            most_x = still[0] if x < 0 else self._model.width - still[0]
            most_y = still[1] if y < 0 else self._model.height - still[1]
            self._model.resize(min(reach, most_x, most_y), still)
        else:
            corner = None if crop.whole else self._corner_at(position)
            if corner is not None:
                falling = corner[0] == corner[1]
                self.setCursor(Qt.CursorShape.SizeFDiagCursor if falling else Qt.CursorShape.SizeBDiagCursor)
            elif not crop.whole and self.square().contains(position):
                self.setCursor(Qt.CursorShape.SizeAllCursor)
            else:
                self.unsetCursor()

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._held = None

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y() and not self._model.crop.whole:
            grow = 0.93 if event.angleDelta().y() > 0 else 1 / 0.93
            at = self._source(event.position())
            self._model.resize(self._model.crop.side * grow, (at.x(), at.y()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        crop = self._model.crop
        far = max(1, crop.side // 8) if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        ways = {
            Qt.Key.Key_Left: (-far, 0),
            Qt.Key.Key_Right: (far, 0),
            Qt.Key.Key_Up: (0, -far),
            Qt.Key.Key_Down: (0, far),
        }
        way = ways.get(Qt.Key(event.key()))
        if way is not None and not crop.whole:
            self._model.move_to(crop.left + way[0], crop.top + way[1])
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal) and not crop.whole:
            self._model.resize(crop.side + far)
        elif event.key() == Qt.Key.Key_Minus and not crop.whole:
            self._model.resize(crop.side - far)
        else:
            super().keyPressEvent(event)


class CropDialog(QDialog):
    """Shown when a picture was opened; `accepted` when it is being encoded."""

    encoded = Signal()

    def __init__(self, edits: Edits, model: CropModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("What to encode")
        self.resize(_SIZE)
        self._edits = edits
        self.model = model
        info = edits.settings.model_info
        assert info is not None, "a picture is opened for a model"
        title = QLabel(model.name if len(model.name) < 60 else f"{model.name[:57]}…")
        title.setProperty("role", "title")
        self.view = CropView(model)
        self.preview = ImageView()
        self.preview.setFixedSize(224, 224)
        self.preview.setAccessibleName("Exactly what will be encoded")
        self.preview.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.caption = QLabel()
        self.caption.setProperty("role", "caption")
        self.caption.setWordWrap(True)
        self.caption.setFixedWidth(224)
        self.caption.setMinimumHeight(48)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.fit = Segments(
            (
                ("crop", "Square", "Encode a square of the picture."),
                ("whole", "Whole", "Encode all of it, with a margin in the colour of its border."),
            )
        )
        self.size_slider = CalmSlider()
        self.size_slider.setRange(1, max(1, min(model.width, model.height)))
        describe(self.size_slider, "Size of the square", "How many pixels of the picture the square is wide.")
        self.invert = Switch("Swap light and dark")
        describe(
            self.invert,
            "Swap light and dark",
            "For a dark thing on white, where the model has learnt light things on black.",
        )
        self.label = class_choice(edits)
        self.accept_button = QPushButton("Encode")
        self.accept_button.setProperty("kind", "primary")
        self.accept_button.setDefault(True)
        describe(
            self.accept_button,
            "Encode",
            "Walk the picture up to its noise, and back to see how well (Return).",
        )
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Open nothing (Esc).")
        self._lay_out(title, bool(info.classes))
        self.fit.chosen.connect(lambda which: model.set_whole(which == "whole"))
        self.size_slider.valueChanged.connect(self._slid)
        self.invert.toggled.connect(model.set_invert)
        self.accept_button.clicked.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)
        model.changed.connect(self._refresh)
        self._refresh()
        self.view.setFocus()

    def _lay_out(self, title: QLabel, classes: bool) -> None:
        side = QVBoxLayout()
        side.setSpacing(tokens.GAP)
        heading = QLabel("What the model will see")
        heading.setProperty("role", "heading")
        side.addWidget(heading)
        side.addWidget(self.preview)
        side.addWidget(self.caption)
        rows = QGridLayout()
        rows.setHorizontalSpacing(tokens.GAP_LARGE)
        rows.setVerticalSpacing(tokens.GAP)
        entries: list[tuple[str, QWidget]] = [("Take", self.fit), ("Size", self.size_slider)]
        if classes:
            entries.append(("Class", self.label))
        for number, (words, control) in enumerate(entries):
            label = QLabel(words)
            label.setBuddy(control)
            rows.addWidget(label, number, 0)
            rows.addWidget(control, number, 1)
        rows.setColumnStretch(1, 1)
        side.addLayout(rows)
        side.addWidget(self.invert)
        side.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(20)
        middle.addWidget(self.view, 1)
        middle.addLayout(side)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addLayout(middle, 1)
        column.addLayout(buttons)

    def _slid(self, side: int) -> None:
        if side != self.model.crop.side:
            self.model.resize(side)

    def _refresh(self) -> None:
        model, crop = self.model, self.model.crop
        self.preview.set_image(to_image(model.pixels), "Exactly what will be encoded")
        self.preview.fit()
        self.fit.choose("whole" if crop.whole else "crop")
        self.size_slider.setEnabled(not crop.whole)
        self.size_slider.blockSignals(True)
        self.size_slider.setValue(crop.side)
        self.size_slider.blockSignals(False)
        side = max(model.width, model.height) if crop.whole else crop.side
        colours = "grey" if model.channels == 1 else "colour"
        goal = f"{model.size} × {model.size}, {colours}"
        if model.exact:
            how = "taken as they are, no pixel is changed"
        elif side > model.size:
            how = f"reduced from {side:,} × {side:,}"
        else:
            how = f"enlarged from {side} × {side}"
        notes = f" The file: {'; '.join(model.notes)}." if model.notes else ""
        self.caption.setText(f"{goal}, {how}.{notes}")

    def accept(self) -> None:
        self._edits.encode.set_label(self.label.currentData())
        if self._edits.encode.encode():
            self.encoded.emit()
            super().accept()

    def reject(self) -> None:
        self._edits.encode.drop_crop()
        super().reject()
