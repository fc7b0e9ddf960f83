"""The line at the foot of the window: engine, model in memory, memory, what is going on."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.failure import Failure
from engine.messages import ModelInfo, Progress, Provenance

__all__ = ["APP_TITLE", "ENGINE_STATES", "StatusModel"]

APP_TITLE = "GENIE Studio"
_TITLE_INTERVAL = 0.25  # s; window managers redraw the title for every change
_MEMORY_INTERVAL = 1.0  # s; every step of a job announces something, and reading a file takes time
ENGINE_STATES = ("starting", "ready", "failed")


class StatusModel(QObject):
    """`text` is the line: "CPU, 2 threads, bf16 | Fashion 32 loaded (16 MB) | 0.21 GB | idle"."""

    changed = Signal()
    engine_state_changed = Signal(str)
    title_changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine_state = "starting"
        self._failure: Failure | None = None
        self._device = ""
        self._precision = ""
        self._threads = 0
        self._model: ModelInfo | None = None
        self._activity = "idle"
        self._memory = 0
        self._memory_time = float("-inf")
        self._title = APP_TITLE
        self._title_time = float("-inf")

    @property
    def engine_state(self) -> str:
        """One of `ENGINE_STATES`."""
        return self._engine_state

    @property
    def failure(self) -> Failure | None:
        """Why the engine did not start, if it didn't."""
        return self._failure

    @property
    def device(self) -> str:
        """Where the last result was computed, "" before the first."""
        return self._device

    @property
    def precision(self) -> str:
        return self._precision

    @property
    def threads(self) -> int:
        """Processor threads of the last result; 0 where they were not what computed."""
        return self._threads

    @property
    def _threads_text(self) -> str:
        return f"{self._threads} thread{'' if self._threads == 1 else 's'}" if self._threads else ""

    @property
    def loaded_model(self) -> ModelInfo | None:
        """The model in memory."""
        return self._model

    @property
    def activity(self) -> str:
        """ "idle", or what is being done."""
        return self._activity

    @property
    def memory_bytes(self) -> int:
        """Memory of this process when something last changed; 0 where it can't be read."""
        return self._memory

    @property
    def text(self) -> str:
        engine = {
            "starting": "Engine starting",
            "ready": ", ".join(filter(None, (self._device.upper(), self._threads_text, self._precision)))
            or "Engine ready",
            "failed": "The engine did not start",
        }[self._engine_state]
        parts = [engine]
        if self._model is not None:
            parts.append(f"{self._model.title} loaded ({self._model.bytes / 1e6:.0f} MB)")
        if self._memory:
            parts.append(f"{self._memory / 1e9:.2f} GB")
        return " | ".join([*parts, self._activity])

    @property
    def title(self) -> str:
        """Of the window: "step 6/10 - 1.2 s left - GENIE Studio" while something runs."""
        return self._title

    # --- fed by Studio and its parts

    def set_engine_state(self, state: str, failure: Failure | None = None) -> None:
        if state != self._engine_state:
            self._engine_state, self._failure = state, failure
            self.engine_state_changed.emit(state)
            self._announce()

    def set_provenance(self, provenance: Provenance) -> None:
        """Where the latest result was computed."""
        seen = (provenance.device, provenance.precision, provenance.threads)
        if seen != (self._device, self._precision, self._threads):
            self._device, self._precision, self._threads = seen
            self._announce()

    def set_loaded_model(self, model: ModelInfo | None) -> None:
        if model != self._model:
            self._model = model
            self._announce()

    def set_activity(self, activity: str) -> None:
        if activity != self._activity:
            self._activity = activity
            self._announce()

    def show_progress(self, progress: Progress) -> None:
        """A job has come this far: into the line and, not too often, into the title."""
        step = f"step {progress.step}/{progress.steps}"
        self.set_activity(step)
        now = time.monotonic()
        if now - self._title_time >= _TITLE_INTERVAL:
            self._title_time = now
            self._set_title(f"{step} - {_duration(progress.seconds_left)} left - {APP_TITLE}")

    def show_idle(self) -> None:
        """The job has ended."""
        self._title_time = float("-inf")
        self.set_activity("idle")
        self._set_title(APP_TITLE)

    def _set_title(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self.title_changed.emit(title)

    def _announce(self) -> None:
        now = time.monotonic()
        if now - self._memory_time >= _MEMORY_INTERVAL:
            self._memory_time, self._memory = now, _resident_bytes()
        self.changed.emit()


def _resident_bytes() -> int:
    """Memory of this process in bytes; 0 where there is no quick way to know, and it is not shown."""
    if not sys.platform.startswith("linux"):
        return 0
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
