"""A request run from the command line: its progress on standard error, its outcome returned."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.cli.console import Console, duration
from engine.errors import EngineError
from engine.messages import Control, Loading, Notice, Outcome, Progress, Request

if TYPE_CHECKING:
    from engine.tasks import Engine

__all__ = ["follow"]


def follow(
    engine: Engine,
    request: Request,
    cancelled: threading.Event,
    console: Console,
    count: int = 1,
    *,
    word: str = "image",
    loading: str = "Loading",
) -> Outcome:
    """Run the request and show how it goes: `count` of what `word` calls one of."""
    outcome: Outcome | None = None
    for event in engine.run(request, Control(cancelled, keep_steps=False)):
        match event:
            case Loading():
                console.progress(f"{loading} {event.model}: {event.fraction:.0%}")
            case Progress():
                last = event.first + event.count
                which = f"{event.first + 1}-{last}" if event.count > 1 else f"{last}"
                console.progress(
                    f"{word} {which} of {count}  step {event.step}/{event.steps}  "
                    f"evaluation {event.evaluations}/{event.evaluations_total}  "
                    f"{duration(event.seconds_left)} left",
                    last=event.seconds_left <= 0,
                )
            case Notice():
                console.note(event.message)
            case Outcome():
                outcome = event
    if outcome is None:
        raise EngineError("The engine ended without a result.")
    return outcome
