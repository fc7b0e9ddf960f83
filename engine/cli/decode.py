"""`genie decode`: latents back into pictures."""

from __future__ import annotations

import dataclasses
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from engine.cli.command import Command, Namespace
from engine.cli.console import Console, duration
from engine.cli.following import follow
from engine.cli.interrupt import stop_on_interrupt
from engine.cli.walking import add_walk_options, free_stem, one_class, save_picture
from engine.errors import BadRequest
from engine.messages import Catalogue
from engine.messages.encode import Decoded, DecodeRequest

__all__ = ["COMMAND"]

_BAD, _STOPPED = 2, 130
# What a latent's file says, unless it is given. That may be "auto" too, which is another device than the file's.
_OF_FILE = (
    *("model", "solver", "steps", "spacing", "guidance", "guidance_model", "t_end"),
    *("device", "precision", "batch"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument(
        "latents", nargs="*", type=Path, metavar="LATENT", help="files that `genie encode` wrote"
    )
    what.add_argument("--model", metavar="NAME", help="the latent's own unless said otherwise")
    what.add_argument("--class", dest="label", metavar="C", help="another class than it was encoded as")
    add_walk_options(
        parser, guidance="as it was encoded with unless said otherwise", steps=None, where="as it was encoded"
    )


def _request(arguments: Namespace, path: Path, catalogue: Catalogue) -> DecodeRequest:
    from engine.encode import decode_request_of

    changes: dict[str, Any] = {
        name: getattr(arguments, name) for name in _OF_FILE if getattr(arguments, name) is not None
    }
    request = decode_request_of(path, **changes)
    catalogue.solver(request.solver)
    if arguments.label is not None:
        label = one_class(arguments.label, catalogue.model(request.model), "class")
        request = dataclasses.replace(request, labels=(label,))
    return request


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue
    from engine.cli.saving import prepare_folder

    if not arguments.latents:
        raise BadRequest("Which latents? Give one file or more.", field="latents")
    catalogue = read_catalogue()
    requests = [_request(arguments, path, catalogue) for path in arguments.latents]
    prepare_folder(arguments.out)
    console.progress("Starting")
    from engine.tasks import Engine

    engine, cancelled, taken = Engine(), threading.Event(), set[str]()
    files: list[dict[str, Any]] = []
    complete = True
    with stop_on_interrupt(cancelled):
        for path, request in zip(arguments.latents, requests, strict=True):
            outcome = follow(engine, request, cancelled, console)
            assert isinstance(outcome, Decoded)
            complete = complete and outcome.complete
            if not outcome.kept:
                break
            name = path.name.removesuffix(".safetensors").removesuffix(".latent")
            stem = free_stem(arguments.out, name, taken, (".png",))
            file = save_picture(arguments.out / f"{stem}.png", outcome.pictures)
            files.append(
                {
                    "latent": str(path),
                    "path": file,
                    "request": request.to_dict(),
                    "evaluations": outcome.evaluations,
                    "seconds": outcome.seconds,
                }
            )
            console.say(f"{file}: {outcome.evaluations} evaluations, {duration(outcome.seconds)}")
    console.result({"complete": complete, "files": files})
    if complete:
        return 0
    return _STOPPED if cancelled.is_set() else _BAD


COMMAND = Command(
    name="decode",
    summary="Turn latents back into pictures.",
    example="genie decode encoded/shoe.latent.safetensors --out decoded",
    add_arguments=_add_arguments,
    run=_run,
)
