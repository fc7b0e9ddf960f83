"""Pictures as files that remember how they were made.

A PNG carries its complete settings as JSON in the text chunk `genie` and, for people and
other programs, as words in the chunk `parameters`; JPEG and WebP carry the JSON in the EXIF
field UserComment. Imports no torch.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from engine.errors import BadImage, BadRequest
from engine.files import write_atomically
from engine.image_sizes import grid_columns, too_large
from engine.messages import (
    MAX_SEED,
    PRECISIONS,
    GenerateRequest,
    Pictures,
    Provenance,
    Request,
    request_from_json,
    request_to_json,
)

__all__ = [
    "SUFFIXES",
    "NoSettings",
    "SavedSettings",
    "describe",
    "encode_png",
    "from_pil",
    "grid",
    "group_of",
    "read_settings",
    "save",
    "settings_from_json",
    "settings_in",
    "settings_to_json",
    "to_pil",
]

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
SUFFIXES = tuple(_FORMATS)
_VERSION = 1
_MAX_PIXELS = 64_000_000
_MAX_TEXT = 1_000_000  # characters; Pillow reads no longer text chunk either
_EXIF_TABLE, _USER_COMMENT = 0x8769, 0x9286
_ASCII = b"ASCII\x00\x00\x00"
_PACKED = "genie-zlib:"
_EXIF_LIMIT = 60_000  # bytes; a JPEG has room for 65,533


class NoSettings(BadImage):
    """A picture, and a good one, but none that this program has saved."""


@dataclass(frozen=True)
class SavedSettings:
    """What a picture file knows about itself: picture `index` of `request`."""

    request: Request
    index: int
    provenance: Provenance
    # The class as a person calls it, for the words in the file; a file read again has only its number.
    class_name: str = field(default="", compare=False)

    @classmethod
    def alone(
        cls, request: Request, index: int, provenance: Provenance, class_name: str = ""
    ) -> SavedSettings:
        """What the file of one picture needs: a request that carries pictures is cut down to its own."""
        part = getattr(request, "part", None)
        if part is None:
            return cls(request, index, provenance, class_name)
        return cls(part(index, 1), 0, dataclasses.replace(provenance, batches=(1,)), class_name)

    def repeat(self) -> tuple[GenerateRequest, int]:
        """The request that makes this picture again bit by bit on the same device, and its place.

        Only the group of pictures that went through the network together is made, because
        rounding depends on it; the precision that was chosen automatically is spelt out. A
        `BadRequest` for a picture that was not generated from noise.
        """
        if not isinstance(self.request, GenerateRequest):
            raise BadRequest(
                f"The picture holds the settings of another task ({self.request.kind}); only a picture "
                "generated from noise can be made again from its file.",
                field="request",
            )
        request = dataclasses.replace(self.request, precision=self.provenance.precision)
        return group_of(request, self.index, self.provenance.batches)


def group_of(request: GenerateRequest, index: int, batches: tuple[int, ...]) -> tuple[GenerateRequest, int]:
    """The request for the group that image `index` was in, and the image's index in it.

    `batches` are the sizes of the groups, as `Provenance` lists them.
    """
    first = 0
    for size in batches:
        if first <= index < first + size:
            labels, seed = request.labels[first : first + size], request.seeds[first]
            return dataclasses.replace(request, labels=labels, seed=seed, batch=len(labels)), index - first
        first += size
    raise BadRequest(f"The settings say picture {index} of groups that hold {first}.", field="index")


# --- pictures and Pillow ----------------------------------------------------------------------


def to_pil(pictures: Pictures, index: int = 0) -> Image.Image:
    """One of the pictures as a Pillow image, mode L or RGB."""
    one = pictures.one(index)
    return Image.frombytes("L" if one.channels == 1 else "RGB", (one.width, one.height), one.data)


def from_pil(image: Image.Image) -> Pictures:
    """A Pillow image as one picture: grey stays grey, everything else becomes RGB."""
    image = image if image.mode in ("L", "RGB") else image.convert("RGB")
    return Pictures(1, image.width, image.height, 1 if image.mode == "L" else 3, image.tobytes())


def grid(pictures: Pictures, columns: int | None = None) -> Pictures:
    """All pictures in one, row by row without gaps; about square unless `columns` says otherwise."""
    count = pictures.count
    if count == 0:
        raise ValueError("a grid needs a picture")
    columns = min(count, columns or grid_columns(count))
    rows = -(-count // columns)
    height, width, channels = pictures.height, pictures.width, pictures.channels
    sheet = np.zeros((rows * columns, height, width, channels), np.uint8)
    sheet[:count] = np.frombuffer(pictures.data, np.uint8).reshape(count, height, width, channels)
    sheet = sheet.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return Pictures(1, columns * width, rows * height, channels, np.ascontiguousarray(sheet).tobytes())


# --- writing ----------------------------------------------------------------------------------


def save(path: Path, picture: Pictures, settings: SavedSettings | None = None) -> None:
    """Write one picture, with its settings if given; the suffix decides the format.

    PNG and WebP are lossless, JPEG has quality 95. The file is whole or not there: a full
    disk or forbidden folder is an `UnusableFolder`, another suffix a `BadRequest`, and so is a
    picture larger than the format has room for.
    """
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise BadRequest(
            f"Pictures can't be saved as {path.suffix or path.name!r}. Use one of: {', '.join(SUFFIXES)}.",
            field="out",
        )
    if picture.count != 1:
        raise ValueError("save takes one picture; see Pictures.one and grid")
    if words := too_large(path.suffix, picture.width, picture.height):
        raise BadRequest(f"Couldn't write {path.name}. {words}", field="out")
    image = to_pil(picture)
    options: dict[str, Any] = {}
    if kind == "PNG":
        options["pnginfo"] = _png_texts(settings)
    else:
        options |= {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True}
        if settings is not None:
            options["exif"] = _exif(settings)
    write_atomically(path, lambda temporary: image.save(temporary, format=kind, **options))


def encode_png(picture: Pictures, settings: SavedSettings | None = None) -> bytes:
    """One picture as the PNG file that `save` would write."""
    buffer = io.BytesIO()
    to_pil(picture).save(buffer, format="PNG", pnginfo=_png_texts(settings))
    return buffer.getvalue()


def settings_to_json(settings: SavedSettings) -> str:
    """One line of ASCII JSON that `settings_from_json` turns back into equal settings."""
    return json.dumps(
        {
            "genie": _VERSION,
            "kind": "picture",
            "index": settings.index,
            "request": json.loads(request_to_json(settings.request)),
            "provenance": dataclasses.asdict(settings.provenance),
        }
    )


def describe(settings: SavedSettings) -> str:
    """The settings in a few readable lines."""
    p = settings.provenance
    facts = [
        *(_generate_facts(settings) if isinstance(settings.request, GenerateRequest) else _facts(settings)),
        f"Device: {p.device_name} ({p.device}, {p.precision})",
        f"Made with: GENIE Studio {p.version}, torch {p.torch}",
    ]
    return "\n".join(facts)


def _generate_facts(settings: SavedSettings) -> list[str]:
    r, i = settings.request, settings.index
    assert isinstance(r, GenerateRequest)
    label = r.labels[i]
    number = "none" if label is None else str(label)
    return [
        f"Model: {r.model}",
        f"Class: {f'{settings.class_name} ({number})' if settings.class_name else number}",
        f"Seed: {r.seeds[i]}",
        f"Solver: {r.solver}",
        f"Steps: {r.steps}",
        f"Spacing: {r.spacing}",
        f"Guidance: {r.guidance:g}" + (f" by {r.guidance_model}" if r.guidance and r.guidance_model else ""),
        f"Analytic first step: {'yes' if r.analytic_first else 'no'}",
        f"Denoise: {'yes' if r.denoise else 'no'}",
        f"End time: {r.t_end:g}",
    ]


def _facts(settings: SavedSettings) -> list[str]:
    """Those of a request of any other kind: its plain values by their names."""
    facts = [f"Task: {settings.request.kind}"]
    for name, value in settings.request.to_dict().items():
        if isinstance(value, (str, int, float)) and value != "":
            words = (
                value
                if isinstance(value, (str, bool))
                else f"{value:g}"
                if isinstance(value, float)
                else value
            )
            facts.append(f"{name.replace('_', ' ').capitalize()}: {words}")
    if settings.class_name:
        facts.append(f"Class: {settings.class_name}")
    return facts


def _png_texts(settings: SavedSettings | None) -> PngInfo:
    texts = PngInfo()
    if settings is not None:
        text = settings_to_json(settings)
        # The labels of thousands of pictures compress to next to nothing.
        texts.add_text("genie", text, zip=len(text) > 4000)
        texts.add_text("parameters", describe(settings))
    return texts


def _exif(settings: SavedSettings) -> Image.Exif:
    text = settings_to_json(settings)
    if len(text) > _EXIF_LIMIT:
        text = _PACKED + base64.b64encode(zlib.compress(text.encode("ascii"), 9)).decode("ascii")
    exif = Image.Exif()
    exif.get_ifd(_EXIF_TABLE)[_USER_COMMENT] = _ASCII + text.encode("ascii")
    return exif


# --- reading ----------------------------------------------------------------------------------


def read_settings(path: Path) -> SavedSettings:
    """The settings a picture was made with.

    A `BadImage` says that the file is no picture, too large or without settings of ours; a
    `BadRequest` that the settings in it can't be what this program wrote.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise BadImage(
                    f"{path} is {image.width} x {image.height}, larger than this program opens "
                    f"({_MAX_PIXELS // 1_000_000} million pixels).",
                    field="image",
                )
            text = _text_of(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(
            f"{path} says it is larger than any picture this program opens.", field="image"
        ) from error
    except UnidentifiedImageError as error:
        raise BadImage(
            f"{path} is not a picture this program can open (PNG, JPEG or WebP).", field="image"
        ) from error
    except OSError as error:
        raise BadImage(f"Couldn't read {path}: {error.strerror or error}.", field="image") from error
    except (ValueError, SyntaxError, EOFError, MemoryError) as error:
        # Pillow's words for chunks that are damaged or longer than it allows.
        raise BadImage(f"Couldn't read {path}: it is damaged ({error}).", field="image") from error
    if text is None:
        raise NoSettings(
            f"{path} carries no settings of GENIE Studio. Only pictures that it saved do, and programs "
            "that edit or send pictures often remove them.",
            field="image",
        )
    return settings_from_json(text)


def settings_in(png: bytes) -> SavedSettings | None:
    """What a PNG in memory knows about itself; None if that is nothing, or can't be read."""
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            text = _text_of(image)
        return settings_from_json(text) if text is not None else None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, BadRequest):
        return None


def _text_of(image: Image.Image) -> str | None:
    """The JSON in a picture, as yet unchecked."""
    if image.format == "PNG":
        found = image.info.get("genie")
        if found is None:
            image.load()  # some programs move text chunks behind the pixels
            found = image.info.get("genie")
        return str(found) if found is not None else None
    comment = image.getexif().get_ifd(_EXIF_TABLE).get(_USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(_ASCII):
        return None
    text = comment[len(_ASCII) :].decode("ascii", "replace")
    if text.startswith(_PACKED):
        return _unpack(text.removeprefix(_PACKED))
    return text if text.startswith("{") else None


def _unpack(text: str) -> str:
    try:
        machine = zlib.decompressobj()
        data = machine.decompress(base64.b64decode(text, validate=True), _MAX_TEXT)
    except (zlib.error, binascii.Error) as error:
        raise BadRequest(f"The settings in the picture are damaged: {error}.") from error
    if machine.unconsumed_tail:
        raise BadRequest("The settings in the picture are longer than any this program writes.")
    return data.decode("ascii", "replace")


def settings_from_json(text: str) -> SavedSettings:
    """The settings in a JSON text; a `BadRequest` names what is wrong with them."""
    if len(text) > _MAX_TEXT:
        raise BadRequest("The settings in the picture are longer than any this program writes.")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The settings in the picture are not readable JSON: {error}.") from error
    if not isinstance(data, dict):
        raise BadRequest("The settings in the picture are not a JSON object.")
    version = data.get("genie")
    if not _is_whole(version) or not 1 <= version <= _VERSION:
        raise BadRequest(
            f"The settings in the picture have version {str(version)[:40]}; "
            f"this program reads up to {_VERSION}. A newer one may be needed."
        )
    inner = data.get("request")
    if not isinstance(inner, dict):
        raise BadRequest("The settings in the picture hold no request.", field="request")
    request = request_from_json(inner)
    count = _count(request)
    index = data.get("index")
    if not _is_whole(index) or not 0 <= index < count:
        raise BadRequest(
            f"The settings say picture {str(index)[:40]} of {count}; 0 to {count - 1} exist.",
            field="index",
        )
    provenance = _provenance(data.get("provenance"))
    if not index < sum(provenance.batches) <= count:
        raise BadRequest(
            f"The settings say picture {index} of {count} in groups of "
            f"{sum(provenance.batches)} in all, which can't be.",
            field="provenance",
        )
    return SavedSettings(request, index, provenance)


def _count(request: Request) -> int:
    """How many pictures a request is for; a `BadRequest` if it makes none."""
    if request.kind == "warm-up":
        raise BadRequest("The settings in the picture are not for making pictures.", field="request")
    return request.count


def _provenance(data: object) -> Provenance:
    if not isinstance(data, Mapping):
        raise BadRequest("The settings don't say where the picture was computed.", field="provenance")
    texts: dict[str, str] = {}
    for name in ("device", "device_name", "precision", "torch", "version"):
        value = data.get(name)
        if not isinstance(value, str) or len(value) > 200:
            raise BadRequest(
                f"provenance.{name} is {str(value)[:40]!r}; a text is needed.", field="provenance"
            )
        texts[name] = value
    if texts["precision"] not in PRECISIONS or texts["precision"] == "auto":
        raise BadRequest(
            f"provenance.precision is {texts['precision'][:40]!r}; fp32, bf16 or fp16 is needed.",
            field="provenance",
        )
    batches = data.get("batches")
    if (
        not isinstance(batches, list)
        or not batches
        or not all(_is_whole(b) and 0 < b <= MAX_SEED for b in batches)
    ):
        raise BadRequest("provenance.batches is not a list of group sizes.", field="provenance")
    threads = data.get("threads", 0)
    if not _is_whole(threads) or not 0 <= threads <= 65_536:
        raise BadRequest(
            f"provenance.threads is {str(threads)[:40]!r}; a whole number is needed.", field="provenance"
        )
    return Provenance(**texts, batches=tuple(batches), threads=threads)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
