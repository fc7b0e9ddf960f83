"""Live lanes: the newest request wins, a running job does not hold a drag up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from app.engine_host import EngineHost
from app.failure import Failure
from engine.errors import BadRequest
from engine.messages import Control, Event, GenerateRequest, Outcome, Progress, Provenance, Request
from tests.fake_engine import PATIENCE, FakeEngine, Gate, fake_pictures

JOB = GenerateRequest("fashion32", labels=(0,), steps=3)


@dataclass(frozen=True)
class Spot(Request):
    """A place on a pad."""

    kind: ClassVar[str] = "spot"

    model: str = "fashion32"
    place: int = 0


@dataclass(frozen=True)
class Spotted(Outcome):
    request: Spot
    complete: bool = True
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    provenance: Provenance | None = None
    kept: bool = True


class Spots:
    """The engine's side: each request reaches `gate`, shows a preview, and ends."""

    def __init__(self) -> None:
        self.gate = Gate(open_for_ever=False)
        self.begun: list[int] = []
        self.cut_off: list[int] = []

    def __call__(self, request: Spot, control: Control) -> Iterator[Event | Exception]:
        self.begun.append(request.place)
        self.gate.pass_through()
        if request.place < 0:
            yield BadRequest("There is no such place.", field="place")
        preview = fake_pictures(1) if control.wants_preview() else None
        yield Progress(0, 1, 1, 2, 0.5, 1, 2, 0.0, 0.0, preview)
        if control.cancelled.is_set():
            self.cut_off.append(request.place)
            yield Spotted(request, complete=False)
            return
        yield Spotted(request)


class Ear(QObject):
    def __init__(self, host: EngineHost) -> None:
        super().__init__()
        self.heard: list[tuple[str, str, object]] = []
        self.threads: set[int] = set()
        host.live_progress.connect(self.on_progress)
        host.live_finished.connect(self.on_finished)
        host.live_failed.connect(self.on_failed)
        host.job_finished.connect(self.on_job)

    def places(self) -> list[int]:
        return [value.request.place for _, _, value in self.heard if isinstance(value, Spotted)]

    def names(self) -> list[str]:
        return [name for name, _, _ in self.heard]

    def _note(self, name: str, lane: str, value: object) -> None:
        self.threads.add(threading.get_ident())
        self.heard.append((name, lane, value))

    @Slot(str, object)
    def on_progress(self, lane: str, event: object) -> None:
        self._note("progress", lane, event)

    @Slot(str, object)
    def on_finished(self, lane: str, outcome: object) -> None:
        self._note("finished", lane, outcome)

    @Slot(str, object)
    def on_failed(self, lane: str, failure: object) -> None:
        self._note("failed", lane, failure)

    @Slot(int, object)
    def on_job(self, _job: int, result: object) -> None:
        self._note("job", "", result)


@dataclass
class Bench:
    host: EngineHost
    engine: FakeEngine
    spots: Spots
    ear: Ear


@pytest.fixture
def bench(qtbot: QtBot) -> Iterator[Callable[..., Bench]]:
    begun: list[Bench] = []

    def begin(*, gated: bool = False) -> Bench:
        spots = Spots()
        engine = FakeEngine(gated=gated, scripts={"spot": spots})
        host = EngineHost(lambda: engine)
        made = Bench(host, engine, spots, Ear(host))
        begun.append(made)
        host.start()
        qtbot.waitUntil(lambda: host.accepting)
        return made

    yield begin
    for made in begun:
        made.spots.gate.open_all()
        made.engine.open_all()
        assert made.host.shutdown(5000)


def wait(qtbot: QtBot, ready: Callable[[], bool]) -> None:
    qtbot.waitUntil(ready, timeout=int(1000 * PATIENCE))


def test_the_newest_wins_and_what_runs_is_finished(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.host.live("pad", Spot(place=0))
    b.spots.gate.wait_reached()
    for place in range(1, 6):
        b.host.live("pad", Spot(place=place))
    b.spots.gate.open_all()
    wait(qtbot, lambda: b.ear.places() == [0, 5])
    assert b.spots.begun == [0, 5]
    assert b.ear.threads == {threading.get_ident()}
    assert threading.get_ident() not in b.engine.threads


def test_a_request_that_yields_is_cut_off_and_says_nothing(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.host.live("pad", Spot(place=1), yields=True)
    b.spots.gate.wait_reached()
    b.host.live("other", Spot(place=2))  # another lane's business
    b.host.live("pad", Spot(place=3))
    b.spots.gate.open_all()
    wait(qtbot, lambda: len(b.ear.places()) == 2)
    assert sorted(b.ear.places()) == [2, 3]
    assert b.spots.cut_off == [1]


def test_a_drag_is_answered_between_two_steps_of_a_job(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench(gated=True)
    b.spots.gate.open_all()
    b.host.submit(1, JOB)
    b.engine.gate.wait_reached()
    b.host.live("pad", Spot(place=7))
    assert b.ear.heard == []
    b.engine.open(1)
    wait(qtbot, lambda: b.ear.places() == [7])
    assert "job" not in b.ear.names()
    b.engine.open_all()
    wait(qtbot, lambda: "job" in b.ear.names())


def test_a_failure_leaves_the_lane_usable(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.spots.gate.open_all()
    b.host.live("pad", Spot(place=-1))
    wait(qtbot, lambda: "failed" in b.ear.names())
    (failure,) = (value for name, _, value in b.ear.heard if name == "failed")
    assert isinstance(failure, Failure)
    assert failure.field == "place"
    b.host.live("pad", Spot(place=1))
    wait(qtbot, lambda: b.ear.places() == [1])


def test_a_stopped_lane_forgets_what_waits(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.host.live("pad", Spot(place=1))
    b.spots.gate.wait_reached()
    b.host.live("pad", Spot(place=2))
    b.host.live("edit", Spot(place=3))
    b.host.live_stop("pad")
    b.spots.gate.open_all()
    wait(qtbot, lambda: b.ear.places() == [3])
    assert b.spots.begun == [1, 3]


def test_closing_takes_nothing_more(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.host.live("pad", Spot(place=1))
    b.spots.gate.wait_reached()
    b.host.live("pad", Spot(place=2))
    assert not b.host.shutdown(1)  # still held in the first
    b.spots.gate.open_all()
    assert b.host.shutdown(5000)
    b.host.live("pad", Spot(place=3))
    assert b.spots.begun == [1]


def test_a_preview_comes_with_the_first_evaluation(qtbot: QtBot, bench: Callable[..., Bench]) -> None:
    b = bench()
    b.spots.gate.open_all()
    b.host.live("pad", Spot(place=1))
    wait(qtbot, lambda: b.ear.places() == [1])
    (event,) = (value for name, _, value in b.ear.heard if name == "progress")
    assert isinstance(event, Progress)
    assert event.preview is not None
