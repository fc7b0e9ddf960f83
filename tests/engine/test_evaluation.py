"""Feature distance in closed form, the bundled classifier, the error of a head, quality settings."""

from __future__ import annotations

import math
import tomllib
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.denoiser import Level
from engine.errors import BadCheckpoint, BadRequest
from engine.evaluation import head_error
from engine.evaluation.classifier import (
    Classifier,
    _shifted,
    accuracy,
    load_classifier,
    new_classifier,
    save_classifier,
    train_classifier,
)
from engine.evaluation.features import Gaussian, feature_distance, fit, judge, tensor_from_pictures
from engine.evaluation.quality import Sampler, Setting, bytes_from_images, fingerprint, score
from engine.messages import Pictures
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig
from engine.schedule import VPSchedule
from engine.solvers import solvers
from engine.training.fashion import DEBIAN_FOLDER, load_fashion

DATA = Path(__file__).resolve().parents[1] / "data"
WEIGHTS = DATA / "fashion_classifier.safetensors"


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _gaussian(mean: list[float], covariance: list[list[float]]) -> Gaussian:
    return Gaussian(
        torch.tensor(mean, dtype=torch.float64), torch.tensor(covariance, dtype=torch.float64), 100
    )


# --- feature distance -------------------------------------------------------------------------


def test_distance_of_a_set_to_itself_is_zero() -> None:
    # 128 features that span only 40 dimensions: the covariance has no inverse.
    features = torch.randn(500, 40, generator=_random(0)) @ torch.randn(40, 128, generator=_random(1))
    found = fit(features)
    scale = float(found.covariance.trace())
    assert feature_distance(found, found) <= 1e-10 * scale


def test_distance_of_shifted_sets_is_the_squared_shift() -> None:
    features = torch.randn(300, 5, generator=_random(2), dtype=torch.float64)
    shift = torch.tensor([1.0, -2.0, 0.0, 0.5, 3.0], dtype=torch.float64)
    expected = 1.0 + 4.0 + 0.25 + 9.0
    assert feature_distance(fit(features), fit(features + shift)) == pytest.approx(expected, rel=1e-10)


def test_distance_of_commuting_covariances() -> None:
    a = _gaussian([0.0, 0.0, 0.0], [[4.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 0.0]])
    b = _gaussian([0.0, 0.0, 2.0], [[1.0, 0.0, 0.0], [0.0, 25.0, 0.0], [0.0, 0.0, 16.0]])
    # 2^2 for the means, then the squared differences of the standard deviations.
    assert feature_distance(a, b) == pytest.approx(4.0 + 1.0 + 4.0 + 16.0, rel=1e-12)


def test_distance_of_covariances_that_do_not_commute() -> None:
    a, b = _gaussian([0, 0], [[2.0, 1.0], [1.0, 3.0]]), _gaussian([0, 0], [[1.0, -0.5], [-0.5, 4.0]])
    # For 2x2, tr (S1 S2)^(1/2) = sqrt(tr S1 S2 + 2 sqrt(det S1 det S2)).
    trace = float((a.covariance @ b.covariance).trace())
    determinants = float(a.covariance.det() * b.covariance.det())
    expected = 5.0 + 5.0 - 2.0 * math.sqrt(trace + 2.0 * math.sqrt(determinants))
    assert expected > 0.1
    assert feature_distance(a, b) == pytest.approx(expected, rel=1e-12)
    assert feature_distance(b, a) == pytest.approx(expected, rel=1e-12)


def test_fit_is_unbiased_and_keeps_its_digits_far_from_zero() -> None:
    features = torch.randn(50, 3, generator=_random(3), dtype=torch.float64) + 1e6
    found = fit(features)
    np.testing.assert_allclose(found.covariance.numpy(), np.cov(features.numpy().T), rtol=1e-7)
    assert found.count == 50
    with pytest.raises(ValueError, match="two or more"):
        fit(features[:1])


def test_distance_falls_with_the_number_of_images() -> None:
    real = fit(torch.randn(20_000, 16, generator=_random(4)))
    distances = [
        feature_distance(fit(torch.randn(n, 16, generator=_random(5))), real) for n in (50, 500, 5000)
    ]
    assert distances[0] > 5 * distances[1] > 25 * distances[2] / 5 > 0


# --- classifier -------------------------------------------------------------------------------


def test_the_bundled_classifier_is_as_good_as_its_card_says() -> None:
    card = tomllib.loads(WEIGHTS.with_suffix(".toml").read_text(encoding="utf-8"))
    assert WEIGHTS.stat().st_size < 1_500_000
    assert {value.dtype for value in load_file(WEIGHTS).values()} == {torch.float16}
    assert card["parameters"] == sum(p.numel() for p in Classifier().parameters())
    assert card["test_accuracy"] >= 0.925
    if not DEBIAN_FOLDER.exists():
        pytest.skip("Fashion-MNIST is not installed: the accuracy can't be measured")
    images, labels = load_fashion("test")
    measured = accuracy(load_classifier(WEIGHTS), images[:3000], labels[:3000])
    # 3,000 of the 10,000: four standard errors of the difference.
    assert measured == pytest.approx(card["test_accuracy"], abs=0.016)


def test_judge_reads_pictures_as_it_reads_tensors() -> None:
    classifier = load_classifier(WEIGHTS)
    images = torch.randint(0, 256, (3, 1, 32, 32), generator=_random(6), dtype=torch.uint8)
    pictures = Pictures(3, 32, 32, 1, images.movedim(1, -1).numpy().tobytes())
    assert torch.equal(tensor_from_pictures(pictures), images)
    features, seen = judge(classifier, images)
    assert features.shape == (3, 128)
    assert torch.equal(seen, classifier(images.float() / 127.5 - 1.0).argmax(dim=1))
    torch.testing.assert_close(judge(classifier, pictures)[0], features)


def test_training_is_decided_by_the_seed_and_learns() -> None:
    labels = torch.arange(64) % 2
    images = (labels * 200).to(torch.uint8)[:, None, None, None].expand(64, 1, 32, 32).contiguous()
    torch.manual_seed(99)
    before = torch.get_rng_state()

    def train(seed: int) -> tuple[Classifier, list[float]]:
        classifier = new_classifier(seed)
        reports = list(
            train_classifier(classifier, images, labels, seed=seed, epochs=3, batch=16, report_every=2)
        )
        assert [r.step for r in reports] == [2, 4, 6, 8, 10, 12]
        return classifier, [r.loss for r in reports]

    (first, losses), (second, _), (other, _) = train(1), train(1), train(2)
    assert torch.equal(torch.get_rng_state(), before), "training drew from the global generator"
    assert losses[-1] < 0.5 * losses[0]
    assert fingerprint(first.state_dict()) == fingerprint(second.state_dict())
    assert fingerprint(first.state_dict()) != fingerprint(other.state_dict())


def test_shift_moves_each_image_by_its_own_pixels() -> None:
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    images[:, 0, 3, 4] = 7
    moved = _shifted(images, torch.tensor([[1, -2], [0, 2]]))
    assert moved.shape == images.shape
    assert moved.nonzero().tolist() == [[0, 0, 4, 2], [1, 0, 3, 6]]


def test_a_saved_classifier_comes_back(tmp_path: Path) -> None:
    classifier = new_classifier(3).eval()
    path = tmp_path / "new" / "classifier.safetensors"
    save_classifier(classifier, path)
    images = torch.rand(4, 1, 32, 32, generator=_random(7)) * 2 - 1
    # Half precision in the file: three digits of each weight.
    torch.testing.assert_close(load_classifier(path)(images), classifier(images), atol=2e-3, rtol=1e-2)


def test_a_damaged_or_foreign_classifier_is_named(tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(WEIGHTS.read_bytes()[:1000])
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign)
    for path in (cut, foreign, tmp_path / "missing.safetensors"):
        with pytest.raises(BadCheckpoint, match=path.name):
            load_classifier(path)


# --- head error -------------------------------------------------------------------------------


class GaussianDenoiser:
    """The flow of images ~ N(0, s^2): eps = xbar gamma / (s^2 + gamma^2), known in closed form.

    Along the flow xbar is proportional to sqrt(s^2 + gamma^2), so that
    d eps/d gamma = xbar s^2 / (s^2 + gamma^2)^2. Its head is wrong by the factor given.
    """

    evaluations = 1
    has_head = True

    def __init__(self, s: float, factor: float) -> None:
        self.s2 = s * s
        self.factor = factor

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor:
        return x_t * (1.0 + gamma * gamma) ** 0.5 * gamma / (self.s2 + gamma * gamma)

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        xbar = x_t * (1.0 + gamma * gamma) ** 0.5
        exact = xbar * self.s2 / (self.s2 + gamma * gamma) ** 2
        return self.eps(x_t, gamma), self.factor * exact


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.0), (0.0, 1.0), (0.7, 0.3), (1.25, 0.25)])
def test_head_error_is_the_factor_the_head_is_wrong_by(factor: float, expected: float) -> None:
    denoiser = GaussianDenoiser(0.5, factor)
    gammas = head_error.log_levels(VPSchedule(), 7)
    images = 0.5 * torch.randn(4, 1, 8, 8, generator=_random(8))
    noise = torch.randn(4, 1, 8, 8, generator=_random(9))
    for errors in (
        list(head_error.on_noised_images(denoiser, images, gammas)),
        list(head_error.along_trajectory(denoiser, noise, gammas)),
    ):
        assert [e.gamma for e in errors] == gammas
        # fp32 loses digits where the derivative is tiny beside eps; look where it matters.
        telling = [e.relative for e in errors if 0.02 < e.gamma < 10]
        assert len(telling) >= 3
        assert telling == pytest.approx([expected] * len(telling), abs=2e-4)
        assert head_error.overall(errors) == pytest.approx(expected, abs=2e-4)


def test_the_trajectory_is_the_flow() -> None:
    """The derivative's size on the way down is that of the closed-form path, to DDIM's error."""
    s, schedule = 0.5, VPSchedule()
    gammas = head_error.log_levels(schedule, 9)
    noise = torch.randn(2, 1, 8, 8, generator=_random(10))
    errors = list(head_error.along_trajectory(GaussianDenoiser(s, 1.0), noise, gammas, between=64))
    # |xbar| = |noise| sqrt(1 + gamma_0^2) sqrt((s^2 + gamma^2) / (s^2 + gamma_0^2))
    rms = float(noise.double().square().mean().sqrt())
    start = rms * math.sqrt((1 + gammas[0] ** 2) / (s * s + gammas[0] ** 2))
    expected = [g * start * s * s * (s * s + g * g) ** -1.5 for g in gammas]
    measured = [e.target for e in errors]
    middle = [i for i, g in enumerate(gammas) if g < 10]
    assert [measured[i] for i in middle] == pytest.approx([expected[i] for i in middle], rel=0.02)


def test_levels_are_equally_spaced_in_the_logarithm() -> None:
    gammas = head_error.log_levels(VPSchedule())
    assert len(gammas) == 24
    assert gammas[0] == pytest.approx(152.17, rel=1e-4)
    assert gammas[-1] == pytest.approx(0.01049, rel=1e-3)
    ratios = [b / a for a, b in pairwise(gammas)]
    assert ratios == pytest.approx([ratios[0]] * 23)


# --- quality ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(solvers()))
def test_steps_use_the_evaluations_up(name: str) -> None:
    for nfe, first, last in product(range(1, 26), (False, True), (False, True)):
        setting = Setting(name, nfe, 10, analytic_first=first, denoise=last)

        def cost(steps: int) -> int:
            return solvers()[name].info.evaluations(steps, analytic_first=first, denoise=last)  # noqa: B023

        if cost(1) > nfe:
            with pytest.raises(BadRequest, match=str(nfe)):
                _ = setting.steps
        else:
            assert setting.evaluations == cost(setting.steps) <= nfe < cost(setting.steps + 1)


def test_bytes_are_rounded_and_clipped() -> None:
    values = torch.tensor([-7.0, -1.0, -0.999, 0.01, 1.0, 3.0])
    assert bytes_from_images(values).tolist() == [0, 0, 0, 129, 255, 255]


def test_fingerprint_changes_with_name_shape_and_value() -> None:
    weights = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    same = {"b": torch.ones(1), "a": torch.zeros(2, 3)}
    others = [
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"c": torch.zeros(2, 3), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.full((1,), 1.001)},
    ]
    assert fingerprint(weights) == fingerprint(same)
    assert len({fingerprint(weights), *map(fingerprint, others)}) == 4


def test_score_counts_agreement() -> None:
    features = torch.randn(100, 4, generator=_random(11))
    asked = torch.arange(100) % 10
    seen = asked.clone()
    seen[:25] = 11
    found = score(features, seen, asked, fit(features))
    assert (found.agreement, found.samples) == (0.75, 100)
    assert found.feature_distance == pytest.approx(0.0, abs=1e-10)


def _sampler() -> Sampler:
    torch.manual_seed(0)
    config = CompactConfig(image_size=8, classes=3, widths=(8,), middle=1, embedding=16)
    network = CompactUNet(config)
    head = CompactHead(CompactHeadConfig(features=8, embedding=16, width=8))
    for parameter in [*network.parameters(), *head.parameters()]:
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return Sampler(
        network, head, prediction="v", schedule=VPSchedule(), shape=(1, 8, 8), classes=3,
        device=torch.device("cpu"),
    )  # fmt: skip


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("name", list(solvers()))
def test_images_are_the_same_however_the_work_is_split(name: str, first: bool) -> None:
    sampler = _sampler()
    setting = Setting(name, 6, 7, precision="fp32", analytic_first=first, denoise=True, first_seed=40)
    whole = sampler.draw(setting, 0, 7)
    parts = torch.cat([sampler.draw(setting, 0, 3), sampler.draw(setting, 3, 4)])
    assert whole.shape == (7, 1, 8, 8)
    assert whole.dtype == torch.uint8
    assert (whole.int() - parts.int()).abs().max() <= 1
    assert (whole[0].int() - whole[3].int()).abs().max() > 1, "seeds made no difference"
    assert sampler.labels(2, 5).tolist() == [2, 0, 1, 2, 0]


def test_a_lower_precision_is_a_copy() -> None:
    sampler = _sampler()
    before = fingerprint(sampler.network.state_dict())
    low = sampler.draw(Setting("genie", 4, 6, precision="bf16"), 0, 6)
    full = sampler.draw(Setting("genie", 4, 6, precision="fp32"), 0, 6)
    assert fingerprint(sampler.network.state_dict()) == before
    assert next(sampler.network.parameters()).dtype == torch.float32
    assert 0 < (low.int() - full.int()).abs().float().mean() < 8
