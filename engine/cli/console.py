"""Where a command's words go: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

__all__ = ["Console", "duration"]

_PAUSE = 0.1  # seconds between two progress lines on a terminal
_PAUSE_IN_A_FILE = 10.0


def duration(seconds: float) -> str:
    """ "0.4 s", "12 s", "3 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 90:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class Console:
    """Speaks for one command. With `json`, standard output carries one object and no more."""

    def __init__(self, *, json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = json
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._live = 0  # characters of the progress line that now stands on the terminal
        self._next = 0.0

    def say(self, text: str = "") -> None:
        """Something for a person: silent under `--json`."""
        self._clear()
        if not self.json:
            print(text, file=self._out, flush=True)

    def note(self, text: str) -> None:
        """Something to know that is no result."""
        self._clear()
        print(text, file=self._err, flush=True)

    def progress(self, text: str, *, last: bool = False) -> None:
        """A line that replaces itself on a terminal; in a file, one now and then."""
        now = time.monotonic()
        if now < self._next and not last:
            return
        if self._err.isatty():
            self._next = now + _PAUSE
            print(f"\r{text:<{self._live}}", end="", file=self._err, flush=True)
            self._live = len(text)
            if last:
                self._clear()
        else:
            self._next = now + _PAUSE_IN_A_FILE
            print(text, file=self._err, flush=True)

    def result(self, data: Mapping[str, Any]) -> None:
        """What a machine reads: printed only under `--json`, once."""
        self._clear()
        if self.json:
            print(json.dumps(data, allow_nan=False), file=self._out, flush=True)

    def _clear(self) -> None:
        if self._live:
            print(f"\r{'':<{self._live}}\r", end="", file=self._err, flush=True)
            self._live = 0
