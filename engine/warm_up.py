"""A model loaded before it is asked for, so that the first image does not wait."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from engine.denoiser import Denoiser
from engine.devices import choose_placement
from engine.latents import noise
from engine.messages import Control, Event, Upsampling, WarmUp
from engine.plan import usable_model
from engine.upsampling import conditioned
from engine.workbench import Workbench

__all__ = ["run"]


def run(workbench: Workbench, request: WarmUp, control: Control) -> Iterator[Event]:  # noqa: ARG001
    """Load the model and evaluate it once; ends without an outcome."""
    info = usable_model(request.model, workbench.catalogue())
    placement = choose_placement(request.device, request.precision)
    loaded = yield from workbench.load(info, placement)
    with torch.inference_mode():
        shape = (info.channels, info.image_size, info.image_size)
        x = noise([0], shape).to(placement.device, placement.state_dtype)
        denoiser: Denoiser
        if info.upsamples_from is None:
            denoiser = loaded.denoiser([None], head=info.has_head)
        else:
            small = noise([0], (info.channels, info.upsamples_from, info.upsamples_from))
            denoiser = conditioned(loaded, small, small, Upsampling.aug_level, head=info.has_head)
        if denoiser.has_head:
            denoiser.eps_with_derivative(x, 1.0)
        else:
            denoiser.eps(x, 1.0)
