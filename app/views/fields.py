"""The rows of a settings panel: a label to the left, a control, and an inline error below.

A row knows one property of `GenerateSettings`: it shows it, sets it, marks it when it is not as
the preset has it, goes back on a double-click on its label (or Ctrl+R), and says beside itself
what is wrong with what was typed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QRectF, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from app.models.settings import GenerateSettings
from app.views import theme, tokens
from app.views.help import TERMS, describe
from app.views.inputs import CalmSlider, Choice, NumberEntry, Segments, Switch, icon_button

__all__ = [
    "CalmSlider",
    "Choice",
    "ChoiceRow",
    "NumberEntry",
    "NumberRow",
    "Row",
    "Segments",
    "Switch",
    "SwitchRow",
    "icon_button",
]

LABEL_WIDTH = 76
ENTRY_WIDTH = 64


# --- rows ----------------------------------------------------------------------------------


class ResetLabel(QLabel):
    """A row's name. Bold with a dot when the row is not as the preset has it; double-click resets."""

    reset_wanted = Signal()

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._differs = False
        self.setFixedWidth(LABEL_WIDTH)
        self.setMinimumHeight(tokens.CONTROL)

    @property
    def differs(self) -> bool:
        return self._differs

    def set_differs(self, differs: bool) -> None:
        if differs != self._differs:
            self._differs = differs
            theme.set_look(self, differs=differs)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_wanted.emit()
        event.accept()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._differs:
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.current().color("accent"))
            painter.drawEllipse(
                QRectF(-3, self.height() / 2 - 2.5, 5, 5)
                .translated(3, 0)
                .translated(min(self.fontMetrics().horizontalAdvance(self.text()) + 3, self.width() - 6), 0)
            )


class Row(QWidget):
    """Label, control, inline error; bound to one setting. Subclasses fill `body` and `show_value`."""

    def __init__(
        self, settings: GenerateSettings, name: str, title: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.settings = settings
        self.name = name
        self.title = title
        self.label = ResetLabel(title)
        self.body = QHBoxLayout()
        self.body.setSpacing(tokens.GAP)
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setWordWrap(True)
        self.error.setAccessibleName(f"What is wrong with {title}")
        self.error.hide()
        top = QHBoxLayout()
        top.setSpacing(tokens.GAP)
        top.addWidget(self.label, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(self.body, 1)
        below = QHBoxLayout()
        below.setContentsMargins(LABEL_WIDTH + tokens.GAP, 0, 0, 0)
        below.addWidget(self.error)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(top)
        column.addLayout(below)
        self.label.reset_wanted.connect(self.reset)
        reset_key = QShortcut(Qt.Modifier.CTRL | Qt.Key.Key_R, self)
        reset_key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        reset_key.activated.connect(self.reset)
        settings.changed.connect(self.refresh)
        settings.errors_changed.connect(self.refresh)
        settings.catalogue_changed.connect(self.refresh)

    def own(self, control: QWidget, *, buddy: bool = True) -> None:
        """Name and explain a control of this row."""
        describe(control, self.title, term=self.name)
        if buddy:
            self.label.setBuddy(control)

    @Slot()
    def refresh(self) -> None:
        """Show the setting as it is now."""
        problem = self.settings.errors.get(self.name, "")
        if problem != self.error.text():
            self.error.setText(problem)
            self.error.setVisible(bool(problem))
        self.show_wrong(bool(problem))
        if not problem:
            self.show_value()
        differs = self.settings.differs(self.name)
        self.label.set_differs(differs)
        tip = TERMS[self.name].short
        if differs:
            tip += (
                f" Usually {self.say(self.settings.baseline(self.name))}: double-click here to go back to it."
            )
        describe(self.label, self.title, tip, term=self.name)

    @Slot()
    def reset(self) -> None:
        """Back to the preset."""
        self.settings.reset(self.name)
        self.refresh()

    def say(self, value: Any) -> str:
        """A value in words."""
        return str(value)

    def show_value(self) -> None:
        """Bring the control to the setting's value."""

    def show_wrong(self, wrong: bool) -> None:
        """Mark the control as holding something that can't be."""


class NumberRow(Row):
    """A number to type, and a slider over its usual range. `whole` numbers step by one.

    `curve` "log" spreads the slider over powers of ten.
    """

    def __init__(
        self,
        settings: GenerateSettings,
        name: str,
        title: str,
        low: float,
        high: float,
        *,
        step: float = 1,
        curve: str = "linear",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, name, title, parent)
        self._low, self._high, self._step, self._log = low, high, step, curve == "log"
        self._whole = float(step).is_integer() and not self._log
        self.slider = CalmSlider()
        self.entry = NumberEntry()
        self.entry.setFixedWidth(ENTRY_WIDTH)
        self.entry.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.entry.setFont(theme.current().font(figures=True))
        self.slider.setRange(0, 1000 if self._log else round((high - low) / step))
        self.slider.setPageStep(max(1, self.slider.maximum() // 10))
        self.own(self.slider, buddy=False)
        self.own(self.entry)
        self.slider.setAccessibleName(f"{title}, slider")
        self.body.addWidget(self.slider, 1)
        self.body.addWidget(self.entry)
        self.slider.valueChanged.connect(self._slid)
        self.entry.textEdited.connect(self._typed)
        self.entry.stepped.connect(self._stepped)
        self.entry.restored.connect(self._restore)
        self.entry.editingFinished.connect(self.refresh)
        self.refresh()

    def say(self, value: Any) -> str:
        return f"{value:g}" if isinstance(value, float) else str(value)

    def show_value(self) -> None:
        value = self.settings.value(self.name)
        if not (self.entry.hasFocus() and self._same(self.entry.text(), value)):
            self.entry.setText(self.say(value))
            self.entry.setCursorPosition(len(self.entry.text()))
        self.slider.blockSignals(True)
        self.slider.setValue(self._position(value))
        self.slider.blockSignals(False)

    def show_wrong(self, wrong: bool) -> None:
        theme.set_look(self.entry, wrong=wrong)

    def _same(self, text: str, value: float) -> bool:
        """Whether what is being typed already says `value`: then it is left alone."""
        try:
            return float(text.replace(",", ".")) == value
        except ValueError:
            return False

    def _position(self, value: float) -> int:
        value = min(max(value, self._low), self._high)
        if self._log:
            return round(1000 * math.log(value / self._low) / math.log(self._high / self._low))
        return round((value - self._low) / self._step)

    @Slot(int)
    def _slid(self, position: int) -> None:
        if self._log:
            value = self._low * (self._high / self._low) ** (position / 1000)
            value = float(f"{value:.2g}")
        else:
            value = round(self._low + position * self._step, 6)
        self._set(value)

    @Slot(str)
    def _typed(self, text: str) -> None:
        self.settings.set_from_text(self.name, text)

    @Slot(int)
    def _stepped(self, steps: int) -> None:
        value = self.settings.value(self.name)
        value = value * 1.25**steps if self._log else value + steps * self._step
        self._set(float(f"{value:.3g}") if self._log else round(value, 6))

    def _set(self, value: float) -> None:
        # As text, so that a value beyond the limits is answered beside the control.
        self.settings.set_from_text(self.name, str(int(value)) if self._whole else repr(float(value)))

    @Slot()
    def _restore(self) -> None:
        self.settings.clear_error(self.name)
        self.refresh()


class ChoiceRow(Row):
    """One of several. `entries` gives (value, title, tooltip) afresh whenever the models change."""

    def __init__(
        self,
        settings: GenerateSettings,
        name: str,
        title: str,
        entries: Callable[[], Sequence[tuple[str, str, str]]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, name, title, parent)
        self._entries = entries
        self._shown: list[tuple[str, str, str]] = []
        self.choice = Choice()
        self.own(self.choice)
        self.body.addWidget(self.choice, 1)
        self.choice.activated.connect(self._chosen)
        self.refresh()

    def say(self, value: Any) -> str:
        return next((title for name, title, _ in self._shown if name == value), str(value))

    def show_value(self) -> None:
        entries = list(self._entries())
        if entries != self._shown:
            self._shown = entries
            self.choice.blockSignals(True)
            self.choice.clear()
            for value, title, tip in entries:
                self.choice.addItem(title, value)
                self.choice.setItemData(self.choice.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            self.choice.blockSignals(False)
        self.choice.choose(self.settings.value(self.name))

    def show_wrong(self, wrong: bool) -> None:
        theme.set_look(self.choice, wrong=wrong)

    @Slot()
    def _chosen(self) -> None:
        self.settings.set_value(self.name, self.choice.currentData())


class SwitchRow(Row):
    """On or off; the words stand beside the switch."""

    def __init__(
        self, settings: GenerateSettings, name: str, title: str, words: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(settings, name, title, parent)
        self.switch = Switch(words)
        self.own(self.switch)
        self.switch.setAccessibleName(f"{title}: {words}")
        self.body.addWidget(self.switch)
        self.body.addStretch(1)
        self.switch.toggled.connect(self._toggled)
        self.refresh()

    def say(self, value: Any) -> str:
        return "on" if value else "off"

    def show_value(self) -> None:
        self.switch.blockSignals(True)
        self.switch.setChecked(bool(self.settings.value(self.name)))
        self.switch.blockSignals(False)

    @Slot(bool)
    def _toggled(self, on: bool) -> None:
        self.settings.set_value(self.name, on)
