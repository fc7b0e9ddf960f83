"""Ctrl+C as a wish to stop at the next good place."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

__all__ = ["stop_on_interrupt"]


@contextlib.contextmanager
def stop_on_interrupt(cancelled: threading.Event) -> Iterator[None]:
    """The first Ctrl+C sets `cancelled`, so that what is finished can be kept.

    The second one is the usual KeyboardInterrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: object) -> None:
        del number, frame
        cancelled.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
