"""Deleting, starring and cancelling: what failed is not said to be done, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.store import Store
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import add_batch, studio_with


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(gated=True)


@pytest.fixture
def studio(qtbot: QtBot, engine: FakeEngine) -> Iterator[Studio]:
    with studio_with(qtbot, engine) as studio:
        yield studio


@pytest.fixture
def said(studio: Studio) -> list[str]:
    words: list[str] = []
    studio.notice.connect(lambda text, kind, undo: words.append(text))
    return words


def lock(studio: Studio, on: bool) -> None:
    """Nothing can be written to the history, as where another window writes or the disk is full."""
    studio.store._connection.execute(f"PRAGMA query_only = {int(on)}")


def test_a_deletion_whose_undo_failed_is_undone_later(studio: Studio, said: list[str]) -> None:
    ids = add_batch(studio, 4)
    studio.delete_records(ids[:3])
    said.clear()
    lock(studio, True)
    change = studio.undo()
    assert change is not None
    assert change.failed
    assert len(said) == 1
    assert said[0].startswith("Couldn't undo the deletion")
    assert (studio.history.total, studio.undo_list.can_redo) == (1, False)
    lock(studio, False)
    assert studio.undo() is change
    assert (said[-1], studio.history.total) == ("Undone: 3 pictures deleted.", 4)
    lock(studio, True)
    assert studio.redo() is change  # "again" must not forget what it deleted before
    assert (studio.history.total, studio.undo_list.can_undo) == (4, False)
    lock(studio, False)
    assert studio.redo() is change
    assert studio.history.total == 1
    assert studio.undo() is change
    assert studio.history.total == 4


def test_the_button_can_be_pressed_again_where_it_failed(studio: Studio) -> None:
    offered: list[object] = []
    studio.notice.connect(lambda _words, _kind, more: offered.append(more))
    studio.delete_records(add_batch(studio, 2))
    button = offered[-1]
    assert callable(button)
    taken_back: list[object] = []
    studio.undo_list.taken_back.connect(taken_back.append)
    lock(studio, True)
    button()
    assert (studio.history.total, taken_back) == (0, [])  # the message stays
    lock(studio, False)
    button()
    assert (studio.history.total, taken_back) == (2, [button])


def test_what_another_window_has_brought_back_is_said(studio: Studio, said: list[str]) -> None:
    studio.delete_records(add_batch(studio, 2))
    assert studio.history.undo_delete() != []
    assert studio.undo() is not None
    assert said[-1] == "What was deleted is not in the trash any more."
    assert not studio.undo_list.can_redo


def test_a_star_that_could_not_be_given_is_not_said_to_be(studio: Studio, said: list[str]) -> None:
    ids = add_batch(studio, 2)
    lock(studio, True)
    studio.star_records(ids, True)
    assert len(said) == 1
    assert said[0].startswith("Couldn't change the star")
    assert not studio.undo_list.can_undo
    lock(studio, False)
    studio.star_records(ids, True)
    lock(studio, True)
    studio.undo()
    assert said[-1].startswith("Couldn't change the star")
    assert studio.history.starred(ids) == set(ids)
    lock(studio, False)
    studio.undo()
    assert studio.history.starred(ids) == set()


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_that_runs_by_now_is_not_removed_again(
    qtbot: QtBot, studio: Studio, engine: FakeEngine, said: list[str], ended: bool
) -> None:
    first, second = studio.generate(), studio.generate()
    assert first is not None
    assert second is not None
    engine.gate.wait_reached()
    studio.remove_job(second)
    studio.undo()
    while studio.queue.running is None or studio.queue.running.id != second:
        engine.open()
        qtbot.wait(2)
    if ended:
        engine.open_all()
        qtbot.waitUntil(lambda: studio.queue.running is None)
    change = studio.redo()
    assert change is not None
    assert change.failed
    assert said[-1].startswith("The job has run" if ended else "The job runs by now")
    assert studio.queue.job(second) is not None
    assert not studio.undo_list.can_redo


def test_a_job_removed_again_comes_back_as_it_was_then(studio: Studio, engine: FakeEngine) -> None:
    studio.generate()
    job = studio.generate()
    assert job is not None
    engine.gate.wait_reached()
    studio.remove_job(job)
    studio.undo()
    studio.edit_job(job)
    studio.settings.steps = 9
    studio.commit_edit()
    assert studio.redo() is not None
    assert studio.queue.job(job) is None
    studio.undo()
    restored = studio.queue.job(job)
    assert restored is not None
    assert restored.request.steps == 9  # type: ignore[attr-defined]


@pytest.fixture
def waiting(qtbot: QtBot, tmp_path: Path) -> Iterator[tuple[Studio, FakeEngine, list[str]]]:
    """A studio in whose queue three jobs of the last time are back, the first of them running."""
    path = tmp_path / "history.sqlite"
    before = FakeEngine(gated=True)
    with studio_with(qtbot, before, Store(path)) as studio:
        for seed in (1, 2, 3):
            studio.settings.set_values({"count": 1, "steps": 1, "seed": seed})
            studio.generate()
        before.gate.wait_reached()
        before.open_all()
        studio.stop()
    engine = FakeEngine(gated=True)
    with studio_with(qtbot, engine, Store(path)) as studio:
        words: list[str] = []
        studio.notice.connect(lambda text, kind, undo: words.append(text))
        engine.gate.wait_reached()
        assert len(studio.queue.pending) == 2
        yield studio, engine, words


def test_of_jobs_that_came_back_those_that_wait_are_taken_out(
    waiting: tuple[Studio, FakeEngine, list[str]],
) -> None:
    studio, _, said = waiting
    assert studio.undo() is not None
    assert said == [
        "2 of the 3 jobs taken out of the queue. The others wait no more.",
        "Undone: the 3 jobs that waited are back in the queue.",
    ]
    assert studio.queue.pending == ()
    assert studio.redo() is not None
    assert len(studio.queue.pending) == 2


def test_jobs_that_came_back_and_have_run_are_not_said_to_be_taken_out(
    qtbot: QtBot, waiting: tuple[Studio, FakeEngine, list[str]]
) -> None:
    studio, engine, said = waiting
    engine.open_all()
    qtbot.waitUntil(lambda: studio.queue.running is None and not studio.queue.pending)
    change = studio.undo()
    assert change is not None
    assert change.failed
    assert said[-1] == "The jobs do not wait any more, so nothing could be taken out of the queue."
    assert not any(words.startswith("Undone") for words in said)
    assert (studio.undo_list.can_undo, studio.undo_list.can_redo) == (False, False)
