"""The studio as views use it: generate, stop, keep, save, come back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.models.history import Filter
from app.models.studio import Studio
from app.store import Store
from engine.errors import BadCheckpoint, OutOfMemory
from engine.images import read_settings
from engine.messages import Control, Event, GenerateRequest, PngImage, WarmUp
from engine.messages.encode import EncodeRequest, Photo
from tests.fake_engine import FakeEngine, Gate, fake_catalogue, fake_result

Open = Callable[..., tuple[Studio, FakeEngine, list[tuple[str, str, Callable[[], object] | None]]]]


@pytest.fixture
def opened(qtbot: QtBot) -> Iterator[Open]:
    begun: list[tuple[Studio, FakeEngine]] = []

    def begin(
        engine: FakeEngine | None = None, store: Store | None = None, start: bool = True
    ) -> tuple[Studio, FakeEngine, list[tuple[str, str, Callable[[], object] | None]]]:
        engine = engine or FakeEngine()
        studio = Studio(store or Store(None), lambda: engine)
        begun.append((studio, engine))
        notices: list[tuple[str, str, Callable[[], object] | None]] = []
        studio.notice.connect(lambda text, kind, undo: notices.append((text, kind, undo)))
        if start:
            studio.start()
            if not engine.load_gate.closed:
                qtbot.waitUntil(lambda: studio.engine_state == "ready")
        return studio, engine, notices

    yield begin
    for studio, engine in begun:
        engine.open_all()
        assert studio.shutdown(5000)


def until(qtbot: QtBot, state: str, studio: Studio) -> None:
    qtbot.waitUntil(lambda: studio.canvas.state == state, timeout=20_000)


def test_generate_shows_keeps_and_announces(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened()
    finished: list[tuple[str, float]] = []
    studio.work_finished.connect(lambda *what: finished.append(what))
    studio.settings.set_values({"pick": (9,), "seed": 5, "count": 3})
    job = studio.generate()
    assert job is not None
    assert studio.canvas.state == "running"  # within the click
    assert (studio.canvas.count, studio.canvas.begun(0)) == (3, False)
    until(qtbot, "done", studio)
    request = GenerateRequest("fashion32", seed=5, labels=(9, 9, 9))
    assert engine.requests == [request]
    assert studio.canvas.pictures == fake_result(request).pictures
    assert len(studio.canvas.record_ids) == 3
    assert studio.history.total == 3
    assert studio.history.details(studio.canvas.record_ids[1]).record.label_name == "Ankle boot"
    assert studio.history.pictures(studio.canvas.record_ids[1]) == studio.canvas.picture(1)
    assert finished == [("3 pictures finished.", 0.1)]
    assert studio.status.text.startswith("CPU, 2 threads, fp32 | Fashion 32 loaded (16 MB)")
    assert studio.status.text.endswith("idle")


def test_generate_before_there_is_a_catalogue_is_done_as_soon_as_it_can(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(start=False)
    assert studio.generate() is None
    assert studio.canvas.state == "starting"
    studio.start()
    until(qtbot, "done", studio)
    assert len(engine.requests) == 1


def test_stop_while_the_engine_starts_is_instant(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gate_load=True))
    engine.load_gate.wait_reached()
    qtbot.waitUntil(lambda: studio.catalogue is not None)
    studio.generate()
    assert studio.canvas.state == "starting"
    studio.stop()
    assert studio.canvas.state == "stopped"
    assert studio.queue.jobs == ()
    engine.open_all()
    qtbot.waitUntil(lambda: studio.engine_state == "ready")
    assert engine.requests == []


def test_stop_when_nothing_runs_changes_nothing(qtbot: QtBot, opened: Open) -> None:
    studio, _, _ = opened()
    studio.stop()
    assert studio.canvas.state == "empty"
    studio.generate()
    until(qtbot, "done", studio)
    jobs = studio.queue.jobs
    studio.stop()
    assert (studio.canvas.state, studio.queue.jobs) == ("done", jobs)


def test_a_job_edited_while_the_engine_starts_is_shown_as_it_runs(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gate_load=True))
    engine.load_gate.wait_reached()
    qtbot.waitUntil(lambda: studio.catalogue is not None)
    studio.settings.set_values({"count": 4, "seed": 1})
    job = studio.generate()
    assert job is not None
    assert studio.edit_job(job)
    studio.settings.count = 2
    assert studio.commit_edit()
    engine.open_all()
    until(qtbot, "done", studio)
    assert (studio.canvas.request, studio.canvas.count) == (engine.requests[0], 2)


def test_stop_keeps_the_finished_part_in_the_history(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True, group=2))
    studio.settings.set_values({"count": 4, "steps": 2})
    studio.generate()
    for _ in range(3):
        engine.gate.wait_reached()
        engine.open()
    engine.gate.wait_reached()
    qtbot.waitUntil(lambda: studio.canvas.begun(0))  # a preview has come through the mailbox
    assert studio.window_title.startswith("step ")
    assert studio.window_title.endswith("left - GENIE Studio")
    studio.stop()
    engine.open_all()
    until(qtbot, "stopped", studio)
    assert studio.canvas.kept == 2
    assert studio.history.total == 2
    assert studio.window_title == "GENIE Studio"


def test_an_error_is_said_beside_its_control_and_the_next_job_runs(qtbot: QtBot, opened: Open) -> None:
    def script(request: GenerateRequest, control: Control) -> Iterator[Event | Exception]:
        if request.count > 8:
            yield OutOfMemory("Not even one image fits.", field="count")
        yield fake_result(request)

    studio, _, notices = opened(FakeEngine(script=script))
    studio.generate()
    until(qtbot, "failed", studio)
    assert studio.settings.errors == {"count": "Not even one image fits."}
    assert [text for text, kind, _ in notices if kind == "bad"] == ["Not even one image fits."]
    studio.settings.count = 2
    assert studio.settings.errors == {}
    studio.generate()
    until(qtbot, "done", studio)


def test_bad_settings_queue_nothing(opened: Open) -> None:
    studio, _, notices = opened()
    studio.settings.set_from_text("steps", "ten")
    assert studio.generate() is None
    assert studio.queue.jobs == ()
    assert "steps" in studio.settings.errors
    assert notices == []


def test_an_engine_that_does_not_start_says_so(qtbot: QtBot, opened: Open) -> None:
    studio, _, notices = opened(FakeEngine(load_error=ImportError("no torch")), start=False)
    studio.start()
    qtbot.waitUntil(lambda: studio.engine_state == "failed")
    assert studio.canvas.failure is not None
    assert "no torch" in studio.canvas.failure.details
    assert notices[0][1] == "bad"
    studio.generate()
    qtbot.waitUntil(lambda: studio.queue.jobs[0].state == "failed")


def test_the_chosen_model_is_warmed_up_once_and_a_job_goes_first(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened()
    qtbot.waitUntil(lambda: engine.loaded == "fashion32")
    qtbot.waitUntil(lambda: studio.status.loaded_model == fake_catalogue().model("fashion32"))
    studio.settings.model = "headless"
    studio.settings.model = "plain"
    qtbot.waitUntil(lambda: engine.loaded == "plain")
    warmed = [seen.request for seen in engine.seen if isinstance(seen.request, WarmUp)]
    assert [request.model for request in warmed] == ["fashion32", "plain"]  # no stop on the way
    engine.warm_gate = Gate()
    studio.settings.model = "headless"
    engine.warm_gate.wait_reached()
    studio.settings.model = "fashion32"
    studio.generate()
    engine.warm_gate.open()
    until(qtbot, "done", studio)
    assert engine.loaded == "fashion32"


def test_a_damaged_model_is_told_beside_the_model(qtbot: QtBot, opened: Open) -> None:
    class Damaged(FakeEngine):
        def run(self, request: object, control: Control) -> Iterator[Event]:  # type: ignore[override]
            raise BadCheckpoint("The weights are damaged.")

    studio, _, _ = opened(Damaged())
    qtbot.waitUntil(lambda: studio.settings.errors == {"model": "The weights are damaged."})


def test_stale_when_settings_change_and_not_for_a_random_seed(qtbot: QtBot, opened: Open) -> None:
    studio, _, _ = opened()
    studio.generate()
    until(qtbot, "done", studio)
    assert not studio.canvas.stale
    studio.settings.steps = 11
    assert studio.canvas.stale
    studio.settings.steps = 10
    assert not studio.canvas.stale
    studio.reuse_seed(3)
    assert studio.canvas.request is not None
    assert studio.settings.seed == studio.canvas.request.seed + 3
    assert studio.canvas.stale


def test_for_ever_draws_random_classes_anew(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True))
    studio.settings.set_values({"pick": "random", "count": 8, "steps": 1})
    studio.generate_forever(True)
    for _ in range(3 * 3):
        engine.gate.wait_reached()
        engine.open()
    qtbot.waitUntil(lambda: len(engine.requests) >= 3)
    assert len({request.labels for request in engine.requests[:3]}) == 3
    studio.stop()
    engine.open_all()
    qtbot.waitUntil(lambda: studio.queue.running is None)
    assert not studio.queue.forever
    assert studio.history.total >= 16


def rounds(engine: FakeEngine, events: int) -> None:
    """Let so many events of jobs pass, and come to the next one."""
    for _ in range(events):
        engine.gate.wait_reached()
        engine.open()
    engine.gate.wait_reached()


def test_for_ever_goes_by_the_settings_as_a_batch_ends(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True))
    studio.settings.set_values({"pick": (3,), "count": 2, "steps": 1, "seed": 7})
    studio.generate_forever(True)
    engine.gate.wait_reached()
    studio.settings.set_values({"pick": (7,), "count": 4, "steps": 2})
    engine.open()
    rounds(engine, 2)  # Loading, a step and the result of the first
    assert [(r.labels, r.steps) for r in engine.requests] == [((3, 3), 1), ((7,) * 4, 2)]
    assert engine.requests[1].seed != 7  # though the settings hold one fast
    studio.settings.pick = ()  # no request can be made of that: it goes on with the last one
    engine.open()
    rounds(engine, 3)
    assert [(r.labels, r.steps) for r in engine.requests[2:]] == [((7,) * 4, 2)]
    assert engine.requests[2].seed != engine.requests[1].seed
    studio.stop()


def test_for_ever_begins_behind_the_job_of_another_room(qtbot: QtBot, opened: Open) -> None:
    gate = Gate()

    def busy(_request: object, _control: Control) -> Iterator[Event | Exception]:
        gate.pass_through()
        yield BadCheckpoint("The weights are damaged.", field="model")

    studio, engine, _ = opened(FakeEngine(gated=True, scripts={"encode": busy}))
    photo = Photo(PngImage(b"\x89PNG\r\n\x1a\n"))
    studio.submit(EncodeRequest(model="fashion32", photos=(photo,), labels=(None,)))
    gate.wait_reached()
    studio.settings.count = 3
    studio.generate_forever(True)
    assert [job.request.kind for job in studio.queue.pending] == ["generate"]
    studio.generate_forever(False)
    studio.generate_forever(True)
    assert studio.queue.pending_count == 1  # it waits already
    gate.open_all()
    engine.gate.wait_reached()
    assert engine.requests[0].count == 3
    studio.stop()


def test_for_ever_is_off_where_the_settings_turn_out_wrong(qtbot: QtBot, opened: Open) -> None:
    studio, _, _ = opened(start=False)
    studio.settings.pick = ()
    studio.generate_forever(True)
    assert studio.queue.forever
    studio.start()
    qtbot.waitUntil(lambda: studio.catalogue is not None)
    assert "pick" in studio.settings.errors
    assert not studio.queue.forever


def test_looking_at_the_history_is_not_disturbed_by_a_job(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True))
    engine.open(12)
    studio.settings.set_values({"count": 2, "steps": 10, "seed": 1})
    studio.generate()
    until(qtbot, "done", studio)
    shown = studio.canvas.request
    ids = studio.canvas.record_ids
    studio.settings.seed = 100
    studio.generate()
    for _ in range(13):
        engine.gate.wait_reached()
    assert studio.show_record(ids[1])
    assert (studio.canvas.selected, studio.canvas.request, studio.following) == (1, shown, False)
    assert studio.canvas.record_ids == ids
    engine.open_all()
    qtbot.waitUntil(lambda: studio.history.total == 4)
    assert studio.canvas.request == shown
    assert len(studio.canvas.steps) == 10  # the filmstrip has come back, too


def test_following_again_shows_the_running_job(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True))
    engine.open(12)
    studio.settings.count = 1
    studio.generate()
    until(qtbot, "done", studio)
    studio.generate()
    for _ in range(13):
        engine.gate.wait_reached()
    studio.show_record(
        studio.canvas.record_ids[0] if studio.canvas.record_ids else studio.history.record_at(0).id
    )
    studio.follow()
    assert studio.canvas.busy
    assert studio.canvas.request == engine.requests[1]
    engine.open_all()
    until(qtbot, "done", studio)


def test_undo_of_settings_jobs_and_deletions(qtbot: QtBot, opened: Open) -> None:
    studio, engine, notices = opened(FakeEngine(gated=True))
    before = studio.settings.to_dict()
    studio.apply_settings(GenerateRequest("headless", seed=4, labels=(1,), solver="heun", steps=3))
    assert studio.settings.model == "headless"
    undo = notices[-1][2]
    assert undo is not None
    undo()
    assert studio.settings.to_dict() == before
    studio.settings.set_values({"count": 1, "steps": 1})
    studio.generate()
    waiting = studio.generate()
    assert waiting is not None
    engine.gate.wait_reached()
    studio.remove_job(waiting)
    assert studio.queue.pending_count == 0
    undo = notices[-1][2]
    assert undo is not None
    undo()
    assert [job.id for job in studio.queue.pending] == [waiting]
    engine.open_all()
    qtbot.waitUntil(lambda: studio.history.total == 2)
    studio.delete_records([studio.history.record_at(0).id])
    assert studio.history.total == 1
    undo = notices[-1][2]
    assert undo is not None
    undo()
    assert studio.history.total == 2


def test_editing_a_waiting_job(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened(FakeEngine(gated=True))
    studio.settings.set_values({"count": 1, "steps": 1, "seed": 1})
    running = studio.generate()
    waiting = studio.generate()
    assert running is not None
    assert waiting is not None
    engine.gate.wait_reached()
    assert not studio.edit_job(running)
    assert studio.edit_job(waiting)
    assert studio.editing == waiting
    studio.settings.seed = 77
    assert studio.commit_edit()
    assert studio.editing is None
    engine.open_all()
    qtbot.waitUntil(lambda: studio.history.total == 2)
    assert [request.seed for request in engine.requests] == [1, 77]


def test_saved_pictures_carry_their_settings_and_overwrite_nothing(
    qtbot: QtBot, opened: Open, tmp_path: Path
) -> None:
    studio, engine, notices = opened()
    assert not studio.save_images([0], tmp_path / "early.png")
    studio.settings.set_values({"count": 3, "seed": 5, "pick": (9,)})
    studio.generate()
    until(qtbot, "done", studio)
    with qtbot.waitSignal(studio.writer.written):
        assert studio.save_images([1], tmp_path / "one.png")
    saved = read_settings(tmp_path / "one.png")
    assert (saved.request, saved.index) == (engine.requests[0], 1)
    for _ in range(2):
        with qtbot.waitSignal(studio.writer.written):
            assert studio.save_images([0, 1, 2], tmp_path / "all", "webp")
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names == sorted(f"fashion32-ankle-boot-{seed}{n}.webp" for seed in (5, 6, 7) for n in ("", "-2"))
    assert not studio.save_images([0], tmp_path, "bmp")
    assert notices[-1][1] == "bad"
    diff = studio.open_dropped_file(tmp_path / "one.png")
    assert diff is not None
    assert (diff.image_seed, diff.rows) == (6, ())
    assert studio.open_dropped_file(tmp_path / "missing.png") is None
    assert notices[-1][1] == "bad"


def test_a_folder_that_can_not_be_written_is_a_plain_message(
    qtbot: QtBot, opened: Open, tmp_path: Path
) -> None:
    studio, _, notices = opened()
    studio.generate()
    until(qtbot, "done", studio)
    (tmp_path / "file").write_text("in the way")
    with qtbot.waitSignal(studio.writer.failed):
        studio.save_images([0, 1], tmp_path / "file" / "folder")
    assert notices[-1][1] == "bad"
    assert "Couldn't write" in notices[-1][0]
    assert not studio.writer.busy


@pytest.mark.parametrize(("suffix", "mode"), [(".gif", "L"), (".webp", "RGB"), (".png", "L")])
def test_the_steps_become_an_animation(
    qtbot: QtBot, opened: Open, tmp_path: Path, suffix: str, mode: str
) -> None:
    studio, _, _ = opened()
    studio.settings.set_values({"count": 2, "steps": 4})
    studio.generate()
    until(qtbot, "done", studio)
    path = tmp_path / f"steps{suffix}"
    with qtbot.waitSignal(studio.writer.written):
        assert studio.export_steps(path, 1, scale=3)
    with Image.open(path) as film:
        assert film.size == (24, 24)
        assert film.n_frames == 5  # type: ignore[attr-defined]
        levels = []
        for frame in range(5):
            film.seek(frame)
            levels.append(film.convert("L").getpixel((12, 12)))
        corners = [film.convert("L").getpixel(at) for at in ((0, 0), (2, 2), (3, 0))]
    assert levels == [10, 20, 30, 40, 255]
    assert corners == [1, 1, 255]  # one pixel is three, with hard edges


def test_a_colour_animation_of_the_grid(qtbot: QtBot, opened: Open, tmp_path: Path) -> None:
    studio, _, _ = opened()
    studio.settings.model = "headless"
    studio.settings.set_values({"count": 4, "steps": 2, "solver": "ddim"})
    studio.generate()
    until(qtbot, "done", studio)
    with qtbot.waitSignal(studio.writer.written):
        assert studio.export_steps(tmp_path / "grid.gif")
    with Image.open(tmp_path / "grid.gif") as film:
        assert film.size == (512, 512)  # 2 x 2 pictures of 8 px, 32 times as large
        assert film.n_frames == 3  # type: ignore[attr-defined]


def test_everything_comes_back_at_the_next_start(qtbot: QtBot, opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    studio, engine, _ = opened(FakeEngine(gated=True), Store(path))
    studio.settings.set_values({"count": 2, "steps": 3, "guidance": 1.5, "pick": (3, 4), "seed": 8})
    studio.session.set("geometry", "abc")
    requests = []
    for seed in (8, 9):
        studio.settings.seed = seed
        studio.generate()
        requests.append(studio.settings.build_request())
    engine.gate.wait_reached()
    assert studio.would_lose_work
    engine.open_all()
    studio.host.cancel(studio.queue.jobs[0].id)
    settings = studio.settings.to_dict()
    assert studio.shutdown(5000)
    studio.settings.count = 9  # a view that is still being closed
    studio.session.set("geometry", "late")

    again, second, notices = opened(FakeEngine(), Store(path))
    assert again.settings.to_dict() == settings
    assert again.session.get("geometry") == "abc"
    assert notices[0][0] == "The 2 jobs that waited are back in the queue."
    qtbot.waitUntil(lambda: again.queue.running is None and not again.queue.pending)
    assert second.requests == requests
    assert again.history.total == 4


def test_a_session_of_another_version_harms_nothing(opened: Open) -> None:
    store = Store(None)
    store.set_setting("session.settings", ["not", "a", "dict"])
    store.set_setting("session.queue", [3, "{", '{"genie": 99, "kind": "generate"}', None])
    studio, _, _ = opened(store=store)
    assert studio.settings.steps == 10
    assert studio.queue.jobs == ()


def test_comparing_two_images_of_the_history(qtbot: QtBot, opened: Open) -> None:
    studio, _, notices = opened()
    studio.settings.set_values({"count": 2, "seed": 1})
    studio.generate()
    until(qtbot, "done", studio)
    left, right = studio.canvas.record_ids
    assert studio.compare_records(left, right)
    assert studio.canvas.mode == "compare"
    assert studio.canvas.differing == [("Seed", "1", "2"), ("Class", "T-shirt", "Trouser")]
    assert studio.canvas.panes is not None
    assert [pane.title for pane in studio.canvas.panes] == ["GENIE 10, seed 1", "GENIE 10, seed 2"]
    assert not studio.compare_records(left, 999)
    assert notices[-1][1] == "bad"


def test_comparing_an_image_of_the_history_with_the_canvas(qtbot: QtBot, opened: Open) -> None:
    studio, _, notices = opened()
    studio.settings.set_values({"count": 2, "seed": 1})
    studio.generate()
    until(qtbot, "done", studio)
    first, _ = studio.canvas.record_ids
    assert not studio.compare_with_canvas(first)  # it is the one shown
    assert "canvas shows" in notices[-1][0]
    studio.settings.set_values({"solver": "ddim", "seed": 5})
    studio.generate()
    qtbot.waitUntil(lambda: studio.history.total == 4)
    studio.canvas.select(1)
    assert studio.compare_with_canvas(first)
    assert studio.canvas.panes is not None
    assert [pane.title for pane in studio.canvas.panes] == ["GENIE 10, seed 1", "DDIM 10, seed 6"]
    studio.canvas.clear()
    assert not studio.compare_with_canvas(first)
    assert notices[-1][1] == "info"


def test_undo_and_redo_go_back_and_forth_through_what_was_done(qtbot: QtBot, opened: Open) -> None:
    studio, _, notices = opened()
    studio.settings.set_values({"count": 2, "seed": 1})
    studio.generate()
    until(qtbot, "done", studio)
    studio.settings.steps = 7
    studio.settings.reset("steps")
    studio.delete_records([studio.history.record_at(0).id])
    told = len(notices)
    studio.delete_records([studio.canvas.record_ids[0]])  # it is gone already
    assert len(notices) == told
    assert (studio.settings.steps, studio.history.total) == (10, 1)
    assert studio.undo() is not None
    assert (studio.settings.steps, studio.history.total) == (10, 2)
    assert notices[-1][0] == "Undone: picture deleted."
    assert studio.undo() is not None
    assert studio.settings.steps == 7
    assert studio.undo() is not None  # what was done to the controls before
    assert (studio.settings.steps, studio.settings.count) == (10, 16)
    assert studio.undo() is None
    assert studio.redo() is not None
    assert (studio.settings.steps, studio.settings.count) == (7, 2)
    assert studio.redo() is not None
    assert (studio.settings.steps, studio.history.total) == (10, 2)
    assert studio.redo() is not None
    assert studio.history.total == 1
    assert studio.redo() is None
    undo = notices[-1][2]  # what was done again can be taken back by its button
    assert undo is not None
    undo()
    assert studio.history.total == 2
    undo()  # once only
    assert studio.history.total == 2
    studio.settings.set_preset("draft")
    assert studio.redo() is None
    assert studio.undo() is not None
    assert (studio.settings.preset, studio.settings.steps) == ("good", 10)


def test_waiting_jobs_are_kept_while_the_program_runs(qtbot: QtBot, opened: Open) -> None:
    store = Store(None)
    studio, engine, _ = opened(FakeEngine(gated=True), store)
    studio.settings.set_values({"count": 1, "steps": 1})
    for seed in (1, 2, 3):
        studio.settings.seed = seed
        studio.generate()
    engine.gate.wait_reached()

    def kept() -> list[int]:
        studio.session.flush()
        return [request.seed for request, _ in studio.session.requests()]

    qtbot.waitUntil(lambda: kept() == [2, 3])  # without the one that runs: it may be what ends the program
    studio.queue.move(2, 1)
    qtbot.waitUntil(lambda: kept() == [3, 2])
    engine.open_all()
    qtbot.waitUntil(lambda: kept() == [])


def test_the_ids_of_a_batch_are_known_where_a_filter_hides_part_of_it(qtbot: QtBot, opened: Open) -> None:
    studio, _, _ = opened()
    studio.settings.set_values({"count": 3, "pick": (1, 2)})
    studio.generate()
    until(qtbot, "done", studio)
    ids = studio.canvas.record_ids
    studio.history.set_filter(Filter(label="Pullover"))
    assert studio.history.rowCount() == 1
    assert studio.show_record(ids[1])
    assert (studio.canvas.record_ids, studio.canvas.selected) == (ids, 1)


def test_retry_runs_the_same_request(qtbot: QtBot, opened: Open) -> None:
    studio, engine, _ = opened()
    studio.generate()
    until(qtbot, "done", studio)
    studio.settings.steps = 3
    studio.retry()
    qtbot.waitUntil(lambda: len(engine.requests) == 2 and studio.queue.running is None)
    assert engine.requests[0] == engine.requests[1]
    assert dataclasses.replace(engine.requests[0]).steps == 10


def test_no_torch_before_the_engine_thread_imports_it(root: Path) -> None:
    code = (
        "import sys\n"
        "from PySide6.QtCore import QCoreApplication\n"
        "app = QCoreApplication([])\n"
        "from app.models.studio import Studio\n"
        "from app.store import Store\n"
        "from tests.fake_engine import FakeEngine\n"
        "studio = Studio(Store(None), FakeEngine)\n"
        "studio.start()\n"
        "studio.host.engine_ready.connect(app.quit)\n"
        "app.exec()\n"
        "assert studio.shutdown()\n"
        "heavy = {'torch', 'numpy', 'PIL', 'PySide6.QtWidgets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
