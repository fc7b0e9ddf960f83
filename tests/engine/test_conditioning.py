"""What blocks are told of noise level and class is kept between evaluations, and changes nothing."""

from __future__ import annotations

import copy
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from engine.devices import Placement
from engine.networks import conditioning
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.head import CompactHead, CompactHeadConfig
from engine.networks.labels import embed_labels

CONFIG = CompactConfig(
    image_size=8, channels=1, classes=3, patch=2, widths=(16, 32), blocks=1, middle=1, embedding=16
)
Forgetful = TypeVar("Forgetful", CompactUNet, CompactHead)
CPU = Placement(torch.device("cpu"), "fp32")


def filled(module: nn.Module) -> nn.Module:
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(0.3 * torch.randn(value.shape, generator=random))
    return module.eval().requires_grad_(False)


@pytest.fixture
def settled() -> CompactUNet:
    network = CPU.place(filled(CompactUNet(CONFIG)))
    assert isinstance(network, CompactUNet)
    return network


@pytest.fixture
def fresh(settled: CompactUNet) -> CompactUNet:
    """The same, told anew each time."""
    return forgetful(settled)


def forgetful(module: Forgetful) -> Forgetful:
    module = copy.deepcopy(module)
    module._kept = None
    return module


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images each embedding that was made was for."""
    made: list[int] = []

    def counted(embedding: nn.Embedding, label: Tensor) -> Tensor:
        made.append(len(label))
        return embed_labels(embedding, label)

    monkeypatch.setattr("engine.networks.compact.embed_labels", counted)
    return made


def level(gamma: float, count: int) -> Tensor:
    """One for all images, as a denoiser gives it."""
    return torch.tensor(gamma).log().reshape(-1).expand(count)


def test_walks_along_the_same_levels_are_told_once_and_the_same(
    fresh: CompactUNet, settled: CompactUNet, embedded: list[int]
) -> None:
    kept_head = CPU.place(filled(CompactHead(CompactHeadConfig(features=16, embedding=16, width=8))))
    assert isinstance(kept_head, CompactHead)
    head = forgetful(kept_head)
    random = torch.Generator().manual_seed(1)
    asked = [(gamma, labels) for gamma in (9.0, 0.4) for labels in ([0, 1], [1, 0], [3, 3], [2])]
    with torch.inference_mode():
        for turn in range(2):
            for gamma, labels in asked:
                x = torch.randn(len(labels), 1, 8, 8, generator=random)
                arguments = (x, level(gamma, len(labels)), torch.tensor(labels))
                expected = fresh(*arguments)
                before = len(embedded)
                found = settled(*arguments)
                assert len(embedded) - before == (1 if turn == 0 else 0)
                assert all(map(torch.equal, found, expected))
                said = [part(x, x, *out[1:], gamma) for part, out in ((head, expected), (kept_head, found))]
                assert torch.equal(*said)


def test_a_level_for_each_image_and_mixtures_are_told_anew(
    fresh: CompactUNet, settled: CompactUNet, embedded: list[int]
) -> None:
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    mixed = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    with torch.inference_mode():
        for arguments in ((torch.tensor([0.1, 0.2]), torch.tensor([0, 1])), (level(0.5, 2), mixed)):
            for _ in range(2):
                assert all(map(torch.equal, settled(x, *arguments), fresh(x, *arguments)))
    assert len(embedded) == 8


def test_a_derivative_never_meets_what_was_kept(settled: CompactUNet, embedded: list[int]) -> None:
    x, label = torch.zeros(1, 1, 8, 8), torch.tensor([1])
    with torch.inference_mode():
        settled(x, level(2.0, 1), label)
    log_gamma = level(2.0, 1).clone().requires_grad_(True)
    settled(x, log_gamma, label)[0].sum().backward()
    assert log_gamma.grad is not None
    assert bool(log_gamma.grad)
    assert len(embedded) == 2


def test_only_so_many_are_kept(
    settled: CompactUNet, embedded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditioning, "_MOST", 3)
    x, label = torch.zeros(1, 1, 8, 8), torch.tensor([1])
    with torch.inference_mode():
        for gamma in (1.0, 2.0, 3.0, 4.0):
            settled(x, level(gamma, 1), label)
        settled(x, level(4.0, 1), label)
        settled(x, level(2.0, 1), label)
        assert len(embedded) == 4
        settled(x, level(1.0, 1), label)  # the oldest had to go
    assert len(embedded) == 5
