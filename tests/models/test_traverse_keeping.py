"""What must not be lost in the Traverse room, and what comes from elsewhere that can't be trusted."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QUrl
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse import film as films
from app.models.traverse.latent_files import holds_latent
from app.models.traverse.saving import file_name
from app.models.traverse.spots import short_id, spots_from_mime, spots_from_text
from app.store import Store
from engine.errors import BadRequest
from engine.journal import unfinished_folder
from engine.messages import Control, Event, FileLatent, SeedLatent
from engine.messages.latent_files import LatentRequest, LatentSaved
from engine.messages.traverse import PaceRequest, TraverseRequest, TraverseResult
from engine.walk import plan_frames
from tests.fake_engine import FakeEngine
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, provenance, spot, studio_of


@pytest.fixture
def engine() -> WalkingEngine:
    return WalkingEngine()


@pytest.fixture
def studio(qtbot: QtBot, engine: WalkingEngine) -> Iterator[Studio]:
    with studio_of(qtbot, engine) as made:
        yield made


@pytest.fixture
def said(studio: Studio) -> list[str]:
    words: list[str] = []
    studio.notice.connect(lambda text, kind, undo: words.append(text))
    return words


def seeds(studio: Studio) -> list[int]:
    keys = studio.traverse.timeline.keys
    return [key.spot.source.seed for key in keys if isinstance(key.spot.source, SeedLatent)]


# --- renders


def test_a_full_disk_is_no_finished_video(
    qtbot: QtBot, studio: Studio, engine: WalkingEngine, said: list[str], tmp_path: Path
) -> None:
    why = "Couldn't write boots.mp4: No space left on device, at frame 4. The 3 frames before are kept."

    def full(request: TraverseRequest, _control: Control) -> Iterator[Event | Exception]:
        total = plan_frames(request.walk).total
        yield TraverseResult(
            request, str(tmp_path / "boots.mp4"), 3, total, 8, 8, 5, 1.0, 10.0, request.walk, provenance(),
            notices=(why,),
        )  # fmt: skip

    engine.scripts["traverse"] = full
    render = studio.traverse.render
    render.choose(folder=str(tmp_path), name="boots")
    studio.traverse.timeline.add([spot(1), spot(2)])
    finished: list[str] = []
    render.finished.connect(finished.append)
    render.start()
    qtbot.waitUntil(lambda: not render.busy, timeout=PATIENCE_MS)
    assert render.state == "stopped"
    assert render.can_resume
    assert not finished
    assert why in said
    render.dismiss()
    assert render.state == "none"
    assert render.rendered is None


def test_a_render_that_a_crash_ended_can_be_gone_on_with(qtbot: QtBot, tmp_path: Path) -> None:
    file, out = tmp_path / "history.sqlite", tmp_path / "boots.mp4"
    engine = WalkingEngine(render_gated=True)
    with studio_of(qtbot, engine, Store(file)) as studio:
        render = studio.traverse.render
        render.choose(folder=str(tmp_path), name="boots")
        studio.traverse.timeline.add([spot(1), spot(2)])
        render.start()
        engine.render_gate.open(2)
        qtbot.waitUntil(lambda: render.progress is not None, timeout=PATIENCE_MS)
        studio.session.flush()
        left = studio.session.get("traverse")
        asked = render.rendered
    assert left["render"]["left"]
    for there in (False, True):
        store = Store(file)
        store.set_setting("session.traverse", left)  # as it was when the process was killed
        store.set_setting("session.queue", [])
        store.close()
        if there:
            unfinished_folder(out).mkdir()
        with studio_of(qtbot, WalkingEngine(), Store(file)) as studio:
            render = studio.traverse.render
            assert render.state == ("stopped" if there else "none")
            if not there:
                continue
            assert render.left_over
            assert render.rendered == asked
            render.resume()
            qtbot.waitUntil(lambda render=render: render.state == "done", timeout=PATIENCE_MS)
            assert render.to_dict()["left"] is None
            for damaged in ("{", "[]", 7):
                render.from_dict({"left": damaged})
            assert render.state == "done"


# --- walks


def test_a_ready_made_walk_leaves_one_that_was_authored_where_it_is(qtbot: QtBot, studio: Studio) -> None:
    desk = studio.traverse
    desk.timeline.add([spot(1), spot(2)])
    desk.timeline.set_setting("name", "By hand")
    for seed in (10, 20, 30):
        desk.random_walk(3, seed)
    qtbot.waitUntil(lambda: len(desk.walks) == 2, timeout=PATIENCE_MS)
    assert sorted(walk.name for walk in desk.walks) == ["By hand", "Random walk 30"]
    by_hand = next(walk.id for walk in desk.walks if walk.name == "By hand")
    assert desk.open_walk(by_hand)
    assert seeds(studio) == [1, 2]


def test_undo_does_not_reach_into_another_walk(studio: Studio) -> None:
    desk = studio.traverse
    ids = desk.timeline.add([spot(1), spot(2), spot(3)])
    desk.timeline.remove(ids[:1])
    desk.new_walk()
    desk.timeline.from_dict({})
    studio.undo()
    assert desk.timeline.keys == ()
    studio.redo()
    assert desk.timeline.keys == ()


def test_a_walk_that_can_not_be_kept_is_not_left(
    studio: Studio, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.store.records import StoreError
    from app.store.shelf import ShelfStore

    desk = studio.traverse
    desk.timeline.add([spot(1), spot(2)])

    def full(*_: Any) -> int:
        raise StoreError("Couldn't keep the walk: the disk is full.")

    monkeypatch.setattr(ShelfStore, "keep_walk", full)
    assert not desk.new_walk()
    assert not desk.open_walk(1)
    assert seeds(studio) == [1, 2]
    assert "the disk is full" in said[-1]


def test_names_times_and_pictures_do_not_take_the_pace_away(
    qtbot: QtBot, studio: Studio, engine: WalkingEngine
) -> None:
    line = studio.traverse.timeline
    line.add([spot(1), spot(2), spot(3)])
    line.set_setting("constant_pace", True)
    qtbot.waitUntil(lambda: not line.pace_missing, timeout=PATIENCE_MS)
    [asked] = [seen.request for seen in engine.seen if isinstance(seen.request, PaceRequest)]
    assert asked.sampling == studio.traverse.quality.final(MODEL)  # evenly as the video is made
    line.edit("name", "Boot", [line.keys[0].id])
    line.edit("hold", 0.5, [line.keys[0].id])
    line.set_seconds(3.0)
    assert not line.pace_missing
    line.edit("guidance", 1.0, [line.keys[0].id])
    assert line.pace_missing
    qtbot.waitUntil(lambda: not line.pace_missing, timeout=PATIENCE_MS)


def test_a_picture_that_comes_while_the_pace_is_measured_does_not_stop_it(
    qtbot: QtBot, studio: Studio
) -> None:
    desk = studio.traverse
    desk.timeline.add([dataclasses.replace(spot(i), thumbnail=b"-") for i in (1, 2)])
    desk.timeline.set_setting("constant_pace", True)
    qtbot.waitUntil(lambda: not desk.timeline.pace_missing, timeout=PATIENCE_MS)
    met: list[bool] = []

    def picture() -> None:
        if desk.pace.measuring:
            desk.timeline.changed.emit()
            met.append(desk.pace.measuring)

    desk.pace.changed.connect(picture)
    desk.timeline.edit("label", 3)
    qtbot.waitUntil(lambda: bool(met), timeout=PATIENCE_MS)
    assert met[0]
    qtbot.waitUntil(lambda: not desk.timeline.pace_missing, timeout=PATIENCE_MS)


# --- the pad


def test_a_pad_that_is_cleared_while_it_records(studio: Studio) -> None:
    pad = studio.traverse.pad
    pad.add_pins([spot(1), spot(2)])
    pad.set_recording(True)
    pad.press()
    pad.move_to(0.9, 0.2)
    pad.clear()
    assert not pad.recording
    pad.set_recording(False)
    pad.release()


def test_a_drift_that_fails_is_over(qtbot: QtBot, studio: Studio, engine: WalkingEngine) -> None:
    pad = studio.traverse.pad
    pad.add_pins([dataclasses.replace(spot(i), thumbnail=b"-") for i in (1, 2)])
    qtbot.waitUntil(lambda: pad.state == "done", timeout=PATIENCE_MS)
    told: list[bool] = []
    pad.drifting_changed.connect(told.append)
    pad.set_drifting(True)
    engine.trouble = BadRequest("The file is gone.")
    qtbot.waitUntil(lambda: pad.state == "failed", timeout=PATIENCE_MS)
    assert told == [True, False]
    assert not pad.moving


# --- films


@pytest.fixture
def film(tmp_path: Path) -> Path:
    np = pytest.importorskip("numpy")
    from engine.video import open_writer

    file = tmp_path / "film.webm"
    writer = open_writer(file, "webm", "good", (32, 32), 3, 50.0)
    for index in range(40):
        writer.add(np.full((32, 32, 3), 5 * index, np.uint8))
    writer.close()
    return file


def test_a_large_film_is_played_to_its_end(
    qtbot: QtBot, studio: Studio, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(films, "_KEPT_BYTES", 5 * 32 * 32 * 3)  # as if a frame were 38 MB
    model = studio.traverse.film
    studio.traverse.show_film(film)
    qtbot.waitUntil(lambda: model.total == 40, timeout=PATIENCE_MS)
    model.play()
    qtbot.waitUntil(lambda: model.frame == 39 and not model.playing, timeout=PATIENCE_MS)
    model.seek(2)
    qtbot.waitUntil(lambda: 2 in model._pictures, timeout=PATIENCE_MS)


def test_a_film_that_is_shorter_than_it_says(
    qtbot: QtBot, studio: Studio, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine import video_files

    opened = video_files.open_video
    monkeypatch.setattr(video_files, "open_video", lambda path: dataclasses.replace(opened(path), count=90))
    model = studio.traverse.film
    studio.traverse.show_film(film)
    qtbot.waitUntil(lambda: model.total == 90, timeout=PATIENCE_MS)
    model.play()
    qtbot.waitUntil(lambda: model.total == 40 and not model.playing, timeout=PATIENCE_MS)
    assert model.frame == 39


def test_why_the_walk_of_a_film_can_not_be_used_is_said(
    qtbot: QtBot, studio: Studio, said: list[str], tmp_path: Path
) -> None:
    np = pytest.importorskip("numpy")
    from engine.video import open_writer

    text = json.dumps({"kind": "video", "genie": 99})
    writer = open_writer(tmp_path / "newer.webm", "webm", "good", (16, 16), 1, 10.0, text)
    writer.add(np.zeros((16, 16, 1), np.uint8))
    writer.close()
    studio.traverse.open_file(tmp_path / "newer.webm")
    qtbot.waitUntil(lambda: bool(said), timeout=PATIENCE_MS)
    assert "A newer one may be needed" in said[0]
    assert studio.traverse.film.total == 1


# --- latents from elsewhere, and to elsewhere


@pytest.mark.parametrize(
    "change",
    [{"guidance": 1e9}, {"guidance": "nan"}, {"label": [[1, 0.5], [2, 0.1]]}, {"label": -4}, {"label": [[]]}],
)
def test_a_latent_that_no_picture_can_be_made_of_is_not_taken(change: dict[str, Any]) -> None:
    data = {"model": MODEL, "source": {"seed": 1}, **change}
    packed = base64.urlsafe_b64encode(json.dumps(data).encode()).decode("ascii")
    with pytest.raises(BadRequest):
        spots_from_text(f"genie-latent:abcdefghij:{packed}")


def test_texts_that_go_too_far(studio: Studio, said: list[str]) -> None:
    assert spots_from_text("7" * 6000, (), MODEL) == []
    assert studio.traverse.shelf.add_seeds(MODEL, "7" * 6000) == []
    assert "is no seed" in said[-1]
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode("ascii")
    with pytest.raises(BadRequest):
        spots_from_text(f"genie-latent:abcdefghij:{deep}")


def test_a_file_is_the_same_latent_wherever_it_lies() -> None:
    here, there = FileLatent("/here/a.safetensors", "5" * 64), FileLatent("/there/b.safetensors", "5" * 64)
    one, other = (dataclasses.replace(spot(1), source=source) for source in (here, there))
    assert short_id(one) == short_id(other)
    assert short_id(one) != short_id(
        dataclasses.replace(one, source=FileLatent("/here/a.safetensors", "6" * 64))
    )
    assert short_id(dataclasses.replace(one, source=FileLatent("/a"))) != short_id(
        dataclasses.replace(one, source=FileLatent("/b"))
    )


def test_a_model_is_told_from_a_latent_by_its_header(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    model = tmp_path / "model.safetensors"
    model.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert not holds_latent(model)
    assert not holds_latent(tmp_path)
    assert not holds_latent(tmp_path / "gone")


def test_moving_pictures_with_a_walk_are_no_latents_to_be_dropped(studio: Studio, tmp_path: Path) -> None:
    video, picture = tmp_path / "walk.png", tmp_path / "shoe.png"
    video.write_bytes(b"\x89PNG gnIe")
    picture.write_bytes(b"\x89PNG")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(video))])
    assert not studio.traverse.accepts(mime)
    mime.setUrls([QUrl.fromLocalFile(str(picture))])
    assert studio.traverse.accepts(mime)
    assert not studio.traverse.accepts(None)


def writing(engine: FakeEngine) -> list[LatentRequest]:
    """Let the engine write latents; what it was asked."""
    asked: list[LatentRequest] = []

    def write(request: LatentRequest, _control: Control) -> Iterator[Event | Exception]:
        asked.append(request)
        if request.source == SeedLatent(13):
            yield BadRequest("Couldn't write it: the disk is full.", field="out")
            return
        Path(request.out).write_bytes(b"latent")
        yield LatentSaved(request, request.out, "abcdefghij", "0" * 64, 0.01)

    engine.scripts["latent"] = write
    return asked


def test_latents_are_saved_as_files(
    qtbot: QtBot, studio: Studio, engine: WalkingEngine, said: list[str], tmp_path: Path
) -> None:
    asked = writing(engine)
    latents = studio.traverse.latents
    latents.save(spot(7, label=3), tmp_path / "boot.safetensors")
    qtbot.waitUntil(lambda: not latents.busy, timeout=PATIENCE_MS)
    assert asked == [LatentRequest(MODEL, SeedLatent(7), str(tmp_path / "boot.safetensors"), 3)]
    assert said[-1] == "Saved boot.safetensors."
    latents.save_all([spot(1, name="boot"), spot(2, name="boot"), spot(13), spot(3, name="../a/b")], tmp_path)
    qtbot.waitUntil(lambda: not latents.busy, timeout=PATIENCE_MS)
    names = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert names == ["a-b.safetensors", "boot 2.safetensors", "boot 3.safetensors", "boot.safetensors"]
    assert said[-2:] == ["Couldn't write it: the disk is full.", "3 latents saved."]
    latents.save(dataclasses.replace(spot(1), model="gone"), tmp_path / "c.safetensors")
    assert "is not here" in said[-1]
    assert not latents.busy
    assert file_name(dataclasses.replace(spot(1), name="..")) == f"{short_id(spot(1))}.safetensors"


def test_a_latent_that_was_encoded_comes_onto_the_shelf(studio: Studio, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from engine.latents import Latent, write_latent
    from tests.fake_engine import fake_pictures

    file = tmp_path / ("0" * 64 + ".safetensors")
    digest = write_latent(file, Latent(torch.ones(1, 8, 8, dtype=torch.float64), MODEL, 9))
    shelf = studio.traverse.shelf
    shelf.add_encoded(file, MODEL, "My boot", fake_pictures(1, 40))
    (one,) = shelf.everything
    assert (one.name, one.label, one.model) == ("My boot", 9, MODEL)
    assert isinstance(one.source, FileLatent)
    assert one.source.sha256 == digest
    assert one.thumbnail
    again = shelf.add_encoded(file, MODEL, "My boot")
    assert again == [one.id]
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    assert spots_from_mime(mime, studio.history)[0][0].source == FileLatent(str(file), digest)
