"""Options that every walk between picture and noise takes, and what they come to."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.cli.classes import pick_classes
from engine.cli.command import Namespace, number, whole
from engine.errors import BadRequest, UnknownName
from engine.files import cut_name, write_atomically
from engine.messages import DEVICES, MAX_STEPS, PRECISIONS, SPACINGS, Label, ModelInfo, Pictures
from engine.messages.encode import RESAMPLINGS, Photo
from engine.messages.images import FileImage
from engine.solvers import solver_infos

__all__ = [
    "add_photo_options",
    "add_walk_options",
    "free_stem",
    "one_class",
    "photo_of",
    "save_json",
    "save_picture",
    "walk_options",
]


def add_walk_options(
    parser: ArgumentParser, *, guidance: str, steps: int | None = 10, where: str | None = None
) -> None:
    """How it walks and where; a default of None means that a file or another option decides.

    `where` is for a command whose file says the device and the precision: the words for that default.
    """
    how = parser.add_argument_group("how")
    how.add_argument("--solver", metavar="NAME", help=", ".join(info.name for info in solver_infos()))
    how.add_argument(
        "--steps", type=whole(1, MAX_STEPS), default=steps, metavar="N", help="how many steps each way takes"
    )
    how.add_argument(
        "--spacing",
        metavar="NAME",
        help=f"where the steps lie: {', '.join(SPACINGS)} (default: the model's own)",
    )
    how.add_argument("--guidance", type=number(-1, 50), default=None, metavar="W", help=guidance)
    how.add_argument("--guidance-model", metavar="NAME", help="a second model to guide with")
    how.add_argument(
        "--t-end",
        type=number(1e-5, 0.5),
        default=None,
        metavar="T",
        help="the time pictures stand at (0.001)",
    )
    usual = "auto" if where is None else None
    said = "" if where is None else f" (default: {where})"
    place = parser.add_argument_group("where")
    place.add_argument("--device", default=usual, metavar="NAME", help=", ".join((*DEVICES, "cuda:1")) + said)
    place.add_argument("--precision", default=usual, metavar="NAME", help=", ".join(PRECISIONS) + said)
    place.add_argument(
        "--batch", type=whole(0, 1000), default=0, metavar="N", help="images at once; 0: as many as are quick"
    )
    place.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for what is made")


def walk_options(
    arguments: Namespace, model: ModelInfo, solver: str, guidance: float = 0.0
) -> dict[str, Any]:
    """The fields of a Walk; `solver` and `guidance` where none was given."""
    return {
        "model": model.name,
        "solver": arguments.solver or solver,
        "steps": arguments.steps,
        "spacing": arguments.spacing or model.spacing,
        "guidance": guidance if arguments.guidance is None else arguments.guidance,
        "guidance_model": arguments.guidance_model,
        "t_end": 1e-3 if arguments.t_end is None else arguments.t_end,
        "device": arguments.device,
        "precision": arguments.precision,
        "batch": arguments.batch,
    }


def add_photo_options(parser: ArgumentParser) -> None:
    cut = parser.add_argument_group("which part of the image")
    cut.add_argument(
        "--crop", metavar="L,T,W,H",
        help="left, top, width and height in its pixels; may reach beyond it (default: the largest square "
        "in the middle)",
    )  # fmt: skip
    cut.add_argument(
        "--resample", choices=RESAMPLINGS, default="auto", help="how it is brought to the model's size"
    )
    cut.add_argument(
        "--background",
        metavar="R,G,B",
        help="behind what is clear, and beyond the edges (default: what lies behind the model's pictures)",
    )


def photo_of(arguments: Namespace, path: Path, model: ModelInfo) -> Photo:
    """The photo in a file, cut for the model as the options say."""
    crop = None if arguments.crop is None else _numbers("crop", arguments.crop, 4)
    background: tuple[int, ...] = model.background
    if arguments.background is not None:
        background = _numbers("background", arguments.background, 3)
    return Photo(
        FileImage(str(path)),
        None if crop is None else (crop[0], crop[1], crop[2], crop[3]),
        arguments.resample,
        (background[0], background[1], background[2]),
    )


def _numbers(option: str, text: str, count: int) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        raise BadRequest(
            f"--{option} is {text[:60]!r}; {count} whole numbers with commas between are needed.",
            field=option,
        )
    return found


def one_class(text: str | None, model: ModelInfo, option: str) -> Label:
    """The class named with an option: its number, or None for "none" and where nothing is said."""
    if text is None:
        return None
    try:
        picked = pick_classes(text, model)
    except UnknownName as error:
        raise UnknownName(error.message.replace("--classes", f"--{option}"), field=option) from None
    except BadRequest as error:
        raise BadRequest(error.message.replace("--classes", f"--{option}"), field=option) from None
    if picked == "none":
        return None
    if isinstance(picked, str) or len(picked) != 1:
        raise BadRequest(f"--{option} is {text[:60]!r}; one class is needed, or none.", field=option)
    return picked[0]


# --- files ------------------------------------------------------------------------------------


def free_stem(folder: Path, name: str, taken: set[str], suffixes: tuple[str, ...]) -> str:
    """`name`, or with a number behind, such that no file of these suffixes is replaced by another's."""
    name = cut_name(name)
    stem, count = name, 1
    while stem in taken or any((folder / f"{stem}{suffix}").exists() for suffix in suffixes):
        count += 1
        stem = f"{name}_{count}"
    taken.add(stem)
    return stem


def save_picture(path: Path, picture: Pictures) -> str:
    from engine.images import save

    save(path, picture)
    return str(path)


def save_json(path: Path, data: Mapping[str, Any]) -> str:
    text = json.dumps(data, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    return str(path)
