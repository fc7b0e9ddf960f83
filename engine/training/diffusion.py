"""Training of a network on the v-prediction objective.

v = alpha eps - sigma x_0 (Salimans and Ho, 2022). Every random number of step n comes from a
generator seeded by (seed, n), so a resumed training is the one that was never interrupted.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event as ThreadEvent

import torch
from torch import Tensor

from engine.devices import choose_placement
from engine.errors import UnusableFolder
from engine.schedule import VPSchedule, expand
from engine.training.checkpoint import Training
from engine.training.examples import Examples
from engine.training.objective import draw_view, make_network
from engine.training.optimiser import network_optimiser
from engine.training.recipes import Recipe
from engine.training.samples import write_loss, write_sheet

__all__ = [
    "TrainingStep",
    "draw_log_gamma",
    "learning_rate",
    "low_precision",
    "spread_out",
    "step_generator",
    "train_network",
]


_BETWEEN_SHEETS = 300.0  # seconds


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


def draw_log_gamma(
    u: Tensor, centre: float, scale: float, schedule: VPSchedule, t_end: float = 1e-3
) -> Tensor:
    """Uniform u (B,) -> log gamma (B,), logistic between gamma(t_end) and gamma(1)."""
    ends = schedule.gamma(torch.tensor([t_end, 1.0], dtype=torch.float64)).log()
    low, high = torch.sigmoid((ends - centre) / scale).tolist()
    return centre + scale * torch.logit(low + u * (high - low))


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
    examples: Examples,
    folder: Path,
    *,
    seed: int = 0,
    steps: int | None = None,
    resume: bool = False,
    device: torch.device | None = None,
    report_every: int = 25,
    cancelled: ThreadEvent | None = None,
) -> Iterator[TrainingStep]:
    """Train on `examples`; yields about once a `report_every`.

    `folder/checkpoint.pt` is written every two minutes, at the end, and when the training is
    stopped, by setting `cancelled` or by closing the iterator: weights, their running average
    (EMA), the optimiser and the step. `resume` goes on from there, to `steps` if they are given,
    else to the steps it was begun with. Beside it are `losses.csv`, a line a report, and
    `samples.png`, renewed every five minutes and at the end; where they can't be written it goes
    on without.
    """
    device = device or torch.device("cpu")
    begun = time.monotonic()
    schedule = VPSchedule()
    torch.manual_seed(seed)
    network = make_network(recipe).to(device).train()
    optimiser = network_optimiser(network, recipe.learning_rate, recipe.weight_decay)
    training = Training(
        folder / "checkpoint.pt", network, optimiser,
        names=("recipe", "network"), identity=_recipe_identity(recipe),
        seed=seed, asked=steps, usual=recipe.steps, begun=begun,
    )  # fmt: skip
    if resume:
        training.resume(device)
    first = training.step

    precision = low_precision(device)
    losses: list[float] = []
    looked = begun
    try:
        for step in range(first, training.steps):
            random = step_generator(seed, step)
            pictures, label = examples.draw(recipe.batch, random)
            x0 = pictures.to(device).float() / 127.5 - 1.0
            dropped = torch.rand(recipe.batch, generator=random) < recipe.label_dropout
            label = torch.where(dropped, recipe.network.classes, label).to(device)
            u = spread_out(recipe.batch, random)
            log_gamma = (
                draw_log_gamma(u, recipe.noise_centre, recipe.noise_scale, schedule).float().to(device)
            )
            noise = torch.randn(x0.shape, generator=random).to(device)
            gamma = log_gamma.exp()
            alpha = expand((1.0 + gamma**2).rsqrt(), x0)
            sigma = expand(gamma, x0) * alpha

            view = draw_view(network, x0, random)
            with precision:
                v = view.network(alpha * x0 + sigma * noise, log_gamma, label)[0]
            errors = (v.float() - (alpha * noise - sigma * x0)).square()
            weight = view.weight(log_gamma)
            loss = (errors if weight is None else expand(weight, errors) * errors).mean()
            training.descend(loss, learning_rate(recipe, step, training.steps), recipe.ema)

            losses.append(loss.item())
            stopped = cancelled is not None and cancelled.is_set()
            if training.step % report_every == 0 or training.step == training.steps or stopped:
                seconds = time.monotonic() - begun
                left = seconds / (training.step - first) * (training.steps - training.step)
                mean = math.fsum(losses) / len(losses)
                losses.clear()
                with contextlib.suppress(UnusableFolder):
                    write_loss(folder / "losses.csv", training.step, mean, training.seconds)
                    if time.monotonic() - looked > _BETWEEN_SHEETS or training.step == training.steps:
                        looked = time.monotonic()
                        write_sheet(folder / "samples.png", recipe, network, training.average, examples)
                yield TrainingStep(training.step, training.steps, mean, training.seconds, left)
            if stopped:
                training.save()
                return
    except GeneratorExit:  # raised at a yield, so no step is half done
        training.save()
        raise


def _recipe_identity(recipe: Recipe) -> str:
    """What must agree for a checkpoint to be continued: the network and the optimisation."""
    words = {"title", "summary", "classes", "data", "examples", "steps", "restarts"}
    words |= {
        "spacing",
        "guidance",
        "aug_level",
        "consistent",
        "background",
    }  # how it is used, not how it is made
    kept = {k: v for k, v in asdict(recipe).items() if k not in words and not k.startswith("head_")}
    return repr(sorted(kept.items()))
