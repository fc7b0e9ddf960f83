"""The models that come with the program: small, complete, and good at what their cards promise."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image

from engine.checkpoints.card import read_card
from engine.checkpoints.library import bundled_folder, list_models
from engine.checkpoints.native import load_head, load_network
from engine.denoiser import ImageNetwork, NetworkDenoiser
from engine.evaluation.classifier import load_classifier
from engine.evaluation.head_error import along_trajectory, log_levels, overall
from engine.latents import noise
from engine.messages import GenerateRequest, Result
from engine.networks.compact_upsampler import CompactUpsampler
from engine.networks.head import HeadNetwork
from engine.networks.upsampler import ConditionedNetwork, enlarge, noisy_image
from engine.schedule import VPSchedule
from engine.tasks import Engine
from engine.training.objective import bind_head

FOLDERS = sorted(card.parent for card in bundled_folder().glob("*/card.toml"))
CLASSIFIER = Path(__file__).parents[1] / "data" / "fashion_classifier.safetensors"


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    return cast("Path", request.param)


def test_there_is_one() -> None:
    assert "fashion32" in [folder.name for folder in FOLDERS]


def test_it_is_whole_and_small(folder: Path) -> None:
    (info,) = list_models([folder])
    assert info.problem is None
    assert info.bytes < (8_000_000 if info.channels == 1 else 16_000_000)
    assert info.sample is not None
    card = read_card(folder / "card.toml")
    for part in (card.network, card.head):
        assert part is not None
        assert hashlib.sha256((folder / part.weights).read_bytes()).hexdigest() == part.sha256


def test_its_card_says_where_it_comes_from(folder: Path) -> None:
    card = read_card(folder / "card.toml")
    assert card.data["name"]
    assert card.data["licence"]
    for key in ("command", "seed", "steps", "seconds", "hardware"):
        assert card.training[key] not in ("", None), key
    assert card.training["seconds"] > 0


def condition_for(network: CompactUpsampler, level: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of the bundled colour model, as the upsampler is shown it, and how noisy it is."""
    size = network.config.low_resolution
    with Image.open(bundled_folder() / "emoji64" / "sample.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))[:size, :size]
    small = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    levels = torch.full((1,), level)
    grain = noise([9], tuple(small.shape[1:])).float()  # type: ignore[arg-type]
    return enlarge(noisy_image(small, grain, levels, VPSchedule()), network.config.image_size), levels


def test_its_head_is_small_and_says_the_exact_derivative(folder: Path) -> None:
    """Along real trajectories, against the Jacobian-vector product; 1 would say nothing."""
    card = read_card(folder / "card.toml")
    network, head = load_network(folder, card), load_head(folder, card)
    assert head is not None
    parameters = [sum(p.numel() for p in module.parameters()) for module in (head, network)]
    assert parameters[0] < 0.05 * parameters[1]
    start = noise(range(4), (card.channels, card.image_size, card.image_size)).float()
    if isinstance(network, CompactUpsampler):
        start = start[:1]
        condition, level = condition_for(network, card.aug_level)
        seen, bent = ConditionedNetwork(network, condition, level), bind_head(head, condition)
    else:
        seen, bent = cast("ImageNetwork", network), cast("HeadNetwork", head)
    labels = torch.arange(len(start)) % (len(card.classes) + 1)
    denoiser = NetworkDenoiser(seen, card.prediction, labels, dtype=torch.float32, head=bent)
    schedule = VPSchedule(card.beta_min, card.beta_d)
    errors = list(along_trajectory(denoiser, start, log_levels(schedule, levels=8), between=2))
    # Narrow as its cost demands, an upsampler's head knows a little only.
    assert overall(errors) < (0.95 if isinstance(network, CompactUpsampler) else 0.9)


def test_fashion_shows_what_is_asked_for() -> None:
    """Four of each class in 10 steps of its head: the classifier agrees with most.

    That is a sign of life, in a second; `make bench-quality` measures.
    """
    request = GenerateRequest("fashion32", labels=tuple(range(10)) * 4, steps=10, device="cpu")
    *_, result = Engine([bundled_folder()]).run(request)
    assert isinstance(result, Result)
    pixels = np.frombuffer(result.pictures.data, np.uint8).reshape(40, 1, 32, 32).copy()
    with torch.inference_mode():
        seen = load_classifier(CLASSIFIER)(torch.from_numpy(pixels).float() / 127.5 - 1.0).argmax(dim=1)
    agreed = int((seen == torch.tensor(request.labels)).sum())
    assert agreed >= 30, agreed
