"""The tables of the quality benchmark, and the ratios its goals are about."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["print_report", "ratios"]

Record = dict[str, Any]
Table = dict[str, dict[str, Record]]  # solver -> evaluations -> record

AGREEMENT_GOAL = 0.95
# GENIE's distance over DDIM's: evaluations of each, and the most it may be.
RATIO_GOALS = {"genie@5 / ddim@5": 0.6, "genie@10 / ddim@10": 0.6, "genie@10 / ddim@25": 1.0}


def ratios(table: Table) -> dict[str, float]:
    """GENIE's feature distance over DDIM's, where both were measured on as many images."""
    found: dict[str, float] = {}
    for name in RATIO_GOALS:
        above, below = (part.split("@") for part in name.split(" / "))
        a, b = (table.get(solver, {}).get(nfe) for solver, nfe in (above, below))
        if a is not None and b is not None and a["samples"] == b["samples"]:
            found[name] = a["feature_distance"] / b["feature_distance"]
    return found


def print_report(report: Record) -> None:
    real, final = report["real"], report["final"]
    print(f"\nModel {report['model']}, {report['device']}, {report['precision']}, torch {report['torch']}")
    if not report["complete"]:
        print("Stopped before the end: empty cells are not measured.")
    print(f"\nThe classifier is right about {real['classifier_accuracy']:.2%} of real test images.")
    floor = ", ".join(f"{value:.4f} with {int(n):,}" for n, value in real["floor"].items())
    print(f"Feature distance of real training images to the 10,000 test images: {floor}.")
    if final is not None:
        print(
            f"{final['samples']:,} images with {final['steps']} DDIM steps: agreement {final['agreement']:.2%}"
            f"{_verdict(final['agreement'] >= AGREEMENT_GOAL, f'at least {AGREEMENT_GOAL:.0%}')}, "
            f"feature distance {final['feature_distance']:.4f}."
        )
    _print_table("All solvers with the same options", report["common"])
    if report["own_best"]:
        _print_table("Each solver with its own best options", report["own_best"], with_options=True)
    for name, found in report["ratios"].items():
        if found:
            print(f"\nFeature distances over each other ({name.replace('_', ' ')} options):")
            for ratio, value in found.items():
                goal = RATIO_GOALS[ratio]
                print(f"  {ratio:20} {value:.3f}{_verdict(value <= goal, f'at most {goal:g}')}")
    if "head_error" in report:
        _print_head(report["head_error"])
    print(f"\n{report['seconds']:.0f} s")


def _verdict(met: bool, goal: str) -> str:
    return f" ({'as' if met else 'NOT as'} aimed for: {goal})"


def _print_table(title: str, table: Table, *, with_options: bool = False) -> None:
    nfes = sorted({int(nfe) for row in table.values() for nfe in row})
    records = [record for row in table.values() for record in row.values()]
    if not records:
        return
    print(f"\n{title}: feature distance / agreement in %, by network evaluations")
    if not with_options:
        r = records[0]
        print(f"({_options(r)}, t_end {r['t_end']:g})")
    print(f"{'':14}{'images':>8}" + "".join(f"{nfe:>20}" for nfe in nfes))
    notes: list[str] = []
    for name, row in table.items():
        samples = next(iter(row.values()))["samples"]
        line = f"{name:14}{samples:>8}"
        for nfe in nfes:
            record = row.get(str(nfe))
            line += " " * 19 + "-" if record is None else _cell(record, notes)
        print(line)
        if with_options:
            print(f"{'':22}" + "".join(f"{_options(row[str(n)]) if str(n) in row else '':>20}" for n in nfes))
    most = max(r["samples"] for r in records)
    if any(r["samples"] < most for r in records):
        few = min(r["samples"] for r in records)
        for name in ("ddim", "genie"):
            if name in table:
                line = f"{name:14}{few:>8}"
                for nfe in nfes:
                    first = table[name].get(str(nfe), {}).get("first")
                    line += " " * 19 + "-" if first is None else _cell(first, notes)
                print(line)
        print("  Fewer images raise the distance: compare only rows with as many.")
    for note in notes:
        print(f"  {note}")


def _cell(record: Record, notes: list[str]) -> str:
    mark = ""
    if record.get("evaluations", record.get("nfe")) != record.get("nfe"):
        mark = "*"
        note = "* whole steps only reach one evaluation less."
        if note not in notes:
            notes.append(note)
    return f"{record['feature_distance']:.4f}{mark} / {100 * record['agreement']:.1f}".rjust(20)


def _options(record: Record) -> str:
    short = {"quadratic": "quad", "log-snr": "snr", "linear": "lin", "rho": "rho"}
    words = [short[record["spacing"]]]
    words += ["afs"] if record["analytic_first"] else []
    words += ["den"] if record["denoise"] else []
    return "+".join(words)


def _print_head(error: Record) -> None:
    print(f"\nError of the head relative to the exact derivative ({error['images']} test images)")
    print(f"{'gamma':>10}{'noised images':>16}{'DDIM trajectory':>18}{'rms of gamma d eps/d gamma':>30}")
    noised, walked = error["noised_images"], error["trajectory"]
    for i, gamma in enumerate(error["gamma"]):
        print(
            f"{gamma:>10.4g}{_number(noised['relative'][i]):>16}{_number(walked['relative'][i]):>18}"
            f"{noised['target_rms'][i]:>30.4f}"
        )
    print(f"{'overall':>10}{_number(noised['overall']):>16}{_number(walked['overall']):>18}")


def _number(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "-"
