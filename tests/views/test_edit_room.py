"""The Edit room in the window: from a dropped file to a kept edit, with real clicks and keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QMenu
from pytestqt.qtbot import QtBot

from app.tour import inspection
from app.views.edit_room import EditRoom
from app.views.main_window import MainWindow
from app.views.picture_images import to_image
from engine.messages import Catalogue, Pictures
from tests.fake_edits import edit_scripts
from tests.fake_engine import FakeEngine, fake_catalogue
from tests.views.studio_kit import PATIENCE_MS, add_batch, drag, pixels


@pytest.fixture
def window(open_window: Callable[..., MainWindow]) -> MainWindow:
    window = open_window(FakeEngine(scripts=edit_scripts()))
    window.show_room("edit")
    return window


@pytest.fixture
def room(window: MainWindow) -> EditRoom:
    return window.edit_room


def photo(path: Path, level: int = 60, size: tuple[int, int] = (8, 8)) -> Path:
    image = Image.new("L", size, level)
    image.putpixel((3, 4), 180)
    image.save(path)
    return path


def drop(window: MainWindow, *paths: Path) -> None:
    window.take_files(list(paths), paths[0])


def encode(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Drop a picture, and press Return in the dialog."""
    room = window.edit_room
    drop(window, path)
    qtbot.waitUntil(lambda: room.dialog is not None and room.dialog.isVisible(), timeout=PATIENCE_MS)
    assert room.dialog is not None
    qtbot.keyClick(room.dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: room.edits.page == "round trip", timeout=PATIENCE_MS)
    window.activateWindow()  # without a window manager nobody else does


def use(qtbot: QtBot, room: EditRoom, tool: str) -> None:
    qtbot.mouseClick(room.panel.tools[tool], Qt.MouseButton.LeftButton)
    assert room.edits.pending.tool == tool


def settle(qtbot: QtBot, room: EditRoom) -> None:
    pending = room.edits.pending
    qtbot.waitUntil(lambda: pending.final and pending.strip is not None, timeout=PATIENCE_MS)


def shows(room: EditRoom, pane: int, picture: Pictures | None) -> bool:
    view = room.stage.linked
    rect = view.image_rect(pane)
    assert picture is not None
    return pixels(view).copy(rect) == to_image(picture).scaled(rect.size())


def is_well_made() -> bool:
    QApplication.processEvents()  # everything is laid out
    assert inspection.controls_without_a_name() == []
    assert inspection.controls_without_a_tooltip() == []
    assert inspection.cut_words() == []
    return True


def test_nothing_yet_says_what_this_is_for_and_has_an_example(
    qtbot: QtBot, window: MainWindow, room: EditRoom
) -> None:
    assert room.stage.stack.currentWidget() is room.stage.empty
    assert is_well_made()
    add_batch(window.studio, 1, label=9)
    qtbot.mouseClick(room.stage.empty.example, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: room.dialog is not None, timeout=PATIENCE_MS)
    assert room.dialog is not None
    assert room.dialog.label.currentText() == "Ankle boot"


def test_the_dialog_shows_the_exact_pixels_that_are_encoded(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    drop(window, photo(tmp_path / "a.png", size=(20, 12)))
    qtbot.waitUntil(lambda: room.dialog is not None and room.dialog.isVisible(), timeout=PATIENCE_MS)
    dialog = room.dialog
    assert dialog is not None
    assert is_well_made()
    qtbot.keyClick(dialog.view, Qt.Key.Key_Left)
    dialog.size_slider.setValue(9)
    dialog.invert.click()
    shown = dialog.model.pixels
    rect = dialog.preview.image_rect()
    assert pixels(dialog.preview).copy(rect) == to_image(shown).scaled(rect.size())
    dialog.label.setCurrentIndex(dialog.label.findText("Sneaker"))
    qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: room.edits.page == "round trip", timeout=PATIENCE_MS)
    node = room.edits.current
    assert node is not None
    assert room.edits.sessions.picture(node) == shown
    assert node.facts["label"] == 7


def test_leaving_the_dialog_opens_nothing(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    drop(window, photo(tmp_path / "a.png"))
    qtbot.waitUntil(lambda: room.dialog is not None and room.dialog.isVisible(), timeout=PATIENCE_MS)
    assert room.dialog is not None
    qtbot.keyClick(room.dialog, Qt.Key.Key_Escape)
    assert room.dialog is None
    assert room.edits.page == "empty"
    assert room.edits.encode.crop is None


def test_several_pictures_are_asked_for_the_class_that_the_model_needs(
    qtbot: QtBot, open_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    known = fake_catalogue()
    strict = dataclasses.replace(known.models[0], name="strict", title="Strict", null_label=False)
    catalogue = Catalogue((*known.models, strict), known.solvers)
    window = open_window(FakeEngine(scripts=edit_scripts(), catalogue=catalogue))
    window.show_room("edit")
    room = window.edit_room
    room.edits.settings.model = "strict"
    paths = [photo(tmp_path / f"{name}.png") for name in "ab"]
    drop(window, *paths)
    dialog = room.stage.dialog
    assert dialog is not None
    assert is_well_made()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert room.stage.dialog is None
    assert room.edits.page == "empty"
    drop(window, *paths)
    dialog = room.stage.dialog
    assert dialog is not None
    assert dialog.label.findText("No class") < 0
    dialog.label.setCurrentIndex(dialog.label.findText("Sneaker"))
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: room.edits.page == "round trip", timeout=PATIENCE_MS)
    assert [node.facts["label"] for node in room.edits.sessions.tree] == [7, 7]


def test_original_round_trip_and_difference_stand_beside_the_report(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    name = "a_name_of_many_words_" + "andoneverylongword" * 3
    encode(qtbot, window, photo(tmp_path / f"{name}.png"))
    node, sessions = room.edits.current, room.edits.sessions
    assert node is not None
    assert node.name.startswith(name)
    assert room.report.card.title.accessibleName() == node.name
    assert [pane.title for pane in room.stage.linked.panes] == ["Original", "Round trip", "Difference ×16"]
    assert shows(room, 0, sessions.picture(node))
    assert shows(room, 1, sessions.picture(node, "round_trip"))
    card = room.report.card
    assert "no eye sees a difference" in card.comes_back.words.text()
    assert card.noise.words.text() == "Looks like noise."
    qtbot.mouseClick(card.fold, Qt.MouseButton.LeftButton)
    assert card.table.isVisible()
    assert is_well_made()
    room.stage.linked.setFocus()
    qtbot.keyClick(room.stage.linked, Qt.Key.Key_D)
    assert len(room.stage.linked.panes) == 2
    place = (
        room.stage.linked.image_rect(0).topLeft() + QPoint(3, 4) * int(room.stage.linked.zoom) + QPoint(2, 2)
    )
    qtbot.mouseMove(room.stage.linked, place)
    assert room.stage.readout.text().startswith("3, 4:  180")


def test_an_exact_encode_tells_of_every_step_and_its_latent_can_be_saved(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    qtbot.mouseClick(room.panel.how.buttons["exact"], Qt.MouseButton.LeftButton)
    encode(qtbot, window, photo(tmp_path / "a.png"))
    card = room.report.card
    qtbot.mouseClick(card.fold, Qt.MouseButton.LeftButton)
    told = [label.accessibleName() for label in card.table.findChildren(QLabel)]
    assert "Step 1: 0.2, 5" in told
    assert "Step 10: 0.2, 5" in told
    assert is_well_made()
    node = room.edits.current
    assert node is not None
    menu = room.sessions.tree.menu(node)
    saving = next(action for action in menu.actions() if action.text() == "Save the latent…")
    assert saving.isEnabled()
    with qtbot.waitSignal(room.sessions.tree.latent_wanted, timeout=PATIENCE_MS):
        saving.trigger()
    dialog = room.sessions.findChild(QFileDialog)
    assert dialog is not None
    dialog.fileSelected.emit(str(tmp_path / "a.safetensors"))
    dialog.close()
    assert (tmp_path / "a.safetensors").is_file()


def test_ctrl_v_takes_a_picture_and_a_file(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    image = QImage(10, 8, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    QGuiApplication.clipboard().setImage(image)
    qtbot.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: room.dialog is not None, timeout=PATIENCE_MS)
    assert room.dialog is not None
    assert (room.dialog.model.name, room.dialog.model.width) == ("Pasted picture", 10)
    room.dialog.reject()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(photo(tmp_path / "b.png")))])
    QGuiApplication.clipboard().setMimeData(data)
    qtbot.mouseClick(room.panel.paste, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: room.dialog is not None, timeout=PATIENCE_MS)
    assert room.dialog is not None
    assert room.dialog.model.name == "b.png"
    room.dialog.reject()
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(room.panel.paste, Qt.MouseButton.LeftButton)
    assert "no picture on the clipboard" in room.panel.refusal.text()


def test_what_can_not_be_opened_is_said_beside_the_button(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    bad = tmp_path / "bad.png"
    bad.write_text("no")
    drop(window, bad)
    qtbot.waitUntil(lambda: room.panel.refusal.isVisible(), timeout=PATIENCE_MS)
    assert "bad.png" in room.panel.refusal.text()
    assert room.edits.page == "round trip"
    drop(window, photo(tmp_path / "good.png"))
    qtbot.waitUntil(lambda: room.dialog is not None, timeout=PATIENCE_MS)
    assert not room.panel.refusal.isVisible()
    assert room.dialog is not None
    room.dialog.reject()


def test_a_class_is_changed_live_and_kept_with_ctrl_enter(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    use(qtbot, room, "class")
    settle(qtbot, room)
    pending, slider = room.edits.pending, room.panel.strength.slider
    slider.setSliderDown(True)
    slider.setValue(25)
    qtbot.waitUntil(lambda: pending.state == "draft", timeout=PATIENCE_MS)
    assert "(draft)" in room.stage.linked.panes[1].title
    assert room.stage.line.left.text().startswith("Draft at 5 steps")
    slider.setSliderDown(False)
    settle(qtbot, room)
    assert shows(room, 1, pending.pictures)
    qtbot.mouseClick(
        room.stage.strip, Qt.MouseButton.LeftButton, pos=room.stage.strip.picture_rect(2).center()
    )
    assert pending.asked.strength == 0.3
    settle(qtbot, room)
    assert is_well_made()
    made = pending.pictures
    qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert room.edits.current is not None
    assert room.edits.sessions.picture(room.edits.current) == made
    assert [pane.title for pane in room.stage.linked.panes][:2] == ["a", room.edits.current.name]


def test_undo_and_redo_walk_the_tree_with_the_usual_keys(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    for tool in ("class", "vary"):
        use(qtbot, room, tool)
        settle(qtbot, room)
        room.edits.pending.keep()
    names = [node.name for node in room.edits.sessions.tree]
    control = Qt.KeyboardModifier.ControlModifier

    def here() -> str:
        assert room.edits.current is not None
        return room.edits.current.name

    qtbot.keyClick(window, Qt.Key.Key_Z, control)
    assert here() == names[1]
    qtbot.keyClick(window, Qt.Key.Key_Z, control)
    assert here() == names[0]
    qtbot.keyClick(window, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    assert here() == names[1]
    assert [node.name for node in room.edits.sessions.tree] == names


def test_the_tree_is_walked_renamed_and_pruned_by_keys(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    for _ in range(2):
        use(qtbot, room, "class")
        settle(qtbot, room)
        room.edits.pending.keep()
    tree, sessions = room.sessions.tree, room.edits.sessions
    tree.setFocus()
    qtbot.keyClick(tree, Qt.Key.Key_Left)
    assert sessions.current is not None
    assert tree.currentIndex().row() == 1
    qtbot.keyClick(tree, Qt.Key.Key_Up)
    assert sessions.current.parent is None
    qtbot.keyClick(tree, Qt.Key.Key_Right)
    assert tree.currentIndex().row() == 1
    sessions.rename_edit(sessions.current.id, "sneaker")
    assert tree.currentIndex().data() == "sneaker"
    menu = tree.menu(sessions.current)
    assert isinstance(menu, QMenu)
    menu.deleteLater()
    qtbot.keyClick(tree, Qt.Key.Key_Delete)
    assert len(sessions.tree) == 1
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(sessions.tree) == 3


def test_undo_is_offered_after_a_change_of_the_picture_looked_at(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    panel, sessions = room.sessions, room.edits.sessions
    root = sessions.current
    assert root is not None
    assert not panel.undo.isEnabled()
    sessions.rename_edit(root.id, "sneaker")
    assert panel.undo.isEnabled()
    qtbot.mouseClick(panel.undo, Qt.MouseButton.LeftButton)
    assert (panel.undo.isEnabled(), panel.redo.isEnabled()) == (False, True)
    sessions.delete_edit(root.id)
    assert panel.undo.isEnabled()
    qtbot.mouseClick(panel.undo, Qt.MouseButton.LeftButton)
    assert sessions.current is not None
    assert sessions.open(sessions.id)
    assert not panel.undo.isEnabled(), "a session begins with nothing done"


def test_a_mask_is_painted_and_ctrl_z_takes_the_stroke_back(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    use(qtbot, room, "mask")
    page, canvas = room.panel.mask_page, room.stage.mask_canvas
    assert canvas.isVisible()
    assert canvas.width() > 100
    assert "Paint over what may change first" in page.problem.text()
    assert is_well_made()
    drag(canvas, canvas.position_of(2, 2).toPoint(), canvas.position_of(6, 6).toPoint())
    settle(qtbot, room)
    assert not page.problem.isVisible()
    assert room.panel.keep.isEnabled()
    qtbot.mouseClick(page.brush.mode.buttons["erase"], Qt.MouseButton.LeftButton)
    assert canvas.erase
    qtbot.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert room.edits.pending.mask.empty
    page.import_file(str(photo(tmp_path / "m.png", size=(9, 9))))
    assert "9 x 9" in page.problem.text()


def test_closing_asks_before_strokes_are_lost(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    use(qtbot, room, "mask")
    canvas = room.stage.mask_canvas
    drag(canvas, canvas.position_of(2, 2).toPoint(), canvas.position_of(6, 6).toPoint())
    settle(qtbot, room)
    window.close()
    assert window.isVisible()
    assert window.closing is not None
    assert "painted" in window.closing.windowTitle()
    qtbot.mouseClick(window.closing.stay, Qt.MouseButton.LeftButton)
    assert window.isVisible()
    window.close()
    qtbot.mouseClick(window.closing.leave, Qt.MouseButton.LeftButton)
    assert not window.isVisible()


def test_variations_are_chosen_and_esc_leaves(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    use(qtbot, room, "vary")
    settle(qtbot, room)
    strip = room.stage.variations
    assert strip.count == 4
    qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.picture_rect(3).center())
    assert room.edits.pending.pictures is not None
    assert shows(room, 1, room.edits.pending.pictures.one(3))
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert room.edits.pending.tool == ""
    assert len(room.edits.sessions.tree) == 1


def test_a_direction_is_made_in_its_dialog(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    use(qtbot, room, "attribute")
    page = room.panel.pages["attribute"]
    qtbot.mouseClick(page.new, Qt.MouseButton.LeftButton)  # type: ignore[attr-defined]
    dialog = page.dialog  # type: ignore[attr-defined]
    assert is_well_made()
    qtbot.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    assert "name" in dialog.problem.text()
    qtbot.keyClicks(dialog.name, "sleeves")
    qtbot.mouseClick(dialog.make, Qt.MouseButton.LeftButton)
    settle(qtbot, room)
    assert page.choice.currentText() == "sleeves"  # type: ignore[attr-defined]


def test_error_versus_steps_is_measured_and_left_with_esc(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    encode(qtbot, window, photo(tmp_path / "a.png"))
    qtbot.mouseClick(room.stage.plot_button, Qt.MouseButton.LeftButton)
    page = room.stage.plot_page
    assert page.isVisible()
    qtbot.mouseClick(page.measure, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "GENIE" in page.plot.accessibleDescription(), timeout=PATIENCE_MS)
    assert is_well_made()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert room.stage.linked.isVisible()


def test_sessions_are_listed_opened_and_put_away(
    qtbot: QtBot, window: MainWindow, room: EditRoom, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        encode(qtbot, window, photo(tmp_path / f"{name}.png", 60 if name == "one" else 90))
        qtbot.waitUntil(lambda name=name: room.edits.sessions.name == name, timeout=PATIENCE_MS)
    choice = room.sessions.choice
    assert [choice.itemText(i) for i in range(choice.count())] == ["New session", "two", "one"]
    choice.setCurrentIndex(2)
    choice.activated.emit(2)
    assert room.edits.sessions.name == "one"
    choice.setCurrentIndex(0)
    choice.activated.emit(0)
    assert room.edits.page == "empty"


def test_send_to_edit_from_the_history(qtbot: QtBot, window: MainWindow) -> None:
    window.show_room("generate")
    add_batch(window.studio, 2, label=5)
    history = window.generate_room.history
    history.list.setCurrentIndex(history.list.model().index(0, 0))
    menu = history.menu()
    [action] = [action for action in menu.actions() if action.text() == "Send to Edit"]
    action.trigger()
    menu.deleteLater()
    assert window.room == "edit"
    room = window.edit_room
    qtbot.waitUntil(lambda: room.dialog is not None, timeout=PATIENCE_MS)
    assert room.dialog is not None
    assert room.dialog.label.currentText() == "Sandal"


def test_a_picture_dragged_out_of_another_program_is_opened(qtbot: QtBot, window: MainWindow) -> None:
    window.show_room("edit")
    data = QMimeData()
    data.setImageData(QImage(8, 8, QImage.Format.Format_Grayscale8))
    where, left = window.rect().center(), Qt.MouseButton.LeftButton
    none, copy = Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    enter = QDragEnterEvent(where, copy, data, left, none)
    enter.ignore()
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(where.toPointF(), copy, data, left, none))
    dialog = window.edit_room
    qtbot.waitUntil(lambda: dialog.dialog is not None and dialog.dialog.isVisible(), timeout=PATIENCE_MS)
