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
from threading import Event as ThreadEvent

import torch
from torch import Tensor

from engine.devices import choose_placement
from engine.networks.compact import CompactUNet
from engine.schedule import VPSchedule, expand
from engine.training.checkpoint import Training
from engine.training.recipes import Recipe

__all__ = [
    "TrainingStep",
    "draw_log_gamma",
    "learning_rate",
    "low_precision",
    "spread_out",
    "step_generator",
    "train_network",
]


@dataclass(frozen=True)
class TrainingStep:
    """One progress report: the mean loss since the last, seconds of training so far."""

    step: int
    steps: int
    loss: float
    seconds: float
    seconds_left: float


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Warm-up, plateau and linear decay between two restarts; `step` counts from 0."""
    begin = max((restart for restart in recipe.restarts if restart <= step), default=0)
    end = min((restart for restart in (*recipe.restarts, steps) if restart > step), default=steps)
    end = min(end, steps)
    decay = max(1, round((end - begin) * recipe.decay))
    return recipe.learning_rate * min(1.0, (step - begin + 1) / recipe.warmup, (end - step) / decay)


def draw_log_gamma(u: Tensor, recipe: Recipe, schedule: VPSchedule, t_end: float = 1e-3) -> Tensor:
    """Uniform u (B,) -> log gamma (B,), logistic between gamma(t_end) and gamma(1)."""
    ends = schedule.gamma(torch.tensor([t_end, 1.0], dtype=torch.float64)).log()
    low, high = torch.sigmoid((ends - recipe.noise_centre) / recipe.noise_scale).tolist()
    return recipe.noise_centre + recipe.noise_scale * torch.logit(low + u * (high - low))


def spread_out(count: int, random: torch.Generator) -> Tensor:
    """One uniform number in each `count`-th of [0, 1): (count,), float64.

    Each is uniform in its part, so the mean loss is the same and its noise is smaller
    (Kingma et al., Variational Diffusion Models, 2021, appendix I.1).
    """
    within = torch.rand(count, generator=random, dtype=torch.float64)
    return (torch.arange(count, dtype=torch.float64) + within) / count


def step_generator(seed: int, step: int) -> torch.Generator:
    """The random numbers of one step, the same whether or not the training was interrupted."""
    return torch.Generator().manual_seed((seed * 1_000_003 + step) % (1 << 62))


def low_precision(device: torch.device) -> torch.autocast:
    """bf16 where the device multiplies it in hardware; elsewhere everything stays fp32."""
    fast = choose_placement(str(device), "auto").precision == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)


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
    cancelled: ThreadEvent | None = None,
) -> Iterator[TrainingStep]:
    """Train on images uint8 (N, C, H, W) with labels (N,); yields about once a `report_every`.

    `folder/checkpoint.pt` is written every two minutes, at the end, and when the training is
    stopped, by setting `cancelled` or by closing the iterator: weights, their running average
    (EMA), the optimiser and the step. `resume` goes on from there.
    """
    device = device or torch.device("cpu")
    begun = time.monotonic()
    schedule = VPSchedule()
    torch.manual_seed(seed)
    network = CompactUNet(recipe.network).to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.99),
        weight_decay=recipe.weight_decay, fused=True,
    )  # fmt: skip
    training = Training(
        folder / "checkpoint.pt", network, optimiser,
        names=("recipe", "network"), identity=_recipe_identity(recipe),
        seed=seed, steps=steps or recipe.steps, begun=begun,
    )  # fmt: skip
    if resume:
        training.resume(device)
    first = training.step

    precision = low_precision(device)
    losses: list[float] = []
    try:
        for step in range(first, training.steps):
            random = step_generator(seed, step)
            rows = torch.randint(len(images), (recipe.batch,), generator=random)
            x0 = images[rows].to(device).float() / 127.5 - 1.0
            label = labels[rows]
            dropped = torch.rand(recipe.batch, generator=random) < recipe.label_dropout
            label = torch.where(dropped, recipe.network.classes, label).to(device)
            u = spread_out(recipe.batch, random)
            log_gamma = draw_log_gamma(u, recipe, schedule).float().to(device)
            noise = torch.randn(x0.shape, generator=random).to(device)
            gamma = log_gamma.exp()
            alpha = expand((1.0 + gamma**2).rsqrt(), x0)
            sigma = expand(gamma, x0) * alpha

            with precision:
                v = network(alpha * x0 + sigma * noise, log_gamma, label)[0]
            loss = (v.float() - (alpha * noise - sigma * x0)).square().mean()
            training.descend(loss, learning_rate(recipe, step, training.steps), recipe.ema)

            losses.append(loss.item())
            stopped = cancelled is not None and cancelled.is_set()
            if training.step % report_every == 0 or training.step == training.steps or stopped:
                seconds = time.monotonic() - begun
                left = seconds / (training.step - first) * (training.steps - training.step)
                mean = math.fsum(losses) / len(losses)
                losses.clear()
                yield TrainingStep(training.step, training.steps, mean, training.seconds, left)
            if stopped:
                training.save()
                return
    except GeneratorExit:  # raised at a yield, so no step is half done
        training.save()
        raise


def _recipe_identity(recipe: Recipe) -> str:
    """What must agree for a checkpoint to be continued: the network and the optimisation."""
    words = {"title", "summary", "classes", "data", "spacing", "steps", "restarts"}
    kept = {k: v for k, v in asdict(recipe).items() if k not in words and not k.startswith("head_")}
    return repr(sorted(kept.items()))
