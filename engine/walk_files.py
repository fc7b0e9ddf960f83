"""A walk as a readable file (TOML), its latents beside it. Imports no torch.

    genie = 1
    kind = "walk"
    model = "fashion32"
    fps = 30.0

    [[keyframes]]
    latent = { seed = 7 }
    label = 3
    seconds = 2.0

    [sampling]
    steps = 10

A latent that is no seed is a file in the folder `NAME.latents` beside `NAME.toml`, named by its
content, so that walk and folder can be moved and sent together. `sampling`, which may be left
out, says how its pictures were made, so that another program makes the same.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from engine.errors import BadRequest
from engine.files import write_atomically
from engine.messages import BlendLatent, FileLatent, Keyframe, LatentSource, Sampling, SlerpLatent, Walk
from engine.messages.traverse import sampling_from_dict, sampling_to_dict

__all__ = [
    "file_latents",
    "file_sha256",
    "holds_walk",
    "map_files",
    "read_walk",
    "read_walk_file",
    "walk_from_plain",
    "walk_to_plain",
    "write_walk",
]

_VERSION = 1
_LONGEST = 16_000_000  # bytes; a walk of a thousand keyframes has a few hundred thousand


def write_walk(path: Path, walk: Walk, sampling: Sampling | None = None) -> None:
    """Write the walk, and copies of its latents beside it; the file is whole or not there.

    `sampling` goes with it, but for what is a matter of the machine.

    Errors: a `BadRequest` for a latent's file that is missing, `UnusableFolder` if it can't be
    written.
    """
    text, files = _contents(path, walk, sampling)
    for target, (source, digest) in files.items():
        if not target.is_file() or file_sha256(target) != digest:
            write_atomically(target, functools.partial(shutil.copyfile, source))
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def holds_walk(path: Path, walk: Walk, sampling: Sampling | None = None) -> bool:
    """Whether the file is just what `write_walk` would write: then nothing is lost by writing it again."""
    try:
        return path.read_text(encoding="utf-8") == _contents(path, walk, sampling)[0]
    except (OSError, ValueError):
        return False


def _contents(path: Path, walk: Walk, sampling: Sampling | None) -> tuple[str, dict[Path, tuple[Path, str]]]:
    """The text for a walk's file, and the latents to copy beside it: target -> (source, checksum)."""
    folder = path.parent / f"{path.stem}.latents"
    files: dict[Path, tuple[Path, str]] = {}

    def beside(latent: FileLatent) -> FileLatent:
        source = Path(latent.path)
        digest = file_sha256(source)
        target = folder / f"{digest[:16]}.safetensors"
        files[target] = source, digest
        return FileLatent(target.relative_to(path.parent).as_posix(), digest)

    plain = walk_to_plain(map_files(walk, beside))
    if sampling is not None:
        how = {**sampling_to_dict(sampling), "device": None, "precision": None, "batch": None}
        plain["sampling"] = {name: value for name, value in how.items() if value is not None}
    return tomli_w.dumps(plain), files


def read_walk(path: Path) -> Walk:
    """The walk in a file, the paths of its latents being absolute; a `BadRequest` says what's wrong."""
    return read_walk_file(path)[0]


def read_walk_file(path: Path) -> tuple[Walk, Sampling | None]:
    """The walk of `read_walk`, and how its pictures were made if the file says so."""
    try:
        if path.stat().st_size > _LONGEST:
            raise BadRequest(f"{path} is too large to be a walk.", field="walk")
        if path.exists() and not path.is_file():
            raise BadRequest(f"{path} is no file, so it can't be a walk.", field="walk")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadRequest(f"Couldn't read {path}: {error.strerror or error}.", field="walk") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{path} is not a readable walk: {error}.", field="walk") from error
    folder = path.resolve().parent
    how = data.get("sampling")
    sampling = None if how is None else sampling_from_dict(how)
    return map_files(walk_from_plain(data), lambda f: replace(f, path=str(folder / f.path))), sampling


def walk_to_plain(walk: Walk) -> dict[str, Any]:
    """Plain values, without nulls, which TOML has none of."""
    plain = walk.to_dict()
    for keyframe in plain["keyframes"]:
        if keyframe["label"] is None:
            del keyframe["label"]
    return {"genie": _VERSION, "kind": "walk", **plain}


def walk_from_plain(data: object) -> Walk:
    """The walk in plain values; a `BadRequest` says what is wrong with them."""
    if not isinstance(data, dict) or data.get("kind") != "walk":
        raise BadRequest("This is not a walk of GENIE Studio.", field="walk")
    version = data.get("genie")
    if not isinstance(version, int) or not 1 <= version <= _VERSION:
        raise BadRequest(
            f"The walk has version {str(version)[:40]}; this program reads up to {_VERSION}.", field="walk"
        )
    return Walk.from_dict(
        {key: value for key, value in data.items() if key not in ("genie", "kind", "sampling")}
    )


def file_latents(walk: Walk) -> tuple[FileLatent, ...]:
    """Every file the walk needs, each once."""
    found = dict.fromkeys(latent for keyframe in walk.keyframes for latent in _files(keyframe.latent))
    return tuple(found)


def _files(source: LatentSource) -> Iterator[FileLatent]:
    if isinstance(source, FileLatent):
        yield source
    elif isinstance(source, SlerpLatent):
        yield from _files(source.a)
        yield from _files(source.b)
    elif isinstance(source, BlendLatent):
        for part, _ in source.parts:
            yield from _files(part)


def map_files(walk: Walk, change: Callable[[FileLatent], FileLatent]) -> Walk:
    """The walk with each of its files replaced by what `change` makes of it."""

    def changed(source: LatentSource) -> LatentSource:
        if isinstance(source, FileLatent):
            return change(source)
        if isinstance(source, SlerpLatent):
            return replace(source, a=changed(source.a), b=changed(source.b))
        if isinstance(source, BlendLatent):
            return BlendLatent(tuple((changed(part), weight) for part, weight in source.parts))
        return source

    def keyframe(old: Keyframe) -> Keyframe:
        return replace(old, latent=changed(old.latent))

    return replace(walk, keyframes=tuple(keyframe(old) for old in walk.keyframes))


def file_sha256(path: Path) -> str:
    """The checksum of a latent's file; a `BadRequest` if it isn't there."""
    try:
        if path.exists() and not path.is_file():
            raise BadRequest(f"The latent {path} is no file. Take the keyframe out.", field="latent")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadRequest(
            f"Couldn't read the latent {path}: {error.strerror or error}. Put the file back, or take the "
            "keyframe out.",
            field="latent",
        ) from error
