"""The engine as its callers meet it: requests in, events out, and nothing left behind."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import groups, plan, workbench
from engine.checkpoints.native import save_model
from engine.devices import Placement
from engine.errors import BadCheckpoint, BadRequest, EngineError, OutOfMemory, UnknownName
from engine.images import SavedSettings, read_settings, save
from engine.messages import (
    SPACINGS,
    Control,
    Event,
    GenerateRequest,
    Loading,
    Notice,
    Pictures,
    Progress,
    Result,
    WarmUp,
)
from engine.networks.compact import CompactUNet
from engine.solvers import solver_infos
from engine.tasks import Engine
from tests.engine.tiny_model import tiny_card, tiny_states, write_tiny_model

SOLVERS = [info.name for info in solver_infos()]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several tiny models; tests that damage one write their own."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder)
    write_tiny_model(folder, "free", classes=(), seed=1)
    write_tiny_model(folder, "headless", head=False)
    write_tiny_model(folder, "strict", null_label=False)
    write_tiny_model(folder, "colour", channels=3)
    card = replace(tiny_card("steep", classes=()), beta_d=10.0)
    save_model(folder / "steep", card, *tiny_states(card))
    return folder


@pytest.fixture
def engine(models: Path) -> Engine:
    return Engine([models])


def request(**changes: Any) -> GenerateRequest:
    values = {"model": "tiny", "labels": (0, 1, 2), "steps": 2, "precision": "fp32", **changes}
    return GenerateRequest(**values)


def finish(events: Iterator[Event]) -> Result:
    *before, result = events
    assert isinstance(result, Result)
    assert not any(isinstance(event, Result) for event in before)
    return result


def pixels(pictures: Pictures) -> Any:
    shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
    return np.frombuffer(pictures.data, np.uint8).reshape(shape).astype(int)


# --- every combination ------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_combination_of_options(engine: Engine, monkeypatch: pytest.MonkeyPatch, solver: str) -> None:
    """Each runs, counts what the network really was asked, and makes its own picture."""
    calls = 0
    real = CompactUNet.forward

    def forward(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        return real(*arguments)

    monkeypatch.setattr(CompactUNet, "forward", forward)
    made: dict[bytes, tuple[object, ...]] = {}
    combinations = itertools.product((False, True), (False, True), (0.0, 1.5), SPACINGS)
    for afs, denoise, guidance, spacing in combinations:
        calls = 0
        asked = request(
            solver=solver, steps=3, analytic_first=afs, denoise=denoise, guidance=guidance, spacing=spacing,
            labels=(1, None),
        )  # fmt: skip
        events = list(engine.run(asked))
        result = events[-1]
        assert isinstance(result, Result)
        assert result.complete
        assert calls == result.evaluations_paper
        assert result.evaluations == calls * (2 if guidance else 1)
        progress = [event for event in events if isinstance(event, Progress)]
        assert progress[-1].evaluations == progress[-1].evaluations_total == result.evaluations
        assert progress[-1].seconds_left == pytest.approx(0.0, abs=1e-9)
        assert [frame.step for frame in result.steps] == list(range(1, 4 + denoise))
        assert result.steps[-1].pictures == result.pictures
        made[result.pictures.data] = (afs, denoise, guidance, spacing)
    assert len(made) == 2 * 2 * 2 * len(SPACINGS)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("model", ["tiny", "colour"])
def test_precisions(engine: Engine, model: str, precision: str) -> None:
    result = finish(engine.run(request(model=model, precision=precision)))
    exact = finish(engine.run(request(model=model)))
    assert result.provenance.precision == precision
    assert np.abs(pixels(result.pictures) - pixels(exact.pictures)).mean() < 3.0


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_guided_pair(engine: Engine, solver: str) -> None:
    """w = -1 leaves the second model alone, w = 0 the first."""
    pair = request(solver=solver, guidance_model="free")
    plain = finish(engine.run(pair))
    assert plain.pictures == finish(engine.run(request(solver=solver))).pictures
    assert plain.evaluations == plain.evaluations_paper
    other = finish(engine.run(replace(pair, guidance=-1.0)))
    assert other.evaluations == 2 * other.evaluations_paper
    free = finish(engine.run(request(solver=solver, model="free", labels=(None,) * 3)))
    assert np.abs(pixels(other.pictures) - pixels(free.pictures)).max() <= 1


def test_guidance_by_null_label_of_no_class_changes_nothing(engine: Engine) -> None:
    plain = finish(engine.run(request(labels=(None, None))))
    guided = finish(engine.run(request(labels=(None, None), guidance=3.0)))
    assert np.abs(pixels(plain.pictures) - pixels(guided.pictures)).max() <= 1


# --- the same request, the same picture -------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_twice_the_same_and_batches_do_not_matter(engine: Engine, solver: str) -> None:
    asked = request(solver=solver, labels=(0, 1, 2, None, 1), batch=5, seed=11, steps=3)
    together = finish(engine.run(asked))
    assert finish(engine.run(asked)).pictures == together.pictures
    for i in range(asked.count):
        alone = finish(engine.run(replace(asked, seed=asked.seeds[i], labels=asked.labels[i : i + 1])))
        difference = np.abs(pixels(alone.pictures) - pixels(together.pictures.one(i)))
        assert difference.max() <= 1
    pairs = finish(engine.run(replace(asked, batch=2)))
    assert pairs.provenance.batches == (2, 2, 1)
    assert np.abs(pixels(pairs.pictures) - pixels(together.pictures)).max() <= 1
    assert not np.array_equal(pixels(together.pictures.one(0)), pixels(together.pictures.one(1)))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_saved_picture_is_made_again_bit_by_bit(engine: Engine, tmp_path: Path, precision: str) -> None:
    asked = request(labels=(0, 1, 2, None, 1), batch=2, seed=5, precision=precision, guidance=1.0)
    result = finish(engine.run(asked))
    for i in range(asked.count):
        path = tmp_path / f"{i}.png"
        save(path, result.pictures.one(i), SavedSettings(asked, i, result.provenance))
        again, index = read_settings(path).repeat()
        assert again.count == (2, 2, 2, 2, 1)[i]
        made = finish(engine.run(again))
        assert made.pictures.one(index) == result.pictures.one(i)
        assert made.provenance.batches == (again.count,)


# --- events -----------------------------------------------------------------------------------


def test_the_order_of_events(engine: Engine) -> None:
    events = list(engine.run(request(batch=2)))
    loading = [e.fraction for e in events if isinstance(e, Loading)]
    assert loading[0] == 0.0
    assert loading[-1] == 1.0
    assert loading == sorted(loading)
    progress = [e for e in events if isinstance(e, Progress)]
    assert [(p.first, p.count, p.step, p.steps) for p in progress] == [
        (0, 2, 1, 2), (0, 2, 2, 2), (2, 1, 1, 2), (2, 1, 2, 2),
    ]  # fmt: skip
    assert [p.evaluations for p in progress] == [1, 2, 3, 4]
    assert {p.evaluations_total for p in progress} == {4}
    assert all(p.preview is None for p in progress)
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(progress))
    assert [type(e) for e in events] == [Loading] * len(loading) + [Progress] * 4 + [Result]
    # The second time the model is there.
    assert not any(isinstance(e, Loading) for e in engine.run(request()))
    engine.release()
    assert any(isinstance(e, Loading) for e in engine.run(request()))


def test_previews_are_made_only_if_wanted(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[int] = []
    real = groups.to_pictures
    monkeypatch.setattr(groups, "to_pictures", lambda x: converted.append(len(x)) or real(x))
    answers = iter([False, True, False, False])
    control = Control(wants_preview=lambda: next(answers), keep_steps=False)
    events = list(engine.run(request(solver="heun"), control))
    previews = [e.preview for e in events if isinstance(e, Progress)]
    assert [p is not None for p in previews] == [False, True, False, False]
    assert previews[1] is not None
    assert previews[1].count == 3
    assert converted == [3, 3]  # one preview, one final
    assert isinstance(events[-1], Result)
    assert events[-1].steps == ()


def test_steps_that_would_fill_the_memory_are_not_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_FRAME_BYTES", 3 * 64 * 2 - 1)
    result = finish(engine.run(request()))
    assert result.steps == ()
    assert "not kept" in result.notices[0]
    monkeypatch.setattr(plan, "_FRAME_BYTES", 3 * 64 * 2)
    assert len(finish(engine.run(request())).steps) == 2


def test_warming_up_loads_and_ends_without_a_result(engine: Engine) -> None:
    events = list(engine.run(WarmUp("tiny")))
    assert [e.fraction for e in events if isinstance(e, Loading)] == [0.0, 0.8, 1.0]
    assert len(events) == 3
    assert not any(isinstance(e, Loading) for e in engine.run(request(precision="auto")))


def test_provenance(engine: Engine) -> None:
    p = finish(engine.run(request(labels=(0,) * 5, batch=3))).provenance
    assert (p.device, p.precision, p.batches) == ("cpu", "fp32", (3, 2))
    assert p.torch == torch.__version__
    assert p.device_name


def test_the_exact_derivative_runs_in_fp32_unless_told(engine: Engine) -> None:
    auto = finish(engine.run(request(solver="genie-exact", model="headless", precision="auto")))
    assert auto.provenance.precision == "fp32"


def test_inference_mode_does_not_leak(engine: Engine) -> None:
    for _ in engine.run(request(solver="genie-exact", guidance=1.0)):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()


def test_a_model_that_changed_on_disk_is_read_again(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    engine = Engine([tmp_path])
    first = finish(engine.run(request()))
    write_tiny_model(tmp_path, seed=9)
    assert finish(engine.run(request())).pictures != first.pictures


# --- stopping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS)
def test_stopping_at_every_event_leaves_the_engine_clean(engine: Engine, solver: str) -> None:
    asked = request(solver=solver, labels=(0, 1, 2), batch=2, denoise=True)
    clean = finish(engine.run(asked))
    events = len(list(engine.run(asked)))
    for stop_at in range(events - 1):
        control = Control()
        after = 0
        for i, event in enumerate(engine.run(asked, control)):
            if control.cancelled.is_set():
                after += isinstance(event, Progress)
            if i == stop_at:
                control.cancelled.set()
        assert after == 0  # not one more evaluation
        assert isinstance(event, Result)
        # Groups that were finished are kept, bit by bit.
        assert event.pictures.data == clean.pictures.data[: len(event.pictures.data)]
        assert event.pictures.count == sum(event.provenance.batches)
        assert event.complete == (stop_at == events - 2)
        assert all(frame.pictures.count == event.pictures.count for frame in event.steps)
    again = finish(engine.run(asked))
    assert again.pictures == clean.pictures
    assert again.steps == clean.steps


@pytest.mark.parametrize("changes", [{}, {"guidance": 1.0}, {"guidance": 1.0, "guidance_model": "free"}])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_stop_waits_for_one_evaluation_at_most(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, solver: str, changes: dict[str, Any]
) -> None:
    """Between two events the network is asked once; in a guided pair, each of the two is."""
    real, calls = CompactUNet.forward, []

    def forward(self: CompactUNet, *arguments: Any) -> Any:
        calls.append(1)
        return real(self, *arguments)

    asked = request(solver=solver, denoise=True, **changes)
    engine_events = engine.run(asked)
    monkeypatch.setattr(CompactUNet, "forward", forward)
    spent = []
    for event in engine_events:
        if isinstance(event, Progress):
            spent.append(len(calls))
        calls.clear()
    assert set(spent) == {2 if "guidance_model" in changes else 1}


@pytest.mark.parametrize("solver", SOLVERS)
def test_abandoning_at_every_event_leaves_the_engine_clean(engine: Engine, solver: str) -> None:
    asked = request(solver=solver)
    clean = finish(engine.run(asked))
    for stop_at in range(1, 4):
        events = engine.run(asked)
        list(itertools.islice(events, stop_at))
        del events
        assert not torch.is_inference_mode_enabled()
        assert finish(engine.run(asked)).pictures == clean.pictures


def test_stopped_before_it_began(engine: Engine) -> None:
    control = Control()
    control.cancelled.set()
    result = finish(engine.run(request(), control))
    assert result.pictures == Pictures(0, 8, 8, 1, b"")
    assert result.provenance.batches == ()
    assert not result.complete


# --- memory -----------------------------------------------------------------------------------

Broken = Callable[[int, int], None]


@pytest.fixture
def break_network(monkeypatch: pytest.MonkeyPatch) -> Callable[[Broken], None]:
    """Let a function of (call, batch) decide when the network runs out of memory."""
    real = CompactUNet.forward

    def install(breaks: Broken) -> None:
        calls = itertools.count()

        def forward(self: CompactUNet, x: Any, *rest: Any) -> Any:
            breaks(next(calls), len(x))
            return real(self, x, *rest)

        monkeypatch.setattr(CompactUNet, "forward", forward)

    return install


def too_much(limit: int) -> Broken:
    def breaks(call: int, batch: int) -> None:
        if batch > limit:
            raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory for {batch}")

    return breaks


@pytest.mark.parametrize(("limit", "batches"), [(5, (4, 4)), (2, (2, 2, 2, 2)), (1, (1,) * 8)])
def test_the_batch_is_halved_and_the_job_goes_on(
    engine: Engine, break_network: Callable[[Broken], None], limit: int, batches: tuple[int, ...]
) -> None:
    asked = request(labels=(0, 1) * 4)
    clean = finish(engine.run(asked))
    break_network(too_much(limit))
    events = list(engine.run(asked))
    result = events[-1]
    assert isinstance(result, Result)
    assert result.complete
    assert result.provenance.batches == batches
    assert result.notices == tuple(e.message for e in events if isinstance(e, Notice))
    assert f"goes on with {batches[0]}" in result.notices[-1]
    assert np.abs(pixels(result.pictures) - pixels(clean.pictures)).max() <= 1
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert last.evaluations == last.evaluations_total
    assert last.seconds_left == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("fail_at", range(6))
def test_memory_runs_out_once_in_any_group(
    engine: Engine, break_network: Callable[[Broken], None], fail_at: int
) -> None:
    asked = request(labels=(0, 1, 2, 0, 1, 2), batch=2)
    clean = finish(engine.run(asked))

    def breaks(call: int, batch: int) -> None:
        if call == fail_at:
            raise torch.OutOfMemoryError("CUDA out of memory")

    break_network(breaks)
    result = finish(engine.run(asked))
    done = fail_at // 2
    assert result.provenance.batches == (2,) * done + (1,) * (6 - 2 * done)
    assert len(result.notices) == 1
    assert np.abs(pixels(result.pictures) - pixels(clean.pictures)).max() <= 1
    assert all(len(frame.pictures.data) == 6 * 64 for frame in result.steps)


def test_not_even_one_fits(
    engine: Engine, break_network: Callable[[Broken], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[object] = []
    monkeypatch.setattr(workbench, "release_memory", released.append)
    break_network(too_much(0))
    with pytest.raises(OutOfMemory, match="Not even one picture of Tiny") as caught:
        list(engine.run(request()))
    assert "can't allocate" in caught.value.details
    assert released
    break_network(too_much(99))
    assert finish(engine.run(request())).complete


def test_finished_groups_are_kept_when_not_even_one_more_fits(
    engine: Engine, break_network: Callable[[Broken], None]
) -> None:
    asked = request(labels=(0, 1, 2, 0, 1, 2), batch=2)
    clean = finish(engine.run(asked))

    def breaks(call: int, batch: int) -> None:
        if call >= 5:  # two groups of two steps, and one step of the third
            raise torch.OutOfMemoryError("CUDA out of memory")

    break_network(breaks)
    events = list(engine.run(asked))
    result = events[-1]
    assert isinstance(result, Result)
    assert not result.complete
    assert result.provenance.batches == (2, 2)
    assert result.pictures.data == clean.pictures.data[: 4 * 64]
    assert all(frame.pictures.count == 4 for frame in result.steps)
    assert "first 4 of 6" in result.notices[-1]
    assert result.notices == tuple(e.message for e in events if isinstance(e, Notice))
    break_network(too_much(99))
    assert finish(engine.run(asked)).complete


def test_other_models_make_room(engine: Engine, break_network: Callable[[Broken], None]) -> None:
    list(engine.run(WarmUp("free")))
    list(engine.run(WarmUp("tiny", precision="fp32")))
    assert len(engine._workbench._loaded) == 2
    break_network(too_much(2))
    assert finish(engine.run(request())).complete
    assert [Path(folder).name for folder, *_ in engine._workbench._loaded] == ["tiny"]


def test_loading_that_runs_out_of_memory(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    list(engine.run(WarmUp("free")))
    real, calls = workbench.load_network, itertools.count()

    def load(*arguments: Any) -> Any:
        if next(calls) == 0:
            raise MemoryError
        return real(*arguments)

    monkeypatch.setattr(workbench, "load_network", load)
    assert finish(engine.run(request())).complete
    assert len(engine._workbench._loaded) == 1

    def never(*_: Any) -> Any:
        raise MemoryError

    engine.release()
    monkeypatch.setattr(workbench, "load_network", never)
    with pytest.raises(OutOfMemory, match="Tiny doesn't fit"):
        list(engine.run(request()))


def test_only_some_models_are_kept(engine: Engine) -> None:
    for name in ("free", "tiny", "headless", "colour"):
        list(engine.run(WarmUp(name)))
    list(engine.run(WarmUp("tiny")))
    list(engine.run(WarmUp("free")))
    assert [Path(folder).name for folder, *_ in engine._workbench._loaded] == ["colour", "tiny", "free"]


def test_other_errors_are_not_taken_for_memory(
    engine: Engine, break_network: Callable[[Broken], None]
) -> None:
    def breaks(call: int, batch: int) -> None:
        raise RuntimeError("a bug of ours")

    break_network(breaks)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        list(engine.run(request()))


def test_numbers_that_run_away_are_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = CompactUNet.forward, itertools.count()

    def forward(self: CompactUNet, *arguments: Any) -> Any:
        output, *rest = real(self, *arguments)
        return (output * (math.nan if next(calls) == 1 else 1.0), *rest)

    monkeypatch.setattr(CompactUNet, "forward", forward)
    with pytest.raises(EngineError, match=r"step 2 of 3 .*Try precision fp32") as caught:
        list(engine.run(request(steps=3, precision="bf16")))
    assert caught.value.field == "precision"


def test_the_batch_fits_the_size_and_the_device(engine: Engine) -> None:
    made = plan.make_plan(request(labels=(0,) * 100), engine.catalogue())
    cpu = Placement(torch.device("cpu"), "fp32")
    at_32 = replace(made, model=replace(made.model, image_size=32))
    at_256 = replace(made, model=replace(made.model, image_size=256))
    assert plan.choose_batch(at_32, cpu) == 16
    assert plan.choose_batch(at_256, cpu) == 1
    assert plan.choose_batch(at_32, Placement(torch.device("cuda", 0), "bf16")) == 100
    assert plan.choose_batch(replace(at_32, request=replace(made.request, batch=7)), cpu) == 7


# --- what can't be done -----------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], type[EngineError], str, str]] = [
    ({"model": "tony"}, UnknownName, "model", "Did you mean 'tiny'"),
    ({"solver": "geenie"}, UnknownName, "solver", "Did you mean 'genie'"),
    ({"guidance_model": "fre"}, UnknownName, "model", "Did you mean 'free'"),
    ({"labels": (3,)}, BadRequest, "classes", "0 Apple, 1 Boat, 2 Cloud"),
    ({"model": "free", "labels": (0,)}, BadRequest, "classes", "knows no classes"),
    ({"model": "strict", "labels": (0, None)}, BadRequest, "classes", "without a class"),
    ({"model": "headless"}, BadRequest, "solver", "genie-exact"),
    ({"guidance": 1.0, "guidance_model": "headless"}, BadRequest, "solver", "genie-exact"),
    ({"model": "strict", "guidance": 1.0}, BadRequest, "guidance", "null label"),
    ({"model": "free", "labels": (None,), "guidance": 1.0}, BadRequest, "guidance", "null label"),
    ({"guidance": 1.0, "guidance_model": "colour"}, BadRequest, "guidance_model", "8x8 colour"),
    ({"guidance": 1.0, "guidance_model": "strict"}, BadRequest, "guidance_model", "without a class"),
    ({"guidance": 1.0, "guidance_model": "steep"}, BadRequest, "guidance_model", "noise schedule"),
    ({"steps": 1, "analytic_first": True}, BadRequest, "steps", "two steps"),
    ({"device": "cuda:7"}, BadRequest, "device", "There is:"),
]


@pytest.mark.parametrize(
    ("changes", "kind", "field", "words"), REFUSED, ids=[str(r[0])[:50] for r in REFUSED]
)
def test_what_is_refused(
    engine: Engine, changes: dict[str, Any], kind: type[EngineError], field: str, words: str
) -> None:
    with pytest.raises(kind) as caught:
        list(engine.run(request(**changes)))
    assert type(caught.value) is kind
    assert caught.value.field == field
    assert words in caught.value.message


def test_more_pictures_than_memory(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "free_memory", lambda: 4 * 64 * 10)
    with pytest.raises(BadRequest, match="At most 10") as caught:
        list(engine.run(request(labels=(0,) * 11)))
    assert caught.value.field == "count"
    assert finish(engine.run(request(labels=(0,) * 10))).complete


def test_damaged_models(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path)
    engine = Engine([tmp_path])
    weights = folder / "head.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-5])
    with pytest.raises(BadCheckpoint, match=r"head\.safetensors is damaged"):
        list(engine.run(request()))
    weights.write_bytes(whole)
    assert finish(engine.run(request())).complete
    card = folder / "card.toml"
    card.write_text(card.read_text().replace("channels = 1", "channels = 7"))
    with pytest.raises(BadCheckpoint, match=r"model\.channels is 7"):
        list(engine.run(request()))
