"""What is done to pixels on their way in: the crop, the brush, the mask, the latent as a picture."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from PIL import Image

from app.models.edit.brush import Brush, BrushLayer, MaskLayer, coverage, feathered
from app.models.edit.crop import Crop, CropModel, cropped, halved, middle
from app.models.edit.noise import latent_picture
from engine.messages import Pictures


def gradient(width: int, height: int) -> Image.Image:
    """Each pixel tells where it is: level 16 y + x."""
    levels = (16 * np.arange(height)[:, None] + np.arange(width)[None, :]) % 256
    return Image.fromarray(levels.astype(np.uint8))


# --- crop


def test_a_square_of_the_models_size_is_taken_as_it_is() -> None:
    image = gradient(12, 10)
    picture = cropped(image, Crop(left=3, top=1, side=8), 8, 1)
    wanted = np.asarray(image)[1:9, 3:11]
    assert picture.data == wanted.tobytes()


def test_reducing_by_a_whole_number_is_the_mean_of_each_block() -> None:
    image = gradient(16, 16)
    picture = cropped(image, Crop(side=16), 4, 1)
    blocks = np.asarray(image, np.float64).reshape(4, 4, 4, 4).mean(axis=(1, 3))
    got = np.frombuffer(picture.data, np.uint8).reshape(4, 4)
    assert np.abs(got - blocks).max() <= 1


@pytest.mark.parametrize("crop", [Crop(101, 37, 1300), Crop(0, 0, 1999), Crop(60, 3, 90), Crop(whole=True)])
@pytest.mark.parametrize("size", [(2301, 1999), (3000, 2048)])
def test_a_large_square_cut_from_the_halves_is_the_mean_all_the_same(
    crop: Crop, size: tuple[int, int]
) -> None:
    image = Image.effect_noise(size, 60).resize((150, 120)).resize(size, Image.Resampling.BICUBIC)
    quick = cropped(image, crop, 8, 1, halved(image))
    slow = cropped(image, crop, 8, 1)
    apart = np.abs(np.frombuffer(quick.data, np.uint8).astype(int) - np.frombuffer(slow.data, np.uint8))
    assert apart.max() <= (1 if not crop.whole else 4), "a margin begins at a whole pixel of the half"


def test_whole_puts_the_picture_in_a_square_of_its_border_colour() -> None:
    image = Image.new("L", (8, 4), 200)
    image.putpixel((4, 2), 0)
    picture = cropped(image, Crop(whole=True), 8, 1)
    got = np.frombuffer(picture.data, np.uint8).reshape(8, 8)
    assert (got[:2] == 200).all()
    assert (got[6:] == 200).all()
    assert got[4, 4] == 0


def test_inverting_swaps_light_and_dark_and_colour_follows_the_model() -> None:
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    red = cropped(image, Crop(side=8), 8, 3)
    assert red.data[:3] == bytes((255, 0, 0))
    assert cropped(image, Crop(side=8, invert=True), 8, 3).data[:3] == bytes((0, 255, 255))
    assert cropped(image, Crop(side=8), 8, 1).data[0] == 76  # ITU-R 601


def test_the_middle_is_the_largest_square() -> None:
    assert middle(30, 20) == Crop(5, 0, 20)


def test_a_crop_stays_inside_the_picture(qapp: object) -> None:
    model = CropModel(gradient(20, 12), "a", 8, 1)
    model.move_to(-5, -5)
    assert (model.crop.left, model.crop.top) == (0, 0)
    model.move_to(100, 100)
    assert (model.crop.left, model.crop.top, model.crop.side) == (8, 0, 12)
    model.resize(100)
    assert model.crop.side == 12
    model.resize(0)
    assert model.crop.side == 1


def test_resizing_keeps_the_point_in_its_place(qapp: object) -> None:
    model = CropModel(gradient(100, 100), "a", 8, 1)
    model.resize(40, (0, 0))
    assert (model.crop.left, model.crop.top) == (0, 0)
    model.move_to(20, 20)
    model.resize(20, (60, 60))  # the lower right corner
    assert (model.crop.left + model.crop.side, model.crop.top + model.crop.side) == (60, 60)


def test_every_change_of_the_crop_is_seen_in_its_pixels(qapp: object) -> None:
    model = CropModel(gradient(20, 12), "a", 8, 1)
    seen = [model.pixels.data]
    for change in (
        lambda: model.resize(8),
        lambda: model.move_to(1, 1),
        lambda: model.set_invert(True),
        lambda: model.set_whole(True),
    ):
        change()
        seen.append(model.pixels.data)
    assert len(set(seen)) == len(seen)
    model.reset()
    assert model.pixels.data == seen[0]


# --- brush


def test_a_hard_brush_covers_whole_pixels_inside_and_none_outside() -> None:
    covered = coverage((9, 9), 4.5, 4.5, Brush(size=6, hardness=1))
    distance = np.hypot(*np.mgrid[-4:5, -4:5])
    assert (covered[distance <= 2.5] == 1).all()
    assert (covered[distance >= 3.5] == 0).all()
    assert ((covered >= 0) & (covered <= 1)).all()


def test_a_soft_brush_falls_off_evenly() -> None:
    row = coverage((1, 21), 0.5, 0.5, Brush(size=20, hardness=0))[0]
    assert (np.diff(row) <= 0).all()
    assert row[5] == pytest.approx((10.5 - 5) / 10)


def test_a_straight_stroke_is_a_touch_at_every_place_of_it() -> None:
    shape, brush = (24, 24), Brush(5, 0.4)
    (x0, y0), (x1, y1) = (4.0, 5.0), (18.5, 14.0)
    touches = [
        coverage(shape, x0 + (x1 - x0) * t, y0 + (y1 - y0) * t, brush) for t in np.linspace(0, 1, 2001)
    ]
    stroke = coverage(shape, x1, y1, brush, (x0, y0))
    assert np.abs(stroke - np.max(touches, axis=0)).max() < 1e-2
    assert (coverage(shape, 4, 5, brush, (4, 5)) == coverage(shape, 4, 5, brush)).all()


def test_going_over_a_place_twice_in_a_stroke_paints_it_once(qapp: object) -> None:
    mask = MaskLayer()
    mask.start(Pictures(1, 16, 16, 1, bytes(256)))
    mask.set_brush(Brush(8, 0))
    mask.press(8, 8, (255,))
    once = mask.pixels.copy()
    mask.move(8, 8)
    mask.move(8, 8)
    mask.release()
    assert (mask.pixels == once).all()


def test_a_stroke_is_undone_and_redone_as_one(qapp: object) -> None:
    layer = BrushLayer()
    picture = Pictures(1, 16, 8, 3, bytes(range(128)) * 3)
    layer.start(picture)
    assert not layer.can_undo
    layer.press(2, 2, (255, 0, 0))
    layer.move(14, 6)
    layer.release()
    painted = layer.picture
    assert painted != picture
    assert layer.undo()
    assert layer.picture == picture
    assert not layer.undo()
    assert layer.redo()
    assert layer.picture == painted
    layer.press(1, 1, (0, 0, 0))
    layer.cancel()
    assert layer.picture == painted


def test_strokes_that_were_undone_can_be_redone_at_their_place(qapp: object) -> None:
    layer = BrushLayer()
    blank = Pictures(1, 16, 8, 1, bytes(128))
    layer.go_to("A", blank)
    for x in (2, 8, 14):
        layer.press(x, 4, (255,))
        layer.release()
    painted = layer.picture
    while layer.undo():
        pass
    layer.go_to("B", blank)
    assert not layer.can_redo
    assert not layer.unkept, "nothing is painted anywhere"
    layer.go_to("A", blank)
    assert layer.can_redo
    while layer.redo():
        pass
    assert layer.picture == painted
    layer.go_to("B", blank)
    assert layer.unkept


def test_a_press_in_the_middle_of_a_stroke_begins_another(qapp: object) -> None:
    layer = BrushLayer()
    blank = Pictures(1, 16, 8, 1, bytes(128))
    layer.start(blank)
    layer.press(2, 2, (255,))
    layer.move(6, 2)
    first = layer.picture
    layer.press(12, 6, (90,))
    layer.release()
    assert layer.undo()
    assert layer.picture == first
    assert layer.undo()
    assert layer.picture == blank


def test_a_line_has_no_gaps(qapp: object) -> None:
    mask = MaskLayer()
    mask.start(Pictures(1, 64, 8, 1, bytes(512)))
    mask.set_brush(Brush(2, 1))
    mask.press(2, 4, (255,))
    mask.move(62, 4)
    mask.release()
    assert (mask.pixels[3:5, 3:61, 0] == 255).all()


def test_a_mask_is_inverted_filled_cleared_and_each_can_be_undone(qapp: object) -> None:
    mask = MaskLayer()
    mask.start(Pictures(1, 4, 4, 1, bytes(16)))
    mask.set_feather(0)
    mask.invert()
    assert mask.share == 1
    mask.clear()
    assert mask.empty
    mask.undo()
    assert not mask.empty
    mask.undo()
    assert mask.empty


def test_the_feather_reaches_no_further_than_it_says() -> None:
    mask = np.zeros((21, 21), np.uint8)
    mask[8:13, 8:13] = 255
    for radius in (1, 2.5, 4):
        soft = feathered(mask, radius)
        reach = int(np.ceil(radius))
        far = np.ones_like(mask, bool)
        far[8 - reach : 13 + reach, 8 - reach : 13 + reach] = False
        assert not soft[far].any()
        assert soft[10, 8 - 1] > 0
        assert soft[10, 8] < 255
    assert (feathered(mask, 0) == mask).all()
    flat = np.full((5, 5), 255, np.uint8)
    assert (feathered(flat, 3) == 255).all()


# --- latents


def latent_file(values: np.ndarray) -> bytes:
    header = json.dumps(
        {
            "__metadata__": {"a": "b"},
            "z": {"dtype": "F64", "shape": list(values.shape), "data_offsets": [0, values.nbytes]},
        }
    ).encode()
    return struct.pack("<Q", len(header)) + header + values.astype("<f8").tobytes()


def test_a_latent_is_shown_from_minus_three_to_three() -> None:
    picture = latent_picture(latent_file(np.array([[[-3.0, 0.0], [3.0, 9.0]]])))
    assert picture is not None
    assert picture.data == bytes((0, 128, 255, 255))


HUGE = b'{"z": {"dtype": "F64", "shape": [1, %d, 1], "data_offsets": [0, 8]}}' % 10**40


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x05\0\0\0\0\0\0\0{}",
        latent_file(np.zeros((2, 2, 2))),
        struct.pack("<Q", len(HUGE)) + HUGE + bytes(8),
    ],
)
def test_what_is_no_latent_of_a_picture_is_not_shown(data: bytes) -> None:
    assert latent_picture(data) is None
