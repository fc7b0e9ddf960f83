"""Pictures of a person's own: read off the window's thread, one refusal each for what can't be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.background import background_pool
from app.failure import Failure
from engine.errors import BadImage
from engine.messages import FileImage, Pictures, PngImage

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from PIL import Image

__all__ = ["PICTURE_SUFFIXES", "Opened", "PictureReader", "pictures_in"]

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
Colour = tuple[int, int, int]  # red, green, blue from 0 to 255
_MOST = 2000  # files of a folder


@dataclass(frozen=True)
class Opened:
    """A picture that was read, or why it could not be."""

    name: str
    path: Path | None = None
    image: Image.Image | None = None
    failure: Failure | None = None
    notes: tuple[str, ...] = ()  # what was done to read it: "turned upright as the camera noted"
    shown: Pictures | None = None  # at most 1024 pixels a side
    halves: tuple[Image.Image, ...] = ()  # of `image`, see `halved`


def pictures_in(paths: Sequence[Path]) -> list[Path]:
    """The picture files among `paths`, those in folders included, by name.

    A `BadImage` if there is none, or if there are more than one job takes.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p for p in path.iterdir() if p.suffix.casefold() in PICTURE_SUFFIXES and p.is_file()
            )
            if not inside and len(paths) == 1:
                raise BadImage(
                    f"There is no picture in {path}. Choose a folder with PNG, JPEG, WebP, BMP, GIF or TIFF files.",
                    field="images",
                )
            found += inside
        else:
            found.append(path)
    if not found:
        raise BadImage(
            "There is no picture among these. Choose PNG, JPEG, WebP, BMP, GIF or TIFF files.", field="images"
        )
    if len(found) > _MOST:
        raise BadImage(f"These are {len(found):,} pictures; up to {_MOST:,} go at once.", field="images")
    return found


class PictureReader(QObject):
    """Reads pictures in a thread of its own. What was asked last is what is answered."""

    read = Signal(object)  # Opened
    _done = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor: ThreadPoolExecutor | None = None
        self._asked = 0
        self._busy = False
        self._done.connect(self._on_done, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        return self._busy

    def read_file(self, path: Path, background: Colour) -> None:
        """`background` shows where the picture is clear."""
        self._ask(FileImage(str(path)), path.name, path, background)

    def read_png(self, data: Callable[[], bytes], name: str, background: Colour) -> None:
        """A picture that is no file: pasted, or from the history. `data` is called in the thread."""
        self._ask(data, name, None, background)

    def forget(self) -> None:
        """What is being read is not wanted any more."""
        self._asked += 1
        self._busy = False

    def close(self) -> None:
        self._asked += 1
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def _ask(
        self, source: FileImage | Callable[[], bytes], name: str, path: Path | None, background: Colour
    ) -> None:
        if self._executor is None:
            self._executor = background_pool("read-pictures")
        self._asked += 1
        self._busy = True
        asked = self._asked

        def work() -> None:
            self._done.emit(asked, _open(source, name, path, background))

        self._executor.submit(work)

    @Slot(int, object)
    def _on_done(self, asked: int, opened: Opened) -> None:
        if asked == self._asked:
            self._busy = False
            self.read.emit(opened)


def _open(
    source: FileImage | Callable[[], bytes], name: str, path: Path | None, background: Colour
) -> Opened:
    try:
        from app.models.edit.crop import halved, reduced
        from engine.messages.encode import Photo
        from engine.photos import open_photo

        # Just as a picture of a folder is read, which nobody crops.
        photo = Photo(source if isinstance(source, FileImage) else PngImage(source()), background=background)
        image, _, notes = open_photo(photo)
        return Opened(name, path, image, notes=notes, shown=reduced(image), halves=halved(image))
    except Exception as error:
        return Opened(name, path, failure=Failure.from_exception(error))
