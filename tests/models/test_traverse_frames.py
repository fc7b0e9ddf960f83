"""Frames made ahead, playing, and the film."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.drafts import DraftFrames
from app.models.traverse.shelf import point_of
from app.models.traverse.timeline import TimelineModel
from engine.errors import BadRequest
from engine.messages import GenerateRequest, SeedLatent, SlerpLatent
from engine.messages.traverse import FrameRequest
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, shade, spot, studio_of


@pytest.fixture
def engine() -> WalkingEngine:
    return WalkingEngine()


@pytest.fixture
def studio(qtbot: QtBot, engine: WalkingEngine) -> Iterator[Studio]:
    with studio_of(qtbot, engine) as made:
        yield made


@pytest.fixture
def drafts(studio: Studio) -> DraftFrames:
    return studio.traverse.drafts


@pytest.fixture
def line(studio: Studio) -> TimelineModel:
    return studio.traverse.timeline


def walk(line: TimelineModel, count: int = 2) -> None:
    """Seeds with pictures already, two seconds apart."""
    line.add([dataclasses.replace(spot(i), thumbnail=b"-") for i in range(count)])


def settle(qtbot: QtBot, drafts: DraftFrames) -> None:
    """Wait until everything is made in full."""
    qtbot.waitUntil(lambda: set(drafts.levels()) == {2}, timeout=PATIENCE_MS)


def test_all_frames_are_made_coarse_before_fine_and_then_in_full(
    qtbot: QtBot, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    walk(line)
    settle(qtbot, drafts)
    requests = [request for request in engine.drawn if len(request.points) > 1]
    steps = [request.sampling.steps for request in requests]
    assert steps == sorted(steps)  # drafts first
    assert set(steps) == {5, 10}
    first = [line.plan.point(frame) for frame in (0, 16, 32, 48)]  # type: ignore[union-attr]
    assert list(requests[0].points[:4]) == first
    for frame in (0, 7, 60):
        point, picture = line.point(frame), drafts.picture(frame)
        assert point is not None
        assert picture is not None
        assert picture.data[0] == shade(point, 10)
    assert drafts.state == "idle"
    drawn = [point for request in engine.drawn for point in request.points]
    assert len(drawn) == len({(point, i) for i, point in enumerate(drawn)})


def test_a_hold_is_one_picture(
    qtbot: QtBot, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    walk(line)
    line.edit("hold", 2.0, [line.keys[0].id])
    settle(qtbot, drafts)
    points = [point for request in engine.drawn if request.sampling.steps == 5 for point in request.points]
    assert len(points) == len(set(points)) == 61


def test_what_did_not_change_is_not_made_again(
    qtbot: QtBot, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    walk(line, 3)
    settle(qtbot, drafts)
    engine.drawn.clear()
    line.edit("seconds", 1.0, [line.keys[1].id])
    assert drafts.level(30) == 2  # at once: the first way is as it was
    settle(qtbot, drafts)
    for request in engine.drawn:
        for point in request.points:
            assert isinstance(point.latent, SlerpLatent)
            assert point.latent.a == SeedLatent(1)


def test_the_frame_under_the_hand_goes_first(qtbot: QtBot) -> None:
    engine = WalkingEngine(gated=True)
    with studio_of(qtbot, engine) as studio:
        line, drafts = studio.traverse.timeline, studio.traverse.drafts
        walk(line)
        engine.frame_gate.wait_reached()
        line.seek(37)
        line.seek(41)
        assert drafts.nearest(41) is None
        engine.frame_gate.open()  # what ran when the hand came
        engine.frame_gate.wait_reached()
        engine.frame_gate.open()
        qtbot.waitUntil(lambda: drafts.level(41) == 1, timeout=PATIENCE_MS)
        assert line.point(41) == engine.drawn[1].points[0]
        near = drafts.nearest(42)
        assert near is not None
        assert near[0] == 41


def test_nothing_is_made_while_nobody_looks(
    qtbot: QtBot, studio: Studio, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    studio.traverse.set_looked_at(False)
    walk(line)
    with qtbot.waitSignal(line.settled, timeout=PATIENCE_MS):
        pass
    assert not any(isinstance(seen.request, FrameRequest) for seen in engine.seen)
    studio.traverse.set_looked_at(True)
    settle(qtbot, drafts)


def test_a_job_goes_before_frames_ahead(qtbot: QtBot) -> None:
    from tests.fake_engine import Gate

    engine = WalkingEngine()
    with studio_of(qtbot, engine) as studio:
        engine.gate = Gate()  # holds the job
        studio.queue.add(GenerateRequest(MODEL))
        engine.gate.wait_reached()
        walk(studio.traverse.timeline)
        with qtbot.waitSignal(studio.traverse.timeline.settled, timeout=PATIENCE_MS):
            pass
        engine.gate.open_all()
        settle(qtbot, studio.traverse.drafts)


def test_a_failure_is_said_and_tried_again(
    qtbot: QtBot, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    engine.trouble = BadRequest("The latent is of another shape.")
    walk(line)
    qtbot.waitUntil(lambda: drafts.state == "failed", timeout=PATIENCE_MS)
    assert drafts.failure is not None
    assert drafts.failure.message == "The latent is of another shape."
    drafts.retry()
    settle(qtbot, drafts)


def test_a_failure_stays_until_the_walk_goes_another_way(
    qtbot: QtBot, studio: Studio, drafts: DraftFrames, line: TimelineModel, engine: WalkingEngine
) -> None:
    engine.bad_seeds = {2}
    ids = line.add([spot(1), spot(2)])
    qtbot.waitUntil(lambda: drafts.state == "failed", timeout=PATIENCE_MS)
    assert drafts.failure is not None
    line.set_thumbnail(MODEL, point_of(line.keys[1].spot), b"-")
    assert line.keys[1].spot.thumbnail
    line.edit("name", "Boot", ids)
    line.edit("seconds", 1.0, ids)
    with qtbot.waitSignal(line.settled, timeout=PATIENCE_MS):
        pass
    studio.traverse.set_looked_at(False)
    studio.traverse.set_looked_at(True)
    assert drafts.state == "failed"
    assert drafts.failure is not None
    engine.bad_seeds = set()
    line.edit("label", 3, ids[1:])
    assert drafts.state == "idle"
    assert drafts.failure is None
    settle(qtbot, drafts)


def test_why_the_pace_is_not_measured_stays_until_the_walk_goes_another_way(
    qtbot: QtBot, studio: Studio, line: TimelineModel, engine: WalkingEngine
) -> None:
    measure, trouble = engine.scripts["pace"], BadRequest("The file is gone.")
    engine.scripts["pace"] = lambda _request, _control: iter([trouble])
    pace = studio.traverse.pace
    ids = line.add([spot(1), spot(2)])
    line.set_setting("constant_pace", True)
    qtbot.waitUntil(lambda: pace.failure is not None, timeout=PATIENCE_MS)
    line.set_thumbnail(MODEL, point_of(line.keys[0].spot), b"-")
    line.edit("name", "Boot", ids)
    line.edit("hold", 1.0, ids)
    assert pace.failure is not None
    engine.scripts["pace"] = measure
    told: list[bool] = []
    pace.changed.connect(lambda: told.append(pace.failure is None))
    line.edit("label", 3, ids)
    assert told == [True]
    qtbot.waitUntil(lambda: not line.pace_missing, timeout=PATIENCE_MS)


def test_playing_moves_the_playhead_in_real_time(
    qtbot: QtBot, studio: Studio, line: TimelineModel, drafts: DraftFrames
) -> None:
    walk(line)
    line.set_seconds(0.4)
    player, seen = studio.traverse.player, []
    line.playhead_changed.connect(seen.append)
    player.play()
    assert player.playing
    qtbot.waitUntil(lambda: not player.playing, timeout=PATIENCE_MS)
    assert line.frame == line.total - 1
    assert seen == sorted(seen)
    player.play()  # from the beginning again
    player.pause()
    assert line.frame < line.total - 1
    player.step(1)
    line.set_setting("loop", True)
    line.seek(0)
    player.step(-1)
    assert line.frame == line.total - 1
    player.play()
    qtbot.waitUntil(lambda: 0 < line.frame < line.total - 2, timeout=PATIENCE_MS)  # round and on
    studio.traverse.set_stage("pad")
    assert not player.playing


def test_another_walk_is_played_from_its_beginning(qtbot: QtBot) -> None:
    with studio_of(qtbot, WalkingEngine(gated=True)) as studio:  # no picture that comes winds the clock
        line, player = studio.traverse.timeline, studio.traverse.player
        walk(line)
        line.set_seconds(100.0)
        line.seek(2500)
        again = line.walk
        assert again is not None
        player.play()
        line.load_walk(again)
        qtbot.waitUntil(lambda: line.frame > 0, timeout=PATIENCE_MS)
        assert line.frame < 2500
        player.pause()


# --- the film


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Twelve frames, each brighter than the one before, with its walk inside."""
    np = pytest.importorskip("numpy")
    from engine.messages.traverse import Sampling
    from engine.messages.walks import Keyframe, Walk
    from engine.video import open_writer
    from engine.video_files import describe_walk

    file = tmp_path / "boots.mp4"
    walk = Walk(
        MODEL, (Keyframe(SeedLatent(1), seconds=1.1), Keyframe(SeedLatent(2))), fps=10.0, name="Boots"
    )
    writer = open_writer(file, "mp4", "best", (16, 16), 1, 10.0, describe_walk(walk, Sampling()))
    for index in range(12):
        writer.add(np.full((16, 16, 1), 20 * index, np.uint8))
    writer.close()
    return file


def level(studio: Studio) -> int:
    picture = studio.traverse.film.picture
    return -1 if picture is None else round(picture.data[0] / 20)


def test_a_video_of_ours_opens_its_walk(
    qtbot: QtBot, studio: Studio, line: TimelineModel, video: Path
) -> None:
    walk(line)
    studio.traverse.open_file(video)
    qtbot.waitUntil(lambda: line.name == "Boots", timeout=PATIENCE_MS)
    assert [key.spot.source for key in line.keys] == [SeedLatent(1), SeedLatent(2)]
    assert studio.traverse.stage == "walk"
    qtbot.waitUntil(lambda: len(studio.traverse.walks) == 2, timeout=PATIENCE_MS)  # the other is kept


def test_a_film_is_stepped_through_and_its_frames_are_latents(
    qtbot: QtBot, studio: Studio, line: TimelineModel, video: Path
) -> None:
    desk = studio.traverse
    desk.show_film(video)
    qtbot.waitUntil(lambda: desk.film.total == 12, timeout=PATIENCE_MS)
    desk.film.pause()
    for frame in (0, 5, 4, 11):
        desk.film.seek(frame)
        qtbot.waitUntil(lambda frame=frame: level(studio) == frame, timeout=PATIENCE_MS)
    desk.film.step(-1)
    assert desk.film.frame == 10
    desk.film.seek(11)
    assert desk.add_here()
    assert line.keys[-1].spot.source == SeedLatent(2)
    desk.film.seek(0)
    desk.film.play()
    qtbot.waitUntil(lambda: not desk.film.playing and desk.film.frame == 11, timeout=PATIENCE_MS)


def test_a_video_without_a_walk_is_played(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from engine.video import open_writer

    file = tmp_path / "foreign.webm"
    writer = open_writer(file, "webm", "good", (16, 16), 3, 10.0)
    for index in range(3):
        writer.add(np.full((16, 16, 3), 80 * index, np.uint8))
    writer.close()
    said: list[str] = []
    studio.notice.connect(lambda text, kind, undo: said.append(text))
    studio.traverse.open_file(file)
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE_MS)
    assert said[0].startswith("foreign.webm carries no walk of ours")
    assert studio.traverse.film.total == 3
    assert studio.traverse.stage == "film"
    assert not studio.traverse.add_here()


def test_a_folder_of_frames_is_as_fast_as_its_walk(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from engine.messages.traverse import Sampling
    from engine.messages.walks import Keyframe, Walk
    from engine.video import open_writer
    from engine.video_files import describe_walk

    keyframes = (Keyframe(SeedLatent(1), seconds=0.05), Keyframe(SeedLatent(2)))
    text = describe_walk(Walk(MODEL, keyframes, fps=60.0), Sampling())
    writer = open_writer(tmp_path / "walk", "png", "best", (16, 16), 1, 60.0, text)
    for index in range(4):
        writer.add(np.full((16, 16, 1), 20 * index, np.uint8))
    writer.close()
    film = studio.traverse.film
    studio.traverse.show_film(tmp_path / "walk")
    qtbot.waitUntil(lambda: film.total == 4, timeout=PATIENCE_MS)
    assert film.fps == 60


def test_what_is_no_video_is_said(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "broken.mp4"
    file.write_bytes(b"no video at all")
    said: list[str] = []
    studio.notice.connect(lambda text, kind, undo: said.append(text))
    studio.traverse.open_file(file)
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE_MS)
    assert "is not a video this program can" in said[0]
    assert studio.traverse.film.failure is not None


def test_a_hand_on_the_pad_has_the_engine_for_itself(
    qtbot: QtBot, studio: Studio, engine: WalkingEngine
) -> None:
    desk = studio.traverse
    desk.pad.add_pins([dataclasses.replace(spot(i), thumbnail=b"-") for i in range(2)])
    qtbot.waitUntil(lambda: desk.pad.state == "done", timeout=PATIENCE_MS)
    desk.pad.press()
    desk.pad.move_to(0.3, 0.3)
    engine.drawn.clear()
    walk(desk.timeline, 3)
    desk.timeline.set_setting("constant_pace", True)
    desk.shelf.add([spot(50)])
    with qtbot.waitSignal(desk.timeline.settled, timeout=PATIENCE_MS):
        pass
    desk.pad.move_to(0.4, 0.3)
    qtbot.waitUntil(lambda: desk.pad.state == "done", timeout=PATIENCE_MS)
    assert all(len(request.points) == 1 for request in engine.drawn)
    assert desk.timeline.pace_missing
    assert not desk.shelf.everything[0].thumbnail
    desk.pad.release()
    qtbot.waitUntil(lambda: not desk.timeline.pace_missing, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: bool(desk.shelf.everything[0].thumbnail), timeout=PATIENCE_MS)
    settle(qtbot, desk.drafts)


def test_a_moving_picture_with_a_walk_is_told_from_a_picture(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    from app.models.traverse.desk import opens_here
    from engine.messages.traverse import Sampling
    from engine.video import open_writer
    from engine.video_files import describe_walk
    from engine.walk import random_walk

    text = describe_walk(random_walk(MODEL, 3, 7), Sampling())
    for name, suffix in (("apng", ".png"), ("webp", ".webp")):
        for inside in (text, ""):
            file = tmp_path / f"{name}{len(inside)}{suffix}"
            writer = open_writer(file, name, "good", (16, 16), 3, 10.0, inside)
            for index in range(3):
                writer.add(np.full((16, 16, 3), 80 * index, np.uint8))
            writer.close()
            assert opens_here(file) == bool(inside)
    assert not opens_here(tmp_path / "gone.png")
    assert not opens_here(tmp_path / "words.txt")
    assert opens_here(tmp_path / "walk.toml")
