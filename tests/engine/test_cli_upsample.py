"""`genie upsample` and `genie generate --upsample`: the same images, whichever way."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.checkpoints import library
from engine.cli import following, saving
from engine.images import read_settings
from engine.messages import Control, PngImage, UpsampleRequest
from engine.tasks import Engine
from tests.engine.cli_kit import Ended, Genie, runner
from tests.engine.tiny_model import write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler


@pytest.fixture
def genie(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Genie:
    """In an empty folder, with a colour model "tiny" and its upsampler "larger", and no others."""
    monkeypatch.setattr(library, "bundled_folder", lambda: tmp_path / "nothing bundled")
    write_tiny_model(genie_home / "models", channels=3)
    write_tiny_upsampler(genie_home / "models")
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def upsample(genie: Genie) -> Genie:
    def run(*argv: object) -> Ended:
        return genie("upsample", *argv, "--steps", 2, "--device", "cpu")

    return run


def picture(path: str, width: int = 8, height: int = 8, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return Path(path)


def pixels(path: str | Path) -> bytes:
    with Image.open(path) as image:
        assert image.size == (32, 32)
        return image.tobytes()


# --- genie upsample ---------------------------------------------------------------------------


def test_where_nothing_is_said_the_noise_is_what_suits_the_upsampler(
    genie: Genie, upsample: Genie, genie_home: Path
) -> None:
    write_tiny_upsampler(genie_home / "models", aug_level=0.03)
    image = picture("a.png")
    assert upsample(image, "--json").json["request"]["aug_level"] == 0.03
    given = upsample(image, "--aug-level", 0.2, "--out", "other", "--json")
    assert given.json["request"]["aug_level"] == 0.2
    assert not given.json["request"]["consistent"]
    card = genie_home / "models" / "larger" / "card.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("[model]", "[model]\nconsistent = true"), encoding="utf-8")
    assert upsample(image, "--json").json["request"]["consistent"]
    assert not upsample(image, "--no-consistent", "--json").json["request"]["consistent"]
    made = genie(
        "generate", "--model", "tiny", "--count", 1, "--steps", 2, "--upsample", "larger",
        "--upsample-steps", 2, "--device", "cpu", "--out", "both", "--json",
    )  # fmt: skip
    (large,) = made.json["upsampled"]["files"]
    request = read_settings(Path(large["path"])).request
    assert isinstance(request, UpsampleRequest)
    assert (request.aug_level, request.consistent) == (0.03, True)


def test_every_image_is_a_file_with_its_settings(upsample: Genie) -> None:
    first, second = picture("a cat.png"), picture("b.png", seed=1)
    ended = upsample(first, second, "--model", "larger", "--seed", 3, "--out", "large", "--json")
    assert ended.code == 0
    data = ended.json
    assert [Path(file["path"]).name for file in data["files"]] == [
        "a cat_larger_genie-2_seed-00000003.png",
        "b_larger_genie-2_seed-00000004.png",
    ]
    assert [(file["seed"], file["aug_seed"]) for file in data["files"]] == [(3, 3), (4, 4)]
    assert (data["complete"], data["evaluations"]) == (True, 2)
    assert data["request"]["images"][0]["file"] == "a cat.png"
    there = read_settings(Path(data["files"][1]["path"]))
    assert isinstance(there.request, UpsampleRequest)
    assert there.request.seeds == (4,)
    # The small picture is in the file: it is all that is needed to make the large one again.
    (source,) = there.request.images
    assert isinstance(source, PngImage)


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_an_image_is_made_again_from_its_file_alone(upsample: Genie, genie: Genie, kind: str) -> None:
    source = picture("a.png", 20, 12)
    options = ("--crop", "--seed", 7, "--aug-seed", 2, "--aug-level", 0.3, "--format", kind)
    (made,) = upsample(source, *options, "--json").json["files"]
    source.unlink()
    ended = genie("upsample", "--from", made["path"], "--format", kind, "--out", "again", "--json")
    assert ended.code == 0
    (again,) = ended.json["files"]
    assert Path(again["path"]).name == Path(made["path"]).name
    assert pixels(again["path"]) == pixels(made["path"])


def test_a_file_is_replaced_by_the_same_image_only(upsample: Genie) -> None:
    source = picture("a.png")
    (first,) = upsample(source, "--json").json["files"]
    assert upsample(source, "--json").json["files"] == [first]
    (other,) = upsample(source, "--aug-level", 0.4, "--json").json["files"]
    assert other["path"].endswith("_2.png")
    assert pixels(other["path"]) != pixels(first["path"])


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u732b"])  # one, two and three bytes
def test_a_long_name_is_cut_to_what_a_file_may_have(upsample: Genie, genie: Genie, letter: str) -> None:
    name = letter * (240 // len(letter.encode()))
    ended = upsample(picture(f"{name}.png"), "--json")
    assert ended.code == 0, ended.err
    (file,) = ended.json["files"]
    stem = Path(file["path"]).name.partition("_larger_")[0]
    assert stem == letter * (100 // len(letter.encode()))
    Path(file["path"]).rename(f"{name}.png")
    assert genie("upsample", "--from", f"{name}.png", "--out", "again").code == 0
    assert [path.name for path in Path("again").iterdir()] == [Path(file["path"]).name]


def test_options_may_stand_between_the_images(upsample: Genie) -> None:
    ended = upsample(picture("a.png"), "--steps", 1, picture("b.png", seed=1), "--json")
    assert (ended.code, len(ended.json["files"])) == (0, 2)


def test_the_upsampler_that_fits_is_found(upsample: Genie, genie_home: Path) -> None:
    source = picture("a.png")
    assert upsample(source, "--json").json["request"]["model"] == "larger"
    write_tiny_upsampler(genie_home / "models", "other")
    ended = upsample(source)
    assert ended.code == 2
    assert "Choose one of the upsamplers: larger (from 8 pixels), other (from 8 pixels)" in ended.err


def test_words_for_a_person(upsample: Genie) -> None:
    ended = upsample(picture("a.png"))
    assert "1 image of 32x32 in out: 2 evaluations each" in ended.out
    assert "a_larger_genie-2_seed-00000000.png" in ended.out
    assert "image 1 of 1  step" in ended.err or "Starting" in ended.err


@pytest.mark.parametrize(
    ("argv", "option", "words"),
    [
        ((), None, "Which images?"),
        (("missing.png",), None, "Couldn't read missing.png: No such file"),
        (("text.png",), None, "text.png is not an image this program can open"),
        (("wide.png",), "--crop", "wide.png is 20 x 12; 8 x 8 is needed"),
        (("a.png", "--model", "tiny"), "--model", "enlarges none. Upsamplers: larger"),
        (("a.png", "--model", "nobody"), "--model", "There is no model 'nobody'"),
        (("a.png", "--aug-level", "0"), "--aug-level", "a number from 0.001 to 1"),
        (("a.png", "--spacing", "even"), "--spacing", "Allowed:"),
        (("a.png", "--from", "a.png"), None, "can't be given with --from"),
    ],
)
def test_bad_input(upsample: Genie, argv: tuple[str, ...], option: str | None, words: str) -> None:
    picture("a.png")
    picture("wide.png", 20, 12)
    Path("text.png").write_text("not a picture")
    ended = upsample(*argv, "--json")
    assert ended.code == 2
    error = ended.json["error"]
    assert words in error["message"]
    assert error["option"] == option
    assert not list(Path().glob("out/*"))


def test_from_refuses_other_pictures_and_settings(genie: Genie, upsample: Genie) -> None:
    (made,) = upsample(picture("a.png"), "--json").json["files"]
    assert "carries no settings" in genie("upsample", "--from", "a.png").err
    for option, value in (("--seed", 3), ("--seed", 0), ("--steps", 5)):
        ended = genie("upsample", "--from", made["path"], option, value)
        assert ended.code == 2
        assert f"{option} can't be given with --from" in ended.err
    (small,) = genie("generate", "--model", "tiny", "--classes", 0, "--steps", 1, "--json").json["files"]
    assert "was not enlarged" in genie("upsample", "--from", small["path"]).err


def test_a_stop_keeps_what_is_finished(upsample: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Engine.run

    def run(self: Engine, request: Any, control: Control) -> Any:
        for event in real(self, request, control):
            yield event
            if getattr(event, "first", None) == 1:
                control.cancelled.set()

    monkeypatch.setattr(Engine, "run", run)
    ended = upsample(picture("a.png"), picture("b.png", seed=1), "--json")
    assert ended.code == 130
    assert (ended.json["complete"], len(ended.json["files"])) == (False, 1)


def test_an_engine_that_says_nothing_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def run(self, request: Any, control: Any) -> Any:
            return iter(())

    with pytest.raises(Exception, match="ended without a result"):
        following.follow(Silent(), None, threading.Event(), None)  # type: ignore[arg-type]


# --- genie generate --upsample ----------------------------------------------------------------


@pytest.fixture
def generate(genie: Genie) -> Genie:
    def run(*argv: object) -> Ended:
        return genie("generate", "--model", "tiny", "--steps", 2, "--device", "cpu", *argv)

    return run


def test_generated_images_are_made_large(generate: Genie, genie: Genie) -> None:
    ended = generate("--classes", "0,1", "--seed", 5, "--upsample", "--upsample-steps", 2, "--json")
    assert ended.code == 0
    small, large = ended.json["files"], ended.json["upsampled"]
    assert (large["model"], large["complete"], len(large["files"])) == ("larger", True, 2)
    stem = Path(small[0]["path"]).stem
    assert Path(large["files"][0]["path"]).name == f"{stem}_larger_genie-2_seed-00000005.png"
    # From the files, one by one, they come out the same.
    for before, after in zip(small, large["files"], strict=True):
        again = genie(
            "upsample", before["path"], "--seed", before["seed"], "--steps", 2, "--device", "cpu",
            "--out", "again", "--json",
        )  # fmt: skip
        assert pixels(again.json["files"][0]["path"]) == pixels(after["path"])
    # The large picture says how the small one was made.
    there = read_settings(Path(large["files"][1]["path"])).request
    assert isinstance(there, UpsampleRequest)
    source = there.images[0]
    assert isinstance(source, PngImage)
    Path("small.png").write_bytes(source.data)
    assert read_settings(Path("small.png")).request == read_settings(Path(small[1]["path"])).request


def test_a_file_is_made_again_and_large(generate: Genie, genie: Genie) -> None:
    (small, _) = generate("--classes", "0,1", "--json").json["files"]
    ended = genie(
        "generate", "--from", small["path"], "--upsample", "larger", "--upsample-steps", 1, "--json"
    )
    assert ended.code == 0
    assert len(ended.json["upsampled"]["files"]) == 1


def test_without_it_nothing_is_said_of_it(generate: Genie) -> None:
    assert "upsampled" not in generate("--classes", 0, "--json").json


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--upsample", "nobody"), "There is no model 'nobody'"),
        (
            ("--upsample", "tiny"),
            "Tiny can't enlarge images of Tiny (8 x 8). These could enlarge its images: larger",
        ),
        (
            ("--model", "grey", "--upsample"),
            "Grey has no upsampler of its own. `genie models import` adds one",
        ),
        (("--model", "larger"), "Larger makes no images of noise"),
        (("--upsample-steps", "25"), "--upsample-steps can't be given without --upsample."),
        (("--upsample-steps", "5"), "--upsample-steps can't be given without --upsample."),
        (("--aug-level", "0.2"), "--aug-level can't be given without --upsample."),
        (("--no-consistent",), "--consistent can't be given without --upsample."),
    ],
)
def test_what_generate_refuses(generate: Genie, genie_home: Path, argv: tuple[str, ...], words: str) -> None:
    write_tiny_model(genie_home / "models", "grey")
    ended = generate("--classes", "none", *argv, "--json")
    assert ended.code == 2
    assert words in ended.json["error"]["message"]
    assert not list(Path().glob("out/*"))


def test_a_stop_while_they_are_made_large(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Engine.run

    def run(self: Engine, request: Any, control: Control) -> Any:
        for event in real(self, request, control):
            yield event
            if request.kind == "upsample" and getattr(event, "first", None) == 1:
                control.cancelled.set()

    monkeypatch.setattr(Engine, "run", run)
    ended = generate("--classes", "0,1,2", "--upsample", "--json")
    assert ended.code == 130
    assert (ended.json["complete"], ended.json["upsampled"]["complete"]) == (True, False)
    assert (len(ended.json["files"]), len(ended.json["upsampled"]["files"])) == (3, 1)
    assert "1 of 3 images were enlarged" in ended.err


def test_a_stop_before_any_is_made_large(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    real = saving.Saver.save

    def interrupted(self: saving.Saver, index: int) -> Path:
        path = real(self, index)
        if index == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return path

    monkeypatch.setattr(saving.Saver, "save", interrupted)
    ended = generate("--classes", "0,1,2", "--upsample", "--json")
    assert ended.code == 130
    assert (ended.json["complete"], ended.json["upsampled"]) == (True, None)
    assert "Stopped. The images are kept; none of them was enlarged." in ended.err
    assert len(list(Path("out").glob("*.png"))) == len(ended.json["files"]) == 3
