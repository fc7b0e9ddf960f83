"""What can go wrong and what a person can do about it.

Every error the engine raises on purpose is an `EngineError`. Its message says what happened,
to what, and what is allowed or what to do next; `field` names the setting it is about, so
that a window can show it beside the control and a command line can name the option.
Anything else that escapes the engine is a bug of ours and is reported as one.
"""

from __future__ import annotations

__all__ = [
    "BadCheckpoint",
    "BadImage",
    "BadRequest",
    "EngineError",
    "MissingData",
    "OutOfMemory",
    "UnknownName",
    "UnusableFolder",
]


class EngineError(Exception):
    """Something a person can act on. `kind` is stable and goes into `--json` output.

    `choices` are what the setting `field` may be, where that is a question a person can be asked.
    """

    kind = "engine"

    def __init__(
        self, message: str, *, field: str | None = None, choices: tuple[str, ...] = (), details: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.choices = choices
        self.details = details


class BadRequest(EngineError):
    """A setting is outside what is allowed."""

    kind = "bad-request"


class UnknownName(BadRequest):
    """No model, class or solver has this name."""

    kind = "unknown-name"


class BadCheckpoint(EngineError):
    """A card or a weights file is damaged, incomplete or of another network."""

    kind = "bad-checkpoint"


class BadImage(EngineError):
    """A file is not an image we can read, or carries no settings of ours."""

    kind = "bad-image"


class MissingData(EngineError):
    """Training data is not where it should be."""

    kind = "missing-data"


class OutOfMemory(EngineError):
    """Not even one image fits into the memory of the device."""

    kind = "out-of-memory"


class UnusableFolder(EngineError):
    """A folder or file cannot be written."""

    kind = "unusable-folder"
