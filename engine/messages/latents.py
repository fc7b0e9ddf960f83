"""Where a latent comes from and which class an image is of, as requests say it.

A latent is a point of the prior: standard normal noise that the flow turns into an image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadRequest
from engine.messages.checks import MAX_SEED, number, shown, text, whole

__all__ = [
    "BlendLatent",
    "FileLatent",
    "Label",
    "LatentSource",
    "SeedLatent",
    "SlerpLatent",
    "check_label",
    "source_from_dict",
    "source_to_dict",
]

# A class, None for the null label (or a model without classes), or a mixture of them: pairs of
# label and weight, the weights adding up to 1, mixed as the network's embeddings of the labels.
Label = int | None | tuple[tuple[int | None, float], ...]

_DEEPEST = 16


@dataclass(frozen=True)
class SeedLatent:
    """The noise of a seed."""

    seed: int

    def __post_init__(self) -> None:
        whole("seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True)
class FileLatent:
    """A latent in a file of ours; `sha256`, if given, says which content is meant."""

    path: str
    sha256: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path or len(self.path) > 4096:
            raise BadRequest(f"latent is {shown(self.path)}; the path of a file is needed.", field="latent")
        if self.sha256:
            text("sha256", self.sha256)


@dataclass(frozen=True)
class BlendLatent:
    """A weighted sum, scaled so that independent latents keep their variance:

    sum w_i z_i / sqrt(sum w_i^2).
    """

    parts: tuple[tuple[LatentSource, float], ...]

    def __post_init__(self) -> None:
        if not isinstance(self.parts, tuple) or not self.parts:
            raise BadRequest("A blend needs one latent or more.", field="latent")
        for _, weight in self.parts:
            number("weight", weight, -1e6, 1e6)
        if not any(weight for _, weight in self.parts):
            raise BadRequest("The weights of a blend are all 0; one must not be.", field="weight")


@dataclass(frozen=True)
class SlerpLatent:
    """On the great circle from `a` (t = 0) to `b` (t = 1)."""

    a: LatentSource
    b: LatentSource
    t: float

    def __post_init__(self) -> None:
        number("t", self.t, 0.0, 1.0)


LatentSource = SeedLatent | FileLatent | BlendLatent | SlerpLatent


def source_to_dict(source: LatentSource) -> dict[str, Any]:
    """Plain values that `source_from_dict` turns back into an equal source."""
    if isinstance(source, SeedLatent):
        return {"seed": source.seed}
    if isinstance(source, FileLatent):
        return {"file": source.path, "sha256": source.sha256}
    if isinstance(source, SlerpLatent):
        return {"slerp": [source_to_dict(source.a), source_to_dict(source.b)], "t": source.t}
    return {"blend": [[source_to_dict(part), weight] for part, weight in source.parts]}


def source_from_dict(data: object, *, depth: int = 0) -> LatentSource:
    """The source in plain values; a `BadRequest` names what is wrong with them."""
    if depth > _DEEPEST:
        raise BadRequest(f"The latent is a blend of blends more than {_DEEPEST} deep.", field="latent")
    try:
        if not isinstance(data, Mapping):
            raise ValueError("no object")
        if "seed" in data:
            return SeedLatent(data["seed"])
        if "file" in data:
            return FileLatent(data["file"], data.get("sha256", ""))
        if "slerp" in data:
            a, b = (source_from_dict(part, depth=depth + 1) for part in data["slerp"])
            return SlerpLatent(a, b, data["t"])
        parts = [(source_from_dict(part, depth=depth + 1), weight) for part, weight in data["blend"]]
        return BlendLatent(tuple(parts))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(
            f"latent is {shown(data)}; it says no seed, file, slerp or blend.", field="latent"
        ) from error


def check_label(label: object) -> None:
    """A `BadRequest` unless `label` is a `Label`."""
    if label is None:
        return
    if not isinstance(label, tuple):
        whole("label", label, 0, 1_000_000)
        return
    for part in label:
        if not isinstance(part, tuple) or len(part) != 2:
            raise BadRequest(
                f"label is {shown(label)}; a mixture is pairs of class and weight.", field="label"
            )
        if part[0] is not None:
            whole("label", part[0], 0, 1_000_000)
        number("weight", part[1], 0.0, 1.0)
    if not math.isclose(sum(weight for _, weight in label), 1.0, abs_tol=1e-6):
        raise BadRequest(f"label is {shown(label)}; the weights must add up to 1.", field="label")
