"""Single controls: slider, drop-down, switch, segments, a number to type, an icon to press.

They look the same on every platform and heed the wheel only when they have the focus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStyleOptionSlider,
    QStylePainter,
    QWidget,
)

from app.views import icons, theme, tokens
from app.views.help import describe

__all__ = ["CalmSlider", "Choice", "NumberEntry", "Segments", "Switch", "icon_button"]


def icon_button(name: str, title: str, tip: str, *, checkable: bool = False) -> QPushButton:
    """A square button with an icon alone; its title is what a screen reader says."""
    button = QPushButton()
    button.setProperty("kind", "icon")
    button.setCheckable(checkable)
    button.setFixedSize(tokens.CONTROL, tokens.CONTROL)
    icons.bind(button, name)
    describe(button, title, tip)
    return button


class CalmSlider(QSlider):
    """A slider that jumps to where it is pressed and heeds the wheel only when it has the focus."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            handle = self.style().subControlRect(
                QStyle.ComplexControl.CC_Slider, option, QStyle.SubControl.SC_SliderHandle, self
            )
            if not handle.contains(event.position().toPoint()):
                span = max(1, self.width() - handle.width())
                at = round(event.position().x() - handle.width() / 2)
                self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), at, span))
        super().mousePressEvent(event)


class Choice(QComboBox):
    """A drop-down list that heeds the wheel only when it has the focus.

    Where entries are a person's own, and so of any length, `elides` ends what has no room in "…".
    """

    def __init__(self, parent: QWidget | None = None, *, elides: bool = False) -> None:
        super().__init__(parent)
        self._elides = elides
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(4)
        self.setMaxVisibleItems(12)
        # Without a delegate of its own the list ignores the item rules of the stylesheet.
        self.view().setMinimumWidth(120)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def shown_text(self) -> str:
        """The current entry as far as there is room for it."""
        if not self._elides:
            return self.currentText()
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        room = min(field.width(), self.width() - tokens.ICON - 14) - 4
        return self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideRight, room)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        option.currentText = self.shown_text()
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        arrow = icons.pixmap(
            "chevron-down", "quiet" if self.isEnabled() else "disabled", tokens.ICON, self.devicePixelRatioF()
        )
        painter.drawPixmap(self.width() - tokens.ICON - 6, (self.height() - tokens.ICON) // 2, arrow)

    def choose(self, data: object) -> None:
        """Show the entry with this data, or none; says nothing to listeners."""
        self.blockSignals(True)
        self.setCurrentIndex(self.findData(data))
        self.blockSignals(False)
        self.update()


class Switch(QCheckBox):
    """An on/off switch; painted here so that it is the same on every platform."""

    _WIDTH, _HEIGHT = 32, 18

    def sizeHint(self) -> QSize:
        text = self.fontMetrics().horizontalAdvance(self.text())
        return QSize(self._WIDTH + (tokens.GAP + text if self.text() else 4), tokens.CONTROL)

    minimumSizeHint = sizeHint

    def hitButton(self, _position: Any) -> bool:
        return True

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = (self.height() - self._HEIGHT) / 2
        track = QRectF(1, top, self._WIDTH, self._HEIGHT)
        on = self.isChecked()
        painter.setPen(Qt.PenStyle.NoPen)
        track_role = "accent" if on else "edge"
        painter.setBrush(look.color(track_role if self.isEnabled() else "groove"))
        painter.drawRoundedRect(track, self._HEIGHT / 2, self._HEIGHT / 2)
        size = self._HEIGHT - 6
        left = track.right() - size - 3 if on else track.left() + 3
        painter.setBrush(look.color("on_accent" if on else "text"))
        painter.drawEllipse(QRectF(left, top + 3, size, size))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(look.color("text" if on else "accent"))
            painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), 8.5, 8.5)
        if self.text():
            painter.setPen(look.color("text" if self.isEnabled() else "disabled"))
            painter.setFont(self.font())
            place = self.rect().adjusted(self._WIDTH + tokens.GAP, 0, 0, 0)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.text())


class Segments(QWidget):
    """A few choices side by side, one of them chosen. Arrow keys move between them."""

    chosen = Signal(str)

    def __init__(self, entries: Sequence[tuple[str, str, str]], parent: QWidget | None = None) -> None:
        """Entries are (value, title, tooltip)."""
        super().__init__(parent)
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for index, (value, title, tip) in enumerate(entries):
            button = QPushButton(title)
            button.setCheckable(True)
            button.setProperty("kind", "segment")
            button.setProperty("place", {0: "first", len(entries) - 1: "last"}.get(index, "middle"))
            describe(button, title, tip)
            button.clicked.connect(self._clicked)
            button.installEventFilter(self)
            self.buttons[value] = button
            row.addWidget(button, 1)

    def choose(self, value: str) -> None:
        """Show `value` as chosen; a value that is not there clears the choice."""
        for name, button in self.buttons.items():
            button.setChecked(name == value)

    @Slot()
    def _clicked(self) -> None:
        for name, button in self.buttons.items():
            if button is self.sender():
                self.choose(name)
                self.chosen.emit(name)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
            order = list(self.buttons.values())
            if step and watched in order:
                order[(order.index(watched) + step) % len(order)].setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return super().eventFilter(watched, event)


class NumberEntry(QLineEdit):
    """A number to type. Up and Down, and the wheel when it has the focus, change it by a step."""

    stepped = Signal(int)  # +1, -1, or +-10 with Shift or a page key
    restored = Signal()  # Esc: back to the last good value

    def keyPressEvent(self, event: QKeyEvent) -> None:
        big = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        steps = {
            Qt.Key.Key_Up: big,
            Qt.Key.Key_Down: -big,
            Qt.Key.Key_PageUp: 10,
            Qt.Key.Key_PageDown: -10,
        }
        step = steps.get(Qt.Key(event.key()))
        if step:
            self.stepped.emit(step)
        elif event.key() == Qt.Key.Key_Escape and self.property("wrong"):
            self.restored.emit()
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus() and event.angleDelta().y():
            self.stepped.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            event.ignore()
