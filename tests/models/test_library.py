"""Models imported, refused, removed and brought back."""

from __future__ import annotations

import json
import shutil
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.models.library import LibraryModel, is_model_file, parameters_of
from app.models.studio import Studio
from app.models.traverse.desk import opens_here
from app.models.undo import Change
from app.store import Store
from engine.checkpoints.library import user_folder
from engine.messages import Catalogue, Control, Event, Imported, ImportRequest, Loading, ModelInfo, Refused
from tests.engine.tiny_model import write_tiny_model
from tests.fake_engine import FakeEngine, Gate, fake_catalogue
from tests.views.studio_kit import studio_with


class Importer(FakeEngine):
    """Refuses what is called "bad", imports the rest; held at `import_gate` before each event."""

    def __init__(self, *, gated: bool = False) -> None:
        super().__init__(scripts={"import": self.do_import})
        self.import_gate = Gate(open_for_ever=not gated)
        self.listed: Catalogue = fake_catalogue()

    def catalogue(self) -> Catalogue:
        return self.listed

    def open_all(self) -> None:
        super().open_all()
        self.import_gate.open_all()

    def do_import(self, request: ImportRequest, control: Control) -> Iterator[Event | Exception]:
        made, refused = [], []
        for file in request.files:
            path = Path(file)
            self.import_gate.pass_through()
            yield Loading(path.name, 0.0)
            if path.stem.startswith("bad"):
                refused.append(Refused(file, f"Couldn't import {file}: it is cut short.", "file"))
                continue
            self.import_gate.pass_through()
            yield Loading(path.stem, 0.5)
            if control.cancelled.is_set():
                break
            made.append(path.stem)
        yield Imported(request, tuple(made), tuple(refused), 0.1, stopped=control.cancelled.is_set())


@pytest.fixture(autouse=True)
def every_event_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine_worker.PROGRESS_INTERVAL", 0.0)


@pytest.fixture
def importer() -> Importer:
    return Importer()


@pytest.fixture
def studio(qtbot: QtBot, importer: Importer) -> Iterator[Studio]:
    with studio_with(qtbot, importer) as studio:
        yield studio


def done(qtbot: QtBot, library: LibraryModel) -> Imported:
    qtbot.waitUntil(lambda: library.outcome is not None)
    assert library.outcome is not None
    assert library.importing is None
    return library.outcome


def test_what_may_be_a_model(tmp_path: Path) -> None:
    names = ("a.pth", "B.PT", "c.ckpt", "d.safetensors", "e.png", "f")
    assert [is_model_file(Path(name)) for name in names] == [True, True, True, True, False, False]
    assert is_model_file(tmp_path)  # a folder may hold them
    assert is_model_file(tmp_path / "card.toml")
    assert not opens_here(tmp_path / "card.toml")  # other files of its kind are walks
    assert opens_here(tmp_path / "walk.toml")


def test_parameters_are_read_from_the_heads_of_the_files(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "tiny")
    counted = parameters_of(folder)
    assert set(counted) == {"network", "head"}
    network = (folder / "network.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", network[:8])
    entries = json.loads(network[8 : 8 + length])
    entries.pop("__metadata__", None)
    ends = [entry["data_offsets"][1] for entry in entries.values()]
    assert max(ends) == len(network) - 8 - length
    assert counted["network"] * 4 == max(ends)  # the tiny model is kept in float32


def test_a_damaged_weights_file_has_no_parameters(tmp_path: Path) -> None:
    (tmp_path / "network.safetensors").write_bytes(b"\xff" * 40)
    (tmp_path / "head.safetensors").write_bytes(b"")
    assert parameters_of(tmp_path) == {}
    assert parameters_of(tmp_path / "nowhere") == {}


def test_an_import_says_how_far_it_is_and_what_came_of_it(qtbot: QtBot) -> None:
    importer = Importer(gated=True)
    with studio_with(qtbot, importer) as studio:
        library = studio.library
        files = [Path("/x/cifar.pth"), Path("/x/bad.pth")]
        assert library.import_files(files) is not None
        assert library.importing is not None
        assert library.importing.files == tuple(files)
        assert library.import_files([Path("/x/other.pth")]) is None  # one at a time
        importer.import_gate.open(1)
        qtbot.waitUntil(lambda: library.importing is not None and "cifar.pth" in library.importing.words)
        importer.import_gate.open(1)
        qtbot.waitUntil(lambda: library.importing is not None and library.importing.fraction == 0.5)
        assert library.importing.words == "Converting cifar"
        importer.import_gate.open_all()
        with qtbot.waitSignal(studio.catalogue_changed):  # the new model can be chosen at once
            outcome = done(qtbot, library)
        assert (outcome.models, library.fresh) == (("cifar",), ("cifar",))
        assert [refused.file for refused in library.refused] == ["/x/bad.pth"]
        library.dismiss()
        assert (library.outcome, library.refused) == (None, ())


def test_an_import_is_cancelled_where_it_is(qtbot: QtBot) -> None:
    importer = Importer(gated=True)
    with studio_with(qtbot, importer) as studio:
        library = studio.library
        library.import_files([Path("/x/one.pth"), Path("/x/two.pth")])
        importer.import_gate.open(2)
        qtbot.waitUntil(lambda: library.importing is not None and library.importing.fraction > 0)
        assert library.cancel_import()
        importer.import_gate.open_all()
        qtbot.waitUntil(lambda: library.importing is None)
        assert not library.cancel_import()


def test_an_import_that_waits_leaves_the_queue(qtbot: QtBot) -> None:
    importer = Importer()
    importer.gate = Gate()
    with studio_with(qtbot, importer) as studio:
        studio.generate()
        studio.library.import_files([Path("/x/one.pth")])
        assert studio.queue.pending_count == 1
        assert studio.library.cancel_import()
        assert (studio.queue.pending_count, studio.library.importing) == (0, None)
        job = studio.library.import_files([Path("/x/one.pth")])
        assert job is not None
        studio.remove_job(job)  # in the panel of the queue
        assert studio.library.importing is None
        studio.undo()
        assert studio.library.importing is not None
        assert studio.library.importing.files == (Path("/x/one.pth"),)


def test_answering_one_refusal_keeps_the_others(studio: Studio, qtbot: QtBot) -> None:
    library = studio.library
    library.import_files([Path("/x/bad1.pth"), Path("/x/bad2.pth"), Path("/x/good.pth")])
    done(qtbot, library)
    assert [one.file for one in library.refused] == ["/x/bad1.pth", "/x/bad2.pth"]
    assert library.import_again("/x/bad2.pth") is not None
    assert [one.file for one in library.refused] == ["/x/bad1.pth"]  # while it is read as well
    done(qtbot, library)
    assert [one.file for one in library.refused] == ["/x/bad1.pth", "/x/bad2.pth"]
    library.import_again("/x/bad1.pth")
    done(qtbot, library)
    assert [one.file for one in library.refused] == ["/x/bad2.pth", "/x/bad1.pth"]
    library.import_files([Path("/x/good.pth")])  # something else
    done(qtbot, library)
    assert library.refused == ()
    library.import_files([Path("/x/bad1.pth"), Path("/x/bad2.pth")])
    done(qtbot, library)
    library.import_again("/x/bad1.pth")
    done(qtbot, library)
    library.dismiss()
    assert library.refused == ()


def test_an_import_that_was_cut_off_goes_on_at_the_next_start(qtbot: QtBot, tmp_path: Path) -> None:
    importer, path = Importer(gated=True), tmp_path / "history.sqlite"
    studio = Studio(Store(path), lambda: importer)
    with qtbot.waitSignal(studio.host.engine_ready):
        studio.start()
    studio.library.import_files([Path("/x/one.pth")], name="one", replace=True)
    importer.import_gate.wait_reached()
    assert studio.queue.running is not None
    threading.Timer(0.05, importer.open_all).start()
    assert studio.shutdown()

    again = Importer()
    with studio_with(qtbot, again, Store(path)) as studio:
        # Nobody has entered the Models room: the catalogue is read again all the same.
        with qtbot.waitSignals([studio.queue.job_finished, studio.catalogue_changed]):
            assert [job.request.kind for job in studio.queue.jobs] == ["import"]
        assert done(qtbot, studio.library).models == ("one",)
        (seen,) = [seen.request for seen in again.seen if isinstance(seen.request, ImportRequest)]
        assert seen == ImportRequest(("/x/one.pth",), "one", replace=True)


def test_no_file_at_all_is_said(studio: Studio) -> None:
    said: list[str] = []
    studio.notice.connect(lambda words, *_: said.append(words))
    assert studio.library.import_files([]) is None
    assert "files" in said[0]


def own_model(name: str = "tiny") -> tuple[Path, dict[str, Any]]:
    folder = write_tiny_model(user_folder(), name=name)
    return folder, {"name": name, "title": "Tiny", "folder": str(folder), "bundled": False}


def info_of(values: dict[str, Any]) -> ModelInfo:
    import dataclasses

    return dataclasses.replace(fake_catalogue().models[0], **values)


def test_removing_a_model_and_undo(studio: Studio, qtbot: QtBot) -> None:
    folder, values = own_model()
    info = info_of(values)
    library = studio.library
    assert library.can_remove(info)
    with qtbot.waitSignal(studio.catalogue_changed):
        assert library.remove(info)
    assert not folder.exists()
    assert library.removed_bytes > 0
    with qtbot.waitSignal(studio.catalogue_changed):
        assert studio.undo() is not None
    assert (folder / "card.toml").is_file()
    assert library.removed_bytes == 0
    studio.redo()
    assert not folder.exists()
    studio.undo()
    assert folder.exists()


def listed(studio: Studio, qtbot: QtBot, importer: Importer, *models: ModelInfo) -> None:
    """The engine offers the fake models and these."""
    importer.listed = Catalogue((*fake_catalogue().models, *models), fake_catalogue().solvers)
    studio.host.refresh_catalogue()
    # Not the next list that comes: one that was asked for before may still be on its way.
    qtbot.waitUntil(lambda: studio.catalogue == importer.listed)


def test_the_chosen_model_is_chosen_again_when_it_comes_back(
    studio: Studio, qtbot: QtBot, importer: Importer
) -> None:
    _, values = own_model()
    info = info_of(values)
    settings = studio.settings
    listed(studio, qtbot, importer, info)
    settings.set_values({"model": "tiny", "steps": 17, "pick": (3,)})
    before = settings.to_dict()
    for take in (lambda: studio.library.remove(info), studio.redo):
        assert take()
        listed(studio, qtbot, importer)
        assert settings.model == "fashion32"
        change = studio.undo()
        assert change is not None
        assert change.words == "Tiny removed."
        listed(studio, qtbot, importer, info)
        assert settings.to_dict() == before
    assert studio.undo() is not None  # what was done before, not the model's coming back
    assert settings.model == "fashion32"


def test_a_choice_made_meanwhile_stands(studio: Studio, qtbot: QtBot, importer: Importer) -> None:
    _, values = own_model()
    info = info_of(values)
    listed(studio, qtbot, importer, info)
    studio.settings.model = "tiny"
    offered: list[Change] = []
    studio.notice.connect(lambda _words, _kind, more: offered.append(more))
    studio.library.remove(info)
    listed(studio, qtbot, importer)
    studio.settings.model = "plain"
    offered[-1]()  # the button of the message
    listed(studio, qtbot, importer, info)
    assert studio.settings.model == "plain"


def test_what_could_not_be_undone_is_not_said_to_be(studio: Studio) -> None:
    _, values = own_model()
    said: list[str] = []
    studio.library.remove(info_of(values))
    studio.notice.connect(lambda words, *_: said.append(words))
    own_model()  # another one of that name
    assert studio.undo() is not None  # there was something
    assert len(said) == 1
    assert "is there by now" in said[0]
    assert not studio.undo_list.can_undo
    assert not studio.undo_list.can_redo
    assert studio.undo() is None


def test_what_could_not_be_done_again_is_not_said_to_be(studio: Studio) -> None:
    folder, values = own_model()
    studio.library.remove(info_of(values))
    studio.undo()
    shutil.rmtree(folder)
    said: list[str] = []
    studio.notice.connect(lambda words, *_: said.append(words))
    assert studio.redo() is not None
    assert len(said) == 1
    assert "Couldn't remove" in said[0]
    assert not studio.undo_list.can_undo


def test_bundled_models_stay(studio: Studio) -> None:
    info = studio.settings.catalogue.models[0]
    assert not studio.library.can_remove(info)
    assert not studio.library.remove(info)


def test_emptying_gives_the_space_back(studio: Studio) -> None:
    folder, values = own_model()
    size = sum(file.stat().st_size for file in folder.iterdir())
    studio.library.remove(info_of(values))
    assert studio.library.empty_removed() == size
    assert studio.library.removed_bytes == 0
    said: list[str] = []
    studio.notice.connect(lambda words, *_: said.append(words))
    studio.undo()  # there is nothing left to bring back, and that is said
    assert any("removed for good" in words for words in said)
