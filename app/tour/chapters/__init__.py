"""The chapters of the tour, in their order. A new workspace adds its own file and lines here.

A chapter is a function of the `Guide`. It starts in the Generate room with nothing open and no
job running, and may use what the chapters before have made.
"""

from __future__ import annotations

from collections.abc import Callable

from app.tour.chapters import editing, keeping, looking, making, models, rooms, traverse, waiting
from app.tour.guide import Guide

__all__ = ["CHAPTERS"]

CHAPTERS: tuple[tuple[str, Callable[[Guide], None]], ...] = (
    ("start", making.start),
    ("first pictures", making.first_pictures),
    ("solvers", making.solvers),
    ("stop", making.stop),
    ("wrong input", making.wrong_input),
    ("advanced", making.advanced),
    ("single picture", looking.single_picture),
    ("steps", looking.steps),
    ("compare", looking.compare),
    ("history", keeping.history),
    ("save", keeping.save),
    ("dropped picture", keeping.dropped_picture),
    ("queue", waiting.queue),
    ("close while busy", waiting.close_while_busy),
    ("import", models.importing),
    ("upsample", models.upsampling),
    ("encoding a picture", editing.encoding_a_picture),
    ("changing a picture", editing.changing_a_picture),
    ("keeping edits", editing.keeping_edits),
    ("shelf", traverse.shelf),
    ("pad", traverse.pad),
    ("walk", traverse.walk),
    ("render", traverse.render),
    ("rooms", rooms.rooms),
    ("help", rooms.help_and_commands),
)
