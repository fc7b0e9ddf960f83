"""What differs where an upsampler is trained, and what any training leaves for people to look at."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.checkpoints.card import read_card
from engine.checkpoints.library import list_models
from engine.checkpoints.native import load_head, load_network
from engine.denoiser import NetworkDenoiser
from engine.errors import BadCheckpoint
from engine.flow import exact_derivative
from engine.networks.compact_upsampler import CompactUpsampler, CompactUpsamplerConfig, CompactUpsamplerHead
from engine.networks.upsampler import ConditionedNetwork, enlarge
from engine.schedule import VPSchedule, expand
from engine.training import diffusion
from engine.training.bundle import write_model
from engine.training.checkpoint import read_checkpoint
from engine.training.diffusion import train_network
from engine.training.distil import distil_head, make_targets
from engine.training.examples import Examples, PlainExamples
from engine.training.objective import bind_head, draw_view, make_network, shrink, view_of
from engine.training.recipes import EMOJI64, EMOJI256_UP
from engine.training.samples import enlarged, sample_sheet, tiled, write_loss
from tests.engine.test_training import TINY, TINY_UP, network_of, small_chunks

UP = cast(CompactUpsamplerConfig, TINY_UP.network)

__all__ = ["small_chunks"]  # a fixture that works on its own


@pytest.fixture(scope="module")
def stripes() -> Examples:
    """Vertical stripes one pixel wide: all that makes them so is lost when they are made small."""
    images = torch.zeros(4, 1, 16, 16, dtype=torch.uint8)
    for row, contrast in enumerate((30, 60, 90, 120)):
        images[row, 0, :, ::2] = 127 + contrast
        images[row, 0, :, 1::2] = 127 - contrast
    return PlainExamples(images, torch.zeros(4, dtype=torch.int64))


def batch_of(examples: Examples, count: int, seed: int = 0) -> Tensor:
    return examples.draw(count, torch.Generator().manual_seed(seed))[0].float() / 127.5 - 1.0


# --- what it sees ----------------------------------------------------------------------------------


def test_an_upsampler_sees_the_small_image_noisy_and_enlarged(stripes: Examples) -> None:
    x0 = batch_of(stripes, 6)
    network = make_network(TINY_UP)
    clean = view_of(network, x0, 1e-6, range(6))
    assert clean.condition is not None
    small = torch.nn.functional.avg_pool2d(x0, 4)
    torch.testing.assert_close(clean.condition, enlarge(small, 16), rtol=0.0, atol=2e-3)
    # The noise of an image is that of its seed, and as large as the schedule says.
    noisy, again = (view_of(network, x0, 0.5, seeds).condition for seeds in (range(6), range(6)))
    other = view_of(network, x0, 0.5, range(1, 7)).condition
    assert noisy is not None
    assert again is not None
    assert other is not None
    assert torch.equal(noisy, again)
    assert not torch.equal(noisy[1:], other[1:])
    flat = torch.zeros(200, 1, 16, 16)
    seen = view_of(network, flat, 0.5, range(200)).condition
    assert seen is not None
    expected = enlarge(torch.randn(200, 1, 4, 4), 16).std() * VPSchedule().sigma(torch.tensor(0.5))
    assert seen.std().item() == pytest.approx(expected.item(), rel=0.05)


def test_levels_of_training_cover_the_whole_range(stripes: Examples) -> None:
    random = torch.Generator().manual_seed(0)
    view = draw_view(make_network(TINY_UP), batch_of(stripes, 4000), random)
    assert view.level is not None
    assert 1e-3 <= view.level.min() < 0.01
    assert 0.98 < view.level.max() <= 1.0
    assert (view.level < 0.125).float().mean().item() == pytest.approx(0.5, abs=0.03)
    weight = view.weight(torch.zeros(4000))
    assert weight is not None
    assert weight.shape == (4000,)


def test_a_network_of_images_alone_sees_no_more_than_it_did() -> None:
    network = make_network(TINY)
    random = torch.Generator().manual_seed(0)
    before = random.get_state()
    view = draw_view(network, torch.zeros(2, 1, 8, 8), random)
    assert view.network is network
    assert view.condition is None
    assert view.weight(torch.zeros(2)) is None
    assert torch.equal(random.get_state(), before)


def test_a_crop_starts_from_a_crop_of_the_small_image() -> None:
    """Half as wide a piece is made small to half as many pixels."""
    x0 = torch.rand(2, 3, 128, 128) * 2 - 1
    network = make_network(EMOJI256_UP)
    view = view_of(network, x0, 1e-6, range(2))
    assert view.condition is not None
    torch.testing.assert_close(view.condition, enlarge(shrink(x0, 32, 128), 128), rtol=0.0, atol=4e-3)


# --- training ----------------------------------------------------------------------------------------


def test_an_upsampler_learns_what_enlarging_cannot_know(stripes: Examples, tmp_path: Path) -> None:
    recipe = replace(TINY_UP, batch=16, learning_rate=4e-3, warmup=10)
    reports = list(train_network(recipe, stripes, tmp_path, steps=120, report_every=40))
    assert reports[-1].loss < 0.5 * reports[0].loss


def test_targets_hold_the_condition_and_the_exact_derivative(stripes: Examples, tmp_path: Path) -> None:
    list(train_network(TINY_UP, stripes, tmp_path, steps=2))
    network = network_of(tmp_path, TINY_UP).eval().requires_grad_(False)
    made = make_targets(TINY_UP, network, stripes, 6, torch.Generator().manual_seed(3))
    assert made["condition"].shape == made["x_t"].shape
    assert made["condition"].dtype == torch.bfloat16
    # The same once more, by hand: eps and its derivative at the levels that were drawn.
    random = torch.Generator().manual_seed(3)
    pictures, _ = stripes.draw(6, random)
    x0 = pictures.float() / 127.5 - 1.0
    torch.rand(6, generator=random)
    torch.rand(6, generator=random, dtype=torch.float64)
    torch.randn(x0.shape, generator=random)
    view = draw_view(network, x0, random)
    assert view.condition is not None
    torch.testing.assert_close(view.condition.bfloat16(), made["condition"])
    denoiser = NetworkDenoiser(view.network, "v", torch.zeros(6).long(), dtype=torch.float32)
    level = expand(made["gamma"], made["x_t"])
    with torch.no_grad():
        torch.testing.assert_close(denoiser.eps(made["x_t"], level), made["eps"])
    torch.testing.assert_close(exact_derivative(denoiser, made["x_t"], made["eps"], level), made["target"])


def test_a_head_learns_and_both_are_found_as_an_upsampler(stripes: Examples, tmp_path: Path) -> None:
    recipe = replace(
        TINY_UP, head_targets=128, head_steps=250, head_batch=16, head_learning_rate=1e-2, warmup=10
    )
    list(train_network(recipe, stripes, tmp_path, steps=30))
    reports = list(distil_head(recipe, network_of(tmp_path, recipe), stripes, tmp_path, report_every=50))
    said = [report.loss for report in reports if math.isfinite(report.loss)]
    assert said[-1] < 0.5  # a silent head is wrong by 1
    write_model(recipe, tmp_path, tmp_path / "models" / "up")
    card = read_card(tmp_path / "models" / "up" / "card.toml")
    head, network = (load(tmp_path / "models" / "up", card) for load in (load_head, load_network))
    assert (card.network.kind, card.head and card.head.kind) == ("compact-upsampler", "compact-upsampler")
    assert isinstance(network, CompactUpsampler)
    assert isinstance(head, CompactUpsamplerHead)
    made = make_targets(recipe, network, stripes, 256, torch.Generator().manual_seed(99))
    gamma = expand(made["gamma"], made["x_t"])
    with torch.no_grad():
        bound = bind_head(head, made["condition"].float())
        k = bound(made["x_t"], made["eps"], made["features"].float(), made["embedding"].float(), gamma)
    error = (gamma * (k - made["target"])).square().mean()
    assert (error / (gamma * made["target"]).square().mean()).sqrt() < 0.8

    (info,) = list_models([tmp_path / "models"])
    assert info.problem is None
    assert (info.is_upsampler, info.upsamples_from, info.image_size, info.has_head) == (True, 4, 16, True)


def test_a_base_model_finds_its_upsampler(tmp_path: Path) -> None:
    """By the pictures both learnt from, and the size one makes and the other starts from."""
    base = replace(TINY, network=replace(TINY.network, image_size=8), data=EMOJI64.data, batch=2, steps=1)
    up = replace(TINY_UP, network=replace(UP, low_resolution=8), data=EMOJI256_UP.data, steps=1)
    for recipe, size in ((base, 8), (up, 16)):
        pictures = PlainExamples(torch.zeros(4, 1, size, size, dtype=torch.uint8), torch.zeros(4).long())
        list(train_network(recipe, pictures, tmp_path / recipe.name))
        write_model(recipe, tmp_path / recipe.name, tmp_path / "models" / recipe.name)
    found = {info.name: info.upsampler for info in list_models([tmp_path / "models"])}
    assert found == {"tiny": "tiny-up", "tiny-up": None}


def test_a_card_of_an_upsampler_is_checked(stripes: Examples, tmp_path: Path) -> None:
    list(train_network(TINY_UP, stripes, tmp_path, steps=8))
    write_model(TINY_UP, tmp_path, tmp_path / "up")
    path = tmp_path / "up" / "card.toml"
    text = path.read_text()
    for before, after, words in (
        ("low_resolution = 4", "low_resolution = 16", "a smaller size"),
        ("low_resolution = 4", "low_resolution = 5", "a divisor of 16"),
        ("detail = 0.1", "detail = 0.0", "network.detail"),
    ):
        assert before in text
        path.write_text(text.replace(before, after))
        with pytest.raises(BadCheckpoint, match=words):
            read_card(path)


# --- what is left to look at ---------------------------------------------------------------------------


def test_losses_and_a_sheet_lie_beside_the_checkpoint(
    stripes: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffusion, "_BETWEEN_SHEETS", -1.0)
    steps = train_network(TINY_UP, stripes, tmp_path, report_every=2)
    first = next(steps)
    with Image.open(tmp_path / "samples.png") as sheet:
        assert (sheet.size, sheet.mode) == ((6 * 18, 4 * 18), "L")
    (tmp_path / "samples.png").unlink()
    steps.close()  # type: ignore[attr-defined]
    rest = list(train_network(TINY_UP, stripes, tmp_path, report_every=2, resume=True))
    assert (tmp_path / "samples.png").exists()
    with (tmp_path / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [first.step, *(report.step for report in rest)]
    assert float(rows[0]["loss"]) == pytest.approx(first.loss, abs=1e-5)


@pytest.mark.parametrize("name", ["losses.csv", "samples.png"])
def test_a_training_goes_on_where_neither_can_be_written(
    stripes: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(diffusion, "_BETWEEN_SHEETS", -1.0)
    (tmp_path / name).mkdir()
    reports = list(train_network(TINY_UP, stripes, tmp_path, report_every=2))
    assert [report.step for report in reports] == [2, 4, 6, 8]
    assert read_checkpoint(tmp_path / "checkpoint.pt")["step"] == 8


def test_a_sheet_is_the_same_for_the_same_weights(stripes: Examples) -> None:
    for recipe, examples, shape in (
        (TINY_UP, stripes, (1, 4 * 18, 6 * 18)),
        (TINY, stripes, (1, 4 * 10, 4 * 10)),
    ):
        network = make_network(recipe).eval()
        one, two = (sample_sheet(recipe, network, examples) for _ in range(2))
        assert one.shape == shape
        assert torch.equal(one, two)


def test_an_untrained_upsampler_enlarges_already(stripes: Examples) -> None:
    """Flat pictures come out flat, near the grey they had: the closed form alone does that."""
    flat = PlainExamples(torch.full((4, 1, 16, 16), 180, dtype=torch.uint8), torch.zeros(4).long())
    torch.manual_seed(0)
    network = make_network(replace(TINY_UP, network=replace(UP, contrast=0.2))).eval()
    sheet = enlarged(network, flat, 4, 2)
    assert sheet.shape == (1, 36, 36)
    made = sheet[:, :16, :16].float()
    assert abs(made.mean() - 180.0) < 40.0
    assert made.std() < 30.0
    assert isinstance(view_of(network, batch_of(stripes, 2), 0.1, range(2)).network, ConditionedNetwork)


def test_tiles_lie_row_by_row_on_white() -> None:
    images = torch.linspace(-1.0, 1.0, 3).reshape(3, 1, 1, 1).expand(3, 1, 2, 2)
    sheet = tiled(images, 2, gap=1)
    expected = np.full((6, 6), 255)
    expected[:2, :2], expected[:2, 3:5], expected[3:5, :2] = 0, 128, 255
    assert sheet[0].tolist() == expected.tolist()


def test_the_table_of_losses_has_one_head(tmp_path: Path) -> None:
    for step in (1, 2):
        write_loss(tmp_path / "run" / "losses.csv", step, 0.5, 1.25)
    assert (tmp_path / "run" / "losses.csv").read_text() == (
        "step,loss,seconds\n1,0.500000,1.2\n2,0.500000,1.2\n"
    )
