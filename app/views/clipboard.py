"""Things of ours on the clipboard, that must not outlive Python."""

from __future__ import annotations

import atexit

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication
from shiboken6 import isValid

__all__ = ["put"]


_ours: QMimeData | None = None  # put there last; Qt deletes it when something else takes its place


def put(data: QMimeData) -> None:
    """Put `data` on the clipboard; when the program ends, its text alone stays there.

    Qt deletes what lies on the clipboard when the process exits, after Python is gone, and
    data made by Python then brings the process down.
    """
    global _ours
    QGuiApplication.clipboard().setMimeData(data)
    _ours = data
    atexit.unregister(_leave_text)
    atexit.register(_leave_text)


def _leave_text() -> None:
    if _ours is not None and isValid(_ours) and QGuiApplication.instance() is not None:
        QGuiApplication.clipboard().setText(_ours.text())
