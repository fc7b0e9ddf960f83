"""Our full-size networks take exactly the published states: every key, shape and type, in order.

Laid out on the meta device, which costs no memory. The manifests lie beside the golden data,
whose folder GENIE_PARITY_DIR names.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from engine.checkpoints.layouts import rows_of
from engine.checkpoints.recognise import PUBLISHED, PublishedModel, build, recognise
from tests.engine.golden import GOLDEN

FOLDER = GOLDEN.parent
MANIFESTS = sorted(path.parent.name for path in FOLDER.glob("*/manifest.json"))

if not FOLDER.is_dir():
    pytest.skip(
        f"there are no manifests at {FOLDER}; GENIE_PARITY_DIR names the folder beside them",
        allow_module_level=True,
    )

# Published name -> ours.
NAMES = {
    "cifar10": "cifar10",
    "bedroom": "bedroom128",
    "church": "church128",
    "imagenet": "imagenet64",
    "imagenet_cond": "imagenet64-cond",
    "cats": "cats128",
    "cats_upsampler": "cats-upsampler",
}
PARTS = [(name, part) for name in MANIFESTS for part in ("diffusion_model", "genie_model")]


def published(name: str) -> PublishedModel:
    return next(model for model in PUBLISHED if model.name == NAMES[name])


def read(name: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((FOLDER / name / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def laid_out(name: str, part: str) -> nn.Module:
    model = published(name)
    with torch.device("meta"):
        return build(model.network if part == "diffusion_model" else model.head)


def test_all_seven_are_there() -> None:
    assert sorted(MANIFESTS) == sorted(NAMES)
    assert {model.name for model in PUBLISHED} == set(NAMES.values())


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_the_state_is_the_published_one(name: str, part: str) -> None:
    manifest = read(name)[part]
    network = laid_out(name, part)
    rows = rows_of(network)
    expected = [(entry["key"], tuple(entry["shape"]), entry["ema"]) for entry in manifest["state"]]
    assert [("module." + row.key, row.shape, not row.frozen) for row in rows] == expected
    assert {entry["dtype"] for entry in manifest["state"]} == {"float32"}
    state = network.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32}
    # Every tensor of ours is filled, each element once.
    assert {row.ours for row in rows} == set(state)
    filled = dict.fromkeys(state, 0)
    for row in rows:
        filled[row.ours] += torch.Size(row.shape).numel()
    assert filled == {name: value.numel() for name, value in state.items()}
    assert sum(filled.values()) == manifest["parameters"]


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_settings_are_the_published_ones(name: str) -> None:
    """What no key tells: image size, heads of attention, prediction, the scale of time."""
    c, model = read(name)["diffusion_model"]["config"], published(name)
    assert model.prediction == c["pred"]
    assert model.network.image_size == c["image_size"]
    assert model.network.classes == (c.get("num_classes") or 0)
    assert getattr(model.network, "time_scale", 1.0) == c["M"]
    assert getattr(model.network, "head_channels", None) == c.get("num_head_channels")
    assert getattr(model.network, "low_resolution", None) == c.get("cond_res")
    assert model.head.normalized == read(name)["genie_model"]["config"]["normalize_xemb"]


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_it_is_recognised_by_keys_and_shapes(name: str, part: str) -> None:
    state = read(name)[part]["state"]
    shapes = {entry["key"].removeprefix("module."): tuple(entry["shape"]) for entry in state}
    found, model = recognise(shapes, "file.pth"), published(name)
    assert found.exact
    assert found.is_head == (part == "genie_model")
    assert found.config == (model.head if found.is_head else model.network)
    assert model in found.models
    # What one architecture shares can't be told apart; nothing else is offered.
    same = "head" if found.is_head else "network"
    assert all(getattr(other, same) == getattr(model, same) for other in found.models)
