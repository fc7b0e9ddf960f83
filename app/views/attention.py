"""Tells a person who looks elsewhere that long work is done."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

__all__ = ["LONG", "Attention"]

LONG = 5.0  # seconds; nobody looks elsewhere during less


class Attention(QObject):
    """A message of the desktop where it shows such, else the window asks for attention in its bar."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._tray: QSystemTrayIcon | None = None

    @Slot(str, float)
    def tell(self, words: str, seconds: float) -> None:
        """`words` say what is done and `seconds` how long it took; nothing happens where it is seen."""
        if seconds < LONG or self._window.isActiveWindow():
            return
        if has_messages():
            self._show_message(words)
        else:
            QApplication.alert(self._window)

    def _show_message(self, words: str) -> None:
        if self._tray is None:
            self._tray = QSystemTrayIcon(QApplication.windowIcon(), self)
            self._tray.messageClicked.connect(self._come_back)
            self._tray.activated.connect(self._come_back)
            QApplication.instance().aboutToQuit.connect(self._tray.hide)  # type: ignore[union-attr]
        self._tray.setToolTip(self._window.windowTitle())
        self._tray.show()
        self._tray.showMessage(self._window.windowTitle(), words, QApplication.windowIcon())

    @Slot()
    def _come_back(self) -> None:
        """The message was pressed: show the window; the icon has done what it was there for."""
        if self._tray is not None:
            self._tray.hide()
        self._window.showNormal() if self._window.isMinimized() else self._window.show()
        self._window.raise_()
        self._window.activateWindow()


def has_messages() -> bool:
    """Whether the desktop shows messages of programs. A screen that is none shows nothing."""
    if QGuiApplication.platformName() in ("offscreen", "minimal", "vnc"):
        return False
    return QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages()
