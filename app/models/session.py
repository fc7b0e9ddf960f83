"""What comes back at the next start: kept in the store a moment after it changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.store import Store
from app.store.claims import Claims
from engine.errors import EngineError
from engine.messages import Request, request_from_json, request_to_json

__all__ = ["Session"]

_DELAY = 500  # ms; a drag changes a value a hundred times a second
# A window's place among those open on the same history -> where its waiting jobs are kept.
_QUEUES = {f"window-{n}": "queue" if n == 1 else f"queue-{n}" for n in range(1, 10)}


class Session(QObject):
    """Values by name (anything JSON can hold): settings, and what views want to remember."""

    trouble = Signal(str)  # it could not be kept, in plain words

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._claims = Claims(store.path)
        self._queues: list[str] | None = None  # this window's own, then those of windows that are gone
        self._unsaved: dict[str, Any] = {}
        self._told = False
        self._closed = False
        self._timer = QTimer(self, singleShot=True, interval=_DELAY)
        self._timer.timeout.connect(self.flush)

    def get(self, name: str, default: Any = None) -> Any:
        """The value kept as `name`, or `default`."""
        if name in self._unsaved:
            return self._unsaved[name]
        try:
            return self._store.get_setting(f"session.{name}", default)
        except EngineError as error:
            self._tell(error)
            return default

    def set(self, name: str, value: Any) -> None:
        """Keep `value` soon; at once with `flush`."""
        if not self._closed:
            self._unsaved[name] = value
            self._timer.start()

    @Slot()
    def flush(self) -> None:
        """Write what is not written yet."""
        self._timer.stop()
        try:
            while self._unsaved:
                name = next(iter(self._unsaved))
                self._store.set_setting(f"session.{name}", self._unsaved[name])
                del self._unsaved[name]
        except EngineError as error:
            self._tell(error)

    def close(self) -> None:
        """Write everything; what is set after that is not kept. Before the store closes."""
        self.flush()
        self._closed = True
        self._claims.close()

    def requests(self) -> list[tuple[Request, bool]]:
        """The jobs that waited when the studio was closed, and whether what they make is made large.

        Those of another window that is still open are its own: they would be run twice.
        """
        return [request for name in self._own_queues() for request in self._requests(name)]

    def _own_queues(self) -> list[str]:
        if self._queues is None:
            free = (name for place, name in _QUEUES.items() if self._claims.take(place))
            self._queues = [*islice(free, 1)]
            self._queues += [
                name
                for place, name in _QUEUES.items()
                if name not in self._queues and self.get(name) and self._claims.take(place)
            ]
        return self._queues

    def _requests(self, name: str) -> list[tuple[Request, bool]]:
        found = self.get(name, [])
        requests = []
        for kept in found if isinstance(found, list) else []:
            try:
                text, enlarge = kept if isinstance(kept, list) else (kept, False)
                request = request_from_json(text)
            except (EngineError, TypeError, ValueError):
                continue  # of another version; the others still come back
            if request.lasting:
                requests.append((request, enlarge is True))
        return requests

    def set_requests(self, requests: Sequence[tuple[Request, bool]]) -> None:
        kept = [[request_to_json(what), large] for what, large in requests if what.lasting]
        for name in self._own_queues():
            self.set(name, kept)
            kept = []  # what windows that are gone have left is in the first one now

    def _tell(self, error: EngineError) -> None:
        if not self._told:  # a full disk fails at every change; once is enough
            self._told = True
            self.trouble.emit(error.message)
