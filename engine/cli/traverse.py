"""`genie traverse`: a walk through the latents of a model as a video."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.classes import pick_classes, pick_labels
from engine.cli.command import Command, Namespace, number, whole
from engine.cli.console import Console, duration
from engine.cli.enlarging import add_enlarging_arguments, changed, copying, find_upsampler
from engine.cli.interrupt import stop_on_interrupt
from engine.errors import BadRequest, EngineError
from engine.files import surely
from engine.messages import (
    DEVICES,
    FORMATS,
    MAX_COUNT,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    QUALITIES,
    SPACINGS,
    Catalogue,
    Control,
    Loading,
    Notice,
    Progress,
    RenderProgress,
    Sampling,
    TraverseRequest,
    TraverseResult,
    Upsampling,
    Walk,
)
from engine.solvers import solver_infos
from engine.walk import noise_loop, random_walk
from engine.walk_files import holds_walk, read_walk_file, write_walk

if TYPE_CHECKING:
    from engine.tasks import Engine

__all__ = ["COMMAND"]

_STOPPED, _NOT_ALL = 130, 2
_OF_READY_MADE = ("model", "classes", "seed", "seconds", "guidance")  # what --random and --circle ask for


def _add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument(
        "walk", nargs="?", type=Path, metavar="WALK",
        help="a walk's file (.toml), or a video rendered before",
    )  # fmt: skip
    what.add_argument(
        "--random", type=whole(2, 1000), metavar="N", help="instead: a closed curve through N seeds"
    )
    what.add_argument("--circle", action="store_true", help="instead: once round a circle in the noise")
    what.add_argument("--model", default="fashion32", metavar="NAME", help="of --random and --circle")
    what.add_argument(
        "--classes", default="all", metavar="LIST",
        help="of --random and --circle: all (gone round), none, or names and numbers: 'Ankle boot,3'",
    )  # fmt: skip
    what.add_argument("--seed", type=whole(0, MAX_SEED), default=0, metavar="N", help="the first of them")
    what.add_argument(
        "--seconds", type=number(0.1, 3600), default=2.0, metavar="S", help="from one seed to the next"
    )
    what.add_argument(
        "--guidance",
        type=number(-1, 50),
        metavar="W",
        help="of --random and --circle (default: the model's own)",
    )
    what.add_argument("--save-walk", type=Path, metavar="FILE", help="also write the walk as a file")
    what.add_argument(
        "--fps", type=number(0.0, 1e6), metavar="N", help="frames a second, instead of the walk's own"
    )
    what.add_argument(
        "--constant-pace", action="store_true", help="let the picture change equally from frame to frame"
    )
    how = parser.add_argument_group("how")
    how.add_argument(
        "--solver", metavar="NAME",
        help=f"{', '.join(info.name for info in solver_infos())} (default: the walk's own, or genie)",
    )  # fmt: skip
    how.add_argument(
        "--steps", type=whole(1, MAX_STEPS), metavar="N",
        help="steps of the solver (default: the walk's own, or 10)",
    )  # fmt: skip
    how.add_argument(
        "--spacing", metavar="NAME",
        help=f"where the steps lie: {', '.join(SPACINGS)} (default: the walk's own, or the model's)",
    )  # fmt: skip
    how.add_argument("--guidance-model", metavar="NAME", help="a second model to guide with")
    add_enlarging_arguments(parser)
    where = parser.add_argument_group("where")
    where.add_argument("--out", type=Path, default=Path("walk.mp4"), metavar="FILE", help="the video")
    where.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default="",
        help="kind of video (default: what the suffix of --out says)",
    )
    where.add_argument(
        "--quality", choices=QUALITIES, default="good", help="from the smallest file to the best"
    )
    where.add_argument(
        "--scale", type=whole(1, 64), default=1, metavar="N", help="enlarge N times, without smoothing"
    )
    where.add_argument(
        "--fresh", action="store_true", help="begin anew instead of going on with a stopped render"
    )
    where.add_argument(
        "--replace", action="store_true",
        help="replace another video that is there already, the frames of a stopped render, and another file "
        "at --save-walk (default: refused; without --out the next free name is taken)",
    )  # fmt: skip
    where.add_argument("--device", default="auto", metavar="NAME", help=", ".join((*DEVICES, "cuda:1")))
    where.add_argument("--precision", default="auto", metavar="NAME", help=", ".join(PRECISIONS))
    where.add_argument(
        "--batch", type=whole(0, MAX_COUNT), default=0, metavar="N",
        help="frames at once; 0: as many as are quick",
    )  # fmt: skip


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue

    catalogue = read_catalogue()
    walk, kept = _walk(arguments, catalogue)
    if arguments.fps is not None:
        walk = dataclasses.replace(walk, fps=arguments.fps, pace=())
    if arguments.constant_pace:
        walk = dataclasses.replace(walk, constant_pace=True)
    request = TraverseRequest(
        walk=walk,
        out=str(arguments.out),
        sampling=_sampling(arguments, catalogue, walk, kept),
        format=arguments.format,
        quality=arguments.quality,
        scale=arguments.scale,
        fresh=arguments.fresh,
        replace=arguments.replace,
    )
    if arguments.save_walk is not None:
        _save_walk(arguments.save_walk, request)

    console.progress("Starting")
    from engine.tasks import Engine

    cancelled = threading.Event()
    with stop_on_interrupt(cancelled):
        result = _render_where_free(Engine(), request, arguments, cancelled, console)
    _tell(result, console, stopped=cancelled.is_set())
    if result.complete:
        return 0
    return _STOPPED if cancelled.is_set() else _NOT_ALL  # a notice has said why


def _save_walk(path: Path, request: TraverseRequest) -> None:
    """Write the walk; over another file only if that was asked for.

    A file of this very walk is none: the command that was stopped has to go on when it is given again.
    """
    if surely(path.is_dir):
        raise BadRequest(f"{path} is a folder. Give --save-walk the name of a file.", field="save_walk")
    there = not request.replace and surely(path.exists)
    if there and not holds_walk(path, request.walk, request.sampling):
        raise BadRequest(
            f"{path} is there already. Give another --save-walk, or give it up with --replace.",
            field="save_walk",
        )
    write_walk(path, request.walk, request.sampling)


def _walk(arguments: Namespace, catalogue: Catalogue) -> tuple[Walk, Sampling | None]:
    """The walk of the file or video, and how its pictures were made; or the ready-made one asked for."""
    asked = [arguments.walk is not None, arguments.random is not None, arguments.circle]
    if sum(asked) != 1:
        raise BadRequest("Name a walk's file, or give --random N or --circle: one of the three.")
    if arguments.walk is not None:
        for name in arguments.given:
            if name in _OF_READY_MADE:
                raise BadRequest(
                    f"--{name} can't be given with a walk's file, which has its own; it goes with --random "
                    "and --circle.",
                    field=name,
                )
        path: Path = arguments.walk
        if surely(path.is_dir) or path.suffix.lower() != ".toml":
            from engine.video_files import read_video_walk

            found = read_video_walk(path, arguments.out.absolute().parent / f"{path.stem}.latents")
            return found.walk, found.sampling
        return read_walk_file(path)
    model = catalogue.model(arguments.model)
    guidance = model.guidance if arguments.guidance is None else arguments.guidance
    count = arguments.random or 1
    labels = pick_labels(pick_classes(arguments.classes, model), model, count, arguments.seed)
    if arguments.circle:
        circle = noise_loop(
            model.name,
            arguments.seed,
            label=labels[0],
            guidance=guidance,
            seconds=4 * arguments.seconds,
        )
        return circle, None
    curve = random_walk(
        model.name,
        arguments.random,
        arguments.seed,
        labels=labels,
        guidance=guidance,
        seconds=arguments.seconds,
    )
    return curve, None


def _sampling(arguments: Namespace, catalogue: Catalogue, walk: Walk, kept: Sampling | None) -> Sampling:
    """What the options say; where they say nothing, what `kept` does."""
    model = catalogue.model(walk.model)
    base = kept or Sampling(spacing=model.spacing)
    upsampling = base.upsampling
    upsampler = find_upsampler(arguments, model, catalogue, own=upsampling)
    if upsampler is not None:
        upsampling = Upsampling(
            upsampler.name,
            solver="genie" if upsampler.has_head else "ddim",
            steps=arguments.upsample_steps,
            spacing=upsampler.spacing,
            **copying(arguments, upsampler),
        )
    elif upsampling is not None:
        upsampling = changed(arguments, upsampling)
    return dataclasses.replace(
        base,
        solver=arguments.solver or base.solver,
        steps=arguments.steps or base.steps,
        spacing=arguments.spacing or base.spacing,
        guidance_model=arguments.guidance_model or base.guidance_model,
        device=arguments.device,
        precision=arguments.precision,
        batch=arguments.batch,
        upsampling=upsampling,
    )


def _render_where_free(
    engine: Engine,
    request: TraverseRequest,
    arguments: Namespace,
    cancelled: threading.Event,
    console: Console,
) -> TraverseResult:
    """Render to --out; where none was given, to the first name that is free or of this very render."""
    out: Path = arguments.out
    others = (out.with_name(f"{out.stem}_{count}{out.suffix}") for count in itertools.count(2))
    while True:
        try:
            return _render(engine, request, cancelled, console)
        except BadRequest as error:
            if error.field != "replace":
                raise
            if "out" in arguments.given:
                message = f"{error.message} Give another --out, or give it up with --replace."
                raise BadRequest(message, field="replace") from None
        request = dataclasses.replace(request, out=str(next(others)))


def _render(
    engine: Engine, request: TraverseRequest, cancelled: threading.Event, console: Console
) -> TraverseResult:
    """Run the request and show how it goes."""
    result: TraverseResult | None = None
    for event in engine.run(request, Control(cancelled)):
        match event:
            case Loading():
                console.progress(f"Loading {event.model}: {event.fraction:.0%}")
            case RenderProgress():
                console.progress(_describe(event), last=event.frames == event.frames_total)
            case Progress():
                pass
            case Notice():
                console.note(event.message)
            case TraverseResult():
                result = event
    if result is None:
        raise EngineError("The engine ended without a result.")
    return result


def _describe(event: RenderProgress) -> str:
    what = "measuring the pace, picture" if event.measuring else "frame"
    pace = "" if event.measuring else f"{event.frames_per_second:.1f} a second  "
    return f"{what} {event.frames:,} of {event.frames_total:,}  {pace}{duration(event.seconds_left)} left"


def _tell(result: TraverseResult, console: Console, *, stopped: bool) -> None:
    if stopped and not result.complete:
        console.note(
            f"Stopped. {result.frames:,} of {result.frames_total:,} frames were finished and are kept; "
            "the same command goes on."
        )
    if result.path:
        console.say(
            f"{result.path}: {result.frames:,} frames of {result.width} x {result.height}, "
            f"{result.bytes / 1e6:.2f} MB, {duration(result.seconds)} on {result.provenance.device_name}"
        )
    told: dict[str, Any] = {
        "complete": result.complete,
        "path": result.path or None,
        "frames": result.frames,
        "frames_total": result.frames_total,
        "resumed": result.resumed,
        "width": result.width,
        "height": result.height,
        "fps": result.request.walk.fps,
        "bytes": result.bytes,
        "seconds": result.seconds,
        "frames_per_second": result.frames_per_second,
        "unfinished": result.unfinished or None,
        "request": result.request.to_dict(),
        "provenance": dataclasses.asdict(result.provenance),
        "notices": list(result.notices),
    }
    console.result(told)


COMMAND = Command(
    name="traverse",
    summary="Render a walk through the latents of a model as a video; goes on where it was stopped.",
    example="genie traverse --random 5 --classes 'Ankle boot,Bag' --scale 8 --out boots.mp4",
    add_arguments=_add_arguments,
    run=_run,
)
