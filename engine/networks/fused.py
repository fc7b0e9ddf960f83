"""A 3x3 convolution whose outcome is added to something, in one pass over memory.

The sum after a convolution costs a CPU a third of the convolution itself at 512x512 in bf16.
oneDNN, which torch's convolutions run on, adds while it writes.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["convolve_onto"]

# What torch's own compiler calls; no public name leads there. Without them it is two passes.
_ADDING: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)
_ADDING_IN_PLACE: Any = getattr(torch.ops.mkldnn, "_convolution_pointwise_", None)
_SHAPE = ([1, 1], [1, 1], [1, 1], 1)  # padding, stride, dilation, groups
_SUM: tuple[Any, ...] = ("add", 1.0, None, [], None)  # and no activation


def convolve_onto(onto: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, *, spare: bool) -> Tensor:
    """`onto` + the 3x3 convolution of x, (B, C, H, W); with `spare`, `onto` may be written over."""
    if not _can_fuse(onto, x):
        return F.conv2d(x, weight, bias, padding=1).add_(onto)
    weight = weight.contiguous(memory_format=torch.channels_last)
    if spare:
        out: Tensor = _ADDING_IN_PLACE.binary(onto, x, weight, bias, *_SHAPE, *_SUM)
    else:
        out = _ADDING.binary(x, onto, weight, bias, *_SHAPE, *_SUM)
    return out


def _can_fuse(onto: Tensor, x: Tensor) -> bool:
    """Not where anything is differentiated: the fused ones have no derivative."""
    return (
        _ADDING is not None
        and _ADDING_IN_PLACE is not None
        and torch.is_inference_mode_enabled()
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.bfloat16)
        and all(each.is_contiguous(memory_format=torch.channels_last) for each in (onto, x))
    )
