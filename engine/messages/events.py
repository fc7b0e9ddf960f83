"""What the engine says while it works, and with what it ends."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as ThreadEvent

from engine.messages.generate import GenerateRequest
from engine.messages.request import Request

__all__ = [
    "Control",
    "Event",
    "Loading",
    "Notice",
    "Outcome",
    "Pictures",
    "PicturesOutcome",
    "Progress",
    "Provenance",
    "Result",
    "StepFrame",
]


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


class Outcome:
    """Base of what a task ends with: exactly one, also after a stop, with what was done by then."""

    request: Request
    seconds: float
    notices: tuple[str, ...]
    provenance: Provenance | None

    @property
    def complete(self) -> bool:
        """All that was asked for is there."""
        raise NotImplementedError

    @property
    def kept(self) -> bool:
        """Something is there."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What was done, as a person is told: "16 pictures finished."."""
        raise NotImplementedError


class PicturesOutcome(Outcome):
    """Base of what ends with pictures: all of the request's or, after a stop, the first of them."""

    pictures: Pictures

    @property
    def complete(self) -> bool:
        return self.pictures.count == self.request.count

    @property
    def kept(self) -> bool:
        return self.pictures.count > 0


@dataclass(frozen=True)
class Result(PicturesOutcome):
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
    def words(self) -> str:
        count = self.pictures.count
        done = f"{count:,} picture{'' if count == 1 else 's'}"
        return f"{done} finished." if self.complete else f"Stopped; {count} of {self.request.count} kept"


Event = Loading | Progress | Notice | Outcome


@dataclass(frozen=True)
class Control:
    """How the consumer steers a running task from another thread.

    `cancelled` is looked at after every network evaluation. `wants_preview` is asked before
    a preview is computed; it answers yes at most every 80 ms in the window.
    """

    cancelled: ThreadEvent = field(default_factory=ThreadEvent)
    wants_preview: Callable[[], bool] = lambda: False
    keep_steps: bool = True
