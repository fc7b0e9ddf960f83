"""The Edit room when something changes under way: the session, the model, a restart, a full disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.models.edit.edits import Edits
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.studio import Studio
from app.store import Store
from app.store.edits import EditFiles
from engine.errors import UnusableFolder
from engine.messages import Catalogue, Control, Event, FileImage, Pictures
from engine.messages.edit import ClassSet, DirectionRequest, EditRequest
from engine.messages.encode import EncodeRequest, Photo, RoundTripRequest
from tests.fake_edits import edit_scripts, fake_latent, png_of
from tests.fake_engine import FakeEngine, Gate, fake_catalogue

PATIENCE = 20_000


def catalogue() -> Catalogue:
    """With a model of many classes, and one that can't do without a class."""
    known = fake_catalogue()
    first = known.models[0]
    wide = dataclasses.replace(first, name="wide", classes=tuple(f"class {n}" for n in range(50)))
    strict = dataclasses.replace(first, name="strict", title="Strict", null_label=False)
    return Catalogue((*known.models, wide, strict), known.solvers)


def photo(path: Path, level: int = 90) -> Path:
    Image.new("L", (12, 8), level).save(path)
    return path


def pasted() -> bytes:
    return png_of(Pictures(1, 8, 8, 1, bytes(64)))


def node(files: EditFiles, name: str = "root", level: int = 0) -> EditNode:
    data = png_of(Pictures(1, 8, 8, 1, bytes([level]) * 64))
    kept = {"picture": files.put(data, "png"), "latent": files.put(fake_latent(data), "safetensors")}
    return EditNode(fresh_id(), None, "picture", name, kept, facts={"label": 7})


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(scripts=edit_scripts(), catalogue=catalogue())


@pytest.fixture
def studio(qtbot: QtBot, engine: FakeEngine, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(Store(tmp_path / "studio" / "history.sqlite"), lambda: engine)
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE):
        studio.start()
    yield studio
    engine.open_all()
    studio.shutdown()


@pytest.fixture
def edits(studio: Studio) -> Edits:
    return studio.edits


def crop_of(qtbot: QtBot, edits: Edits, path: Path) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        assert edits.open_files([path])


def open_one(qtbot: QtBot, edits: Edits, path: Path) -> None:
    crop_of(qtbot, edits, path)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        assert edits.encode.encode()


def encoded(engine: FakeEngine) -> list[EncodeRequest]:
    return [seen.request for seen in engine.seen if isinstance(seen.request, EncodeRequest)]


def names(sessions: Sessions) -> set[str]:
    return {row.name for row in sessions.listed()}


# --- directions


def direction(name: str = "sleeves") -> DirectionRequest:
    return DirectionRequest("fashion32", name=name, toward=ClassSet(2), away=ClassSet(0))


def test_a_direction_that_still_waited_is_made_at_the_next_start(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    first = Studio(Store(path), lambda: FakeEngine(scripts=edit_scripts()))
    first.submit(direction())
    first.shutdown()
    second = Studio(Store(path), lambda: FakeEngine(scripts=edit_scripts()))
    second.start()
    try:
        qtbot.waitUntil(lambda: second.queue.jobs[0].ended, timeout=PATIENCE)
        sessions = second.edits.sessions
        sessions.create("shoe", "fashion32", [node(sessions.files)])
        assert [row.name for row in second.edits.directions.listed()] == ["sleeves"]
    finally:
        second.shutdown()


def test_a_direction_nobody_waits_for_is_kept_and_does_not_pass_for_the_one_that_is(
    qtbot: QtBot, studio: Studio, edits: Edits
) -> None:
    edits.sessions.create("shoe", "fashion32", [node(edits.sessions.files)])
    made: list[str] = []
    edits.directions.made.connect(lambda row: made.append(row.name))
    studio.submit(direction("left over"))
    assert edits.directions.of_classes("asked for", 2, 0)
    qtbot.waitUntil(lambda: not edits.directions.busy, timeout=PATIENCE)
    assert [row.name for row in edits.directions.listed()] == ["left over", "asked for"]
    assert made == ["asked for"]


def test_two_directions_that_waited_under_one_name_get_a_name_each(
    qtbot: QtBot, studio: Studio, edits: Edits
) -> None:
    edits.sessions.create("shoe", "fashion32", [node(edits.sessions.files)])
    made: list[str] = []
    told: list[str] = []
    edits.directions.made.connect(lambda row: made.append(row.name))
    studio.notice.connect(lambda words, *_: told.append(words))
    for _ in range(2):
        studio.submit(direction())
    assert edits.directions.of_classes("sleeves", 2, 0)
    qtbot.waitUntil(lambda: not edits.directions.busy, timeout=PATIENCE)
    assert [row.name for row in edits.directions.listed()] == ["sleeves", "sleeves 2", "sleeves 3"]
    assert made == ["sleeves 3"]
    assert any("The direction sleeves 2 tells" in words for words in told)


# --- the class pictures are encoded as


def test_several_pictures_are_not_encoded_as_the_class_of_the_one_before(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.encode.open_png(pasted(), "Ankle boot", label=5)
    assert edits.encode.label == 5
    edits.encode.drop_crop()
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        assert edits.open_files([photo(tmp_path / "a.png"), photo(tmp_path / "b.png", 40)])
    assert [request.labels for request in encoded(engine)] == [(None, None)]


def test_a_file_begins_without_a_class(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.encode.open_png(pasted(), "Ankle boot", label=5)
    edits.encode.drop_crop()
    crop_of(qtbot, edits, photo(tmp_path / "a.png"))
    assert edits.encode.label is None


def test_the_class_of_another_model_is_none_of_this_one(edits: Edits) -> None:
    edits.encode.set_label(5)
    edits.settings.model = "wide"
    assert edits.encode.label is None


def test_several_pictures_are_asked_about_where_the_model_needs_a_class(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    edits.settings.model = "strict"
    edits.encode.set_label(5)
    paths = [photo(tmp_path / "a.png"), photo(tmp_path / "b.png", 40)]
    with qtbot.waitSignal(edits.encode.class_wanted) as wanted:
        assert edits.open_files(paths)
    assert wanted.args == [2]
    edits.encode.drop_crop()
    assert not edits.encode.encode_batch(3), "they are not wanted any more"
    edits.open_files(paths)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        assert edits.encode.encode_batch(3)
    assert [request.labels for request in encoded(engine)] == [(3, 3)]


# --- another session


def test_error_versus_steps_is_kept_though_another_session_is_open_by_then(
    qtbot: QtBot, engine: FakeEngine, edits: Edits
) -> None:
    gate = Gate()

    def slow(request: RoundTripRequest, control: Control) -> Iterator[Event | Exception]:
        gate.pass_through()
        yield from edit_scripts()["round-trip"](request, control)

    engine.scripts["round-trip"] = slow
    sessions = edits.sessions
    first = sessions.create("first", "fashion32", [node(sessions.files)])
    edits.round_trips.measure()
    gate.wait_reached()
    sessions.create("second", "fashion32", [node(sessions.files, level=9)])
    gate.open_all()
    qtbot.waitUntil(lambda: not edits.round_trips.busy, timeout=PATIENCE)
    assert edits.round_trips.curves == {}, "it is none of the second"
    sessions.open(first)
    assert set(edits.round_trips.curves) == {"genie", "ddim"}
    assert sessions.current is not None
    assert sessions.current.facts["label"] == 7


def test_the_class_and_the_direction_asked_for_are_those_of_the_sessions_model(
    qtbot: QtBot, engine: FakeEngine, edits: Edits
) -> None:
    sessions, pending = edits.sessions, edits.pending
    wide = sessions.create("wide", "wide", [node(sessions.files)])
    pending.set_tool("class")
    pending.set(to=40, direction="0" * 64 + ".safetensors", direction_name="sleeves", strength=0.3)
    qtbot.waitUntil(lambda: pending.final, timeout=PATIENCE)
    sessions.create("small", "fashion32", [node(sessions.files, level=9)])
    engine.seen.clear()
    pending.set_tool("class")
    qtbot.waitUntil(lambda: pending.final, timeout=PATIENCE)
    assert pending.problem is None
    assert pending.asked.to == 8, "another class than its own"
    assert (pending.asked.direction, pending.asked.direction_name) == ("", "")
    assert pending.asked.strength == 0.3
    [request, *_] = [seen.request for seen in engine.seen if isinstance(seen.request, EditRequest)]
    assert request.model == "fashion32"
    pending.set(to=2)
    sessions.create("small, too", "fashion32", [node(sessions.files, level=12)])
    assert pending.asked.to == 2, "the same model knows it"
    sessions.open(wide)
    assert pending.asked.to is None


# --- strokes


def test_the_session_stays_where_it_is_in_the_middle_of_a_stroke(qtbot: QtBot, edits: Edits) -> None:
    sessions = edits.sessions
    root = node(sessions.files)
    sessions.create("shoe", "fashion32", [root])
    child = dataclasses.replace(node(sessions.files, level=9), parent=root.id, kind="class")
    sessions.add(child)
    edits.pending.set_tool("paint")
    paint = edits.pending.paint
    paint.press(3, 3, (255,))
    assert edits.undo()
    assert sessions.current is child
    assert edits.redo()
    assert paint.painting
    paint.release()
    assert edits.undo()
    assert sessions.current is child, "the stroke was undone"
    assert edits.undo()
    assert sessions.current is root


# --- a full disk


class FullDisk:
    """`EditFiles.put` fails until there is room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        put = EditFiles.put

        def try_put(files: EditFiles, data: bytes, suffix: str) -> str:
            if self.full:
                raise UnusableFolder("No space left on device.")
            return put(files, data, suffix)

        monkeypatch.setattr(EditFiles, "put", try_put)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


@pytest.mark.parametrize("count", [1, 6])  # the files of six are written off the window's thread
def test_what_is_encoded_waits_for_room_on_the_disk(
    qtbot: QtBot, studio: Studio, edits: Edits, disk: FullDisk, tmp_path: Path, count: int
) -> None:
    if count == 1:
        crop_of(qtbot, edits, photo(tmp_path / "a.png"))
        edits.encode.encode()
    else:
        edits.open_files([photo(tmp_path / f"{n}.png", 30 * n) for n in range(count)])
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    assert studio.save_results() == 1
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    edits.encode.retry()
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    assert studio.would_lose_work
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    jobs = studio.queue.jobs
    disk.full = False
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.encode.retry()
    assert studio.queue.jobs == jobs
    assert len(edits.sessions.tree) == count
    assert edits.page == "round trip"
    qtbot.waitUntil(lambda: not studio.would_lose_work, timeout=PATIENCE)


def test_what_is_left_behind_is_kept_when_the_window_is_to_close(
    qtbot: QtBot, studio: Studio, edits: Edits, disk: FullDisk, tmp_path: Path
) -> None:
    crop_of(qtbot, edits, photo(tmp_path / "a.png"))
    edits.encode.encode()
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    disk.full = False
    open_one(qtbot, edits, photo(tmp_path / "b.png", 40))
    assert names(edits.sessions) == {"b"}
    assert not studio.would_lose_work
    assert names(edits.sessions) == {"a", "b"}
    assert edits.sessions.name == "b", "what a person looks at stays"


def test_what_could_not_be_kept_is_thrown_away_when_a_person_says_so(
    qtbot: QtBot, studio: Studio, edits: Edits, disk: FullDisk, tmp_path: Path
) -> None:
    crop_of(qtbot, edits, photo(tmp_path / "a.png"))
    edits.encode.encode()
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    assert edits.encode.dismiss()
    assert not studio.would_lose_work
    disk.full = False
    edits.encode.retry()
    assert edits.encode.state == "waiting", "there is only the picture left to encode again"
    qtbot.waitUntil(lambda: edits.page == "round trip", timeout=PATIENCE)


def test_what_is_left_over_from_the_last_time_waits_for_room_as_well(
    qtbot: QtBot, studio: Studio, edits: Edits, engine: FakeEngine, disk: FullDisk, tmp_path: Path
) -> None:
    gate = Gate()

    def slow(request: EncodeRequest, control: Control) -> Iterator[Event | Exception]:
        gate.pass_through()
        yield from edit_scripts()["encode"](request, control)

    engine.scripts["encode"] = slow
    late = photo(tmp_path / "late.png", 30)
    studio.submit(EncodeRequest("fashion32", photos=(Photo(FileImage(str(late))),), labels=(4,)))
    crop_of(qtbot, edits, photo(tmp_path / "a.png"))
    edits.encode.encode()
    gate.open_all()
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    assert studio.save_results() == 2
    disk.full = False
    assert studio.save_results() == 0
    assert names(edits.sessions) == {"late", "a"}
    assert edits.sessions.name == "a"
