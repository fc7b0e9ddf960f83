"""Changes to a picture: class, blend, variations, inside a mask, along a direction, painted.

Two ways lead from a picture into the flow: encoding it up to a noise level, or noising it. What
is changed is the latent, or the class it is decoded as; a strength of 0 changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from engine.encode import solve_exactly
from engine.errors import BadRequest
from engine.fidelity import measure
from engine.latents import Latent, latent_to_bytes, noise, realise, short_id, slerp
from engine.masks import composite, feathered
from engine.messages import Control, Event, Label, Pictures, Progress, Request
from engine.messages.edit import (
    AttributeEdit,
    BlendEdit,
    ClassEdit,
    ClassSet,
    Direction,
    DirectionRequest,
    Edited,
    EditRequest,
    MaskEdit,
    PaintEdit,
    Selection,
    Source,
    VaryEdit,
)
from engine.messages.encode import Photo
from engine.photos import frame_photo, read_mask, read_painted
from engine.pictures import join_pictures, to_pictures
from engine.provenance import provenance
from engine.route import Look, Meter, Route, load_route, to_tensor
from engine.workbench import Workbench

__all__ = ["run"]

Walking = Generator[Progress, None, Tensor | None]


def run(workbench: Workbench, request: Request, control: Control) -> Iterator[Event]:
    """Edit, or find a direction; ends with exactly one `Edited` or `Direction`."""
    if isinstance(request, DirectionRequest):
        return _direction(workbench, request, control)
    assert isinstance(request, EditRequest)
    return _edit(workbench, request, control)


# --- editing ----------------------------------------------------------------------------------


@dataclass
class _Job:
    """One picture on its way to a strip of others."""

    request: EditRequest
    route: Route
    meter: Meter
    original: Pictures
    latent: Tensor | None  # (1, C, H, W), of a source that is one
    made: dict[int, Pictures] = field(default_factory=dict)  # by place in the strip
    evaluations: int = 0  # most that one picture took

    @property
    def label(self) -> Label:
        return self.request.label

    @property
    def x(self) -> Tensor:
        """The source's picture (1, C, H, W) in [-1, 1]."""
        return to_tensor(self.original)

    def spent(self, *parts: int) -> None:
        self.evaluations = max(self.evaluations, sum(parts))


def _edit(workbench: Workbench, request: EditRequest, control: Control) -> Iterator[Event]:
    route = yield from load_route(workbench, request, _labels(request), precise=request.exact)
    meter = Meter(control, _expected(route, request))
    source = request.source
    latent = None
    if isinstance(source, Photo):
        original = _framed(route, source)
    else:
        assert source is not None
        latent = realise(source, route.shape, request.model)[None]
        x = yield from meter.follow(route.walk(latent, [request.label], route.grid()))
        original = to_pictures(x) if x is not None else _nothing(route)
    job = _Job(request, route, meter, original, latent)
    if original.count:
        for place, strength in enumerate(request.strengths):
            if strength == 0.0:  # nothing is to change, so nothing does
                for row in range(request.rows):
                    job.made[row * len(request.strengths) + place] = original
        try:
            yield from _change(job)
        except Exception as error:
            route.smaller(1, error)  # says so if it is memory that ran out
            raise
    done = [job.made[place] for place in range(request.count) if _all_before(job.made, place)]
    pictures = join_pictures(done, route.shape)
    yield Edited(
        request,
        original,
        pictures,
        measure(pictures, original) if pictures.count else (),
        job.evaluations,
        meter.seconds,
        provenance(route.placement, [1] * pictures.count),
    )


def _all_before(made: dict[int, Pictures], place: int) -> bool:
    return all(earlier in made for earlier in range(place + 1))


def _nothing(route: Route) -> Pictures:
    return join_pictures([], route.shape)


def _labels(request: EditRequest) -> list[Label]:
    edit = request.edit
    labels: list[Label] = [request.label]
    if isinstance(edit, ClassEdit | MaskEdit):
        labels.append(edit.to)
    elif isinstance(edit, BlendEdit):
        labels.append(edit.label)
    return labels


def _expected(route: Route, request: EditRequest) -> int:
    """Network calls, about: up and down once for every strength."""
    down = route.cost(len(route.grid()), request.guidance)
    up = route.cost(len(route.grid())) * (6 if request.exact else 1)
    strengths = sum(1 for strength in request.strengths if strength)
    shared = isinstance(request.edit, BlendEdit | AttributeEdit)
    return max(1, (up + down) if shared else strengths * (up + down))


def _framed(route: Route, photo: Photo) -> Pictures:
    channels, _, size = route.shape
    return frame_photo(photo, size, channels)[0]


def _change(job: _Job) -> Generator[Progress, None, None]:
    edit = job.request.edit
    if isinstance(edit, BlendEdit):
        yield from _blend(job, edit)
    elif isinstance(edit, AttributeEdit):
        yield from _move(job, edit)
    elif isinstance(edit, VaryEdit):
        yield from _vary(job, edit)
    elif isinstance(edit, MaskEdit):
        yield from _mask(job, edit)
    elif isinstance(edit, PaintEdit):
        painted = read_painted(edit.painted, job.original)
        null = None if job.route.model.card.null_label else job.label
        yield from _through(job, to_tensor(painted), null, job.label)
    else:
        assert isinstance(edit, ClassEdit)
        yield from _through(job, job.x, job.label, edit.to)


def _strengths(job: _Job) -> Iterator[tuple[int, float]]:
    """The strengths that change something, with their places; ends at a stop."""
    for place, strength in enumerate(job.request.strengths):
        if job.meter.stopped:
            return
        if strength > 0.0:
            yield place, strength


def _up(
    job: _Job, x: Tensor, label: Label, gammas: Sequence[float]
) -> Generator[Progress, None, tuple[Tensor, tuple[float, ...], int] | None]:
    """Encode x (1, C, H, W), never guided: where it comes from, the grid back, evaluations."""
    if job.request.exact:
        found = yield from solve_exactly(job.route, job.meter, x, [label], gammas)
        if found is None:
            return None
        z, grid, spent = found[0]
        return z[None], grid, spent
    came = yield from job.meter.follow(job.route.walk(x, [label], gammas[::-1]))
    return None if came is None else (came, tuple(gammas), job.route.cost(len(gammas)))


def _down(job: _Job, z: Tensor, labels: Sequence[Label], gammas: Sequence[float]) -> Walking:
    return (yield from job.meter.follow(job.route.walk(z, labels, gammas, job.request.guidance)))


def _through(job: _Job, x: Tensor, label: Label, to: Label) -> Generator[Progress, None, None]:
    """Up to each strength under one class, down under another."""
    for place, strength in _strengths(job):
        job.meter.group(place, 1)
        gammas = job.route.grid(job.route.time(strength))
        there = yield from _up(job, x, label, gammas)
        if there is None:
            return
        z, grid, spent = there
        back = yield from _down(job, z, [to], grid)
        if back is None:
            return
        job.spent(spent, job.route.cost(len(grid), job.request.guidance))
        job.made[place] = to_pictures(back)


def _vary(job: _Job, edit: VaryEdit) -> Generator[Progress, None, None]:
    """Noised up to each strength, x_t = alpha x_0 + sigma n, and down: all seeds together."""
    n = noise(edit.seeds, job.route.shape)
    columns = len(job.request.strengths)
    for place, strength in _strengths(job):
        gammas = job.route.grid(job.route.time(strength))
        for first in range(0, len(edit.seeds), job.route.batch):
            part = n[first : first + job.route.batch]
            job.meter.group(place, len(part))
            start = _noised(job.x, part, gammas[0])
            back = yield from _down(job, start, [job.label] * len(part), gammas)
            if back is None:
                return
            pictures = to_pictures(back)
            for row in range(len(part)):
                job.made[(first + row) * columns + place] = pictures.one(row)
        job.spent(job.route.cost(len(gammas), job.request.guidance))


def _noised(x: Tensor, n: Tensor, gamma: float) -> Tensor:
    """x_t of picture x with noise n: alpha = 1/sqrt(1 + gamma^2), sigma = gamma alpha."""
    noised: Tensor = (x + gamma * n) * (1.0 + gamma * gamma) ** -0.5
    return noised


# --- whole latents ----------------------------------------------------------------------------


def _latent_of(
    job: _Job, source: Source, label: Label
) -> Generator[Progress, None, tuple[Tensor, tuple[float, ...], int] | None]:
    """The latent (1, C, H, W) of a source, the grid that decodes it, and evaluations."""
    gammas = job.route.grid()
    if isinstance(source, Photo):
        return (yield from _up(job, to_tensor(_framed(job.route, source)), label, gammas))
    return realise(source, job.route.shape, job.request.model)[None], tuple(gammas), 0


def _decode_strip(
    job: _Job, latents: Sequence[tuple[int, Tensor, Label]], grid: Sequence[float], spent: int
) -> Generator[Progress, None, None]:
    """Latents (C, H, W) for their places in the strip, together through the network."""
    size = job.route.batch
    for first in range(0, len(latents), size):
        part = latents[first : first + size]
        job.meter.group(part[0][0], len(part))
        z, labels = torch.stack([one[1] for one in part]), [one[2] for one in part]
        back = yield from _down(job, z, labels, grid)
        if back is None:
            return
        pictures = to_pictures(back)
        for row, (place, _, _) in enumerate(part):
            job.made[place] = pictures.one(row)
    job.spent(spent, job.route.cost(len(grid), job.request.guidance))


def _blend(job: _Job, edit: BlendEdit) -> Generator[Progress, None, None]:
    """On the sphere from one latent to the other; the class goes along with it."""
    assert job.request.source is not None
    ours = yield from _latent_of(job, job.request.source, job.label)
    if ours is None:
        return
    theirs = yield from _latent_of(job, edit.other, edit.label)
    if theirs is None:
        return
    a, b = ours[0][0].cpu().double(), theirs[0][0].cpu().double()
    latents = [
        (place, slerp(a, b, strength), _between(job.label, edit.label, strength))
        for place, strength in _strengths(job)
    ]
    grid = ours[1] if len(ours[1]) >= len(theirs[1]) else theirs[1]
    yield from _decode_strip(job, latents, grid, ours[2] + theirs[2])


def _between(a: Label, b: Label, t: float) -> Label:
    """The mixture of two classes."""
    if a == b or t <= 0.0:
        return a
    if t >= 1.0:
        return b
    parts: dict[int | None, float] = {}
    for label, share in ((a, 1.0 - t), (b, t)):
        for number, weight in label if isinstance(label, tuple) else ((label, 1.0),):
            parts[number] = parts.get(number, 0.0) + share * weight
    return tuple(parts.items())


def _move(job: _Job, edit: AttributeEdit) -> Generator[Progress, None, None]:
    """Along a direction; the latent keeps its length, as on the sphere all latents lie on."""
    assert job.request.source is not None
    direction = realise(edit.direction, job.route.shape, job.request.model).cpu().double()
    ours = yield from _latent_of(job, job.request.source, job.label)
    if ours is None:
        return
    z = ours[0][0].cpu().double()
    latents = []
    for place, strength in _strengths(job):
        moved = z + strength * edit.scale * direction
        latents.append((place, moved * (z.norm() / moved.norm().clamp_min(1e-12)), job.label))
    yield from _decode_strip(job, latents, ours[1], ours[2])


# --- masks ------------------------------------------------------------------------------------


def _mask(job: _Job, edit: MaskEdit) -> Generator[Progress, None, None]:
    """New inside, and outside at every step the original at that noise level.

    The original's way up is that of encoding, or with a seed that of its noise.
    """
    route = job.route
    size = route.shape[1]
    mask = feathered(read_mask(edit.mask, size), edit.feather)
    inside = route.place(torch.from_numpy(mask)[None, None])
    old = np.frombuffer(job.original.data, np.uint8).reshape(size, size, -1)
    for place, strength in _strengths(job):
        job.meter.group(place, 1)
        gammas = route.grid(route.time(strength))
        spent = 0
        if edit.seed is None:
            way: dict[float, Tensor] = {gammas[-1]: route.place(job.x)}
            up = yield from job.meter.follow(_recorded(route, job.x, job.label, gammas, way))
            if up is None:
                return
            spent = route.cost(len(gammas))
        else:
            n = noise([edit.seed], route.shape)
            way = {gamma: route.place(_noised(job.x, n, gamma)) for gamma in gammas}
        walk = _held(route, way, edit.to, gammas, job.request.guidance, inside)
        back = yield from job.meter.follow(walk)
        if back is None:
            return
        job.spent(spent, route.cost(len(gammas), job.request.guidance))
        new = to_pictures(back)
        joined = composite(np.frombuffer(new.data, np.uint8).reshape(size, size, -1), old, mask)
        job.made[place] = Pictures(1, size, size, new.channels, joined.tobytes())


def _recorded(
    route: Route, x: Tensor, label: Label, gammas: Sequence[float], way: dict[float, Tensor]
) -> Generator[Look, None, Tensor]:
    """Up from a picture; `way` gets x_t at every gamma."""
    rising = gammas[::-1]
    steps = route.walk(x, [label], rising)
    while True:
        try:
            look = next(steps)
        except StopIteration as ended:
            came: Tensor = ended.value
            return came
        way[rising[look.step]] = look.shown
        yield look


def _held(
    route: Route,
    way: dict[float, Tensor],
    label: Label,
    gammas: Sequence[float],
    guidance: float,
    inside: Tensor,
) -> Generator[Look, None, Tensor]:
    """Down, one step at a time; after each, what is outside goes back to its way.

    A solver with a memory begins anew at every step: it does not know of what is put back.
    """
    x = way[gammas[0]]
    spent, steps = 0, len(gammas) - 1
    for index, (gamma, gamma_next) in enumerate(pairwise(gammas)):
        for look in (walk := _Last(route.walk(x, [label], (gamma, gamma_next), guidance))):
            yield Look(index + look.step, steps, look.t, spent + look.evaluations, look.shown)
        spent += route.cost(2, guidance)
        x = inside * walk.came + (1.0 - inside) * way[gamma_next]
    return x


class _Last:
    """A walk as a plain loop sees it; `came` is where it ended."""

    came: Tensor

    def __init__(self, walk: Generator[Look, None, Tensor]) -> None:
        self._walk = walk

    def __iter__(self) -> Iterator[Look]:
        self.came = yield from self._walk


# --- directions -------------------------------------------------------------------------------


def _direction(workbench: Workbench, request: DirectionRequest, control: Control) -> Iterator[Event]:
    sides = (request.toward, request.away)
    labels: list[Label] = [side.label for side in sides if isinstance(side, ClassSet)]
    route = yield from load_route(workbench, request, [*labels, None], precise=False)
    counts = tuple(side.count if isinstance(side, ClassSet) else len(side) for side in sides)
    cost = route.cost(len(route.grid()))
    groups = sum(-(-count // route.batch) for count in counts)
    meter = Meter(control, 2 * cost * groups)
    found: list[Tensor] = []
    for side in sides:
        latents = yield from _latents(route, meter, side)
        if latents is None:
            break
        found.append(latents)
    data, digest, name, separation = b"", "", "", math.nan
    if len(found) == 2:
        toward, away = found
        direction = toward.mean(dim=0) - away.mean(dim=0)
        if not float(direction.norm()) > 1e-9:
            raise BadRequest(
                "Both sides have the same mean: there is nothing that tells them apart. "
                "Choose other pictures.",
                field="selection",
            )
        separation = _separation(toward, away, direction)
        origin = {"kind": "direction", "name": request.name, "request": request.to_dict()}
        latent = Latent(direction, request.model, None, route.grid()[0], origin)
        data, name = latent_to_bytes(latent), short_id(direction)
        digest = hashlib.sha256(data).hexdigest()
    yield Direction(
        request, data, name, digest, (counts[0], counts[1]), separation, meter.spent, meter.seconds,
        provenance(route.placement, [1]),
    )  # fmt: skip


def _latents(route: Route, meter: Meter, side: Selection) -> Generator[Progress, None, Tensor | None]:
    """The latents (N, C, H, W) of one side, encoded without a class."""
    gammas, size = route.grid(), route.batch
    found: list[Tensor] = []
    count = side.count if isinstance(side, ClassSet) else len(side)
    for first in range(0, count, size):
        number = min(size, count - first)
        meter.group(first, number)
        if isinstance(side, ClassSet):
            z = noise([side.seed + first + i for i in range(number)], route.shape)
            drawn = yield from meter.follow(route.walk(z, [side.label] * number, gammas))
            if drawn is None:
                return None
            x = drawn.clamp(-1.0, 1.0)
        else:
            x_or_stopped = yield from _pictures_of(route, meter, side[first : first + number])
            if x_or_stopped is None:
                return None
            x = x_or_stopped
        up = yield from meter.follow(route.walk(x, [None] * number, gammas[::-1]))
        if up is None:
            return None
        found.append(up.cpu().double())
    return torch.cat(found)


def _pictures_of(route: Route, meter: Meter, sources: Sequence[Source]) -> Walking:
    """The pictures (N, C, H, W) of photos and latents."""
    found = []
    for source in sources:
        if isinstance(source, Photo):
            found.append(route.place(to_tensor(_framed(route, source))))
            continue
        z = realise(source, route.shape, route.settings.model)[None]
        x = yield from meter.follow(route.walk(z, [None], route.grid()))
        if x is None:
            return None
        found.append(x.clamp(-1.0, 1.0))
    return torch.cat(found)


def _separation(toward: Tensor, away: Tensor, direction: Tensor) -> float:
    """How far apart the means lie along the direction, in standard deviations within the sides."""
    a, b = ((side * direction).flatten(1).sum(dim=1) for side in (toward, away))
    spread = math.sqrt(0.5 * float(a.var(correction=0) + b.var(correction=0)))
    return float(a.mean() - b.mean()) / max(spread, 1e-12)
