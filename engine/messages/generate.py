"""Images from noise: the request, and which class each image is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.errors import BadRequest
from engine.messages.checks import (
    MAX_COUNT,
    MAX_SEED,
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
from engine.messages.request import Request

__all__ = ["GenerateRequest", "WarmUp", "choose_labels"]


@dataclass(frozen=True)
class GenerateRequest(Request):
    """Images from noise. Image i has seed `seed + i` and label `labels[i]` (None: no class).

    `batch` is how many images go through the network at once (0: chosen by the engine);
    it is part of the request because rounding depends on it.
    """

    kind: ClassVar[str] = "generate"
    lasting: ClassVar[bool] = True

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
        text("model", self.model)
        whole("seed", self.seed, 0, MAX_SEED)
        if not isinstance(self.labels, tuple):
            raise BadRequest(
                f"labels is {shown(self.labels)}; a list of class numbers is needed.", field="labels"
            )
        whole("count", len(self.labels), 1, MAX_COUNT)
        for label in self.labels:
            if label is not None:
                whole("labels", label, 0, 1_000_000)
        text("solver", self.solver)
        whole("steps", self.steps, 1, MAX_STEPS)
        one_of("spacing", self.spacing, SPACINGS)
        number("guidance", self.guidance, -1.0, 50.0)
        if self.guidance_model is not None:
            text("guidance_model", self.guidance_model)
        flag("analytic_first", self.analytic_first)
        flag("denoise", self.denoise)
        number("t_end", self.t_end, 1e-5, 0.5)
        place(self.device, self.precision)
        whole("batch", self.batch, 0, MAX_COUNT)

    @property
    def summary(self) -> str:
        """ "fashion32, 16 images, genie 10, seed 48151623"."""
        images = f"{self.count:,} image{'' if self.count == 1 else 's'}"
        return f"{self.model}, {images}, {self.solver} {self.steps}, seed {self.seed}"

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple((self.seed + i) % (MAX_SEED + 1) for i in range(self.count))


@dataclass(frozen=True)
class WarmUp(Request):
    """Load a model now, so that the first image does not wait for it."""

    kind: ClassVar[str] = "warm-up"

    model: str
    device: str = "auto"
    precision: str = "auto"

    def __post_init__(self) -> None:
        text("model", self.model)
        place(self.device, self.precision)


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
