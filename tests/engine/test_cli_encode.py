"""`genie encode`, `genie decode` and `genie edit`, on a tiny model."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import cli
from engine.latents import read_latent
from engine.messages import Control
from engine.messages.edit import Direction
from engine.tasks import Engine
from tests.engine.tiny_model import write_tiny_model


@dataclasses.dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be exactly one JSON object on one line."""
        assert self.out.count("\n") == 1
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data


Genie = Callable[..., Ended]


@pytest.fixture
def genie(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Genie:
    """`genie ARGV...` in this process, in a folder with a few images, with the model "tiny"."""
    write_tiny_model(genie_home / "models")
    write_tiny_model(genie_home / "models", "other", seed=4)
    write_tiny_model(genie_home / "models", "headless", head=False)
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 256, (8, 8)).astype(np.uint8)).save(f"{name}.png")

    def run(*argv: object) -> Ended:
        capsys.readouterr()
        code = cli.main([str(a) for a in argv])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_exact_encode_writes_latent_round_trip_and_report(genie: Genie) -> None:
    ended = genie("encode", "a.png", "--model", "tiny", "--class", "Boat", "--exact", "--steps", 5, "--json")
    assert ended.code == 0
    (image,) = ended.json["images"]
    assert image["fidelity"] == {"psnr": None, "ssim": 1.0, "changed": 0, "largest": 0, "identical": True}
    assert (pixels(image["round_trip"]) == pixels("a.png")).all()
    assert (pixels(image["original"]) == pixels("a.png")).all()
    assert pixels(image["difference"]).max() == 0
    assert len(image["steps"]) == 5
    report = json.loads(Path(image["report"]).read_text())
    assert report["words"] == image["words"]
    latent = read_latent(Path(image["latent"]))
    assert (latent.label, latent.model) == (1, "tiny")
    assert latent.provenance["request"]["photos"][0]["file"] == "a.png"

    decoded = genie("decode", image["latent"], "--out", "back", "--json")
    assert decoded.code == 0
    (file,) = decoded.json["files"]
    assert (pixels(file["path"]) == pixels("a.png")).all()
    assert file["request"]["gammas"] == image["gammas"]


def test_a_folder_with_a_bad_file_in_it(genie: Genie) -> None:
    Path("bad.png").write_bytes(b"no image")
    ended = genie("encode", ".", "--model", "tiny", "--class", "Apple,Boat,none", "--out", "out", "--json")
    assert ended.code == 0
    assert [Path(image["image"]).name for image in ended.json["images"]] == ["a.png", "b.png"]
    assert [image["label"] for image in ended.json["images"]] == [0, 1]
    (refused,) = ended.json["refused"]
    assert refused["name"] == "bad.png"
    assert "bad.png is not an image" in ended.err
    again = genie("encode", "a.png", "--model", "tiny", "--out", "out", "--json")
    assert again.json["images"][0]["latent"] == "out/a_2.latent.safetensors"
    assert Path("out/a.latent.safetensors").exists()


def test_what_is_clear_shows_what_lies_behind_the_pictures_of_the_model(genie: Genie) -> None:
    Image.new("RGBA", (8, 8), (200, 0, 0, 0)).save("clear.png")
    card = Path(os.environ["GENIE_HOME"]) / "models" / "tiny" / "card.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("[model]", "[model]\nbackground = [255, 255, 255]"), encoding="utf-8")
    for option, found in ((), [255] * 3), (("--background", "0,9,0"), [0, 9, 0]):
        ended = genie("encode", "clear.png", "--model", "tiny", *option, "--json")
        assert ended.json["request"]["photos"][0]["background"] == found


def test_words_for_a_person(genie: Genie) -> None:
    ended = genie("encode", "a.png", "--model", "tiny", "--crop=-1,-1,10,10", "--steps", 3)
    assert ended.code == 0
    assert "1 image encoded." in ended.out
    assert "filled with the background beyond its edges" in ended.out
    assert "a.latent.safetensors" in ended.out


def test_a_model_without_a_head_has_solvers_too(genie: Genie) -> None:
    assert genie("encode", "a.png", "--model", "headless", "--json").json["request"]["solver"] == "dpmpp-2m"
    ended = genie("encode", "a.png", "--model", "headless", "--exact", "--json")
    assert ended.json["request"]["solver"] == "ddim"
    assert ended.json["images"][0]["fidelity"]["identical"]


def test_the_curve(genie: Genie) -> None:
    ended = genie("encode", "a.png", "--model", "tiny", "--curve", "--json")
    assert ended.code == 0
    points = json.loads(Path(ended.json["path"]).read_text())["points"]
    assert [(p["solver"], p["steps"]) for p in points] == [
        (solver, steps) for solver in ("genie-2m", "ddim") for steps in (5, 10, 15, 25, 50)
    ]


@pytest.mark.parametrize(
    ("argv", "pictures"),
    [
        (("--kind", "class", "--class", "Apple", "--to", "Boat", "--strength", "0,0.4,0.8"), 3),
        (("--kind", "blend", "--other", "b.png", "--other-class", "Boat"), 1),
        (("--kind", "vary", "--seeds", "3,4", "--strength", "0.2,0.5"), 4),
        (("--kind", "mask", "--mask", "mask.png", "--to", "Boat", "--feather", "0"), 1),
        (("--kind", "attribute", "--toward", "Boat", "--away", "Apple", "--scale", "2"), 1),
        (("--kind", "paint", "--painted", "paint.png", "--class", "Cloud"), 1),
        (("--kind", "class", "--class", "Apple", "--to", "Boat", "--exact"), 1),
    ],
)
def test_every_kind_of_edit(genie: Genie, argv: tuple[str, ...], pictures: int) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    Image.fromarray(mask).save("mask.png")
    layer = np.zeros((8, 8, 4), np.uint8)
    layer[:2] = 255
    Image.fromarray(layer).save("paint.png")
    ended = genie("edit", "a.png", "--model", "tiny", "--steps", 4, "--out", "out", "--json", *argv)
    assert ended.code == 0, ended.err
    assert len(ended.json["files"]) == pictures
    for file in ended.json["files"]:
        same = (pixels(file["path"]) == pixels("a.png")).all()
        assert same == (file["strength"] == 0) == file["fidelity"]["identical"]
    if "mask" in argv:
        assert (pixels(ended.json["files"][0]["path"])[4:] == pixels("a.png")[4:]).all()
    if "attribute" in argv:
        direction = ended.json["direction"]
        again = genie(
            "edit", "b.png", "--model", "tiny", "--kind", "attribute", "--direction", direction, "--json"
        )
        assert again.code == 0, again.err


@pytest.mark.parametrize(("stopped", "code"), [(True, 130), (False, 2)])
def test_a_direction_that_was_not_finished_is_told(
    genie: Genie, monkeypatch: pytest.MonkeyPatch, stopped: bool, code: int
) -> None:
    real = Engine.run

    def run(self: Engine, request: Any, control: Control) -> Any:
        for event in real(self, request, control):
            if stopped:
                control.cancelled.set()
            yield dataclasses.replace(event, latent=b"") if isinstance(event, Direction) else event

    monkeypatch.setattr(Engine, "run", run)
    ended = genie(
        "edit", "a.png", "--model", "tiny", "--kind", "attribute", "--toward", "Apple", "--away", "Boat",
        "--json",
    )  # fmt: skip
    assert (ended.code, ended.json) == (code, {"complete": False, "direction": None, "files": []})


def test_a_long_name_is_cut_to_what_a_file_may_have(genie: Genie) -> None:
    name = "\u732b" * 80
    Path("a.png").rename(f"{name}.png")
    (image,) = genie("encode", f"{name}.png", "--model", "tiny", "--json").json["images"]
    assert Path(image["latent"]).name.startswith("\u732b" * 33 + ".")


def test_a_latent_is_edited(genie: Genie) -> None:
    (image,) = genie("encode", "a.png", "--model", "tiny", "--exact", "--json").json["images"]
    ended = genie("edit", image["latent"], "--model", "tiny", "--kind", "class", "--to", "Boat", "--json")
    assert ended.code == 0, ended.err
    assert Path(ended.json["files"][0]["path"]).name == "a_class_0.60.png"
    assert ended.json["request"]["label"] is None


def test_a_latent_is_of_the_class_it_was_encoded_as(genie: Genie) -> None:
    encoded = genie("encode", "a.png", "--model", "tiny", "--class", "Boat", "--json").json
    (image,) = encoded["images"]
    ended = genie("edit", image["latent"], "--model", "tiny", "--kind", "vary", "--seeds", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["request"]["label"] == image["label"] is not None


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("encode",), "Which images?"),
        (("encode", "none.png"), "No such file"),
        (("encode", "x" * 300), "File name too long"),
        (("edit", "a.png", "--kind", "attribute", "--toward", "x" * 300, "--away", "Boat"), "--toward"),
        (("encode", "empty"), "holds no images"),
        (("encode", "words.txt"), "not an image"),
        (("encode", "a.png", "--class", "Boot"), "--class"),
        (("encode", "a.png", "--class", "Apple,Boat"), "there are 1 images"),
        (("encode", "a.png", "--solver", "gene"), "Did you mean"),
        (("encode", "a.png", "--exact", "--solver", "unipc"), "can't be inverted exactly"),
        (("encode", "a.png", "--crop", "1,2,3"), "--crop"),
        (("encode", "a.png", "--crop", "90,0,8,8"), "lies outside"),
        (("encode", "a.png", "b.png", "--curve"), "about one image"),
        (("decode",), "Which latents?"),
        (("decode", "words.txt"), "not a latent"),
        (("decode", "none.safetensors"), "Couldn't read the latent"),
        (("edit", "a.png", "--kind", "class"), "--to is needed"),
        (("edit", "--kind", "class", "--to", "Boat"), "Which image?"),
        (("edit", "a.png", "--kind", "class", "--to", "Boat", "--strength", "1.5"), "--strength"),
        (("edit", "a.png", "--kind", "class", "--to", "Boat", "--strength", "x"), "--strength"),
        (("edit", "a.png", "--kind", "recolour"), "Allowed"),
        (("edit", "a.png", "--kind", "vary", "--seeds", "a"), "--seeds"),
        (("edit", "a.png", "--kind", "mask"), "--mask is needed"),
        (("edit", "a.png", "--kind", "mask", "--mask", "big.png", "--to", "Boat"), "mask is 16 x 16"),
        (("edit", "a.png", "--kind", "attribute"), "--direction is needed"),
        (("edit", "a.png", "--kind", "attribute", "--toward", "Boat"), "--away is needed"),
        (("edit", "a.png", "--kind", "attribute", "--direction", "words.txt"), "not a latent"),
    ],
)
def test_bad_input_in_plain_words(genie: Genie, argv: tuple[str, ...], words: str) -> None:
    Path("empty").mkdir()
    Path("words.txt").write_text("words")
    Image.new("L", (16, 16)).save("big.png")
    model = () if argv[0] == "decode" else ("--model", "tiny")
    ended = genie(*argv, *model, "--json")
    assert ended.code == 2
    assert words in ended.json["error"]["message"]
    assert ended.json["error"]["kind"] != "bug"


def test_a_latent_of_another_model(genie: Genie) -> None:
    (image,) = genie("encode", "a.png", "--model", "tiny", "--json").json["images"]
    ended = genie("decode", image["latent"], "--model", "other", "--json")
    assert ended.code == 2
    assert "belongs to the model 'tiny'" in ended.json["error"]["message"]


def test_a_cut_may_begin_beyond_the_edge(genie: Genie) -> None:
    """Though argparse takes what begins with a dash for an option."""
    for crop in (("--crop", "-5,0,10,10"), ("--crop=-5,0,10,10",), ("--crop", "-5,-2,10,10")):
        ended = genie("encode", "a.png", "--model", "tiny", *crop, "--steps", 1, "--json")
        assert ended.code == 0
        (photo,) = ended.json["request"]["photos"]
        assert photo["crop"] == [int(part) for part in crop[-1].removeprefix("--crop=").split(",")]
    ended = genie("encode", "a.png", "--model", "tiny", "--crop", "-5,0,10")
    assert (ended.code, "--crop is '-5,0,10'; 4 whole numbers" in ended.err) == (2, True)
    assert "There is no option -5,0,10" in genie("encode", "--exact", "-5,0,10").err
    assert "Couldn't read -5,0,10" in genie("encode", "--model", "tiny", "--", "-5,0,10").err


def test_a_name_that_can_not_be_printed_ends_nothing(genie: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a disk with names in another encoding than standard output's."""
    (made,) = genie("encode", "a.png", "--model", "tiny", "--steps", 1, "--json").json["images"]
    latents = [Path(f"{letter}\udce9.latent.safetensors") for letter in "pq"]
    for latent in latents:
        shutil.copyfile(made["latent"], latent)
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="utf-8", errors="strict"))
    assert cli.main(["decode", *map(str, latents), "--steps", "1", "--out", "gar\udce7on"]) == 0
    assert len(list(Path("gar\udce7on").glob("*.png"))) == 2
    lines = printed.getvalue().decode("ascii").splitlines()
    assert [line.split(":")[0] for line in lines] == [r"gar\udce7on/p.png", r"gar\udce7on/q.png"]


@pytest.mark.parametrize(("option", "kept"), [("device", "cpu"), ("precision", "fp32")])
def test_what_was_given_counts_even_if_it_is_what_is_usual(genie: Genie, option: str, kept: str) -> None:
    encode = ("encode", "a.png", "--model", "tiny", "--steps", 2, f"--{option}", kept, "--json")
    (image,) = genie(*encode).json["images"]
    for more, wanted in (((), kept), ((f"--{option}", "auto"), "auto"), ((f"--{option}=auto",), "auto")):
        ended = genie("decode", image["latent"], "--out", "back", "--json", *more)
        assert ended.code == 0, ended.err
        assert ended.json["files"][0]["request"][option] == wanted


def test_help_says_that_the_latent_decides_where_it_is_decoded(genie: Genie) -> None:
    words = " ".join(genie("decode", "--help").out.split())
    assert words.count("(default: as it was encoded)") == 2


@pytest.mark.parametrize(
    ("kind", "option", "value", "goes", "takes"),
    [
        ("class", "--seeds", "1,2", "vary", "--to"),
        ("class", "--feather", "2", "mask", "--to"),
        ("blend", "--to", "Boat", "class or mask", "--other, --other-class"),
        ("vary", "--seed", "5", "mask", "--seeds"),
        ("mask", "--scale", "1", "attribute", "--mask, --to, --feather, --seed"),
        ("attribute", "--painted", "b.png", "paint", "--direction, --toward, --away, --scale"),
        ("paint", "--other-class", "Boat", "blend", "--painted"),
    ],
)
def test_an_option_of_another_kind_is_refused(
    genie: Genie, kind: str, option: str, value: str, goes: str, takes: str
) -> None:
    ended = genie("edit", "a.png", "--model", "tiny", "--kind", kind, option, value, "--json")
    assert ended.code == 2
    assert ended.json["error"] == {
        "kind": "bad-request",
        "message": f"{option} is {value!r}, but it goes with --kind {goes}, not with --kind {kind}. "
        f"Of these, --kind {kind} takes: {takes}.",
        "option": option,
    }
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (("--toward", "Boat", "--away", "Apple"), "--toward and --away would"),
        (("--toward", "Boat"), "--toward would"),
        (("--away", "Apple"), "--away would"),
    ],
)
def test_a_direction_is_given_or_made_but_not_both(genie: Genie, made: tuple[str, ...], named: str) -> None:
    ended = genie(
        "edit", "a.png", "--model", "tiny", "--kind", "attribute", "--direction", "d.safetensors", *made,
        "--json",
    )  # fmt: skip
    assert ended.code == 2
    assert ended.json["error"] == {
        "kind": "bad-request",
        "message": f"--direction is 'd.safetensors', but {named} make another one. "
        "Give either --direction or both --toward and --away.",
        "option": "--direction",
    }
    assert not Path("out").exists()


def test_every_option_of_a_kind_is_known_to_belong_to_it(genie: Genie) -> None:
    words = genie("edit", "--help").out.partition("for one kind or another:")[2].partition("\n\n")[0]
    options = {word for word in words.replace("=", " ").split() if word.startswith("--")} - {"--away"}
    for option in sorted(options):
        value = "1" if option in ("--feather", "--seed", "--scale") else "x"
        kind = "vary" if option != "--seeds" else "class"
        ended = genie("edit", "a.png", "--model", "tiny", "--kind", kind, option, value)
        assert ended.code == 2
        assert f"not with --kind {kind}" in ended.err
