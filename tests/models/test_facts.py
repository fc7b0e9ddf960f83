"""How pictures of any task are listed, called and compared."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from app.models.comparison import ComparePane, differing_settings
from app.models.facts import ABSENT, count_of, facts_of, file_name, kind_title, label_of, seed_of, title_of
from app.models.record_words import describe, file_name_of
from app.models.record_words import title_of as record_title
from app.store import Store
from app.store.making import Making, label_words, listing
from app.store.records import Filter
from engine.images import read_settings
from engine.messages import FileImage, GenerateRequest, Request, UpsampleRequest
from tests.fake_engine import fake_catalogue, fake_pictures
from tests.models.history_samples import LABEL_NAMES, PROVENANCE, make_result

GENERATED = GenerateRequest("fashion32", seed=7, labels=(1, None), steps=5)
ENLARGED = UpsampleRequest(
    "up", seed=40, aug_seed=9, steps=4, images=(FileImage("/x/a.png"), FileImage("/x/b.png"))
)


@dataclasses.dataclass(frozen=True)
class Mixed(Request):
    """A request with a mixture for a label and no seed, as another room may have."""

    kind = "edit"

    model: str = "fashion32"
    label: tuple[tuple[int | None, float], ...] = ((2, 0.3), (1, 0.7), (None, 0.0))
    strength: float = 0.5


def test_a_picture_is_listed_by_what_its_request_says() -> None:
    row = listing(GENERATED, 0, LABEL_NAMES)
    assert (row.kind, row.model, row.label, row.label_name) == ("generate", "fashion32", 1, "Ankle boot")
    assert (row.solver, row.steps, row.seed) == ("genie", 5, 7)
    row = listing(ENLARGED, 1)
    assert (row.kind, row.model, row.label, row.label_name) == ("upsample", "up", None, "")
    assert (row.solver, row.steps, row.seed, row.guidance) == ("genie", 4, 41, 0.0)
    row = listing(Mixed(), 0, LABEL_NAMES)
    assert (row.label, row.label_name, row.solver, row.steps, row.seed) == (
        None,
        "Ankle boot + Bag",
        "",
        0,
        -1,
    )


def test_labels_in_words() -> None:
    assert label_words(None, LABEL_NAMES) == ""
    assert label_words(99, LABEL_NAMES) == "Class 99"
    assert label_words(((None, 0.6), (1, 0.4)), LABEL_NAMES) == "no class + Ankle boot"


def test_titles_and_names_of_files() -> None:
    catalogue = fake_catalogue()
    assert title_of(GENERATED, 1, catalogue) == "GENIE 5, seed 8"
    assert title_of(ENLARGED, 0, catalogue) == "Upsampled, GENIE 4, seed 40"
    assert title_of(Mixed(), 0, catalogue) == "Edited"
    assert file_name(GENERATED, 0, "Ankle boot") == "fashion32-ankle-boot-7"
    assert file_name(ENLARGED, 1) == "up-upsampled-41"
    assert file_name(Mixed(), 0) == "fashion32-edited"
    assert [seed_of(GENERATED, 1), seed_of(Mixed(), 0), seed_of(GENERATED, 5)] == [8, None, None]
    assert [label_of(GENERATED, 0), label_of(ENLARGED, 0), label_of(GENERATED, -1)] == [1, None, None]
    assert [count_of(GENERATED), count_of(ENLARGED), count_of(Mixed())] == [2, 2, 1]
    assert kind_title("never-heard-of") == "Never-heard-of"


def test_facts_leave_out_what_is_no_plain_value() -> None:
    facts = dict(facts_of(ENLARGED, 1, fake_catalogue()))
    assert facts["Seed"] == "41"
    assert facts["Augmentation level"] == "0.1"
    assert facts["Solver"] == "GENIE"
    assert not any("image" in name.casefold() for name in facts)
    assert dict(facts_of(Mixed(), 0, fake_catalogue()))["Class"] == "Trouser + Pullover"


def test_pictures_of_different_tasks_are_compared() -> None:
    left = ComparePane("", fake_pictures(1), GENERATED, 0)
    right = ComparePane("", fake_pictures(1), ENLARGED, 0)
    rows = {name: (one, other) for name, one, other in differing_settings(left, right, fake_catalogue())}
    assert rows["Steps"] == ("5", "4")
    assert rows["Augmentation level"] == (ABSENT, "0.1")
    assert rows["Guidance"] == ("0", ABSENT)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "history.sqlite")


def test_pictures_of_any_task_are_kept(store: Store, tmp_path: Path) -> None:
    store.add_result(make_result(2), LABEL_NAMES)
    provenance = dataclasses.replace(PROVENANCE, batches=(1, 1))
    ids = store.add_making(
        Making(
            ENLARGED, fake_pictures(2, size=32), evaluations=4, provenance=provenance, notices=("Halved.",)
        )
    )
    assert store.facets().kinds == (("generate", 2), ("upsample", 2))
    assert [record.id for record in store.page(Filter(kind="upsample"))] == ids
    details = store.details(ids[1])
    assert (details.request, details.provenance, details.notices) == (ENLARGED, provenance, ("Halved.",))
    assert (details.record.kind, details.record.seed, details.record.width) == ("upsample", 41, 32)
    assert store.result(ids[0]) is None  # it is no result of generating
    file = tmp_path / "one.png"
    file.write_bytes(store.png(ids[1]))
    saved = read_settings(file)
    assert (saved.request, saved.index) == (ENLARGED.part(1, 1), 0)  # its own picture, not the others'
    assert store.page(Filter(text="upsampled")) == []
    assert len(store.page(Filter(text="41"))) == 1
    store.close()


def test_words_for_a_record_without_a_seed(store: Store) -> None:
    (id_,) = store.add_result(make_result(1))
    record = dataclasses.replace(store.record(id_), kind="edit", seed=None, solver="", label_name="Bag", id=4)
    assert record_title(record) == "Edited: Bag"
    assert describe(record).splitlines()[:3] == ["Edited", "Bag", "fashion32"]
    assert "Seed" not in describe(record)
    assert file_name_of(record) == "fashion32-Bag-Edited-4"
    store.close()
