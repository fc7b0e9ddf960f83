"""The published architectures in small, with random weights; test_parity.py compares their numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from engine.denoiser import NetworkDenoiser
from engine.flow import exact_derivative
from engine.networks.adm import ADMUpsampler
from engine.networks.blocks import FourierFeatures, sinusoids
from engine.networks.published_head import PublishedHead
from engine.networks.upsampler import ConditionedHead, ConditionedNetwork, enlarge, noisy_image
from engine.schedule import VPSchedule
from tests.engine.published_files import HEADS, NETWORKS, random_network

VP = VPSchedule()


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def networks(name: str, images: int, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """A network and its head, both as a denoiser calls them."""
    network: Any = random_network(NETWORKS[name]).to(dtype)
    head: Any = random_network(HEADS[name]).to(dtype)
    if isinstance(network, ADMUpsampler):
        assert isinstance(head, PublishedHead)
        c = network.config
        low = randn(images, 3, c.low_resolution, c.low_resolution, seed=5).to(dtype)
        level = torch.full((images,), 0.1, dtype=torch.float64)
        condition = enlarge(noisy_image(low, torch.zeros_like(low), level, VP), c.image_size)
        return ConditionedNetwork(network, condition, level), ConditionedHead(head, condition)
    return network, head


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes(name: str) -> None:
    size = NETWORKS[name].image_size
    network, head = networks(name, 2)
    x, label = randn(2, 3, size, size), torch.tensor([0, 1])
    out, features, embedding = network(x, torch.tensor([0.3, 1.0]), label)
    assert out.shape == x.shape
    assert features.shape == (2, 32, size, size)
    assert embedding.shape == (2, 128)
    assert head(x, out, features, embedding, 0.5).shape == x.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_the_output_depends_on_all_it_should(name: str) -> None:
    size = NETWORKS[name].image_size
    network, _ = networks(name, 1)
    x, level, label = randn(1, 3, size, size), torch.tensor([0.3]), torch.tensor([1])
    plain = network(x, level, label)[0]

    def change(*inputs: Any) -> float:
        return float((network(*inputs)[0] - plain).abs().max() / plain.std())

    assert change(randn(1, 3, size, size, seed=1), level, label) > 1e-3
    assert change(x, torch.tensor([0.5]), label) > 1e-3
    with_classes = NETWORKS[name].classes > 0
    assert (change(x, level, torch.tensor([2])) > 1e-3) == with_classes


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "cats-upsampler"])
def test_images_of_a_batch_do_not_see_each_other(name: str) -> None:
    size = NETWORKS[name].image_size
    network, _ = networks(name, 1)
    x, level, label = randn(2, 3, size, size), torch.tensor([0.3, 2.0]), torch.tensor([0, 1])
    together = network(x, level, label)[0]
    for i in range(2):
        alone = network(x[i : i + 1], level[i : i + 1], label[i : i + 1])[0]
        torch.testing.assert_close(alone[0], together[i], rtol=1e-4, atol=1e-4 * float(together.std()))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_exact_derivative(name: str) -> None:
    """Against differences along the flow, from gamma - h to gamma + h."""
    size = NETWORKS[name].image_size
    network, _ = networks(name, 1, torch.float64)
    denoiser = NetworkDenoiser(network, "v", torch.tensor([1]), dtype=torch.float64)
    x, gamma = randn(1, 3, size, size).double(), torch.tensor(0.8, dtype=torch.float64)
    eps = denoiser.eps(x, gamma)
    xbar = x * (1 + gamma**2).sqrt()

    def along(h: float) -> Tensor:
        there = gamma + h
        return denoiser.eps((xbar + h * eps) / (1 + there**2).sqrt(), there)

    differences = (along(1e-6) - along(-1e-6)) / 2e-6
    found = exact_derivative(denoiser, x, eps, gamma)
    assert float((found - differences).abs().max() / differences.std()) < 1e-4


def test_frequencies() -> None:
    waves = sinusoids(torch.tensor([0.0, 2.0], dtype=torch.float64), 8)
    assert waves[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    torch.testing.assert_close(waves[1, [0, 3]], torch.tensor([2.0, 2e-4], dtype=torch.float64).sin())
    fourier = FourierFeatures(2)
    fourier.frequencies.copy_(torch.tensor([0.25, 1.0]))
    torch.testing.assert_close(
        fourier(torch.tensor([1.0, 0.5])),
        torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.5**0.5, 0.0, 0.5**0.5, -1.0]]),
        rtol=0,
        atol=1e-6,
    )


def test_noise_hides_the_small_image_by_its_level() -> None:
    image, noise = randn(2, 3, 4, 4), randn(2, 3, 4, 4, seed=1)
    level = torch.tensor([1e-9, 1.0], dtype=torch.float64)
    noisy = noisy_image(image, noise, level, VP)
    torch.testing.assert_close(noisy[0], image[0], rtol=0, atol=1e-3)
    torch.testing.assert_close(noisy[1], noise[1], rtol=0, atol=0.05)
    assert enlarge(image, 16).shape == (2, 3, 16, 16)
    flat = torch.full((1, 3, 4, 4), 0.5)
    torch.testing.assert_close(enlarge(flat, 16), torch.full((1, 3, 16, 16), 0.5))
