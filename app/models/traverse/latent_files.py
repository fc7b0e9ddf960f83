"""Latent files: what is known of one without reading its numbers, and copies that stay.

The file is a safetensors file with the latent's facts as JSON in its header (see
`engine.latents.latent_to_bytes`), so neither torch nor NumPy is needed here.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadRequest
from engine.files import write_atomically
from engine.messages import Label
from engine.messages.latents import check_label
from engine.messages.walks import label_from_plain

__all__ = ["LatentFacts", "holds_latent", "keep_latent_file", "read_facts"]

_LARGEST_HEADER = 1_000_000
_LARGEST = 200_000_000


@dataclass(frozen=True)
class LatentFacts:
    """What the header says, and the file's checksum."""

    model: str  # "" for noise that any network of its shape can use
    label: Label
    shape: tuple[int, ...]
    sha256: str


def read_facts(path: Path) -> LatentFacts:
    """The facts of a latent file; a `BadRequest` says what is wrong with it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise BadRequest(f"{path.name} is too large to be a latent.", field="latent")
        if not path.is_file():  # a device or a pipe may have no end
            raise BadRequest(f"{path.name} is no file, so it can't be a latent.", field="latent")
        data = path.read_bytes()
    except OSError as error:
        raise BadRequest(
            f"Couldn't read the latent {path}: {error.strerror or error}. Choose another file.",
            field="latent",
        ) from error
    try:
        header, facts = _facts_of(data)
        label = label_from_plain(facts["label"])
        check_label(label)
        shape = tuple(int(size) for size in header["z"]["shape"])
        return LatentFacts(str(facts["model"]), label, shape, hashlib.sha256(data).hexdigest())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadRequest(
            f"{path.name} is not a latent of GENIE Studio, or it is damaged.",
            field="latent",
            details=str(error),
        ) from error


def holds_latent(path: Path) -> bool:
    """Whether a file is a latent of ours, by its header alone: models, which are large, have one too."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            _facts_of(file.read(8 + _LARGEST_HEADER))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return True


def _facts_of(data: bytes) -> tuple[Any, Any]:
    """The header of a safetensors file, and what is ours in it; a `ValueError` or the like if it has none."""
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= _LARGEST_HEADER:
        raise ValueError("no header")
    header = json.loads(data[8 : 8 + length])
    facts = json.loads(header["__metadata__"]["genie"])
    if facts["kind"] != "latent":
        raise ValueError("another kind")
    return header, facts


def keep_latent_file(path: Path, folder: Path, sha256: str) -> Path:
    """A copy of the file in `folder`, named by its content; an `UnusableFolder` if it can't be made."""
    kept = folder / f"{sha256[:16]}.safetensors"
    if not kept.is_file():
        write_atomically(kept, lambda temporary: shutil.copyfile(path, temporary))
    return kept
