"""An engine without torch that does what a test tells it, one gate an event.

    engine = FakeEngine()                 # runs every request to its end at once
    engine = FakeEngine(gated=True)       # waits before every event until the test opens the gate
    host = EngineHost(lambda: engine)
    engine.open()                         # let one event pass
    engine.open_all()                     # let everything pass from now on

Open everything before you shut a gated engine down: a thread held at a gate can't end.
Nothing sleeps: a gate is a semaphore, and every wait gives up after `PATIENCE` seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

from engine.messages import (
    Catalogue,
    Control,
    Event,
    GenerateRequest,
    Loading,
    ModelInfo,
    Pictures,
    Progress,
    Provenance,
    Request,
    Result,
    SolverInfo,
    StepFrame,
    WarmUp,
)

__all__ = ["PATIENCE", "FakeEngine", "Gate", "fake_catalogue", "fake_pictures", "fake_result"]

PATIENCE = 20.0

CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def fake_catalogue() -> Catalogue:
    """Three models (one without a head, one unconditional, one broken) and all seven solvers."""

    def model(name: str, title: str, **changes: object) -> ModelInfo:
        values: dict[str, object] = {
            "name": name,
            "title": title,
            "summary": f"{title}, for tests.",
            "image_size": 8,
            "channels": 1,
            "classes": CLASSES,
            "null_label": True,
            "has_head": True,
            "bytes": 16_000_000,
            "folder": f"/models/{name}",
            "bundled": True,
            **changes,
        }
        return ModelInfo(**values)  # type: ignore[arg-type]

    def solver(
        name: str, title: str, order: int, evaluations: int = 1, derivative: str = "none"
    ) -> SolverInfo:
        return SolverInfo(name, title, f"{title}, for tests.", order, evaluations, derivative)

    return Catalogue(
        models=(
            model("fashion32", "Fashion 32"),
            model(
                "headless",
                "Headless",
                has_head=False,
                spacing="log-snr",
                channels=3,
                background=(255, 255, 255),
            ),
            model("plain", "Plain", classes=(), null_label=False),
            model("broken", "Broken", problem="its weights are missing."),
        ),
        solvers=(
            solver("genie", "GENIE", 2, derivative="head"),
            solver("genie-exact", "GENIE exact", 2, 2, "exact"),
            solver("ddim", "DDIM", 1),
            solver("heun", "Heun", 2, 2),
            solver("dpmpp-2m", "DPM-Solver++ 2M", 2),
            solver("unipc", "UniPC", 2),
            solver("ipndm", "iPNDM", 4),
        ),
    )


def fake_pictures(count: int, level: int = 128, *, size: int = 8, channels: int = 1) -> Pictures:
    """Pictures that can be told apart: the first byte of picture i is i, the rest is `level`."""
    stride = size * size * channels
    data = b"".join(bytes([i % 256]) + bytes([level % 256]) * (stride - 1) for i in range(count))
    return Pictures(count, size, size, channels, data)


def fake_result(
    request: GenerateRequest, count: int | None = None, *, notices: Sequence[str] = (), steps: bool = True
) -> Result:
    """What the fake engine answers: `count` images (all) and a frame a step."""
    count = request.count if count is None else count
    channels = fake_catalogue().model(request.model).channels
    frames = tuple(
        StepFrame(i, 1.0 - i / request.steps, i, fake_pictures(count, 10 * i, channels=channels))
        for i in range(1, request.steps + 1)
    )
    return Result(
        request=request,
        pictures=fake_pictures(count, 255, channels=channels),
        steps=frames if steps else (),
        evaluations=request.steps,
        evaluations_paper=request.steps,
        seconds=0.01 * request.steps,
        provenance=Provenance("cpu", "Fake CPU", "fp32", "0.0", "0.1.0", (count,), 2),
        notices=tuple(notices),
    )


class Gate:
    """Holds a thread until the test lets it pass, once or for ever."""

    def __init__(self, *, open_for_ever: bool = False) -> None:
        self._passes = threading.Semaphore(0)
        self._for_ever = threading.Event()
        self.reached = threading.Semaphore(0)  # one release each time somebody arrives
        if open_for_ever:
            self._for_ever.set()

    @property
    def closed(self) -> bool:
        """Whether it still has to be opened."""
        return not self._for_ever.is_set()

    def open(self, times: int = 1) -> None:
        """Let `times` arrivals pass."""
        self._passes.release(times)

    def open_all(self) -> None:
        """Let everything pass from now on."""
        self._for_ever.set()
        self._passes.release()

    def pass_through(self) -> None:
        """In the engine thread: wait for the test. An AssertionError if it never comes."""
        self.reached.release()
        if self._for_ever.is_set():
            return
        assert self._passes.acquire(timeout=PATIENCE), "the test never opened this gate"
        if self._for_ever.is_set():
            self._passes.release()  # wakes the next one who waits

    def wait_reached(self) -> None:
        """In the test: wait until the engine has arrived here (once a call).

        Qt's events go on meanwhile: a queue feeds the engine through them.
        """
        deadline = time.monotonic() + PATIENCE
        while not self.reached.acquire(timeout=0.005):
            if QCoreApplication.instance() is not None:
                QCoreApplication.processEvents()
            assert time.monotonic() < deadline, "the engine never came to this gate"


@dataclass(frozen=True)
class Seen:
    """One request the engine was given, and the thread that ran it."""

    request: Request
    thread: int


Script = Callable[[Any, Control], Iterator[Event | Exception]]


class FakeEngine:
    """Catalogue, load, run and release as the worker calls them; see the module's docstring.

    `script(request, control)` replaces the events of a job: events are yielded on, exceptions
    raised. The default script is Loading, a Progress a step (with a preview when wanted) and a
    Result; a cancel gives the whole groups of `group` images that were finished. `scripts` does
    the same for requests of other kinds, by their kind; the gate is not for them.
    """

    def __init__(
        self,
        *,
        gated: bool = False,
        gate_load: bool = False,
        script: Script | None = None,
        scripts: Mapping[str, Script] | None = None,
        catalogue: Catalogue | None = None,
        group: int = 0,
        catalogue_error: Exception | None = None,
        load_error: Exception | None = None,
        notices: Sequence[str] = (),
    ) -> None:
        self.gate = Gate(open_for_ever=not gated)  # before every event of a GenerateRequest
        self.load_gate = Gate(open_for_ever=not gate_load)  # inside load()
        self.warm_gate = Gate(open_for_ever=True)  # inside a WarmUp; replace it to hold one
        self.script = script or self.default_script
        self.scripts: dict[str, Script] = dict(scripts or {})
        self.seen: list[Seen] = []
        self.released = threading.Event()
        self.threads: set[int] = set()
        self.closed = 0  # generators that were closed or ran out
        self.loaded: str | None = None
        self.notices = tuple(notices)
        self._catalogue = catalogue or fake_catalogue()
        self._group = group
        self._catalogue_error = catalogue_error
        self._load_error = load_error

    # --- the test's side

    def open(self, times: int = 1) -> None:
        """Let `times` events of jobs pass."""
        self.gate.open(times)

    def open_all(self) -> None:
        """Let every gate stand open from now on."""
        self.gate.open_all()
        self.load_gate.open_all()
        self.warm_gate.open_all()

    @property
    def requests(self) -> list[GenerateRequest]:
        """The generate requests it was given, in order."""
        return [seen.request for seen in self.seen if isinstance(seen.request, GenerateRequest)]

    # --- the worker's side

    def catalogue(self) -> Catalogue:
        self.threads.add(threading.get_ident())
        if self._catalogue_error is not None:
            raise self._catalogue_error
        return self._catalogue

    def load(self) -> None:
        self.load_gate.pass_through()
        if self._load_error is not None:
            raise self._load_error

    def run(self, request: Request, control: Control) -> Iterator[Event]:
        self.threads.add(threading.get_ident())
        self.seen.append(Seen(request, threading.get_ident()))
        try:
            if isinstance(request, WarmUp):
                self.warm_gate.pass_through()
                if not control.cancelled.is_set():
                    self.loaded = request.model
                    yield Loading(request.model, 1.0)
                return
            script = self.scripts.get(request.kind)
            for event in (script or self.script)(request, control):
                if script is None:
                    self.gate.pass_through()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.closed += 1

    def release(self) -> None:
        self.threads.add(threading.get_ident())
        self.released.set()

    def default_script(self, request: GenerateRequest, control: Control) -> Iterator[Event]:
        channels = self._catalogue.model(request.model).channels
        yield Loading(request.model, 1.0)
        self.loaded = request.model
        group = self._group or request.count
        starts = range(0, request.count, group)
        total = len(starts) * request.steps
        done = 0
        for first in starts:
            count = min(group, request.count - first)
            for step in range(1, request.steps + 1):
                if control.cancelled.is_set():
                    yield fake_result(request, first, notices=self.notices)
                    return
                done += 1
                preview = fake_pictures(count, step, channels=channels) if control.wants_preview() else None
                t = 1.0 - step / request.steps
                left = 0.01 * (total - done)
                yield Progress(first, count, step, request.steps, t, done, total, 0.01 * done, left, preview)
        yield fake_result(request, notices=self.notices)
