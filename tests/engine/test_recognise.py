"""A dropped file is told by its keys and shapes, and what it isn't is said in words; nothing in it runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoints.published import fill, pair, read_published
from engine.checkpoints.recognise import PUBLISHED, build, recognise
from engine.errors import BadCheckpoint
from tests.engine.published_files import (
    HEADS,
    NETWORKS,
    document_of,
    random_network,
    shapes_of,
    write_published,
)


def refused(path: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        read_published(path)
    assert caught.value.field == "file"
    assert str(path) in caught.value.message
    assert "weights_only=False" not in caught.value.message + caught.value.details
    return caught.value.message


def saved(path: Path, document: Any, **options: Any) -> Path:
    torch.save(document, path, **options)
    return path


# --- what can be imported ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_with_its_averaged_weights(tmp_path: Path, name: str) -> None:
    network = random_network(NETWORKS[name])
    file = read_published(write_published(tmp_path / "a.pth", network))
    assert not file.what.is_head
    assert not file.what.exact
    assert name in [model.name for model in file.what.models]
    assert file.what.config == NETWORKS[name]
    assert file.step == 300000
    again = build(file.what.config)
    fill(again, file)
    for key, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


@pytest.mark.parametrize("name", HEADS)
def test_a_head_comes_back(tmp_path: Path, name: str) -> None:
    head = random_network(HEADS[name])
    file = read_published(write_published(tmp_path / "a.pth", head))
    assert file.what.is_head
    assert file.what.config == HEADS[name]
    assert name in [model.name for model in file.what.models]
    again = build(file.what.config)
    fill(again, file)
    for key, value in head.state_dict().items():
        assert torch.equal(again.state_dict()[key], value), key


def test_one_architecture_may_be_two_models() -> None:
    """Bedrooms and Church-Outdoor differ in nothing a key or a shape shows; their heads do."""
    by_name = {model.name: model for model in PUBLISHED}
    network = recognise(shapes_of(by_name["church128"].network), "a.pth")
    assert [model.name for model in network.models] == ["bedroom128", "church128"]
    head = recognise(shapes_of(by_name["church128"].head), "a.pth")
    assert [model.name for model in head.models] == ["church128"]
    for name in ("cifar10", "imagenet64", "imagenet64-cond", "cats128", "cats-upsampler"):
        found = recognise(shapes_of(by_name[name].network), "a.pth")
        assert found.models == (by_name[name],)
        assert found.exact


def test_files_of_before_torch_1_6(tmp_path: Path) -> None:
    network = random_network(NETWORKS["cifar10"])
    path = saved(tmp_path / "a.pth", document_of(network), _use_new_zipfile_serialization=False)
    assert read_published(path).what.config == NETWORKS["cifar10"]


# --- pairs ------------------------------------------------------------------------------------


def test_a_head_belongs_to_its_network(tmp_path: Path) -> None:
    networks, heads = {}, {}
    for name in NETWORKS:
        networks[name] = read_published(
            write_published(tmp_path / f"{name}.pth", random_network(NETWORKS[name]))
        )
        heads[name] = read_published(
            write_published(tmp_path / f"{name}-head.pth", random_network(HEADS[name]))
        )
        assert name in [model.name for model in pair(networks[name], heads[name])]
    assert [model.name for model in pair(networks["church128"], heads["church128"])] == ["church128"]
    assert [model.name for model in pair(networks["church128"], heads["cifar10"])] == ["bedroom128"]
    for network, head in (
        ("cifar10", "church128"),
        ("cats128", "cats-upsampler"),
        ("cats-upsampler", "cifar10"),
    ):
        with pytest.raises(BadCheckpoint, match=r"is the GENIE head of .* but .* is the network of"):
            pair(networks[network], heads[head])
    with pytest.raises(BadCheckpoint, match="not two of one kind"):
        pair(networks["cifar10"], networks["cifar10"])
    with pytest.raises(BadCheckpoint, match="not two of one kind"):
        pair(heads["cifar10"], heads["cifar10"])


# --- other networks ---------------------------------------------------------------------------


@pytest.mark.parametrize("model", PUBLISHED, ids=lambda model: model.name)
@pytest.mark.parametrize("part", ["network", "head"])
def test_the_first_keys_that_differ_are_named(model: Any, part: str) -> None:
    shapes = shapes_of(getattr(model, part))
    last = list(shapes)[-2]

    def said(shapes: dict[str, tuple[int, ...]]) -> str:
        with pytest.raises(BadCheckpoint) as caught:
            recognise(shapes, "a.pth")
        assert "a.pth is almost the" in caught.value.message
        return caught.value.message

    assert f"missing {last}" in said({key: shape for key, shape in shapes.items() if key != last})
    assert "unknown surplus.weight" in said({**shapes, "surplus.weight": (3,)})
    assert f"{last} [7, 7] instead of {list(shapes[last])}" in said({**shapes, last: (7, 7)})


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["all_modules.0.weight", "all_modules.3.GroupNorm_0.weight", "sigmas"], "a ScoreSDE network"),
        (["time_embed.0.weight", "input_blocks.0.0.weight", "out.2.weight"], "a guided-diffusion network"),
        (["model.diffusion_model.input_blocks.0.0.weight", "first_stage_model.x"], "Stable Diffusion"),
        (["conv_in.weight", "time_embedding.linear_1.weight", "down_blocks.0.x.weight"], "a diffusers U-Net"),
        (["temb.dense.0.weight", "down.0.block.0.norm1.weight"], "a DDPM or DDIM network of another shape"),
        (["model.map_noise.freqs", "model.enc.32x32_conv.weight"], "an EDM network"),
        (["fc.weight", "layer1.0.conv1.weight"], "an image classifier"),
        (["a.weight", "b.weight"], "another network (its first weights are called a.weight, b.weight)"),
        ([], "no weights"),
    ],
)
def test_what_it_is_instead(keys: list[str], words: str) -> None:
    with pytest.raises(BadCheckpoint) as caught:
        recognise(dict.fromkeys(keys, (8, 8)), "a.pth")
    assert f"a.pth holds {words}" in caught.value.message.replace("or latent-diffusion", "").replace(
        "a Stable", "Stable"
    )
    for model in PUBLISHED:
        assert model.title in caught.value.message


def test_a_score_sde_file_is_called_that_though_its_network_is_ours() -> None:
    shapes = shapes_of(PUBLISHED[0].network)
    with pytest.raises(BadCheckpoint, match="holds a ScoreSDE network"):
        recognise({**shapes, "sigmas": (1000,)}, "a.pth")


@pytest.mark.parametrize(
    "shapes",
    [
        {"temb.dense.0.weight": (1,), "down.999999999999.block.0.conv1.weight": (32, 32, 3, 3)},
        {"all_modules.3.GroupNorm_0.weight": (1,), "all_modules.99999999999.weight": (1,)},
        {"aug_gfp.0.W": (1,), "output_blocks.99999999.0.x": (1,), "input_blocks.0.0.weight": (0, 0)},
        {"all_modules.0.all_modules.0.weight": ()},
        {"time_embed.0.W": (0,), "input_blocks.0.0.weight": (0, 0, 0, 0), "output_blocks.0.0.x": (0,)},
    ],
)
def test_hostile_shapes_cost_nothing(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(BadCheckpoint, match="holds"):
        recognise(shapes, "a.pth")


# --- damaged and hostile files ----------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.9, 0.9999])
def test_a_cut_file(tmp_path: Path, share: float) -> None:
    path = write_published(tmp_path / "a.pth", random_network(NETWORKS["cifar10"]))
    raw = path.read_bytes()
    path.write_bytes(raw[: max(1, int(share * len(raw)))])
    assert "Get it again" in refused(path) or "not a PyTorch checkpoint" in refused(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a placeholder of Git LFS"),
        (b"\x89PNG\r\n\x1a\n", "not a PyTorch checkpoint"),
        (b"\x80\x04\x95" + b"\xff" * 100, "damaged, cut off or not a PyTorch checkpoint"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    assert words in refused(path)


@pytest.mark.parametrize("seed", range(24))
def test_flipped_bytes_are_survived(tmp_path: Path, seed: int) -> None:
    """Damage in the pickle or the archive's directory: said in words, or harmless."""
    path = write_published(tmp_path / "a.pth", random_network(HEADS["cifar10"]))
    raw = bytearray(path.read_bytes())
    random = torch.Generator().manual_seed(seed)
    pickled = raw.index(b"\x80\x02")
    places = [pickled + int(torch.randint(2000, (), generator=random)) for _ in range(1 + seed % 3)]
    places.append(len(raw) - 1 - int(torch.randint(600, (), generator=random)))
    for place in places:
        raw[place] ^= 1 << int(torch.randint(8, (), generator=random))
    path.write_bytes(raw)
    try:
        found = read_published(path).what.config
    except BadCheckpoint as error:
        found = error.message
    assert found == HEADS["cifar10"] or str(path) in str(found)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "it is not a file" in refused(tmp_path)
    assert "No such file" in refused(tmp_path / "a.pth")


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 50_000_000)
    assert path.stat().st_size < 100_000
    assert "packed archive" in refused(path)


def test_an_archive_that_claims_more_than_it_holds(tmp_path: Path) -> None:
    """Stored, not packed, but its directory lists the same bytes many times over."""
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a/data.pkl", b"\0" * 100_000)
        first = archive.filelist[0]
        for index in range(50):
            again = zipfile.ZipInfo(f"a/data/{index}")
            again.header_offset, again.file_size = first.header_offset, first.file_size
            again.compress_size, again.CRC = first.compress_size, first.CRC
            archive.filelist.append(again)
    assert "packed archive" in refused(path)


def test_an_archive_without_a_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    assert "an archive, but not a PyTorch checkpoint" in refused(path)


class Runs:
    """A pickle of this makes a folder when it is loaded without care."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("new_format", [True, False])
def test_nothing_in_a_file_is_run(tmp_path: Path, new_format: bool) -> None:
    trap = tmp_path / "trap"
    document = {**document_of(random_network(HEADS["cifar10"])), "extra": Runs(trap)}
    path = saved(tmp_path / "a.pth", document, _use_new_zipfile_serialization=new_format)
    assert "mkdir to be run while it is read" in refused(path)
    assert not trap.exists()
    bare = tmp_path / "bare.pth"
    bare.write_bytes(pickle.dumps(Runs(trap)))
    refused(bare)
    assert not trap.exists()


# --- contents that don't fit ------------------------------------------------------------------


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], object], part: str = "network") -> str:
    configs: Any = NETWORKS if part == "network" else HEADS
    document = document_of(random_network(configs["imagenet64"]))
    change(document)
    return refused(saved(tmp_path / "a.pth", document))


def test_averages_that_dont_fit(tmp_path: Path) -> None:
    def shadow(document: dict[str, Any]) -> Any:
        return document["ema"]["shadow_params"]

    count = len(document_of(random_network(NETWORKS["imagenet64"]))["ema"]["shadow_params"])
    assert f"it has {count - 1} averaged weights (EMA) for {count} trained ones" in changed(
        tmp_path, lambda d: shadow(d).pop()
    )
    # As long as all weights together, frozen ones included: one too many.
    assert f"it has {count + 1} averaged weights" in changed(
        tmp_path, lambda d: shadow(d).insert(0, torch.zeros(32))
    )
    assert "time_embed.1.weight is [3] instead of [128, 64]" in changed(
        tmp_path, lambda d: shadow(d).__setitem__(0, torch.zeros(3))
    )
    assert "no averaged weights" in changed(tmp_path, lambda d: d.pop("ema"))
    assert "no averaged weights" in changed(tmp_path, lambda d: d.update(ema={"decay": 0.1}))
    assert "averaged weight 2 is not a plain tensor" in changed(
        tmp_path, lambda d: shadow(d).__setitem__(2, "words")
    )


def test_weights_that_are_none(tmp_path: Path) -> None:
    key = "module.out.0.bias"
    for value in (
        "words",
        torch.zeros(32, dtype=torch.int64),
        torch.zeros(32).to_sparse(),
        torch.zeros(1).expand(32),
        torch.zeros(32, device="meta"),
        torch.zeros(32, dtype=torch.float8_e5m2),
    ):
        said = changed(tmp_path, lambda d, value=value: d["model"].update({key: value}))  # type: ignore[misc]
        assert "out.0.bias is not a plain tensor of numbers" in said


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    document = document_of(random_network(NETWORKS["cifar10"]))
    document["ema"]["shadow_params"][3][1] = torch.nan
    file = read_published(saved(tmp_path / "a.pth", document))
    with pytest.raises(BadCheckpoint, match=r"all_modules\.1\.bias holds values that are not numbers"):
        fill(build(file.what.config), file)


def test_other_layouts(tmp_path: Path) -> None:
    document = document_of(random_network(NETWORKS["imagenet64"]))
    bare = {key.removeprefix("module."): value for key, value in document["model"].items()}
    assert "not laid out as GENIE's files are" in refused(saved(tmp_path / "a.pth", bare))
    assert "don't begin with `module.`" in refused(saved(tmp_path / "b.pth", {**document, "model": bare}))
    assert "it holds a list" in refused(saved(tmp_path / "c.pth", [1, 2]))
    wrapped = {"state_dict": {"model.diffusion_model.out.0.weight": torch.zeros(1)}}
    assert "Stable Diffusion" in refused(saved(tmp_path / "d.pth", wrapped))


@pytest.mark.parametrize(
    ("like", "changes", "names"),
    [
        (5, {"widths": (64, 128, 128, 192, 192)}, ["cats128"]),
        (4, {"classes": 10}, ["imagenet64-cond"]),
        (6, {"attention": (False,) * 6 + (True,)}, ["cats-upsampler"]),
        (1, {"blocks": 1}, ["bedroom128", "church128"]),
        (3, {"attention": (False,) * 4}, ["imagenet64"]),
        # Of no published kind, but of a published architecture.
        (5, {"classes": 3}, ["imagenet64", "imagenet64-cond", "cats128"]),
        (0, {"attention": (True, True, True, True), "blocks": 2}, ["cifar10"]),
        (0, {"widths": (128, 256), "attention": (False, False)}, ["cifar10"]),
    ],
)
def test_another_size_of_a_known_architecture(like: int, changes: dict[str, Any], names: list[str]) -> None:
    config: Any = replace(PUBLISHED[like].network, **changes)
    found = recognise(shapes_of(config), "a.pth")
    assert not found.exact
    assert [model.name for model in found.models] == names
    for key in ("widths", "blocks", "attention", "classes"):
        assert getattr(found.config, key) == getattr(config, key)
