"""Recipes: everything that makes a bundled model, in one frozen object each."""

from __future__ import annotations

from dataclasses import dataclass

from engine.networks.compact import CompactConfig

__all__ = ["FASHION32", "RECIPES", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """What `genie train NAME` and `genie distil NAME` do.

    Noise levels are drawn with log(gamma) logistic: `noise_centre`, `noise_scale`, cut to the
    range of the schedule. The learning rate rises over `warmup` steps, stays, and falls in a
    straight line to zero over the last `decay` of all steps.
    """

    name: str
    network: CompactConfig
    steps: int
    batch: int
    learning_rate: float
    warmup: int = 300
    decay: float = 0.4
    label_dropout: float = 0.1
    ema: float = 0.999
    noise_centre: float = -0.5
    noise_scale: float = 1.0
    weight_decay: float = 0.0
    head_width: int = 32
    head_steps: int = 6000
    head_batch: int = 64
    head_learning_rate: float = 2e-3
    head_ema: float = 0.999


FASHION32 = Recipe(
    name="fashion32",
    network=CompactConfig(
        image_size=32, channels=1, classes=10, patch=2, widths=(64, 128), blocks=1,
        attention=(False, True), embedding=256,
    ),
    steps=9000,
    batch=128,
    learning_rate=1e-3,
)  # fmt: skip

RECIPES = {recipe.name: recipe for recipe in (FASHION32,)}
