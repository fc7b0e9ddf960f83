"""Results without an engine, for the tests of what keeps and shows them."""

from __future__ import annotations

import random
from typing import Any

from engine.messages import GenerateRequest, Pictures, Provenance, Result, StepFrame

LABEL_NAMES = ("Shirt", "Ankle boot", "Bag", "Jäckchen")
PROVENANCE = Provenance("cpu", "Some processor", "fp32", "2.6.0", "0.1.0", (1,))


def make_pictures(count: int, size: int = 8, channels: int = 1, seed: int = 0) -> Pictures:
    return Pictures(
        count, size, size, channels, random.Random(seed).randbytes(count * size * size * channels)
    )


def make_result(
    count: int = 2,
    *,
    made: int | None = None,
    size: int = 8,
    channels: int = 1,
    frames: int = 3,
    **settings: Any,
) -> Result:
    """`made` of `count` images; the step frames differ from the images and from each other."""
    made = count if made is None else made
    labels = settings.pop("labels", tuple(i % len(LABEL_NAMES) for i in range(count)))
    request = GenerateRequest(**{"model": "fashion32", "labels": labels, **settings})
    steps = tuple(
        StepFrame(n + 1, 1.0 - n / frames, 2 * n + 1, make_pictures(made, size, channels, seed=100 + n))
        for n in range(frames)
    )
    pictures = make_pictures(made, size, channels, seed=request.seed)
    provenance = Provenance(**{**vars(PROVENANCE), "batches": (made,)})
    return Result(request, pictures, steps, 10, 5, 1.25, provenance, ("The batch was halved.",))
