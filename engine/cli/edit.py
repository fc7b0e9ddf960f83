"""`genie edit`: one picture changed, as a strip over the strength of the change."""

from __future__ import annotations

import dataclasses
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.classes import slug
from engine.cli.command import Command, Namespace, number, shorten, whole
from engine.cli.console import Console, duration
from engine.cli.encode import fidelity_json
from engine.cli.following import follow
from engine.cli.interrupt import stop_on_interrupt
from engine.cli.walking import (
    add_photo_options,
    add_walk_options,
    free_stem,
    one_class,
    photo_of,
    save_picture,
    walk_options,
)
from engine.errors import BadRequest
from engine.files import surely, write_atomically
from engine.messages import MAX_SEED, FileLatent, Label, ModelInfo
from engine.messages.edit import (
    CLASS_GUIDANCE,
    EDITS,
    AttributeEdit,
    BlendEdit,
    ClassEdit,
    ClassSet,
    Direction,
    DirectionRequest,
    Edit,
    Edited,
    EditRequest,
    MaskEdit,
    PaintEdit,
    Selection,
    Source,
    VaryEdit,
)
from engine.messages.encode import EXACT_SOLVER, FAST_SOLVER
from engine.messages.images import FileImage

if TYPE_CHECKING:
    from engine.tasks import Engine

__all__ = ["COMMAND"]

_BAD, _STOPPED = 2, 130
_LATENT = ".safetensors"
# Options that some kinds take, by the names argparse has for them; to the others they would mean nothing.
_OF_KIND = {
    "class": ("to",),
    "blend": ("other", "other_class"),
    "vary": ("seeds",),
    "mask": ("mask", "to", "feather", "seed"),
    "attribute": ("direction", "toward", "away", "scale"),
    "paint": ("painted",),
}
# Kinds that draw something of another class, which a little guidance helps them to.
_GUIDED = ("class", "mask", "paint")


def _add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("source", nargs="?", type=Path, metavar="IMAGE", help="an image, or a latent's file")
    what.add_argument("--kind", choices=tuple(EDITS), required=True, help="what is done to it")
    what.add_argument("--model", default="fashion32", metavar="NAME", help="see `genie models`")
    what.add_argument(
        "--class",
        dest="label",
        metavar="C",
        help="what the image shows (default: what a latent says, else no class)",
    )
    what.add_argument(
        "--strength", default="0.6", metavar="S", help="from 0 to 1; several with commas between make a strip"
    )
    what.add_argument("--exact", action="store_true", help=f"encode exactly (with {EXACT_SOLVER})")
    kinds = parser.add_argument_group("for one kind or another")
    kinds.add_argument("--to", metavar="C", help="class, mask: the class it becomes")
    kinds.add_argument("--other", type=Path, metavar="IMAGE", help="blend: an image or a latent's file")
    kinds.add_argument("--other-class", metavar="C", help="blend: what the other shows")
    kinds.add_argument("--seeds", default="0,1,2,3", metavar="LIST", help="vary: one row of the strip each")
    kinds.add_argument("--mask", type=Path, metavar="IMAGE", help="mask: white where it may change")
    kinds.add_argument(
        "--feather", type=number(0, 256), default=1.0, metavar="PX", help="mask: how soft its edge is"
    )
    kinds.add_argument(
        "--seed", type=whole(0, MAX_SEED), metavar="N", help="mask: new inside from noise, not from the image"
    )
    kinds.add_argument("--direction", type=Path, metavar="FILE", help="attribute: a direction's file")
    kinds.add_argument(
        "--toward", metavar="C", help="attribute: a class or a folder; with --away it makes the direction"
    )
    kinds.add_argument("--away", metavar="C", help="attribute: the class or folder it leads away from")
    kinds.add_argument(
        "--scale", type=number(-20, 20), default=1.0, metavar="X", help="attribute: how far strength 1 goes"
    )
    kinds.add_argument("--painted", type=Path, metavar="IMAGE", help="paint: what was painted over the image")
    add_photo_options(parser)
    add_walk_options(
        parser, guidance=f"of the way down (default: {CLASS_GUIDANCE:g} for {', '.join(_GUIDED)})"
    )


def _refuse_other_kinds(arguments: Namespace) -> None:
    """A `BadRequest` for an option of another kind, which would do nothing here."""
    mine = _OF_KIND[arguments.kind]
    for name in arguments.given:
        kinds = [kind for kind, names in _OF_KIND.items() if name in names]
        if kinds and name not in mine:
            value = getattr(arguments, name)
            text = f"{value:g}" if isinstance(value, float) else str(value)
            raise BadRequest(
                f"{_option(name)} is {shorten(text)}, but it goes with --kind {' or '.join(kinds)}, not with "
                f"--kind {arguments.kind}. Of these, --kind {arguments.kind} takes: "
                f"{', '.join(_option(one) for one in mine)}.",
                field=name,
            )


def _refuse_two_directions(arguments: Namespace) -> None:
    """A `BadRequest` where a direction is given and another one would be made: only one can count."""
    made = [_option(name) for name in ("toward", "away") if getattr(arguments, name) is not None]
    if arguments.direction is not None and made:
        raise BadRequest(
            f"--direction is {shorten(str(arguments.direction))}, but {' and '.join(made)} would make another "
            "one. Give either --direction or both --toward and --away.",
            field="direction",
        )


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _strengths(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0.0 <= strength <= 1.0 for strength in found):
        raise BadRequest(
            f"--strength is {shorten(text)}; numbers from 0 to 1 with commas between are needed.",
            field="strength",
        )
    return found


def _seeds(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise BadRequest(
            f"--seeds is {shorten(text)}; whole numbers with commas between are needed.", field="seeds"
        ) from None


def _source(arguments: Namespace, path: Path, model: ModelInfo) -> Source:
    return FileLatent(str(path)) if path.suffix == _LATENT else photo_of(arguments, path, model)


def _label(arguments: Namespace, source: Source, model: ModelInfo) -> Label:
    """The class named, or else the one that a latent's file says it was encoded as."""
    if arguments.label is None and isinstance(source, FileLatent):
        from engine.latents import read_latent

        return read_latent(Path(source.path)).label
    return one_class(arguments.label, model, "class")


def _needed(arguments: Namespace, name: str) -> Any:
    value = getattr(arguments, name)
    if value is None:
        raise BadRequest(f"--{name} is needed for --kind {arguments.kind}.", field=name)
    return value


def _make_edit(arguments: Namespace, model: ModelInfo, direction: Path | None) -> Edit:
    kind = arguments.kind
    if kind == "class":
        return ClassEdit(one_class(_needed(arguments, "to"), model, "to"))
    if kind == "blend":
        other = _needed(arguments, "other")
        return BlendEdit(
            _source(arguments, other, model), one_class(arguments.other_class, model, "other-class")
        )
    if kind == "vary":
        return VaryEdit(_seeds(arguments.seeds))
    if kind == "mask":
        to = one_class(arguments.to if arguments.to is not None else arguments.label, model, "to")
        mask = FileImage(str(_needed(arguments, "mask")))
        return MaskEdit(mask, to, arguments.feather, arguments.seed)
    if kind == "paint":
        return PaintEdit(FileImage(str(_needed(arguments, "painted"))))
    if direction is None:
        raise BadRequest(
            "--direction is needed for --kind attribute; or --toward and --away, which make one.",
            field="direction",
        )
    return AttributeEdit(FileLatent(str(direction)), arguments.scale)


def _selection(arguments: Namespace, name: str, model: ModelInfo) -> Selection:
    from engine.photos import images_in

    text = _needed(arguments, name)
    if surely(Path(text).is_dir):
        return tuple(photo_of(arguments, path, model) for path in images_in(Path(text)))
    label = one_class(text, model, name)
    if not isinstance(label, int):
        raise BadRequest(f"--{name} is {shorten(text)}; a class or a folder of images is needed.", field=name)
    return ClassSet(label)


def _find_direction(
    engine: Engine, arguments: Namespace, model: ModelInfo, cancelled: threading.Event, console: Console
) -> Path | None:
    """Make a direction of --toward and --away and keep it; None after a stop."""
    options = walk_options(arguments, model, FAST_SOLVER if model.has_head else "dpmpp-2m")
    request = DirectionRequest(
        **{**options, "guidance": 0.0},
        name=f"{arguments.toward} - {arguments.away}"[:200],
        toward=_selection(arguments, "toward", model),
        away=_selection(arguments, "away", model),
    )
    outcome = follow(engine, request, cancelled, console)
    assert isinstance(outcome, Direction)
    console.say(outcome.words)
    if not outcome.complete:
        return None
    name = slug(f"{arguments.toward} from {arguments.away}")
    suffix = f".direction{_LATENT}"
    path = Path(arguments.out) / f"{free_stem(arguments.out, name, set(), (suffix,))}{suffix}"
    write_atomically(path, lambda temporary: temporary.write_bytes(outcome.latent))
    console.say(f"  {path}")
    return path


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue
    from engine.cli.saving import prepare_folder

    _refuse_other_kinds(arguments)
    _refuse_two_directions(arguments)
    catalogue = read_catalogue()
    model = catalogue.model(arguments.model)
    source = _source(arguments, _needed_source(arguments), model)
    label = _label(arguments, source, model)
    strengths = _strengths(arguments.strength)
    fast = FAST_SOLVER if model.has_head else "dpmpp-2m"
    careful = EXACT_SOLVER if model.has_head else "ddim"
    options = walk_options(
        arguments, model, careful if arguments.exact else fast, CLASS_GUIDANCE * (arguments.kind in _GUIDED)
    )
    if model.null_label is False and arguments.guidance is None:
        options["guidance"] = 0.0
    catalogue.solver(options["solver"])
    makes_direction = arguments.kind == "attribute" and arguments.toward is not None
    if not makes_direction:
        _make_edit(arguments, model, arguments.direction)  # before anything slow: is it all there?
    prepare_folder(arguments.out)
    console.progress("Starting")
    from engine.tasks import Engine

    engine, cancelled = Engine(), threading.Event()
    with stop_on_interrupt(cancelled):
        direction = arguments.direction
        if makes_direction:
            direction = _find_direction(engine, arguments, model, cancelled, console)
            if direction is None:
                console.result({"complete": False, "direction": None, "files": []})
                return _STOPPED if cancelled.is_set() else _BAD
        request = EditRequest(
            **options,
            source=source,
            edit=_make_edit(arguments, model, direction),
            label=label,
            strengths=strengths,
            exact=arguments.exact,
        )
        outcome = follow(engine, request, cancelled, console, request.count)
        assert isinstance(outcome, Edited)
        files = _save(outcome, arguments)
    console.say(f"{outcome.words} {outcome.evaluations} evaluations each, {duration(outcome.seconds)}.")
    for file in files:
        console.say(f"  {file['path']}: {file['words']}")
    console.result(
        {
            "complete": outcome.complete,
            "request": request.to_dict(),
            "direction": None if direction is None else str(direction),
            "files": files,
            "evaluations": outcome.evaluations,
            "seconds": outcome.seconds,
            "provenance": dataclasses.asdict(outcome.provenance),
        }
    )
    if outcome.complete:
        return 0
    return _STOPPED if cancelled.is_set() else _BAD


def _needed_source(arguments: Namespace) -> Path:
    if arguments.source is None:
        raise BadRequest("Which image? Give a file, or a latent's.", field="source")
    path: Path = arguments.source
    return path


def _save(outcome: Edited, arguments: Namespace) -> list[dict[str, Any]]:
    """One file for each picture: "shoe_class_0.60.png", with the seed where there are several."""
    request, taken = outcome.request, set[str]()
    columns = len(request.strengths)
    name = arguments.source.name.removesuffix(_LATENT).removesuffix(".latent")
    files: list[dict[str, Any]] = []
    for index in range(outcome.pictures.count):
        row, strength = index // columns, request.strengths[index % columns]
        seed = request.edit.seeds[row] if isinstance(request.edit, VaryEdit) else None
        parts = [Path(name).stem, arguments.kind, f"{strength:.2f}"] + (
            [] if seed is None else [f"seed-{seed}"]
        )
        stem = free_stem(arguments.out, "_".join(parts), taken, (".png",))
        found = outcome.fidelity[index]
        files.append(
            {
                "path": save_picture(arguments.out / f"{stem}.png", outcome.pictures.one(index)),
                "strength": strength,
                "seed": seed,
                "words": f"SSIM to the original {found.ssim:.2f}",
                "fidelity": fidelity_json(found),
            }
        )
    return files


COMMAND = Command(
    name="edit",
    summary="Change a picture: its class, parts of it, along a direction, towards another.",
    example="genie edit shoe.png --kind class --class 'Ankle boot' --to Sneaker --strength 0.2,0.4,0.6 --out edited",
    add_arguments=_add_arguments,
    run=_run,
)
