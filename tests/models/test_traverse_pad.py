"""The pad: weights, the latest place wins, full quality on release, drift, recording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.mixing import CORNERS, Pin, blend_at, simplify, weights_at
from app.models.traverse.pad import MOST_PINS, PadModel
from app.models.traverse.shelf import point_of
from app.models.traverse.spots import Spot
from engine.errors import BadRequest
from engine.messages import BlendLatent, SeedLatent
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, shade, spot, studio_of

unit = st.floats(0, 1)
FOUR = [Pin(spot(seed, label=seed), x, y) for seed, (x, y) in enumerate(CORNERS)]


@given(st.lists(st.tuples(unit, unit), min_size=1, max_size=8), unit, unit)
def test_weights_add_up_to_one(places: list[tuple[float, float]], x: float, y: float) -> None:
    weights = weights_at([Pin(spot(), *place) for place in places], x, y)
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0


def test_corners_mix_bilinearly() -> None:
    assert weights_at(FOUR, 0.25, 0.5) == [0.375, 0.125, 0.375, 0.125]
    assert weights_at(FOUR, 0.5, 0.5) == [0.25] * 4
    for pin in FOUR:
        assert weights_at(FOUR, pin.x, pin.y) == [float(other is pin) for other in FOUR]


def test_pins_anywhere_count_by_distance() -> None:
    pins = [Pin(spot(1), 0.2, 0.5), Pin(spot(2), 0.8, 0.5)]
    assert weights_at(pins, 0.5, 0.1) == pytest.approx([0.5, 0.5])
    assert weights_at(pins, 0.4, 0.5) == pytest.approx([0.8, 0.2])  # 1/0.04 against 1/0.16
    assert weights_at(pins, 0.8, 0.5) == [0, 1]


def test_a_blend_is_of_latents_classes_and_guidance() -> None:
    assert blend_at(FOUR, 0, 0) == FOUR[0].spot
    edge = blend_at(FOUR, 0.25, 0)
    assert edge.source == BlendLatent(((SeedLatent(0), 0.75), (SeedLatent(1), 0.25)))
    assert edge.label == ((0, 0.75), (1, 0.25))
    same = [Pin(spot(1, label=5), 0, 0), Pin(Spot(MODEL, SeedLatent(2), 5, guidance=1.0), 1, 0)]
    assert blend_at(same, 0.5, 0).label == 5
    assert blend_at(same, 0.5, 0).guidance == 0.5
    point_of(blend_at(FOUR, 0.123, 0.777))  # its checks: the classes' weights add up


def test_a_recorded_way_keeps_its_corners_and_its_pace() -> None:
    way = [(t / 10, t / 10, 0.0) for t in range(6)] + [(0.5 + t / 10, 0.5, t / 10) for t in range(1, 6)]
    assert simplify(way) == [(0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (1.0, 0.5, 0.5)]
    assert simplify(way[:1]) == way[:1]
    assert simplify([(0.0, 0.5, 0.5), (1.0, 0.5, 0.5), (2.0, 0.5, 0.5)]) == [(0.0, 0.5, 0.5)]


@pytest.fixture
def engine() -> WalkingEngine:
    return WalkingEngine()


@pytest.fixture
def studio(qtbot: QtBot, engine: WalkingEngine) -> Iterator[Studio]:
    with studio_of(qtbot, engine) as made:
        yield made


@pytest.fixture
def pad(qtbot: QtBot, studio: Studio) -> PadModel:
    made = studio.traverse.pad
    made.add_pins([Spot(MODEL, SeedLatent(i), 9, name=f"Seed {i}", thumbnail=b"-") for i in range(4)])
    qtbot.waitUntil(lambda: made.state == "done", timeout=PATIENCE_MS)
    return made


def brightness(pad: PadModel) -> int:
    assert pad.picture is not None
    return pad.picture.data[0]


def test_pins_go_to_the_corners_first(pad: PadModel) -> None:
    assert [(pin.x, pin.y) for pin in pad.pins] == list(CORNERS)
    assert pad.add_pins([spot(9)])
    assert pad.pins[4].x not in (0, 1)
    pad.to_corners()
    assert len({(pin.x, pin.y) for pin in pad.pins}) == 5
    assert pad.add_pins([spot(100 + i) for i in range(MOST_PINS)])
    assert len(pad.pins) == MOST_PINS


def test_a_drag_is_drafts_and_then_one_in_full(qtbot: QtBot, pad: PadModel, engine: WalkingEngine) -> None:
    engine.drawn.clear()
    pad.press()
    pad.move_to(0.25, 0.5)
    draft = point_of(blend_at(pad.pins, 0.25, 0.5))
    qtbot.waitUntil(lambda: brightness(pad) == shade(draft, 5), timeout=PATIENCE_MS)
    assert pad.picture_is_draft
    assert pad.moving
    pad.move_to(0.5, 0.75)
    pad.release()
    full = point_of(blend_at(pad.pins, 0.5, 0.75))
    qtbot.waitUntil(lambda: brightness(pad) == shade(full, 10), timeout=PATIENCE_MS)
    assert not pad.picture_is_draft
    assert not pad.moving
    assert {request.sampling.steps for request in engine.drawn} == {5, 10}
    assert all(len(request.points) == 1 for request in engine.drawn)


def test_only_the_newest_place_counts(qtbot: QtBot) -> None:
    engine = WalkingEngine(gated=True)
    with studio_of(qtbot, engine) as studio:
        pad = studio.traverse.pad
        engine.frame_gate.open()
        pad.add_pins([Spot(MODEL, SeedLatent(i), 9, thumbnail=b"-") for i in range(2)])
        qtbot.waitUntil(lambda: pad.state == "done", timeout=PATIENCE_MS)
        engine.frame_gate.wait_reached()
        engine.drawn.clear()
        pad.press()
        pad.move_to(0.1, 0)
        engine.frame_gate.wait_reached()  # the engine is busy with it
        for x in range(20, 90, 10):
            pad.move_to(x / 100, 0)
        engine.frame_gate.open_all()
        newest = point_of(blend_at(pad.pins, 0.8, 0))
        qtbot.waitUntil(lambda: brightness(pad) == shade(newest, 5), timeout=PATIENCE_MS)
        assert [request.points[0] for request in engine.drawn] == [
            point_of(blend_at(pad.pins, 0.1, 0)),
            newest,
        ]
        assert pad.state == "done"


def test_a_pin_is_dragged_and_the_picture_follows(qtbot: QtBot, pad: PadModel, studio: Studio) -> None:
    before = pad.pins[0]
    pad.move_pin(0, 0.3, 0.3, last=False)
    pad.move_pin(0, 0.4, 0.4, before=before)
    full = point_of(blend_at(pad.pins, 0.5, 0.5))
    qtbot.waitUntil(lambda: brightness(pad) == shade(full, 10), timeout=PATIENCE_MS)
    studio.undo()
    assert pad.pins[0] == before
    studio.redo()
    assert (pad.pins[0].x, pad.pins[0].y) == (0.4, 0.4)


def test_pins_are_undone(pad: PadModel, studio: Studio) -> None:
    pad.remove_pin(1)
    assert len(pad.pins) == 3
    pad.clear()
    assert pad.state == "empty"
    assert pad.picture is None
    studio.undo()
    studio.undo()
    assert [pin.spot.name for pin in pad.pins] == ["Seed 0", "Seed 1", "Seed 2", "Seed 3"]


def test_latents_of_two_models_do_not_mix(pad: PadModel, studio: Studio) -> None:
    said: list[str] = []
    studio.notice.connect(lambda text, kind, undo: said.append(text))
    assert not pad.add_pins([Spot("plain", SeedLatent(1))])
    assert "belongs to another" in said[0]
    assert len(pad.pins) == 4


def test_arrows_step_and_steer(qtbot: QtBot, pad: PadModel) -> None:
    pad.move_by(0.1, -0.2)
    assert pad.position == pytest.approx((0.6, 0.3))
    pad.move_by(9, 9)
    assert pad.position == (1, 1)
    pad.move_to(0.5, 0.5)
    pad.set_drifting(True)
    pad.move_by(-0.02, 0)
    qtbot.waitUntil(lambda: pad.position[0] < 0.48, timeout=PATIENCE_MS)
    assert pad.moving
    pad.set_drifting(False)
    here = point_of(blend_at(pad.pins, *pad.position))
    qtbot.waitUntil(lambda: brightness(pad) == shade(here, 10), timeout=PATIENCE_MS)


def test_drift_stays_on_the_pad(qtbot: QtBot, pad: PadModel) -> None:
    seen: list[tuple[float, float]] = []
    pad.position_changed.connect(lambda: seen.append(pad.position))
    pad.move_to(0.99, 0.01)
    pad.set_drifting(True)
    qtbot.waitUntil(lambda: len(seen) > 30, timeout=PATIENCE_MS)
    pad.set_drifting(False)
    assert all(0 <= value <= 1 for place in seen for value in place)
    assert len(set(seen)) > 20


def test_a_drag_is_recorded_as_keyframes(pad: PadModel, studio: Studio) -> None:
    now = [100.0]
    pad._clock = lambda: now[0]
    pad.set_recording(True)
    pad.press()
    for step in range(1, 21):
        now[0] += 0.1
        pad.move_to(0.5 + 0.02 * step, 0.5)
    for step in range(1, 11):
        now[0] += 0.1
        pad.move_to(0.9, 0.5 + 0.04 * step)
    pad.release()
    pad.set_recording(False)
    keys = studio.traverse.timeline.keys
    assert [key.seconds for key in keys] == pytest.approx([2.0, 1.0, 2.0])
    assert [key.easing for key in keys] == ["linear"] * 3
    assert [key.spot for key in keys][1].source == blend_at(pad.pins, 0.9, 0.5).source
    studio.undo()
    assert not studio.traverse.timeline.keys


def test_nothing_moved_is_nothing_recorded(pad: PadModel, studio: Studio) -> None:
    said: list[str] = []
    studio.notice.connect(lambda text, kind, undo: said.append(text))
    pad.set_recording(True)
    pad.set_recording(False)
    assert said == ["Nothing was recorded: drag the point while recording."]


def test_what_fails_is_said_and_tried_again(qtbot: QtBot, pad: PadModel, engine: WalkingEngine) -> None:
    engine.trouble = BadRequest("The latent boot.safetensors is gone.")
    pad.move_to(0.1, 0.1)
    qtbot.waitUntil(lambda: pad.state == "failed", timeout=PATIENCE_MS)
    assert pad.failure is not None
    assert pad.failure.message == "The latent boot.safetensors is gone."
    assert len(pad.pins) == 4
    pad.retry()
    qtbot.waitUntil(lambda: pad.state == "done", timeout=PATIENCE_MS)
    assert pad.failure is None


def test_a_model_that_is_not_here(qtbot: QtBot, studio: Studio) -> None:
    pad = studio.traverse.pad
    pad.add_pins([Spot("elsewhere", SeedLatent(1)), Spot("elsewhere", SeedLatent(2))])
    qtbot.waitUntil(lambda: pad.state == "failed", timeout=PATIENCE_MS)
    assert pad.failure is not None
    assert "The model elsewhere is not here" in pad.failure.message


def test_it_comes_back(pad: PadModel, studio: Studio, qtbot: QtBot) -> None:
    pad.move_to(0.3, 0.7)
    kept = pad.to_dict()
    with studio_of(qtbot, WalkingEngine()) as other:
        again = other.traverse.pad
        again.from_dict(kept)
        assert again.pins == pad.pins
        assert again.position == (0.3, 0.7)
        for damaged in (None, {"pins": [{}]}, {"position": ["x", 1]}, {"position": 7, "pins": [7, None]}):
            again.from_dict(damaged)
