"""Small images made large: what a request is, what comes of it, and what is refused."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from engine import upsample
from engine.catalogue import read_catalogue
from engine.checkpoints.convert import card_of, convert
from engine.checkpoints.published import read_published
from engine.devices import choose_placement
from engine.errors import BadImage, BadRequest, EngineError, OutOfMemory
from engine.images import SavedSettings, encode_png, from_pil, settings_from_json
from engine.latents import noise
from engine.messages import (
    Control,
    Event,
    FileImage,
    GenerateRequest,
    Notice,
    Pictures,
    PngImage,
    Progress,
    Provenance,
    Result,
    Upsampled,
    UpsampleRequest,
    Upsampling,
    WarmUp,
    image_from_dict,
    image_to_dict,
    request_from_json,
    request_to_json,
)
from engine.networks.adm import ADMUpsampler
from engine.photos import read_small
from engine.pictures import from_pictures, to_pictures
from engine.solvers import solver_infos
from engine.tasks import Engine
from engine.upsample_requests import requests_for
from engine.upsampling import augmentation_noise, conditioned, enlarging, made_consistent
from engine.workbench import LoadedModel, Workbench
from tests.engine.golden import GOLDEN
from tests.engine.tiny_model import write_tiny_model
from tests.engine.tiny_upsampler import write_tiny_upsampler


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder, "base", channels=3)
    write_tiny_model(folder, "grey")
    write_tiny_upsampler(folder)
    write_tiny_upsampler(folder, "headless", head=False, data="Other")
    write_tiny_upsampler(folder, "compact", kind="compact-upsampler", data="Other")
    return folder


@pytest.fixture
def engine(models: Path) -> Engine:
    return Engine([models], threads=1)


def picture(seed: int = 0, width: int = 8, height: int = 8, channels: int = 3) -> Pictures:
    data = np.random.default_rng(seed).integers(0, 256, width * height * channels, np.uint8).tobytes()
    return Pictures(1, width, height, channels, data)


def png(seed: int = 0, width: int = 8, height: int = 8) -> PngImage:
    return PngImage(encode_png(picture(seed, width, height)))


def encoded(image: Image.Image) -> PngImage:
    return PngImage(encode_png(from_pil(image)))


def request(count: int = 3, **changes: Any) -> UpsampleRequest:
    values = {"model": "larger", "images": tuple(map(png, range(count))), "steps": 2, "precision": "fp32"}
    return UpsampleRequest(**{**values, "device": "cpu", **changes})


def finish(events: Iterator[Event]) -> Upsampled:
    *before, outcome = events
    assert isinstance(outcome, Upsampled)
    assert not any(isinstance(event, Upsampled) for event in before)
    return outcome


# --- the request ------------------------------------------------------------------------------


def test_a_request_survives_json() -> None:
    whole = request(2, seed=5, aug_level=0.25, crop=True)
    whole = replace(whole, images=(*whole.images, FileImage("a b.png", "0" * 64)))
    assert request_from_json(request_to_json(whole)) == whole
    for image in whole.images:
        assert image_from_dict(json.loads(json.dumps(image_to_dict(image)))) == image


def test_a_part_keeps_each_images_seeds() -> None:
    whole = request(4, seed=7, aug_seed=100)
    part = whole.part(1, 2)
    assert part.images == whole.images[1:3]
    assert (part.seeds, part.aug_seeds) == (whole.seeds[1:3], whole.aug_seeds[1:3])
    with pytest.raises(ValueError, match="of 4"):
        whole.part(3, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": ""}, "model"),
        ({"images": ()}, "images"),
        ({"images": [png()]}, "images"),
        ({"images": ("a.png",)}, "images"),
        ({"images": (png(),) * 1001}, "images"),
        ({"seed": -1}, "seed"),
        ({"aug_seed": 0.5}, "aug_seed"),
        ({"aug_level": 0.0}, "aug_level"),
        ({"aug_level": math.nan}, "aug_level"),
        ({"aug_level": 1.5}, "aug_level"),
        ({"steps": 0}, "steps"),
        ({"spacing": "even"}, "spacing"),
        ({"crop": 1}, "crop"),
        ({"t_end": 0.0}, "t_end"),
        ({"device": "tpu"}, "device"),
        ({"batch": -1}, "batch"),
    ],
)
def test_a_request_that_cannot_be(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        request(**changes)
    assert caught.value.field == field


def test_more_pictures_than_a_request_carries() -> None:
    big = PngImage(png().data + b"\0" * 1_500_000)
    request(images=(big,))
    with pytest.raises(BadRequest, match=r"3\.0 MB in all; one request carries 2\.9 MB"):
        request(images=(big, big))
    assert len(request_to_json(request(images=(big,)))) < 4_000_000


@pytest.mark.parametrize(
    "image", ["a.png", {}, {"png": 3}, {"png": "!"}, {"png": "AAAA"}, {"file": ""}, None]
)
def test_json_that_is_no_picture(image: Any) -> None:
    text = json.loads(request_to_json(request(1))) | {"images": [image]}
    with pytest.raises(BadRequest) as caught:
        request_from_json(json.dumps(text))
    assert caught.value.field == "images"
    with pytest.raises(BadRequest, match="a list of pictures is needed"):
        request_from_json(json.dumps(text | {"images": image}))


# --- pictures to start from -------------------------------------------------------------------


def small(image: Image.Image, path: Path, channels: int = 3, **options: Any) -> np.ndarray:
    """What an upsampler of images as large as this one is given of it, saved as that file."""
    image.save(path, **options)
    found = read_small(FileImage(str(path)), image.width, channels, crop=False)
    return np.frombuffer(found.data, np.uint8).reshape(found.height, found.width, channels)


def test_every_kind_of_picture_is_read(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 3)
    pixels = np.asarray(ramp)
    assert (small(ramp, tmp_path / "grey.png", 1)[..., 0] == pixels).all()
    deep = Image.fromarray(pixels.astype(np.uint16) * 257)
    assert (small(deep, tmp_path / "deep.png", 1)[..., 0] == pixels).all()
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    clear.putpixel((1, 0), (0, 0, 255, 255))
    on_white = small(clear, tmp_path / "clear.png")
    assert on_white[0].tolist() == [[255, 255, 255], [0, 0, 255]]
    palette = ramp.convert("RGB").quantize(64)
    assert (small(palette, tmp_path / "palette.gif") == np.asarray(palette.convert("RGB"))).all()
    cmyk = Image.new("CMYK", (4, 4), (0, 0, 0, 0))
    assert set(small(cmyk, tmp_path / "print.jpg").flatten()) == {255}
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    assert (small(ramp, tmp_path / "turned.png", 1, exif=exif)[..., 0] == np.rot90(pixels, -1)).all()
    levels = [Image.new("L", (8, 8), level) for level in (40, 80)]
    moving = small(levels[0], tmp_path / "moving.gif", 1, save_all=True, append_images=levels[1:])
    assert set(moving.flatten()) == {40}


def test_pictures_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    whole = png(0, 64, 64).data
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name, words in (
        ("missing.png", "No such file"),
        ("text.png", "not an image"),
        ("cut.png", "cut off"),
        (".", "is a folder"),
    ):
        path = str(tmp_path / name)
        with pytest.raises(BadImage, match=words) as caught:
            read_small(FileImage(path), 64, 3, crop=True)
        assert caught.value.field == "images"
        assert path in caught.value.message
    with pytest.raises(BadImage, match="Couldn't read the picture: it is"):
        read_small(PngImage(whole[:100]), 64, 3, crop=True)


def test_a_file_that_changed_is_not_the_one_meant(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png().data)
    meant = FileImage(str(path), png().sha256)
    assert read_small(meant, 8, 3, crop=False) == picture()
    path.write_bytes(png(1).data)
    with pytest.raises(BadImage, match="has changed"):
        read_small(meant, 8, 3, crop=False)


def test_a_picture_that_claims_to_be_huge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.photos.MAX_PIXELS", 63)
    with pytest.raises(BadImage, match="8 x 8, larger than this program opens"):
        read_small(png(), 8, 3, crop=True)


def test_cropping_takes_the_middle_and_only_if_allowed() -> None:
    striped = Image.new("RGB", (24, 8), "red")
    striped.paste("blue", (8, 0, 16, 8))
    with pytest.raises(BadImage, match=r"^The picture is 24 x 8; 8 x 8 is needed") as caught:
        read_small(encoded(striped), 8, 3, crop=False)
    assert caught.value.field == "crop"
    cut = read_small(encoded(striped), 8, 3, crop=True)
    assert cut.data == Image.new("RGB", (8, 8), "blue").tobytes()
    with pytest.raises(BadImage, match="2 x 2; 8 x 8 is needed"):
        read_small(encoded(Image.new("RGB", (2, 2), "red")), 8, 3, crop=False)
    assert read_small(encoded(Image.new("RGB", (2, 2), "red")), 8, 3, crop=True).width == 8
    grey = read_small(encoded(Image.new("RGB", (8, 8), "red")), 8, 1, crop=False)
    assert (grey.channels, set(grey.data)) == (1, {76})


def test_pictures_become_numbers_and_back() -> None:
    three = Pictures(3, 4, 2, 3, bytes(range(72)))
    x = from_pictures(three)
    assert (x.shape, x.dtype) == ((3, 3, 2, 4), torch.float32)
    assert to_pictures(x) == three
    assert from_pictures(Pictures(1, 2, 1, 1, b"\0\xff")).flatten().tolist() == [-1.0, 1.0]


# --- the walk ---------------------------------------------------------------------------------


def loaded(folder: Path, name: str) -> LoadedModel:
    bench = Workbench([folder], threads=1)
    loading = bench.load(bench.catalogue().model(name), choose_placement("cpu", "fp32"))
    while True:
        try:
            next(loading)
        except StopIteration as stop:
            model: LoadedModel = stop.value
            return model


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="there is no golden data")
def test_the_published_samples(tmp_path: Path) -> None:
    """The whole way: files as published, imported, loaded, walked."""
    folder = GOLDEN / "cats_upsampler"
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    expected = load_file(folder / "expected.safetensors")
    network, head = (read_published(folder / name) for name in ("checkpoint.pth", "genie_checkpoint.pth"))
    # What no key tells, and the small case differs in from the published size.
    config = case["diffusion_model"]
    sizes = {
        "image_size": config["image_size"],
        "low_resolution": config["cond_res"],
        "head_channels": config["num_head_channels"],
    }
    what = replace(network.what, config=replace(network.what.config, **sizes))
    network = replace(network, what=what)
    published = next(model for model in network.what.models if model.name == "cats-upsampler")
    list(convert(card_of(published, network, head), network, head, tmp_path))
    model = loaded(tmp_path, "cats-upsampler")
    solvers = {"ddim": "ddim", "ttm2": "genie"}
    level = expected["aug_level"][0].item()
    first = {key: value[:1] for key, value in expected.items()}
    for run in case["runs"]:
        how = Upsampling(
            "cats-upsampler", steps=run["n_steps"], solver=solvers[run["solver"]], aug_level=level,
            spacing=run["striding"], analytic_first=run["afs"], denoise=run["denoise"], t_end=run["t_end"],
        )  # fmt: skip
        *_, last = enlarging(model, first["low_res"], first["x_T"], first["aug_noise"], how)
        assert last.evaluations == run["nfe"]
        worst = (last.x - first[run["key"]].double()).abs().max() / expected[run["key"]].double().std()
        assert float(worst) < 5e-5


def test_the_augmentation_is_noise_of_its_own() -> None:
    """With both seeds equal the small image does not get the large one's noise."""
    small, large = augmentation_noise([3], (3, 8, 8)).flatten(), noise([3], (3, 32, 32)).flatten()
    correlation = float(torch.corrcoef(torch.stack([small, large[: len(small)]]))[0, 1])
    assert abs(correlation) < 0.2
    assert torch.equal(augmentation_noise([3, 4], (3, 8, 8))[1], augmentation_noise([4], (3, 8, 8))[0])


def test_the_level_and_the_noise_reach_the_network(models: Path) -> None:
    model = loaded(models, "larger")
    small, quiet = from_pictures(picture()), torch.zeros(1, 3, 8, 8)
    x = noise([0], (3, 32, 32))
    eps = conditioned(model, small, quiet, 0.1, head=True).eps(x, 1.0)
    assert not torch.equal(eps, conditioned(model, small, quiet, 0.2, head=True).eps(x, 1.0))
    other = conditioned(model, from_pictures(picture(1)), quiet, 0.1, head=True)
    assert not torch.equal(eps, other.eps(x, 1.0))
    with pytest.raises(ValueError, match="no GENIE head"):
        conditioned(loaded(models, "headless"), small, quiet, 0.1, head=True)


def test_frames_that_share_their_noise_are_alike(models: Path) -> None:
    """As a video does: with the noises fixed, equal small images give equal large ones."""
    model = loaded(models, "larger")
    small = from_pictures(picture()).repeat(2, 1, 1, 1)
    x, augmentation = noise([5], (3, 32, 32)).repeat(2, 1, 1, 1), augmentation_noise([5], (3, 8, 8))
    *_, last = enlarging(model, small, x, augmentation.repeat(2, 1, 1, 1), Upsampling("larger", steps=2))
    assert torch.allclose(last.x[0], last.x[1], atol=1e-5)


# --- the task ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["larger", "compact"])
@pytest.mark.parametrize("solver", [info.name for info in solver_infos()])
def test_every_solver(engine: Engine, model: str, solver: str) -> None:
    outcome = finish(engine.run(request(2, model=model, solver=solver, analytic_first=True, denoise=True)))
    assert outcome.complete
    assert outcome.kept
    assert (outcome.pictures.count, outcome.pictures.width, outcome.pictures.channels) == (2, 32, 3)
    assert outcome.pictures.one(0) != outcome.pictures.one(1)
    info = next(info for info in solver_infos() if info.name == solver)
    assert outcome.evaluations == info.evaluations(2, analytic_first=True, denoise=True)
    assert outcome.sources.data == picture(0).data + picture(1).data
    assert outcome.provenance.batches == (1, 1)
    assert outcome.words == "2 pictures made large."


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_twice_the_same_and_parts_do_not_matter(engine: Engine, precision: str) -> None:
    whole = finish(engine.run(request(3, precision=precision, seed=3, aug_seed=9)))
    assert whole.pictures == finish(engine.run(request(3, precision=precision, seed=3, aug_seed=9))).pictures
    part = finish(engine.run(request(3, precision=precision, seed=3, aug_seed=9).part(1, 2)))
    assert part.pictures.one(0) == whole.pictures.one(1)
    assert part.pictures.one(1) == whole.pictures.one(2)
    for change in ({"seed": 4}, {"aug_seed": 10}, {"aug_level": 0.5}, {"steps": 3}):
        other = finish(engine.run(request(1, **{"seed": 3, "aug_seed": 9, "precision": precision, **change})))
        assert other.pictures != whole.pictures.one(0), change


def test_made_small_again_a_consistent_one_is_the_small_image() -> None:
    random = torch.Generator().manual_seed(0)
    small = 0.5 * torch.randn(2, 3, 8, 8, generator=random).clamp(-1.5, 1.5)
    blocks = small.repeat_interleave(4, 2).repeat_interleave(4, 3)
    detail = 0.1 * torch.randn(blocks.shape, generator=random)
    found = made_consistent(blocks + detail, small)
    missing = F.avg_pool2d(blocks + detail, 4) - small
    left = F.avg_pool2d(found, 4) - small
    assert left.abs().max() < 2 / 255  # a rounding
    assert left.square().mean() < 0.01 * missing.square().mean()
    # What is not seen at the small size stays: less than was added there is changed anywhere.
    assert (found - blocks - detail).abs().max() < 0.6 * detail.abs().max()
    white = torch.ones(1, 3, 8, 8)
    assert torch.equal(made_consistent(torch.full((1, 3, 32, 32), 2.0), white), torch.ones(1, 3, 32, 32))


def test_consistency_is_a_setting_of_the_request(engine: Engine) -> None:
    plain, matched = (finish(engine.run(request(2, consistent=on))) for on in (False, True))
    small = from_pictures(plain.sources)
    errors = [
        float((F.avg_pool2d(from_pictures(made.pictures), 4) - small).square().mean())
        for made in (plain, matched)
    ]
    assert errors[1] < 0.1 * errors[0]
    assert matched.evaluations == plain.evaluations
    assert request_from_json(request_to_json(matched.request)) == matched.request


def test_together_they_differ_by_rounding_only(engine: Engine) -> None:
    alone, together = finish(engine.run(request(3))), finish(engine.run(request(3, batch=3)))
    assert together.provenance.batches == (3,)
    one, other = (np.frombuffer(o.pictures.data, np.uint8).astype(int) for o in (alone, together))
    assert abs(one - other).max() <= 1


def test_events_previews_and_steps(engine: Engine) -> None:
    events = list(engine.run(request(2, steps=3), Control(wants_preview=lambda: True)))
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(p.first, p.step, p.evaluations, p.evaluations_total) for p in progress] == [
        (first, step, 3 * first + step, 6) for first in (0, 1) for step in (1, 2, 3)
    ]
    assert all(p.preview is not None and p.preview.width == 32 for p in progress)
    assert progress[-1].seconds_left == 0
    outcome = events[-1]
    assert isinstance(outcome, Upsampled)
    assert [frame.step for frame in outcome.steps] == [1, 2, 3]
    assert outcome.steps[-1].pictures == outcome.pictures
    *_, bare = engine.run(request(1), Control(keep_steps=False))
    assert isinstance(bare, Upsampled)
    assert bare.steps == ()


def test_steps_that_would_fill_the_memory_are_not_kept(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upsample, "_FRAME_BYTES", 32 * 32 * 3 * 2 * 2 - 1)
    events = list(engine.run(request(2)))
    assert any(isinstance(event, Notice) and "were not kept" in event.message for event in events)
    outcome = events[-1]
    assert isinstance(outcome, Upsampled)
    assert (outcome.steps, outcome.complete) == ((), True)


def test_a_stop_waits_for_one_evaluation_at_most(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(engine.run(request(1)))
    control, calls, real = Control(), [0], ADMUpsampler.forward

    def forward(self: ADMUpsampler, *arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 4:  # in the first evaluation of the second image
            control.cancelled.set()
        return real(self, *arguments)

    monkeypatch.setattr(ADMUpsampler, "forward", forward)
    outcome = finish(engine.run(request(3, steps=3, solver="ddim"), control))
    assert calls[0] == 4
    assert not outcome.complete
    assert outcome.kept
    assert (outcome.pictures.count, outcome.sources.count) == (1, 1)
    assert outcome.words == "Stopped; 1 of 3 made large and kept"


def test_stopped_before_it_began(engine: Engine) -> None:
    control = Control()
    control.cancelled.set()
    outcome = finish(engine.run(request(2), control))
    assert not outcome.kept
    assert outcome.sources.count == 0


def broken(monkeypatch: pytest.MonkeyPatch, most: int, after: int = 0) -> list[int]:
    """A network whose memory holds `most` images at once from evaluation `after` on."""
    sizes: list[int] = []
    real = ADMUpsampler.forward

    def forward(self: ADMUpsampler, x_t: Any, *arguments: Any) -> Any:
        sizes.append(len(x_t))
        if len(x_t) > most and len(sizes) > after:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(self, x_t, *arguments)

    monkeypatch.setattr(ADMUpsampler, "forward", forward)
    return sizes


def test_the_batch_is_halved_and_the_job_goes_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = finish(engine.run(request(5, batch=2)))
    sizes = broken(monkeypatch, 2)
    events = list(engine.run(request(5, batch=5)))
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "with 5 pictures at once; the job goes on with 2" in notices[0]
    outcome = events[-1]
    assert isinstance(outcome, Upsampled)
    assert sizes == [5, 2, 2, 2, 2, 1, 1]
    assert outcome.pictures == usual.pictures
    assert outcome.notices == tuple(notices)
    assert outcome.provenance.batches == (2, 2, 1)


def test_not_even_one_fits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, 0)
    with pytest.raises(OutOfMemory, match="Not even one picture of Larger"):
        list(engine.run(request(1)))


def test_finished_ones_are_kept_when_no_more_fits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, 0, after=2)
    *_, notice, outcome = engine.run(request(3))
    assert isinstance(notice, Notice)
    assert "the first 1 of 3 pictures are finished and kept" in notice.message
    assert isinstance(outcome, Upsampled)
    assert (outcome.pictures.count, outcome.complete) == (1, False)


def test_numbers_that_run_away_are_named(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ADMUpsampler.forward

    def forward(self: ADMUpsampler, *arguments: Any) -> Any:
        output, *rest = real(self, *arguments)
        return (output * math.inf, *rest)

    monkeypatch.setattr(ADMUpsampler, "forward", forward)
    with pytest.raises(EngineError, match="ran out of bounds in step 1 of 2"):
        list(engine.run(request(1)))


def test_warming_up_an_upsampler(engine: Engine) -> None:
    assert not any(isinstance(event, Upsampled) for event in engine.run(WarmUp("larger", "cpu", "fp32")))
    list(engine.run(WarmUp("headless", "cpu", "fp32")))


# --- what goes with what, and what is refused -------------------------------------------------


def test_which_upsampler_goes_with_which_model(models: Path, tmp_path: Path) -> None:
    found = {info.name: info for info in read_catalogue([models]).models}
    assert (found["larger"].upsamples_from, found["larger"].is_upsampler) == (8, True)
    assert (found["base"].upsampler, found["base"].is_upsampler) == ("larger", False)
    assert found["grey"].upsampler is None  # another number of channels
    assert found["larger"].upsampler is None
    write_tiny_model(tmp_path, "big", channels=3, image_size=16)
    write_tiny_upsampler(tmp_path)
    assert read_catalogue([tmp_path]).model("big").upsampler is None  # another size
    write_tiny_model(tmp_path, "base", channels=3)
    assert read_catalogue([tmp_path]).model("base").upsampler == "larger"
    (tmp_path / "larger" / "network.safetensors").unlink()
    assert read_catalogue([tmp_path]).model("base").upsampler is None  # it can't be used


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"model": "base"}, "model", r"enlarges none\. Upsamplers: compact .from 8 pixels., headless"),
        ({"model": "nobody"}, "model", "There is no model 'nobody'"),
        ({"solver": "nobody"}, "solver", "There is no solver"),
        ({"model": "headless"}, "solver", "has no GENIE head"),
        ({"solver": "ddim", "steps": 1, "analytic_first": True}, "steps", "would never look"),
        ({"images": (png(0, 8, 9),)}, "crop", "8 x 9; 8 x 8 is needed"),
        ({"images": (FileImage("/nowhere.png"),)}, "images", "Couldn't read /nowhere.png"),
    ],
)
def test_what_is_refused(engine: Engine, changes: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        list(engine.run(request(**changes)))
    assert caught.value.field == field


def test_a_wrong_size_is_cropped_if_the_request_says_so(engine: Engine) -> None:
    outcome = finish(engine.run(request(images=(png(0, 20, 12),), crop=True)))
    assert (outcome.sources.width, outcome.sources.height) == (8, 8)
    assert outcome.complete


def test_more_pictures_than_memory(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsample, "free_memory", lambda: 4 * 32 * 32 * 3 * 2)
    with pytest.raises(BadRequest, match="Ask for 2 at most"):
        list(engine.run(request(3)))
    assert finish(engine.run(request(2))).complete


@pytest.mark.parametrize("changes", [{"model": "larger"}, {"guidance_model": "larger", "guidance": 1.0}])
def test_an_upsampler_makes_no_images_of_noise(engine: Engine, changes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="Larger makes no images of noise: it enlarges images of 8 x 8") as c:
        list(engine.run(GenerateRequest(**{"model": "base", "labels": (0,), **changes})))
    assert c.value.field == ("guidance_model" if "guidance_model" in changes else "model")


# --- a result, made large ---------------------------------------------------------------------


def generated(engine: Engine, **changes: Any) -> Result:
    values = {"model": "base", "labels": (0, 1, 2, 0), "steps": 2, "seed": 11, "precision": "fp32"}
    *_, result = engine.run(GenerateRequest(**{**values, "device": "cpu", **changes}))
    assert isinstance(result, Result)
    return result


def test_a_result_becomes_a_request(engine: Engine, models: Path) -> None:
    result = generated(engine)
    upsampler = read_catalogue([models]).model("larger")
    (whole,) = requests_for(result, upsampler, steps=2)
    assert (whole.seed, whole.aug_seed, whole.steps, whole.precision) == (11, 11, 2, "fp32")
    outcome = finish(engine.run(whole))
    assert outcome.sources == result.pictures
    # Each comes out the same alone, and says how the small image was made.
    (third,) = requests_for(result, upsampler, [2], steps=2)
    assert finish(engine.run(third)).pictures == outcome.pictures.one(2)
    with Image.open(io.BytesIO(third.images[0].data)) as image:  # type: ignore[union-attr]
        settings = settings_from_json(str(image.info["genie"]))
    assert (settings.request, settings.index) == (result.request, 2)
    # Seeds that do not follow each other are requests of their own.
    assert [r.seeds for r in requests_for(result, upsampler, [0, 1, 3])] == [(11, 12), (14,)]
    (given,) = requests_for(result, upsampler, [3, 0], seed=5, aug_seed=1)
    assert (given.seeds, given.aug_seeds) == ((5, 6), (1, 2))


def test_a_result_too_large_for_one_request(
    engine: Engine, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, upsampler = generated(engine), read_catalogue([models]).model("larger")
    (whole,) = requests_for(result, upsampler, steps=2)
    monkeypatch.setattr("engine.upsample_requests.MAX_UPSAMPLED", 3)
    parts = requests_for(result, upsampler, steps=2)
    assert [part.count for part in parts] == [3, 1]
    assert [seed for part in parts for seed in part.seeds] == list(whole.seeds)
    monkeypatch.setattr("engine.upsample_requests.MAX_IMAGE_BYTES", 1)
    assert [part.count for part in requests_for(result, upsampler)] == [1, 1, 1, 1]


def test_a_result_of_another_size_or_colour(engine: Engine, models: Path) -> None:
    result, upsampler = generated(engine), read_catalogue([models]).model("larger")
    for other, words in (
        (replace(upsampler, upsamples_from=16), "enlarges images of 16 x 16, and these are 8 x 8"),
        (replace(upsampler, channels=1), "enlarges grey images, and these are colour"),
        (replace(upsampler, upsamples_from=None), "makes images of noise and enlarges none"),
    ):
        with pytest.raises(BadRequest, match=words) as caught:
            requests_for(result, other)
        assert caught.value.field == "upsample"


def test_a_large_picture_remembers_its_request() -> None:
    made_by = Provenance("cpu", "CPU", "fp32", "2", "1", (1, 1))
    settings = SavedSettings(request(2), 1, made_by)
    with Image.open(io.BytesIO(encode_png(picture(0, 32, 32), settings))) as image:
        assert settings_from_json(str(image.info["genie"])) == settings


def test_older_requests_read_as_before() -> None:
    """Being made large is a request of its own: one to generate is what it was."""
    text = '{"genie": 1, "kind": "generate", "model": "tiny", "labels": [1], "steps": 5}'
    assert request_from_json(text) == GenerateRequest("tiny", labels=(1,), steps=5)
