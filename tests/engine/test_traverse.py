"""Walks through the engine: single points, and the command line."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.devices import choose_placement
from engine.errors import BadRequest, EngineError
from engine.guidance import GuidedPair
from engine.journal import unfinished_folder
from engine.latents import Latent, noise, write_latent
from engine.messages import (
    Control,
    FileLatent,
    FrameRequest,
    FrameResult,
    GenerateRequest,
    Keyframe,
    Label,
    Point,
    RenderProgress,
    Result,
    Sampling,
    SeedLatent,
    SlerpLatent,
    TraverseRequest,
    Upsampling,
    Walk,
)
from engine.networks.labels import embed_labels
from engine.tasks import Engine
from engine.video_files import open_video
from engine.walk_files import write_walk
from tests.engine.cli_kit import runner
from tests.engine.tiny_model import CLASSES, write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler
from tests.engine.walk_kit import SAMPLING, last, pictures, walk


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    write_tiny_model(tmp_path / "models")
    write_tiny_model(tmp_path / "models", "other", seed=1)
    write_tiny_model(tmp_path / "models", "colour", channels=3)
    return Engine([tmp_path / "models"], threads=1)


# --- points -------------------------------------------------------------------------------------


def test_weights_of_classes_are_finer_than_the_precision_of_the_network() -> None:
    """In bf16 they would have steps of 1/256, at which a walk between classes jumps."""
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(3, 64).to(torch.bfloat16)
    shares = torch.linspace(0.5, 0.5 + 1 / 256, 17)
    weights = torch.stack([1.0 - shares, shares, torch.zeros(17)], dim=1)
    mixed = embed_labels(embedding, weights).detach()
    assert len({tuple(row.tolist()) for row in mixed}) == 17
    pure = torch.eye(3)
    assert torch.equal(embed_labels(embedding, pure), embedding(torch.arange(3)))


@pytest.mark.parametrize("guidance", [0.0, 1.5])
def test_a_point_at_a_seed_is_the_image_of_that_seed(engine: Engine, guidance: float) -> None:
    request = GenerateRequest("tiny", 5, (1, None, 2), steps=2, precision="fp32", guidance=guidance)
    wanted: Result = last(engine.run(request))
    points = [Point(SeedLatent(5 + i), label, guidance) for i, label in enumerate(request.labels)]
    assert pictures(engine, *points) == wanted.pictures


def test_a_mixture_with_all_its_weight_on_one_class_is_that_class(engine: Engine) -> None:
    pure: Label = ((0, 0.0), (2, 1.0))
    assert pictures(engine, Point(SeedLatent(1), pure)) == pictures(engine, Point(SeedLatent(1), 2))


def test_a_mixture_lies_between(engine: Engine) -> None:
    def image(label: Label) -> np.ndarray:
        return np.frombuffer(pictures(engine, Point(SeedLatent(1), label)).data, np.uint8).astype(float)

    ends = image(0), image(2)
    steps = [image(((0, 1 - w), (2, w))) for w in np.linspace(0.1, 0.9, 9).tolist()]
    jumps = [np.abs(a - b).max() for a, b in zip([ends[0], *steps], [*steps, ends[1]], strict=True)]
    assert max(jumps) < 0.5 * np.abs(ends[0] - ends[1]).max()


def test_each_image_of_a_batch_is_guided_by_its_own_weight(engine: Engine) -> None:
    points = [Point(SeedLatent(i), 1, w) for i, w in enumerate((0.0, 1.0, 3.5))]
    together = pictures(engine, *points)
    for index, point in enumerate(points):
        alone = np.frombuffer(pictures(engine, point).data, np.uint8).astype(int)
        assert np.abs(np.frombuffer(together.one(index).data, np.uint8).astype(int) - alone).max() <= 1


def test_one_weight_for_all_is_that_weight_for_each() -> None:
    class Constant:
        evaluations, has_head = 1, True

        def __init__(self, value: float) -> None:
            self.value = value

        def eps(self, x_t: torch.Tensor, gamma: object) -> torch.Tensor:
            return torch.full_like(x_t, self.value)

        def eps_with_derivative(self, x_t: torch.Tensor, gamma: object) -> tuple[torch.Tensor, torch.Tensor]:
            return self.eps(x_t, gamma), 2 * self.eps(x_t, gamma)

    weights = torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)[:, None, None, None]
    pair = GuidedPair(Constant(1.0), Constant(-2.0), weights)
    x = torch.zeros(3, 1, 2, 2, dtype=torch.float64)
    eps, k = pair.eps_with_derivative(x, 1.0)
    assert torch.equal(eps, (1.0 + 3.0 * weights).expand_as(x))
    assert torch.equal(k, 2 * eps)


def test_a_stop_in_the_middle_of_a_point_ends_with_no_picture(engine: Engine) -> None:
    control = Control()
    request = FrameRequest("tiny", (Point(SeedLatent(0), 0),), dataclasses.replace(SAMPLING, steps=5))
    seen = []
    for event in engine.run(request, control):
        seen.append(event)
        if isinstance(event, RenderProgress) or type(event).__name__ == "Progress":
            control.cancelled.set()
    assert isinstance(seen[-1], FrameResult)
    assert not seen[-1].kept
    assert sum(type(event).__name__ == "Progress" for event in seen) == 1


def test_previews_are_made_when_they_are_wanted(engine: Engine) -> None:
    request = FrameRequest("tiny", (Point(SeedLatent(0), 0), Point(SeedLatent(1), 1)), SAMPLING)
    for wanted in (True, False):
        events = list(engine.run(request, Control(wants_preview=lambda wanted=wanted: wanted)))
        previews = [getattr(event, "preview", None) for event in events]
        assert any(previews) == wanted


def test_an_upsampler_enlarges_with_the_same_noise_for_all(engine: Engine, tmp_path: Path) -> None:
    write_tiny_upsampler(tmp_path / "models")
    large = dataclasses.replace(SAMPLING, upsampling=Upsampling("larger", steps=2))
    same = Point(SeedLatent(4), 0)
    made = pictures(engine, same, Point(SeedLatent(5), 0), same, model="colour", sampling=large)
    assert (made.width, made.height, made.channels) == (32, 32, 3)
    assert made.one(0) == made.one(2)
    assert made.one(0) != made.one(1)
    with pytest.raises(BadRequest, match="enlarges images of 8 x 8 pixels with 3 channels"):
        pictures(engine, same, sampling=large)


@pytest.mark.parametrize(
    ("point", "sampling", "said"),
    [
        (Point(SeedLatent(0), 7), SAMPLING, "no class 7"),
        (Point(SeedLatent(0), ((0, 0.5), (9, 0.5))), SAMPLING, "no class 9"),
        (Point(FileLatent("gone")), SAMPLING, "Couldn't read the latent gone"),
        (Point(SeedLatent(0)), dataclasses.replace(SAMPLING, solver="gene"), "Did you mean 'genie'"),
        (Point(SeedLatent(0)), dataclasses.replace(SAMPLING, upsampling=Upsampling("tiny")), "enlarges none"),
    ],
)
def test_points_that_can_not_be_made_say_why(
    engine: Engine, point: Point, sampling: Sampling, said: str
) -> None:
    with pytest.raises(EngineError, match=said):
        pictures(engine, point, sampling=sampling)


def test_a_latent_of_another_model_or_shape_says_so(engine: Engine, tmp_path: Path) -> None:
    for name, z, said in (
        ("a", Latent(noise([0], (1, 8, 8))[0], "other"), "belongs to the model 'other'"),
        ("b", Latent(noise([0], (1, 16, 16))[0], "tiny"), "16 x 16"),
    ):
        path = tmp_path / f"{name}.safetensors"
        write_latent(path, z)
        mixed = SlerpLatent(SeedLatent(1), FileLatent(str(path)), 0.5)
        with pytest.raises(BadRequest, match=said):
            pictures(engine, Point(mixed))
        wrong = Walk("tiny", (Keyframe(SeedLatent(0)), Keyframe(FileLatent(str(path)))))
        with pytest.raises(BadRequest, match=said):
            list(engine.run(TraverseRequest(wrong, str(tmp_path / "a.mp4"))))


# --- command line ---------------------------------------------------------------------------------


@pytest.fixture
def genie(genie_home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    write_tiny_model(genie_home / "models")
    return runner(capsys)


def test_the_command_renders_a_file_of_a_walk(genie: Any, tmp_path: Path) -> None:
    write_walk(tmp_path / "walk.toml", walk())
    ended = genie("traverse", tmp_path / "walk.toml", "--steps", 2, "--out", tmp_path / "a.mp4", "--json")
    assert ended.code == 0
    assert ended.json["frames"] == 24
    assert ended.json["complete"] is True
    assert open_video(Path(ended.json["path"])).count == 24
    again = genie("traverse", tmp_path / "a.mp4", "--steps", 2, "--out", tmp_path / "b.gif", "--fps", 5)
    assert again.code == 0
    assert open_video(tmp_path / "b.gif").count == 13


@pytest.mark.parametrize("asked", [("--random", 3), ("--circle",)])
def test_the_command_makes_walks_of_its_own(genie: Any, tmp_path: Path, asked: tuple[object, ...]) -> None:
    ended = genie(
        "traverse", *asked, "--model", "tiny", "--classes", CLASSES[0], "--steps", 2, "--seconds", 0.2,
        "--scale", 2, "--out", tmp_path / "a.webp", "--save-walk", tmp_path / "w.toml", "--json",
    )  # fmt: skip
    assert ended.code == 0
    assert ended.json["width"] == 16
    assert (tmp_path / "w.toml").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "one of the three"),
        (("gone.toml",), "Couldn't read gone.toml"),
        (("--random", 3, "--fps", 0), "--fps is 0.0"),
        (("--random", 3, "--fps", 1000), "--fps is 1000.0"),
        (("--random", 1), "--random is '1'"),
        (("--circle", "--out", "a.avi"), "can't be saved as '.avi'"),
        (("--circle", "--format", "mkv"), "--format is 'mkv'"),
        (("--circle", "--quality", "goodish"), "Did you mean good?"),
        (("--circle", "--classes", "Dog"), "doesn't know"),
        (("--circle", "--upsample"), "no upsampler of its own"),
    ],
)
def test_the_command_says_what_is_wrong(genie: Any, options: tuple[object, ...], said: str) -> None:
    ended = genie("traverse", *options, *(() if "gone.toml" in options else ("--model", "tiny")))
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_ctrl_c_keeps_what_is_done_and_the_same_goes_on(genie_home: Path, tmp_path: Path) -> None:
    write_tiny_model(genie_home / "models")
    command = [
        sys.executable, "-m", "engine.cli", "traverse", "--random", "8", "--model", "tiny", "--classes", "all",
        "--steps", "40", "--fps", "60", "--batch", "4", "--out", str(tmp_path / "a.mp4"), "--json",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    frames = unfinished_folder(tmp_path / "a.mp4") / "frames.bin"
    deadline = time.monotonic() + 120
    while not frames.exists() or frames.stat().st_size < 2000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "the same command goes on" in err
    told = json.loads(out)
    assert 0 < told["frames"] < told["frames_total"]
    assert open_video(tmp_path / "a.mp4").count == told["frames"]


def test_the_device_of_a_point_is_looked_for(engine: Engine) -> None:
    assert choose_placement("auto", "fp32").precision == "fp32"
    with pytest.raises(BadRequest, match="no device"):
        pictures(engine, Point(SeedLatent(0)), sampling=dataclasses.replace(SAMPLING, device="cuda:99"))
