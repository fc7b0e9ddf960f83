"""`genie traverse`: whose place a video may take, and options that would do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import library
from engine.messages import Control, RenderProgress, Sampling, Upsampling
from engine.tasks import Engine
from engine.walk import noise_loop
from engine.walk_files import read_walk, write_walk
from tests.engine.cli_kit import Ended, Genie, runner
from tests.engine.tiny_model import write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler
from tests.engine.walk_kit import pixels

A, B = ("--random", 2, "--model", "tiny"), ("--circle", "--model", "tiny")


@pytest.fixture
def genie(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Genie:
    """In an empty folder, with a colour model "tiny" and its upsampler "larger", and no others."""
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "nothing bundled")
    write_tiny_model(genie_home / "models", channels=3)
    write_tiny_upsampler(genie_home / "models")
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def traverse(genie: Genie) -> Genie:
    """`genie traverse` of a few frames of the tiny model, two at once."""

    def run(*argv: object) -> Ended:
        return genie("traverse", *argv, "--fps", 6, "--steps", 1, "--batch", 2, "--device", "cpu", "--json")

    return run


@pytest.fixture
def stopped(traverse: Genie, monkeypatch: pytest.MonkeyPatch) -> Genie:
    """The same, stopped after four frames."""
    real = Engine.run

    def stopping(self: Engine, request: Any, control: Control) -> Any:
        for event in real(self, request, control):
            yield event
            if isinstance(event, RenderProgress) and event.frames >= 4:
                control.cancelled.set()

    def run(*argv: object) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "run", stopping)
            ended = traverse(*argv)
        assert ended.code == 130
        assert ended.json["frames"] == 4
        return ended

    return run


def names() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


# --- whose place it takes -------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["walk.mp4", "frames"])
def test_another_video_stays(traverse: Genie, out: str) -> None:
    assert traverse(*A, "--out", out).code == 0
    there = Path(out)
    files = [there] if there.is_file() else sorted(there.iterdir())
    before = [path.read_bytes() for path in files]
    for more in ((), ("--fresh",)):
        ended = traverse(*B, "--out", out, *more)
        assert ended.code == 2
        assert "is there already. Give another --out, or give it up with --replace." in ended.err
        assert ended.json["error"]["option"] == "--replace"
        assert [path.read_bytes() for path in files] == before
    assert names() == [out]
    assert traverse(*B, "--out", out, "--replace").code == 0
    assert [path.read_bytes() for path in files if path.exists()] != before


def test_a_folder_without_pictures_may_be_used(traverse: Genie) -> None:
    Path("frames").mkdir()
    Path("frames/notes.txt").write_text("mine")
    assert traverse(*A, "--out", "frames").code == 0
    assert Path("frames/notes.txt").read_text() == "mine"


def test_without_a_name_the_next_free_one_is_taken(traverse: Genie, stopped: Genie) -> None:
    assert Path(traverse(*A).json["path"]).name == "walk.mp4"
    before = Path("walk.mp4").read_bytes()
    assert Path(stopped(*B).json["path"]).name == "walk_2.mp4"
    assert len(pixels("walk_2.mp4")) == 4
    third = traverse("walk.mp4")  # which is read, and not written
    assert Path(third.json["path"]).name == "walk_3.mp4"
    again = traverse(*B).json  # the same command goes on, past what is there
    assert (Path(again["path"]).name, again["resumed"], again["complete"]) == ("walk_2.mp4", 4, True)
    assert Path("walk.mp4").read_bytes() == before
    assert names() == ["walk.mp4", "walk_2.mp4", "walk_3.mp4"]


def test_frames_of_another_render_stay(traverse: Genie, stopped: Genie) -> None:
    stopped(*A, "--out", "walk.mp4")
    frames = Path("walk.mp4.unfinished/frames.bin")
    clip, before = Path("walk.mp4").read_bytes(), frames.read_bytes()
    for other in (B, (*A, "--spacing", "linear"), (*A, "--seed", 1)):
        ended = traverse(*other, "--out", "walk.mp4")
        assert ended.code == 2
        assert "holds 4 frames of another render, which was stopped. Give another --out" in ended.err
    assert (Path("walk.mp4").read_bytes(), frames.read_bytes()) == (clip, before)
    assert Path(traverse(*B).json["path"]).name == "walk_2.mp4"
    ended = traverse(*A, "--out", "walk.mp4")
    assert (ended.code, ended.json["resumed"]) == (0, 4)


def test_frames_alone_are_given_up_with_fresh(traverse: Genie, stopped: Genie) -> None:
    stopped(*A, "--out", "walk.mp4")
    Path("walk.mp4").unlink()
    assert traverse(*B, "--out", "walk.mp4").code == 2
    ended = traverse(*B, "--out", "walk.mp4", "--fresh")
    assert (ended.code, ended.json["resumed"]) == (0, 0)


def test_a_stopped_render_may_begin_anew(traverse: Genie, stopped: Genie) -> None:
    stopped(*A, "--out", "walk.mp4")
    ended = traverse(*A, "--out", "walk.mp4", "--fresh")
    assert (ended.code, ended.json["resumed"]) == (0, 0)


def test_replace_gives_up_both(traverse: Genie, stopped: Genie) -> None:
    stopped(*A, "--out", "walk.mp4")
    ended = traverse(*B, "--out", "walk.mp4", "--replace")
    assert ended.code == 0
    assert any("begins anew" in said for said in ended.json["notices"])
    assert names() == ["walk.mp4"]


def test_help_shows_where_a_video_goes(genie: Genie) -> None:
    text = " ".join(genie("traverse", "--help").out.split())
    for words in (
        "the video (default: walk.mp4)",
        "(default: fashion32)",
        "(default: all)",
        "(default: 2.0)",
    ):
        assert words in text


# --- options that would do nothing ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [("guidance", "3"), ("seed", "0"), ("classes", "all"), ("model", "tiny"), ("seconds", "2.0")],
)
def test_a_walk_has_its_own(traverse: Genie, option: str, value: str) -> None:
    """Also where the value is the option's default."""
    write_walk(Path("walk.toml"), noise_loop("tiny", 1))
    for words in ((f"--{option}", value), (f"--{option}={value}",)):
        ended = traverse("walk.toml", *words)
        assert ended.code == 2
        assert f"--{option} can't be given with a walk's file, which has its own" in ended.err
        assert ended.json["error"]["option"] == f"--{option}"
    assert names() == ["walk.toml"]


def test_options_of_the_upsampler_change_a_walks_own(traverse: Genie) -> None:
    own = Upsampling("larger", seed=4, steps=3, spacing="linear", aug_level=0.2)
    loop = noise_loop("tiny", 1, seconds=0.4)
    write_walk(Path("enlarged.toml"), loop, Sampling(upsampling=own))
    given = ("--aug-level", 0.3, "--upsample-steps", 1, "--consistent")
    ended = traverse("enlarged.toml", *given)
    assert ended.code == 0
    made = ended.json["request"]["sampling"]["upsampling"]
    assert (made["aug_level"], made["steps"], made["consistent"]) == (0.3, 1, True)
    assert (made["model"], made["seed"], made["spacing"]) == ("larger", 4, "linear")
    assert traverse("enlarged.toml").json["request"]["sampling"]["upsampling"]["steps"] == 3

    write_walk(Path("plain.toml"), loop, Sampling())
    for option, *value in (("--aug-level", 0.3), ("--upsample-steps", 5), ("--consistent",)):
        ended = traverse("plain.toml", option, *value)
        assert ended.code == 2
        assert f"{option} can't be given without --upsample." in ended.err


# --- the walk's own file --------------------------------------------------------------------------


def test_another_file_at_save_walk_stays(traverse: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text("mine")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "__init__", lambda *_: pytest.fail("it began"))
        ended = traverse(*A, "--save-walk", "mine.toml")
    assert ended.code == 2
    assert ended.json["error"]["option"] == "--save-walk"
    message = "mine.toml is there already. Give another --save-walk, or give it up with --replace."
    assert ended.json["error"]["message"] == message
    assert (names(), Path("mine.toml").read_text()) == (["mine.toml"], "mine")
    assert traverse(*A, "--save-walk", "mine.toml", "--replace").code == 0
    assert read_walk(Path("mine.toml")).model == "tiny"
    Path("folder").mkdir()
    ended = traverse(*A, "--save-walk", "folder", "--replace")
    assert (ended.code, ended.json["error"]["option"]) == (2, "--save-walk")
    assert "folder is a folder" in ended.err


def test_a_stopped_render_that_saves_its_walk_goes_on_by_the_same_command(
    traverse: Genie, stopped: Genie
) -> None:
    asked = (*A, "--save-walk", "walk.toml")
    stopped(*asked)
    before = Path("walk.toml").read_bytes()
    ended = traverse(*asked)
    assert (ended.code, ended.json["resumed"]) == (0, 4)
    assert Path("walk.toml").read_bytes() == before
    assert traverse(*B, "--save-walk", "walk.toml").code == 2
