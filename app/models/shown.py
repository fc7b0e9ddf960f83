"""Batches as the canvas has shown them, for what is done with them later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine.messages import Pictures, Request, Result

__all__ = ["Held", "Shown", "ShownResult"]

if TYPE_CHECKING:
    from engine.messages import Upsampled

ShownResult: TypeAlias = "Result | Upsampled"  # what fills the canvas step by step


@dataclass(frozen=True)
class Shown:
    """What the canvas showed at some moment: a result, or else images of the history."""

    result: ShownResult | None
    record_ids: tuple[int, ...]
    step: int | None = None  # index into the steps of the result, where one of them was looked at

    @property
    def count(self) -> int:
        """How many finished pictures there are to save."""
        return self.result.pictures.count if self.result is not None else len(self.record_ids)


@dataclass(frozen=True)
class Held:
    """A finished batch that is seen until the pictures of the one behind it come in its place."""

    request: Request
    pictures: Pictures
    result: ShownResult | None
    record_ids: tuple[int, ...]
    before: tuple[Request, Pictures] | None  # what a picture of it is compared with
