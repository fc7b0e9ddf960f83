"""A Traverse desk over a scripted engine that draws points without a network."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.models.traverse.spots import Spot
from app.store import Store
from engine.errors import BadRequest
from engine.messages import Control, Event, Loading, Pictures, Provenance, SeedLatent
from engine.messages.traverse import (
    FrameRequest,
    FrameResult,
    PaceRequest,
    PaceResult,
    RenderProgress,
    TraverseRequest,
    TraverseResult,
)
from engine.messages.walks import Point
from engine.walk import plan_frames
from tests.fake_engine import FakeEngine, Gate

__all__ = ["MODEL", "PATIENCE_MS", "WalkingEngine", "shade", "spot", "studio_of"]

MODEL = "fashion32"
SIDE = 8
PATIENCE_MS = 20_000


def spot(seed: int = 1, label: int | None = 9, name: str = "") -> Spot:
    return Spot(MODEL, SeedLatent(seed), label, name=name or f"Seed {seed}")


def shade(point: Point, steps: int) -> int:
    """How bright the engine draws a point: another brightness for each."""
    return hashlib.sha256(repr((point, steps)).encode()).digest()[0]


def provenance() -> Provenance:
    return Provenance("cpu", "Test", "fp32", "0", "0", (1,))


class WalkingEngine(FakeEngine):
    """Draws points as grey squares, measures an even pace, renders files of one line.

    Gates: `frame_gate` before every `FrameResult`, `render_gate` before every rendered frame.
    `trouble` is raised instead of the next answer; a point of one of `bad_seeds` can't be drawn.
    """

    def __init__(self, *, gated: bool = False, render_gated: bool = False) -> None:
        super().__init__(scripts={"frame": self._frame, "pace": self._pace, "traverse": self._render})
        self.frame_gate = Gate(open_for_ever=not gated)
        self.render_gate = Gate(open_for_ever=not render_gated)
        self.trouble: Exception | None = None
        self.bad_seeds: set[int] = set()
        self.drawn: list[FrameRequest] = []  # those that were drawn to the end

    def open_all(self) -> None:
        super().open_all()
        self.frame_gate.open_all()
        self.render_gate.open_all()

    def _frame(self, request: FrameRequest, control: Control) -> Iterator[Event | Exception]:
        yield Loading(request.model, 1.0)
        self.frame_gate.pass_through()
        if self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            yield trouble
        if {getattr(point.latent, "seed", -1) for point in request.points} & self.bad_seeds:
            yield BadRequest("The file is gone.", field="latent")
        points = () if control.cancelled.is_set() else request.points
        data = b"".join(bytes([shade(point, request.sampling.steps)]) * SIDE * SIDE for point in points)
        if points:
            self.drawn.append(request)
        pictures = Pictures(len(points), SIDE, SIDE, 1, data)
        yield FrameResult(request, pictures, request.sampling.steps, 0.01, provenance())

    def _pace(self, request: PaceRequest, _control: Control) -> Iterator[Event | Exception]:
        walk = request.walk
        pace = tuple(((0.0, 0.0), (0.5, 1.0 + i), (1.0, 2.0 + i)) for i in range(walk.segments))
        yield PaceResult(request, dataclasses.replace(walk, pace=pace), 0.01)

    def _render(self, request: TraverseRequest, control: Control) -> Iterator[Event | Exception]:
        total = plan_frames(request.walk).total
        yield Loading(request.model, 1.0)
        frames = 0
        picture = Pictures(1, SIDE, SIDE, 1, bytes([128]) * SIDE * SIDE)
        while frames < total and not control.cancelled.is_set():
            self.render_gate.pass_through()
            if self.trouble is not None:
                trouble, self.trouble = self.trouble, None
                yield trouble
            if control.cancelled.is_set():
                break
            frames += 1
            preview = picture if control.wants_preview() else None
            yield RenderProgress(
                frames - 1, 1, 10, 10, 0.0, frames, total, 0.1 * frames, 0.1 * (total - frames), preview,
                frames, total, 10.0,
            )  # fmt: skip
        path = Path(request.out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
        size = SIDE * request.scale
        yield TraverseResult(
            request, str(path), frames, total, size, size, 5, 1.0, 10.0, request.walk, provenance()
        )


@contextmanager
def studio_of(qtbot: QtBot, engine: FakeEngine, store: Store | None = None) -> Iterator[Studio]:
    """A started studio whose Traverse room is looked at; it is shut down afterwards."""
    studio = Studio(store or Store(None), lambda: engine)
    try:
        with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE_MS):
            studio.start()
        studio.traverse.set_looked_at(True)
        yield studio
    finally:
        engine.open_all()
        studio.shutdown()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
