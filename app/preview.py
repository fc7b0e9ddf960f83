"""Pictures on their way from the engine thread to the screen.

A signal for every frame would fill the window's event queue; a mailbox with one slot cannot:
the newest preview replaces the one nobody has looked at yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from PySide6.QtGui import QImage

from engine.messages import Pictures, Progress

__all__ = ["Mailbox", "to_qimage"]

PREVIEW_INTERVAL = 0.08  # seconds between two previews: twelve a second look alive


class Mailbox:
    """One slot between two threads; the newest wins."""

    def __init__(
        self, interval: float = PREVIEW_INTERVAL, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._interval = interval
        self._clock = clock
        self._lock = Lock()
        self._slot: tuple[int, Progress] | None = None
        self._last = float("-inf")

    def wants_preview(self) -> bool:
        """Asked by the engine before it computes and copies a preview."""
        with self._lock:
            return self._clock() - self._last >= self._interval

    def put(self, job: int, progress: Progress) -> bool:
        """Leave a preview. True: the slot was empty, so somebody must be told."""
        with self._lock:
            self._last = self._clock()
            was_empty = self._slot is None
            self._slot = (job, progress)
            return was_empty

    def take(self) -> tuple[int, Progress] | None:
        """The newest (job, progress with its preview), once; None when it was taken before."""
        with self._lock:
            slot, self._slot = self._slot, None
            return slot

    def clear(self) -> None:
        """Forget what is inside and when it came: the next job previews at once."""
        with self._lock:
            self._slot = None
            self._last = float("-inf")


def to_qimage(pictures: Pictures, index: int = 0) -> QImage:
    """Picture `index` as an image that owns its pixels (Grayscale8 or RGB888)."""
    if not 0 <= index < pictures.count:
        raise IndexError(f"there is no picture {index} among {pictures.count}")
    start = index * pictures.stride
    data = memoryview(pictures.data)[start : start + pictures.stride]
    grey = pictures.channels == 1
    form = QImage.Format.Format_Grayscale8 if grey else QImage.Format.Format_RGB888
    # The length of a line is said because Qt would otherwise round it up to 4 bytes. The copy
    # frees the batch: a tile that is still on screen would keep all of it in memory.
    shared = QImage(data, pictures.width, pictures.height, pictures.width * pictures.channels, form)
    return shared.copy()
