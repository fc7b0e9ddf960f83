"""Published files become models of ours: whole, equal in every weight, or not at all."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoints.card import HEAD_FIELDS, NETWORK_FIELDS, read_card
from engine.checkpoints.convert import card_of, choose_model, convert, pair_up
from engine.checkpoints.library import model_folders
from engine.checkpoints.native import load_head, load_network
from engine.checkpoints.published import PublishedFile, read_published
from engine.errors import BadCheckpoint, UnusableFolder
from engine.messages import GenerateRequest, Result
from engine.networks.adm import ADMConfig, ADMUpsamplerConfig
from engine.networks.ddpm import DDPMConfig
from engine.networks.ncsnpp import NCSNppConfig
from engine.networks.published_head import PublishedHeadConfig
from engine.tasks import Engine
from tests.engine.published_files import HEADS, NETWORKS, random_network, write_published


def published(folder: Path, name: str) -> tuple[PublishedFile, PublishedFile]:
    folder.mkdir(parents=True, exist_ok=True)
    network = write_published(folder / "checkpoint.pth", random_network(NETWORKS[name]))
    head = write_published(folder / "genie_checkpoint.pth", random_network(HEADS[name], seed=1))
    return read_published(network), read_published(head)


def model_of(file: PublishedFile, name: str) -> Any:
    return next(model for model in file.what.models if model.name == name)


def test_a_card_repeats_the_settings_of_each_architecture() -> None:
    for kind, config in (
        ("ddpm", DDPMConfig),
        ("ncsnpp", NCSNppConfig),
        ("adm", ADMConfig),
        ("adm-upsampler", ADMUpsamplerConfig),
    ):
        assert list(NETWORK_FIELDS[kind]) == [field.name for field in fields(config)]
    assert list(HEAD_FIELDS["published"]) == [field.name for field in fields(PublishedHeadConfig)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_arrives(tmp_path: Path, name: str) -> None:
    network, head = published(tmp_path / "in", name)
    card = card_of(model_of(network, name), network, head)
    shares, end = [], None
    writing = convert(card, network, head, tmp_path / "models")
    while end is None:
        try:
            shares.append(next(writing))
        except StopIteration as stop:
            end = stop.value
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    folder = tmp_path / "models" / name
    assert model_folders([tmp_path / "models"]) == [folder]
    stored = read_card(folder / "card.toml")
    assert stored == end
    assert len(stored.classes) == NETWORKS[name].classes
    for module, expected in (
        (load_network(folder, stored), random_network(NETWORKS[name])),
        (load_head(folder, stored), random_network(HEADS[name], seed=1)),
    ):
        assert module is not None
        for key, value in expected.state_dict().items():
            assert torch.equal(module.state_dict()[key], value), key


def test_without_a_head(tmp_path: Path) -> None:
    network, _ = published(tmp_path / "in", "cifar10")
    list(convert(card_of(model_of(network, "cifar10"), network, None), network, None, tmp_path / "models"))
    stored = read_card(tmp_path / "models" / "cifar10" / "card.toml")
    assert stored.head is None


@pytest.mark.parametrize("wanted", [1, 5, -1])
def test_a_stopped_conversion_leaves_nothing(tmp_path: Path, wanted: int) -> None:
    network, head = published(tmp_path / "in", "cifar10")
    card = card_of(model_of(network, "cifar10"), network, head)
    count = len(list(convert(card, network, head, tmp_path / "other")))
    writing = convert(card, network, head, tmp_path / "models")
    for _ in range(wanted % count):
        next(writing)
    writing.close()
    assert list((tmp_path / "models").iterdir()) == []


def full_after(bytes_left: int) -> Callable[..., Any]:
    """Path.open with a disk behind it that fills up."""
    real = Path.open

    def open_path(self: Path, *args: Any, **options: Any) -> Any:
        file = real(self, *args, **options)
        if args and args[0] == "wb":
            write = file.write
            left = [bytes_left]

            class Full:
                def __enter__(self) -> Any:
                    return self

                def __exit__(self, *_: object) -> None:
                    file.close()

                def write(self, data: Any) -> int:
                    left[0] -= len(data)
                    if left[0] < 0:
                        raise OSError(errno.ENOSPC, "No space left on device")
                    return int(write(data))

            return Full()
        return file

    return open_path


def test_a_full_disk_leaves_the_old_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, head = published(tmp_path / "in", "cifar10")
    card = card_of(model_of(network, "cifar10"), network, head)
    list(convert(card, network, head, tmp_path / "models"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "models" / "cifar10").iterdir()}
    monkeypatch.setattr(Path, "open", full_after(100_000))
    with pytest.raises(UnusableFolder, match="No space left on device"):
        list(convert(replace(card, title="New"), network, head, tmp_path / "models"))
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["cifar10"]
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "models" / "cifar10").iterdir()}
    # And with space it takes the old one's place.
    list(convert(replace(card, title="New"), network, head, tmp_path / "models"))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["cifar10"]
    assert read_card(tmp_path / "models" / "cifar10" / "card.toml").title == "New"


def test_too_small_a_disk_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, head = published(tmp_path / "in", "cifar10")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1))
    writing = convert(
        card_of(model_of(network, "cifar10"), network, head), network, head, tmp_path / "models"
    )
    with pytest.raises(UnusableFolder, match=r"GB are needed and 0\.0 GB are free"):
        next(writing)
    assert list((tmp_path / "models").iterdir()) == []


def test_files_are_paired_by_folder_where_shapes_say_nothing(tmp_path: Path) -> None:
    cifar = published(tmp_path / "cifar10", "cifar10")
    cats = published(tmp_path / "cats", "cats128")
    church = published(tmp_path / "church", "church128")
    files = [cats[1], church[0], cifar[0], church[1], cifar[1], cats[0]]
    assert pair_up(files) == [church, cifar, cats]
    assert pair_up([cifar[0]]) == [(cifar[0], None)]
    with pytest.raises(BadCheckpoint, match="Choose the network's file together with it"):
        pair_up([cifar[1]])
    with pytest.raises(BadCheckpoint, match="could belong to several"):
        pair_up([cifar[0], cats[0], replace(cifar[1], path=tmp_path / "elsewhere.pth")])
    with pytest.raises(BadCheckpoint, match="could belong to several"):
        pair_up([cifar[0], cifar[1], cifar[1]])
    with pytest.raises(BadCheckpoint, match="is the GENIE head of"):
        pair_up([cifar[0], church[1]])


def test_what_the_shapes_leave_open_the_name_may_tell(tmp_path: Path) -> None:
    network, head = published(tmp_path / "church", "church128")
    with pytest.raises(BadCheckpoint, match="in another size"):
        choose_model(network, head)
    # As if it were of the published size.
    network = replace(network, what=replace(network.what, exact=True))
    head = replace(head, what=replace(head.what, exact=True))
    assert choose_model(network, head).name == "church128"
    assert choose_model(network, None).name == "church128"
    assert choose_model(replace(network, path=Path("lsun/bedroom.pth")), None).name == "bedroom128"
    assert choose_model(network, None, "bedroom128").name == "bedroom128"
    with pytest.raises(BadCheckpoint, match=r"it is not the network of cifar10"):
        choose_model(network, None, "cifar10")
    with pytest.raises(BadCheckpoint, match=r"nothing in it tells which.*bedroom128 or church128") as caught:
        choose_model(replace(network, path=Path("lsun/a.pth")), None)
    assert (caught.value.field, caught.value.choices) == ("name", ("bedroom128", "church128"))


def test_the_engine_generates_with_them(tmp_path: Path) -> None:
    """One alone, and two of them as a guided pair."""
    for name in ("cifar10", "imagenet64", "imagenet64-cond"):
        network, head = published(tmp_path / name, name)
        list(convert(card_of(model_of(network, name), network, head), network, head, tmp_path / "models"))
    engine = Engine([tmp_path / "models"], threads=1)

    def pixels(**settings: Any) -> bytes:
        *_, result = engine.run(GenerateRequest(steps=2, precision="fp32", device="cpu", **settings))
        assert isinstance(result, Result)
        assert result.complete
        return result.pictures.data

    assert pixels(model="cifar10") != pixels(model="cifar10", seed=1)
    alone = pixels(model="imagenet64-cond", labels=(3,))
    pair = {"model": "imagenet64-cond", "labels": (3,), "guidance_model": "imagenet64"}
    assert pixels(**pair, guidance=0.0) == alone
    assert pixels(**pair, guidance=1.5) != alone
    assert pixels(model="imagenet64-cond", labels=(4,)) != alone


def test_a_card_that_could_not_be_built(tmp_path: Path) -> None:
    network, head = published(tmp_path / "in", "cats-upsampler")
    card = card_of(model_of(network, "cats-upsampler"), network, head)
    list(convert(card, network, head, tmp_path / "models"))
    path = tmp_path / "models" / "cats-upsampler" / "card.toml"
    text = path.read_text(encoding="utf-8")
    for before, after, field in (
        ("head_channels = 16", "head_channels = 24", "network.head_channels"),
        ("low_resolution = 8", "low_resolution = 32", "network.low_resolution"),
        ("conditioned = true", "conditioned = false", "head.conditioned"),
        ("features = 32", "features = 64", "head.features"),
        ("embedding = 128", "embedding = 64", "head.embedding"),
        ('kind = "published"', 'kind = "compact"', "head"),
    ):
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(BadCheckpoint) as caught:
            read_card(path)
        assert (caught.value.field or "").startswith(field)


def test_a_published_network_has_one_schedule(tmp_path: Path) -> None:
    network, _ = published(tmp_path / "in", "cifar10")
    list(convert(card_of(model_of(network, "cifar10"), network, None), network, None, tmp_path / "models"))
    path = tmp_path / "models" / "cifar10" / "card.toml"
    text = path.read_text(encoding="utf-8")
    for before, after, field in (
        ("beta_d = 19.9", "beta_d = 10.0", "schedule.beta_d"),
        ("time_scale = 999.0", "time_scale = -1.0", "network.time_scale"),
        ("attention = [", "attention = [ true,", "network.attention"),
        ("classes = 0", "classes = 3", "network.classes"),
    ):
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(BadCheckpoint) as caught:
            read_card(path)
        assert caught.value.field == field
