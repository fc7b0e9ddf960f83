"""Judging colour models, with a judge that is simple enough to know what it must say."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.checkpoints.card import read_card
from engine.errors import MissingData
from engine.evaluation.enlarging import (
    enlarged,
    judge_enlargement,
    made_small,
    plainly_enlarged,
    psnr,
)
from engine.evaluation.imagenet import (
    cached_features,
    features_of,
    fit_classifier,
    load_judge,
    nearest,
    principal_components,
)
from engine.networks.compact import CompactConfig
from engine.networks.compact_upsampler import CompactUpsampler, CompactUpsamplerConfig
from engine.training.bundle import write_model
from engine.training.diffusion import train_network
from engine.training.distil import distil_head
from engine.training.emoji import CLASSES, EmojiPictures
from engine.training.examples import PlainExamples
from engine.training.objective import make_network
from engine.training.recipes import EMOJI64, EMOJI256_UP, Recipe
from tests.benchmarks import bench_emoji
from tests.engine.test_training import network_of


def simple_judge(images: Tensor) -> Tensor:
    """Mean and spread of every channel, and how much lies in the left half: (B, 9)."""
    x = images.float() / 255.0
    half = x.shape[3] // 2
    return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3)), x[..., :half].mean(dim=(2, 3))], dim=1)


def random_pictures(count: int, size: int, seed: int = 0) -> Tensor:
    """Smooth pictures, each of its own colours: uint8 (count, 3, size, size)."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=random)
    fine = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    return (fine * 255).round().to(torch.uint8)


def emoji_of(size: int, count: int = 40) -> EmojiPictures:
    return EmojiPictures(
        random_pictures(count, size)[None],
        torch.arange(count) % len(CLASSES),
        tuple(f"{0x1F600 + i:x}" for i in range(count)),
        tuple(f"{0x1F600 + i:x}" for i in range(count)),
    )


# --- features --------------------------------------------------------------------------------------


def test_principal_components_keep_the_distances_that_count() -> None:
    """Points in a plane of a large space: two components say all about them."""
    random = torch.Generator().manual_seed(0)
    flat = torch.randn(50, 2, generator=random) * torch.tensor([5.0, 1.0])
    basis = torch.linalg.qr(torch.randn(20, 2, generator=random)).Q
    flat, basis = flat.double(), basis.double()
    points = flat @ basis.T + 3.0
    seen = principal_components(points, 2)(points)
    torch.testing.assert_close(torch.cdist(seen, seen), torch.cdist(flat, flat), rtol=1e-6, atol=1e-6)
    assert seen[:, 0].std() > seen[:, 1].std()
    assert seen.mean(dim=0).abs().max() < 1e-4


def test_the_classifier_finds_what_can_be_found() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    centres = torch.randn(3, 6, generator=random) * 4.0
    points = centres[labels] + torch.randn(300, 6, generator=random)
    fitted = fit_classifier(points, labels, 3)
    fresh = centres[labels] + torch.randn(300, 6, generator=random)
    assert fitted.accuracy(fresh, labels) > 0.95
    # What counts for nothing is as good as not there.
    wrong = torch.where(torch.arange(300) < 150, (labels + 1) % 3, labels)
    weights = (torch.arange(300) >= 150).float()
    assert fit_classifier(points, wrong, 3, weights=weights).accuracy(fresh, labels) > 0.95


def test_the_nearest_is_found_by_direction_and_not_where_it_may_not_be() -> None:
    others = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    found = nearest(torch.tensor([[5.0, 0.5], [0.1, 0.1]]), others)
    assert found.index.tolist()[0] == 0
    assert found.distance[1].item() == pytest.approx(1 - 0.5**0.5, abs=1e-6)
    itself = nearest(others, others, torch.eye(3, dtype=torch.bool))
    assert itself.index.tolist()[1] in (0, 2)
    assert itself.distance.min() >= 0.99
    assert set(found.summary()) == {"p05", "median", "p95"}


def test_features_are_kept_for_the_same_pictures(tmp_path: Path) -> None:
    calls: list[int] = []

    def judge(images: Tensor) -> Tensor:
        calls.append(len(images))
        return simple_judge(images)

    images = random_pictures(70, 8)
    first = cached_features(judge, images, tmp_path / "features.safetensors")
    assert torch.equal(first, features_of(simple_judge, images))
    assert sum(calls) == 70
    assert torch.equal(cached_features(judge, images, tmp_path / "features.safetensors"), first)
    assert sum(calls) == 70
    cached_features(judge, images.flip(0) // 2, tmp_path / "features.safetensors")
    (tmp_path / "features.safetensors").write_bytes(b"damaged")
    assert torch.equal(cached_features(judge, images, tmp_path / "features.safetensors"), first)
    assert sum(calls) == 210


@pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite_pytorch") is None, reason="a development tool"
)
def test_the_feature_network_tells_pictures_apart() -> None:
    judge = load_judge()
    one, two = random_pictures(2, 64)
    found = features_of(judge, torch.stack([one, one, two, one.flip(2)]))
    assert found.shape == (4, 1280)
    assert bool(found.isfinite().all())
    torch.testing.assert_close(found[0], found[1])
    same, other = ((found[0] - found[i]).norm().item() for i in (3, 2))
    assert same > 0.0
    assert other > 0.1


def test_without_the_feature_network_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingData, match="make setup-dev"):
        load_judge()


# --- enlargements -----------------------------------------------------------------------------------


def test_plain_enlargements_keep_what_they_were_made_from() -> None:
    real = random_pictures(3, 64)
    small = made_small(real, 16)
    assert small.shape == (3, 3, 16, 16)
    for how in ("bicubic", "lanczos"):
        large = plainly_enlarged(small, 64, how)
        assert large.shape == real.shape
        assert psnr(made_small(large, 16), small) > 40.0
        assert psnr(large, real) > 30.0


def test_decibels_are_those_of_the_definition() -> None:
    black = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert psnr(black, black) == pytest.approx(99.0)
    assert psnr(black, black + 255) == pytest.approx(0.0, abs=1e-4)
    one_off = black.clone()
    one_off[0] += 10
    assert psnr(black, one_off) == pytest.approx((20 * 1.40654 + 99.0) / 2, abs=1e-3)


def test_the_real_pictures_themselves_are_judged_perfect() -> None:
    real = random_pictures(30, 32)
    components = principal_components(features_of(simple_judge, real), 4)
    perfect = judge_enlargement(simple_judge, components, real, made_small(real, 8), real)
    assert perfect.feature_distance < 1e-6
    assert perfect.feature_error < 1e-6
    assert perfect.psnr == perfect.consistency == pytest.approx(99.0)
    mixed_up = judge_enlargement(simple_judge, components, real.roll(1, 0), made_small(real, 8), real)
    assert mixed_up.feature_distance < 1e-6  # the same set
    assert mixed_up.feature_error == pytest.approx(1.0, abs=0.4)
    assert mixed_up.consistency < 20.0


def small_up() -> Recipe:
    network = CompactUpsamplerConfig(
        image_size=32, channels=3, patch=2, widths=(8, 8), blocks=1, embedding=16, low_resolution=8
    )
    return replace(
        EMOJI256_UP, network=network, batch=2, steps=2, head_targets=1, head_steps=1, head_batch=1,
        head_width=4,
    )  # fmt: skip


def test_each_picture_is_enlarged_with_noises_of_its_own_seed() -> None:
    torch.manual_seed(0)
    network = make_network(small_up()).eval()
    assert isinstance(network, CompactUpsampler)
    small = random_pictures(3, 8)
    how = {"solver_name": "ddim", "steps": 2, "level": 0.1, "consistent": False}
    both = enlarged(network, None, small, seeds=[4, 5, 6], **how)  # type: ignore[arg-type]
    alone = enlarged(network, None, small[1:2], seeds=[5], **how)  # type: ignore[arg-type]
    assert both.shape == (3, 3, 32, 32)
    assert (both[1].int() - alone[0].int()).abs().max() <= 1
    other = enlarged(network, None, small[1:2], seeds=[6], **how)  # type: ignore[arg-type]
    assert not torch.equal(other, alone)


# --- the benches on models of a moment ---------------------------------------------------------------


def made(recipe: Recipe, folder: Path, size: int) -> Path:
    """A model of the recipe, trained and distilled for a step or two."""
    pictures = PlainExamples(random_pictures(8, size), torch.arange(8) % max(1, len(recipe.classes)))
    list(train_network(recipe, pictures, folder))
    list(distil_head(recipe, network_of(folder, recipe), pictures, folder))
    write_model(recipe, folder, folder / "model")
    return folder / "model"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training import distil

    monkeypatch.setattr(distil, "_CHUNK", 4)
    monkeypatch.setattr(distil, "_TARGET_BATCH", 4)


def test_the_bench_of_the_base_and_its_card(quick: None, tmp_path: Path) -> None:
    network = CompactConfig(
        image_size=16, channels=3, classes=len(CLASSES), patch=4, widths=(8, 8), blocks=1,
        middle=1, embedding=16,
    )  # fmt: skip
    recipe = replace(
        EMOJI64, network=network, batch=2, steps=2, head_targets=1, head_steps=1, head_batch=1, head_width=4
    )
    folder = made(recipe, tmp_path, 16)
    said: list[str] = []
    report = bench_emoji.bench_base(
        folder, emoji_of(16), simple_judge, samples=30, solvers=("genie", "ddim"), evaluations=(5,),
        say=said.append,
    )  # fmt: skip
    assert report["ratio_to_ddim"].keys() == {"5"}
    cell = report["table"]["genie"]["5"]
    assert (cell["samples"], cell["evaluations"]) == (30, 5)
    assert 0.0 <= cell["agreement"] <= 1.0
    assert report["nearest"]["training_to_other_training"]["median"] > 0.0
    assert any("genie" in line for line in said)
    bench_emoji.write_quality(folder, report)
    quality = read_card(folder / "card.toml").quality
    assert quality["measured_by"] == "make bench-quality RECIPE=emoji64"
    assert quality["table"]["ddim"]["5"]["feature_distance"] == pytest.approx(
        report["table"]["ddim"]["5"]["feature_distance"], rel=1e-3
    )


def test_the_bench_of_the_upsampler(quick: None, tmp_path: Path) -> None:
    folder = made(small_up(), tmp_path, 32)
    report = bench_emoji.bench_upsampler(
        folder, emoji_of(32), simple_judge, count=3, levels=(0.1,), settings=(("genie", 2), ("ddim", 1))
    )
    table = report["table"]
    made_by = [f"{how}, level 0.1{end}" for how in ("genie 2", "ddim 1") for end in ("", ", consistent")]
    assert list(table) == ["bicubic", "lanczos", *made_by]
    assert table["bicubic"]["consistency"] > table["ddim 1, level 0.1"]["consistency"]
    assert (
        table["ddim 1, level 0.1, consistent"]["consistency"] > table["ddim 1, level 0.1"]["consistency"] + 10
    )
    json.dumps(report)


def test_the_sheets(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    spec = importlib.util.spec_from_file_location("sheets", root / "scripts" / "sheets.py")
    assert spec is not None
    assert spec.loader is not None
    sheets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sheets)
    monkeypatch.setattr(sheets, "load_emoji", lambda size, data: emoji_of(size))
    (path,) = sheets.upsampled_sheet(made(small_up(), tmp_path / "up", 32), None, 0.1, 2)
    with Image.open(path) as sheet:
        assert sheet.size == (6 * 34, 2 * 34)
    network = CompactConfig(
        image_size=16, channels=3, classes=len(CLASSES), patch=4, widths=(8, 8), blocks=1,
        middle=1, embedding=16,
    )  # fmt: skip
    recipe = replace(
        EMOJI64, network=network, batch=2, steps=1, head_targets=1, head_steps=1, head_batch=1, head_width=4
    )
    written = sheets.base_sheets(made(recipe, tmp_path / "base", 16), 2)
    assert [path.name for path in written] == [f"samples-guidance-{g}.png" for g in (0, 1, 2)]
    with Image.open(written[0]) as sheet:
        assert sheet.size == (6 * 18, len(CLASSES) * 18)


def test_a_bench_writes_its_report_and_the_card(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(small_up(), tmp_path / "run", 32)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_emoji, "load_emoji", lambda size, data: emoji_of(32))
    monkeypatch.setattr(bench_emoji, "load_judge", lambda: simple_judge)
    arguments = ["emoji256-up", "--model", str(folder), "--data", "data", "--samples", "2", "--levels", "0.1"]
    assert bench_emoji.main([*arguments, "--card"]) == 0
    report = json.loads((tmp_path / "build" / "bench" / "emoji256-up.json").read_text())
    assert set(report["table"]) >= {"bicubic", "lanczos", "genie 5, level 0.1", "ddim 25, level 0.1"}
    assert read_card(folder / "card.toml").quality["pictures"] == 2
    assert "consistency" in capsys.readouterr().err
