"""`genie generate --upsample`: what was generated, made large with the same seeds."""

from __future__ import annotations

import dataclasses
import threading
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.command import Namespace, number, whole
from engine.cli.console import Console
from engine.cli.following import follow
from engine.errors import BadRequest, UnknownName
from engine.messages import MAX_STEPS, Catalogue, ModelInfo, Result, Upsampled, Upsampling

if TYPE_CHECKING:
    from argparse import _ArgumentGroup as ArgumentGroup

    from engine.tasks import Engine

__all__ = [
    "add_copying_arguments",
    "add_enlarging_arguments",
    "changed",
    "copying",
    "enlarge",
    "find_upsampler",
]

_OWN = "the model's own"
# Options of the upsampler, and what an `Upsampling` calls them.
_FIELDS = {"upsample_steps": "steps", "aug_level": "aug_level", "consistent": "consistent"}


def add_enlarging_arguments(parser: ArgumentParser) -> None:
    large = parser.add_argument_group("enlarged")
    large.add_argument(
        "--upsample", nargs="?", const=_OWN, metavar="NAME",
        help="also make the images large, with the model's own upsampler or another",
    )  # fmt: skip
    large.add_argument(
        "--upsample-steps", type=whole(1, MAX_STEPS), default=5, metavar="N", help="steps of the upsampler"
    )
    add_copying_arguments(large, "upsampler")


def add_copying_arguments(group: ArgumentGroup, whose: str) -> None:
    """How closely the small image is copied; `copying` reads them, `whose` says whose own the default is."""
    group.add_argument(
        "--aug-level", type=number(1e-3, 1.0), metavar="S",
        help=f"how much noise hides the small image: more of it invents more (default: the {whose}'s own)",
    )  # fmt: skip
    group.add_argument(
        "--consistent", action=BooleanOptionalAction,
        help="correct the result so that it is the small image when made small again "
        f"(default: the {whose}'s own)",
    )  # fmt: skip


def copying(arguments: Namespace, upsampler: ModelInfo) -> dict[str, Any]:
    """Those fields of an `Upsampling`: what was given, or else what suits the upsampler."""
    return {
        name: getattr(upsampler, name) if (given := getattr(arguments, name)) is None else given
        for name in ("aug_level", "consistent")
    }


def changed(arguments: Namespace, own: Upsampling) -> Upsampling:
    """A walk's own, with what was given in place of what it says."""
    given = {
        name: getattr(arguments, option) for option, name in _FIELDS.items() if option in arguments.given
    }
    return dataclasses.replace(own, **given)


def find_upsampler(
    arguments: Namespace, model: ModelInfo, catalogue: Catalogue, own: Upsampling | None = None
) -> ModelInfo | None:
    """The upsampler asked for, which must fit the model; None if none was.

    Its options are refused where there is none, not even a walk's `own`.
    """
    if arguments.upsample is None:
        for name in arguments.given:
            if name in _FIELDS and own is None:
                option = "--" + name.replace("_", "-")
                raise BadRequest(f"{option} can't be given without --upsample.", field=name)
        return None
    able = [
        info
        for info in catalogue.models
        if info.problem is None and (info.upsamples_from, info.channels) == (model.image_size, model.channels)
    ]
    names = ", ".join(info.name for info in able)
    others = f" These could enlarge its images: {names}." if names else " `genie models import` adds one."
    if arguments.upsample == _OWN:
        if model.upsampler is None:
            raise BadRequest(f"{model.title} has no upsampler of its own.{others}", field="upsample")
        return catalogue.model(model.upsampler)
    try:
        chosen = catalogue.model(arguments.upsample)
    except UnknownName as error:
        raise UnknownName(error.message, field="upsample") from None
    if chosen not in able:
        size = f"{model.image_size} x {model.image_size}"
        raise BadRequest(
            f"{chosen.title} can't enlarge images of {model.title} ({size}).{others}", field="upsample"
        )
    return chosen


def enlarge(
    engine: Engine,
    result: Result,
    files: Sequence[tuple[int, Path]],
    upsampler: ModelInfo,
    arguments: Namespace,
    cancelled: threading.Event,
    console: Console,
) -> dict[str, Any]:
    """Make these images of the result large, beside their files; what `--json` tells of it."""
    from engine.cli.saving_large import save_large
    from engine.cli.upsample import report
    from engine.upsample_requests import requests_for

    requests = requests_for(
        result, upsampler, [index for index, _ in files],
        steps=arguments.upsample_steps, solver="genie" if upsampler.has_head else "ddim",
        **copying(arguments, upsampler),
    )  # fmt: skip
    kind = "webp" if arguments.format == "webp" else "png"
    stems = iter([path.stem for _, path in files])
    made: list[dict[str, Any]] = []
    notices: list[str] = []
    seconds, complete = 0.0, True
    outcome: Upsampled | None = None
    for request in requests:
        done = follow(engine, request, cancelled, console, request.count, word=f"{upsampler.name}: image")
        assert isinstance(done, Upsampled)
        outcome = done
        saved = save_large(done, arguments.out, kind, [next(stems) for _ in range(request.count)])
        report(console, done, saved, arguments.out)
        made += saved
        notices += done.notices
        seconds += done.seconds
        complete = complete and done.complete
        if not complete:
            break
    return {
        "model": upsampler.name,
        "complete": complete,
        "files": made,
        "evaluations": outcome.evaluations if outcome else 0,
        "seconds": seconds,
        "provenance": dataclasses.asdict(outcome.provenance) if outcome else None,
        "notices": notices,
    }
