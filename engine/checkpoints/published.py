"""GENIE's published `.pth` files: read without running anything in them, checked key by key.

A file is a dict with `model` (keys prefixed `module.`), `ema` (averaged weights, a bare list
in the order of the trained parameters), `optimizer` and `step`; a head's has no `ema`. What a
person wants are the averaged weights: the raw ones are never used where there is an average.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.checkpoints.foreign import describe_foreign
from engine.checkpoints.layouts import Row, place, rows_of
from engine.checkpoints.recognise import PublishedModel, Recognised, build, recognise
from engine.errors import BadCheckpoint
from engine.files import surely

__all__ = ["PublishedFile", "fill", "our_tensors", "pair", "read_published"]

_PREFIX = "module."
_MOST_ENTRIES = 20_000
_MOST_PICKLE_BYTES = 64_000_000
_NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class PublishedFile:
    """What is in a file. The tensors are mapped, not read: memory is used as they are copied.

    `ema` is None for a head. `what` is the network or head it was recognised as.
    """

    path: Path
    state: Mapping[str, Tensor]
    ema: Sequence[Tensor] | None
    step: int | None
    what: Recognised


def read_published(path: Path) -> PublishedFile:
    """Open one of the published files; a `BadCheckpoint` says in words what it is instead."""
    document = _load(path)
    state = _state_of(path, document)
    what = recognise({key: tuple(value.shape) for key, value in state.items()}, str(path))
    ema = None if what.is_head else _ema_of(path, document)
    step = document.get("step")
    file = PublishedFile(path, state, ema, step if isinstance(step, int) else None, what)
    with torch.device("meta"):
        rows = rows_of(build(what.config))
    _check_averages(file, rows)
    return file


def our_tensors(file: PublishedFile, network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Each tensor of our network, float32, made of those of the file; averaged where they are.

    `network` is built from `file.what.config` and may stand on the meta device: one tensor at a
    time is in memory. Values that are not finite are a `BadCheckpoint`.
    """
    rows = rows_of(network)
    averages = iter(file.ema or ())
    averaged = file.ema is not None
    theirs = {row.key: next(averages) if averaged and not row.frozen else file.state[row.key] for row in rows}
    needed: dict[str, list[Row]] = {}
    for row in rows:
        needed.setdefault(row.ours, []).append(row)
    for name, value in network.state_dict().items():
        tensor = torch.empty(value.shape)
        for row in needed[name]:
            place(row, theirs[row.key], {name: tensor})
            if not bool(theirs[row.key].isfinite().all()):
                raise _bad(file.path, f"{row.key} holds values that are not numbers. Get the file again.")
        yield name, tensor


@torch.no_grad()
def fill(network: nn.Module, file: PublishedFile) -> None:
    """Put the file's weights into a network or head built from `file.what.config`."""
    state = network.state_dict()
    for name, tensor in our_tensors(file, network):
        state[name].copy_(tensor)


def pair(network: PublishedFile, head: PublishedFile) -> tuple[PublishedModel, ...]:
    """The models both files can be of, at least one; a `BadCheckpoint` refuses the rest."""
    if network.what.is_head or not head.what.is_head:
        raise _bad(head.path, "a network and a GENIE head make a model, not two of one kind.")
    both = tuple(model for model in network.what.models if model in head.what.models)
    if not both or network.what.exact != head.what.exact:
        raise _bad(
            head.path,
            f"it is the GENIE head of {_titles(head.what.models)}, but {network.path.name} is the network "
            f"of {_titles(network.what.models)}. Choose the head that was published with it.",
        )
    return both


def _titles(models: Sequence[PublishedModel]) -> str:
    return " or ".join(model.title for model in models)


def _bad(path: Path, words: str, details: str = "") -> BadCheckpoint:
    return BadCheckpoint(f"Couldn't import {path}: {words}", field="file", details=details)


# --- opening ----------------------------------------------------------------------------------


def _load(path: Path) -> Mapping[str, Any]:
    zipped = _check_container(path)
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged pickle can raise anything at all
        raise _unreadable(path, error) from error
    if not isinstance(document, Mapping):
        raise _bad(path, f"it holds a {type(document).__name__}, not a checkpoint.")
    return document


def _check_container(path: Path) -> bool:
    """Is it a zip archive (torch's own format since 1.6)? The words for what can't be either."""
    if surely(path.exists) and not path.is_file():
        raise _bad(path, "it is not a file.")
    try:
        with path.open("rb") as file:
            start = file.read(512)
        size = path.stat().st_size
    except OSError as error:
        raise _bad(path, f"{error.strerror or error}.") from error
    if not start:
        raise _bad(path, "the file is empty. Get it again.")
    if start.startswith(b"PK\x03\x04"):
        _check_archive(path, size)
        return True
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _bad(
            path, "it is a web page, saved in place of the file. Download it again from the page itself."
        )
    if text.startswith(b"version https://git-lfs"):
        raise _bad(path, "it is a placeholder of Git LFS, not the file. Fetch it with `git lfs pull`.")
    if not start.startswith(b"\x80"):
        raise _bad(path, "it is not a PyTorch checkpoint.")
    return False


def _check_archive(path: Path, size: int) -> None:
    """torch stores its archives uncompressed, so nothing in one can be larger than the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _bad(
            path, f"it is damaged or cut off ({size:,} bytes). Get it again.", details=str(error)
        ) from error
    packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    swollen = sum(entry.file_size for entry in entries) > size
    if packed or swollen:
        raise _bad(
            path,
            "it is a packed archive, not a PyTorch checkpoint. If the checkpoint is in it, unpack it first.",
        )
    pickles = [entry.file_size for entry in entries if entry.filename.endswith("data.pkl")]
    if not pickles:
        raise _bad(path, "it is an archive, but not a PyTorch checkpoint.")
    if len(entries) > _MOST_ENTRIES or max(pickles) > _MOST_PICKLE_BYTES:
        raise _bad(path, "it has far more parts than any network. It is not one of GENIE's files.")


def _unreadable(path: Path, error: Exception) -> BadCheckpoint:
    said = str(error)
    # Not PyTorch's advice to load it all the same, which would run the code.
    asked = re.search(r"(?:GLOBAL|function|class|global) ([A-Za-z_][\w]*(?:\.\w+)+)", said)
    if "Weights only load failed" in said and asked:
        return _bad(
            path,
            f"it asks for {asked[1]} to be run while it is read, which plain weights never do. "
            "Nothing in it was run.",
        )
    return _bad(
        path, "it is damaged, cut off or not a PyTorch checkpoint. Get it again.", details=said[:2000]
    )


# --- what must be in it -----------------------------------------------------------------------


def _state_of(path: Path, document: Mapping[str, Any]) -> dict[str, Tensor]:
    model = document.get("model")
    if not isinstance(model, Mapping) or not all(isinstance(key, str) for key in model):
        raise _bad(
            path, f"it is not laid out as GENIE's files are; it holds {describe_foreign(_keys(document))}."
        )
    state = {key.removeprefix(_PREFIX): value for key, value in model.items()}
    for key, value in state.items():
        _check_tensor(path, key, value)
    if not all(key.startswith(_PREFIX) for key in model):
        raise _bad(
            path,
            f"its keys don't begin with `{_PREFIX}`, as GENIE's do; it holds {describe_foreign(state)}.",
        )
    return state


def _keys(document: Mapping[str, Any]) -> list[str]:
    """The keys of a foreign file's weights, wherever such files usually keep them."""
    inner = next((document[key] for key in ("state_dict", "ema", "net") if key in document), None)
    found = inner if isinstance(inner, Mapping) else document
    return [key for key in found if isinstance(key, str)]


def _check_tensor(path: Path, key: str, value: object) -> None:
    usable = (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and value.dtype in _NUMBERS
    )
    # An expanded tensor claims more elements than are stored.
    if not usable or value.numel() * value.element_size() > value.untyped_storage().nbytes():  # type: ignore[attr-defined]
        raise _bad(path, f"{key[:80]} is not a plain tensor of numbers, which all of GENIE's weights are.")


def _ema_of(path: Path, document: Mapping[str, Any]) -> list[Tensor]:
    ema = document.get("ema")
    shadow = ema.get("shadow_params") if isinstance(ema, Mapping) else ema
    if not isinstance(shadow, (list, tuple)):
        raise _bad(path, "it has no averaged weights (EMA), without which its images are noise.")
    for index, value in enumerate(shadow):
        _check_tensor(path, f"averaged weight {index}", value)
    return list(shadow)


def _check_averages(file: PublishedFile, rows: Sequence[Row]) -> None:
    """Does the bare list of averages fit the trained parameters, in number and in every shape?"""
    if file.ema is None:
        return
    trained = [row for row in rows if not row.frozen]
    if len(file.ema) != len(trained):
        raise _bad(
            file.path,
            f"it has {len(file.ema)} averaged weights (EMA) for {len(trained)} trained ones. Get it again.",
        )
    for row, average in zip(trained, file.ema, strict=True):
        if tuple(average.shape) != row.shape:
            raise _bad(
                file.path,
                f"the averaged weight (EMA) of {row.key} is {list(average.shape)} instead of "
                f"{list(row.shape)}. Get it again.",
            )
