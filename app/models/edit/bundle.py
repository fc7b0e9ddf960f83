"""A session as one file: a zip of its pictures, latents and requests, that opens on another machine.

Nothing in a zip is trusted: names lead nowhere (only those of our own kind are read, and nothing
is unpacked), sizes are limited before anything is read, every file must be what its name says,
and the tree must be one.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.models.edit.tree import EditNode, EditTree, fresh_id
from app.store.edits import EditFiles, is_file_name
from app.store.encoding import decode_png
from engine.errors import BadImage, EngineError
from engine.files import write_atomically
from engine.messages import request_from_json

__all__ = ["BUNDLE_VERSION", "Bundle", "read_bundle", "write_bundle"]

BUNDLE_VERSION = 1
_FORMAT = "genie-edits"
_LIST = "edits.json"
_MOST_EDITS = 2_000
_MOST_FILES = 10_000
_LARGEST_LIST = 64_000_000  # bytes
_LARGEST_FILE = 64_000_000
_LARGEST_ALL = 1_000_000_000
_WIDEST = 4096  # pixels of a side
_FILE_PATH = re.compile(r".*[\\/]([0-9a-f]{64}\.(?:png|safetensors))")


@dataclass(frozen=True)
class Bundle:
    """What was read of a file: a session and its edits, whose files are in place."""

    name: str
    model: str
    nodes: tuple[EditNode, ...]
    current: str


def write_bundle(path: Path, name: str, model: str, tree: EditTree, files: EditFiles) -> None:
    """Write a session as a zip. An `EngineError` says why it can't be."""
    nodes = [
        {"id": node.id, "parent": node.parent, "name": node.name, **_portable(node.to_data())}
        for node in tree
    ]
    current = tree.current.id if tree.current is not None else ""
    listing = {
        "format": _FORMAT,
        "version": BUNDLE_VERSION,
        "name": name,
        "model": model,
        "current": current,
        "edits": nodes,
    }
    needed = sorted({file for node in tree for file in node.files.values()})

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_LIST, json.dumps(listing))
            for file in needed:
                # PNG files are packed already.
                kind = zipfile.ZIP_STORED if file.endswith("png") else zipfile.ZIP_DEFLATED
                archive.writestr(_place(file), files.get(file), compress_type=kind)

    write_atomically(path, write)


def read_bundle(path: Path, files: EditFiles) -> Bundle:
    """Read such a zip and keep its files. A `BadImage` or `BadRequest` says what is wrong with it;

    then nothing was kept that anything refers to.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive, files)
    except zipfile.BadZipFile as error:
        raise BadImage(
            f"{path} is not a file of edits: it is no zip, or it is damaged ({error}).", field="bundle"
        ) from error
    except OSError as error:
        raise BadImage(f"Couldn't read {path}: {error.strerror or error}.", field="bundle") from error
    except EngineError:
        raise
    except (NotImplementedError, RuntimeError) as error:  # encrypted, or packed in another way
        raise BadImage(f"Couldn't read {path}: {error}.", field="bundle") from error
    except Exception as error:  # those that unpack have errors of their own
        raise BadImage(f"{path} is damaged: it can't be unpacked ({error}).", field="bundle") from error


def _read(path: Path, archive: zipfile.ZipFile, files: EditFiles) -> Bundle:
    entries = archive.infolist()
    if len(entries) > _MOST_FILES or sum(entry.file_size for entry in entries) > _LARGEST_ALL:
        raise BadImage(f"{path} unpacks to more than any file of edits holds.", field="bundle")
    names = {entry.filename for entry in entries}
    if _LIST not in names:
        raise BadImage(f"{path} is a zip, but not one of edits: {_LIST} is not in it.", field="bundle")
    try:
        listing = json.loads(_content(path, archive, _LIST, _LARGEST_LIST))
    except (ValueError, RecursionError) as error:
        raise BadImage(f"{path} is damaged: its list of edits can't be read.", field="bundle") from error
    if not isinstance(listing, dict) or listing.get("format") != _FORMAT:
        raise BadImage(f"{path} is a zip, but not one of edits.", field="bundle")
    version = listing.get("version")
    if not isinstance(version, int) or version > BUNDLE_VERSION:
        raise BadImage(
            f"{path} was written by a newer GENIE Studio (its version is {str(version)[:20]}, this program reads "
            f"up to {BUNDLE_VERSION}). Update the program to open it.",
            field="bundle",
        )
    nodes = _nodes(path, listing.get("edits"))
    tree = EditTree()
    for node in nodes:
        tree.add(node)
    needed = sorted({file for node in nodes for file in node.files.values()})
    for file in needed:
        _checked(path, archive, names, file)
    for file in needed:  # only now that all of it is right; one at a time, as they may be large
        files.put(_checked(path, archive, names, file), file.rpartition(".")[2])
    fresh = {node.id: fresh_id() for node in nodes}
    name, model, current = (str(listing.get(key) or "")[:120] for key in ("name", "model", "current"))
    return Bundle(
        name or path.stem,
        model,
        tuple(_renewed(node, fresh, files) for node in nodes),
        fresh.get(current, fresh[nodes[0].id]),
    )


def _nodes(path: Path, listed: object) -> list[EditNode]:
    if not isinstance(listed, list) or not 1 <= len(listed) <= _MOST_EDITS:
        raise BadImage(f"{path} holds no edits, or too many.", field="bundle")
    nodes = []
    for entry in listed:
        if not isinstance(entry, dict):
            raise BadImage(f"{path} is damaged: an edit in it is none.", field="bundle")
        id, parent, name = entry.get("id"), entry.get("parent"), entry.get("name")
        if not isinstance(id, str) or not isinstance(name, str) or not isinstance(parent, (str, type(None))):
            raise BadImage(f"{path} is damaged: an edit in it has no name.", field="bundle")
        node = EditNode.from_data(id, parent, name[:120], entry)
        if not all(is_file_name(file) for file in node.files.values()):
            raise BadImage(
                f"{path} names files that are none of edits: it was not made here.", field="bundle"
            )
        if node.request is not None:
            request_from_json({"genie": 1, **node.request})  # a BadRequest says what is wrong with it
        nodes.append(node)
    return nodes


def _place(file: str) -> str:
    return f"images/{file}" if file.endswith("png") else f"latents/{file}"


def _content(path: Path, archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One entry, reading no more of it than it may hold, whatever it says of itself."""
    with archive.open(name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise BadImage(f"{path} unpacks to more than any file of edits holds.", field="bundle")
    return data


def _checked(path: Path, archive: zipfile.ZipFile, names: set[str], file: str) -> bytes:
    if _place(file) not in names:
        raise BadImage(f"{path} is incomplete: {_place(file)} is not in it.", field="bundle")
    data = _content(path, archive, _place(file), _LARGEST_FILE)
    if hashlib.sha256(data).hexdigest() != file.partition(".")[0]:
        raise BadImage(f"{path} is damaged: {_place(file)} is not what it was.", field="bundle")
    if file.endswith("png"):
        from PIL import Image

        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                widest = max(image.size)  # of its header: unpacked it may be larger than any memory
            if widest <= _WIDEST:
                decode_png(data)
        except Exception as error:  # Pillow has many words for it
            raise BadImage(f"{path} is damaged: {_place(file)} is no picture.", field="bundle") from error
        if widest > _WIDEST:
            raise BadImage(f"{path} holds a picture larger than any edit's.", field="bundle")
    elif not _is_safetensors(data):
        raise BadImage(f"{path} is damaged: {_place(file)} is no latent.", field="bundle")
    return data


def _is_safetensors(data: bytes) -> bool:
    """Whether the header is one: a length, and JSON of that length."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= length <= len(data) - 8:
        return False
    try:
        return isinstance(json.loads(data[8 : 8 + length]), dict)
    except (ValueError, RecursionError):
        return False


def _portable(value: Any) -> Any:
    """Plain values with the paths of our files cut to their names."""
    if isinstance(value, dict):
        return {key: _portable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_portable(part) for part in value]
    if isinstance(value, str) and (found := _FILE_PATH.fullmatch(value)):
        return found.group(1)
    return value


def _placed(value: Any, files: EditFiles) -> Any:
    """The other way: names of files as the paths they have here."""
    if isinstance(value, dict):
        return {key: _placed(part, files) for key, part in value.items()}
    if isinstance(value, list):
        return [_placed(part, files) for part in value]
    return str(files.path(value)) if is_file_name(value) else value


def _renewed(node: EditNode, fresh: dict[str, str], files: EditFiles) -> EditNode:
    """With ids of its own, so that a file can be opened twice."""
    parent = fresh[node.parent] if node.parent is not None else None
    request = None if node.request is None else _placed(dict(node.request), files)
    return EditNode(
        fresh[node.id], parent, node.kind, node.name, node.files, request, node.facts, node.created
    )
