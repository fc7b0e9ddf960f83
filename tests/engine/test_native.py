"""Weights on disk: stored ones come back, damaged ones say which and how, half ones never exist."""

from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.checkpoints.card import Part, read_card
from engine.checkpoints.library import list_models
from engine.checkpoints.native import config_of, load_head, load_network, save_model
from engine.errors import BadCheckpoint, UnusableFolder
from engine.networks.adm import ADM, ADMConfig
from tests.engine.tiny_model import tiny_card, tiny_states, write_tiny_model


def store(folder: Path, weights: dict[str, torch.Tensor], part: str = "network") -> None:
    """Replace weights and correct the checksum, as a careless exporter would."""
    import hashlib

    path = folder / f"{part}.safetensors"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    save_file(weights, path)
    card = folder / "card.toml"
    card.write_text(card.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))


def problem(folder: Path) -> str:
    with pytest.raises(BadCheckpoint) as caught:
        load_network(folder, read_card(folder / "card.toml"))
    assert caught.value.field == "weights"
    assert str(folder / "network.safetensors") in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_come_back(tmp_path: Path, dtype: torch.dtype) -> None:
    card = tiny_card()
    network, head = tiny_states(card)
    stored = save_model(tmp_path / "m", card, network, head, dtype)
    assert read_card(tmp_path / "m" / "card.toml") == stored
    for module, state in (
        (load_network(tmp_path / "m", stored), network),
        (load_head(tmp_path / "m", stored), head),
    ):
        assert module is not None
        assert not module.training
        assert state is not None
        for name, value in module.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, state[name].to(dtype).float()), name
        assert not any(p.requires_grad for p in module.parameters())


def test_a_model_without_a_head(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path, head=False)
    card = read_card(folder / "card.toml")
    assert card.head is None
    assert load_head(folder, card) is None
    assert not (folder / "head.safetensors").exists()


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_cut_file(tmp_path: Path, cut: int) -> None:
    folder = write_tiny_model(tmp_path)
    path = folder / "network.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    assert "damaged or cut off" in problem(folder)


def test_garbage_and_pickles_are_not_executed(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)
    torch.save({"a": torch.zeros(1)}, folder / "network.safetensors")
    assert "damaged" in problem(folder)
    (folder / "network.safetensors").write_bytes(b"\xff" * 1000)
    assert "damaged" in problem(folder)


def test_one_changed_bit(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)
    path = folder / "network.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert "checksum" in problem(folder)


def test_other_networks_name_the_first_keys_that_differ(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)
    weights = load_file(folder / "network.safetensors")
    renamed = {("Stem.weight" if k == "stem.weight" else k): v for k, v in weights.items()}
    store(folder, renamed)
    assert "missing stem.weight; unknown Stem.weight" in problem(folder)
    store(folder, {**weights, "stem.weight": torch.zeros(16, 5)})
    assert "stem.weight [16, 5] instead of [16, 4]" in problem(folder)
    store(folder, {**weights, "stem.bias": torch.zeros(16, dtype=torch.int32)})
    assert "stem.bias (torch.int32)" in problem(folder)
    store(folder, {**weights, "stem.bias": torch.full((16,), torch.nan)})
    assert "not numbers in stem.bias" in problem(folder)


def test_states_of_another_network_are_not_stored(tmp_path: Path) -> None:
    card = tiny_card()
    network, head = tiny_states(card)
    with pytest.raises(ValueError, match="with a head"):
        save_model(tmp_path / "m", card, network, None)
    del network["stem.bias"]
    with pytest.raises(ValueError, match=r"missing stem\.bias"):
        save_model(tmp_path / "m", card, network, head)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["network.safetensors", "head.safetensors", "card.toml"])
def test_a_full_disk_leaves_the_old_model_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    folder = write_tiny_model(tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real = Path.write_bytes

    def write_bytes(self: Path, data: Any) -> int:
        if failing.removesuffix(".toml").removesuffix(".safetensors") in self.name:
            real(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    card = replace(tiny_card(), title="New")
    with pytest.raises(UnusableFolder, match="No space left"):
        save_model(folder, card, *tiny_states(card, seed=1))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_what_a_killed_save_left_behind_is_no_model(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    (tmp_path / "tiny").rename(tmp_path / ".tiny.x7f3")
    assert list_models([tmp_path]) == ()
    write_tiny_model(tmp_path)
    assert [(model.name, model.problem) for model in list_models([tmp_path])] == [("tiny", None)]


_PEAK = """
import re, sys
from pathlib import Path
import torch
from engine.checkpoints.card import Part, read_card
from engine.checkpoints.native import load_network

with torch.device("meta"):
    torch.ones(1) * 2  # torch readies itself
def held(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

card = read_card(Path(sys.argv[1]) / "card.toml")
before = held("VmRSS")
network = load_network(Path(sys.argv[1]), card)
size = sum(value.numel() * 4 for value in network.state_dict().values())
print((held("VmHWM") - before) / size)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no VmHWM to read")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_loading_holds_the_weights_once(tmp_path: Path, dtype: torch.dtype) -> None:
    """Of a network of 140 MB: neither the file's bytes nor random beginnings beside them."""
    config = ADMConfig(widths=(96, 192, 384), blocks=2, attention=(False, False, True))
    with torch.device("meta"):
        layout = ADM(config).state_dict()
    state = {name: torch.zeros(value.shape) for name, value in layout.items()}
    card = replace(
        tiny_card(), image_size=64, channels=3, classes=(), null_label=False, head=None,
        network=Part("adm", config_of(config), "network.safetensors"),
    )  # fmt: skip
    save_model(tmp_path / "m", card, state, dtype=dtype)
    command = [sys.executable, "-c", _PEAK, str(tmp_path / "m")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert 0.9 < float(done.stdout) < 1.4


def test_a_file_of_another_network_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header is enough to refuse it, however large it is."""
    folder = write_tiny_model(tmp_path)
    weights = load_file(folder / "network.safetensors")
    store(folder, {**weights, "more": torch.zeros(3)})
    monkeypatch.setattr("engine.checkpoints.native._read_tensors", lambda *_: pytest.fail("was read"))
    assert "unknown more" in problem(folder)
