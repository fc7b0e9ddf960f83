"""`genie models`: what can be generated with, read from the cards without loading a weight."""

from __future__ import annotations

import dataclasses
from argparse import ArgumentParser

from engine.cli.command import Command, Namespace
from engine.cli.console import Console
from engine.errors import BadRequest
from engine.messages import ModelInfo

__all__ = ["COMMAND"]


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "show"), default="list", help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model to show")


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue

    catalogue = read_catalogue()
    if arguments.action == "show":
        if arguments.name is None:
            names = ", ".join(model.name for model in catalogue.models) or "none"
            raise BadRequest(f"Show which model? There is: {names}.")
        model = catalogue.model(arguments.name)
        _show(model, console)
        console.result(dataclasses.asdict(model))
        return 0
    if arguments.name is not None:
        raise BadRequest(f"list needs no name; did you mean `genie models show {arguments.name}`?")
    if not catalogue.models:
        console.say("There are no models yet. `genie train fashion32` makes one.")
    for model in catalogue.models:
        state = f"can't be used: {model.problem}" if model.problem else _abilities(model)
        console.say(f"{model.name:<20}  {model.title}: {_size(model)}, {state}")
    console.result({"models": [dataclasses.asdict(model) for model in catalogue.models]})
    return 0


def _size(model: ModelInfo) -> str:
    return f"{model.image_size}x{model.image_size} {'grey' if model.channels == 1 else 'colour'}"


def _abilities(model: ModelInfo) -> str:
    able = [f"{len(model.classes)} classes" if model.classes else "no classes"]
    able += ["guides itself"] if model.classes and model.null_label else []
    able += ["GENIE head"] if model.has_head else ["no GENIE head"]
    return ", ".join(able)


def _show(model: ModelInfo, console: Console) -> None:
    console.say(f"{model.title} ({model.name})")
    console.say(model.summary)
    rows = {
        "images": _size(model),
        "can do": _abilities(model),
        "classes": ", ".join(f"{i} {name}" for i, name in enumerate(model.classes)),
        "spacing": model.spacing,
        "size": f"{model.bytes / 1e6:.1f} MB",
        "data": model.data,
        "licence": model.licence,
        "folder": model.folder,
        "problem": model.problem or "",
    }
    for name, value in rows.items():
        if value:
            console.say(f"  {name:<8}  {value}")


COMMAND = Command(
    name="models",
    summary="List the models that are there, or show one of them.",
    example="genie models show fashion32",
    add_arguments=_add_arguments,
    run=_run,
)
