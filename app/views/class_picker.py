"""What the pictures should show: chips for what is chosen, a searchable list to choose from."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Slot
from PySide6.QtGui import QFontMetrics, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QListView, QPushButton, QWidget

from app.models.class_list import SPECIAL, ClassList
from app.models.settings import GenerateSettings
from app.views import icons, theme, tokens
from app.views.fields import Row
from app.views.flow_layout import FlowLayout
from app.views.help import describe
from app.views.popup import Popup

__all__ = ["ClassPicker"]

_CHIP_TEXT = 136  # widget pixels of a name; the tooltip has all of it
_CHIPS = 6
_WIDE = 304  # widget pixels of the list where classes have synonyms


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
        return SPECIAL[value][0] if value in SPECIAL else str(value)

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
            self._add(SPECIAL[pick][0], None)
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
        if info.synonyms:  # a name and what else it is called
            self.search.setMinimumWidth(_WIDE)
        describe(
            self.search,
            "Search classes",
            "Type part of a name or of a synonym. Down goes to the list, Enter takes the first.",
        )
        self.found = _Ticked(settings, info, self)
        self.list = QListView()
        self.list.setProperty("kind", "menu")
        self.list.setModel(self.found)
        self.list.setIconSize(QSize(tokens.ICON, tokens.ICON))
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        describe(self.list, "Classes", "Enter or a click chooses a class and takes it out again.")
        self.column.addWidget(self.search)
        self.column.addWidget(self.list, 1)
        self.search.textChanged.connect(self.found.search)
        self.search.installEventFilter(self)
        self.list.installEventFilter(self)
        self.list.clicked.connect(self._toggle)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if watched is self.search and event.key() == Qt.Key.Key_Down:
                self.list.setFocus(Qt.FocusReason.TabFocusReason)
                if not self.list.currentIndex().isValid():
                    self.list.setCurrentIndex(self.found.index(0))
                return True
            if watched is self.search and enter:
                self._toggle(self.found.index(0))
                return True
            if watched is self.list and (enter or event.key() == Qt.Key.Key_Space):
                self._toggle(self.list.currentIndex())
                return True
        return super().eventFilter(watched, event)

    @Slot(object)
    def _toggle(self, index: QModelIndex) -> None:
        if self.found.toggle(index.row()):
            self.close()


class _Ticked(ClassList):
    """The list with a tick before what is chosen; the others keep its room."""

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if role == Qt.ItemDataRole.DecorationRole:
            return icons.icon("check", "accent") if super().data(index, self.ChosenRole) else icons.blank()
        if role == Qt.ItemDataRole.FontRole:
            return theme.current().font(weight=600 if super().data(index, self.ChosenRole) else 400)
        return super().data(index, role)
