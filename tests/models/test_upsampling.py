"""Pictures made large: from the canvas, from the history, at once after generating."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.blocks import enlarged
from app.models.studio import Studio
from app.models.upsampling import DEFAULTS
from app.store import Store
from engine.errors import BadRequest
from engine.images import read_settings
from engine.messages import (
    Catalogue,
    Control,
    Event,
    Loading,
    Pictures,
    Progress,
    Provenance,
    StepFrame,
    Upsampled,
    UpsampleRequest,
)
from engine.photos import read_small
from tests.fake_engine import FakeEngine, Gate, fake_catalogue, fake_pictures
from tests.views.studio_kit import PATIENCE_MS, finish, studio_with

LARGE = 32  # px; four times the fake models' 8


def large_catalogue() -> Catalogue:
    """The fake one, with an upsampler that goes with fashion32."""
    models = list(fake_catalogue().models)
    upsampler = dataclasses.replace(
        models[0],
        name="fashion32-up", title="Fashion 32 large", image_size=LARGE, upsamples_from=8, aug_level=0.05, consistent=True, classes=(),
    )  # fmt: skip
    models[0] = dataclasses.replace(models[0], upsampler="fashion32-up")
    return Catalogue((*models, upsampler), fake_catalogue().solvers)


class Upsampler(FakeEngine):
    """Enlarges pixel by pixel; held at `large_gate` before each event."""

    def __init__(self, *, gated: bool = False) -> None:
        super().__init__(catalogue=large_catalogue(), scripts={"upsample": self.enlarge})
        self.large_gate = Gate(open_for_ever=not gated)

    def open_all(self) -> None:
        super().open_all()
        self.large_gate.open_all()

    def enlarge(self, request: UpsampleRequest, control: Control) -> Iterator[Event | Exception]:
        small = [read_small(source, 8, 1, crop=request.crop) for source in request.images]
        sources = Pictures(len(small), 8, 8, 1, b"".join(picture.data for picture in small))
        large = enlarged(sources, LARGE)
        provenance = Provenance("cpu", "Fake CPU", "fp32", "0.0", "0.1.0", (1,) * request.count)
        yield Loading(request.model, 1.0)
        for first in range(request.count):
            for step in range(1, request.steps + 1):
                self.large_gate.pass_through()
                if control.cancelled.is_set():
                    kept = Pictures(first, LARGE, LARGE, 1, large.data[: first * large.stride])
                    shown = Pictures(first, 8, 8, 1, sources.data[: first * 64])
                    batches = dataclasses.replace(provenance, batches=(1,) * first)
                    yield Upsampled(request, kept, shown, (), request.steps, 0.1, batches)
                    return
                preview = fake_pictures(1, 10 * step, size=LARGE) if control.wants_preview() else None
                done, total = first * request.steps + step, request.count * request.steps
                yield Progress(first, 1, step, request.steps, 0.5, done, total, 0.1, 0.1, preview)
        frames = tuple(
            StepFrame(n, 0.5, n, fake_pictures(request.count, n, size=LARGE))
            for n in range(1, request.steps + 1)
        )
        yield Upsampled(request, large, sources, frames, request.steps, 0.1, provenance)


@pytest.fixture
def engine() -> Upsampler:
    return Upsampler()


@pytest.fixture
def studio(qtbot: QtBot, engine: Upsampler) -> Iterator[Studio]:
    with studio_with(qtbot, engine) as studio:
        yield studio


def asked(engine: FakeEngine) -> list[UpsampleRequest]:
    return [seen.request for seen in engine.seen if isinstance(seen.request, UpsampleRequest)]


def upsampled(qtbot: QtBot, studio: Studio) -> Upsampled:
    qtbot.waitUntil(lambda: isinstance(studio.canvas.result, Upsampled), timeout=PATIENCE_MS)
    result = studio.canvas.result
    assert isinstance(result, Upsampled)
    return result


def test_blocks_of_pixels() -> None:
    small = Pictures(2, 2, 2, 1, bytes([1, 2, 3, 4, 5, 6, 7, 8]))
    large = enlarged(small, 4)
    assert (large.width, large.height, large.count) == (4, 4, 2)
    assert large.data[:16] == bytes([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4])
    assert enlarged(small, 3) is small


def test_only_what_an_upsampler_goes_with_can_be_upsampled(studio: Studio, qtbot: QtBot) -> None:
    model = studio.upsampling
    assert model.of_canvas() is None
    finish(qtbot, studio, model="plain", count=2)
    assert model.of_canvas() is None
    finish(qtbot, studio, model="fashion32", count=2)
    small = model.of_canvas()
    assert small is not None
    assert (small.upsampler.name, small.pictures.count) == ("fashion32-up", 2)


def test_a_result_becomes_large_on_the_canvas_and_in_the_history(
    studio: Studio, qtbot: QtBot, engine: Upsampler
) -> None:
    finish(qtbot, studio, model="fashion32", count=3, seed=40, steps=3)
    before = studio.canvas.result
    assert before is not None
    small = studio.upsampling.of_canvas()
    assert small is not None
    studio.upsampling.set_value("steps", 4)
    assert len(studio.upsampling.submit(small)) == 1
    result = upsampled(qtbot, studio)
    (request,) = asked(engine)
    assert (request.steps, request.aug_level, request.seed, request.aug_seed) == (4, 0.05, 40, 40)
    assert request.consistent
    assert request.solver == "genie"
    assert result.sources == before.pictures  # bit for bit what was on the canvas
    assert studio.canvas.pictures == enlarged(before.pictures, LARGE)
    assert len(studio.canvas.steps) == 4
    qtbot.waitUntil(lambda: len(studio.canvas.record_ids) == 3)
    record = studio.history.details(studio.canvas.record_ids[1])
    assert (record.record.kind, record.record.model, record.record.seed) == ("upsample", "fashion32-up", 41)
    assert (record.record.width, record.request) == (LARGE, request)
    assert not studio.canvas.stale  # it has settings of its own
    settings = studio.settings.to_dict()
    studio.apply_record(studio.canvas.record_ids[1])  # a double-click shows it
    assert studio.settings.to_dict() == settings
    assert studio.canvas.pictures == enlarged(before.pictures, LARGE).one(1)


def test_one_picture_of_several(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    finish(qtbot, studio, model="fashion32", count=3, seed=40)
    small = studio.upsampling.of_canvas()
    assert small is not None
    studio.upsampling.set_value("aug_seed", 7)
    studio.upsampling.submit(small, [2])
    assert upsampled(qtbot, studio).pictures.count == 1
    assert (asked(engine)[0].seed, asked(engine)[0].aug_seed) == (42, 7)


def test_while_it_runs_the_small_pictures_stand_there_and_previews_replace_them(qtbot: QtBot) -> None:
    engine = Upsampler(gated=True)
    with studio_with(qtbot, engine) as studio:
        finish(qtbot, studio, model="fashion32", count=2)
        small = studio.upsampling.of_canvas()
        assert small is not None
        studio.upsampling.submit(small)
        canvas = studio.canvas
        blocks = enlarged(small.pictures, LARGE)
        assert canvas.picture(1) == blocks.one(1)
        engine.large_gate.open(1)
        qtbot.waitUntil(lambda: canvas.picture(0) != blocks.one(0), timeout=PATIENCE_MS)
        assert canvas.picture(1) == blocks.one(1)
        studio.stop()
        engine.large_gate.open_all()
        qtbot.waitUntil(lambda: canvas.state == "stopped", timeout=PATIENCE_MS)


def test_large_and_small_are_compared_pixel_by_pixel(studio: Studio, qtbot: QtBot) -> None:
    finish(qtbot, studio, model="fashion32", count=2)
    small = studio.upsampling.of_canvas()
    assert small is not None
    studio.upsampling.submit(small)
    upsampled(qtbot, studio)
    assert studio.canvas.compare()
    assert studio.canvas.panes is not None
    assert {pane.picture.width for pane in studio.canvas.panes} == {LARGE}
    assert studio.canvas.difference is not None
    assert studio.canvas.difference.largest == 0  # the fake one only repeats pixels
    assert ("Model", "Fashion 32", "Fashion 32 large") in studio.canvas.differing


def test_an_image_of_the_history(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    finish(qtbot, studio, model="fashion32", count=2, seed=5)
    ids = studio.canvas.record_ids
    assert studio.upsampling.can_record(ids[1])
    studio.upsampling.submit(studio.upsampling.of_record(ids[1]))
    result = upsampled(qtbot, studio)
    assert result.sources.one(0) == studio.history.pictures(ids[1])
    assert asked(engine)[0].seed == 6
    assert not studio.upsampling.can_record(studio.history.record_at(0).id)  # it is large already
    with pytest.raises(BadRequest, match="32 × 32"):
        studio.upsampling.of_record(studio.history.record_at(0).id)


def test_a_picture_of_the_users(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    picture = fake_pictures(1, 77)
    (upsampler,) = studio.upsampling.upsamplers()
    studio.upsampling.submit(studio.upsampling.of_picture(picture, "boot.jpg", upsampler))
    assert upsampled(qtbot, studio).sources == picture


def test_the_switch_makes_everything_generated_large(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    studio.upsampling.set_auto(True)
    studio.settings.set_values({"model": "fashion32", "count": 2, "seed": 9})
    studio.generate()
    assert upsampled(qtbot, studio).pictures.count == 2
    assert {record.kind for record in studio.store.page()} == {"generate", "upsample"}
    studio.upsampling.set_auto(False)
    finish(qtbot, studio, count=1)
    assert len(asked(engine)) == 1


def test_the_switch_takes_no_seed_of_the_dialog(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    model = studio.upsampling
    model.set_value("seed", 3)
    model.set_value("aug_seed", 4)
    model.set_value("steps", 2)
    model.set_auto(True)
    finish(qtbot, studio, model="fashion32", count=1, seed=9)
    upsampled(qtbot, studio)
    assert [(one.seed, one.aug_seed, one.steps) for one in asked(engine)] == [(9, 9, 2)]


def test_for_ever_goes_on_with_the_switch_on(studio: Studio, qtbot: QtBot, engine: Upsampler) -> None:
    studio.upsampling.set_auto(True)
    studio.settings.set_values({"model": "fashion32", "count": 1})
    studio.generate_forever(True)
    qtbot.waitUntil(lambda: len(asked(engine)) >= 3, timeout=PATIENCE_MS)
    studio.generate_forever(False)
    qtbot.waitUntil(lambda: studio.queue.running is None, timeout=PATIENCE_MS)
    assert len(engine.requests) >= 3


def test_what_waits_is_made_large_at_the_next_start_if_it_was_to_be(qtbot: QtBot, tmp_path: Path) -> None:
    engine = Upsampler()
    engine.gate = Gate()
    path = tmp_path / "history.sqlite"
    studio = Studio(Store(path), lambda: engine)
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE_MS):
        studio.start()
    studio.settings.set_values({"model": "fashion32", "count": 2})
    for seed, large in ((1, True), (10, True), (20, False)):
        studio.upsampling.set_auto(large)
        studio.settings.seed = seed
        studio.generate()
    studio.remove_job(studio.queue.pending[0].id)
    studio.undo()  # it is still to be made large
    engine.gate.wait_reached()
    studio.host.cancel(studio.queue.jobs[0].id)
    threading.Timer(0.05, engine.open_all).start()
    assert studio.shutdown(PATIENCE_MS)

    again = Upsampler()
    with studio_with(qtbot, again, Store(path)) as studio:
        qtbot.waitUntil(
            lambda: studio.queue.running is None and not studio.queue.pending, timeout=PATIENCE_MS
        )
        assert [request.seed for request in again.requests] == [1, 10, 20]
        assert [request.seeds[0] for request in asked(again)] == [1, 10]


def test_wrong_settings_are_refused_and_good_ones_kept(qtbot: QtBot, tmp_path: Path) -> None:
    store = Store(tmp_path / "history.sqlite")
    studio = Studio(store, Upsampler)
    model = studio.upsampling
    for name, value in (("steps", 0), ("aug_level", 2.0), ("aug_seed", -5), ("aug_level", float("nan"))):
        with pytest.raises(BadRequest) as error:
            model.set_value(name, value)
        assert error.value.field == name
    assert not model.differs()
    model.set_value("steps", 7)
    model.set_value("aug_seed", 3)
    model.set_value("seed", 4)
    assert model.differs(["seed"])
    assert not model.differs(["aug_level"])
    studio.shutdown()
    again = Studio(Store(tmp_path / "history.sqlite"), Upsampler)
    assert [again.upsampling.value(name) for name in ("steps", "aug_seed", "seed")] == [7, None, None]
    again.session.set("upsample", {"steps": 6, "seed": 4})  # as kept by an earlier version
    again.shutdown()
    again = Studio(Store(tmp_path / "history.sqlite"), Upsampler)
    assert (again.upsampling.value("steps"), again.upsampling.value("seed")) == (6, None)
    again.upsampling.reset()
    assert {name: again.upsampling.value(name) for name in DEFAULTS} == DEFAULTS
    again.shutdown()


def test_the_file_of_a_large_picture_holds_all_it_takes(studio: Studio, qtbot: QtBot, tmp_path: Path) -> None:
    finish(qtbot, studio, model="fashion32", count=2, seed=5)
    small = studio.upsampling.of_canvas()
    assert small is not None
    studio.upsampling.submit(small)
    result = upsampled(qtbot, studio)
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        assert studio.save_images([1], tmp_path / "one.png")
    saved = read_settings(tmp_path / "one.png")
    assert isinstance(saved.request, UpsampleRequest)
    assert saved.request.seeds[saved.index] == 6
    source = read_small(saved.request.images[saved.index], 8, 1, crop=False)
    assert source == result.sources.one(1)
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        qtbot.waitUntil(lambda: len(studio.canvas.record_ids) == 2)
        assert studio.save_records([studio.canvas.record_ids[1]], tmp_path / "two.png")
    assert read_settings(tmp_path / "two.png") == saved
