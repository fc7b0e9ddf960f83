"""Recipes: everything that makes a bundled model, in one frozen object each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.networks.compact import CompactConfig
from engine.networks.compact_upsampler import CompactUpsamplerConfig
from engine.training import emoji, fashion

__all__ = ["EMOJI64", "EMOJI256_UP", "FASHION32", "RECIPES", "DataNotice", "Recipe"]


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
    examples: str  # the name of a loader in `engine.training.data`
    network: CompactConfig | CompactUpsamplerConfig
    steps: int
    batch: int
    learning_rate: float
    warmup: int = 100
    decay: float = 0.4
    restarts: tuple[int, ...] = ()
    label_dropout: float = 0.1
    ema: float = 0.999
    noise_centre: float = -0.5
    noise_scale: float = 1.0
    weight_decay: float = 0.1
    spacing: str = "quadratic"
    guidance: float = 0.0  # for the card, as are the next three
    aug_level: float = 0.1
    consistent: bool = False
    background: tuple[int, int, int] = (0, 0, 0)
    head_width: int = 32
    head_fade: float = 4.0
    head_kernel: int = 3
    head_image: bool = True  # whether it looks at x_t and eps beside the features; an upsampler's does
    head_noise: tuple[float, float] | None = None  # centre and scale of its targets; None: the network's
    head_targets: int = 24_576
    head_steps: int = 6000
    head_batch: int = 64
    head_learning_rate: float = 2e-3
    head_ema: float = 0.999


FASHION32 = Recipe(
    name="fashion32",
    title="Fashion 32",
    summary="Clothes, shoes and bags in grey, 32 x 32 pixels. Small enough to answer a drag of the hand.",
    classes=fashion.CLASSES,
    data=DataNotice(
        "Fashion-MNIST (60,000 training images, padded from 28 to 32 pixels)",
        "MIT, Zalando SE",
        "The 10,000 test images were never trained on. Where a label is in doubt, because classifiers "
        "that had not seen the picture say otherwise (5,170 of 60,000), it was trained on without a class.",
    ),
    examples="fashion",
    network=CompactConfig(
        image_size=32, channels=1, classes=10, patch=2, widths=(128, 192), blocks=2, middle=2, embedding=256,
    ),
    steps=20_000,
    restarts=(13_000,),
    batch=64,
    learning_rate=2e-3,
    label_dropout=0.05,
    head_image=False,
    head_noise=(0.8, 1.2),
    head_steps=12_000,
)  # fmt: skip

EMOJI64 = Recipe(
    name="emoji64",
    title="Emoji 64",
    summary="Emoji in colour, 64 x 64 pixels: faces, people, animals, food, vehicles, flags and more.",
    classes=emoji.CLASSES,
    data=DataNotice(
        "Fluent 3D emoji (3,388 pictures)",
        "MIT, Microsoft Corporation",
        "Trained on 3,138 pictures of 1,547 emoji, made small from 256 to 64 pixels. 136 emoji, 250 "
        "pictures of all skin tones and sexes, were never trained on. Classes come from the groups "
        "of Emojibase (MIT).",
    ),
    examples="emoji64",
    network=CompactConfig(
        image_size=64, channels=3, classes=15, patch=4, widths=(192, 224), blocks=3, middle=2, embedding=256,
    ),
    steps=18_000,
    restarts=(8_000,),
    batch=32,
    learning_rate=2e-3,
    noise_centre=0.0,
    guidance=3.0,
    background=(255, 255, 255),
    head_width=128,
    head_kernel=1,
    head_targets=6144,
)  # fmt: skip

EMOJI256_UP = Recipe(
    name="emoji256-up",
    title="Emoji 64 to 256",
    summary="Enlarges emoji from 64 to 256 pixels, and paints the detail that was never there.",
    classes=(),
    data=replace(
        EMOJI64.data,
        note="Trained on 128-pixel crops of 3,138 pictures of 1,547 emoji, and what is left of them "
        "at a quarter of the size. 136 emoji, in 250 pictures, were never trained on.",
    ),
    examples="emoji256-crops",
    network=CompactUpsamplerConfig(
        image_size=256, channels=3, patch=4, widths=(96, 160, 256), blocks=2, middle=2, embedding=256,
        low_resolution=64, detail=0.1, contrast=0.75,
    ),
    steps=12_000,
    batch=16,
    learning_rate=2e-3,
    label_dropout=0.0,
    aug_level=0.003,
    consistent=True,
    background=(255, 255, 255),
    noise_centre=-1.0,
    noise_scale=1.4,
    head_width=128,
    head_fade=0.5,
    head_kernel=1,
    head_targets=2048,
    head_steps=3000,
    head_batch=16,
)  # fmt: skip

RECIPES = {recipe.name: recipe for recipe in (FASHION32, EMOJI64, EMOJI256_UP)}
