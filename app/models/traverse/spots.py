"""Latents on their way: as a short id, as text, inside a drag, from a picture of the history, from files.

A `Spot` says where a latent comes from, so that it can travel as a few words and is the same to
the bit wherever it arrives.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData, QUrl

from app.models.history import RECORDS_MIME, HistoryModel
from app.models.traverse.latent_files import holds_latent, keep_latent_file, read_facts
from app.store.shelf import Spot, label_from_json, label_to_json
from engine.errors import BadRequest, EngineError
from engine.messages import (
    MAX_SEED,
    BlendLatent,
    FileLatent,
    GenerateRequest,
    Label,
    LatentSource,
    SeedLatent,
    SlerpLatent,
    source_from_dict,
    source_to_dict,
)
from engine.messages.walks import Point

__all__ = [
    "LATENTS_MIME",
    "Spot",
    "average",
    "has_spots",
    "is_latent",
    "same_place",
    "short_id",
    "source_words",
    "spot_from_dict",
    "spot_of_file",
    "spot_of_record",
    "spot_to_dict",
    "spots_from_mime",
    "spots_from_text",
    "spots_to_mime",
    "spots_to_text",
]

LATENTS_MIME = "application/x-genie-latents"  # JSON list of what `spot_to_dict` gives
_TEXT_MARK = "genie-latent:"
_MOST = 500  # latents taken from one drop
_FILES = (".safetensors", ".png", ".jpg", ".jpeg", ".webp")


# --- names


def short_id(spot: Spot) -> str:
    """Ten letters and digits that stand for a latent of a model, however it was come by."""
    text = json.dumps([spot.model, _without_places(source_to_dict(spot.source))], sort_keys=True)
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:10].decode("ascii").casefold()


def _without_places(source: Any) -> Any:
    """The same source, its files known by their content wherever they lie."""
    if isinstance(source, dict):
        known = "file" if source.get("sha256") else ""
        return {key: _without_places(value) for key, value in source.items() if key != known}
    return [_without_places(part) for part in source] if isinstance(source, list) else source


def source_words(source: LatentSource) -> str:
    """Where a latent comes from, in words: "seed 7", "average of 3", "file boots.safetensors"."""
    if isinstance(source, SeedLatent):
        return f"seed {source.seed}"
    if isinstance(source, FileLatent):
        return f"file {Path(source.path).name}"
    if isinstance(source, SlerpLatent):
        return f"{100 * source.t:.0f} % from {source_words(source.a)} to {source_words(source.b)}"
    weights = [weight for _, weight in source.parts]
    if all(math.isclose(weight, weights[0]) for weight in weights):
        return f"average of {len(weights)}" if len(weights) > 1 else source_words(source.parts[0][0])
    return f"blend of {len(weights)}"


def same_place(one: Spot, other: Spot) -> bool:
    """The same latent of the same model, whatever they are called."""
    return one.model == other.model and one.source == other.source


def average(spots: Sequence[Spot], weights: Sequence[float] | None = None) -> Spot:
    """The latent between several of one model, with their variance kept; labels are mixed alike."""
    if len({spot.model for spot in spots}) > 1:
        raise BadRequest(
            "These latents belong to different models, so there is nothing between them. "
            "Choose latents of one model.",
            field="latent",
        )
    shares = list(weights) if weights is not None else [1.0] * len(spots)
    total = sum(shares)
    source = BlendLatent(tuple((spot.source, share) for spot, share in zip(spots, shares, strict=True)))
    mixed: dict[int | None, float] = {}
    for spot, share in zip(spots, shares, strict=True):
        parts = spot.label if isinstance(spot.label, tuple) else ((spot.label, 1.0),)
        for label, weight in parts:
            mixed[label] = mixed.get(label, 0.0) + weight * share / total
    together: Label = next(iter(mixed)) if len(mixed) == 1 else tuple(mixed.items())
    guidance = sum(spot.guidance * share for spot, share in zip(spots, shares, strict=True)) / total
    name = f"Average of {len(spots)}" if weights is None else f"Blend of {len(spots)}"
    return Spot(spots[0].model, source, together, guidance, name)


# --- as plain values and text


def spot_to_dict(spot: Spot, *, thumbnail: bool = True) -> dict[str, Any]:
    """Plain values that `spot_from_dict` turns back into an equal spot (but its id)."""
    data: dict[str, Any] = {
        "model": spot.model,
        "source": source_to_dict(spot.source),
        "label": json.loads(label_to_json(spot.label)),
        "guidance": spot.guidance,
        "name": spot.name,
    }
    if spot.tags:
        data["tags"] = list(spot.tags)
    if thumbnail and spot.thumbnail:
        data["thumbnail"] = base64.b64encode(spot.thumbnail).decode("ascii")
    return data


def spot_from_dict(data: object) -> Spot:
    """The spot in plain values; a `BadRequest` for what is none."""
    try:
        if not isinstance(data, dict) or not isinstance(data["model"], str) or not data["model"]:
            raise ValueError("no model")
        label = label_from_json(json.dumps(data.get("label")))
        # A point checks what comes from anywhere: weights that add up, a guidance that can be.
        point = Point(source_from_dict(data["source"]), label, float(data.get("guidance", 0.0)))
        return Spot(
            data["model"],
            point.latent,
            point.label,
            point.guidance,
            str(data.get("name", "")),
            tuple(map(str, data.get("tags", ()))),
            thumbnail=base64.b64decode(data.get("thumbnail", "")),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BadRequest("This text is no latent of GENIE Studio.", field="latent") from error


def spots_to_text(spots: Sequence[Spot]) -> str:
    """A line for each: its short id, and behind it all that is needed to have it anywhere."""
    lines = []
    for spot in spots:
        packed = base64.urlsafe_b64encode(json.dumps(spot_to_dict(spot, thumbnail=False)).encode())
        lines.append(f"{_TEXT_MARK}{short_id(spot)}:{packed.decode('ascii').rstrip('=')}")
    return "\n".join(lines)


def spots_from_text(text: str, known: Sequence[Spot] = (), model: str = "") -> list[Spot]:
    """The latents in a text: lines of `spots_to_text`, short ids of `known` ones, or seeds of `model`."""
    found = []
    by_id = {short_id(spot): spot for spot in known}
    for line in text.split()[:_MOST]:
        if line.startswith(_TEXT_MARK):
            short, _, packed = line.removeprefix(_TEXT_MARK).partition(":")
            if packed:
                try:
                    data = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
                except (ValueError, RecursionError) as error:
                    raise BadRequest(
                        f"The latent {short} was not copied whole. Copy it again.", field="latent"
                    ) from error
                found.append(spot_from_dict(data))
                continue
            line = short
        if line.casefold() in by_id:
            found.append(dataclasses.replace(by_id[line.casefold()], id=0))
        elif line.isdecimal() and len(line) < 20 and int(line) <= MAX_SEED and model:
            found.append(Spot(model, SeedLatent(int(line)), name=f"Seed {line}"))
    return found


# --- from pictures and files


def spot_of_record(history: HistoryModel, record_id: int) -> Spot:
    """The noise a picture of the history began with. A `BadRequest` for one that began otherwise."""
    request = history.details(record_id).request
    record = history.details(record_id).record
    if not isinstance(request, GenerateRequest) or record.seed is None:
        raise BadRequest(
            f"Picture {record_id} was not drawn from a seed, so its latent is not known here. "
            "Encode it in the Edit room and put that on the shelf.",
            field="latent",
        )
    name = f"{record.label_name or record.model} {record.seed}"
    return Spot(
        record.model,
        SeedLatent(record.seed),
        record.label,
        record.guidance,
        name,
        thumbnail=history.thumbnail(record_id),
    )


def is_latent(path: Path) -> bool:
    """Whether a file is a latent of ours; models have the same ending."""
    if path.suffix.casefold() != ".safetensors":
        return False
    return holds_latent(path)


def spot_of_file(path: Path, model: str = "", folder: Path | None = None) -> Spot:
    """The latent in a file of ours: a latent, or a picture that carries its settings.

    `model` is whose it is if the file does not say. With a `folder` a copy of the file is kept
    there, so that the latent stays when the file goes.
    """
    if path.suffix.casefold() == ".safetensors":
        facts = read_facts(path)
        kept = keep_latent_file(path, folder, facts.sha256) if folder is not None else path.absolute()
        source = FileLatent(str(kept), facts.sha256)
        return Spot(facts.model or model, source, facts.label, name=path.stem)
    from engine.images import read_settings  # brings NumPy and Pillow, which the start can do without

    saved = read_settings(path)
    request = saved.request
    if not isinstance(request, GenerateRequest):
        raise BadRequest(
            f"{path.name} was not drawn from a seed, so its latent is not known. Encode it in the Edit room.",
            field="latent",
        )
    seed, label = request.seeds[saved.index], request.labels[saved.index]
    return Spot(request.model, SeedLatent(seed), label, request.guidance, path.stem, thumbnail=_small(path))


def _small(path: Path) -> bytes:
    """A thumbnail of a picture file."""
    import io

    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((128, 128), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        image.convert("L" if image.mode == "L" else "RGB").save(out, "PNG")
    return out.getvalue()


# --- inside a drag or on the clipboard


def spots_to_mime(spots: Sequence[Spot]) -> QMimeData:
    """For the window (whole), for other programs as text, for the desktop the files among them."""
    mime = QMimeData()
    mime.setData(LATENTS_MIME, QByteArray(json.dumps([spot_to_dict(spot) for spot in spots]).encode()))
    mime.setText(spots_to_text(spots))
    files = [spot.source.path for spot in spots if isinstance(spot.source, FileLatent)]
    if files:
        mime.setUrls([QUrl.fromLocalFile(path) for path in files])
    return mime


def has_spots(mime: QMimeData | None) -> bool:
    """Whether a drag may bring latents; looks at the kinds only."""
    if mime is None:
        return False
    if mime.hasFormat(LATENTS_MIME) or mime.hasFormat(RECORDS_MIME):
        return True
    return any(
        Path(url.toLocalFile()).suffix.casefold() in _FILES for url in mime.urls() if url.isLocalFile()
    )


def spots_from_mime(
    mime: QMimeData,
    history: HistoryModel,
    known: Sequence[Spot] = (),
    model: str = "",
    folder: Path | None = None,
) -> tuple[list[Spot], list[str]]:
    """The latents in a drag or on the clipboard, and in plain words what could not be read."""
    if mime.hasFormat(LATENTS_MIME):
        try:
            data = json.loads(bytes(mime.data(LATENTS_MIME).data()))
            return [spot_from_dict(one) for one in data[:_MOST]], []
        except (ValueError, TypeError, RecursionError, BadRequest):
            return [], ["The latents could not be read. Copy them again."]
    spots: list[Spot] = []
    troubles: list[str] = []
    if mime.hasFormat(RECORDS_MIME):
        for record_id in json.loads(bytes(mime.data(RECORDS_MIME).data()))[:_MOST]:
            try:
                spots.append(spot_of_record(history, int(record_id)))
            except EngineError as error:
                troubles.append(error.message)
        return spots, troubles
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    for path in paths[:_MOST]:
        if path.suffix.casefold() not in _FILES:
            continue
        try:
            spots.append(spot_of_file(path, model, folder))
        except EngineError as error:
            troubles.append(error.message)
    if not paths and mime.hasText():
        try:
            spots = spots_from_text(mime.text(), known, model)
        except BadRequest as error:
            troubles.append(error.message)
    return spots, troubles
