"""Models made of files a person has: the request, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.errors import BadRequest
from engine.messages.checks import flag, shown, text
from engine.messages.events import Outcome, Provenance
from engine.messages.request import Request

__all__ = ["MAX_FILES", "ImportRequest", "Imported", "Refused"]

MAX_FILES = 100


@dataclass(frozen=True)
class ImportRequest(Request):
    """Files, in any order: each network with its GENIE head, or without one.

    A folder stands for the files in it; one with a card, or a file of it, for the model it is.
    `name` says which of the published models a network is where nothing in the files tells; it is
    for a single network. `replace` allows a model that is there already to be replaced.
    """

    kind: ClassVar[str] = "import"
    lasting: ClassVar[bool] = True
    model: ClassVar[str] = ""  # type: ignore[misc]  # it needs none

    files: tuple[str, ...]
    name: str | None = None
    replace: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.files, tuple) or not 1 <= len(self.files) <= MAX_FILES:
            raise BadRequest(f"files is {shown(self.files)}; 1 to {MAX_FILES} are needed.", field="files")
        for file in self.files:
            if not isinstance(file, str) or not file or len(file) > 4096:
                raise BadRequest(f"file is {shown(file)}; the path of a file is needed.", field="files")
        if self.name is not None:
            text("name", self.name)
        flag("replace", self.replace)

    @property
    def summary(self) -> str:
        """ "import of 2 files"."""
        return f"import of {len(self.files)} file{'' if len(self.files) == 1 else 's'}"


@dataclass(frozen=True)
class Refused:
    """A file that no model was made of, and why.

    `field` is "name" if a name would decide it, and `choices` are the names then. A head that
    was refused because its network was names the file of that, `network`.
    """

    file: str
    message: str
    field: str | None = None
    choices: tuple[str, ...] = ()
    network: str | None = None


@dataclass(frozen=True)
class Imported(Outcome):
    """The names of the models made, in the order they were, and every file refused."""

    request: ImportRequest
    models: tuple[str, ...]
    refused: tuple[Refused, ...]
    seconds: float
    stopped: bool = False  # before all were made
    notices: tuple[str, ...] = ()
    provenance: Provenance | None = None  # nothing was computed

    @property
    def complete(self) -> bool:
        return not self.stopped and not self.refused

    @property
    def kept(self) -> bool:
        return bool(self.models)

    @property
    def words(self) -> str:
        made = f"Imported {', '.join(self.models)}." if self.models else "Nothing was imported."
        refused = f" Not imported: {len(self.refused)} of the files." if self.refused else ""
        return ("Stopped. " if self.stopped else "") + made + refused
