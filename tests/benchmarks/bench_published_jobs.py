"""Whole jobs with full-size published networks: `python -m tests.benchmarks.bench_published_jobs`.

Prints a table and writes build/bench/published-jobs.json. Weights are random, each job runs in a
process of its own:

- import: the 282.6M class-conditional ImageNet checkpoint as published, weights, running average
  and optimiser state (4.5 GB), with its head, becomes a model. `peak_ratio` is the most
  memory the process held over the size of the network in fp32; the aim is under 2.5.
- upsample: one 128x128 image to 512x512 in 5 steps, in each precision. `peak_gb` is the most memory the
  process held; the aim is under 6. `previews` are the sizes of what was shown on the way.
- stop: the same, told to stop at its second evaluation; `evaluations_after_stop` is what it did then.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.checkpoints.layouts import rows_of
from engine.checkpoints.recognise import PUBLISHED, build
from engine.devices import cpu_cores
from engine.messages import (
    Control,
    Imported,
    ImportRequest,
    PngImage,
    Progress,
    Upsampled,
    UpsampleRequest,
)
from engine.tasks import Engine

IMPORTED, UPSAMPLER = "imagenet64-cond", "cats-upsampler"
STEPS = 5


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def write_published(name: str, folder: Path, optimizer: bool) -> list[Path]:
    """Files of random weights in the published layout: the network's and its head's."""
    model = next(model for model in PUBLISHED if model.name == name)
    random = torch.Generator().manual_seed(0)

    def weight(shape: tuple[int, ...]) -> Tensor:
        return torch.empty(shape).normal_(0, 0.02, generator=random)

    with torch.device("meta"):
        network, head = rows_of(build(model.network)), rows_of(build(model.head))
    averaged = [row for row in network if not row.frozen]
    document: dict[str, Any] = {
        "model": {f"module.{row.key}": weight(row.shape) for row in network},
        "ema": {"decay": 0.9999, "num_updates": 1, "shadow_params": [weight(row.shape) for row in averaged]},
        "step": 300_000,
    }
    if optimizer:
        moments = [{"step": torch.tensor(1.0), "exp_avg": weight(row.shape)} for row in averaged]
        for moment, row in zip(moments, averaged, strict=True):
            moment["exp_avg_sq"] = weight(row.shape)
        document["optimizer"] = {"state": dict(enumerate(moments)), "param_groups": []}
    files = [folder / f"{name}.pth", folder / f"{name}_head.pth"]
    torch.save(document, files[0])
    torch.save({"model": {f"module.{row.key}": weight(row.shape) for row in head}, "step": 20_000}, files[1])
    return files


def import_files(folder: Path) -> dict[str, Any]:
    files = tuple(str(folder / f"{IMPORTED}{part}.pth") for part in ("", "_head"))
    outcome = None
    for event in Engine([folder / "models"]).run(ImportRequest(files)):
        if isinstance(event, Imported):
            outcome = event
    if outcome is None or outcome.refused or not outcome.models:
        raise SystemExit(f"nothing was imported: {outcome}")
    model = next(model for model in PUBLISHED if model.name == IMPORTED)
    with torch.device("meta"):
        size = sum(p.numel() for p in build(model.network).parameters()) * 4 / 1e9
    peak = _peak_gb()
    return {"seconds": outcome.seconds, "peak_gb": peak, "fp32_gb": size, "peak_ratio": peak / size}


def upsample(folder: Path, precision: str, threads: int, stop_at: int | None) -> dict[str, Any]:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    with io.BytesIO() as file:
        Image.fromarray(noise).save(file, "PNG")
        source = PngImage(file.getvalue())
    request = UpsampleRequest(UPSAMPLER, images=(source,), steps=STEPS, precision=precision, device="cpu")
    control = Control(wants_preview=lambda: True)
    began = time.perf_counter()
    shown, evaluations, outcome = [], 0, None
    for event in Engine([folder / "models"], threads=threads).run(request, control):
        match event:
            case Progress():
                evaluations = event.evaluations
                if event.preview is not None:
                    shown.append(event.preview.width)
                if evaluations == stop_at:
                    control.cancelled.set()
            case Upsampled():
                outcome = event
    if outcome is None:
        raise SystemExit("the job ended without an outcome")
    figures = {"precision": outcome.provenance.precision, "seconds": time.perf_counter() - began}
    figures |= {"peak_gb": _peak_gb(), "previews": shown, "complete": outcome.complete}
    if stop_at is not None:
        figures["evaluations_after_stop"] = evaluations - stop_at
    return figures


def _apart(job: str, *arguments: str) -> dict[str, Any]:
    """A job in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, "-m", __spec__.name, "--job", job, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=cpu_cores())
    parser.add_argument("--out", type=Path, default=Path("build/bench/published-jobs.json"))
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="auto", help=argparse.SUPPRESS)
    parser.add_argument("--stop-at", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder, threads = arguments.folder, arguments.threads
    match arguments.job:
        case "write":
            write_published(IMPORTED, folder, optimizer=True)
        case "write-upsampler":
            files = tuple(str(file) for file in write_published(UPSAMPLER, folder, optimizer=False))
            list(Engine([folder / "models"]).run(ImportRequest(files)))
        case "import":
            print(json.dumps(import_files(folder)))
        case "upsample":
            print(json.dumps(upsample(folder, arguments.precision, threads, arguments.stop_at)))
    if arguments.job:
        return
    results: dict[str, Any] = {"threads": threads}
    with tempfile.TemporaryDirectory() as made:
        _apart("write", "--folder", made)
        results["import"] = _apart("import", "--folder", made)
    with tempfile.TemporaryDirectory() as made:
        _apart("write-upsampler", "--folder", made)
        common = ("--folder", made, "--threads", str(threads))
        results["upsample"] = [_apart("upsample", *common, "--precision", p) for p in ("fp32", "auto")]
        results["stop"] = _apart("upsample", *common, "--stop-at", "2")
    one = results["import"]
    print(
        f"import 282.6M: {one['seconds']:.1f} s, {one['peak_gb']:.2f} GB at most, "
        f"{one['peak_ratio']:.2f} of its fp32 size (aim 2.5)"
    )
    for job in results["upsample"]:
        print(
            f"upsample to 512, {STEPS} steps, {job['precision']}: {job['seconds']:.1f} s, "
            f"{job['peak_gb']:.2f} GB at most (aim 6), previews {job['previews']}"
        )
    print(
        f"stopped at evaluation 2: {results['stop']['evaluations_after_stop']} evaluations after it (aim 1)"
    )
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
