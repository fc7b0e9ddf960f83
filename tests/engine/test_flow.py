"""The exact derivative against formulas differentiated by hand, finite differences and heads."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.denoiser import NetworkDenoiser, eps_from_output
from engine.flow import AnalyticFirstStep, ProbabilityFlow, exact_derivative
from engine.guidance import GuidedByNullLabel, GuidedPair
from engine.networks.compact import CompactConfig, CompactUNet
from tests.engine.mixtures import example_mixture, noise
from tests.engine.tiny_model import tiny_card, tiny_states

GAMMAS = (40.0, 1.0, 0.05)


def tiny_denoiser(labels: Tensor) -> NetworkDenoiser:
    """A random network in float64 (its noise embedding stays float32)."""
    card = tiny_card()
    network = CompactUNet(CompactConfig(**card.network.config)).eval()
    network.load_state_dict(tiny_states(card)[0])
    return NetworkDenoiser(network.double(), "eps", labels, dtype=torch.float64)


def along_the_flow(denoiser, x_t: Tensor, gamma: float, h: float) -> Tensor:
    """(eps(gamma + h) - eps(gamma - h)) / 2h where xbar moves by +-h eps."""
    xbar, eps = x_t * (1 + gamma * gamma) ** 0.5, denoiser.eps(x_t, gamma)
    ahead, behind = (
        denoiser.eps((xbar + s * h * eps) * (1 + (gamma + s * h) ** 2) ** -0.5, gamma + s * h)
        for s in (1, -1)
    )
    return (ahead - behind) / (2 * h)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_exact_derivative_is_the_formula_differentiated_by_hand(gamma: float) -> None:
    mixture, x_t = example_mixture(), noise(5)
    eps, by_hand = mixture.eps_with_derivative(x_t, gamma)
    torch.testing.assert_close(exact_derivative(mixture, x_t, eps, gamma), by_hand, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        by_hand, along_the_flow(mixture, x_t, gamma, 1e-4 * gamma), rtol=1e-5, atol=1e-9
    )


@pytest.mark.parametrize("form", ["pair", "null label"])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_exact_derivative_goes_through_guidance(form: str, gamma: float) -> None:
    x_t, w = noise(5), 1.7
    rows = torch.tensor([[0.5, 0.3, 0.2]] * 5 + [[0.1, 0.1, 0.8]] * 5).double()
    conditional, unconditional = (
        example_mixture(weights=rows[0].tolist()),
        example_mixture(weights=rows[5].tolist()),
    )
    if form == "pair":
        guided = GuidedPair(conditional, unconditional, w)
    else:
        both = example_mixture()
        both.weights = rows
        guided = GuidedByNullLabel(both, w)
    eps = guided.eps(x_t, gamma)
    # Along the guided path both branches move with the guided eps, not with their own.
    by_hand = (1 + w) * conditional.derivative_along(x_t, gamma, eps) - w * unconditional.derivative_along(
        x_t, gamma, eps
    )
    torch.testing.assert_close(exact_derivative(guided, x_t, eps, gamma), by_hand, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("gamma", [3.0, 0.3])
def test_the_exact_derivative_of_a_network_is_its_finite_difference(gamma: float) -> None:
    denoiser = tiny_denoiser(torch.tensor([0, 3]))
    x_t = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        exact = exact_derivative(denoiser, x_t, denoiser.eps(x_t, gamma), gamma)
        # The embedding of log gamma is float32: a step small enough to drown would not do.
        difference = along_the_flow(denoiser, x_t, gamma, 3e-3 * gamma)
    assert exact.abs().mean() > 1e-2
    assert (exact - difference).norm() < 2e-3 * exact.norm()


def test_the_exact_derivative_works_in_inference_mode_and_leaves_it_on() -> None:
    denoiser = tiny_denoiser(torch.tensor([1]))
    x_t = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    xbar = x_t * 2.0

    def derivative() -> Tensor:
        flow = ProbabilityFlow(denoiser)
        return flow.with_exact_derivative(flow.field(xbar, 1.0), xbar, 1.0).derivative

    outside = derivative()
    with torch.inference_mode():
        inside = derivative()
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()
    torch.testing.assert_close(inside, outside)


def test_a_flow_counts_what_it_spends() -> None:
    mixture, x = example_mixture(), noise(2)
    flow = ProbabilityFlow(mixture)
    flow.field(x, 1.0)
    assert flow.evaluations == 1
    exact = ProbabilityFlow(GuidedPair(mixture, mixture, 1.0))
    exact.with_exact_derivative(exact.field(x, 1.0), x, 1.0)
    assert exact.evaluations == 4
    head = ProbabilityFlow(GuidedByNullLabel(example_mixture(), 1.0))
    head.field_with_derivative(x, 1.0)
    assert head.evaluations == 2
    with pytest.raises(ValueError, match="no GENIE head"):
        ProbabilityFlow(tiny_denoiser(torch.tensor([1]))).field_with_derivative(noise(1)[:, :1], 1.0)


def test_a_flow_predicts_the_image_it_is_headed_for() -> None:
    mixture, xbar = example_mixture(), noise(3) * 2
    here = ProbabilityFlow(mixture).field(xbar, 1.5)
    torch.testing.assert_close(here.eps, mixture.eps(xbar / (1 + 1.5**2) ** 0.5, 1.5))
    torch.testing.assert_close(here.x0 + 1.5 * here.eps, xbar)


def test_the_analytic_first_step_replaces_only_the_first_gamma() -> None:
    inner = ProbabilityFlow(example_mixture())
    flow = AnalyticFirstStep(inner, 100.0)
    x_t = noise(3)
    xbar = x_t * (1 + 100.0**2) ** 0.5
    for here in (flow.field(xbar, 100.0), flow.field_with_derivative(xbar, 100.0)):
        torch.testing.assert_close(here.eps, x_t)
        torch.testing.assert_close(here.x0, xbar - 100.0 * x_t)
    assert flow.field_with_derivative(xbar, 100.0).derivative.abs().max() == 0.0
    assert inner.evaluations == 0
    torch.testing.assert_close(flow.field(xbar, 90.0).eps, inner.field(xbar, 90.0).eps)
    assert inner.evaluations == 2


@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_three_predictions_say_the_same_eps(gamma: float) -> None:
    alpha = (1 + gamma * gamma) ** -0.5
    sigma = gamma * alpha
    x0, eps = noise(3, seed=5), noise(3, seed=6)
    x_t = alpha * x0 + sigma * eps
    for prediction, output in (("eps", eps), ("v", alpha * eps - sigma * x0), ("x0", x0)):
        torch.testing.assert_close(eps_from_output(prediction, output, x_t, gamma), eps)
