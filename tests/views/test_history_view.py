"""The history panel: looking through, reusing, deleting and taking out pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.models.history import HistoryModel
from app.models.studio import Studio
from app.views.history_view import HistoryPanel
from engine.images import encode_png, read_settings
from engine.messages import PngImage
from engine.messages.encode import EncodeRequest, Photo
from tests.fake_engine import FakeEngine, fake_pictures
from tests.views.studio_kit import PATIENCE_MS, add_batch, finish, pixels, show, studio_with


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_with(qtbot, FakeEngine()) as made:
        add_batch(made, 4, seed=100, label=9, solver="genie")
        add_batch(made, 3, seed=200, label=0, solver="ddim")  # newer: rows 0 to 2
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> HistoryPanel:
    made = HistoryPanel(studio)
    show(qtbot, made, 260, 500)
    return made


def select(panel: HistoryPanel, *rows: int) -> None:
    model = panel.list.model()
    panel.list.setCurrentIndex(model.index(rows[0], 0))
    for row in rows[1:]:
        panel.list.selectionModel().select(model.index(row, 0), QItemSelectionModel.SelectionFlag.Select)


def center(panel: HistoryPanel, row: int) -> QPoint:
    return panel.list.visualRect(panel.list.model().index(row, 0)).center()


def test_thumbnails_are_painted_pixel_for_pixel(panel: HistoryPanel) -> None:
    screen = pixels(panel.list.viewport())
    assert panel.count.text() == "7 pictures"
    for row, number in ((0, 0), (2, 2), (4, 1)):
        middle, ratio = center(panel, row), panel.devicePixelRatioF()
        # 8x8 pictures at zoom 8: the first pixel is the picture's number, the rest is white.
        assert screen.pixelColor((middle + QPoint(-28, -28)) * ratio).red() == number
        assert screen.pixelColor((middle + QPoint(-20, -28)) * ratio).red() == 255


def test_double_click_applies_the_settings(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    viewport = panel.list.viewport()
    qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=center(panel, 5))
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=center(panel, 5))
    assert (studio.settings.solver, studio.settings.seed, studio.settings.count) == ("genie", 100, 4)
    assert studio.settings.pick == (9,)


def test_delete_is_at_once_and_can_be_undone(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    select(panel, 1, 2)
    with qtbot.waitSignal(studio.notice) as notice:
        qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert panel.count.text() == "5 pictures"
    assert panel.list.currentIndex().row() == 1  # the next one, ready for another Delete
    words, _, undo = notice.args
    assert words == "2 pictures deleted."
    undo()
    assert panel.count.text() == "7 pictures"
    assert [studio.history.record_at(row).seed for row in range(3)] == [200, 201, 202]


def test_all_that_is_selected_is_all_of_the_history(
    qtbot: QtBot, panel: HistoryPanel, studio: Studio
) -> None:
    add_batch(studio, 450)
    qtbot.waitUntil(lambda: studio.history.total == 457, timeout=PATIENCE_MS)
    studio.history.reload()
    assert studio.history.rowCount() < 457
    qtbot.keyClick(panel.list, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(panel.selected_ids()) == 457
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert studio.history.total == 0


def test_full_stop_stars_and_the_filter_finds_it(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    select(panel, 3)
    qtbot.keyClick(panel.list, Qt.Key.Key_Period)
    assert studio.history.index(3).data(HistoryModel.StarredRole) is True
    panel.starred.click()
    assert panel.count.text() == "1 picture"
    assert studio.history.record_at(0).seed == 100
    select(panel, 0)
    qtbot.keyClick(panel.list, Qt.Key.Key_Period)
    assert panel.stack.currentWidget() is panel.empty
    assert "filter" in panel.empty.text()
    panel.clear.click()
    assert panel.count.text() == "7 pictures"
    assert not panel.starred.isChecked()


def test_filters_and_search_narrow_it(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    panel.fold.click()
    assert panel.filters.isVisible()
    assert panel.fold.nextInFocusChain() is panel.filters.model  # built later, reached where it stands
    assert [panel.filters.label.itemText(i) for i in range(panel.filters.label.count())] == [
        "Every class",
        "Ankle boot (4)",
        "T-shirt (3)",
    ]
    panel.filters.label.setCurrentIndex(1)
    assert panel.count.text() == "4 pictures"
    panel.filters.solver.setCurrentIndex(panel.filters.solver.findData("ddim"))
    assert panel.stack.currentWidget() is panel.empty
    panel.clear.click()
    qtbot.keyClicks(panel.search, "ddim 201")
    qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    assert [studio.history.record_at(row).seed for row in range(studio.history.rowCount())] == [201]
    panel.clear.click()
    panel.filters.days.setCurrentIndex(1)  # today
    assert panel.count.text() == "7 pictures"


def test_a_picture_dragged_out_is_a_file_with_its_settings(panel: HistoryPanel, studio: Studio) -> None:
    select(panel, 4)
    mime = panel.list.model().mimeData(panel.list.selectedIndexes())
    (url,) = mime.urls()
    saved = read_settings(Path(url.toLocalFile()))
    assert saved.request.solver == "genie"
    assert saved.request.seeds[saved.index] == 101


def test_c_compares_the_two_selected(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    select(panel, 0, 3)
    qtbot.keyClick(panel.list, Qt.Key.Key_C)
    panes = studio.canvas.panes
    assert panes is not None
    assert [pane.request.solver for pane in panes] == ["genie", "ddim"]  # the older one is A


def test_return_shows_it_on_the_canvas(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    select(panel, 5)
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert studio.canvas.seed_of(studio.canvas.selected) == 102


def test_menu_copies_the_seed(panel: HistoryPanel) -> None:
    select(panel, 6)
    menu = panel.menu()
    actions = {action.text().partition("\t")[0]: action for action in menu.actions()}
    actions["Copy the seed"].trigger()
    assert QGuiApplication.clipboard().text() == "103"
    assert not actions["Compare with the canvas"].isEnabled()  # which is empty
    menu.deleteLater()


def test_what_was_encoded_has_no_seed_and_goes_back_into_the_edit_room(
    qtbot: QtBot, panel: HistoryPanel, studio: Studio
) -> None:
    picture = fake_pictures(1)
    request = EncodeRequest("fashion32", photos=(Photo(PngImage(encode_png(picture))),), labels=(None,))
    studio.history.add_pictures(request, picture)
    select(panel, 0)
    QGuiApplication.clipboard().setText("precious")
    menu = panel.menu()
    actions = {action.text().partition("\t")[0]: action for action in menu.actions()}
    assert not actions["Copy the seed"].isEnabled()
    assert not actions["Use the seed"].isEnabled()
    panel.copy_seed()
    assert QGuiApplication.clipboard().text() == "precious"
    menu.deleteLater()
    rooms: list[str] = []
    studio.room_wanted.connect(rooms.append)
    with qtbot.waitSignal(studio.edits.encode.cropping, timeout=PATIENCE_MS):
        qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=center(panel, 0))
        qtbot.mouseDClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=center(panel, 0))
    assert rooms == ["edit"]


def test_a_note_is_kept_when_its_picture_is_left_and_the_search_finds_it(
    qtbot: QtBot, panel: HistoryPanel, studio: Studio
) -> None:
    select(panel, 1)
    qtbot.keyClick(panel.list, Qt.Key.Key_I)
    dialog = panel._details
    assert dialog is not None
    qtbot.keyClicks(dialog.note, "for grandmother")
    select(panel, 2)
    assert dialog.note.text() == ""
    qtbot.keyClicks(dialog.note, "for aunt")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert [studio.history.record_at(row).note for row in range(3)] == ["", "for grandmother", "for aunt"]
    panel.search.setText("grandmother")
    qtbot.keyClick(panel.search, Qt.Key.Key_Return)
    assert [studio.history.record_at(row).seed for row in range(studio.history.rowCount())] == [201]


def test_c_with_one_selected_compares_it_with_the_canvas(
    qtbot: QtBot, panel: HistoryPanel, studio: Studio
) -> None:
    finish(qtbot, studio, count=2, seed=300, solver="heun")
    studio.canvas.select(1)
    row = studio.history.row_of(studio.history.record_at(2).id)
    assert row is not None
    select(panel, row)
    actions = [action.text().partition("\t")[0] for action in panel.menu().actions() if action.isEnabled()]
    assert "Compare with the canvas" in actions
    qtbot.keyClick(panel.list, Qt.Key.Key_C)
    panes = studio.canvas.panes
    assert panes is not None
    assert [pane.title for pane in panes] == ["DDIM 10, seed 200", "Heun 10, seed 301"]


def test_a_tooltip_has_the_titles_of_model_and_solver(panel: HistoryPanel) -> None:
    tip = panel.list.model().index(4, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip.splitlines()[:4] == ["Ankle boot", "Fashion 32", "GENIE, 10 steps", "Seed 101"]


def test_details_follow_the_selection(qtbot: QtBot, panel: HistoryPanel) -> None:
    select(panel, 0)
    qtbot.keyClick(panel.list, Qt.Key.Key_I)
    dialog = panel._details
    assert dialog is not None
    assert "Seed: 200" in dialog.panel.text()
    select(panel, 6)
    words = dialog.panel.text()
    assert "Seed: 103" in words
    assert "Class: Ankle boot" in words
    assert "Computed on: Fake CPU (cpu)" in words
    qtbot.keyClick(panel.list, Qt.Key.Key_I)
    assert not dialog.isVisible()


def test_a_new_result_appears_by_itself(qtbot: QtBot, panel: HistoryPanel, studio: Studio) -> None:
    add_batch(studio, 2, seed=300)
    assert panel.count.text() == "9 pictures"
    assert studio.history.record_at(0).seed == 300
