"""Short messages at the foot of the pictures, with Undo where something can be taken back.

One of a failure whose details are known has a button that copies them.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.failure import Failure
from app.models.undo import NOT_NOW
from app.views import icons, theme, tokens
from app.views.fields import icon_button
from app.views.help import describe

__all__ = ["Notice", "Notices"]

_ICONS = {
    "info": ("info", "quiet"),
    "good": ("check", "good"),
    "care": ("warning", "care"),
    "bad": ("warning", "bad"),
}
_WORDS = {"info": "Note", "good": "Done", "care": "Take care", "bad": "Problem"}
_MOVES = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide)
_MOST = 3
_WIDEST = 480

More = Callable[[], object] | Failure | None  # what a message is about: how to undo it, or what failed


class Notice(QFrame):
    """One message. Goes by itself after a while, but not while the pointer or the focus is on it."""

    def __init__(self, text: str, kind: str, more: More, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("panel", "card")
        self.setProperty("notice", kind)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.text = text
        self.kind = kind
        self.do_undo = more if callable(more) else None
        self.failure = more if isinstance(more, Failure) and more.details else None
        name, role = _ICONS.get(kind, _ICONS["info"])
        self._icon = QLabel()
        self._icon.setPixmap(icons.pixmap(name, role, tokens.ICON, self.devicePixelRatioF()))
        self._icon.setFixedWidth(tokens.ICON)
        words = QLabel(text)
        words.setWordWrap(True)
        words.setTextFormat(Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(f"{_WORDS.get(kind, 'Note')}: {text}")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(tokens.GAP)
        row.addWidget(self._icon)
        row.addWidget(words, 1)
        self.undo: QPushButton | None = None
        self.copy: QPushButton | None = None
        if self.do_undo is not None:
            self.undo = QPushButton("Undo")
            self.undo.setProperty("kind", "flat")
            icons.bind(self.undo, "undo")
            describe(self.undo, "Undo", "Take it back (Ctrl+Z).")
            row.addWidget(self.undo)
        if self.failure is not None:
            self.copy = QPushButton("Copy details")
            self.copy.setProperty("kind", "flat")
            icons.bind(self.copy, "copy")
            describe(self.copy, "Copy details", "Copy the message and what a report of it needs.")
            self.copy.clicked.connect(self._copy)
            row.addWidget(self.copy)
        self.close_button = icon_button("close", "Close this message", "Close this message.")
        row.addWidget(self.close_button)
        self.timer = QTimer(self, singleShot=True, interval=tokens.NOTICE_STAYS)

    @Slot()
    def _copy(self) -> None:
        if self.failure is not None:
            QGuiApplication.clipboard().setText(f"{self.failure.message}\n\n{self.failure.details}")

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Enter:
            self.timer.stop()
        elif event.type() == QEvent.Type.Leave and self.kind != "bad":
            self.timer.start()
        return super().event(event)


class Notices(QWidget):
    """The messages, newest at the bottom. Problems stay until closed.

    They lie at the foot of what `area` answers, so that they cover no control, no list and no line
    that tells how far something is.
    """

    def __init__(self, parent: QWidget, area: Callable[[], QWidget] | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", "plain")
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(tokens.GAP)
        self.shown: list[Notice] = []
        self._area = area or (lambda: parent)
        self._watched: QWidget | None = None
        self._watch(parent)
        theme.current().changed.connect(self.place)
        self.hide()

    @Slot(str, str, object)
    def show_notice(self, text: str, kind: str = "info", more: More = None) -> None:
        """Add a message; one that says the same as the newest only stays longer."""
        if self.shown and self.shown[-1].text == text and not callable(more):
            if self.shown[-1].kind != "bad":
                self.shown[-1].timer.start()
            return
        notice = Notice(text, kind, more, self)
        notice.close_button.clicked.connect(self._closed)
        notice.timer.timeout.connect(self._timed_out)
        if notice.undo is not None:
            notice.undo.clicked.connect(self._undone)
        self.shown.append(notice)
        self._column.addWidget(notice)
        if kind != "bad":
            notice.timer.start()
        passing = [shown for shown in self.shown[:-1] if shown.kind != "bad"]
        for old in passing[: max(0, len(self.shown) - _MOST)]:
            self.dismiss(old)
        self.place()

    def dismiss(self, notice: Notice) -> None:
        if notice in self.shown:
            self.shown.remove(notice)
            notice.timer.stop()
            self._column.removeWidget(notice)
            notice.hide()
            notice.deleteLater()
            self.place()

    def dismiss_all(self) -> None:
        for notice in list(self.shown):
            self.dismiss(notice)

    @Slot(object)
    def forget_undo(self, undo: object) -> None:
        """It was taken back another way: the message that offered it goes."""
        for notice in list(self.shown):
            if notice.do_undo is undo:
                self.dismiss(notice)

    def undo_last(self) -> bool:
        """Take back what the newest message with Undo told; False if there is none."""
        for notice in reversed(self.shown):
            if notice.do_undo is not None:
                self._undo(notice)
                return True
        return False

    def _undo(self, notice: Notice) -> None:
        undo = notice.do_undo
        if undo is None or undo() is not NOT_NOW:  # else it is the way to try again
            self.dismiss(notice)

    def _of_sender(self) -> Notice | None:
        sender = self.sender()
        return next((n for n in self.shown if sender in (n.undo, n.close_button, n.timer)), None)

    @Slot()
    def _closed(self) -> None:
        if (notice := self._of_sender()) is not None:
            self.dismiss(notice)

    @Slot()
    def _timed_out(self) -> None:
        if (notice := self._of_sender()) is not None:
            self.dismiss(notice)

    @Slot()
    def _undone(self) -> None:
        if (notice := self._of_sender()) is not None:
            self._undo(notice)

    def _watch(self, widget: QWidget) -> None:
        if widget is not self._watched:
            if self._watched is not None and self._watched is not self.parentWidget():
                self._watched.removeEventFilter(self)
            self._watched = widget
            widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        # Called for every event of the window: it has to be quick where there is nothing to place.
        if self.shown and event.type() in _MOVES:
            self.place()
        return False

    @Slot()
    def place(self) -> None:
        """Put the messages where they belong, as large as their words need."""
        host = self.parentWidget()
        if not self.shown or host is None:
            self.hide()
            return
        area = self._area()
        self._watch(area)
        margin = tokens.GAP
        width = min(_WIDEST, area.width() - 2 * margin)
        height = tokens.GAP * (len(self.shown) - 1)
        for notice in self.shown:
            notice.setFixedSize(width, _height(notice, width))
            height += notice.height()
        corner = area.mapTo(host, QPoint((area.width() - width) // 2, area.height() - height - margin))
        self.setGeometry(corner.x(), corner.y(), width, height)
        self.show()
        self.raise_()


def _height(notice: Notice, width: int) -> int:
    layout = notice.layout()
    assert layout is not None
    return max(layout.totalHeightForWidth(width), 40)
