"""The history as the grid sees it: rows follow the store without resets, and nothing is lost."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from app.models import keeper, thumbnails
from app.models.history import RECORDS_MIME, Filter, HistoryModel, HistoryRole
from app.store import Store
from app.store.encoding import decode_png, encode_result
from app.store.records import timestamp
from engine.images import read_settings
from tests.models.history_samples import LABEL_NAMES, make_result

ROOT = QModelIndex()


@pytest.fixture
def model(store: Store, qapp: Any) -> Iterator[HistoryModel]:
    model = HistoryModel(store)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield model
    model.close()
    del tester


def shown(model: HistoryModel) -> list[int]:
    return [model.record_at(row).id for row in range(model.rowCount())]


def stored(store: Store, filter: Filter) -> list[int]:
    return [record.id for record in store.page(filter, limit=100_000)]


def fill(store: Store, results: int = 40, count: int = 10) -> None:
    for n in range(results):
        store.add_result(
            make_result(count, seed=100 * n, frames=0, solver=("genie", "ddim")[n % 2]), LABEL_NAMES
        )


# --- showing -----------------------------------------------------------------------------------


def test_rows_come_a_page_at_a_time(store: Store, qapp: Any) -> None:
    fill(store, 45, 10)
    model = HistoryModel(store)
    assert (model.rowCount(), model.total) == (200, 450)
    assert model.canFetchMore(ROOT)
    model.fetchMore(ROOT)
    assert model.rowCount() == 400
    model.fetchMore(ROOT)
    assert model.rowCount() == 450
    assert not model.canFetchMore(ROOT)
    assert shown(model) == stored(store, Filter())
    model.close()


def test_roles_tell_what_a_tile_needs(model: HistoryModel, store: Store) -> None:
    result = make_result(2, seed=77, guidance=1.5)
    ids = model.add_result(result, LABEL_NAMES)
    model.note(ids[1], "the good one")
    model.star([ids[1]])
    index = model.index(1)
    record = index.data(HistoryRole.RECORD)
    assert (record.id, record.seed, record.starred) == (ids[1], 78, True)
    assert decode_png(index.data(HistoryRole.THUMBNAIL)) == result.pictures.one(1)
    assert index.data(HistoryRole.STARRED) is True
    assert index.data(HistoryRole.TITLE) == index.data(Qt.ItemDataRole.DisplayRole) == "Ankle boot 78"
    tip = index.data(Qt.ItemDataRole.ToolTipRole)
    for fact in (
        "Ankle boot",
        "fashion32",
        "genie, 10 steps",
        "Guidance 1.5",
        "Seed 78",
        "8 × 8",
        "the good one",
    ):
        assert fact in tip
    assert "the good one" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    assert index.data(Qt.ItemDataRole.DecorationRole) is None
    assert model.roleNames()[HistoryRole.STARRED] == b"starred"
    assert model.pictures(ids[0]) == result.pictures.one(0)
    assert model.request(ids[0]) == result.request
    assert model.result(ids[0]) == result
    assert len(model.steps_of(ids[0])) == 3
    assert model.details(ids[0]).provenance == result.provenance
    assert model.png(ids[0]) == store.png(ids[0])


def test_thumbnails_are_read_in_blocks_and_the_oldest_forgotten(
    store: Store, qapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 20, 10)
    monkeypatch.setattr(thumbnails, "_KEPT", 100)
    asked: list[int] = []
    read = store.thumbnails
    monkeypatch.setattr(store, "thumbnails", lambda ids: asked.append(len(ids)) or read(ids))
    model = HistoryModel(store)
    for row in range(64):
        assert model.index(row).data(HistoryRole.THUMBNAIL).startswith(b"\x89PNG")
    assert asked == [64]
    for row in range(64, 200):
        assert model.index(row).data(HistoryRole.THUMBNAIL)
    assert asked == [64, 64, 64, 8]
    assert len(model._thumbnails) == 100
    assert model.index(0).data(HistoryRole.THUMBNAIL)
    assert len(asked) == 5
    model.close()


# --- changing ----------------------------------------------------------------------------------


def test_a_new_result_goes_on_top_without_a_reset(model: HistoryModel, qtbot: QtBot) -> None:
    first = model.add_result(make_result(3), LABEL_NAMES)
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    with qtbot.waitSignals([model.rowsInserted, model.total_changed, model.facets_changed, model.added]):
        second = model.add_result(make_result(2), LABEL_NAMES)
    assert shown(model) == second + first
    assert model.total == 5
    assert resets == []


def test_a_result_the_filter_hides_is_kept_but_not_shown(model: HistoryModel, store: Store) -> None:
    model.set_filter(Filter(solver="ddim"))
    model.add_result(make_result(3, solver="genie"), LABEL_NAMES)
    assert model.rowCount() == model.total == 0
    ids = model.add_result(make_result(2, solver="ddim"), LABEL_NAMES)
    assert shown(model) == ids
    model.set_filter(Filter(label="Shirt"))
    assert [model.record_at(row).label_name for row in range(model.rowCount())] == ["Shirt", "Shirt"]
    assert store.count() == 5
    assert dict(model.facets().solvers) == {"genie": 3, "ddim": 2}


def test_setting_the_same_filter_again_does_nothing(model: HistoryModel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(model.modelReset), qtbot.assertNotEmitted(model.filter_changed):
        model.set_filter(Filter())
    with qtbot.waitSignal(model.filter_changed) as change:
        model.set_filter(Filter(text="boot"))
    assert change.args == [Filter(text="boot")]
    assert model.filter == Filter(text="boot")


def test_delete_and_undo_put_rows_back_where_they_were(model: HistoryModel) -> None:
    for n in range(4):
        model.add_result(make_result(4, seed=n), LABEL_NAMES)
    before = shown(model)
    assert not model.can_undo
    first = model.delete([before[i] for i in (0, 5, 6, 7, 11, 15)])
    second = model.delete([before[1], before[5]])
    assert second is not None
    assert second.ids == (before[1],)
    assert shown(model) == [id for i, id in enumerate(before) if i not in (0, 1, 5, 6, 7, 11, 15)]
    assert model.total == 9
    assert model.undo_delete() == [before[1]]
    assert model.row_of(before[1]) == 0
    assert model.row_of(before[0]) is None
    model.undo_delete(first)
    assert shown(model) == before
    assert not model.can_undo
    assert model.undo_delete() == []
    nothing = model.delete([12345])
    assert nothing is not None
    assert nothing.ids == ()
    assert not model.can_undo


def test_deleting_all_that_was_loaded_brings_the_rest(store: Store, qapp: Any) -> None:
    fill(store, 25, 10)
    model = HistoryModel(store)
    first = shown(model)
    model.delete(first)
    assert (model.rowCount(), model.total) == (50, 50)
    model.undo_delete()
    assert shown(model) == stored(store, Filter())
    model.close()


def test_trash_of_last_month_goes_when_the_window_closes(store: Store, qapp: Any) -> None:
    model = HistoryModel(store)
    ids = model.add_result(make_result(3), LABEL_NAMES)
    model.delete(ids[:2])
    long_ago = timestamp(datetime.now(UTC) - timedelta(days=31))
    store._connection.execute("UPDATE images SET deleted_at = ? WHERE id = ?", (long_ago, ids[0]))
    model.close()
    assert [row[0] for row in store.rows("SELECT id FROM images ORDER BY id")] == ids[1:]


def test_an_unstarred_image_leaves_the_starred_ones(model: HistoryModel) -> None:
    ids = model.add_result(make_result(4), LABEL_NAMES)
    model.star(ids[1:])
    model.set_filter(Filter(starred=True))
    assert shown(model) == ids[1:]
    model.star([ids[2]], False)
    assert shown(model) == [ids[1], ids[3]]
    model.star([ids[2], ids[0]])
    assert shown(model) == ids


def test_rows_and_store_agree_after_any_sequence(store: Store, qapp: Any) -> None:
    """A long random walk over everything the model can do, more than a page long."""
    fill(store, 30, 10)
    model = HistoryModel(store)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    chance = random.Random(4)
    filters = [Filter(), Filter(), Filter(solver="ddim"), Filter(starred=True), Filter(text="bag")]
    everything_loaded = False
    for _ in range(150):
        ids = stored(store, Filter())
        some = chance.sample(ids, 5) if len(ids) > 5 else ids
        match chance.randrange(6):
            case 0:
                model.add_result(make_result(chance.randint(1, 5), frames=0), LABEL_NAMES)
            case 1:
                model.delete(some)
            case 2:
                model.undo_delete()
            case 3:
                model.star(some, chance.random() < 0.6)
            case 4:
                model.set_filter(chance.choice(filters))
            case _:
                if model.canFetchMore(ROOT):
                    model.fetchMore(ROOT)
        truth = stored(store, model.filter)
        if len(truth) <= 100:  # of so few, none may be left for a scroll bar nobody has
            assert model.rowCount() == len(truth)
            everything_loaded = True
        assert model.total == len(truth)
        assert shown(model) == truth[: model.rowCount()]
        assert model.canFetchMore(ROOT) == (model.rowCount() < len(truth))
    assert everything_loaded
    while model.canFetchMore(ROOT):
        model.fetchMore(ROOT)
    assert shown(model) == stored(store, model.filter)
    model.close()
    del tester


# --- nothing is lost -----------------------------------------------------------------------------


def test_a_result_waits_for_room_on_the_disk(model: HistoryModel, store: Store, qtbot: QtBot) -> None:
    model.add_result(make_result(1), LABEL_NAMES)
    store._number(f"PRAGMA max_page_count = {store._number('PRAGMA page_count')}")
    big = make_result(8, size=64, channels=3, frames=0)
    said: list[str] = []
    model.trouble.connect(said.append)
    assert model.add_result(big, LABEL_NAMES) == []
    assert model.add_result(big, LABEL_NAMES) == []
    assert model.waiting == 2
    qtbot.waitUntil(lambda: all(waiting.encoded is not None for waiting in model._keeper._unsaved))
    (message,) = said  # once, not for each
    assert "disk is full" in message
    assert "stays in memory" in message
    assert model._keeper._retry.isActive()
    store._number("PRAGMA max_page_count = 1000000")
    with qtbot.waitSignal(model.added) as added:
        model._keeper._retry.timeout.emit()
    assert added.args is not None
    assert added.args[0] == big
    assert (model.waiting, model.total) == (0, 17)
    model._keeper._retry.stop()


def test_a_large_result_is_encoded_beside_the_window(
    model: HistoryModel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, threads = threading.Event(), []

    def encode(making: Any, label_names: Any) -> Any:
        threads.append(threading.current_thread())
        gate.wait(20)
        return encode_result(making, label_names)

    monkeypatch.setattr(keeper, "encode_result", encode)
    large = make_result(4, size=160, channels=3, frames=1)
    assert model.add_result(large, LABEL_NAMES) == []
    assert (model.waiting, model.rowCount()) == (1, 0)
    with qtbot.waitSignal(model.added) as added:
        gate.set()
    assert added.args is not None
    assert shown(model) == added.args[1]
    assert threads[0] is not threading.main_thread()
    assert model.result(shown(model)[0]) == large


def test_results_keep_their_order_and_closing_waits_for_the_large_one(
    store: Store, qapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def encode(making: Any, label_names: Any) -> Any:
        if making.pictures.width > 100:
            gate.wait(20)
        return encode_result(making, label_names)

    monkeypatch.setattr(keeper, "encode_result", encode)
    model = HistoryModel(store)
    model.add_result(make_result(2, size=300, channels=3, frames=1, seed=1))
    assert model.add_result(make_result(1, seed=2)) == []  # its turn comes after the large one
    assert model.waiting == 2
    gate.set()
    model.close()
    assert [record.seed for record in store.page()] == [2, 1, 2]
    assert model.waiting == 0


@pytest.mark.parametrize("size", [8, 160])  # encoded at once, and in another thread
def test_what_can_not_be_encoded_holds_up_nothing(
    model: HistoryModel, store: Store, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    def encode(making: Any, label_names: Any) -> Any:
        if making.request.seed == 1:
            raise MemoryError("no room for 3 GB")
        return encode_result(making, label_names)

    monkeypatch.setattr(keeper, "encode_result", encode)
    said: list[str] = []
    model.trouble.connect(said.append)
    for seed in (1, 2):
        model.add_result(make_result(1, size=size, channels=3, seed=seed))
    model.close()
    assert [record.seed for record in store.page()] == [2]
    assert model.waiting == 0
    (message,) = said
    assert "no room for 3 GB" in message


def test_saving_what_waits_waits_for_its_encoding(
    model: HistoryModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def encode(making: Any, label_names: Any) -> Any:
        gate.wait(20)
        return encode_result(making, label_names)

    monkeypatch.setattr(keeper, "encode_result", encode)
    assert model.add_result(make_result(1, size=160, channels=3)) == []
    threading.Timer(0.05, gate.set).start()
    assert len(model.save_waiting()) == 1
    assert (model.waiting, model.total) == (0, 1)


def test_trouble_is_said_not_raised(model: HistoryModel, store: Store, tmp_path: Path) -> None:
    ids = model.add_result(make_result(2), LABEL_NAMES)
    said: list[str] = []
    model.trouble.connect(said.append)
    store._connection.execute("PRAGMA query_only = 1")
    assert not model.star(ids)
    model.note(ids[0], "x")
    assert model.delete(ids) is None
    assert len(said) == 3
    assert all("readonly" in message for message in said)
    assert not model.can_undo
    assert shown(model) == ids
    store._connection.execute("PRAGMA query_only = 0")


# --- dragging ------------------------------------------------------------------------------------


def test_a_drag_carries_files_for_the_desktop_and_ids_for_the_window(model: HistoryModel) -> None:
    result = make_result(4, seed=9, model="a/b: c")
    ids = model.add_result(result, LABEL_NAMES)
    mime = model.mimeData([model.index(3), model.index(1)])
    assert json.loads(bytes(mime.data(RECORDS_MIME).data())) == [ids[1], ids[3]]
    assert model._drag_folder is None  # nothing is written before a drop asks
    assert mime.hasUrls()
    files = [Path(url.toLocalFile()) for url in mime.urls()]
    assert [(read_settings(file).request, read_settings(file).index) for file in files] == [
        (result.request, 1),
        (result.request, 3),
    ]
    assert [file.name for file in files] == [
        f"a-b-c-Ankle-boot-seed-10-{ids[1]}.png",
        f"a-b-c-Jäckchen-seed-12-{ids[3]}.png",
    ]
    assert model.flags(model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert model.export_for_drag([ids[1]]) == files[:1]  # not written twice
    model.close()
    assert not files[0].exists()
