"""The quality benchmark on a tiny model: complete, stopped, gone on with, and its choices."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.checkpoints.card import CARD, read_card
from engine.checkpoints.library import bundled_folder
from engine.checkpoints.native import load_head, load_network
from engine.evaluation.classifier import new_classifier, save_classifier
from engine.evaluation.quality import Setting, fingerprint
from tests.benchmarks import bench_quality
from tests.benchmarks.bench_quality import Bench, Cells, Plan, main, own_best
from tests.benchmarks.quality_card import command_of, is_of, table_of
from tests.benchmarks.quality_report import ratios
from tests.engine.tiny_model import write_tiny_model

WEIGHTS: dict[str, str | None] = {"network": "n", "head": "h", "classifier": "c"}
ARGUMENTS = [
    "--model=tiny", "--samples=6", "--final-samples=4", "--exact-samples=4", "--nfe=4,5",
    "--solvers=genie,ddim,genie-exact", "--sweep=ddim", "--sweep-nfe=4", "--sweep-samples=4",
    "--batch=3", "--workers=1", "--device=cpu", "--precision=fp32",
]  # fmt: skip


@pytest.fixture
def tiny(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model in the user's folder, a classifier that knows nothing, few real images."""
    write_tiny_model(genie_home / "models", image_size=32)
    classifier = tmp_path / "classifier.safetensors"
    save_classifier(new_classifier(0), classifier)

    def few(split: str, folder: Path | None = None) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(len(split))
        images = torch.randint(0, 256, (8, 1, 32, 32), generator=random, dtype=torch.uint8)
        return images, torch.arange(8) % 3

    monkeypatch.setattr(bench_quality, "CLASSIFIER", classifier)
    monkeypatch.setattr(bench_quality, "load_fashion", few)
    monkeypatch.setattr(bench_quality, "FLOORS", (4, 8))
    monkeypatch.setattr(bench_quality.head_error, "log_levels", lambda schedule: [10.0, 1.0, 0.1])
    return tmp_path / "out"


def _report(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "quality.json").read_text(encoding="utf-8"))
    return report


def test_the_whole_bench(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ARGUMENTS, "--out", str(tiny)]) == 0
    report = _report(tiny)
    assert report["complete"]
    assert list(report["common"]) == ["genie", "ddim", "genie-exact"]
    exact = report["common"]["genie-exact"]["5"]
    assert (exact["samples"], exact["precision"], exact["evaluations"]) == (4, "fp32", 4)
    # DDIM on as few images as the exact solver, so that the two can be compared.
    assert report["common"]["ddim"]["5"]["first"]["samples"] == 4
    assert report["final"]["steps"] == 100
    assert len(report["sweep"]) == 16
    assert set(report["own_best"]["ddim"]) == {"4", "5"}
    assert set(report["ratios"]["common"]) == {"genie@5 / ddim@5"}
    assert len(report["head_error"]["trajectory"]["relative"]) == len(report["head_error"]["gamma"])
    printed = capsys.readouterr().out
    assert "genie-exact" in printed
    assert "* whole steps only" in printed

    # Again: everything is known, nothing is drawn.
    def nothing(*_: object) -> Iterator[object]:
        raise AssertionError("a measured cell was measured again")

    monkeypatch.setattr(bench_quality, "_parts", nothing)
    assert main([*ARGUMENTS, "--out", str(tiny)]) == 0
    assert _report(tiny)["common"] == report["common"]


def test_a_stopped_bench_goes_on_and_ends_the_same(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draw, drawn = bench_quality._draw_part, []

    def stop_in_the_middle(task: Any) -> Any:
        drawn.append(task)
        if len(drawn) == 6:  # the second half of the third cell
            raise KeyboardInterrupt
        return draw(task)

    monkeypatch.setattr(bench_quality, "_draw_part", stop_in_the_middle)
    assert main([*ARGUMENTS, "--out", str(tiny)]) == 130
    stopped = _report(tiny)
    assert not stopped["complete"]
    assert sum(len(row) for row in stopped["common"].values()) == 2

    monkeypatch.setattr(bench_quality, "_draw_part", draw)
    assert main([*ARGUMENTS, "--out", str(tiny)]) == 0
    assert main([*ARGUMENTS, "--out", str(tmp_path / "at once")]) == 0

    def distances(report: dict[str, Any]) -> list[float]:
        return [r["feature_distance"] for row in report["common"].values() for r in row.values()]

    assert distances(_report(tiny)) == pytest.approx(distances(_report(tmp_path / "at once")), rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--model", "boots"], "no model 'boots'"), (["--solvers", "ddmi"], "no solver 'ddmi'")],
)
def test_unknown_names(
    tiny: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["--model", "tiny", "--device", "cpu", *arguments, "--out", str(tiny)]) == 2
    assert words in capsys.readouterr().err


def test_a_new_head_leaves_other_solvers_standing(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    ddim, genie = Setting("ddim", 5, 10), Setting("genie", 5, 10)
    old = Cells(path, WEIGHTS, resume=True)
    for setting in (ddim, genie):
        old.put(old.key(setting, 100), {"feature_distance": 1.0})
    new = Cells(path, {**WEIGHTS, "head": "another"}, resume=True)
    assert new.get(new.key(ddim, 100)) is not None
    assert new.get(new.key(genie, 100)) is None
    other_network = Cells(path, {**WEIGHTS, "network": "another"}, resume=True)
    assert other_network.get(other_network.key(ddim, 100)) is None
    again = Cells(path, WEIGHTS, resume=False)
    assert again.get(again.key(ddim, 100)) is None


def test_two_benches_at_once_keep_the_cells_of_both(tmp_path: Path) -> None:
    path = tmp_path / "cells.json"
    one, other = Cells(path, WEIGHTS, resume=True), Cells(path, WEIGHTS, resume=True)
    ddim, genie = Setting("ddim", 5, 10), Setting("genie", 5, 10)
    one.put(one.key(ddim, 100), {"feature_distance": 1.0})
    other.put(other.key(genie, 100), {"feature_distance": 2.0})
    later = Cells(path, WEIGHTS, resume=True)
    assert all(later.get(later.key(setting, 100)) is not None for setting in (ddim, genie))


def test_own_best_takes_the_best_of_the_sweep(tmp_path: Path) -> None:
    cells = Cells(tmp_path / "cells.json", WEIGHTS, resume=True)
    bench = Bench.__new__(Bench)
    bench.cells, bench.subset = cells, 50
    plan = Plan(("ddim", "genie"), (5, 25), Setting("ddim", 1, 500), 50)
    swept = plan.sweep(["ddim"], [5, 10], 20)
    for (_, nfe), settings in swept.items():
        for setting in settings:
            wanted = "rho" if nfe == 5 else "log-snr"
            worse = (setting.spacing != wanted) + setting.analytic_first + (not setting.denoise)
            cells.put(cells.key(setting, 50), {"feature_distance": 1.0 + worse})
    best = own_best(plan, bench, swept)
    assert best["ddim", 5] == Setting("ddim", 5, 500, spacing="rho", denoise=True)
    assert best["ddim", 25] == Setting("ddim", 25, 500, spacing="log-snr", denoise=True)
    assert best["genie", 5] == Setting("genie", 5, 500)  # not swept: as in the common table


def test_ratios_compare_only_as_many_images() -> None:
    def cell(distance: float, samples: int = 10) -> dict[str, Any]:
        return {"feature_distance": distance, "samples": samples}

    table = {
        "genie": {"5": cell(1.0), "10": cell(0.5)},
        "ddim": {"5": cell(4.0), "10": cell(1.0, 7), "25": cell(0.25)},
    }
    assert ratios(table) == {"genie@5 / ddim@5": 0.25, "genie@10 / ddim@25": 2.0}


def test_a_table_names_the_command_that_measures_it() -> None:
    for arguments in ([], ["--afs", "--t-end", "0.003", "--samples", "2500"], ["--denoise"]):
        asked = bench_quality._arguments(arguments)
        cell = {
            "spacing": "quadratic", "analytic_first": asked.afs, "denoise": asked.denoise,
            "t_end": asked.t_end, "samples": asked.samples, "feature_distance": 0.5, "evaluations": 4,
        }  # fmt: skip
        command = command_of({"heun": {"5": cell}})
        words = command.removeprefix("make bench-quality").removeprefix(" ARGS=").strip("'").split()
        assert bench_quality._arguments(words) == asked
        page = table_of({"common": {"heun": {"5": cell}}, "final": None})
        assert f"(`{command}`):" in page
        assert f"| `heun` | 0.500 (4) | {asked.samples:,} |" in page


def test_a_card_quotes_no_report_of_other_weights() -> None:
    folder = bundled_folder() / "fashion32"
    card = read_card(folder / CARD)
    head = load_head(folder, card)
    assert head is not None
    network = fingerprint(load_network(folder, card).state_dict())
    weights = {"network": network, "head": fingerprint(head.state_dict())}
    assert is_of({"weights": weights}, folder, card)
    assert not is_of({"weights": weights | {"network": "another"}}, folder, card)
    assert not is_of({"weights": weights | {"head": None}}, folder, card)
