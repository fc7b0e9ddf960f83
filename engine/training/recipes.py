"""Recipes: everything that makes a bundled model, in one frozen object each."""

from __future__ import annotations

from dataclasses import dataclass

from engine.networks.compact import CompactConfig
from engine.training.fashion import CLASSES

__all__ = ["FASHION32", "RECIPES", "DataNotice", "Recipe"]


@dataclass(frozen=True)
class DataNotice:
    """Where training images come from and what may be done with them."""

    name: str
    licence: str
    note: str


@dataclass(frozen=True)
class Recipe:
    """What `genie train NAME` and `genie distil NAME` do.

    Noise levels are drawn with log(gamma) logistic: `noise_centre`, `noise_scale`, cut to the
    range of the schedule. The learning rate rises over `warmup` steps, stays, and falls in a
    straight line to zero over the last `decay` of all steps; it does so anew from each step in
    `restarts`, so that a model good enough to bundle can be had early and trained further
    (warm restarts: Loshchilov and Hutter, 2017).
    """

    name: str
    title: str
    summary: str
    classes: tuple[str, ...]
    data: DataNotice
    network: CompactConfig
    steps: int
    batch: int
    learning_rate: float
    warmup: int = 300
    decay: float = 0.4
    restarts: tuple[int, ...] = ()
    label_dropout: float = 0.1
    ema: float = 0.999
    noise_centre: float = -0.5
    noise_scale: float = 1.0
    weight_decay: float = 0.0
    spacing: str = "quadratic"
    head_width: int = 32
    head_fade: float = 4.0
    head_targets: int = 24_576
    head_steps: int = 6000
    head_batch: int = 64
    head_learning_rate: float = 2e-3
    head_ema: float = 0.999


FASHION32 = Recipe(
    name="fashion32",
    title="Fashion 32",
    summary="Clothes, shoes and bags in grey, 32 x 32 pixels. Small enough to answer a drag of the hand.",
    classes=CLASSES,
    data=DataNotice(
        "Fashion-MNIST (60,000 training images, padded from 28 to 32 pixels)",
        "MIT, Zalando SE",
        "The 10,000 test images were never trained on.",
    ),
    network=CompactConfig(
        image_size=32, channels=1, classes=10, patch=2, widths=(64, 128), blocks=1,
        attention=(False, True), embedding=256,
    ),
    steps=16_000,
    restarts=(6000,),
    batch=128,
    learning_rate=1e-3,
)  # fmt: skip

RECIPES = {recipe.name: recipe for recipe in (FASHION32,)}
