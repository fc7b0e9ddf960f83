"""The queue: order, frozen requests, verbs, for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.queue import ENDED_KEPT, Job, QueueModel
from engine.errors import BadCheckpoint
from engine.messages import Control, Event, GenerateRequest, ImportRequest, Request, Result
from tests.fake_engine import FakeEngine, fake_result

Start = Callable[[FakeEngine], QueueModel]


def request(seed: int, steps: int = 2, labels: tuple[int, ...] = (0, 1)) -> GenerateRequest:
    return GenerateRequest("fashion32", seed=seed, labels=labels, steps=steps)


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    begun: list[tuple[EngineHost, FakeEngine]] = []

    def begin(engine: FakeEngine) -> QueueModel:
        host = EngineHost(lambda: engine)
        queue = QueueModel(host, host)
        QAbstractItemModelTester(queue, QAbstractItemModelTester.FailureReportingMode.Fatal, queue)
        host.start()
        begun.append((host, engine))
        return queue

    yield begin
    for host, engine in begun:
        engine.open_all()
        assert host.shutdown(5000)


def states(queue: QueueModel) -> list[tuple[int, str]]:
    return [(job.request.seed, job.state) for job in queue.jobs]


def until_idle(qtbot: QtBot, queue: QueueModel) -> None:
    qtbot.waitUntil(lambda: queue.running is None and not queue.pending, timeout=20_000)


def test_jobs_run_one_after_another_in_their_order(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine()
    queue = start(engine)
    with qtbot.waitSignal(queue.idle):
        for seed in (1, 2, 3):
            queue.add(request(seed))
    assert engine.requests == [request(1), request(2), request(3)]
    assert states(queue) == [(3, "finished"), (2, "finished"), (1, "finished")]  # newest first
    assert [job.progress for job in queue.jobs] == [1.0, 1.0, 1.0]
    assert [job.images for job in queue.jobs] == [2, 2, 2]


def test_nothing_is_started_before_the_engine_is_ready(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gate_load=True)
    queue = start(engine)
    job = queue.add(request(1))
    engine.load_gate.wait_reached()
    assert states(queue) == [(1, "pending")]
    assert queue.remove(job) is not None  # so stopping now is instant
    queue.add(request(2))
    engine.load_gate.open()
    until_idle(qtbot, queue)
    assert engine.requests == [request(2)]


def test_first_moving_and_removing_while_one_runs(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    for seed in (1, 2, 3):
        queue.add(request(seed))
    engine.gate.wait_reached()
    assert states(queue) == [(1, "running"), (2, "pending"), (3, "pending")]
    queue.add(request(4), first=True)
    assert [seed for seed, _ in states(queue)] == [1, 4, 2, 3]
    assert queue.move(3, 0)  # clipped: the running one stays on top
    assert [seed for seed, _ in states(queue)] == [1, 3, 4, 2]
    assert queue.move(1, 3)
    assert [seed for seed, _ in states(queue)] == [1, 4, 2, 3]
    assert not queue.move(0, 2)
    assert not queue.move(1, 1)
    assert queue.run_first(queue.jobs[2].id)
    assert [seed for seed, _ in states(queue)] == [1, 2, 4, 3]
    removed = queue.remove(queue.jobs[2].id)
    assert removed is not None
    assert removed.request == request(4)
    assert queue.remove(queue.jobs[0].id) is None  # running: that is what stop_current is for
    assert queue.pending_count == 2
    queue.restore(removed, 1)
    assert [seed for seed, _ in states(queue)] == [1, 2, 4, 3]
    engine.open_all()
    until_idle(qtbot, queue)
    assert [r.seed for r in engine.requests] == [1, 2, 4, 3]


def test_requests_are_frozen_and_editing_replaces_a_pending_one(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    running, waiting = queue.add(request(1)), queue.add(request(2))
    engine.gate.wait_reached()
    assert not queue.replace(running, request(9))
    assert queue.replace(waiting, request(8))
    with pytest.raises(dataclasses.FrozenInstanceError):
        queue.jobs[0].request.seed = 5  # type: ignore[misc]
    engine.open_all()
    until_idle(qtbot, queue)
    assert [r.seed for r in engine.requests] == [1, 8]
    assert not queue.replace(waiting, request(7))


def test_interrupting_keeps_what_was_finished_and_the_next_one_runs(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True, group=1)
    queue = start(engine)
    first = request(1)
    queue.add(first)
    queue.add(request(2))
    for _ in range(3):  # Loading and both steps of the first image
        engine.gate.wait_reached()
        engine.open()
    engine.gate.wait_reached()
    kept: list[tuple[Job, Result | None]] = []
    queue.job_cancelled.connect(lambda job, result: kept.append((job, result)))
    queue.stop_current()
    engine.open_all()
    until_idle(qtbot, queue)
    ((job, result),) = kept
    assert result == fake_result(first, 1)
    assert (job.state, job.images, job.message) == ("cancelled", 1, "Stopped; 1 of 2 kept")
    assert states(queue) == [(2, "finished"), (1, "cancelled")]


def test_progress_is_the_running_row_s(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    queue.add(request(1, steps=4))
    engine.open(2)  # Loading and the first of four steps
    qtbot.waitUntil(lambda: queue.jobs[0].progress == 0.25)
    index = queue.index(0)
    assert index.data(QueueModel.ProgressRole) == 0.25
    assert index.data(QueueModel.StateRole) == "running"
    assert index.data(QueueModel.JobRole) is queue.jobs[0]
    assert index.data() == "fashion32, 2 images, genie 4, seed 1"


def test_for_ever_goes_on_with_fresh_seeds_until_stopped(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    queue.set_forever(True)
    queue.add(request(1))
    rounds = 0
    for _ in range(3 * 4):  # three whole jobs of Loading, two steps, Result
        engine.gate.wait_reached()
        engine.open()
    qtbot.waitUntil(lambda: len(engine.requests) == 4)
    rounds = len({r.seed for r in engine.requests})
    assert rounds == 4
    assert all(dataclasses.replace(r, seed=1) == request(1) for r in engine.requests)
    queue.stop_current()
    engine.open_all()
    until_idle(qtbot, queue)
    assert not queue.forever
    assert len(engine.requests) == 4


def test_for_ever_lets_waiting_jobs_go_first(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    queue.set_forever(True)
    queue.add(request(1))
    queue.add(request(2, steps=1))
    for _ in range(4 + 3):
        engine.gate.wait_reached()
        engine.open()
    qtbot.waitUntil(lambda: len(engine.requests) == 3)
    assert [r.seed for r in engine.requests][:2] == [1, 2]
    assert engine.requests[2].steps == 1  # the last one again
    queue.set_forever(False)
    engine.open_all()
    until_idle(qtbot, queue)
    assert len(engine.requests) == 3


def test_a_failure_ends_for_ever_and_the_next_job_runs(qtbot: QtBot, start: Start) -> None:
    def script(asked: GenerateRequest, control: Control) -> Iterator[Event | Exception]:
        if asked.seed == 1:
            yield BadCheckpoint("The weights are damaged.", field="model")
        yield fake_result(asked)

    engine = FakeEngine(script=script)
    queue = start(engine)
    failures: list[Failure] = []
    queue.job_failed.connect(lambda job, failure: failures.append(failure))
    queue.set_forever(True)
    queue.add(request(1))
    queue.add(request(2))
    with qtbot.waitSignal(queue.idle):
        pass
    assert failures == [Failure("The weights are damaged.", "model", "bad-checkpoint")]
    assert states(queue) == [(2, "finished"), (1, "failed")]
    assert queue.jobs[1].failure == failures[0]
    assert not queue.forever


def test_what_fails_in_another_room_does_not_end_for_ever(qtbot: QtBot, start: Start) -> None:
    def script(asked: Request, control: Control) -> Iterator[Event | Exception]:
        if not isinstance(asked, GenerateRequest):
            yield BadCheckpoint("It is cut short.", field="file")
        else:
            yield fake_result(asked)

    engine = FakeEngine(script=script)  # type: ignore[arg-type]
    queue = start(engine)
    queue.set_forever(True)
    queue.add(request(1))
    queue.add(ImportRequest(("a.pth",)))
    qtbot.waitUntil(lambda: len(engine.seen) > 3)
    assert [seen.request.kind for seen in engine.seen[:3]] == ["generate", "import", "generate"]
    assert queue.forever
    queue.set_forever(False)
    until_idle(qtbot, queue)


def test_ended_jobs_are_a_short_history_until_cleared(qtbot: QtBot, start: Start) -> None:
    queue = start(FakeEngine())
    for seed in range(ENDED_KEPT + 5):
        queue.add(request(seed, steps=1, labels=(0,)))
    until_idle(qtbot, queue)
    assert [seed for seed, _ in states(queue)] == list(range(ENDED_KEPT + 4, 4, -1))
    ended = queue.jobs[0].id
    assert queue.remove(ended) is not None
    assert queue.row_of(ended) == -1
    queue.clear_ended()
    assert queue.rowCount() == 0


def test_cancel_all(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    for seed in (1, 2, 3):
        queue.add(request(seed))
    engine.gate.wait_reached()
    assert [job.request.seed for job in queue.cancel_all()] == [2, 3]
    assert states(queue) == [(1, "running")]


def test_taking_away_and_putting_back_a_job_that_waits_is_told(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    queue = start(engine)
    told: list[tuple[str, int]] = []
    queue.job_removed.connect(lambda job: told.append(("removed", job.id)))
    queue.job_restored.connect(lambda job: told.append(("restored", job.id)))
    running, waiting = queue.add(request(1)), queue.add(request(2))
    engine.gate.wait_reached()
    removed = queue.remove(waiting)
    assert removed is not None
    queue.restore(removed)
    queue.cancel_all()
    engine.open_all()
    until_idle(qtbot, queue)
    queue.remove(running)  # it has ended: only its row goes
    assert told == [("removed", waiting), ("restored", waiting), ("removed", waiting)]
