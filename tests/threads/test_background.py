"""Threads beside the window's give way to it."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from app.background import background_pool, give_way, share_the_interpreter

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="threads are as nice as their process"
)


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@linux
def test_a_background_thread_and_what_it_starts_give_way_and_the_window_does_not() -> None:
    before = niceness()
    found: list[int] = []

    def work() -> None:
        found.append(niceness())
        child = threading.Thread(target=lambda: found.append(niceness()))
        child.start()
        child.join()

    with background_pool("test") as pool:
        pool.submit(work).result()
    assert found == [min(19, before + 10)] * 2
    assert niceness() == before


@linux
def test_where_it_is_not_allowed_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    give_way()


def test_the_interpreter_changes_hands_quickly() -> None:
    before = sys.getswitchinterval()
    try:
        share_the_interpreter()
        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before)
