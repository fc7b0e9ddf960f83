"""The Traverse room under a hand: a drag along the track, what is typed wrongly, moves while it plays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.shelf import point_of
from app.views import theme
from app.views.traverse.room import TraverseRoom
from app.views.traverse.track import Track
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, spot, studio_of
from tests.views.studio_kit import show
from tests.views.test_traverse_room import CTRL, three_keys

_LEFT, _NO = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


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


def mouse(track: Track, kind: QEvent.Type, at: QPointF) -> None:
    button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
    held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else _LEFT
    QApplication.sendEvent(track, QMouseEvent(kind, at, track.mapToGlobal(at), button, held, _NO))


def enter(qtbot: QtBot, entry: QLineEdit, text: str) -> None:
    entry.setFocus()
    entry.selectAll()
    qtbot.keyClicks(entry, text)
    qtbot.keyClick(entry, Qt.Key.Key_Return)


def test_the_last_keyframe_stays_under_the_hand_that_drags_it(room: TraverseRoom) -> None:
    three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    span, at = track.span, track.key_rect(2).center()
    wanted = line.arrival(2) - 60 / track.scale
    mouse(track, QEvent.Type.MouseButtonPress, at)
    for _ in range(15):
        at -= QPointF(4, 0)
        mouse(track, QEvent.Type.MouseMove, at)
    assert track.key_rect(2).center().x() == pytest.approx(at.x(), abs=track.scale / line.fps + 1)
    moved = line.keys
    mouse(track, QEvent.Type.MouseButtonRelease, at)
    assert line.keys == moved
    assert line.arrival(2) == pytest.approx(wanted, abs=1 / line.fps)
    assert track.span < span  # now it shows the whole walk again


def test_what_was_typed_wrongly_is_not_shown_at_another_keyframe(qtbot: QtBot, room: TraverseRoom) -> None:
    ids = three_keys(room)
    field, line, track = room.keys.hold, room.traverse.timeline, room.timeline.track
    line.edit("hold", 1.5, ids[1:2])
    line.select(ids[:1])
    for wrong in ("-5", "long"):
        enter(qtbot, field.entry, wrong)
        assert field.error.isVisible()
        qtbot.mouseClick(track, _LEFT, pos=track.key_rect(1).center().toPoint())
        assert line.errors == {}
        assert not field.error.isVisible()
        assert field.entry.text() == "1.5"
        qtbot.mouseClick(track, _LEFT, pos=track.key_rect(0).center().toPoint())
        assert field.entry.text() == "0"


def test_what_is_wrong_twice_is_said_twice(qtbot: QtBot, room: TraverseRoom) -> None:
    three_keys(room)
    for field, wrong in ((room.keys.hold, "-5"), (room.keys.fps, "0"), (room.keys.total, "-1")):
        for _ in range(2):
            enter(qtbot, field.entry, wrong)
            assert field.error.isVisible()
        qtbot.keyClick(field.entry, Qt.Key.Key_Escape)
        assert not field.error.isVisible()
        assert room.traverse.timeline.errors == {}
        enter(qtbot, field.entry, wrong)
        assert field.error.isVisible()
        qtbot.keyClick(field.entry, Qt.Key.Key_Escape)


@pytest.mark.parametrize(
    ("key", "modifiers", "frame"),
    [
        (Qt.Key.Key_Home, _NO, 0),
        (Qt.Key.Key_End, _NO, 3000),
        (Qt.Key.Key_Left, CTRL, 0),
        (Qt.Key.Key_Right, CTRL, 1500),
    ],
)
def test_a_walk_that_plays_goes_where_it_is_sent(
    qtbot: QtBot, room: TraverseRoom, key: Qt.Key, modifiers: Qt.KeyboardModifier, frame: int
) -> None:
    three_keys(room)
    track, line, player = room.timeline.track, room.traverse.timeline, room.traverse.player
    line.set_seconds(100.0)
    line.seek(100)
    player.play()
    qtbot.keyClick(track, key, modifiers)
    assert not player.playing
    assert line.frame == frame


def test_a_film_that_plays_goes_where_it_is_sent(qtbot: QtBot, room: TraverseRoom, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from engine.video import open_writer

    writer = open_writer(tmp_path / "film.webm", "webm", "good", (16, 16), 3, 10.0)
    for index in range(100):
        writer.add(np.full((16, 16, 3), 2 * index, np.uint8))
    writer.close()
    film = room.traverse.film
    room.traverse.show_film(tmp_path / "film.webm")
    qtbot.waitUntil(lambda: film.playing and film.frame > 0, timeout=PATIENCE_MS)
    for button, frame in ((room.timeline.to_end, 99), (room.timeline.to_start, 0)):
        film.play()
        qtbot.mouseClick(button, _LEFT)
        assert not film.playing
        assert film.frame == frame


def test_why_a_walk_can_not_be_drawn_stays_on_the_stage(
    qtbot: QtBot, room: TraverseRoom, engine: WalkingEngine
) -> None:
    engine.bad_seeds = {2}
    line, drafts, stage = room.traverse.timeline, room.traverse.drafts, room.stage
    ids = line.add([spot(1), spot(2)])
    room.traverse.set_stage("walk")
    qtbot.waitUntil(lambda: drafts.state == "failed", timeout=PATIENCE_MS)
    line.set_thumbnail(MODEL, point_of(line.keys[1].spot), b"-")
    assert drafts.failure is not None
    assert stage.retry.isVisible()
    engine.bad_seeds = set()
    line.edit("label", 3, ids[1:])
    assert not stage.retry.isVisible()


@pytest.mark.parametrize("loop", [False, True])
def test_a_keyframe_of_a_constant_pace_stays_under_the_hand_that_drags_it(
    room: TraverseRoom, studio: Studio, loop: bool
) -> None:
    three_keys(room)
    track, line = room.timeline.track, room.traverse.timeline
    line.set_setting("loop", loop)
    line.set_setting("constant_pace", True)
    assert line.walk is not None
    way = ((0.0, 0.0), (1.0, 1.0))
    pace = (way, ((0.0, 0.0), (1.0, 3.0)), way)[: line.walk.segments]
    line.set_pace(dataclasses.replace(line.walk, pace=pace))
    typed, drawn = line.keys, line.arrival(1)
    assert drawn < 1.5 < typed[0].seconds == 2.0
    at = track.key_rect(1).center() + QPointF(7, 3)  # not by its middle
    mouse(track, QEvent.Type.MouseButtonPress, at)
    for step in (0, 20, 4, 4, 4):  # the first is where a drag would begin
        at += QPointF(step, 0)
        mouse(track, QEvent.Type.MouseMove, at)
        assert track.key_rect(1).center().x() == pytest.approx(at.x() - 7, abs=1.5)
    moved = 32 / track.scale
    assert [key.seconds for key in line.keys[:2]] == pytest.approx([2 + moved, 2 - moved], abs=0.01)
    assert track.key_at(at) == 1
    far = QPointF(track.width(), at.y())
    mouse(track, QEvent.Type.MouseMove, far)
    assert track.key_rect(1).center().x() <= track.key_rect(2).center().x()
    mouse(track, QEvent.Type.MouseMove, at)
    mouse(track, QEvent.Type.MouseButtonRelease, at)
    assert [key.seconds for key in line.keys[:2]] == pytest.approx([2 + moved, 2 - moved], abs=0.04)
    assert line.arrival(1) == pytest.approx(drawn, abs=2 / line.fps)  # single times give way to the pace
    studio.undo()
    assert line.keys == typed
