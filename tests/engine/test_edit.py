"""Six kinds of edits through the engine's door: what changes, what stays, what is refused."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from threading import Event as ThreadEvent
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.errors import BadImage, BadRequest
from engine.latents import latent_from_bytes, noise
from engine.masks import feathered
from engine.messages import Control, FileLatent, Pictures, Progress, Request, SeedLatent
from engine.messages.edit import (
    AttributeEdit,
    BlendEdit,
    ClassEdit,
    ClassSet,
    Direction,
    DirectionRequest,
    Edit,
    Edited,
    EditRequest,
    MaskEdit,
    PaintEdit,
    VaryEdit,
)
from engine.messages.encode import DecodeRequest, Photo
from engine.messages.images import PngImage
from engine.tasks import Engine
from tests.engine.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder)
    write_tiny_model(folder, "other", seed=3)
    write_tiny_model(folder, "free", classes=())
    return folder


@pytest.fixture
def engine(models: Path) -> Engine:
    return Engine([models])


def as_png(pixels: np.ndarray) -> PngImage:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return PngImage(buffer.getvalue())


def pixels(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(30, 220, (8, 8)).astype(np.uint8)


def photo(seed: int = 0) -> Photo:
    return Photo(as_png(pixels(seed)))


def asked(edit: Edit, **changes: Any) -> EditRequest:
    values: dict[str, Any] = {
        "source": photo(), "label": 0, "strengths": (0.0, 0.3, 0.8), "solver": "genie-2m", "steps": 12,
        "precision": "fp32",
    }  # fmt: skip
    return EditRequest("tiny", edit=edit, **{**values, **changes})


def finish(engine: Engine, request: Request, control: Control | None = None) -> Any:
    *_, last = engine.run(request, control)
    return last


def array(pictures: Pictures, index: int = 0) -> np.ndarray:
    one = pictures.one(index)
    return np.frombuffer(one.data, np.uint8).reshape(one.height, one.width)


@pytest.fixture
def direction(engine: Engine, tmp_path: Path) -> FileLatent:
    request = DirectionRequest(
        "tiny", name="Boat - Apple", toward=ClassSet(1, 6), away=(photo(1), SeedLatent(3)), steps=4
    )
    found = finish(engine, request)
    assert isinstance(found, Direction)
    path = tmp_path / "direction.safetensors"
    path.write_bytes(found.latent)
    return FileLatent(str(path), found.latent_sha256)


def every_edit(direction: FileLatent) -> list[Edit]:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 2:6] = 255
    paint = np.zeros((8, 8, 4), np.uint8)
    paint[:3] = (255, 255, 255, 255)
    return [
        ClassEdit(2),
        BlendEdit(photo(1), 1),
        BlendEdit(SeedLatent(4), 1),
        VaryEdit((5, 6)),
        MaskEdit(as_png(mask), 2),
        MaskEdit(as_png(mask), 2, 0.0, 9),
        AttributeEdit(direction, 4.0),
        PaintEdit(as_png(paint)),
    ]


def test_every_kind_makes_a_strip_that_grows_with_strength(engine: Engine, direction: FileLatent) -> None:
    for edit in every_edit(direction):
        result = finish(engine, asked(edit))
        assert isinstance(result, Edited)
        assert result.complete
        assert result.pictures.count == len(result.fidelity) == 3 * result.request.rows
        assert array(result.original).tolist() == pixels().tolist()
        for row in range(result.request.rows):
            nothing, some, much = result.fidelity[3 * row : 3 * row + 3]
            assert nothing.identical, edit.name
            assert not some.identical, edit.name
            assert not much.identical, edit.name
            if not isinstance(edit, PaintEdit):
                assert much.psnr < some.psnr, edit.name


def test_a_strength_does_not_depend_on_those_beside_it(engine: Engine, direction: FileLatent) -> None:
    for edit in every_edit(direction):
        strip = finish(engine, asked(edit))
        alone = finish(engine, asked(edit, strengths=(0.8,)))
        assert np.abs(array(strip.pictures, 2).astype(int) - array(alone.pictures, 0)).max() <= 1, edit.name


def test_the_same_class_leads_back(engine: Engine) -> None:
    result = finish(engine, asked(ClassEdit(0), strengths=(0.6, 1.0), steps=60))
    assert all(found.psnr > 45 for found in result.fidelity)
    exact = finish(engine, asked(ClassEdit(0), strengths=(0.6, 1.0), solver="genie", steps=6, exact=True))
    assert all(found.identical for found in exact.fidelity)


def test_a_blend_ends_at_the_other(engine: Engine) -> None:
    edit = BlendEdit(photo(1), 1)
    result = finish(engine, asked(edit, strengths=(1.0,), solver="ddim", steps=6, exact=True))
    assert np.abs(array(result.pictures).astype(int) - pixels(1)).max() <= 1
    seed = finish(engine, asked(BlendEdit(SeedLatent(4), 1), strengths=(1.0,)))
    drawn = finish(
        engine,
        DecodeRequest(
            "tiny", latents=(SeedLatent(4),), labels=(1,), solver="genie-2m", steps=12, precision="fp32"
        ),
    )
    assert np.abs(array(seed.pictures).astype(int) - array(drawn.pictures)).max() <= 1


def test_variations_are_those_of_their_seeds(engine: Engine) -> None:
    both = finish(engine, asked(VaryEdit((5, 6)), strengths=(0.5, 1.0)))
    one = finish(engine, asked(VaryEdit((6,)), strengths=(1.0,)))
    assert both.pictures.count == 4
    assert array(both.pictures, 1).tolist() != array(both.pictures, 3).tolist()
    assert np.abs(array(both.pictures, 3).astype(int) - array(one.pictures)).max() <= 1


@pytest.mark.parametrize("seed", [None, 9])
@pytest.mark.parametrize("feather", [0.0, 1.5])
def test_outside_of_the_mask_every_byte_stays(engine: Engine, seed: int | None, feather: float) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[3:5, 3:6] = 255
    edit = MaskEdit(as_png(mask), 2, feather, seed)
    result = finish(engine, asked(edit, guidance=1.0))
    soft = feathered(mask / 255, feather)
    for index in range(3):
        assert (array(result.pictures, index)[soft == 0] == pixels()[soft == 0]).all()
    assert (array(result.pictures, 2)[soft > 0] != pixels()[soft > 0]).any()


def test_a_whole_mask_is_the_edit_of_the_class(engine: Engine) -> None:
    white = MaskEdit(as_png(np.full((8, 8), 255, np.uint8)), 2, 0.0)
    # One step at a time, as inside a mask, DDIM is what it always is.
    inside = finish(engine, asked(white, solver="ddim", strengths=(0.7,)))
    everywhere = finish(engine, asked(ClassEdit(2), solver="ddim", strengths=(0.7,)))
    assert np.abs(array(inside.pictures).astype(int) - array(everywhere.pictures)).max() <= 1


def test_paint_shows_at_little_strength(engine: Engine) -> None:
    paint = np.zeros((8, 8, 4), np.uint8)
    paint[:4] = (250, 250, 250, 255)
    result = finish(engine, asked(PaintEdit(as_png(paint)), strengths=(0.02,), steps=30))
    found = array(result.pictures).astype(int)
    assert np.abs(found[:4] - 250).max() <= 25
    assert np.abs(found[4:] - pixels()[4:]).max() <= 25


def test_a_latent_is_decoded_first(engine: Engine) -> None:
    result = finish(engine, asked(ClassEdit(2), source=SeedLatent(7)))
    drawn = finish(
        engine,
        DecodeRequest(
            "tiny", latents=(SeedLatent(7),), labels=(0,), solver="genie-2m", steps=12, precision="fp32"
        ),
    )
    assert result.original == drawn.pictures
    assert array(result.pictures, 0).tolist() == array(result.original).tolist()


def test_a_direction_is_the_difference_of_means(engine: Engine, tmp_path: Path) -> None:
    seeds = tuple(SeedLatent(seed) for seed in range(4))
    request = DirectionRequest("free", name="d", toward=seeds[:2], away=seeds[2:], solver="ddim", steps=200)
    found = finish(engine, request)
    z = latent_from_bytes(found.latent).z
    n = noise(range(4), (1, 8, 8))
    wanted = n[:2].mean(dim=0) - n[2:].mean(dim=0)
    # Down and up again: what the pictures lost beyond black and white does not come back.
    assert float((z * wanted).sum() / (z.norm() * wanted.norm())) > 0.9
    assert found.separation > 1.0
    assert found.counts == (2, 2)
    assert "standard deviations apart" in found.words


def test_a_direction_of_nothing_is_refused(engine: Engine) -> None:
    with pytest.raises(BadRequest, match="nothing that tells them apart"):
        finish(engine, DirectionRequest("tiny", name="d", toward=(photo(),), away=(photo(),)))
    with pytest.raises(BadRequest, match="one picture or more on each side"):
        DirectionRequest("tiny", name="d", toward=(), away=ClassSet(1))


@pytest.mark.parametrize("edit", [ClassEdit(1), VaryEdit((1, 2))])
def test_a_stop_keeps_the_first_pictures(engine: Engine, edit: Edit) -> None:
    request, cancelled = asked(edit, strengths=(0.2, 0.4, 0.6)), ThreadEvent()
    for event in engine.run(request, Control(cancelled)):
        if isinstance(event, Progress) and event.evaluations > 26:
            cancelled.set()
        last = event
    assert isinstance(last, Edited)
    assert not last.complete
    assert last.pictures.count == len(last.fidelity) < request.count
    assert "Stopped" in last.words


def test_what_cannot_be_edited(engine: Engine, tmp_path: Path) -> None:
    big = MaskEdit(as_png(np.zeros((16, 16), np.uint8)), 1)
    with pytest.raises(BadImage, match="mask is 16 x 16; the picture is 8 x 8"):
        finish(engine, asked(big))
    with pytest.raises(BadImage, match="painting is 16 x 16"):
        finish(engine, asked(PaintEdit(as_png(np.zeros((16, 16), np.uint8)))))
    with pytest.raises(BadRequest, match="no class 9"):
        finish(engine, asked(ClassEdit(9)))
    with pytest.raises(BadRequest, match="Couldn't read the latent"):
        finish(engine, asked(AttributeEdit(FileLatent(str(tmp_path / "none.safetensors")))))
    with pytest.raises(BadRequest, match="knows no classes"):
        finish(engine, dataclasses.replace(asked(ClassEdit(1)), model="free"))


def test_a_direction_of_another_model(engine: Engine, direction: FileLatent) -> None:
    with pytest.raises(BadRequest, match="belongs to the model 'tiny'"):
        finish(engine, dataclasses.replace(asked(AttributeEdit(direction)), model="other"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"strengths": (1.2,)}, "strength"),
        ({"strengths": (-0.1,)}, "strength"),
        ({"strengths": (float("nan"),)}, "strength"),
        ({"strengths": ()}, "strength"),
        ({"strengths": (0.5,) * 65}, "strength"),
        ({"source": None}, "source"),
        ({"edit": "class"}, "kind"),
        ({"exact": True}, "solver"),
    ],
)
def test_requests_that_cannot_be(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        dataclasses.replace(asked(ClassEdit(1)), **changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: VaryEdit(()), "seeds"),
        (lambda: VaryEdit((-1,)), "seeds"),
        (lambda: MaskEdit(as_png(pixels()), 1, -1.0), "feather"),
        (lambda: MaskEdit("mask.png", 1), "mask"),  # type: ignore[arg-type]
        (lambda: AttributeEdit(SeedLatent(1)), "direction"),  # type: ignore[arg-type]
        (lambda: AttributeEdit(FileLatent("d"), 99.0), "scale"),
        (lambda: BlendEdit(None), "other"),  # type: ignore[arg-type]
        (lambda: ClassEdit(-1), "label"),
    ],
)
def test_edits_that_cannot_be(make: Any, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        make()
    assert caught.value.field == field
