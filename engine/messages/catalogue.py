"""What there is to choose from: models and solvers as a person meets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import UnknownName
from engine.messages.checks import nearest, shown

__all__ = ["Catalogue", "ModelInfo", "SolverInfo", "find_name"]


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
    guidance: float = 0.0  # with which its pictures are best to look at
    aug_level: float = 0.1  # an upsampler: the noise on the small image that it was measured to like best
    consistent: bool = False  # an upsampler: its results are best corrected towards the small image
    background: tuple[int, int, int] = (0, 0, 0)  # behind its pictures, so behind what is clear in others
    upsampler: str | None = None  # the model that enlarges what this one makes
    upsamples_from: int | None = None  # an upsampler: the size of the images it enlarges
    synonyms: tuple[tuple[str, ...], ...] = ()  # other names of each class; empty: it has none
    problem: str | None = None  # why it can't be used, if it can't

    @property
    def is_upsampler(self) -> bool:
        """It makes large images of small ones, and none of noise alone."""
        return self.upsamples_from is not None


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
        f"There is no {what} {shown(name)}.{nearest(name, names)} There is: {', '.join(names) or 'none'}.",
        field=what,
    )
