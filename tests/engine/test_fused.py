"""The fused sum against the plain one, and where it must not be used."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.networks.fused import convolve_onto


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_it_is_the_sum(spare: bool, order: torch.memory_format, dtype: torch.dtype, near: float) -> None:
    weight, bias = (randn(*shape, seed=7).to(dtype) / 10 for shape in ((8, 6, 3, 3), (8,)))
    x, onto = (randn(2, c, 9, 7, seed=c).to(dtype, memory_format=order) for c in (6, 8))
    before = onto.clone()
    expected = before.float() + F.conv2d(x.float(), weight.float(), bias.float(), padding=1)
    with torch.inference_mode():
        found = convolve_onto(onto, x, weight, bias, spare=spare)
    torch.testing.assert_close(found.float(), expected, rtol=near, atol=near)
    assert spare or torch.equal(onto, before)


def test_it_is_differentiated_as_the_sum_is() -> None:
    weight = randn(8, 6, 3, 3)
    x, onto, dx = randn(1, 6, 5, 5), randn(1, 8, 5, 5, seed=1), randn(1, 6, 5, 5, seed=2)
    with torch.no_grad():
        found = torch.func.jvp(lambda x: convolve_onto(onto, x, weight, None, spare=True), (x,), (dx,))[1]
    torch.testing.assert_close(found, F.conv2d(dx, weight, padding=1))
