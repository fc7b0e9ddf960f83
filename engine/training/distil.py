"""Distillation of d eps/d gamma into a GENIE head.

Dockhorn et al., 2022, section 3.2 and algorithm 1: the network is frozen, the target is its
exact derivative along the flow by a Jacobian-vector product in fp32, and the loss

    gamma^2 || k(x_t, t) - d eps/d gamma ||^2

weighs the levels so that none dominates. Labels are those of the data, or the null label as
often as in the training of the network, so that guidance finds a head for both branches.

A target costs a hundred times what a step of the small head costs on it. So targets are made
once, together with all the head will see, kept on disk, and gone through several times.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Event as ThreadEvent

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from engine.denoiser import NetworkDenoiser
from engine.files import write_atomically
from engine.flow import exact_derivative
from engine.schedule import VPSchedule, expand
from engine.training.checkpoint import Training
from engine.training.diffusion import TrainingStep, draw_log_gamma, step_generator
from engine.training.examples import Examples
from engine.training.objective import bind_head, draw_view, make_head
from engine.training.optimiser import Optimiser
from engine.training.recipes import Recipe

__all__ = ["distil_head", "make_targets"]

_CHUNK = 2048
_TARGET_BATCH = 128


def make_targets(
    recipe: Recipe, network: nn.Module, examples: Examples, count: int, random: torch.Generator
) -> dict[str, Tensor]:
    """`count` noised images with all a head sees and should say, on the network's device:

    x_t, eps, target (N, C, H, W) and gamma (N,) in fp32; features and embedding in bf16; an
    upsampler's condition (N, C, H, W) in bf16 too.
    """
    device = next(network.parameters()).device
    pictures, label = examples.draw(count, random)
    x0 = pictures.to(device).float() / 127.5 - 1.0
    dropped = torch.rand(count, generator=random) < recipe.label_dropout
    label = torch.where(dropped, recipe.network.classes, label).to(device)
    u = torch.rand(count, generator=random, dtype=torch.float64)
    gamma = draw_log_gamma(u, *_noise(recipe), VPSchedule()).exp().float().to(device)
    level = expand(gamma, x0)
    x_t = (x0 + level * torch.randn(x0.shape, generator=random).to(device)) * (1.0 + level**2).rsqrt()

    view = draw_view(network, x0, random)
    denoiser = NetworkDenoiser(view.network, "v", label, dtype=torch.float32)
    with torch.no_grad():
        here = denoiser.predict(x_t, level)
        target = exact_derivative(denoiser, x_t, here.eps, level)
    made = {
        "x_t": x_t, "eps": here.eps, "target": target, "gamma": gamma,
        "features": here.features.bfloat16().contiguous(), "embedding": here.embedding.bfloat16(),
    }  # fmt: skip
    return made if view.condition is None else made | {"condition": view.condition.bfloat16()}


def distil_head(
    recipe: Recipe,
    network: nn.Module,
    examples: Examples,
    folder: Path,
    *,
    seed: int = 0,
    steps: int | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    report_every: int = 50,
    cancelled: ThreadEvent | None = None,
) -> Iterator[TrainingStep]:
    """Distil on `examples`.

    First the targets are made (steps count them in batches, with a loss of nan), then the head
    is trained; the loss reported is relative: the weighted error over the weighted norm of the
    target, 1 for a head that says nothing. `folder` keeps `targets-*.safetensors` and the
    checkpoint `head.pt`; `resume` goes on from both, to `steps` if they are given, else to the
    steps it was begun with. Setting `cancelled` or closing the iterator stops it; nothing is lost.
    """
    device = device or torch.device("cpu")
    network = network.to(device, torch.float32).eval().requires_grad_(False)
    identity, source = _identity(recipe, network, seed), _source(recipe, network, seed)
    chunks = math.ceil(recipe.head_targets / _CHUNK)
    batches = _CHUNK // _TARGET_BATCH
    total = chunks * batches + (steps or recipe.head_steps)
    begun = making = time.monotonic()
    made = 0

    parts: list[dict[str, Tensor]] = []
    for chunk in range(chunks):
        path = folder / f"targets-{chunk:03d}.safetensors"
        there = _read_chunk(path, source) if resume else None
        part, seconds = there or ({}, 0.0)
        begun -= seconds  # what a model cost includes what was made before a stop
        chunk_begun = time.monotonic() - seconds
        pieces: list[dict[str, Tensor]] = []
        try:
            for batch in range(len(part["gamma"]) // _TARGET_BATCH if part else 0, batches):
                # Another stream than the network's training, so that it meets fresh noise.
                random = step_generator(seed + 7919, chunk * batches + batch)
                targets = make_targets(recipe, network, examples, _TARGET_BATCH, random)
                pieces.append({name: value.cpu() for name, value in targets.items()})
                made += 1
                now = time.monotonic()
                done = chunk * batches + batch + 1
                left = (now - making) / made * (chunks * batches - done)
                yield TrainingStep(done, total, math.nan, now - begun, left)
                if cancelled is not None and cancelled.is_set():
                    return
        finally:  # a file that is not full is gone on with
            if pieces:
                pieces = [part, *pieces] if part else pieces
                part = {name: torch.cat([piece[name] for piece in pieces]) for name in pieces[0]}
                write_atomically(path, partial(_write_chunk, part, source, time.monotonic() - chunk_begun))
        parts.append(part)
    data = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    del parts
    count = len(data["gamma"])

    torch.manual_seed(seed)
    head = make_head(recipe).to(device).train()
    optimiser = Optimiser(
        torch.optim.AdamW(
            head.parameters(), lr=recipe.head_learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
    )
    training = Training(
        folder / "head.pt", head, optimiser,
        names=("identity", "head"), identity=identity, seed=seed,
        asked=steps, usual=recipe.head_steps, begun=begun,
    )  # fmt: skip
    if resume:
        training.resume(device)
    first, head_steps = training.step, training.steps
    total = chunks * batches + head_steps

    started = time.monotonic()
    error_sum = norm_sum = 0.0
    try:
        for step in range(first, head_steps):
            random = step_generator(seed + 104_729, step)
            rows = torch.randint(count, (recipe.head_batch,), generator=random)
            piece = {name: value[rows].to(device).float() for name, value in data.items()}
            gamma = expand(piece["gamma"], piece["x_t"])
            warm = min(1.0, (step + 1) / recipe.warmup)
            fall = 0.5 * (1 + math.cos(math.pi * step / head_steps))
            bound = bind_head(head, piece.get("condition"))
            k = bound(piece["x_t"], piece["eps"], piece["features"], piece["embedding"], gamma)
            error = (gamma * (k - piece["target"])).square().mean()
            training.descend(error, recipe.head_learning_rate * warm * fall, recipe.head_ema)

            error_sum += error.item()
            norm_sum += (gamma * piece["target"]).square().mean().item()
            stopped = cancelled is not None and cancelled.is_set()
            if training.step % report_every == 0 or training.step == head_steps or stopped:
                left = (time.monotonic() - started) / (training.step - first) * (head_steps - training.step)
                relative = math.sqrt(error_sum / norm_sum)
                error_sum = norm_sum = 0.0
                yield TrainingStep(chunks * batches + training.step, total, relative, training.seconds, left)
            if stopped:
                training.save()
                return
    except GeneratorExit:  # raised at a yield, so no step is half done
        training.save()
        raise


def _noise(recipe: Recipe) -> tuple[float, float]:
    """Centre and scale of the levels that targets are made at."""
    return recipe.head_noise or (recipe.noise_centre, recipe.noise_scale)


def _write_chunk(part: dict[str, Tensor], source: str, seconds: float, path: Path) -> None:
    # As bytes: of a full disk safetensors says something that is no OSError.
    path.write_bytes(save(part, {"source": source, "seconds": f"{seconds:.1f}"}))


def _read_chunk(path: Path, source: str) -> tuple[dict[str, Tensor], float] | None:
    """A chunk of targets made earlier and the seconds it took; None if there is none from `source`."""
    try:
        with safe_open(path, framework="pt") as file:
            notes = file.metadata() or {}
            if notes.get("source") != source:
                return None
        return load_file(path), float(notes["seconds"])
    except (FileNotFoundError, SafetensorError):
        return None


def _identity(recipe: Recipe, network: nn.Module, seed: int) -> str:
    """Recipe of the head and what its targets were made from."""
    kept = {k: v for k, v in asdict(recipe).items() if k.startswith("head_") and k != "head_steps"}
    return repr((sorted(kept.items()), _source(recipe, network, seed)))


def _source(recipe: Recipe, network: nn.Module, seed: int) -> str:
    """What decides the targets: a fingerprint of the network, the noise levels and the seed."""
    # On the CPU, where float64 exists and every device's sum is the same.
    total = sum(p.detach().cpu().double().abs().sum().item() for p in network.parameters())
    levels = (*_noise(recipe), recipe.label_dropout)
    return repr((round(total, 3), levels, seed))
