"""Folders of our own kind become models: checked, copied, and whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.catalogue import read_catalogue
from engine.messages import Control, Event, GenerateRequest, Imported, ImportRequest, Loading, Result
from engine.tasks import Engine
from tests.engine.cli_kit import runner
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A model somewhere else."""
    return write_tiny_model(tmp_path / "elsewhere")


def events_of(models: Path, *files: Path, control: Control | None = None, **options: Any) -> Iterator[Event]:
    request = ImportRequest(tuple(map(str, files)), **options)
    return Engine([models], threads=1).run(request, control)


def imported(models: Path, *files: Path, **options: Any) -> Imported:
    *before, outcome = events_of(models, *files, **options)
    assert isinstance(outcome, Imported)
    assert all(isinstance(event, Loading) for event in before)
    return outcome


def refused(models: Path, *files: Path, **options: Any) -> str:
    """The one reason why nothing was imported; what was there is as it was."""
    before = contents(models)
    outcome = imported(models, *files, **options)
    assert (outcome.models, len(outcome.refused)) == ((), 1)
    assert contents(models) == before
    return outcome.refused[0].message


def contents(models: Path) -> dict[str, bytes]:
    """Every file, those with a dot included."""
    return {str(path.relative_to(models)): path.read_bytes() for path in models.rglob("*") if path.is_file()}


def names(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir())


def test_a_folder_with_a_card_becomes_a_model(models: Path, tiny: Path) -> None:
    (tiny / "sample.png").write_bytes(b"a picture")
    (tiny / "losses.csv").write_text("of no use here")
    *events, outcome = events_of(models, tiny)
    assert isinstance(outcome, Imported)
    assert (outcome.models, outcome.complete) == (("tiny",), True)
    shares = [event.fraction for event in events if isinstance(event, Loading)]
    assert (shares, shares[-1]) == (sorted(shares), 1.0)
    assert names(models) == ["tiny"]
    assert names(models / "tiny") == ["card.toml", "head.safetensors", "network.safetensors", "sample.png"]
    for file in (models / "tiny").iterdir():
        assert file.read_bytes() == (tiny / file.name).read_bytes()
    engine = Engine([models], threads=1)
    assert engine.catalogue().model("tiny").problem is None
    *_, result = engine.run(GenerateRequest("tiny", steps=2, device="cpu", precision="fp32"))
    assert isinstance(result, Result)


def test_its_files_stand_for_the_folder(models: Path, tiny: Path, tmp_path: Path) -> None:
    files = [tiny / name for name in ("network.safetensors", "head.safetensors", "card.toml")]
    assert imported(models, *files).models == ("tiny",)  # once
    training = tmp_path / "fashion32"
    training.mkdir()
    (training / "checkpoint.pt").write_bytes(b"of the training")
    write_tiny_model(training, "trained").rename(training / "model")
    assert imported(models, training).models == ("trained",)
    assert names(models) == ["tiny", "trained"]


def test_by_the_command_line(
    genie_home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tiny)
    ended = runner(capsys)("models", "import", ".")
    assert ended.code == 0
    assert "Imported tiny: Tiny" in ended.out
    assert names(genie_home / "models") == ["tiny"]


def test_what_is_there_is_replaced_only_if_asked(models: Path, tiny: Path, tmp_path: Path) -> None:
    imported(models, tiny)
    other = write_tiny_model(tmp_path / "other", seed=1, head=False)
    assert "is there already" in refused(models, other)
    assert imported(models, other).refused[0].field == "replace"
    assert imported(models, other, replace=True).models == ("tiny",)
    assert not read_catalogue([models]).model("tiny").has_head
    assert names(models) == ["tiny"]
    assert not (models / "tiny" / "head.safetensors").exists()
    again = imported(models, tiny, other, replace=True)
    assert (again.models, len(again.refused)) == (("tiny",), 1)
    assert "twice" in again.refused[0].message


def test_a_bundled_name_is_kept(models: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(models, seed=1)
    monkeypatch.setattr("engine.checkpoints.library.bundled_folder", lambda: models)
    assert "comes with the program" in refused(models, tiny, replace=True)


def test_names_that_are_taken(models: Path, tiny: Path) -> None:
    assert "its card calls it 'tiny'" in refused(models, tiny, name="church128")
    assert imported(models, tiny, name="tiny").models == ("tiny",)
    assert "among the models already" in refused(models, models / "tiny", replace=True)
    (models / "tiny").rename(models / "mine")
    assert "is in" in refused(models, tiny, replace=True)


def cut_weights(folder: Path) -> None:
    path = folder / "network.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def other_weights(folder: Path) -> None:
    raw = bytearray((folder / "head.safetensors").read_bytes())
    raw[-1] ^= 1
    (folder / "head.safetensors").write_bytes(raw)


def no_weights(folder: Path) -> None:
    (folder / "head.safetensors").unlink()


def torn_card(folder: Path) -> None:
    (folder / "card.toml").write_text("[model")


def name_that_leads_away(folder: Path) -> None:
    card = folder / "card.toml"
    card.write_text(card.read_text().replace('name = "tiny"', 'name = "../tiny"'))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut_weights, ": network.safetensors is damaged or cut off"),
        (other_weights, ": head.safetensors is not the file its card was made for"),
        (no_weights, ": head.safetensors is not in the folder"),
        (torn_card, ": card.toml is not a readable card"),
        (name_that_leads_away, ": card.toml: model.name is '../tiny'"),
    ],
)
def test_damaged_folders_are_refused_and_nothing_is_left(
    models: Path, tiny: Path, spoil: Callable[[Path], None], words: str
) -> None:
    imported(models, tiny)  # and what is there stays
    spoil(tiny)
    message = refused(models, tiny, replace=True)
    assert message.startswith(f"Couldn't import {tiny}{words}")
    assert str(models) not in message  # nor is its copy spoken of
    good = write_tiny_model(tiny.parent, "good")
    assert imported(models, tiny, good, replace=True).models == ("good",)


def test_weights_without_their_card(models: Path, tiny: Path) -> None:
    (tiny / "card.toml").unlink()
    message = refused(models, tiny / "network.safetensors")
    assert "no card.toml beside it" in message
    assert "no card.toml" in refused(models, tiny)
    assert "No such file" in refused(models, tiny / "nothing.safetensors")


def test_a_full_disk(models: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        assert "No space left on device. Nothing was changed" in refused(models, tiny)
        assert names(models) == []
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    assert "Free some space" in refused(models, tiny)
    assert names(models) == []


def test_stopping_anywhere_leaves_whole_models_only(models: Path, tiny: Path) -> None:
    other = write_tiny_model(tiny.parent, "other")
    total = len(list(events_of(tiny.parent / "somewhere", tiny, other)))
    for stop in range(total - 2):
        control, outcome = Control(), None
        for number, event in enumerate(events_of(models, tiny, other, control=control)):
            if number == stop:
                control.cancelled.set()
            outcome = event
        assert isinstance(outcome, Imported)
        assert outcome.stopped
        assert names(models) == sorted(outcome.models)
        for name in outcome.models:
            shutil.rmtree(models / name)


def test_abandoning_it_leaves_nothing(models: Path, tiny: Path) -> None:
    events = events_of(models, tiny)
    for _ in range(3):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert names(models) == []
