"""The room for walking through latents: shelf, pad and stage, timeline, keyframe and render."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QMimeData, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QMainWindow, QSplitter, QVBoxLayout, QWidget

from app.models.studio import Studio
from app.models.traverse.desk import opens_here
from app.models.traverse.spots import is_latent
from app.views import theme, tokens
from app.views.dock import Dock
from app.views.fields import icon_button
from app.views.traverse.key_panel import KeyPanel
from app.views.traverse.pad_view import PadView
from app.views.traverse.render_dialog import RenderDialog
from app.views.traverse.shelf_panel import ShelfPanel
from app.views.traverse.stage import Stage
from app.views.traverse.timeline_panel import TimelinePanel

if TYPE_CHECKING:
    from app.views.palette import Entry

__all__ = ["TraverseRoom"]

_LAYOUT_VERSION = 1
_SHELF, _KEYS = 216, 272


class TraverseRoom(QMainWindow):
    """A main window inside the window, for the sake of its docks."""

    edit_wanted = Signal(object)  # Path of a picture to be sent to the Edit room

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockOptions(QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        self._studio = studio
        self.traverse = studio.traverse
        self._dialog: RenderDialog | None = None
        self._laid_out = False
        self.shelf = ShelfPanel(self.traverse)
        self.pad = PadView(self.traverse)
        self.stage = Stage(self.traverse)
        self.timeline = TimelinePanel(self.traverse)
        self.keys = KeyPanel(self.traverse)
        self.drift = icon_button(
            "forever", "Drift", "Let the point wander; arrow keys steer it (Space).", checkable=True
        )
        self.record = icon_button(
            "film", "Record the drag", "Record where the point goes; pressed again, its way becomes keyframes.",
            checkable=True,
        )  # fmt: skip
        self.clear_pad = icon_button("close", "Clear the pad", "Take all pins away.")
        self._build()
        self._connect()

    @property
    def dialog(self) -> RenderDialog | None:
        """The render dialog while it is open."""
        return self._dialog

    def _build(self) -> None:
        self._follow_motion()
        theme.current().changed.connect(self._follow_motion)
        heading = QLabel("Pad")
        heading.setProperty("role", "heading")
        head = QHBoxLayout()
        head.setContentsMargins(tokens.GAP, tokens.GAP, tokens.GAP, 0)
        head.setSpacing(tokens.GAP_TINY)
        head.addWidget(heading)
        head.addStretch(1)
        for button in (self.drift, self.record, self.clear_pad):
            head.addWidget(button)
        pad = QWidget()
        pad.setProperty("panel", "panel")
        pad.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        column = QVBoxLayout(pad)
        column.setContentsMargins(0, 0, 0, tokens.GAP_TINY)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.pad, 1)
        self.upper = QSplitter(Qt.Orientation.Horizontal)
        self.upper.addWidget(pad)
        self.upper.addWidget(self.stage)
        self.upper.setStretchFactor(0, 2)
        self.upper.setStretchFactor(1, 3)
        self.upper.setHandleWidth(1)
        self.upper.setChildrenCollapsible(False)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.addWidget(self.upper)
        self.split.addWidget(self.timeline)
        self.split.setStretchFactor(0, 1)
        self.split.setStretchFactor(1, 0)
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        self.setCentralWidget(self.split)
        self.shelf_dock = Dock("shelf", "Shelf", self.shelf, 176)
        self.keys_dock = Dock("keyframe", "Walk", self.keys, 248)
        self.reset_layout()

    def _connect(self) -> None:
        traverse = self.traverse
        self.keys.render_wanted.connect(self.open_render)
        self.stage.edit_wanted.connect(self.edit_wanted)
        self.pad.pasted.connect(self._paste_pins)
        self.drift.clicked.connect(traverse.pad.set_drifting)
        self.record.clicked.connect(traverse.pad.set_recording)
        self.clear_pad.clicked.connect(traverse.pad.clear)
        traverse.pad.drifting_changed.connect(self._show_pad_tools)
        traverse.pad.recording_changed.connect(self._show_pad_tools)
        traverse.pad.pins_changed.connect(self._show_pad_tools)
        self._show_pad_tools()

    @Slot()
    def _show_pad_tools(self) -> None:
        pad = self.traverse.pad
        self.drift.setChecked(pad.drifting)
        self.record.setChecked(pad.recording)
        for button in (self.drift, self.record, self.clear_pad):
            button.setEnabled(bool(pad.pins))

    # --- verbs

    @Slot()
    def open_render(self) -> None:
        """The dialog for a video of the walk."""
        if self.traverse.timeline.plan is None:
            words = "A video needs a walk of two keyframes or more. Add them from the shelf, or press Random walk."
            self.traverse.notice.emit(words, "care", None)
            return
        if self.traverse.render.busy:
            self.traverse.notice.emit("A video is being rendered. Stop it or wait for it.", "info", None)
            return
        self._dialog = RenderDialog(self.traverse, self)
        self._dialog.finished.connect(self._forget_dialog)
        self._dialog.open()

    @Slot()
    def _forget_dialog(self) -> None:
        self._dialog = None

    def open_file(self, path: Path) -> None:
        """A walk, or a video."""
        self.traverse.open_file(path)

    @Slot()
    def _paste_pins(self) -> None:
        mime = QGuiApplication.clipboard().mimeData()
        spots = self.traverse.spots_of(mime) if mime is not None else []
        if spots:
            self.traverse.pad.add_pins(spots)
        else:
            self.traverse.notice.emit("There is no latent on the clipboard.", "care", None)

    # --- what the window asks

    def take_generate(self, first: bool) -> bool:  # noqa: ARG002  # a video is never put before the others
        self.open_render()
        return True

    def take_escape(self) -> bool:
        """Stop what moves: the film, the walk, the drift, a recording."""
        traverse = self.traverse
        if traverse.film.playing:
            traverse.film.pause()
        elif traverse.player.playing:
            traverse.player.pause()
        elif traverse.pad.drifting:
            traverse.pad.set_drifting(False)
        elif traverse.pad.recording:
            traverse.pad.set_recording(False)
        else:
            return False
        return True

    def take_undo(self) -> bool:
        return False  # one list for the whole window

    def take_redo(self) -> bool:
        return False

    def take_paste(self, data: QMimeData) -> bool:
        """Latents become keyframes; on the pad pins, on the shelf they are put there."""
        focused = QApplication.focusWidget()
        if focused is not None and self.shelf.isAncestorOf(focused):
            self.traverse.shelf.add_mime(data, self.traverse.model)
        elif focused is self.pad:
            self._paste_pins()
        else:
            self.timeline.paste()
        return True

    def take_files(self, paths: Sequence[Path]) -> bool:
        """Walks and videos are opened, latents put on the shelf."""
        opened = next((path for path in paths if opens_here(path)), None)
        if opened is not None:
            self.open_file(opened)
            return True
        latents = [path for path in paths if is_latent(path)]
        if latents:
            self.traverse.shelf.add_files(latents, self.traverse.model)
        return bool(latents)

    def entries(self) -> Sequence[Entry]:
        from app.views.palette import Entry

        traverse, line = self.traverse, self.timeline
        return (
            Entry("Walk: play or pause", lambda: line.run("play"), "Space", "play"),
            Entry("Walk: add a keyframe of the stage", traverse.add_here, "K", "plus"),
            Entry("Walk: random walk", traverse.random_walk, "", "dice"),
            Entry("Walk: noise loop", traverse.noise_loop, "", "forever"),
            Entry("Walk: new", traverse.new_walk, "", "plus"),
            Entry("Walk: open a file", line.open_file_dialog, "", "folder"),
            Entry("Walk: save as a file", line.save_file_dialog, "", "save"),
            Entry("Walk: render a video", self.open_render, "Ctrl+Enter", "film"),
            Entry("Pad: drift", lambda: traverse.pad.set_drifting(not traverse.pad.drifting), "", "forever"),
            Entry("Pad: clear", traverse.pad.clear, "", "close"),
            Entry("Shelf: add seeds", self.shelf.add_seeds, "", "dice"),
            Entry("Shelf: add what the stage shows", traverse.shelve_here, "", "star"),
        )

    # --- on screen or not

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._laid_out:
            self._laid_out = True
            kept = self._studio.session.get("traverse-layout", "")
            if not (isinstance(kept, str) and kept and self._restore(kept)):
                self._first_sizes()
        if not event.spontaneous():
            self.traverse.set_looked_at(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():
            if self._laid_out:
                state = bytes(self.saveState(_LAYOUT_VERSION).toBase64().data()).decode("ascii")
                self._studio.session.set("traverse-layout", state)
            self.traverse.set_looked_at(False)

    def _restore(self, state: str) -> bool:
        data = QByteArray.fromBase64(state.encode("ascii", "ignore"))
        return bool(data) and self.restoreState(data, _LAYOUT_VERSION)

    @Slot()
    def reset_layout(self) -> None:
        """Every panel in its first place and size."""
        for dock in (self.shelf_dock, self.keys_dock):
            dock.setFloating(False)
            dock.show()
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.shelf_dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.keys_dock)
        self._first_sizes()

    def _first_sizes(self) -> None:
        self.resizeDocks([self.shelf_dock, self.keys_dock], [_SHELF, _KEYS], Qt.Orientation.Horizontal)

    @Slot()
    def _follow_motion(self) -> None:
        self.setAnimated(theme.current().motion > 0)
