"""How much of a job is not the network: `python -m tests.benchmarks.bench_engine`.

Prints a table and writes build/bench/engine.json:

- overhead_fraction: share of a 16-image, 10-step GENIE job outside network and head
- head_fraction: time in the head over time in the network
- images_per_second: at 10 steps, for 1, 16 and 64 images at once
- preview_cost_fraction: what previews every 80 ms add to a job
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from engine.messages import Control, GenerateRequest, Result, WarmUp
from engine.tasks import Engine

GOALS = {"overhead_fraction": 0.03, "head_fraction": 0.03, "preview_cost_fraction": 0.03}
CADENCE = 0.08  # seconds between the previews of the window


def run(engine: Engine, request: GenerateRequest, control: Control) -> float:
    """Seconds from the request to its result."""
    began = time.perf_counter()
    *_, last = engine.run(request, control)
    seconds = time.perf_counter() - began
    assert isinstance(last, Result)
    assert last.complete
    return seconds


@contextmanager
def timed(*modules: nn.Module) -> Iterator[list[float]]:
    """Seconds spent inside each module while the block runs."""
    spent = [0.0] * len(modules)
    originals = [module.forward for module in modules]

    def wrap(index: int) -> None:
        original = originals[index]

        def forward(*arguments: object) -> object:
            began = time.perf_counter()
            out = original(*arguments)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            spent[index] += time.perf_counter() - began
            return out

        modules[index].forward = forward

    for index in range(len(modules)):
        wrap(index)
    try:
        yield spent
    finally:
        for module in modules:
            del module.forward


def previews() -> Control:
    """Asks for previews as often as the window does."""
    last = 0.0

    def wants() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < CADENCE:
            return False
        last = now
        return True

    return Control(wants_preview=wants, keep_steps=False)


def measure(engine: Engine, model: str, repeats: int, device: str, precision: str) -> dict[str, object]:
    """All figures; medians of `repeats`, those that are compared taken in turns."""
    classes = len(engine.catalogue().model(model).classes)

    def request(count: int) -> GenerateRequest:
        labels = tuple(i % classes if classes else None for i in range(count))
        return GenerateRequest(model, labels=labels, batch=count, device=device, precision=precision)

    list(engine.run(WarmUp(model, device=device, precision=precision)))
    (loaded,) = engine._workbench._loaded.values()
    assert loaded.head is not None
    quiet = Control(keep_steps=False)
    run(engine, request(16), quiet)

    overheads, heads = [], []
    for _ in range(repeats):
        with timed(loaded.network, loaded.head) as spent:
            seconds = run(engine, request(16), Control())
        overheads.append(1.0 - sum(spent) / seconds)
        heads.append(spent[1] / spent[0])
    with_previews, without = [], []
    for _ in range(repeats):
        without.append(run(engine, request(16), quiet))
        with_previews.append(run(engine, request(16), previews()))
    speed = {}
    for batch in (1, 16, 64):
        run(engine, request(batch), quiet)
        times = [run(engine, request(batch), quiet) for _ in range(max(1, repeats * 4 // (3 + batch)))]
        speed[str(batch)] = batch / statistics.median(times)
    return {
        "overhead_fraction": statistics.median(overheads),
        "head_fraction": statistics.median(heads),
        "images_per_second": speed,
        "preview_cost_fraction": statistics.median(with_previews) / statistics.median(without) - 1.0,
        "job_seconds": statistics.median(without),
        "model": model,
        "device": loaded.placement.name,
        "device_name": loaded.placement.title,
        "precision": loaded.placement.precision,
        "threads": engine.threads,
        "torch": torch.__version__,
        "repeats": repeats,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion32")
    parser.add_argument("--folder", type=Path, help="a folder of models instead of the bundled ones")
    parser.add_argument(
        "--random", action="store_true", help="measure random weights of the fashion32 recipe"
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--out", type=Path, default=Path("build/bench/engine.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder
        if arguments.random:
            folder = Path(temporary)
            write_random(folder, arguments.model)
        engine = Engine([folder] if folder else None, threads=arguments.threads)
        figures = measure(engine, arguments.model, arguments.repeats, arguments.device, arguments.precision)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{batch}: {speed:.1f}" for batch, speed in value.items())
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        goal = f"  (goal: under {GOALS[name]})" if name in GOALS else ""
        print(f"{name:<22}  {shown}{goal}")


def write_random(folder: Path, name: str) -> None:
    """A model of the shape of the bundled one, before there is one."""
    from engine.checkpoints.card import Card, Part
    from engine.checkpoints.native import config_of, save_model
    from engine.training.objective import head_config
    from engine.training.recipes import FASHION32
    from tests.engine.tiny_model import tiny_states

    c = FASHION32.network
    card = Card(
        name=name, title="Random", summary="", image_size=c.image_size, channels=c.channels,
        classes=tuple(f"class {i}" for i in range(c.classes)), null_label=True,
        network=Part("compact", config_of(c), "network.safetensors"),
        head=Part("compact", config_of(head_config(FASHION32)), "head.safetensors"),
        data={"name": "", "licence": "", "note": ""},
    )  # fmt: skip
    save_model(folder / name, card, *tiny_states(card))


if __name__ == "__main__":
    main()
