"""The emoji: read from any folder, told apart by what they show, and drawn a little otherwise each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import MissingData
from engine.training import emoji
from engine.training.data import LOADERS, load_examples
from engine.training.emoji import CLASSES, family, held_out, load_emoji
from engine.training.examples import PlainExamples, VariedExamples, turn_hue
from engine.training.recipes import EMOJI64, EMOJI256_UP, RECIPES

GRIN, WAVE, DOG, FRANCE, HEART = "1f600", "1f44b", "1f436", "1f1eb-1f1f7", "2764-fe0f"
TABLE = [
    {"hexcode": "1F600", "subgroup": 0},
    {
        "hexcode": "1F44B",
        "subgroup": 16,
        "skins": [{"hexcode": "1F44B-1F3FB"}, {"hexcode": "1F44B-1F3FF"}],
    },
    {"hexcode": "1F436", "subgroup": 34},
    {"hexcode": "1F1EB-1F1F7", "subgroup": 98},
    {"hexcode": "2764", "subgroup": 14},
    {"hexcode": "1F3FB", "subgroup": 32},  # a skin tone is no picture of anything
]
NAMES = [GRIN, WAVE, "1f44b-1f3fb", "1f44b-1f3ff", DOG, FRANCE, HEART]


def write_picture(path: Path, colour: tuple[int, int, int, int], size: int = 256) -> None:
    """Transparent, with a square of a colour in its upper left quarter."""
    pixels = np.zeros((size, size, 4), dtype=np.uint8)
    pixels[: size // 2, : size // 2] = colour
    Image.fromarray(pixels).save(path, lossless=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "emoji"
    (place / "pictures").mkdir(parents=True)
    for number, name in enumerate([*NAMES, "1f3fb"]):
        suffix = ".png" if number % 2 else ".webp"
        write_picture(place / "pictures" / f"{name}{suffix}", (20 * number, 0, 200, 255))
    (place / "data.json").write_text(json.dumps(TABLE))
    return place


# --- reading -----------------------------------------------------------------------------------


def test_pictures_come_on_white_with_their_classes(folder: Path) -> None:
    found = load_emoji(256, folder)
    assert found.images.shape == (1, 7, 3, 256, 256)
    assert sorted(found.names) == sorted(NAMES)
    shown = {name: CLASSES[label] for name, label in zip(found.names, found.labels.tolist(), strict=True)}
    assert shown == {
        GRIN: "Face", WAVE: "Hand", "1f44b-1f3fb": "Hand", "1f44b-1f3ff": "Hand", DOG: "Animal",
        FRANCE: "Flag", HEART: "Heart",
    }  # fmt: skip
    dog = found.images[0, found.names.index(DOG)]
    assert dog[:, 0, 0].tolist() == [80, 0, 200]
    assert dog[:, 200, 200].tolist() == [255, 255, 255]


def test_small_pictures_come_in_three_sizes_averaged_over_their_squares(folder: Path) -> None:
    whole, small = load_emoji(256, folder), load_emoji(64, folder)
    assert small.images.shape == (3, 7, 3, 64, 64)
    squares = whole.images[0].float().reshape(7, 3, 64, 4, 64, 4).mean(dim=(3, 5))
    assert (small.images[0].float() - squares).abs().max() <= 0.5
    # The smaller the picture, the wider the white around it.
    assert [int((view[0, 2] != 255).any(dim=0).sum()) for view in small.images] == [32, 29, 26]
    edge = small.images[2, small.names.index(DOG)]
    assert edge[:, 0, 0].tolist() == [255, 255, 255]


def test_what_is_transparent_has_no_colour(folder: Path) -> None:
    """Red behind nothing at all does not bleed into a picture that is made smaller."""
    pixels = np.zeros((256, 256, 4), dtype=np.uint8)
    pixels[..., 0] = 255
    pixels[96:160, 96:160] = (0, 0, 255, 255)
    Image.fromarray(pixels).save(folder / "pictures" / f"{DOG}.png")
    (folder / "pictures" / f"{DOG}.webp").unlink()
    found = load_emoji(64, folder)
    for view in found.images[:, found.names.index(DOG)].float():
        # Between blue and white there is no red above what white brings.
        assert (view[0] - view[1]).abs().max() <= 2.0


def test_broken_pictures_are_skipped_and_named(folder: Path) -> None:
    (folder / "pictures" / f"{GRIN}.webp").write_bytes(b"RIFF no picture")
    cut = folder / "pictures" / f"{WAVE}.png"
    cut.write_bytes(cut.read_bytes()[:60])
    said: list[str] = []
    found = load_emoji(64, folder)
    assert sorted(found.skipped) == [f"pictures/{WAVE}.png", f"pictures/{GRIN}.webp"]
    assert len(found) == 5
    assert load_emoji(64, folder).skipped == found.skipped  # the cache knows them too
    load_examples("emoji64", folder, said.append)
    (line,) = said
    assert line.startswith("Skipped 2 pictures that can't be read: ")
    assert f"{GRIN}.webp" in line


def test_a_link_to_nothing_is_skipped_and_named(folder: Path) -> None:
    picture = folder / "pictures" / f"{GRIN}.webp"
    picture.unlink()
    picture.symlink_to(folder / "gone.webp")
    for _ in range(2):  # the second time from the cache
        found = load_emoji(64, folder)
        assert found.skipped == (f"pictures/{GRIN}.webp",)
        assert len(found) == 6


@pytest.mark.parametrize(
    "harm", ["no folder", "no table", "bad table", "odd table", "no pictures", "all broken"]
)
def test_a_folder_that_will_not_do_is_named_with_advice(folder: Path, harm: str) -> None:
    if harm == "no folder":
        folder = folder / "elsewhere"
    elif harm == "no table":
        (folder / "data.json").unlink()
    elif harm in ("bad table", "odd table"):
        (folder / "data.json").write_text("{" if harm == "bad table" else '["x"]')
    else:
        for path in (folder / "pictures").iterdir():
            path.unlink() if harm == "no pictures" else path.write_bytes(b"")
    with pytest.raises(MissingData) as caught:
        load_emoji(64, folder)
    assert str(folder) in caught.value.message
    assert "make setup-training" in caught.value.message
    assert caught.value.field == "data"


def test_what_was_read_is_kept_until_a_file_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_emoji(64, folder)
    assert (folder / "cache-64.safetensors").exists()

    def unwanted(*_: object) -> None:
        raise AssertionError("read anew")

    drawn = emoji._drawn
    monkeypatch.setattr(emoji, "_drawn", unwanted)
    again = load_emoji(64, folder)
    assert torch.equal(again.images, first.images)
    assert (again.names, again.families, again.labels.tolist()) == (
        first.names, first.families, first.labels.tolist(),
    )  # fmt: skip
    monkeypatch.setattr(emoji, "_drawn", drawn)
    write_picture(folder / "pictures" / f"{DOG}.webp", (1, 2, 3, 255))
    changed = load_emoji(64, folder)
    assert changed.images[0, changed.names.index(DOG), :, 0, 0].tolist() == [1, 2, 3]
    (folder / "cache-64.safetensors").unlink()  # or what is mapped would be cut off with the file
    (folder / "cache-64.safetensors").write_bytes(b"not whole")
    assert torch.equal(load_emoji(64, folder).images, changed.images)


# --- what belongs together ------------------------------------------------------------------------


def test_a_family_is_what_is_shown_whatever_the_skin_or_the_sex() -> None:
    alike = {
        "1f44b": ["1f44b", "1f44b-1f3fb", "1f44b-1f3ff", "1F44B-FE0F"],
        "1f3c3": ["1f3c3", "1f3c3-200d-2640-fe0f", "1f3c3-1f3fd-200d-2642-fe0f"],
        "1f9d1-200d-1f680": ["1f468-200d-1f680", "1f469-1f3fe-200d-1f680", "1f9d1-200d-1f680"],
        "1f9d1": ["1f468", "1f469-1f3fb", "1f9d1"],
        "23-20e3": ["0023-fe0f-20e3"],
    }
    for expected, names in alike.items():
        assert {family(name) for name in names} == {expected}
    assert family("1f44b") != family("1f44c")


def test_no_family_is_on_both_sides_and_all_are_on_one(folder: Path) -> None:
    found = load_emoji(64, folder)
    train, test = found.part("train"), found.part("test")
    assert not set(train.families) & set(test.families)
    assert sorted((*train.names, *test.names)) == sorted(found.names)
    assert torch.equal(train.images, found.images[:, [found.names.index(name) for name in train.names]])
    with pytest.raises(ValueError, match="train or test"):
        found.part("both")


def test_about_a_twelfth_is_held_out() -> None:
    names = [f"{point:x}" for point in range(0x1F300, 0x1F300 + 3000)]
    assert 1 / 15 < sum(map(held_out, names)) / 3000 < 1 / 10


def test_skin_tones_count_as_one_and_big_classes_less(folder: Path) -> None:
    found = load_emoji(64, folder)
    weight = dict(zip(found.names, found.weights().tolist(), strict=True))
    waves = [weight[name] for name in (WAVE, "1f44b-1f3fb", "1f44b-1f3ff")]
    assert sum(waves) == pytest.approx(weight[DOG])
    assert waves[0] == waves[1] == waves[2]
    mirrored = dict(zip(found.names, found.mirrored().tolist(), strict=True))
    assert mirrored == dict.fromkeys(NAMES, True) | {FRANCE: False}


# --- examples -------------------------------------------------------------------------------------


def counted(count: int = 3, size: int = 8, views: int = 2) -> VariedExamples:
    """Picture i of view v is flat with value 10 (v count + i), but for a mark in its upper left."""
    values = 10 * torch.arange(views * count).reshape(views, count, 1, 1, 1)
    images = values.expand(views, count, 3, size, size).to(torch.uint8).contiguous()
    images[..., 0, 0] += 1
    return VariedExamples(images, torch.arange(count), torch.ones(count), torch.ones(count, dtype=torch.bool))


def test_a_batch_depends_on_the_generator_alone() -> None:
    examples = counted()
    one, two, other = (examples.draw(16, torch.Generator().manual_seed(seed)) for seed in (5, 5, 6))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])
    assert one[0].dtype == torch.uint8
    assert set((one[0][:, 0, 4, 4] // 10 % 3).tolist()) == {0, 1, 2}
    assert torch.equal(one[0][:, 0, 4, 4] // 10 % 3, one[1])


def test_only_what_may_be_mirrored_is() -> None:
    examples = counted(2)
    examples = VariedExamples(examples.images, examples.labels, examples.weights, torch.tensor([True, False]))
    drawn, labels = examples.draw(400, torch.Generator().manual_seed(0))
    left, right = (drawn[:, 0, 0, column] % 10 == 1 for column in (0, 7))
    assert left[labels == 1].all()
    assert 0.35 < right[labels == 0].float().mean() < 0.65
    assert (left ^ right).all()


def test_a_shift_brings_in_the_background_and_a_crop_none() -> None:
    plain = counted(1)
    images, labels, weights, mirrored = plain.images, plain.labels, plain.weights, plain.mirrored
    moved = VariedExamples(images, labels, weights, mirrored, shift=2)
    drawn, _ = moved.draw(300, torch.Generator().manual_seed(0))
    assert drawn.shape[1:] == (3, 8, 8)
    whites = (drawn[:, 0] == 255).float().mean(dim=(1, 2))
    assert whites.max() == pytest.approx(1 - (6 / 8) ** 2)
    assert whites.min() == 0.0
    cut = VariedExamples(images, labels, weights, mirrored, crop=4)
    drawn, _ = cut.draw(300, torch.Generator().manual_seed(0))
    assert drawn.shape[1:] == (3, 4, 4)
    assert not (drawn == 255).any()
    marks = (drawn[:, 0] % 10 == 1).sum(dim=(1, 2))
    assert set(marks.tolist()) == {0, 1}  # one corner in 25 holds the mark


def test_weights_say_how_often() -> None:
    examples = counted(2)
    rare = VariedExamples(examples.images, examples.labels, torch.tensor([9.0, 1.0]), examples.mirrored)
    _, labels = rare.draw(2000, torch.Generator().manual_seed(0))
    assert labels.float().mean().item() == pytest.approx(0.1, abs=0.03)


def test_turning_the_hue_leaves_grey_and_comes_back() -> None:
    greys = torch.tensor([0, 90, 255], dtype=torch.uint8).reshape(3, 1, 1, 1).expand(3, 3, 2, 2)
    assert torch.equal(turn_hue(greys, torch.full((3,), 0.7)), greys)
    random = torch.Generator().manual_seed(0)
    colours = torch.randint(90, 170, (4, 3, 5, 5), generator=random).to(torch.uint8)
    angles = torch.tensor([0.3, -0.2, 1.0, 0.0])
    turned = turn_hue(colours, angles)
    assert not torch.equal(turned[0], colours[0])
    assert torch.equal(turned[3], colours[3])
    assert (turn_hue(turned, -angles).int() - colours.int()).abs().max() <= 2


def test_every_recipe_names_data_that_there_is(folder: Path) -> None:
    assert {recipe.examples for recipe in RECIPES.values()} == set(LOADERS)
    small, pieces = load_examples(EMOJI64.examples, folder), load_examples(EMOJI256_UP.examples, folder)
    random = torch.Generator().manual_seed(0)
    n = EMOJI64.network
    assert small.draw(2, random)[0].shape == (2, n.channels, n.image_size, n.image_size)
    assert pieces.draw(2, random)[0].shape == (2, 3, 128, 128)
    assert len(small) == len(pieces) == len(load_emoji(64, folder).part("train"))
    # An application finds the upsampler of a model by the name of what both learnt from.
    assert EMOJI64.data.name == EMOJI256_UP.data.name
    assert EMOJI64.classes == CLASSES
    plain = PlainExamples(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.arange(5))
    assert (len(plain), plain.draw(7, random)[0].shape) == (5, (7, 1, 2, 2))
