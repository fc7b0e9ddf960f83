"""`genie models`: what there is to generate with; models come, leave and come back."""

from __future__ import annotations

import dataclasses
import threading
from argparse import ArgumentParser

from engine.cli.classes import slug
from engine.cli.command import Command, Namespace
from engine.cli.console import Console, duration
from engine.cli.following import follow
from engine.cli.interrupt import stop_on_interrupt
from engine.errors import BadRequest, UnknownName
from engine.messages import Catalogue, Imported, ImportRequest, ModelInfo

__all__ = ["COMMAND"]

_ACTIONS = ("list", "show", "import", "remove", "restore")
_BAD_INPUT, _STOPPED = 2, 130


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=_ACTIONS, default="list", help="what to do")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="the models meant; for import the files, or folders of them"
    )
    bring = parser.add_argument_group("import")
    bring.add_argument("--name", metavar="NAME", help="which model a file is, where nothing in it tells")
    bring.add_argument("--replace", action="store_true", help="replace a model that is there already")
    leave = parser.add_argument_group("remove")
    leave.add_argument("--forever", action="store_true", help="delete it at once: it can't be restored")
    show = parser.add_argument_group("show")
    show.add_argument(
        "--find", metavar="WORD", help="of its classes only those with this in a name or synonym"
    )


def _run(arguments: Namespace, console: Console) -> int:
    action: str = arguments.action
    for option, belongs in (
        ("name", "import"),
        ("replace", "import"),
        ("forever", "remove"),
        ("find", "show"),
    ):
        if getattr(arguments, option) and action != belongs:
            raise BadRequest(f"--{option} is for `genie models {belongs}`.", field=option)
    if action == "import":
        return _import(arguments, console)
    if action == "restore":
        return _restore(arguments, console)
    from engine.catalogue import read_catalogue

    catalogue = read_catalogue()
    if action == "remove":
        return _remove(arguments, catalogue, console)
    if action == "show":
        model = catalogue.model(_one_name(arguments, catalogue))
        _show(model, arguments.find, console)
        console.result(dataclasses.asdict(model))
        return 0
    if arguments.names:
        raise BadRequest(f"list needs no name; did you mean `genie models show {arguments.names[0]}`?")
    _list(catalogue, console)
    return 0


def _one_name(arguments: Namespace, catalogue: Catalogue) -> str:
    if len(arguments.names) != 1:
        names = ", ".join(model.name for model in catalogue.models) or "none"
        which = "Which model" if not arguments.names else "One model at a time: which"
        raise BadRequest(f"{which} should `genie models {arguments.action}` take? There is: {names}.")
    name: str = arguments.names[0]
    return name


# --- list and show ----------------------------------------------------------------------------


def _list(catalogue: Catalogue, console: Console) -> None:
    if not catalogue.models:
        console.say("There are no models yet. `genie train fashion32` makes one.")
    for model in catalogue.models:
        state = f"can't be used: {model.problem}" if model.problem else _abilities(model)
        console.say(f"{model.name:<20}  {model.title}: {_size(model)}, {state}, {model.bytes / 1e6:.0f} MB")
    console.result({"models": [dataclasses.asdict(model) for model in catalogue.models]})


def _size(model: ModelInfo) -> str:
    kind = "grey" if model.channels == 1 else "colour"
    start = f"{model.upsamples_from}x{model.upsamples_from} to " if model.is_upsampler else ""
    return f"{start}{model.image_size}x{model.image_size} {kind}"


def _abilities(model: ModelInfo) -> str:
    able = (
        [f"{len(model.classes)} classes" if model.classes else "no classes"] if not model.is_upsampler else []
    )
    able += ["guides itself"] if model.classes and model.null_label else []
    able += ["GENIE head"] if model.has_head else ["no GENIE head"]
    able += [f"enlarged by {model.upsampler}"] if model.upsampler else []
    return ", ".join(able)


def _show(model: ModelInfo, find: str | None, console: Console) -> None:
    console.say(f"{model.title} ({model.name})")
    console.say(model.summary)
    rows = {
        "images": _size(model),
        "can do": _abilities(model),
        "classes": _classes(model, find),
        "spacing": model.spacing,
        "suited by": _suits(model),
        "size": f"{model.bytes / 1e6:.1f} MB",
        "data": model.data,
        "licence": model.licence,
        "folder": model.folder,
        "problem": model.problem or "",
    }
    for name, value in rows.items():
        if value:
            console.say(f"  {name:<9}  {value}")


def _suits(model: ModelInfo) -> str:
    """What is used where nothing else is said."""
    if model.is_upsampler:
        matched = ", matched to the small image" if model.consistent else ""
        return f"noise {model.aug_level:g}{matched}"
    return f"guidance {model.guidance:g}" if model.guidance else ""


def _classes(model: ModelInfo, find: str | None) -> str:
    """All classes; or those with a word, each with its synonyms."""
    if find is None:
        return ", ".join(f"{i} {name}" for i, name in enumerate(model.classes))
    found = []
    for number, name in enumerate(model.classes):
        others = model.synonyms[number] if model.synonyms else ()
        if any(slug(find) in slug(word) for word in (name, *others)):
            found.append(f"{number} {name}" + (f" ({', '.join(others)})" if others else ""))
    return ", ".join(found) or f"none has {find!r} in its name"


# --- import -----------------------------------------------------------------------------------


def _import(arguments: Namespace, console: Console) -> int:
    if not arguments.names:
        raise BadRequest("Import which files? Each model is a network's file and, better, its GENIE head's.")
    request = ImportRequest(tuple(arguments.names), arguments.name, arguments.replace)
    console.progress("Starting")
    from engine.tasks import Engine

    cancelled = threading.Event()
    with stop_on_interrupt(cancelled):
        engine = Engine()
        outcome = follow(engine, request, cancelled, console, loading="Importing")
        assert isinstance(outcome, Imported)
        catalogue = engine.catalogue()
    for refused in outcome.refused:
        advice = {"name": " Say which with --name.", "replace": " --replace does that."}
        console.note(refused.message + advice.get(refused.field or "", ""))
    for name in outcome.models:
        model = catalogue.model(name)
        console.say(
            f"Imported {name}: {model.title}, {_size(model)}, {_abilities(model)}, {model.bytes / 1e6:.0f} MB"
        )
    if not outcome.models:
        console.say("Nothing was imported.")
    elif outcome.complete:
        console.say(f"{len(outcome.models)} in {duration(outcome.seconds)}.")
    console.result(
        {
            "complete": outcome.complete,
            "models": [dataclasses.asdict(catalogue.model(name)) for name in outcome.models],
            "refused": [dataclasses.asdict(refused) for refused in outcome.refused],
            "seconds": outcome.seconds,
        }
    )
    if outcome.stopped:
        console.note("Stopped. What was not finished left nothing behind.")
        return _STOPPED
    return 0 if outcome.complete else _BAD_INPUT


# --- remove and restore -----------------------------------------------------------------------


def _remove(arguments: Namespace, catalogue: Catalogue, console: Console) -> int:
    from engine.checkpoints.storage import empty_trash, remove, removed_models

    name = _one_name(arguments, catalogue)
    freed = 0
    if arguments.forever and any(removed.name == name for removed in removed_models()):
        freed = empty_trash(name=name)  # what was removed before
    if not freed or any(model.name == name for model in catalogue.models):
        removed = remove(catalogue.model(name))
        if not arguments.forever:
            console.say(
                f"{name} is removed. `genie models restore {name}` brings it back; it still takes "
                f"{removed.bytes / 1e6:.1f} MB until `genie models remove {name} --forever`."
            )
        else:
            freed += empty_trash(removed.place.parent, name)
    if arguments.forever:
        console.say(f"{name} is deleted; {freed / 1e6:.1f} MB are free again.")
    console.result({"removed": name, "forever": arguments.forever, "freed_bytes": freed})
    return 0


def _restore(arguments: Namespace, console: Console) -> int:
    from engine.checkpoints.storage import removed_models, restore

    waiting = removed_models()
    there = ", ".join(dict.fromkeys(removed.name for removed in waiting)) or "none"
    if len(arguments.names) != 1:
        raise BadRequest(f"Restore which model? Removed: {there}.")
    (name,) = arguments.names
    chosen = next((removed for removed in waiting if removed.name == name), None)
    if chosen is None:
        raise UnknownName(f"No model {name!r} was removed. Removed: {there}.")
    place = restore(chosen)
    console.say(f"{name} is back in {place}.")
    console.result({"restored": name, "folder": str(place)})
    return 0


COMMAND = Command(
    name="models",
    summary="List, show, import, remove or restore models.",
    example="genie models import checkpoint.pth genie_checkpoint.pth",
    add_arguments=_add_arguments,
    run=_run,
)
