"""Latents and videos as files, with real clicks: shelf, Edit room, track, render card."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.models.edit.tree import EditNode
from app.models.studio import Studio
from app.models.traverse.spots import LATENTS_MIME
from app.tour import inspection
from app.views import theme
from app.views.edit_room import EditRoom
from app.views.main_window import MainWindow
from app.views.traverse.room import TraverseRoom
from engine.journal import unfinished_folder
from tests.fake_engine import FakeEngine
from tests.models.test_traverse_keeping import writing
from tests.models.traverse_kit import PATIENCE_MS, WalkingEngine, studio_of
from tests.views.studio_kit import show
from tests.views.test_traverse_room import drop, three_keys

_LEFT = Qt.MouseButton.LeftButton


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


def chosen(room: TraverseRoom, title: str) -> None:
    """Do what a line of the shelf's menu says."""
    menu = room.shelf.menu()
    [action] = [action for action in menu.actions() if action.text().partition("\t")[0] == title]
    action.trigger()
    menu.close()


def test_latents_are_copied_as_files(
    qtbot: QtBot, room: TraverseRoom, engine: WalkingEngine, tmp_path: Path
) -> None:
    asked = writing(engine)
    panel, shelf = room.shelf, room.traverse.shelf
    qtbot.mouseClick(panel.example, _LEFT)
    panel.list.selectAll()
    chosen(room, "Copy as files")
    qtbot.waitUntil(lambda: len(asked) == 4 and not room.traverse.latents.busy, timeout=PATIENCE_MS)
    mime = QGuiApplication.clipboard().mimeData()
    files = [Path(url.toLocalFile()) for url in mime.urls()]
    assert sorted(file.name for file in files) == [f"Seed {n}.safetensors" for n in (1, 2, 3, 4)]
    assert all(file.is_file() for file in files)
    assert mime.hasFormat(LATENTS_MIME)
    panel.list.setCurrentIndex(shelf.index(0))
    chosen(room, "Save as a file…")
    [dialog] = room.shelf.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "mine.safetensors"))
    qtbot.waitUntil((tmp_path / "mine.safetensors").is_file, timeout=PATIENCE_MS)
    dialog.reject()


def test_an_edit_goes_onto_the_shelf(
    open_window: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert callable(open_window)
    window = open_window(FakeEngine())
    assert isinstance(window, MainWindow)
    window.show_room("edit")
    room: EditRoom = window.edit_room
    sessions = room.edits.sessions
    from tests.fake_edits import fake_latent, png_of
    from tests.fake_engine import fake_pictures

    names = {
        "picture": sessions.files.put(png_of(fake_pictures(1, 30)), "png"),
        "latent": sessions.files.put(fake_latent(b"a"), "safetensors"),
    }
    node = EditNode("1", None, "picture", "My boot", names)
    plain = EditNode("2", "1", "paint", "Painted", {"picture": names["picture"]})
    sessions.create("Boots", "fashion32", [node, plain])
    put: list[tuple[object, ...]] = []
    monkeypatch.setattr(window.studio.traverse.shelf, "add_encoded", lambda *what: put.append(what))
    for one, enabled in ((node, True), (plain, False)):
        menu = room.sessions.tree.menu(one)
        [action] = [a for a in menu.actions() if a.text() == "Put its latent on the shelf"]
        assert action.isEnabled() == enabled
        action.trigger()
        menu.close()
    assert put == [(sessions.latent_path(node), "fashion32", "My boot", fake_pictures(1, 30))]


def test_a_moving_picture_is_left_to_the_window(room: TraverseRoom, tmp_path: Path) -> None:
    video = tmp_path / "walk.png"
    video.write_bytes(b"\x89PNG gnIe")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(video))])
    for widget in (room.pad, room.timeline.track, room.shelf, room.shelf.list.viewport()):
        assert not drop(widget, mime, QPointF(20, 20))


def test_a_render_of_the_last_time_is_offered_and_put_away(
    qtbot: QtBot, room: TraverseRoom, tmp_path: Path
) -> None:
    three_keys(room)
    render, card = room.traverse.render, room.keys.card
    render.choose(folder=str(tmp_path), name="boots")
    unfinished_folder(tmp_path / "boots.mp4").mkdir()
    render._submit(render.request())
    left = render.to_dict()
    qtbot.waitUntil(lambda: not render.busy, timeout=PATIENCE_MS)
    room.open_render()
    assert room.dialog is not None
    assert "unfinished render" in room.dialog.note.text()
    room.dialog.reject()
    render.from_dict(left)
    assert card.resume.isVisible()
    assert "Not finished the last time" in card.words.text()
    assert inspection.controls_without_a_tooltip() == []
    qtbot.mouseClick(card.away, _LEFT)
    assert not card.isVisible()


def test_older_walks_can_be_reached(room: TraverseRoom) -> None:
    desk = room.traverse
    for seed in range(14):
        desk.random_walk(2, seed)
        desk.timeline.set_setting("name", f"Walk {seed}")
        desk.new_walk()
    menu = room.timeline.walks_menu()
    [older] = [action.menu() for action in menu.actions() if action.text() == "Older walks"]
    assert older is not None
    assert [action.text().partition("\t")[0] for action in older.actions()] == ["Walk 1", "Walk 0"]  # type: ignore[attr-defined]
    older.actions()[0].trigger()  # type: ignore[attr-defined]
    assert desk.timeline.name == "Walk 1"
    menu.close()
