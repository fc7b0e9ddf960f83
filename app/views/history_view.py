"""The history: every picture there ever was, to look through, search, star, compare and reuse."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QModelIndex,
    Qt,
    QTimer,
    Slot,
)
from PySide6.QtGui import (
    QGuiApplication,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.history import Filter
from app.models.studio import Studio
from app.views import icons, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.history_list import HISTORY_KEYS, HistoryList
from app.views.paint_later import PaintLater
from app.views.words import counted
from engine.errors import EngineError

if TYPE_CHECKING:
    from app.views.details import DetailsDialog
    from app.views.dialogs import SaveDialog
    from app.views.history_filters import HistoryFilters
    from app.views.upsample_dialog import UpsampleDialog

__all__ = ["HistoryPanel"]

_TYPING = 150  # ms after the last key before the history is searched


class _SearchField(QLineEdit):
    """A line to type in, with a glass before it in the colour of the theme."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextMargins(tokens.ICON + 2, 0, 0, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        glass = icons.pixmap("search", "quiet", tokens.ICON, self.devicePixelRatioF())
        QPainter(self).drawPixmap(tokens.GAP, (self.height() - tokens.ICON) // 2, glass)


class HistoryPanel(QWidget):
    """Search, filters, and the pictures. Every verb is also a method, for menus."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        self._history = studio.history
        self._details: DetailsDialog | None = None
        self._save_dialog: SaveDialog | None = None
        self.upsampling: UpsampleDialog | None = None
        self.search = _SearchField()
        self.search.setPlaceholderText("Search")
        self.search.setProperty("search", True)  # Esc empties it
        describe(
            self.search, "Search the history", "Model, class, solver, seed or note (several words narrow it)."
        )
        self.starred = icon_button("star", "Starred only", "Show only starred pictures.", checkable=True)
        self.fold = icon_button(
            "filter", "Filters", "Filter by model, class, solver and date.", checkable=True
        )
        self._filters: HistoryFilters | None = None
        self.clear = QPushButton("Show everything")
        self.clear.setProperty("kind", "flat")
        describe(self.clear, "Show everything", "Take all filters away.")
        self.list = HistoryList()
        self.list.setModel(self._history)
        PaintLater(self.list, 40)  # the list owns it
        self.empty = QLabel()
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "quiet")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.empty.setContentsMargins(16, 48, 16, 16)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.list)
        self.stack.addWidget(self.empty)
        self.count = QLabel()
        self.count.setProperty("role", "caption")
        self._typing = QTimer(self, singleShot=True, interval=_TYPING)
        self._build()
        self._connect()
        self._show_total()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(8, 8, 8, 0)
        top.setSpacing(4)
        top.addWidget(self.search, 1)
        top.addWidget(self.starred)
        top.addWidget(self.fold)
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 4, 0)
        foot.addWidget(self.count, 1)
        foot.addWidget(self.clear)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(foot)
        column.addWidget(self.stack, 1)

    def _connect(self) -> None:
        self.search.textChanged.connect(lambda: self._typing.start())
        self.search.returnPressed.connect(self._apply_filter)
        self._typing.timeout.connect(self._apply_filter)
        self.starred.toggled.connect(self._apply_filter)
        self.fold.toggled.connect(self._show_filters)
        self.clear.clicked.connect(self.show_everything)
        self.list.doubleClicked.connect(self.apply_settings)
        self.list.pressed_key.connect(self._run_key)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self.list.selectionModel().selectionChanged.connect(self._selection_changed)
        self._history.total_changed.connect(self._show_total)
        self._history.filter_changed.connect(self._show_total)

    # --- what is chosen ---

    def selected_ids(self) -> list[int]:
        """Ids of the selected images, in the order of the list."""
        return [self._history.record_at(row).id for row in self.list.selected_rows()]

    def current_id(self) -> int | None:
        ids = self.selected_ids()
        row = self.list.currentIndex().row()
        if 0 <= row < self._history.rowCount() and (not ids or self._history.record_at(row).id in ids):
            return self._history.record_at(row).id
        return ids[0] if ids else None

    # --- verbs ---

    def apply_settings(self, index: QModelIndex | None = None) -> None:
        """Take over the settings of the image (double-click)."""
        record_id = self._history.record_at(index.row()).id if index is not None else self.current_id()
        if record_id is not None:
            self._studio.apply_record(record_id)

    def show_on_canvas(self) -> None:
        if (record_id := self.current_id()) is not None:
            self._studio.show_record(record_id)

    def copy_seed(self) -> None:
        if (seed := self._current_seed()) is not None:
            QGuiApplication.clipboard().setText(str(seed))

    def use_seed(self) -> None:
        if (seed := self._current_seed()) is not None:
            self._studio.use_seed(seed)

    def _current_seed(self) -> int | None:
        """None: no picture is chosen, or none was drawn for it."""
        record_id = self.current_id()
        row = None if record_id is None else self._history.row_of(record_id)
        return None if row is None else self._history.record_at(row).seed

    def edit_selected(self) -> None:
        """Take the image into the Edit room."""
        if (record_id := self.current_id()) is not None:
            self._studio.edit_record(record_id)

    def toggle_star(self) -> None:
        """Star the selected images, or take the stars away if all have one."""
        if records := [self._history.record_at(row) for row in self.list.selected_rows()]:
            everyone = all(record.starred for record in records)
            self._studio.star_records([record.id for record in records], not everyone)

    def compare_selected(self) -> None:
        """Compare the two selected images, or the one with what is on the canvas."""
        ids = self.selected_ids()
        if len(ids) == 2:
            # The list has the newest first: the older of the two is A.
            self._studio.compare_records(ids[1], ids[0])
        elif len(ids) == 1:
            self._studio.compare_with_canvas(ids[0])
        else:
            self._studio.notice.emit(
                "Select one picture to compare it with the canvas, or two to compare them.", "info", None
            )

    def save_selected(self) -> None:
        if ids := self.selected_ids():
            self._try(lambda: self._open_save(ids))

    def _open_save(self, ids: list[int]) -> None:
        from app.views.dialogs import SaveDialog

        self._save_dialog = SaveDialog.for_records(self._studio, ids, self)
        self._save_dialog.open()

    def upsample(self) -> None:
        """Ask how the image is to be made large (U)."""
        if (record_id := self.current_id()) is not None and self._can_upsample():
            self._try(lambda: self._open_upsampling(record_id))

    def _open_upsampling(self, record_id: int) -> None:
        from app.views.upsample_dialog import UpsampleDialog

        small = self._studio.upsampling.of_record(record_id)
        self.upsampling = UpsampleDialog(self._studio, self, small=small)
        self.upsampling.open()

    def _can_upsample(self) -> bool:
        record_id = self.current_id()
        return record_id is not None and self._studio.upsampling.can_record(record_id)

    def shelve_selected(self) -> None:
        """Put the latents the selected images began with on the shelf of Traverse."""
        self._studio.traverse.shelf.add_records(self.selected_ids())

    def walk_selected(self) -> None:
        """Make keyframes of the selected images, behind those of the walk."""
        self._studio.traverse.add_records(self.selected_ids())

    def delete_selected(self) -> None:
        """Into the trash at once; the notice has an Undo."""
        rows = self.list.selected_rows()
        self._studio.delete_records([self._history.record_at(row).id for row in rows])
        if rows and self._history.rowCount():
            self.list.setCurrentIndex(self._history.index(min(rows[0], self._history.rowCount() - 1)))

    def show_details(self) -> None:
        """Everything about the image, in a window beside this one (I)."""
        if self._details is not None and self._details.isVisible():
            self._details.close()
        elif self.current_id() is not None:
            if self._details is None:
                from app.views.details import DetailsDialog

                self._details = DetailsDialog(self._studio, self)
            self._refresh_details()
            self._details.show()

    def _refresh_details(self) -> None:
        record_id = self.current_id()
        if self._details is not None and record_id is not None:
            details = self._details
            self._try(lambda: details.show_record(record_id))

    def _try(self, work: Callable[[], object]) -> None:
        """Do it, or say why not."""
        try:
            work()
        except EngineError as error:
            self._studio.notice.emit(error.message, "bad", None)

    # --- filters ---

    @property
    def filters(self) -> HistoryFilters:
        """Built when they are first unfolded: the start and every finished job can do without."""
        if self._filters is None:
            from app.views.history_filters import HistoryFilters

            self._filters = HistoryFilters(self._studio, self)
            self._filters.hide()
            self._filters.changed.connect(self._apply_filter)
            self._column.insertWidget(1, self._filters)
            for before, after in pairwise((self.fold, *self._filters.choices)):
                QWidget.setTabOrder(before, after)
        return self._filters

    @Slot(bool)
    def _show_filters(self, on: bool) -> None:
        self.filters.setVisible(on)

    def show_everything(self) -> None:
        for control in (self.search, self.starred):
            control.blockSignals(True)
        self.search.clear()
        self.starred.setChecked(False)
        for control in (self.search, self.starred):
            control.blockSignals(False)
        if self._filters is not None:
            self._filters.clear()
        self._apply_filter()

    def _apply_filter(self, _changed: object = None) -> None:
        self._typing.stop()
        filter = Filter(starred=self.starred.isChecked(), text=self.search.text().strip())
        self._history.set_filter(filter if self._filters is None else self._filters.narrowed(filter))

    def _show_total(self, _signal: object = None) -> None:
        total = self._history.total
        filtered = self._history.filter != Filter()
        self.count.setText(counted(total, "picture") if total else "")
        self.clear.setVisible(filtered)
        self.empty.setText(
            "No picture is like that. Take a filter away, or search for something else."
            if filtered
            else "Every picture you make is kept here. Double-click one to use its settings again, or drag "
            "it out to the desktop."
        )
        self.stack.setCurrentWidget(self.list if total else self.empty)

    # --- menu and keys ---

    def _open_menu(self, position: object) -> None:
        if self.list.selectionModel().hasSelection():
            self.menu().popup(self.list.viewport().mapToGlobal(position))  # type: ignore[call-overload]

    def menu(self) -> QMenu:
        """What can be done with the selected images."""
        count = len(self.list.selected_rows())
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        one = count == 1
        seeded = one and self._current_seed() is not None
        for entry in (
            ("generate", "Apply its settings", "", self.apply_settings, one),
            ("image", "Show on the canvas", "Return", self.show_on_canvas, one),
            ("copy", "Copy the seed", "", self.copy_seed, seeded),
            ("reuse", "Use the seed", "", self.use_seed, seeded),
            None,
            ("star", "Star", ".", self.toggle_star, True),
            (
                "compare",
                "Compare with the canvas" if one else "Compare the two",
                "C",
                self.compare_selected,
                count == 2 or (one and self._studio.canvas.pane() is not None),
            ),
            ("info", "Details", "I", self.show_details, one),
            ("enlarge", "Upsample…", "U", self.upsample, one and self._can_upsample()),
            ("save", "Save…", "S", self.save_selected, True),
            None,
            ("edit", "Send to Edit", "", self.edit_selected, one),
            ("traverse", "Put on the shelf", "", self.shelve_selected, True),
            ("plus", "Add to the walk", "", self.walk_selected, True),
            None,
            ("trash", "Delete", "Del", self.delete_selected, True),
        ):
            if entry is None:
                menu.addSeparator()
                continue
            icon, title, key, work, enabled = entry
            action = menu.addAction(icons.icon(icon), f"{title}\t{key}" if key else title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu

    def _run_key(self, key: int) -> None:
        getattr(self, HISTORY_KEYS[Qt.Key(key)])()

    def _selection_changed(self) -> None:
        if self._details is not None and self._details.isVisible():
            self._refresh_details()
