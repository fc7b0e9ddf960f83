"""Videos of walks, that can be stopped, killed and gone on with; their pace and their seams."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import journal as journals
from engine.errors import BadRequest, UnusableFolder
from engine.journal import Journal, unfinished_folder
from engine.messages import (
    DRAFT,
    Control,
    FrameRequest,
    Keyframe,
    Notice,
    PaceRequest,
    PaceResult,
    Pictures,
    Point,
    RenderProgress,
    Request,
    SeedLatent,
    TraverseRequest,
    TraverseResult,
    Upsampling,
    Walk,
    request_from_json,
    request_to_json,
)
from engine.tasks import Engine
from engine.walk import noise_loop, plan_frames, random_walk
from engine.walk_files import write_walk
from tests.engine.tiny_model import write_tiny_model
from tests.engine.walk_kit import SAMPLING, changes, last, pictures, pixels, request, stopped_after, walk


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    write_tiny_model(tmp_path / "models")
    write_tiny_model(tmp_path / "models", "other", seed=1)
    write_tiny_model(tmp_path / "models", "colour", channels=3)
    return Engine([tmp_path / "models"], threads=1)


# --- whole videos -------------------------------------------------------------------------------


def test_a_video_shows_the_frames_of_its_walk(engine: Engine, tmp_path: Path) -> None:
    w = walk()
    result: TraverseResult = last(engine.run(request(tmp_path, "walk.png")))
    assert result.complete
    assert result.frames == result.frames_total == plan_frames(w).total == 24
    assert result.bytes == (tmp_path / "walk.png").stat().st_size
    shown = pixels(result.path)
    wanted = pictures(engine, *plan_frames(w).points())
    error = np.abs(shown.astype(int) - np.frombuffer(wanted.data, np.uint8).reshape(24, -1))
    assert error.max() <= 1  # guided or not, in another group
    assert not unfinished_folder(Path(result.path)).exists()


def test_what_is_shown_for_a_while_is_made_once(engine: Engine, tmp_path: Path) -> None:
    w = walk(10.0)
    events = list(engine.run(request(tmp_path)))
    groups = {(e.first, e.count) for e in events if isinstance(e, RenderProgress)}
    different = len(set(plan_frames(w).points()))
    assert sum(count for _, count in groups) == different == plan_frames(w).total - 3
    assert max(e.frames for e in events if isinstance(e, RenderProgress)) == plan_frames(w).total


def test_progress_tells_frames_pace_and_time_left(engine: Engine, tmp_path: Path) -> None:
    events = [
        e for e in engine.run(request(tmp_path), Control(wants_preview=lambda: True))
        if isinstance(e, RenderProgress)
    ]  # fmt: skip
    assert [e.frames for e in events] == sorted(e.frames for e in events)
    assert events[-1].frames == events[-1].frames_total == 24
    assert events[-1].seconds_left == pytest.approx(0.0, abs=1e-6)
    assert events[-1].evaluations == events[-1].evaluations_total or events[-1].evaluations > 0
    assert all(e.preview is not None and e.preview.count == 1 for e in events)
    assert events[-1].frames_per_second > 0


@pytest.mark.parametrize("name", ["walk.mp4", "walk.webm", "walk.gif", "walk.png", "walk.webp", "walk"])
def test_a_stopped_video_plays_and_goes_on_to_the_same_file(
    engine: Engine, tmp_path: Path, name: str
) -> None:
    (tmp_path / "whole").mkdir()
    whole: TraverseResult = last(engine.run(request(tmp_path / "whole", name)))
    asked = request(tmp_path, name)
    stopped = stopped_after(engine, asked, 8)
    assert not stopped.complete
    assert 8 <= stopped.frames < 24
    assert len(pixels(stopped.path)) == stopped.frames
    assert Path(stopped.unfinished).is_dir()
    again: TraverseResult = last(engine.run(asked))
    assert again.complete
    assert again.resumed == stopped.frames
    assert any("Goes on with frame" in said for said in again.notices)
    one, two = Path(whole.path), Path(again.path)
    for a, b in (
        ((one, two),) if one.is_file() else zip(sorted(one.iterdir()), sorted(two.iterdir()), strict=True)
    ):
        assert a.read_bytes() == b.read_bytes()
    assert not Path(stopped.unfinished).exists()


def test_a_stop_before_the_first_frame_leaves_nothing(engine: Engine, tmp_path: Path) -> None:
    result = stopped_after(engine, request(tmp_path), 0)
    assert not result.kept
    assert result.path == result.unfinished == ""
    assert [p.name for p in tmp_path.iterdir()] == ["models"]


def test_another_walk_to_the_same_file_begins_anew(engine: Engine, tmp_path: Path) -> None:
    stopped_after(engine, request(tmp_path), 8)
    other: TraverseResult = last(engine.run(request(tmp_path, w=random_walk("tiny", 2, 0, fps=5))))
    assert other.complete
    assert other.resumed == 0
    assert any("begins anew" in said for said in other.notices)


def test_fresh_begins_anew(engine: Engine, tmp_path: Path) -> None:
    stopped_after(engine, request(tmp_path), 8)
    assert last(engine.run(request(tmp_path, fresh=True))).resumed == 0


def test_another_format_of_the_same_frames_need_not_make_them_again(engine: Engine, tmp_path: Path) -> None:
    first = stopped_after(engine, request(tmp_path), 8)
    again: TraverseResult = last(engine.run(request(tmp_path, quality="best", scale=3)))
    assert again.resumed == first.frames
    assert again.width == 24


KILLED = """
import sys
from pathlib import Path
from engine.messages import RenderProgress, request_from_json
from engine.tasks import Engine
engine = Engine([Path(sys.argv[1])], threads=1)
for event in engine.run(request_from_json(Path(sys.argv[2]).read_text())):
    if isinstance(event, RenderProgress):
        print(event.frames, flush=True)
"""


def test_a_killed_render_goes_on_to_the_same_file(engine: Engine, tmp_path: Path) -> None:
    w = walk(60.0)
    (tmp_path / "whole").mkdir()
    whole: TraverseResult = last(engine.run(request(tmp_path / "whole", w=w)))
    asked = request(tmp_path, w=w)
    (tmp_path / "request.json").write_text(request_to_json(asked), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "models", tmp_path / "request.json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 30:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    assert not Path(asked.out).exists()
    # And as if the last record had been cut off in the middle.
    frames = unfinished_folder(Path(asked.out)) / "frames.bin"
    with frames.open("r+b") as file:
        file.truncate(frames.stat().st_size - 5)
    result: TraverseResult = last(engine.run(asked))
    assert result.complete
    assert 4 <= result.resumed < result.frames_total
    assert Path(result.path).read_bytes() == Path(whole.path).read_bytes()


class Full:
    """A file that is full after so many bytes more."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: Any) -> int:
        taken = min(self.room, len(data))
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return int(self.file.write(data[:taken]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("where", ["journal", "video"])
def test_a_full_disk_keeps_what_was_done(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "whole").mkdir()
    w = random_walk("tiny", 8, 3, labels=(0, 1, 2), fps=30)
    whole: TraverseResult = last(engine.run(request(tmp_path / "whole", "walk.gif", w=w)))
    asked = request(tmp_path, "walk.gif", w=w)
    with monkeypatch.context() as patch:
        if where == "journal":
            begin = Journal.__init__

            def init(self: Journal, *arguments: Any) -> None:
                begin(self, *arguments)
                self._file = Full(self._file, 12_000)  # type: ignore[assignment]

            patch.setattr(Journal, "__init__", init)
        else:
            from engine import video

            begin_output = video.Output.__init__
            disks: list[Full] = []

            def init_output(self: Any, path: Path | None, make_room: Any = lambda: False) -> None:
                def freed() -> bool:
                    disks[-1].room += journals._RESERVE
                    return bool(make_room())

                begin_output(self, path, freed)
                if path is not None:
                    disks.append(Full(self._file, 25_000))
                    self._file = disks[-1]

            patch.setattr(video.Output, "__init__", init_output)
        events = list(engine.run(asked))
    stopped = events[-1]
    assert isinstance(stopped, TraverseResult)
    assert not stopped.complete
    assert 0 < stopped.frames < stopped.frames_total
    said = stopped.notices[-1]
    assert "No space left" in said
    assert f"The {stopped.frames:,} frames before are kept" in said
    assert [e.message for e in events if isinstance(e, Notice)][-1] == said
    assert len(pixels(stopped.path)) == stopped.frames
    again: TraverseResult = last(engine.run(asked))
    assert again.complete
    assert again.resumed == stopped.frames
    assert Path(again.path).read_bytes() == Path(whole.path).read_bytes()


def test_a_disk_that_was_full_from_the_start_is_an_error(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Journal.__init__

    def init(self: Journal, *arguments: Any) -> None:
        begin(self, *arguments)
        self._file = Full(self._file, 10)  # type: ignore[assignment]

    monkeypatch.setattr(Journal, "__init__", init)
    with pytest.raises(UnusableFolder, match="No space left"):
        list(engine.run(request(tmp_path)))
    assert [p.name for p in tmp_path.iterdir()] == ["models"]


def test_memory_that_runs_out_halves_the_groups(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.networks.compact import CompactUNet

    forward = CompactUNet.forward

    def small(self: CompactUNet, x: torch.Tensor, *rest: Any) -> Any:
        if len(x) > 4:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")
        return forward(self, x, *rest)

    monkeypatch.setattr(CompactUNet, "forward", small)
    result: TraverseResult = last(engine.run(request(tmp_path, w=walk(5.0))))
    assert result.complete
    assert any("ran out with 4 pictures at once" in said for said in result.notices)


def test_a_mistake_in_the_middle_keeps_the_frames(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.traverse as traverse

    show, made = traverse.to_pictures, []

    def sometimes(x: torch.Tensor) -> Pictures:
        made.append(x)
        if len(made) > 3:
            raise ZeroDivisionError("a mistake")
        return show(x)

    with monkeypatch.context() as patch:
        patch.setattr(traverse, "to_pictures", sometimes)
        with pytest.raises(ZeroDivisionError):
            list(engine.run(request(tmp_path)))
    again: TraverseResult = last(engine.run(request(tmp_path)))
    assert again.complete
    assert again.resumed >= 8


def test_leaving_a_render_alone_leaves_no_thread(engine: Engine, tmp_path: Path) -> None:
    events = engine.run(request(tmp_path))
    for event in events:
        if isinstance(event, RenderProgress) and event.frames > 4:
            break
    events.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "video encoder"]
    assert last(engine.run(request(tmp_path))).resumed >= 4


def test_two_renders_to_the_same_file_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    events = engine.run(request(tmp_path))
    next(event for event in events if isinstance(event, RenderProgress) and event.frames > 4)
    for fresh in (False, True):
        with pytest.raises(UnusableFolder, match=r"Another render is writing walk\.mp4"):
            list(engine.run(request(tmp_path, fresh=fresh)))
    assert last(events).complete


def test_a_place_that_can_not_be_written_says_so(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").mkdir()
    with pytest.raises(UnusableFolder, match="is a folder"):
        list(engine.run(request(tmp_path)))
    (tmp_path / "frames").write_text("")
    with pytest.raises(UnusableFolder, match="is a file"):
        list(engine.run(request(tmp_path, "frames")))
    with pytest.raises(UnusableFolder, match="Couldn't write into"):
        list(engine.run(request(tmp_path / "frames" / "under")))


@pytest.mark.parametrize(
    "change",
    [
        {"out": ""},
        {"out": "a.avi"},
        {"format": "mpeg"},
        {"quality": "great"},
        {"scale": 0},
        {"fresh": 1},
        {"replace": 1},
    ],
)
def test_requests_that_can_not_be(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as caught:
        dataclasses.replace(request(tmp_path), **change)
    assert caught.value.field in change


def test_a_gif_has_a_limit_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="GIF can show at most 50"):
        request(tmp_path, "a.gif", walk(60.0))


def test_requests_survive_the_wire(tmp_path: Path) -> None:
    large = dataclasses.replace(DRAFT, upsampling=Upsampling("larger", aug_seed=7))
    w = dataclasses.replace(walk(), pace=(((0.0, 0.0), (1.0, 2.0)),) * 2, constant_pace=True)
    requests: tuple[Request, ...] = (
        FrameRequest("tiny", (Point(SeedLatent(1), ((None, 0.5), (1, 0.5)), 2.0),), large),
        PaceRequest(w),
        TraverseRequest(w, "a.webm", large, "webm-av1", "best", 4, True, False),
    )
    for one in requests:
        assert request_from_json(request_to_json(one)) == one
        assert json.loads(request_to_json(one))["kind"] == one.kind


# --- constant pace and loops ----------------------------------------------------------------------


def uneven(tmp_path: Path) -> Walk:
    """Nothing much for a while, then all at once."""
    stops = [(1, 0), (1, 1), (4, 1), (9, 2)]
    keyframes = tuple(
        Keyframe(SeedLatent(seed), label, seconds=2.0, easing=(0.9, 0.0, 0.95, 0.2)) for seed, label in stops
    )
    return Walk("tiny", keyframes, 12.0)


def test_constant_pace_is_even(engine: Engine, tmp_path: Path) -> None:
    plain = uneven(tmp_path)
    spread = {}
    for even in (False, True):
        w = dataclasses.replace(plain, constant_pace=even)
        result: TraverseResult = last(engine.run(request(tmp_path, f"{even}.png", w)))
        assert result.frames_total == plan_frames(plain).total
        assert bool(result.walk.pace) == even
        steps = changes(pixels(result.path), loop=False)
        spread[even] = steps.std() / steps.mean()
    assert spread[True] < 0.25
    assert spread[True] < 0.5 * spread[False]


def test_the_pace_can_be_measured_for_a_window(engine: Engine, tmp_path: Path) -> None:
    events = list(engine.run(PaceRequest(uneven(tmp_path), SAMPLING)))
    result = events[-1]
    assert isinstance(result, PaceResult)
    assert result.complete
    assert result.walk.constant_pace
    assert len(result.walk.pace) == 3
    assert all(event.measuring for event in events if isinstance(event, RenderProgress))
    video: TraverseResult = last(engine.run(request(tmp_path, w=result.walk)))
    assert video.walk == result.walk
    write_walk(tmp_path / "walk.toml", result.walk)


def test_measuring_the_pace_can_be_stopped(engine: Engine, tmp_path: Path) -> None:
    control = Control()
    control.cancelled.set()
    result = last(engine.run(PaceRequest(uneven(tmp_path), SAMPLING), control))
    assert isinstance(result, PaceResult)
    assert not result.complete
    w = dataclasses.replace(uneven(tmp_path), constant_pace=True)
    stopped: TraverseResult = last(engine.run(request(tmp_path, w=w), control))
    assert not stopped.kept


def test_a_resumed_walk_keeps_the_pace_that_was_measured(engine: Engine, tmp_path: Path) -> None:
    w = dataclasses.replace(uneven(tmp_path), constant_pace=True)
    stopped = stopped_after(engine, request(tmp_path, w=w), 8)
    events = list(engine.run(request(tmp_path, w=w)))
    assert not any(e.measuring for e in events if isinstance(e, RenderProgress))
    assert isinstance(events[-1], TraverseResult)
    assert events[-1].walk.pace == stopped.walk.pace


@pytest.mark.parametrize(
    "make", [lambda: random_walk("tiny", 4, 1, labels=(0, 1)), lambda: noise_loop("tiny", 1)]
)
def test_a_loop_has_no_seam(engine: Engine, tmp_path: Path, make: Callable[[], Walk]) -> None:
    w = dataclasses.replace(make(), fps=12.0, constant_pace=True)
    result: TraverseResult = last(engine.run(request(tmp_path, "loop.png", w)))
    steps = changes(pixels(result.path), loop=True)
    assert steps[-1] / np.median(steps[:-1]) < 1.5
    assert steps[-1] > 0
