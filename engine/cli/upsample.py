"""`genie upsample`: small images made large by a diffusion model."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from engine.cli.classes import slug
from engine.cli.command import Command, Namespace, whole
from engine.cli.console import Console, duration
from engine.cli.enlarging import add_copying_arguments, copying
from engine.cli.following import follow
from engine.cli.interrupt import stop_on_interrupt
from engine.errors import BadImage, BadRequest
from engine.messages import (
    DEVICES,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    SPACINGS,
    Catalogue,
    FileImage,
    ModelInfo,
    Upsampled,
    UpsampleRequest,
)
from engine.solvers import solver_infos

__all__ = ["COMMAND", "choose_upsampler"]

_OUT_OF_MEMORY, _STOPPED = 2, 130


def _add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="the pictures to enlarge")
    what.add_argument(
        "--model", metavar="NAME", help="the upsampler (default: the one there is for their size)"
    )
    what.add_argument(
        "--crop", action="store_true",
        help="bring the square in the middle of a picture of another size to the size that is needed",
    )  # fmt: skip
    what.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="make the image of this file again"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--solver", default="genie", metavar="NAME", help=", ".join(info.name for info in solver_infos())
    )
    how.add_argument(
        "--steps", type=whole(1, MAX_STEPS), default=5, metavar="N", help="how many steps the solver takes"
    )
    how.add_argument(
        "--spacing",
        metavar="NAME",
        help=f"where the steps lie: {', '.join(SPACINGS)} (default: the model's own)",
    )
    how.add_argument(
        "--seed", type=whole(0, MAX_SEED), default=0, metavar="N",
        help="of the noise the first large image is made of; the next has one more",
    )  # fmt: skip
    add_copying_arguments(how, "model")
    how.add_argument(
        "--aug-seed", type=whole(0, MAX_SEED), metavar="N", help="of that noise (default: as --seed)"
    )
    how.add_argument("--afs", action="store_true", help="analytic first step: saves one evaluation")
    how.add_argument("--denoise", action="store_true", help="one evaluation more, to take the last noise out")
    where = parser.add_argument_group("where")
    where.add_argument("--device", default="auto", metavar="NAME", help=", ".join((*DEVICES, "cuda:1")))
    where.add_argument("--precision", default="auto", metavar="NAME", help=", ".join(PRECISIONS))
    where.add_argument(
        "--batch", type=whole(0, 1000), default=0, metavar="N", help="images at once; 0: as many as are quick"
    )
    where.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the images")
    where.add_argument("--format", choices=("png", "webp"), default="png", help="kind of file")


def choose_upsampler(name: str | None, size: int | None, catalogue: Catalogue) -> ModelInfo:
    """The upsampler called `name`, or the only one for images of `size` (if that tells)."""
    if name is not None:
        return catalogue.model(name)
    able = [info for info in catalogue.models if info.is_upsampler and info.problem is None]
    fitting = [info for info in able if info.upsamples_from == size] or able
    if len(fitting) == 1:
        return fitting[0]
    if not able:
        raise BadRequest("There is no upsampler yet. `genie models import` adds one.", field="model")
    listed = ", ".join(f"{info.name} (from {info.upsamples_from} pixels)" for info in able)
    raise BadRequest(f"Choose one of the upsamplers: {listed}.", field="model")


def _sources(paths: list[Path]) -> tuple[FileImage, ...]:
    """The files with what is in them now, so that a request means these very pictures."""
    sources = []
    for path in paths:
        try:
            sources.append(FileImage(str(path), hashlib.sha256(path.read_bytes()).hexdigest()))
        except OSError as error:
            raise BadImage(f"Couldn't read {path}: {error.strerror or error}.", field="images") from error
    return tuple(sources)


def _make_request(arguments: Namespace, catalogue: Catalogue) -> UpsampleRequest:
    from engine.messages.photos import Photo
    from engine.photos import open_photo

    if not arguments.images:
        raise BadRequest("Which images? Give one file or more, or --from.", field="images")
    images = _sources(arguments.images)
    first, _, _ = open_photo(Photo(images[0]))
    model = choose_upsampler(arguments.model, first.width if first.width == first.height else None, catalogue)
    return UpsampleRequest(
        model=model.name,
        images=images,
        seed=arguments.seed,
        aug_seed=arguments.seed if arguments.aug_seed is None else arguments.aug_seed,
        solver=catalogue.solver(arguments.solver).name,
        steps=arguments.steps,
        spacing=arguments.spacing or model.spacing,
        analytic_first=arguments.afs,
        denoise=arguments.denoise,
        crop=arguments.crop,
        **copying(arguments, model),
        device=arguments.device,
        precision=arguments.precision,
        batch=arguments.batch,
    )


# What goes with --from: where the image is made and goes, not what it is.
_BESIDE_SOURCE = ("source", "device", "out", "format", "json")


def _read_source(arguments: Namespace) -> tuple[UpsampleRequest, int]:
    """The request in the file given with --from; beside it no other setting may be given."""
    from engine.images import read_settings
    from engine.upsample_requests import repeat

    for name in (*["images"][: len(arguments.images)], *arguments.given):
        if name not in _BESIDE_SOURCE:
            word = "An image" if name == "images" else "--" + name.replace("_", "-")
            raise BadRequest(
                f"{word} can't be given with --from, which repeats a file's own settings.", field=name
            )
    request, index = repeat(read_settings(arguments.source))
    if "device" in arguments.given:
        request = dataclasses.replace(request, device=arguments.device)
    return request, index


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue
    from engine.cli.saving import prepare_folder
    from engine.cli.saving_large import save_large

    only: int | None = None
    if arguments.source is not None:
        request, only = _read_source(arguments)
        stems = [arguments.source.stem.partition(f"_{slug(request.model)}_")[0]] * request.count
    else:
        request = _make_request(arguments, read_catalogue())
        stems = [path.stem for path in arguments.images]
    prepare_folder(arguments.out)

    console.progress("Starting")
    from engine.tasks import Engine

    cancelled = threading.Event()
    with stop_on_interrupt(cancelled):
        outcome = follow(Engine(), request, cancelled, console, request.count)
        assert isinstance(outcome, Upsampled)
        files = save_large(outcome, arguments.out, arguments.format, stems, only)
    report(console, outcome, files, arguments.out)
    console.result(_as_json(outcome, files))
    if outcome.complete:
        return 0
    return _STOPPED if cancelled.is_set() else _OUT_OF_MEMORY  # a notice has said why


def report(console: Console, outcome: Upsampled, files: list[dict[str, Any]], folder: Path) -> None:
    """For a person: what was made and where it is."""
    if not files:
        console.say("No image was finished.")
        return
    size = outcome.pictures.width
    console.say(
        f"{len(files)} image{'s' if len(files) > 1 else ''} of {size}x{size} in {folder}: "
        f"{outcome.evaluations} evaluations each, {duration(outcome.seconds)} on {outcome.provenance.device_name}"
    )
    for file in files[:10]:
        console.say(f"  {file['path']}")
    if len(files) > 10:
        console.say(f"  ... and {len(files) - 10} more")


def _as_json(outcome: Upsampled, files: list[dict[str, Any]]) -> dict[str, Any]:
    request = outcome.request.to_dict()
    # The pictures themselves, in base64, are in the files.
    request["images"] = [image if "file" in image else {"png": "..."} for image in request["images"]]
    return {
        "complete": outcome.complete,
        "request": request,
        "files": files,
        "evaluations": outcome.evaluations,
        "seconds": outcome.seconds,
        "provenance": dataclasses.asdict(outcome.provenance),
        "notices": list(outcome.notices),
    }


COMMAND = Command(
    name="upsample",
    summary="Enlarge small images; one file an image, with its settings inside.",
    example="genie upsample emoji.png --model emoji256-up --steps 5 --out large",
    add_arguments=_add_arguments,
    run=_run,
)
