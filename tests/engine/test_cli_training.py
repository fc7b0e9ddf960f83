"""`genie train` and `genie distil`: from data to a model, stopped and gone on with as they say."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.engine.cli_kit import Genie
from tests.engine.test_cli import genie

__all__ = ["genie"]


def write_idx(folder: Path, images: int) -> None:
    """A folder that looks like Fashion-MNIST, with random pictures."""
    random = np.random.default_rng(0)
    folder.mkdir()
    pixels = random.integers(0, 256, (images, 28, 28), dtype=np.uint8)
    head = b"\x00\x00\x08\x03" + struct.pack(">3I", images, 28, 28)
    (folder / "train-images-idx3-ubyte").write_bytes(head + pixels.tobytes())
    labels = (np.arange(images) % 10).astype(np.uint8)
    (folder / "train-labels-idx1-ubyte").write_bytes(
        b"\x00\x00\x08\x01" + struct.pack(">I", images) + labels.tobytes()
    )


def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one recipe, "small", that trains in moments."""
    from engine.networks.compact import CompactConfig
    from engine.training import recipes

    network = CompactConfig(
        image_size=32, channels=1, classes=10, patch=4, widths=(16, 16), blocks=1,
        middle=1, embedding=16,
    )  # fmt: skip
    small = dataclasses.replace(
        recipes.FASHION32, name="small", title="Small", network=network, batch=4, head_targets=1
    )
    monkeypatch.setattr(recipes, "RECIPES", {"small": small})


def test_train_and_distil_refuse_before_they_start(genie: Genie) -> None:
    ended = genie("train", "fashon32")
    assert ended.code == 2
    assert "Did you mean fashion32?" in ended.err
    Path("empty").mkdir()
    ended = genie("train", "fashion32", "--data", "empty", "--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "missing-data"
    ended = genie("distil", "fashion32", "--out", "nowhere")
    assert ended.code == 2
    assert "genie train fashion32 --out nowhere" in ended.err
    Path("there").mkdir()
    Path("there/checkpoint.pt").write_bytes(b"not a checkpoint")
    ended = genie("train", "fashion32", "--out", "there")
    assert ended.code == 2
    assert "--resume" in ended.err
    ended = genie("distil", "fashion32", "--out", "there")
    assert ended.code == 2
    assert "damaged" in ended.err
    assert Path("there/checkpoint.pt").read_bytes() == b"not a checkpoint"
    assert "--device" in genie("train", "fashion32", "--device", "abacus").err
    write_idx(Path("data"), 8)
    ended = genie("train", "fashion32", "--data", "data", "--out", "x" * 300, "--json")
    assert ended.code == 2
    assert "File name too long. Choose a folder" in ended.json["error"]["message"]
    assert genie("distil", "fashion32", "--out", "x" * 300).code == 2


def test_train_then_distil_makes_a_model_that_generates(
    genie: Genie, genie_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_recipe(monkeypatch)
    write_idx(Path("data"), 32)
    shared = ("small", "--data", "data", "--device", "cpu", "--threads", 1, "--report-every", 1, "--json")

    trained = genie("train", *shared, "--steps", 3)
    assert trained.code == 0, trained.err
    assert trained.json["steps"] == 3
    assert Path("runs/small/checkpoint.pt").exists()
    assert "step 3/3" in trained.err
    assert genie("train", *shared, "--steps", 3).code == 2
    resumed = genie("train", *shared, "--steps", 3, "--resume")
    assert (resumed.code, resumed.json["steps"]) == (0, None)
    ended = genie("train", *shared, "--steps", 2, "--resume")
    assert (ended.code, ended.json["error"]["option"]) == (2, "--steps")

    distilled = genie("distil", *shared, "--steps", 2, "--model", genie_home / "models" / "small")
    assert distilled.code == 0, distilled.err
    assert distilled.json["model"] == str(genie_home / "models" / "small")
    generated = genie("generate", "--model", "small", "--classes", "Ankle boot", "--steps", 2, "--json")
    assert generated.code == 0, generated.err
    with Image.open(generated.json["files"][0]["path"]) as image:
        assert image.size == (32, 32)


@pytest.mark.parametrize("command", ["train", "distil"])
def test_ctrl_c_in_a_training_saves_its_checkpoint(
    genie: Genie, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """The signal comes after the second report; the step that runs is finished and kept."""
    from engine.cli import training
    from engine.training.checkpoint import read_checkpoint

    small_recipe(monkeypatch)
    write_idx(Path("data"), 32)
    shared = ("small", "--data", "data", "--device", "cpu", "--threads", 1, "--report-every", 1, "--json")
    if command == "distil":
        monkeypatch.setattr("engine.training.distil._CHUNK", 4)
        monkeypatch.setattr("engine.training.distil._TARGET_BATCH", 4)
        assert genie("train", *shared, "--steps", 1).code == 0
    reports: list[int] = []
    real = training._loss

    def pressed(report: Any) -> str:
        reports.append(report.step)
        if len(reports) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return real(report)

    monkeypatch.setattr(training, "_loss", pressed)
    before = signal.getsignal(signal.SIGINT)
    ended = genie(command, *shared, "--steps", 9, "--seed", 5)
    assert ended.code == 130
    assert ended.json["error"]["kind"] == "stopped"
    assert reports == [1, 2, 3]
    assert signal.getsignal(signal.SIGINT) is before
    file = Path("runs/small") / ("checkpoint.pt" if command == "train" else "head.pt")
    assert read_checkpoint(file)["step"] == (3 if command == "train" else 2)  # one report was of targets
    monkeypatch.setattr(training, "_loss", real)
    # What it says to type is what goes on.
    (said,) = re.findall(r"Go on with `genie (.*)`", ended.err)
    assert "--resume" in said
    assert genie(*shlex.split(said), "--threads", 1).code == 0
    assert read_checkpoint(file)["step"] == 9
