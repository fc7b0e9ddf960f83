"""The shelf: latents as pictures with names, to search, name, star, tag, average and drag anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import (
    QModelIndex,
    QPoint,
    Qt,
    QUrl,
)
from PySide6.QtGui import (
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
)
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.traverse.desk import TraverseModel
from app.models.traverse.saving import file_name
from app.models.traverse.spots import Spot, short_id, spots_to_mime
from app.views import clipboard, icons, theme
from app.views.fields import Segments, icon_button
from app.views.help import describe
from app.views.history_list import HistoryList
from app.views.traverse.shelf_list import SeedPopup, ShelfList, SpotDelegate, TagPopup
from app.views.words import counted

__all__ = ["ShelfPanel"]


class ShelfPanel(QWidget):
    """Search, add, and the list. Every verb is also a method, for menus and keys."""

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._traverse = traverse
        self._shelf = traverse.shelf
        self.pages = Segments(
            (
                ("shelf", "Shelf", "The latents you have put aside."),
                (
                    "history",
                    "History",
                    "The pictures you have made, to be dragged to shelf, pad or timeline.",
                ),
            )
        )
        self.pages.choose("shelf")
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search")
        self.search.setProperty("search", True)  # Esc empties it
        describe(self.search, "Search the shelf", "Name, tag, class, model or id (several words narrow it).")
        self.starred = icon_button("star", "Starred only", "Show only starred latents.", checkable=True)
        self.add = icon_button("plus", "Add latents", "Add latents from seeds, files, or the clipboard.")
        self.list = ShelfList(traverse)
        self.list.setModel(self._shelf)
        self.list.setItemDelegate(SpotDelegate(self, self.facts))
        self.empty = QLabel()
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "quiet")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.example = QPushButton("Add four seeds")
        describe(self.example, "Add four seeds", "Put the noise of four seeds on the shelf, to begin with.")
        self.history = HistoryList()
        self.history.setModel(traverse.history)
        self.popup: SeedPopup | None = None
        self._build()
        self._connect()
        self._show_total()

    def _build(self) -> None:
        switch = QHBoxLayout()
        switch.setContentsMargins(8, 8, 8, 0)
        switch.addWidget(self.pages)
        self.tools = QWidget()
        top = QHBoxLayout(self.tools)
        top.setContentsMargins(8, 0, 8, 0)
        top.setSpacing(4)
        top.addWidget(self.search, 1)
        top.addWidget(self.starred)
        top.addWidget(self.add)
        nothing = QWidget()
        column = QVBoxLayout(nothing)
        column.setContentsMargins(16, 32, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.empty)
        column.addWidget(self.example, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self.history_empty = QLabel(
            "There are no pictures yet. Make some in Generate, and drag them from here to the pad or the timeline."
        )
        self.history_empty.setWordWrap(True)
        self.history_empty.setProperty("role", "quiet")
        self.history_empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.history_empty.setContentsMargins(16, 32, 16, 16)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.list)
        self.stack.addWidget(nothing)
        self.stack.addWidget(self.history)
        self.stack.addWidget(self.history_empty)
        self._nothing = nothing
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(6)
        whole.addLayout(switch)
        whole.addWidget(self.tools)
        whole.addWidget(self.stack, 1)
        self.setAcceptDrops(True)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._filter)
        self.starred.toggled.connect(self._filter)
        self.add.clicked.connect(self.open_add_menu)
        self.example.clicked.connect(self._example)
        self.list.wished.connect(self._run)
        self.list.dropped.connect(lambda mime: self._shelf.add_mime(mime, self._traverse.model))
        self.list.doubleClicked.connect(self._pin_index)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self._shelf.filter_changed.connect(self._show_total)
        self.pages.chosen.connect(self._show_total)
        self.history.doubleClicked.connect(self._add_record)
        self.history.pressed_key.connect(self._history_key)
        self.history.customContextMenuRequested.connect(self._open_history_menu)
        self._traverse.history.total_changed.connect(self._show_total)
        theme.current().changed.connect(self.list.viewport().update)

    def facts(self, spot: Spot) -> str:
        """The second line of a row."""
        facts = self._shelf.describe(spot)
        tags = f"{', '.join(spot.tags)} · " if spot.tags else ""
        return tags + " · ".join(facts[1:3])

    # --- what is chosen

    def selected_ids(self) -> list[int]:
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self._shelf.spot_at(row).id for row in rows]

    def selected(self) -> list[Spot]:
        return self._shelf.spots(self.selected_ids())

    # --- verbs

    def _run(self, wish: str) -> None:
        verbs: dict[str, Callable[[], object]] = {
            "delete": self.delete,
            "star": lambda: self._shelf.toggle_star(self.selected_ids()),
            "keyframe": self.add_keyframes,
            "pin": self.pin,
            "tags": self.edit_tags,
            "rename": self.rename,
            "copy": self.copy,
            "paste": self.paste,
        }
        verbs[wish]()

    def delete(self) -> None:
        """Away at once; the notice has an Undo."""
        row = min((index.row() for index in self.list.selectedIndexes()), default=0)
        self._shelf.delete(self.selected_ids())
        if self._shelf.rowCount():
            self.list.setCurrentIndex(self._shelf.index(min(row, self._shelf.rowCount() - 1)))

    def add_keyframes(self) -> None:
        if self._traverse.timeline.add(self.selected()):
            self._traverse.set_stage("walk")

    def pin(self) -> None:
        if self._traverse.pad.add_pins(self.selected()):
            self._traverse.set_stage("pad")

    def _pin_index(self, index: QModelIndex) -> None:
        if self._traverse.pad.add_pins([self._shelf.spot_at(index.row())]):
            self._traverse.set_stage("pad")

    def average(self) -> None:
        self._shelf.add_average(self.selected_ids())

    def rename(self) -> None:
        if self.list.currentIndex().isValid():
            self.list.edit(self.list.currentIndex())

    def edit_tags(self) -> None:
        spots = self.selected()
        if not spots:
            return
        tags = dict.fromkeys(tag for spot in spots for tag in spot.tags)
        ids = [spot.id for spot in spots]
        self.popup = TagPopup(self, ", ".join(tags))
        self.popup.entered.connect(lambda text: self._shelf.set_tags(ids, text))
        self.popup.open_at(self.search)

    def copy(self) -> None:
        """As text, as latents for the window, and files where there are any."""
        if spots := self.selected():
            clipboard.put(spots_to_mime(spots))

    def save_files(self) -> None:
        """Ask where the selected latents should go as files."""
        spots = self.selected()
        if not spots:
            return
        dialog = QFileDialog(self, "Save the latent" if len(spots) == 1 else "Where the latents go")
        if len(spots) == 1:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilter("Latent (*.safetensors)")
            dialog.setDefaultSuffix("safetensors")
            dialog.selectFile(file_name(spots[0]))
            dialog.fileSelected.connect(lambda file: self._traverse.latents.save(spots[0], Path(file)))
        else:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.fileSelected.connect(lambda folder: self._traverse.latents.save_all(spots, Path(folder)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def copy_files(self) -> None:
        """Put the selected latents on the clipboard as files, once they are written."""
        spots, latents = self.selected(), self._traverse.latents
        if spots:
            latents.write(
                latents.named(spots, self._traverse.passing), lambda files: self._copied(spots, files)
            )

    def _copied(self, spots: list[Spot], files: list[Path]) -> None:
        if not files:
            return
        mime = spots_to_mime(spots)
        mime.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
        clipboard.put(mime)
        words = "1 file is" if len(files) == 1 else f"{len(files)} files are"
        self._traverse.notice.emit(f"{words} on the clipboard.", "good", None)

    def copy_id(self) -> None:
        QGuiApplication.clipboard().setText(" ".join(short_id(spot) for spot in self.selected()))

    def paste(self) -> None:
        mime = QGuiApplication.clipboard().mimeData()
        if mime is not None:
            self._shelf.add_mime(mime, self._traverse.model)

    def add_seeds(self) -> None:
        self.popup = SeedPopup(self)
        self.popup.entered.connect(self._add_seeds)
        self.popup.open_at(self.add)

    def _add_seeds(self, words: str) -> None:
        self._shelf.add_seeds(self._traverse.model, words, self._traverse.label, self._traverse.guidance)

    def add_files(self) -> None:
        dialog = QFileDialog(self, "Add latents from files")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setNameFilter("Latents and pictures of ours (*.safetensors *.png *.jpg *.webp)")
        dialog.filesSelected.connect(
            lambda paths: self._shelf.add_files([Path(path) for path in paths], self._traverse.model)
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _example(self) -> None:
        self._add_seeds("1 2 3 4")

    # --- pictures of the history

    def record_ids(self) -> list[int]:
        """Those selected in the history."""
        rows = sorted(index.row() for index in self.history.selectedIndexes())
        return [self._traverse.history.record_at(row).id for row in rows]

    def add_records(self) -> None:
        if self._traverse.add_records(self.record_ids()):
            self._traverse.set_stage("walk")

    def shelve_records(self) -> None:
        self._shelf.add_records(self.record_ids())

    def pin_records(self) -> None:
        spots = self._traverse.spots_of(self._traverse.history.mimeData(self.history.selectedIndexes()))
        if self._traverse.pad.add_pins(spots):
            self._traverse.set_stage("pad")

    def _add_record(self, _index: QModelIndex) -> None:
        self.add_records()

    def _history_key(self, key: int) -> None:
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.add_records()
        elif key == Qt.Key.Key_Period:
            self.shelve_records()

    def _open_history_menu(self, place: QPoint) -> None:
        some = bool(self.record_ids())
        self._filled(
            (
                ("traverse", "Pin to the pad", self.pin_records, some),
                ("plus", "Add to the timeline\tReturn", self.add_records, some),
                ("star", "Put on the shelf\t.", self.shelve_records, some),
            )
        ).popup(self.history.viewport().mapToGlobal(place))

    # --- menus

    def open_add_menu(self) -> None:
        self._filled(
            (
                ("dice", "From seeds…", self.add_seeds, True),
                ("folder", "From files…", self.add_files, True),
                ("paste", "Paste\tCtrl+V", self.paste, True),
                ("film", "What the stage shows", self._traverse.shelve_here, True),
            )
        ).popup(self.add.mapToGlobal(QPoint(0, self.add.height())))

    def _open_menu(self, place: QPoint) -> None:
        self.menu().popup(self.list.viewport().mapToGlobal(place))

    def menu(self) -> QMenu:
        """What can be done with what is selected."""
        some, several = bool(self.selected_ids()), len(self.selected_ids()) > 1
        return self._filled(
            (
                ("traverse", "Pin to the pad\tP", self.pin, some),
                ("plus", "Add to the timeline\tReturn", self.add_keyframes, some),
                ("link", "Average of the selected", self.average, several),
                None,
                ("edit", "Rename\tF2", self.rename, some and not several),
                ("star", "Star\t.", lambda: self._shelf.toggle_star(self.selected_ids()), some),
                ("filter", "Tags…\tT", self.edit_tags, some),
                None,
                ("copy", "Copy\tCtrl+C", self.copy, some),
                ("copy", "Copy the short id", self.copy_id, some),
                ("copy", "Copy as a file" if not several else "Copy as files", self.copy_files, some),
                ("save", "Save as a file…" if not several else "Save as files…", self.save_files, some),
                ("paste", "Paste\tCtrl+V", self.paste, True),
                None,
                ("trash", "Delete\tDel", self.delete, some),
            )
        )

    def _filled(self, entries: tuple[tuple[str, str, Callable[[], object], bool] | None, ...]) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            icon, title, work, enabled = entry
            action = menu.addAction(icons.icon(icon), title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu

    # --- filter and drops

    def _filter(self, _signal: object = None) -> None:
        self._shelf.set_filter(self.search.text().strip(), self.starred.isChecked())

    @property
    def page(self) -> str:
        """ "shelf" or "history"."""
        return "history" if self.pages.buttons["history"].isChecked() else "shelf"

    def show_page(self, page: str) -> None:
        self.pages.choose(page)
        self._show_total()

    def _show_total(self, _signal: object = None) -> None:
        self.tools.setVisible(self.page == "shelf")
        if self.page == "history":
            self.stack.setCurrentWidget(self.history if self._traverse.history.total else self.history_empty)
            return
        shown, total = self._shelf.rowCount(), self._shelf.total
        self.empty.setText(
            f"None of the {counted(total, 'latent')} is like that."
            if total
            else "Latents you want to keep: from seeds, pictures of the history (drag them here), files, or the "
            "pad. Drag them to the pad or the timeline."
        )
        self.example.setVisible(not total)
        self.stack.setCurrentWidget(self.list if shown else self._nothing)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._traverse.accepts(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self._shelf.add_mime(event.mimeData(), self._traverse.model)
