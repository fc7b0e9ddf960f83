"""From checkpoints to a model folder: half-precision weights and the card that explains them."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from engine.checkpoints.card import Card, Part
from engine.checkpoints.native import config_of, save_model
from engine.errors import BadCheckpoint, MissingData
from engine.training.distil import head_config
from engine.training.recipes import Recipe

__all__ = ["write_model"]


def write_model(recipe: Recipe, run: Path, folder: Path) -> Card:
    """Write `run/checkpoint.pt` and, if there is one, `run/head.pt` as a model into `folder`.

    The running averages are what is kept. Errors: `MissingData` without a checkpoint,
    `BadCheckpoint` for one that is damaged or was interrupted before its end.
    """
    network = _read(run / "checkpoint.pt")
    head = _read(run / "head.pt") if (run / "head.pt").exists() else None
    data = recipe.data
    training: dict[str, Any] = {
        "command": f"genie train {recipe.name} --seed {network['seed']} && genie distil {recipe.name}",
        "seed": network["seed"],
        "steps": network["step"],
        "images_seen": network["step"] * recipe.batch,
        "seconds": round(network["seconds"]),
        "hardware": f"{torch.get_num_threads()} threads of {platform.machine()}",
        "torch": torch.__version__,
    }
    if head is not None:
        training |= {
            "head_seed": head["seed"],
            "head_targets": recipe.head_targets,
            "head_steps": head["step"],
            "head_seconds": round(head["seconds"]),
        }
    card = Card(
        name=recipe.name,
        title=recipe.title,
        summary=recipe.summary,
        image_size=recipe.network.image_size,
        channels=recipe.network.channels,
        classes=recipe.classes,
        null_label=recipe.label_dropout > 0,
        network=Part("compact", config_of(recipe.network), "network.safetensors"),
        head=Part("compact", config_of(head_config(recipe)), "head.safetensors") if head else None,
        prediction="v",
        spacing=recipe.spacing,
        data={"name": data.name, "licence": data.licence, "note": data.note},
        training=training,
    )
    try:
        return save_model(folder, card, network["average"], head["average"] if head else None)
    except ValueError as error:
        raise BadCheckpoint(f"The checkpoints in {run} are not those of this recipe: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise MissingData(f"There is no {path}. Train it first.", field="out") from None
    except Exception as error:  # torch has many words for a file that is not what it should be
        raise BadCheckpoint(
            f"Couldn't read {path}: it is damaged.", field="out", details=str(error)
        ) from error
    if state["step"] < state["steps"]:
        raise BadCheckpoint(
            f"{path} stands at step {state['step']} of {state['steps']}. Finish it with --resume.",
            field="out",
        )
    return state
