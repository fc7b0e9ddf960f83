"""The walk that is authored: keyframes, selection, undo, times, clipboard, what comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.spots import Spot, spots_to_mime
from app.models.traverse.timeline import TimelineModel
from app.store import Store
from engine.messages import SeedLatent, SlerpLatent
from engine.messages.walks import MAX_KEYFRAMES, Keyframe, Walk
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, spot, studio_of


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_of(qtbot, WalkingEngine()) as made:
        yield made


@pytest.fixture
def line(studio: Studio) -> TimelineModel:
    return studio.traverse.timeline


@pytest.fixture
def said(studio: Studio) -> list[str]:
    words: list[str] = []
    studio.notice.connect(lambda text, kind, undo: words.append(text))
    return words


def seeds(line: TimelineModel) -> list[int]:
    return [key.spot.source.seed for key in line.keys if isinstance(key.spot.source, SeedLatent)]


def three(line: TimelineModel) -> list[int]:
    """Three keyframes, two seconds apart."""
    return line.add([spot(1), spot(2), spot(3)])


def test_from_nothing_to_a_walk(line: TimelineModel) -> None:
    assert (line.walk, line.total, line.seconds, line.point(0), line.spot_here()) == (
        None,
        0,
        0.0,
        None,
        None,
    )
    line.add([spot(1)])
    assert line.walk is None
    assert line.total == 1
    assert line.spot_here() == dataclasses.replace(spot(1))
    line.add([spot(2)])
    assert line.walk is not None
    assert line.walk.model == MODEL
    assert line.total == 61
    assert line.point(30) is not None
    middle = line.point(30)
    assert middle is not None
    assert middle.latent == SlerpLatent(SeedLatent(1), SeedLatent(2), 0.5)


def test_keyframes_are_added_where_they_are_let_go(line: TimelineModel) -> None:
    three(line)
    line.add([spot(9)], 1)
    assert seeds(line) == [1, 9, 2, 3]
    line.add([spot(8)], 99)
    assert seeds(line) == [1, 9, 2, 3, 8]
    assert line.current is not None
    assert line.current.spot.source == SeedLatent(8)


def test_a_keyframe_at_the_playhead_takes_from_the_time_there(line: TimelineModel) -> None:
    three(line)
    line.seek(90)
    line.add_at_playhead(spot(7))
    assert seeds(line) == [1, 2, 7, 3]
    assert [key.seconds for key in line.keys[:3]] == pytest.approx([2, 1, 1])
    assert line.seconds == pytest.approx(4 + 1 / 30)
    line.seek(line.total - 1)
    line.add_at_playhead(spot(8))
    assert seeds(line) == [1, 2, 7, 3, 8]


def test_a_keyframe_at_the_playhead_makes_no_walk_of_constant_pace_longer(line: TimelineModel) -> None:
    three(line)
    line.set_setting("constant_pace", True)
    assert line.walk is not None
    pace = (((0.0, 0.0), (1.0, 9.0)), ((0.0, 0.0), (1.0, 1.0)))
    line.set_pace(dataclasses.replace(line.walk, pace=pace))
    assert line.plan is not None
    assert line.plan.arrive == (0, 108, 120)
    total = line.total
    line.seek(100)
    line.add_at_playhead(spot(7))
    assert seeds(line) == [1, 7, 2, 3]
    assert line.total == pytest.approx(total, abs=1)
    assert [key.seconds for key in line.keys[:2]] == pytest.approx([2 * 100 / 108, 2 * 8 / 108])


def test_another_model_is_another_walk(line: TimelineModel, said: list[str]) -> None:
    three(line)
    assert line.add([Spot("plain", SeedLatent(1))]) == []
    assert "goes through latents of fashion32" in said[-1]
    assert len(line.keys) == 3


def test_deleting_and_what_undo_brings_back(line: TimelineModel, studio: Studio) -> None:
    ids = three(line)
    line.select([ids[0], ids[2]])
    line.remove()
    assert seeds(line) == [2]
    studio.undo()
    assert seeds(line) == [1, 2, 3]
    studio.redo()
    assert seeds(line) == [2]


def test_the_undo_of_a_message_keeps_what_came_after(line: TimelineModel, studio: Studio) -> None:
    undos: list[object] = []
    studio.notice.connect(lambda text, kind, undo: undos.append(undo))
    ids = three(line)
    line.remove([ids[1]])
    line.add([spot(9)])
    line.edit("hold", 3.0, [ids[0]])
    undo = undos[-1]
    assert callable(undo)
    undo()
    assert seeds(line) == [1, 2, 3, 9]
    assert line.keys[0].hold == 3.0


def test_selection(line: TimelineModel) -> None:
    ids = three(line)
    line.select([ids[0]])
    line.select([ids[2]], toggle=True)
    assert line.selected == {ids[0], ids[2]}
    line.select([ids[0]], toggle=True)
    assert line.selected == {ids[2]}
    line.select_to(ids[0])
    assert line.selected == set(ids)
    assert line.current is not None
    assert line.current.id == ids[0]
    line.select([])
    assert line.current is None
    line.select([12345])
    assert line.selected == frozenset()


def test_order_and_time(line: TimelineModel) -> None:
    ids = three(line)
    line.select([ids[0]])
    line.shift(1)
    assert seeds(line) == [2, 1, 3]
    line.shift(-1)
    line.shift(-1)
    assert seeds(line) == [1, 2, 3]
    line.edit("seconds", 1.0, [ids[0]])
    line.reverse()
    assert seeds(line) == [3, 2, 1]
    assert [key.seconds for key in line.keys] == [2.0, 1.0, 2.0]


def test_a_dragged_keyframe_leaves_the_others_where_they_are(line: TimelineModel, studio: Studio) -> None:
    ids = three(line)
    before = line.keys
    for seconds in (2.2, 2.5, 3.0):
        line.drag_key(ids[1], seconds, last=False)
    line.drag_key(ids[1], 3.0, before=before)
    assert [line.arrival(i) for i in range(3)] == pytest.approx([0, 3, 4], abs=1 / 30)
    line.drag_key(ids[1], 99.0)
    assert line.arrival(1) == pytest.approx(4, abs=2 / 30)
    assert line.arrival(2) == pytest.approx(4, abs=2 / 30)
    line.drag_key(ids[2], 10.0)
    assert line.arrival(2) == pytest.approx(10, abs=2 / 30)
    line.drag_key(ids[0], 5.0)
    assert line.arrival(0) == 0
    for _ in range(3):
        studio.undo()
    assert line.keys == before


def test_a_keyframe_dragged_against_a_neighbour_does_not_push_it(line: TimelineModel) -> None:
    ids = three(line)
    for seconds in (99.0, -99.0):
        for _ in range(30):
            line.drag_key(ids[1], seconds, last=False)
        assert line.arrival(2) == 4
        assert line.arrival(1) == pytest.approx(4 if seconds > 0 else 0, abs=1.5 / 30)


def test_values_that_cannot_be_are_said_and_not_taken(line: TimelineModel) -> None:
    three(line)
    line.select_all()
    for field, value in (("hold", -3.0), ("seconds", -1.0), ("guidance", 99.0), ("hold", float("nan"))):
        kept = line.keys
        assert not line.edit(field, value)
        assert line.errors[field]
        assert line.keys == kept
        assert line.edit(field, 1.0)
        assert field not in line.errors
    for fps in (0.0, 1000.0, float("nan")):
        assert not line.set_setting("fps", fps)
        assert "fps" in line.errors
    assert line.fps == 30
    assert line.set_setting("fps", 24.0)
    assert line.errors == {}
    for seconds in (0.0, -1.0, 1e9, float("inf")):
        assert not line.set_seconds(seconds)
        assert "total" in line.errors
    assert line.set_seconds(10.0)
    assert line.seconds == pytest.approx(10, abs=2 / 24)


def test_what_is_wrong_is_of_the_keyframe_it_was_typed_for(line: TimelineModel) -> None:
    ids = three(line)
    line.select(ids[:1])
    line.edit("hold", -5.0)
    line.set_setting("fps", 0.0)
    line.select([ids[1], ids[0]])  # the one chosen last is shown, which is the same
    assert set(line.errors) == {"hold", "fps"}
    line.select(ids[1:2])
    assert set(line.errors) == {"fps"}
    line.edit("hold", -5.0)
    assert set(line.errors) == {"fps", "hold"}
    line.clear_error("hold")
    assert set(line.errors) == {"fps"}
    walk = line.walk
    assert walk is not None
    line.load_walk(walk)
    assert line.errors == {}
    line.set_seconds(-1.0)
    line.from_dict(line.to_dict())
    assert line.errors == {}


def test_a_class_or_guidance_changed_asks_for_a_new_picture(qtbot: QtBot, line: TimelineModel) -> None:
    three(line)
    qtbot.waitUntil(lambda: all(key.spot.thumbnail for key in line.keys), timeout=PATIENCE_MS)
    first = line.keys[0].spot.thumbnail
    line.edit("label", 2, [line.keys[0].id])
    assert not line.keys[0].spot.thumbnail
    qtbot.waitUntil(lambda: bool(line.keys[0].spot.thumbnail), timeout=PATIENCE_MS)
    assert line.keys[0].spot.thumbnail != first
    line.edit("name", "Boot", [line.keys[0].id])
    assert line.keys[0].spot.thumbnail


def test_a_loop_has_no_frame_twice(line: TimelineModel) -> None:
    three(line)
    line.set_setting("loop", True)
    assert line.total == 180
    assert line.point(0) != line.point(179)
    line.seek(9999)
    assert line.frame == 179


def test_steps_from_keyframe_to_keyframe(line: TimelineModel) -> None:
    ids = three(line)
    line.seek(10)
    line.seek_key(1)
    assert line.frame == 60
    assert line.selected == {ids[1]}
    line.seek_key(1)
    line.seek_key(1)
    assert line.frame == 120
    line.seek_key(-1)
    assert line.frame == 60
    assert line.spot_here() == line.keys[1].spot


def test_copy_and_paste(line: TimelineModel, studio: Studio) -> None:
    ids = three(line)
    line.edit("hold", 1.5, [ids[1]])
    line.edit("easing", (0.1, 0.2, 0.3, 0.4), [ids[1]])
    line.select([ids[1]])
    mime = line.copy()
    assert mime is not None
    line.select([ids[2]])
    assert line.paste_keys(mime)
    assert seeds(line) == [1, 2, 3, 2]
    assert (line.keys[3].hold, line.keys[3].easing) == (1.5, (0.1, 0.2, 0.3, 0.4))
    assert line.keys[3].id != ids[1]
    assert not line.paste_keys(QMimeData())
    assert studio.traverse.drop_on_track(spots_to_mime([spot(8)]), 0)
    assert seeds(line)[0] == 8
    line.select([line.keys[0].id])
    line.duplicate()
    assert seeds(line)[:2] == [8, 8]


def test_random_walk_and_noise_loop(line: TimelineModel, studio: Studio) -> None:
    studio.traverse.random_walk(5, seed=40)
    assert seeds(line) == [40, 41, 42, 43, 44]
    assert line.loop
    assert line.path == "smooth"
    studio.traverse.noise_loop(7)
    assert len(line.keys) == 4
    studio.undo()
    assert seeds(line) == [40, 41, 42, 43, 44]
    assert studio.traverse.stage == "walk"


def test_new_latents_have_the_guidance_that_suits_the_model(
    line: TimelineModel, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = studio.traverse
    info = desk.quality.info(desk.model)
    assert info is not None
    monkeypatch.setattr(desk.quality, "info", lambda _: dataclasses.replace(info, guidance=2.0))
    for make in (lambda: desk.random_walk(3, seed=1), lambda: desk.noise_loop(4)):
        make()
        assert {key.spot.guidance for key in line.keys} == {2.0}
    desk.pin_seeds()
    assert {pin.spot.guidance for pin in desk.pad.pins} == {2.0}


def test_the_pace_is_measured_and_kept_until_the_way_changes(qtbot: QtBot, line: TimelineModel) -> None:
    three(line)
    line.set_setting("constant_pace", True)
    assert line.pace_missing
    qtbot.waitUntil(lambda: not line.pace_missing, timeout=PATIENCE_MS)
    assert line.walk is not None
    assert len(line.walk.pace) == 2
    assert line.arrival(1) < 2  # the second way changes the picture more
    line.set_setting("fps", 24.0)
    assert not line.pace_missing
    line.edit("label", 1, [line.keys[0].id])
    assert line.pace_missing
    qtbot.waitUntil(lambda: not line.pace_missing, timeout=PATIENCE_MS)


def test_too_many_keyframes(line: TimelineModel, said: list[str]) -> None:
    line.add([spot(i) for i in range(MAX_KEYFRAMES)])
    assert line.add([spot(1)]) == []
    assert "1,000 keyframes at most" in said[-1]


def test_a_file_and_what_cannot_be_opened(
    studio: Studio, line: TimelineModel, said: list[str], tmp_path: Path
) -> None:
    desk = studio.traverse
    assert not desk.save_walk(tmp_path / "none.toml")
    three(line)
    line.set_setting("name", "Boots")
    line.edit("hold", 0.5, [line.keys[0].id])
    walk = line.walk
    assert desk.save_walk(tmp_path / "boots.toml")
    line.clear()
    desk.open_file(tmp_path / "boots.toml")
    assert line.walk == walk
    assert said[-1] == "Boots opened from boots.toml."
    kept = line.keys
    (tmp_path / "one.toml").write_text(
        'genie = 1\nkind = "walk"\nmodel = "fashion32"\n[[keyframes]]\nlatent = { seed = 7 }\n'
    )
    (tmp_path / "other.toml").write_text("this is no walk")
    for name, words in (
        ("one.toml", "one keyframe"),
        ("other.toml", "not a readable walk"),
        ("gone.toml", "gone"),
    ):
        desk.open_file(tmp_path / name)
        assert words in said[-1]
        assert line.keys == kept


def test_walks_are_put_aside_and_taken_up_again(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with studio_of(qtbot, WalkingEngine(), Store(file)) as studio:
        desk, line = studio.traverse, studio.traverse.timeline
        three(line)
        line.set_setting("name", "First")
        line.edit("easing", (0.0, 0.5, 0.5, 1.0), [line.keys[1].id])
        desk.new_walk()
        assert not line.keys
        line.add([spot(8), spot(9)])
        line.set_setting("name", "Second")
        desk.new_walk()
        assert [walk.name for walk in desk.walks] == ["Second", "First"]
        assert desk.open_walk(desk.walks[1].id)
        line.seek(12)
    with studio_of(qtbot, WalkingEngine(), Store(file)) as studio:
        line = studio.traverse.timeline
        assert (line.name, seeds(line), line.frame) == ("First", [1, 2, 3], 12)
        assert line.keys[1].easing == (0.0, 0.5, 0.5, 1.0)
        assert not studio.traverse.open_walk(999)
        assert seeds(line) == [1, 2, 3]


def test_what_is_damaged_is_left_out(line: TimelineModel) -> None:
    three(line)
    kept = line.to_dict()
    kept["keys"][1] = {"spot": {"model": MODEL}}
    kept["keys"].append({"spot": {"model": "plain", "source": {"seed": 1}}})
    kept["fps"], kept["loop"], kept["pace"] = 0.0, "yes", [[1]]
    line.from_dict(kept)
    assert seeds(line) == [1, 3]
    assert line.fps == 30
    assert not line.loop
    line.from_dict(None)
    assert seeds(line) == [1, 3]


def test_a_walk_of_the_engine_comes_whole(line: TimelineModel) -> None:
    walk = Walk(
        MODEL,
        (Keyframe(SeedLatent(1), 2, 1.0, 0.5, 1.5, "in", "a"), Keyframe(SeedLatent(2), ((0, 0.5), (1, 0.5)))),
        fps=25.0, loop=True, path="smooth", name="Whole",
    )  # fmt: skip
    line.load_walk(walk)
    assert line.walk is not None
    assert dataclasses.replace(line.walk, keyframes=walk.keyframes) == walk
    assert line.walk.keyframes[0] == walk.keyframes[0]
