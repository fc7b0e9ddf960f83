"""What the window and the engine say to each other: frozen requests and events.

Standard library only, so that the window is on screen before torch loads and the engine may
one day live in another process. A request is complete: it alone decides the result.
"""

from __future__ import annotations

import dataclasses
import json
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event as ThreadEvent
from typing import Any, ClassVar, TypeVar

from engine.errors import BadRequest, UnknownName

__all__ = [
    "DEVICES",
    "MAX_COUNT",
    "MAX_SEED",
    "MAX_STEPS",
    "PRECISIONS",
    "SPACINGS",
    "Catalogue",
    "Control",
    "Event",
    "GenerateRequest",
    "Loading",
    "ModelInfo",
    "Notice",
    "Pictures",
    "Progress",
    "Provenance",
    "Request",
    "Result",
    "SolverInfo",
    "StepFrame",
    "WarmUp",
    "choose_labels",
    "find_name",
    "request_from_json",
    "request_to_json",
]

SPACINGS = ("linear", "quadratic", "log-snr", "rho")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MAX_STEPS = 1000
MAX_COUNT = 10_000
MAX_SEED = 2**53 - 1  # every integer up to here survives any JSON reader
FORMAT_VERSION = 1


# --- what there is -------------------------------------------------------------------------


@dataclass(frozen=True)
class SolverInfo:
    """A solver as a person meets it. `order` is its order of convergence in the step size."""

    name: str
    title: str
    summary: str
    order: int
    evaluations_per_step: int = 1
    derivative: str = "none"  # "none", "head" (needs a GENIE head) or "exact" (any network)
    reference: str = ""

    def evaluations(self, steps: int, *, analytic_first: bool, denoise: bool) -> int:
        """Network evaluations of one unguided image."""
        # An exact derivative evaluates twice at the first gamma, and both are spared there.
        spared = 2 if self.derivative == "exact" else 1
        return self.evaluations_per_step * steps - spared * int(analytic_first) + int(denoise)


@dataclass(frozen=True)
class ModelInfo:
    """A model as a person meets it; read from its card without loading a weight."""

    name: str
    title: str
    summary: str
    image_size: int
    channels: int
    classes: tuple[str, ...]  # empty: unconditional
    null_label: bool  # trained with label dropout: guides itself
    has_head: bool
    bytes: int
    folder: str
    bundled: bool
    sample: str | None = None  # path of a picture that shows it
    licence: str = ""
    data: str = ""
    spacing: str = "quadratic"  # the grid it was measured to like best
    upsampler: str | None = None
    problem: str | None = None  # why it can't be used, if it can't


@dataclass(frozen=True)
class Catalogue:
    """Everything that can be chosen; the engine's first answer, before torch is loaded."""

    models: tuple[ModelInfo, ...]
    solvers: tuple[SolverInfo, ...]

    def model(self, name: str) -> ModelInfo:
        return find_name(name, self.models, "model")

    def solver(self, name: str) -> SolverInfo:
        return find_name(name, self.solvers, "solver")


_Named = TypeVar("_Named", ModelInfo, SolverInfo)


def find_name(name: str, among: Sequence[_Named], what: str) -> _Named:
    """The entry called `name`; an `UnknownName` lists what exists and the nearest."""
    for entry in among:
        if entry.name == name:
            return entry
    names = [entry.name for entry in among]
    raise UnknownName(
        f"There is no {what} {_shown(name)}.{_nearest(name, names)} There is: {', '.join(names) or 'none'}.",
        field=what,
    )


def _nearest(name: str, names: Sequence[str]) -> str:
    folded = {entry.casefold(): entry for entry in names}
    from difflib import get_close_matches  # here: the window opens before it is needed

    close = get_close_matches(name[:200].casefold(), list(folded), n=1, cutoff=0.4)
    return f" Did you mean {folded[close[0]]!r}?" if close else ""


# --- requests ------------------------------------------------------------------------------


@dataclass(frozen=True)
class GenerateRequest:
    """Images from noise. Image i has seed `seed + i` and label `labels[i]` (None: no class).

    `batch` is how many images go through the network at once (0: chosen by the engine);
    it is part of the request because rounding depends on it.
    """

    kind: ClassVar[str] = "generate"

    model: str
    seed: int = 0
    labels: tuple[int | None, ...] = (None,)
    solver: str = "genie"
    steps: int = 10
    spacing: str = "quadratic"
    guidance: float = 0.0
    guidance_model: str | None = None
    analytic_first: bool = False
    denoise: bool = False
    t_end: float = 1e-3
    device: str = "auto"
    precision: str = "auto"
    batch: int = 0

    def __post_init__(self) -> None:
        _text("model", self.model)
        _whole("seed", self.seed, 0, MAX_SEED)
        if not isinstance(self.labels, tuple):
            raise BadRequest(
                f"labels is {_shown(self.labels)}; a list of class numbers is needed.", field="labels"
            )
        _whole("count", len(self.labels), 1, MAX_COUNT)
        for label in self.labels:
            if label is not None:
                _whole("labels", label, 0, 1_000_000)
        _text("solver", self.solver)
        _whole("steps", self.steps, 1, MAX_STEPS)
        _one_of("spacing", self.spacing, SPACINGS)
        _number("guidance", self.guidance, -1.0, 50.0)
        if self.guidance_model is not None:
            _text("guidance_model", self.guidance_model)
        _flag("analytic_first", self.analytic_first)
        _flag("denoise", self.denoise)
        _number("t_end", self.t_end, 1e-5, 0.5)
        _place(self.device, self.precision)
        _whole("batch", self.batch, 0, MAX_COUNT)

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple((self.seed + i) % (MAX_SEED + 1) for i in range(self.count))


@dataclass(frozen=True)
class WarmUp:
    """Load a model now, so that the first image does not wait for it."""

    kind: ClassVar[str] = "warm-up"

    model: str
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        _text("model", self.model)
        _place(self.device, self.precision)


Request = GenerateRequest | WarmUp
_REQUESTS: dict[str, type[Any]] = {cls.kind: cls for cls in (GenerateRequest, WarmUp)}


def request_to_json(request: Request) -> str:
    """One line of JSON that `request_from_json` turns back into an equal request."""
    return json.dumps({"genie": FORMAT_VERSION, "kind": request.kind, **dataclasses.asdict(request)})


def request_from_json(text: str | bytes | Mapping[str, Any]) -> Request:
    """The request in a JSON text or object; a `BadRequest` names what is wrong with it."""
    if isinstance(text, (str, bytes)):
        try:
            if len(text) > 4_000_000:
                raise ValueError("it is longer than any request")
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The settings are not readable JSON: {error}.") from error
    else:
        data = dict(text)
    if not isinstance(data, dict):
        raise BadRequest("The settings are not a JSON object.")
    version, kind = data.pop("genie", None), data.pop("kind", None)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise BadRequest(
            f"The settings have version {_shown(version)}; this program reads up to {FORMAT_VERSION}."
        )
    cls = _REQUESTS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise BadRequest(f"The settings are of kind {_shown(kind)}; known: {', '.join(_REQUESTS)}.")
    unknown = sorted(set(data) - {f.name for f in dataclasses.fields(cls)})
    if unknown:
        raise BadRequest(f"The settings have fields nobody knows: {', '.join(map(str, unknown))[:200]}.")
    for name, value in data.items():
        if isinstance(value, list):
            data[name] = tuple(value)
    try:
        request: Request = cls(**data)
    except TypeError as error:
        raise BadRequest(f"The settings are incomplete: {error}.") from error
    return request


def choose_labels(pick: Sequence[int] | str, count: int, classes: int, seed: int) -> tuple[int | None, ...]:
    """Labels for `count` images: "all" goes round the classes, "random" draws them by seed,

    a list of class numbers is gone round. A model without classes gets None throughout.
    """
    if classes == 0:
        return (None,) * count
    if pick == "random":
        import random  # here: the window opens before it is needed

        return tuple(random.Random(f"label {seed + i}").randrange(classes) for i in range(count))
    numbers = range(classes) if pick == "all" else pick
    if isinstance(numbers, str) or not numbers:
        raise BadRequest("No class is chosen. Choose one or more, `all` or `random`.", field="classes")
    return tuple(numbers[i % len(numbers)] for i in range(count))


# --- checks --------------------------------------------------------------------------------

# A value from a file may be of any size; in a message its beginning and end are enough.
_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxlong = _shorten.maxother = 80


def _shown(value: object) -> str:
    """The value as Python writes it, shortened if it is long or deep."""
    return _shorten.repr(value)


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadRequest(
            f"{name} is {_shown(value)}; a whole number from {low:,} to {high:,} is needed.", field=name
        )


def _number(name: str, value: object, low: float, high: float) -> None:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not ok or not low <= value <= high:  # type: ignore[operator]  # NaN fails this too
        raise BadRequest(
            f"{name} is {_shown(value)}; a number from {low:g} to {high:g} is needed.", field=name
        )


def _one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        near = _nearest(value, allowed) if isinstance(value, str) else ""
        raise BadRequest(f"{name} is {_shown(value)}.{near} Allowed: {', '.join(allowed)}.", field=name)


def _text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value or len(value) > 200:
        raise BadRequest(f"{name} is {_shown(value)}; a name is needed.", field=name)


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise BadRequest(f"{name} is {_shown(value)}; true or false is needed.", field=name)


def _place(device: object, precision: object) -> None:
    _one_of("device", device.partition(":")[0] if isinstance(device, str) else device, DEVICES)
    _one_of("precision", precision, PRECISIONS)


# --- events --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pictures:
    """`count` images as bytes, row after row: uint8 (count, height, width, channels)."""

    count: int
    width: int
    height: int
    channels: int  # 1 grey, 3 RGB
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.data) != self.count * self.stride:
            raise ValueError("the data has another size than the pictures")

    @property
    def stride(self) -> int:
        """Bytes of one picture."""
        return self.width * self.height * self.channels

    def one(self, index: int) -> Pictures:
        start = index * self.stride
        return dataclasses.replace(self, count=1, data=self.data[start : start + self.stride])


@dataclass(frozen=True)
class Loading:
    """A model is being read. `fraction` runs from 0 to 1."""

    model: str
    fraction: float


@dataclass(frozen=True)
class Progress:
    """One network evaluation done. `preview` shows x0 as predicted now, if one was wanted.

    `first` and `count` say which images of the request are in the network; `evaluations` of
    `evaluations_total` counts over the whole job, in network calls on such a group.
    """

    first: int
    count: int
    step: int
    steps: int
    t: float
    evaluations: int
    evaluations_total: int
    seconds: float
    seconds_left: float
    preview: Pictures | None = None


@dataclass(frozen=True)
class Notice:
    """Something a person should know that did not stop the job (say, a halved batch)."""

    message: str


@dataclass(frozen=True)
class StepFrame:
    """One step of a finished job: x0 as it was predicted there, for all images."""

    step: int
    t: float
    evaluations: int
    pictures: Pictures


@dataclass(frozen=True)
class Provenance:
    """Where and how a result was computed; together with the request it can be made again."""

    device: str  # "cpu", "cuda:0", ...
    device_name: str
    precision: str  # "fp32", "bf16", "fp16"
    torch: str
    version: str
    batches: tuple[int, ...]  # images in each group that went through the network
    threads: int = 0  # of the processor; 0: another device computed, or it was not noted


@dataclass(frozen=True)
class Result:
    """All or, after a stop, the finished first part of a request's images.

    `evaluations` counts network evaluations for one image, honestly: a guided image costs two
    a step. `evaluations_paper` counts as the GENIE paper does: a guided pair is one.
    """

    request: GenerateRequest
    pictures: Pictures
    steps: tuple[StepFrame, ...]
    evaluations: int
    evaluations_paper: int
    seconds: float
    provenance: Provenance
    notices: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        return self.pictures.count == self.request.count


Event = Loading | Progress | Notice | Result


@dataclass(frozen=True)
class Control:
    """How the consumer steers a running task from another thread.

    `cancelled` is looked at after every network evaluation. `wants_preview` is asked before
    a preview is computed; it answers yes at most every 80 ms in the window.
    """

    cancelled: ThreadEvent = field(default_factory=ThreadEvent)
    wants_preview: Callable[[], bool] = lambda: False
    keep_steps: bool = True
