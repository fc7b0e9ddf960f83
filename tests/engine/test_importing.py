"""Files become models, as a person sees it: what is made, what is refused, what a stop leaves."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from engine.catalogue import read_catalogue
from engine.checkpoints import recognise
from engine.checkpoints.imagenet import class_names
from engine.checkpoints.library import model_folders
from engine.checkpoints.storage import empty_trash, folder_bytes, remove, removed_models, restore
from engine.errors import BadRequest, UnknownName, UnusableFolder
from engine.messages import (
    Control,
    Event,
    GenerateRequest,
    Imported,
    ImportRequest,
    Loading,
    ModelInfo,
    Result,
    request_from_json,
    request_to_json,
)
from engine.tasks import Engine
from tests.engine.published_files import (
    HEADS,
    NETWORKS,
    document_of,
    random_network,
    small_models,
    write_published,
    write_small_model,
)
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published models are small ones."""
    monkeypatch.setattr(recognise, "PUBLISHED", small_models())


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def events_of(models: Path, *files: Path, control: Control | None = None, **options: Any) -> Iterator[Event]:
    request = ImportRequest(tuple(map(str, files)), **options)
    return Engine([models], threads=1).run(request, control)


def imported(models: Path, *files: Path, **options: Any) -> Imported:
    *before, outcome = events_of(models, *files, **options)
    assert isinstance(outcome, Imported)
    assert all(isinstance(event, Loading) for event in before)
    return outcome


def refused(models: Path, *files: Path, **options: Any) -> str:
    """The one reason why nothing was imported; nothing is left of it."""
    outcome = imported(models, *files, **options)
    assert (outcome.models, outcome.kept, outcome.complete) == ((), False, False)
    assert left(models) == []
    assert "Nothing was imported" in outcome.words
    return outcome.refused[0].message


def left(models: Path) -> list[str]:
    return sorted(path.name for path in models.iterdir())


# --- what is made -----------------------------------------------------------------------------


def test_a_request_survives_json() -> None:
    request = ImportRequest(("a.pth", "b.pth"), name="church128", replace=True)
    assert request_from_json(request_to_json(request)) == request
    for changes in (
        {"files": ()},
        {"files": ("",)},
        {"files": (3,)},
        {"files": "a"},
        {"name": ""},
        {"replace": 1},
    ):
        with pytest.raises(BadRequest):
            ImportRequest(**{"files": ("a",), **changes})  # type: ignore[arg-type]


def test_many_files_in_any_order(models: Path, tmp_path: Path) -> None:
    files = [
        path
        for name in ("cifar10", "imagenet64-cond", "cats-upsampler")
        for path in write_small_model(tmp_path, name)
    ]
    events = list(events_of(models, *reversed(files)))
    outcome = events[-1]
    assert isinstance(outcome, Imported)
    assert set(outcome.models) == {"cifar10", "imagenet64-cond", "cats-upsampler"}
    assert (outcome.complete, outcome.kept, outcome.refused) == (True, True, ())
    assert left(models) == sorted(outcome.models)
    for name in outcome.models:
        shares = [event.fraction for event in events if isinstance(event, Loading) and event.model == name]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
    found = {info.name: info for info in read_catalogue([models]).models}
    assert all(info.has_head and info.problem is None for info in found.values())
    assert found["cats-upsampler"].upsamples_from == 8


def test_a_folder_stands_for_its_checkpoints(models: Path, tmp_path: Path) -> None:
    write_small_model(tmp_path, "cifar10")
    (tmp_path / "cifar10" / "readme.txt").write_text("not looked at")
    assert imported(models, tmp_path / "cifar10").models == ("cifar10",)
    empty = tmp_path / "empty"
    empty.mkdir()
    outcome = imported(models, empty)
    assert "the folder holds no checkpoints" in outcome.refused[0].message


def test_the_classes_of_imagenet_have_their_names(models: Path, tmp_path: Path) -> None:
    files = [path for name in ("imagenet64", "imagenet64-cond") for path in write_small_model(tmp_path, name)]
    imported(models, *files)
    engine = Engine([models], threads=1)
    info = engine.catalogue().model("imagenet64-cond")
    assert len(set(info.classes)) == len(info.synonyms) == 1000
    assert (info.classes[0], info.classes[999]) == ("tench", "toilet tissue")
    assert info.classes[263] == "Pembroke"
    assert info.synonyms[263] == ("Pembroke Welsh corgi",)
    assert info.synonyms[829] == ("tram", "tramcar", "trolley", "trolley car")
    assert engine.catalogue().model("imagenet64").synonyms == ()
    request = GenerateRequest(
        "imagenet64-cond", labels=(263, 829), guidance=1.0, guidance_model="imagenet64", steps=2, device="cpu",
        precision="fp32",
    )  # fmt: skip
    *_, result = engine.run(request)
    assert isinstance(result, Result)
    assert result.complete


def test_class_names_are_facts_in_order() -> None:
    names = class_names()
    assert len({name.casefold() for name in names}) == 1000
    known = {1: "goldfish", 207: "golden retriever", 281: "tabby", 388: "giant panda", 517: "crane (machine)"}
    known |= {
        134: "crane (bird)",
        263: "Pembroke",
        264: "Cardigan Welsh corgi",
        474: "cardigan",
        817: "sports car",
    }
    known |= {949: "strawberry", 980: "volcano", 985: "daisy"}
    assert {number: names[number] for number in known} == known


def test_one_of_several_is_refused_and_the_others_are_made(models: Path, tmp_path: Path) -> None:
    good = write_small_model(tmp_path, "cifar10")
    (tmp_path / "bad.pth").write_bytes(b"PK\x03\x04 cut off")
    lonely = write_published(tmp_path / "lonely.pth", random_network(HEADS["church128"]))
    outcome = imported(models, tmp_path / "bad.pth", lonely, *good)
    assert outcome.models == ("cifar10",)
    assert [entry.file for entry in outcome.refused] == [str(tmp_path / "bad.pth"), str(lonely)]
    assert "damaged or cut off" in outcome.refused[0].message
    assert "the GENIE head of LSUN Church-Outdoor" in outcome.refused[1].message
    assert not outcome.complete
    assert outcome.words == "Imported cifar10. Not imported: 2 of the files."


def test_a_name_where_nothing_tells(models: Path, tmp_path: Path) -> None:
    path = write_published(tmp_path / "a.pth", random_network(NETWORKS["church128"]))
    outcome = imported(models, path)
    assert (outcome.refused[0].field, left(models)) == ("name", [])
    assert outcome.refused[0].choices == ("bedroom128", "church128")
    assert "bedroom128 or church128" in outcome.refused[0].message
    assert "it is not the network of cifar10" in refused(models, path, name="cifar10")
    assert imported(models, path, name="bedroom128").models == ("bedroom128",)
    other = write_small_model(tmp_path, "cifar10", head=False)
    outcome = imported(models, path, *other, name="church128")
    assert ["a name is for one network" in entry.message for entry in outcome.refused] == [True, True]


def test_what_is_there_is_replaced_only_if_asked(models: Path, tmp_path: Path) -> None:
    files = write_small_model(tmp_path, "cifar10")
    imported(models, files[0])
    outcome = imported(models, *files)
    assert (outcome.models, outcome.refused[0].field) == ((), "replace")
    assert "there already" in outcome.refused[0].message
    assert "checkpoint.pth, was not imported" in outcome.refused[1].message
    assert [entry.network for entry in outcome.refused] == [None, str(files[0])]
    assert not read_catalogue([models]).model("cifar10").has_head
    assert imported(models, *files, replace=True).models == ("cifar10",)
    assert read_catalogue([models]).model("cifar10").has_head
    assert left(models) == ["cifar10"]
    again = write_published(tmp_path / "again.pth", random_network(NETWORKS["cifar10"]))
    outcome = imported(models, files[0], again, replace=True)
    assert "was among the files twice" in outcome.refused[0].message


def test_a_name_that_another_folder_has(models: Path, tmp_path: Path) -> None:
    write_tiny_model(models, "cifar10").rename(models / "mine")
    (path,) = write_small_model(tmp_path, "cifar10", head=False)
    outcome = imported(models, path, replace=True)
    assert "is in" in outcome.refused[0].message
    assert left(models) == ["mine"]


def test_a_bundled_name_is_kept(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(models, "cifar10")
    monkeypatch.setattr("engine.checkpoints.library.bundled_folder", lambda: models)
    (path,) = write_small_model(tmp_path, "cifar10", head=False)
    outcome = imported(models, path, replace=True)
    assert "comes with the program" in outcome.refused[0].message


def test_a_head_that_comes_later(models: Path, tmp_path: Path) -> None:
    network, head = write_small_model(tmp_path, "cifar10")
    imported(models, network)
    before = (models / "cifar10" / "network.safetensors").read_bytes()
    outcome = imported(models, head)
    assert (outcome.models, outcome.complete) == (("cifar10",), True)
    engine = Engine([models], threads=1)
    assert engine.catalogue().model("cifar10").has_head
    *_, result = engine.run(GenerateRequest("cifar10", steps=2, device="cpu", precision="fp32"))
    assert isinstance(result, Result)
    assert (models / "cifar10" / "network.safetensors").read_bytes() == before
    # Together they are the same model.
    other = tmp_path / "other"
    imported(other, network, head)
    for name in ("card.toml", "head.safetensors", "network.safetensors"):
        one, same = (_weights_or_text(folder / "cifar10" / name) for folder in (models, other))
        assert one.keys() == same.keys()
        assert all(torch.equal(one[key], same[key]) for key in one)
    # It has one now.
    assert "Choose the network's file together with it" in imported(models, head).refused[0].message


def _weights_or_text(path: Path) -> dict[str, Any]:
    """The tensors of a file; of a card, its lines but for the checksums, with nothing to compare."""
    if path.suffix != ".toml":
        return load_file(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line: torch.empty(0) for line in lines if "sha256" not in line}


def test_a_head_that_comes_later_and_could_belong_to_several(models: Path, tmp_path: Path) -> None:
    for name in ("cifar10", "cats128"):
        imported(models, write_small_model(tmp_path, name)[0])
    head = write_published(tmp_path / "head.pth", random_network(HEADS["cifar10"], seed=1))
    outcome = imported(models, head)
    assert (outcome.models, outcome.refused[0].field) == ((), "name")
    assert outcome.refused[0].choices == ("cats128", "cifar10")
    assert "the GENIE head of cats128 or cifar10" in outcome.refused[0].message
    assert imported(models, head, name="cats128").models == ("cats128",)
    assert [info.has_head for info in read_catalogue([models]).models] == [True, False]  # cats128 first


def test_a_head_that_comes_later_and_is_of_another_size(models: Path, tmp_path: Path) -> None:
    imported(models, write_small_model(tmp_path, "cifar10")[0])
    wide = replace(HEADS["cifar10"], features=64, embedding=256, width=64)
    head = write_published(tmp_path / "head.pth", random_network(wide))
    outcome = imported(models, head)
    assert "a network of another size" in outcome.refused[0].message
    assert not read_catalogue([models]).model("cifar10").has_head


def test_what_a_killed_import_left_is_cleared(models: Path, tmp_path: Path) -> None:
    for name in (
        ".cifar10.0a1b2c3d",
        ".church128.0a1b2c3d.old",
        ".tiny.ab_c9xyz",
        ".fresh.0a1b2c3d",
        ".mine",
    ):
        (models / name).mkdir()
        (models / name / "card.toml").write_text("")
        if "fresh" not in name:
            for path in (models / name / "card.toml", models / name):
                os.utime(path, (0, 0))
    imported(models, write_small_model(tmp_path, "cifar10")[0])
    assert left(models) == [".fresh.0a1b2c3d", ".mine", "church128", "cifar10"]


# --- bad input --------------------------------------------------------------------------------


class Runs:
    """A pickle of this makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.folder,)


def cut(path: Path) -> None:
    whole = write_published(path, random_network(NETWORKS["cifar10"])).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 20_000_000)


def trap(path: Path) -> None:
    torch.save(
        {**document_of(random_network(NETWORKS["cifar10"])), "extra": Runs(path.parent / "trap")}, path
    )


def bare_trap(path: Path) -> None:
    path.write_bytes(pickle.dumps(Runs(path.parent / "trap")))


def foreign(path: Path) -> None:
    torch.save(
        {"model": {"module.model.diffusion_model.a": torch.zeros(1)}, "ema": {"shadow_params": []}}, path
    )


def another_size(path: Path) -> None:
    from engine.networks.ncsnpp import NCSNppConfig

    config = NCSNppConfig(widths=(32, 32), blocks=1, attention=(False, True))
    write_published(path, random_network(config))


def short_averages(path: Path) -> None:
    document = document_of(random_network(NETWORKS["cifar10"]))
    document["ema"]["shadow_params"].pop()
    torch.save(document, path)


def not_numbers(path: Path) -> None:
    """Seen only while it is converted."""
    document = document_of(random_network(NETWORKS["cifar10"]))
    document["ema"]["shadow_params"][-1].fill_(float("nan"))
    torch.save(document, path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (cut, "damaged or cut off"),
        (bomb, "packed archive"),
        (trap, "Nothing in it was run"),
        (bare_trap, ""),
        (foreign, "Stable Diffusion"),
        (another_size, "but in another size"),
        (short_averages, r"averaged weights \(EMA\) for \d+ trained ones"),
        (not_numbers, "holds values that are not numbers"),
    ],
)
def test_bad_files(models: Path, tmp_path: Path, write: Callable[[Path], None], words: str) -> None:
    path = tmp_path / "a.pth"
    write(path)
    import re

    message = refused(models, path)
    assert re.search(words, message)
    assert str(path) in message
    assert not (tmp_path / "trap").exists()


def test_a_head_for_another_base(models: Path, tmp_path: Path) -> None:
    network = write_published(tmp_path / "a.pth", random_network(NETWORKS["cifar10"]))
    head = write_published(tmp_path / "b.pth", random_network(HEADS["cats-upsampler"]))
    outcome = imported(models, network, head)
    assert outcome.models == ("cifar10",)
    assert (
        "is the GENIE head of AFHQ-v2 cats, 128 to 512, but a.pth is the network of"
        in outcome.refused[0].message
    )
    assert not read_catalogue([models]).model("cifar10").has_head


def test_a_file_that_is_not_there(models: Path, tmp_path: Path) -> None:
    assert "No such file" in refused(models, tmp_path / "nothing.pth")


# --- a full disk, a stop ----------------------------------------------------------------------


def test_a_full_disk_while_converting(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_small_model(tmp_path, "cifar10")
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    )
    message = refused(models, *files)
    assert "No space left on device" in message
    assert "Free some space" in message
    monkeypatch.setattr(os, "fsync", real)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    assert "GB are free. Free some space" in refused(models, *files)


def test_stopping_anywhere_leaves_whole_models_only(models: Path, tmp_path: Path) -> None:
    files = [path for name in ("cifar10", "church128") for path in write_small_model(tmp_path, name)]
    total = len(list(events_of(tmp_path / "other", *files)))
    for stop in sorted({0, 1, 4, 5, total // 4, total // 2, total - 3}):
        control, outcome = Control(), None
        for number, event in enumerate(events_of(models, *files, control=control)):
            if number == stop:
                control.cancelled.set()
            outcome = event
        assert isinstance(outcome, Imported)
        assert outcome.stopped
        assert not outcome.complete
        assert left(models) == sorted(outcome.models)
        assert len(outcome.models) < 2
        assert outcome.words.startswith("Stopped. ")
        for folder in model_folders([models]):
            shutil.rmtree(folder)


def test_abandoning_it_leaves_nothing(models: Path, tmp_path: Path) -> None:
    files = write_small_model(tmp_path, "cifar10")
    events = events_of(models, *files)
    for _ in range(6):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert left(models) == []


# --- removing and bringing back ---------------------------------------------------------------


def info_of(models: Path, name: str = "tiny") -> ModelInfo:
    return read_catalogue([models]).model(name)


def test_removing_and_bringing_back(models: Path) -> None:
    place = write_tiny_model(models)
    size = folder_bytes(place)
    assert size > info_of(models).bytes > 0  # the card as well
    removed = remove(info_of(models))
    assert (removed.bytes, removed.place, place.exists()) == (size, place, False)
    assert read_catalogue([models]).models == ()
    assert removed_models(models) == (removed,)
    assert restore(removed) == place
    assert info_of(models).problem is None
    assert removed_models(models) == ()
    with pytest.raises(BadRequest, match="is there by now"):
        restore(removed)


def test_the_last_one_removed_comes_first_and_all_can_go(models: Path) -> None:
    for name in ("one", "two", "one"):
        write_tiny_model(models, name)
        remove(info_of(models, name))
    assert [entry.name for entry in removed_models(models)] == ["one", "two", "one"]
    assert empty_trash(models, "two") > 0
    assert [entry.name for entry in removed_models(models)] == ["one", "one"]
    (last, _) = removed_models(models)
    assert empty_trash(models) > 0
    assert empty_trash(models) == 0
    with pytest.raises(UnknownName, match="removed for good"):
        restore(last)


def test_bundled_models_stay(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write_tiny_model(models)
    monkeypatch.setattr("engine.checkpoints.library.bundled_folder", lambda: models)
    with pytest.raises(BadRequest, match="comes with the program") as caught:
        remove(info_of(models))
    assert caught.value.field == "model"
    assert place.exists()


def test_what_cannot_be_moved_stays(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = write_tiny_model(models)
    info = info_of(models)

    def busy(self: Path, target: Path) -> Path:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(UnusableFolder, match="Couldn't remove"):
        remove(info)
    assert place.exists()


def test_nothing_was_removed(tmp_path: Path) -> None:
    assert removed_models(tmp_path / "nothing") == ()
    assert empty_trash(tmp_path / "nothing") == 0
