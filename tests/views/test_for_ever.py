"""One batch behind another: the old pictures stay until the new ones come, and stay what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.views import theme
from app.views.canvas import CanvasPanel
from app.views.main_window import MainWindow
from engine.images import read_settings
from engine.messages import GenerateRequest
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import PATIENCE_MS, pixels, show, studio_with


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(gated=True)


@pytest.fixture
def between(open_window: Callable[..., MainWindow], qtbot: QtBot, engine: FakeEngine) -> MainWindow:
    """The second batch runs, none of it is there yet; the third picture of the first (seed 1002) is selected."""
    window = open_window(engine)
    studio = window.studio
    studio.settings.set_values({"pick": (1,), "count": 4, "steps": 3, "seed": 1000})
    studio.generate_forever(True)
    studio.canvas.select(2)
    first = studio.canvas.request
    engine.open(1 + 3 + 1)  # loading, three steps, the end
    qtbot.waitUntil(lambda: studio.canvas.request not in (None, first), timeout=PATIENCE_MS)
    assert not studio.canvas.begun(2)
    return window


def test_nothing_goes_blank_between_two_batches(qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True)
    with studio_with(qtbot, engine) as studio:
        panel = CanvasPanel(studio)
        show(qtbot, panel, 640, 640)
        studio.settings.set_values({"count": 4, "steps": 2})
        groove = theme.current().color("groove")

        def centre() -> QColor:
            return pixels(panel.grid).pixelColor(panel.grid.tile_rect(0).center())

        studio.generate_forever(True)
        first = studio.canvas.request
        assert centre() == groove  # nothing came before
        engine.open(1 + 2 + 1)  # loading, two steps, the end
        qtbot.waitUntil(lambda: studio.canvas.request not in (None, first), timeout=PATIENCE_MS)
        assert not studio.canvas.begun(0)
        assert centre() != groove
        studio.stop()
        engine.open_all()
        qtbot.waitUntil(lambda: studio.canvas.state == "stopped", timeout=PATIENCE_MS)
        assert studio.canvas.begun(0) or centre() == groove


def test_words_and_seed_are_those_of_the_picture_seen(
    between: MainWindow, qtbot: QtBot, engine: FakeEngine
) -> None:
    studio, panel = between.studio, between.generate_room.canvas
    controls = between.generate_room.controls
    assert panel.caption(2) == "Trouser · seed 1002"
    assert controls.seed.used.text() == "Shown: 1002"
    controls.seed.reuse.click()
    assert studio.settings.seed == 1002
    engine.open(3)  # the second batch is loaded and has made two steps
    qtbot.waitUntil(lambda: studio.canvas.begun(2), timeout=PATIENCE_MS)
    now = studio.canvas.request
    assert now is not None
    new = studio.canvas.seed_of(2)
    assert new != 1002
    assert panel.caption(2) == f"Trouser · seed {new}"
    assert controls.seed.used.text() == f"Shown: {new}"
    qtbot.keyClick(panel, Qt.Key.Key_Period)
    assert "only finished ones" in between.notices.shown[-1].text
    qtbot.keyClick(panel, Qt.Key.Key_S)
    assert "no finished picture to save" in between.notices.shown[-1].text


def test_star_save_and_delete_are_about_the_picture_seen(
    between: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    studio, panel = between.studio, between.generate_room.canvas
    qtbot.waitUntil(lambda: studio.history.total == 4, timeout=PATIENCE_MS)
    record = next(row for row in map(studio.history.record_at, range(4)) if row and row.seed == 1002)
    qtbot.keyClick(panel, Qt.Key.Key_Period)
    assert studio.history.starred([record.id]) == {record.id}
    assert panel.buttons["save"].isEnabled()
    qtbot.keyClick(panel, Qt.Key.Key_S)
    dialog = panel._save_dialog
    assert dialog is not None
    dialog.folder.setText(str(tmp_path))
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        dialog.accept()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    (file,) = tmp_path.iterdir()
    saved = read_settings(file)
    assert isinstance(saved.request, GenerateRequest)
    assert (saved.request.seed, saved.index) == (1000, 2)
    qtbot.keyClick(panel, Qt.Key.Key_Delete)
    assert studio.history.is_deleted(record.id)


def test_a_picture_is_not_compared_with_itself(between: MainWindow) -> None:
    canvas = between.studio.canvas
    assert canvas.pane() is not None
    assert not canvas.can_compare  # no batch came before the one that is seen
