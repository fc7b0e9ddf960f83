"""What the pictures should show: chips for what is chosen, a searchable list to choose from."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, QSortFilterProxyModel, Qt, Slot
from PySide6.QtGui import QFontMetrics, QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QLineEdit, QListView, QPushButton, QWidget

from app.models.settings import GenerateSettings
from app.views import icons, theme, tokens
from app.views.fields import Row
from app.views.flow_layout import FlowLayout
from app.views.help import describe
from app.views.popup import Popup

__all__ = ["ClassPicker"]

_SPECIAL = {
    "all": ("Every class", "Goes round the whole list, one class a picture."),
    "random": ("Random", "Draws a class for each picture from its seed."),
    "none": ("No class", "Leaves to the model what to draw."),
}
_CHIP_TEXT = 136  # widget pixels of a name; the tooltip has all of it
_CHIPS = 6
_PICK = Qt.ItemDataRole.UserRole


class ClassPicker(Row):
    """The row "Class" of the controls."""

    def __init__(self, settings: GenerateSettings, parent: QWidget | None = None) -> None:
        super().__init__(settings, "pick", "Class", parent)
        self.area = QWidget()
        self.area.setProperty("panel", "plain")
        self.area.setMinimumHeight(tokens.CONTROL)
        self.flow = FlowLayout(self.area)
        self.flow.setContentsMargins(0, 2, 0, 2)
        # Made once, so that Tab finds them before the button whatever is chosen.
        self._all_chips = [self._make_chip() for _ in range(_CHIPS + 1)]
        self.chips: list[QPushButton] = []  # those in use
        self.button = QPushButton("Choose")
        self.button.setProperty("kind", "chip-add")
        icons.bind(self.button, "plus")
        self.own(self.button)
        self.button.setAccessibleName("Choose classes")
        self.button.clicked.connect(self.open)
        self.flow.addWidget(self.button)
        self.body.addWidget(self.area, 1)
        self.popup: _ClassPopup | None = None
        self._shown: tuple[Any, ...] = ()
        self.refresh()

    def say(self, value: Any) -> str:
        return _SPECIAL[value][0] if value in _SPECIAL else str(value)

    def show_value(self) -> None:
        info = self.settings.model_info
        classes = info.classes if info is not None else ()
        pick = self.settings.pick
        if (pick, classes, info is None) == self._shown:
            return
        self._shown = (pick, classes, info is None)
        had_focus = any(chip.hasFocus() for chip in self.chips)
        self.chips = []
        if info is not None and not classes:
            self._add("This model has no classes", None)
            self.chips[0].setEnabled(False)
        elif isinstance(pick, str):
            self._add(_SPECIAL[pick][0], None)
        else:
            for number in pick[:_CHIPS]:
                self._add(classes[number] if number < len(classes) else f"class {number}", number)
            if len(pick) > _CHIPS:
                self._add(f"and {len(pick) - _CHIPS} more", None)
        for chip in self._all_chips[len(self.chips) :]:
            chip.hide()
        self.button.setVisible(bool(classes) or info is None)
        self.button.setEnabled(bool(classes))
        if had_focus:
            (self.chips[0] if self.chips[0].isEnabled() else self.button).setFocus()
        self.flow.invalidate()
        self.area.updateGeometry()

    def _make_chip(self) -> QPushButton:
        chip = QPushButton()
        chip.setProperty("kind", "chip")
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        describe(chip, "Class", term="pick")
        chip.clicked.connect(self._pressed)
        chip.hide()
        self.flow.addWidget(chip)
        return chip

    def _add(self, text: str, number: int | None) -> None:
        chip = self._all_chips[len(self.chips)]
        metrics = QFontMetrics(theme.current().font())
        short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, _CHIP_TEXT)
        chip.setText(text if number is None else short)
        chip.setEnabled(True)
        chip.setProperty("number", number)
        if number is None:
            icons.unbind(chip)
            describe(chip, f"Class: {text}", "Click to choose classes.", term="pick")
        else:
            icons.bind(chip, "close", "quiet")
            describe(chip, f"Class {text}, chosen", f"Click to take {text} out.", term="pick")
        self.chips.append(chip)
        chip.show()

    @Slot()
    def _pressed(self) -> None:
        """A class is taken out; any other chip opens the list."""
        chip = self.sender()
        assert chip is not None
        number = chip.property("number")
        pick = self.settings.pick
        if number is None or not isinstance(pick, tuple):
            self.open()
            return
        self.settings.pick = tuple(n for n in pick if n != number) or "all"

    @Slot()
    def open(self) -> None:
        """The list of classes."""
        info = self.settings.model_info
        if info is None or not info.classes:
            return
        self.popup = _ClassPopup(self, self.settings)
        rows = len(info.classes) + 3
        height = min(rows, 11) * 30 + 2 * tokens.CONTROL
        self.popup.open_under(self.area, height)
        self.popup.search.setFocus(Qt.FocusReason.PopupFocusReason)


class _ClassPopup(Popup):
    """Type to search, Down into the list, Enter or a click chooses and takes out again."""

    def __init__(self, parent: QWidget, settings: GenerateSettings) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._settings = settings
        info = settings.model_info
        assert info is not None
        self.search = QLineEdit()
        self.search.setPlaceholderText(f"Search {len(info.classes):,} classes")
        self.search.setClearButtonEnabled(False)
        describe(
            self.search,
            "Search classes",
            "Type part of a name. Down goes to the list, Enter takes the first.",
        )
        self._model = QStandardItemModel(self)
        for name in ("all", "random", *(("none",) if info.null_label else ())):
            self._append(_SPECIAL[name][0], name, _SPECIAL[name][1])
        for number, title in enumerate(info.classes):
            self._append(title, number, f"Class {number} of {info.title}.")
        self._found = QSortFilterProxyModel(self)
        self._found.setSourceModel(self._model)
        self._found.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.list = QListView()
        self.list.setProperty("kind", "menu")
        self.list.setModel(self._found)
        self.list.setIconSize(QSize(tokens.ICON, tokens.ICON))
        self.list.setUniformItemSizes(True)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        describe(self.list, "Classes", "Enter or a click chooses a class and takes it out again.")
        self.column.addWidget(self.search)
        self.column.addWidget(self.list, 1)
        self.search.textChanged.connect(self._found.setFilterFixedString)
        self.search.installEventFilter(self)
        self.list.installEventFilter(self)
        self.list.clicked.connect(self._toggle)
        self._mark()

    def _append(self, title: str, pick: object, tip: str) -> None:
        item = QStandardItem(title)
        item.setData(pick, _PICK)
        item.setToolTip(tip)
        item.setEditable(False)
        self._model.appendRow(item)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if watched is self.search and event.key() == Qt.Key.Key_Down:
                self.list.setFocus(Qt.FocusReason.TabFocusReason)
                if not self.list.currentIndex().isValid():
                    self.list.setCurrentIndex(self._found.index(0, 0))
                return True
            if watched is self.search and enter:
                self._toggle(self._found.index(0, 0))
                return True
            if watched is self.list and (enter or event.key() == Qt.Key.Key_Space):
                self._toggle(self.list.currentIndex())
                return True
        return super().eventFilter(watched, event)

    @Slot(object)
    def _toggle(self, index: Any) -> None:
        if not index.isValid():
            return
        chosen = index.data(_PICK)
        if isinstance(chosen, str):
            self._settings.pick = chosen
            self.close()
            return
        pick = self._settings.pick
        numbers = list(pick) if isinstance(pick, tuple) else []
        if chosen in numbers:
            numbers.remove(chosen)
        else:
            numbers.append(chosen)
        self._settings.pick = tuple(numbers) or "all"
        self._mark()

    def _mark(self) -> None:
        """A tick before what is chosen; the others keep its room."""
        pick = self._settings.pick
        look = theme.current()
        for row in range(self._model.rowCount()):
            item = self._model.item(row)
            chosen = item.data(_PICK)
            on = chosen == pick if isinstance(chosen, str) else isinstance(pick, tuple) and chosen in pick
            item.setIcon(icons.icon("check", "accent") if on else icons.blank())
            item.setFont(look.font(weight=600 if on else 400))
            state = "chosen" if on else "not chosen"
            item.setData(f"{item.text()}, {state}", Qt.ItemDataRole.AccessibleTextRole)
