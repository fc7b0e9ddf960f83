"""How good the samples are: feature distance and agreement of every solver, and the head's error.

    python -m tests.benchmarks.bench_quality [--model fashion32] [--samples 5000] ...

Prints tables and writes build/bench/quality.json. Every measured cell is kept at once in
build/bench/quality-cells.json under the fingerprint of the weights and its settings, so a
run that was stopped goes on where it was. All solvers draw the same seeds and classes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.card import CARD
from engine.checkpoints.library import model_folders
from engine.checkpoints.native import load_head, load_network, read_card
from engine.devices import choose_placement, cpu_cores
from engine.errors import BadRequest, EngineError, UnknownName
from engine.evaluation import head_error
from engine.evaluation.classifier import accuracy, load_classifier
from engine.evaluation.features import Gaussian, feature_distance, fit, judge
from engine.evaluation.quality import Sampler, Setting, fingerprint, score
from engine.files import write_atomically
from engine.messages import SPACINGS
from engine.schedule import VPSchedule
from engine.solvers import solver_infos, solvers
from engine.training.fashion import load_fashion
from engine.training.objective import make_head, make_network
from engine.training.recipes import FASHION32
from tests.benchmarks.quality_report import print_report, ratios

ROOT = Path(__file__).resolve().parents[2]
CLASSIFIER = ROOT / "tests" / "data" / "fashion_classifier.safetensors"
SAMPLES = 5000  # images a cell
FLOORS = (1000, 5000, 10_000)

Record = dict[str, Any]


# --- what is measured -------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """Where the weights are; small enough to be sent to a worker, which then loads them."""

    model: str
    checkpoint: Path | None
    head_checkpoint: Path | None
    device: str

    def load(self) -> tuple[Sampler, str]:
        """The sampler, and the spacing its card recommends."""
        device = choose_placement(self.device, "fp32").device
        if self.checkpoint is not None:
            c = FASHION32.network
            network = make_network(FASHION32)
            network.load_state_dict(_average(self.checkpoint))
            head = None
            if self.head_checkpoint is not None:
                head = make_head(FASHION32)
                head.load_state_dict(_average(self.head_checkpoint))
            shape = (c.channels, c.image_size, c.image_size)
            sampler = Sampler(
                network,
                head,
                prediction="v",
                schedule=VPSchedule(),
                shape=shape,
                classes=c.classes,
                device=device,
            )
            return sampler, "quadratic"
        found = {folder.name: folder for folder in model_folders()}
        if self.model not in found:
            raise UnknownName(f"There is no model {self.model!r}. There is: {', '.join(found) or 'none'}.")
        folder = found[self.model]
        card = read_card(folder / CARD)
        sampler = Sampler(
            load_network(folder, card),
            load_head(folder, card),
            prediction=card.prediction,
            schedule=VPSchedule(card.beta_min, card.beta_d),
            shape=(card.channels, card.image_size, card.image_size),
            classes=len(card.classes),
            device=device,
        )
        return sampler, card.spacing


def _average(path: Path) -> dict[str, Tensor]:
    """The running average of the weights in a training checkpoint."""
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)["average"]
    return state


class Cells:
    """Measured cells by what decides them; the file is whole after every one."""

    def __init__(self, path: Path, weights: dict[str, str | None], resume: bool) -> None:
        self._path = path
        self._weights = weights
        self._all = self._read()
        self._fresh: set[str] | None = None if resume else set()

    def _read(self) -> dict[str, Record]:
        found: dict[str, Record] = {}
        if self._path.exists():
            found = json.loads(self._path.read_text(encoding="utf-8"))
        return found

    def key(self, setting: Setting, subset: int) -> str:
        weights = dict(self._weights)
        if setting.info.derivative != "head":
            del weights["head"]  # a new head leaves the other solvers' cells standing
        text = json.dumps([weights, asdict(setting), subset], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def get(self, key: str) -> Record | None:
        return self._all.get(key) if self._fresh is None or key in self._fresh else None

    def put(self, key: str, record: Record) -> None:
        self._all = {**self._read(), **self._all, key: record}  # another bench may have written
        if self._fresh is not None:
            self._fresh.add(key)
        text = json.dumps(self._all, indent=1)
        write_atomically(self._path, lambda file: file.write_text(text, encoding="utf-8"))


# --- the work, split over processes -----------------------------------------------------------

Part = tuple[int, int, Tensor, Tensor, float]  # cell, first image, features, classes seen, seconds
_workers_own: dict[str, Any] = {}


def _start_worker(source: Source, threads: int) -> None:
    torch.set_num_threads(threads)
    _workers_own["sampler"] = source.load()[0]
    _workers_own["classifier"] = load_classifier(CLASSIFIER)


def _draw_part(task: tuple[int, Setting, int, int]) -> tuple[int, int, Any, Any, float]:
    cell, setting, first, count = task
    begun = time.monotonic()
    images = _workers_own["sampler"].draw(setting, first, count)
    features, seen = judge(_workers_own["classifier"], images)
    # As arrays: tensors would travel through shared memory, one file handle each.
    return cell, first, features.numpy(), seen.numpy(), time.monotonic() - begun


def _parts(source: Source, settings: Sequence[Setting], batch: int, workers: int) -> Iterator[Part]:
    tasks = [
        (cell, setting, first, min(batch, setting.samples - first))
        for cell, setting in enumerate(settings)
        for first in range(0, setting.samples, batch)
    ]
    if workers == 1:
        _start_worker(source, torch.get_num_threads())
        answers: Iterator[Any] = map(_draw_part, tasks)
        for cell, first, features, seen, seconds in answers:
            yield cell, first, torch.from_numpy(features), torch.from_numpy(seen), seconds
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _start_worker, (source, 1)) as pool:
        for cell, first, features, seen, seconds in pool.imap_unordered(_draw_part, tasks):
            yield cell, first, torch.from_numpy(features), torch.from_numpy(seen), seconds


class Bench:
    """Measures settings that are not measured yet and answers with their records."""

    def __init__(
        self,
        source: Source,
        cells: Cells,
        real: Gaussian,
        classes: int,
        *,
        batch: int,
        workers: int,
        subset: int,
    ) -> None:
        self.source, self.cells, self.real, self.classes = source, cells, real, classes
        self.batch, self.workers, self.subset = batch, workers, subset

    def record(self, setting: Setting) -> Record | None:
        return self.cells.get(self.cells.key(setting, self.subset))

    def measure(self, settings: Sequence[Setting]) -> None:
        todo = [s for s in dict.fromkeys(settings) if self.record(s) is None]
        work = sum(s.evaluations * s.samples for s in todo)
        done, begun = 0, time.monotonic()
        waiting: dict[int, list[Part]] = {}
        for part in _parts(self.source, todo, self.batch, self.workers) if todo else ():
            setting = todo[part[0]]
            parts = waiting.setdefault(part[0], [])
            parts.append(part)
            done += setting.evaluations * len(part[2])
            if sum(len(p[2]) for p in parts) == setting.samples:
                record = self._judge(setting, sorted(waiting.pop(part[0]), key=lambda p: p[1]))
                self.cells.put(self.cells.key(setting, self.subset), record)
                left = (time.monotonic() - begun) / done * (work - done) / 60
                options = f"{setting.spacing}{' afs' * setting.analytic_first}{' denoise' * setting.denoise}"
                _say(
                    f"{setting.solver:12} {setting.evaluations:3} evaluations  {setting.samples:6} images  "
                    f"{options:22} distance {record['feature_distance']:8.4f}  "
                    f"agreement {record['agreement']:.4f}  {left:.1f} min left"
                )

    def _judge(self, setting: Setting, parts: list[Part]) -> Record:
        features = torch.cat([p[2] for p in parts])
        seen = torch.cat([p[3] for p in parts])
        asked = torch.arange(setting.samples) % self.classes
        record: Record = {
            **asdict(setting),
            "steps": setting.steps,
            "evaluations": setting.evaluations,
            **asdict(score(features, seen, asked, self.real)),
            "seconds": round(sum(p[4] for p in parts), 2),
        }
        if setting.samples > self.subset:
            few = score(features[: self.subset], seen[: self.subset], asked[: self.subset], self.real)
            record["first"] = asdict(few)
        return record


# --- the plan ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """Which settings to measure; names of solvers whose derivative costs fp32 get `exact_samples`."""

    names: tuple[str, ...]
    nfe: tuple[int, ...]
    common: Setting
    exact_samples: int

    def setting(
        self, name: str, nfe: int, base: Setting | None = None, samples: int | None = None
    ) -> Setting | None:
        """None where the solver can't take a single step for so few evaluations."""
        made = replace(base or self.common, solver=name, nfe=nfe)
        made = replace(made, samples=samples or made.samples)
        if made.info.derivative == "exact":
            made = replace(made, precision="fp32", samples=min(made.samples, self.exact_samples))
        try:
            _ = made.steps
        except BadRequest:
            return None
        return made

    def table(self) -> dict[tuple[str, int], Setting]:
        every = {(name, nfe): self.setting(name, nfe) for nfe in self.nfe for name in self.names}
        return {key: setting for key, setting in every.items() if setting is not None}

    def sweep(
        self, names: Sequence[str], nfes: Sequence[int], samples: int
    ) -> dict[tuple[str, int], list[Setting]]:
        found: dict[tuple[str, int], list[Setting]] = {}
        for name, nfe, spacing, first, last in product(names, nfes, SPACINGS, (False, True), (False, True)):
            base = replace(self.common, spacing=spacing, analytic_first=first, denoise=last)
            setting = self.setting(name, nfe, base, samples)
            if setting is not None:
                found.setdefault((name, nfe), []).append(setting)
        return found


def own_best(
    plan: Plan, bench: Bench, swept: dict[tuple[str, int], list[Setting]]
) -> dict[tuple[str, int], Setting]:
    """Every cell of the table with the options that were best for its solver in the sweep.

    Evaluations that were not swept take the options of the nearest number that was.
    """
    winners: dict[str, dict[int, Setting]] = {}
    for (name, nfe), settings in swept.items():
        known = [(r["feature_distance"], s) for s in settings if (r := bench.record(s)) is not None]
        if known:
            winners.setdefault(name, {})[nfe] = min(known, key=lambda pair: pair[0])[1]
    table = plan.table()
    for (name, nfe), setting in table.items():
        if name in winners:
            best = winners[name][min(winners[name], key=lambda swept_nfe: abs(swept_nfe - nfe))]
            made = plan.setting(name, nfe, replace(best, samples=setting.samples))
            table[name, nfe] = made or setting
    return table


def measure_head(sampler: Sampler, images: Tensor, labels: Tensor) -> Record:
    """The head's relative error per gamma, on noised test images and along a DDIM trajectory."""
    gammas = head_error.log_levels(sampler.schedule)
    denoiser = sampler.denoiser(labels)
    x0 = (images.float() / 127.5 - 1.0).to(sampler.device)
    noise = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1)).to(sampler.device)
    walks = {
        "noised_images": list(head_error.on_noised_images(denoiser, x0, gammas)),
        "trajectory": list(head_error.along_trajectory(denoiser, noise, gammas)),
    }
    return {
        "images": len(images),
        "gamma": gammas,
        **{
            name: {
                "relative": [e.relative for e in errors],
                "target_rms": [e.target for e in errors],
                "overall": head_error.overall(errors),
            }
            for name, errors in walks.items()
        },
    }


# --- the command ------------------------------------------------------------------------------


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench_quality",
        description="Measure the quality of samples for every solver.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default="fashion32", help="a model of the library")
    add("--checkpoint", type=Path, help="measure a training checkpoint of fashion32 instead")
    add("--head-checkpoint", type=Path, help="the head's checkpoint that goes with --checkpoint")
    add("--samples", type=int, default=SAMPLES, help="images a cell of the table")
    add("--final-samples", type=int, default=10_000, help="images at 100 DDIM steps; 0: leave it out")
    add("--exact-samples", type=int, default=1000, help="images a cell of genie-exact, which is slow")
    add("--solvers", type=_names, default=tuple(solvers()), help="names with commas between")
    add("--nfe", type=_numbers, default=(5, 10, 15, 20, 25), help="evaluations, with commas between")
    add("--spacing", choices=SPACINGS, help="for all solvers; default: the model's own")
    add("--afs", action="store_true", help="analytic first step for all solvers")
    add("--denoise", action="store_true", help="final denoising step for all solvers")
    add("--t-end", type=float, default=1e-3, help="where all solvers end")
    add("--sweep", type=_names, default=(), help="solvers whose own best options to look for, or `all`")
    add("--sweep-nfe", type=_numbers, default=(5, 10), help="evaluations of the sweep")
    add("--sweep-samples", type=int, default=1000, help="images a cell of the sweep")
    add("--device", default="auto")
    add("--precision", default="auto", help="of all solvers but genie-exact, which runs in fp32")
    add("--batch", type=int, default=125)
    add("--workers", type=int, default=0, help="processes with a thread each; 0: one a core on a CPU")
    add("--data", type=Path, help="folder of the four idx files of Fashion-MNIST")
    add("--out", type=Path, default=ROOT / "build" / "bench")
    add("--resume", action=argparse.BooleanOptionalAction, default=True, help="keep cells already measured")
    add("--json", action="store_true", help="print the JSON instead of tables")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run(options: argparse.Namespace, say: Callable[[str], None] = _say) -> Record:
    """Measure everything asked for and return the report; a Ctrl+C reports what there is."""
    begun = time.monotonic()
    source = Source(options.model, options.checkpoint, options.head_checkpoint, options.device)
    placement = choose_placement(options.device, options.precision)
    workers = options.workers or (cpu_cores() if placement.device.type == "cpu" else 1)
    sampler, spacing = source.load()
    classifier = load_classifier(CLASSIFIER)
    test_images, test_labels = load_fashion("test", options.data)
    train_images = load_fashion("train", options.data)[0]
    order = torch.randperm(len(train_images), generator=torch.Generator().manual_seed(0))
    real = fit(judge(classifier, test_images)[0])
    train_features = judge(classifier, train_images[order[: max(FLOORS)]])[0]

    for name in (*options.solvers, *(n for n in options.sweep if n != "all")):
        if name not in solvers():
            raise UnknownName(f"There is no solver {name!r}. There is: {', '.join(solvers())}.")
    headless = (
        {info.name for info in solver_infos() if info.derivative == "head"} if sampler.head is None else set()
    )
    names = tuple(name for name in options.solvers if name not in headless)
    if headless:
        say(f"The model has no head: {', '.join(headless)} left out.")
    weights = {
        "network": fingerprint(sampler.network.state_dict()),
        "head": None if sampler.head is None else fingerprint(sampler.head.state_dict()),
        "classifier": fingerprint(classifier.state_dict()),
    }
    cells = Cells(options.out / "quality-cells.json", weights, options.resume)
    bench = Bench(
        source, cells, real, sampler.classes,
        batch=options.batch, workers=workers, subset=max(2, options.exact_samples),  # a spread takes two
    )  # fmt: skip
    common = Setting(
        "ddim", 1, options.samples, options.spacing or spacing, options.afs, options.denoise, options.t_end,
        placement.precision,
    )  # fmt: skip
    plan = Plan(names, options.nfe, common, options.exact_samples)
    final = plan.setting("ddim", 100, samples=options.final_samples) if options.final_samples else None
    table = plan.table()
    wanted = names if "all" in options.sweep else tuple(n for n in options.sweep if n in names)
    swept = plan.sweep(wanted, options.sweep_nfe, options.sweep_samples)

    stopped = False
    try:
        # The cheap and telling first: a run that is stopped has said the most.
        bench.measure([s for s in table.values() if s.info.derivative != "exact"])
        bench.measure([s for settings in swept.values() for s in settings])
        if swept:
            bench.measure(list(own_best(plan, bench, swept).values()))
        if final is not None:
            bench.measure([final])
        bench.measure(list(table.values()))
    except KeyboardInterrupt:
        say("Stopped; the same command goes on from here.")
        stopped = True

    report: Record = {
        "model": str(options.checkpoint or options.model),
        "weights": weights,
        "device": placement.title,
        "precision": placement.precision,
        "torch": torch.__version__,
        "complete": not stopped,
        "real": {
            "test_images": len(test_images),
            "classifier_accuracy": accuracy(classifier, test_images, test_labels),
            "floor": {str(n): feature_distance(fit(train_features[:n]), real) for n in FLOORS},
        },
        "final": None if final is None else bench.record(final),
        "common": _table_of(bench, table),
        "sweep": [record for group in swept.values() for s in group if (record := bench.record(s))],
        "own_best": _table_of(bench, own_best(plan, bench, swept)) if swept else {},
    }
    report["ratios"] = {"common": ratios(report["common"]), "own_best": ratios(report["own_best"])}
    if sampler.head is not None and not stopped:
        report["head_error"] = measure_head(sampler, test_images[:64], test_labels[:64])
    report["seconds"] = round(time.monotonic() - begun, 1)
    return report


def _table_of(bench: Bench, table: dict[tuple[str, int], Setting]) -> dict[str, dict[str, Record]]:
    found: dict[str, dict[str, Record]] = {}
    for (name, nfe), setting in table.items():
        record = bench.record(setting)
        if record is not None:
            found.setdefault(name, {})[str(nfe)] = record
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    options = _arguments(arguments)
    try:
        report = run(options)
    except EngineError as error:
        _say(error.message)
        return 2
    path = options.out / "quality.json"
    text = json.dumps(report, indent=1)
    write_atomically(path, lambda file: file.write_text(text + "\n", encoding="utf-8"))
    if options.json:
        print(text)
    else:
        print_report(report)
    return 0 if report["complete"] else 130


if __name__ == "__main__":
    raise SystemExit(main())
