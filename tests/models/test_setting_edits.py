"""Undoing what was done to the controls and the stars."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.models.setting_edits import SettingEdits
from app.models.settings import RANDOM_SEED, GenerateSettings
from app.models.studio import Studio
from app.models.undo import Change, UndoList
from engine.messages import GenerateRequest
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import add_batch, studio_with


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_with(qtbot, FakeEngine()) as studio:
        yield studio


def test_a_drag_is_one_change(qtbot: QtBot) -> None:
    settings, undo_list = GenerateSettings(), UndoList()
    edits = SettingEdits(settings, undo_list)
    for steps in range(11, 31):
        settings.steps = steps
    assert not undo_list.can_undo  # not before there is a pause
    qtbot.waitUntil(lambda: undo_list.can_undo)
    settings.guidance = 2.0
    edits.settle()
    assert undo_list.undo().words == "Guidance changed."  # type: ignore[union-attr]
    assert (settings.guidance, settings.steps) == (0.0, 30)
    assert undo_list.undo().words == "Steps changed."  # type: ignore[union-attr]
    assert settings.steps == 10
    assert not undo_list.can_undo
    undo_list.redo()
    assert settings.steps == 30
    edits.settle()
    assert undo_list.can_redo  # putting things back is no change of its own


def test_ctrl_z_right_after_a_change_takes_that_back(studio: Studio) -> None:
    before = studio.settings.to_dict()
    studio.settings.steps = 25
    studio.settings.pick = (3,)
    change = studio.undo()
    assert change is not None
    assert change.words == "Settings changed."
    assert studio.settings.to_dict() == before
    studio.redo()
    assert (studio.settings.steps, studio.settings.pick) == (25, (3,))
    assert studio.undo() is not None
    assert studio.undo() is None  # nothing that nobody did, say at the start


def test_changes_keep_their_order_among_others(studio: Studio) -> None:
    ids = add_batch(studio, 2)
    studio.settings.steps = 20
    studio.delete_records(ids[:1])
    studio.settings.steps = 30
    studio.settings.reset("steps")
    words = []
    while (change := studio.undo()) is not None:
        words.append(change.words)
    assert words == ["Steps put back.", "Steps changed.", "Picture deleted.", "Steps changed."]
    assert studio.settings.steps == 10
    assert studio.history.total == 2


def test_applying_settings_is_one_change(studio: Studio) -> None:
    (id_, *_rest) = add_batch(studio, 2, seed=77, solver="ddim")
    studio.settings.count = 3
    studio.apply_record(id_)
    assert (studio.settings.seed, studio.settings.solver) == (77, "ddim")
    assert studio.undo().words == "Settings applied."  # type: ignore[union-attr]
    assert studio.settings.count == 3
    assert studio.undo().words == "Count changed."  # type: ignore[union-attr]
    assert studio.undo() is None


def test_stars_are_taken_back_where_they_were_given(studio: Studio) -> None:
    ids = add_batch(studio, 3)
    studio.star_records(ids[:1], True)
    studio.star_records(ids, True)  # one has its star already

    def starred() -> list[bool]:
        return [id in studio.history.starred(ids) for id in ids]

    assert starred() == [True, True, True]
    assert studio.undo().words == "2 pictures starred."  # type: ignore[union-attr]
    assert starred() == [True, False, False]
    studio.redo()
    assert starred() == [True, True, True]
    studio.star_records(ids[:1], False)
    assert starred() == [False, True, True]
    studio.undo()
    assert starred() == [True, True, True]
    studio.star_records(ids, True)  # changes nothing, so there is nothing new to undo
    assert studio.undo().words == "2 pictures starred."  # type: ignore[union-attr]


def test_a_model_and_what_follows_it_are_one_change(studio: Studio) -> None:
    settings = studio.settings
    before = settings.to_dict()
    settings.model = "headless"  # which brings a solver and a spacing of its own
    after = settings.to_dict()
    assert (settings.solver, settings.spacing) == ("dpmpp-2m", "log-snr")
    for _ in range(2):
        assert studio.undo() is not None
        assert settings.to_dict() == before
        assert settings.build_request().model == "fashion32"
        assert not studio.undo_list.can_undo
        assert studio.redo() is not None
        assert settings.to_dict() == after
        assert not studio.undo_list.can_redo


def test_applied_settings_of_another_model_are_one_change(studio: Studio) -> None:
    before = studio.settings.to_dict()
    studio.apply_settings(GenerateRequest("headless", seed=3, labels=(1,), steps=7, solver="ddim"))
    after = studio.settings.to_dict()
    studio.undo()
    assert studio.settings.to_dict() == before
    assert not studio.undo_list.can_undo
    studio.redo()
    assert studio.settings.to_dict() == after


def test_the_button_of_a_message_takes_back_that_change_alone(studio: Studio) -> None:
    offered: list[Change] = []
    studio.notice.connect(lambda _words, _kind, more: offered.append(more))
    settings = studio.settings
    settings.count = 4
    studio.apply_settings(GenerateRequest("fashion32", seed=77, labels=(1, 1), steps=20))
    settings.guidance = 2.5  # not noted yet
    offered[-1]()
    assert (settings.steps, settings.seed, settings.count, settings.guidance) == (10, RANDOM_SEED, 4, 2.5)
    assert studio.undo().words == "Guidance changed."  # type: ignore[union-attr]
    assert (settings.steps, settings.seed, settings.count, settings.guidance) == (10, RANDOM_SEED, 4, 0.0)
    assert studio.undo().words == "Count changed."  # type: ignore[union-attr]
    assert settings.count == 16


def test_no_batch_is_taken_over_that_nothing_shows(studio: Studio) -> None:
    request = GenerateRequest("fashion32", seed=5, labels=(1,) * 8, steps=10, batch=1)
    studio.apply_settings(request)
    assert studio.settings.build_request().batch == 0
    assert studio.settings.matches(request)
    studio.settings.from_dict({"batch": 1})  # kept by an earlier version
    assert studio.settings.build_request().batch == 0
