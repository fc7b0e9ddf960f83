"""Every command of the window with its keys: in one table, so that the sheet, the palette and the
settings show the same, and a person can change the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from app.models.session import Session
from app.views import icons

__all__ = ["COMMANDS", "Command", "Shortcuts", "keys_text"]


@dataclass(frozen=True)
class Command:
    """Something a person can do. `keys` are as Qt writes them, several parted by "; "."""

    name: str
    title: str
    keys: str
    group: str
    icon: str = ""
    fixed: bool = False  # the keys belong to the view that has the focus and can't be changed


COMMANDS: tuple[Command, ...] = (
    Command("generate", "Generate", "Ctrl+Return; Ctrl+Enter", "Generate", "generate"),
    Command(
        "generate-first", "Generate before all that waits", "Ctrl+Shift+Return; Ctrl+Shift+Enter", "Generate"
    ),
    Command("stop", "Close what is open, then stop", "Esc", "Generate", "stop", fixed=True),
    Command("forever", "Generate for ever, on or off", "Ctrl+Shift+F", "Generate", "forever"),
    Command("random-seed", "A new seed each time", "Ctrl+D", "Generate", "dice"),
    Command("reuse-seed", "Reuse the seed shown", "Ctrl+Shift+D", "Generate", "reuse"),
    Command("reset-row", "Put the focused setting back", "Ctrl+R", "Generate", fixed=True),
    Command("room-1", "Generate room", "Ctrl+1", "Window"),
    Command("room-2", "Edit room", "Ctrl+2", "Window"),
    Command("room-3", "Traverse room", "Ctrl+3", "Window"),
    Command("room-4", "Models room", "Ctrl+4", "Window"),
    Command("room-5", "Fifth room", "Ctrl+5", "Window"),
    Command("settings", "Settings", "Ctrl+,", "Window", "settings"),
    Command("panel-controls", "Show or hide the controls", "Ctrl+B", "Window", "panel-left"),
    Command("panel-history", "Show or hide history and queue", "Ctrl+Shift+B", "Window", "panel-right"),
    Command("layout", "Put all panels back in their places", "", "Window"),
    Command("palette", "Find a command", "Ctrl+K", "Window", "command"),
    Command("help", "Explain the focused control", "F1", "Window", "help"),
    Command("sheet", "All shortcuts", "?; Shift+?", "Window", "keyboard"),
    Command("theme", "Change between light and dark", "Ctrl+Shift+L", "Window", "eye"),
    Command("quit", "Close the window", "Ctrl+Q", "Window", "close"),
    Command("undo", "Undo", "Ctrl+Z", "Edit", "undo"),
    Command("redo", "Redo", "Ctrl+Shift+Z; Ctrl+Y", "Edit", "redo"),
    Command("paste", "Paste a picture and read its settings", "Ctrl+V", "Edit", "paste"),
    Command("edit-open", "Edit room: open pictures", "Ctrl+O", "Edit", fixed=True),
    Command("edit-plot", "Edit room: error versus steps", "E", "Edit", fixed=True),
    Command("edit-smaller", "Edit room: smaller brush", "[", "Edit", fixed=True),
    Command("edit-larger", "Edit room: larger brush", "]", "Edit", fixed=True),
    Command("edit-erase", "Edit room: paint or erase", "X", "Edit", fixed=True),
    Command("edit-rename", "Edit room: rename the edit", "F2", "Edit", fixed=True),
    Command("canvas-arrows", "Previous and next picture", "Left; Right; Up; Down", "Picture", fixed=True),
    Command("canvas-space", "Look at it large", "Space", "Picture", fixed=True),
    Command("canvas-fit", "Fit into the window", "0", "Picture", fixed=True),
    Command("canvas-actual", "Actual pixels", "1", "Picture", fixed=True),
    Command("canvas-compare", "Compare", "C", "Picture", fixed=True),
    Command("canvas-difference", "Difference", "D", "Picture", fixed=True),
    Command("canvas-play", "Play the steps", "P", "Picture", fixed=True),
    Command("canvas-scrub", "Step back and forth", "Alt+Left", "Picture", fixed=True),
    Command("canvas-details", "Details", "I", "Picture", fixed=True),
    Command("canvas-upsample", "Upsample", "U", "Picture", fixed=True),
    Command("canvas-save", "Save", "S", "Picture", fixed=True),
    Command("canvas-star", "Star", ".", "Picture", fixed=True),
    Command("canvas-delete", "Delete, with undo", "Delete", "Picture", fixed=True),
    Command("walk-play", "Play or pause the walk", "Space", "Walk", fixed=True),
    Command("walk-frame", "A frame back or on", "Left; Right", "Walk", fixed=True),
    Command("walk-key", "To the keyframe before or behind", "Ctrl+Left", "Walk", fixed=True),
    Command("walk-nudge", "Move the keyframe in time", "Alt+Left", "Walk", fixed=True),
    Command("walk-add", "Add what is shown as a keyframe", "K", "Walk", fixed=True),
    Command("walk-duplicate", "Duplicate the keyframes", "Ctrl+D", "Walk", fixed=True),
)


def keys_text(keys: str) -> str:
    """The first of several sequences, in this system's way of writing."""
    first = keys.split("; ")[0]
    return QKeySequence(first).toString(QKeySequence.SequenceFormat.NativeText).replace("Return", "Enter")


class Shortcuts(QObject):
    """The commands of one window as actions, their keys kept in the session."""

    changed = Signal()

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._window = window
        self._session = session
        kept = session.get("shortcuts", {})
        known = {command.name for command in COMMANDS}  # another version may have kept others
        self._kept: dict[str, str] = {
            name: keys
            for name, keys in (kept.items() if isinstance(kept, dict) else ())
            if name in known and isinstance(keys, str)
        }
        self.actions: dict[str, QAction] = {}

    def add(self, name: str, do: Callable[[], object]) -> QAction:
        """Make the command `name` do something."""
        command = next(command for command in COMMANDS if command.name == name)
        action = QAction(command.title, self._window)
        action.setShortcuts(_sequences(self.keys(name)))
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.triggered.connect(lambda _checked=False: do())
        if command.icon:
            icons.bind(action, command.icon)
        self._window.addAction(action)
        self.actions[name] = action
        return action

    def available(self) -> Iterable[Command]:
        """The commands this window has, and those that belong to its views."""
        return (command for command in COMMANDS if command.fixed or command.name in self.actions)

    def keys(self, name: str) -> str:
        """The keys of a command as they are now."""
        command = next(command for command in COMMANDS if command.name == name)
        return command.keys if command.fixed else self._kept.get(name, command.keys)

    def user_of(self, keys: str, but: str = "") -> Command | None:
        """The command that has these keys already."""
        for command in self.available():
            if command.name != but and keys and keys in self.keys(command.name).split("; "):
                return command
        return None

    def set_keys(self, name: str, keys: str) -> None:
        """Change the keys of a command; the standard ones forget the change."""
        command = next(command for command in COMMANDS if command.name == name)
        if keys == command.keys:
            self._kept.pop(name, None)
        else:
            self._kept[name] = keys
        if name in self.actions:
            self.actions[name].setShortcuts(_sequences(keys))
        self._session.set("shortcuts", dict(self._kept))
        self.changed.emit()

    def reset(self) -> None:
        """All keys as they were at first."""
        for name in list(self._kept):
            self.set_keys(name, next(command.keys for command in COMMANDS if command.name == name))


def _sequences(keys: str) -> list[QKeySequence]:
    return [QKeySequence(part) for part in keys.split("; ") if part]
