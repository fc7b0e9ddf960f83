"""Measuring what a solver draws: samples at a given number of evaluations, judged.

A `Setting` says how; `Sampler.draw` makes any part of its images, so that the work can be
split; `score` compares them with real ones.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from engine.denoiser import NetworkDenoiser
from engine.devices import Placement
from engine.errors import BadRequest
from engine.evaluation.features import Gaussian, feature_distance, fit
from engine.flow import ProbabilityFlow
from engine.latents import noise
from engine.messages import SolverInfo
from engine.networks.head import HeadNetwork
from engine.sampling import sample
from engine.schedule import VPSchedule, step_grid
from engine.solvers import solver

__all__ = ["Sampler", "Score", "Setting", "bytes_from_images", "fingerprint", "score"]


@dataclass(frozen=True)
class Setting:
    """How a set of samples is drawn. Image i has seed `first_seed + i` and class i modulo classes."""

    solver: str
    nfe: int
    samples: int
    spacing: str = "quadratic"
    analytic_first: bool = False
    denoise: bool = False
    t_end: float = 1e-3
    precision: str = "bf16"
    first_seed: int = 0

    @property
    def info(self) -> SolverInfo:
        return solver(self.solver).info

    @property
    def steps(self) -> int:
        """As many whole steps as `nfe` evaluations pay for; a `BadRequest` if that is none."""
        info = self.info
        beside = info.evaluations(0, analytic_first=self.analytic_first, denoise=self.denoise)
        steps = (self.nfe - beside) // info.evaluations_per_step
        if steps < 1:
            raise BadRequest(f"{info.title} takes more than {self.nfe} evaluations with these settings.")
        return steps

    @property
    def evaluations(self) -> int:
        """What those steps cost: `nfe`, or less where it can't be reached with whole steps."""
        return self.info.evaluations(self.steps, analytic_first=self.analytic_first, denoise=self.denoise)


class Sampler:
    """A network on a device, its weights kept ready in every precision that was asked for.

    Given in float32; `classes` is the number of classes and 0 for none.
    """

    def __init__(
        self,
        network: nn.Module,
        head: nn.Module | None,
        *,
        prediction: str,
        schedule: VPSchedule,
        shape: tuple[int, int, int],
        classes: int,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.head = None if head is None else head.to(device).eval().requires_grad_(False)
        self.prediction = prediction
        self.schedule = schedule
        self.shape = shape
        self.classes = classes
        self.device = device
        self._ready = {"fp32": (self.network, self.head)}

    def denoiser(self, labels: Tensor, precision: str = "fp32") -> NetworkDenoiser:
        """The network for images with these labels (B,)."""
        placement = Placement(self.device, precision)
        if precision not in self._ready:
            head = None if self.head is None else placement.place(copy.deepcopy(self.head))
            self._ready[precision] = (placement.place(copy.deepcopy(self.network)), head)
        network, head = self._ready[precision]
        return NetworkDenoiser(
            network,
            self.prediction,
            labels.to(self.device),
            dtype=placement.dtype,
            head=cast("HeadNetwork | None", head),
        )

    def labels(self, first: int, count: int) -> Tensor:
        """The classes asked of images `first` to `first + count`: (count,)."""
        return torch.arange(first, first + count) % max(1, self.classes)

    def draw(self, setting: Setting, first: int, count: int) -> Tensor:
        """Images `first` to `first + count` of the setting: uint8 (count, C, H, W) on the CPU.

        A `RuntimeError` says so if the solver spent other than it promises.
        """
        seeds = [setting.first_seed + i for i in range(first, first + count)]
        denoiser = self.denoiser(self.labels(first, count), setting.precision)
        flow = ProbabilityFlow(denoiser)
        gammas = step_grid(self.schedule, setting.steps, setting.spacing, setting.t_end).tolist()
        walk = sample(
            solver(setting.solver), flow, noise(seeds, self.shape).to(self.device), gammas,
            schedule=self.schedule, analytic_first=setting.analytic_first, denoise=setting.denoise,
        )  # fmt: skip
        for step in walk:
            last = step
        if last.evaluations != setting.evaluations:
            raise RuntimeError(
                f"{setting.solver} spent {last.evaluations} evaluations and promised {setting.evaluations}"
            )
        return bytes_from_images(last.x)


def bytes_from_images(images: Tensor) -> Tensor:
    """Images in [-1, 1] -> uint8, rounded, on the CPU."""
    return ((images.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to("cpu", torch.uint8)


@dataclass(frozen=True)
class Score:
    """Distance to the real images in features, and how often the judge sees what was asked for."""

    feature_distance: float
    agreement: float
    samples: int


def score(features: Tensor, seen: Tensor, asked: Tensor, real: Gaussian) -> Score:
    """From what `judge` said of the samples, the classes asked for, and the real images."""
    agreement = float((seen == asked).double().mean())
    return Score(feature_distance(fit(features), real), agreement, len(features))


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Twelve hexadecimal digits that change with any name, shape or value of the weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:12]
