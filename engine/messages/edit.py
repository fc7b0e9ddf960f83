"""Changes to a picture: six kinds, each shown as a strip over its strength.

    EditRequest("fashion32", solver=FAST_SOLVER, guidance=CLASS_GUIDANCE,
                source=Photo(PngImage(png)), label=9, edit=ClassEdit(to=7),
                strengths=(0.2, 0.4, 0.6, 0.8))                             -> Edited

`source` is a photo or a latent; `label` the class the source is of. A strength of 0 always gives
the source's picture back, every byte; 1 is as far as the kind of edit goes:

    ClassEdit      becomes another class          1: keeps nothing but the pose of the noise
    BlendEdit      becomes another picture        1: is the other picture
    VaryEdit       the same, otherwise            1: another picture of the class; one row a seed
    MaskEdit       changes inside a mask          1: new inside; outside every byte stays
    AttributeEdit  goes along a direction         1: by `scale` times the direction
    PaintEdit      makes a scribble real          1: keeps little of the scribble

While a slider is dragged ask for one strength with `steps=5`. A strip shows for each strength
what that strength alone does. Directions are made by a `DirectionRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import MAX_SEED, flag, number, shown, text, whole
from engine.messages.encode import (
    EXACT_SOLVERS,
    Fidelity,
    Photo,
    RouteRequest,
    photo_from_dict,
    photo_to_dict,
)
from engine.messages.events import Outcome, Pictures, PicturesOutcome, Provenance
from engine.messages.images import FileImage, ImageSource, PngImage, image_from_dict, image_to_dict
from engine.messages.latents import (
    FileLatent,
    Label,
    LatentSource,
    check_label,
    source_from_dict,
    source_to_dict,
)

__all__ = [
    "CLASS_GUIDANCE",
    "EDITS",
    "MAX_STRENGTHS",
    "AttributeEdit",
    "BlendEdit",
    "ClassEdit",
    "ClassSet",
    "Direction",
    "DirectionRequest",
    "Edit",
    "EditRequest",
    "Edited",
    "MaskEdit",
    "PaintEdit",
    "Selection",
    "Source",
    "VaryEdit",
]

MAX_STRENGTHS = 64

# Guidance of the way down that takes a picture safely into another class (4 of 5 times and more,
# where without it is one of two) and still keeps more of it than stronger guidance does.
CLASS_GUIDANCE = 1.0

_MAX_SEEDS = 64
_MAX_SELECTED = 10_000

# What an edit starts from.
Source = Photo | LatentSource


def _plain_source(source: Source) -> dict[str, Any]:
    return photo_to_dict(source) if isinstance(source, Photo) else {"latent": source_to_dict(source)}


def _read_source(data: object) -> Source:
    if isinstance(data, Mapping) and "latent" in data:
        return source_from_dict(data["latent"])
    return photo_from_dict(data)


def _check_source(name: str, source: object) -> None:
    if not isinstance(source, Source):
        raise BadRequest(f"{name} is {shown(source)}; a photo or a latent is needed.", field=name)


def _check_image(name: str, image: object) -> None:
    if not isinstance(image, FileImage | PngImage):
        raise BadRequest(f"{name} is {shown(image)}; a file or the bytes of a PNG are needed.", field=name)


def _label(value: Any) -> Label:
    """A label from JSON, whose tuples are lists."""
    return tuple(tuple(part) for part in value) if isinstance(value, list) else value


# --- the kinds --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassEdit:
    """Encoded as the source's class up to the strength, and decoded from there as class `to`."""

    name: ClassVar[str] = "class"

    to: Label

    def __post_init__(self) -> None:
        check_label(self.to)

    def to_dict(self) -> dict[str, Any]:
        return {"to": self.to}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(_label(data["to"]))


@dataclass(frozen=True)
class BlendEdit:
    """On the great circle from the source's latent to that of `other`, which is of class `label`."""

    name: ClassVar[str] = "blend"

    other: Source
    label: Label = None

    def __post_init__(self) -> None:
        _check_source("other", self.other)
        check_label(self.label)

    def to_dict(self) -> dict[str, Any]:
        return {"other": _plain_source(self.other), "label": self.label}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(_read_source(data["other"]), _label(data.get("label")))


@dataclass(frozen=True)
class VaryEdit:
    """Noised with each of `seeds` up to the strength, and back: relatives of the picture."""

    name: ClassVar[str] = "vary"

    seeds: tuple[int, ...] = (0, 1, 2, 3)

    def __post_init__(self) -> None:
        if not isinstance(self.seeds, tuple) or not 1 <= len(self.seeds) <= _MAX_SEEDS:
            raise BadRequest(
                f"seeds is {shown(self.seeds)}; 1 to {_MAX_SEEDS} seeds are needed.", field="seeds"
            )
        for seed in self.seeds:
            whole("seeds", seed, 0, MAX_SEED)

    def to_dict(self) -> dict[str, Any]:
        return {"seeds": list(self.seeds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(tuple(data["seeds"]))


@dataclass(frozen=True)
class MaskEdit:
    """New inside `mask`, where it is white; black outside, where every byte stays.

    The mask has the model's size; `feather` is how many pixels its edge is softened inwards and
    outwards. Inside becomes class `to`: by way of the flow, or with a `seed` from noise.
    """

    name: ClassVar[str] = "mask"

    mask: ImageSource
    to: Label = None
    feather: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_image("mask", self.mask)
        check_label(self.to)
        number("feather", self.feather, 0.0, 256.0)
        if self.seed is not None:
            whole("seed", self.seed, 0, MAX_SEED)

    def to_dict(self) -> dict[str, Any]:
        return {"mask": image_to_dict(self.mask), "to": self.to, "feather": self.feather, "seed": self.seed}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            image_from_dict(data["mask"]),
            _label(data.get("to")),
            data.get("feather", 1.0),
            data.get("seed"),
        )


@dataclass(frozen=True)
class AttributeEdit:
    """The source's latent moved by strength x `scale` x the direction in a file (see Direction)."""

    name: ClassVar[str] = "attribute"

    direction: FileLatent
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.direction, FileLatent):
            raise BadRequest(
                f"direction is {shown(self.direction)}; the file of a direction is needed.", field="direction"
            )
        number("scale", self.scale, -20.0, 20.0)

    def to_dict(self) -> dict[str, Any]:
        return {"direction": source_to_dict(self.direction), "scale": self.scale}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        direction = source_from_dict(data["direction"])
        if not isinstance(direction, FileLatent):
            raise BadRequest("direction names no file.", field="direction")
        return cls(direction, data.get("scale", 1.0))


@dataclass(frozen=True)
class PaintEdit:
    """`painted` over the source (transparent: as it was), then made real. Draws no random number.

    `painted` has the model's size. It is encoded without a class up to the strength and decoded
    as the source's: what no picture of the class looks like does not survive that.
    """

    name: ClassVar[str] = "paint"

    painted: ImageSource

    def __post_init__(self) -> None:
        _check_image("painted", self.painted)

    def to_dict(self) -> dict[str, Any]:
        return {"painted": image_to_dict(self.painted)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(image_from_dict(data["painted"]))


Edit = ClassEdit | BlendEdit | VaryEdit | MaskEdit | AttributeEdit | PaintEdit

EDITS: dict[str, type[Edit]] = {
    cls.name: cls for cls in (ClassEdit, BlendEdit, VaryEdit, MaskEdit, AttributeEdit, PaintEdit)
}


# --- the request ------------------------------------------------------------------------------


@dataclass(frozen=True)
class EditRequest(RouteRequest):
    """One picture changed, at each of `strengths` (from 0 to 1).

    `guidance` is that of the way down; the way up is never guided. `exact` inverts the steps
    where the edit encodes, so that what is not meant to change does not.
    """

    kind: ClassVar[str] = "edit"

    source: Source | None = None
    edit: Edit | None = None
    label: Label = None
    strengths: tuple[float, ...] = (0.6,)
    exact: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_source("source", self.source)
        if not isinstance(self.edit, Edit):
            raise BadRequest(f"edit is {shown(self.edit)}; known: {', '.join(EDITS)}.", field="kind")
        check_label(self.label)
        if not isinstance(self.strengths, tuple) or not 1 <= len(self.strengths) <= MAX_STRENGTHS:
            raise BadRequest(
                f"strengths is {shown(self.strengths)}; 1 to {MAX_STRENGTHS} are needed.", field="strength"
            )
        for strength in self.strengths:
            number("strength", strength, 0.0, 1.0)
        flag("exact", self.exact)
        if self.exact and self.solver not in EXACT_SOLVERS:
            raise BadRequest(
                f"solver {shown(self.solver)} can't be inverted exactly: each of its steps depends on the "
                f"steps before. Solvers that can: {', '.join(EXACT_SOLVERS)}.",
                field="solver",
            )

    @property
    def rows(self) -> int:
        """Rows of the strip: one for each seed where seeds matter, else one."""
        return len(self.edit.seeds) if isinstance(self.edit, VaryEdit) else 1

    @property
    def count(self) -> int:
        return self.rows * len(self.strengths)

    @property
    def summary(self) -> str:
        """ "fashion32, class, strength 0.6, genie 10"."""
        assert self.edit is not None
        strengths = (
            f"strength {self.strengths[0]:g}"
            if len(self.strengths) == 1
            else f"{len(self.strengths)} strengths"
        )
        return f"{self.model}, {self.edit.name}, {strengths}, {self.solver} {self.steps}"

    def to_dict(self) -> dict[str, Any]:
        assert self.source is not None
        assert self.edit is not None
        return {
            **super().to_dict(),
            "source": _plain_source(self.source),
            "edit": {"edit": self.edit.name, **self.edit.to_dict()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        edit = data.get("edit")
        name = edit.get("edit") if isinstance(edit, Mapping) else None
        kind = EDITS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise BadRequest(f"edit is {shown(edit)}; known: {', '.join(EDITS)}.", field="kind")
        assert isinstance(edit, Mapping)
        try:
            made = kind.from_dict(edit)
        except (KeyError, TypeError) as error:
            raise BadRequest(f"The {kind.name} edit is incomplete: {error}.", field="kind") from error
        return super().from_dict({**data, "source": _read_source(data.get("source")), "edit": made})


@dataclass(frozen=True)
class Edited(PicturesOutcome):
    """The strip: one picture for each strength, row after row (see `EditRequest.rows`).

    `original` is the source's picture, `fidelity` that of each picture to it. After a stop
    `pictures` holds those finished, from the first on. `evaluations` are those of one picture,
    the way up shared by a strip counted in full.
    """

    request: EditRequest
    original: Pictures
    pictures: Pictures
    fidelity: tuple[Fidelity, ...]
    evaluations: int
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        count = self.pictures.count
        done = f"{count:,} edited picture{'' if count == 1 else 's'}"
        return f"{done} finished." if self.complete else f"Stopped; {done} kept"


# --- directions -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassSet:
    """`count` pictures of a class, as the model draws them from `seed` on."""

    label: int
    count: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        whole("label", self.label, 0, 1_000_000)
        whole("count", self.count, 1, _MAX_SELECTED)
        whole("seed", self.seed, 0, MAX_SEED)


# One side of a direction: a class, or photos and latents somebody picked.
Selection = ClassSet | tuple[Source, ...]


def _plain_selection(selection: Selection) -> Any:
    if isinstance(selection, ClassSet):
        return {"class": selection.label, "count": selection.count, "seed": selection.seed}
    return [_plain_source(source) for source in selection]


def _read_selection(data: object) -> Selection:
    if isinstance(data, Mapping):
        return ClassSet(data.get("class", -1), data.get("count", 64), data.get("seed", 0))
    if not isinstance(data, list | tuple):
        raise BadRequest(f"A selection is {shown(data)}; a class or pictures are needed.", field="selection")
    return tuple(_read_source(source) for source in data)


@dataclass(frozen=True)
class DirectionRequest(RouteRequest):
    """What tells the pictures of `toward` from those of `away`: the difference of their mean latents.

    All are encoded without a class (a class would explain away what is asked for).
    """

    kind: ClassVar[str] = "direction"
    lasting: ClassVar[bool] = True

    name: str = ""
    toward: Selection = ()
    away: Selection = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        text("name", self.name)
        for side in (self.toward, self.away):
            if isinstance(side, ClassSet):
                continue
            if not isinstance(side, tuple) or not 1 <= len(side) <= _MAX_SELECTED:
                raise BadRequest(
                    "A direction needs one picture or more on each side, or a class.", field="selection"
                )
            for source in side:
                _check_source("selection", source)

    @property
    def summary(self) -> str:
        return f"{self.model}, direction {self.name}, {self.solver} {self.steps}"

    def to_dict(self) -> dict[str, Any]:
        return {
            **super().to_dict(),
            "toward": _plain_selection(self.toward),
            "away": _plain_selection(self.away),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        return super().from_dict(
            {
                **data,
                "toward": _read_selection(data.get("toward")),
                "away": _read_selection(data.get("away")),
            }
        )


@dataclass(frozen=True)
class Direction(Outcome):
    """A direction as the content of a file; empty after a stop.

    `separation` is how many standard deviations lie between both sides along it: below 1 it
    hardly tells them apart.
    """

    request: DirectionRequest
    latent: bytes = field(repr=False)
    latent_id: str
    latent_sha256: str
    counts: tuple[int, int]  # pictures toward and away
    separation: float
    evaluations: int
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return bool(self.latent)

    @property
    def kept(self) -> bool:
        return bool(self.latent)

    @property
    def words(self) -> str:
        if not self.complete:
            return "Stopped; no direction was made"
        return (
            f"The direction {self.request.name} tells {self.counts[0]} pictures from {self.counts[1]}, "
            f"{self.separation:.1f} standard deviations apart."
        )
