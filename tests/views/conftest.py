"""A window over the fake engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.store import Store
from app.views import theme
from app.views.main_window import MainWindow
from tests.fake_engine import PATIENCE, FakeEngine

# What the platform without a screen says of popups and of windows of a fixed size.
OFFSCREEN = "This plugin does not support"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "views" in item.path.parts:
            item.add_marker(pytest.mark.qt_log_ignore(OFFSCREEN, extend=True))


@pytest.fixture
def dressed(qapp: object) -> Iterator[theme.Theme]:
    """The dark theme, whatever a test before has chosen."""
    look = theme.current()
    look.install("dark")
    look.set_still(True)
    yield look
    look.install("dark")


@pytest.fixture
def open_window(qtbot: QtBot, dressed: theme.Theme) -> Iterator[Callable[..., MainWindow]]:
    """Opens a window over a scripted engine: `open_window(engine, store)`; closes it afterwards."""
    opened: list[tuple[MainWindow, Studio, FakeEngine]] = []

    def open_(
        engine: FakeEngine | None = None, store: Store | None = None, size: tuple[int, int] = (1280, 800)
    ) -> MainWindow:
        engine = engine or FakeEngine()
        studio = Studio(store or Store(None), lambda: engine)
        window = MainWindow(studio)
        window.resize(*size)
        opened.append((window, studio, engine))
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        with qtbot.waitSignal(studio.host.engine_ready, timeout=int(PATIENCE * 1000)):
            studio.start()
        return window

    yield open_
    for window, studio, engine in opened:
        engine.open_all()
        window.notices.dismiss_all()
        window.close_anyway()
        studio.shutdown()
        window.deleteLater()


@pytest.fixture
def window(open_window: Callable[..., MainWindow]) -> MainWindow:
    """A window whose engine answers at once."""
    return open_window()
