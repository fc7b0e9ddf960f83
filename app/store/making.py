"""Pictures to be kept with all that is known of how they were made, whichever task made them.

The history lists every picture by the same few columns. `listing` finds them in a request of any
kind by the names that all requests share (`model`, `seed`, `label`, `solver`, `steps`, ...); what
a request does not have is left empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.messages import Label, Pictures, Provenance, Request, Result, StepFrame

if TYPE_CHECKING:
    from engine.images import SavedSettings

__all__ = ["NO_SEED", "Listing", "Making", "label_words", "listing"]

NO_SEED = -1  # in the column `seed` of a picture that none was drawn for


@dataclass(frozen=True)
class Making:
    """Pictures and their making. Picture i of `pictures` is image i of `request`."""

    request: Request
    pictures: Pictures
    steps: tuple[StepFrame, ...] = ()
    evaluations: int | None = None
    evaluations_paper: int | None = None
    seconds: float | None = None
    provenance: Provenance | None = None
    notices: tuple[str, ...] = ()
    # What the file of picture i is to know; without it, the request and the provenance.
    saved: Callable[[int], SavedSettings] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, result: Result) -> Making:
        """That of what a generate request ended with."""
        return cls(
            result.request,
            result.pictures,
            result.steps,
            result.evaluations,
            result.evaluations_paper,
            result.seconds,
            result.provenance,
            result.notices,
        )


@dataclass(frozen=True)
class Listing:
    """The columns of one picture that a history is filtered and titled by."""

    kind: str  # that of the request
    model: str
    label: int | None
    label_name: str
    solver: str
    steps: int
    guidance: float
    spacing: str
    seed: int  # NO_SEED: none was drawn


def listing(request: Request, index: int, label_names: Sequence[str] = ()) -> Listing:
    """How picture `index` of `request` is listed; `label_names` are the classes of its model."""
    labels = getattr(request, "labels", None)
    label: Label = labels[index] if labels and index < len(labels) else getattr(request, "label", None)
    seeds = getattr(request, "seeds", None)
    seed = seeds[index] if seeds and index < len(seeds) else getattr(request, "seed", None)
    return Listing(
        kind=request.kind,
        model=request.model,
        label=label if isinstance(label, int) else None,
        label_name=label_words(label, label_names),
        solver=str(getattr(request, "solver", "")),
        steps=int(getattr(request, "steps", 0)),
        guidance=float(getattr(request, "guidance", 0.0)),
        spacing=str(getattr(request, "spacing", "")),
        seed=seed if isinstance(seed, int) else NO_SEED,
    )


def label_words(label: Label, names: Sequence[str]) -> str:
    """A class by its name, "" for none, a mixture as "Cat + Dog" (the heaviest first)."""
    if isinstance(label, tuple):
        heavy = sorted(label, key=lambda part: -part[1])
        words = [label_words(one, names) or "no class" for one, weight in heavy if weight > 0]
        return " + ".join(words)
    if label is None:
        return ""
    return names[label] if label < len(names) else f"Class {label}"
