"""What `genie train` and `genie distil` share: recipe, data, device and the progress display."""

from __future__ import annotations

import math
import shlex
from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event as ThreadEvent
from typing import TYPE_CHECKING, Any

from engine.cli.command import Namespace, nearest, whole
from engine.cli.console import Console, duration
from engine.cli.interrupt import stop_on_interrupt
from engine.errors import BadCheckpoint, MissingData, UnknownName
from engine.files import surely

if TYPE_CHECKING:
    import torch
    from torch import nn

    from engine.training.diffusion import TrainingStep
    from engine.training.examples import Examples
    from engine.training.recipes import Recipe

__all__ = ["Run", "add_training_arguments", "follow", "last_report"]

_DEFAULTS = {"seed": 0, "device": "auto"}


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
        from engine.devices import choose_placement, use_threads
        from engine.training.recipes import RECIPES

        recipe = RECIPES.get(arguments.name)
        if recipe is None:
            raise UnknownName(
                f"There is no recipe {arguments.name!r}.{nearest(arguments.name, list(RECIPES))} "
                f"There is: {', '.join(RECIPES)}."
            )
        out = arguments.out or Path("runs") / arguments.name
        use_threads(arguments.threads)
        return cls(recipe, out, choose_placement(arguments.device, "fp32").device)

    def command(self, name: str, arguments: Namespace, *options: str) -> str:
        """`genie NAME` for this run, with those of the options that were given."""
        words = ["genie", name, self.recipe.name, "--out", str(self.out)]
        for option in options:
            value = getattr(arguments, option)
            if value != _DEFAULTS.get(option):
                words += [f"--{option}", str(value)]
        return shlex.join(words)

    def load_examples(self, folder: Path | None, console: Console) -> Examples:
        """What the recipe trains on; pictures that can't be read are named on the console."""
        from engine.training.data import load_examples

        return load_examples(self.recipe.examples, folder, console.note)

    def load_network(self) -> nn.Module:
        """The network that `genie train` left in this folder: its running average."""
        from engine.training.bundle import read_finished
        from engine.training.objective import make_network

        path = self.out / "checkpoint.pt"
        if not surely(path.exists):
            raise MissingData(
                f"There is no {path}. Train a network first: `genie train {self.recipe.name} --out {self.out}`.",
                field="out",
            )
        state = read_finished(path, self.recipe)
        network = make_network(self.recipe)
        try:
            network.load_state_dict(state["average"])
        except RuntimeError as error:
            raise BadCheckpoint(
                f"The network in {path} comes from another recipe. Give another --out.",
                field="out",
                details=str(error)[:2000],
            ) from error
        return network


def follow(
    steps: Iterable[TrainingStep], cancelled: ThreadEvent, console: Console, again: str
) -> TrainingStep | None:
    """Show a training until it ends; the last report, or None where nothing was left to do.

    Ctrl+C ends it with a KeyboardInterrupt once its checkpoint is written.
    """
    last: TrainingStep | None = None
    try:
        with stop_on_interrupt(cancelled):
            for last in steps:
                console.progress(
                    f"step {last.step:,}/{last.steps:,}  {_loss(last)}{duration(last.seconds)}, "
                    f"{duration(last.seconds_left)} left",
                    last=last.step == last.steps,
                )
        if cancelled.is_set() and last is not None and last.step < last.steps:
            raise KeyboardInterrupt
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
