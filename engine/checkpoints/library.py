"""Which models there are: those bundled with the program and those in the user's data folder.

Imports no torch. A model folder holds `card.toml`, `network.safetensors`, and may hold
`head.safetensors` and `sample.png`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path

from platformdirs import user_data_dir

from engine.checkpoints.card import CARD, Card, Part, read_card
from engine.checkpoints.imagenet import synonyms_of
from engine.errors import BadCheckpoint
from engine.files import surely
from engine.messages import ModelInfo

__all__ = ["bundled_folder", "data_folder", "list_models", "model_folders", "user_folder"]


@cache  # every job looks at what there is, and resolving a path costs more than all the rest
def bundled_folder() -> Path:
    """Where the models that come with the program are."""
    return Path(__file__).resolve().parents[2] / "resources" / "models"


def data_folder() -> Path:
    """The user's own folder: `GENIE_HOME` if it is set, otherwise where the platform says."""
    home = os.environ.get("GENIE_HOME")
    return Path(home).expanduser() if home else _platform_folder()


@cache
def _platform_folder() -> Path:
    return Path(user_data_dir("GENIE Studio"))


def user_folder() -> Path:
    """Where models the user trained or imported are."""
    return data_folder() / "models"


def model_folders(folders: Sequence[Path] | None = None) -> list[Path]:
    """Every folder with a card, in a stable order: the bundled ones first.

    `folders` holds folders of models; one that is itself a model counts as well.
    """
    found: list[Path] = []
    for folder in (bundled_folder(), user_folder()) if folders is None else folders:
        if surely((folder / CARD).is_file):
            found.append(folder)
            continue
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue  # a folder that isn't there yet holds no models
        # A folder with a dot is one that a save left behind when it was killed.
        found.extend(
            entry for entry in entries if surely((entry / CARD).is_file) and not entry.name.startswith(".")
        )
    return found


def list_models(folders: Sequence[Path] | None = None) -> tuple[ModelInfo, ...]:
    """Every model, usable or not: `problem` says why one can't be used."""
    models: list[ModelInfo] = []
    for folder in model_folders(folders):
        info = _describe(folder)
        taken = next((m for m in models if m.name == info.name), None)
        if taken is not None:
            problem = f"Another model is called {info.name!r} already: {taken.folder}. Rename one of them."
            info = replace(info, problem=info.problem or problem)
        models.append(info)
    return tuple(replace(info, upsampler=_upsampler_of(info, models)) for info in models)


def _upsampler_of(info: ModelInfo, among: Sequence[ModelInfo]) -> str | None:
    """The upsampler that learnt from the same pictures and starts from images of this kind."""
    if info.is_upsampler or info.problem is not None:
        return None
    wanted = (info.image_size, info.channels, info.data)
    fitting = (
        other.name
        for other in among
        if other.problem is None and (other.upsamples_from, other.channels, other.data) == wanted
    )
    return next(fitting, None)


def _describe(folder: Path) -> ModelInfo:
    try:
        card = read_card(folder / CARD)
    except BadCheckpoint as error:
        return ModelInfo(
            name=folder.name, title=folder.name, summary="", image_size=0, channels=1, classes=(),
            null_label=False, has_head=False, bytes=0, folder=str(folder),
            bundled=_is_bundled(folder), problem=error.message,
        )  # fmt: skip
    size, problem = _weights(folder, card)
    sample = folder / "sample.png"
    return ModelInfo(
        name=card.name,
        title=card.title,
        summary=card.summary,
        image_size=card.image_size,
        channels=card.channels,
        classes=card.classes,
        null_label=card.null_label,
        has_head=card.head is not None,
        bytes=size,
        folder=str(folder),
        bundled=_is_bundled(folder),
        sample=str(sample) if surely(sample.is_file) else None,
        licence=card.data["licence"],
        data=card.data["name"],
        spacing=card.spacing,
        guidance=float(card.guidance),
        aug_level=card.aug_level,
        consistent=card.consistent,
        background=card.background,
        upsamples_from=card.network.config.get("low_resolution"),
        synonyms=synonyms_of(card),
        problem=problem,
    )


def _weights(folder: Path, card: Card) -> tuple[int, str | None]:
    """Bytes of all weights, and what is wrong with the files at first sight."""
    parts: list[Part] = [card.network, *([card.head] if card.head else [])]
    total = 0
    for part in parts:
        try:
            size = (folder / part.weights).stat().st_size
        except OSError as error:
            return total, (
                f"Couldn't read {folder / part.weights}: {error.strerror or error}. Import the model again."
            )
        if size == 0:
            return total, f"{folder / part.weights} is empty. Import the model again."
        total += size
    return total, None


@lru_cache(maxsize=256)
def _is_bundled(folder: Path) -> bool:
    return folder.resolve().parent == bundled_folder()
