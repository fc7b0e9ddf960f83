"""A model's card: `card.toml` beside its weights says all there is to know without loading them.

Imports no torch, so that every model can be listed before torch is loaded. A card is checked
field by field; a `BadCheckpoint` names the file, the field, its value and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import tomli_w

from engine.errors import BadCheckpoint
from engine.messages import SPACINGS

__all__ = [
    "CARD",
    "HEAD_FIELDS",
    "NETWORK_FIELDS",
    "PREDICTIONS",
    "Card",
    "Part",
    "card_to_toml",
    "read_card",
]

CARD = "card.toml"
PREDICTIONS = ("eps", "v", "x0")
_MAX_CARD_BYTES = 1_000_000


@dataclass(frozen=True)
class Part:
    """One network of a model: its architecture, the settings of it, and where its weights are.

    `sha256` is that of the weights file; `save_model` fills it in.
    """

    kind: str
    config: Mapping[str, Any]
    weights: str
    sha256: str = "0" * 64


@dataclass(frozen=True)
class Card:
    """Everything a card says. `training` and `quality` are free tables, for people to read."""

    name: str
    title: str
    summary: str
    image_size: int
    channels: int  # 1 grey, 3 RGB
    classes: tuple[str, ...]  # empty: unconditional
    null_label: bool
    network: Part
    head: Part | None = None
    prediction: str = "v"
    spacing: str = "quadratic"
    guidance: float = 0.0  # with which its pictures are best to look at
    aug_level: float = 0.1  # of an upsampler: how much noise it likes on the small image
    consistent: bool = False  # its results are corrected towards the small image
    background: tuple[int, int, int] = (0, 0, 0)  # red, green, blue: what lies behind its pictures
    beta_min: float = 0.1
    beta_d: float = 19.9
    data: Mapping[str, str] = field(default_factory=dict)  # name, licence, note
    training: Mapping[str, Any] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)


# --- what a field may be: a test and the words for it -----------------------------------------


@dataclass(frozen=True)
class _Rule:
    words: str
    ok: Callable[[Any], bool]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _whole(low: int, high: int) -> _Rule:
    return _Rule(f"a whole number from {low} to {high}", lambda v: _is_whole(v) and low <= v <= high)


def _number(low: float, high: float) -> _Rule:
    def ok(value: object) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and low <= value <= high  # type: ignore[operator]  # NaN fails this too

    return _Rule(f"a number from {low:g} to {high:g}", ok)


def _one_of(allowed: tuple[object, ...]) -> _Rule:
    # A set of types beside the values, because True == 1.
    return _Rule(
        "one of " + ", ".join(map(str, allowed)),
        lambda v: v in allowed and type(v) in {type(a) for a in allowed},
    )


def _list_of(words: str, ok: Callable[[Any], bool], low: int, high: int) -> _Rule:
    return _Rule(words, lambda v: isinstance(v, list) and low <= len(v) <= high and all(map(ok, v)))


_TEXT = _Rule("a text", lambda v: isinstance(v, str) and len(v) <= 20_000)
_NAME = _Rule(
    "a name of letters, digits, dots, dashes and underscores",
    lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,99}", v) is not None,
)
_FILE = _Rule(
    "the name of a .safetensors file in the same folder",
    lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,99}\.safetensors", v) is not None,
)
_HASH = _Rule(
    "64 hexadecimal digits", lambda v: isinstance(v, str) and re.fullmatch(r"[0-9a-f]{64}", v) is not None
)
_BOOLEAN = _Rule("true or false", lambda v: isinstance(v, bool))
_CLASSES = _list_of(
    "a list of different names", lambda v: isinstance(v, str) and 0 < len(v) <= 100, 0, 100_000
)
_SIZE = _whole(1, 4096)
_WIDTH = _whole(4, 4096)

_MODEL_FIELDS = {
    "name": _NAME,
    "title": _TEXT,
    "summary": _TEXT,
    "image_size": _SIZE,
    "channels": _one_of((1, 3)),
    "classes": _CLASSES,
    "null_label": _BOOLEAN,
    "prediction": _one_of(PREDICTIONS),
    "spacing": _one_of(SPACINGS),
}
# Of [model] too; they may be missing and then are as `Card` has them.
_OPTIONAL_FIELDS = {
    "guidance": _number(0.0, 50.0),
    "aug_level": _number(1e-3, 1.0),
    "consistent": _BOOLEAN,
    "background": _list_of("three whole numbers from 0 to 255", _whole(0, 255).ok, 3, 3),
}
_SCHEDULE_FIELDS = {"beta_min": _number(1e-6, 100.0), "beta_d": _number(1e-6, 1000.0)}
_DATA_FIELDS = {"name": _TEXT, "licence": _TEXT, "note": _TEXT}

# What the published architectures have in common.
_PUBLISHED_FIELDS = {
    "image_size": _SIZE,
    "channels": _one_of((1, 3)),
    "classes": _one_of((0,)),
    "widths": _list_of("a list of 1 to 12 multiples of 32", lambda v: _WIDTH.ok(v) and v % 32 == 0, 1, 12),
    "blocks": _whole(1, 64),
    "attention": _list_of("a list of true and false, one a width", _BOOLEAN.ok, 1, 12),
}
_TIME_SCALE = {"time_scale": _number(1e-6, 1e6)}
_HEAD_CHANNELS = {"head_channels": _whole(1, 1024)}

# The settings of each architecture, by kind. They repeat the fields of its config class, which
# can't be asked here because it lives beside torch; a test holds the two together.
NETWORK_FIELDS: dict[str, dict[str, _Rule]] = {
    "compact": {
        "image_size": _SIZE,
        "channels": _one_of((1, 3)),
        "classes": _whole(0, 100_000),
        "patch": _whole(1, 64),
        "widths": _list_of("a list of 1 to 8 multiples of 4", lambda v: _WIDTH.ok(v) and v % 4 == 0, 1, 8),
        "blocks": _whole(1, 16),
        "middle": _whole(1, 16),
        "embedding": _WIDTH,
    },
    "compact-upsampler": {
        "image_size": _SIZE,
        "channels": _one_of((1, 3)),
        "classes": _one_of((0,)),
        "patch": _whole(1, 64),
        "widths": _list_of("a list of 1 to 8 multiples of 4", lambda v: _WIDTH.ok(v) and v % 4 == 0, 1, 8),
        "blocks": _whole(1, 16),
        "middle": _whole(1, 16),
        "embedding": _WIDTH,
        "low_resolution": _SIZE,
        "detail": _number(1e-3, 1.0),
        "contrast": _number(1e-3, 2.0),
    },
    "ddpm": {**_PUBLISHED_FIELDS, **_TIME_SCALE},
    "ncsnpp": {**_PUBLISHED_FIELDS, **_TIME_SCALE},
    "adm": {**_PUBLISHED_FIELDS, "classes": _whole(0, 100_000), **_HEAD_CHANNELS},
    "adm-upsampler": {**_PUBLISHED_FIELDS, **_HEAD_CHANNELS, "low_resolution": _SIZE},
}
HEAD_FIELDS: dict[str, dict[str, _Rule]] = {
    "compact": {
        "channels": _one_of((1, 3)),
        "patch": _whole(1, 64),
        "features": _WIDTH,
        "embedding": _WIDTH,
        "width": _WIDTH,
        "fade": _number(1e-3, 1e6),
        "kernel": _one_of((1, 3)),
        "image": _BOOLEAN,
    },
    "compact-upsampler": {
        "channels": _one_of((1, 3)),
        "patch": _whole(1, 64),
        "features": _WIDTH,
        "embedding": _WIDTH,
        "width": _WIDTH,
        "fade": _number(1e-3, 1e6),
        "kernel": _one_of((1, 3)),
    },
    "published": {
        "channels": _one_of((1, 3)),
        "features": _WIDTH,
        "embedding": _WIDTH,
        "width": _WIDTH,
        "conditioned": _BOOLEAN,
        "normalized": _BOOLEAN,
    },
}
_PART_FIELDS = {"weights": _FILE, "sha256": _HASH}


# --- reading ----------------------------------------------------------------------------------


class _Table:
    """One table of a card; takes fields out of it by rule and complains by name."""

    def __init__(self, path: Path, name: str, values: object) -> None:
        self._path, self._name = path, name
        if not isinstance(values, dict):
            raise BadCheckpoint(f"{path}: it has no table [{name}]. Import the model again.", field=name)
        self._values = values

    def complain(self, key: str, words: str) -> BadCheckpoint:
        value = repr(self._values[key])[:80] if key in self._values else "missing"
        return BadCheckpoint(
            f"{self._path}: {self._name}.{key} is {value}; {words} is needed. "
            "Correct the card or import the model again.",
            field=f"{self._name}.{key}",
        )

    def take(self, key: str, rule: _Rule) -> Any:
        if key not in self._values or not rule.ok(self._values[key]):
            raise self.complain(key, rule.words)
        return self._values[key]

    def take_all(self, fields: Mapping[str, _Rule]) -> dict[str, Any]:
        unknown = sorted(set(self._values) - set(fields))
        if unknown:
            raise self.complain(unknown[0], f"none but {', '.join(fields)}")
        return {key: self.take(key, rule) for key, rule in fields.items()}

    def part(self, kinds: Mapping[str, Mapping[str, _Rule]]) -> Part:
        kind = self.take("kind", _one_of(tuple(kinds)))
        fields = {"kind": _TEXT, **kinds[kind], **_PART_FIELDS}
        values = self.take_all(fields)
        config = {key: _frozen(values[key]) for key in kinds[kind]}
        return Part(kind, config, values["weights"], values["sha256"])


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def read_card(path: Path) -> Card:
    """The card at `path`; a `BadCheckpoint` says what is wrong with it."""
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_CARD_BYTES:
            raise ValueError("it is longer than any card")
        return _parse_card(path, raw.decode("utf-8"))
    except OSError as error:
        raise BadCheckpoint(f"Couldn't read {path}: {error.strerror or error}.", field="card") from error
    except (ValueError, RecursionError) as error:
        raise BadCheckpoint(
            f"{path} is not a readable card: {error}. Correct it or import the model again.", field="card"
        ) from error


# Every job looks at its card again; only one that changed is parsed again.
@lru_cache(maxsize=64)
def _parse_card(path: Path, text: str) -> Card:
    document = tomllib.loads(text)
    model_table = _Table(path, "model", document.get("model"))
    given = {key: rule for key, rule in _OPTIONAL_FIELDS.items() if key in document["model"]}
    model = {key: _frozen(value) for key, value in model_table.take_all(_MODEL_FIELDS | given).items()}
    if len(set(model["classes"])) != len(model["classes"]):
        raise model_table.complain("classes", _CLASSES.words)
    network_table = _Table(path, "network", document.get("network"))
    network = network_table.part(NETWORK_FIELDS)
    _check_network(network_table, network, model)
    head = None
    if "head" in document:
        head_table = _Table(path, "head", document["head"])
        head = head_table.part(HEAD_FIELDS)
        _check_head(head_table, head, network)
    schedule_table = _Table(path, "schedule", document.get("schedule"))
    schedule = schedule_table.take_all(_SCHEDULE_FIELDS)
    if network.kind != "compact":
        # These embed time itself, found from gamma by the one schedule they were published with.
        for key, needed in (("beta_min", Card.beta_min), ("beta_d", Card.beta_d)):
            if schedule[key] != needed:
                raise schedule_table.complain(key, f"{needed}, as for every published network,")
    data = _Table(path, "data", document.get("data", {"name": "", "licence": "", "note": ""}))
    return Card(
        **model,
        network=network,
        head=head,
        beta_min=float(schedule["beta_min"]),
        beta_d=float(schedule["beta_d"]),
        data=data.take_all(_DATA_FIELDS),
        training=_free_table(path, document, "training"),
        quality=_free_table(path, document, "quality"),
    )


def _free_table(path: Path, document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise BadCheckpoint(f"{path}: {name} is {value!r}; a table [{name}] is needed.", field=name)
    return value


def _check_network(table: _Table, network: Part, model: Mapping[str, Any]) -> None:
    """Does the architecture make what [model] promises, and can it be built?"""
    config = network.config
    for key, promised in (
        ("image_size", model["image_size"]),
        ("channels", model["channels"]),
        ("classes", len(model["classes"])),
    ):
        if config[key] != promised:
            raise table.complain(key, f"{promised}, as [model] says,")
    if "attention" in config and len(config["attention"]) != len(config["widths"]):
        raise table.complain("attention", "one true or false a width")
    smallest = config.get("patch", 1) * 2 ** (len(config["widths"]) - 1)
    if config["image_size"] % smallest:
        raise table.complain(
            "patch" if "patch" in config else "image_size", f"an image size that {smallest} divides"
        )
    if network.kind == "compact" and config["widths"][-1] % max(1, config["widths"][-1] // 32):
        raise table.complain("widths", "a last one that 32 divides, or below 64,")
    if network.kind.startswith("adm"):
        # The middle attends as well, at the last width.
        attends = (*config["attention"], True)
        attended = [w for w, a in zip((*config["widths"], config["widths"][-1]), attends, strict=True) if a]
        if any(width % config["head_channels"] for width in attended):
            raise table.complain("head_channels", "a number that divides each width with attention")
    if "low_resolution" in config and config["low_resolution"] >= config["image_size"]:
        raise table.complain("low_resolution", "a smaller size than that of the image")
    if network.kind == "compact-upsampler" and config["image_size"] % config["low_resolution"]:
        raise table.complain("low_resolution", f"a divisor of {config['image_size']}")


def _check_head(table: _Table, head: Part, network: Part) -> None:
    """The head works on what its network hands over."""
    config = network.config
    width = config["widths"][0]
    if network.kind.startswith("compact"):
        kind, embedding = network.kind, config["embedding"]
        special: tuple[tuple[str, object], ...] = (("patch", config["patch"]),)
    else:
        kind, embedding = "published", 4 * width
        special = (("conditioned", network.kind == "adm-upsampler"),)
    if head.kind != kind:
        raise table.complain("kind", f"{kind}, the head of such a network,")
    common = (("channels", config["channels"]), ("features", width), ("embedding", embedding))
    for key, needed in (*common, *special):
        if head.config[key] != needed:
            raise table.complain(key, f"{needed}, as in [network],")


# --- writing ----------------------------------------------------------------------------------


def card_to_toml(card: Card) -> str:
    """The text of a card file; `read_card` gives an equal card back."""

    def part(p: Part) -> dict[str, Any]:
        return {"kind": p.kind, **_thawed(p.config), "weights": p.weights, "sha256": p.sha256}

    told = [key for key in _OPTIONAL_FIELDS if getattr(card, key) != getattr(Card, key)]
    document: dict[str, Any] = {
        "model": {key: _thawed(getattr(card, key)) for key in (*_MODEL_FIELDS, *told)},
        "network": part(card.network),
    }
    if card.head is not None:
        document["head"] = part(card.head)
    document["schedule"] = {"beta_min": card.beta_min, "beta_d": card.beta_d}
    document["data"] = {key: card.data.get(key, "") for key in _DATA_FIELDS}
    document["training"] = _thawed(card.training)
    document["quality"] = _thawed(card.quality)
    return tomli_w.dumps(document)


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thawed(entry) for key, entry in value.items() if entry is not None}
    return [_thawed(entry) for entry in value] if isinstance(value, (tuple, list)) else value
