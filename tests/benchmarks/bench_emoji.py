"""`make bench-quality RECIPE=emoji64` or `RECIPE=emoji256-up`: what the colour models draw, judged.

    python -m tests.benchmarks.bench_emoji emoji64 [--model FOLDER] [--samples 250] [--solvers genie,ddim]
    python -m tests.benchmarks.bench_emoji emoji256-up [--model FOLDER] [--levels 0.1,0.01]

The judge is EfficientNet-Lite0 (`engine.evaluation.imagenet`); the reference are the held-out
emoji. The report goes to build/bench/NAME.json and, in words, to the screen.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.checkpoints.card import CARD, Card, card_to_toml, read_card
from engine.checkpoints.library import bundled_folder
from engine.checkpoints.native import load_head, load_network
from engine.evaluation.enlarging import judge_enlargement, made_small, plainly_enlarged, walked
from engine.evaluation.features import feature_distance, fit, tensor_from_pictures
from engine.evaluation.imagenet import (
    COMPONENTS,
    Judge,
    cached_features,
    features_of,
    fit_classifier,
    load_judge,
    nearest,
    principal_components,
)
from engine.evaluation.quality import Sampler, Setting, bytes_from_images
from engine.files import write_atomically
from engine.messages import GenerateRequest, Result
from engine.networks.compact_upsampler import CompactUpsampler
from engine.schedule import VPSchedule
from engine.solvers import solver, solver_infos
from engine.tasks import Engine
from engine.training.emoji import EMOJI_FOLDER, EmojiPictures, load_emoji
from engine.upsampling import made_consistent

Record = dict[str, Any]
_OUT = Path("build") / "bench"
_BATCH = 25
_FOR_COMPONENTS = 600


class Asked(Sampler):
    """A sampler that is asked for the classes of given pictures, over and over."""

    asked: Tensor

    def labels(self, first: int, count: int) -> Tensor:
        return self.asked[torch.arange(first, first + count) % len(self.asked)]


def bench_base(
    folder: Path,
    pictures: EmojiPictures,
    judge: Judge,
    *,
    samples: int,
    solvers: Sequence[str],
    evaluations: Sequence[int],
    cache: Path | None = None,
    before: Record | None = None,
    keep: Callable[[Record], None] = lambda record: None,
    say: Callable[[str], None] = lambda text: None,
) -> Record:
    """Feature distance, classes and nearest neighbours of the model in `folder`.

    Of the report `before` those cells are kept that the same weights were measured for; `keep`
    is given what there is after each.
    """
    train, test = pictures.part("train"), pictures.part("test")
    say(f"Features of {len(train):,} training pictures and {len(test):,} held-out ones")
    shown = train.images[0]
    known = features_of(judge, shown) if cache is None else cached_features(judge, shown, cache)
    held = features_of(judge, test.images[0])
    classes = int(pictures.labels.max()) + 1
    components = principal_components(known, COMPONENTS)
    classifier = fit_classifier(known, train.labels, classes, weights=train.weights())
    real = fit(components(held))

    card = read_card(folder / CARD)
    sampler = Asked(
        load_network(folder, card), load_head(folder, card), prediction=card.prediction,
        schedule=VPSchedule(card.beta_min, card.beta_d),
        shape=(card.channels, card.image_size, card.image_size), classes=len(card.classes),
        device=torch.device("cpu"),
    )  # fmt: skip
    sampler.asked = test.labels[torch.randperm(len(test), generator=torch.Generator().manual_seed(0))]
    table = kept_cells(before or {}, card, samples)
    found = held
    for name in solvers:
        if solver(name).info.derivative == "head" and sampler.head is None:
            say(f"{name}: the model has no head")
            continue
        for nfe in evaluations:
            if str(nfe) in table.get(name, {}) and (name, nfe) != ("genie", max(evaluations)):
                continue  # the last of GENIE is drawn again: its samples have neighbours to be found
            begun = time.monotonic()
            setting = Setting(name, nfe, samples, spacing=card.spacing, precision="fp32")
            parts = [sampler.draw(setting, i, min(_BATCH, samples - i)) for i in range(0, samples, _BATCH)]
            seen = features_of(judge, torch.cat(parts))
            record = {
                "feature_distance": feature_distance(fit(components(seen)), real),
                "agreement": classifier.accuracy(seen, sampler.labels(0, samples)),
                "evaluations": setting.evaluations,
                "samples": samples,
                "seconds": round(time.monotonic() - begun, 1),
            }
            table.setdefault(name, {})[str(nfe)] = record
            keep({"weights": weights_of(card), "samples": samples, "table": table})
            say(
                f"{name:>12} {nfe:>3} evaluations: feature distance {record['feature_distance']:8.3f}, "
                f"asked class seen {record['agreement']:.3f}"
            )
            if name == "genie" or found is held:
                found = seen  # the last of GENIE's, at the most evaluations
    guided: Record = {}
    if card.guidance:
        # As a person sees them: with the guidance the model begins with, in ten steps.
        seen = features_of(judge, guided_samples(folder, sampler.labels(0, samples).tolist()))
        guided = {
            "guidance": card.guidance,
            "feature_distance": feature_distance(fit(components(seen)), real),
            "agreement": classifier.accuracy(seen, sampler.labels(0, samples)),
        }
        say(f"guided by {card.guidance:g}: {guided}")
    same = torch.tensor([[a == b for b in train.families] for a in train.families])
    few = torch.randperm(len(train), generator=torch.Generator().manual_seed(1))[: len(test)]
    # As far apart as a sample of the training pictures themselves is from the held-out ones.
    floor = feature_distance(fit(components(known[few])), real)
    report = {
        "model": card.name,
        "weights": weights_of(card),
        "samples": samples,
        "components": COMPONENTS,
        "held_out_pictures": len(test),
        "training_pictures_against_held_out": floor,
        "classifier_on_held_out": classifier.accuracy(held, test.labels),
        "classifier_on_training": classifier.accuracy(known, train.labels),
        "table": table,
        "guided": guided,
        "nearest": {
            "samples_to_training": nearest(found, known).summary(),
            "samples_to_held_out": nearest(found, held).summary(),
            "held_out_to_training": nearest(held, known).summary(),
            "training_to_other_training": nearest(known, known, same).summary(),
        },
    }
    return report | {"ratio_to_ddim": ratios(table)}


def guided_samples(folder: Path, labels: Sequence[int]) -> Tensor:
    """uint8 (N, C, H, W) of these classes, by ten steps with the guidance of the card."""
    engine = Engine([folder])
    (info,) = engine.catalogue().models
    request = GenerateRequest(
        info.name, labels=tuple(labels), solver="genie" if info.has_head else "ddim", steps=10,
        spacing=info.spacing, guidance=info.guidance, device="cpu", precision="fp32",
    )  # fmt: skip
    *_, result = engine.run(request)
    assert isinstance(result, Result)
    return tensor_from_pictures(result.pictures)


def weights_of(card: Card) -> dict[str, str]:
    """The checksums of the network and its head."""
    return {"network": card.network.sha256, "head": card.head.sha256 if card.head else ""}


def kept_cells(before: Record, card: Card, samples: int) -> dict[str, dict[str, Record]]:
    """The cells of an earlier report that still hold: a new head leaves the other solvers' standing."""
    old, new = before.get("weights", {}), weights_of(card)
    if old.get("network") != new["network"] or before.get("samples") != samples:
        return {}
    return {
        name: cells
        for name, cells in before["table"].items()
        if solver(name).info.derivative != "head" or old["head"] == new["head"]
    }


def ratios(table: dict[str, dict[str, Record]]) -> dict[str, float]:
    """GENIE's feature distance over that of DDIM, by evaluations."""
    ours, theirs = table.get("genie", {}), table.get("ddim", {})
    return {
        nfe: round(cell["feature_distance"] / theirs[nfe]["feature_distance"], 3)
        for nfe, cell in ours.items()
        if nfe in theirs
    }


def bench_upsampler(
    folder: Path,
    pictures: EmojiPictures,
    judge: Judge,
    *,
    count: int,
    levels: Sequence[float],
    settings: Sequence[tuple[str, int]] = (("genie", 5), ("ddim", 5), ("ddim", 25)),
    cache: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Record:
    """The upsampler in `folder` on the held-out pictures, beside plain enlargements."""
    card = read_card(folder / CARD)
    network, head = load_network(folder, card), load_head(folder, card)
    assert isinstance(network, CompactUpsampler)
    train, test = pictures.part("train").images[0], pictures.part("test").images[0]
    # The components need no more than a part of them, and each costs what a picture costs.
    some = torch.randperm(len(train), generator=torch.Generator().manual_seed(2))[:_FOR_COMPONENTS]
    train = train[some.sort().values]
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))[:count]
    real = test[chosen]
    say(f"Features of {len(train):,} training pictures")
    known = features_of(judge, train) if cache is None else cached_features(judge, train, cache)
    components = principal_components(known, COMPONENTS)
    small = made_small(real, network.config.low_resolution)
    size = network.config.image_size

    table: dict[str, Record] = {}

    def record(name: str, made: Tensor, seconds: float) -> None:
        found = judge_enlargement(judge, components, made, small, real)
        table[name] = asdict(found) | {"seconds_a_picture": round(seconds / len(made), 3)}
        say(
            f"{name:>24}: feature distance {found.feature_distance:8.3f}, feature error "
            f"{found.feature_error:.4f}, {found.psnr:.2f} dB, consistency {found.consistency:.2f} dB"
        )

    for how in ("bicubic", "lanczos"):
        record(how, plainly_enlarged(small, size, how), 0.0)
    for level in levels:
        for name, steps in settings:
            if solver(name).info.derivative == "head" and head is None:
                say(f"{name}: the model has no head")
                continue
            begun = time.monotonic()
            parts = [
                walked(
                    network, head, small[i : i + 5], solver_name=name, steps=steps, level=level,
                    seeds=range(i, i + len(small[i : i + 5])), spacing=card.spacing,
                )
                for i in range(0, len(small), 5)
            ]  # fmt: skip
            made, seconds = torch.cat(parts), time.monotonic() - begun
            record(f"{name} {steps}, level {level:g}", bytes_from_images(made), seconds)
            matched = bytes_from_images(made_consistent(made, small.float() / 127.5 - 1.0))
            record(f"{name} {steps}, level {level:g}, consistent", matched, seconds)
    return {"model": card.name, "pictures": len(real), "components": COMPONENTS, "table": table}


def write_quality(folder: Path, report: Record) -> None:
    """`[quality]` of the card in `folder`: the report, numbers to four digits."""
    card = read_card(folder / CARD)
    words = {
        "measured_by": f"make bench-quality RECIPE={card.name}",
        "feature": f"Frechet distance in {report['components']} principal components of EfficientNet-Lite0",
    }
    kept = {key: value for key, value in report.items() if key not in ("model", "weights", "components")}
    text = card_to_toml(replace(card, quality=words | _rounded(kept)))
    write_atomically(folder / CARD, lambda file: file.write_text(text, encoding="utf-8"))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench_emoji", description=__doc__)
    parser.add_argument("recipe", choices=("emoji64", "emoji256-up"))
    parser.add_argument("--model", type=Path, default=None, help="model folder (default: the bundled one)")
    parser.add_argument("--data", type=Path, default=None, help="folder of the emoji")
    parser.add_argument("--samples", type=int, default=250, help="pictures a setting (default: 250)")
    parser.add_argument(
        "--solvers", type=_names, default=tuple(s.name for s in solver_infos() if s.name != "genie-exact")
    )
    parser.add_argument("--evaluations", type=_names, default=("5", "10", "15", "20", "25"))
    parser.add_argument("--levels", type=_names, default=("0.1", "0.02", "0.003"))
    parser.add_argument("--threads", type=int, default=1, help="threads to compute with (default: 1)")
    parser.add_argument("--resume", action="store_true", help="keep what was measured of the same weights")
    parser.add_argument("--card", action="store_true", help="write what was measured into the model's card")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)

    folder = options.model or bundled_folder() / options.recipe
    path = _OUT / f"{options.recipe}.json"
    size = 64 if options.recipe == "emoji64" else 256
    cache = (options.data or EMOJI_FOLDER) / f"features-{size}.safetensors"
    pictures, judge = load_emoji(size, options.data), load_judge()

    def say(text: str) -> None:
        sys.stderr.write(text + "\n")

    def keep(report: Record) -> None:
        text = json.dumps(report, indent=1)
        write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))

    path.parent.mkdir(parents=True, exist_ok=True)
    if options.recipe == "emoji64":
        report = bench_base(
            folder, pictures, judge, samples=options.samples, solvers=options.solvers,
            evaluations=[int(n) for n in options.evaluations], cache=cache, say=say,
            before=json.loads(path.read_text()) if options.resume and path.exists() else None, keep=keep,
        )  # fmt: skip
    else:
        report = bench_upsampler(
            folder, pictures, judge, count=options.samples, levels=[float(x) for x in options.levels],
            cache=cache, say=say,
        )  # fmt: skip
    keep(report)
    say(json.dumps({key: value for key, value in report.items() if key != "table"}, indent=1))
    say(f"Wrote {path}")
    if options.card:
        write_quality(folder, report)
        say(f"Wrote {folder / CARD}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
