"""Pictures that come with the models, to begin with: what there is, and more like one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import BadRequest
from engine.messages import Catalogue, GenerateRequest, ModelInfo, request_from_json

__all__ = ["MOST", "Sample", "more_like", "samples_of"]

MOST = 6  # samples of one model
_FOLDER = "samples"  # in a model's folder: PNG files as `genie generate` writes them
_COUNT = 16


@dataclass(frozen=True)
class Sample:
    """One picture of a model. Its file carries the settings that made it."""

    path: Path
    model: ModelInfo


def samples_of(catalogue: Catalogue | None) -> list[Sample]:
    """The samples of all models that can be used, model after model."""
    found = []
    for info in catalogue.models if catalogue is not None else ():
        if info.problem or info.is_upsampler:
            continue
        files = sorted((Path(info.folder) / _FOLDER).glob("*.png"))
        found += [Sample(file, info) for file in files[:MOST]]
    return found


def more_like(text: str, info: ModelInfo) -> GenerateRequest | None:
    """The settings in a sample's text chunk `genie`, for a batch; None if they are not there.

    Its seed is that of the sample, so that the sample is the first picture of the batch.
    """
    try:
        request = request_from_json(json.loads(text)["request"])
    except (ValueError, KeyError, TypeError, BadRequest):
        return None
    if not isinstance(request, GenerateRequest) or request.model != info.name:
        return None
    count = max(1, _COUNT * 32 * 32 // info.image_size**2)  # as long as sixteen small ones take
    return replace(request, labels=(request.labels[0],) * count, batch=0, device="auto", precision="auto")
