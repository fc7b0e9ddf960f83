"""Editing waiting jobs: neither theirs nor a person's own settings get lost or mixed up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.models.settings import RANDOM_SEED
from app.models.studio import Studio
from engine.messages import GenerateRequest
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import studio_with


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


def job_of(studio: Studio, **settings: object) -> int:
    studio.settings.set_values({"pick": (1,), "count": 1, **settings})
    job = studio.generate()
    assert job is not None
    return job


def steps_of(studio: Studio, job: int) -> int:
    found = studio.queue.job(job)
    assert found is not None
    assert isinstance(found.request, GenerateRequest)
    return found.request.steps


def test_editing_another_job_keeps_what_was_changed_in_the_first(
    studio: Studio, engine: FakeEngine, said: list[str]
) -> None:
    job_of(studio, seed=1, steps=5)
    second, third = job_of(studio, seed=2, steps=6), job_of(studio, seed=3, steps=7)
    engine.gate.wait_reached()
    studio.settings.set_values({"seed": 99, "steps": 50})
    mine = studio.settings.to_dict()
    assert studio.edit_job(second)
    studio.settings.steps = 33
    assert studio.edit_job(third)
    assert steps_of(studio, second) == 33
    assert said[-1] == "The job that was edited before has its new settings."
    assert (studio.settings.steps, studio.settings.seed) == (7, 3)
    studio.undo()  # there is nothing of the third to undo, and nothing of the second comes into it
    assert (studio.settings.steps, studio.settings.seed) == (7, 3)
    assert studio.commit_edit()
    assert steps_of(studio, third) == 7
    assert studio.settings.to_dict() == mine


def test_editing_another_job_after_none_was_changed_says_nothing(
    studio: Studio, engine: FakeEngine, said: list[str]
) -> None:
    job_of(studio, seed=1)
    second, third = job_of(studio, seed=2), job_of(studio, seed=3)
    engine.gate.wait_reached()
    assert studio.edit_job(second)
    assert studio.edit_job(third)
    assert studio.editing == third
    assert said == []


def test_editing_the_same_job_again_changes_nothing(studio: Studio, engine: FakeEngine) -> None:
    job_of(studio, seed=1)
    second = job_of(studio, seed=2, steps=6)
    engine.gate.wait_reached()
    studio.edit_job(second)
    studio.settings.steps = 33
    assert studio.edit_job(second)
    assert studio.settings.steps == 33


def test_a_job_that_can_not_be_left_like_that_stays_in_the_controls(
    studio: Studio, engine: FakeEngine, said: list[str]
) -> None:
    job_of(studio, seed=1)
    second, third = job_of(studio, seed=2), job_of(studio, seed=3)
    engine.gate.wait_reached()
    studio.edit_job(second)
    studio.settings.pick = ()
    assert not studio.edit_job(third)
    assert studio.editing == second
    assert "before you edit another one" in said[-1]
    assert "pick" in studio.settings.errors


def test_own_changes_are_not_undone_while_a_job_is_edited(
    studio: Studio, engine: FakeEngine, said: list[str]
) -> None:
    job_of(studio, seed=1)
    second = job_of(studio, seed=2, steps=6)
    engine.gate.wait_reached()
    studio.use_seed(123)
    studio.edit_job(second)
    for _ in range(2):
        change = studio.undo()
        assert change is not None
        assert change.failed
        assert "put aside" in said[-1]
        assert (studio.settings.steps, studio.settings.seed) == (6, 2)
    studio.settings.steps = 8
    assert studio.undo() is not None  # but what was done to the job is
    assert studio.settings.steps == 6
    studio.cancel_edit()
    assert studio.settings.seed == 123
    assert studio.undo() is not None
    assert studio.settings.seed == 2


def test_editing_ends_when_the_job_starts_and_for_ever_goes_by_a_person_s_own_settings(
    qtbot: QtBot, studio: Studio, engine: FakeEngine, said: list[str]
) -> None:
    studio.settings.set_values({"pick": (1,), "count": 1, "seed": 1, "steps": 1})
    studio.generate_forever(True)
    second = job_of(studio, seed=2, steps=2)
    studio.settings.set_values({"seed": RANDOM_SEED, "steps": 3})
    engine.gate.wait_reached()
    studio.edit_job(second)
    studio.settings.steps = 40
    studio.session.flush()
    assert studio.session.get("settings")["steps"] == 3
    while studio.editing is not None:
        engine.open()
        qtbot.wait(2)
    assert "has started" in said[-1]
    assert studio.settings.steps == 3
    while len(engine.requests) < 3:
        engine.open()
        qtbot.wait(2)
    assert [request.steps for request in engine.requests] == [1, 2, 3]
    studio.stop()


def test_for_ever_goes_by_a_person_s_own_settings_while_a_job_is_edited(
    studio: Studio, engine: FakeEngine
) -> None:
    job_of(studio, seed=1)
    second = job_of(studio, seed=2, steps=2)
    engine.gate.wait_reached()
    studio.settings.set_values({"model": "headless", "solver": "ddim", "steps": 3})
    mine = solved_by(studio)
    studio.edit_job(second)
    last = studio.queue.job(second)
    assert last is not None
    assert isinstance(last.request, GenerateRequest)
    renewed = studio.queue.renew(last.request)
    assert (renewed.model, renewed.solver, renewed.steps) == mine


def solved_by(studio: Studio) -> tuple[str, str, int]:
    settings = studio.settings
    return settings.model, settings.solver, settings.steps


def test_an_edited_job_keeps_how_it_is_grouped(studio: Studio, engine: FakeEngine) -> None:
    job_of(studio, seed=1)
    second = studio.submit(GenerateRequest("fashion32", seed=5, labels=(1, 2), batch=1))
    engine.gate.wait_reached()
    studio.edit_job(second)
    studio.settings.steps = 8
    studio.commit_edit()
    job = studio.queue.job(second)
    assert job is not None
    assert isinstance(job.request, GenerateRequest)
    assert (job.request.batch, job.request.steps) == (1, 8)


def test_an_edited_job_can_be_made_the_next_one(studio: Studio, engine: FakeEngine, said: list[str]) -> None:
    job_of(studio, seed=1)
    second, third = job_of(studio, seed=2, steps=6), job_of(studio, seed=3, steps=7)
    engine.gate.wait_reached()
    assert studio.edit_job(third)
    studio.settings.pick = ()
    assert not studio.commit_edit(first=True)
    assert [job.id for job in studio.queue.pending] == [second, third]  # it can't run like that
    studio.settings.set_values({"pick": (1,), "steps": 33})
    assert studio.commit_edit(first=True)
    assert [job.id for job in studio.queue.pending] == [third, second]
    assert steps_of(studio, third) == 33
    assert studio.editing is None
