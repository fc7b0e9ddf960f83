"""Emoji: some 3,400 pictures of 256 x 256 pixels, in fifteen classes a person would pick from.

The pictures are the Fluent 3D emoji (MIT, Microsoft), named by their code points; what each
shows comes from the table of Emojibase (MIT). `scripts/setup.sh training` fetches both with npm;
a folder from elsewhere does as well, if it holds such pictures and the table, `data.json`,
anywhere inside it.

A twelfth of all is kept for testing, chosen by what is shown: all skin tones, sexes and sizes of
one emoji are on the same side.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from engine.errors import MissingData, UnusableFolder
from engine.files import surely, write_atomically

__all__ = ["CLASSES", "EMOJI_FOLDER", "EmojiPictures", "family", "held_out", "load_emoji"]

EMOJI_FOLDER = Path("runs") / "data" / "emoji"
SIZE = 256
SCALES = (1.0, 0.9, 0.8)  # the sizes that small pictures are drawn in

# Classes by the numbers that Emojibase gives its subgroups.
_GROUPS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("Face", tuple(range(14))),
    ("Heart", (14, 15)),
    ("Hand", tuple(range(16, 23))),
    ("Person", tuple(range(23, 32))),
    ("Animal", tuple(range(34, 40))),
    ("Plant", (40, 41)),
    ("Food", tuple(range(42, 49))),
    ("Place", tuple(range(49, 54))),
    ("Vehicle", (54, 55, 56)),
    ("Sky", (59,)),
    ("Play", tuple(range(60, 65))),
    ("Clothes", (65,)),
    ("Thing", (57, 58, *range(66, 83))),
    ("Sign", tuple(range(83, 97))),
    ("Flag", (97, 98, 99)),
)
CLASSES = tuple(name for name, _ in _GROUPS)
_CLASS_OF = {subgroup: label for label, (_, subgroups) in enumerate(_GROUPS) for subgroup in subgroups}
_UNMIRRORED = ("Sign", "Flag")  # writing and arms have a left and a right

_NAME = re.compile(r"[0-9a-f]{2,6}([-_][0-9a-f]{2,6})*")
_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}
_ADVICE = (
    "`make setup-training` fetches it with npm; or give a folder with --data that holds emoji "
    "pictures named by their code points (1f600.webp or .png) and the English data.json of Emojibase."
)


@dataclass(frozen=True)
class EmojiPictures:
    """Pictures uint8 (V, N, 3, size, size) in V sizes on white, with what is known of each.

    `labels` (N,) are classes, `families` what each picture shows whatever its skin tone or sex,
    `names` its code points, `skipped` the files that could not be read.
    """

    images: Tensor
    labels: Tensor
    families: tuple[str, ...]
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def part(self, split: str) -> EmojiPictures:
        """Those of "train" or "test"."""
        if split not in ("train", "test"):
            raise ValueError(f"split is {split!r}; train or test is needed")
        rows = [row for row, name in enumerate(self.families) if held_out(name) == (split == "test")]
        return EmojiPictures(
            self.images[:, rows],
            self.labels[rows],
            tuple(self.families[row] for row in rows),
            tuple(self.names[row] for row in rows),
            self.skipped,
        )

    def mirrored(self) -> Tensor:
        """bool (N,): whether a picture may be drawn the other way round."""
        fixed = torch.tensor([CLASSES.index(name) for name in _UNMIRRORED])
        return ~torch.isin(self.labels, fixed)

    def weights(self) -> Tensor:
        """(N,) in float32: how often to draw each.

        The skin tones of one emoji count as one picture, and a class in proportion to the
        square root of its emoji, so that people and flags do not make up most of every batch.
        """
        tones = Counter(self.families)
        emoji = Counter({(int(label), name) for label, name in zip(self.labels, self.families, strict=True)})
        sizes = Counter(label for label, _ in emoji)
        each = [
            1.0 / (tones[name] * sizes[int(label)] ** 0.5)
            for label, name in zip(self.labels, self.families, strict=True)
        ]
        return torch.tensor(each, dtype=torch.float32)


def family(name: str) -> str:
    """The code points of a file's name without skin tones, sexes and variant signs.

    Man, woman and person count as one, and so do a running man and a running woman.
    """
    points = [point.lstrip("0") for point in re.split(r"[-_]", name.lower())]
    kept = [point for point in points if point not in _TONES and point not in ("fe0f", "fe0e")]
    if len(kept) > 1:
        kept = ["1f9d1" if point in ("1f468", "1f469") else point for point in kept]
        while len(kept) > 2 and kept[-1] in ("2640", "2642") and kept[-2] == "200d":
            kept = kept[:-2]
    elif kept[0] in ("1f468", "1f469"):
        kept = ["1f9d1"]
    return "-".join(kept)


def held_out(name: str) -> bool:
    """Whether a family is kept for testing: about one in twelve, by a hash that nobody chose."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 12 == 0


def load_emoji(size: int, folder: Path | None = None) -> EmojiPictures:
    """All pictures at `size` pixels (256 or a divisor of it), on white, in `folder`'s order.

    256 comes in one size, smaller ones in the sizes of `SCALES`, each averaged over the pixels
    it stands for. What was read is kept beside the pictures in one file, which later calls map
    into memory; where that can't be written it is read anew every time. Errors: `MissingData`.
    """
    folder = folder or EMOJI_FOLDER
    if not surely(folder.is_dir):
        raise MissingData(f"There is no folder {folder}. {_ADVICE}", field="data")
    table = _read_table(folder)
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (".webp", ".png") and _NAME.fullmatch(path.stem) and _plain(path.stem) in table
    )
    if not files:
        raise MissingData(f"There are no emoji pictures in {folder}. {_ADVICE}", field="data")
    source = _fingerprint(folder, files, table)
    cache = folder / f"cache-{size}.safetensors"
    found = _read_cache(cache, source)
    if found is None:
        found = _read_pictures(folder, files, table, size)
        try:
            write_atomically(cache, partial(_write_cache, found, source))
            found = _read_cache(cache, source) or found  # from now on mapped, not held in memory
        except UnusableFolder:
            pass
    return found


# --- reading ----------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """Code points as both sides spell them: lower case, no variant sign, no leading zeros."""
    points = (point.lstrip("0") for point in re.split(r"[-_]", name.lower()))
    return "-".join(point for point in points if point != "fe0f")


def _read_table(folder: Path) -> dict[str, int]:
    """Code points -> class, from the table of Emojibase."""
    paths = sorted(folder.rglob("data.json"), key=lambda path: (len(path.parts), str(path)))
    if not paths:
        raise MissingData(f"There is no data.json in {folder}. {_ADVICE}", field="data")
    try:
        entries = json.loads(paths[0].read_text("utf-8"))
        table: dict[str, int] = {}
        for entry in entries:
            label = _CLASS_OF.get(entry.get("subgroup"))
            for shown in (entry, *entry.get("skins", ())):
                if label is not None:
                    table[_plain(shown["hexcode"])] = label
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise MissingData(
            f"{paths[0]} is damaged or no table of Emojibase: {error}. {_ADVICE}", field="data"
        ) from error
    return table


def _read_pictures(folder: Path, files: list[Path], table: Mapping[str, int], size: int) -> EmojiPictures:
    if size < 1 or SIZE % size:
        raise ValueError(f"size is {size}; {SIZE} or a divisor of it is needed")
    scales = (1.0,) if size == SIZE else SCALES
    images = np.empty((len(scales), len(files), 3, size, size), dtype=np.uint8)
    kept: list[Path] = []
    skipped: list[str] = []
    for path in files:
        try:
            views = [_drawn(path, scale, size) for scale in scales]
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
            skipped.append(str(path.relative_to(folder)))
            continue
        for view, drawn in enumerate(views):
            images[view, len(kept)] = drawn
        kept.append(path)
    if not kept:
        raise MissingData(
            f"None of the {len(files)} pictures in {folder} can be read, {skipped[0]} for one. {_ADVICE}",
            field="data",
        )
    return EmojiPictures(
        torch.from_numpy(images[:, : len(kept)]),
        torch.tensor([table[_plain(path.stem)] for path in kept]),
        tuple(family(path.stem) for path in kept),
        tuple(path.stem for path in kept),
        tuple(skipped),
    )


def _drawn(path: Path, scale: float, size: int) -> np.ndarray:
    """The picture on white, `scale` times as large, averaged down: uint8 (3, size, size)."""
    with Image.open(path) as file:
        picture = file.convert("RGBA")
    side = round(SIZE * scale)
    if picture.size != (side, side):
        # Premultiplied, so that what is behind transparent pixels does not bleed in.
        picture = picture.convert("RGBa").resize((side, side), Image.Resampling.BICUBIC).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE, SIZE), (255, 255, 255, 255))
    canvas.alpha_composite(picture, ((SIZE - side) // 2, (SIZE - side) // 2))
    small = canvas.convert("RGB").reduce(SIZE // size)
    return np.asarray(small).transpose(2, 0, 1)


# --- the cache --------------------------------------------------------------------------------


def _fingerprint(folder: Path, files: list[Path], table: Mapping[str, int]) -> str:
    """Changes with any file's name, size or time, and with what this module makes of them."""
    digest = hashlib.sha256(repr((1, SCALES, sorted(table.items()))).encode())
    for path in files:
        try:
            about = path.stat()
            seen = f"{about.st_size} {about.st_mtime_ns}"
        except OSError:  # a link to nothing: skipped as any picture that can't be read
            seen = "unreadable"
        digest.update(f"{path.relative_to(folder)} {seen}\n".encode())
    return digest.hexdigest()


def _write_cache(pictures: EmojiPictures, source: str, path: Path) -> None:
    words = {
        "source": source,
        "families": json.dumps(pictures.families),
        "names": json.dumps(pictures.names),
        "skipped": json.dumps(pictures.skipped),
    }
    path.write_bytes(save({"images": pictures.images.contiguous(), "labels": pictures.labels}, words))


def _read_cache(path: Path, source: str) -> EmojiPictures | None:
    """What was kept of the same files; None if nothing was, or it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            words: dict[str, Any] = file.metadata() or {}
        if words.get("source") != source:
            return None
        tensors = load_file(path)
        families, names, skipped = (tuple(json.loads(words[key])) for key in ("families", "names", "skipped"))
        return EmojiPictures(tensors["images"], tensors["labels"], families, names, skipped)
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
