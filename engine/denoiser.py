"""From a network to eps: the prediction type, the label and the noise level are settled here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.networks.head import HeadNetwork

__all__ = [
    "Denoiser",
    "ImageNetwork",
    "Level",
    "NetworkDenoiser",
    "Prediction",
    "eps_from_output",
]

# A noise level: a number, or a tensor of shape () or (B, 1, 1, 1) where it is differentiated
# through or differs between images.
Level = float | Tensor


@dataclass(frozen=True)
class Prediction:
    """eps (B, C, H, W) in the precision of the state; features and embedding feed the head."""

    eps: Tensor
    features: Tensor
    embedding: Tensor


class ImageNetwork(Protocol):
    """x_t (B, C, H, W), log gamma (B,), label (B,) -> output, features, embedding.

    The label is int64, or weights (B, classes + 1) of all labels; a network without classes
    ignores it.
    """

    def __call__(self, x_t: Tensor, log_gamma: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]: ...


def combine(x: Tensor, a: Level, y: Tensor, b: Level) -> Tensor:
    """a x + b y in the finer of the two precisions, (B, C, H, W)."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a * x + b * y.to(x.dtype)
    # Two passes over the image, one in place; y is converted on the way, not rounded.
    finer = torch.promote_types(x.dtype, y.dtype)
    return (a * x).to(finer).add_(y, alpha=b)


def eps_from_output(prediction: str, output: Tensor, x_t: Tensor, gamma: Level) -> Tensor:
    """The network's output -> eps, with alpha = 1/sqrt(1 + gamma^2) and sigma = gamma alpha.

    v = alpha eps - sigma x_0 gives eps = alpha v + sigma x_t; x_0 gives (x_t - alpha x_0)/sigma.
    """
    if prediction == "eps":
        return output
    alpha = (1.0 + gamma * gamma) ** -0.5
    sigma = gamma * alpha
    if prediction == "v":
        return combine(x_t, sigma, output, alpha)
    return combine(x_t, 1.0 / sigma, output, -alpha / sigma)


class Denoiser(Protocol):
    """What the flow asks: eps at a noise level and, where there is a head, its derivative.

    `evaluations` is how many network evaluations one call costs for one image.
    """

    @property
    def evaluations(self) -> int: ...

    @property
    def has_head(self) -> bool: ...

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor: ...

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        """eps and d eps/d gamma from the head; both (B, C, H, W)."""
        ...


class NetworkDenoiser:
    """A network, its prediction type and labels (B,) or their weights, with or without a GENIE head.

    The network runs in its own precision; eps comes back in that of x_t.
    """

    evaluations = 1

    def __init__(
        self,
        network: ImageNetwork,
        prediction: str,
        labels: Tensor,
        *,
        dtype: torch.dtype,
        head: HeadNetwork | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        self._network = network
        self._prediction = prediction
        self._labels = labels
        self._dtype = dtype
        self._head = head
        self._memory_format = memory_format

    @property
    def has_head(self) -> bool:
        return self._head is not None

    def _for_network(self, x: Tensor) -> Tensor:
        return x.to(self._dtype, memory_format=self._memory_format)

    def predict(self, x_t: Tensor, gamma: Level) -> Prediction:
        return self._predict(x_t, self._for_network(x_t), gamma)

    def _predict(self, x_t: Tensor, seen: Tensor, gamma: Level) -> Prediction:
        """`seen` is x_t as the network gets it."""
        level = torch.as_tensor(gamma, dtype=x_t.dtype, device=x_t.device)
        output, features, embedding = self._network(
            seen,
            # In the precision of the state: rounded here, an embedding of high frequencies shows it.
            level.log().reshape(-1).expand(x_t.shape[0]),
            self._labels,
        )
        eps = eps_from_output(self._prediction, output, x_t, gamma).to(x_t.dtype)
        return Prediction(eps, features, embedding)

    def eps(self, x_t: Tensor, gamma: Level) -> Tensor:
        return self.predict(x_t, gamma).eps

    def eps_with_derivative(self, x_t: Tensor, gamma: Level) -> tuple[Tensor, Tensor]:
        if self._head is None:
            raise ValueError("this network has no GENIE head")
        seen = self._for_network(x_t)
        here = self._predict(x_t, seen, gamma)
        k = self._head(seen, self._for_network(here.eps), here.features, here.embedding, gamma)
        return here.eps, k.to(x_t.dtype)
