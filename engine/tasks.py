"""The one door into the engine: a request goes in, events come out.

    engine = Engine()
    for event in engine.run(GenerateRequest("fashion32", labels=(9,) * 16)):
        match event:
            case Progress(): ...
            case Result(): ...

Everything here runs in the caller's thread; one Engine belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from engine.devices import trim_memory
from engine.messages import Catalogue, Control, Event, Request
from engine.workbench import Workbench

__all__ = ["TASKS", "Engine"]

# The module whose `run` does requests of a kind. Each is imported when it is first needed.
TASKS = {
    "decode": "engine.encode",
    "direction": "engine.edit",
    "edit": "engine.edit",
    "encode": "engine.encode",
    "photo": "engine.encode",
    "round-trip": "engine.encode",
    "frame": "engine.frames",
    "latent": "engine.latent_files",
    "pace": "engine.pace",
    "traverse": "engine.traverse",
    "generate": "engine.generate",
    "import": "engine.checkpoints.importing",
    "upsample": "engine.upsample",
    "warm-up": "engine.warm_up",
}


class _Task(Protocol):
    def run(self, workbench: Workbench, request: Request, control: Control) -> Iterator[Event]: ...


class Engine:
    """Runs requests, one at a time, and keeps the models used last in memory.

    `folders` holds the folders to look for models in (default: the bundled and the user's
    own). `threads` is how many torch may compute with (default: all cores but one).
    """

    def __init__(self, folders: Sequence[Path] | None = None, *, threads: int | None = None) -> None:
        self._workbench = Workbench(folders, threads=threads)

    @property
    def threads(self) -> int:
        """How many torch computes with."""
        return self._workbench.threads

    def catalogue(self) -> Catalogue:
        """What can be chosen now; models that came since the last look are in it."""
        return self._workbench.catalogue()

    def release(self) -> None:
        """Forget all loaded models and give their memory back."""
        self._workbench.release_except(())

    def run(self, request: Request, control: Control | None = None) -> Iterator[Event]:
        """Do what `request` says. Errors are raised before or between events.

        Ends with exactly one `Outcome`, also after a stop (a WarmUp ends without one). An
        `EngineError` leaves the engine usable, and so does not exhausting the iterator.
        """
        task = cast(_Task, import_module(TASKS[request.kind]))
        try:
            yield from task.run(self._workbench, request, control or Control())
        finally:
            trim_memory()
