"""A look at a network while it trains: a sheet of samples beside its checkpoint, and its losses.

Both are for people; nothing of the training depends on them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from engine.denoiser import NetworkDenoiser
from engine.errors import UnusableFolder
from engine.files import write_atomically
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.networks.compact import CompactUNet
from engine.sampling import sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import solver
from engine.training.examples import Examples
from engine.training.objective import view_of
from engine.training.recipes import Recipe

__all__ = [
    "LEVEL",
    "enlarged",
    "sample_sheet",
    "tiled",
    "write_loss",
    "write_picture",
    "write_sheet",
]

LEVEL = 0.1  # of the noise an upsampler's small images get
_COUNT = 16
_STEPS = 12


def write_loss(path: Path, step: int, loss: float, seconds: float) -> None:
    """Append one line to a table of losses, which begins with the names of its columns."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            if file.tell() == 0:
                file.write("step,loss,seconds\n")
            file.write(f"{step},{loss:.6f},{seconds:.1f}\n")
    except OSError as error:
        raise UnusableFolder(f"Couldn't write {path}: {error.strerror or error}.", field="out") from error


def write_sheet(
    path: Path, recipe: Recipe, network: nn.Module, average: Mapping[str, Tensor], examples: Examples
) -> None:
    """Samples of the running average as a PNG: the same noises, labels and pictures every time."""
    drawn = copy.deepcopy(network)
    drawn.load_state_dict(average)
    write_picture(path, sample_sheet(recipe, drawn.eval(), examples))


def write_picture(path: Path, picture: Tensor) -> None:
    """uint8 (C, H, W) as a PNG."""
    image = Image.fromarray(picture.permute(1, 2, 0).squeeze(2).numpy())
    write_atomically(path, partial(image.save, format="PNG"))


def sample_sheet(recipe: Recipe, network: nn.Module, examples: Examples) -> Tensor:
    """uint8 (C, H, W): 16 samples of a network's classes in turn, by 12 steps of DDIM.

    Of an upsampler eight triples: what it started from, what it made, what that was made from.
    """
    if not isinstance(network, CompactUNet):
        return enlarged(network, examples, 8, 6, beside=True)
    c = recipe.network
    labels = torch.arange(_COUNT) % max(1, c.classes)
    place = next(network.parameters()).device
    x0 = torch.zeros(_COUNT, c.channels, c.image_size, c.image_size, device=place)
    return tiled(_sampled(network, x0, labels.to(place)), 4)


def enlarged(
    network: nn.Module, examples: Examples, count: int, columns: int, *, beside: bool = False
) -> Tensor:
    """uint8 (C, H, W): what an upsampler makes of `count` examples; `beside` shows all three images."""
    pictures, labels = examples.draw(count, torch.Generator().manual_seed(0))
    place = next(network.parameters()).device
    x0 = pictures.to(place).float() / 127.5 - 1.0
    made = _sampled(network, x0, torch.zeros_like(labels).to(place))
    condition = view_of(network, x0, LEVEL, range(count)).condition
    if not beside or condition is None:
        return tiled(made, columns)
    return tiled(torch.stack([condition, made, x0], dim=1).flatten(0, 1), columns)


def _sampled(network: nn.Module, x0: Tensor, labels: Tensor) -> Tensor:
    """Images (N, C, H, W) in the place of x0, of which only an upsampler sees anything."""
    view = view_of(network, x0, LEVEL, range(len(x0)))
    schedule = VPSchedule()
    grid = step_grid(schedule, _STEPS, "quadratic", 1e-3).tolist()
    start = noise(range(len(x0)), (x0.shape[1], x0.shape[2], x0.shape[3])).to(x0.device, torch.float32)
    flow = ProbabilityFlow(NetworkDenoiser(view.network, "v", labels, dtype=torch.float32))
    *_, last = sample(solver("ddim"), flow, start, grid, schedule=schedule)
    return last.x


def tiled(images: Tensor, columns: int, gap: int = 2) -> Tensor:
    """Images (N, C, H, W) in -1 to 1, side by side on white: uint8 (C, height, width)."""
    pixels = ((images.detach().cpu().float() + 1.0) * 127.5).round().clamp(0.0, 255.0).to(torch.uint8)
    pixels = F.pad(pixels, (0, gap, 0, gap), value=255)
    short = -len(pixels) % columns
    if short:
        pixels = torch.cat([pixels, pixels.new_full((short, *pixels.shape[1:]), 255)])
    n, c, h, w = pixels.shape
    rows = pixels.reshape(n // columns, columns, c, h, w).permute(2, 0, 3, 1, 4)
    return rows.reshape(c, n // columns * h, columns * w)
