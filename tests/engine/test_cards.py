"""Cards and the library: what a card says comes back, and what is wrong with it is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from engine.catalogue import read_catalogue
from engine.checkpoints.card import HEAD_FIELDS, NETWORK_FIELDS, card_to_toml, read_card
from engine.checkpoints.library import data_folder, user_folder
from engine.checkpoints.native import HEADS, NETWORKS
from engine.errors import BadCheckpoint, UnknownName
from engine.networks.compact import CompactConfig
from engine.networks.head import CompactHeadConfig
from tests.engine.tiny_model import tiny_card, write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler


def test_a_card_survives_toml(tmp_path: Path) -> None:
    card = replace(
        tiny_card(channels=3, classes=("Äpfel", 'with "quotes"')),
        summary="Two lines,\nand a backslash \\.",
        training={"command": "genie train", "seed": 3, "nested": {"loss": [0.5, 0.25]}},
        quality={"agreement": 0.96},
    )
    path = tmp_path / "card.toml"
    path.write_text(card_to_toml(card), encoding="utf-8")
    again = read_card(path)
    assert again == replace(card, training=again.training)
    assert again.training == card.training


def test_an_upsampler_says_how_much_noise_suits_it(tmp_path: Path) -> None:
    path = write_tiny_upsampler(tmp_path, aug_level=0.03) / "card.toml"
    assert read_card(path).aug_level == 0.03
    assert read_catalogue([tmp_path]).model("larger").aug_level == 0.03
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("aug_level = 0.03\n", ""), encoding="utf-8")
    assert read_card(path).aug_level == 0.1  # as the published one
    path.write_text(text.replace("aug_level = 0.03", "aug_level = 2"), encoding="utf-8")
    with pytest.raises(BadCheckpoint, match=r"a number from 0\.001 to 1") as caught:
        read_card(path)
    assert caught.value.field == "model.aug_level"


def test_what_lies_behind_the_pictures_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    for card in (tiny_card(), replace(tiny_card(), background=(255, 250, 0))):
        path.write_text(card_to_toml(card), encoding="utf-8")
        assert read_card(path).background == card.background
    assert tiny_card().background == (0, 0, 0)
    path.write_text(path.read_text(encoding="utf-8").replace("250", "256"), encoding="utf-8")
    with pytest.raises(BadCheckpoint, match="three whole numbers from 0 to 255") as caught:
        read_card(path)
    assert caught.value.field == "model.background"


def test_the_rules_cover_the_config_classes() -> None:
    assert list(NETWORK_FIELDS["compact"]) == [f.name for f in fields(CompactConfig)]
    assert list(HEAD_FIELDS["compact"]) == [f.name for f in fields(CompactHeadConfig)]
    assert set(NETWORK_FIELDS) == set(NETWORKS)
    assert set(HEAD_FIELDS) == set(HEADS)


DAMAGES = [
    ("channels = 1", "channels = 2", "model.channels", "one of 1, 3"),
    ("channels = 1", "channels = true", "model.channels", "one of 1, 3"),
    ("image_size = 8", "image_size = -8", "model.image_size", "from 1 to 4096"),
    ("image_size = 8", 'image_size = "8"', "model.image_size", "from 1 to 4096"),
    ('prediction = "v"', 'prediction = "w"', "model.prediction", "eps, v, x0"),
    ('spacing = "quadratic"', 'spacing = "cubic"', "model.spacing", "log-snr"),
    ("null_label = true", "null_label = 1", "model.null_label", "true or false"),
    ('name = "tiny"', 'name = "../tiny"', "model.name", "letters"),
    ('    "Boat",', '    "Apple",', "model.classes", "different names"),
    ('kind = "compact"', 'kind = "magic"', "network.kind", "compact"),
    ("classes = 3", "classes = 4", "network.classes", "3, as [model] says"),
    ("    16,\n    16,", "    16,\n    100,", "network.widths", "32 divides"),
    ("middle = 1", "middle = 0", "network.middle", "from 1 to 16"),
    ("    16,\n    16,", "    16,\n    10,", "network.widths", "multiples of 4"),
    ("patch = 2", "patch = 3", "network.patch", "6 divides"),
    ("blocks = 1", "", "network.blocks", "missing"),
    ("blocks = 1", "blocks = 1\nsurprise = 2", "network.surprise", "none but"),
    ('weights = "network.safetensors"', 'weights = "/etc/passwd"', "network.weights", "same folder"),
    ('weights = "head.safetensors"', 'weights = "../head.safetensors"', "head.weights", "same folder"),
    ("features = 16", "features = 32", "head.features", "16, as in [network]"),
    ("beta_min = 0.1", "beta_min = inf", "schedule.beta_min", "a number"),
    ("beta_min = 0.1", "beta_min = nan", "schedule.beta_min", "a number"),
    ("beta_min = 0.1", f"beta_min = {10**400}", "schedule.beta_min", "a number"),
    ("[schedule]", "[plan]", "schedule", "no table [schedule]"),
    ('licence = "MIT"', "licence = 3", "data.licence", "a text"),
]


@pytest.mark.parametrize(
    ("old", "new", "field", "words"), DAMAGES, ids=[d[2] + " " + d[1][:20] for d in DAMAGES]
)
def test_a_damaged_card_names_file_field_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, field: str, words: str
) -> None:
    folder = write_tiny_model(tmp_path)
    path = folder / "card.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadCheckpoint) as caught:
        read_card(path)
    assert caught.value.field == field
    assert str(path) in caught.value.message
    assert words in caught.value.message
    # It does not vanish from the list; it says there what is wrong.
    (listed,) = read_catalogue([tmp_path]).models
    assert listed.name == "tiny"
    assert listed.problem == caught.value.message


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[model", b"a = " + b"[" * 5000, b"#" * 1_000_001])
def test_a_card_that_is_no_card(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.toml").write_bytes(content)
    (listed,) = read_catalogue([tmp_path]).models
    assert listed.name == "broken"
    assert listed.problem is not None
    assert "card.toml" in listed.problem


def test_the_library_lists_what_is_there(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)
    write_tiny_model(tmp_path, "plain", classes=(), head=False, channels=3)
    write_tiny_model(tmp_path / "other", "tiny")
    (folder / "sample.png").write_bytes(b"picture")
    (tmp_path / "nothing").mkdir()
    catalogue = read_catalogue([tmp_path, tmp_path / "other", tmp_path / "missing"])
    assert [m.name for m in catalogue.models] == ["plain", "tiny", "tiny"]
    plain, tiny, double = catalogue.models
    assert (plain.classes, plain.has_head, plain.channels, plain.sample) == ((), False, 3, None)
    assert tiny.classes == ("Apple", "Boat", "Cloud")
    assert tiny.has_head
    assert tiny.sample == str(folder / "sample.png")
    assert tiny.bytes == sum(p.stat().st_size for p in folder.glob("*.safetensors"))
    assert tiny.problem is None
    assert double.problem is not None
    assert str(folder) in double.problem
    assert catalogue.model("tiny") is tiny
    with pytest.raises(UnknownName, match="Did you mean 'plain'"):
        catalogue.model("plane")


def test_a_folder_that_cannot_be_entered_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("closed", "tiny"):
        write_tiny_model(tmp_path, name)
    real = Path.is_file

    def is_file(self: Path) -> bool:
        if self.parent.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "is_file", is_file)
    for folders in ([tmp_path], [tmp_path / "closed", tmp_path]):
        assert [model.name for model in read_catalogue(folders).models] == ["tiny"]


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_missing_weights_are_seen_without_loading(tmp_path: Path, how: str) -> None:
    weights = write_tiny_model(tmp_path) / "head.safetensors"
    weights.unlink()
    if how == "empty":
        weights.touch()
    (listed,) = read_catalogue([tmp_path]).models
    assert listed.problem is not None
    assert str(weights) in listed.problem


def test_the_users_models_are_found_by_default(genie_home: Path) -> None:
    assert data_folder() == genie_home
    write_tiny_model(user_folder(), "mine")
    mine = read_catalogue().model("mine")
    assert not mine.bundled
    assert all(m.bundled for m in read_catalogue().models if m.name != "mine")


def test_the_catalogue_needs_no_torch(tmp_path: Path, root: Path) -> None:
    write_tiny_model(tmp_path)
    program = (
        "import sys; from pathlib import Path; from engine.catalogue import read_catalogue\n"
        "c = read_catalogue([Path(sys.argv[1])])\n"
        "print(len(c.models), len(c.solvers) > 6, 'torch' in sys.modules, 'PySide6' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "True", "False", "False"]
