"""Enlarged images into a folder: their names, their settings, and never another image's place."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.classes import slug
from engine.errors import EngineError
from engine.files import cut_name
from engine.images import SavedSettings, read_settings, save
from engine.messages import Request, Upsampled, UpsampleRequest
from engine.upsample_requests import settings_of

__all__ = ["save_large"]


def save_large(
    outcome: Upsampled, folder: Path, kind: str, stems: Sequence[str], only: int | None = None
) -> list[dict[str, Any]]:
    """Write what is finished, or picture `only` of it; what `--json` tells of each.

    `stems` begin the names of the files, one for each image of the request. A file is replaced only by the same image. An error tells how many came before it.
    """
    request = outcome.request
    files: list[dict[str, Any]] = []
    try:
        count = outcome.pictures.count
        for index in range(count) if only is None else range(only, min(only + 1, count)):
            settings = settings_of(outcome, index)
            how = f"{slug(request.model)}_{request.solver}-{request.steps}_seed-{request.seeds[index]:08d}"
            path = _free(folder, f"{cut_name(stems[index])}_{how}", kind, settings)
            save(path, outcome.pictures.one(index), settings)
            files.append(
                {"path": str(path), "seed": request.seeds[index], "aug_seed": request.aug_seeds[index]}
            )
    except EngineError as error:
        error.details = f"{len(files)} of {outcome.pictures.count} images were saved before."
        raise
    return files


def _free(folder: Path, name: str, kind: str, settings: SavedSettings) -> Path:
    wanted = _identity(settings.request, settings.index), settings.provenance.precision
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    places = (folder / f"{name}.{kind}" for name in names)
    return next(path for path in places if not path.exists() or _made_with(path) == wanted)


def _identity(request: Request, index: int) -> UpsampleRequest | None:
    """What makes one image: the request for it alone. Which others ran beside it only rounds."""
    if not isinstance(request, UpsampleRequest):
        return None
    return dataclasses.replace(request.part(index, 1), batch=0, device="auto", precision="auto")


def _made_with(path: Path) -> tuple[UpsampleRequest | None, str] | None:
    try:
        there = read_settings(path)
        return _identity(there.request, there.index), there.provenance.precision
    except EngineError:
        return None  # somebody else's file
