"""Requests of which only the newest counts: what a drag of the hand asks for.

Each lane has one slot, as `Mailbox` has for what comes back: a newer request replaces the one
that waits. So a drag never falls behind, however slow the network is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event as ThreadEvent
from threading import Lock

from app.preview import PREVIEW_INTERVAL
from engine.messages import Control, Request

__all__ = ["LiveLanes", "Order"]


@dataclass
class Order:
    """A request on a lane; `yields` says that a newer one may cut it off while it runs."""

    lane: str
    request: Request
    yields: bool = False
    cancelled: ThreadEvent = field(default_factory=ThreadEvent)
    _previewed: float = float("-inf")

    @property
    def control(self) -> Control:
        return Control(self.cancelled, self._wants_preview, keep_steps=False)

    def _wants_preview(self) -> bool:
        now = time.perf_counter()
        if now - self._previewed < PREVIEW_INTERVAL:
            return False
        self._previewed = now
        return True


class LiveLanes:
    """The slots, between the window's thread and the engine's."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[str, Order] = {}
        self._running: Order | None = None
        self._closed = False

    def put(self, order: Order) -> None:
        """Let this be what its lane wants."""
        with self._lock:
            if self._closed:
                return
            # At the end, so that lanes take turns.
            self._waiting.pop(order.lane, None)
            self._waiting[order.lane] = order
            running = self._running
            if running is not None and running.lane == order.lane and running.yields:
                running.cancelled.set()

    def take(self) -> Order | None:
        """The order whose turn it is, which then runs; None if none waits or one runs already."""
        with self._lock:
            if self._running is not None or not self._waiting:
                return None
            self._running = self._waiting.pop(next(iter(self._waiting)))
            return self._running

    def done(self) -> None:
        """What ran has ended."""
        with self._lock:
            self._running = None

    def stop(self, lane: str) -> None:
        """Forget what waits on a lane and cut off what runs there."""
        with self._lock:
            self._waiting.pop(lane, None)
            if self._running is not None and self._running.lane == lane:
                self._running.cancelled.set()

    def close(self) -> None:
        """Stop all lanes and take nothing more."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            if self._running is not None:
                self._running.cancelled.set()
