"""What `genie train` and `genie distil` share: recipe, data, device and the progress display."""

from __future__ import annotations

import math
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.command import Namespace, nearest, whole
from engine.cli.console import Console, duration
from engine.errors import BadCheckpoint, BadRequest, MissingData, UnknownName

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from engine.networks.compact import CompactUNet
    from engine.training.diffusion import TrainingStep
    from engine.training.recipes import Recipe

__all__ = ["Run", "add_training_arguments", "follow", "last_report"]


def add_training_arguments(parser: ArgumentParser, *, steps_help: str, report_every: int) -> None:
    parser.add_argument("name", metavar="NAME", help="the recipe, for example fashion32")
    parser.add_argument("--steps", type=whole(1, 10_000_000), metavar="N", help=steps_help)
    parser.add_argument("--seed", type=whole(0, 2**31 - 1), default=0, help="where the random numbers start")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the training data (default: where the system has it)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the checkpoints (default: runs/NAME)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument(
        "--threads", type=whole(1, 1024), metavar="N", help="threads on a CPU (default: all cores but one)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the checkpoint in --out, if there is one"
    )
    parser.add_argument(
        "--report-every",
        type=whole(1, 1_000_000),
        default=report_every,
        metavar="N",
        help="steps between two reports",
    )


@dataclass(frozen=True)
class Run:
    """A recipe, the folder it works in and the device it works on."""

    recipe: Recipe
    out: Path
    device: torch.device

    @classmethod
    def prepare(cls, arguments: Namespace) -> Run:
        """Check the arguments; torch is imported here, and not before."""
        from engine.training.recipes import RECIPES

        recipe = RECIPES.get(arguments.name)
        if recipe is None:
            raise UnknownName(
                f"There is no recipe {arguments.name!r}.{nearest(arguments.name, list(RECIPES))} "
                f"There is: {', '.join(RECIPES)}."
            )
        out = arguments.out or Path("runs") / arguments.name
        return cls(recipe, out, _device(arguments.device, arguments.threads))

    def load_images(self, folder: Path | None) -> tuple[Tensor, Tensor]:
        """Training images uint8 (N, C, H, W) and their labels (N,)."""
        from engine.training.fashion import load_fashion

        return load_fashion("train", folder)

    def load_network(self) -> CompactUNet:
        """The network that `genie train` left in this folder: its running average."""
        import torch

        from engine.networks.compact import CompactUNet

        path = self.out / "checkpoint.pt"
        if not path.exists():
            raise MissingData(
                f"There is no {path}. Train a network first: `genie train {self.recipe.name} --out {self.out}`.",
                field="out",
            )
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            network = CompactUNet(self.recipe.network)
            network.load_state_dict(state["average"])
        except Exception as error:  # torch has many words for a file that is not what it should be
            raise BadCheckpoint(
                f"Couldn't read {path}: it is damaged, or comes from another recipe.",
                field="out",
                details=str(error)[:2000],
            ) from error
        return network


def _device(name: str, threads: int | None) -> torch.device:
    import os

    import torch

    torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:  # what torch raises here differs per device and build
        raise BadRequest(
            f"device is {name!r}, which can't be used here: {str(error).splitlines()[0]} Choose auto or cpu.",
            field="device",
        ) from error
    return device


def follow(steps: Iterable[TrainingStep], console: Console, again: str) -> TrainingStep | None:
    """Show a training until it ends; the last report, or None where nothing was left to do."""
    last: TrainingStep | None = None
    try:
        for last in steps:
            console.progress(
                f"step {last.step:,}/{last.steps:,}  {_loss(last)}{duration(last.seconds)}, "
                f"{duration(last.seconds_left)} left",
                last=last.step == last.steps,
            )
    except KeyboardInterrupt:
        console.note(again)
        raise
    return last


def _loss(report: TrainingStep) -> str:
    return f"loss {report.loss:.5f}  " if math.isfinite(report.loss) else ""


def last_report(last: TrainingStep | None) -> dict[str, Any]:
    """A training's last report as it stands in `--json`."""
    if last is None:
        return {"steps": None, "loss": None, "seconds": None}
    loss = last.loss if math.isfinite(last.loss) else None  # JSON knows no NaN
    return {"steps": last.step, "loss": loss, "seconds": last.seconds}
