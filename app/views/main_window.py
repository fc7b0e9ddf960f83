"""The window: rail, rooms, messages, the line at the foot; shortcuts, drops and closing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QSize, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.settings import PRESETS
from app.models.studio import Studio
from app.views import theme, tokens
from app.views.attention import Attention
from app.views.closing import FilesFirst
from app.views.field_keys import FieldKeys, leave_field
from app.views.fields import NumberEntry
from app.views.generate_room import GenerateRoom
from app.views.help import term_of
from app.views.incoming import files_in, holds_picture, picture_in
from app.views.notices import Notices
from app.views.rail import Rail
from app.views.room import Room
from app.views.shortcuts import Shortcuts, keys_text
from app.views.status_bar import StatusBar

if TYPE_CHECKING:
    from app.views.dialogs import DroppedSettingsDialog
    from app.views.edit_room import EditRoom
    from app.views.help_panel import ShortcutSheet, TermCard
    from app.views.models_page import ModelsPage
    from app.views.palette import Entry, Palette
    from app.views.question import Question
    from app.views.settings_page import SettingsPage
    from app.views.traverse.room import TraverseRoom
    from app.views.upsample_file import FileUpsampler

__all__ = ["MainWindow"]


class MainWindow(QMainWindow):
    """Assembles the rooms. A new room is one `_add_room` line here and a widget of its own.

    What is not seen at the start is imported and built when it is first wanted.
    """

    painted = Signal()  # once: the window is on screen

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.studio = studio
        self._painted = False
        self.setWindowTitle(studio.window_title)
        self.setAcceptDrops(True)
        self._close_anyway = False
        self.palette_popup: Palette | None = None
        self.term_card: TermCard | None = None
        self.sheet: ShortcutSheet | None = None
        self.dropped: DroppedSettingsDialog | None = None
        self.closing: Question | None = None
        self.file_upsampler: FileUpsampler | None = None
        self.shortcuts = Shortcuts(self, studio.session)
        self.rail = Rail()
        self.rooms = QStackedWidget()
        self._names: list[str] = []
        self._makers: dict[str, Callable[[], QWidget]] = {}  # of rooms nobody has entered yet
        self.status_line = StatusBar(studio)
        self._add_commands()
        self.generate_room = GenerateRoom(studio)
        self._add_room("generate", "Make pictures", lambda: self.generate_room)
        self._add_room("edit", "Encode and change pictures of your own", self._make_edit_room)
        self._add_room("traverse", "Walk through latents and make videos of it", self._make_traverse_room)
        self._add_room("models", "The models there are", self._make_models_page)
        self._add_room("settings", "Looks, places and keys (Ctrl+,).", self._make_settings_page, foot=True)
        self._lay_out()
        self.notices = Notices(self, self._notice_area)
        self.attention = Attention(self)
        self._field_keys = FieldKeys(self)
        self._files_first = FilesFirst(self, studio)
        self._connect()
        self._restore()
        self.generate_room.controls.model.card.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- building

    def _lay_out(self) -> None:
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(self.rooms, 1)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(middle, 1)
        column.addWidget(self.status_line)
        self.setCentralWidget(whole)

    def _add_room(self, name: str, tip: str, make: Callable[[], QWidget], *, foot: bool = False) -> None:
        """A room that `make` builds when it is first entered; its icon is called as it is."""
        self._names.append(name)
        if not foot:
            tip = f"{tip} (Ctrl+{len(self._names)})."
        self._makers[name] = make
        self.rooms.addWidget(QWidget())
        self.rail.add_room(name, name.capitalize(), name, tip, foot=foot)

    def _built(self, name: str) -> QWidget:
        """The room, built now if it was not yet."""
        index = self._names.index(name)
        make = self._makers.pop(name, None)
        if make is not None:
            blank = self.rooms.widget(index)
            self.rooms.insertWidget(index, make())
            assert blank is not None
            self.rooms.removeWidget(blank)
            blank.deleteLater()
        room = self.rooms.widget(index)
        assert room is not None
        return room

    def _make_edit_room(self) -> QWidget:
        from app.views.edit_room import EditRoom

        return EditRoom(self.studio)

    @property
    def edit_room(self) -> EditRoom:
        return cast("EditRoom", self._built("edit"))

    def _make_traverse_room(self) -> QWidget:
        from app.views.traverse.room import TraverseRoom

        room = TraverseRoom(self.studio)
        room.edit_wanted.connect(self._send_to_edit)
        return room

    @property
    def traverse_room(self) -> TraverseRoom:
        return cast("TraverseRoom", self._built("traverse"))

    @Slot(object)
    def _send_to_edit(self, picture: Path) -> None:
        self.show_room("edit")
        room = self._working_room
        if room is not None:
            room.take_files([picture])

    def _make_models_page(self) -> QWidget:
        from app.views.models_page import ModelsPage

        page = ModelsPage(self.studio)
        page.used.connect(self._to_generate)
        page.details.upsample_wanted.connect(self.choose_upsample_file)
        return page

    def _make_settings_page(self) -> QWidget:
        from app.views.settings_page import SettingsPage

        return SettingsPage(self.studio, self.shortcuts)

    @property
    def models_page(self) -> ModelsPage:
        return cast("ModelsPage", self._built("models"))

    @property
    def settings_page(self) -> SettingsPage:
        return cast("SettingsPage", self._built("settings"))

    def _add_commands(self) -> None:
        studio = self.studio
        commands: dict[str, Callable[[], object]] = {
            "generate": self._generate,
            "generate-first": lambda: self._generate(first=True),
            "stop": self.escape,
            "forever": lambda: studio.generate_forever(not studio.queue.forever),
            "random-seed": lambda: studio.settings.reset("seed"),
            "reuse-seed": studio.reuse_seed,
            "room-1": lambda: self._show_place(0),
            "room-2": lambda: self._show_place(1),
            "room-3": lambda: self._show_place(2),
            "room-4": lambda: self._show_place(3),
            "settings": lambda: self.show_room("settings"),
            "panel-controls": self._toggle_controls,
            "panel-history": self._toggle_history,
            "layout": lambda: self.generate_room.reset_layout(),
            "palette": self.open_palette,
            "help": self.open_help,
            "sheet": self.open_sheet,
            "theme": self._flip_theme,
            "quit": self.close,
            "undo": self.undo,
            "redo": self.redo,
            "paste": self.paste,
        }
        for name, do in commands.items():
            self.shortcuts.add(name, do)

    def _connect(self) -> None:
        studio, room, line = self.studio, self.generate_room, self.status_line
        self.rail.chosen.connect(self.show_room)
        studio.notice.connect(self.notices.show_notice)
        studio.title_changed.connect(self.setWindowTitle)
        studio.work_finished.connect(self.attention.tell)
        studio.room_wanted.connect(self.show_room)
        studio.undo_list.taken_back.connect(self.notices.forget_undo)
        line.left.toggled.connect(room.show_controls)
        line.right.toggled.connect(room.show_history)
        for dock in (room.controls_dock, room.history_dock, room.queue_dock):
            dock.visibilityChanged.connect(self._show_switches)

    # --- the session

    def _restore(self) -> None:
        session = self.studio.session
        screen = self.screen().availableGeometry()
        least = QSize(*tokens.SMALLEST_WINDOW).boundedTo(screen.size())
        self.setMinimumSize(least.boundedTo(QSize(*tokens.SMALLEST_WINDOW)))
        self.resize(QSize(*tokens.FIRST_WINDOW).boundedTo(screen.size()))
        kept = session.get("window", {})
        if isinstance(kept, dict):
            geometry = kept.get("geometry")
            if isinstance(geometry, str) and geometry:
                self.restoreGeometry(QByteArray.fromBase64(geometry.encode("ascii", "ignore")))
            docks = kept.get("docks")
            if isinstance(docks, str) and docks:
                self.generate_room.restore_layout(docks)
            room = kept.get("room")
            self.show_room(room if room in self._names else "generate")
        else:
            self.show_room("generate")

    def remember(self) -> None:
        """Note size, room and panels for the next start."""
        if "edit" not in self._makers:
            self.edit_room.remember()
        self.studio.session.set(
            "window",
            {
                "geometry": bytes(self.saveGeometry().toBase64().data()).decode("ascii"),
                "docks": self.generate_room.layout_state(),
                "room": self.room,
            },
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.painted.emit()

    # --- rooms

    @property
    def room(self) -> str:
        """The name of the room on screen."""
        return self._names[self.rooms.currentIndex()]

    @Slot(str)
    def show_room(self, name: str) -> None:
        self.rooms.setCurrentWidget(self._built(name))
        self.rail.show_room(name)
        self._show_switches()
        self.notices.place()

    def _show_place(self, place: int) -> None:
        """The room at a place of the rail, from its top."""
        names = [name for name in self._names if name != "settings"]
        if place < len(names):
            self.show_room(names[place])

    @property
    def _working_room(self) -> Room | None:
        """The room on screen, if it has work of its own."""
        room = self.rooms.currentWidget()
        return room if isinstance(room, Room) else None

    def _notice_area(self) -> QWidget:
        """Where messages may lie: over the pictures, or over the room where there are none."""
        if self.room == "edit":
            return self.edit_room.stage.stack
        if self.room == "traverse":
            return self.traverse_room.stage.stack
        return self.generate_room.canvas.stack if self.room == "generate" else self.rooms

    @Slot()
    def _to_generate(self) -> None:
        self.show_room("generate")

    @Slot()
    def _show_switches(self) -> None:
        room, line = self.generate_room, self.status_line
        for button, shown in ((line.left, room.controls_shown), (line.right, room.history_shown)):
            button.blockSignals(True)
            button.setChecked(shown)
            button.blockSignals(False)
            button.setVisible(self.room == "generate")

    def _toggle_controls(self) -> None:
        self.generate_room.show_controls(not self.generate_room.controls_shown)
        self._show_switches()

    def _toggle_history(self) -> None:
        self.generate_room.show_history(not self.generate_room.history_shown)
        self._show_switches()

    # --- commands

    def _generate(self, first: bool = False) -> None:
        room, button = self._working_room, self.generate_room.controls.generate
        if room is not None and room.take_generate(first):
            return
        if button.isEnabled() and first and self.studio.editing is not None:
            self.studio.commit_edit(first=True)
        elif button.isEnabled() and first:
            self.studio.generate(first=True)
        elif button.isEnabled():
            button.click()
        else:
            self.studio.notice.emit(self.generate_room.controls.obstacle.text(), "care", None)

    @Slot()
    def escape(self) -> None:
        """Leave what is typed, close what is open, else stop what runs."""
        focused, canvas = QApplication.focusWidget(), self.generate_room.canvas
        if isinstance(focused, NumberEntry):
            if focused.property("wrong"):
                focused.restored.emit()
                return
        elif isinstance(focused, QLineEdit):
            pictures = canvas.view() or canvas
            leave_field(focused, pictures if self.room == "generate" else self._built(self.room))
            return
        room = self._working_room
        if room is not None and room.take_escape():
            return
        if not (self.room == "generate" and canvas.go_back()):
            self.studio.stop()

    @Slot()
    def open_palette(self) -> None:
        from app.views.palette import Palette

        self.palette_popup = Palette(self, self._entries())
        self.palette_popup.open_over(self)

    def _entries(self) -> list[Entry]:
        from app.views.palette import Entry

        entries = [
            Entry(command.title, self.shortcuts.actions[command.name].trigger,
                  keys_text(self.shortcuts.keys(command.name)), command.icon)
            for command in self.shortcuts.available()
            if not command.fixed and command.name != "palette"
        ]  # fmt: skip
        canvas = self.generate_room.canvas
        entries += [
            Entry("Picture: fit into the window", canvas.fit, "0", "fit"),
            Entry("Picture: actual pixels", canvas.actual_pixels, "1", "actual"),
            Entry("Picture: all of the batch", canvas.show_grid, "", "grid"),
            Entry("Picture: one alone", canvas.show_single, "", "single"),
            Entry("Picture: compare", canvas.toggle_compare, "C", "compare"),
            Entry("Picture: difference", canvas.toggle_difference, "D", "difference"),
            Entry("Picture: details", canvas.toggle_details, "I", "info"),
            Entry("Picture: save", canvas.save, "S", "save"),
            Entry("Picture: upsample", canvas.upsample, "U", "enlarge"),
            Entry("Import models", self._import_models, "", "plus"),
            Entry("Upsample a picture of your own", self.choose_upsample_file, "", "enlarge"),
            Entry("Picture: export the steps as an animation", canvas.export_steps, "", "film"),
        ]
        if (room := self._working_room) is not None:
            entries = [*room.entries(), *entries]
        settings = self.studio.settings
        for name, steps in PRESETS.items():
            entries.append(Entry(f"Quality: {name.capitalize()} {steps}", _call(settings.set_preset, name)))
        for solver in settings.catalogue.solvers:
            entries.append(Entry(f"Solver: {solver.title}", _call(settings.set_value, "solver", solver.name)))
        for model in settings.models:
            if not model.problem:
                entries.append(Entry(f"Model: {model.title}", _call(settings.set_value, "model", model.name)))
        for name, row in self.generate_room.controls.rows.items():
            entries.append(Entry(f"Go to {row.title}", _call(self._go_to_row, name)))
        return entries

    def _go_to_row(self, name: str) -> None:
        self.show_room("generate")
        self.generate_room.show_controls(True)
        self.generate_room.controls.show_row(name)

    @Slot()
    def open_help(self) -> None:
        """Explain the control that has the focus, or show the shortcuts where it has no term."""
        focused = QApplication.focusWidget()
        term = term_of(focused)
        if focused is None or term is None:
            self.open_sheet()
            return
        from app.views.help_panel import TermCard

        self.term_card = TermCard(self, term)
        self.term_card.open_beside(focused)

    @Slot()
    def open_sheet(self) -> None:
        from app.views.help_panel import ShortcutSheet

        self.sheet = ShortcutSheet(self, self.shortcuts)
        self.sheet.open_sheet()

    def _flip_theme(self) -> None:
        choice: theme.Choice = "light" if theme.current().name == "dark" else "dark"
        self.studio.session.set("theme", choice)
        theme.current().set_choice(choice)

    @Slot()
    def undo(self) -> None:
        """Undo typing where something is typed, else what was done last."""
        focused = QApplication.focusWidget()
        if isinstance(focused, QLineEdit) and focused.isUndoAvailable():
            focused.undo()
        elif (room := self._working_room) is not None and room.take_undo():
            pass
        elif self.studio.undo() is None and not self.notices.undo_last():
            self.studio.notice.emit("There is nothing to undo.", "info", None)

    @Slot()
    def redo(self) -> None:
        """Type again, or do again, what was taken back last."""
        focused = QApplication.focusWidget()
        if isinstance(focused, QLineEdit) and focused.isRedoAvailable():
            focused.redo()
        elif (room := self._working_room) is not None and room.take_redo():
            pass
        elif self.studio.redo() is None:
            self.studio.notice.emit("There is nothing to redo.", "info", None)

    @Slot()
    def paste(self) -> None:
        """Paste text where it is typed, else read the settings of the picture file on the clipboard."""
        focused = QApplication.focusWidget()
        data = QGuiApplication.clipboard().mimeData()
        path = picture_in(data)
        room = self._working_room
        if isinstance(focused, QLineEdit) and not holds_picture(data):
            focused.paste()
        elif room is not None and data is not None and room.take_paste(data):
            pass
        elif path is not None:
            self.open_picture(path)
        elif data is not None and data.hasImage():
            self.studio.notice.emit(
                "The picture on the clipboard has no settings to read: only its file carries them. Copy the "
                "file in your file manager, or drop it on the window.",
                "care",
                None,
            )
        else:
            self.studio.notice.emit(
                "There is no picture file on the clipboard. Copy one in your file manager first.",
                "care",
                None,
            )

    # --- pictures dropped on the window

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        data = event.mimeData()
        picture = data.hasImage() and self._working_room is not None  # from a browser, say
        if event.source() is None and (picture or files_in(data) or picture_in(data)):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        data, room = event.mimeData(), self._working_room
        event.acceptProposedAction()
        if not files_in(data) and data.hasImage() and room is not None and room.take_paste(data):
            return
        self.take_files(files_in(data), picture_in(data))

    def take_files(self, paths: list[Path], picture: Path | None = None) -> None:
        """Do with dropped files what they are for; the room on screen is asked first."""
        room = self._working_room
        if paths and room is not None and room.take_files(paths):
            return
        from app.models.traverse.desk import opens_here

        if any(opens_here(path) for path in paths):
            self.show_room("traverse")
            self.traverse_room.take_files(paths)
            return
        from app.models.library import is_model_file, unusable_words

        if models := [path for path in paths if is_model_file(path)]:
            self.show_room("models")
            self.studio.library.import_files(models)
        elif picture is not None:
            self.open_picture(picture)
        elif paths:
            self.studio.notice.emit(unusable_words(paths[0]), "care", None)

    def open_picture(self, path: Path) -> None:
        """Show what settings a picture file carries and how they differ."""
        diff = self.studio.open_dropped_file(path, lambda: self.upsample_file(path))
        if diff is not None:
            from app.views.dialogs import DroppedSettingsDialog

            self.show_room("generate")
            self.dropped = DroppedSettingsDialog(self.studio, diff, self)
            self.dropped.open()

    def _import_models(self) -> None:
        self.show_room("models")
        self.models_page.choose_files()

    def upsample_file(self, path: Path) -> bool:
        """Make a picture of the person's own large. False: there is no upsampler."""
        if not self.studio.upsampling.upsamplers():
            return False
        from app.views.upsample_file import FileUpsampler

        self.show_room("generate")
        self.file_upsampler = FileUpsampler(self.studio, self)
        self.file_upsampler.ended.connect(self._forget_upsampler)
        self.file_upsampler.open(path)
        return True

    @Slot(object)
    def _forget_upsampler(self, ended: FileUpsampler) -> None:
        if self.file_upsampler is ended:  # and no other is open by now
            self.file_upsampler = None

    def choose_upsample_file(self) -> None:
        """Ask which picture is to be made large."""
        from app.views.upsample_file import choose_picture

        choose_picture(self, self.studio, self.upsample_file)

    # --- end

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._close_anyway and self.studio.would_lose_work:
            event.ignore()
            from app.views.question import closing_question

            strokes = "edit" not in self._makers and self.studio.edits.pending.unkept
            job = self.studio.queue.running
            self.closing = closing_question(
                self,
                unkept=self.studio.save_results(),
                strokes=strokes,
                running=job.request if job is not None else None,
            )
            self.closing.accepted.connect(self.close_anyway)
            self.closing.open()
            return
        if not self._close_anyway and self._files_first.wait():
            event.ignore()
            return
        self.remember()
        super().closeEvent(event)

    @Slot()
    def close_anyway(self) -> None:
        """Close without asking; what runs is stopped and comes back at the next start."""
        self._close_anyway = True
        self.close()


def _call(do: Callable[..., object], *arguments: object) -> Callable[[], object]:
    return lambda: do(*arguments)
