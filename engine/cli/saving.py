"""Images into a folder: their names, and never another image's place."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.cli.classes import class_name, slug
from engine.errors import EngineError, UnusableFolder
from engine.files import surely
from engine.images import SavedSettings, grid, read_settings, save
from engine.messages import GenerateRequest, ModelInfo, Pictures, Result

__all__ = ["Saver", "file_name", "prepare_folder"]


def prepare_folder(folder: Path) -> None:
    """Make the folder and try it, before anything is computed for it."""
    if surely(folder.is_file):
        raise UnusableFolder(f"{folder} is a file. Choose a folder for what is made.", field="out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write into {folder}: {error.strerror or error}. Choose a folder you may write to.",
            field="out",
        ) from error


def file_name(request: GenerateRequest, model: ModelInfo, index: int) -> str:
    """ "fashion32_ankle-boot_genie-10_seed-00000003", without a suffix."""
    name = class_name(model, request.labels[index])
    parts = [slug(request.model), slug(name) if name else "no-class", f"{request.solver}-{request.steps}"]
    return "_".join([*parts, f"seed-{request.seeds[index]:08d}"])


def _identity(request: GenerateRequest, index: int) -> GenerateRequest:
    """What makes one image: the request for it alone. Which others ran beside it only rounds."""
    return dataclasses.replace(
        request,
        seed=request.seeds[index],
        labels=(request.labels[index],),
        batch=0,
        device="auto",
        precision="auto",
    )


class Saver:
    """Writes the images of one result; a file is replaced only by the same image."""

    def __init__(self, folder: Path, kind: str, model: ModelInfo, result: Result) -> None:
        self._folder = folder
        self._suffix = f".{kind}"
        self._model = model
        self._result = result

    def save(self, index: int) -> Path:
        """Write image `index` and return its path."""
        request = self._result.request
        label, classes = request.labels[index], self._model.classes
        name = classes[label] if label is not None and label < len(classes) else ""
        settings = SavedSettings(request, index, self._result.provenance, name)
        path = self._free(file_name(request, self._model, index), settings)
        save(path, self._result.pictures.one(index), settings)
        return path

    def save_grid(self, indices: Sequence[int]) -> Path:
        """Write these images as one; it carries no settings, as it is no image of the model."""
        pictures = self._result.pictures
        chosen = [pictures.one(index) for index in indices]
        joined = dataclasses.replace(pictures, count=len(chosen), data=b"".join(p.data for p in chosen))
        request = self._result.request
        seeds = request.seeds[indices[0]], request.seeds[indices[-1]]
        name = (
            f"{slug(request.model)}_{request.solver}-{request.steps}_seeds-{seeds[0]:08d}-{seeds[1]:08d}_grid"
        )
        sheet = grid(joined)
        path = next(p for p in self._names(name) if not p.exists() or _shows(p, sheet))
        save(path, sheet)
        return path

    def _free(self, name: str, settings: SavedSettings) -> Path:
        assert isinstance(settings.request, GenerateRequest)
        wanted = _identity(settings.request, settings.index), settings.provenance.precision
        return next(p for p in self._names(name) if not p.exists() or _made_with(p) == wanted)

    def _names(self, name: str) -> itertools.chain[Path]:
        return itertools.chain(
            [self._folder / f"{name}{self._suffix}"],
            (self._folder / f"{name}_{n}{self._suffix}" for n in itertools.count(2)),
        )


def _made_with(path: Path) -> tuple[GenerateRequest, str] | None:
    try:
        there = read_settings(path)
        if not isinstance(there.request, GenerateRequest):
            return None
        return _identity(there.request, there.index), there.provenance.precision
    except EngineError:
        return None  # somebody else's file


def _shows(path: Path, sheet: Pictures) -> bool:
    """Whether the file is this very picture."""
    from PIL import Image

    from engine.images import from_pil

    try:
        with Image.open(path) as image:
            return path.suffix != ".jpg" and from_pil(image) == sheet
    except (OSError, ValueError):
        return False
