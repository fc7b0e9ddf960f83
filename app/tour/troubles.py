"""Hears what nobody should say while the window is used: warnings of Qt, exceptions nobody caught."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

__all__ = ["Troubles"]

# What Qt's platform without a screen says of popups and of windows of a fixed size.
_HARMLESS = ("This plugin does not support",)


class Troubles:
    """Listens between `with` and its end; `take` hands over what came since the last time."""

    def __init__(self) -> None:
        self._heard: list[str] = []
        self._qt_before: Callable[..., Any] | None = None
        self._hook_before = sys.excepthook

    def add(self, words: str) -> None:
        """Something else that should not have been said."""
        self._heard.append(words)

    def take(self) -> list[str]:
        heard, self._heard = self._heard, []
        return heard

    def __enter__(self) -> Troubles:
        self._qt_before = qInstallMessageHandler(self._on_message)
        self._hook_before, sys.excepthook = sys.excepthook, self._on_exception
        return self

    def __exit__(self, *_: object) -> None:
        qInstallMessageHandler(self._qt_before)
        sys.excepthook = self._hook_before

    def _on_message(self, kind: QtMsgType, _context: QMessageLogContext, message: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not message.startswith(_HARMLESS):
            self._heard.append(f"Qt: {message}")

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        last = traceback.extract_tb(trace)[-1:]
        place = f" ({last[0].filename}:{last[0].lineno})" if last else ""
        self._heard.append(f"{kind.__name__}: {error}{place}")
