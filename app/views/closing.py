"""Closing while files are being written: they are finished first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from app.models.studio import Studio

__all__ = ["FilesFirst"]


class FilesFirst(QObject):
    """Closes a window when what is being written is there. If that goes wrong it stays, and says so."""

    def __init__(self, window: QWidget, studio: Studio) -> None:
        super().__init__(window)
        self._window, self._studio = window, studio
        self._waits = False
        studio.writer.written.connect(self._on_written)
        studio.writer.failed.connect(self._on_failed)

    def wait(self) -> bool:
        """Whether the window is to stay until then. Closed once more, it goes; the files are finished anyway."""
        if self._waits or not self._studio.writer.busy:
            return False
        self._waits = True
        self._studio.notice.emit("A file is being written. The window closes when it is there.", "info", None)
        return True

    @Slot()
    def _on_written(self) -> None:
        if self._waits and not self._studio.writer.busy:
            self._window.close()

    @Slot()
    def _on_failed(self) -> None:
        self._waits = False
