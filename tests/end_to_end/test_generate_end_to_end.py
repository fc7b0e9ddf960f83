"""From a click to a file, through everything: window, engine thread, history, PNG, command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.main import main
from app.models.studio import Studio
from app.store import history_path, open_store
from app.views.class_picker import ClassPicker
from app.views.main_window import MainWindow
from engine.images import from_pil, read_settings
from engine.messages import GenerateRequest
from tests.end_to_end.conftest import PATIENCE_MS, close

OpenWindow = Callable[[], MainWindow]


def key(key_: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    target = QApplication.activePopupWidget() or QApplication.focusWidget()
    assert target is not None
    QTest.keyClick(target.focusWidget() or target, key_, modifiers)


def fill(entry: object, text: str) -> None:
    entry.setFocus()  # type: ignore[attr-defined]
    entry.selectAll()  # type: ignore[attr-defined]
    QTest.keyClicks(entry, text)  # type: ignore[call-overload]


def done(studio: Studio) -> bool:
    return studio.queue.running is None and not studio.queue.pending and not studio.history.waiting


def generate(qtbot: QtBot, window: MainWindow) -> None:
    """Ctrl+Enter, and until it is done and kept."""
    before = window.studio.history.total
    key(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: done(window.studio) and window.studio.history.total > before, timeout=PATIENCE_MS)


def test_a_picture_made_by_hand_is_made_again_by_its_file(
    qtbot: QtBot, open_window: OpenWindow, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = open_window()
    studio, controls = window.studio, window.generate_room.controls
    # The model, from its list.
    qtbot.mouseClick(controls.model.card, Qt.MouseButton.LeftButton)
    card = next(c for c in controls.model.cards if c.info is not None and c.info.name == "tiny")
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert studio.settings.model == "tiny"
    # The class, by typing.
    row = controls.rows["pick"]
    assert isinstance(row, ClassPicker)
    qtbot.mouseClick(row.button, Qt.MouseButton.LeftButton)
    assert row.popup is not None
    QTest.keyClicks(row.popup.search, "boat")
    QTest.keyClick(row.popup.search, Qt.Key.Key_Return)
    row.popup.close()
    assert studio.settings.pick == (1,)
    fill(controls.seed.entry, "77")
    generate(qtbot, window)
    request = studio.canvas.request
    assert request is not None
    assert (request.model, request.seed, set(request.labels)) == ("tiny", 77, {1})
    assert studio.history.total == request.count == 16
    # The fourth picture, from the history, saved by its dialog.
    row_of_four = next(r for r in range(16) if studio.history.record_at(r).index == 3)
    panel = window.generate_room.history
    panel.list.setCurrentIndex(studio.history.index(row_of_four))
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_S)
    dialog = panel._save_dialog
    assert dialog is not None
    fill(dialog.folder, str(tmp_path / "saved"))
    fill(dialog.name, "boat")
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    saved = tmp_path / "saved" / "boat.png"
    assert read_settings(saved).request == request
    assert studio.canvas.picture(3) == picture(saved)
    # And again from the file alone, without a window.
    capsys.readouterr()
    assert main(["generate", "--from", str(saved), "--out", str(tmp_path / "again"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    again = sorted((tmp_path / "again").glob("*.png"))
    assert len(again) == 1, told
    assert picture(again[0]) == picture(saved)


def picture(file: Path) -> object:
    with Image.open(file) as image:
        return from_pil(image)


def test_settings_and_history_come_back(qtbot: QtBot, open_window: OpenWindow) -> None:
    window = open_window()
    controls = window.generate_room.controls
    fill(controls.count.entry, "3")
    fill(controls.seed.entry, "5")
    qtbot.mouseClick(controls.preset.segments.buttons["draft"], Qt.MouseButton.LeftButton)
    generate(qtbot, window)
    pictures = window.studio.canvas.pictures
    assert pictures is not None
    kept = window.studio.settings.to_dict()
    ids = [window.studio.history.record_at(r).id for r in range(3)]
    close(window)

    again = open_window()
    studio = again.studio
    assert studio.settings.to_dict() == kept
    assert (studio.settings.steps, studio.settings.count, studio.settings.seed) == (5, 3, 5)
    assert [studio.history.record_at(r).id for r in range(studio.history.rowCount())] == ids
    rows = sorted(range(3), key=lambda r: studio.history.record_at(r).index)
    for index, row in enumerate(rows):
        assert studio.history.pictures(studio.history.record_at(row).id) == pictures.one(index)
    assert studio.canvas.state == "empty"


def test_closing_in_the_middle_keeps_what_is_finished(
    qtbot: QtBot, home: Path, open_window: OpenWindow
) -> None:
    window = open_window()
    studio = window.studio
    # Sixteen at a time go through the network: the first are finished while the others are made.
    request = GenerateRequest("tiny", seed=3, labels=(0,) * 200, solver="ddim", steps=30, batch=16)
    studio.queue.add(request)
    qtbot.waitUntil(lambda: studio.canvas.progress.first >= 32, timeout=PATIENCE_MS)
    finished = studio.canvas.progress.first
    close(window)

    store = open_store(history_path())
    kept = store.count()
    store.close()
    assert finished <= kept < 200
    assert kept % 16 == 0

    again = open_window()  # the job that was cut off begins anew
    assert [job.request for job in again.studio.queue.jobs] == [request]
    again.studio.stop()
    qtbot.waitUntil(lambda: done(again.studio), timeout=PATIENCE_MS)


def test_the_process_ends_when_its_window_is_closed_in_the_middle(root: Path, home: Path) -> None:
    code = """
import sys
from PySide6.QtCore import QTimer
from app import main
from app.models.studio import Studio
from app.views.main_window import MainWindow
from engine.messages import GenerateRequest

shown = MainWindow.showEvent

def show(self, event):
    shown(self, event)
    self.studio.queue.add(GenerateRequest("tiny", labels=(0,) * 16, solver="ddim", steps=1000))
    poll = QTimer(self)
    poll.timeout.connect(lambda: self.studio.canvas.progress.evaluations > 5 and self.close_anyway())
    poll.start(5)

MainWindow.showEvent = show
sys.exit(main.main([]))
"""
    environment = {
        **os.environ, "GENIE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    complaints = [line for line in ended.stderr.splitlines() if "This plugin does not support" not in line]
    assert complaints == []
