"""What a tour has seen: states with their checks, as Python and as tour.json."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine.files import write_atomically

__all__ = ["Check", "Report", "State"]


@dataclass(frozen=True)
class Check:
    """One thing that should be so. `detail` says what was seen instead."""

    what: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True)
class State:
    """One state of the window. `screenshot` is a path below the tour's folder, "" where none was taken."""

    look: str  # "dark-1024x640"
    chapter: str
    name: str
    screenshot: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


@dataclass
class Report:
    """Everything a tour has seen, in order."""

    states: list[State] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return bool(self.states) and all(state.ok for state in self.states)

    def to_dict(self) -> dict[str, Any]:
        states = [{"ok": state.ok, **asdict(state)} for state in self.states]
        return {"ok": self.ok, "seconds": round(self.seconds, 2), "states": states}

    def write(self, path: Path) -> None:
        text = json.dumps(self.to_dict(), indent=2) + "\n"
        write_atomically(path, lambda place: place.write_text(text, encoding="utf-8"))
