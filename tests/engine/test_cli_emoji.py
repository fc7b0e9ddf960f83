"""`genie train` and `genie distil` with the colour recipes: the upsampler too, and data that is amiss."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PIL import Image

from engine.networks.compact_upsampler import CompactUpsamplerConfig
from engine.training import recipes
from tests.engine.cli_kit import Genie
from tests.engine.test_cli import genie
from tests.engine.test_emoji import DOG, folder

__all__ = ["folder", "genie"]

SHARED = ("--device", "cpu", "--threads", 1, "--report-every", 1, "--json")


@pytest.fixture
def small_up(monkeypatch: pytest.MonkeyPatch) -> None:
    network = CompactUpsamplerConfig(
        image_size=256, channels=3, patch=8, widths=(8, 8), blocks=1, embedding=16, low_resolution=64
    )
    recipe = dataclasses.replace(
        recipes.EMOJI256_UP,
        name="small-up",
        network=network,
        batch=2,
        head_targets=1,
        head_batch=2,
        head_width=4,
    )
    monkeypatch.setattr(recipes, "RECIPES", {"small-up": recipe})
    monkeypatch.setattr("engine.training.distil._CHUNK", 2)
    monkeypatch.setattr("engine.training.distil._TARGET_BATCH", 2)


def test_an_upsampler_is_trained_distilled_and_listed(
    genie: Genie, genie_home: Path, folder: Path, small_up: None
) -> None:
    (folder / "pictures" / f"{DOG}.webp").write_bytes(b"no picture")
    trained = genie("train", "small-up", "--data", folder, *SHARED, "--steps", 2)
    assert trained.code == 0, trained.err
    assert f"Skipped 1 picture that can't be read: pictures/{DOG}.webp." in trained.err
    for name in ("checkpoint.pt", "losses.csv", "samples.png"):
        assert (Path("runs") / "small-up" / name).exists()
    model = genie_home / "models" / "small-up"
    distilled = genie("distil", "small-up", "--data", folder, *SHARED, "--steps", 2, "--model", model)
    assert distilled.code == 0, distilled.err
    with Image.open(model / "sample.png") as sample:
        assert sample.size == (260, 260)
    listed = {entry["name"]: entry for entry in genie("models", "--json").json["models"]}
    assert listed["small-up"]["problem"] is None


def test_a_missing_folder_is_told_with_advice(genie: Genie) -> None:
    """Nothing fetched yet, no network, or a wrong --data: one sentence and exit code 2."""
    for extra in ((), ("--data", "elsewhere")):
        ended = genie("train", "emoji64", *extra, *SHARED, "--steps", 1)
        assert ended.code == 2
        assert "make setup-training" in ended.err
        assert not (Path("runs") / "emoji64").exists()


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(
    genie: Genie, folder: Path, small_up: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert genie("train", "small-up", "--data", folder, *SHARED, "--steps", 1).code == 0
    kept = (Path("runs") / "small-up" / "checkpoint.pt").read_bytes()
    other = dataclasses.replace(recipes.RECIPES["small-up"], noise_centre=1.0)
    monkeypatch.setattr(recipes, "RECIPES", {"small-up": other})
    ended = genie("train", "small-up", "--data", folder, *SHARED, "--steps", 2, "--resume")
    assert ended.code == 2
    assert "another network, recipe or seed" in ended.err
    assert (Path("runs") / "small-up" / "checkpoint.pt").read_bytes() == kept
