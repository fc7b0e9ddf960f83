"""Several windows on the same history: each looks after its own waiting jobs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.models.session import Session
from app.models.studio import Studio
from app.store import Store
from app.store.claims import Claims
from engine.messages import GenerateRequest, Request
from tests.fake_engine import FakeEngine

Open = Callable[..., tuple[Studio, FakeEngine]]


def request(seed: int) -> GenerateRequest:
    return GenerateRequest("fashion32", seed=seed, labels=(1,), steps=1)


def seeds(requests: list[tuple[Request, bool]]) -> list[int]:
    return [request.seed for request, _ in requests if isinstance(request, GenerateRequest)]


@pytest.fixture
def windows(tmp_path: Path, qapp: object) -> Iterator[Callable[[], Session]]:
    stores: list[Store] = []
    sessions: list[Session] = []

    def window() -> Session:
        stores.append(Store(tmp_path / "history.sqlite"))
        sessions.append(Session(stores[-1]))
        return sessions[-1]

    yield window
    for session in sessions:
        session.close()
    for store in stores:
        store.close()


def test_a_second_window_leaves_the_queue_of_the_first_alone(qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    engine, other = FakeEngine(gated=True), FakeEngine()
    first = Studio(Store(path), lambda: engine)
    first.start()
    for seed in (1, 2):
        first.submit(request(seed))
    engine.gate.wait_reached()
    first._keeper.keep()
    first.session.flush()
    second = Studio(Store(path), lambda: other)
    second.start()
    assert second.queue.jobs == ()
    assert second.shutdown(5000)
    assert seeds(first.session.requests()) == [2]  # it has not written over them either
    engine.open_all()
    qtbot.waitUntil(lambda: first.queue.running is None and not first.queue.pending)
    assert first.history.total == 2
    assert first.shutdown(5000)


def test_jobs_of_all_windows_that_are_gone_come_back_once(windows: Callable[[], Session]) -> None:
    first, second = windows(), windows()
    assert first.requests() == second.requests() == []
    for session, seed in ((first, 1), (second, 2)):
        session.set_requests([(request(seed), False)])
        session.close()
    third = windows()
    kept = third.requests()
    assert seeds(kept) == [1, 2]
    fourth = windows()
    assert fourth.requests() == []
    third.set_requests(kept)
    third.close()
    assert windows().requests() == kept


def test_a_name_is_free_again_when_its_program_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    program = (
        "import pathlib, sys; from app.store.claims import Claims; claims = Claims(pathlib.Path(sys.argv[1]));"
        " print(claims.take('window-1'), flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        claims = Claims(path)
        assert not claims.take("window-1")
        assert claims.take("window-2")
        other.kill()
        other.wait()
        assert claims.take("window-1")
        claims.close()


def test_where_nothing_can_be_locked_nothing_is_lost(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "gone" / "history.sqlite")
    assert claims.take("window-1")
    claims.close()
    assert Claims(None).take("window-1")
