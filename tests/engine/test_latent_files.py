"""Latents as files of their own: through the engine, and what comes from elsewhere."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import BadRequest, EngineError
from engine.latents import Latent, noise, read_latent, realise, short_id, write_latent
from engine.messages import (
    BlendLatent,
    FileLatent,
    Keyframe,
    PaceRequest,
    PaceResult,
    Point,
    Sampling,
    SeedLatent,
    SlerpLatent,
    Walk,
    request_from_json,
    request_to_json,
)
from engine.messages.latent_files import LatentRequest, LatentSaved
from engine.messages.latents import LatentSource, source_to_dict
from engine.schedule import VPSchedule
from engine.tasks import Engine
from engine.video import open_writer
from engine.video_files import describe_walk, read_video_walk
from engine.walk_files import file_latents, file_sha256, read_walk_file, write_walk
from tests.engine.cli_kit import runner
from tests.engine.tiny_model import write_tiny_model
from tests.engine.walk_kit import SAMPLING, last, pictures, walk

SHAPE = (1, 8, 8)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    write_tiny_model(tmp_path / "models")
    return Engine([tmp_path / "models"], threads=1)


def saved(engine: Engine, request: LatentRequest) -> LatentSaved:
    result = last(engine.run(request))
    assert isinstance(result, LatentSaved)
    return result


@pytest.mark.parametrize(
    "source",
    [
        SeedLatent(7),
        SlerpLatent(SeedLatent(1), SeedLatent(2), 0.3),
        BlendLatent(((SeedLatent(1), 0.5), (SeedLatent(2), 0.25), (SeedLatent(3), 0.25))),
    ],
)
def test_a_latent_is_written_with_model_and_class_and_is_the_same_again(
    engine: Engine, tmp_path: Path, source: LatentSource
) -> None:
    label = ((0, 0.5), (None, 0.5))
    result = saved(engine, LatentRequest("tiny", source, str(tmp_path / "new" / "a.safetensors"), label))
    there = read_latent(Path(result.path))
    assert torch.equal(there.z, realise(source, SHAPE, "tiny"))
    assert (there.model, there.label, there.id) == ("tiny", label, result.id)
    assert there.gamma == pytest.approx(VPSchedule().gamma(torch.tensor(1.0, dtype=torch.float64)).item())
    assert there.provenance == {"source": source_to_dict(source)}
    file = FileLatent(result.path, result.sha256)
    assert file_sha256(Path(result.path)) == result.sha256
    assert pictures(engine, Point(file, 1)) == pictures(engine, Point(source, 1))
    assert result.words == "Saved a.safetensors."


def test_what_is_a_file_already_is_copied_as_it_is(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "from.safetensors"
    z = noise([3], SHAPE)[0]
    write_latent(source, Latent(z, "tiny", 2, 7.5, {"encoded": "boots.jpg"}))
    result = saved(engine, LatentRequest("tiny", FileLatent(str(source)), str(tmp_path / "to.safetensors")))
    assert Path(result.path).read_bytes() == source.read_bytes()
    assert result.id == short_id(z)


def test_what_can_not_be_written_says_why(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for request, said in (
        (LatentRequest("gone", SeedLatent(1), str(tmp_path / "a")), "gone"),
        (LatentRequest("tiny", SeedLatent(1), str(tmp_path / "folder")), "is a folder"),
        (LatentRequest("tiny", FileLatent("gone"), str(tmp_path / "a")), "Couldn't read the latent gone"),
        (
            LatentRequest("tiny", SeedLatent(1), str(tmp_path / "models" / "tiny" / "card.toml" / "a")),
            "write",
        ),
    ):
        with pytest.raises(EngineError, match=said):
            list(engine.run(request))
    assert not (tmp_path / "a").exists()


def test_the_request_survives_the_wire() -> None:
    request = LatentRequest("tiny", SlerpLatent(SeedLatent(1), FileLatent("x"), 0.25), "a", ((None, 1.0),))
    assert request_from_json(request_to_json(request)) == request
    assert request.summary == "tiny, latent a"
    with pytest.raises(BadRequest) as caught:
        dataclasses.replace(request, out="")
    assert caught.value.field == "out"


# --- what comes from elsewhere ------------------------------------------------------------------


def video_with(path: Path, walk: Walk, change: Any) -> Path:
    """A video whose text was changed by somebody."""
    data = json.loads(describe_walk(walk, Sampling()))
    change(data)
    writer = open_writer(path, "mp4", "good", (16, 16), 1, 10.0, json.dumps(data))
    writer.add(torch.zeros(16, 16, 1, dtype=torch.uint8).numpy())
    writer.close()
    return path


def test_a_video_writes_nothing_but_latents_that_are_what_they_say(tmp_path: Path) -> None:
    source = tmp_path / "a.safetensors"
    digest = write_latent(source, Latent(noise([7], SHAPE)[0], "tiny"))
    w = Walk("tiny", (Keyframe(FileLatent(str(source))), Keyframe(SeedLatent(2))))
    folder = tmp_path / "in" / "side"

    def elsewhere(data: Any) -> None:
        data["walk"]["keyframes"][0]["latent"]["sha256"] = "../../stolen"
        data["latents"] = {"../../stolen": data["latents"][digest]}

    def another(data: Any) -> None:
        data["latents"][digest] = base64.b64encode(b"something else").decode("ascii")

    for name, change in (("one", elsewhere), ("two", another)):
        video = video_with(tmp_path / f"{name}.mp4", w, change)
        with pytest.raises(BadRequest, match="is damaged"):
            read_video_walk(video, folder)
    assert not folder.exists()
    assert not list(tmp_path.glob("stolen*"))
    video = video_with(tmp_path / "good.mp4", w, lambda data: None)
    (there,) = file_latents(read_video_walk(video, folder).walk)
    assert hashlib.sha256(Path(there.path).read_bytes()).hexdigest() == digest
    # What is there already is not written again, and one that was damaged meanwhile is put right.
    Path(there.path).write_bytes(b"damaged")
    (again,) = file_latents(read_video_walk(video, folder).walk)
    assert file_sha256(Path(again.path)) == digest


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_pipes_and_devices_are_not_waited_for(tmp_path: Path, engine: Engine) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (str(tmp_path / "pipe"), os.devnull):
        with pytest.raises(BadRequest, match="is no file"):
            file_sha256(Path(place))
        with pytest.raises(BadRequest, match="is no file"):
            pictures(engine, Point(FileLatent(place)))
        with pytest.raises(BadRequest, match="is no file"):
            read_walk_file(Path(place))


# --- how a walk was made goes with it -----------------------------------------------------------


def test_a_walk_keeps_how_it_was_made(tmp_path: Path) -> None:
    how = Sampling(solver="heun", steps=7, spacing="log-snr", device="cpu", precision="bf16", batch=3)
    write_walk(tmp_path / "walk.toml", walk(), how)
    there, sampling = read_walk_file(tmp_path / "walk.toml")
    assert there == walk()
    assert sampling == Sampling(solver="heun", steps=7, spacing="log-snr")  # the rest is the machine's
    write_walk(tmp_path / "plain.toml", walk())
    assert read_walk_file(tmp_path / "plain.toml") == (walk(), None)
    text = (tmp_path / "walk.toml").read_text(encoding="utf-8")
    (tmp_path / "walk.toml").write_text(text.replace("steps = 7", "steps = 0"), encoding="utf-8")
    with pytest.raises(BadRequest, match="steps is 0"):
        read_walk_file(tmp_path / "walk.toml")


def test_the_command_makes_the_frames_the_walk_was_saved_with(
    genie_home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_tiny_model(genie_home / "models")
    genie = runner(capsys)
    write_walk(tmp_path / "saved.toml", walk(), Sampling(solver="ddim", steps=3))
    write_walk(tmp_path / "plain.toml", walk())
    common = ("--precision", "fp32", "--json")
    one = genie("traverse", tmp_path / "saved.toml", "--out", tmp_path / "a.png", *common)
    assert one.json["request"]["sampling"]["steps"] == 3
    two = genie(
        "traverse", tmp_path / "plain.toml", "--solver", "ddim", "--steps", 3, "--out", tmp_path / "b.png", *common,
    )  # fmt: skip
    assert (tmp_path / "a.png").stat().st_size == (tmp_path / "b.png").stat().st_size
    assert one.json["request"]["sampling"] == two.json["request"]["sampling"]
    again = genie("traverse", tmp_path / "a.png", "--steps", 2, "--out", tmp_path / "c.png", *common)
    assert again.json["request"]["sampling"]["solver"] == "ddim"
    assert again.json["request"]["sampling"]["steps"] == 2


# --- a first step that costs nothing ------------------------------------------------------------


def test_points_and_pace_with_an_analytic_first_step(engine: Engine) -> None:
    how = dataclasses.replace(SAMPLING, steps=3, analytic_first=True)
    assert pictures(engine, Point(SeedLatent(1), 0), sampling=how).count == 1
    *events, result = engine.run(PaceRequest(walk(), how))
    assert isinstance(result, PaceResult)
    assert result.complete
    assert all(event.seconds_left >= 0 for event in events if hasattr(event, "seconds_left"))
