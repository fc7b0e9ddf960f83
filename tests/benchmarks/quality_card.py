"""`python -m tests.benchmarks.quality_card`: the model's card and the README quote what was measured.

Reads build/bench/quality.json, rewrites `[quality]` of the model's card and the table between
the README's quality marks. Nothing there is typed by hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from engine.checkpoints.card import CARD, Card, card_to_toml, read_card
from engine.checkpoints.library import bundled_folder
from engine.checkpoints.native import load_head, load_network
from engine.evaluation.quality import Setting, fingerprint
from engine.files import write_atomically
from tests.benchmarks.bench_quality import SAMPLES

_ROOT = Path(__file__).parents[2]
_BEGIN, _END = "<!-- quality: begin -->", "<!-- quality: end -->"


_OPTIONS = ("spacing", "analytic_first", "denoise", "t_end")


Table = dict[str, dict[str, dict[str, Any]]]  # solver -> evaluations -> record


def options_of(table: Table) -> dict[str, Any]:
    """What all cells of a table were drawn with."""
    (options,) = {tuple(cell[name] for name in _OPTIONS) for row in table.values() for cell in row.values()}
    return dict(zip(_OPTIONS, options, strict=True))


def command_of(table: Table) -> str:
    """What measures a table: samples and options, where they are not those of the benchmark itself."""
    options, arguments = options_of(table), []
    samples = max(cell["samples"] for row in table.values() for cell in row.values())
    arguments += [f"--samples {samples}"] if samples != SAMPLES else []
    if options["spacing"] != "quadratic":  # that of the card
        arguments.append(f"--spacing {options['spacing']}")
    arguments += ["--afs"] if options["analytic_first"] else []
    arguments += ["--denoise"] if options["denoise"] else []
    if options["t_end"] != Setting.t_end:
        arguments.append(f"--t-end {options['t_end']:g}")
    return "make bench-quality" + (f" ARGS='{' '.join(arguments)}'" if arguments else "")


def _figures(table: Table) -> dict[str, Any]:
    return {
        "measured_by": command_of(table),
        "options": options_of(table),
        "feature_distance": {
            solver: {nfe: round(cell["feature_distance"], 3) for nfe, cell in cells.items()}
            for solver, cells in table.items()
        },
        "samples": {solver: min(c["samples"] for c in cells.values()) for solver, cells in table.items()},
    }


def quality_of(report: dict[str, Any]) -> dict[str, Any]:
    """The figures a card keeps: feature distances to three digits, with their sample sizes."""
    kept: dict[str, Any] = {
        "feature": "Frechet distance on the penultimate features of tests/data/fashion_classifier",
        "classifier_on_test_images": round(report["real"]["classifier_accuracy"], 4),
        "training_images_against_test_images": round(report["real"]["floor"]["5000"], 3),
        **_figures(report["common"]),
        "head_error_against_exact_derivative": round(report["head_error"]["trajectory"]["overall"], 3),
    }
    if also := report.get("also"):
        kept["with_other_options"] = _figures(also)
    final = report["final"]
    if final is not None:
        kept["ddim_at_100"] = {
            "samples": final["samples"],
            "agreement": round(final["agreement"], 4),
            "feature_distance": round(final["feature_distance"], 3),
        }
    return kept


def table_of(report: dict[str, Any]) -> str:
    """The README's tables in Markdown."""
    lines = [
        "## How good the images are",
        "",
        "Feature distance of Fashion 32 to the held-out test images (smaller is better) by network",
        "evaluations, unguided, all solvers with the same seeds.",
    ]
    for table in (report["common"], report.get("also")):
        if table:
            lines += ["", _options_in_words(table), "", *_rows(table)]
    lines += ["", "In brackets: evaluations where the count can't be reached exactly."]
    final = report["final"]
    if final is not None:
        lines.append(
            f"With {final['evaluations']} evaluations of DDIM and the options of the first table a classifier "
            f"agrees with the class asked for on {final['agreement']:.1%} of {final['samples']:,} images "
            f"(on real test images: {report['real']['classifier_accuracy']:.1%})."
        )
    return "\n".join(lines)


def _options_in_words(table: Table) -> str:
    options = options_of(table)
    first = "with" if options["analytic_first"] else "without"
    last = ", with a denoising last step" if options["denoise"] else ""
    grid = f"{options['spacing'].capitalize()} steps to t = {options['t_end']:g}"
    return f"{grid}, {first} an analytic first step{last} (`{command_of(table)}`):"


def _rows(cells: Table) -> list[str]:
    counts = sorted({int(nfe) for row in cells.values() for nfe in row})
    lines = [
        "| solver | " + " | ".join(map(str, counts)) + " | samples |",
        "| --- |" + " --- |" * (len(counts) + 1),
    ]
    for solver, row in cells.items():
        figures = []
        for count in counts:
            cell = row.get(str(count))
            spent = f" ({cell['evaluations']})" if cell and cell["evaluations"] != count else ""
            figures.append(f"{cell['feature_distance']:.3f}{spent}" if cell else "-")
        samples = min(cell["samples"] for cell in row.values())
        lines.append(f"| `{solver}` | " + " | ".join(figures) + f" | {samples:,} |")
    return lines


def is_of(report: dict[str, Any], folder: Path, card: Card) -> bool:
    """Whether the report is about the weights that are in the model's folder now."""
    head = load_head(folder, card)
    measured = report["weights"]
    return measured["network"] == fingerprint(load_network(folder, card).state_dict()) and measured[
        "head"
    ] == (None if head is None else fingerprint(head.state_dict()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--report", type=Path, default=Path("build/bench/quality.json"))
    parser.add_argument("--also", type=Path, help="a report with other options, for a second table")
    options = parser.parse_args()
    report = json.loads(options.report.read_text(encoding="utf-8"))
    if options.also is not None:
        other = json.loads(options.also.read_text(encoding="utf-8"))
        if other["weights"] != report["weights"]:
            parser.error(f"{options.also} was measured with other weights than {options.report}.")
        report["also"] = other["common"]
    path = bundled_folder() / report["model"] / CARD
    card = read_card(path)
    if not is_of(report, path.parent, card):
        parser.error(f"{options.report} was measured with other weights; `make bench-quality` measures anew.")
    text = card_to_toml(dataclasses.replace(card, quality=quality_of(report)))
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))
    readme = _ROOT / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    page = f"{before}{_BEGIN}\n{table_of(report)}\n{_END}{after}"
    write_atomically(readme, lambda file: file.write_text(page, encoding="utf-8"))


if __name__ == "__main__":
    main()
