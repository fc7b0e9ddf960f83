"""Guidance: the rule, for eps and derivative, in both forms."""

from __future__ import annotations

from functools import cache, partial

import pytest
import torch
from torch import Tensor

from engine.denoiser import NetworkDenoiser
from engine.guidance import GuidedByNullLabel, GuidedPair
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig
from tests.engine.tiny_model import tiny_card, tiny_states

CARD = tiny_card()
GAMMAS = (20.0, 0.7, 0.02)
states = cache(partial(tiny_states, CARD))  # the same weights for the same seed throughout


def denoiser(labels: list[int], seed: int = 0, *, head: bool = True) -> NetworkDenoiser:
    assert CARD.head is not None
    network = CompactUNet(CompactConfig(**CARD.network.config)).eval()
    its_head = CompactHead(CompactHeadConfig(**CARD.head.config)).eval()
    weights, head_weights = states(seed)
    assert head_weights is not None
    network.load_state_dict(weights)
    its_head.load_state_dict(head_weights)
    return NetworkDenoiser(
        network, "eps", torch.tensor(labels), dtype=torch.float32, head=its_head if head else None
    )


def x_t(count: int) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(9), dtype=torch.float64)


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("gamma", GAMMAS)
def test_without_weight_guidance_is_the_conditional(gamma: float) -> None:
    eps, k = denoiser([0, 2]).eps_with_derivative(x_t(2), gamma)
    for guided in (
        GuidedPair(denoiser([0, 2]), denoiser([3, 3], seed=1), 0.0),
        GuidedByNullLabel(denoiser([0, 2, 3, 3]), 0.0),
    ):
        guided_eps, guided_k = guided.eps_with_derivative(x_t(2), gamma)
        torch.testing.assert_close(guided_eps, eps, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(guided_k, k, rtol=1e-4, atol=1e-5 * k.abs().max().item())
        torch.testing.assert_close(guided.eps(x_t(2), gamma), eps, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("w", [-0.5, 1.0, 4.0])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_the_rule_holds_for_eps_and_derivative(gamma: float, w: float) -> None:
    conditional, unconditional = denoiser([1, 2]), denoiser([3, 3], seed=1)
    eps_c, k_c = conditional.eps_with_derivative(x_t(2), gamma)
    eps_u, k_u = unconditional.eps_with_derivative(x_t(2), gamma)
    assert (eps_c - eps_u).abs().mean() > 1e-2
    eps, k = GuidedPair(conditional, unconditional, w).eps_with_derivative(x_t(2), gamma)
    torch.testing.assert_close(eps, (1 + w) * eps_c - w * eps_u)
    torch.testing.assert_close(k, (1 + w) * k_c - w * k_u)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_a_pair_of_one_network_is_that_network_with_its_null_label(gamma: float) -> None:
    pair = GuidedPair(denoiser([0, 1]), denoiser([3, 3]), 2.0)
    null = GuidedByNullLabel(denoiser([0, 1, 3, 3]), 2.0)
    eps, k = pair.eps_with_derivative(x_t(2), gamma)
    null_eps, null_k = null.eps_with_derivative(x_t(2), gamma)
    assert eps.shape == null_eps.shape == (2, 1, 8, 8)
    torch.testing.assert_close(eps, null_eps, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(k, null_k, rtol=1e-4, atol=1e-4 * k.abs().max().item())
    assert pair.evaluations == null.evaluations == 2


def test_a_pair_has_a_head_only_if_both_have_one() -> None:
    assert GuidedPair(denoiser([0]), denoiser([3]), 1.0).has_head
    assert not GuidedPair(denoiser([0]), denoiser([3], head=False), 1.0).has_head
    assert not GuidedByNullLabel(denoiser([0, 3], head=False), 1.0).has_head
    with pytest.raises(ValueError, match="no GENIE head"):
        denoiser([0], head=False).eps_with_derivative(x_t(1), 1.0)
