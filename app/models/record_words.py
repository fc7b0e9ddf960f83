"""An image of the history in words: its title, its tooltip, the name of a file of it."""

from __future__ import annotations

import re

from app.models.names import model_title, solver_title
from app.store.records import Record
from engine.messages import Catalogue

__all__ = ["describe", "file_name_of", "title_of"]


def title_of(record: Record, catalogue: Catalogue | None = None) -> str:
    """A line under a thumbnail: the class, or the model of an image without one."""
    return f"{record.label_name or model_title(catalogue, record.model)} {record.seed}"


def describe(record: Record, catalogue: Catalogue | None = None) -> str:
    """What a tooltip says, a fact a line."""
    lines = [record.label_name] if record.label_name else []
    steps = f"{record.steps} step{'' if record.steps == 1 else 's'}"
    lines += [model_title(catalogue, record.model), f"{solver_title(catalogue, record.solver)}, {steps}"]
    if record.guidance:
        lines.append(f"Guidance {record.guidance:g}")
    lines += [f"Seed {record.seed}", f"{record.width} × {record.height} px"]
    lines.append(record.created.astimezone().strftime("%Y-%m-%d %H:%M"))
    if record.starred:
        lines.append("Starred")
    if record.note:
        lines.append(record.note)
    return "\n".join(lines)


def file_name_of(record: Record) -> str:
    """A name without its ending: "fashion32-Ankle-boot-seed-7-41"."""
    words = [record.model, record.label_name, f"seed {record.seed}", str(record.id)]
    return re.sub(r"[^\w.-]+", "-", " ".join(word for word in words if word)).strip("-.")[:120]
