"""One thread, one terminal signal a job, cancel, failures, shutdown."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QObject, QThread, Slot
from pytestqt.qtbot import QtBot

from app.engine_host import EngineHost
from app.failure import Failure
from engine.errors import BadCheckpoint, OutOfMemory
from engine.messages import Control, Event, GenerateRequest, Loading, Notice, Progress, Result, WarmUp
from tests.fake_engine import PATIENCE, FakeEngine, fake_catalogue, fake_result

REQUEST = GenerateRequest("fashion32", seed=3, labels=(0, 1, 2, 3), steps=4)


class Listener(QObject):
    """Writes down every signal of a host and the thread its slot ran in."""

    def __init__(self, host: EngineHost) -> None:
        super().__init__()
        self.heard: list[tuple[str, object, object]] = []
        self.threads: set[int] = set()
        host.catalogue_ready.connect(self.on_catalogue)
        host.engine_ready.connect(self.on_ready)
        host.engine_failed.connect(self.on_engine_failed)
        host.job_started.connect(self.on_started)
        host.job_progress.connect(self.on_progress)
        host.preview_arrived.connect(self.on_preview)
        host.job_finished.connect(self.on_finished)
        host.job_cancelled.connect(self.on_cancelled)
        host.job_failed.connect(self.on_failed)
        host.warmed_up.connect(self.on_warmed_up)

    def _note(self, name: str, job: object = None, value: object = None) -> None:
        self.threads.add(threading.get_ident())
        self.heard.append((name, job, value))

    def names(self) -> list[str]:
        return [name for name, _, _ in self.heard]

    def ends(self, job: int) -> list[tuple[str, object]]:
        """The terminal signals of a job."""
        return [(n, v) for n, j, v in self.heard if j == job and n in ("finished", "cancelled", "failed")]

    @Slot(object)
    def on_catalogue(self, catalogue: object) -> None:
        self._note("catalogue", value=catalogue)

    @Slot(float)
    def on_ready(self, seconds: float) -> None:
        self._note("ready", value=seconds)

    @Slot(object)
    def on_engine_failed(self, failure: Failure) -> None:
        self._note("engine failed", value=failure)

    @Slot(int)
    def on_started(self, job: int) -> None:
        self._note("started", job)

    @Slot(int, object)
    def on_progress(self, job: int, event: Event) -> None:
        self._note("progress", job, event)

    @Slot(int, object)
    def on_preview(self, job: int, progress: object) -> None:
        self._note("preview", job, progress)

    @Slot(int, object)
    def on_finished(self, job: int, result: object) -> None:
        self._note("finished", job, result)

    @Slot(int, object)
    def on_cancelled(self, job: int, result: object) -> None:
        self._note("cancelled", job, result)

    @Slot(int, object)
    def on_failed(self, job: int, failure: object) -> None:
        self._note("failed", job, failure)

    @Slot(str)
    def on_warmed_up(self, model: str) -> None:
        self._note("warmed up", model)


Start = Callable[[FakeEngine], tuple[EngineHost, Listener]]


@pytest.fixture
def start(qtbot: QtBot) -> Iterator[Start]:
    """Starts a host on a fake engine, and shuts both down after the test."""
    begun: list[tuple[EngineHost, FakeEngine]] = []

    def begin(engine: FakeEngine) -> tuple[EngineHost, Listener]:
        host = EngineHost(lambda: engine)
        begun.append((host, engine))
        listener = Listener(host)
        host.start()
        return host, listener

    yield begin
    for host, engine in begun:
        engine.open_all()
        assert host.shutdown(5000)


def until_ready(qtbot: QtBot, listener: Listener) -> None:
    qtbot.waitUntil(lambda: "ready" in listener.names())


def until_ended(qtbot: QtBot, listener: Listener, job: int) -> None:
    qtbot.waitUntil(lambda: bool(listener.ends(job)), timeout=int(1000 * PATIENCE))


def test_the_catalogue_comes_while_torch_still_loads(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gate_load=True)
    host, listener = start(engine)
    engine.load_gate.wait_reached()
    qtbot.waitUntil(lambda: "catalogue" in listener.names())
    assert listener.heard == [("catalogue", None, fake_catalogue())]
    assert not host.accepting
    engine.load_gate.open()
    until_ready(qtbot, listener)
    assert listener.names() == ["catalogue", "ready"]
    assert host.accepting


def test_a_job_submitted_before_the_engine_is_ready_runs_then(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gate_load=True)
    host, listener = start(engine)
    host.submit(1, REQUEST)
    engine.load_gate.wait_reached()
    assert engine.seen == []
    engine.load_gate.open()
    until_ended(qtbot, listener, 1)
    assert listener.ends(1) == [("finished", fake_result(REQUEST))]
    assert listener.names().index("ready") < listener.names().index("started")


def test_the_engine_lives_in_one_thread_and_slots_in_the_window_s(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine()
    host, listener = start(engine)
    here = threading.get_ident()
    for job in (1, 2, 3):
        host.submit(job, REQUEST)
        until_ended(qtbot, listener, job)
    assert listener.threads == {here}
    assert len(engine.threads) == 1
    assert here not in engine.threads
    host.shutdown()
    assert engine.released.is_set()
    assert len(engine.threads) == 1  # release, too


def test_one_job_at_a_time(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    host, _ = start(engine)
    host.submit(1, REQUEST)
    assert host.busy
    with pytest.raises(RuntimeError, match="job 1 has not ended"):
        host.submit(2, REQUEST)


@pytest.mark.parametrize("after", range(6))
def test_cancel_after_any_event_ends_in_cancelled_and_the_next_job_is_clean(
    qtbot: QtBot, start: Start, after: int
) -> None:
    engine = FakeEngine(gated=True, group=2)  # Loading, 2 groups of 4 steps, Result
    host, listener = start(engine)
    host.submit(1, REQUEST)
    for _ in range(after):
        engine.gate.wait_reached()
        engine.open()
    engine.gate.wait_reached()
    host.cancel(1)
    engine.open_all()
    until_ended(qtbot, listener, 1)
    kept = 2 if after >= 4 else 0  # the fourth step stands at the gate and comes through
    assert listener.ends(1) == [("cancelled", fake_result(REQUEST, kept) if kept else None)]
    # At the gate one evaluation was under way; none came after it.
    steps = [e for n, j, e in listener.heard if n == "progress" and j == 1 and isinstance(e, Progress)]
    assert max((e.evaluations for e in steps), default=0) <= after
    host.submit(2, REQUEST)
    until_ended(qtbot, listener, 2)
    assert listener.ends(2) == [("finished", fake_result(REQUEST))]
    assert engine.closed == 2


def test_cancel_before_it_starts_never_reaches_the_engine(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gate_load=True)
    host, listener = start(engine)
    host.submit(1, REQUEST)
    host.cancel(1)
    engine.load_gate.open()
    until_ended(qtbot, listener, 1)
    assert listener.ends(1) == [("cancelled", None)]
    assert engine.seen == []


def test_a_complete_result_is_finished_even_if_stop_came_too_late(qtbot: QtBot, start: Start) -> None:
    def script(request: GenerateRequest, control: Control) -> Iterator[Event]:
        yield fake_result(request)

    engine = FakeEngine(gated=True, script=script)
    host, listener = start(engine)
    host.submit(1, REQUEST)
    engine.gate.wait_reached()
    host.cancel(1)
    engine.open()
    until_ended(qtbot, listener, 1)
    assert [name for name, _ in listener.ends(1)] == ["finished"]


class NotEvenAnException(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "field"),
    [
        (BadCheckpoint("The card is damaged.", field="model"), "bad-checkpoint", "model"),
        (OutOfMemory("Not even one image fits.", field="count"), "out-of-memory", "count"),
        (RuntimeError("CUDA error: out of memory"), "bug", None),
        (MemoryError(), "bug", None),
        (NotEvenAnException("strange"), "bug", None),
    ],
)
def test_whatever_is_raised_fails_the_job_and_the_next_one_runs(
    qtbot: QtBot, start: Start, error: Exception, kind: str, field: str | None
) -> None:
    def script(request: GenerateRequest, control: Control) -> Iterator[Event]:
        if request.seed == 666:
            raise error
        yield fake_result(request)

    host, listener = start(FakeEngine(script=script))
    host.submit(1, GenerateRequest("fashion32", seed=666))
    until_ended(qtbot, listener, 1)
    ((name, failure),) = listener.ends(1)
    assert name == "failed"
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.field) == (kind, field)
    if kind == "bug":
        assert type(error).__name__ in failure.details
        assert "Traceback" in failure.details
    else:
        assert failure.message == str(error)
    host.submit(2, REQUEST)
    until_ended(qtbot, listener, 2)
    assert [name for name, _ in listener.ends(2)] == ["finished"]


def test_an_engine_that_forgets_the_result_has_a_bug(qtbot: QtBot, start: Start) -> None:
    host, listener = start(FakeEngine(script=lambda request, control: iter(())))
    host.submit(1, REQUEST)
    until_ended(qtbot, listener, 1)
    ((name, failure),) = listener.ends(1)
    assert name == "failed"
    assert isinstance(failure, Failure)
    assert failure.kind == "bug"
    assert "without a result" in failure.details


def test_an_engine_that_cannot_start_fails_every_job_with_the_reason(qtbot: QtBot, start: Start) -> None:
    host, listener = start(FakeEngine(load_error=ImportError("libtorch_cpu.so: not found")))
    qtbot.waitUntil(lambda: host.accepting)
    failures = [value for name, _, value in listener.heard if name == "engine failed"]
    assert [type(failure) for failure in failures] == [Failure]
    for job in (1, 2):
        host.submit(job, REQUEST)
        until_ended(qtbot, listener, job)
        ((name, failure),) = listener.ends(job)
        assert name == "failed"
        assert isinstance(failure, Failure)
        assert failure.kind == "no-engine"
        assert "libtorch_cpu.so" in failure.details


def test_a_hundred_progress_events_at_once_become_few_but_the_last_arrives(
    qtbot: QtBot, start: Start
) -> None:
    def script(request: GenerateRequest, control: Control) -> Iterator[Event]:
        for step in range(1, 501):
            yield Progress(0, 4, step, 500, 0.5, step, 500, 0.0, 0.0)
            if step == 250:
                yield Notice("The batch was halved.")
        yield fake_result(request)

    host, listener = start(FakeEngine(script=script))
    host.submit(1, REQUEST)
    until_ended(qtbot, listener, 1)
    events = [value for name, _, value in listener.heard if name == "progress"]
    steps = [event.step for event in events if isinstance(event, Progress)]
    assert steps == sorted(set(steps))
    assert {1, 250, 500} <= set(steps)  # the first, the last before something else, the last
    assert len(steps) < 60
    assert events.index(Notice("The batch was halved.")) == steps.index(250) + 1


def test_previews_go_through_the_mailbox_and_never_through_signals(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    host, listener = start(engine)
    until_ready(qtbot, listener)
    host.submit(1, REQUEST)
    engine.open(2)  # Loading and the first step, which wants a preview: the slot is fresh
    qtbot.waitUntil(lambda: "preview" in listener.names())
    ((job, progress),) = [(job, value) for name, job, value in listener.heard if name == "preview"]
    assert job == 1
    assert isinstance(progress, Progress)
    assert progress.preview is not None
    assert progress.step == 1
    assert host.mailbox.take() is None
    engine.open_all()
    until_ended(qtbot, listener, 1)
    events = [value for name, _, value in listener.heard if name == "progress"]
    assert all(event.preview is None for event in events if isinstance(event, Progress))
    assert any(isinstance(event, Loading) for event in events)


def test_the_catalogue_is_read_again_while_a_job_runs(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True)
    host, listener = start(engine)
    until_ready(qtbot, listener)
    host.submit(1, REQUEST)
    engine.gate.wait_reached()
    listener.heard.clear()
    host.refresh_catalogue()
    engine.open()
    qtbot.waitUntil(lambda: "catalogue" in listener.names())
    assert listener.ends(1) == []
    engine.open_all()
    until_ended(qtbot, listener, 1)
    host.submit(2, REQUEST)  # what was asked for once is read once, not again behind the job
    until_ended(qtbot, listener, 2)
    assert listener.names().count("catalogue") == 1


def test_a_warm_up_lets_a_real_job_of_another_model_go_first(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine()
    engine.warm_gate = type(engine.warm_gate)()
    host, listener = start(engine)
    until_ready(qtbot, listener)
    assert host.warm_up(WarmUp("headless"))
    engine.warm_gate.wait_reached()
    assert not host.busy
    host.submit(1, REQUEST)
    engine.warm_gate.open()
    until_ended(qtbot, listener, 1)
    assert [name for name, _ in listener.ends(1)] == ["finished"]
    assert engine.loaded == "fashion32"
    assert "warmed up" not in listener.names()
    assert host.warm_up(WarmUp("headless"))  # now there is time for it
    engine.warm_gate.open()
    qtbot.waitUntil(lambda: "warmed up" in listener.names())
    assert listener.heard[-1] == ("warmed up", "headless", None)
    assert engine.loaded == "headless"


def test_no_warm_up_beside_a_job_or_before_the_engine_is_ready(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(gated=True, gate_load=True)
    host, listener = start(engine)
    assert not host.warm_up(WarmUp("fashion32"))
    engine.load_gate.open()
    until_ready(qtbot, listener)
    host.submit(1, REQUEST)
    assert not host.warm_up(WarmUp("fashion32"))


def test_shutdown_in_the_middle_of_a_job_is_quick_and_delivers_what_was_made(qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True, group=2)
    host = EngineHost(lambda: engine)
    listener = Listener(host)
    host.start()
    host.submit(1, REQUEST)
    for _ in range(5):  # Loading and the whole first group of 2 images
        engine.gate.wait_reached()
        engine.open()
    engine.gate.wait_reached()
    opener = threading.Timer(0.05, engine.open_all)  # the evaluation that is under way ends by itself
    opener.start()
    begun = time.perf_counter()
    assert host.shutdown()
    assert time.perf_counter() - begun < 2.0
    opener.join()
    assert listener.ends(1) == [("cancelled", fake_result(REQUEST, 2))]
    assert not host.accepting
    assert engine.released.is_set()
    with pytest.raises(RuntimeError, match="shutting down"):
        host.submit(2, REQUEST)
    assert host.shutdown()  # twice is harmless


def test_shutdown_gives_a_job_that_never_started_its_end(qtbot: QtBot) -> None:
    engine = FakeEngine(gate_load=True)
    host = EngineHost(lambda: engine)
    listener = Listener(host)
    host.start()
    host.submit(1, REQUEST)
    engine.load_gate.wait_reached()
    host._close.connect(lambda: engine.load_gate.open())  # not before: the job might be done by then
    assert host.shutdown()
    assert listener.ends(1) == [("cancelled", None)]


def test_shutdown_of_a_host_that_was_never_started(qtbot: QtBot) -> None:
    assert EngineHost(FakeEngine).shutdown()


def test_an_engine_stuck_in_a_call_is_reported_and_not_killed(qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True)
    host = EngineHost(lambda: engine)
    host.start()
    host.submit(1, REQUEST)
    engine.gate.wait_reached()
    assert not host.shutdown(timeout_ms=50)
    engine.open_all()
    assert host.shutdown()


def test_two_hundred_jobs_with_random_cancels_end_exactly_once_each(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine(group=2)
    host, listener = start(engine)
    chance = random.Random(1)
    request = GenerateRequest("fashion32", labels=(0,) * 4, steps=3)
    until_ready(qtbot, listener)
    for job in range(1, 201):
        host.submit(job, request)
        if chance.random() < 0.5:
            for _ in range(chance.randrange(4)):
                QCoreApplication.processEvents()
            host.cancel(job)
        until_ended(qtbot, listener, job)
    QCoreApplication.processEvents()
    ends = [listener.ends(job) for job in range(1, 201)]
    assert all(len(end) == 1 for end in ends)
    kinds = {end[0][0] for end in ends}
    assert "failed" not in kinds
    assert kinds == {"finished", "cancelled"}
    whole = [value for ((name, value),) in ends if name == "finished"]
    assert all(isinstance(result, Result) and result.complete for result in whole)


def test_worker_signals_arrive_in_the_thread_of_the_host(qtbot: QtBot, start: Start) -> None:
    engine = FakeEngine()
    host, _ = start(engine)
    seen: list[QThread] = []
    with qtbot.waitSignal(
        host.job_finished, check_params_cb=lambda *_: bool(seen.append(QThread.currentThread())) or True
    ):
        host.submit(1, REQUEST)
    assert seen == [host.thread()]
