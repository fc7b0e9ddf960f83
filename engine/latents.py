"""Latents: where an image begins. From a seed, a file, a blend or a place between two.

A latent is x at the first noise level of the schedule (t = 1), in units of the prior: standard
normal numbers (C, H, W). In so many dimensions all that the prior ever draws lies close to a
sphere of radius sqrt(C H W), and two draws are at right angles; so the way from one latent to
another goes along the sphere (Shoemake, 1985), not straight through its empty inside.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.errors import BadRequest
from engine.files import write_atomically
from engine.messages import FileLatent, Label, LatentSource, SeedLatent, SlerpLatent
from engine.messages.latents import check_label
from engine.messages.walks import label_from_plain, label_to_plain

__all__ = [
    "Latent",
    "blend",
    "latent_from_bytes",
    "latent_to_bytes",
    "noise",
    "read_latent",
    "realise",
    "short_id",
    "slerp",
    "write_latent",
]

Shape = tuple[int, int, int]

_VERSION = 1
_LARGEST = 256_000_000  # bytes of a file


def noise(seeds: Sequence[int], shape: Shape) -> Tensor:
    """Standard normal noise (B, C, H, W) in float64, on the CPU, one generator per image.

    Drawn in float32, so that the numbers are those other programs draw for the same seed. An
    image of a batch gets the very numbers it gets alone, on every device.
    """
    images = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(images).double()


# --- between latents ----------------------------------------------------------------------------


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """On the great circle from `a` (t = 0) to `b` (t = 1), in float64.

        (sin((1 - t) w) a + sin(t w) b) / sin w,    w the angle between a and b

    The ends are a and b themselves. Between opposite latents, where every great circle is as
    good as another, the way is one that depends on nothing but the two.
    """
    if t <= 0.0 or t >= 1.0:
        return a if t <= 0.0 else b
    lengths = (a.norm() * b.norm()).item()
    # atan2 of both keeps the digits that acos would lose near 0 and pi.
    across = (a / a.norm() - b / b.norm()).norm().item() if lengths > 0.0 else 0.0
    along = (a / a.norm() + b / b.norm()).norm().item() if lengths > 0.0 else 1.0
    angle = 2.0 * math.atan2(across, along)
    if angle < 1e-6:
        return (1.0 - t) * a + t * b
    if math.pi - angle < 1e-6:
        middle = _aside(a)
        return slerp(a, middle, 2.0 * t) if t <= 0.5 else slerp(middle, b, 2.0 * t - 1.0)
    point: Tensor = (math.sin((1.0 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)
    return point


def _aside(a: Tensor) -> Tensor:
    """A latent as long as `a` and at right angles to it, the same for -a."""
    other = torch.randn(a.shape, generator=torch.Generator().manual_seed(0)).to(a)
    other = other - a * ((other * a).sum() / (a * a).sum())
    aside: Tensor = other * (a.norm() / other.norm())
    return aside


def blend(latents: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """A weighted sum that is as long as a latent is, whatever the weights: the variance is kept.

    For independent latents this is sum w_i z_i / sqrt(sum w_i^2). Latents that have something
    in common add up to more than that, and are scaled by what their sum really is:

        u = sum w_i z_i / |z_i|,    z = u / |u| sqrt(sum w_i^2 |z_i|^2 / sum w_i^2)

    A single latent with a weight above 0 is returned as it is. Latents that cancel altogether
    are a `BadRequest`: no direction is left.
    """
    used = [(z, w) for z, w in zip(latents, weights, strict=True) if w != 0.0]
    if len(used) == 1:
        z, weight = used[0]
        return z if weight > 0.0 else -z
    total = math.fsum(w * w for _, w in used)
    lengths = [z.norm().item() for z, _ in used]
    u = sum((z * (w / length) for (z, w), length in zip(used, lengths, strict=True) if length > 0.0), 0.0)
    reach = u.norm().item() if isinstance(u, Tensor) else 0.0
    if not isinstance(u, Tensor) or reach < 1e-9 * math.sqrt(total):
        raise BadRequest(
            "The latents of this blend cancel each other. Change their weights a little.", field="latent"
        )
    wanted = math.sqrt(
        math.fsum(w * w * length * length for (_, w), length in zip(used, lengths, strict=True)) / total
    )
    return u * (wanted / reach)


# --- from a source ------------------------------------------------------------------------------


def realise(source: LatentSource, shape: Shape, model: str = "") -> Tensor:
    """The latent a request speaks of, float64 (C, H, W) on the CPU. Don't write to it.

    Noise and files used last are kept. A `BadRequest` says that a file is missing, damaged,
    changed, of another shape or, where `model` says which is meant, of another model.
    """
    if isinstance(source, SeedLatent):
        return _seed_noise(source.seed, shape)
    if isinstance(source, FileLatent):
        return _from_file(source, shape, model)
    if isinstance(source, SlerpLatent):
        if source.t <= 0.0 or source.t >= 1.0:
            return realise(source.a if source.t <= 0.0 else source.b, shape, model)
        return slerp(realise(source.a, shape, model), realise(source.b, shape, model), source.t)
    parts = [(realise(part, shape, model), weight) for part, weight in source.parts if weight]
    return blend([z for z, _ in parts], [weight for _, weight in parts])


@lru_cache(maxsize=48)
def _seed_noise(seed: int, shape: Shape) -> Tensor:
    return noise([seed], shape)[0]


def _from_file(source: FileLatent, shape: Shape, model: str) -> Tensor:
    path = Path(source.path)
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    latent, digest = _read(path, status.st_mtime_ns, status.st_size)
    if source.sha256 and source.sha256 != digest:
        raise BadRequest(
            f"{path} is not the latent it was: its content has changed. Put the old file back, or "
            "choose the latent again.",
            field="latent",
        )
    if model and latent.model and latent.model != model:
        raise BadRequest(
            f"The latent {path.name} belongs to the model {latent.model!r}, not to {model!r}: another "
            "network makes another picture of it. Choose that model or another latent.",
            field="latent",
        )
    if latent.shape != shape:
        raise BadRequest(
            f"The latent {path.name} has {_size(latent.shape)}; {model or 'the model'} needs {_size(shape)}.",
            field="latent",
        )
    return latent.z


@lru_cache(maxsize=48)
def _read(path: Path, changed: int, size: int) -> tuple[Latent, str]:  # noqa: ARG001  # they are the key
    data = _bytes_of(path)
    return latent_from_bytes(data, str(path)), hashlib.sha256(data).hexdigest()


def _size(shape: Sequence[int]) -> str:
    channels, height, width = shape
    return f"{channels} channel{'' if channels == 1 else 's'} of {width} x {height}"


# --- as a thing ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Latent:
    """A latent that can be kept: z float64 (C, H, W) on the CPU, in units of the prior.

    `model` is the network it belongs to ("": noise, which any network of its shape can use) and
    `label` the class it is of. `gamma` is the noise level at which it stands, the first of the
    model's schedule. `provenance` says in plain values what made it.
    """

    z: Tensor
    model: str = ""
    label: Label = None
    gamma: float = 152.17
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        channels, height, width = self.z.shape
        return (channels, height, width)

    @property
    def id(self) -> str:
        """Ten characters that tell it from any other."""
        return short_id(self.z)


def short_id(z: Tensor) -> str:
    """The first ten characters of the base32 form of the numbers' checksum."""
    data = z.detach().to("cpu", torch.float64).contiguous().numpy().tobytes()
    return base64.b32encode(hashlib.sha256(data).digest()).decode("ascii")[:10].lower()


def latent_to_bytes(latent: Latent) -> bytes:
    """A safetensors file with the numbers as `z` and all the rest as JSON in its metadata."""
    facts = {
        "genie": _VERSION,
        "kind": "latent",
        "model": latent.model,
        "label": label_to_plain(latent.label),
        "gamma": latent.gamma,
        "provenance": dict(latent.provenance),
    }
    return save({"z": latent.z.detach().to("cpu", torch.float64).contiguous()}, {"genie": json.dumps(facts)})


def latent_from_bytes(data: bytes, name: str = "The latent") -> Latent:
    """The latent of `latent_to_bytes`; a `BadRequest` says what is wrong with `name`."""
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        facts = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["genie"])
        z, kind, version = tensors["z"], facts["kind"], facts["genie"]
        model, label, gamma = str(facts["model"]), label_from_plain(facts["label"]), float(facts["gamma"])
        provenance = dict(facts["provenance"])
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError, RecursionError) as error:
        raise BadRequest(
            f"{name} is not a latent of GENIE Studio, or it is damaged.", field="latent", details=str(error)
        ) from error
    if kind != "latent" or not isinstance(version, int) or not 1 <= version <= _VERSION:
        raise BadRequest(
            f"{name} is a {str(kind)[:40]} of version {str(version)[:40]}; this program reads latents up "
            f"to version {_VERSION}.",
            field="latent",
        )
    check_label(label)
    if z.ndim != 3 or not z.is_floating_point() or z.numel() == 0 or not bool(z.isfinite().all()):
        raise BadRequest(f"{name} holds no numbers an image could begin with.", field="latent")
    return Latent(z.to(torch.float64), model, label, gamma, provenance)


def write_latent(path: Path, latent: Latent) -> str:
    """Write the latent, whole or not at all (`UnusableFolder`); returns the file's checksum."""
    data = latent_to_bytes(latent)
    write_atomically(path, lambda temporary: temporary.write_bytes(data))
    return hashlib.sha256(data).hexdigest()


def read_latent(path: Path) -> Latent:
    """The latent in a file; a `BadRequest` says what is wrong with it."""
    return latent_from_bytes(_bytes_of(path), str(path))


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise BadRequest(f"{path} is too large to be a latent.", field="latent")
        if not path.is_file():  # a device or a pipe may have no end
            raise BadRequest(f"{path} is no file, so it can't be a latent.", field="latent")
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadRequest:
    return BadRequest(
        f"Couldn't read the latent {path}: {error.strerror or error}. Put the file back, or choose "
        "another latent.",
        field="latent",
    )
