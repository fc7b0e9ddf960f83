"""Where and how precisely a network runs: device, precision, memory format, memory, threads."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from engine.errors import BadRequest

__all__ = [
    "Placement",
    "available_devices",
    "choose_placement",
    "cpu_cores",
    "cpu_has_fast_bf16",
    "free_memory",
    "is_out_of_memory",
    "keep_freed_memory",
    "release_memory",
    "trim_memory",
    "use_threads",
]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@runtime_checkable
class Settling(Protocol):
    """A part of a network that is quicker once its weights no longer change."""

    def settle(self) -> None: ...


@dataclass(frozen=True)
class Placement:
    """A device with a precision. The state is integrated in `state_dtype` whatever the network's."""

    device: torch.device
    precision: str  # "fp32", "bf16" or "fp16"
    exact: bool = False  # derivatives are taken of the network itself

    @property
    def name(self) -> str:
        """The device as torch calls it: "cpu", "cuda:0", "mps"."""
        return str(self.device)

    @property
    def title(self) -> str:
        """The device as its maker calls it."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return "Apple GPU" if self.device.type == "mps" else _cpu_title()

    @property
    def dtype(self) -> torch.dtype:
        return _DTYPES[self.precision]

    @property
    def state_dtype(self) -> torch.dtype:
        """float64, except on MPS, which has none."""
        return torch.float32 if self.device.type == "mps" else torch.float64

    @property
    def memory_format(self) -> torch.memory_format:
        """What measured fastest, for weights and the network's input.

        In bf16 a 3x3 convolution of 32x128x16x16 takes one CPU core 1.3 ms in channels_last and
        2.7 in the usual order. On CUDA the tensor cores want it. MPS reorders by itself, and
        torch's forward-mode derivative of a group norm only knows the usual order.
        """
        usual = self.exact or self.device.type == "mps"
        return torch.contiguous_format if usual else torch.channels_last

    def place(self, module: nn.Module) -> nn.Module:
        """Move a module here, its parameters in the network's precision.

        Buffers stay float32: frequencies of an embedding rounded to bf16 would shift the noise
        level they encode. Parts that can make more of weights that no longer change are told so: a
        module placed here is for inference, and not to be copied, saved or placed again.
        """
        module.to(self.device)
        for parameter in module.parameters():
            order = self.memory_format if parameter.ndim == 4 else torch.preserve_format
            parameter.data = parameter.data.to(self.dtype, memory_format=order)
        for part in module.modules():
            if isinstance(part, Settling) and not self.exact:
                part.settle()
        return module


def available_devices() -> tuple[str, ...]:
    """What this machine has, best first."""
    found = []
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        found += ["cuda"] if count == 1 else [f"cuda:{i}" for i in range(count)]
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def choose_placement(device: str, precision: str, *, exact: bool = False) -> Placement:
    """The device and precision for a request; "auto" picks what is best here.

    `exact` says that derivatives are taken of the network, which need fp32 to mean anything:
    "auto" is that then. A `BadRequest` says which devices exist.
    """
    found = available_devices()
    chosen = found[0] if device == "auto" else device
    kind, _, index = chosen.partition(":")
    known = kind in {name.partition(":")[0] for name in found}
    number = re.fullmatch(r"\d{1,3}", index) if index else None
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if not known or (":" in chosen and (number is None or int(index) >= count)):
        raise BadRequest(
            f"This computer has no device {device!r} that can be used. There is: {', '.join(found)}. "
            "`auto` takes the first.",
            field="device",
        )
    place = torch.device("cuda", int(index or 0)) if kind == "cuda" else torch.device(kind)
    # fp32 means fp32: torch would round what goes into a convolution to TF32, ten bits.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return Placement(place, _auto_precision(place, exact) if precision == "auto" else precision, exact)


def _auto_precision(device: torch.device, exact: bool) -> str:
    if exact or device.type == "mps":
        return "fp32"
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if cpu_has_fast_bf16() else "fp32"


def cpu_has_fast_bf16() -> bool:
    """Does the CPU multiply bf16 in hardware (AMX or AVX512-BF16)?

    torch asks the processor through functions that are not public and have moved before;
    where they are missing the answer is no, which costs speed and nothing else.
    """
    for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        ask: Callable[[], bool] | None = getattr(torch.cpu, name, None)
        try:
            if ask is not None and ask():
                return True
        except RuntimeError:
            continue
    return False


@cache
def _cpu_title() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
            return done.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return platform.processor() or platform.machine() or "CPU"


# --- threads ----------------------------------------------------------------------------------


def cpu_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_threads(threads: int | None) -> int:
    """Set how many threads torch computes with; None leaves one core to the window."""
    if threads is None:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(asked) if asked.isdigit() and int(asked) else max(1, cpu_cores() - 1)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return threads


# --- memory -----------------------------------------------------------------------------------

_CPU_ALLOCATOR = ("not enough memory", "can't allocate memory", "cannot allocate memory")
_GPU_ALLOCATOR = ("out of memory", "cublas_status_alloc_failed", "cudnn_status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Is it memory that ran out? torch says so in several ways, most of them RuntimeErrors."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if not isinstance(error, RuntimeError):
        return False
    said = str(error).casefold()
    return any(words in said for words in _CPU_ALLOCATOR + _GPU_ALLOCATOR)


# From malloc.h of the GNU C library, as mallopt(3) describes them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_SPARE = 256 << 20  # bytes that a task may leave for the next


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd",
            "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library where it is GNU's (2.33 or newer), whose allocator can be told what to keep."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    if not all(hasattr(library, name) for name in ("mallopt", "malloc_trim", "mallinfo2")):
        return None
    library.mallinfo2.restype = _Mallinfo2
    library.malloc_trim.argtypes = (ctypes.c_size_t,)
    return library


def keep_freed_memory() -> None:
    """Have the next tensor take the memory of one that is gone, pages and all.

    The C library gives large blocks back to the system at once, and every page of the next one
    costs a fault: at 512x512 in bf16 a third of an evaluation.
    """
    library = _glibc()
    if library is not None:
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


def trim_memory(spare: int = _SPARE) -> None:
    """Give freed memory back to the system if it is more than `spare` bytes."""
    library = _glibc()
    if library is not None and library.mallinfo2().fordblks > spare:
        library.malloc_trim(0)


def release_memory(device: torch.device) -> None:
    """Give back what nobody uses: unreachable tensors, then what torch keeps for later."""
    gc.collect()
    trim_memory(spare=0)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def free_memory() -> int | None:
    """Bytes of main memory that can still be had; None where the system doesn't tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None
