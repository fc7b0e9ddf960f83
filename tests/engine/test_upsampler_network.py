"""Our own upsampler: what it says before it has learnt anything, and that crops are images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from engine.denoiser import NetworkDenoiser
from engine.flow import exact_derivative
from engine.networks.compact_upsampler import (
    CompactUpsampler,
    CompactUpsamplerConfig,
    CompactUpsamplerHead,
    CompactUpsamplerHeadConfig,
)
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork
from engine.schedule import VPSchedule, expand

CONFIG = CompactUpsamplerConfig(
    image_size=32, channels=3, patch=2, widths=(8, 8, 8), embedding=16, low_resolution=8, detail=0.2
)


def network_of(config: CompactUpsamplerConfig = CONFIG, *, trained: bool = True) -> CompactUpsampler:
    torch.manual_seed(0)
    network = CompactUpsampler(config).eval().requires_grad_(False)
    if trained:  # what starts at zero says nothing about the rest
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network


def noisy(count: int = 4, size: int = 32, seed: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    x_t, condition = (torch.randn(count, 3, size, size, generator=random) for _ in range(2))
    log_gamma = torch.linspace(-4.0, 5.0, count)
    return x_t, log_gamma, condition, torch.linspace(0.05, 1.0, count)


def test_an_untrained_network_knows_the_normal_distribution_around_its_condition() -> None:
    """v of the closed form: the mean of x_0 given x_t and a condition without noise."""
    x_t, log_gamma, condition, _ = noisy()
    v = network_of(trained=False)(x_t, log_gamma, condition, torch.full((4,), 1e-3))[0]
    gamma = expand(log_gamma.exp(), x_t)
    alpha = (1 + gamma**2).rsqrt()
    sigma = gamma * alpha
    s2 = CONFIG.detail**2
    # Product of N(x_0; c, s^2) and N(x_t; alpha x_0, sigma^2).
    x0 = (condition / s2 + alpha * x_t / sigma**2) / (1 / s2 + alpha**2 / sigma**2)
    torch.testing.assert_close(v, (alpha * x_t - x0) / sigma, rtol=5e-3, atol=5e-3)


def test_a_condition_of_noise_alone_is_not_believed() -> None:
    """At level 1 the guess of x_0 from pure noise is grey, whatever the condition shows."""
    x_t, _, condition, _ = noisy()
    network = network_of(trained=False)
    log_gamma, level = torch.full((4,), 5.0), torch.ones(4)
    v = network(x_t, log_gamma, condition, level)[0]
    assert v.abs().max() < 0.08  # v = -x_0 where nothing of x_0 is left
    trusting = network(x_t, log_gamma, condition, torch.full((4,), 1e-3))[0]
    torch.testing.assert_close(trusting, -condition, rtol=0.0, atol=0.1)


def test_the_weight_undoes_the_scale_of_the_output() -> None:
    """A network that is wrong by one everywhere costs one everywhere."""
    x_t, log_gamma, condition, level = noisy()
    network = network_of(trained=False)
    before = network(x_t, log_gamma, condition, level)[0]
    network.conv_out.bias.fill_(1.0)  # type: ignore[union-attr]
    error = (network(x_t, log_gamma, condition, level)[0] - before).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(network.weight(log_gamma, level) * error, torch.ones(4), rtol=1e-4, atol=0.0)


def test_a_crop_is_an_image() -> None:
    """No statistics over positions: far from its edges a crop becomes what the whole image does."""
    network = network_of(replace(CONFIG, widths=(8, 8)))
    x_t, log_gamma, condition, level = noisy(size=128)
    whole = network(x_t, log_gamma, condition, level)[0]
    part = network(x_t[..., :96, :96], log_gamma, condition[..., :96, :96], level)[0]
    assert not torch.allclose(whole[..., 90:96, 90:96], part[..., 90:96, 90:96], atol=1e-6)
    torch.testing.assert_close(whole[..., :48, :48], part[..., :48, :48], rtol=0.0, atol=1e-5)


def test_the_level_and_the_condition_are_seen() -> None:
    network, (x_t, log_gamma, condition, level) = network_of(), noisy()
    out, features, embedding = network(x_t, log_gamma, condition, level)
    assert (out.shape, features.shape, embedding.shape) == (x_t.shape, (4, 8, 16, 16), (4, 16))
    assert not torch.allclose(out, network(x_t, log_gamma, condition, level / 2)[0])
    assert not torch.allclose(out, network(x_t, log_gamma, condition.flip(3), level)[0])


@pytest.mark.parametrize("gamma", [0.05, 1.0, 30.0])
def test_the_flow_can_be_differentiated_through_it(gamma: float) -> None:
    """The exact derivative against a central difference along the flow, in float64."""
    network = network_of().double()
    x_t, _, condition, level = (part.double() for part in noisy(2))
    denoiser = NetworkDenoiser(
        ConditionedNetwork(network, condition, level), "v", torch.zeros(2).long(), dtype=torch.float64
    )
    eps = denoiser.eps(x_t, gamma)
    exact = exact_derivative(denoiser, x_t, eps, gamma)
    xbar, h = x_t * (1 + gamma**2) ** 0.5, 1e-2 * gamma
    ahead, behind = (
        denoiser.eps((xbar + d * eps) * (1 + (gamma + d) ** 2) ** -0.5, gamma + d) for d in (h, -h)
    )
    slope = (ahead - behind) / (2 * h)
    assert (exact - slope).norm() < 0.02 * slope.norm()


def test_the_head_starts_silent_and_sees_the_condition() -> None:
    network, (x_t, log_gamma, condition, level) = network_of(), noisy()
    _, features, embedding = network(x_t, log_gamma, condition, level)
    torch.manual_seed(0)
    head = CompactUpsamplerHead(CompactUpsamplerHeadConfig(3, 2, 8, 16, 8, fade=0.5)).requires_grad_(False)
    seen = ConditionedHead(head, condition)
    gamma = expand(log_gamma.exp(), x_t)
    silent = seen(x_t, x_t, features, embedding, gamma)
    assert silent.shape == (4, 3, 32, 32)
    assert not silent.any()
    head.conv_out.weight.normal_()
    first = seen(x_t, x_t, features, embedding, gamma)
    other = ConditionedHead(head, condition.flip(2))(x_t, x_t, features, embedding, gamma)
    assert not torch.allclose(first, other)


def test_an_upsampler_of_the_recipe_is_small_and_its_head_smaller() -> None:
    """Under 16 MB in half precision, and the head's multiplications under a twentieth."""
    from engine.training.objective import make_head, make_network
    from engine.training.recipes import EMOJI64, EMOJI256_UP

    for recipe in (EMOJI64, EMOJI256_UP):
        network, head = make_network(recipe), make_head(recipe)
        assert 2 * sum(p.numel() for m in (network, head) for p in m.parameters()) < 16_000_000
    c = EMOJI256_UP.network
    x = torch.zeros(1, 3, c.image_size, c.image_size)
    network, head = make_network(EMOJI256_UP), make_head(EMOJI256_UP)
    with torch.no_grad():
        costs = _multiplications(network, x, torch.zeros(1), x, torch.full((1,), 0.1))
        _, features, embedding = network(x, torch.zeros(1), x, torch.full((1,), 0.1))
        assert _multiplications(head, x, x, features, embedding, 1.0, x) < 0.05 * costs
    assert VPSchedule().gamma(torch.tensor([0.1])).item() == pytest.approx(0.340, abs=0.01)


def _multiplications(module: torch.nn.Module, *seen: Tensor | float) -> int:
    """Of one call, and as many additions."""
    with FlopCounterMode(display=False) as counter:
        module(*seen)
    return counter.get_total_flops()
