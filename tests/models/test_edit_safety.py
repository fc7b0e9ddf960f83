"""Nothing of a person's work is lost, nothing hostile gets in, and nothing slow is done in the window's thread."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import threading
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.models.edit.aside import Aside
from app.models.edit.asking import STRIP
from app.models.edit.bundle import read_bundle, write_bundle
from app.models.edit.crop import Crop, cropped
from app.models.edit.edits import Edits
from app.models.edit.facts import rows_of, sound_facts
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.studio import Studio
from app.store import Store
from app.store.edits import EditFiles, EditStore
from engine.errors import BadImage, BadRequest
from engine.messages import Control, Event, FileImage, Pictures
from engine.messages.edit import CLASS_GUIDANCE, EditRequest
from engine.messages.encode import EncodeRequest, Photo
from engine.photos import frame_photo
from tests.fake_edits import edit_scripts, fake_latent, png_of
from tests.fake_engine import FakeEngine, Gate

PATIENCE = 20_000


def photo(path: Path, level: int = 90, size: tuple[int, int] = (12, 8)) -> Path:
    Image.new("L", size, level).save(path)
    return path


def node(files: EditFiles, name: str, parent: str | None = None, level: int = 0) -> EditNode:
    data = png_of(Pictures(1, 8, 8, 1, bytes([level]) * 64))
    kept = {"picture": files.put(data, "png")}
    if parent is None:
        kept["latent"] = files.put(fake_latent(bytes([level])), "safetensors")
    return EditNode(fresh_id(), parent, "class" if parent else "picture", name, kept)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(scripts=edit_scripts())


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


def open_one(qtbot: QtBot, edits: Edits, path: Path) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        assert edits.open_files([path])
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        assert edits.encode.encode()


# --- undo


def test_the_last_edit_deleted_and_brought_back_is_there_at_the_next_start(
    store: Store, sessions: Sessions
) -> None:
    sessions.create("alone", "fashion32", [node(sessions.files, "root")])
    id = sessions.id
    assert sessions.current is not None
    sessions.delete_edit(sessions.current.id)
    assert sessions.listed() == []
    assert sessions.undo()
    assert [row.id for row in sessions.listed()] == [id]
    again = Sessions(EditStore(store))
    assert again.open(id)
    assert [n.name for n in again.tree] == ["root"]


def test_an_undo_button_left_on_screen_brings_back_what_it_was_about(
    store: Store, sessions: Sessions
) -> None:
    told: list[Any] = []
    sessions.notice.connect(lambda _words, _kind, change: told.append(change))
    sessions.create("first", "fashion32", [node(sessions.files, "root")])
    first = sessions.id
    assert sessions.current is not None
    sessions.add(node(sessions.files, "child", sessions.current.id, 1))
    assert sessions.current is not None
    sessions.delete_edit(sessions.current.id)
    sessions.create("second", "fashion32", [node(sessions.files, "other", level=2)])
    told[-1]()
    assert [n.name for n in sessions.tree] == ["other"], "the open session is another one"
    assert [row.name for row in EditStore(store).edits(first)] == ["root", "child"]
    sessions.open(first)
    assert [n.name for n in sessions.tree] == ["root", "child"]


def test_every_session_can_be_opened_however_old(sessions: Sessions) -> None:
    for number in range(60):
        sessions.create(f"session {number}", "fashion32", [node(sessions.files, "root", level=number)])
    listed = sessions.listed()
    assert len(listed) == 60
    assert sessions.open(next(row.id for row in listed if row.name == "session 0"))


def test_what_was_painted_is_there_when_the_tool_is_taken_up_again(
    qtbot: QtBot, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    edits.pending.set_tool("paint")
    paint = edits.pending.paint
    paint.press(3, 3, (255,))
    paint.release()
    painted = paint.picture
    assert edits.pending.give_up()
    edits.pending.set_tool("paint")
    assert paint.picture == painted
    assert edits.undo()
    assert paint.picture != painted


@pytest.mark.parametrize("tool", ["mask", "paint"])
def test_strokes_wait_at_their_edit_and_closing_knows_of_them(
    qtbot: QtBot, studio: Studio, edits: Edits, tmp_path: Path, tool: str
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    pending, root = edits.pending, edits.current
    assert root is not None
    other = EditNode("0123456789abcdef", root.id, "class", "Coat", dict(root.files))
    edits.sessions.add(other)
    pending.set_tool(tool)
    layer = pending.layer
    assert layer is not None
    blank = layer.picture
    layer.press(3, 3, (255,))
    layer.release()
    painted = layer.picture
    edits.sessions.go_to(root.id)
    assert not layer.can_undo
    assert studio.would_lose_work
    edits.sessions.go_to(other.id)
    assert layer.picture == painted
    assert edits.undo()
    assert layer.picture == blank
    assert not studio.would_lose_work
    assert edits.redo()
    pending.settle()
    qtbot.waitUntil(lambda: pending.final, timeout=PATIENCE)
    pending.keep()
    assert not studio.would_lose_work


# --- one encoding at a time


def slow(gate: Gate) -> Callable[[EncodeRequest, Control], Iterator[Event | Exception]]:
    def script(request: EncodeRequest, control: Control) -> Iterator[Event | Exception]:
        gate.pass_through()
        yield from edit_scripts()["encode"](request, control)

    return script


def test_a_picture_pasted_while_another_is_encoded_does_not_push_it_out(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    gate = Gate()
    engine.scripts["encode"] = slow(gate)
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "a.png")])
    edits.encode.encode()
    told: list[str] = []
    edits.notice.connect(lambda words, _kind, _undo: told.append(words))
    edits.encode.open_png(png_of(Pictures(1, 8, 8, 1, bytes(64))), "Pasted")
    assert not edits.open_files([photo(tmp_path / "b.png")])
    assert len([words for words in told if "being encoded" in words]) == 2
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        gate.open_all()
    assert edits.sessions.name == "a"


def test_what_is_left_over_from_the_last_time_is_kept_while_another_is_encoded(
    qtbot: QtBot, studio: Studio, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    gate = Gate()
    engine.scripts["encode"] = slow(gate)
    late = photo(tmp_path / "late.png", 30)
    studio.submit(EncodeRequest("fashion32", photos=(Photo(FileImage(str(late))),), labels=(4,)))
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "a.png")])
    edits.encode.encode()
    gate.open_all()
    qtbot.waitUntil(lambda: not edits.encode.busy, timeout=PATIENCE)
    assert {row.name for row in edits.sessions.listed()} == {"late", "a"}
    assert edits.sessions.name == "a"


def test_reading_is_stopped_with_esc(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    held = threading.Event()

    def data() -> bytes:
        held.wait(20)
        return png_of(Pictures(1, 8, 8, 1, bytes(64)))

    edits.encode.open_png(data, "Pasted")
    assert edits.encode.state == "reading"
    assert edits.stop()
    assert edits.encode.state == ""
    held.set()
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "a.png")])
    assert edits.encode.crop is not None
    assert edits.encode.crop.name == "a.png", "the one that was stopped says nothing more"


# --- a folder


def test_pictures_of_a_folder_stand_in_the_history_under_their_own_names(
    qtbot: QtBot, studio: Studio, edits: Edits, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(8):
        photo(folder / f"{number}.png", 20 * number)
    (folder / "0b.png").write_text("no")
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.open_files([folder])
    assert [n.name for n in edits.sessions.tree] == [str(number) for number in range(8)]
    qtbot.waitUntil(lambda: studio.history.total == 8, timeout=PATIENCE)
    for record in (studio.history.record_at(row) for row in range(8)):
        request = studio.history.request(record.id)
        assert isinstance(request, EncodeRequest)
        assert request.count == 8, "the one that was refused is in none of them"
        named = int(Path(request.photos[record.index].name).stem)
        assert abs(studio.history.pictures(record.id).data[-1] - 20 * named) <= 1


def test_many_files_are_written_off_the_windows_thread(
    qtbot: QtBot, edits: Edits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        photo(folder / f"{number}.png", 40 * number)
    threads: set[threading.Thread] = set()
    put = EditFiles.put

    def noted(self: EditFiles, data: bytes, suffix: str) -> str:
        threads.add(threading.current_thread())
        return put(self, data, suffix)

    monkeypatch.setattr(EditFiles, "put", noted)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.open_files([folder])
    assert threads
    assert threading.main_thread() not in threads
    assert not edits.encode.busy


def test_closing_waits_for_what_is_written(qtbot: QtBot) -> None:
    told: list[object] = []
    aside = Aside()
    held = threading.Event()
    aside.do(lambda: held.wait(20), told.append, told.append)
    aside.do(lambda: 1 // 0, told.append, lambda failure: told.append(failure.kind))
    assert aside.busy
    held.set()
    aside.close()
    assert told == [True, "bug"]
    assert not aside.busy


# --- the strip


def test_a_strip_that_was_cut_off_comes_after_all(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    gate = Gate()

    def script(request: EditRequest, control: Control) -> Iterator[Event | Exception]:
        if request.strengths == STRIP:
            gate.pass_through()
        yield from edit_scripts()["edit"](request, control)

    engine.scripts["edit"] = script
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    pending = edits.pending
    pending.set_tool("class")
    gate.wait_reached()
    pending.set(strength=0.25, settle=False)
    gate.open_all()
    pending.set(strength=0.3)
    qtbot.waitUntil(lambda: pending.final and pending.strip_current, timeout=PATIENCE)


def test_the_strip_of_another_variation_is_said_to_be_of_before(
    qtbot: QtBot, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    pending = edits.pending
    pending.set_tool("vary")
    qtbot.waitUntil(lambda: pending.final and pending.strip_current, timeout=PATIENCE)
    told: list[bool] = []
    pending.strip_changed.connect(lambda: told.append(pending.strip_current))
    pending.select(2)
    qtbot.waitUntil(lambda: pending.strip_current, timeout=PATIENCE)
    assert told == [False, True]


def test_a_class_is_pulled_on_the_way_down_and_a_variation_is_not(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    for tool in ("class", "vary"):
        edits.pending.set_tool(tool)
        qtbot.waitUntil(lambda: edits.pending.final, timeout=PATIENCE)
    found = {
        seen.request.edit.name: seen.request.guidance
        for seen in engine.seen
        if isinstance(seen.request, EditRequest) and seen.request.edit is not None
    }
    assert found == {"class": CLASS_GUIDANCE, "vary": 0.0}


# --- pictures


@pytest.mark.parametrize("size", [12, 1500])
def test_what_is_clear_is_black_however_large_the_picture(
    qtbot: QtBot, edits: Edits, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (size, size), (255, 255, 255, 0)).save(path)
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([path])
    crop = edits.encode.crop
    assert crop is not None
    assert crop.pixels == frame_photo(Photo(FileImage(str(path))), 8, 1)[0], "as one of a folder is"
    assert set(crop.pixels.data) == {0}
    assert "transparent" in " ".join(crop.notes)


def test_a_masks_clear_parts_may_not_change(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    edits.pending.set_tool("mask")
    mask = np.zeros((8, 8, 4), np.uint8)
    mask[:2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert edits.import_mask(tmp_path / "mask.png") == ""
    assert edits.pending.mask.pixels[:, :, 0].tolist() == mask[:, :, 3].tolist()


def test_all_of_a_long_strip_fits_into_memory() -> None:
    picture = cropped(Image.new("L", (200_000, 100), 200), Crop(whole=True), 8, 1)
    assert set(picture.data) == {200}


def test_the_latent_can_be_kept(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    current = edits.current
    assert current is not None
    assert edits.save_latent(current, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == edits.sessions.files.get(current.files["latent"])


def test_a_large_picture_is_let_go_of_once_it_is_cut(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE) as asked:
        edits.open_files([photo(tmp_path / "a.png")])
    asked.args.clear()
    crop = weakref.ref(edits.encode.crop)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.encode.encode()
    del asked
    gc.collect()
    assert crop() is None


# --- files of edits


@pytest.fixture
def bundle(sessions: Sessions, tmp_path: Path) -> Path:
    sessions.create("family", "fashion32", [node(sessions.files, "root", level=9)])
    path = tmp_path / "x.zip"
    write_bundle(path, sessions.name, sessions.model, sessions.tree, sessions.files)
    return path


def test_damage_anywhere_in_a_file_of_edits_is_told(bundle: Path, tmp_path: Path) -> None:
    data = bundle.read_bytes()
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 0xFF
        bundle.write_bytes(bytes(broken))
        with contextlib.suppress(BadImage, BadRequest):  # any other exception fails the test
            read_bundle(bundle, EditFiles(tmp_path / "there"))


def test_a_picture_larger_than_any_memory_is_refused_by_its_header(
    sessions: Sessions, tmp_path: Path
) -> None:
    header = bytearray(png_of(Pictures(1, 8, 8, 1, bytes(64))))
    header[16:24] = (9_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    name = f"{hashlib.sha256(header).hexdigest()}.png"
    edit = {"id": "a", "parent": None, "name": "a", "kind": "picture", "files": {"picture": name}}
    listing = {"format": "genie-edits", "version": 1, "name": "x", "model": "m", "edits": [edit]}
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("edits.json", json.dumps(listing))
        archive.writestr(f"images/{name}", bytes(header))
    with pytest.raises(BadImage, match="larger than any"):
        read_bundle(path, EditFiles(tmp_path / "there"))


def test_facts_of_another_kind_are_left_out() -> None:
    good = {
        "psnr": None, "ssim": 0.5, "label": 3, "solver": "genie", "notes": ["cut"], "exact": True,
        "inverted": [[2.0, 0.1, 5, 1, True]], "round_trips": {"genie": [[5, 20.0], [10, 30.0]]},
    }  # fmt: skip
    assert sound_facts(good) == good
    bad = {
        "psnr": "loud", "ssim": float("nan"), "evaluations": 10**400, "label": -1, "comes_back": 7,
        "notes": "all", "inverted": [[1]], "round_trips": {"genie": []}, "seconds": {}, "std": [],
    }  # fmt: skip
    assert sound_facts(bad) == {}
    rows_of(sound_facts(bad))


def test_files_of_edits_are_written_and_read_off_the_windows_thread(
    qtbot: QtBot, edits: Edits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    read = read_bundle

    def noted(path: Path, files: EditFiles) -> object:
        threads.append(threading.current_thread())
        return read(path, files)

    monkeypatch.setattr("app.models.edit.edits.read_bundle", noted)
    open_one(qtbot, edits, photo(tmp_path / "a.png"))
    with qtbot.waitSignal(edits.notice, timeout=PATIENCE) as told:
        edits.export_bundle(tmp_path / "x.zip")
    assert "Saved x.zip" in told.args[0]
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.open_files([tmp_path / "x.zip"])
    assert len(edits.sessions.listed()) == 2
    assert threads
    assert threading.main_thread() not in threads
