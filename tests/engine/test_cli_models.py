"""`genie models`: files come in, models leave and come back, classes are found by any of their names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.checkpoints import recognise
from engine.messages import Control, ImportRequest
from engine.tasks import Engine
from tests.engine.cli_kit import Genie, runner
from tests.engine.published_files import (
    HEADS,
    NETWORKS,
    random_network,
    small_models,
    write_published,
    write_small_model,
)
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture
def genie(genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Genie:
    """In an empty folder, with the model "tiny"; the published models are small ones."""
    write_tiny_model(genie_home / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recognise, "PUBLISHED", small_models())
    return runner(capsys)


def models(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir() if not path.name.startswith("."))


# --- import -----------------------------------------------------------------------------------


def test_files_become_a_model(genie: Genie, genie_home: Path) -> None:
    files = write_small_model(Path(), "cifar10")
    ended = genie("models", "import", *files, "--json")
    assert ended.code == 0
    data = ended.json
    assert [model["name"] for model in data["models"]] == ["cifar10"]
    assert (data["complete"], data["refused"], data["models"][0]["has_head"]) == (True, [], True)
    assert models(genie_home) == ["cifar10", "tiny"]
    assert genie("generate", "--model", "cifar10", "--steps", 1, "--device", "cpu").code == 0
    ended = genie("models", "import", *files)
    assert ended.code == 2
    assert "there already" in ended.err
    assert "--replace does that" in ended.err
    ended = genie("models", "import", "cifar10", "--replace")
    assert ended.code == 0
    assert (
        "Imported cifar10: CIFAR-10, 16x16 colour" in ended.out or "Imported cifar10: CIFAR-10" in ended.out
    )


def test_a_name_is_asked_for_and_given(genie: Genie) -> None:
    path = write_published(Path("a.pth"), random_network(NETWORKS["church128"]))
    ended = genie("models", "import", path, "--json")
    assert ended.code == 2
    assert "Say which with --name" in ended.err
    assert ended.json["refused"][0]["choices"] == ["bedroom128", "church128"]
    assert genie("models", "import", path, "--name", "church128").code == 0


def test_the_good_ones_are_imported_and_the_others_named(genie: Genie, genie_home: Path) -> None:
    files = write_small_model(Path(), "cifar10")
    Path("bad.pth").write_bytes(b"")
    head = write_published(Path("head.pth"), random_network(HEADS["cats-upsampler"]))
    ended = genie("models", "import", "bad.pth", head, *files, "missing.pth", "--json")
    assert ended.code == 2
    assert [Path(entry["file"]).name for entry in ended.json["refused"]] == [
        "bad.pth",
        "missing.pth",
        "head.pth",
    ]
    assert "the file is empty" in ended.err
    assert models(genie_home) == ["cifar10", "tiny"]


def test_a_stop_in_the_middle_leaves_nothing(
    genie: Genie, genie_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_small_model(Path(), "cifar10")
    real = Engine.run

    def run(self: Engine, request: Any, control: Control) -> Any:
        for event in real(self, request, control):
            if 0.3 < getattr(event, "fraction", 0.0) < 1.0:
                control.cancelled.set()
            yield event

    monkeypatch.setattr(Engine, "run", run)
    ended = genie("models", "import", *files)
    assert ended.code == 130
    assert "left nothing behind" in ended.err
    assert models(genie_home) == ["tiny"]


def test_options_may_stand_anywhere(genie: Genie, genie_home: Path) -> None:
    path = write_published(Path("a.pth"), random_network(NETWORKS["church128"]))
    assert genie("models", "import", "--name", "church128", path).code == 0
    assert genie("models", "import", "--replace", "--name", "church128", path).code == 0
    assert genie("models", "show", "--json", "church128").json["name"] == "church128"
    assert genie("models", "remove", "--forever", "church128").code == 0
    assert models(genie_home) == ["tiny"]
    assert "(default: list)" in genie("models", "--help").out
    ended = genie("models", "import", "--", "--name")  # a file that is called so
    assert (ended.code, "Couldn't import --name: No such file" in ended.err) == (2, True)


@pytest.mark.parametrize("closed", ["folder", "x" * 300])
def test_what_cannot_be_reached_is_refused(
    genie: Genie, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    Path("folder").mkdir()
    real = Path.iterdir

    def iterdir(self: Path) -> Any:
        if self.name == "folder":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    ended = genie("models", "import", closed, "--json")
    assert ended.code == 2
    (refused,) = ended.json["refused"]
    assert f"Couldn't import {closed}: " in refused["message"]


# --- remove and restore -----------------------------------------------------------------------


def test_a_model_leaves_and_comes_back(genie: Genie, genie_home: Path) -> None:
    ended = genie("models", "remove", "tiny")
    assert ended.code == 0
    assert "`genie models restore tiny` brings it back" in ended.out
    assert models(genie_home) == []
    assert "Removed: tiny" in genie("models", "restore").err
    assert genie("models", "restore", "tiny", "--json").json["restored"] == "tiny"
    assert models(genie_home) == ["tiny"]
    assert "Removed: none" in genie("models", "restore", "tiny").err


def test_a_model_leaves_for_good(genie: Genie, genie_home: Path) -> None:
    data = genie("models", "remove", "tiny", "--forever", "--json").json
    assert data["freed_bytes"] > 10_000
    assert genie("models", "restore", "tiny").code == 2
    write_tiny_model(genie_home / "models")
    genie("models", "remove", "tiny")
    assert genie("models", "remove", "tiny", "--forever", "--json").json["freed_bytes"] > 10_000
    ended = genie("models", "remove", "tiny")
    assert (ended.code, "There is no model 'tiny'" in ended.err) == (2, True)


def test_a_bundled_model_stays(genie: Genie) -> None:
    ended = genie("models", "remove", "fashion32")
    assert ended.code == 2
    assert "comes with the program" in ended.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("import",), "Import which files?"),
        (("show",), "Which model should `genie models show` take?"),
        (("show", "tiny", "fashion32"), "One model at a time"),
        (("list", "tiny"), "did you mean `genie models show tiny`?"),
        (("restore",), "Restore which model?"),
        (("remove",), "Which model should `genie models remove` take?"),
        (("list", "--forever"), "--forever is for `genie models remove`"),
        (("remove", "tiny", "--replace"), "--replace is for `genie models import`"),
        (("import", "a.pth", "--find", "x"), "--find is for `genie models show`"),
    ],
)
def test_bad_input(genie: Genie, argv: tuple[str, ...], words: str) -> None:
    ended = genie("models", *argv)
    assert ended.code == 2
    assert words in ended.err


# --- the pair of ImageNet ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def imported_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both of ImageNet's, imported once."""
    folder = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recognise, "PUBLISHED", small_models())
        files = [
            str(path)
            for name in ("imagenet64", "imagenet64-cond")
            for path in write_small_model(folder, name)
        ]
        list(Engine([folder / "models"], threads=1).run(ImportRequest(tuple(files))))
    return folder / "models"


@pytest.fixture
def pair(genie: Genie, genie_home: Path, imported_pair: Path) -> Genie:
    shutil.copytree(imported_pair, genie_home / "models", dirs_exist_ok=True)
    return genie


def test_classes_by_any_of_their_names_and_guidance_by_the_pair(pair: Genie) -> None:
    ended = pair(
        "generate", "--model", "imagenet64-cond", "--guidance-model", "imagenet64", "--guidance", 1.0,
        "--classes", "Pembroke Welsh corgi,streetcar,tramcar,Golden Retriever", "--steps", 1, "--device", "cpu",
        "--json",
    )  # fmt: skip
    assert ended.code == 0
    data = ended.json
    assert [file["label"] for file in data["files"]] == [263, 829, 829, 207]
    assert [file["class"] for file in data["files"]][:2] == ["Pembroke", "streetcar"]
    assert data["request"]["guidance_model"] == "imagenet64"
    assert data["evaluations"] == 2 * data["evaluations_paper"]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("cardigan", 474),
        ("Cardigan Welsh corgi", 264),
        ("tank suit", 639),
        ("red panda", 387),
        ("crane (bird)", 134),
    ],
)
def test_a_name_goes_before_a_synonym(pair: Genie, word: str, label: int) -> None:
    data = pair(
        "generate", "--model", "imagenet64-cond", "--classes", word, "--steps", 1, "--device", "cpu", "--json"
    ).json
    assert [file["label"] for file in data["files"]] == [label]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("panda", "a word for several classes. Which one: 387 lesser panda or 388 giant panda?"),
        ("crane", "134 crane (bird) or 517 crane (machine)?"),
        ("welsh corgy", "Did you mean"),
        ("qqqq", "doesn't know. It knows: 0 tench, 1 goldfish"),
        ("1000", "knows 0 to 999"),
    ],
)
def test_words_that_are_no_class(pair: Genie, word: str, words: str) -> None:
    ended = pair("generate", "--model", "imagenet64-cond", "--classes", word)
    assert ended.code == 2
    assert words in ended.err


def test_classes_are_found(pair: Genie) -> None:
    ended = pair("models", "show", "imagenet64-cond", "--find", "corgi")
    assert "263 Pembroke (Pembroke Welsh corgi), 264 Cardigan Welsh corgi (Cardigan)" in ended.out
    assert "none has 'qqqq' in its name" in pair("models", "show", "imagenet64-cond", "--find", "qqqq").out
