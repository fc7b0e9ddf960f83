"""The Traverse room with real clicks and keys: pad, track, curve, shelf, keyframe panel, render."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.models.history import RECORDS_MIME
from app.models.studio import Studio
from app.models.traverse.spots import Spot, short_id, spots_to_mime
from app.tour import inspection
from app.views import theme
from app.views.main_window import MainWindow
from app.views.traverse.easing_editor import EasingEditor
from app.views.traverse.room import TraverseRoom
from app.views.traverse.track import tick_seconds
from engine.messages import GenerateRequest, SeedLatent
from engine.walk import ease
from tests.fake_engine import CLASSES, fake_result
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, shade, spot, studio_of
from tests.views.studio_kit import drag, pixels, show

_LEFT, _NO = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


@pytest.fixture
def engine() -> WalkingEngine:
    return WalkingEngine()


@pytest.fixture
def studio(qtbot: QtBot, engine: WalkingEngine) -> Iterator[Studio]:
    theme.current().install("dark")
    theme.current().set_still(True)
    with studio_of(qtbot, engine) as made:
        yield made


@pytest.fixture
def room(qtbot: QtBot, studio: Studio) -> TraverseRoom:
    made = TraverseRoom(studio)
    show(qtbot, made, 1200, 760).activateWindow()
    return made


def drawn(seed: int) -> Spot:
    """A latent that has its picture."""
    from app.models.traverse.pictures import thumbnail_of
    from tests.fake_engine import fake_pictures

    return dataclasses.replace(spot(seed), thumbnail=thumbnail_of(fake_pictures(1, 5)))


def drop(widget: QWidget, mime: QMimeData, at: QPointF) -> bool:
    """Let something fall on a widget."""
    copy = Qt.DropAction.CopyAction
    enter = QDragEnterEvent(at.toPoint(), copy, mime, _LEFT, _NO)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    QApplication.sendEvent(widget, QDropEvent(at, copy, mime, _LEFT, _NO))
    return True


def four_pins(qtbot: QtBot, room: TraverseRoom) -> None:
    room.traverse.pad.add_pins([drawn(seed) for seed in range(4)])
    qtbot.waitUntil(lambda: room.traverse.pad.state == "done", timeout=PATIENCE_MS)


def three_keys(room: TraverseRoom) -> list[int]:
    return room.traverse.timeline.add([drawn(seed) for seed in range(3)])


# --- the pad


def test_a_drag_on_the_pad_shows_pictures_on_the_stage(
    qtbot: QtBot, room: TraverseRoom, engine: WalkingEngine
) -> None:
    four_pins(qtbot, room)
    pad = room.pad
    start, end = pad.place_of(0.5, 0.5).toPoint(), pad.place_of(0.25, 0.75).toPoint()
    engine.drawn.clear()
    drag(pad, start, end)
    assert room.traverse.pad.position == pytest.approx((0.25, 0.75), abs=0.01)
    qtbot.waitUntil(lambda: room.traverse.pad.state == "done", timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not room.traverse.pad.picture_is_draft, timeout=PATIENCE_MS)
    wanted = shade(engine.drawn[-1].points[0], 10)
    picture = pixels(room.stage.view)
    assert picture.pixelColor(room.stage.view.image_rect().center()).red() == wanted
    assert room.stage.note.text() == "Full quality"


def test_the_pad_tells_its_rate_while_it_is_dragged(qtbot: QtBot, room: TraverseRoom) -> None:
    four_pins(qtbot, room)
    pad = room.pad
    qtbot.mousePress(pad, _LEFT, pos=pad.place_of(0.4, 0.4).toPoint())
    for step in range(8):
        room.traverse.pad.move_to(0.4 + step / 50, 0.4)
        count = len(room.traverse.pad.delays)
        qtbot.waitUntil(lambda count=count: len(room.traverse.pad.delays) > count, timeout=PATIENCE_MS)
    assert "pictures a second" in room.stage.note.text()
    qtbot.mouseRelease(pad, _LEFT, pos=pad.place_of(0.56, 0.4).toPoint())


def test_latents_are_let_go_on_the_pad(qtbot: QtBot, room: TraverseRoom, studio: Studio) -> None:
    pad = room.pad
    assert drop(pad, spots_to_mime([drawn(1)]), pad.place_of(0.05, 0.04))
    assert drop(pad, spots_to_mime([drawn(2)]), pad.place_of(0.6, 0.5))
    pins = room.traverse.pad.pins
    assert (pins[0].x, pins[0].y) == (0, 0)  # close to a corner is the corner
    assert (pins[1].x, pins[1].y) == pytest.approx((0.6, 0.5), abs=0.01)
    drop(pad, spots_to_mime([drawn(3)]), pad.pin_rect(pins[1]).center())
    assert room.traverse.pad.pins[1].spot.source == SeedLatent(3)
    ids = studio.history.add_result(fake_result(GenerateRequest(MODEL, seed=70, labels=(1,))), CLASSES)
    mime = QMimeData()
    mime.setData(RECORDS_MIME, str(ids).encode())
    assert drop(pad, mime, pad.place_of(0.3, 0.9))
    assert room.traverse.pad.pins[2].spot.source == SeedLatent(70)
    text = QMimeData()
    text.setText("hello")
    assert not drop(pad, text, pad.place_of(0.5, 0.5))


def test_the_pad_by_keys(qtbot: QtBot, room: TraverseRoom) -> None:
    four_pins(qtbot, room)
    pad, model = room.pad, room.traverse.pad
    pad.setFocus()
    qtbot.keyClick(pad, Qt.Key.Key_Right)
    qtbot.keyClick(pad, Qt.Key.Key_Up, SHIFT)
    assert model.position == pytest.approx((0.52, 0.4))
    qtbot.keyClick(pad, Qt.Key.Key_PageDown)
    qtbot.keyClick(pad, Qt.Key.Key_PageDown)
    assert pad.accessibleDescription() == "Pin 2 of 4: Seed 1"
    qtbot.keyClick(pad, Qt.Key.Key_Return)
    assert model.position == (1, 0)
    assert pad.accessibleDescription() == "100 % Seed 1"
    qtbot.keyClick(pad, Qt.Key.Key_Delete)
    assert [pin.spot.name for pin in model.pins] == ["Seed 0", "Seed 2", "Seed 3"]
    qtbot.keyClick(pad, Qt.Key.Key_Space)
    assert model.drifting
    assert room.drift.isChecked()
    assert room.take_escape()
    assert not model.drifting
    assert not room.take_escape()


def test_a_pin_is_dragged(qtbot: QtBot, room: TraverseRoom) -> None:
    four_pins(qtbot, room)
    pad, model = room.pad, room.traverse.pad
    model.move_to(0.5, 0.5)
    corner = pad.pin_rect(model.pins[0]).center().toPoint()
    drag(pad, corner, corner + QPoint(40, 30))
    assert model.pins[0].x > 0.1
    assert model.pins[0].y > 0.05
    assert model.position == (0.5, 0.5)


def test_the_menu_of_a_pin(qtbot: QtBot, room: TraverseRoom) -> None:
    four_pins(qtbot, room)
    menu = room.pad.menu(2)
    actions = {action.text(): action for action in menu.actions()}
    actions["Put it on the shelf"].trigger()
    actions["Add it as a keyframe"].trigger()
    actions["Take the pin away"].trigger()
    menu.close()
    assert room.traverse.shelf.everything[0].source == SeedLatent(2)
    assert len(room.traverse.timeline.keys) == 1
    assert len(room.traverse.pad.pins) == 3


# --- the track


def test_scrubbing_shows_the_walk(qtbot: QtBot, room: TraverseRoom) -> None:
    three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    drafts = room.traverse.drafts
    qtbot.waitUntil(lambda: set(drafts.levels()) == {2}, timeout=PATIENCE_MS)
    drag(track, QPoint(round(track.x_of(0.5)), 8), QPoint(round(track.x_of(3)), 8))
    assert line.frame / line.fps == pytest.approx(3, abs=0.05)
    assert room.traverse.stage == "walk"
    point = line.point(line.frame)
    assert point is not None
    middle = pixels(room.stage.view).pixelColor(room.stage.view.image_rect().center())
    assert middle.red() == shade(point, 10)
    assert room.stage.note.text().endswith("full quality")


def test_keyframes_are_selected_and_dragged(qtbot: QtBot, room: TraverseRoom, studio: Studio) -> None:
    ids = three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    qtbot.mouseClick(track, _LEFT, pos=track.key_rect(0).center().toPoint())
    qtbot.mouseClick(track, _LEFT, CTRL, track.key_rect(2).center().toPoint())
    assert line.selected == {ids[0], ids[2]}
    qtbot.mouseClick(track, _LEFT, SHIFT, track.key_rect(1).center().toPoint())
    assert line.selected == {ids[1], ids[2]}
    qtbot.mouseClick(track, _LEFT, pos=track.key_rect(1).center().toPoint())
    assert line.frame == 60
    start = track.key_rect(1).center().toPoint()
    drag(track, start, QPoint(round(track.x_of(3)), start.y()))
    assert line.arrival(1) == pytest.approx(3, abs=0.1)
    assert line.arrival(2) == pytest.approx(4, abs=0.1)
    studio.undo()
    assert line.arrival(1) == 2


def test_the_track_by_keys(qtbot: QtBot, room: TraverseRoom) -> None:
    ids = three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    track.setFocus()
    line.select([ids[0]])
    qtbot.keyClick(track, Qt.Key.Key_Right)
    qtbot.keyClick(track, Qt.Key.Key_Right)
    qtbot.keyClick(track, Qt.Key.Key_Left)
    assert line.frame == 1
    qtbot.keyClick(track, Qt.Key.Key_Right, CTRL)
    assert (line.frame, line.selected) == (60, {ids[1]})
    qtbot.keyClick(track, Qt.Key.Key_Right, ALT)
    assert line.arrival(1) == pytest.approx(2.1, abs=0.02)
    qtbot.keyClick(track, Qt.Key.Key_Right, SHIFT)
    assert line.selected == {ids[1], ids[2]}
    qtbot.keyClick(track, Qt.Key.Key_C, CTRL)
    qtbot.keyClick(track, Qt.Key.Key_V, CTRL)
    assert len(line.keys) == 5
    qtbot.keyClick(track, Qt.Key.Key_Delete)
    assert len(line.keys) == 3
    qtbot.keyClick(track, Qt.Key.Key_End)
    qtbot.keyClick(track, Qt.Key.Key_K)
    assert len(line.keys) == 4
    qtbot.keyClick(track, Qt.Key.Key_Home)
    qtbot.keyClick(track, Qt.Key.Key_Space)
    assert room.traverse.player.playing
    qtbot.keyClick(track, Qt.Key.Key_Space)
    assert not room.traverse.player.playing
    qtbot.keyClick(track, Qt.Key.Key_A, CTRL)
    qtbot.keyClick(track, Qt.Key.Key_X, CTRL)
    assert not line.keys
    qtbot.keyClick(track, Qt.Key.Key_V, CTRL)
    assert len(line.keys) == 4
    qtbot.keyClick(track, Qt.Key.Key_Plus)
    assert track.zoom == 1.5
    qtbot.keyClick(track, Qt.Key.Key_0)
    assert track.zoom == 1


def test_latents_are_let_go_between_keyframes(qtbot: QtBot, room: TraverseRoom) -> None:
    three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    between = QPointF(track.x_of(1), track.key_rect(0).center().y())
    assert drop(track, spots_to_mime([drawn(8), drawn(9)]), between)
    sources = [key.spot.source for key in line.keys]
    assert sources == [SeedLatent(seed) for seed in (0, 8, 9, 1, 2)]


def test_text_on_the_clipboard_becomes_keyframes(room: TraverseRoom) -> None:
    ids = room.traverse.shelf.add([drawn(5)])
    kept = room.traverse.shelf.spots(ids)[0]
    QGuiApplication.clipboard().setText(f"{short_id(kept)} 41")
    room.timeline.paste()
    sources = [key.spot.source for key in room.traverse.timeline.keys]
    assert sources == [SeedLatent(5), SeedLatent(41)]


def test_the_ruler_has_round_numbers() -> None:
    assert tick_seconds(100) == 1
    assert tick_seconds(1000) == 0.1
    assert tick_seconds(1) == 120


# --- the curve


def test_the_curve_is_shaped_by_hand_and_keys(qtbot: QtBot, dressed: theme.Theme) -> None:
    editor = EasingEditor()
    show(qtbot, editor, 220, 112)
    heard: list[tuple[object, bool]] = []
    editor.edited.connect(lambda cubic, last: heard.append((cubic, last)))
    editor.set_easing("smooth")
    drag(editor, editor.handle(0).toPoint(), editor.place_of(0.5, 0.9).toPoint())
    cubic, last = heard[-1]
    assert last
    assert cubic[:2] == pytest.approx((0.5, 0.9), abs=0.02)  # type: ignore[index]
    assert cubic[2:] == pytest.approx((2 / 3, 1.0))  # type: ignore[index]
    editor.setFocus()
    qtbot.keyClick(editor, Qt.Key.Key_Space)
    qtbot.keyClick(editor, Qt.Key.Key_Down)
    assert editor.easing[3] == pytest.approx(0.95)
    qtbot.keyClick(editor, Qt.Key.Key_Right, SHIFT)
    qtbot.keyClick(editor, Qt.Key.Key_Right, SHIFT)
    assert editor.easing[2] == 1.0  # no further than the end


@pytest.mark.parametrize("name", ["linear", "smooth", "in", "out"])
def test_named_easings_are_what_their_cubic_is(name: str) -> None:
    from app.views.traverse.easing_editor import cubic_of

    for u in (0.1, 0.35, 0.5, 0.8):
        assert ease(cubic_of(name), u) == pytest.approx(ease(name, u), abs=1e-9)


# --- the shelf


def test_the_shelf_by_hand(qtbot: QtBot, room: TraverseRoom, studio: Studio) -> None:
    panel, shelf = room.shelf, room.traverse.shelf
    assert panel.empty.isVisible()
    qtbot.mouseClick(panel.example, _LEFT)
    assert shelf.rowCount() == 4
    panel.list.setCurrentIndex(shelf.index(0))
    panel.list.setFocus()
    qtbot.keyClick(panel.list, Qt.Key.Key_Period)
    assert shelf.spot_at(0).starred
    qtbot.keyClick(panel.list, Qt.Key.Key_P)
    assert len(room.traverse.pad.pins) == 1
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert len(room.traverse.timeline.keys) == 1
    panel.list.selectAll()
    panel.average()
    assert shelf.total == 5
    panel.search.setText("average")
    assert shelf.rowCount() == 1
    panel.search.clear()
    panel.list.setCurrentIndex(shelf.index(1))
    qtbot.keyClick(panel.list, Qt.Key.Key_C, CTRL)
    copied = QGuiApplication.clipboard().mimeData()
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert shelf.total == 4
    qtbot.keyClick(panel.list, Qt.Key.Key_V, CTRL)
    assert shelf.total == 5
    assert copied.hasText()


def test_a_latent_is_named_and_tagged(qtbot: QtBot, room: TraverseRoom) -> None:
    panel, shelf = room.shelf, room.traverse.shelf
    shelf.add([drawn(1)])
    panel.list.setCurrentIndex(shelf.index(0))
    qtbot.keyClick(panel.list, Qt.Key.Key_F2)
    editor = panel.list.viewport().findChild(QLineEdit)
    assert editor is not None
    qtbot.keyClick(editor, Qt.Key.Key_A, CTRL)
    qtbot.keyClicks(editor, "My boot")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: shelf.spot_at(0).name == "My boot", timeout=PATIENCE_MS)
    panel.edit_tags()
    assert panel.popup is not None
    qtbot.keyClicks(panel.popup.line, "warm, talk")
    qtbot.keyClick(panel.popup.line, Qt.Key.Key_Return)
    assert shelf.spot_at(0).tags == ("warm", "talk")


def test_seeds_are_typed_into_a_popup(qtbot: QtBot, room: TraverseRoom) -> None:
    room.shelf.add_seeds()
    popup = room.shelf.popup
    assert popup is not None
    qtbot.keyClicks(popup.line, "7-9")
    qtbot.keyClick(popup.line, Qt.Key.Key_Return)
    assert room.traverse.shelf.total == 3


def test_pictures_of_the_history_beside_the_shelf(qtbot: QtBot, room: TraverseRoom, studio: Studio) -> None:
    panel = room.shelf
    panel.show_page("history")
    assert panel.history_empty.isVisible()
    studio.history.add_result(fake_result(GenerateRequest(MODEL, seed=70, labels=(1, 2))), CLASSES)
    assert panel.history.isVisible()
    panel.history.selectAll()
    panel.history.setFocus()
    qtbot.keyClick(panel.history, Qt.Key.Key_Return)
    assert [key.spot.source for key in room.traverse.timeline.keys] == [SeedLatent(70), SeedLatent(71)]
    qtbot.keyClick(panel.history, Qt.Key.Key_Period)
    assert room.traverse.shelf.total == 2
    panel.pin_records()
    assert len(room.traverse.pad.pins) == 2


# --- the keyframe and the walk


def test_what_is_typed_is_taken_over_or_said(qtbot: QtBot, room: TraverseRoom) -> None:
    three_keys(room)
    keys, line = room.keys, room.traverse.timeline
    line.select([line.keys[0].id, line.keys[1].id])
    entry = keys.hold.entry
    entry.setFocus()
    entry.selectAll()
    qtbot.keyClicks(entry, "1.5")
    qtbot.keyClick(entry, Qt.Key.Key_Return)
    assert [key.hold for key in line.keys] == [1.5, 1.5, 0]
    for text, words in (("-2", "hold is -2"), ("long", "Type a number.")):
        entry.selectAll()
        qtbot.keyClicks(entry, text)
        qtbot.keyClick(entry, Qt.Key.Key_Return)
        assert keys.hold.error.text().startswith(words)
        assert keys.hold.error.isVisible()
        assert [key.hold for key in line.keys] == [1.5, 1.5, 0]
    qtbot.keyClick(entry, Qt.Key.Key_Escape)
    assert not keys.hold.error.isVisible()
    assert entry.text() == "1.5"
    qtbot.keyClick(entry, Qt.Key.Key_Up)
    assert line.keys[0].hold == 1.6
    fps = keys.fps.entry
    fps.setFocus()
    for text in ("0", "1000"):
        fps.selectAll()
        qtbot.keyClicks(fps, text)
        qtbot.keyClick(fps, Qt.Key.Key_Return)
        assert keys.fps.error.text().startswith("fps is")
    assert line.fps == 30


def test_class_easing_and_switches(qtbot: QtBot, room: TraverseRoom) -> None:
    ids = three_keys(room)
    keys, line = room.keys, room.traverse.timeline
    line.select([ids[0]])
    keys.label.setCurrentIndex(keys.label.findData(3))
    keys.label.activated.emit(keys.label.currentIndex())
    assert line.keys[0].spot.label == 3
    keys.easing.setCurrentIndex(keys.easing.findData("custom"))
    keys.easing.activated.emit(keys.easing.currentIndex())
    assert isinstance(line.keys[0].easing, tuple)
    qtbot.mouseClick(keys.loop, _LEFT, pos=QPoint(8, keys.loop.height() // 2))
    assert line.loop
    qtbot.mouseClick(keys.path.buttons["smooth"], _LEFT)
    assert line.path == "smooth"
    qtbot.mouseClick(keys.pace, _LEFT, pos=QPoint(8, keys.pace.height() // 2))
    qtbot.waitUntil(lambda: keys.pace_note.text().startswith("Measured"), timeout=PATIENCE_MS)
    qtbot.mouseClick(keys.quality.buttons["best"], _LEFT)
    assert room.traverse.quality.final(MODEL).steps == 25


# --- examples, rendering, files


def test_an_empty_room_offers_what_works(qtbot: QtBot, room: TraverseRoom) -> None:
    qtbot.mouseClick(room.stage.four, _LEFT)
    assert len(room.traverse.pad.pins) == 4
    room.traverse.pad.clear()
    qtbot.mouseClick(room.stage.example, _LEFT)
    assert room.traverse.player.playing
    assert len(room.traverse.timeline.keys) == 6


def test_a_render_from_dialog_to_film(qtbot: QtBot, room: TraverseRoom, tmp_path: Path) -> None:
    room.open_render()
    assert room.dialog is None  # there is no walk yet
    three_keys(room)
    assert room.take_generate(False)
    dialog = room.dialog
    assert dialog is not None
    dialog.folder.setText(str(tmp_path))
    dialog.folder.textEdited.emit(str(tmp_path))
    dialog.name.setText("boots")
    dialog.name.textEdited.emit("boots")
    qtbot.mouseClick(dialog.scale.buttons["4"], _LEFT)
    assert "121 frames" in dialog.note.text()
    assert "32 × 32" in dialog.note.text()
    qtbot.mouseClick(dialog.accept_button, _LEFT)
    render, card = room.traverse.render, room.keys.card
    assert card.isVisible()
    qtbot.waitUntil(lambda: render.state == "done", timeout=PATIENCE_MS)
    assert (tmp_path / "boots.mp4").exists()
    assert card.play.isVisible()
    assert "121 frames" in card.words.text()
    room.open_render()
    assert room.dialog is not None
    assert "is there already" in room.dialog.note.text()
    room.dialog.reject()


def test_a_walk_dropped_on_the_window_is_opened(qtbot: QtBot, open_window: object, tmp_path: Path) -> None:
    from engine.walk import random_walk
    from engine.walk_files import write_walk

    assert callable(open_window)
    window = open_window(WalkingEngine())
    assert isinstance(window, MainWindow)
    write_walk(tmp_path / "boots.toml", random_walk(MODEL, 3, 7))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "boots.toml"))])
    assert drop(window, mime, QPointF(600, 400))
    assert window.room == "traverse"
    assert len(window.traverse_room.traverse.timeline.keys) == 3
    qtbot.keyClick(window, Qt.Key.Key_1, CTRL)
    assert not window.traverse_room.traverse.player.playing


def test_the_history_puts_pictures_on_the_shelf(open_window: object) -> None:
    assert callable(open_window)
    window = open_window(WalkingEngine())
    panel = window.generate_room.history
    window.studio.history.add_result(fake_result(GenerateRequest(MODEL, seed=70, labels=(1, 2))), CLASSES)
    panel.list.selectAll()
    menu = panel.menu()
    actions = {action.text(): action for action in menu.actions()}
    actions["Put on the shelf"].trigger()
    actions["Add to the walk"].trigger()
    menu.close()
    assert window.studio.traverse.shelf.total == 2
    assert len(window.studio.traverse.timeline.keys) == 2


def test_a_picture_is_sent_to_edit(qtbot: QtBot, room: TraverseRoom) -> None:
    four_pins(qtbot, room)
    with qtbot.waitSignal(room.edit_wanted, timeout=PATIENCE_MS) as sent:
        qtbot.mouseClick(room.stage.edit, _LEFT)
    path = sent.args[0]
    assert isinstance(path, Path)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("look", ["dark", "light"])
@pytest.mark.parametrize("size", [(955, 616), (1211, 776)])
def test_everything_is_named_explained_and_in_sight(
    qtbot: QtBot, studio: Studio, look: theme.Choice, size: tuple[int, int]
) -> None:
    theme.current().install(look)
    room = TraverseRoom(studio)
    show(qtbot, room, *size)
    for _ in range(2):
        QApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        QApplication.processEvents()
        assert inspection.controls_without_a_name() == []
        assert inspection.controls_without_a_tooltip() == []
        assert inspection.cut_words() == []
        four_pins(qtbot, room)
        three_keys(room)
        room.traverse.timeline.edit("hold", -1.0)
        room.traverse.set_stage("walk")
    theme.current().install("dark")
