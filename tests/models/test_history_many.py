"""What is done to very many images of the history at once: few queries, few signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QModelIndex
from PySide6.QtTest import QAbstractItemModelTester

from app.models.history import Filter, HistoryModel
from app.store import Store
from tests.models.history_samples import LABEL_NAMES, make_result


@pytest.fixture
def model(store: Store, qapp: Any) -> Iterator[HistoryModel]:
    for n in range(30):
        store.add_result(make_result(10, seed=100 * n, frames=0), LABEL_NAMES)
    model = HistoryModel(store)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.fetch_all()
    yield model
    model.close()
    del tester


def ids_of(model: HistoryModel) -> list[int]:
    return [model.record_at(row).id for row in range(model.rowCount())]


def test_rows_side_by_side_change_in_one_go(model: HistoryModel) -> None:
    ids, changes = ids_of(model), list[tuple[int, int]]()
    model.dataChanged.connect(lambda first, last, _roles: changes.append((first.row(), last.row())))
    model.star([*ids[10:110], *ids[200:203], ids[7]])
    assert sorted(changes) == [(7, 7), (10, 109), (200, 202)]
    starred = {row for row in range(300) if model.record_at(row).starred}
    assert starred == {7, *range(10, 110), *range(200, 203)}
    assert model.starred(ids) == {ids[row] for row in starred}
    assert ids_of(model) == ids


def test_starring_all_reads_every_image_once(model: HistoryModel, store: Store) -> None:
    ids, read = ids_of(model), list[int]()
    records = store.records

    def counted(ids: list[int], *rest: Any, **more: Any) -> Any:
        read.append(len(ids))
        return records(ids, *rest, **more)

    store.records = counted  # type: ignore[method-assign, assignment]
    assert model.starred(ids) == set()
    model.star(ids)
    assert read == [300]


def test_all_that_was_deleted_comes_back_a_page_at_a_time(model: HistoryModel) -> None:
    ids, totals = ids_of(model), list[int]()
    model.delete(ids)
    assert (model.rowCount(), model.total) == (0, 0)
    model.total_changed.connect(totals.append)
    assert sorted(model.undo_delete() or ()) == sorted(ids)
    assert (model.rowCount(), model.total, totals) == (200, 300, [300])
    assert model.canFetchMore(QModelIndex())
    model.fetch_all()
    assert ids_of(model) == ids


def test_stars_taken_away_and_given_back_under_a_filter(model: HistoryModel) -> None:
    ids = ids_of(model)
    model.star(ids)
    model.set_filter(Filter(starred=True))
    model.fetch_all()
    model.star(ids, False)
    assert (model.rowCount(), model.total) == (0, 0)
    model.star(ids)
    assert model.total == 300
    assert ids_of(model) == ids[: model.rowCount()]


def test_images_of_ids_come_one_for_one(model: HistoryModel) -> None:
    ids = ids_of(model)
    model.delete(ids[:1])
    wanted = [ids[5], ids[0], ids[5]]
    assert [record.id for record in model.each(wanted)] == wanted
