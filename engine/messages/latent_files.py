"""A latent as a file of its own: what can be asked, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import shown, text
from engine.messages.events import Outcome, Provenance
from engine.messages.latents import Label, LatentSource, check_label, source_from_dict, source_to_dict
from engine.messages.request import Request
from engine.messages.walks import fields_of, label_from_plain, label_to_plain

__all__ = ["LatentRequest", "LatentSaved"]


@dataclass(frozen=True)
class LatentRequest(Request):
    """Write the numbers of a latent, with its model and class, into the file `out`."""

    kind: ClassVar[str] = "latent"

    model: str
    source: LatentSource
    out: str
    label: Label = None

    def __post_init__(self) -> None:
        text("model", self.model)
        check_label(self.label)
        if not isinstance(self.out, str) or not self.out or len(self.out) > 4096:
            raise BadRequest(f"out is {shown(self.out)}; the name of a file is needed.", field="out")

    @property
    def summary(self) -> str:
        """ "fashion32, latent boot.safetensors"."""
        return f"{self.model}, latent {_name(self.out)}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "source": source_to_dict(self.source),
            "out": self.out,
            "label": label_to_plain(self.label),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        d = fields_of(data, cls, "request")
        return cls(
            d.get("model", ""),
            source_from_dict(d.get("source")),
            d.get("out", ""),
            label_from_plain(d.get("label")),
        )


@dataclass(frozen=True)
class LatentSaved(Outcome):
    """The file that was written; `id` is what the numbers are known by."""

    request: LatentRequest
    path: str
    id: str
    sha256: str
    seconds: float
    notices: tuple[str, ...] = ()
    provenance: Provenance | None = None  # nothing was computed by a network

    @property
    def complete(self) -> bool:
        return True

    @property
    def kept(self) -> bool:
        return True

    @property
    def words(self) -> str:
        return f"Saved {_name(self.path)}."


def _name(path: str) -> str:
    return os.path.basename(path.rstrip("/\\")) or path  # noqa: PTH119
