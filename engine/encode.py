"""Photographs into latents and back, with a report of how well they come back.

One module for four kinds of request: `photo` (what would be encoded), `encode`, `decode` and
`round-trip` (error versus steps).
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import BadImage, BadRequest
from engine.fidelity import difference, latent_statistics, measure
from engine.inversion import Inverted, SolvedStep, Tolerance, level_error
from engine.latents import Latent, latent_to_bytes, read_latent, realise, short_id
from engine.messages import Control, Event, Notice, Pictures, Progress, Request
from engine.messages.encode import (
    Decoded,
    DecodeRequest,
    Encoded,
    EncodeRequest,
    Encoding,
    Framed,
    Photo,
    PhotoFacts,
    PhotoRequest,
    Refused,
    RoundTrip,
    RoundTripPoint,
    RoundTripRequest,
    RouteRequest,
    StepReport,
)
from engine.messages.latents import Label
from engine.photos import frame_photo
from engine.pictures import join_pictures, to_pictures
from engine.plan import usable_model
from engine.provenance import provenance
from engine.route import Look, Meter, Route, load_route, to_tensor
from engine.workbench import Workbench

__all__ = ["decode_request_of", "run", "solve_exactly"]

# A byte is right up to half a level; what is left is for the rounding of other batches.
_MARGIN = 0.48
_TYPICAL = 6  # evaluations a step takes to invert, for the time left


def run(workbench: Workbench, request: Request, control: Control) -> Iterator[Event]:
    """Whichever of the four it is; ends with its one outcome."""
    if isinstance(request, PhotoRequest):
        return _frame(workbench, request)
    if isinstance(request, EncodeRequest):
        return _encode(workbench, request, control)
    if isinstance(request, DecodeRequest):
        return _decode(workbench, request, control)
    assert isinstance(request, RoundTripRequest)
    return _round_trip(workbench, request, control)


def _frame(workbench: Workbench, request: PhotoRequest) -> Iterator[Event]:
    began = time.monotonic()
    model = usable_model(request.model, workbench.catalogue())
    picture, whole, facts = frame_photo(request.photo, model.image_size, model.channels)
    yield Framed(request, picture, whole, facts, time.monotonic() - began)


# --- encode -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Read:
    """A photo that could be read: picture (1, C, H, W) in [-1, 1]."""

    photo: Photo
    label: Label
    original: Pictures
    facts: PhotoFacts
    x: Tensor


@dataclass(frozen=True)
class _Up:
    """Where one picture came from: z (C, H, W) in units of the prior, at gammas[0]."""

    z: Tensor
    gammas: tuple[float, ...]
    evaluations: int
    steps: tuple[SolvedStep, ...] = ()


@dataclass
class _Encoder:
    request: EncodeRequest
    route: Route
    meter: Meter
    items: list[Encoded | Refused] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def _encode(workbench: Workbench, request: EncodeRequest, control: Control) -> Iterator[Event]:
    route = yield from load_route(workbench, request, request.labels, precise=True)
    route_calls = route.cost(len(route.grid()), request.guidance)
    up = route_calls * _TYPICAL if request.exact else route_calls
    batch = route.batch
    meter = Meter(control, -(-request.count // batch) * (up + route_calls))
    job = _Encoder(request, route, meter)
    while len(job.items) < request.count and not meter.stopped:
        first = len(job.items)
        rows = range(first, min(first + batch, request.count))
        try:
            stopped = yield from _encode_group(job, rows)
        except Exception as error:
            smaller = route.smaller(len(rows), error)
            if smaller is None:
                raise
            batch = smaller
            job.notices.append(f"Memory ran out with {len(rows)} pictures at once; it goes on with {batch}.")
            yield Notice(job.notices[-1])
            continue
        if stopped:
            break
    yield Encoding(
        request,
        tuple(job.items),
        meter.seconds,
        provenance(route.placement, job.batches),
        tuple(job.notices),
    )


def _encode_group(job: _Encoder, rows: range) -> Generator[Event, None, bool]:
    """Read, encode and prove the next photos; True if stopped."""
    found: list[_Read | Refused] = []
    for row in rows:
        found.append(_read(job, row))
        if isinstance(found[-1], Refused):
            job.notices.append(found[-1].message)
            yield Notice(found[-1].message)
    reads = [one for one in found if isinstance(one, _Read)]
    encoded: list[Encoded] = []
    if reads:
        job.meter.group(rows[0], len(rows))
        ups = yield from _up(job, reads)
        if ups is None:
            return True
        backs = yield from _down(job, reads, ups)
        if backs is None:
            return True
        if job.request.exact:
            corrected = yield from _correct(job, reads, ups, backs)
            if corrected is None:
                return True
            ups, backs = corrected
        encoded = [_report(job, *one) for one in zip(reads, ups, backs, strict=True)]
        job.batches.append(len(reads))
    made = iter(encoded)
    job.items += [one if isinstance(one, Refused) else next(made) for one in found]
    return False


def _read(job: _Encoder, row: int) -> _Read | Refused:
    photo, (channels, _, size) = job.request.photos[row], job.route.shape
    try:
        original, _, facts = frame_photo(photo, size, channels)
    except (BadImage, BadRequest) as error:
        if job.request.count == 1:
            raise  # nothing else to go on with
        return Refused(photo.name, error.message, error.kind, error.field or "images")
    return _Read(photo, job.request.labels[row], original, facts, to_tensor(original))


def _up(
    job: _Encoder, reads: Sequence[_Read], tolerance: Tolerance | None = None
) -> Generator[Progress, None, list[_Up] | None]:
    """All pictures to noise together; None if stopped."""
    route, request, gammas = job.route, job.request, job.route.grid()
    x, labels = torch.cat([one.x for one in reads]), [one.label for one in reads]
    if not request.exact:
        z = yield from job.meter.follow(route.walk(x, labels, gammas[::-1], request.guidance))
        if z is None:
            return None
        spent = route.cost(len(gammas), request.guidance)
        return [_Up(one.cpu().double(), tuple(gammas), spent) for one in z]
    return (yield from job.meter.follow(_inverted(route, x, labels, gammas, request.guidance, tolerance)))


def _inverted(
    route: Route,
    x: Tensor,
    labels: Sequence[Label],
    gammas: Sequence[float],
    guidance: float,
    tolerance: Tolerance | None,
) -> Generator[Look, None, list[_Up]]:
    found = yield from route.invert(x, labels, gammas, guidance, tolerance)
    return [_from_inverted(one) for one in found]


def _from_inverted(one: Inverted) -> _Up:
    z = (one.xbar * (1.0 + one.gammas[0] ** 2) ** -0.5).cpu().double()
    return _Up(z, one.gammas, one.evaluations, one.steps)


def _down(
    job: _Encoder, reads: Sequence[_Read], ups: Sequence[_Up]
) -> Generator[Progress, None, list[Tensor] | None]:
    """The round trips (C, H, W), those of one grid together; None if stopped."""
    backs: dict[int, Tensor] = {}
    for gammas in dict.fromkeys(up.gammas for up in ups):
        rows = [row for row, up in enumerate(ups) if up.gammas == gammas]
        z, labels = torch.stack([ups[row].z for row in rows]), [reads[row].label for row in rows]
        x = yield from job.meter.follow(job.route.walk(z, labels, gammas, job.request.guidance))
        if x is None:
            return None
        backs.update(zip(rows, x.cpu().double(), strict=True))
    return [backs[row] for row in range(len(ups))]


def _correct(
    job: _Encoder, reads: Sequence[_Read], ups: list[_Up], backs: list[Tensor]
) -> Generator[Progress, None, tuple[list[_Up], list[Tensor]] | None]:
    """Solve more strictly what did not come back to the byte, and keep what is better."""

    def errors(found: Sequence[Tensor], rows: Sequence[int]) -> list[float]:
        wanted = torch.cat([reads[row].x for row in rows])
        return [float(e) for e in level_error(torch.stack(list(found)), wanted)]

    every = range(len(reads))
    missed = errors(backs, every)
    rows = [row for row in every if missed[row] > _MARGIN]
    if not rows:
        return ups, backs
    chosen = [reads[row] for row in rows]
    again = yield from _up(job, chosen, Tolerance().stricter())
    if again is None:
        return None
    back_again = yield from _down(job, chosen, again)
    if back_again is None:
        return None
    ups, backs = list(ups), list(backs)
    for row, up, back, error in zip(rows, again, back_again, errors(back_again, rows), strict=True):
        spent = ups[row].evaluations + up.evaluations
        if error < missed[row]:
            ups[row], backs[row] = up, back
        ups[row] = dataclasses.replace(ups[row], evaluations=spent)
    return ups, backs


def solve_exactly(
    route: Route, meter: Meter, x: Tensor, labels: Sequence[Label], gammas: Sequence[float]
) -> Generator[Progress, None, list[tuple[Tensor, tuple[float, ...], int]] | None]:
    """What decodes without guidance to pictures x: for each z (C, H, W), its grid and evaluations."""
    ups = yield from meter.follow(_inverted(route, x, labels, gammas, 0.0, None))
    return None if ups is None else [(up.z, up.gammas, up.evaluations) for up in ups]


def _report(job: _Encoder, read: _Read, up: _Up, back: Tensor) -> Encoded:
    route, request = job.route, job.request
    round_trip = to_pictures(back[None])
    shown, stretch = difference(round_trip, read.original)
    precision = route.placement.precision
    latent = Latent(
        up.z, request.model, read.label, up.gammas[0], _origin(request, read, up.gammas, precision)
    )
    data = latent_to_bytes(latent)
    return Encoded(
        name=read.photo.name,
        label=read.label,
        facts=read.facts,
        latent=data,
        latent_id=short_id(up.z),
        latent_sha256=hashlib.sha256(data).hexdigest(),
        original=read.original,
        round_trip=round_trip,
        difference=shown,
        stretch=stretch,
        fidelity=measure(round_trip, read.original)[0],
        statistics=latent_statistics(up.z.numpy()),
        gammas=up.gammas,
        evaluations=up.evaluations,
        evaluations_back=route.cost(len(up.gammas), request.guidance),
        steps=tuple(StepReport(**dataclasses.asdict(step)) for step in up.steps),
    )


def _origin(request: EncodeRequest, read: _Read, gammas: Sequence[float], precision: str) -> dict[str, Any]:
    """What a latent's file remembers: the request for it alone, and how to decode it."""
    alone = dataclasses.replace(
        request, photos=(read.photo,), labels=(read.label,), precision=precision, batch=0
    )
    how = {f.name: getattr(alone, f.name) for f in dataclasses.fields(RouteRequest)}
    return {
        "kind": request.kind,
        "image": read.photo.name,
        "crop": list(read.facts.crop),
        "request": alone.to_dict(),
        "decode": {**how, "gammas": list(gammas)},
    }


# --- decode -----------------------------------------------------------------------------------


def decode_request_of(path: Path, **changes: Any) -> DecodeRequest:
    """The request that decodes a latent's file as it was encoded, with some settings changed.

    A latent that was not encoded is decoded with the usual settings. A `BadRequest` says that
    the file is no latent, or that its settings can't be what this program wrote.
    """
    latent = read_latent(path)
    how = latent.provenance.get("decode", {"model": latent.model})
    if not isinstance(how, dict):
        raise BadRequest(f"{path} says nothing readable about how to decode it.", field="latent")
    if changes.keys() & {"steps", "spacing", "t_end", "solver"}:
        how = {**how, "gammas": []}  # its own grid is for its own solver
    how = {**how, "latents": [{"file": str(path), "sha256": ""}], "labels": [latent.label], **changes}
    return DecodeRequest.from_dict(how)


def _decode(workbench: Workbench, request: DecodeRequest, control: Control) -> Iterator[Event]:
    route = yield from load_route(workbench, request, request.labels, precise=True)
    for source in dict.fromkeys(request.latents):
        realise(source, route.shape, request.model)  # before anything slow: is each there, does it fit?
    gammas, batch = route.grid(), route.batch
    meter = Meter(control, -(-request.count // batch) * route.cost(len(gammas), request.guidance))
    done: list[Pictures] = []
    notices: list[str] = []
    finished = 0
    while finished < request.count and not meter.stopped:
        rows = slice(finished, min(finished + batch, request.count))
        labels = request.labels[rows]
        z = torch.stack([realise(source, route.shape, request.model) for source in request.latents[rows]])
        meter.group(finished, len(labels))
        try:
            x = yield from meter.follow(route.walk(z, labels, gammas, request.guidance))
        except Exception as error:
            smaller = route.smaller(len(labels), error)
            if smaller is None:
                raise
            batch = smaller
            notices.append(f"Memory ran out with {len(labels)} pictures at once; it goes on with {batch}.")
            yield Notice(notices[-1])
            continue
        if x is None:
            break
        done.append(to_pictures(x))
        finished += len(labels)
    yield Decoded(
        request,
        join_pictures(done, route.shape),
        route.cost(len(gammas), request.guidance),
        meter.seconds,
        provenance(route.placement, [part.count for part in done]),
        tuple(notices),
    )


# --- error versus steps -----------------------------------------------------------------------


def _round_trip(workbench: Workbench, request: RoundTripRequest, control: Control) -> Iterator[Event]:
    routes = []
    for name in dict.fromkeys(request.solvers):
        settings = dataclasses.replace(request, solver=name)
        routes.append((yield from load_route(workbench, settings, [request.label], precise=True)))
    assert request.photo is not None
    channels, _, size = routes[0].shape
    original, _, _ = frame_photo(request.photo, size, channels)
    plans = []
    for route in routes:
        for steps in request.counts:
            there = dataclasses.replace(
                route, settings=dataclasses.replace(route.settings, steps=steps, gammas=())
            )
            plans.append((there, there.grid()))
    meter = Meter(control, sum(2 * route.cost(len(g), request.guidance) for route, g in plans))
    points: list[RoundTripPoint] = []
    for route, gammas in plans:
        began = time.monotonic()
        x = to_tensor(original)
        for grid in (gammas[::-1], gammas):
            came = yield from meter.follow(route.walk(x, [request.label], grid, request.guidance))
            if came is None:
                break
            x = came
        if came is None:
            break
        points.append(
            RoundTripPoint(
                route.settings.solver,
                route.settings.steps,
                2 * route.cost(len(gammas), request.guidance),
                measure(to_pictures(x), original)[0],
                time.monotonic() - began,
            )
        )
    yield RoundTrip(
        request,
        tuple(points),
        meter.seconds,
        provenance(routes[0].placement, [1] * len(points)),
    )
