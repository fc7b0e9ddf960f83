"""The settings beside the canvas: checks, presets, requests, sessions."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from app.models.settings import LABELS, GenerateSettings
from engine.errors import BadRequest, UnknownName
from engine.messages import MAX_SEED, Catalogue, GenerateRequest, choose_labels
from tests.fake_engine import fake_catalogue


@pytest.fixture
def settings(qtbot: QtBot) -> GenerateSettings:
    made = GenerateSettings()
    made.set_catalogue(fake_catalogue())
    return made


class Counter:
    """Counts emissions and keeps the last arguments."""

    def __init__(self, signal: Any) -> None:
        self.count = 0
        self.last: tuple[object, ...] = ()
        signal.connect(self.hear)

    def hear(self, *values: object) -> None:
        self.count += 1
        self.last = values


def test_setters_emit_only_when_the_value_is_another(settings: GenerateSettings) -> None:
    own, any_ = Counter(settings.steps_changed), Counter(settings.changed)
    settings.steps = 10
    assert (own.count, any_.count) == (0, 0)
    settings.steps = 12
    assert (own.count, own.last, any_.count) == (1, (12,), 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps", 1001), ("steps", True), ("steps", 5.0), ("count", 0), ("count", 10_001),
        ("seed", -2), ("seed", MAX_SEED + 1), ("guidance", float("nan")), ("guidance", float("inf")),
        ("guidance", 51.0), ("t_end", 0.0), ("t_end", 0.6), ("spacing", "cubic"), ("device", "tpu"),
        ("device", "cuda:x"), ("precision", "fp8"), ("denoise", 1), ("pick", "some"), ("pick", (1, -1)),
        ("pick", 3), ("model", None),
    ],
)  # fmt: skip
def test_a_bad_value_raises_with_its_field_and_changes_nothing(
    settings: GenerateSettings, name: str, value: object
) -> None:
    before, heard = settings.to_dict(), Counter(settings.changed)
    with pytest.raises(BadRequest) as caught:
        settings.set_value(name, value)
    assert caught.value.field == name
    assert settings.to_dict() == before
    assert heard.count == 0


def test_typed_text_becomes_a_value_or_an_inline_error(settings: GenerateSettings) -> None:
    heard = Counter(settings.errors_changed)
    assert not settings.set_from_text("steps", "ten")
    assert settings.errors == {"steps": "Steps needs a whole number from 1 to 1,000."}
    assert settings.steps == 10
    with pytest.raises(BadRequest) as caught:
        settings.build_request()
    assert caught.value.field == "steps"
    assert settings.set_from_text("steps", " 12 ")
    assert settings.errors == {}
    assert settings.steps == 12
    assert heard.count == 2


def test_typing_the_old_value_again_clears_the_error(settings: GenerateSettings) -> None:
    settings.set_from_text("count", "10000000")
    assert "count" in settings.errors
    assert settings.set_from_text("count", "16")
    assert settings.errors == {}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("guidance", "1,5", 1.5), ("guidance", "-0.5", -0.5), ("seed", "", -1), ("seed", "Random", -1),
        ("seed", "48 151 623", 48151623), ("t_end", "1e-4", 1e-4), ("count", "10 000", 10000),
    ],
)  # fmt: skip
def test_texts_people_type(settings: GenerateSettings, name: str, text: str, value: object) -> None:
    assert settings.set_from_text(name, text)
    assert settings.value(name) == value


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "", "1,2,3", "0x10", "١e", "9" * 5000])
def test_hostile_numbers_are_refused(settings: GenerateSettings, text: str) -> None:
    assert not settings.set_from_text("guidance", text)
    assert not settings.set_from_text("steps", text)
    assert set(settings.errors) == {"guidance", "steps"}


def test_an_error_of_a_combination_goes_when_anything_changes(settings: GenerateSettings) -> None:
    settings.model, settings.guidance = "plain", 2.0
    settings.pick = "all"
    with pytest.raises(BadRequest) as caught:
        settings.build_request()
    assert caught.value.field == "guidance"
    assert "guidance" in settings.errors
    settings.guidance = 0.0
    assert settings.errors == {}
    assert settings.build_request().labels == (None,) * 16


def test_errors_of_the_engine_find_their_control(settings: GenerateSettings) -> None:
    assert settings.set_error("classes", "No such class.")
    assert settings.errors == {"pick": "No such class."}
    assert not settings.set_error("out", "The folder is gone.")
    assert not settings.set_error(None, "Something.")
    assert list(settings.errors) == ["pick"]


def test_presets(settings: GenerateSettings) -> None:
    heard = Counter(settings.preset_changed)
    assert (settings.preset, settings.solver, settings.steps) == ("good", "genie", 10)
    settings.set_preset("draft")
    assert (settings.solver, settings.steps, heard.last) == ("genie", 5, ("draft",))
    settings.steps = 6
    assert settings.preset == "custom"
    assert settings.differs("steps")
    assert not settings.differs("solver")
    settings.reset("steps")
    assert (settings.steps, settings.preset) == (5, "draft")
    settings.steps = 25  # one preset's steps with the same rest is that preset
    assert settings.preset == "best"
    with pytest.raises(BadRequest):
        settings.set_preset("ultra")


def test_a_preset_follows_the_model_but_own_choices_stay(settings: GenerateSettings) -> None:
    settings.set_preset("draft")
    settings.model = "headless"
    assert (settings.solver, settings.spacing, settings.steps) == ("dpmpp-2m", "log-snr", 5)
    assert settings.preset == "draft"
    settings.model = "fashion32"
    assert (settings.solver, settings.spacing) == ("genie", "quadratic")
    settings.steps = 7
    settings.model = "headless"
    assert (settings.solver, settings.steps, settings.preset) == ("genie", 7, "custom")
    with pytest.raises(BadRequest) as caught:
        settings.build_request()
    assert caught.value.field == "solver"


def test_several_values_are_one_change(settings: GenerateSettings) -> None:
    heard = Counter(settings.changed)
    settings.set_preset("best")
    assert heard.count == 1
    settings.set_values({"seed": 5, "count": 3, "guidance": 1.0})
    assert heard.count == 2


def test_a_request_has_what_was_set(settings: GenerateSettings) -> None:
    settings.set_values(
        {"pick": (9, 3), "seed": 48151623, "count": 5, "guidance": 1.5, "solver": "heun", "steps": 8,
         "spacing": "rho", "analytic_first": True, "denoise": True, "t_end": 1e-4, "device": "cuda:1",
         "precision": "bf16"}
    )  # fmt: skip
    assert settings.build_request() == GenerateRequest(
        "fashion32",
        48151623,
        (9, 3, 9, 3, 9),
        "heun",
        8,
        "rho",
        1.5,
        None,
        True,
        True,
        1e-4,
        "cuda:1",
        "bf16",
    )


def test_a_random_seed_is_drawn_anew_for_every_request(settings: GenerateSettings) -> None:
    seeds = {settings.build_request().seed for _ in range(8)}
    assert len(seeds) == 8
    assert all(0 <= seed <= MAX_SEED for seed in seeds)
    assert settings.seed == -1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": "broken"}, "model"),
        ({"pick": (10,)}, "pick"),
        ({"pick": ()}, "pick"),
    ],
)
def test_what_can_not_be_asked_for_is_told_beside_its_control(
    settings: GenerateSettings, changes: dict[str, object], field: str
) -> None:
    settings.set_values(changes)
    with pytest.raises(BadRequest):
        settings.build_request()
    assert list(settings.errors) == [field]


def test_an_unknown_model_names_the_nearest(settings: GenerateSettings) -> None:
    settings.model = "fashon32"
    with pytest.raises(UnknownName, match="Did you mean 'fashion32'"):
        settings.build_request()


def test_no_class_needs_a_model_with_an_empty_one(settings: GenerateSettings) -> None:
    settings.pick = "none"
    assert settings.build_request().labels == (None,) * 16
    models = tuple(dataclasses.replace(info, null_label=False) for info in fake_catalogue().models)
    settings.set_catalogue(Catalogue(models, fake_catalogue().solvers))
    with pytest.raises(BadRequest) as caught:
        settings.build_request()
    assert caught.value.field == "pick"


@given(
    seed=st.integers(0, MAX_SEED),
    count=st.integers(1, 40),
    pick=st.one_of(
        st.sampled_from(["all", "random", "none"]),
        st.lists(st.integers(0, 9), min_size=1, max_size=12).map(tuple),
    ),
    guidance=st.floats(-1, 50),
    steps=st.integers(1, 1000),
    solver=st.sampled_from([info.name for info in fake_catalogue().solvers]),
    flags=st.tuples(st.booleans(), st.booleans()),
    t_end=st.floats(1e-5, 0.5),
)
def test_applying_a_request_gives_that_request_again(
    seed: int,
    count: int,
    pick: Any,
    guidance: float,
    steps: int,
    solver: str,
    flags: tuple[bool, bool],
    t_end: float,
) -> None:
    labels = (None,) * count if pick == "none" else choose_labels(pick, count, 10, seed)
    request = GenerateRequest(
        "fashion32", seed, labels, solver, steps, "linear", guidance, None, *flags, t_end, "cpu", "fp32"
    )
    settings = GenerateSettings()
    settings.set_catalogue(fake_catalogue())
    assert not settings.matches(request)
    settings.apply_request(request)
    assert settings.matches(request)
    assert settings.build_request() == request
    again = GenerateSettings()
    again.from_dict(json.loads(json.dumps(settings.to_dict())))
    again.set_catalogue(fake_catalogue())
    assert again.build_request() == request


def test_the_planned_cost_is_honest(settings: GenerateSettings) -> None:
    assert settings.planned_evaluations() == "10 evaluations"
    settings.guidance = 1.0
    assert settings.planned_evaluations() == "20 evaluations (10 as the paper counts)"
    settings.set_values({"guidance": 0.0, "solver": "heun", "analytic_first": True, "denoise": True})
    assert settings.planned_evaluations() == "20 evaluations"
    settings.set_values({"solver": "ddim", "steps": 1, "denoise": False, "analytic_first": False})
    assert settings.planned_evaluations() == "1 evaluation"
    assert GenerateSettings().planned_evaluations() == ""


def test_a_session_takes_what_is_valid_and_never_fails(settings: GenerateSettings) -> None:
    settings.from_dict({"steps": 7, "count": "many", "guidance": None, "seed": [1], "spacing": "rho", "x": 1})
    assert (settings.steps, settings.count, settings.guidance, settings.seed, settings.spacing) == (
        7, 16, 0.0, -1, "rho",
    )  # fmt: skip


def test_a_preset_of_a_model_without_head_survives_the_session(settings: GenerateSettings) -> None:
    settings.model = "headless"
    stored = json.loads(json.dumps(settings.to_dict()))
    again = GenerateSettings()
    again.from_dict(stored)
    assert again.preset == "good"
    again.set_catalogue(fake_catalogue())
    assert (again.model, again.solver, again.preset) == ("headless", "dpmpp-2m", "good")


def test_a_model_that_is_gone_is_replaced(qtbot: QtBot) -> None:
    settings = GenerateSettings()
    settings.from_dict({"model": "deleted"})
    settings.set_catalogue(fake_catalogue())
    assert settings.model == "fashion32"
    assert settings.model_info is not None


def test_every_setting_has_a_label_a_signal_and_a_baseline(settings: GenerateSettings) -> None:
    fields = {field.name for field in dataclasses.fields(GenerateRequest)} - {"labels", "batch"}
    assert set(LABELS) == fields | {"pick", "count"}
    for name in LABELS:
        assert hasattr(settings, f"{name}_changed")
        settings.reset(name)
        assert not settings.differs(name)


def paired() -> Catalogue:
    """A conditional model without an empty class, and two without classes: one of its kind, one not."""
    models = {info.name: info for info in fake_catalogue().models}
    plain = models["plain"]
    return Catalogue(
        (
            dataclasses.replace(models["fashion32"], name="cond", null_label=False, data="Pictures"),
            dataclasses.replace(plain, name="other-size", image_size=16, data="Pictures"),
            dataclasses.replace(plain, name="other-data", data="Others"),
            dataclasses.replace(plain, name="uncond", title="Uncond", data="Pictures"),
            dataclasses.replace(models["fashion32"], name="itself", data="Pictures"),
        ),
        fake_catalogue().solvers,
    )


def test_guidance_is_what_suits_the_model_until_it_is_set(qapp: object) -> None:
    settings = GenerateSettings()
    fake = fake_catalogue()
    models = tuple(
        dataclasses.replace(info, guidance=2.0) if info.name == "headless" else info for info in fake.models
    )
    settings.set_catalogue(dataclasses.replace(fake, models=models))
    settings.model = "headless"
    assert settings.guidance == 2.0
    assert not settings.differs("guidance")
    settings.model = "fashion32"
    assert settings.guidance == 0.0
    settings.guidance = 1.0
    settings.model = "headless"  # set by hand, it stays
    assert settings.guidance == 1.0
    settings.reset("guidance")
    assert settings.guidance == 2.0
    settings.set_values({"guidance": 0.5, "model": "fashion32"})  # whichever is named first
    assert (settings.model, settings.guidance) == ("fashion32", 0.5)


def test_a_model_without_an_empty_class_is_guided_by_its_partner(qapp: object) -> None:
    settings = GenerateSettings()
    settings.set_catalogue(paired())
    assert settings.model == "cond"
    assert [partner.name for partner in settings.partners()] == ["uncond"]
    assert settings.guidance_model == "uncond"
    assert not settings.differs("guidance_model")
    settings.guidance = 1.0
    request = settings.build_request()
    assert (request.guidance, request.guidance_model) == (1.0, "uncond")
    settings.model = "itself"  # may be guided by it, and guides itself unless asked otherwise
    assert settings.guidance_model == "uncond"
    settings.reset("guidance_model")
    assert settings.guidance_model is None
    settings.model = "other-data"
    assert (settings.partners(), settings.guidance_model) == ([], None)
    settings.model = "cond"
    assert settings.guidance_model == "uncond"


def test_a_partner_of_the_last_session_that_is_gone_is_forgotten(qapp: object) -> None:
    settings = GenerateSettings()
    settings.from_dict({"model": "cond", "guidance_model": "uncond"})
    catalogue = paired()
    settings.set_catalogue(Catalogue(catalogue.models[:3], catalogue.solvers))
    assert settings.guidance_model is None
    settings.guidance = 1.0
    with pytest.raises(BadRequest, match="guidance"):
        settings.build_request()
