"""Rows of the Traverse panels: a label, a control, and beside it what is wrong with what was typed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.views import theme, tokens
from app.views.help import describe
from app.views.inputs import NumberEntry

__all__ = ["LABEL_WIDTH", "NumberField", "Row", "call_with"]

LABEL_WIDTH = 76


class Row(QWidget):
    """A label to the left, a control, an error below."""

    def __init__(self, title: str, control: QWidget, unit: str = "") -> None:
        super().__init__()
        self.label = QLabel(title)
        self.label.setFixedWidth(LABEL_WIDTH)
        self.label.setMinimumHeight(tokens.CONTROL)
        self.label.setBuddy(control)
        self.control = control
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setWordWrap(True)
        self.error.setAccessibleName(f"What is wrong with {title}")
        self.error.hide()
        top = QHBoxLayout()
        top.setSpacing(tokens.GAP)
        top.addWidget(self.label, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(control, 1)
        if unit:
            words = QLabel(unit)
            words.setProperty("role", "quiet")
            top.addWidget(words)
        below = QHBoxLayout()
        below.setContentsMargins(LABEL_WIDTH + tokens.GAP, 0, 0, 0)
        below.addWidget(self.error)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(top)
        column.addLayout(below)

    def set_error(self, words: str) -> None:
        if words != self.error.text():
            self.error.setText(words)
            self.error.setVisible(bool(words))
            if isinstance(self.control, NumberEntry):
                theme.set_look(self.control, wrong=bool(words))


class NumberField(Row):
    """A number to type; Enter or leaving it takes it over, Up and Down change it by a step.

    `entered` has the number; what is none is said beside it and nothing is taken over.
    """

    entered = Signal(float)
    cleared = Signal()  # what was typed wrongly is no longer there, or is tried anew

    def __init__(self, title: str, tip: str, *, step: float = 1.0, unit: str = "", term: str = "") -> None:
        self.entry = NumberEntry()
        super().__init__(title, self.entry, unit)
        self._step = step
        self._value = 0.0
        self.entry.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.entry.setFont(theme.current().font(figures=True))
        describe(self.entry, title, tip, term=term)
        self.label.setToolTip(self.entry.toolTip())
        self.entry.editingFinished.connect(self._finish)
        self.entry.stepped.connect(self._stepped)
        self.entry.restored.connect(self.restore)

    def show_value(self, value: float, *, mixed: bool = False) -> None:
        """Show a value; `mixed` says that several differ, and shows the last one's more quietly."""
        self._value = value
        if not (self.entry.hasFocus() and self.entry.isModified()) and not self.error.text():
            self.entry.setText(f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}")
        self.entry.setPlaceholderText("several" if mixed else "")

    @Slot()
    def restore(self) -> None:
        """Back to the last good value."""
        self._clear()
        self.entry.setModified(False)
        self.show_value(self._value)

    @Slot()
    def _finish(self) -> None:
        if not self.entry.isModified():
            return
        self._clear()
        text = self.entry.text().strip().replace(",", ".")
        try:
            value = float(text)
        except ValueError:
            self.set_error("Type a number.")
            return
        self.entry.setModified(False)
        self.entered.emit(value)

    def _clear(self) -> None:
        self.set_error("")
        self.cleared.emit()

    @Slot(int)
    def _stepped(self, steps: int) -> None:
        self._clear()
        self.entry.setModified(False)
        self.entered.emit(round(self._value + steps * self._step, 6))


def call_with(do: Callable[[str, float], object], name: str) -> Callable[[float], object]:
    """`do(name, value)` as a function of the value."""
    return lambda value: do(name, value)
