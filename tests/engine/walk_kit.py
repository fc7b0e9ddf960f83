"""Walks for tests: by a tiny model, to be rendered in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.messages import (
    Control,
    Event,
    FrameRequest,
    FrameResult,
    Keyframe,
    Pictures,
    Point,
    RenderProgress,
    Sampling,
    SeedLatent,
    TraverseRequest,
    TraverseResult,
    Walk,
)
from engine.tasks import Engine
from engine.video_files import open_video

SAMPLING = Sampling(steps=2, precision="fp32", batch=4)


def last(events: Iterator[Event]) -> Any:
    *_, end = events
    return end


def walk(fps: float = 10.0, **more: Any) -> Walk:
    stops = ((1, 0, 0.0), (2, 1, 1.0), (3, None, 2.0))
    keyframes = tuple(
        Keyframe(SeedLatent(seed), label, guidance, seconds=1.0, hold=0.3 if seed == 2 else 0.0)
        for seed, label, guidance in stops
    )
    return Walk("tiny", keyframes, fps, **more)


def pixels(path: str | Path) -> np.ndarray:
    reader = open_video(Path(path))
    return np.stack([np.frombuffer(frame.data, np.uint8) for frame in reader.frames()])


def pictures(engine: Engine, *points: Point, model: str = "tiny", sampling: Sampling = SAMPLING) -> Pictures:
    result = last(engine.run(FrameRequest(model, points, sampling)))
    assert isinstance(result, FrameResult)
    assert result.complete
    return result.pictures


def request(tmp_path: Path, name: str = "walk.mp4", w: Walk | None = None, **more: Any) -> TraverseRequest:
    return TraverseRequest(w or walk(), str(tmp_path / name), more.pop("sampling", SAMPLING), **more)


def stopped_after(engine: Engine, asked: TraverseRequest, frames: int) -> TraverseResult:
    control = Control()
    end: TraverseResult | None = None
    for event in engine.run(asked, control):
        if isinstance(event, RenderProgress) and not event.measuring and event.frames >= frames:
            control.cancelled.set()
        if isinstance(event, TraverseResult):
            end = event
    assert end is not None
    return end


def changes(shown: np.ndarray, loop: bool) -> np.ndarray:
    shown = shown.astype(float)
    after = np.roll(shown, -1, axis=0) if loop else shown[1:]
    return np.sqrt(np.square(after - (shown if loop else shown[:-1])).mean(axis=1))
