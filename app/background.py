"""Threads beside the window's: they step back where it wants the same core."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["background_pool", "give_way", "share_the_interpreter"]

_NICE = 10
_SWITCH = 0.0002  # seconds


def give_way() -> None:
    """Lets the window go before the calling thread, and before all that it starts from now on.

    With a core for each it changes nothing. On Linux only, where a thread has a niceness of its
    own; the engine's priority is set by Qt elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + _NICE))
    except OSError:  # not allowed here: it is a courtesy
        return


def background_pool(name: str) -> ThreadPoolExecutor:
    """One thread that works off what is submitted, in order."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, thread_name_prefix=name, initializer=give_way)


def share_the_interpreter() -> None:
    """The window gets the interpreter from another thread after a fifth of a millisecond.

    Python's own 5 ms would be waited at every widget that is painted while the engine plans a job.
    """
    sys.setswitchinterval(_SWITCH)
