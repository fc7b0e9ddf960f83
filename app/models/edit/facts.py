"""The figures of an encode and of an edit, as plain values that are kept and shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from engine.messages.edit import Edited
from engine.messages.encode import Encoded, Fidelity

__all__ = [
    "facts_of_edit",
    "facts_of_encode",
    "facts_of_fidelity",
    "fidelity_words",
    "psnr_words",
    "rows_of",
    "sound_facts",
]

_NUMBERS = frozenset(
    (
        *("psnr", "ssim", "changed", "largest", "strength", "scale", "steps", "seconds", "evaluations"),
        *("evaluations_back", "mean", "std", "kurtosis", "autocorrelation"),
    )
)
_TEXTS = frozenset(("solver", "comes_back", "noise"))
_LONGEST = 2000  # characters of a text, entries of a list


def facts_of_encode(item: Encoded, exact: bool, solver: str, steps: int, seconds: float) -> dict[str, Any]:
    """What is kept of the report of one encode."""
    return {
        **facts_of_fidelity(item.fidelity),
        "label": item.label if isinstance(item.label, int) else None,
        "exact": exact,
        "solver": solver,
        "steps": steps,
        "seconds": seconds,
        "evaluations": item.evaluations,
        "evaluations_back": item.evaluations_back,
        "converged": item.converged,
        "comes_back": item.fidelity.words,
        "noise": item.statistics.words,
        "looks_like_noise": item.statistics.looks_like_noise,
        "mean": item.statistics.mean,
        "std": item.statistics.std,
        "kurtosis": item.statistics.kurtosis,
        "autocorrelation": item.statistics.autocorrelation,
        "likely": list(item.statistics.likely),
        "gammas": list(item.gammas),
        "inverted": [
            [step.gamma, step.residual, step.evaluations, step.parts, step.converged] for step in item.steps
        ],
        "notes": list(item.facts.notes),
    }


def facts_of_edit(outcome: Edited, index: int, strength: float, label: object) -> dict[str, Any]:
    """What is kept of one picture of an edit; `label` is the class it is of now."""
    return {
        **facts_of_fidelity(outcome.fidelity[index]),
        "label": label if isinstance(label, int) else None,
        "strength": strength,
        "solver": outcome.request.solver,
        "steps": outcome.request.steps,
        "evaluations": outcome.evaluations,
        "seconds": outcome.seconds,
    }


def facts_of_fidelity(fidelity: Fidelity) -> dict[str, Any]:
    """How close two pictures are."""
    # JSON knows no infinity: an identical picture has no PSNR.
    psnr = fidelity.psnr if math.isfinite(fidelity.psnr) else None
    return {
        "psnr": psnr,
        "ssim": fidelity.ssim,
        "changed": fidelity.changed,
        "largest": fidelity.largest,
    }


def psnr_words(facts: Mapping[str, Any]) -> str:
    psnr = facts.get("psnr")
    return "identical" if psnr is None else f"{psnr:.1f} dB"


def fidelity_words(facts: Mapping[str, Any]) -> str:
    """ "24.1 dB, SSIM 0.873" of an edit's picture beside the one it was made of."""
    if facts.get("psnr") is None:
        return "the same to the byte"
    return f"{psnr_words(facts)}, SSIM {facts.get('ssim', 0.0):.3f}"


def rows_of(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, figure, what it means) of an encode's report, in the order of reading."""
    rows = [
        (
            "PSNR",
            psnr_words(facts),
            "Closeness to the original: 30 is good, above 40 no eye sees a difference.",
        ),
        ("SSIM", f"{facts.get('ssim', 0.0):.4f}", "Likeness of structure, 1 for the same picture."),
        (
            "Bytes changed",
            f"{facts.get('changed', 0):,}, by {facts.get('largest', 0)} at most",
            "How many levels of the round trip are others, and by how much at most (of 255).",
        ),
        (
            "Evaluations",
            f"{facts.get('evaluations', 0):,} up, {facts.get('evaluations_back', 0):,} back",
            "How often the network was asked on the way to noise, and on the way back.",
        ),
    ]
    for name, title, usual, tip in (
        ("mean", "Mean", 0.0, "Of the latent; that of noise is 0."),
        ("std", "Spread", 1.0, "Standard deviation of the latent; that of noise is 1."),
        ("kurtosis", "Tails", 0.0, "Excess kurtosis of the latent; that of noise is 0."),
        ("autocorrelation", "Neighbours", 0.0, "How much neighbouring pixels agree; in noise not at all."),
    ):
        value = facts.get(name)
        if isinstance(value, (int, float)):
            rows.append((title, f"{value:+.3f}" if usual == 0.0 else f"{value:.3f}", tip))
    return rows


def sound_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts from a file, without those that are of another kind than this program writes."""
    return {key: value for key, value in facts.items() if isinstance(key, str) and _is_sound(key, value)}


def _is_sound(key: str, value: object) -> bool:
    if key in _NUMBERS:
        return _is_number(value) or (key == "psnr" and value is None)
    if key in _TEXTS:
        return isinstance(value, str) and len(value) <= _LONGEST
    if key == "label":
        return value is None or (isinstance(value, int) and 0 <= value < 1_000_000)
    if key == "notes":
        return _is_list(value, lambda note: isinstance(note, str) and len(note) <= _LONGEST)
    if key == "inverted":
        return _is_list(value, lambda step: _is_list(step, _is_number) and len(step) == 5)
    if key == "round_trips":
        return isinstance(value, Mapping) and all(_is_list(p, _is_point) and p for p in value.values())
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and -1e15 < value < 1e15  # and so neither infinite nor NaN


def _is_list(value: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and len(value) <= _LONGEST and all(map(fits, value))


def _is_point(point: Any) -> bool:
    return _is_list(point, _is_number) and len(point) == 2
