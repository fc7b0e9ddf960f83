"""`genie generate`: images from noise into a folder."""

from __future__ import annotations

import dataclasses
import random
import threading
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.classes import class_name, pick_classes, pick_labels
from engine.cli.command import Command, Namespace, number, whole
from engine.cli.console import Console, duration
from engine.cli.enlarging import add_enlarging_arguments, enlarge, find_upsampler
from engine.cli.interrupt import stop_on_interrupt
from engine.errors import BadRequest, EngineError, UnknownName
from engine.messages import (
    DEVICES,
    MAX_COUNT,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    SPACINGS,
    Catalogue,
    Control,
    GenerateRequest,
    Loading,
    ModelInfo,
    Notice,
    Progress,
    Provenance,
    Result,
)
from engine.solvers import solver_infos

if TYPE_CHECKING:
    from engine.cli.saving import Saver
    from engine.images import SavedSettings
    from engine.tasks import Engine

__all__ = ["COMMAND", "make_request"]

_OUT_OF_MEMORY, _STOPPED = 2, 130
_RANDOM_SEEDS = 2**32  # short enough to be read out


def _add_arguments(parser: ArgumentParser) -> None:
    solvers = ", ".join(info.name for info in solver_infos())
    what = parser.add_argument_group("what")
    what.add_argument("--model", default="fashion32", metavar="NAME", help="see `genie models`")
    what.add_argument(
        "--classes", default="all", metavar="LIST",
        help="all (goes round them), random, none, or names and numbers: 'Ankle boot,3'",
    )  # fmt: skip
    what.add_argument(
        "--count", type=whole(1, MAX_COUNT), metavar="N", help="images (default: one of each class chosen)"
    )
    what.add_argument(
        "--seed", type=whole(-1, MAX_SEED), default=0, metavar="N",
        help="of the first image; the next has one more; -1 draws one",
    )  # fmt: skip
    what.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FILE",
        help="make the image of this file again; no other setting but --device",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--solver", default="genie", metavar="NAME", help=solvers)
    how.add_argument(
        "--steps", type=whole(1, MAX_STEPS), default=10, metavar="N", help="how many steps the solver takes"
    )
    how.add_argument(
        "--spacing",
        metavar="NAME",
        help=f"where the steps lie: {', '.join(SPACINGS)} (default: the model's own)",
    )
    how.add_argument(
        "--guidance",
        type=number(-1, 50),
        metavar="W",
        help="how much the class is insisted on (default: the model's own)",
    )
    how.add_argument("--guidance-model", metavar="NAME", help="a second model to guide with")
    how.add_argument("--afs", action="store_true", help="analytic first step: saves one evaluation")
    how.add_argument("--denoise", action="store_true", help="one evaluation more, to take the last noise out")
    how.add_argument(
        "--t-end", type=number(1e-5, 0.5), default=1e-3, metavar="T", help="the time at which the walk ends"
    )
    add_enlarging_arguments(parser)
    where = parser.add_argument_group("where")
    where.add_argument("--device", default="auto", metavar="NAME", help=", ".join((*DEVICES, "cuda:1")))
    where.add_argument("--precision", default="auto", metavar="NAME", help=", ".join(PRECISIONS))
    where.add_argument(
        "--batch",
        type=whole(0, MAX_COUNT),
        default=0,
        metavar="N",
        help="images at once; 0: as many as are quick",
    )
    where.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the images")
    where.add_argument("--format", choices=("png", "jpg", "webp"), default="png", help="kind of file")
    where.add_argument("--grid", action="store_true", help="also write all images as one")


def make_request(arguments: Namespace, catalogue: Catalogue) -> GenerateRequest:
    """The request that the options describe; a `BadRequest` names the option that is wrong."""
    model = catalogue.model(arguments.model)
    seed = arguments.seed if arguments.seed >= 0 else random.SystemRandom().randrange(_RANDOM_SEEDS)
    picked = pick_classes(arguments.classes, model)
    solver = catalogue.solver(arguments.solver)
    if arguments.guidance_model is not None:
        try:
            catalogue.model(arguments.guidance_model)
        except UnknownName as error:
            raise UnknownName(error.message, field="guidance_model") from None
    return GenerateRequest(
        model=model.name,
        seed=seed,
        labels=pick_labels(picked, model, arguments.count, seed),
        solver=solver.name,
        steps=arguments.steps,
        spacing=arguments.spacing or model.spacing,
        guidance=model.guidance if arguments.guidance is None else arguments.guidance,
        guidance_model=arguments.guidance_model,
        analytic_first=arguments.afs,
        denoise=arguments.denoise,
        t_end=arguments.t_end,
        device=arguments.device,
        precision=arguments.precision,
        batch=arguments.batch,
    )


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue
    from engine.cli.saving import Saver, prepare_folder

    catalogue = read_catalogue()
    only: int | None = None
    made_by: Provenance | None = None
    if arguments.source is not None:
        settings = _read_source(arguments)
        request, only = settings.repeat()
        if "device" in arguments.given:
            request = dataclasses.replace(request, device=arguments.device)
        made_by = settings.provenance
    else:
        request = make_request(arguments, catalogue)
        if arguments.seed == -1:
            console.note(f"The seed is {request.seed}.")
    model = catalogue.model(request.model)
    upsampler = find_upsampler(arguments, model, catalogue)
    prepare_folder(arguments.out)

    console.progress("Starting")
    from engine.tasks import Engine

    cancelled = threading.Event()
    large: dict[str, Any] | None = None
    with stop_on_interrupt(cancelled):
        engine = Engine()
        result = _compute(engine, request, cancelled, console)
        if made_by is not None and not _alike(made_by, result.provenance):
            console.note(
                f"{arguments.source} was made on {made_by.device_name} with torch {made_by.torch}; "
                "here the image may differ by rounding."
            )
        saver = Saver(arguments.out, arguments.format, model, result)
        count = result.pictures.count
        shown = range(count) if only is None else range(only, min(only + 1, count))
        files = _save(saver, shown, result, model)
        grid = saver.save_grid(shown) if arguments.grid and files else None
        _tell(console, result, files, grid, arguments.out)
        if upsampler is not None and files and not cancelled.is_set():
            saved = [(index, Path(str(file["path"]))) for index, file in zip(shown, files, strict=True)]
            large = enlarge(engine, result, saved, upsampler, arguments, cancelled, console)

    finished = result.complete and (upsampler is None or (large is not None and bool(large["complete"])))
    stopped = cancelled.is_set() and not finished
    if stopped and large is not None:
        console.note(f"Stopped. {len(large['files'])} of {len(files)} images were enlarged and are kept.")
    elif stopped and result.complete:
        console.note("Stopped. The images are kept; none of them was enlarged.")
    elif stopped:
        console.note(f"Stopped. {len(files)} of {request.count} images were finished and are kept.")
    answer = {
        "complete": result.complete,
        "request": dataclasses.asdict(request),
        "files": files,
        "grid": str(grid) if grid else None,
        "evaluations": result.evaluations,
        "evaluations_paper": result.evaluations_paper,
        "seconds": result.seconds,
        "provenance": dataclasses.asdict(result.provenance),
        "notices": list(result.notices),
    }
    console.result(answer if upsampler is None else {**answer, "upsampled": large})
    if stopped:
        return _STOPPED
    return 0 if finished else _OUT_OF_MEMORY  # a notice has said why


def _tell(
    console: Console, result: Result, files: list[dict[str, object]], grid: Path | None, folder: Path
) -> None:
    """For a person: what was made and where it is."""
    if files:
        console.say(
            f"{len(files)} image{'s' if len(files) > 1 else ''} in {folder}: "
            f"{result.evaluations} evaluations each, {duration(result.seconds)} on {result.provenance.device_name}, "
            f"seeds from {files[0]['seed']}"
        )
        for file in files[:10]:
            console.say(f"  {file['path']}")
        if len(files) > 10:
            console.say(f"  ... and {len(files) - 10} more")
    if grid:
        console.say(f"  {grid}")


def _save(saver: Saver, indices: Iterable[int], result: Result, model: ModelInfo) -> list[dict[str, object]]:
    """Write these images; what `--json` tells of each. An error tells how many came before it."""
    files: list[dict[str, object]] = []
    try:
        for index in indices:
            path, label = saver.save(index), result.request.labels[index]
            seed = result.request.seeds[index]
            files.append({"path": str(path), "seed": seed, "label": label, "class": class_name(model, label)})
    except EngineError as error:
        error.details = f"{len(files)} of {result.pictures.count} images were saved before."
        raise
    return files


# What goes with --from: where the image is made and goes, not what it is.
_BESIDE_SOURCE = (
    *("source", "device", "out", "format", "grid", "json"),
    *("upsample", "upsample_steps", "aug_level", "consistent"),
)


def _read_source(arguments: Namespace) -> SavedSettings:
    """The settings in the file given with --from; beside them no other may be given."""
    from engine.images import read_settings

    for name in arguments.given:
        if name not in _BESIDE_SOURCE:
            option = "--" + name.replace("_", "-")
            raise BadRequest(
                f"{option} can't be given with --from, which repeats a file's own settings.", field=name
            )
    return read_settings(arguments.source)


def _alike(one: Provenance, other: Provenance) -> bool:
    """Whether both compute the same bits."""
    return (one.device_name, one.precision, one.torch) == (other.device_name, other.precision, other.torch)


def _compute(
    engine: Engine, request: GenerateRequest, cancelled: threading.Event, console: Console
) -> Result:
    """Run the request and show how it goes."""
    control = Control(cancelled, keep_steps=False)
    result: Result | None = None
    for event in engine.run(request, control):
        match event:
            case Loading():
                console.progress(f"Loading {event.model}: {event.fraction:.0%}")
            case Progress():
                console.progress(_describe(event, request.count), last=event.seconds_left <= 0)
            case Notice():
                console.note(event.message)
            case Result():
                result = event
    if result is None:
        raise EngineError("The engine ended without a result.")
    return result


def _describe(event: Progress, count: int) -> str:
    images = f"{event.first + 1}-{event.first + event.count}" if event.count > 1 else f"{event.first + 1}"
    return (
        f"image {images} of {count}  step {event.step}/{event.steps}  "
        f"evaluation {event.evaluations}/{event.evaluations_total}  {duration(event.seconds_left)} left"
    )


COMMAND = Command(
    name="generate",
    summary="Generate images from noise; one file an image, with its settings inside.",
    example="genie generate --model fashion32 --classes 'Ankle boot,Bag' --count 16 --steps 10 --out boots --grid",
    add_arguments=_add_arguments,
    run=_run,
)
