"""The shelf: putting latents on it, finding, naming, starring, taking away and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.shelf import ShelfModel, ShelfRole
from app.models.traverse.spots import Spot, short_id
from app.store import Store
from app.store.shelf import ShelfStore
from engine.messages import GenerateRequest, SeedLatent
from tests.fake_engine import CLASSES, fake_result
from tests.models.traverse_kit import MODEL, PATIENCE_MS, WalkingEngine, spot, studio_of


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_of(qtbot, WalkingEngine()) as made:
        yield made


@pytest.fixture
def shelf(studio: Studio) -> ShelfModel:
    return studio.traverse.shelf


@pytest.fixture
def said(studio: Studio) -> list[str]:
    words: list[str] = []
    studio.notice.connect(lambda text, kind, undo: words.append(text))
    return words


def names(shelf: ShelfModel) -> list[str]:
    return [shelf.data(shelf.index(row)) for row in range(shelf.rowCount())]


def test_seeds_are_typed(shelf: ShelfModel) -> None:
    assert len(shelf.add_seeds(MODEL, "7, 9 20-22", 3)) == 5
    assert names(shelf) == ["Seed 22", "Seed 21", "Seed 20", "Seed 9", "Seed 7"]
    assert shelf.spot_at(0) == Spot(MODEL, SeedLatent(22), 3, name="Seed 22", id=shelf.spot_at(0).id)


@pytest.mark.parametrize(
    "text", ["", "boot", "-4", "1.5", "7-", str(2**60), "99999999999999999999 7", "1-1000"]
)
def test_what_is_no_seed_is_said(studio: Studio, shelf: ShelfModel, text: str) -> None:
    kinds: list[str] = []
    studio.notice.connect(lambda text, kind, undo: kinds.append(kind))
    assert shelf.add_seeds(MODEL, text) == []
    assert shelf.total == 0
    assert kinds == ["care"]


def test_the_same_latent_is_there_once(shelf: ShelfModel, said: list[str]) -> None:
    first = shelf.add([spot(7)])
    assert shelf.add([spot(7, name="again"), spot(8)]) == [first[0], first[0] + 1]
    assert shelf.total == 2
    shelf.add([spot(7)])
    assert said[-1] == "That is on the shelf already."


def test_pictures_are_made_of_what_has_none(qtbot: QtBot, shelf: ShelfModel) -> None:
    shelf.add([spot(seed) for seed in range(12)])
    qtbot.waitUntil(lambda: all(one.thumbnail for one in shelf.everything), timeout=PATIENCE_MS)
    pictures = [shelf.data(shelf.index(row), ShelfRole.THUMBNAIL) for row in range(12)]
    assert all(png.startswith(b"\x89PNG") for png in pictures)


def test_one_latent_that_cannot_be_shown_spoils_no_other(qtbot: QtBot) -> None:
    engine = WalkingEngine()
    engine.bad_seeds = {2}
    said: list[str] = []
    with studio_of(qtbot, engine) as studio:
        studio.notice.connect(lambda text, kind, undo: said.append(text))
        shelf = studio.traverse.shelf
        shelf.add([spot(1), spot(2), spot(3)])
        qtbot.waitUntil(
            lambda: sum(bool(one.thumbnail) for one in shelf.everything) == 2, timeout=PATIENCE_MS
        )
        qtbot.waitUntil(lambda: len(said) > 1, timeout=PATIENCE_MS)
        assert said[1:] == ["Seed 2 can't be shown: The file is gone."]


def test_search_and_stars(shelf: ShelfModel) -> None:
    ids = shelf.add([spot(1, label=9), spot(2, label=3), spot(3, label=3)])
    shelf.rename(ids[1], "The red dress")
    shelf.set_tags([ids[2]], "talk, warm, talk")
    shelf.toggle_star([ids[0], ids[1]])
    for words, found in (
        ("dress", ["Seed 3", "The red dress"]),
        ("dress red", ["The red dress"]),
        ("warm", ["Seed 3"]),
        (short_id(spot(1)), ["Seed 1"]),
        ("nothing", []),
    ):
        shelf.set_filter(words)
        assert names(shelf) == found
    shelf.set_filter("", starred=True)
    assert names(shelf) == ["The red dress", "Seed 1"]
    shelf.toggle_star(ids[:2])
    shelf.set_filter()
    assert not any(one.starred for one in shelf.everything)
    assert shelf.spots([ids[2]])[0].tags == ("talk", "warm")


def test_names_are_edited_in_place(shelf: ShelfModel) -> None:
    shelf.add([spot(1)])
    assert shelf.setData(shelf.index(0), "  Boot  ")
    assert names(shelf) == ["Boot"]
    assert not shelf.setData(shelf.index(0), "   ")
    assert names(shelf) == ["Boot"]
    assert shelf.flags(shelf.index(0)) & Qt.ItemFlag.ItemIsDragEnabled


def test_deleting_is_undone_and_done_again(studio: Studio, shelf: ShelfModel) -> None:
    ids = shelf.add([spot(1), spot(2), spot(3)])
    shelf.delete(ids[:2])
    assert names(shelf) == ["Seed 3"]
    studio.undo()
    assert names(shelf) == ["Seed 3", "Seed 2", "Seed 1"]
    studio.redo()
    assert names(shelf) == ["Seed 3"]
    studio.undo()
    studio.undo()  # that they were put there
    assert names(shelf) == []
    studio.redo()
    assert len(names(shelf)) == 3


def test_an_undo_that_failed_can_be_tried_again(studio: Studio, shelf: ShelfModel, said: list[str]) -> None:
    ids = shelf.add_seeds(MODEL, "1 2")
    shelf.delete(ids)
    said.clear()
    studio.store._connection.execute("PRAGMA query_only = 1")
    studio.undo()
    assert shelf.total == 0
    assert len(said) == 1
    studio.store._connection.execute("PRAGMA query_only = 0")
    studio.undo()
    assert shelf.total == 2


def test_average_and_what_has_none(shelf: ShelfModel, said: list[str]) -> None:
    ids = shelf.add([spot(1), spot(2), Spot("plain", SeedLatent(1))])
    assert len(shelf.add_average(ids[:2])) == 1
    assert names(shelf)[0] == "Average of 2"
    assert shelf.add_average(ids[1:]) == []
    assert "different models" in said[-1]
    assert shelf.add_average(ids[:1]) == []
    assert "two latents or more" in said[-1]


def test_from_the_history(studio: Studio, shelf: ShelfModel, said: list[str]) -> None:
    request = GenerateRequest(MODEL, seed=40, labels=(2, 2))
    ids = studio.history.add_result(fake_result(request), CLASSES)
    assert len(shelf.add_records(ids)) == 2
    assert shelf.everything[0].source == SeedLatent(41)
    assert shelf.add_records([12345]) == []
    assert said[-1].startswith("Image 12345")


def test_everything_comes_back(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with studio_of(qtbot, WalkingEngine(), Store(file)) as studio:
        shelf = studio.traverse.shelf
        ids = shelf.add(
            [spot(1), Spot(MODEL, SeedLatent(2), ((1, 0.5), (None, 0.5)), 1.5, "Mixed", ("a", "b"))]
        )
        shelf.toggle_star(ids[:1])
        shelf.delete(shelf.add([spot(3)]))
        qtbot.waitUntil(lambda: all(one.thumbnail for one in shelf.everything), timeout=PATIENCE_MS)
        kept = shelf.everything
    with studio_of(qtbot, WalkingEngine(), Store(file)) as studio:
        assert studio.traverse.shelf.everything == kept


def test_what_a_newer_program_kept_is_left_alone(qapp: object, tmp_path: Path) -> None:
    store = Store(tmp_path / "history.sqlite")
    shelf = ShelfStore(store)
    shelf.add([spot(1), spot(2)])
    with store.transaction("test") as connection:
        connection.execute("UPDATE shelf SET source = '{\"dream\": 1}' WHERE name = 'Seed 1'")
    assert [one.name for one in shelf.latents()] == ["Seed 2"]
    store.close()
