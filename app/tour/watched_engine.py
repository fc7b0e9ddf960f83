"""The real engine with a window into it: counts evaluations, and can be held between two of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event as ThreadEvent

from app.engine_worker import TorchEngine
from engine.messages import Catalogue, Control, Event, Pictures, Progress, Request

__all__ = ["WatchedEngine"]

_POLL = 0.01  # seconds between two looks at whether a held job was cancelled


class WatchedEngine:
    """Passes every event of `TorchEngine` on, unchanged.

    Attributes are written in the engine thread and read in the window's.
    """

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self._engine = TorchEngine(folders)
        self.evaluations = 0  # of the job that runs, or ran last
        self.after_cancel = 0  # those of them that ended after the job was cancelled
        self.held = ThreadEvent()  # set while a job is held
        self.preview: Pictures | None = None  # the last one that was given to the window
        self._hold_at = 0
        self._released = ThreadEvent()

    def hold_at(self, evaluation: int) -> None:
        """Hold the next job after this evaluation, or the first later one, that comes with a preview."""
        self._hold_at = evaluation
        self._released.clear()
        self.held.clear()

    def let_go(self) -> None:
        """Let the held job, and those that follow, run on."""
        self._hold_at = 0
        self._released.set()

    # --- what the worker asks

    def catalogue(self) -> Catalogue:
        return self._engine.catalogue()

    def load(self) -> None:
        self._engine.load()

    def release(self) -> None:
        self._engine.release()

    def run(self, request: Request, control: Control) -> Iterator[Event]:
        if request.kind == "warm-up":
            yield from self._engine.run(request, control)
            return
        self.evaluations = self.after_cancel = 0
        self.preview = None
        for event in self._engine.run(request, control):
            if isinstance(event, Progress):
                self.evaluations += 1
                self.after_cancel += control.cancelled.is_set()
                if event.preview is not None:
                    self.preview = event.preview
            yield event
            if isinstance(event, Progress) and self._hold_at:
                self._maybe_hold(event, control)

    def _maybe_hold(self, event: Progress, control: Control) -> None:
        if self.evaluations >= self._hold_at and event.preview is not None:
            self._hold_at = 0
            self.held.set()
            while not (self._released.wait(_POLL) or control.cancelled.is_set()):
                pass
            self.held.clear()
        elif self.evaluations == self._hold_at - 1:
            # The next evaluation is to come with a preview: not before one is due.
            while not (self._released.wait(_POLL) or control.cancelled.is_set() or control.wants_preview()):
                pass
