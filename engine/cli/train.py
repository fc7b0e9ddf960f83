"""`genie train`: make a network from a recipe."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from threading import Event as ThreadEvent

from engine.cli.command import Command, Namespace
from engine.cli.console import Console
from engine.cli.training import Run, add_training_arguments, follow, last_report
from engine.errors import BadRequest
from engine.files import surely

__all__ = ["COMMAND"]


def _add_arguments(parser: ArgumentParser) -> None:
    add_training_arguments(parser, steps_help="training steps (default: the recipe's)", report_every=25)


def _run(arguments: Namespace, console: Console) -> int:
    run = Run.prepare(arguments)
    checkpoint = run.out / "checkpoint.pt"
    if surely(checkpoint.exists) and not arguments.resume:
        raise BadRequest(
            f"{checkpoint} is there already. Go on from it with --resume, or give another --out.", field="out"
        )
    examples = run.load_examples(arguments.data, console)

    from engine.cli.saving import prepare_folder
    from engine.training.diffusion import train_network

    prepare_folder(run.out)

    cancelled = ThreadEvent()
    steps = train_network(
        run.recipe, examples, run.out,
        seed=arguments.seed, steps=arguments.steps, resume=arguments.resume,
        device=run.device, report_every=arguments.report_every, cancelled=cancelled,
    )  # fmt: skip
    again = run.command("train", arguments, "steps", "seed", "data", "device")
    last = follow(steps, cancelled, console, f"Go on with `{again} --resume`.")
    console.say(f"Trained {arguments.name}: {checkpoint}")
    following = run.command("distil", arguments, "data", "device")
    console.say(f"Now `{following}` makes its GENIE head and writes the model.")
    console.result({"recipe": arguments.name, "checkpoint": str(checkpoint), **last_report(last)})
    return 0


COMMAND = Command(
    name="train",
    summary="Train a network from a recipe; it can be stopped and resumed.",
    example=f"genie train fashion32 --out {Path('runs') / 'fashion32'} --resume",
    add_arguments=_add_arguments,
    run=_run,
)
