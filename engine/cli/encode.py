"""`genie encode`: photographs into latents, with a report of how well they come back."""

from __future__ import annotations

import dataclasses
import math
import threading
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.command import Command, Namespace
from engine.cli.console import Console, duration
from engine.cli.following import follow
from engine.cli.interrupt import stop_on_interrupt
from engine.cli.walking import (
    add_photo_options,
    add_walk_options,
    free_stem,
    one_class,
    photo_of,
    save_json,
    save_picture,
    walk_options,
)
from engine.errors import BadRequest
from engine.files import surely, write_atomically
from engine.messages import Catalogue, Label, ModelInfo
from engine.messages.encode import (
    EXACT_SOLVER,
    EXACT_SOLVERS,
    FAST_SOLVER,
    Encoded,
    EncodeRequest,
    Encoding,
    Fidelity,
    RoundTrip,
    RoundTripRequest,
)

__all__ = ["COMMAND", "fidelity_json"]

_BAD, _STOPPED = 2, 130
_SUFFIXES = (".latent.safetensors", ".original.png", ".round-trip.png", ".difference.png", ".report.json")


def _add_arguments(parser: ArgumentParser) -> None:
    what = parser.add_argument_group("what")
    what.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="files, or folders of them")
    what.add_argument("--model", default="fashion32", metavar="NAME", help="see `genie models`")
    what.add_argument(
        "--class", dest="label", metavar="C",
        help="what the images show: a class for all, or one for each with commas between (default: none)",
    )  # fmt: skip
    what.add_argument(
        "--exact", action="store_true",
        help=f"so that decoding gives back every byte; with {', '.join(EXACT_SOLVERS)} (default: {EXACT_SOLVER})",
    )  # fmt: skip
    what.add_argument(
        "--curve", action="store_true",
        help="for one image: its error at 5, 10, 15, 25 and 50 steps instead, beside DDIM's",
    )  # fmt: skip
    add_photo_options(parser)
    add_walk_options(parser, guidance="0 unless you know better: the guided way does not lead back")


def _sources(paths: Sequence[Path]) -> list[Path]:
    from engine.photos import images_in

    if not paths:
        raise BadRequest("Which images? Give one file or more, or a folder.", field="images")
    found: list[Path] = []
    for path in paths:
        found += images_in(path) if surely(path.is_dir) else [path]
    return found


def _labels(text: str | None, model: ModelInfo, count: int) -> tuple[Label, ...]:
    parts = [None] if text is None else [part.strip() for part in text.split(",")]
    labels = [one_class(part, model, "class") for part in parts]
    if len(labels) == 1:
        return tuple(labels * count)
    if len(labels) != count:
        raise BadRequest(
            f"--class names {len(labels)} classes; there are {count} images. Name one, or one for each.",
            field="class",
        )
    return tuple(labels)


def _usual_solver(model: ModelInfo, exact: bool) -> str:
    if not model.has_head:
        return "ddim" if exact else "dpmpp-2m"
    return EXACT_SOLVER if exact else FAST_SOLVER


def _make_request(arguments: Namespace, catalogue: Catalogue) -> EncodeRequest:
    model = catalogue.model(arguments.model)
    paths = _sources(arguments.images)
    options = walk_options(arguments, model, _usual_solver(model, arguments.exact))
    catalogue.solver(options["solver"])
    return EncodeRequest(
        **options,
        photos=tuple(photo_of(arguments, path, model) for path in paths),
        labels=_labels(arguments.label, model, len(paths)),
        exact=arguments.exact,
    )


def _run(arguments: Namespace, console: Console) -> int:
    from engine.catalogue import read_catalogue
    from engine.cli.saving import prepare_folder

    request = _make_request(arguments, read_catalogue())
    if arguments.curve:
        return _curve(arguments, request, console)
    prepare_folder(arguments.out)
    console.progress("Starting")
    from engine.tasks import Engine

    cancelled = threading.Event()
    with stop_on_interrupt(cancelled):
        outcome = follow(Engine(), request, cancelled, console, request.count)
        assert isinstance(outcome, Encoding)
        taken: set[str] = set()
        files = [_save(item, arguments.out, taken) for item in outcome.encoded]
    _tell(console, outcome, files)
    console.result(
        {
            "complete": outcome.complete,
            "request": request.to_dict(),
            "images": files,
            "refused": [dataclasses.asdict(one) for one in outcome.refused],
            "seconds": outcome.seconds,
            "provenance": dataclasses.asdict(outcome.provenance),
            "notices": list(outcome.notices),
        }
    )
    if not outcome.complete:
        return _STOPPED if cancelled.is_set() else _BAD
    return 0 if outcome.encoded else _BAD


def _save(item: Encoded, folder: Path, taken: set[str]) -> dict[str, Any]:
    stem = free_stem(folder, Path(item.name).stem, taken, _SUFFIXES)
    latent, original, back, difference, report = (folder / f"{stem}{suffix}" for suffix in _SUFFIXES)
    write_atomically(latent, lambda temporary: temporary.write_bytes(item.latent))
    facts = {
        "image": item.name,
        "latent": str(latent),
        "original": save_picture(original, item.original),
        "round_trip": save_picture(back, item.round_trip),
        "difference": save_picture(difference, item.difference),
        "difference_stretch": item.stretch,
        "id": item.latent_id,
        "sha256": item.latent_sha256,
        "label": item.label,
        "words": item.words,
        "fidelity": fidelity_json(item.fidelity),
        "statistics": {
            **dataclasses.asdict(item.statistics),
            "looks_like_noise": item.statistics.looks_like_noise,
        },
        "photo": dataclasses.asdict(item.facts),
        "gammas": list(item.gammas),
        "evaluations": item.evaluations,
        "evaluations_back": item.evaluations_back,
        "converged": item.converged,
        "steps": [dataclasses.asdict(step) for step in item.steps],
    }
    return {**facts, "report": save_json(report, facts)}


def fidelity_json(found: Fidelity) -> dict[str, Any]:
    """As JSON can say it: an infinite PSNR, of equal bytes, is null."""
    psnr = found.psnr if math.isfinite(found.psnr) else None
    return {**dataclasses.asdict(found), "psnr": psnr, "identical": found.identical}


def _tell(console: Console, outcome: Encoding, files: list[dict[str, Any]]) -> None:
    console.say(f"{outcome.words} {duration(outcome.seconds)} on {outcome.provenance.device_name}.")
    for item, file in zip(outcome.encoded[:20], files[:20], strict=True):
        console.say(f"  {item.name}: {item.words} {item.evaluations} evaluations.")
        for note in item.facts.notes:
            console.say(f"    {note}")
        for step in item.steps:
            if step.parts > 1 or not step.converged:
                how = f"split in {step.parts}" if step.converged else "did not converge"
                console.say(
                    f"    the step from gamma {step.gamma:.3g} to {step.gamma_next:.3g} {how} "
                    f"(residual {step.residual:.2g} levels)"
                )
        console.say(f"    {file['latent']}")
    if len(files) > 20:
        console.say(f"  ... and {len(files) - 20} more")


def _curve(arguments: Namespace, request: EncodeRequest, console: Console) -> int:
    from engine.cli.saving import prepare_folder
    from engine.tasks import Engine

    if request.count != 1:
        raise BadRequest(f"--curve is about one image; {request.count} were given.", field="curve")
    prepare_folder(arguments.out)
    walk = {
        f.name: getattr(request, f.name)
        for f in dataclasses.fields(RoundTripRequest)
        if hasattr(request, f.name)
    }
    asked = RoundTripRequest(
        **walk,
        photo=request.photos[0],
        label=request.labels[0],
        solvers=tuple(dict.fromkeys((request.solver, "ddim"))),
    )
    cancelled = threading.Event()
    with stop_on_interrupt(cancelled):
        outcome = follow(Engine(), asked, cancelled, console)
    assert isinstance(outcome, RoundTrip)
    points = [
        {**dataclasses.asdict(point), "fidelity": fidelity_json(point.fidelity)} for point in outcome.points
    ]
    stem = free_stem(arguments.out, Path(request.photos[0].name).stem, set(), (".curve.json",))
    data = {"complete": outcome.complete, "request": asked.to_dict(), "points": points}
    path = save_json(arguments.out / f"{stem}.curve.json", data)
    for point in outcome.points:
        console.say(f"  {point.solver:10} {point.steps:4} steps  {point.fidelity.words}")
    console.say(path)
    console.result({**data, "path": path})
    return 0 if outcome.complete else _STOPPED


COMMAND = Command(
    name="encode",
    summary="Turn photographs into latents, and report how well they come back.",
    example="genie encode shoe.jpg --model fashion32 --class Sneaker --exact --out encoded",
    add_arguments=_add_arguments,
    run=_run,
)
