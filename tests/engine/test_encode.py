"""Encoding through the engine's door: round trips, reports, files, stops and refusals."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from engine.encode import decode_request_of
from engine.errors import BadImage, BadRequest, EngineError, OutOfMemory
from engine.flow import ProbabilityFlow
from engine.latents import latent_from_bytes, write_latent
from engine.messages import (
    Control,
    Event,
    FileLatent,
    Notice,
    Pictures,
    Progress,
    Request,
    SeedLatent,
    request_from_json,
    request_to_json,
)
from engine.messages.edit import (
    AttributeEdit,
    BlendEdit,
    ClassEdit,
    ClassSet,
    DirectionRequest,
    EditRequest,
    MaskEdit,
    PaintEdit,
    VaryEdit,
)
from engine.messages.encode import (
    EXACT_SOLVERS,
    Decoded,
    DecodeRequest,
    Encoded,
    EncodeRequest,
    Encoding,
    Framed,
    Photo,
    PhotoRequest,
    Refused,
    RoundTrip,
    RoundTripRequest,
)
from engine.messages.images import FileImage, PngImage
from engine.solvers import Field, solver_infos
from engine.tasks import Engine
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder)
    write_tiny_model(folder, "other", seed=3)
    write_tiny_model(folder, "headless", head=False)
    write_tiny_model(folder, "colour", channels=3, image_size=16)
    return folder


@pytest.fixture
def engine(models: Path) -> Engine:
    return Engine([models])


def png(seed: int = 0, size: int = 8, channels: int = 1) -> PngImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, channels)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(buffer, "PNG")
    return PngImage(buffer.getvalue())


def photos(count: int = 1) -> tuple[Photo, ...]:
    return tuple(Photo(png(seed)) for seed in range(count))


def asked(count: int = 1, **changes: Any) -> EncodeRequest:
    values: dict[str, Any] = {
        "steps": 6,
        "photos": photos(count),
        "labels": tuple(i % 3 for i in range(count)),
    }
    return EncodeRequest("tiny", **{**values, **changes})


def finish(engine: Engine, request: Request, control: Control | None = None) -> Any:
    *_, last = engine.run(request, control)
    return last


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXACT_SOLVERS)
def test_exact_comes_back_to_the_byte(engine: Engine, name: str) -> None:
    result = finish(engine, asked(5, exact=True, solver=name))
    assert isinstance(result, Encoding)
    for item in result.encoded:
        assert item.fidelity.identical
        assert item.round_trip == item.original
        assert item.converged
        assert len(item.steps) == 6
        assert item.words.startswith("Comes back to the byte.")
    assert result.provenance.precision == "fp32"


@pytest.mark.parametrize("name", [info.name for info in solver_infos()])
def test_every_solver_encodes_without_iterating(engine: Engine, name: str) -> None:
    few = finish(engine, asked(2, solver=name, steps=10))
    many = finish(engine, asked(2, solver=name, steps=60))
    for less, more in zip(few.encoded, many.encoded, strict=True):
        assert more.fidelity.psnr > less.fidelity.psnr
        assert less.evaluations == less.evaluations_back
        assert more.fidelity.psnr > 30.0
        assert less.steps == ()


def test_colour_and_reduced_photos(engine: Engine) -> None:
    request = dataclasses.replace(asked(exact=True), model="colour", photos=(Photo(png(1, 40, 3)),))
    result = finish(engine, request)
    (item,) = result.encoded
    assert (item.original.width, item.original.channels) == (16, 3)
    assert item.fidelity.identical
    assert item.facts.resample == "box"


def test_the_report(engine: Engine) -> None:
    (item,) = finish(engine, asked(solver="ddim", steps=4)).encoded
    original = np.frombuffer(item.original.data, np.uint8).astype(int)
    back = np.frombuffer(item.round_trip.data, np.uint8).astype(int)
    gap = np.abs(original - back)
    assert item.fidelity.changed == np.count_nonzero(gap)
    assert item.fidelity.largest == gap.max()
    assert item.fidelity.psnr == pytest.approx(10 * math.log10(255**2 / (gap**2).mean()))
    shown = np.frombuffer(item.difference.data, np.uint8)
    assert shown.max() == 255
    assert np.abs(shown - gap * item.stretch).max() <= 0.5
    latent = latent_from_bytes(item.latent)
    assert latent.id == item.latent_id
    assert item.statistics.std == pytest.approx(float(latent.z.std(correction=0)))
    assert latent.provenance["request"]["steps"] == 4
    assert latent.gamma == item.gammas[0]


def test_what_the_file_says_decodes_it(engine: Engine, tmp_path: Path) -> None:
    (item,) = finish(engine, asked(exact=True, steps=4)).encoded
    path = tmp_path / "a.latent.safetensors"
    path.write_bytes(item.latent)
    request = decode_request_of(path)
    assert request.gammas == item.gammas
    assert (request.labels, request.solver, request.precision) == ((0,), "genie", "fp32")
    result = finish(engine, request)
    assert isinstance(result, Decoded)
    assert result.pictures == item.original
    assert decode_request_of(path, steps=7).gammas == ()
    assert finish(engine, decode_request_of(path, steps=7)).complete


def test_latents_of_seeds_decode_together(engine: Engine) -> None:
    latents = tuple(SeedLatent(seed) for seed in range(5))
    request = DecodeRequest("tiny", latents=latents, labels=(0, 1, None, 2, ((0, 0.5), (1, 0.5))), batch=2)
    result = finish(engine, request)
    assert result.pictures.count == 5
    alone = finish(engine, dataclasses.replace(request, latents=latents[3:4], labels=(2,)))
    assert alone.pictures == result.pictures.one(3)


def test_error_versus_steps(engine: Engine) -> None:
    request = RoundTripRequest(
        "tiny", photo=photos()[0], label=1, solvers=("genie-2m", "ddim"), counts=(5, 20, 80)
    )
    result = finish(engine, request)
    assert isinstance(result, RoundTrip)
    assert result.complete
    for name in request.solvers:
        curve = result.curve(name)
        assert [steps for steps, _ in curve] == [5, 20, 80]
        assert curve[0][1] < curve[1][1] <= curve[2][1]
    assert [point.evaluations for point in result.points] == [10, 40, 160] * 2


def test_a_photo_as_the_model_will_see_it(engine: Engine) -> None:
    result = finish(engine, PhotoRequest("tiny", Photo(png(1, 12), crop=(2, 2, 8, 8))))
    assert isinstance(result, Framed)
    assert result.complete
    assert result.kept
    (item,) = finish(engine, asked(photos=(Photo(png(1, 12), crop=(2, 2, 8, 8)),))).encoded
    assert item.original == result.picture


# --- many ---------------------------------------------------------------------------------------


def test_one_bad_file_does_not_stop_the_rest(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    bad = Photo(FileImage(str(tmp_path / "bad.png")))
    request = asked(photos=(*photos(2), bad, *photos(2)), labels=(0, 1, 2, 0, 1), batch=2)
    events: list[Event] = list(engine.run(request))
    result = events[-1]
    assert isinstance(result, Encoding)
    assert result.complete
    assert [type(item) for item in result.items] == [Encoded, Encoded, Refused, Encoded, Encoded]
    assert result.items[3] == result.encoded[2]
    assert result.encoded[2].original == result.encoded[0].original
    assert result.encoded[2].label == 0
    assert any(isinstance(event, Notice) and "bad.png" in event.message for event in events)
    assert "4 images encoded, 1 could not be read." in result.words


def test_a_single_bad_file_is_an_error(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="No such file"):
        finish(engine, asked(photos=(Photo(FileImage(str(tmp_path / "none.png"))),)))


@pytest.mark.parametrize("exact", [False, True])
def test_a_stop_keeps_what_is_finished(engine: Engine, exact: bool) -> None:
    request, cancelled = asked(4, batch=2, exact=exact, solver="ddim"), ThreadEvent()
    seen = []
    for event in engine.run(request, Control(cancelled)):
        seen.append(event)
        if isinstance(event, Progress) and event.first == 2:
            cancelled.set()
    result = seen[-1]
    assert isinstance(result, Encoding)
    assert len(result.items) == 2
    assert not result.complete
    assert result.kept
    assert "Stopped" in result.words
    # Nothing more was evaluated after the stop.
    assert sum(isinstance(event, Progress) and event.first == 2 for event in seen) == 1


def test_less_at_once_where_memory_runs_out(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ProbabilityFlow.field

    def field(self: ProbabilityFlow, xbar: Tensor, gamma: float) -> Field:
        if len(xbar) > limit:
            raise torch.OutOfMemoryError("out of memory")
        return plain(self, xbar, gamma)

    monkeypatch.setattr(ProbabilityFlow, "field", field)
    limit = 2
    result = finish(engine, asked(5, solver="ddim", exact=True))
    assert result.complete
    assert all(item.fidelity.identical for item in result.encoded)
    assert result.provenance.batches == (2, 2, 1)
    assert "it goes on with 2" in result.notices[-1]
    limit = 0
    with pytest.raises(OutOfMemory, match="Not even one picture"):
        finish(engine, asked(solver="ddim"))
    with pytest.raises(OutOfMemory, match="Not even one picture"):
        finish(engine, EditRequest("tiny", source=photos()[0], edit=ClassEdit(1), label=0, solver="ddim"))


def test_progress_and_previews(engine: Engine) -> None:
    progress = [
        event
        for event in engine.run(asked(3, solver="ddim"), Control(wants_preview=lambda: True))
        if isinstance(event, Progress)
    ]
    assert [event.evaluations for event in progress] == list(range(1, 13))
    assert {event.evaluations_total for event in progress} == {12}
    assert all(isinstance(event.preview, Pictures) and event.preview.count == 3 for event in progress)
    times = [event.t for event in progress[:6]]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.0)


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"exact": True, "solver": "dpmpp-2m"}, "solver", "genie, genie-exact, ddim, heun"),
        ({"exact": True, "solver": "genie-2m"}, "solver", "can't be inverted exactly"),
        ({"photos": ()}, "images", "1 to"),
        ({"labels": ()}, "labels", "one for each"),
        ({"labels": (-1,)}, "label", "0"),
        ({"steps": 0}, "steps", "1"),
        ({"gammas": (1.0,)}, "gammas", "grid"),
        ({"gammas": (1.0, 2.0)}, "gammas", "fall"),
        ({"exact": 1}, "exact", "true or false"),
    ],
)
def test_requests_that_cannot_be(changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words) as caught:
        asked(**changes)
    assert caught.value.field == field


def test_what_the_model_cannot(engine: Engine) -> None:
    with pytest.raises(BadRequest, match="no class 7"):
        finish(engine, asked(labels=(7,)))
    with pytest.raises(BadRequest, match="no GENIE head"):
        finish(engine, dataclasses.replace(asked(), model="headless"))
    with pytest.raises(EngineError, match="no model"):
        finish(engine, PhotoRequest("nowhere", photos()[0]))


def test_a_latent_of_another_model_or_shape(engine: Engine, tmp_path: Path) -> None:
    (item,) = finish(engine, asked()).encoded
    path = tmp_path / "a.safetensors"
    path.write_bytes(item.latent)
    for model, words in (("other", "belongs to the model 'tiny'"), ("colour", "belongs to the model")):
        with pytest.raises(BadRequest, match=words):
            finish(engine, decode_request_of(path, model=model))
    latent = latent_from_bytes(item.latent)
    write_latent(tmp_path / "noise.safetensors", dataclasses.replace(latent, model="", provenance={}))
    with pytest.raises(BadRequest, match="needs 3 channels"):
        finish(engine, decode_request_of(tmp_path / "noise.safetensors", model="colour"))
    path.write_bytes(item.latent[:100])
    with pytest.raises(BadRequest, match="damaged"):
        decode_request_of(path)


def test_a_latents_file_with_odd_settings(engine: Engine, tmp_path: Path) -> None:
    latent = latent_from_bytes(finish(engine, asked()).encoded[0].latent)
    for odd in (
        {"decode": 3},
        {"decode": {"model": "tiny", "steps": "x"}},
        {"decode": {"model": "tiny", "z": 1}},
    ):
        write_latent(tmp_path / "odd.safetensors", dataclasses.replace(latent, provenance=odd))
        with pytest.raises(BadRequest):
            decode_request_of(tmp_path / "odd.safetensors")


# --- as JSON ------------------------------------------------------------------------------------

PHOTO = Photo(FileImage("a.png"), (1, -2, 3, 4), "box", (1, 2, 3))
REQUESTS: list[Request] = [
    EncodeRequest("m", photos=(PHOTO, Photo(png())), labels=(1, None), exact=True),
    PhotoRequest("m", PHOTO),
    DecodeRequest("m", latents=(SeedLatent(1), FileLatent("x")), labels=(((1, 0.5), (None, 0.5)), 3), gammas=(3.0, 1.0)),
    RoundTripRequest("m", photo=PHOTO, label=3, counts=(4, 8)),
    DirectionRequest("m", name="n", toward=ClassSet(2, 5, 6), away=(PHOTO, SeedLatent(1))),
    *(
        EditRequest("m", source=source, edit=edit, label=1, strengths=(0.0, 1.0))
        for source in (PHOTO, FileLatent("x"))
        for edit in (
            ClassEdit(2), ClassEdit(((1, 0.5), (None, 0.5))), BlendEdit(PHOTO, 3), BlendEdit(SeedLatent(3)),
            VaryEdit((3, 4)), MaskEdit(png(), 3, 0.5, 7), AttributeEdit(FileLatent("d"), -2.0), PaintEdit(png()),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.summary)
def test_requests_survive_json(request_: Request) -> None:
    assert request_from_json(request_to_json(request_)) == request_


@pytest.mark.parametrize("request_", REQUESTS[:6], ids=lambda r: r.kind)
@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, [[]], {"edit": []}, {"file": 3}, [{"png": "!"}]])
def test_junk_in_json_is_a_bad_request(request_: Request, junk: Any) -> None:
    data = {"genie": 1, "kind": request_.kind, **request_.to_dict()}
    for name in data:
        if name in ("genie", "kind", "guidance_model", "label", "gammas"):
            continue
        changed = {**data, name: junk}
        if changed[name] == data[name]:
            continue
        try:
            request_from_json(changed)
        except BadRequest:
            continue
        assert junk in ([], "x", 3), name  # a name or number like any other, or nothing
