"""The room where pictures are made: controls, canvas, history and queue, as docks."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QMainWindow

from app.models.studio import Studio
from app.views import theme, tokens
from app.views.canvas import CanvasPanel
from app.views.control_panel import ControlPanel
from app.views.dock import Dock
from app.views.history_view import HistoryPanel
from app.views.queue_view import QueuePanel

__all__ = ["GenerateRoom"]

_LAYOUT_VERSION = 1


class GenerateRoom(QMainWindow):
    """A main window inside the window, for the sake of its docks."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockOptions(QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks)
        self._follow_motion()
        theme.current().changed.connect(self._follow_motion)
        self.controls = ControlPanel(studio)
        self.canvas = CanvasPanel(studio)
        self.history = HistoryPanel(studio)
        self.queue = QueuePanel(studio)
        self.setCentralWidget(self.canvas)
        self.controls_dock = Dock("controls", "Controls", self.controls, 296)
        self.history_dock = Dock("history", "History", self.history, 176)
        self.queue_dock = Dock("queue", "Queue", self.queue, 176, self.queue.count)
        self._wanted = ""  # the layout to come back to; sizes mean something once there is a size
        self._laid_out = False
        self.reset_layout()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._laid_out:
            self._laid_out = True
            if not (self._wanted and self._restore(self._wanted)):
                self._first_sizes()

    @Slot()
    def _follow_motion(self) -> None:
        self.setAnimated(theme.current().motion > 0)

    @Slot()
    def reset_layout(self) -> None:
        """Every panel in its first place and size."""
        for dock in (self.controls_dock, self.history_dock, self.queue_dock):
            dock.setFloating(False)
            dock.show()
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.controls_dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.history_dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.queue_dock)
        self._first_sizes()

    def _first_sizes(self) -> None:
        horizontal, vertical = Qt.Orientation.Horizontal, Qt.Orientation.Vertical
        widths = [tokens.CONTROLS_WIDTH, tokens.HISTORY_WIDTH]
        self.resizeDocks([self.controls_dock, self.history_dock], widths, horizontal)
        self.resizeDocks([self.history_dock, self.queue_dock], [3000, 1000], vertical)

    def layout_state(self) -> str:
        """The places and sizes of the panels, for the session."""
        if not self._laid_out:
            return self._wanted
        return bytes(self.saveState(_LAYOUT_VERSION).toBase64().data()).decode("ascii")

    def restore_layout(self, state: str) -> None:
        """Put the panels where they were, when the room is first shown or now."""
        self._wanted = state
        if self._laid_out:
            self._restore(state)

    def _restore(self, state: str) -> bool:
        data = QByteArray.fromBase64(state.encode("ascii", "ignore"))
        return bool(data) and self.restoreState(data, _LAYOUT_VERSION)

    # --- the switches at the foot of the window

    @property
    def controls_shown(self) -> bool:
        return not self.controls_dock.isHidden()

    @property
    def history_shown(self) -> bool:
        return not (self.history_dock.isHidden() and self.queue_dock.isHidden())

    @Slot(bool)
    def show_controls(self, shown: bool) -> None:
        self.controls_dock.setVisible(shown)

    @Slot(bool)
    def show_history(self, shown: bool) -> None:
        self.history_dock.setVisible(shown)
        self.queue_dock.setVisible(shown)
