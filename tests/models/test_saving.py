"""Files of pictures: names that are free, pictures that can't be read, a disk that is full."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models import saving
from app.models.canvas import Shown
from app.models.facts import file_name
from app.models.saving import SaveItem, items_of_records
from app.models.studio import Studio
from app.store import Store
from app.store.records import StoreError
from engine.errors import UnusableFolder
from engine.images import read_settings
from engine.messages import GenerateRequest
from tests.fake_engine import CLASSES, FakeEngine, fake_result

PATIENCE_MS = 20_000
DRAGONFLY = (
    "dragonfly, darning needle, devil's darning needle, sewing needle, snake feeder, snake doctor, "
    "mosquito hawk, skeeter hawk"
)


@pytest.fixture(params=["in a file", "in memory"])
def studio(request: pytest.FixtureRequest, qtbot: QtBot, tmp_path: Path) -> Iterator[Studio]:
    store = Store(tmp_path / "a#b" / "history.sqlite" if request.param == "in a file" else None)
    made = Studio(store, FakeEngine)
    with qtbot.waitSignal(made.host.engine_ready, timeout=PATIENCE_MS):
        made.start()
    yield made
    assert made.shutdown(5000)


def keep(studio: Studio, count: int, *, seed: int = 50, label: int = 1) -> list[int]:
    request = GenerateRequest("fashion32", seed=seed, labels=(label,) * count)
    return studio.history.add_result(fake_result(request), CLASSES)


def ended(qtbot: QtBot, studio: Studio) -> Callable[[], list[str]]:
    """What the writer says from now on, once it is done."""
    said: list[str] = []
    studio.writer.written.connect(lambda _paths, words: said.append(words))
    studio.writer.failed.connect(lambda failure: said.append(failure.message))

    def wait() -> list[str]:
        qtbot.waitUntil(lambda: not studio.writer.busy, timeout=PATIENCE_MS)
        return said

    return wait


def harm(studio: Studio, id: int) -> None:
    with studio.store.transaction("harm a picture") as connection:
        connection.execute("UPDATE pixels SET png = ? WHERE image_id = ?", (b"\x89PNG junk", id))


def _steps(path: Path) -> int:
    request = read_settings(path).request
    assert isinstance(request, GenerateRequest)
    return request.steps


def test_two_saves_on_their_way_leave_each_other_alone(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    wait, gate = ended(qtbot, studio), threading.Event()
    studio.writer._submit(lambda: "held up" if gate.wait(20) else "", [])  # both are queued behind it
    for steps in (5, 9):
        result = fake_result(GenerateRequest("fashion32", seed=5, labels=(1, 1, 1), steps=steps))
        assert studio.save_images([0, 1, 2], tmp_path / "all", "png", shown=Shown(result, ()))
    gate.set()
    assert wait() == ["held up", *[f"Saved 3 pictures in {tmp_path / 'all'}."] * 2]
    made = sorted((path.name, _steps(path)) for path in (tmp_path / "all").iterdir())
    names = [f"fashion32-trouser-{seed}" for seed in (5, 6, 7)]
    assert made == sorted([(f"{n}.png", 5) for n in names] + [(f"{n}-2.png", 9) for n in names])


def test_equal_names_in_one_save_are_numbered(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    wait = ended(qtbot, studio)
    ids = [*keep(studio, 1), *keep(studio, 1), *keep(studio, 1)]
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "fashion32-trouser-50-2.png").write_text("mine")
    assert studio.save_records(ids, tmp_path / "all")
    assert wait() == [f"Saved 3 pictures in {tmp_path / 'all'}."]
    names = {path.name for path in (tmp_path / "all").iterdir()}
    assert names == {f"fashion32-trouser-50{n}.png" for n in ("", "-2", "-3", "-4")}
    assert (tmp_path / "all" / "fashion32-trouser-50-2.png").read_text() == "mine"


def test_a_damaged_picture_keeps_no_other_from_its_file(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    wait = ended(qtbot, studio)
    ids = keep(studio, 6)
    harm(studio, ids[2])
    assert studio.save_records(ids, tmp_path / "all")
    assert wait() == [
        f"Saved 5 of 6 pictures in {tmp_path / 'all'}. Couldn't save fashion32-trouser-52.png: "
        "its picture in the history is damaged. The others are untouched."
    ]
    seeds = sorted(path.stem.rpartition("-")[2] for path in (tmp_path / "all").iterdir())
    assert seeds == ["50", "51", "53", "54", "55"]


def test_of_many_that_fail_some_are_named(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    wait = ended(qtbot, studio)
    ids = keep(studio, 6)
    for id in ids[1:]:
        harm(studio, id)
    assert studio.save_records(ids, tmp_path / "all")
    (words,) = wait()
    assert words.startswith(
        f"Saved 1 of 6 pictures in {tmp_path / 'all'}. Couldn't save fashion32-trouser-51"
    )
    assert words.endswith(
        " Couldn't save these either: fashion32-trouser-52.png, fashion32-trouser-53.png, "
        "fashion32-trouser-54.png and 1 more."
    )


def test_a_full_disk_ends_it_and_says_how_many_are_there(
    qtbot: QtBot, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, tried, write = ended(qtbot, studio), list[str](), saving.write_image

    def fills_up(item: SaveItem) -> None:
        tried.append(item.path.name)
        if len(tried) == 3:
            raise UnusableFolder("Couldn't write it: no space.") from OSError(errno.ENOSPC, "no space")
        write(item)

    monkeypatch.setattr(saving, "write_image", fills_up)
    assert studio.save_records(keep(studio, 6), tmp_path / "all")
    assert wait() == [
        f"Saved 2 of 6 pictures in {tmp_path / 'all'}, then stopped. Couldn't write it: no space."
    ]
    assert len(tried) == 3
    assert len(list((tmp_path / "all").iterdir())) == 2


def test_pictures_of_the_history_are_not_read_before_they_are_written(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    read = Store.png

    def png(store: Store, id: int) -> bytes:
        threads.append(threading.current_thread())
        return read(store, id)

    monkeypatch.setattr(Store, "png", png)
    studio = Studio(Store(tmp_path / "history.sqlite"), FakeEngine)
    ids = keep(studio, 40)
    queries: list[str] = []
    studio.store._connection.set_trace_callback(queries.append)
    items = items_of_records(studio.history, [ids[3], *ids])
    studio.store._connection.set_trace_callback(None)
    assert (len(queries), threads) == (1, [])
    assert [item.index for item in items] == [3, *range(40)]
    assert [str(item.path) for item in items[:2]] == ["fashion32-trouser-53", "fashion32-trouser-50"]
    wait = ended(qtbot, studio)
    assert studio.save_records(ids[:1], tmp_path / "one.png")
    assert wait() == ["Saved one.png."]
    saved = read_settings(tmp_path / "one.png")
    assert (saved.request, saved.provenance) == (
        GenerateRequest("fashion32", seed=50, labels=(1,) * 40),
        studio.history.details(ids[0]).provenance,
    )
    assert b"Class: Trouser" in (tmp_path / "one.png").read_bytes()
    with pytest.raises(StoreError, match="no longer in the history"):
        items_of_records(studio.history, [ids[0], 9999])
    assert studio.shutdown(5000)


def test_a_picture_gone_since_it_was_asked_for_is_said(qtbot: QtBot, tmp_path: Path) -> None:
    studio = Studio(Store(tmp_path / "history.sqlite"), FakeEngine)
    wait, gate = ended(qtbot, studio), threading.Event()
    studio.writer._submit(lambda: "held up" if gate.wait(20) else "", [])
    ids = keep(studio, 2)
    assert studio.save_records(ids, tmp_path / "all")
    with studio.store.transaction("take a picture away") as connection:
        connection.execute("DELETE FROM images WHERE id = ?", (ids[0],))
    gate.set()
    assert wait()[1:] == [
        f"Saved 1 of 2 pictures in {tmp_path / 'all'}. Couldn't save fashion32-trouser-50.png: "
        f"Image {ids[0]} is no longer in the history. It was removed for good."
    ]
    assert studio.shutdown(5000)


def test_pictures_of_one_long_class_are_dragged_out_as_files_of_their_own(studio: Studio) -> None:
    request = GenerateRequest("fashion32", seed=7, labels=(0, 0, 0))
    ids = studio.history.add_result(fake_result(request), (DRAGONFLY,))
    paths = studio.history.export_for_drag(ids)
    assert len(set(paths)) == 3
    assert [path.read_bytes() for path in paths] == [studio.history.png(id) for id in ids]
    assert [path.stem.rsplit("-seed-", 1)[1] for path in paths] == [
        f"{7 + number}-{id}" for number, id in enumerate(ids)
    ]


def test_a_name_is_no_longer_than_that_of_a_file_may_be() -> None:
    request = GenerateRequest("fashion32", seed=7, labels=(0,))
    name = file_name(request, 0, "蜻蛉" * 60)
    assert name.endswith("-7")
    assert len(name.encode()) < 200
