"""Rendering from the window: what is asked for, progress, stop and go on, failure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.render import RenderModel
from engine.errors import BadRequest, UnusableFolder
from engine.journal import unfinished_folder
from engine.messages import GenerateRequest, request_to_json
from engine.messages.traverse import TraverseRequest
from tests.fake_engine import Gate
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, spot, studio_of


@pytest.fixture
def engine() -> WalkingEngine:
    return WalkingEngine(render_gated=True)


@pytest.fixture
def studio(qtbot: QtBot, engine: WalkingEngine) -> Iterator[Studio]:
    with studio_of(qtbot, engine) as made:
        yield made


@pytest.fixture
def render(studio: Studio, tmp_path: Path) -> RenderModel:
    made = studio.traverse.render
    made.choose(folder=str(tmp_path), name="boots")
    studio.traverse.timeline.add([spot(1), spot(2)])
    studio.traverse.timeline.set_seconds(0.5)
    return made


def asked(engine: WalkingEngine) -> list[TraverseRequest]:
    return [seen.request for seen in engine.seen if isinstance(seen.request, TraverseRequest)]


def test_the_request_is_what_was_chosen(render: RenderModel, tmp_path: Path) -> None:
    render.choose(format="webm", quality="best", scale=4, name="my boots.webm")
    request = render.request()
    assert request.out == str(tmp_path / "my boots.webm")
    assert (request.format, request.quality, request.scale) == ("webm", "best", 4)
    assert request.walk.model == MODEL
    assert request.sampling.steps == 10
    assert render.size == (32, 32)
    assert render.expected_bytes > 1000
    render.choose(format="png", name="")
    assert render.path == tmp_path / "walk"


def test_a_walk_that_is_none_is_not_rendered(studio: Studio) -> None:
    said: list[str] = []
    studio.notice.connect(lambda text, kind, undo: said.append(text))
    studio.traverse.timeline.add([spot(1)])
    assert not studio.traverse.render.start()
    assert "two keyframes or more" in said[0]
    with pytest.raises(BadRequest):
        studio.traverse.render.request()


def test_progress_to_the_end(
    qtbot: QtBot, studio: Studio, render: RenderModel, engine: WalkingEngine
) -> None:
    finished: list[str] = []
    render.finished.connect(finished.append)
    assert render.start()
    assert render.busy
    engine.render_gate.open(3)
    qtbot.waitUntil(lambda: render.progress is not None, timeout=PATIENCE_MS)
    assert render.state == "running"
    qtbot.waitUntil(lambda: render.picture is not None, timeout=PATIENCE_MS)
    engine.render_gate.open_all()
    qtbot.waitUntil(lambda: render.state == "done", timeout=PATIENCE_MS)
    assert render.result is not None
    assert render.result.frames == render.result.frames_total == studio.traverse.timeline.total
    assert finished == [str(render.path)]
    assert not render.can_resume


def test_stop_keeps_and_goes_on_with_the_same(
    qtbot: QtBot, studio: Studio, render: RenderModel, engine: WalkingEngine
) -> None:
    render.start()
    engine.render_gate.open(2)
    qtbot.waitUntil(lambda: render.progress is not None, timeout=PATIENCE_MS)
    render.stop()
    engine.render_gate.open_all()
    qtbot.waitUntil(lambda: render.state == "stopped", timeout=PATIENCE_MS)
    assert render.result is not None
    assert 2 <= render.result.frames < render.result.frames_total
    assert render.can_resume
    studio.traverse.timeline.clear()  # it goes on with what was being rendered, whatever the track is now
    render.resume()
    qtbot.waitUntil(lambda: render.state == "done", timeout=PATIENCE_MS)
    assert asked(engine)[0] == asked(engine)[1]


def test_one_that_waits_is_taken_back(
    qtbot: QtBot, render: RenderModel, studio: Studio, engine: WalkingEngine
) -> None:
    other = render.request()
    studio.submit(other)
    engine.render_gate.wait_reached()
    render.choose(name="second")
    render.start()
    assert render.state == "waiting"
    render.stop()
    assert render.state == "none"
    assert studio.queue.pending_count == 0
    render.start()
    studio.remove_job(studio.queue.pending[0].id)  # in the panel of the queue
    assert (render.state, render.busy) == ("none", False)
    studio.undo()
    assert render.state == "waiting"
    render.stop()
    engine.render_gate.open_all()
    qtbot.waitUntil(lambda: studio.queue.running is None, timeout=PATIENCE_MS)


def test_one_that_was_to_go_on_and_is_taken_back_can_still_go_on(
    qtbot: QtBot, render: RenderModel, studio: Studio, engine: WalkingEngine
) -> None:
    unfinished_folder(render.path).mkdir()
    render.from_dict({"left": request_to_json(render.request())})
    engine.gate = Gate()
    studio.queue.add(GenerateRequest(MODEL))
    engine.gate.wait_reached()
    render.resume()
    assert (render.state, render.left_over) == ("waiting", False)
    render.stop()
    assert (render.state, render.left_over, render.can_resume) == ("stopped", True, True)
    assert render.to_dict()["left"] is not None
    render.resume()
    engine.open_all()
    qtbot.waitUntil(lambda: render.state == "done", timeout=PATIENCE_MS)


def test_a_failure_is_kept_and_can_be_gone_on_with(
    qtbot: QtBot, render: RenderModel, engine: WalkingEngine
) -> None:
    render.start()
    engine.render_gate.open(1)
    qtbot.waitUntil(lambda: render.progress is not None, timeout=PATIENCE_MS)
    engine.trouble = UnusableFolder("Couldn't write boots.mp4: the disk is full. Free some space.")
    engine.render_gate.open_all()
    qtbot.waitUntil(lambda: render.state == "failed", timeout=PATIENCE_MS)
    assert render.failure is not None
    assert "disk is full" in render.failure.message
    render.resume()
    qtbot.waitUntil(lambda: render.state == "done", timeout=PATIENCE_MS)


def test_choices_come_back(render: RenderModel) -> None:
    render.choose(format="gif", quality="small", scale=2)
    kept = render.to_dict()
    render.choose(format="mp4", quality="good", scale=8)
    render.from_dict(kept)
    assert (render.choices.format, render.choices.quality, render.choices.scale) == ("gif", "small", 2)
    for damaged in (None, {"format": "avi"}, {"scale": 3}, {"quality": 7}):
        render.from_dict(damaged)
    assert render.choices.format in ("gif", "mp4")
