"""A number of an edit: its name, a slider that answers while it is dragged, and the number to type."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.views import theme, tokens
from app.views.fields import ENTRY_WIDTH, LABEL_WIDTH, CalmSlider, NumberEntry
from app.views.help import describe

__all__ = ["Param", "labelled"]


class Param(QWidget):
    """`dragged` while the slider is held, `settled` when it is let go, or a number was typed."""

    dragged = Signal(float)
    settled = Signal(float)

    def __init__(
        self,
        title: str,
        tip: str,
        low: float,
        high: float,
        step: float,
        *,
        suffix: str = "",
        scale: float = 1.0,
        term: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """`term` is what F1 explains. `scale` times the value, with `suffix`, is what is shown and typed (100 and "%")."""
        super().__init__(parent)
        self.title = title
        self._low, self._high, self._step = low, high, step
        self._suffix, self._scale = suffix, scale
        self._value = low
        self.label = QLabel(title)
        self.label.setFixedWidth(LABEL_WIDTH)
        self.label.setMinimumHeight(tokens.CONTROL)
        self.slider = CalmSlider()
        self.slider.setRange(0, round((high - low) / step))
        self.slider.setPageStep(max(1, self.slider.maximum() // 10))
        describe(self.slider, f"{title}, slider", tip, term=term)
        self.entry = NumberEntry()
        self.entry.setFixedWidth(ENTRY_WIDTH)
        self.entry.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.entry.setFont(theme.current().font(figures=True))
        describe(self.entry, title, tip, term=term)
        self.label.setBuddy(self.entry)
        self.label.setToolTip(self.entry.toolTip())
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setWordWrap(True)
        self.error.setAccessibleName(f"What is wrong with {title}")
        self.error.hide()
        row = QHBoxLayout()
        row.setSpacing(tokens.GAP)
        row.addWidget(self.label)
        row.addWidget(self.slider, 1)
        row.addWidget(self.entry)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.error)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(lambda: self.settled.emit(self._value))
        self.entry.textEdited.connect(self._typed)
        self.entry.stepped.connect(self._stepped)
        self.entry.restored.connect(self._restore)
        self.entry.editingFinished.connect(self._restore)
        self.set_value(low)

    @property
    def value(self) -> float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show a value; says nothing to listeners."""
        self._value = value
        if not self.entry.hasFocus() or not self._same(value):
            self.entry.setText(self._words(value))
        self.slider.blockSignals(True)
        self.slider.setValue(round((min(max(value, self._low), self._high) - self._low) / self._step))
        self.slider.blockSignals(False)
        self.slider.setAccessibleDescription(f"{self._words(value)}. {self.slider.toolTip()}")
        self.complain("")

    def complain(self, words: str) -> None:
        """Say what is wrong beside the control; "" for nothing."""
        self.error.setText(words)
        self.error.setVisible(bool(words))
        theme.set_look(self.entry, wrong=bool(words))

    def _words(self, value: float) -> str:
        return f"{round(value * self._scale, 4):g}{self._suffix}"

    def _same(self, value: float) -> bool:
        try:
            return abs(self._read(self.entry.text()) - value) < 1e-9
        except ValueError:
            return False

    def _read(self, text: str) -> float:
        plain = text.strip().removesuffix(self._suffix.strip()).strip().replace(",", ".")
        return float(plain) / self._scale

    def _slid(self, position: int) -> None:
        value = round(self._low + position * self._step, 6)
        held = self.slider.isSliderDown()
        self.set_value(value)
        (self.dragged if held else self.settled).emit(value)

    def _typed(self, text: str) -> None:
        try:
            value = self._read(text)
            if not self._low <= value <= self._high:
                raise ValueError(text)
        except ValueError:
            low, high = self._words(self._low), self._words(self._high)
            self.complain(f"{self.title} goes from {low} to {high}.")
            return
        self.set_value(value)
        self.settled.emit(value)

    def _stepped(self, steps: int) -> None:
        value = round(min(max(self._value + steps * self._step, self._low), self._high), 6)
        self.set_value(value)
        self.entry.setText(self._words(value))
        self.settled.emit(value)

    def _restore(self) -> None:
        self.set_value(self._value)
        self.entry.setText(self._words(self._value))


def labelled(title: str, control: QWidget) -> QWidget:
    """A control with its name to the left, in line with the numbers."""
    label = QLabel(title)
    label.setFixedWidth(LABEL_WIDTH)
    label.setMinimumHeight(tokens.CONTROL)
    label.setBuddy(control)
    row = QWidget()
    row.setProperty("panel", "plain")
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(tokens.GAP)
    line.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
    line.addWidget(control, 1)
    return row
