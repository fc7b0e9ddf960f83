"""The room where a person's own pictures are encoded and changed: controls, pictures, report, tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, Qt, Slot
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QFileDialog, QMainWindow

from app.models.edit.crop import CropModel
from app.models.edit.tree import EditNode
from app.models.library import is_model
from app.models.studio import Studio
from app.views import theme, tokens
from app.views.dock import Dock
from app.views.edit.crop_dialog import CropDialog
from app.views.edit.session_panel import ReportPanel, SessionPanel
from app.views.edit.stage import Stage
from app.views.edit.tool_panel import TOOLS, ToolPanel
from app.views.edit.tools import PICTURE_FILTER

if TYPE_CHECKING:
    from app.views.palette import Entry

__all__ = ["EditRoom"]

_LAYOUT_VERSION = 1
_LAYOUT = "edit_layout"  # what the session calls the places of the panels
_FOLDER = "open_folder"


class EditRoom(QMainWindow):
    """A main window inside the window, for the sake of its docks."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockOptions(QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        self.studio = studio
        self.edits = studio.edits
        self.dialog: CropDialog | None = None
        self._laid_out = False
        self.panel = ToolPanel(self.edits)
        self.stage = Stage(self.edits, self.panel)
        self.report = ReportPanel(self.edits)
        self.sessions = SessionPanel(self.edits)
        self.setCentralWidget(self.stage)
        self.controls_dock = Dock("edit-controls", "Edit", self.panel, 296)
        self.report_dock = Dock("edit-report", "Report", self.report, 216)
        self.tree_dock = Dock("edit-tree", "Edits", self.sessions, 216)
        self._follow_motion()
        theme.current().changed.connect(self._follow_motion)
        self.reset_layout()
        self._connect()

    def _connect(self) -> None:
        edits = self.edits
        for source in (self.panel, self.stage.empty):
            source.open_wanted.connect(self.open_dialog)
            source.paste_wanted.connect(self.paste)
        self.stage.empty.example_wanted.connect(self.open_example)
        self.stage.save_wanted.connect(self.save)
        self.sessions.tree.shelf_wanted.connect(self._shelve)
        edits.encode.cropping.connect(self._ask_crop)
        open_key = QShortcut(QKeySequence(QKeySequence.StandardKey.Open), self)
        open_key.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        open_key.activated.connect(self.open_dialog)
        if edits.encode.crop is not None:  # opened from another room before this one was there
            self._ask_crop(edits.encode.crop)

    # --- layout

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._laid_out:
            self._laid_out = True
            kept = self.studio.session.get(_LAYOUT, "")
            data = QByteArray.fromBase64(str(kept).encode("ascii", "ignore"))
            if not (data and self.restoreState(data, _LAYOUT_VERSION)):
                self._first_sizes()
        if self.focusWidget() is None:
            (self.stage.view() or self.stage.empty.open).setFocus(Qt.FocusReason.OtherFocusReason)

    def remember(self) -> None:
        """Note the places of the panels for the next start."""
        if self._laid_out:
            state = bytes(self.saveState(_LAYOUT_VERSION).toBase64().data()).decode("ascii")
            self.studio.session.set(_LAYOUT, state)

    @Slot()
    def _follow_motion(self) -> None:
        self.setAnimated(theme.current().motion > 0)

    @Slot()
    def reset_layout(self) -> None:
        """Every panel in its first place and size."""
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.controls_dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.report_dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.tree_dock)
        # Shown only now that they have a place: before, each would be a window of its own.
        for dock in (self.controls_dock, self.report_dock, self.tree_dock):
            dock.setFloating(False)
            dock.show()
        self._first_sizes()

    def _first_sizes(self) -> None:
        horizontal, vertical = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        widths = [tokens.CONTROLS_WIDTH, tokens.HISTORY_WIDTH + 20]
        self.resizeDocks([self.controls_dock, self.report_dock], widths, horizontal)
        self.resizeDocks([self.report_dock, self.tree_dock], [2000, 3000], vertical)

    # --- verbs

    def open_dialog(self) -> None:
        folder = self.studio.session.get(_FOLDER, "")
        dialog = QFileDialog(
            self, "Open pictures", str(folder), f"{PICTURE_FILTER};;Edits (*.zip);;All files (*)"
        )
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._open_selected)
        dialog.open()

    def _open_selected(self, files: Sequence[str]) -> None:
        if files:
            self.studio.session.set(_FOLDER, str(Path(files[0]).parent))
            self._open([Path(file) for file in files])

    def save(self) -> None:
        """Ask where the picture looked at should go (S)."""
        if self.edits.current is not None:
            self.sessions.save_picture(self.edits.current)

    def open_example(self) -> None:
        if not self.edits.open_example():
            self.studio.notice.emit(
                "There is no example: this model brings no picture. Make one in the Generate room, or open one of "
                "your own.",
                "care",
                None,
            )

    def paste(self) -> None:
        data = QGuiApplication.clipboard().mimeData()
        if data is None or not self.take_paste(data):
            self.edits.encode.refused.emit("There is no picture on the clipboard. Copy one first.")

    @Slot(object)
    def _ask_crop(self, model: CropModel) -> None:
        self.dialog = CropDialog(self.edits, model, self)
        self.dialog.finished.connect(self._crop_done)
        self.dialog.open()

    def _crop_done(self) -> None:
        self.dialog = None

    @Slot(object)
    def _shelve(self, node: EditNode) -> None:
        """Put the latent of an edit on the shelf of the Traverse room."""
        sessions = self.edits.sessions
        path = sessions.latent_path(node)
        if path is None:
            words = "This edit has no latent of its own yet. Encode its picture, and put that on the shelf."
            self.studio.notice.emit(words, "care", None)
            return
        self.studio.traverse.shelf.add_encoded(path, sessions.model, node.name, sessions.picture(node))

    # --- what the window asks (see `Room`)

    def take_generate(self, first: bool) -> bool:  # noqa: ARG002 - an edit has no queue to be first in
        """Keep the edit that is tried; without one, do nothing here."""
        if self.panel.keep.isVisible() and self.panel.keep.isEnabled():
            self.panel.keep.click()
        return True

    def take_escape(self) -> bool:
        return (
            self.stage.leave_plot()
            or self.edits.pending.give_up()
            or self.edits.encode.dismiss()
            or self.edits.stop()
        )

    def take_undo(self) -> bool:
        return self.edits.undo()

    def take_redo(self) -> bool:
        return self.edits.redo()

    def take_paste(self, data: QMimeData) -> bool:
        paths = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if paths:
            return self.take_files(paths)
        if not data.hasImage():
            return False
        image = data.imageData()
        if not isinstance(image, QImage):
            image = QGuiApplication.clipboard().image()
        if image.isNull():
            return False
        self.edits.encode.open_png(lambda: _png_of(image), "Pasted picture")
        return True

    def take_files(self, paths: Sequence[Path]) -> bool:
        if any(is_model(path) for path in paths):
            return False  # models are imported, wherever on the window they are dropped
        self._open(paths)
        return True

    def _open(self, paths: Sequence[Path]) -> None:
        if self.edits.encode.busy:
            self.studio.notice.emit(
                "A picture is being encoded. Wait until it is done, or stop it with Esc.", "care", None
            )
            return
        self.edits.open_files(paths)

    def entries(self) -> Sequence[Entry]:
        from app.views.palette import Entry

        found = [
            Entry("Edit: open pictures", self.open_dialog, "Ctrl+O", "folder"),
            Entry("Edit: paste a picture", self.paste, "Ctrl+V", "paste"),
            Entry("Edit: error versus steps", self.stage.toggle_plot, "E", "lab"),
            Entry("Edit: difference", self.stage.toggle_difference, "D", "difference"),
            Entry("Edit: save the picture", self.save, "S", "save"),
            Entry("Edit: export the session", self.sessions.export, "", "export"),
            Entry("Edit: open a file of edits", self.sessions.import_file, "", "folder"),
        ]
        if self.edits.current is not None:
            node = self.edits.current
            found.append(Entry("Edit: put the latent on the shelf", lambda: self._shelve(node), "", "star"))
            for kind, title, icon, _tip in TOOLS:
                found.append(Entry(f"Edit: {title}", self.panel.tools[kind].click, "", icon))
        return found


def _png_of(image: QImage) -> bytes:
    """As a PNG file; slow where it is large, and good in any thread."""
    png = QByteArray()
    buffer = QBuffer(png)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(png.data())
