"""How well pictures come back, and what editing them does: `python -m tests.benchmarks.bench_encode`.

On held-out test images of Fashion-MNIST, through the engine as the window and the command line
use it. Prints a table and writes build/bench/encode.json:

- fast: round trips of GENIE without iterating, beside DDIM's
- exact: how many come back to the byte, and at what cost
- noise_recovery: sample -> encode -> relative error of the latent
- class_change: how often the test classifier sees the new class, and how much of the picture stays
- mask: bytes outside of the mask that changed
- live: drafts a second of a slider that is dragged

`--quick` takes 32 images instead of 256.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

from engine.evaluation.classifier import load_classifier
from engine.latents import noise
from engine.masks import feathered
from engine.messages import Control, Pictures
from engine.messages.edit import CLASS_GUIDANCE, ClassEdit, Edited, EditRequest, MaskEdit
from engine.messages.encode import FAST_SOLVER, EncodeRequest, Encoding, Photo, RouteRequest
from engine.messages.images import PngImage
from engine.route import load_route
from engine.tasks import Engine
from engine.training.fashion import load_fashion
from engine.workbench import Workbench

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = ROOT / "tests" / "data" / "fashion_classifier.safetensors"
STRENGTH = 0.6

Record = dict[str, Any]
_Found = TypeVar("_Found")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Bench:
    """The images, their classes and the engine that they go through."""

    def __init__(self, model: str, count: int, engine: Engine, device: str) -> None:
        self.model, self.engine, self.device = model, engine, device
        images, labels = load_fashion("test")
        self.bytes = images[:count, 0].numpy()
        self.labels = [int(label) for label in labels[:count]]
        self.photos = tuple(Photo(png(image)) for image in self.bytes)

    @property
    def count(self) -> int:
        return len(self.photos)

    # --- there and back -------------------------------------------------------------------

    def encode(self, solver: str, steps: int, *, exact: bool = False) -> Encoding:
        *_, last = self.engine.run(
            EncodeRequest(
                self.model, solver=solver, steps=steps, photos=self.photos, labels=tuple(self.labels),
                exact=exact, device=self.device,
            ),
            Control(keep_steps=False),
        )  # fmt: skip
        assert isinstance(last, Encoding)
        assert last.complete
        assert not last.refused
        return last

    def fast(self) -> Record:
        rows: Record = {}
        for solver, steps in ((FAST_SOLVER, 5), (FAST_SOLVER, 10), ("genie", 10), ("ddim", 10), ("ddim", 50)):
            result = self.encode(solver, steps)
            psnr = [min(item.fidelity.psnr, 99.0) for item in result.encoded]
            rows[f"{solver}@{steps}"] = {
                "psnr_mean": statistics.fmean(psnr),
                "psnr_worst": min(psnr),
                "ssim_mean": statistics.fmean(item.fidelity.ssim for item in result.encoded),
                "evaluations": result.encoded[0].evaluations + result.encoded[0].evaluations_back,
                "latent_std": statistics.fmean(item.statistics.std for item in result.encoded),
                "seconds": result.seconds,
            }
            say(
                f"fast {solver} {steps}: {rows[f'{solver}@{steps}']['psnr_mean']:.2f} dB, {result.seconds:.0f} s"
            )
        return rows

    def exact(self) -> Record:
        result = self.encode("genie", 10, exact=True)
        missed = [item for item in result.encoded if not item.fidelity.identical]
        spent = [item.evaluations for item in result.encoded]
        record = {
            "images": self.count,
            "identical": self.count - len(missed),
            "evaluations_mean": statistics.fmean(spent),
            "evaluations_most": max(spent),
            "evaluations_per_step": statistics.fmean(spent) / 10,
            "split": sum(step.parts > 1 for item in result.encoded for step in item.steps),
            "not_converged": sum(not item.converged for item in result.encoded),
            "rest": [
                {
                    "changed": item.fidelity.changed,
                    "largest": item.fidelity.largest,
                    "psnr": item.fidelity.psnr,
                }
                for item in missed
            ],
            "seconds": result.seconds,
        }
        say(f"exact: {record['identical']} of {self.count}, {record['evaluations_per_step']:.2f} a step")
        return record

    # --- noise ----------------------------------------------------------------------------

    def noise_recovery(self, workbench: Workbench) -> Record:
        count = min(64, self.count)
        rows: Record = {}
        for solver in (FAST_SOLVER, "genie", "ddim"):
            for steps in (10, 25):
                settings = RouteRequest(self.model, solver=solver, steps=steps, device=self.device)
                labels = [i % 10 for i in range(count)]
                route = finish(load_route(workbench, settings, labels, precise=True))
                gammas, errors = route.grid(), []
                for first in range(0, count, route.batch):
                    part = labels[first : first + route.batch]
                    z = noise(range(first, first + len(part)), route.shape)
                    x = finish(route.walk(z, part, gammas))
                    again = finish(route.walk(x, part, gammas[::-1])).cpu().double()
                    errors += ((again - z).flatten(1).norm(dim=1) / z.flatten(1).norm(dim=1)).tolist()
                rows[f"{solver}@{steps}"] = statistics.fmean(errors)
                say(f"noise recovery {solver} {steps}: {rows[f'{solver}@{steps}']:.3f}")
        return rows

    # --- edits ----------------------------------------------------------------------------

    def edit(self, index: int, edit: Any, solver: str, steps: int = 10) -> Edited:
        *_, last = self.engine.run(
            EditRequest(
                self.model, solver=solver, steps=steps, guidance=CLASS_GUIDANCE, source=self.photos[index],
                edit=edit, label=self.labels[index], strengths=(STRENGTH,), device=self.device,
            ),
            Control(keep_steps=False),
        )  # fmt: skip
        assert isinstance(last, Edited)
        assert last.complete
        return last

    def class_change(self) -> Record:
        classifier = load_classifier(CLASSIFIER)
        # Every class into every other in turn.
        wanted = [(label + 1 + index % 9) % 10 for index, label in enumerate(self.labels)]
        rows: Record = {"strength": STRENGTH, "guidance": CLASS_GUIDANCE}
        for solver in (FAST_SOLVER, "genie", "ddim"):
            made = [self.edit(i, ClassEdit(wanted[i]), solver) for i in range(self.count)]
            images = np.stack([array(result.pictures) for result in made])
            with torch.inference_mode():
                seen = classifier(torch.from_numpy(images)[:, None].float() / 127.5 - 1.0).argmax(dim=1)
            rows[solver] = {
                "agreement": statistics.fmean(int(a) == b for a, b in zip(seen, wanted, strict=True)),
                "ssim": statistics.fmean(result.fidelity[0].ssim for result in made),
                "evaluations": made[0].evaluations,
            }
            say(f"class change {solver}: {rows[solver]['agreement']:.1%}, SSIM {rows[solver]['ssim']:.3f}")
        return rows

    def mask(self) -> Record:
        mask = np.zeros(self.bytes.shape[1:], np.uint8)
        mask[8:20, 10:24] = 255
        outside = feathered(mask / 255.0, 1.0) == 0.0
        count = min(32, self.count)
        changed = inside = 0
        for index in range(count):
            new = array(
                self.edit(index, MaskEdit(png(mask), (self.labels[index] + 1) % 10), FAST_SOLVER).pictures
            )
            changed += int((new != self.bytes[index])[outside].sum())
            inside += int((new != self.bytes[index])[~outside].sum())
        return {"images": count, "changed_outside": changed, "changed_inside": inside}

    def live(self, seconds: float) -> Record:
        def draft(strength: float) -> None:
            list(
                self.engine.run(
                    EditRequest(
                        self.model, solver=FAST_SOLVER, steps=5, source=self.photos[0], edit=ClassEdit(7),
                        label=self.labels[0], strengths=(strength,), device=self.device,
                        guidance=CLASS_GUIDANCE,
                    ),
                    Control(wants_preview=lambda: True, keep_steps=False),
                )
            )  # fmt: skip

        return {**rate(draft, seconds), "steps": 5, "threads": self.engine.threads}


def rate(draft: Callable[[float], None], seconds: float) -> Record:
    """How often a second, at strengths that change all the time.

    The seconds of the processor tell what a draft takes where other programs take their share.
    """
    draft(0.5)
    count, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        draft(0.1 + 0.8 * (count % 37) / 37)
        count += 1
    return {
        "drafts_per_second": count / (time.perf_counter() - began),
        "cpu_seconds_a_draft": (time.process_time() - cpu) / count,
    }


def finish(walk: Generator[Any, None, _Found]) -> _Found:
    """What a generator returns."""
    while True:
        try:
            next(walk)
        except StopIteration as ended:
            found: _Found = ended.value
            return found


def png(image: np.ndarray) -> PngImage:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return PngImage(buffer.getvalue())


def array(pictures: Pictures) -> np.ndarray:
    return np.frombuffer(pictures.data, np.uint8).reshape(pictures.height, pictures.width)


# --- goals ------------------------------------------------------------------------------------


def goals(report: Record) -> list[tuple[str, bool]]:
    """Each goal in words with its figures, and whether it is met."""
    fast, exact, change = report["fast"], report["exact"], report["class_change"]
    ours, ten, fifty = (fast[name]["psnr_mean"] for name in (f"{FAST_SOLVER}@10", "ddim@10", "ddim@50"))
    needed = math.floor(254 / 256 * exact["images"])
    mine, theirs = change[FAST_SOLVER], change["ddim"]
    return [
        (f"fast: GENIE 2M at 10 steps {ours:.2f} dB, at least DDIM at 50: {fifty:.2f}", ours >= fifty),
        (f"fast: at least 8 dB over DDIM at 10: {ten:.2f}", ours >= ten + 8.0),
        (
            f"exact: {exact['identical']} of {exact['images']} to the byte, at least {needed}",
            exact["identical"] >= needed,
        ),
        (
            f"exact: {exact['evaluations_per_step']:.2f} evaluations a step, under 6",
            exact["evaluations_per_step"] < 6.0,
        ),
        (f"class change: agreement {mine['agreement']:.1%}, at least 80 %", mine["agreement"] >= 0.8),
        (f"class change: SSIM {mine['ssim']:.3f}, above DDIM's {theirs['ssim']:.3f}", mine["ssim"] > theirs["ssim"]),
        (f"mask: {report['mask']['changed_outside']} bytes changed outside, none", not report["mask"]["changed_outside"]),
        (
            f"live: {report['live']['drafts_per_second']:.1f} drafts a second, at least 8 "
            f"({report['live']['cpu_seconds_a_draft'] * 1000:.0f} ms of one core each)",
            report["live"]["drafts_per_second"] >= 8.0,
        ),
    ]  # fmt: skip


def print_report(report: Record) -> None:
    print(
        f"\n{report['model']}, {report['images']} test images, {report['device_name']}, torch {report['torch']}"
    )
    print(f"\n{'round trip':<16}{'evaluations':>12}{'PSNR':>9}{'worst':>9}{'SSIM':>8}{'seconds':>9}")
    for name, row in report["fast"].items():
        print(
            f"{name:<16}{row['evaluations']:>12}{row['psnr_mean']:>9.2f}{row['psnr_worst']:>9.2f}"
            f"{row['ssim_mean']:>8.4f}{row['seconds']:>9.1f}"
        )
    print(f"\n{'noise recovered, relative error':<34}")
    for name, error in report["noise_recovery"].items():
        print(f"{name:<16}{error:>9.3f}")
    print()
    for words, met in goals(report):
        print(f"{'as aimed for' if met else 'NOT as aimed for':<18}{words}")
    print(f"\n{report['seconds']:.0f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion32")
    parser.add_argument("--folder", type=Path, help="a folder of models instead of the bundled ones")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--quick", action="store_true", help="32 images, and a second for the slider")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("build/bench/encode.json"))
    options = parser.parse_args(arguments)
    began = time.monotonic()
    folders = [options.folder] if options.folder else None
    engine = Engine(folders, threads=options.threads)
    bench = Bench(options.model, 32 if options.quick else options.images, engine, options.device)
    live = bench.live(1.0 if options.quick else 4.0)
    last = bench.encode(FAST_SOLVER, 1)
    report: Record = {
        "model": options.model,
        "images": bench.count,
        "device_name": last.provenance.device_name,
        "threads": engine.threads,
        "torch": torch.__version__,
        "fast": bench.fast(),
        "exact": bench.exact(),
        "noise_recovery": bench.noise_recovery(Workbench(folders, threads=options.threads)),
        "class_change": bench.class_change(),
        "mask": bench.mask(),
        "live": live,
    }
    report["seconds"] = round(time.monotonic() - began, 1)
    report["goals"] = dict(goals(report))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print_report(report)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
