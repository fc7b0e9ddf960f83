"""oneDNN's sums and packed weights against plain ones, and where they must not be used."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.devices import Placement
from engine.networks.onednn import Conv2d, Linear, PackedWeight, convolve_onto


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


# --- weights that are packed ------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_a_settled_convolution_is_the_same_one(kernel: int, dtype: torch.dtype, near: float) -> None:
    torch.manual_seed(3)
    conv = Conv2d(40, 24, kernel).to(dtype).requires_grad_(False)
    weight, bias = conv.weight.float(), conv.bias.float()  # type: ignore[union-attr]
    conv.settle()
    conv.settle()  # once more changes nothing
    # Sizes change and come back, and images come in either order, alone and together.
    for count, height, width in ((1, 8, 8), (3, 8, 8), (1, 16, 12), (2, 8, 8)):
        for order in (torch.channels_last, torch.contiguous_format):
            x = randn(count, 40, height, width, seed=count).to(dtype).contiguous(memory_format=order)
            expected = F.conv2d(x.float(), weight, bias, padding=kernel // 2)
            with torch.inference_mode():
                found = conv(x)
                other = conv.convolve(x, None)
            torch.testing.assert_close(found.float(), expected, rtol=near, atol=near)
            torch.testing.assert_close(
                other.float(), expected - bias[:, None, None], rtol=near, atol=2 * near
            )


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_a_settled_sum_is_the_same_one(order: torch.memory_format) -> None:
    torch.manual_seed(3)
    conv = Conv2d(40, 24, 3).requires_grad_(False)
    x, onto = (randn(2, c, 8, 8, seed=c).contiguous(memory_format=order) for c in (40, 24))
    expected = onto + F.conv2d(x, conv.weight, conv.bias, padding=1)
    conv.settle()
    with torch.inference_mode():
        torch.testing.assert_close(conv.onto(onto, x, spare=False), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(conv.onto(onto, x, spare=True), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_settled_linear_layer_says_the_same_to_the_bit(dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    linear = Linear(24, 40).to(dtype).requires_grad_(False)
    plain = copy.deepcopy(linear)
    linear.settle()
    for shape in ((2, 8, 8, 24), (5, 24), (1, 3, 3, 24)):
        x = randn(*shape).to(dtype)
        with torch.inference_mode():
            assert torch.equal(linear(x), plain(x))
        assert torch.equal(linear(x), plain(x))  # outside it nothing packed is met
    derivative = torch.func.jvp(linear, (x,), (x,))[1]
    torch.testing.assert_close(derivative, F.linear(x, plain.weight))


def test_a_settled_weight_is_there_once_and_is_found_outside_inference_mode() -> None:
    torch.manual_seed(3)
    conv = Conv2d(40, 24, 3).requires_grad_(False)
    weight = conv.weight.clone()
    packs = PackedWeight.helps(weight)
    conv.settle()
    assert ("weight" in dict(conv.named_parameters())) is not packs
    x = randn(1, 40, 8, 8)
    expected = F.conv2d(x, weight, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-5)
    with torch.inference_mode():
        conv(x)  # now it is packed
    torch.testing.assert_close(conv(x), expected, rtol=1e-5, atol=1e-5)


def test_a_placed_network_says_the_same_packed_as_not() -> None:
    from engine.networks.compact import CompactConfig, CompactUNet

    torch.manual_seed(4)
    network = CompactUNet(CompactConfig(widths=(32, 48), embedding=32)).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.normal_(0.0, 0.1)  # else nothing comes out of an untrained one
    x, log_gamma, label = randn(2, 1, 32, 32), torch.tensor([0.3, -2.0]), torch.tensor([1, 10])
    expected = network(x, log_gamma, label)[0]
    Placement(torch.device("cpu"), "fp32").place(network)
    weight = network.conv_out.weight
    assert (network.conv_out._packed is not None) is PackedWeight.helps(weight)
    with torch.inference_mode():
        found = network(x, log_gamma, label)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_an_older_processor_computes_as_torch_does() -> None:
    """Where oneDNN may not use AVX-512, nothing of ours asks it to."""
    script = """
import torch
from engine.devices import Placement
from engine.networks.onednn import Conv2d, Linear
torch.manual_seed(0)
for precision in ("fp32", "bf16"):
    conv = Placement(torch.device("cpu"), precision).place(Conv2d(40, 24, 3).requires_grad_(False))
    assert conv._packed is None, precision
    x = torch.randn(2, 40, 8, 8).to(conv.weight.dtype, memory_format=torch.channels_last)
    with torch.inference_mode():
        conv(x), conv.onto(conv(x), x, spare=True)
    linear = Placement(torch.device("cpu"), precision).place(Linear(40, 24).requires_grad_(False))
    with torch.inference_mode():
        linear(x.permute(0, 2, 3, 1))
    assert linear._packed is None, precision
"""
    older = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **older},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
