"""Walks through the engine: frames, pace, and videos that can be stopped, killed and gone on with."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import journal as journals
from engine.devices import choose_placement
from engine.errors import BadRequest, EngineError, UnusableFolder
from engine.guidance import GuidedPair
from engine.journal import Journal, unfinished_folder
from engine.latents import Latent, noise, write_latent
from engine.messages import (
    DRAFT,
    Control,
    Event,
    FileLatent,
    FrameRequest,
    FrameResult,
    GenerateRequest,
    Keyframe,
    Label,
    Notice,
    PaceRequest,
    PaceResult,
    Pictures,
    Point,
    RenderProgress,
    Request,
    Result,
    Sampling,
    SeedLatent,
    SlerpLatent,
    TraverseRequest,
    TraverseResult,
    Upsampling,
    Walk,
    request_from_json,
    request_to_json,
)
from engine.tasks import Engine
from engine.video_files import open_video
from engine.walk import noise_loop, plan_frames, random_walk
from engine.walk_files import write_walk
from tests.engine.cli_kit import runner
from tests.engine.tiny_model import CLASSES, write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler

SAMPLING = Sampling(steps=2, precision="fp32", batch=4)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    write_tiny_model(tmp_path / "models")
    write_tiny_model(tmp_path / "models", "other", seed=1)
    write_tiny_model(tmp_path / "models", "colour", channels=3)
    return Engine([tmp_path / "models"], threads=1)


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


# --- points -------------------------------------------------------------------------------------


def pictures(engine: Engine, *points: Point, model: str = "tiny", sampling: Sampling = SAMPLING) -> Pictures:
    result = last(engine.run(FrameRequest(model, points, sampling)))
    assert isinstance(result, FrameResult)
    assert result.complete
    return result.pictures


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_a_point_at_a_seed_is_the_image_of_that_seed(engine: Engine, guidance: float) -> None:
    request = GenerateRequest("tiny", 5, (1, None, 2), steps=2, precision="fp32", guidance=guidance)
    wanted: Result = last(engine.run(request))
    points = [Point(SeedLatent(5 + i), label, guidance) for i, label in enumerate(request.labels)]
    assert pictures(engine, *points) == wanted.pictures


def test_a_mixture_with_all_its_weight_on_one_class_is_that_class(engine: Engine) -> None:
    pure: Label = ((0, 0.0), (2, 1.0))
    assert pictures(engine, Point(SeedLatent(1), pure)) == pictures(engine, Point(SeedLatent(1), 2))


def test_a_mixture_lies_between(engine: Engine) -> None:
    def image(label: Label) -> np.ndarray:
        return np.frombuffer(pictures(engine, Point(SeedLatent(1), label)).data, np.uint8).astype(float)

    ends = image(0), image(2)
    steps = [image(((0, 1 - w), (2, w))) for w in np.linspace(0.1, 0.9, 9).tolist()]
    jumps = [np.abs(a - b).max() for a, b in zip([ends[0], *steps], [*steps, ends[1]], strict=True)]
    assert max(jumps) < 0.5 * np.abs(ends[0] - ends[1]).max()


def test_each_image_of_a_batch_is_guided_by_its_own_weight(engine: Engine) -> None:
    points = [Point(SeedLatent(i), 1, w) for i, w in enumerate((0.0, 1.0, 3.5))]
    together = pictures(engine, *points)
    for index, point in enumerate(points):
        alone = np.frombuffer(pictures(engine, point).data, np.uint8).astype(int)
        assert np.abs(np.frombuffer(together.one(index).data, np.uint8).astype(int) - alone).max() <= 1


def test_one_weight_for_all_is_that_weight_for_each() -> None:
    class Constant:
        evaluations, has_head = 1, True

        def __init__(self, value: float) -> None:
            self.value = value

        def eps(self, x_t: torch.Tensor, gamma: object) -> torch.Tensor:
            return torch.full_like(x_t, self.value)

        def eps_with_derivative(self, x_t: torch.Tensor, gamma: object) -> tuple[torch.Tensor, torch.Tensor]:
            return self.eps(x_t, gamma), 2 * self.eps(x_t, gamma)

    weights = torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)[:, None, None, None]
    pair = GuidedPair(Constant(1.0), Constant(-2.0), weights)
    x = torch.zeros(3, 1, 2, 2, dtype=torch.float64)
    eps, k = pair.eps_with_derivative(x, 1.0)
    assert torch.equal(eps, (1.0 + 3.0 * weights).expand_as(x))
    assert torch.equal(k, 2 * eps)


def test_a_stop_in_the_middle_of_a_point_ends_with_no_picture(engine: Engine) -> None:
    control = Control()
    request = FrameRequest("tiny", (Point(SeedLatent(0), 0),), dataclasses.replace(SAMPLING, steps=5))
    seen = []
    for event in engine.run(request, control):
        seen.append(event)
        if isinstance(event, RenderProgress) or type(event).__name__ == "Progress":
            control.cancelled.set()
    assert isinstance(seen[-1], FrameResult)
    assert not seen[-1].kept
    assert sum(type(event).__name__ == "Progress" for event in seen) == 1


def test_previews_are_made_when_they_are_wanted(engine: Engine) -> None:
    request = FrameRequest("tiny", (Point(SeedLatent(0), 0), Point(SeedLatent(1), 1)), SAMPLING)
    for wanted in (True, False):
        events = list(engine.run(request, Control(wants_preview=lambda wanted=wanted: wanted)))
        previews = [getattr(event, "preview", None) for event in events]
        assert any(previews) == wanted


def test_an_upsampler_enlarges_with_the_same_noise_for_all(engine: Engine, tmp_path: Path) -> None:
    write_tiny_upsampler(tmp_path / "models")
    large = dataclasses.replace(SAMPLING, upsampling=Upsampling("larger", steps=2))
    same = Point(SeedLatent(4), 0)
    made = pictures(engine, same, Point(SeedLatent(5), 0), same, model="colour", sampling=large)
    assert (made.width, made.height, made.channels) == (32, 32, 3)
    assert made.one(0) == made.one(2)
    assert made.one(0) != made.one(1)
    with pytest.raises(BadRequest, match="enlarges images of 8 x 8 pixels with 3 channels"):
        pictures(engine, same, sampling=large)


@pytest.mark.parametrize(
    ("point", "sampling", "said"),
    [
        (Point(SeedLatent(0), 7), SAMPLING, "no class 7"),
        (Point(SeedLatent(0), ((0, 0.5), (9, 0.5))), SAMPLING, "no class 9"),
        (Point(FileLatent("gone")), SAMPLING, "Couldn't read the latent gone"),
        (Point(SeedLatent(0)), dataclasses.replace(SAMPLING, solver="gene"), "Did you mean 'genie'"),
        (Point(SeedLatent(0)), dataclasses.replace(SAMPLING, upsampling=Upsampling("tiny")), "enlarges none"),
    ],
)
def test_points_that_can_not_be_made_say_why(
    engine: Engine, point: Point, sampling: Sampling, said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        pictures(engine, point, sampling=sampling)


def test_a_latent_of_another_model_or_shape_says_so(engine: Engine, tmp_path: Path) -> None:
    for name, z, said in (
        ("a", Latent(noise([0], (1, 8, 8))[0], "other"), "belongs to the model 'other'"),
        ("b", Latent(noise([0], (1, 16, 16))[0], "tiny"), "16 x 16"),
    ):
        path = tmp_path / f"{name}.safetensors"
        write_latent(path, z)
        mixed = SlerpLatent(SeedLatent(1), FileLatent(str(path)), 0.5)
        with pytest.raises(BadRequest, match=said):
            pictures(engine, Point(mixed))
        wrong = Walk("tiny", (Keyframe(SeedLatent(0)), Keyframe(FileLatent(str(path)))))
        with pytest.raises(BadRequest, match=said):
            list(engine.run(TraverseRequest(wrong, str(tmp_path / "a.mp4"))))


# --- whole videos -------------------------------------------------------------------------------


def request(tmp_path: Path, name: str = "walk.mp4", w: Walk | None = None, **more: Any) -> TraverseRequest:
    return TraverseRequest(w or walk(), str(tmp_path / name), more.pop("sampling", SAMPLING), **more)


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
    [{"out": ""}, {"out": "a.avi"}, {"format": "mpeg"}, {"quality": "great"}, {"scale": 0}, {"fresh": 1}],
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
        TraverseRequest(w, "a.webm", large, "webm-av1", "best", 4, True),
    )
    for one in requests:
        assert request_from_json(request_to_json(one)) == one
        assert json.loads(request_to_json(one))["kind"] == one.kind


# --- constant pace and loops ----------------------------------------------------------------------


def changes(shown: np.ndarray, loop: bool) -> np.ndarray:
    shown = shown.astype(float)
    after = np.roll(shown, -1, axis=0) if loop else shown[1:]
    return np.sqrt(np.square(after - (shown if loop else shown[:-1])).mean(axis=1))


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


# --- command line ---------------------------------------------------------------------------------


@pytest.fixture
def genie(genie_home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    write_tiny_model(genie_home / "models")
    return runner(capsys)


def test_the_command_renders_a_file_of_a_walk(genie: Any, tmp_path: Path) -> None:
    write_walk(tmp_path / "walk.toml", walk())
    ended = genie("traverse", tmp_path / "walk.toml", "--steps", 2, "--out", tmp_path / "a.mp4", "--json")
    assert ended.code == 0
    assert ended.json["frames"] == 24
    assert ended.json["complete"] is True
    assert open_video(Path(ended.json["path"])).count == 24
    again = genie("traverse", tmp_path / "a.mp4", "--steps", 2, "--out", tmp_path / "b.gif", "--fps", 5)
    assert again.code == 0
    assert open_video(tmp_path / "b.gif").count == 13


@pytest.mark.parametrize("asked", [("--random", 3), ("--circle",)])
def test_the_command_makes_walks_of_its_own(genie: Any, tmp_path: Path, asked: tuple[object, ...]) -> None:
    ended = genie(
        "traverse", *asked, "--model", "tiny", "--classes", CLASSES[0], "--steps", 2, "--seconds", 0.2,
        "--scale", 2, "--out", tmp_path / "a.webp", "--save-walk", tmp_path / "w.toml", "--json",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.json["width"] == 16
    assert (tmp_path / "w.toml").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of the three"),
        (("gone.toml",), "Couldn't read gone.toml"),
        (("--random", 3, "--fps", 0), "--fps is 0.0"),
        (("--random", 3, "--fps", 1000), "--fps is 1000.0"),
        (("--random", 1), "--random is '1'"),
        (("--circle", "--out", "a.avi"), "can't be saved as '.avi'"),
        (("--circle", "--format", "mkv"), "--format is 'mkv'"),
        (("--circle", "--quality", "goodish"), "Did you mean good?"),
        (("--circle", "--classes", "Dog"), "doesn't know"),
        (("--circle", "--upsample"), "no upsampler of its own"),
    ],
)
def test_the_command_says_what_is_wrong(genie: Any, options: tuple[object, ...], said: str) -> None:
    ended = genie("traverse", *options, *(() if "gone.toml" in options else ("--model", "tiny")))
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_ctrl_c_keeps_what_is_done_and_the_same_goes_on(genie_home: Path, tmp_path: Path) -> None:
    write_tiny_model(genie_home / "models")
    command = [
        sys.executable, "-m", "engine.cli", "traverse", "--random", "8", "--model", "tiny", "--classes", "all",
        "--steps", "40", "--fps", "60", "--batch", "4", "--out", str(tmp_path / "a.mp4"), "--json",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    frames = unfinished_folder(tmp_path / "a.mp4") / "frames.bin"
    deadline = time.monotonic() + 120
    while not frames.exists() or frames.stat().st_size < 2000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in err
    told = json.loads(out)
    assert 0 < told["frames"] < told["frames_total"]
    assert open_video(tmp_path / "a.mp4").count == told["frames"]


def test_the_device_of_a_point_is_looked_for(engine: Engine) -> None:
    assert choose_placement("auto", "fp32").precision == "fp32"
    with pytest.raises(BadRequest, match="no device"):
        pictures(engine, Point(SeedLatent(0)), sampling=dataclasses.replace(SAMPLING, device="cuda:99"))
