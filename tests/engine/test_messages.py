"""Requests: complete, checked, and the same after any journey through JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import messages
from engine.errors import BadRequest, UnknownName
from engine.messages import (
    DEVICES,
    MAX_COUNT,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    SPACINGS,
    GenerateRequest,
    Pictures,
    SolverInfo,
    WarmUp,
    choose_labels,
    find_name,
    request_from_json,
    request_to_json,
)
from engine.messages.wire import REQUESTS, request_class
from engine.solvers import solver_infos
from engine.tasks import TASKS

names = st.text(min_size=1, max_size=200)
requests = st.builds(
    GenerateRequest,
    model=names,
    seed=st.integers(0, MAX_SEED),
    labels=st.lists(st.none() | st.integers(0, 1_000_000), min_size=1, max_size=20).map(tuple),
    solver=names,
    steps=st.integers(1, MAX_STEPS),
    spacing=st.sampled_from(SPACINGS),
    guidance=st.floats(-1, 50),
    guidance_model=st.none() | names,
    analytic_first=st.booleans(),
    denoise=st.booleans(),
    t_end=st.floats(1e-5, 0.5),
    device=st.sampled_from((*DEVICES, "cuda:1")),
    precision=st.sampled_from(PRECISIONS),
    batch=st.integers(0, MAX_COUNT),
)
warm_ups = st.builds(
    WarmUp, model=names, device=st.sampled_from(DEVICES), precision=st.sampled_from(PRECISIONS)
)


@given(requests | warm_ups)
def test_every_request_survives_json(request: Any) -> None:
    text = request_to_json(request)
    assert "\n" not in text
    assert request_from_json(text) == request
    assert request_from_json(text.encode()) == request
    assert request_from_json(json.loads(text)) == request


@given(requests)
def test_seeds_count_up_and_stay_in_range(request: GenerateRequest) -> None:
    assert len(request.seeds) == request.count == len(request.labels)
    assert request.seeds[0] == request.seed
    assert all(0 <= seed <= MAX_SEED for seed in request.seeds)
    assert len(set(request.seeds)) == request.count


BAD: list[tuple[str, Any]] = [
    ("steps", 0), ("steps", -1), ("steps", 10**7), ("steps", "ten"), ("steps", 2.0), ("steps", True),
    ("seed", -1), ("seed", MAX_SEED + 1), ("seed", None),
    ("guidance", math.nan), ("guidance", math.inf), ("guidance", 51), ("guidance", "1"), ("guidance", True),
    ("t_end", 0.0), ("t_end", 1.0), ("t_end", math.nan),
    ("spacing", "cubic"), ("spacing", None), ("device", "tpu"), ("device", 3), ("precision", "fp8"),
    ("model", ""), ("model", None), ("model", "x" * 201), ("solver", 5), ("guidance_model", ""),
    ("analytic_first", 1), ("denoise", "yes"), ("batch", -1), ("batch", MAX_COUNT + 1),
    ("labels", [0]), ("labels", (-1,)), ("labels", ("Boat",)), ("labels", (True,)),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD, ids=[f"{f}={str(v)[:12]}" for f, v in BAD])
def test_bad_values_name_their_field(field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        dataclasses.replace(GenerateRequest("tiny"), **{field: value})
    assert caught.value.field == field
    assert caught.value.message.startswith(field)


@pytest.mark.parametrize("labels", [(), (0,) * (MAX_COUNT + 1)], ids=["none", "too many"])
def test_the_count_has_limits(labels: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match="10,000") as caught:
        GenerateRequest("tiny", labels=labels)
    assert caught.value.field == "count"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from([f.name for f in dataclasses.fields(GenerateRequest)] + ["genie", "kind", "other"]),
)
def test_any_json_is_a_request_or_a_bad_request(value: Any, name: str) -> None:
    data = {**json.loads(request_to_json(GenerateRequest("tiny"))), name: value}
    for text in (json.dumps(value), json.dumps(data)):
        try:
            found: object = request_from_json(text)
        except BadRequest as error:
            found = error
        assert isinstance(found, (GenerateRequest, WarmUp)) or len(str(found)) > 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "readable JSON"), ("[]", "JSON object"), ("{}", "version None"), ("[" * 99_999, "readable JSON"),
        ('{"genie": 99, "kind": "generate"}', "version 99"), ('{"genie": 1, "kind": "rob"}', "kind 'rob'"),
        ('{"genie": 1, "kind": "generate"}', "incomplete"),
        ('{"genie": 1, "kind": "generate", "model": "a", "pickle": 1}', "pickle"),
        (" " * 4_000_001, "longer"), (b"\xff\xfe\xff", "readable JSON"),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_request(text: str | bytes, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        request_from_json(text)
    assert words in caught.value.message


def test_an_unknown_solver_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'dpmpp-2m'") as caught:
        find_name("DPM++2M", solver_infos(), "solver")
    assert caught.value.field == "solver"
    assert "unipc" in caught.value.message


def test_labels() -> None:
    assert choose_labels("all", 5, 3, 0) == (0, 1, 2, 0, 1)
    assert choose_labels((2, 0), 3, 3, 0) == (2, 0, 2)
    assert choose_labels("all", 2, 0, 0) == (None, None)
    drawn = choose_labels("random", 200, 3, 7)
    assert set(drawn) == {0, 1, 2}
    # A random label belongs to its seed, like the noise.
    assert choose_labels("random", 10, 3, 17) == drawn[10:20]
    for nothing in ((), "some"):
        with pytest.raises(BadRequest) as caught:
            choose_labels(nothing, 1, 3, 0)
        assert caught.value.field == "classes"


def test_counting_evaluations() -> None:
    plain = SolverInfo("a", "A", "", 1)
    exact = SolverInfo("b", "B", "", 2, evaluations_per_step=2, derivative="exact")
    assert plain.evaluations(10, analytic_first=True, denoise=True) == 10
    assert exact.evaluations(10, analytic_first=True, denoise=False) == 18


def test_pictures_know_their_size() -> None:
    two = Pictures(2, 2, 1, 3, bytes(range(12)))
    assert two.one(1) == Pictures(1, 2, 1, 3, bytes(range(6, 12)))
    with pytest.raises(ValueError, match="another size"):
        Pictures(2, 2, 1, 3, bytes(11))


def test_messages_need_nothing_but_the_standard_library(root: Any) -> None:
    program = (
        "import sys, engine.messages\n"
        "print([m for m in ('torch', 'numpy', 'PIL', 'PySide6', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_every_kind_of_request_has_its_class_and_its_task() -> None:
    assert set(REQUESTS) == set(TASKS)
    for kind in REQUESTS:
        assert request_class(kind).kind == kind
        task = import_module(TASKS[kind])
        assert callable(task.run)


def test_names_that_load_later_are_those_of_their_modules() -> None:
    for name in messages.__all__:
        assert getattr(messages, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        messages.Nonsense  # noqa: B018
