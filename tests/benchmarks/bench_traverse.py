"""Pads, walks and their videos: `python -m tests.benchmarks.bench_traverse`.

Prints a table and writes build/bench/traverse.json:

- pad_images_per_second, pad_p95_ms: single points at 5 GENIE steps, one after another, as the window asks
  for them, from the request to its picture (the window adds what it takes to show it)
- render_throughput_fraction: frames a second of a render over images a second of the network
  alone, in groups of the same size; the median of pairs taken in turns
- peak_memory_300, peak_memory_10000: MB of a process that renders so many frames, by a tiny network
- loop_seam_ratio: of a looped walk, the difference of its last frame to its first over the median
  difference from frame to frame
- evenness, evenness_plain: coefficient of variation of the difference from frame to frame, with
  constant pace and without
- resume_identical: a render that was stopped twice gives the file of one that was not
- exports: each format opened again by a reader other than its writer
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.devices import cpu_cores
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.messages import (
    FORMATS,
    Control,
    FrameRequest,
    FrameResult,
    Keyframe,
    PaceRequest,
    PaceResult,
    Point,
    RenderProgress,
    Sampling,
    SeedLatent,
    SlerpLatent,
    TraverseRequest,
    TraverseResult,
    Walk,
)
from engine.points import load_painter
from engine.sampling import sample
from engine.schedule import step_grid
from engine.solvers import solver
from engine.tasks import Engine
from engine.video_files import open_video, read_video_walk
from engine.walk import noise_loop, plan_frames, random_walk
from tests.engine.test_video import read_by_another

GOALS = {
    "pad_images_per_second": "at least 20, goal 30",
    "pad_p95_ms": "under 80",
    "render_throughput_fraction": "at least 0.9",
    "memory_growth": "at most 1.05",
    "loop_seam_ratio": "under 1.5",
    "evenness": "under 0.25",
    "evenness_share": "under 0.5",
    "resume_identical": "true",
    "exports_right": "true",
}


def pad(model: str, count: int) -> dict[str, float]:
    """A drag over a square with four latents and two classes at its corners."""
    engine = Engine()
    spacing = engine.catalogue().model(model).spacing
    draft = Sampling(steps=5, spacing=spacing)

    def point(u: float, v: float) -> Point:
        above = SlerpLatent(SeedLatent(1), SeedLatent(2), u)
        below = SlerpLatent(SeedLatent(3), SeedLatent(4), u)
        return Point(SlerpLatent(above, below, v), ((1, 1.0 - v), (7, v)))

    seconds = []
    for i in range(count + 10):
        began = time.perf_counter()
        u = i / (count + 10)
        *_, result = engine.run(FrameRequest(model, (point(u, 0.1 + 0.8 * u),), draft))
        assert isinstance(result, FrameResult)
        seconds.append(time.perf_counter() - began)
    seconds = sorted(seconds[10:])
    return {
        "pad_images_per_second": count / sum(seconds),
        "pad_p95_ms": 1000 * seconds[int(0.95 * count)],
        "pad_median_ms": 1000 * statistics.median(seconds),
    }


def throughput(model: str, folder: Path, pairs: int) -> dict[str, float]:
    """A render and the bare network, turn and turn about."""
    engine = Engine()
    how = Sampling(steps=10, spacing=engine.catalogue().model(model).spacing)
    walk = random_walk(model, 3, 5, labels=(9, 1, 3), seconds=64 / 30)
    points = [keyframe.point for keyframe in walk.keyframes]
    loading = load_painter(engine._workbench, model, points, how)
    try:
        while True:
            next(loading)
    except StopIteration as ended:
        painter = ended.value
    gammas = step_grid(painter.model.schedule, how.steps, how.spacing, how.t_end).tolist()

    def network() -> float:
        """Images a second, without anything around it."""
        groups = max(1, plan_frames(walk).total // painter.batch)
        x = noise(range(painter.batch), painter.plan.shape).to(painter.placement.device)
        began = time.perf_counter()
        for _ in range(groups):
            denoiser = painter.model.denoiser([9] * painter.batch, head=True)
            for step in sample(
                solver("genie"), ProbabilityFlow(denoiser), x, gammas, schedule=painter.model.schedule
            ):
                last = step.x
        float(last.sum())
        return groups * painter.batch / (time.perf_counter() - began)

    def render() -> float:
        request = TraverseRequest(walk, str(folder / "speed.mp4"), how, scale=8, fresh=True)
        *_, result = engine.run(request, Control(keep_steps=False))
        assert isinstance(result, TraverseResult)
        assert result.complete
        return result.frames / result.seconds

    network()
    shares, rendered, bare = [], [], []
    for _ in range(pairs):
        before = network()
        rendered.append(render())
        bare.append(0.5 * (before + network()))
        shares.append(rendered[-1] / bare[-1])
    return {
        "render_throughput_fraction": statistics.median(shares),
        "render_frames_per_second": statistics.median(rendered),
        "network_images_per_second": statistics.median(bare),
    }


def peak_memory(frames: int, folder: Path) -> float:
    """MB a process of its own needed at most for a render of so many frames."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_traverse", "--render", str(frames), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def render_tiny(frames: int, folder: Path) -> None:
    """Render so many frames by a tiny network and print the most memory that took."""
    from tests.engine.tiny_model import write_tiny_model

    folder.mkdir(parents=True, exist_ok=True)
    write_tiny_model(folder / "models", "tiny", image_size=32)
    walk = random_walk("tiny", 10, 0, labels=(0, 1, 2), seconds=frames / 30 / 10)
    engine = Engine([folder / "models"], threads=1)
    request = TraverseRequest(walk, str(folder / f"{frames}.mp4"), Sampling(steps=1), scale=2)
    *_, result = engine.run(request)
    assert isinstance(result, TraverseResult)
    assert result.frames == frames
    print(_most_memory())


def _most_memory() -> float:
    """MB of main memory this process had at most."""
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage counts what the process was forked from as well
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def changes(path: str, *, loop: bool) -> np.ndarray:
    """Root mean square difference from each frame to the next."""
    shown = [np.frombuffer(frame.data, np.uint8).astype(float) for frame in open_video(Path(path)).frames()]
    after = [*shown[1:], shown[0]] if loop else shown[1:]
    return np.array([np.sqrt(np.square(b - a).mean()) for a, b in zip(shown, after, strict=False)])


def evenness(model: str, folder: Path) -> dict[str, Any]:
    """A circle in the noise, and from one class to others, each with and without constant pace."""
    engine = Engine()
    how = Sampling(steps=10, spacing=engine.catalogue().model(model).spacing)
    stops = ((1, 9), (2, 8), (3, 0))
    classes = Walk(model, tuple(Keyframe(SeedLatent(s), label, seconds=3.0) for s, label in stops), 24.0)
    circle = noise_loop(model, 3, label=9, seconds=6.0, fps=24.0)
    found: dict[str, Any] = {"walks": {}}
    for name, walk in (("circle", circle), ("classes", classes)):
        spread = []
        for even in (False, True):
            asked = walk
            if even:
                *_, paced = engine.run(PaceRequest(walk, how))
                assert isinstance(paced, PaceResult)
                asked = paced.walk
            out = str(folder / f"{name}-{even}.png")
            *_, result = engine.run(TraverseRequest(asked, out, how))
            assert isinstance(result, TraverseResult)
            steps = changes(result.path, loop=walk.loop)
            spread.append(float(steps.std() / steps.mean()))
            if walk.loop:
                ratio = float(steps[-1] / np.median(steps[:-1]))
                found["loop_seam_ratio"] = max(ratio, found.get("loop_seam_ratio", 0.0))
        found["walks"][name] = {"plain": spread[0], "constant_pace": spread[1]}
    found["evenness"] = max(w["constant_pace"] for w in found["walks"].values())
    found["evenness_plain"] = min(w["plain"] for w in found["walks"].values())
    found["evenness_share"] = max(w["constant_pace"] / w["plain"] for w in found["walks"].values())
    return found


def resume_identical(model: str, folder: Path) -> bool:
    """Stopped twice and gone on with, against in one go."""
    engine = Engine()
    walk = random_walk(model, 3, 1, labels=(2, 4), seconds=1.0)
    files = []
    for name, stops in (("whole", ()), ("parts", (20, 50))):
        request = TraverseRequest(walk, str(folder / f"{name}.mp4"), Sampling(steps=5), scale=4)
        for stop in stops:
            control = Control()
            for event in engine.run(request, control):
                if isinstance(event, RenderProgress) and event.frames >= stop:
                    control.cancelled.set()
        *_, result = engine.run(request)
        assert isinstance(result, TraverseResult)
        assert result.complete
        files.append(Path(result.path).read_bytes())
    return files[0] == files[1]


def exports(model: str, folder: Path) -> dict[str, Any]:
    """Every format: how many frames, how large, how fast, and whether the walk is in it."""
    engine = Engine()
    walk = noise_loop(model, 8, label=5, seconds=2.0, fps=12.5)
    told: dict[str, Any] = {}
    for name, entry in FORMATS.items():
        out = folder / f"export-{name}{entry.suffix}"
        request = TraverseRequest(walk, str(out), Sampling(steps=5), format=name, scale=3)
        *_, result = engine.run(request)
        assert isinstance(result, TraverseResult)
        found, _ = read_by_another(out, name)
        told[name] = {
            "frames": found.frames,
            "width": found.width,
            "height": found.height,
            "fps": round(found.frames / found.seconds, 2),
            "bytes": result.bytes,
            "walk": read_video_walk(out, folder / "latents").walk == walk,
        }
    wanted = {"frames": 25, "width": 96, "height": 96, "walk": True}
    right = all(
        all(entry[key] == value for key, value in wanted.items()) and abs(entry["fps"] - 12.5) < 0.3
        for entry in told.values()
    )
    return {"exports": told, "exports_right": right}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion32")
    parser.add_argument("--images", type=int, default=200, help="of the pad")
    parser.add_argument("--pairs", type=int, default=5, help="of renders and bare networks")
    parser.add_argument("--long", type=int, default=10_000, help="frames of the longest render")
    parser.add_argument("--out", type=Path, default=Path("build/bench/traverse.json"))
    parser.add_argument("--render", nargs=2, metavar=("FRAMES", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.render:
        render_tiny(int(arguments.render[0]), Path(arguments.render[1]))
        return
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures |= pad(arguments.model, arguments.images)
        figures |= throughput(arguments.model, folder, arguments.pairs)
        figures |= evenness(arguments.model, folder)
        figures["resume_identical"] = resume_identical(arguments.model, folder)
        figures |= exports(arguments.model, folder)
        figures["peak_memory_300"] = peak_memory(300, folder / "short")
        figures["peak_memory_10000"] = peak_memory(arguments.long, folder / "long")
        figures["memory_growth"] = figures["peak_memory_10000"] / figures["peak_memory_300"]
    figures |= {"model": arguments.model, "cores": cpu_cores(), "torch": torch.__version__}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        if isinstance(value, dict):
            for part, facts in value.items():
                print(f"{name + ' ' + part:<28}  {json.dumps(facts)}")
            continue
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        goal = f"  (goal: {GOALS[name]})" if name in GOALS else ""
        print(f"{name:<28}  {shown}{goal}")


if __name__ == "__main__":
    main()
