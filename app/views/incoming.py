"""What a drop or the clipboard brings."""

from __future__ import annotations

import contextlib
from pathlib import Path

from PySide6.QtCore import QMimeData

from app.models.edit.opening import PICTURE_SUFFIXES

__all__ = ["files_in", "holds_picture", "picture_in"]


def files_in(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def picture_in(data: QMimeData | None) -> Path | None:
    """The picture file it holds, as a file or as the text of its path."""
    if data is None:
        return None
    paths = files_in(data)
    text = data.text().strip() if data.hasText() else ""
    if not paths and text and "\n" not in text and len(text) < 4096:
        with contextlib.suppress(RuntimeError):  # "~name" of nobody here
            paths = [Path(text.removeprefix("file://")).expanduser()]
    return next((path for path in paths if _is_picture(path)), None)


def holds_picture(data: QMimeData | None) -> bool:
    """Whether it is a picture, and no text that could be meant: nothing to paste where one types."""
    if data is None:
        return False
    return any(_is_picture(path) for path in files_in(data)) or (data.hasImage() and not data.hasText())


def _is_picture(path: Path) -> bool:
    return path.suffix.casefold() in PICTURE_SUFFIXES
