"""A latent as a picture: what its picture dissolved into."""

from __future__ import annotations

import json

import numpy as np

from engine.messages import Pictures

__all__ = ["latent_picture"]

_SPREAD = 3.0  # standard deviations from grey to black, or to white
_KINDS = {"F64": "<f8", "F32": "<f4"}


def latent_picture(data: bytes) -> Pictures | None:
    """The first tensor (C, H, W) of a safetensors file, from -3 (black) to 3 (white).

    None where there is none of one or three channels.
    """
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        entry = next(value for key, value in header.items() if key != "__metadata__")
        channels, height, width = entry["shape"]
        start, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + length + start : 8 + length + end], _KINDS[entry["dtype"]])
        z = values.reshape(channels, height, width)
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        StopIteration,
        ArithmeticError,
        RecursionError,
    ):
        return None
    if channels not in (1, 3):
        return None
    levels = np.clip(127.5 + z * (127.5 / _SPREAD), 0, 255)
    pixels = np.rint(np.nan_to_num(levels)).astype(np.uint8).transpose(1, 2, 0)
    return Pictures(1, int(width), int(height), int(channels), np.ascontiguousarray(pixels).tobytes())
