"""The history panel with much in it: nothing is asked of every row, and nothing of what is not seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QItemSelectionModel
from pytestqt.qtbot import QtBot

from app.models.history import HistoryModel
from app.models.studio import Studio
from app.store.records import Facets
from app.views.history_view import HistoryPanel
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import add_batch, show, studio_with


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_with(qtbot, FakeEngine()) as made:
        for number in range(4):
            add_batch(made, 16, seed=100 * number)
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> HistoryPanel:
    made = HistoryPanel(studio)
    show(qtbot, made, 260, 500)
    return made


def test_a_selection_is_read_without_asking_every_row(
    panel: HistoryPanel, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow() -> None:
        pytest.fail("makes an index a row, and asks for the flags of each")

    panel.list.selectAll()
    monkeypatch.setattr(panel.list, "selectedIndexes", slow)
    everything = [studio.history.record_at(row).id for row in range(64)]
    assert panel.selected_ids() == everything
    menu = panel.menu()
    assert {action.text().partition("\t")[0] for action in menu.actions() if action.isEnabled()} > {
        "Star",
        "Delete",
        "Save…",
    }
    panel.toggle_star()
    assert studio.history.starred(everything) == set(everything)
    panel.toggle_star()
    assert studio.history.starred(everything) == set()
    menu.deleteLater()


def test_a_selection_in_pieces_is_in_the_order_of_the_list(panel: HistoryPanel, studio: Studio) -> None:
    selection, model = panel.list.selectionModel(), panel.list.model()
    for row in (40, 3, 41, 20):
        selection.select(model.index(row, 0), QItemSelectionModel.SelectionFlag.Select)
    assert panel.list.selected_rows() == [3, 20, 40, 41]
    panel.delete_selected()
    assert studio.history.total == 60
    assert panel.list.currentIndex().row() == 3


def test_filters_that_are_folded_in_count_nothing(
    panel: HistoryPanel, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.fold.setChecked(True)
    panel.filters.model.setCurrentIndex(1)
    panel.fold.setChecked(False)
    counted: list[Facets] = []
    facets = HistoryModel.facets

    def watched(model: HistoryModel) -> Facets:
        counted.append(facets(model))
        return counted[-1]

    monkeypatch.setattr(HistoryModel, "facets", watched)
    add_batch(studio, 2, label=0, solver="ddim")
    assert counted == []
    panel.fold.setChecked(True)
    assert len(counted) == 1
    assert panel.filters.model.currentData() == "fashion32"
    assert panel.filters.solver.findData("ddim") >= 0
    add_batch(studio, 2, label=0)
    assert len(counted) == 2  # they are seen: they follow
