"""Training and distillation in miniature: exact after any interruption, plain about what is wrong."""

from __future__ import annotations

import copy
import gzip
import io
import itertools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.checkpoints.card import read_card
from engine.checkpoints.native import load_head, load_network
from engine.denoiser import NetworkDenoiser
from engine.errors import BadCheckpoint, BadRequest, EngineError, MissingData, UnusableFolder
from engine.flow import exact_derivative
from engine.networks.compact import CompactConfig
from engine.networks.compact_upsampler import CompactUpsamplerConfig
from engine.networks.head import CompactHead
from engine.schedule import VPSchedule, expand
from engine.training import distil, fashion
from engine.training.bundle import read_finished, write_model
from engine.training.checkpoint import Training, read_checkpoint
from engine.training.diffusion import (
    TrainingStep,
    draw_log_gamma,
    learning_rate,
    low_precision,
    spread_out,
    step_generator,
    train_network,
)
from engine.training.distil import distil_head, make_targets
from engine.training.examples import Examples, PlainExamples
from engine.training.objective import make_network
from engine.training.recipes import FASHION32, Recipe

CPU = torch.device("cpu")
TINY = replace(
    FASHION32,
    name="tiny",
    network=CompactConfig(
        image_size=8, channels=1, classes=3, patch=2, widths=(16, 16), blocks=1,
        middle=1, embedding=16,
    ),
    classes=("Apple", "Boat", "Cloud"),
    batch=4, warmup=3, steps=8, head_width=8, head_targets=16, head_steps=8, head_batch=4,
)  # fmt: skip


TINY_UP = replace(
    TINY,
    name="tiny-up",
    network=CompactUpsamplerConfig(
        image_size=16, channels=1, patch=2, widths=(8, 8), blocks=1, embedding=16, low_resolution=4
    ),
    classes=(),
    label_dropout=0.0,
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distil, "_CHUNK", 8)
    monkeypatch.setattr(distil, "_TARGET_BATCH", 4)


@pytest.fixture(scope="module")
def data() -> Examples:
    random = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (12, 1, 8, 8), generator=random, dtype=torch.int64)
    return PlainExamples(images.to(torch.uint8), torch.randint(0, 3, (12,), generator=random))


@pytest.fixture(scope="module")
def large() -> Examples:
    random = torch.Generator().manual_seed(2)
    images = torch.randint(0, 256, (12, 1, 16, 16), generator=random, dtype=torch.int64)
    return PlainExamples(images.to(torch.uint8), torch.zeros(12, dtype=torch.int64))


def network_of(folder: Path, recipe: Recipe = TINY) -> nn.Module:
    network = make_network(recipe)
    network.load_state_dict(read_checkpoint(folder / "checkpoint.pt")["average"])
    return network


def same(one: object, other: object) -> bool:
    """Bit by bit, through dicts and lists of tensors."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return isinstance(other, type(one)) and len(one) == len(other) and all(map(same, one, other))
    return one == other


Start = Callable[..., Iterator[TrainingStep]]


@pytest.fixture(params=["train", "distil", "train an upsampler", "distil an upsampler"])
def start(request: pytest.FixtureRequest, data: Examples, large: Examples, tmp_path: Path) -> Start:
    """Any training, as `start(folder, ...)`; all write eight steps into the file `start.file`."""
    recipe, examples = (TINY_UP, large) if request.param.endswith("upsampler") else (TINY, data)
    if request.param.startswith("train"):

        def begin(folder: Path, **options: Any) -> Iterator[TrainingStep]:
            return train_network(recipe, examples, folder, report_every=1, **options)

        begin.file = "checkpoint.pt"  # type: ignore[attr-defined]
        return begin
    list(train_network(recipe, examples, tmp_path / "network", steps=2))

    def begin_head(folder: Path, **options: Any) -> Iterator[TrainingStep]:
        network = network_of(tmp_path / "network", recipe)
        return distil_head(recipe, network, examples, folder, report_every=1, **options)

    begin_head.file = "head.pt"  # type: ignore[attr-defined]
    return begin_head


def state(start: Start, folder: Path) -> dict[str, Any]:
    kept = read_checkpoint(folder / start.file)  # type: ignore[attr-defined]
    del kept["seconds"]
    return kept


# --- interrupted and resumed -------------------------------------------------------------------


def test_a_training_closed_at_any_report_goes_on_bit_by_bit(start: Start, tmp_path: Path) -> None:
    needed = len(list(start(tmp_path / "whole")))
    whole = state(start, tmp_path / "whole")
    assert (whole["step"], whole["steps"]) == (8, 8)

    folder, reports = tmp_path / "parts", 0
    for _ in range(20):
        running = start(folder, resume=True)
        seen = list(itertools.islice(running, 3))
        running.close()  # type: ignore[attr-defined]
        reports += len(seen)
        if not seen:
            break
    assert same(state(start, folder), whole)
    assert reports == needed  # nothing was done twice, targets of a file half full neither


def test_a_cancelled_training_saves_the_step_it_is_at(start: Start, tmp_path: Path) -> None:
    list(start(tmp_path / "whole"))
    cancelled = ThreadEvent()
    reports = []
    for report in start(tmp_path / "parts", cancelled=cancelled):
        reports.append(report)
        if math.isfinite(report.loss) and report.steps - report.step == 5:
            cancelled.set()
    assert reports[-1].steps - reports[-1].step == 4  # the step that ran was finished, no other begun
    assert state(start, tmp_path / "parts")["step"] == 4
    list(start(tmp_path / "parts", resume=True))
    assert same(state(start, tmp_path / "parts"), state(start, tmp_path / "whole"))


def test_a_finished_training_has_nothing_left_to_do(start: Start, tmp_path: Path) -> None:
    list(start(tmp_path))
    file = tmp_path / start.file  # type: ignore[attr-defined]
    before = file.stat().st_mtime_ns
    assert list(start(tmp_path, resume=True)) == []
    assert file.stat().st_mtime_ns == before


def test_another_seed_is_not_resumed(start: Start, tmp_path: Path) -> None:
    list(start(tmp_path, steps=2))
    with pytest.raises(BadCheckpoint, match="another network, recipe or seed") as caught:
        list(start(tmp_path, seed=1, resume=True))
    assert caught.value.field == "resume"
    assert state(start, tmp_path)["step"] == 2


def test_another_recipe_is_not_resumed(data: Examples, tmp_path: Path) -> None:
    list(train_network(replace(TINY, steps=2), data, tmp_path))
    other = replace(TINY, learning_rate=1e-4)
    with pytest.raises(BadCheckpoint, match="another network, recipe or seed"):
        list(train_network(other, data, tmp_path, resume=True))
    longer = replace(TINY, steps=3, title="Renamed")  # what no weight depends on may change
    assert [report.step for report in train_network(longer, data, tmp_path, resume=True)] == [3]


def stopped_at(start: Start, folder: Path, left: int, **options: Any) -> None:
    """Train until `left` steps are left, and stop."""
    running = start(folder, **options)
    next(report for report in running if report.steps - report.step == left)
    running.close()  # type: ignore[attr-defined]


def test_the_steps_asked_for_are_those_it_goes_on_to(start: Start, tmp_path: Path) -> None:
    list(start(tmp_path / "whole", steps=5))
    stopped_at(start, tmp_path / "parts", left=2, steps=5)
    list(start(tmp_path / "parts", resume=True))
    assert same(state(start, tmp_path / "parts"), state(start, tmp_path / "whole"))
    assert list(start(tmp_path / "parts", resume=True)) == []
    # Others are taken from then on, those of the recipe too.
    assert len(list(start(tmp_path / "parts", steps=8, resume=True))) == 3
    assert state(start, tmp_path / "parts")["steps"] == 8


def test_an_end_before_the_step_it_is_at_is_refused(start: Start, tmp_path: Path) -> None:
    stopped_at(start, tmp_path, left=3, steps=9)
    with pytest.raises(BadRequest, match=r"end at step 4, but .* stands at step 6 of 9") as caught:
        list(start(tmp_path, steps=4, resume=True))
    assert caught.value.field == "steps"
    assert "--steps 9" in caught.value.message
    assert list(start(tmp_path, steps=6, resume=True)) == []  # that it has reached
    assert read_finished(tmp_path / start.file, TINY)["steps"] == 6  # type: ignore[attr-defined]


def test_a_checkpoint_of_before_goes_on_to_the_steps_of_its_recipe(data: Examples, tmp_path: Path) -> None:
    """It doesn't say whether its steps were asked for; and a recipe may have come to have more."""
    file = tmp_path / "checkpoint.pt"
    for steps, asked in ((4, None), (6, ...)):
        kept = list(train_network(replace(TINY, steps=steps), data, tmp_path, resume=True))
        assert kept
        old = read_checkpoint(file)
        assert old.pop("asked") is None
        if asked is ...:
            torch.save(old, file)
    assert [report.step for report in train_network(TINY, data, tmp_path, report_every=1, resume=True)] == [
        7,
        8,
    ]


def test_a_step_that_comes_to_nothing_changes_nothing(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Training.descend
    kept: list[object] = []

    def everything(training: Training) -> object:
        moments = [part["state"] for part in training._optimiser.state_dict().values()]
        return training._module.state_dict(), training._average, moments

    def descend(self: Training, loss: Tensor, *rest: float) -> None:
        before = copy.deepcopy(everything(self))
        real(self, loss * (math.nan if self.step == 3 else 1.0), *rest)
        kept.append(same(before, everything(self)))

    monkeypatch.setattr(Training, "descend", descend)
    list(start(tmp_path / "whole"))
    assert kept == [False] * 3 + [True] + [False] * 4
    stopped_at(start, tmp_path / "parts", left=4)
    list(start(tmp_path / "parts", resume=True))
    assert same(state(start, tmp_path / "parts"), state(start, tmp_path / "whole"))


def test_a_training_that_came_to_nothing_says_so_and_keeps_what_was_good(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(start(tmp_path, steps=2))
    before = state(start, tmp_path)
    real = Training.descend
    monkeypatch.setattr(Training, "descend", lambda self, loss, *rest: real(self, loss * math.nan, *rest))
    with pytest.raises(EngineError, match=r"the last 20 steps, up to step 22, is no number"):
        list(start(tmp_path, steps=60, resume=True))
    after = state(start, tmp_path)
    assert after["step"] == 22
    assert same(after["average"], before["average"])


def test_weights_that_are_no_numbers_are_not_saved(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(start(tmp_path, steps=2))
    before = state(start, tmp_path)
    real = Training.save

    def save(self: Training) -> None:
        with torch.no_grad():
            next(self._module.parameters()).fill_(math.inf)
        real(self)

    monkeypatch.setattr(Training, "save", save)
    with pytest.raises(EngineError, match="weights at step 4 are not numbers"):
        list(start(tmp_path, steps=4, resume=True))
    assert same(state(start, tmp_path), before)


def test_a_damaged_checkpoint_is_named_and_kept(start: Start, tmp_path: Path) -> None:
    list(start(tmp_path, steps=2))
    file = tmp_path / start.file  # type: ignore[attr-defined]
    other = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, other)
    for content in (file.read_bytes()[:-1000], b"", other.getvalue()):
        file.write_bytes(content)
        with pytest.raises(BadCheckpoint, match="damaged") as caught:
            list(start(tmp_path, resume=True))
        assert str(file) in caught.value.message
        assert file.read_bytes() == content


def test_a_full_disk_keeps_the_checkpoint_before(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(start(tmp_path, steps=2))
    before = state(start, tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnusableFolder, match=r"No space left.*Free some space"):
        list(start(tmp_path, steps=3, resume=True))
    monkeypatch.undo()
    assert same(state(start, tmp_path), before)
    assert not list(tmp_path.glob(".*"))


def test_a_checkpoint_is_saved_now_and_then(
    data: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.checkpoint._SECONDS", 0.0)
    steps = train_network(TINY, data, tmp_path, report_every=1)
    for wanted in (1, 2):
        next(steps)
        assert read_checkpoint(tmp_path / "checkpoint.pt")["step"] == wanted
    saved: list[int] = []
    monkeypatch.setattr("engine.training.checkpoint._SECONDS", 1e9)
    monkeypatch.setattr(Training, "save", lambda self: saved.append(self.step))
    list(steps)
    assert saved == [8]


# --- the network -------------------------------------------------------------------------------


def test_a_network_learns(tmp_path: Path) -> None:
    """Two flat grey pictures: the loss falls far below that of a network that says nothing."""
    images = torch.tensor([40, 200], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 1, 8, 8).contiguous()
    recipe = replace(TINY, batch=32, learning_rate=4e-3, warmup=10)
    pictures = PlainExamples(images, torch.tensor([0, 1]))
    reports = list(train_network(recipe, pictures, tmp_path, steps=150, report_every=25))
    assert reports[-1].loss < 0.35 * reports[0].loss
    assert [report.step for report in reports] == [25, 50, 75, 100, 125, 150]
    assert reports[-1].seconds_left == 0.0


def test_the_learning_rate_rises_stays_and_falls() -> None:
    recipe = replace(FASHION32, learning_rate=1.0, warmup=10, decay=0.4)
    rates = [learning_rate(recipe, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:60] == [1.0] * 51
    assert rates[80] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(1 / 40)


def test_the_learning_rate_restarts() -> None:
    recipe = replace(FASHION32, learning_rate=1.0, warmup=10, decay=0.4, restarts=(100,))
    once = [learning_rate(replace(recipe, restarts=()), step, 100) for step in range(100)]
    rates = [learning_rate(recipe, step, 300) for step in range(300)]
    assert rates[:100] == once
    assert rates[100] == pytest.approx(0.1)
    assert rates[109:220] == [1.0] * 111
    assert rates[299] == pytest.approx(1 / 80)
    assert [learning_rate(recipe, step, 80) for step in range(80)][-1] == pytest.approx(1 / 32)


def test_numbers_spread_out_lie_one_in_each_part() -> None:
    u = spread_out(64, torch.Generator().manual_seed(0))
    assert (u * 64).floor().tolist() == list(range(64))
    within = torch.cat([spread_out(64, torch.Generator().manual_seed(s)) * 64 % 1 for s in range(50)])
    assert within.mean().item() == pytest.approx(0.5, abs=0.02)
    assert within.std().item() == pytest.approx(12**-0.5, abs=0.02)


def test_noise_levels_are_logistic_and_within_the_schedule() -> None:
    u = torch.linspace(0.0, 1.0, 20_001, dtype=torch.float64)
    drawn = draw_log_gamma(u, FASHION32.noise_centre, FASHION32.noise_scale, VPSchedule())
    ends = VPSchedule().gamma(torch.tensor([1e-3, 1.0], dtype=torch.float64)).log()
    torch.testing.assert_close(drawn[[0, -1]], ends, rtol=1e-6, atol=1e-6)
    # A distribution is logistic if the logistic function of its quantiles is a straight line.
    line = torch.sigmoid((drawn - FASHION32.noise_centre) / FASHION32.noise_scale)
    torch.testing.assert_close(line, line[0] + u * (line[-1] - line[0]))


def test_every_step_has_random_numbers_of_its_own() -> None:
    drawn = {
        torch.rand(1, generator=step_generator(seed, step)).item() for seed in range(3) for step in range(9)
    }
    assert len(drawn) == 27
    assert torch.equal(
        torch.rand(4, generator=step_generator(1, 2)), torch.rand(4, generator=step_generator(1, 2))
    )


@pytest.mark.parametrize(("hardware", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_bf16_is_for_processors_that_have_it(
    monkeypatch: pytest.MonkeyPatch, hardware: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr("engine.devices.cpu_has_fast_bf16", lambda: hardware)
    with low_precision(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


# --- the head ----------------------------------------------------------------------------------


def test_targets_are_the_exact_derivative_of_what_the_head_will_see(data: Examples, tmp_path: Path) -> None:
    list(train_network(TINY, data, tmp_path, steps=2))
    network = network_of(tmp_path).eval().requires_grad_(False)
    recipe = replace(TINY, label_dropout=1.0)  # every label is the null label, so it is known here
    made = make_targets(recipe, network, data, 6, torch.Generator().manual_seed(3))
    assert {name: value.dtype for name, value in made.items()} == {
        "x_t": torch.float32, "eps": torch.float32, "target": torch.float32, "gamma": torch.float32,
        "features": torch.bfloat16, "embedding": torch.bfloat16,
    }  # fmt: skip
    denoiser = NetworkDenoiser(network, "v", torch.full((6,), 3), dtype=torch.float32)
    level = expand(made["gamma"], made["x_t"])
    with torch.no_grad():
        torch.testing.assert_close(denoiser.eps(made["x_t"], level), made["eps"])
    torch.testing.assert_close(exact_derivative(denoiser, made["x_t"], made["eps"], level), made["target"])


def test_a_recipe_says_at_which_levels_a_head_is_taught(data: Examples) -> None:
    network = make_network(TINY).eval().requires_grad_(False)

    def centre_of(recipe: Recipe) -> float:
        gamma = make_targets(recipe, network, data, 64, torch.Generator().manual_seed(3))["gamma"]
        return float(gamma.log().median())

    assert centre_of(replace(TINY, head_noise=(2.0, 0.2))) == pytest.approx(2.0, abs=0.2)
    assert centre_of(replace(TINY, head_noise=(-2.0, 0.2))) == pytest.approx(-2.0, abs=0.2)
    own = replace(TINY, head_noise=None, noise_centre=1.0, noise_scale=0.2)  # those of the network
    assert centre_of(own) == pytest.approx(1.0, abs=0.2)


def test_a_head_learns_the_derivative(data: Examples, tmp_path: Path) -> None:
    recipe = replace(TINY, head_targets=64, head_steps=250, head_batch=16, head_learning_rate=1e-2, warmup=10)
    list(train_network(TINY, data, tmp_path, steps=20))
    reports = list(distil_head(recipe, network_of(tmp_path), data, tmp_path, report_every=50))
    targets = [report for report in reports if math.isnan(report.loss)]
    assert [report.step for report in targets] == list(range(1, 17))
    assert reports[-1].step == reports[-1].steps == 16 + 250
    assert reports[-1].loss < 0.6 < reports[16].loss
    # And what was written says the same: the head against the exact Jacobian-vector product.
    write_model(TINY, tmp_path, tmp_path / "model")
    card = read_card(tmp_path / "model" / "card.toml")
    head, network = load_head(tmp_path / "model", card), load_network(tmp_path / "model", card)
    assert isinstance(head, CompactHead)
    made = make_targets(TINY, network, data, 64, torch.Generator().manual_seed(99))
    gamma = expand(made["gamma"], made["x_t"])
    with torch.no_grad():
        said = head(made["x_t"], made["eps"], made["features"].float(), made["embedding"].float(), gamma)
    error = (gamma * (said - made["target"])).square().mean()
    assert (error / (gamma * made["target"]).square().mean()).sqrt() < 0.75


def test_targets_are_kept_for_the_same_network_only(data: Examples, tmp_path: Path) -> None:
    list(train_network(TINY, data, tmp_path, steps=2))
    network = network_of(tmp_path)

    def made(network: nn.Module) -> int:
        reports = list(distil_head(TINY, network, data, tmp_path / "head", resume=True))
        (tmp_path / "head" / "head.pt").unlink()
        return sum(math.isnan(report.loss) for report in reports)

    assert [made(network), made(network)] == [4, 0]
    (tmp_path / "head" / "targets-001.safetensors").write_bytes(b"damaged")
    assert made(network) == 2
    with torch.no_grad():
        next(network.parameters()).add_(0.1)
    assert made(network) == 4


# --- the model ---------------------------------------------------------------------------------


def test_a_model_is_written_of_finished_trainings_only(data: Examples, tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"checkpoint\.pt"):
        write_model(TINY, tmp_path, tmp_path / "model")
    steps = train_network(TINY, data, tmp_path, report_every=3)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    with pytest.raises(BadCheckpoint, match=r"step 3 of 8.*`genie train tiny --out .* --seed 0 --resume`"):
        write_model(TINY, tmp_path, tmp_path / "model")
    list(train_network(TINY, data, tmp_path, resume=True))
    card = write_model(TINY, tmp_path, tmp_path / "model", CPU)
    assert card.head is None
    assert card.training["command"] == "genie train tiny --seed 0"
    assert card.training["steps"] == 8
    assert " of " in card.training["hardware"]
    with pytest.raises(BadCheckpoint, match="not those of this recipe"):
        write_model(replace(TINY, network=replace(TINY.network, embedding=32)), tmp_path, tmp_path / "model")


def test_the_command_on_the_card_makes_the_same_again(data: Examples, tmp_path: Path) -> None:
    list(train_network(TINY, data, tmp_path, seed=5, steps=3))
    list(distil_head(TINY, network_of(tmp_path), data, tmp_path, seed=7, steps=2))
    card = write_model(TINY, tmp_path, tmp_path / "model")
    assert card.training["command"] == (
        "genie train tiny --seed 5 --steps 3 && genie distil tiny --seed 7 --steps 2"
    )


# --- Fashion-MNIST as files --------------------------------------------------------------------


def write_idx(folder: Path, name: str, array: np.ndarray, pack: bool = False) -> Path:
    head = b"\x00\x00\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    raw = head + array.astype(np.uint8).tobytes()
    path = folder / (f"{name}.gz" if pack else name)
    path.write_bytes(gzip.compress(raw) if pack else raw)
    return path


@pytest.fixture
def idx(tmp_path: Path) -> Path:
    images = np.arange(3 * 28 * 28).reshape(3, 28, 28) % 251
    write_idx(tmp_path, "train-images-idx3-ubyte", images, pack=True)
    write_idx(tmp_path, "train-labels-idx1-ubyte", np.array([0, 9, 4]))
    return tmp_path


def test_images_are_padded_with_black(idx: Path) -> None:
    images, labels = fashion.load_fashion("train", idx)
    assert (images.shape, images.dtype) == ((3, 1, 32, 32), torch.uint8)
    assert labels.tolist() == [0, 9, 4]
    assert images[1, 0, 2, 2:5].tolist() == [784 % 251, 785 % 251, 786 % 251]
    border = images.clone()
    border[:, :, 2:30, 2:30] = 0
    assert border.sum() == 0


def damage(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("train-labels-idx1-ubyte", lambda raw: raw[:-1], "cut off"),
        ("train-labels-idx1-ubyte", lambda raw: raw[:6], "not an idx file"),
        ("train-labels-idx1-ubyte", lambda raw: b"", "not an idx file"),
        ("train-labels-idx1-ubyte", lambda raw: b"\x00\x00\x0d" + raw[3:], "not an idx file"),
        ("train-labels-idx1-ubyte", lambda raw: raw[:-1] + b"\x0a", "label 10"),
        ("train-labels-idx1-ubyte", lambda raw: raw[:7] + b"\x02" + raw[8:-1], r"labels of \(2,\)"),
        ("train-images-idx3-ubyte.gz", lambda raw: raw[: len(raw) // 2], "Couldn't read"),
        ("train-images-idx3-ubyte.gz", lambda raw: raw[:20] + b"\xff" * 40 + raw[60:], "Couldn't read"),
        ("train-images-idx3-ubyte.gz", lambda raw: b"no gzip", "Couldn't read"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(idx: Path, file: str, change: Callable[[bytes], bytes], words: str) -> None:
    damage(idx / file, change)
    with pytest.raises(MissingData, match=words) as caught:
        fashion.load_fashion("train", idx)
    assert caught.value.field == "data"


def test_missing_files_are_named_with_advice(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match="apt install dataset-fashion-mnist"):
        fashion.load_fashion("test", tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(
        b"\x00\x00\x08\x03" + np.array((0, 28, 28), ">u4").tobytes()
    )
    write_idx(tmp_path, "train-labels-idx1-ubyte", np.zeros(0))
    with pytest.raises(MissingData, match="were expected"):
        fashion.load_fashion("train", tmp_path)
