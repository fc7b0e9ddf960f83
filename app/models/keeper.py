"""Puts pictures into the store: large ones are encoded in another thread, a full disk is waited out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.background import background_pool
from app.store.encoding import EncodedResult, encode_result
from app.store.making import Making
from app.store.records import StoreError
from app.store.store import Store

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Keeper"]

_ENCODE_HERE = 64 * 1024  # bytes of pixels that are encoded within 3 ms; more goes to a thread
_RETRY_MS = 15_000


@dataclass(eq=False)
class _Unsaved:
    """Pictures on their way into the store. They stay in memory until they are there."""

    label_names: Sequence[str]
    source: object  # what `kept` tells it by
    encode: Callable[[], EncodedResult]  # here, or waits for the thread that does
    encoded: EncodedResult | None = None


class Keeper(QObject):
    """Keeps makings in the order in which they came."""

    kept = Signal(object, object)  # source, list of its ids: it is in the store now
    trouble = Signal(str)  # something went wrong, in plain words
    _encoded = Signal(object)  # _Unsaved, from the encoding thread

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._unsaved: deque[_Unsaved] = deque()
        self._told_full = False
        self._encoder: ThreadPoolExecutor | None = None
        self._retry = QTimer(self, singleShot=True, interval=_RETRY_MS)
        self._retry.timeout.connect(self._save)
        self._encoded.connect(self._take_encoded)

    @property
    def waiting(self) -> int:
        """How many are still in memory only."""
        return len(self._unsaved)

    def add(self, making: Making, label_names: Sequence[str], source: object) -> list[int]:
        """Keep pictures. Returns their ids, or nothing yet if they are saved a little later.

        They wait when they are large (they are encoded in another thread) and when the disk is
        full (it is tried again by and by); `kept` tells when `source` is in the store.
        """
        waiting = _Unsaved(label_names, source, partial(encode_result, making, label_names))
        self._unsaved.append(waiting)
        size = len(making.pictures.data) + sum(len(frame.pictures.data) for frame in making.steps)
        if size <= _ENCODE_HERE:
            self._settle(waiting)
        else:
            self._encoder = self._encoder or background_pool("encode-result")
            future = self._encoder.submit(waiting.encode)
            waiting.encode = future.result
            future.add_done_callback(lambda _: self._encoded.emit(waiting))
        return self._save()

    def close(self) -> None:
        """Save what is still waiting. To be called before the store closes."""
        self.save_waiting()
        self._retry.stop()
        if self._encoder is not None:
            self._encoder.shutdown()
            self._encoder = None

    def save_waiting(self) -> list[int]:
        """Try now, and wait for what is still being encoded; the ids of the last."""
        for waiting in tuple(self._unsaved):
            self._settle(waiting)
        return self._save()

    @Slot(object)
    def _take_encoded(self, waiting: _Unsaved) -> None:
        self._settle(waiting)
        self._save()

    def _settle(self, waiting: _Unsaved) -> None:
        """What can't be encoded is given up: it must not hold up what came after it."""
        if waiting.encoded is not None or waiting not in self._unsaved:
            return
        try:
            waiting.encoded = waiting.encode()
        except Exception as error:
            self._unsaved.remove(waiting)
            self.trouble.emit(
                f"Couldn't put a result into the history: {str(error) or type(error).__name__}. "
                "Save its pictures while the canvas shows them."
            )

    @Slot()
    def _save(self) -> list[int]:
        """Put what waits into the store, in its order, as far as it goes; the ids of the last."""
        ids: list[int] = []
        while self._unsaved and (encoded := self._unsaved[0].encoded) is not None:
            try:
                ids = self._store.add_encoded(encoded, self._unsaved[0].label_names)
            except StoreError as error:
                if not self._told_full:
                    self._told_full = True
                    self.trouble.emit(f"{error.message} The result stays in memory and is tried again.")
                self._retry.start()
                return []
            self._told_full = False
            self.kept.emit(self._unsaved.popleft().source, ids)
        return ids
