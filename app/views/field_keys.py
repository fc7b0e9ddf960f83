"""Keys that a text field takes from the window although it has no use for them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Slot
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QPlainTextEdit, QTextEdit, QWidget

from app.views.incoming import holds_picture

__all__ = ["FieldKeys", "leave_field"]

_FIELDS = (QLineEdit, QAbstractSpinBox, QTextEdit, QPlainTextEdit)


class FieldKeys(QObject):
    """Gives Undo, Redo and Paste to the window where the field with the focus can't do them.

    A field claims these keys whether or not there is typing to take back or text to paste, and the
    window's own undo, or the picture on the clipboard, would be out of reach.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._watch)

    @Slot(QWidget, QWidget)
    def _watch(self, _before: QWidget | None, now: QWidget | None) -> None:
        # Only the field with the focus: a filter of the whole application would slow every event down.
        if isinstance(now, _FIELDS):
            now.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.ShortcutOverride or not isinstance(event, QKeyEvent):
            return False
        if not isinstance(watched, _FIELDS) or watched.window() is not self._window:
            return False  # a dialog has no such commands
        if _uses(watched, event):
            return False
        event.ignore()
        return True


def _uses(field: QWidget, event: QKeyEvent) -> bool:
    """Whether the field can do something with this key, if it is one of those."""
    if event.matches(QKeySequence.StandardKey.Undo):
        return _can(field, "Undo")
    if event.matches(QKeySequence.StandardKey.Redo):
        return _can(field, "Redo")
    if event.matches(QKeySequence.StandardKey.Paste):
        return not holds_picture(QGuiApplication.clipboard().mimeData())
    return True


def _can(field: QWidget, what: str) -> bool:
    line = field.findChild(QLineEdit) if isinstance(field, QAbstractSpinBox) else field
    if isinstance(line, QLineEdit):
        return line.isUndoAvailable() if what == "Undo" else line.isRedoAvailable()
    if isinstance(line, (QTextEdit, QPlainTextEdit)) and not line.isReadOnly():
        words = line.document()
        return words.isUndoAvailable() if what == "Undo" else words.isRedoAvailable()
    return False


def leave_field(field: QLineEdit, to: QWidget) -> None:
    """Esc where text is typed: a search is emptied first, and then the focus goes. What was typed stays."""
    if field.property("search") and field.text():
        field.clear()
    else:
        to.setFocus()
