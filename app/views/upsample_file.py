"""A picture of the person's own on its way to the upsampler: chosen, read beside the window, cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app.models.edit.opening import PICTURE_SUFFIXES, Opened, PictureReader
from app.models.studio import Studio
from app.views.upsample_dialog import UpsampleDialog

_WHITE = (255, 255, 255)  # as the command line has it

__all__ = ["FileUpsampler", "choose_picture"]


class FileUpsampler(QObject):
    """Reads a file and opens the dialog that asks how; what can't be read is said.

    Deletes itself when that is over: the picture may be large, and the window lives long.
    """

    ended = Signal(object)  # itself

    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__(parent)
        self._studio = studio
        self._window = parent
        self._reader = PictureReader(self)
        self._reader.read.connect(self._on_read)
        self.dialog: UpsampleDialog | None = None

    def open(self, path: Path) -> None:
        self._reader.read_file(path, _WHITE)

    @Slot(object)
    def _on_read(self, opened: Opened) -> None:
        self._reader.close()
        if opened.failure is not None or opened.image is None:
            words = opened.failure.message if opened.failure is not None else f"Couldn't read {opened.name}."
            self._studio.notice.emit(words, "bad", None)
            self._end()
            return
        self.dialog = UpsampleDialog(self._studio, self._window, image=opened.image, name=opened.name)
        self.dialog.finished.connect(self._end)
        self.dialog.open()

    @Slot()
    def _end(self) -> None:
        self.dialog = None
        self.ended.emit(self)
        self.deleteLater()


def choose_picture(parent: QWidget, studio: Studio, take: Callable[[Path], object]) -> None:
    """Ask for one picture file, if there is what could upsample it; `take` gets it."""
    if not studio.upsampling.upsamplers():
        studio.notice.emit("There is no upsampler here yet. Import one in the Models room.", "care", None)
        return
    patterns = " ".join(f"*{suffix}" for suffix in PICTURE_SUFFIXES)
    dialog = QFileDialog(parent, "Choose a picture", "", f"Pictures ({patterns});;All files (*)")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: take(Path(name)))
    dialog.open()
