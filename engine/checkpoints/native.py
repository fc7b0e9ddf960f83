"""Our own models on disk: safetensors weights, read strictly and without running any code."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from engine.checkpoints.card import CARD, Card, Part, card_to_toml, read_card
from engine.errors import BadCheckpoint, UnusableFolder
from engine.files import write_atomically
from engine.networks.adm import ADM, ADMConfig, ADMUpsampler, ADMUpsamplerConfig
from engine.networks.compact import CompactConfig, CompactUNet
from engine.networks.compact_upsampler import (
    CompactUpsampler,
    CompactUpsamplerConfig,
    CompactUpsamplerHead,
    CompactUpsamplerHeadConfig,
)
from engine.networks.ddpm import DDPM, DDPMConfig
from engine.networks.head import CompactHead, CompactHeadConfig
from engine.networks.ncsnpp import NCSNpp, NCSNppConfig
from engine.networks.published_head import PublishedHead, PublishedHeadConfig

__all__ = ["HEADS", "NETWORKS", "config_of", "load_head", "load_network", "read_card", "save_model"]

# Architectures by the kind a card names. A published architecture is one entry here and its
# fields in card.py.
NETWORKS: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    "compact": lambda config: CompactUNet(CompactConfig(**config)),
    "compact-upsampler": lambda config: CompactUpsampler(CompactUpsamplerConfig(**config)),
    "ddpm": lambda config: DDPM(DDPMConfig(**config)),
    "ncsnpp": lambda config: NCSNpp(NCSNppConfig(**config)),
    "adm": lambda config: ADM(ADMConfig(**config)),
    "adm-upsampler": lambda config: ADMUpsampler(ADMUpsamplerConfig(**config)),
}
HEADS: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
    "compact": lambda config: CompactHead(CompactHeadConfig(**config)),
    "compact-upsampler": lambda config: CompactUpsamplerHead(CompactUpsamplerHeadConfig(**config)),
    "published": lambda config: PublishedHead(PublishedHeadConfig(**config)),
}
_STORED = (torch.float16, torch.bfloat16, torch.float32)
# As a file names the types it may hold; what is none of them is refused by name.
_TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "I32": torch.int32}


def config_of(config: Any) -> dict[str, Any]:
    """A config dataclass as the mapping a card's `Part` holds."""
    assert is_dataclass(config)
    return {field.name: getattr(config, field.name) for field in fields(config)}


# --- reading ----------------------------------------------------------------------------------


def load_network(folder: Path, card: Card) -> nn.Module:
    """The network with its weights, float32 on the CPU, in evaluation mode."""
    return _load(folder, card.network, NETWORKS)


def load_head(folder: Path, card: Card) -> nn.Module | None:
    """The GENIE head, or None for a model without one."""
    return None if card.head is None else _load(folder, card.head, HEADS)


def _load(
    folder: Path, part: Part, kinds: Mapping[str, Callable[[Mapping[str, Any]], nn.Module]]
) -> nn.Module:
    path = folder / part.weights
    module = _laid_out(part, kinds)
    weights = _read_weights(path, part.sha256, module.state_dict())
    module.load_state_dict(weights, assign=True)
    return module.eval().requires_grad_(False)


def _laid_out(part: Part, kinds: Mapping[str, Callable[[Mapping[str, Any]], nn.Module]]) -> nn.Module:
    """The module of a card's part, a published one without memory for its weights.

    The compact ones are small, and hold tables that are in no file; and torch takes a second
    to make its meta device ready.
    """
    if part.kind.startswith("compact"):
        return kinds[part.kind](part.config)
    with torch.device("meta"):
        return kinds[part.kind](part.config)


def _read_weights(path: Path, sha256: str, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32, read once and straight to where they stay, the checksum on the way.

    Names, shapes and types are those of `expected` before any is read: a file can't make this
    use more memory than its network does.
    """
    try:
        size = path.stat().st_size
        with safe_open(path, framework="pt") as file:
            # The format has neither gaps nor overlaps, and safetensors has checked that.
            places = {name: file.get_slice(name) for name in file.offset_keys()}
            layout = {
                name: torch.empty(
                    place.get_shape(), dtype=_TYPES.get(place.get_dtype(), torch.uint8), device="meta"
                )
                for name, place in places.items()
            }
        _check_layout(path, layout, expected)
        return _read_tensors(path, layout, sha256)
    except OSError as error:
        raise BadCheckpoint(
            f"Couldn't read {path}: {error.strerror or error}. Import the model again.", field="weights"
        ) from error
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise BadCheckpoint(
            f"{path} is damaged or cut off ({size:,} bytes). Import the model again.",
            field="weights",
            details=str(error),
        ) from error


def _read_tensors(path: Path, layout: Mapping[str, Tensor], sha256: str) -> dict[str, Tensor]:
    """What stands behind the header, in its order."""
    weights: dict[str, Tensor] = {}
    digest = hashlib.sha256()
    # One for all: a new one for each would leave holes between the weights.
    scratch = memoryview(bytearray(max((like.nbytes for like in layout.values()), default=0)))
    with path.open("rb") as file:
        start = file.read(8)
        header = file.read(int.from_bytes(start, "little"))
        digest.update(start + header)
        for name, like in layout.items():
            raw = scratch[: like.nbytes]
            if file.readinto(raw) != len(raw):
                raise ValueError(f"{name} is cut off")
            digest.update(raw)
            weights[name] = torch.empty(like.shape, dtype=torch.float32)
            weights[name].copy_(torch.frombuffer(raw, dtype=like.dtype).reshape(like.shape))
    if digest.hexdigest() != sha256:
        raise BadCheckpoint(
            f"{path} is not the file its card was made for: its checksum is another. Import the model again.",
            field="weights",
        )
    _check_finite(path, weights)
    return weights


def _check_layout(path: Path, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Names, shapes and types, each complaint naming the first few that differ."""
    missing = [name for name in expected if name not in weights]
    unknown = [name for name in weights if name not in expected]
    if missing or unknown:
        said = [f"missing {_first(missing)}"] if missing else []
        said += [f"unknown {_first(unknown)}"] if unknown else []
        raise BadCheckpoint(
            f"{path} holds another network than its card says: {'; '.join(said)}.", field="weights"
        )
    shapes = [
        f"{name} {list(weights[name].shape)} instead of {list(value.shape)}"
        for name, value in expected.items()
        if weights[name].shape != value.shape
    ]
    if shapes:
        raise BadCheckpoint(
            f"{path} holds another network than its card says: {_first(shapes)}.", field="weights"
        )
    types = [f"{name} ({value.dtype})" for name, value in weights.items() if value.dtype not in _STORED]
    if types:
        raise BadCheckpoint(
            f"{path} holds weights of a type that can't be used: {_first(types)}. "
            "Allowed: float16, bfloat16, float32.",
            field="weights",
        )


def _check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    broken = [name for name, value in weights.items() if not bool(value.isfinite().all())]
    if broken:
        raise BadCheckpoint(
            f"{path} holds values that are not numbers in {_first(broken)}. Import the model again.",
            field="weights",
        )


def _first(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


# --- writing ----------------------------------------------------------------------------------


def save_model(
    folder: Path,
    card: Card,
    network_state: Mapping[str, Tensor],
    head_state: Mapping[str, Tensor] | None = None,
    dtype: torch.dtype = torch.float16,
) -> Card:
    """Write a model folder and return the card as stored, with its checksums.

    Everything is written aside before anything that stood in `folder` is replaced, the card
    last: a full disk leaves the old model whole. Weights are checked as they will be on
    loading; a `ValueError` says that card and states do not belong together.
    """
    if (card.head is None) != (head_state is None):
        raise ValueError("a card with a head needs the head's weights, and one without has none")
    files: dict[str, bytes] = {}
    network = _stored(card.network, network_state, NETWORKS, dtype, files)
    head = None
    if card.head is not None and head_state is not None:
        head = _stored(card.head, head_state, HEADS, dtype, files)
    card = replace(card, network=network, head=head)
    files[CARD] = card_to_toml(card).encode("utf-8")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write into {folder.parent}: {error.strerror or error}. Choose a folder you may write to.",
            field="out",
        ) from error
    try:
        for name, data in files.items():
            write_atomically(staging / name, lambda path, data=data: path.write_bytes(data))  # type: ignore[misc]
        read_card(staging / CARD)
        folder.mkdir(exist_ok=True)
        for name in files:
            (staging / name).replace(folder / name)
    except OSError as error:
        raise UnusableFolder(f"Couldn't write {folder}: {error.strerror or error}.", field="out") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return card


def _stored(
    part: Part,
    state: Mapping[str, Tensor],
    kinds: Mapping[str, Callable[[Mapping[str, Any]], nn.Module]],
    dtype: torch.dtype,
    files: dict[str, bytes],
) -> Part:
    weights = {name: value.detach().to("cpu", dtype).contiguous() for name, value in state.items()}
    try:
        _check_layout(Path(part.weights), weights, _laid_out(part, kinds).state_dict())
        _check_finite(Path(part.weights), weights)
    except BadCheckpoint as error:
        raise ValueError(error.message) from error
    files[part.weights] = save(weights)
    return replace(part, sha256=hashlib.sha256(files[part.weights]).hexdigest())
