"""Muon inside, AdamW at the ends: which weights each has, and how they step."""

from __future__ import annotations

import copy

import pytest
import torch

from engine.networks.compact import CompactConfig, CompactUNet
from engine.training.objective import make_network
from engine.training.optimiser import Optimiser, network_optimiser
from engine.training.recipes import RECIPES

CONFIG = CompactConfig(image_size=8, classes=3, widths=(16, 32), blocks=1, middle=1, embedding=16)


def network(seed: int = 0) -> CompactUNet:
    torch.manual_seed(seed)
    return CompactUNet(CONFIG)


def stepped(module: CompactUNet, optimiser: Optimiser, seed: int) -> None:
    torch.manual_seed(seed)
    x, target = torch.randn(2, 32, 1, 8, 8)  # many: a gradient has no more ranks than there are images
    optimiser.zero_grad()
    torch.autograd.backward((module(x, torch.randn(32), torch.randint(4, (32,)))[0] - target).square().mean())
    optimiser.step()


def test_hidden_matrices_step_orthogonally_and_the_ends_do_not() -> None:
    module = network()
    # Zero at first, these would let nothing through to what lies before them.
    for value in module.parameters():
        if value.ndim == 2 and not value.any():
            torch.nn.init.normal_(value, std=0.02)
    optimiser = network_optimiser(module, learning_rate=1e-3, weight_decay=0.0)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    stepped(module, optimiser, 1)
    seen = {True: 0, False: 0}
    for name, value in module.named_parameters():
        if value.ndim < 2:
            continue
        change = (value.detach() - before[name]).double()
        sizes = torch.linalg.svdvals(change)
        hidden = not name.startswith(("embed_", "stem.", "conv_out."))
        # As large, element by element, as a step of AdamW: 0.2 of the learning rate.
        alike = sizes / (0.2e-3 * max(change.shape) ** 0.5)
        orthogonal = ((alike > 0.5) & (alike < 1.5)).double().mean().item() > 0.8
        assert orthogonal == hidden, (name, alike)
        if hidden:
            assert change.square().mean().sqrt().item() == pytest.approx(0.2e-3, rel=0.3), name
        seen[hidden] += 1
    assert seen[True] >= 8
    assert seen[False] >= 4


def test_only_hidden_matrices_decay() -> None:
    module = network()
    optimiser = network_optimiser(module, learning_rate=0.1, weight_decay=0.5)
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    for value in module.parameters():
        value.grad = torch.zeros_like(value)
    optimiser.step()
    for name, value in module.named_parameters():
        hidden = value.ndim == 2 and not name.startswith(("embed_", "stem.", "conv_out."))
        torch.testing.assert_close(value.detach(), before[name] * (0.95 if hidden else 1.0))


def test_saved_and_restored_it_goes_on_as_if_nothing_had_been() -> None:
    one, other = network(), network(seed=1)
    first = network_optimiser(one, 1e-3, 0.1)
    stepped(one, first, 1)
    other.load_state_dict(one.state_dict())
    second = network_optimiser(other, 1e-3, 0.1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for seed in (2, 3):
        stepped(one, first, seed)
        stepped(other, second, seed)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_state_of_another_optimiser_is_refused() -> None:
    module = network()
    plain = Optimiser(torch.optim.AdamW(module.parameters()))
    with pytest.raises(KeyError):
        network_optimiser(module, 1e-3, 0.0).load_state_dict(plain.state_dict())


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_ends_of_every_recipes_network_have_the_names_they_are_known_by(name: str) -> None:
    recipe = RECIPES[name]
    module = make_network(recipe)
    optimiser = network_optimiser(module, 1e-3, 0.0)
    hidden, rest = (sum(p.numel() for p in group["params"]) for group in optimiser.param_groups)
    assert hidden > 10 * rest
    assert hidden + rest == sum(p.numel() for p in module.parameters())
