"""The command line, on a tiny model: what it writes, what it says, how it ends."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from engine import cli
from engine.cli.classes import slug
from engine.cli.console import Console, duration
from engine.errors import EngineError, UnusableFolder
from engine.images import read_settings
from engine.messages import SPACINGS, Control, Progress
from engine.solvers import solver_infos
from tests.engine.cli_kit import Ended, Genie, runner
from tests.engine.tiny_model import CLASSES, write_tiny_model


@pytest.fixture
def genie(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Genie:
    """`genie ARGV...` in this process, in an empty folder, with the model "tiny"."""
    write_tiny_model(genie_home / "models")
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def generate(genie: Genie) -> Genie:
    """`genie generate --model tiny --steps 2 --device cpu ARGV...`"""

    def run(*argv: object) -> Ended:
        return genie("generate", "--model", "tiny", "--steps", 2, "--device", "cpu", *argv)

    return run


def pixels(path: str | Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()


# --- generate: what it writes ------------------------------------------------------------------


def test_all_goes_round_the_classes_and_seeds_count_up(generate: Genie) -> None:
    ended = generate("--classes", "all", "--count", 4, "--seed", 7, "--out", "here", "--json")
    assert ended.code == 0
    files = ended.json["files"]
    assert [f["class"] for f in files] == ["Apple", "Boat", "Cloud", "Apple"]
    assert [f["seed"] for f in files] == [7, 8, 9, 10]
    assert [Path(f["path"]).name for f in files] == [
        "tiny_apple_genie-2_seed-00000007.png",
        "tiny_boat_genie-2_seed-00000008.png",
        "tiny_cloud_genie-2_seed-00000009.png",
        "tiny_apple_genie-2_seed-00000010.png",
    ]
    assert sorted(p.name for p in Path("here").iterdir()) == sorted(Path(f["path"]).name for f in files)
    for file in files:
        with Image.open(file["path"]) as image:
            assert (image.size, image.mode) == ((8, 8), "L")
    assert len({pixels(f["path"]) for f in files}) == 4


def test_without_a_count_there_is_one_of_each_class(generate: Genie) -> None:
    assert len(generate("--json").json["files"]) == len(CLASSES)
    assert [f["label"] for f in generate("--classes", "cloud,0", "--json").json["files"]] == [2, 0]
    assert len(generate("--classes", "random", "--json").json["files"]) == 1


def test_classes_are_matched_whatever_their_case(generate: Genie) -> None:
    ended = generate("--classes", "BOAT, apple,2", "--json")
    assert [f["class"] for f in ended.json["files"]] == ["Boat", "Apple", "Cloud"]


def test_random_classes_depend_on_the_seed_alone(generate: Genie) -> None:
    first = generate("--classes", "random", "--count", 8, "--seed", 3, "--json").json
    later = generate("--classes", "random", "--count", 3, "--seed", 5, "--json").json
    assert [f["label"] for f in first["files"]][2:5] == [f["label"] for f in later["files"]]


def test_every_option_reaches_the_request(generate: Genie) -> None:
    ended = generate(
        "--classes", "Boat", "--seed", 5, "--solver", "heun", "--spacing", "rho", "--guidance", 0.5,
        "--afs", "--denoise", "--t-end", 0.01, "--precision", "fp32", "--batch", 1, "--json",
    )  # fmt: skip
    request = ended.json["request"]
    assert request == {
        "model": "tiny", "seed": 5, "labels": [1], "solver": "heun", "steps": 2, "spacing": "rho",
        "guidance": 0.5, "guidance_model": None, "analytic_first": True, "denoise": True,
        "t_end": 0.01, "device": "cpu", "precision": "fp32", "batch": 1,
    }  # fmt: skip
    there = read_settings(Path(ended.json["files"][0]["path"]))
    assert json.loads(json.dumps(dataclasses.asdict(there.request))) == request
    assert ended.json["evaluations"] == 2 * ended.json["evaluations_paper"]


def test_guidance_is_what_suits_the_model(generate: Genie, genie_home: Path) -> None:
    card = genie_home / "models" / "tiny" / "card.toml"
    text = card.read_text(encoding="utf-8")
    card.write_text(text.replace("[model]", "[model]\nguidance = 1.5"), encoding="utf-8")
    assert generate("--json").json["request"]["guidance"] == 1.5
    assert generate("--guidance", 0, "--json").json["request"]["guidance"] == 0.0


def test_json_is_alone_on_standard_output(generate: Genie) -> None:
    ended = generate("--classes", "0", "--grid", "--json")
    data = ended.json
    assert data["complete"] is True
    assert data["provenance"]["device"] == "cpu"
    assert Path(data["grid"]).exists()
    plain = generate("--classes", "0")
    assert data["files"][0]["path"] in plain.out


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_each_format_keeps_its_settings(generate: Genie, kind: str) -> None:
    path = Path(generate("--classes", "1", "--format", kind, "--json").json["files"][0]["path"])
    assert path.suffix == f".{kind}"
    assert read_settings(path).request.labels == (1,)


def test_grid_holds_every_image(generate: Genie) -> None:
    data = generate("--count", 4, "--grid", "--json").json
    with Image.open(data["grid"]) as grid:
        assert grid.size == (16, 16)
        assert grid.crop((8, 8, 16, 16)).tobytes() == pixels(data["files"][3]["path"])


def test_a_drawn_seed_is_told_and_repeats_the_image(generate: Genie) -> None:
    drawn = generate("--seed", -1, "--classes", "0", "--out", "a", "--json")
    seed = drawn.json["files"][0]["seed"]
    assert seed >= 0
    assert str(seed) in drawn.err
    again = generate("--seed", seed, "--classes", "0", "--out", "b", "--json")
    assert pixels(again.json["files"][0]["path"]) == pixels(drawn.json["files"][0]["path"])


def test_from_repeats_one_image_of_a_batch_bit_by_bit(generate: Genie, genie: Genie) -> None:
    files = generate("--count", 5, "--batch", 3, "--guidance", 1.5, "--out", "a", "--json").json["files"]
    for file in (files[1], files[4]):
        again_ended = genie("generate", "--from", file["path"], "--out", "b", "--json")
        again = again_ended.json["files"]
        assert [f["seed"] for f in again] == [file["seed"]]
        assert Path(again[0]["path"]).name == Path(file["path"]).name
        assert pixels(again[0]["path"]) == pixels(file["path"])
        assert again_ended.err.count("may differ by rounding") == 0
    # And what was repeated can be repeated.
    third = genie("generate", "--from", again[0]["path"], "--out", "c", "--json").json["files"]
    assert pixels(third[0]["path"]) == pixels(files[4]["path"])


# --- generate: other people's files ------------------------------------------------------------


def test_the_same_settings_take_their_own_place(generate: Genie) -> None:
    first = generate("--classes", "0", "--json").json["files"]
    assert generate("--classes", "0", "--json").json["files"] == first
    assert len(list(Path("out").iterdir())) == 1


def test_another_image_gets_another_name(generate: Genie) -> None:
    first = generate("--classes", "0", "--json").json["files"][0]["path"]
    before = Path(first).read_bytes()
    second = generate("--classes", "0", "--denoise", "--json").json["files"][0]["path"]
    assert Path(second).name == "tiny_apple_genie-2_seed-00000000_2.png"
    assert Path(first).read_bytes() == before
    assert generate("--classes", "0", "--denoise", "--json").json["files"][0]["path"] == second


def test_a_file_of_somebody_else_stays(generate: Genie) -> None:
    Path("out").mkdir()
    stranger = Path("out/tiny_apple_genie-2_seed-00000000.png")
    stranger.write_text("my notes")
    written = generate("--classes", "0", "--json").json["files"][0]["path"]
    assert stranger.read_text() == "my notes"
    assert Path(written).name.endswith("_2.png")


def test_a_grid_of_other_images_gets_another_name(generate: Genie) -> None:
    first = generate("--grid", "--json").json["grid"]
    assert generate("--grid", "--json").json["grid"] == first
    assert generate("--grid", "--denoise", "--json").json["grid"] != first


def test_a_disk_full_in_the_middle_keeps_what_was_saved(
    generate: Genie, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.cli import saving

    real, calls = saving.save, []

    def full(path: Path, *rest: Any) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise UnusableFolder(f"Couldn't write {path}: No space left on device.", field="out")
        real(path, *rest)

    monkeypatch.setattr(saving, "save", full)
    ended = generate("--json")
    assert ended.code == 2
    assert ended.json["error"]["option"] == "--out"
    assert "No space left" in ended.err
    assert "2 of 3 images were saved before" in ended.err
    assert [read_settings(p).index for p in sorted(Path("out").glob("*.png"))] == [0, 1]


def test_memory_that_ends_keeps_what_is_finished(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.networks.compact import CompactUNet

    real, calls = CompactUNet.forward, []

    def forward(self: CompactUNet, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 4:  # two images of two steps
            raise MemoryError
        return real(self, *arguments)

    monkeypatch.setattr(CompactUNet, "forward", forward)
    ended = generate("--batch", 1, "--json")
    assert ended.code == 2
    assert ended.json["complete"] is False
    assert [Path(f["path"]).exists() for f in ended.json["files"]] == [True, True]
    assert "first 2 of 3 pictures are finished" in ended.err
    assert "Stopped" not in ended.err


# --- generate: what is wrong, and what to do ---------------------------------------------------

WRONG = {
    "steps in words": (["--steps", "ten"], "--steps", "'ten'; a whole number from 1 to 1,000"),
    "no steps": (["--steps", "0"], "--steps", "'0'; a whole number from 1 to 1,000"),
    "steps below": (["--steps", "-1"], "--steps", "'-1'; a whole number from 1 to 1,000"),
    "steps beyond": (["--steps", "10000000"], "--steps", "'10000000'; a whole number from 1 to 1,000"),
    "steps of many digits": (["--steps", "9" * 9000], "--steps", "a whole number from 1 to 1,000"),
    "count beyond": (["--count", "1000000000"], "--count", "from 1 to 10,000"),
    "count below": (["--count", "0"], "--count", "from 1 to 10,000"),
    "seed below": (["--seed", "-2"], "--seed", "from -1 to"),
    "guidance nan": (["--guidance", "nan"], "--guidance", "'nan'; a number from -1 to 50"),
    "guidance inf": (["--guidance", "inf"], "--guidance", "a number from -1 to 50"),
    "time": (["--t-end", "0"], "--t-end", "from 1e-05 to 0.5"),
    "model": (["--model", "tinny"], "--model", "Did you mean 'tiny'"),
    "guidance model": (
        ["--guidance-model", "tinny", "--guidance", "1"],
        "--guidance-model",
        "Did you mean 'tiny'",
    ),
    "solver": (["--solver", "geni"], "--solver", "Did you mean 'genie'"),
    "spacing": (["--spacing", "quadrat"], "--spacing", "Did you mean 'quadratic'"),
    "device": (["--device", "gpu"], "--device", "Allowed: auto, cpu, cuda, mps"),
    "precision": (["--precision", "fp8"], "--precision", "Allowed: auto, fp32, bf16, fp16"),
    "format": (["--format", "bmp"], "--format", "Allowed: png, jpg, webp"),
    "class": (["--classes", "aple"], "--classes", "Did you mean Apple? It knows: 0 Apple, 1 Boat, 2 Cloud"),
    "class number": (["--classes", "0,3"], "--classes", "number 3; Tiny knows 0 to 2"),
    "no class": (["--classes", ","], "--classes", "all or random"),
    "no value": (["--seed"], "--seed", "needs a value"),
    "no picture": (["--from", "nowhere.png"], "--from", "nowhere.png"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_names_option_value_and_what_is_allowed(generate: Genie, genie: Genie, name: str) -> None:
    extra, option, said = WRONG[name]
    ended = (genie if name == "no picture" else generate)(
        *(["generate"] if name == "no picture" else []), *extra, "--json"
    )
    assert ended.code == 2
    error = ended.json["error"]
    assert said in error["message"]
    assert option in error["message"]
    assert error["message"] in ended.err
    assert len(ended.err) < 1500
    assert "Traceback" not in ended.err
    assert not list(Path().rglob("*.png"))


def test_an_unknown_option_or_command_suggests_the_nearest(generate: Genie, genie: Genie) -> None:
    ended = generate("--stpes", "5")
    assert (ended.code, ended.out) == (2, "")
    assert "There is no option --stpes. Did you mean --steps?" in ended.err
    assert "'boots' was not expected" in generate("boots").err
    ended = genie("genrate")
    assert ended.code == 2
    assert "Did you mean generate?" in ended.err
    assert genie("--verison").code == 2


def test_options_are_not_abbreviated(generate: Genie) -> None:
    assert "no option --guid" in generate("--guid", "1").err


@pytest.mark.parametrize("folder", ["file/inside", "x" * 300])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(
    generate: Genie, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    import engine.tasks

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("computed for nothing")

    monkeypatch.setattr(engine.tasks, "Engine", never)
    Path("file").write_text("in the way")
    ended = generate("--out", folder, "--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "unusable-folder"
    assert "--out" in ended.err
    assert folder in ended.err


def test_a_picture_without_or_with_hostile_settings(genie: Genie) -> None:
    Image.new("L", (8, 8)).save("plain.png")
    ended = genie("generate", "--from", "plain.png")
    assert ended.code == 2
    assert "carries no settings" in ended.err
    from PIL.PngImagePlugin import PngInfo

    for text in (
        "[" * 100_000,
        '{"genie": 1}',
        '{"genie": 1, "request": {"genie": 1, "kind": "__import__"}}',
    ):
        info = PngInfo()
        info.add_text("genie", text)
        Image.new("L", (8, 8)).save("hostile.png", pnginfo=info)
        ended = genie("generate", "--from", "hostile.png", "--json")
        assert ended.code == 2, text[:40]
        assert ended.json["error"]["message"]


def test_no_value_from_a_file_is_told_at_length(generate: Genie, genie: Genie) -> None:
    """Numbers beyond any float, megabytes of text, lists in lists: one short sentence each."""
    from PIL.PngImagePlugin import PngInfo

    path = generate("--classes", "0", "--json").json["files"][0]["path"]
    with Image.open(path) as image:
        honest = json.loads(image.info["genie"])
    nested: Any = "x"
    for _ in range(400):
        nested = [nested]
    changes: dict[str, Any] = {
        "guidance": 10**400,
        "seed": 10**4000,
        "model": "x" * 300_000,
        "spacing": "x" * 300_000,
        "solver": "x" * 200,
        "labels": nested,
        "steps": nested,
        "kind": "x" * 300_000,
        "genie": "x" * 300_000,
    }
    for name, value in changes.items():
        info = PngInfo()
        info.add_text("genie", json.dumps({**honest, "request": {**honest["request"], name: value}}))
        Image.new("L", (8, 8)).save("hostile.png", pnginfo=info)
        ended = genie("generate", "--from", "hostile.png", "--json")
        assert ended.code == 2, (name, ended.err[:500])
        assert len(ended.json["error"]["message"]) < 500, name
    info = PngInfo()
    provenance = {**honest["provenance"], "batches": [9 * 10**4000] * 30}
    info.add_text("genie", json.dumps({**honest, "provenance": provenance}))
    Image.new("L", (8, 8)).save("hostile.png", pnginfo=info)
    ended = genie("generate", "--from", "hostile.png")
    assert (ended.code, len(ended.err) < 500) == (2, True)


def test_from_may_name_another_device(generate: Genie, genie: Genie) -> None:
    path = generate("--classes", "0", "--json").json["files"][0]["path"]
    for to in ("cpu", "auto"):
        assert genie("generate", "--from", path, "--device", to, "--json").json["request"]["device"] == to
    ended = genie("generate", "--from", path, "--device", "cuda:99")
    assert ended.code == 2
    assert "--device" in ended.err


def test_from_takes_no_other_setting(generate: Genie, genie: Genie) -> None:
    path = generate("--classes", "0", "--json").json["files"][0]["path"]
    for steps in (5, 10):  # which is what it would be if nothing was said
        ended = genie("generate", "--from", path, "--steps", steps)
        assert ended.code == 2
        assert "--steps can't be given with --from" in ended.err


def test_a_file_is_no_folder(generate: Genie) -> None:
    Path("notes").write_text("mine")
    ended = generate("--out", "notes")
    assert ended.code == 2
    assert "--out: notes is a file" in ended.err
    assert Path("notes").read_text() == "mine"


def test_a_damaged_model_is_bad_input(generate: Genie, genie_home: Path) -> None:
    weights = genie_home / "models" / "tiny" / "network.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    ended = generate("--json")
    assert ended.code == 2
    assert ended.json["error"]["kind"] == "bad-checkpoint"
    assert ended.json["error"]["option"] == "--model"


def test_an_unexpected_error_is_reported_as_ours(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.tasks

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(engine.tasks.Engine, "run", broken)
    ended = generate("--json")
    assert ended.code == 1
    assert ended.json["error"]["kind"] == "bug"
    assert "ZeroDivisionError: of all things" in ended.err


# --- Ctrl+C --------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_is_finished(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes in the second of three groups: the first is saved, the code is 130."""
    import engine.tasks

    real = engine.tasks.Engine.run
    before = signal.getsignal(signal.SIGINT)
    after: list[Progress] = []

    def interrupted(self: Any, request: Any, control: Control) -> Any:
        pressed = False
        for event in real(self, request, control):
            yield event
            if pressed and isinstance(event, Progress):
                after.append(event)
            if isinstance(event, Progress) and event.first == 2 and not pressed:
                pressed = True
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(engine.tasks.Engine, "run", interrupted)
    ended = generate("--count", 6, "--batch", 2, "--json")
    assert ended.code == 130
    assert ended.json["complete"] is False
    assert [f["seed"] for f in ended.json["files"]] == [0, 1]
    assert len(list(Path("out").glob("*.png"))) == 2
    assert "2 of 6" in ended.err
    assert len(after) <= 1
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_saving_loses_nothing(generate: Genie, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.cli import saving

    real = saving.save

    def interrupted(*arguments: Any) -> None:
        if not list(Path("out").glob("*.png")):
            os.kill(os.getpid(), signal.SIGINT)
        real(*arguments)

    monkeypatch.setattr(saving, "save", interrupted)
    ended = generate("--json")
    assert (ended.code, ended.json["complete"]) == (0, True)
    assert len(list(Path("out").glob("*.png"))) == 3


def test_whoever_reads_may_leave(root: Path, genie: Genie, genie_home: Path) -> None:
    """A closed pipe ends a command without a word, in the middle of an error as well."""
    code = "import sys; from engine.cli import main; sys.exit(main(sys.argv[1:]))"
    for argv in (["models"], ["models", "show", "tinny", "--json"]):
        running = subprocess.Popen(
            [sys.executable, "-c", code, *argv], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "GENIE_HOME": str(genie_home)},
        )  # fmt: skip
        assert running.stdout is not None
        running.stdout.close()
        _, err = running.communicate()
        assert running.returncode == 130
        assert b"Traceback" not in err
        assert b"Exception ignored" not in err


# --- the other commands --------------------------------------------------------------------------


def test_every_command_shows_defaults_and_an_example(genie: Genie) -> None:
    overview = genie("--help")
    assert overview.code == 0
    for command in ("generate", "models", "train", "distil", "version"):
        assert f"  {command} " in overview.out
        ended = genie(command, "--help")
        assert ended.code == 0
        assert f"example:\n  genie {command}" in ended.out
        assert "--json" in ended.out
    text = " ".join(genie("generate", "--help").out.split())
    for default in (
        "(default: fashion32)",
        "(default: 10)",
        "(default: 0)",
        "(default: genie)",
        "(default: 0.001)",
    ):
        assert default in text
    for name in (*SPACINGS, *(info.name for info in solver_infos())):
        assert name in text


def test_models_lists_and_shows(genie: Genie) -> None:
    assert "tiny" in genie("models").out
    listed = genie("models", "list", "--json").json["models"]
    assert "tiny" in [m["name"] for m in listed]
    shown = genie("models", "show", "tiny", "--json").json
    assert shown["classes"] == list(CLASSES)
    assert "1 Boat" in genie("models", "show", "tiny").out
    ended = genie("models", "show", "tinny")
    assert ended.code == 2
    assert "--model" not in ended.err  # which `genie models` doesn't have
    assert "Did you mean 'tiny'" in ended.err
    assert genie("models", "show").code == 2
    assert "show, list" not in genie("models", "shwo").out
    assert "Allowed: list, show" in genie("models", "shwo").err


def test_version(genie: Genie) -> None:
    data = genie("version", "--json").json
    assert data["torch"][0].isdigit()
    assert genie("--version").out.startswith("GENIE Studio")
    assert genie("--version", "--json").json == data


def test_an_extra_command_joins_the_others(capsys: Any) -> None:
    seen: list[bool] = []

    def run(arguments: cli.Namespace, console: Console) -> int:
        seen.append(arguments.fast)
        console.result({"toured": True})
        return 1

    extra = cli.Command(
        name="tour",
        summary="Drive the window.",
        example="genie tour --fast",
        add_arguments=lambda parser: parser.add_argument("--fast", action="store_true") and None,
        run=run,
    )
    assert cli.main(["tour", "--fast", "--json"], [extra]) == 1
    assert (seen, json.loads(capsys.readouterr().out)) == ([True], {"toured": True})
    assert cli.main(["--help"], [extra]) == 0
    assert "Drive the window." in capsys.readouterr().out


def test_help_and_mistakes_do_not_wait_for_torch(root: Path) -> None:
    code = (
        "import sys; from engine.cli import main\n"
        "codes = [main(['generate', '--help']), main(['generate', '--steps', 'ten']), main(['version'])]\n"
        "assert codes == [0, 2, 0], codes\n"
        "heavy = {'torch', 'numpy', 'PIL', 'PySide6'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- words -----------------------------------------------------------------------------------------


def test_duration() -> None:
    assert [duration(s) for s in (0.04, 12.4, 89, 185, 7800)] == [
        "0.0 s", "12 s", "89 s", "3 min 05 s", "2 h 10 min",
    ]  # fmt: skip


def test_slug_is_fit_for_a_file_name() -> None:
    assert [slug(t) for t in ("Ankle boot", "T-shirt", "../x", "??")] == ["ankle-boot", "t-shirt", "x", "x"]


def test_a_progress_line_is_gone_before_anything_else_is_said() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out, err = io.StringIO(), Terminal()
    console = Console(out=out, err=err)
    console.progress("step 1/10")
    console.say("done")
    assert out.getvalue() == "done\n"
    assert err.getvalue() == "\rstep 1/10\r         \r"


def test_an_engine_error_without_a_field_is_told_as_it_is(capsys: Any) -> None:
    def run(arguments: cli.Namespace, console: Console) -> int:
        raise EngineError("The device went away.", details="Unplugged.")

    command = cli.Command("probe", "Probe.", "genie probe", lambda parser: None, run)
    assert cli.main(["probe"], [command]) == 2
    assert capsys.readouterr().err == "genie probe: The device went away.\nUnplugged.\n"
