"""An image of the history in words: its title, its tooltip, the name of a file of it."""

from __future__ import annotations

import re

from app.models.facts import kind_title
from app.models.names import model_title, solver_title
from app.store.records import Record
from engine.files import cut_name
from engine.messages import Catalogue

__all__ = ["describe", "file_name_of", "title_of"]


def title_of(record: Record, catalogue: Catalogue | None = None) -> str:
    """A line under a thumbnail: the class, or the model of an image without one."""
    words = [record.label_name or model_title(catalogue, record.model)]
    if record.kind != "generate":
        words.insert(0, f"{kind_title(record.kind)}:")
    return " ".join([*words, *([] if record.seed is None else [str(record.seed)])])


def describe(record: Record, catalogue: Catalogue | None = None) -> str:
    """What a tooltip says, a fact a line."""
    lines = [] if record.kind == "generate" else [kind_title(record.kind)]
    lines += [words for words in (record.label_name, model_title(catalogue, record.model)) if words]
    if record.solver:
        steps = f"{record.steps} step{'' if record.steps == 1 else 's'}"
        lines.append(f"{solver_title(catalogue, record.solver)}, {steps}")
    if record.guidance:
        lines.append(f"Guidance {record.guidance:g}")
    if record.seed is not None:
        lines.append(f"Seed {record.seed}")
    lines.append(f"{record.width} × {record.height} px")
    lines.append(record.created.astimezone().strftime("%Y-%m-%d %H:%M"))
    if record.starred:
        lines.append("Starred")
    if record.note:
        lines.append(record.note)
    return "\n".join(lines)


def file_name_of(record: Record) -> str:
    """A name without its ending: "fashion32-Ankle-boot-seed-7-41"."""
    kind = "" if record.kind == "generate" else kind_title(record.kind)
    seed = "" if record.seed is None else f"seed {record.seed}"
    words = cut_name(_plain(record.model, record.label_name, kind))  # never what tells images apart
    return _plain(words, seed, str(record.id))


def _plain(*words: str) -> str:
    return re.sub(r"[^\w.-]+", "-", " ".join(word for word in words if word)).strip("-.")
