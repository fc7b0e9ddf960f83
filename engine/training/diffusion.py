"""Training of a network on the v-prediction objective.

v = alpha eps - sigma x_0 (Salimans and Ho, 2022). Every random number of step n comes from a
generator seeded by (seed, n), so a resumed training is the one that was never interrupted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.errors import BadCheckpoint
from engine.files import write_atomically
from engine.networks.compact import CompactUNet
from engine.schedule import VPSchedule, expand
from engine.training.recipes import Recipe

__all__ = ["TrainingStep", "draw_log_gamma", "learning_rate", "step_generator", "train_network"]

_CHECKPOINT_SECONDS = 120.0


@dataclass(frozen=True)
class TrainingStep:
    """One progress report: the mean loss since the last, seconds of training so far."""

    step: int
    steps: int
    loss: float
    seconds: float
    seconds_left: float


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Warm-up, plateau and linear decay; `step` counts from 0."""
    decay = max(1, round(steps * recipe.decay))
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup, (steps - step) / decay)


def draw_log_gamma(u: Tensor, recipe: Recipe, schedule: VPSchedule, t_end: float = 1e-3) -> Tensor:
    """Uniform u (B,) -> log gamma (B,), logistic between gamma(t_end) and gamma(1)."""
    ends = schedule.gamma(torch.tensor([t_end, 1.0], dtype=torch.float64)).log()
    low, high = torch.sigmoid((ends - recipe.noise_centre) / recipe.noise_scale).tolist()
    return recipe.noise_centre + recipe.noise_scale * torch.logit(low + u * (high - low))


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step, the same whether or not the training was interrupted."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (1 << 62))


def train_network(
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    folder: Path,
    *,
    seed: int = 0,
    steps: int | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    report_every: int = 25,
) -> Iterator[TrainingStep]:
    """Train on images uint8 (N, C, H, W) with labels (N,); yields about once a `report_every`.

    `folder/checkpoint.pt` is written every two minutes and at the end, atomically: weights,
    their running average (EMA), the optimiser and the step. `resume` goes on from there.
    """
    device = device or torch.device("cpu")
    steps = steps or recipe.steps
    schedule = VPSchedule()
    torch.manual_seed(seed)
    network = CompactUNet(recipe.network).to(device).train()
    average = {name: value.clone() for name, value in network.state_dict().items()}
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99),
        weight_decay=recipe.weight_decay, fused=True,
    )  # fmt: skip
    path = folder / "checkpoint.pt"
    first, spent = 0, 0.0
    if resume and path.exists():
        state = torch.load(path, map_location=device, weights_only=True)
        if state["recipe"] != _recipe_identity(recipe) or state["seed"] != seed:
            raise BadCheckpoint(
                f"{path} comes from another recipe or seed. Give another --out, or start without --resume.",
                field="resume",
            )
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        average = state["average"]
        first, spent = state["step"], state["seconds"]

    def save(step: int) -> None:
        state = {
            "recipe": _recipe_identity(recipe), "seed": seed, "step": step, "steps": steps,
            "seconds": spent + time.monotonic() - begun, "network": network.state_dict(),
            "average": average, "optimiser": optimiser.state_dict(),
        }  # fmt: skip
        write_atomically(path, lambda file: torch.save(state, file))

    begun = saved = time.monotonic()
    losses: list[float] = []
    for step in range(first, steps):
        random = step_generator(seed, step)
        rows = torch.randint(len(images), (recipe.batch,), generator=random)
        x0 = images[rows].to(device).float() / 127.5 - 1.0
        label = labels[rows]
        dropped = torch.rand(recipe.batch, generator=random) < recipe.label_dropout
        label = torch.where(dropped, recipe.network.classes, label).to(device)
        u = torch.rand(recipe.batch, generator=random, dtype=torch.float64)
        log_gamma = draw_log_gamma(u, recipe, schedule).float().to(device)
        noise = torch.randn(x0.shape, generator=random).to(device)
        gamma = log_gamma.exp()
        alpha = expand((1.0 + gamma**2).rsqrt(), x0)
        sigma = expand(gamma, x0) * alpha

        for group in optimiser.param_groups:
            group["lr"] = learning_rate(recipe, step, steps)
        with torch.autocast(device.type, torch.bfloat16):
            v = network(alpha * x0 + sigma * noise, log_gamma, label)[0]
        loss = (v.float() - (alpha * noise - sigma * x0)).square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()

        rate = min(recipe.ema, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                average[name].lerp_(value, 1.0 - rate)
        losses.append(loss.item())
        done = step + 1
        if time.monotonic() - saved > _CHECKPOINT_SECONDS or done == steps:
            save(done)
            saved = time.monotonic()
        if done % report_every == 0 or done == steps:
            seconds = time.monotonic() - begun
            left = seconds / (done - first) * (steps - done)
            mean = math.fsum(losses) / len(losses)
            losses.clear()
            yield TrainingStep(done, steps, mean, spent + seconds, left)


def _recipe_identity(recipe: Recipe) -> str:
    """What must agree for a checkpoint to be continued: the network and the optimisation."""
    words = {"title", "summary", "classes", "data", "spacing", "steps"}
    kept = {k: v for k, v in asdict(recipe).items() if k not in words and not k.startswith("head_")}
    return repr(sorted(kept.items()))
