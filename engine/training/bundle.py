"""From checkpoints to a model folder: half-precision weights and the card that explains them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from engine.checkpoints.card import Card, Part
from engine.checkpoints.native import config_of, save_model
from engine.devices import choose_placement
from engine.errors import BadCheckpoint
from engine.files import surely
from engine.networks.compact import CompactConfig
from engine.training.checkpoint import read_checkpoint
from engine.training.objective import head_config
from engine.training.recipes import Recipe

__all__ = ["read_finished", "write_model"]


def write_model(recipe: Recipe, run: Path, folder: Path, device: torch.device | None = None) -> Card:
    """Write `run/checkpoint.pt` and, if there is one, `run/head.pt` as a model into `folder`.

    The running averages are what is kept; the card names `device` as what they were made on
    (default: the CPU). Errors: `MissingData` without a checkpoint,
    `BadCheckpoint` for one that is damaged or was interrupted before its end.
    """
    network = read_finished(run / "checkpoint.pt", recipe)
    head = read_finished(run / "head.pt", recipe) if surely((run / "head.pt").exists) else None
    data = recipe.data
    commands = [_command("train", recipe, network, recipe.steps)]
    commands += [] if head is None else [_command("distil", recipe, head, recipe.head_steps)]
    training: dict[str, Any] = {
        "command": " && ".join(commands),
        "seed": network["seed"],
        "steps": network["step"],
        "images_seen": network["step"] * recipe.batch,
        "seconds": round(network["seconds"]),
        "hardware": _hardware(device or torch.device("cpu")),
        "torch": torch.__version__,
    }
    if head is not None:
        training |= {
            "head_seed": head["seed"],
            "head_targets": recipe.head_targets,
            "head_steps": head["step"],
            "head_seconds": round(head["seconds"]),
        }
    kind = "compact" if isinstance(recipe.network, CompactConfig) else "compact-upsampler"
    card = Card(
        name=recipe.name,
        title=recipe.title,
        summary=recipe.summary,
        image_size=recipe.network.image_size,
        channels=recipe.network.channels,
        classes=recipe.classes,
        null_label=recipe.label_dropout > 0,
        network=Part(kind, config_of(recipe.network), "network.safetensors"),
        head=Part(kind, config_of(head_config(recipe)), "head.safetensors") if head else None,
        prediction="v",
        spacing=recipe.spacing,
        guidance=recipe.guidance,
        aug_level=recipe.aug_level,
        consistent=recipe.consistent,
        background=recipe.background,
        data={"name": data.name, "licence": data.licence, "note": data.note},
        training=training,
    )
    try:
        return save_model(folder, card, network["average"], head["average"] if head else None)
    except ValueError as error:
        raise BadCheckpoint(f"The checkpoints in {run} are not those of this recipe: {error}") from error


def _command(name: str, recipe: Recipe, state: dict[str, Any], usual: int) -> str:
    """What makes the same again, whatever became of the recipe's own number of steps since."""
    steps = "" if state["step"] == usual else f" --steps {state['step']}"
    return f"genie {name} {recipe.name} --seed {state['seed']}{steps}"


def _hardware(device: torch.device) -> str:
    title = choose_placement(str(device), "fp32").title
    threads = torch.get_num_threads()
    return f"{threads} thread{'' if threads == 1 else 's'} of {title}" if device.type == "cpu" else title


def read_finished(path: Path, recipe: Recipe) -> dict[str, Any]:
    """A checkpoint whose training came to its end; a `BadCheckpoint` says how far another is."""
    state = read_checkpoint(path)
    if state["step"] < state["steps"]:
        command = f"genie {'distil' if path.name == 'head.pt' else 'train'} {recipe.name}"
        raise BadCheckpoint(
            f"{path} stands at step {state['step']:,} of {state['steps']:,}. Finish it with "
            f"`{command} --out {path.parent} --seed {state['seed']} --resume`.",
            field="out",
        )
    return state
