"""A published model becomes one of ours: safetensors and a card in the user's models folder.

Written tensor by tensor, so that memory stays near what one tensor needs, and into a folder
whose name begins with a dot, so that a conversion that fails, is stopped or is killed leaves
no half model to be found.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from engine.checkpoints.card import CARD, Card, Part, card_to_toml, read_card
from engine.checkpoints.native import config_of
from engine.checkpoints.published import PublishedFile, our_tensors, pair
from engine.checkpoints.recognise import PublishedModel, build
from engine.errors import BadCheckpoint, UnusableFolder
from engine.networks.adm import ADMConfig, ADMUpsamplerConfig
from engine.networks.ddpm import DDPMConfig
from engine.networks.ncsnpp import NCSNppConfig
from engine.networks.published_head import PublishedHeadConfig

__all__ = ["card_of", "check_space", "choose_model", "convert", "pair_up", "put_in_place"]

_KINDS: dict[type, str] = {
    DDPMConfig: "ddpm",
    NCSNppConfig: "ncsnpp",
    ADMConfig: "adm",
    ADMUpsamplerConfig: "adm-upsampler",
    PublishedHeadConfig: "published",
}
# No file says on what terms its weights may be used.
_LICENCE = (
    "Not stated in the file. GENIE's published code is under the NVIDIA Source Code License, which "
    "allows non-commercial use only; ask where you got the weights what holds for them."
)


# --- which belong together --------------------------------------------------------------------


def pair_up(files: Sequence[PublishedFile]) -> list[tuple[PublishedFile, PublishedFile | None]]:
    """The networks among some files, each with its head where there is one.

    Heads of equal width can't be told apart: of several networks a head could belong to, the
    one in the same folder is its own. A head without a network, and one that could belong to
    several, is a `BadCheckpoint`.
    """
    networks = [file for file in files if not file.what.is_head]
    heads: dict[int, PublishedFile] = {}
    for head in (file for file in files if file.what.is_head):
        fitting = [index for index, network in enumerate(networks) if _fits(network, head)]
        here = [index for index in fitting if networks[index].path.parent == head.path.parent]
        chosen = here if len(fitting) > 1 else fitting
        if not fitting and len(networks) == 1:
            pair(networks[0], head)  # says why not
        if not fitting:
            titles = " or ".join(model.title for model in head.what.models)
            raise _bad(head, f"it is the GENIE head of {titles}. Choose the network's file together with it.")
        if len(chosen) != 1 or chosen[0] in heads:
            raise _bad(
                head, "it could belong to several of the networks chosen. Import each network with its head."
            )
        heads[chosen[0]] = head
    return [(network, heads.get(index)) for index, network in enumerate(networks)]


def _fits(network: PublishedFile, head: PublishedFile) -> bool:
    try:
        pair(network, head)
    except BadCheckpoint:
        return False
    return True


def choose_model(
    network: PublishedFile, head: PublishedFile | None, name: str | None = None
) -> PublishedModel:
    """Which of the seven it is. Where keys and shapes leave two, `name` or the file's name decides.

    A `BadCheckpoint` about the field "name" asks which; another one refuses a network of
    another size and one that is not what `name` says.
    """
    models = network.what.models if head is None else pair(network, head)
    if not network.what.exact:
        titles = " or ".join(model.title for model in models)
        raise _bad(network, f"it is built like the network of {titles}, but in another size.")
    if name is not None:
        models = tuple(model for model in models if model.name == name)
        if not models:
            raise _bad(network, f"it is not the network of {name}.")
    if len(models) == 1:
        return models[0]
    hint = "/".join(network.path.parts[-2:]).casefold()
    named = [model for model in models if model.word in hint]
    if len(named) == 1:
        return named[0]
    titles = " or ".join(model.title for model in models)
    names = tuple(model.name for model in models)
    raise BadCheckpoint(
        f"{network.path} is the network of {titles}: nothing in it tells which. "
        f"Import it with its GENIE head, or give it a name: {' or '.join(names)}.",
        field="name",
        choices=names,
    )


def _bad(file: PublishedFile, words: str) -> BadCheckpoint:
    return BadCheckpoint(f"Couldn't import {file.path}: {words}", field="file")


# --- writing ----------------------------------------------------------------------------------


def card_of(
    model: PublishedModel, network: PublishedFile, head: PublishedFile | None, classes: Sequence[str] = ()
) -> Card:
    """The card of a published model; without names its classes are called by their numbers."""
    config = network.what.config
    assert not isinstance(config, PublishedHeadConfig)
    names = tuple(classes) or tuple(f"Class {index}" for index in range(config.classes))
    steps = {"steps": network.step} if network.step is not None else {}
    return Card(
        name=model.name,
        title=model.title,
        summary=f"Published with GENIE. {config.image_size}x{config.image_size} pixels.",
        image_size=config.image_size,
        channels=config.channels,
        classes=names,
        null_label=False,
        network=Part(_KINDS[type(config)], config_of(config), "network.safetensors"),
        head=None if head is None else Part("published", config_of(head.what.config), "head.safetensors"),
        prediction=model.prediction,
        data={"name": model.data, "licence": _LICENCE, "note": f"Imported from {network.path.name}."},
        training=steps,
    )


def convert(
    card: Card, network: PublishedFile, head: PublishedFile | None, folder: Path
) -> Generator[float, None, Card]:
    """Write the model into `folder / card.name`; yields the share done, 0 to 1, and returns its card.

    Closing the generator stops it; whatever stood there before then stays, as it does after an
    `UnusableFolder` (no space, no permission) or a `BadCheckpoint`.
    """
    target = folder / card.name
    staging = folder / f".{card.name}.{secrets.token_hex(4)}"
    weights = _bytes_of(network)
    total = weights + (0 if head is None else _bytes_of(head))
    try:
        staging.mkdir(parents=True)
        check_space(staging, total)
        card = replace(card, network=(yield from _write(staging, card.network, network, 0, total)))
        if card.head is not None and head is not None:
            card = replace(card, head=(yield from _write(staging, card.head, head, weights, total)))
        (staging / CARD).write_text(card_to_toml(card), encoding="utf-8")
        read_card(staging / CARD)
        put_in_place(staging, target)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write {target}: {error.strerror or error}. Free some space or choose another folder; "
            "nothing was changed.",
            field="out",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return card


def _laid_out(file: PublishedFile) -> nn.Module:
    with torch.device("meta"):
        return build(file.what.config)


def _bytes_of(file: PublishedFile) -> int:
    return sum(4 * value.numel() for value in _laid_out(file).state_dict().values())


def check_space(folder: Path, needed: int) -> None:
    """An `UnusableFolder` if so many bytes don't fit there."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UnusableFolder(
            f"Couldn't write into {folder.parent}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are "
            "free. Free some space or choose another folder.",
            field="out",
        )


def _write(
    folder: Path, part: Part, file: PublishedFile, before: int, total: int
) -> Generator[float, None, Part]:
    """Write the weights of one part; yields the share of `total` bytes done, `before` included.

    A safetensors file is a length (8 bytes), a JSON header of that length, and the tensors end
    to end.
    """
    network = _laid_out(file)
    header: dict[str, object] = {}
    at = 0
    for name, value in network.state_dict().items():
        end = at + 4 * value.numel()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode("utf-8")
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with (folder / part.weights).open("wb") as out:

        def put(data: bytes) -> None:
            out.write(data)
            digest.update(data)

        put(len(text).to_bytes(8, "little") + text)
        for _, tensor in our_tensors(file, network):
            put(tensor.numpy().tobytes())
            before += 4 * tensor.numel()
            yield before / total
        # A full disk may show only now.
        out.flush()
        os.fsync(out.fileno())
    return replace(part, sha256=digest.hexdigest())


def put_in_place(staging: Path, target: Path) -> None:
    """The new folder takes the old one's place; if it can't, the old one returns."""
    if not target.exists():
        staging.rename(target)
        return
    aside = staging.with_name(staging.name + ".old")
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
