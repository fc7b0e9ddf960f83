"""What oneDNN, which torch's convolutions run on, does faster than torch asks it to on a CPU.

It adds while it writes: the sum after a convolution costs a third of the convolution itself at
512x512 in bf16. And it takes weights in an order of its own, into which torch brings them anew
for every call: for one small image that is two fifths of a convolution's time, and a fifth of a
matrix product's.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Conv2d", "Linear", "PackedWeight", "convolve_onto"]

# What torch's own compiler calls; no public name leads there. Without them it is two passes.
_ADDING: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
_ADDING_IN_PLACE: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise_", None)
_PACK: Any = getattr(torch.ops.mkldnn, "_reorder_convolution_weight", None)
_LINEAR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
_PACK_LINEAR: Any = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)
_REST = ([1, 1], [1, 1], 1)  # stride, dilation, groups
_SUM: tuple[Any, ...] = ("add", 1.0, None, [], None)  # and no activation
_NOTHING: tuple[Any, ...] = ("none", [], "")  # is done to what comes out


@cache
def _has_bf16() -> bool:
    ask = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return ask is not None and bool(ask())


def _is_fast(dtype: torch.dtype) -> bool:
    """Is there oneDNN, may it compute, and does it in this type on this processor?"""
    available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (available and torch.backends.mkldnn.enabled):
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and _has_bf16())


class PackedWeight:
    """A convolution's weight (out, C, K, K) in oneDNN's own order; K is odd and the size is kept.

    With AVX-512 the order depends on the size of the images: in that for another size fp32 takes
    fifty times as long. So the weight is packed when the first images come. Without AVX-512 it
    depends on their number too, and nothing is packed.
    """

    def __init__(self, weight: Tensor) -> None:
        self._kept = weight
        self._size: torch.Size | None = None
        self._padding = [side // 2 for side in weight.shape[2:]]

    @staticmethod
    def helps(weight: Tensor) -> bool:
        """Is this a weight that oneDNN would bring anew into the same order, call by call?"""
        return (
            _ADDING is not None
            and _PACK is not None
            and weight.device.type == "cpu"
            and _is_fast(weight.dtype)
            and torch.backends.cpu.get_cpu_capability().startswith("AVX512")
        )

    def plain(self) -> Tensor:
        """As it was: (out, C, K, K)."""
        return self._kept.to_dense() if self._kept.is_mkldnn else self._kept

    def for_images(self, x: Tensor) -> Tensor:
        """In the order for images x (B, C, H, W)."""
        if x.shape[1:] != self._size:
            plain = self.plain().contiguous(memory_format=torch.channels_last)
            self._kept = _PACK(plain, self._padding, *_REST, [1, *x.shape[1:]])
            self._size = x.shape[1:]
        return self._kept

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """(B, C, H, W) -> (B, out, H, W)."""
        x = x.contiguous(memory_format=torch.channels_last)
        out: Tensor = _ADDING(x, self.for_images(x), bias, self._padding, *_REST, *_NOTHING)
        return out


class Conv2d(nn.Conv2d):
    """torch's convolution that keeps the size, quicker once `settle` has said that it is trained.

    Its weight is kept once: packed, where that helps. A packed one can't be differentiated through.
    """

    def __init__(self, channels_in: int, channels: int, kernel: int) -> None:
        super().__init__(channels_in, channels, kernel, padding=kernel // 2)
        self._packed: PackedWeight | None = None

    def settle(self) -> None:
        """The weight is where it stays, and as it stays."""
        if self._packed is None and PackedWeight.helps(self.weight):
            self._packed = PackedWeight(self.weight.data)
            self.register_parameter("weight", None)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolve(x, self.bias)

    def convolve(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """With another bias (out,) than its own."""
        if self._packed is not None and torch.is_inference_mode_enabled():
            return self._packed.convolve(x, bias)
        return F.conv2d(x, self._plain(), bias, padding=self.padding)

    def onto(self, onto: Tensor, x: Tensor, *, spare: bool) -> Tensor:
        """`onto` + the convolution of x, (B, C, H, W); with `spare`, `onto` may be written over."""
        if self._packed is not None and _can_fuse(onto, x):
            return _convolve_onto(onto, x, self._packed.for_images(x), self.bias, spare=spare)
        return convolve_onto(onto, x, self._plain(), self.bias, spare=spare)

    def _plain(self) -> Tensor:
        return self.weight if self._packed is None else self._packed.plain()


class Linear(nn.Linear):
    """torch's linear layer; in bf16 quicker, and the same to the bit, once `settle` has said that it is trained.

    In fp32 torch asks another library, which is the quicker one.
    """

    _settled = False
    _packed: Tensor | None = None

    def settle(self) -> None:
        """The weight is where it stays, and as it stays."""
        packs = _LINEAR is not None and _PACK_LINEAR is not None and self.weight.device.type == "cpu"
        self._settled = packs and self.weight.dtype == torch.bfloat16 and _is_fast(torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        if not (self._settled and torch.is_inference_mode_enabled()):
            return super().forward(x)
        if self._packed is None:
            self._packed = _PACK_LINEAR(self.weight.data)
        out: Tensor = _LINEAR(x, self._packed, self.bias, *_NOTHING)
        return out


def convolve_onto(onto: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, *, spare: bool) -> Tensor:
    """`onto` + the 3x3 convolution of x, (B, C, H, W); with `spare`, `onto` may be written over."""
    if not _can_fuse(onto, x):
        return F.conv2d(x, weight, bias, padding=1).add_(onto)
    weight = weight.contiguous(memory_format=torch.channels_last)
    return _convolve_onto(onto, x, weight, bias, spare=spare)


def _convolve_onto(onto: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, *, spare: bool) -> Tensor:
    if spare:
        out: Tensor = _ADDING_IN_PLACE.binary(onto, x, weight, bias, [1, 1], *_REST, *_SUM)
    else:
        out = _ADDING.binary(x, onto, weight, bias, [1, 1], *_REST, *_SUM)
    return out


def _can_fuse(onto: Tensor, x: Tensor) -> bool:
    """Not where anything is differentiated: the fused ones have no derivative."""
    return (
        _ADDING is not None
        and _ADDING_IN_PLACE is not None
        and torch.is_inference_mode_enabled()
        and x.device.type == "cpu"
        and _is_fast(x.dtype)
        and all(each.is_contiguous(memory_format=torch.channels_last) for each in (onto, x))
    )
