"""Keys where text is typed: Undo, Paste and Esc do what the field can't, or leave it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app.views import clipboard
from app.views.main_window import MainWindow
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import PATIENCE_MS, add_batch

CONTROL = Qt.KeyboardModifier.ControlModifier


def press(
    window: MainWindow, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    """A key as the window system sends it: shortcuts are asked first."""
    handle = window.windowHandle()
    assert handle is not None
    QTest.keyClick(handle, key, modifier)


@pytest.fixture
def search(window: MainWindow) -> QLineEdit:
    """The field that searches the history; it has the focus."""
    field = window.generate_room.history.search
    field.setFocus()
    assert QApplication.focusWidget() is field
    return field


def test_undo_reaches_the_window_where_nothing_was_typed(window: MainWindow, search: QLineEdit) -> None:
    studio = window.studio
    studio.delete_records(add_batch(studio)[:2])
    press(window, Qt.Key.Key_Z, CONTROL)
    assert studio.history.total == 4
    press(window, Qt.Key.Key_Y, CONTROL)
    assert studio.history.total == 2


def test_undo_in_a_field_takes_back_typing_first(window: MainWindow, search: QLineEdit) -> None:
    studio = window.studio
    studio.delete_records(add_batch(studio)[:2])
    QTest.keyClicks(search, "boot")
    press(window, Qt.Key.Key_Z, CONTROL)
    assert (search.text(), studio.history.total) == ("", 2)


def test_undo_in_a_number_is_that_of_its_setting(window: MainWindow, qtbot: QtBot) -> None:
    studio, entry = window.studio, window.generate_room.controls.steps.entry
    before = studio.settings.steps
    entry.setFocus()
    press(window, Qt.Key.Key_Up)
    assert studio.settings.steps == before + 1
    press(window, Qt.Key.Key_Z, CONTROL)
    assert studio.settings.steps == before


def test_a_picture_file_is_no_text_to_paste(window: MainWindow, search: QLineEdit, tmp_path: Path) -> None:
    file = tmp_path / "foreign.png"
    file.write_bytes(b"no picture")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    clipboard.put(data)
    press(window, Qt.Key.Key_V, CONTROL)
    assert search.text() == ""
    assert "foreign.png" in window.notices.shown[-1].text
    window.notices.dismiss_all()
    image = QMimeData()
    image.setImageData(QImage(2, 2, QImage.Format.Format_RGB32))
    clipboard.put(image)
    press(window, Qt.Key.Key_V, CONTROL)
    assert "has no settings to read" in window.notices.shown[-1].text


def test_the_path_of_a_picture_is_text_where_one_types(window: MainWindow, search: QLineEdit) -> None:
    QApplication.clipboard().setText("~nosuch/boot.png")
    press(window, Qt.Key.Key_V, CONTROL)
    assert search.text() == "~nosuch/boot.png"
    window.generate_room.canvas.setFocus()
    press(window, Qt.Key.Key_V, CONTROL)  # a home of nobody: said, not raised
    assert "no picture file" in window.notices.shown[-1].text


def test_esc_leaves_a_field_before_it_stops_anything(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    studio, field = window.studio, window.generate_room.history.search
    studio.generate()
    qtbot.waitUntil(lambda: studio.queue.running is not None, timeout=PATIENCE_MS)
    job = studio.queue.running
    assert job is not None
    field.setFocus()
    QTest.keyClicks(field, "boot")
    press(window, Qt.Key.Key_Escape)
    assert (field.text(), field.hasFocus()) == ("", True)
    press(window, Qt.Key.Key_Escape)
    assert not field.hasFocus()
    engine.open(2)
    qtbot.waitUntil(lambda: studio.canvas.progress.step > 0, timeout=PATIENCE_MS)
    assert studio.queue.running is not None  # neither has stopped it
    press(window, Qt.Key.Key_Escape)
    engine.open_all()
    qtbot.waitUntil(lambda: studio.queue.running is None, timeout=PATIENCE_MS)
    ended = studio.queue.job(job.id)
    assert ended is not None
    assert ended.state == "cancelled"


def test_problems_stay_until_they_are_closed(window: MainWindow) -> None:
    window.notices.dismiss_all()
    window.studio.notice.emit("That went wrong.", "bad", None)
    for number in range(3):
        window.studio.notice.emit(f"Note {number}.", "info", None)
    assert [notice.text for notice in window.notices.shown] == ["That went wrong.", "Note 1.", "Note 2."]
    for number in range(3):
        window.studio.notice.emit(f"And that, {number}.", "bad", None)
    window.studio.notice.emit("The newest is always seen.", "info", None)
    assert [notice.kind for notice in window.notices.shown] == ["bad"] * 4 + ["info"]


def test_closing_finishes_a_file_first(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    window = open_window()
    writer = window.studio.writer
    window.studio.writer._busy += 1  # as while a file is written
    window.close()
    assert window.isVisible()
    assert window.closing is None  # there is nothing to ask
    assert "closes when it is there" in window.notices.shown[-1].text
    writer._busy -= 1
    writer.written.emit([], "Saved.")
    assert not window.isVisible()


def test_the_window_stays_if_the_file_goes_wrong(
    open_window: Callable[..., MainWindow], qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    studio = window.studio
    (tmp_path / "file").write_text("x")
    assert studio.save_records(add_batch(studio)[:1], tmp_path / "file" / "boot.png")
    window.close()
    assert window.isVisible()
    qtbot.waitUntil(lambda: not studio.writer.busy, timeout=PATIENCE_MS)
    assert window.isVisible()
    assert window.notices.shown[-1].kind == "bad"
    window.close()
    assert not window.isVisible()
