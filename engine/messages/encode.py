"""Photographs into latents and back: what can be asked, and what comes of it.

Images of any kind become latents, singly or a folder at once:

    photo = Photo(FileImage("shoe.jpg"))                  # or Photo(PngImage(bytes), crop=...)
    EncodeRequest("fashion32", solver=FAST_SOLVER, photos=(photo,), labels=(7,))    quick -> Encoding
    EncodeRequest("fashion32", photos=(photo,), labels=(7,), exact=True)       every byte -> Encoding

`Encoding.items` has one entry for each photo: an `Encoded` (original, round trip, difference,
report and the latent as the bytes of a file) or a `Refused` that says why that one could not
be read; one bad file does not stop the rest. Write `Encoded.latent` to a file and it is a
`FileLatent` for every other request.

    PhotoRequest("fashion32", photo)                      what would be encoded, without a network -> Framed
    DecodeRequest("fashion32", latents=(FileLatent(...),), labels=(7,))     -> Decoded
    RoundTripRequest("fashion32", photo=photo, label=7)   error versus steps -> RoundTrip
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import (
    MAX_STEPS,
    SPACINGS,
    flag,
    number,
    one_of,
    place,
    shown,
    text,
    whole,
)
from engine.messages.events import Outcome, Pictures, PicturesOutcome, Provenance
from engine.messages.latents import (
    Label,
    LatentSource,
    check_label,
    source_from_dict,
    source_to_dict,
)
from engine.messages.photos import RESAMPLINGS, Photo, PhotoFacts, photo_from_dict, photo_to_dict
from engine.messages.reports import Fidelity, LatentStatistics, StepReport
from engine.messages.request import Request

__all__ = [
    "EXACT_SOLVER",
    "EXACT_SOLVERS",
    "FAST_SOLVER",
    "MAX_ENCODED",
    "RESAMPLINGS",
    "DecodeRequest",
    "Decoded",
    "EncodeRequest",
    "Encoded",
    "Encoding",
    "Fidelity",
    "Framed",
    "LatentStatistics",
    "Photo",
    "PhotoFacts",
    "PhotoRequest",
    "Refused",
    "RoundTrip",
    "RoundTripPoint",
    "RoundTripRequest",
    "RouteRequest",
    "StepReport",
    "photo_from_dict",
    "photo_to_dict",
]

MAX_ENCODED = 10_000  # photos or latents of one request

# Solvers whose steps can be inverted one by one: each step depends on its start alone. The
# others remember earlier steps.
EXACT_SOLVERS = ("genie", "genie-exact", "ddim", "heun")

# What is best where nobody chose: up and down without iterating, and inverted step by step.
FAST_SOLVER = "genie-2m"
EXACT_SOLVER = "genie"


# --- settings ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RouteRequest(Request):
    """What every walk between picture and noise is told; the fields are those of a GenerateRequest.

    `gammas`, if given, is the very grid: falling from noise to picture. It then takes the
    place of `steps`, `spacing` and `t_end`. (A latent that was encoded exactly remembers its
    grid, and only that one gives its picture back to the byte.)
    """

    model: str
    solver: str = "genie"
    steps: int = 10
    spacing: str = "quadratic"
    guidance: float = 0.0
    guidance_model: str | None = None
    t_end: float = 1e-3
    gammas: tuple[float, ...] = ()
    device: str = "auto"
    precision: str = "auto"
    batch: int = 0

    def __post_init__(self) -> None:
        text("model", self.model)
        text("solver", self.solver)
        whole("steps", self.steps, 1, MAX_STEPS)
        one_of("spacing", self.spacing, SPACINGS)
        number("guidance", self.guidance, -1.0, 50.0)
        if self.guidance_model is not None:
            text("guidance_model", self.guidance_model)
        number("t_end", self.t_end, 1e-5, 0.5)
        if not isinstance(self.gammas, tuple) or len(self.gammas) == 1 or len(self.gammas) > MAX_STEPS + 1:
            raise BadRequest(f"gammas is {shown(self.gammas)}; two or more are a grid.", field="gammas")
        for value in self.gammas:
            number("gammas", value, 1e-6, 1e6)
        if any(after >= before for before, after in zip(self.gammas, self.gammas[1:], strict=False)):
            raise BadRequest("gammas don't fall throughout, as a grid must.", field="gammas")
        place(self.device, self.precision)
        whole("batch", self.batch, 0, MAX_ENCODED)

    def to_dict(self) -> dict[str, Any]:
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _check_labels(labels: object, count: int) -> None:
    if not isinstance(labels, tuple) or len(labels) != count:
        raise BadRequest(
            f"labels is {shown(labels)}; one for each of {count} is needed (null: no class).", field="labels"
        )
    for label in labels:
        check_label(label)


def _objects(data: Mapping[str, Any], name: str) -> list[Any]:
    found = data.get(name, [])
    if not isinstance(found, list | tuple):
        raise BadRequest(f"{name} is {shown(found)}; a list is needed.", field=name)
    return list(found)


# --- encode -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class EncodeRequest(RouteRequest):
    """The latents of `photos`, each encoded under its label, with a round trip as the proof.

    `guidance` is 0 by default: the guided flow is steeper and does not come back along the same
    path. `exact` inverts every step of decoding, so that decoding with the same steps gives
    the same bytes; it takes a few evaluations a step, and precision "auto" then is fp32.
    """

    kind: ClassVar[str] = "encode"
    lasting: ClassVar[bool] = True

    photos: tuple[Photo, ...] = ()
    labels: tuple[Label, ...] = ()
    exact: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.photos, tuple) or not all(isinstance(p, Photo) for p in self.photos):
            raise BadRequest(f"photos is {shown(self.photos)}; a list of photos is needed.", field="images")
        if not 1 <= len(self.photos) <= MAX_ENCODED:
            raise BadRequest(
                f"There are {len(self.photos):,} images to encode; 1 to {MAX_ENCODED:,} are possible.",
                field="images",
            )
        _check_labels(self.labels, len(self.photos))
        flag("exact", self.exact)
        if self.exact and self.solver not in EXACT_SOLVERS:
            raise BadRequest(
                f"solver {shown(self.solver)} can't be inverted exactly: each of its steps depends on the "
                f"steps before. Solvers that can: {', '.join(EXACT_SOLVERS)}.",
                field="solver",
            )

    @property
    def count(self) -> int:
        return len(self.photos)

    @property
    def summary(self) -> str:
        """ "fashion32, 4 images encoded exactly, genie 10"."""
        images = f"{self.count:,} image{'' if self.count == 1 else 's'}"
        how = " exactly" if self.exact else ""
        return f"{self.model}, {images} encoded{how}, {self.solver} {self.steps}"

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "photos": [photo_to_dict(photo) for photo in self.photos]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        photos = tuple(photo_from_dict(photo) for photo in _objects(data, "photos"))
        return super().from_dict({**data, "photos": photos})


@dataclass(frozen=True)
class Encoded:
    """One photo's latent and how well it gives the photo back.

    `latent` is the content of a latent file: write it as it is. `difference` shows
    |original - round trip|, stretched so that its largest value is white (`stretch` says by how
    much; 0 where nothing differs). `steps` is empty unless the encode was exact.
    """

    name: str
    label: Label
    facts: PhotoFacts
    latent: bytes = field(repr=False)
    latent_id: str
    latent_sha256: str
    original: Pictures
    round_trip: Pictures
    difference: Pictures
    stretch: float
    fidelity: Fidelity
    statistics: LatentStatistics
    gammas: tuple[float, ...]  # the grid that decodes it, falling
    evaluations: int  # up, of this image
    evaluations_back: int
    steps: tuple[StepReport, ...] = ()

    @property
    def converged(self) -> bool:
        return all(step.converged for step in self.steps)

    @property
    def words(self) -> str:
        """The report in plain words."""
        return f"{self.fidelity.words} {self.statistics.words}"


@dataclass(frozen=True)
class Refused:
    """A photo that could not be encoded, and why."""

    name: str
    message: str
    kind: str = "bad-image"
    field: str = "images"


@dataclass(frozen=True)
class Encoding(Outcome):
    """All or, after a stop, the finished first part of a request's photos, in their order."""

    request: EncodeRequest
    items: tuple[Encoded | Refused, ...]
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def encoded(self) -> tuple[Encoded, ...]:
        return tuple(item for item in self.items if isinstance(item, Encoded))

    @property
    def refused(self) -> tuple[Refused, ...]:
        return tuple(item for item in self.items if isinstance(item, Refused))

    @property
    def complete(self) -> bool:
        return len(self.items) == self.request.count

    @property
    def kept(self) -> bool:
        return bool(self.encoded)

    @property
    def words(self) -> str:
        count = len(self.encoded)
        done = f"{count:,} image{'' if count == 1 else 's'} encoded"
        if self.refused:
            done += f", {len(self.refused)} could not be read"
        return f"{done}." if self.complete else f"Stopped; {done} and kept"


# --- what would be encoded --------------------------------------------------------------------


@dataclass(frozen=True)
class PhotoRequest(Request):
    """The exact pixels that encoding `photo` would start from; loads no network."""

    kind: ClassVar[str] = "photo"

    model: str
    photo: Photo

    def __post_init__(self) -> None:
        text("model", self.model)
        if not isinstance(self.photo, Photo):
            raise BadRequest(f"photo is {shown(self.photo)}; a photo is needed.", field="images")

    def to_dict(self) -> dict[str, Any]:
        return {"model": self.model, "photo": photo_to_dict(self.photo)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return super().from_dict({**data, "photo": photo_from_dict(data.get("photo"))})


@dataclass(frozen=True)
class Framed(Outcome):
    """A photo as the model sees it, and the whole of it for a crop dialog.

    `whole` is the upright image in colour, reduced to at most 1024 pixels a side.
    """

    request: PhotoRequest
    picture: Pictures
    whole: Pictures
    facts: PhotoFacts
    seconds: float = 0.0
    provenance: Provenance | None = None
    notices: tuple[str, ...] = ()

    complete = True
    kept = True

    @property
    def words(self) -> str:
        return "The image was read."


# --- decode -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class DecodeRequest(RouteRequest):
    """Pictures of latents. For those of files, `decode_settings` of the file says how."""

    kind: ClassVar[str] = "decode"

    latents: tuple[LatentSource, ...] = ()
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.latents, tuple) or not 1 <= len(self.latents) <= MAX_ENCODED:
            raise BadRequest(
                f"latents is {shown(self.latents)}; 1 to {MAX_ENCODED:,} latents are needed.", field="latent"
            )
        for latent in self.latents:
            if not isinstance(latent, LatentSource):
                raise BadRequest(f"latent is {shown(latent)}; a seed or a file is needed.", field="latent")
        _check_labels(self.labels, len(self.latents))

    @property
    def count(self) -> int:
        return len(self.latents)

    @property
    def summary(self) -> str:
        latents = f"{self.count:,} latent{'' if self.count == 1 else 's'}"
        return f"{self.model}, {latents} decoded, {self.solver} {self.steps}"

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "latents": [source_to_dict(latent) for latent in self.latents]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        latents = tuple(source_from_dict(latent) for latent in _objects(data, "latents"))
        return super().from_dict({**data, "latents": latents})


@dataclass(frozen=True)
class Decoded(PicturesOutcome):
    """All or, after a stop, the finished first part of a request's pictures."""

    request: DecodeRequest
    pictures: Pictures
    evaluations: int
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        count = self.pictures.count
        done = f"{count:,} latent{'' if count == 1 else 's'} decoded"
        return f"{done}." if self.complete else f"Stopped; {done} and kept"


# --- error versus steps -----------------------------------------------------------------------


@dataclass(frozen=True)
class RoundTripRequest(RouteRequest):
    """How well one photo comes back, by solver and number of steps (`steps` itself is unused)."""

    kind: ClassVar[str] = "round-trip"

    photo: Photo | None = None
    label: Label = None
    solvers: tuple[str, ...] = ("genie", "ddim")
    counts: tuple[int, ...] = (5, 10, 15, 25, 50)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.photo, Photo):
            raise BadRequest(f"photo is {shown(self.photo)}; a photo is needed.", field="images")
        check_label(self.label)
        for name, values in (("solvers", self.solvers), ("counts", self.counts)):
            if not isinstance(values, tuple) or not 1 <= len(values) <= 20:
                raise BadRequest(f"{name} is {shown(values)}; 1 to 20 are needed.", field=name)
        for name in self.solvers:
            text("solver", name)
        for count in self.counts:
            whole("steps", count, 1, MAX_STEPS)

    @property
    def summary(self) -> str:
        return f"{self.model}, error versus steps, {' and '.join(self.solvers)}"

    def to_dict(self) -> dict[str, Any]:
        assert self.photo is not None
        return {**super().to_dict(), "photo": photo_to_dict(self.photo)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return super().from_dict({**data, "photo": photo_from_dict(data.get("photo"))})


@dataclass(frozen=True)
class RoundTripPoint:
    """Up and down once: `evaluations` counts both ways."""

    solver: str
    steps: int
    evaluations: int
    fidelity: Fidelity
    seconds: float


@dataclass(frozen=True)
class RoundTrip(Outcome):
    """The points measured by then; all of them unless stopped."""

    request: RoundTripRequest
    points: tuple[RoundTripPoint, ...]
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return len(self.points) == len(self.request.solvers) * len(self.request.counts)

    @property
    def kept(self) -> bool:
        return bool(self.points)

    @property
    def words(self) -> str:
        done = f"{len(self.points)} round trips measured"
        return f"{done}." if self.complete else f"Stopped; {done}"

    def curve(self, solver: str) -> tuple[tuple[int, float], ...]:
        """(steps, PSNR) of a solver, for a plot; an identical picture counts as 99 dB."""
        return tuple(
            (point.steps, min(point.fidelity.psnr, 99.0) if math.isfinite(point.fidelity.psnr) else 99.0)
            for point in self.points
            if point.solver == solver
        )
