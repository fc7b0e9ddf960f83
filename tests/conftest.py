"""For every test: no screen, a data folder of its own, and nothing left running behind it."""

from __future__ import annotations

import os

# Before the first import of Qt, which looks at it once.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QThread, QTimer
from shiboken6 import isValid

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

_LEAVING = 2.0  # seconds a thread that was told to end may take for it


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture(autouse=True)
def genie_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of this test: history, settings and the user's models."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("GENIE_HOME", str(home))
    monkeypatch.delenv("GENIE_SCREENSHOTS", raising=False)
    return home


_started: list[weakref.ref[Any]] = []


def _remember_starts(kind: type) -> None:
    """Keep a weak reference to each object of this Qt type that Python starts."""
    original = kind.start  # type: ignore[attr-defined]

    def start(self: Any, *args: Any, **kwargs: Any) -> Any:
        _started.append(weakref.ref(self))
        return original(self, *args, **kwargs)

    kind.start = start  # type: ignore[attr-defined]


_remember_starts(QThread)
_remember_starts(QTimer)


@pytest.fixture(autouse=True)
def nothing_left_running(genie_home: Path) -> Iterator[None]:
    """Fail a test that leaves a thread running or a timer ticking.

    A forgotten QThread aborts the process when it is collected; a forgotten timer fires into
    the next test. Both then fail somewhere else, at random.
    """
    _started.clear()
    before = set(threading.enumerate())
    yield
    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    deadline = time.monotonic() + _LEAVING
    left = [t for t in threading.enumerate() if t not in before and not t.daemon]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    running = [f"thread {t.name}" for t in left if t.is_alive()]
    for reference in _started:
        started = reference()
        if started is None or not isValid(started):
            continue
        if isinstance(started, QThread) and not started.wait(int(1000 * _LEAVING)):
            running.append(f"QThread {started.objectName() or type(started).__name__}")
        elif isinstance(started, QTimer) and started.isActive():
            parent = started.parent()
            running.append(f"QTimer of {type(parent).__name__} every {started.interval()} ms")
            started.stop()
    _started.clear()
    assert not running, f"left running: {', '.join(running)}"
