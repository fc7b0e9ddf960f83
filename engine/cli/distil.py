"""`genie distil`: give a trained network its GENIE head, and write both as a model."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from threading import Event as ThreadEvent
from typing import TYPE_CHECKING

from engine.cli.command import Command, Namespace
from engine.cli.console import Console
from engine.cli.training import Run, add_training_arguments, follow, last_report
from engine.errors import BadRequest
from engine.files import surely

if TYPE_CHECKING:
    from engine.training.examples import Examples

__all__ = ["COMMAND"]


def _add_arguments(parser: ArgumentParser) -> None:
    add_training_arguments(parser, steps_help="distillation steps (default: the recipe's)", report_every=50)
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="folder the model is written to (default: model inside --out)",
    )


def _run(arguments: Namespace, console: Console) -> int:
    run = Run.prepare(arguments)
    network = run.load_network()
    checkpoint = run.out / "head.pt"
    if surely(checkpoint.exists) and not arguments.resume:
        raise BadRequest(
            f"{checkpoint} is there already. Go on from it with --resume, or give another --out.", field="out"
        )
    examples = run.load_examples(arguments.data, console)

    from engine.checkpoints.library import user_folder
    from engine.cli.saving import prepare_folder
    from engine.training.bundle import write_model
    from engine.training.distil import distil_head

    prepare_folder(run.out)

    cancelled = ThreadEvent()
    steps = distil_head(
        run.recipe, network, examples, run.out,
        seed=arguments.seed, steps=arguments.steps, resume=arguments.resume,
        device=run.device, report_every=arguments.report_every, cancelled=cancelled,
    )  # fmt: skip
    again = run.command("distil", arguments, "steps", "seed", "data", "device", "model")
    last = follow(steps, cancelled, console, f"Go on with `{again} --resume`.")
    model = arguments.model or run.out / "model"
    console.progress(f"Writing {model}")
    write_model(run.recipe, run.out, model, run.device)
    _write_sample(run, model, examples)
    console.say(f"Distilled the head of {arguments.name}; the model is in {model}.")
    console.say(f"Models in {user_folder()} can be chosen in the window and by name.")
    console.result({"recipe": arguments.name, "model": str(model), **last_report(last)})
    return 0


def _write_sample(run: Run, model: Path, examples: Examples) -> None:
    """Four pictures, two by two, that stand for the model wherever it is listed."""
    from engine.images import grid, save
    from engine.networks.compact import CompactConfig

    if not isinstance(run.recipe.network, CompactConfig):
        from engine.checkpoints.card import CARD, read_card
        from engine.checkpoints.native import load_network
        from engine.training.samples import enlarged, write_picture

        write_picture(
            model / "sample.png", enlarged(load_network(model, read_card(model / CARD)), examples, 4, 2)
        )
        return
    from engine.messages import GenerateRequest, Result
    from engine.tasks import Engine

    engine = Engine([model])
    (info,) = engine.catalogue().models
    classes = len(info.classes)
    labels = tuple(i * classes // 4 for i in range(4)) if classes else (None,) * 4
    request = GenerateRequest(
        info.name,
        labels=labels,
        solver="ddim",
        steps=50,
        spacing=info.spacing,
        guidance=1.0 if classes and info.null_label else 0.0,
    )
    *_, result = engine.run(request)
    assert isinstance(result, Result)
    save(model / "sample.png", grid(result.pictures, 2))


COMMAND = Command(
    name="distil",
    summary="Distil the GENIE head of a trained network; it can be stopped and resumed.",
    example=f"genie distil fashion32 --out {Path('runs') / 'fashion32'} --resume",
    add_arguments=_add_arguments,
    run=_run,
)
