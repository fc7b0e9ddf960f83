"""The classes to choose from: found by name and by synonym, quickly, for ImageNet's thousand too."""

from __future__ import annotations

import dataclasses
import time

import pytest

from app.models.class_list import ClassList
from app.models.settings import GenerateSettings
from engine.messages import ModelInfo
from tests.fake_engine import fake_catalogue

DOGS = ("Cardigan", "Pembroke", "toy poodle", "hot dog", "streetcar")
ALSO = (
    ("Cardigan Welsh corgi",),
    ("Pembroke Welsh corgi",),
    (),
    ("hotdog", "red hot"),
    ("tram", "trolley car"),
)


def info(classes: tuple[str, ...] = DOGS, synonyms: tuple[tuple[str, ...], ...] = ALSO) -> ModelInfo:
    return dataclasses.replace(fake_catalogue().models[0], classes=classes, synonyms=synonyms)


@pytest.fixture
def settings(qapp: object) -> GenerateSettings:
    return GenerateSettings()


def titles(model: ClassList) -> list[str]:
    return [str(model.data(model.index(row))) for row in range(model.rowCount())]


def test_without_a_search_everything_is_listed(settings: GenerateSettings) -> None:
    assert titles(ClassList(settings, info())) == ["Every class", "Random", "No class", *DOGS]
    plain = dataclasses.replace(info(), null_label=False)
    assert "No class" not in titles(ClassList(settings, plain))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("welsh corgi", ["Cardigan (Cardigan Welsh corgi)", "Pembroke (Pembroke Welsh corgi)"]),
        ("CORGI pem", ["Pembroke (Pembroke Welsh corgi)"]),  # in any order
        ("tram", ["streetcar (tram)"]),
        ("pembroke", ["Pembroke"]),  # its name is enough: the synonym would say no more
        ("dog", ["hot dog"]),
        ("poodles", []),
        ("rand", ["Random"]),
        ("  ", ["Every class", "Random", "No class", *DOGS]),
    ],
)
def test_names_and_synonyms_are_found(settings: GenerateSettings, typed: str, found: list[str]) -> None:
    model = ClassList(settings, info())
    model.search(typed)
    assert titles(model) == found


def test_the_best_match_is_first(settings: GenerateSettings) -> None:
    names = ("seacat", "wild cat", "catfish", "cat", "dog")
    model = ClassList(settings, info(names, ((), (), (), (), ("cat chaser",))))
    model.search("cat")
    assert titles(model) == ["cat", "catfish", "wild cat", "seacat", "dog (cat chaser)"]


def test_choosing_and_taking_out_again(settings: GenerateSettings) -> None:
    model = ClassList(settings, info())
    told: list[int] = []
    model.dataChanged.connect(lambda first, last: told.append(last.row()))
    assert not model.toggle(3)
    assert settings.pick == (0,)
    model.toggle(4)
    assert settings.pick == (0, 1)
    assert told == [7, 7]
    assert [model.data(model.index(row), ClassList.ChosenRole) for row in (0, 3, 4)] == [False, True, True]
    assert model.data(model.index(3), 11).endswith(", chosen")  # the accessible text
    model.toggle(3)
    model.toggle(4)
    assert settings.pick == "all"  # nothing chosen is everything
    assert model.toggle(1)
    assert settings.pick == "random"
    assert not model.toggle(99)


def test_the_tooltip_lists_the_synonyms(settings: GenerateSettings) -> None:
    model = ClassList(settings, info())
    assert model.data(model.index(7), 3) == "Class 4 of Fashion 32. Also: tram, trolley car."


def test_a_thousand_classes_answer_each_key_at_once(settings: GenerateSettings) -> None:
    from engine.checkpoints.imagenet import _entries, class_names

    model = ClassList(settings, info(class_names(), tuple(words[1:] for words in _entries())))
    assert model.rowCount() == 1003
    began = time.perf_counter()
    for length in range(1, 12):
        model.search("welsh corgi"[:length])
    assert (time.perf_counter() - began) / 11 < 0.05  # about 2 ms on one core
    assert titles(model) == ["Cardigan Welsh corgi", "Pembroke (Pembroke Welsh corgi)"]
