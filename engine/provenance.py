"""Where and how something was computed, and whether it came to numbers at all."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Sequence
from functools import cache

import torch

from engine.devices import Placement
from engine.errors import EngineError
from engine.messages import Provenance
from engine.sampling import Step

__all__ = ["check_finite", "provenance"]


def provenance(placement: Placement, batches: Sequence[int]) -> Provenance:
    """Of what was computed there now, in groups of so many images."""
    return Provenance(
        device=placement.name,
        device_name=placement.title,
        precision=placement.precision,
        torch=torch.__version__,
        version=_version(),
        batches=tuple(batches),
        threads=torch.get_num_threads() if placement.name == "cpu" else 0,
    )


def check_finite(step: Step, placement: Placement) -> None:
    """An `EngineError` if the numbers of a step are not finite."""
    # One number to look at instead of all: it is not finite if any of its terms is not. It
    # also waits for the device, so that a stop is never more than one evaluation away.
    if not math.isfinite((step.x if step.whole else step.x0).sum().item()):
        advice = (
            "Try precision fp32." if placement.precision != "fp32" else "Try more steps or less guidance."
        )
        raise EngineError(
            f"The numbers ran out of bounds in step {step.index} of {step.total} "
            f"({placement.precision} on {placement.title}). {advice}",
            field="precision" if placement.precision != "fp32" else "steps",
        )


@cache
def _version() -> str:
    try:
        return importlib.metadata.version("genie-studio")
    except importlib.metadata.PackageNotFoundError:
        return "from source"
