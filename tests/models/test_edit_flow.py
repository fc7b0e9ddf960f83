"""A picture goes in, is encoded, changed and kept: the Edit room's model over the fake engine."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from app.models.edit.asking import DRAFT_STEPS, STRIP
from app.models.edit.edits import Edits
from app.models.studio import Studio
from app.store import Store
from engine.images import settings_in
from engine.messages import Control, Event, FileImage, GenerateRequest, PngImage
from engine.messages.edit import AttributeEdit, EditRequest, MaskEdit, VaryEdit
from engine.messages.encode import EncodeRequest, Photo
from tests.fake_edits import edit_scripts, pixels_of
from tests.fake_engine import CLASSES, FakeEngine, Gate, fake_result

PATIENCE = 20_000


def photo(path: Path, size: tuple[int, int] = (12, 8), level: int = 90) -> Path:
    image = Image.new("L", size, level)
    image.putpixel((size[0] // 2, size[1] // 2), 200)
    image.save(path)
    return path


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(scripts=edit_scripts())


@pytest.fixture
def studio(qtbot: QtBot, engine: FakeEngine, tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(Store(tmp_path / "history.sqlite"), lambda: engine)
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE):
        studio.start()
    yield studio
    engine.open_all()
    studio.shutdown()


@pytest.fixture
def edits(studio: Studio) -> Edits:
    return studio.edits


def open_one(qtbot: QtBot, edits: Edits, path: Path, label: int | None = 7) -> None:
    """Open a file and encode the square in its middle."""
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        assert edits.open_files([path])
    edits.encode.set_label(label)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        assert edits.encode.encode()
    assert edits.page == "round trip"


def settle(qtbot: QtBot, edits: Edits) -> None:
    """Wait for final quality and the strip after it."""
    pending = edits.pending
    qtbot.waitUntil(lambda: pending.final and pending.strip is not None, timeout=PATIENCE)


def asked(engine: FakeEngine) -> list[EditRequest]:
    return [seen.request for seen in engine.seen if isinstance(seen.request, EditRequest)]


# --- in


def test_what_the_crop_shows_is_what_is_encoded(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "shoe.png", (20, 12))])
    crop = edits.encode.crop
    assert crop is not None
    crop.move_to(2, 1)
    crop.resize(8)
    crop.set_invert(True)
    shown = crop.pixels
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.encode.encode()
    [request] = [seen.request for seen in engine.seen if isinstance(seen.request, EncodeRequest)]
    assert pixels_of(request.photos[0]) == shown
    assert request.guidance == 0
    assert edits.current is not None
    assert edits.sessions.picture(edits.current) == shown
    assert edits.sessions.name == "shoe"


def test_the_report_is_kept_with_the_picture(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    node = edits.current
    assert node is not None
    assert node.facts["label"] == 7
    assert node.facts["changed"] == 1
    assert node.facts["noise"] == "Looks like noise."
    assert set(node.files) == {"picture", "round_trip", "latent"}


def test_exact_chooses_a_solver_that_can_and_comes_back_to_the_byte(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    edits.settings.solver = "unipc"
    edits.encode.set_exact(True)
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    [request] = [seen.request for seen in engine.seen if isinstance(seen.request, EncodeRequest)]
    assert (request.exact, request.solver) == (True, "genie")
    assert edits.current is not None
    assert edits.current.facts["psnr"] is None
    assert edits.current.facts["comes_back"] == "Comes back to the byte."


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    text, empty, cut = folder / "text.png", folder / "empty.png", folder / "cut.png"
    text.write_text("not a picture")
    empty.write_bytes(b"")
    noise = Image.effect_noise((64, 64), 90)
    noise.save(cut)
    cut.write_bytes(cut.read_bytes()[:500])
    bomb = folder / "bomb.png"
    header = bytearray(photo(folder / "small.png").read_bytes())
    import zlib

    header[16:24] = (60_000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    bomb.write_bytes(bytes(header))
    nothing = folder / "none"
    nothing.mkdir()
    return {
        "text": (text, "not an image"),
        "empty": (empty, "empty"),
        "cut": (cut, "cut off"),
        "bomb": (bomb, "larger than"),
        "missing": (folder / "missing.png", "No such file"),
        "folder": (nothing, "no picture in"),
        "zip": (text.rename(folder / "edits.zip"), "no zip"),
    }


def test_what_can_not_be_opened_is_refused_and_the_session_stays(
    qtbot: QtBot, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    before = (edits.sessions.id, len(edits.sessions.tree))
    for name, (path, words) in bad_files(tmp_path).items():
        if name == "text":
            path.write_text("not a picture")
        with qtbot.waitSignal(edits.encode.refused, timeout=PATIENCE) as refused:
            edits.open_files([path])
        assert words in refused.args[0], (name, refused.args[0])
        assert edits.page == "round trip"
        assert edits.encode.crop is None
    assert (edits.sessions.id, len(edits.sessions.tree)) == before


@pytest.mark.parametrize("kind", ["rgba", "palette", "cmyk", "sixteen", "animated", "turned"])
def test_unusual_pictures_open_and_say_what_was_done(
    qtbot: QtBot, edits: Edits, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"{kind}.png"
    note = {
        "animated": "the first of 3 frames",
        "sixteen": "16 bits",
        "turned": "upright",
        "rgba": "transparent",
    }
    if kind == "rgba":
        Image.new("RGBA", (9, 9), (255, 0, 0, 100)).save(path)
    elif kind == "palette":
        image = Image.new("P", (9, 9), 1)
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(path, transparency=0)
    elif kind == "cmyk":
        Image.new("CMYK", (9, 9), (0, 255, 0, 0)).save(path := tmp_path / "a.jpg")
    elif kind == "sixteen":
        Image.new("I;16", (9, 9), 40_000).save(path)
    elif kind == "animated":
        frames = [Image.new("L", (9, 9), 80 * i) for i in range(3)]
        frames[0].save(path := tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("L", (16, 9), 50).save(path := tmp_path / "a.jpg", exif=exif)
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([path])
    crop = edits.encode.crop
    assert crop is not None
    assert (crop.pixels.width, crop.pixels.height, crop.pixels.channels) == (8, 8, 1)
    if kind in note:
        assert note[kind] in " ".join(crop.notes)
    if kind == "turned":
        assert (crop.width, crop.height) == (9, 16)


def test_what_is_clear_shows_what_lies_behind_the_pictures_of_the_model(
    qtbot: QtBot, edits: Edits, tmp_path: Path
) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save(path)
    for model, level in (("headless", 255), ("fashion32", 0)):
        edits.settings.model = model
        with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE) as asked_for:
            edits.open_files([path])
        assert asked_for.args is not None
        assert set(asked_for.args[0].pixels.data) == {level}
        edits.encode.drop_crop()


def test_a_folder_is_one_job_and_a_bad_file_does_not_stop_the_rest(
    qtbot: QtBot, studio: Studio, edits: Edits, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3):
        photo(folder / f"{number}.png", level=40 * number)
    (folder / "1b.png").write_text("no")
    told: list[str] = []
    edits.notice.connect(lambda words, _kind, _undo: told.append(words))
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        edits.open_files([folder])
    assert [node.name for node in edits.sessions.tree] == ["0", "1", "2"]
    assert any("1 could not be encoded" in words for words in told)
    qtbot.waitUntil(lambda: studio.history.total == 3, timeout=PATIENCE)
    assert studio.history.record_at(0).kind == "encode"


def test_stopping_keeps_what_was_open(qtbot: QtBot, tmp_path: Path) -> None:
    gate = Gate()

    def slow(request: EncodeRequest, control: Control) -> Iterator[Event | Exception]:
        for event in edit_scripts()["encode"](request, control):
            gate.pass_through()
            yield event

    engine = FakeEngine(scripts={**edit_scripts(), "encode": slow})
    studio = Studio(Store(None), lambda: engine)
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE):
        studio.start()
    edits = studio.edits
    try:
        with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
            edits.open_files([photo(tmp_path / "a.png")])
        edits.encode.encode()
        gate.open(3)
        qtbot.waitUntil(lambda: edits.encode.state == "encoding", timeout=PATIENCE)
        qtbot.waitUntil(lambda: edits.encode.preview is not None, timeout=PATIENCE)
        assert edits.page == "encoding"
        assert edits.stop()
        gate.open_all()
        qtbot.waitUntil(lambda: edits.encode.state == "stopped", timeout=PATIENCE)
        assert edits.encode.dismiss()
        assert edits.page == "empty"
    finally:
        gate.open_all()
        studio.shutdown()


def test_a_failure_is_said_and_can_be_tried_again(qtbot: QtBot, tmp_path: Path) -> None:
    tries: list[int] = []

    def once(request: EncodeRequest, control: Control) -> Iterator[Event | Exception]:
        tries.append(1)
        if len(tries) == 1:
            yield RuntimeError("broken")
            return
        yield from edit_scripts()["encode"](request, control)

    engine = FakeEngine(scripts={**edit_scripts(), "encode": once})
    studio = Studio(Store(None), lambda: engine)
    with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE):
        studio.start()
    edits = studio.edits
    try:
        with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
            edits.open_files([photo(tmp_path / "a.png")])
        edits.encode.encode()
        qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
        assert edits.encode.failure is not None
        with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
            edits.encode.retry()
        assert edits.page == "round trip"
    finally:
        studio.shutdown()


# --- changed


def test_a_drag_asks_for_drafts_and_letting_go_for_final_quality_and_the_strip(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    pending = edits.pending
    pending.set_tool("class")
    settle(qtbot, edits)
    engine.seen.clear()
    pending.set(strength=0.25, settle=False)
    qtbot.waitUntil(lambda: pending.state == "draft", timeout=PATIENCE)
    assert [(r.steps, r.strengths) for r in asked(engine)] == [(DRAFT_STEPS, (0.25,))]
    pending.set(strength=0.3)
    qtbot.waitUntil(lambda: pending.final, timeout=PATIENCE)
    final = asked(engine)[1]
    assert (final.steps, final.strengths, final.label) == (10, (0.3,), 7)
    assert pending.outcome is not None
    assert pending.outcome.request is final
    assert not [r for r in asked(engine) if r.strengths == STRIP], "the strip is the same at any strength"
    pending.set(to=3)
    qtbot.waitUntil(lambda: any(r.strengths == STRIP for r in asked(engine)), timeout=PATIENCE)


def test_a_kept_edit_is_in_the_tree_and_in_the_history(
    qtbot: QtBot, studio: Studio, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    root = edits.current
    assert root is not None
    edits.pending.set_tool("class")
    edits.pending.set(to=9, strength=0.5)
    settle(qtbot, edits)
    made = edits.pending.pictures
    edits.pending.keep()
    node = edits.current
    assert node is not None
    assert (node.parent, node.kind, node.name, node.facts["label"]) == (root.id, "class", "Ankle boot 50%", 9)
    assert edits.sessions.picture(node) == made
    assert edits.pending.tool == ""
    assert edits.page == "edit"
    qtbot.waitUntil(lambda: studio.history.total == 1, timeout=PATIENCE)
    assert edits.undo()
    assert edits.current is root
    assert edits.redo()
    assert edits.current is node


def test_keeping_a_draft_waits_for_final_quality(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    edits.pending.set_tool("class")
    settle(qtbot, edits)
    edits.pending.set(strength=0.77, settle=False)
    edits.pending.keep()
    with qtbot.waitSignal(edits.pending.kept, timeout=PATIENCE) as kept:
        pass
    node, outcome, _index = kept.args[0]
    assert outcome.request.steps == 10
    assert outcome.request.strengths == (0.77,)
    assert node.facts["strength"] == 0.77


def test_a_mask_goes_out_as_it_is_shown_and_outside_it_every_byte_stays(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    pending = edits.pending
    pending.set_tool("mask")
    assert pending.state == "failed"
    assert pending.problem is not None
    assert pending.problem.field == "mask"
    pending.mask.press(3, 3, (255,))
    pending.mask.release()
    pending.settle()
    settle(qtbot, edits)
    edit = asked(engine)[-1].edit
    assert isinstance(edit, MaskEdit)
    assert isinstance(edit.mask, PngImage)
    assert edit.feather == 0
    shown = pending.mask.soft_picture()
    assert pixels_of(Photo(edit.mask)) == shown
    before = edits.sessions.picture(edits.current) if edits.current is not None else None
    pending.keep()
    node = edits.current
    assert node is not None
    after = edits.sessions.picture(node)
    assert before is not None
    assert after is not None
    outside = [i for i, level in enumerate(shown.data) if level == 0]
    assert outside
    assert all(before.data[i] == after.data[i] for i in outside)
    assert before != after
    assert edits.sessions.picture(node, "mask") == shown


def test_a_mask_of_another_size_is_refused_and_the_mask_stays(
    qtbot: QtBot, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    edits.pending.set_tool("mask")
    edits.pending.mask.fill()
    assert "9 x 9" in edits.import_mask(photo(tmp_path / "m.png", (9, 9)))
    assert edits.pending.mask.share == 1
    assert edits.export_mask(tmp_path / "out.png")
    edits.pending.mask.clear()
    assert edits.import_mask(tmp_path / "out.png") == ""
    assert edits.pending.mask.share == 1


def test_variations_come_several_at_once_and_one_is_kept(
    qtbot: QtBot, studio: Studio, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    pending = edits.pending
    pending.set_tool("vary")
    settle(qtbot, edits)
    assert pending.pictures is not None
    assert pending.pictures.count == 4
    third = pending.pictures.one(2)
    pending.select(2)
    pending.keep()
    assert edits.current is not None
    assert edits.sessions.picture(edits.current) == third
    file = settings_in(studio.history.png(studio.history.record_at(0).id))
    assert file is not None
    assert file.request == asked(engine)[0]
    assert file.index == 2
    seeds = [r.edit.seeds for r in asked(engine) if isinstance(r.edit, VaryEdit) and r.strengths == STRIP]
    assert all(len(s) == 1 for s in seeds), "the strip is of one variation"


def test_painting_nothing_asks_for_nothing(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    edits.pending.set_tool("paint")
    assert edits.pending.problem is not None
    assert asked(engine) == []
    edits.pending.paint.press(4, 4, (255,))
    edits.pending.paint.release()
    edits.pending.settle()
    settle(qtbot, edits)
    assert edits.undo(), "a stroke is undone before anything else"
    assert not edits.pending.paint.touched
    assert edits.pending.tool == "paint"


def test_blending_with_an_edit_or_a_file(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    pending = edits.pending
    pending.set_tool("blend")
    assert pending.problem is not None
    assert pending.problem.field == "other"
    pending.open_other(photo(tmp_path / "other.png", (16, 16), 10))
    settle(qtbot, edits)
    assert pending.other is not None
    assert pending.other.name == "other"
    pending.open_other(tmp_path / "missing.png")
    qtbot.waitUntil(lambda: pending.problem is not None, timeout=PATIENCE)
    pending.keep()
    assert len(edits.sessions.tree) == 1, "what failed is not kept"


def test_a_direction_is_made_named_saved_and_used(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    directions = edits.directions
    assert not directions.of_classes("", 0, 1)
    assert directions.failure is not None
    assert not directions.of_classes("same", 1, 1)
    with qtbot.waitSignal(directions.made, timeout=PATIENCE):
        assert directions.of_classes("sleeves", 2, 0)
    [row] = directions.listed()
    assert row.name == "sleeves"
    assert not directions.of_classes("sleeves", 2, 0), "the name is taken"
    edits.pending.set_tool("attribute")
    edits.pending.set(direction=row.data["file"], direction_name=row.name, scale=-1.5)
    settle(qtbot, edits)
    edits.pending.keep()
    assert edits.current is not None
    assert edits.current.kind == "attribute"
    told: list[str] = []
    edits.notice.connect(lambda words, _kind, _undo: told.append(words))
    connection = edits.sessions.store._store._connection
    connection.execute("PRAGMA query_only = 1")
    directions.delete(row)
    assert told[0].startswith("Couldn't delete the direction")
    assert len(told) == 1
    assert len(directions.listed()) == 1
    connection.execute("PRAGMA query_only = 0")
    directions.delete(row)
    assert directions.listed() == []
    connection.execute("PRAGMA query_only = 1")
    edits.undo()
    assert told[-1].startswith("Couldn't bring back the direction")
    connection.execute("PRAGMA query_only = 0")
    edits.undo()
    assert told[-1] == "Undone: direction sleeves deleted."
    assert len(directions.listed()) == 1


def test_error_versus_steps_is_measured_once_and_kept(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    assert edits.round_trips.curves == {}
    edits.round_trips.measure()
    qtbot.waitUntil(lambda: bool(edits.round_trips.curves), timeout=PATIENCE)
    curves = edits.round_trips.curves
    assert set(curves) == {"genie", "ddim"}
    assert [steps for steps, _ in curves["genie"]] == [5, 10, 15, 25, 50]
    assert edits.sessions.open(edits.sessions.id)
    assert edits.round_trips.curves == curves


def test_going_to_another_edit_tries_the_tool_there(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    root = edits.current
    assert root is not None
    edits.pending.set_tool("class")
    settle(qtbot, edits)
    edits.pending.keep()
    edits.pending.set_tool("class")
    settle(qtbot, edits)
    edits.sessions.go_to(root.id)
    settle(qtbot, edits)
    outcome = edits.pending.outcome
    assert outcome is not None
    assert pixels_of(outcome.request.source) == edits.sessions.picture(root)


# --- kept between starts


def test_the_session_is_back_after_a_restart_and_its_file_opens_elsewhere(
    qtbot: QtBot, tmp_path: Path
) -> None:
    def start(path: Path) -> Studio:
        engine = FakeEngine(scripts=edit_scripts())
        studio = Studio(Store(path), lambda: engine)
        with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE):
            studio.start()
        return studio

    first = start(tmp_path / "one" / "history.sqlite")
    edits = first.edits
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    edits.pending.set_tool("class")
    settle(qtbot, edits)
    edits.pending.keep()
    names = [node.name for node in edits.sessions.tree]
    edits.export_bundle(tmp_path / "x.zip")
    first.shutdown()  # which waits for the file
    second = start(tmp_path / "one" / "history.sqlite")
    assert [node.name for node in second.edits.sessions.tree] == names
    assert second.edits.current is not None
    assert second.edits.current.name == names[-1]
    second.shutdown()
    other = start(tmp_path / "two" / "history.sqlite")
    with qtbot.waitSignal(other.edits.sessions.opened, timeout=PATIENCE):
        assert other.edits.open_files([tmp_path / "x.zip"])
    assert [node.name for node in other.edits.sessions.tree] == names
    other.edits.pending.set_tool("vary")
    settle(qtbot, other.edits)
    other.shutdown()
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None


def test_a_picture_of_the_history_comes_in_under_its_class(
    qtbot: QtBot, studio: Studio, edits: Edits
) -> None:
    request = GenerateRequest("fashion32", seed=3, labels=(5,))
    [record] = studio.history.add_result(fake_result(request), CLASSES)
    with qtbot.waitSignals([edits.encode.cropping, studio.room_wanted], timeout=PATIENCE):
        assert studio.edit_record(record)
    assert edits.encode.label == 5
    assert edits.encode.crop is not None
    assert edits.encode.crop.pixels == studio.history.pictures(record)


def test_another_model_puts_the_session_away(qtbot: QtBot, edits: Edits, tmp_path: Path) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    edits.settings.model = "plain"
    assert edits.page == "empty"
    [listed] = edits.sessions.listed()
    assert edits.sessions.open(listed.id)
    assert edits.settings.model == "fashion32"


def test_an_attributes_strip_goes_its_whole_way_on_the_side_it_is_on(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    with qtbot.waitSignal(edits.directions.made, timeout=PATIENCE) as made:
        edits.directions.of_classes("sleeves", 2, 0)
    edits.pending.set_tool("attribute")
    edits.pending.set(direction=made.args[0].data["file"], direction_name="sleeves", scale=-0.5, strength=0.2)
    settle(qtbot, edits)
    strip = next(r for r in asked(engine) if r.strengths == STRIP)
    final = next(r for r in asked(engine) if r.strengths == (1.0,))
    assert isinstance(strip.edit, AttributeEdit)
    assert isinstance(final.edit, AttributeEdit)
    assert (strip.edit.scale, final.edit.scale) == (-3.0, -0.5)
    edits.pending.keep()
    assert edits.current is not None
    assert edits.current.name == "sleeves -0.5"


def test_pictures_that_still_waited_are_encoded_at_the_next_start(qtbot: QtBot, tmp_path: Path) -> None:
    path = photo(tmp_path / "late.png")
    request = EncodeRequest("fashion32", photos=(Photo(FileImage(str(path))),), labels=(4,))
    store = tmp_path / "history.sqlite"
    first = Studio(Store(store), lambda: FakeEngine(scripts=edit_scripts()))
    first.submit(request)
    first.shutdown()
    second = Studio(Store(store), lambda: FakeEngine(scripts=edit_scripts()))
    second.start()
    try:
        qtbot.waitUntil(lambda: second.queue.jobs[0].ended, timeout=PATIENCE)
        assert [row.name for row in second.edits.sessions.listed()] == ["late"]
    finally:
        second.shutdown()


def test_what_failed_is_left_by_going_on(
    qtbot: QtBot, engine: FakeEngine, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))

    def broken(_request: EncodeRequest, _control: Control) -> Iterator[Event | Exception]:
        yield RuntimeError("broken")

    engine.scripts["encode"] = broken
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "other.png")])
    edits.encode.encode()
    qtbot.waitUntil(lambda: edits.page == "failed", timeout=PATIENCE)
    edits.pending.set_tool("class")
    assert edits.page == "edit"
    settle(qtbot, edits)


def test_what_is_taken_from_the_queue_is_waited_for_no_more(
    qtbot: QtBot, engine: FakeEngine, studio: Studio, edits: Edits, tmp_path: Path
) -> None:
    open_one(qtbot, edits, photo(tmp_path / "shoe.png"))
    engine.gate = Gate()
    studio.generate()
    engine.gate.wait_reached()
    with qtbot.waitSignal(edits.encode.cropping, timeout=PATIENCE):
        edits.open_files([photo(tmp_path / "boot.png")])
    assert edits.encode.encode()
    edits.round_trips.measure()
    encoding, measuring = studio.queue.pending
    studio.remove_job(encoding.id)
    studio.remove_job(measuring.id)
    assert (edits.encode.state, edits.round_trips.busy) == ("stopped", False)
    assert edits.encode.dismiss()
    assert not edits.stop()
    studio.undo()
    studio.undo()
    assert studio.queue.pending == (encoding, measuring)
    assert (edits.encode.state, edits.round_trips.busy) == ("waiting", True)
    with qtbot.waitSignal(edits.sessions.opened, timeout=PATIENCE):
        engine.open_all()
    assert edits.encode.state == ""
    qtbot.waitUntil(lambda: not edits.round_trips.busy, timeout=PATIENCE)
