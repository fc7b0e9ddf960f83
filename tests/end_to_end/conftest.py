"""The real window over the real engine and a tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.views import theme
from app.views.main_window import MainWindow
from tests.engine.tiny_model import write_tiny_model

PATIENCE_MS = 30_000
# What the platform without a screen says of popups and of windows of a fixed size.
OFFSCREEN = "This plugin does not support"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "end_to_end" in item.path.parts:
            item.add_marker(pytest.mark.qt_log_ignore(OFFSCREEN, extend=True))


@pytest.fixture
def home(genie_home: Path) -> Path:
    """A data folder with the tiny model."""
    write_tiny_model(genie_home / "models")
    return genie_home


@pytest.fixture
def open_window(qtbot: QtBot, home: Path) -> Iterator[Callable[[], MainWindow]]:
    """Opens the window as `genie` does, over `home`; closing is the test's, or done at its end."""
    opened: list[MainWindow] = []

    def open_() -> MainWindow:
        theme.current().install("dark")
        theme.current().set_still(True)
        studio = Studio()
        window = MainWindow(studio)
        opened.append(window)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE_MS):
            studio.start()
        return window

    yield open_
    for window in opened:
        close(window)
        window.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def close(window: MainWindow) -> None:
    """Close without asking, as `app.main` does: the window goes, then the engine ends."""
    window.notices.dismiss_all()
    window.close_anyway()
    window.hide()
    assert window.studio.shutdown(), "the engine did not end"
