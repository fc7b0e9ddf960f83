"""Files a person has become models: recognised, paired, converted, one after the other.

Published files are; a folder of our own kind, with a card, is checked and copied.

A file that can't be used is refused with its reason and stops none of the others. What is
stopped, or fails, in the middle leaves nothing behind: a model is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from safetensors.torch import save

from engine.checkpoints.card import CARD, Card, Part, card_to_toml, read_card
from engine.checkpoints.convert import card_of, choose_model, convert, pair_up
from engine.checkpoints.imagenet import DATA, class_names
from engine.checkpoints.native import config_of
from engine.checkpoints.own import WEIGHTS, copy_model, folder_meant, refusal
from engine.checkpoints.published import PublishedFile, fill, read_published
from engine.checkpoints.recognise import PublishedModel, build
from engine.checkpoints.storage import clear_leftovers
from engine.errors import BadCheckpoint, EngineError
from engine.files import surely, write_atomically
from engine.messages import Control, Event, Imported, ImportRequest, Loading, ModelInfo, Refused
from engine.messages.importing import MAX_FILES
from engine.workbench import Workbench

__all__ = ["run"]

_SUFFIXES = (".pth", ".pt", ".ckpt")  # what is looked at in a folder


@dataclass
class _Job:
    """What an import has come to."""

    workbench: Workbench
    request: ImportRequest
    control: Control
    began: float = field(default_factory=time.monotonic)
    models: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def refuse(self, path: Path, error: EngineError) -> None:
        self.refused.append(Refused(str(path), error.message, error.field, error.choices))


def run(workbench: Workbench, request: ImportRequest, control: Control) -> Iterator[Event]:
    """Import; ends with exactly one Imported, which says of every file what became of it.

    After a stop it holds the models that were whole by then.
    """
    job = _Job(workbench, request, control)
    clear_leftovers(workbench.own_folder)
    folders, paths = _meant(job)
    files = yield from _open(job, paths)
    pairs = _pairs(job, files)
    if request.name is not None and len(pairs) > 1:
        for network, head in pairs:
            _refuse(
                job, network, head, _bad(network.path, "a name is for one network, and there are several.")
            )
        pairs = []
    done = 0
    for network, head in pairs:
        if control.cancelled.is_set():
            break
        try:
            done += yield from _import(job, network, head)
        except EngineError as error:
            _refuse(job, network, head, error)
            done += 1
    for folder in folders:
        if control.cancelled.is_set():
            break
        try:
            done += yield from _import_own(job, folder)
        except EngineError as error:
            job.refuse(folder, error)
            done += 1
    yield Imported(
        request,
        tuple(job.models),
        tuple(job.refused),
        seconds=time.monotonic() - job.began,
        stopped=control.cancelled.is_set() and done < len(pairs) + len(folders),
    )


def _meant(job: _Job) -> tuple[list[Path], list[Path]]:
    """The folders of our own kind and the other files meant, each once.

    A folder without a card stands for the checkpoints in it.
    """
    folders: dict[Path, None] = {}
    found: dict[Path, None] = {}
    for name in job.request.files:
        path = Path(name).expanduser()
        if (own := folder_meant(path)) is not None:
            folders[own] = None
            continue
        if not surely(path.is_dir):
            if path.suffix.lower() == WEIGHTS and surely(path.is_file):
                job.refuse(
                    path, _bad(path, f"there is no {CARD} beside it. Choose the model's whole folder.")
                )
            else:
                found[path] = None
            continue
        try:
            entries = [entry for entry in path.iterdir() if entry.suffix.lower() in _SUFFIXES]
        except OSError as error:
            words = f"Couldn't import {path}: {error.strerror or error}."
            job.refused.append(Refused(str(path), words, "file"))
            continue
        inside = sorted(entry for entry in entries if surely(entry.is_file))
        if not inside or len(inside) > MAX_FILES:
            words = (
                f"the folder holds {len(inside) or 'no'} checkpoints ({', '.join(_SUFFIXES)}) and no {CARD}."
            )
            job.refused.append(Refused(str(path), f"Couldn't import {path}: {words}", "file"))
            continue
        found.update(dict.fromkeys(inside))
    return list(folders), list(found)


def _open(job: _Job, paths: Sequence[Path]) -> Generator[Loading, None, list[PublishedFile]]:
    """Those that are published files; the others are refused."""
    files: list[PublishedFile] = []
    for path in paths:
        if job.control.cancelled.is_set():
            break
        yield Loading(path.name, 0.0)
        try:
            files.append(read_published(path))
        except BadCheckpoint as error:
            job.refuse(path, error)
    return files


def _pairs(job: _Job, files: Sequence[PublishedFile]) -> list[tuple[PublishedFile, PublishedFile | None]]:
    """Networks with their heads; a head that belongs to none of them goes to a model that is there."""
    accepted = [file for file in files if not file.what.is_head]
    for head in (file for file in files if file.what.is_head):
        try:
            pair_up([*accepted, head])
        except BadCheckpoint as error:
            try:
                _add_head(job, head, error)
            except EngineError as reason:
                job.refuse(head.path, reason)
        else:
            accepted.append(head)
    return pair_up(accepted)


def _add_head(job: _Job, head: PublishedFile, lonely: BadCheckpoint) -> None:
    """Give the head to the one imported model that lacks it; `lonely` is said if there is none."""
    names = [model.name for model in head.what.models if job.request.name in (None, model.name)]
    lacking: list[tuple[Path, Card]] = []
    for info in job.workbench.catalogue().models:
        if info.name in names and not (info.bundled or info.has_head or info.problem):
            folder = Path(info.folder)
            card = read_card(folder / CARD)
            if card.network.kind not in ("compact", "compact-upsampler"):
                lacking.append((folder, card))
    if not lacking:
        raise lonely
    if len(lacking) > 1:
        either = tuple(card.name for _, card in lacking)
        raise BadCheckpoint(
            f"Couldn't import {head.path}: it could be the GENIE head of {' or '.join(either)}: "
            "nothing in it tells. Give that name.",
            field="name",
            choices=either,
        )
    ((folder, card),) = lacking
    module = build(head.what.config)
    fill(module, head)
    weights = save(module.state_dict())
    part = Part(
        "published", config_of(head.what.config), "head.safetensors", hashlib.sha256(weights).hexdigest()
    )
    text = card_to_toml(replace(card, head=part))
    _check_card(head, text)
    # The card last: until then the model is what it was.
    write_atomically(folder / part.weights, lambda path: path.write_bytes(weights))
    write_atomically(folder / CARD, lambda path: path.write_text(text, encoding="utf-8"))
    job.models.append(card.name)


def _check_card(head: PublishedFile, text: str) -> None:
    """Does the head fit the network that its card describes?"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CARD
        path.write_text(text, encoding="utf-8")
        try:
            read_card(path)
        except BadCheckpoint as error:
            raise BadCheckpoint(
                f"Couldn't import {head.path}: it is the GENIE head of a network of another size.",
                field="file",
                details=error.message,
            ) from error


def _refuse(job: _Job, network: PublishedFile, head: PublishedFile | None, error: EngineError) -> None:
    job.refuse(network.path, error)
    if head is not None:
        why = _bad(head.path, f"the network it belongs to, {network.path.name}, was not imported.")
        job.refused.append(Refused(str(head.path), why.message, why.field, network=str(network.path)))


def _import(job: _Job, network: PublishedFile, head: PublishedFile | None) -> Generator[Loading, None, bool]:
    """One model; False after a stop in the middle, which leaves nothing of it."""
    model = choose_model(network, head, job.request.name)
    _check_place(job, network.path, model.name, model.title)
    card = card_of(model, network, head, _classes(model))
    return (yield from _written(job, card.name, convert(card, network, head, job.workbench.own_folder)))


def _written(job: _Job, name: str, writing: Generator[float, None, object]) -> Generator[Loading, None, bool]:
    """Write a model, whose share done `writing` yields; False after a stop in the middle."""
    try:
        for share in writing:
            yield Loading(name, share)
            # With the last tensor written it is as good as there.
            if job.control.cancelled.is_set() and share < 1.0:
                return False
    finally:
        writing.close()
    job.models.append(name)
    return True


def _classes(model: PublishedModel) -> tuple[str, ...]:
    names = class_names() if model.data == DATA else ()
    return names if len(names) == model.network.classes else ()


def _import_own(job: _Job, folder: Path) -> Generator[Loading, None, bool]:
    """The same for a folder of our own kind."""
    yield Loading(folder.name, 0.0)
    try:
        card = read_card(folder / CARD)
    except BadCheckpoint as error:
        raise refusal(folder, error) from error
    if job.request.name not in (None, card.name):
        raise _bad(folder, f"its card calls it {card.name!r}, not {job.request.name!r}.")
    there = _called(job, card.name)
    if there is not None and surely(lambda: folder.samefile(there.folder)):
        raise _bad(folder, "it is among the models already.")
    _check_place(job, folder, card.name, card.title)
    return (yield from _written(job, card.name, copy_model(folder, card, job.workbench.own_folder)))


def _check_place(job: _Job, path: Path, name: str, title: str) -> None:
    """Is the name of the model in `path`, and its folder, still to be had?"""
    if name in job.models:
        raise _bad(path, f"{title} was among the files twice.")
    there = _called(job, name)
    if there is not None and there.bundled:
        raise _bad(path, f"a model called {name!r} comes with the program.")
    target = job.workbench.own_folder / name
    if there is not None and Path(there.folder) != target:
        raise _bad(path, f"a model called {name!r} is in {there.folder} already. Remove it first.")
    if target.exists() and not job.request.replace:
        error = _bad(path, f"{title} is there already, in {target}. Remove it first, or have it replaced.")
        error.field = "replace"
        raise error


def _called(job: _Job, name: str) -> ModelInfo | None:
    return next((info for info in job.workbench.catalogue().models if info.name == name), None)


def _bad(path: Path, words: str) -> BadCheckpoint:
    return BadCheckpoint(f"Couldn't import {path}: {words}", field="file")
