"""Upsampling in the window: the button, the dialog, the switch, the history's menu, pictures of one's own."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app.models.blocks import enlarged
from app.models.studio import Studio
from app.views.main_window import MainWindow
from app.views.picture_images import to_image
from app.views.upsample_dialog import UpsampleDialog
from app.views.upsample_file import FileUpsampler
from engine.images import save
from engine.messages import Pictures, Upsampled
from engine.upsample_requests import settings_of
from tests.fake_engine import fake_pictures
from tests.models.test_upsampling import LARGE, Upsampler, asked
from tests.views.studio_kit import PATIENCE_MS, drag, finish

LEFT = Qt.MouseButton.LeftButton
Open = Callable[..., MainWindow]


@pytest.fixture
def engine() -> Upsampler:
    return Upsampler()


@pytest.fixture
def window(open_window: Open, engine: Upsampler) -> MainWindow:
    return open_window(engine)


def large(qtbot: QtBot, studio: Studio) -> Upsampled:
    qtbot.waitUntil(lambda: isinstance(studio.canvas.result, Upsampled), timeout=PATIENCE_MS)
    assert isinstance(studio.canvas.result, Upsampled)
    return studio.canvas.result


def opened(window: MainWindow, qtbot: QtBot) -> UpsampleDialog:
    """The dialog for the pictures on the canvas, by its button."""
    canvas = window.generate_room.canvas
    qtbot.mouseClick(canvas.buttons["upsample"], LEFT)
    assert canvas.upsampling is not None
    assert canvas.upsampling.isVisible()
    return canvas.upsampling


def test_the_button_is_there_only_where_an_upsampler_is(window: MainWindow, qtbot: QtBot) -> None:
    button = window.generate_room.canvas.buttons["upsample"]
    assert not button.isVisible()
    finish(qtbot, window.studio, model="plain", count=1)
    assert not button.isVisible()
    finish(qtbot, window.studio, model="fashion32", count=2)
    assert button.isVisible()


def test_all_pictures_by_the_dialog(window: MainWindow, qtbot: QtBot, engine: Upsampler) -> None:
    studio = window.studio
    finish(qtbot, studio, model="fashion32", count=3, seed=4)
    dialog = opened(window, qtbot)
    assert "8 × 8 → 32 × 32 by Fashion 32 large" in dialog.caption.text()
    small = studio.canvas.picture(0)
    assert small is not None
    assert dialog.view.image == to_image(enlarged(small, LARGE))  # the exact pixels, in the size to come
    assert dialog.steps.value == 5
    assert dialog.plan.text() == "1 picture, 5 evaluations"
    qtbot.mouseClick(dialog.which.buttons["all"], LEFT)
    assert dialog.plan.text() == "3 pictures, 5 evaluations each"
    dialog.steps.entry.setFocus()
    dialog.steps.entry.selectAll()
    QTest.keyClicks(dialog.steps.entry, "3")
    assert dialog.plan.text() == "3 pictures, 3 evaluations each"
    qtbot.mouseClick(dialog.accept_button, LEFT)
    assert large(qtbot, studio).pictures.count == 3
    assert asked(engine)[0].steps == 3
    canvas = window.generate_room.canvas
    qtbot.waitUntil(lambda: "seed 5" in canvas.caption(1))
    assert not canvas.buttons["upsample"].isVisible()  # it is large already


def test_noise_and_seeds_lie_under_advanced(window: MainWindow, qtbot: QtBot, engine: Upsampler) -> None:
    finish(qtbot, window.studio, model="fashion32", count=1, seed=4)
    dialog = opened(window, qtbot)
    assert dialog.which.isHidden()
    assert not dialog.advanced.isVisible()
    qtbot.mouseClick(dialog.fold, LEFT)
    assert dialog.advanced.isVisible()
    dialog.activateWindow()
    assert float(dialog.aug_level.entry.text()) == 0.05  # what suits the upsampler
    dialog.aug_level.entry.setFocus()
    qtbot.waitUntil(dialog.aug_level.entry.hasFocus)
    dialog.aug_level.entry.selectAll()
    QTest.keyClicks(dialog.aug_level.entry, "0.25")
    assert dialog.consistent.isChecked()  # suits it as well
    qtbot.mouseClick(dialog.consistent, LEFT, pos=QPoint(10, dialog.consistent.height() // 2))
    assert not dialog.consistent.isChecked()
    entry = dialog.aug_seed.control
    assert isinstance(entry, QLineEdit)
    QTest.keyClicks(entry, "12x")
    assert "whole number" in dialog.aug_seed.error.text()
    qtbot.mouseClick(dialog.accept_button, LEFT)
    assert dialog.isVisible()  # what is wrong keeps it open
    entry.clear()
    QTest.keyClicks(entry, "12")
    assert dialog.aug_seed.error.text() == ""
    qtbot.mouseClick(dialog.accept_button, LEFT)
    large(qtbot, window.studio)
    assert (asked(engine)[0].aug_level, asked(engine)[0].aug_seed, asked(engine)[0].seed) == (0.25, 12, 4)
    assert not asked(engine)[0].consistent


def test_what_was_changed_is_seen_and_put_back(window: MainWindow, qtbot: QtBot, engine: Upsampler) -> None:
    model = window.studio.upsampling
    finish(qtbot, window.studio, model="fashion32", count=1, seed=4)
    dialog = opened(window, qtbot)
    assert not dialog.put_back.isEnabled()
    assert dialog.put_back.accessibleName()
    assert dialog.put_back.toolTip()
    dialog.reject()
    for name, value in (("steps", 9), ("aug_level", 0.5), ("consistent", False), ("seed", 77)):
        model.set_value(name, value)
    dialog = opened(window, qtbot)
    assert dialog.advanced.isVisible()
    entry = dialog.seed.control
    assert isinstance(entry, QLineEdit)
    assert entry.text() == "77"
    entry.setFocus()
    QTest.keyClicks(entry, "x")
    assert dialog.seed.error.text()
    qtbot.mouseClick(dialog.put_back, LEFT)
    assert not model.differs()
    assert not dialog.put_back.isEnabled()
    assert (dialog.steps.value, dialog.aug_level.value, dialog.consistent.isChecked()) == (5, 0.05, True)
    assert (entry.text(), dialog.seed.error.text()) == ("", "")
    assert dialog.plan.text() == "1 picture, 5 evaluations"
    qtbot.mouseClick(dialog.accept_button, LEFT)
    large(qtbot, window.studio)
    assert (asked(engine)[0].steps, asked(engine)[0].seed) == (5, 4)
    finish(qtbot, window.studio, model="fashion32", count=1, seed=5)
    assert not opened(window, qtbot).advanced.isVisible()


def test_the_key_and_the_history_menu(window: MainWindow, qtbot: QtBot, engine: Upsampler) -> None:
    studio = window.studio
    finish(qtbot, studio, model="fashion32", count=2, seed=4)
    canvas, history = window.generate_room.canvas, window.generate_room.history
    canvas.grid.setFocus()
    QTest.keyClick(canvas.grid, Qt.Key.Key_U)
    assert canvas.upsampling is not None
    canvas.upsampling.reject()
    history.list.setCurrentIndex(studio.history.index(1))
    titles = {action.text(): action for action in history.menu().actions()}
    action = next(action for title, action in titles.items() if title.startswith("Upsample"))
    assert action.isEnabled()
    action.trigger()
    assert history.upsampling is not None
    assert history.upsampling.isVisible()
    qtbot.mouseClick(history.upsampling.accept_button, LEFT)
    large(qtbot, studio)
    assert asked(engine)[0].seed == 5
    qtbot.waitUntil(lambda: studio.history.record_at(0).kind == "upsample", timeout=PATIENCE_MS)
    history.list.setCurrentIndex(studio.history.index(0))
    enabled = {action.text(): action.isEnabled() for action in history.menu().actions()}
    assert not next(on for title, on in enabled.items() if title.startswith("Upsample"))
    assert "Upsampled" in studio.history.index(0).data(Qt.ItemDataRole.ToolTipRole)


def test_the_history_can_be_filtered_by_the_way_pictures_were_made(window: MainWindow, qtbot: QtBot) -> None:
    studio = window.studio
    finish(qtbot, studio, model="fashion32", count=2)
    small = studio.upsampling.of_canvas()
    assert small is not None
    studio.upsampling.submit(small)
    large(qtbot, studio)
    qtbot.waitUntil(lambda: studio.history.total == 4, timeout=PATIENCE_MS)
    history = window.generate_room.history
    assert [history.filters.kind.itemText(i) for i in range(history.filters.kind.count())] == [
        "Any way",
        "Generated (2)",
        "Upsampled (2)",
    ]
    history.filters.kind.setCurrentIndex(2)
    assert studio.history.total == 2
    history.show_everything()
    assert studio.history.total == 4


def test_the_switch_on_the_panel(window: MainWindow, qtbot: QtBot, engine: Upsampler) -> None:
    studio, panel = window.studio, window.generate_room.controls
    studio.settings.set_values({"model": "fashion32", "count": 1})
    assert panel.upsample is not None
    assert panel.upsample.isVisible()
    assert panel.upsample.switch.text() == "32 × 32"
    panel.upsample.switch.click()
    assert studio.upsampling.auto
    qtbot.mouseClick(panel.generate, LEFT)
    large(qtbot, studio)
    studio.settings.model = "plain"
    assert panel.upsample.isHidden()


def photograph(path: Path) -> Pictures:
    """20 x 12 pixels, dark to the left and a square of light to the right."""
    row = bytes([20] * 8 + [230] * 12)
    picture = Pictures(1, 20, 12, 1, row * 12)
    save(path, picture)
    return picture


def test_a_picture_of_ones_own_is_cut_and_upsampled(
    window: MainWindow, qtbot: QtBot, engine: Upsampler, tmp_path: Path
) -> None:
    photograph(tmp_path / "boot.png")
    window.take_files([tmp_path / "boot.png"], tmp_path / "boot.png")
    opener = window.file_upsampler
    assert opener is not None
    qtbot.waitUntil(lambda: opener.dialog is not None, timeout=PATIENCE_MS)
    dialog = opener.dialog
    assert dialog is not None
    assert dialog.crop is not None
    assert dialog.crop_view is not None
    assert dialog.exact.image == to_image(dialog.crop.pixels)
    assert "brought to 8 pixels" in dialog.caption.text()
    view = dialog.crop_view
    middle = view.square().center().toPoint()
    drag(view, middle, middle + QPoint(400, 0))  # to the right: all light
    assert set(dialog.crop.pixels.data) == {230}
    assert dialog.exact.image == to_image(dialog.crop.pixels)
    qtbot.mouseClick(dialog.accept_button, LEFT)
    result = large(qtbot, window.studio)
    assert set(result.sources.data) == {230}


def test_a_picture_that_fits_is_given_as_it_is(
    window: MainWindow, qtbot: QtBot, engine: Upsampler, tmp_path: Path
) -> None:
    exact = fake_pictures(1, 99)
    save(tmp_path / "exact.png", exact)
    assert window.upsample_file(tmp_path / "exact.png")
    opener = window.file_upsampler
    assert opener is not None
    qtbot.waitUntil(lambda: opener.dialog is not None, timeout=PATIENCE_MS)
    assert opener.dialog is not None
    assert "brought to" not in opener.dialog.caption.text()
    qtbot.mouseClick(opener.dialog.accept_button, LEFT)
    assert large(qtbot, window.studio).sources == exact


def test_what_is_no_picture_is_said(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    window.upsample_file(tmp_path / "torn.png")
    qtbot.waitUntil(lambda: bool(window.notices.shown), timeout=PATIENCE_MS)
    assert "torn.png" in window.notices.shown[-1].text


def ended(window: MainWindow, qtbot: QtBot, path: Path, end: str) -> weakref.ref[Image.Image]:
    """Opens the dialog for a picture and leaves it; the picture, if it is still there."""
    assert window.upsample_file(path)
    opener = window.file_upsampler
    assert opener is not None
    qtbot.waitUntil(lambda: opener.dialog is not None, timeout=PATIENCE_MS)
    dialog = opener.dialog
    assert dialog is not None
    assert dialog._image is not None
    picture = weakref.ref(dialog._image)
    getattr(dialog, end)()
    assert window.file_upsampler is None
    return picture


def test_the_photograph_is_let_go_when_the_dialog_closes(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    photograph(tmp_path / "boot.png")
    (tmp_path / "torn.png").write_bytes(b"no picture")
    pictures = [ended(window, qtbot, tmp_path / "boot.png", end) for end in ("reject", "accept")]
    window.upsample_file(tmp_path / "torn.png")
    qtbot.waitUntil(lambda: window.file_upsampler is None, timeout=PATIENCE_MS)
    large(qtbot, window.studio)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert window.findChildren(FileUpsampler) == []
    assert window.findChildren(UpsampleDialog) == []
    gc.collect()
    assert [picture() for picture in pictures] == [None, None]


def test_a_dropped_picture_of_another_task_is_offered_where_it_has_the_size_for_it(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    finish(qtbot, window.studio, model="fashion32", count=1)
    qtbot.mouseClick(opened(window, qtbot).accept_button, LEFT)
    result = large(qtbot, window.studio)
    file = tmp_path / "large.png"
    with qtbot.waitSignal(window.studio.writer.written, timeout=PATIENCE_MS):
        window.studio.save_images([0], file)
    window.take_files([file], file)
    assert window.file_upsampler is None
    said = window.notices.shown[-1].text
    assert "another task (Upsampled)" in said
    assert "Edit room" in said
    assert "Upsample a picture of your own" in said

    small = tmp_path / "small.png"
    save(small, result.sources, settings_of(result, 0))
    window.take_files([small], small)
    opener = window.file_upsampler
    assert opener is not None
    qtbot.waitUntil(lambda: opener.dialog is not None, timeout=PATIENCE_MS)


@pytest.mark.parametrize("suffix", [".bmp", ".tiff"])
def test_what_the_chooser_takes_can_be_dropped(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, suffix: str
) -> None:
    file = tmp_path / f"boot{suffix}"
    Image.new("L", (8, 8), 60).save(file)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    none = Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(600, 300), Qt.DropAction.CopyAction, data, LEFT, none))
    opener = window.file_upsampler
    assert opener is not None
    qtbot.waitUntil(lambda: opener.dialog is not None, timeout=PATIENCE_MS)


def test_without_an_upsampler_a_plain_picture_is_only_explained(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    photograph(tmp_path / "boot.png")
    window.take_files([tmp_path / "boot.png"], tmp_path / "boot.png")
    assert "carries no settings" in window.notices.shown[-1].text
    window.choose_upsample_file()
    assert "Models room" in window.notices.shown[-1].text
