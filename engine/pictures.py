"""Pictures as tasks hand them out: bytes, groups joined, the steps they went through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.messages import Pictures, StepFrame

__all__ = ["Frame", "from_pictures", "join_frames", "join_pictures", "to_pictures"]


@dataclass(frozen=True)
class Frame:
    """One step of one group."""

    step: int
    t: float
    evaluations: int
    pictures: Pictures


def to_pictures(x: Tensor) -> Pictures:
    """x (B, C, H, W) in [-1, 1] -> bytes: clamped, (x + 1) 127.5 rounded."""
    count, channels, height, width = x.shape
    levels = x.clamp(-1.0, 1.0).add(1.0).mul(127.5).round().to(torch.uint8)
    data = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy().tobytes()
    return Pictures(count, width, height, channels, data)


def from_pictures(pictures: Pictures) -> Tensor:
    """Bytes -> x (B, C, H, W) in [-1, 1], float32 on the CPU: level / 127.5 - 1."""
    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    levels = torch.frombuffer(bytearray(pictures.data), dtype=torch.uint8).view(shape)
    return levels.permute(0, 3, 1, 2).float().div(127.5).sub(1.0).contiguous()


def join_pictures(parts: Sequence[Pictures], shape: tuple[int, int, int]) -> Pictures:
    """Groups of pictures one after another; none at all are an empty one."""
    channels, height, width = shape
    data = b"".join(part.data for part in parts)
    return Pictures(sum(part.count for part in parts), width, height, channels, data)


def join_frames(groups: Sequence[Sequence[Frame]], shape: tuple[int, int, int]) -> tuple[StepFrame, ...]:
    """The same steps of all groups, joined to frames of the whole job."""
    return tuple(
        StepFrame(
            same[0].step, same[0].t, same[0].evaluations, join_pictures([f.pictures for f in same], shape)
        )
        for same in zip(*groups, strict=True)
    )
