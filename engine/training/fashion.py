"""Fashion-MNIST from its four idx files: 60,000 + 10,000 grey images of 28x28 in ten classes.

Debian ships them as `dataset-fashion-mnist` (MIT, Zalando SE); a folder with the same four
files, gzipped or not, does as well.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.errors import MissingData

__all__ = [
    "CLASSES",
    "DEBIAN_FOLDER",
    "DOUBTFUL",
    "fingerprint_of_labels",
    "load_doubtful",
    "load_fashion",
]

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DOUBTFUL = Path(__file__).resolve().parents[2] / "resources" / "training" / "fashion_doubtful.txt"
CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_FILES = {"train": "train", "test": "t10k"}
_ADVICE = (
    "Install it with `apt install dataset-fashion-mnist`, or give a folder that holds the four "
    "files of Fashion-MNIST (train-images-idx3-ubyte, train-labels-idx1-ubyte, "
    "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each also as .gz) with --data."
)


def _read_idx(folder: Path, name: str) -> np.ndarray:
    """One idx file -> uint8 array; the format is two zero bytes, type 8, rank, sizes, data."""
    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        raw = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    except FileNotFoundError:
        raise MissingData(f"No {name} in {folder}. {_ADVICE}", field="data") from None
    except (OSError, EOFError, zlib.error) as error:
        raise MissingData(f"Couldn't read {name} in {folder}: {error}.", field="data") from error
    rank = raw[3] if raw[:3] == b"\x00\x00\x08" and len(raw) > 3 else 0
    if not rank or len(raw) < 4 + 4 * rank:
        raise MissingData(f"{folder / name} is not an idx file of bytes. {_ADVICE}", field="data")
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    data = np.frombuffer(raw[4 + 4 * rank :], dtype=np.uint8)
    if data.size != math.prod(shape):
        raise MissingData(
            f"{folder / name} is cut off or too long: {data.size} bytes where its header says {shape}.",
            field="data",
        )
    return data.reshape(shape)


def load_fashion(split: str, folder: Path | None = None) -> tuple[Tensor, Tensor]:
    """Images as uint8 (N, 1, 32, 32), padded with black, and labels as int64 (N,).

    `split` is "train" or "test"; models never see the test images.
    """
    folder = folder or DEBIAN_FOLDER
    prefix = _FILES[split]
    images = torch.from_numpy(_read_idx(folder, f"{prefix}-images-idx3-ubyte").copy())
    labels = torch.from_numpy(_read_idx(folder, f"{prefix}-labels-idx1-ubyte").copy())
    if images.shape[1:] != (28, 28) or not len(images) or labels.shape != images.shape[:1]:
        raise MissingData(
            f"{folder} holds images of {tuple(images.shape)} and labels of {tuple(labels.shape)} where "
            "(N, 28, 28) and (N,) were expected.",
            field="data",
        )
    if int(labels.max()) >= len(CLASSES):
        raise MissingData(
            f"{folder} holds the label {int(labels.max())}; 0 to {len(CLASSES) - 1} were expected.",
            field="data",
        )
    return F.pad(images[:, None], (2, 2, 2, 2)), labels.long()


def fingerprint_of_labels(labels: Tensor) -> str:
    """The SHA-256 of labels (N,) as bytes, in hexadecimal digits."""
    return hashlib.sha256(labels.to(torch.uint8).numpy().tobytes()).hexdigest()


def load_doubtful(labels: Tensor, path: Path = DOUBTFUL) -> Tensor:
    """Which of the training labels (N,) are in doubt (`engine.evaluation.doubt`): bool (N,).

    None, if these are other labels than those that were judged: the folder is the user's own.
    """
    doubtful = torch.zeros(len(labels), dtype=torch.bool)
    lines = path.read_text(encoding="ascii").splitlines()
    if f"# labels {fingerprint_of_labels(labels)}" in lines:
        rows = [int(row) for line in lines if not line.startswith("#") for row in line.split()]
        doubtful[rows] = True
    return doubtful
