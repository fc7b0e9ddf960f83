"""Sampling as its consumer sees it: counts, yields, grad mode, leaving early, encoding."""

from __future__ import annotations

import gc
import itertools
import math
import weakref
from functools import cache

import pytest
import torch
from torch import Tensor

from engine.denoiser import NetworkDenoiser
from engine.flow import ProbabilityFlow
from engine.guidance import GuidedByNullLabel, GuidedPair
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig
from engine.sampling import Step, sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import Field, solver, solvers
from tests.engine.mixtures import accurate_end, example_mixture, noise
from tests.engine.tiny_model import tiny_card, tiny_states

NAMES = list(solvers())
VP = VPSchedule()
OPTIONS = list(itertools.product([False, True], repeat=2))


@cache
def tiny() -> tuple[CompactUNet, CompactHead]:
    card = tiny_card()
    assert card.head is not None
    network = CompactUNet(CompactConfig(**card.network.config)).eval()
    head = CompactHead(CompactHeadConfig(**card.head.config)).eval()
    weights, head_weights = tiny_states(card)
    assert head_weights is not None
    network.load_state_dict(weights)
    head.load_state_dict(head_weights)
    return network, head


def denoiser(*labels: int, prediction: str = "eps") -> NetworkDenoiser:
    network, head = tiny()
    return NetworkDenoiser(network, prediction, torch.tensor(labels), dtype=torch.float32, head=head)


class Watched(ProbabilityFlow):
    """A flow that counts its calls."""

    calls = 0

    def field(self, xbar: Tensor, gamma: float) -> Field:
        self.calls += 1
        return super().field(xbar, gamma)

    def field_with_derivative(self, xbar: Tensor, gamma: float) -> Field:
        self.calls += 1
        return super().field_with_derivative(xbar, gamma)

    def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
        self.calls += 1
        return super().with_exact_derivative(here, xbar, gamma)


def flow_for(name: str, a_denoiser=None) -> Watched:
    return Watched(a_denoiser or denoiser(0, 2))


def start(count: int = 2) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def walk(name: str, flow: Watched | None = None, steps: int = 4, **options: bool):
    gammas = step_grid(VP, steps, "quadratic").tolist()
    return sample(solver(name), flow or flow_for(name), start(), gammas, schedule=VP, **options)


def whole_steps(steps: list[Step]) -> list[int]:
    return [step.index for step in steps if step.whole]


@pytest.mark.parametrize(("analytic_first", "denoise"), OPTIONS)
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", NAMES)
def test_every_option_costs_what_the_solver_says(
    name: str, count: int, analytic_first: bool, denoise: bool
) -> None:
    flow = flow_for(name)
    steps = list(walk(name, flow, count, analytic_first=analytic_first, denoise=denoise))
    info = solver(name).info
    planned = info.evaluations(count, analytic_first=analytic_first, denoise=denoise)
    assert steps[-1].evaluations == flow.evaluations == planned
    total = count + int(denoise)
    assert whole_steps(steps) == list(range(1, total + 1))
    assert {step.total for step in steps} == {total}
    for step in steps:
        assert step.x.dtype == step.x0.dtype == torch.float64
        assert step.x.shape == step.x0.shape == (2, 1, 8, 8)
        assert step.x.isfinite().all()


@pytest.mark.parametrize(("analytic_first", "denoise"), OPTIONS)
@pytest.mark.parametrize("name", NAMES)
def test_it_yields_after_every_look_at_the_picture(name: str, analytic_first: bool, denoise: bool) -> None:
    """So whoever wants to stop waits for one evaluation at most."""
    flow = flow_for(name)
    calls = 0
    for step in walk(name, flow, analytic_first=analytic_first, denoise=denoise):
        assert flow.calls - calls <= 1
        calls = flow.calls
        assert step.evaluations == flow.evaluations
    assert flow.calls == calls  # and none after the last


@pytest.mark.parametrize("name", NAMES)
def test_guidance_counts_both_looks(name: str) -> None:
    info = solver(name).info
    planned = info.evaluations(3, analytic_first=True, denoise=True)
    for guided in (
        GuidedPair(denoiser(0, 2), denoiser(3, 3), 1.5),
        GuidedByNullLabel(denoiser(0, 2, 3, 3), 1.5),
    ):
        *_, last = walk(name, flow_for(name, guided), 3, analytic_first=True, denoise=True)
        assert last.evaluations == 2 * planned
        assert last.x.isfinite().all()


@pytest.mark.parametrize("prediction", ["eps", "v", "x0"])
@pytest.mark.parametrize("name", NAMES)
def test_every_prediction_type_runs_through_every_solver(name: str, prediction: str) -> None:
    *_, last = walk(name, flow_for(name, denoiser(0, 2, prediction=prediction)))
    assert last.x.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_enough(name: str) -> None:
    *_, last = walk(name, steps=1)
    assert (last.index, last.total, last.whole) == (1, 1, True)
    assert last.gamma == pytest.approx(0.01049, rel=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_stands_where_it_says(name: str) -> None:
    """x is the solver's xbar, scaled to unit variance at the gamma of its index."""
    gammas = step_grid(VP, 4, "quadratic").tolist()
    steps = list(walk(name))
    states = list(solver(name).solve(flow_for(name), start() * math.sqrt(gammas[0] ** 2 + 1), gammas))
    assert len(steps) == len(states)
    for step, state in zip(steps, states, strict=True):
        assert (step.index, step.whole, step.gamma) == (state.index, state.whole, gammas[state.index])
        assert step.t == pytest.approx(VP.t(torch.tensor(step.gamma, dtype=torch.float64)).item())
        torch.testing.assert_close(step.x * math.sqrt(1 + step.gamma**2), state.xbar.detach())
    assert steps[-1].t == pytest.approx(1e-3)


def test_denoising_ends_at_the_image_predicted_at_the_last_gamma() -> None:
    *_, plain = walk("ddim")
    steps = list(walk("ddim", denoise=True))
    torch.testing.assert_close(steps[-2].x, plain.x)
    last = steps[-1]
    assert (last.t, last.gamma, last.whole) == (0.0, 0.0, True)
    xbar = plain.x * math.sqrt(1 + plain.gamma**2)
    with torch.no_grad():
        expected = ProbabilityFlow(denoiser(0, 2)).field(xbar.clone(), plain.gamma).x0
    torch.testing.assert_close(last.x, expected, rtol=1e-5, atol=1e-6)
    assert last.x is last.x0


def test_an_analytic_first_step_takes_the_noise_for_eps() -> None:
    first = next(iter(walk("ddim", analytic_first=True)))
    g, g_next = step_grid(VP, 4, "quadratic").tolist()[:2]
    xbar = start() * math.sqrt(1 + g * g) + (g_next - g) * start()
    torch.testing.assert_close(first.x, xbar / math.sqrt(1 + g_next**2))
    assert first.evaluations == 0


def test_the_same_flow_can_be_walked_twice() -> None:
    flow = flow_for("heun")
    first, second = [list(walk("heun", flow)) for _ in range(2)]
    assert [step.evaluations for step in first] == [step.evaluations for step in second]
    torch.testing.assert_close(first[-1].x, second[-1].x, rtol=0, atol=0)


def test_an_image_does_not_depend_on_its_batch() -> None:
    gammas = step_grid(VP, 5, "quadratic").tolist()
    *_, both = sample(solver("genie"), flow_for("genie"), start(), gammas, schedule=VP)
    for i, label in enumerate((0, 2)):
        alone = flow_for("genie", denoiser(label))
        *_, one = sample(solver("genie"), alone, start()[i : i + 1], gammas, schedule=VP)
        torch.testing.assert_close(one.x[0], both.x[i], rtol=1e-3, atol=1e-3)


def modes() -> tuple[bool, bool]:
    return torch.is_grad_enabled(), torch.is_inference_mode_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_grad_mode_does_not_leak_to_the_consumer(name: str) -> None:
    weight = torch.ones(1, requires_grad=True)
    for step in walk(name, denoise=True):
        assert modes() == (True, False)
        assert step.x.is_inference()  # made without a trace of autograd
        assert (weight * 2).requires_grad
    assert modes() == (True, False)
    with torch.no_grad():
        for _ in walk(name):
            assert modes() == (False, False)
        assert modes() == (False, False)


@pytest.mark.parametrize("name", NAMES)
def test_leaving_at_any_yield_leaves_nothing_behind(name: str) -> None:
    count = len(list(walk(name, denoise=True)))
    reference = list(walk(name, denoise=True))[-1].x
    for stop in range(count):
        flow = flow_for(name)
        walker = walk(name, flow, denoise=True)
        step = next(itertools.islice(walker, stop, None))
        assert step.evaluations == flow.evaluations
        walker.close()
        assert modes() == (True, False)
        assert next(walker, None) is None
        # Neither the generator nor its tensors are kept alive by anything.
        ghost = weakref.ref(step.x)
        del step, walker
        gc.collect()
        assert ghost() is None
        # And what comes next is clean: the same as if nobody had stopped.
        *_, after = walk(name, flow, denoise=True)
        torch.testing.assert_close(after.x, reference, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_in_the_network_leaves_clean(name: str) -> None:
    class Breaks(Watched):
        def field(self, xbar: Tensor, gamma: float) -> Field:
            if self.calls == 2:
                raise RuntimeError("out of memory")
            return super().field(xbar, gamma)

        def field_with_derivative(self, xbar: Tensor, gamma: float) -> Field:
            if self.calls == 2:
                raise RuntimeError("out of memory")
            return super().field_with_derivative(xbar, gamma)

        def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
            if self.calls == 2:
                raise RuntimeError("out of memory")
            return super().with_exact_derivative(here, xbar, gamma)

    flow = Breaks(denoiser(0, 2))
    with pytest.raises(RuntimeError, match="out of memory"):
        list(walk(name, flow))
    assert modes() == (True, False)


@pytest.mark.parametrize("name", NAMES)
def test_encoding_and_decoding_returns_the_image(name: str) -> None:
    mixture = example_mixture()
    gamma_0 = VP.gamma(torch.tensor(0.02, dtype=torch.float64)).item()
    images = accurate_end(mixture, noise(8) * math.sqrt(1 + 30.0**2), 30.0, gamma_0, 600)
    x_image = images / math.sqrt(1 + gamma_0**2)

    def returns_with(steps: int) -> float:
        gammas = step_grid(VP, steps, "quadratic", 0.02).tolist()
        entry = solver(name)
        up = list(sample(entry, ProbabilityFlow(mixture), x_image, gammas[::-1], schedule=VP))
        assert whole_steps(up) == list(range(1, steps + 1))
        assert up[-1].t == pytest.approx(1.0)
        assert 0.5 < up[-1].x.std() < 1.5  # the latent looks like noise
        down = sample(entry, ProbabilityFlow(mixture), up[-1].x, gammas, schedule=VP)
        *_, image = down
        return (image.x - x_image).pow(2).mean().sqrt().item()

    few, many = returns_with(25), returns_with(100)
    assert many < 0.35 * few
    assert many < (0.2 if solver(name).info.order == 1 else 0.02)


@pytest.mark.parametrize(
    ("gammas", "options", "words"),
    [
        ([1.0], {}, "two or more gammas"),
        ([1.0, 0.0], {}, "above 0"),
        ([0.1, 1.0], {"denoise": True}, "gammas that fall"),
        ([0.1, 1.0], {"analytic_first": True}, "gammas that fall"),
    ],
)
def test_what_makes_no_sense_is_refused(gammas: list[float], options: dict[str, bool], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        next(iter(sample(solver("ddim"), flow_for("ddim"), start(), gammas, schedule=VP, **options)))
