"""A picture dropped on the window: the difference of its settings to ours, or why there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.models.dropped import DiffRow, compare_requests, compare_settings, read_dropped
from app.models.settings import LABELS, GenerateSettings
from engine.errors import BadImage, BadRequest
from engine.images import SavedSettings, save
from engine.messages import GenerateRequest
from tests.fake_engine import fake_catalogue
from tests.models.history_samples import LABEL_NAMES, PROVENANCE, make_pictures

REQUEST = GenerateRequest(
    "fashion32", seed=40, labels=(1, 2, 1), guidance=1.5, steps=7, denoise=True, batch=2
)


CATALOGUE = dataclasses.replace(
    fake_catalogue(), models=(dataclasses.replace(fake_catalogue().models[0], classes=LABEL_NAMES),)
)


@pytest.fixture
def current(qapp: Any) -> dict[str, Any]:
    return GenerateSettings().to_dict()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_tells_what_applying_it_would_change(
    tmp_path: Path, current: dict[str, Any], suffix: str
) -> None:
    file = tmp_path / f"boots{suffix}"
    provenance = dataclasses.replace(PROVENANCE, batches=(3,))
    save(file, make_pictures(1), SavedSettings(REQUEST, 2, provenance))
    diff = read_dropped(file, {**current, "model": "emoji64"}, CATALOGUE)
    assert (diff.request, diff.image_index, diff.provenance) == (REQUEST, 2, provenance)
    assert diff.image_seed == 42
    assert [(row.name, row.current, row.theirs) for row in diff.rows] == [
        ("model", "emoji64", "fashion32"),
        ("pick", "every class once", "Ankle boot, Bag"),
        ("guidance", "0", "1.5"),
        ("steps", "10", "7"),
        ("denoise", "off", "on"),
        ("seed", "random", "40"),
        ("count", "16", "3"),
    ]
    assert all(row.label == LABELS[row.name] for row in diff.rows)


def test_a_model_that_is_not_here_is_told_before_it_is_applied(
    tmp_path: Path, current: dict[str, Any]
) -> None:
    file = tmp_path / "boots.png"
    request = dataclasses.replace(REQUEST, model="gone-model")
    save(file, make_pictures(1), SavedSettings(request, 0, dataclasses.replace(PROVENANCE, batches=(3,))))
    (row,) = [row for row in read_dropped(file, current, CATALOGUE).rows if row.name == "model"]
    assert row.theirs.startswith("gone-model, which is not here")
    (row,) = [row for row in read_dropped(file, current).rows if row.name == "model"]
    assert row.theirs == "gone-model"  # nobody knows yet


def test_settings_that_were_applied_differ_in_nothing(qapp: Any) -> None:
    ours = GenerateSettings()
    info = dataclasses.replace(fake_catalogue().models[0], name="fashion32", classes=LABEL_NAMES)
    ours.set_catalogue(dataclasses.replace(fake_catalogue(), models=(info,)))
    for labels in ((1, 2, 1, 2), (None, None), (0, 1, 2, 3), (3,)):
        request = dataclasses.replace(REQUEST, labels=labels)
        ours.apply_request(request)
        assert compare_settings(ours.to_dict(), request, LABEL_NAMES) == ()
        other = dataclasses.replace(request, labels=(*labels[:-1], 0 if labels[-1] is None else None))
        assert [row.name for row in compare_settings(ours.to_dict(), other, LABEL_NAMES)] == ["pick"]


@pytest.mark.parametrize(
    ("pick", "labels", "same"),
    [
        ("all", (0, 1, 2, 3, 0), True),
        ("all", (0, 1, 2, 3, 1), False),
        ([1], (1, 1, 1), True),
        ((1, 2), (1, 2, 1), True),
        ((2, 1), (1, 2, 1), False),
        ([], (1,), False),
        ("none", (None, None), True),
        ("none", (1,), False),
        ("all", (None,), False),
        ("random", (0,), False),
    ],
)
def test_classes_are_compared_by_what_they_choose(
    pick: Any, labels: tuple[int | None, ...], same: bool
) -> None:
    request = dataclasses.replace(REQUEST, labels=labels, seed=0)
    assert (compare_settings({"pick": pick}, request, LABEL_NAMES) == ()) == same


def test_random_classes_are_recognised_by_their_seed() -> None:
    from engine.messages import choose_labels

    request = dataclasses.replace(REQUEST, labels=choose_labels("random", 20, len(LABEL_NAMES), 40))
    assert compare_settings({"pick": "random"}, request, LABEL_NAMES) == ()
    (row,) = compare_settings({"pick": "random"}, dataclasses.replace(request, seed=41), LABEL_NAMES)
    assert row.current == "random"


def test_many_or_unknown_classes_are_told_shortly() -> None:
    request = dataclasses.replace(REQUEST, labels=tuple(range(9)))
    (row,) = compare_settings({"pick": [8]}, request, LABEL_NAMES)
    assert row == DiffRow("pick", "Class", "class 8", "Shirt, Ankle boot, Bag, Jäckchen and 5 more")


def test_two_results_side_by_side() -> None:
    other = dataclasses.replace(REQUEST, solver="ddim", labels=(3, 3), t_end=1e-2, guidance_model="weak")
    rows = compare_requests(REQUEST, other, LABEL_NAMES)
    assert {row.name: (row.current, row.theirs) for row in rows} == {
        "pick": ("Ankle boot, Bag", "Jäckchen"),
        "solver": ("genie", "ddim"),
        "t_end": ("0.001", "0.01"),
        "count": ("3", "2"),
        "guidance_model": ("none", "weak"),
    }
    assert [row.name for row in rows] == [name for name in LABELS if name in {row.name for row in rows}]
    assert compare_requests(REQUEST, REQUEST) == ()


def test_files_without_settings_say_so(tmp_path: Path, current: dict[str, Any]) -> None:
    plain = tmp_path / "plain.png"
    save(plain, make_pictures(1))
    with pytest.raises(BadImage, match=r"plain\.png carries no settings"):
        read_dropped(plain, current)
    text = tmp_path / "letter.png"
    text.write_text("Dear grandmother")
    with pytest.raises(BadImage, match=r"letter\.png is not a picture"):
        read_dropped(text, current)
    with pytest.raises(BadImage, match=r"Couldn't read .*gone\.png"):
        read_dropped(tmp_path / "gone.png", current)
    hostile = tmp_path / "hostile.png"
    chunks = PngInfo()
    chunks.add_text("genie", '{"genie": 1, "request": {"genie": 1, "kind": "generate", "steps": 1e99}}')
    Image.new("L", (8, 8)).save(hostile, pnginfo=chunks)
    with pytest.raises(BadRequest):
        read_dropped(hostile, current)
