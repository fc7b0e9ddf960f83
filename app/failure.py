"""What is left of an exception when it leaves the engine thread: words for a person."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from engine.errors import EngineError

__all__ = ["Failure"]


@dataclass(frozen=True)
class Failure:
    """Why something could not be done.

    `message` says what happened, to what and what to do; `field` names the setting it is about,
    if there is one; `kind` is that of the `EngineError`, or "bug" when the fault is ours;
    `details` goes behind a fold or a button that copies it.
    """

    message: str
    field: str | None = None
    kind: str = "engine"
    details: str = ""

    @classmethod
    def from_exception(cls, error: BaseException) -> Failure:
        """Keeps the words and lets the exception go: its frames hold tensors."""
        if isinstance(error, EngineError):
            return cls(error.message, error.field, error.kind, error.details)
        details = "".join(traceback.format_exception(error))
        return cls(
            "Something went wrong inside GENIE Studio. Your settings and pictures are safe; "
            "try again, and if it happens again, report it with the details below.",
            None,
            "bug",
            details,
        )
