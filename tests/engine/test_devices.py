"""Choosing a device and a precision, and knowing when memory ran out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from engine import devices
from engine.devices import Placement, choose_placement, is_out_of_memory
from engine.errors import BadRequest
from engine.latents import noise
from tests.engine.tiny_model import tiny_card, tiny_states


def machine(
    monkeypatch: pytest.MonkeyPatch,
    *,
    cuda: int = 0,
    mps: bool = False,
    cuda_bf16: bool = True,
    cpu_bf16: bool = True,
) -> None:
    """Pretend to be another computer."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: cuda_bf16)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(devices, "cpu_has_fast_bf16", lambda: cpu_bf16)


@pytest.mark.parametrize(
    ("has", "exact", "expected"),
    [
        ({}, False, ("cpu", "bf16")),
        ({"cpu_bf16": False}, False, ("cpu", "fp32")),
        ({}, True, ("cpu", "fp32")),
        ({"cuda": 1, "mps": True}, False, ("cuda:0", "bf16")),
        ({"cuda": 2, "cuda_bf16": False}, False, ("cuda:0", "fp16")),
        ({"cuda": 1}, True, ("cuda:0", "fp32")),
        ({"mps": True}, False, ("mps", "fp32")),
    ],
)
def test_auto(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, bool], exact: bool, expected: tuple[str, str]
) -> None:
    machine(monkeypatch, **has)  # type: ignore[arg-type]
    chosen = choose_placement("auto", "auto", exact=exact)
    assert (chosen.name, chosen.precision) == expected
    assert chosen.state_dtype == (torch.float32 if chosen.name == "mps" else torch.float64)
    assert choose_placement("auto", "fp16", exact=exact).dtype == torch.float16


def test_fp32_is_not_rounded_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    choose_placement("auto", "fp32")
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("device", ["cuda", "mps", "cuda:0", "cpu:1", "cuda:x", "cuda:", "cuda:-1"])
def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    machine(monkeypatch)
    with pytest.raises(BadRequest, match="There is: cpu") as caught:
        choose_placement(device, "auto")
    assert caught.value.field == "device"


def test_one_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=2)
    assert choose_placement("cuda:1", "fp32").name == "cuda:1"
    assert choose_placement("cpu", "fp32").name == "cpu"
    with pytest.raises(BadRequest, match="cuda:0, cuda:1, cpu"):
        choose_placement("cuda:2", "fp32")


def test_the_memory_format_is_the_measured_one() -> None:
    for device in ("cpu", "cuda:0"):
        assert Placement(torch.device(device), "bf16").memory_format == torch.channels_last
    # Group norm has no forward-mode derivative in channels_last.
    assert Placement(torch.device("cpu"), "fp32", exact=True).memory_format == torch.contiguous_format
    assert Placement(torch.device("mps"), "fp32").memory_format == torch.contiguous_format


@pytest.mark.skipif(devices._glibc() is None, reason="only the GNU C library can be told what to keep")
def test_freed_memory_stays_for_the_next_tensor_until_it_is_too_much() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )

    devices.keep_freed_memory()
    devices.trim_memory(0)
    before = resident()
    tensor = torch.ones(64 << 20, dtype=torch.uint8)
    del tensor
    devices.trim_memory(1 << 40)  # as long as it isn't more than that
    assert resident() - before > 60 << 20
    devices.trim_memory(32 << 20)
    assert resident() - before < 8 << 20


def test_parameters_are_rounded_and_buffers_are_not() -> None:
    from engine.networks.compact import CompactConfig, CompactUNet

    card = tiny_card()
    network = CompactUNet(CompactConfig(**card.network.config))
    network.load_state_dict(tiny_states(card)[0])
    frequencies = network.embed_noise.frequencies.clone()
    convolution = torch.nn.Conv2d(4, 4, 3)
    Placement(torch.device("cpu"), "bf16").place(torch.nn.ModuleList([network, convolution]))
    assert {p.dtype for p in network.parameters()} == {torch.bfloat16}
    assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(network.embed_noise.frequencies, frequencies)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8589934592 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.8 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_out_of_memory_is_recognised(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        ValueError("out of memory"),
        KeyError("memory"),
    ],
)
def test_other_errors_are_not(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_a_real_allocation_that_cannot_be() -> None:
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_noise_depends_on_the_seed_alone() -> None:
    batch = noise([7, 8, 2**53 - 1], (3, 4, 5))
    assert batch.shape == (3, 3, 4, 5)
    assert batch.dtype == torch.float64
    for i, seed in enumerate((7, 8, 2**53 - 1)):
        assert torch.equal(batch[i : i + 1], noise([seed], (3, 4, 5)))
    assert not torch.equal(batch[0], batch[1])
    # Golden: the numbers every torch program draws for seed 0, which no change may move.
    golden = torch.tensor([1.5409960746765137, -0.293428897857666, -2.1787893772125244])
    assert torch.equal(noise([0], (1, 1, 3)).flatten().float(), golden)


def test_noise_is_normal() -> None:
    values = noise(range(200), (1, 16, 16))
    assert abs(values.mean().item()) < 0.02
    assert abs(values.std().item() - 1.0) < 0.02
