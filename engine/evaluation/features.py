"""Features of images, and how far apart two sets of images are in them.

The Frechet distance between two Gaussians fitted to the features (Heusel et al., 2017,
equation 6),

    |mu_1 - mu_2|^2 + tr(S_1) + tr(S_2) - 2 tr((S_1 S_2)^(1/2)),

is called feature distance here, not FID: the features are those of our own classifier. It is
biased upwards for small sets, roughly as one over the number of images: compare only distances
taken with the same number, and always say that number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.evaluation.classifier import Classifier
from engine.messages import Pictures

__all__ = ["Gaussian", "feature_distance", "fit", "judge", "tensor_from_pictures"]

_BATCH = 250


@dataclass(frozen=True)
class Gaussian:
    """Mean (D,) and covariance (D, D) in float64, from `count` images."""

    mean: Tensor
    covariance: Tensor
    count: int


def tensor_from_pictures(pictures: Pictures) -> Tensor:
    """Pictures -> uint8 (N, C, H, W)."""
    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    rows = np.frombuffer(pictures.data, dtype=np.uint8).reshape(shape)
    return torch.from_numpy(rows.transpose(0, 3, 1, 2).copy())


@torch.no_grad()
def judge(classifier: Classifier, images: Tensor | Pictures) -> tuple[Tensor, Tensor]:
    """Images uint8 (N, C, H, W) -> features (N, 128) in float32 and the classes it sees (N,)."""
    if isinstance(images, Pictures):
        images = tensor_from_pictures(images)
    groups = (images[start : start + _BATCH] for start in range(0, len(images), _BATCH))
    found = torch.cat([classifier.features(some.float() / 127.5 - 1.0) for some in groups])
    return found, classifier.last(found).argmax(dim=1)


def fit(features: Tensor) -> Gaussian:
    """Features (N, D) -> the Gaussian with their mean and unbiased covariance; N is at least 2."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features (N, D) of two or more images are needed, not {tuple(features.shape)}")
    points = features.double()
    mean = points.mean(dim=0)
    centred = points - mean
    return Gaussian(mean, centred.T @ centred / (len(points) - 1), len(points))


def feature_distance(a: Gaussian, b: Gaussian) -> float:
    """The Frechet distance of two Gaussians; 0 when they are the same, symmetric otherwise.

    S_1 S_2 has the eigenvalues of the symmetric S_1^(1/2) S_2 S_1^(1/2), which are real and not
    negative: no complex square root of a matrix that is not symmetric is ever taken. They are
    found as squares of the singular values of S_1^(1/2) S_2^(1/2), so that those near zero
    keep their digits.
    """
    apart = (a.mean - b.mean).square().sum()
    traces = a.covariance.trace() + b.covariance.trace()
    overlap = torch.linalg.svdvals(_root(a.covariance) @ _root(b.covariance)).sum()
    return max(0.0, float(apart + traces - 2.0 * overlap))


def _root(covariance: Tensor) -> Tensor:
    """The symmetric square root of a covariance; rounding may have left tiny negative eigenvalues."""
    values, vectors = torch.linalg.eigh((covariance + covariance.T) / 2.0)
    root: Tensor = vectors * values.clamp_min(0.0).sqrt() @ vectors.T
    return root
