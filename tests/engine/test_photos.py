"""Any image a person has: read, refused, cut and resized, and said what was done."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine.errors import BadImage, BadRequest
from engine.messages import Pictures
from engine.messages.encode import Photo, PhotoFacts
from engine.messages.images import FileImage, PngImage
from engine.photos import frame_photo, images_in, open_photo, read_mask, read_painted


def framed(path: Path, size: int = 8, channels: int = 1, **how: object) -> tuple[np.ndarray, PhotoFacts]:
    picture, _, facts = frame_photo(Photo(FileImage(str(path)), **how), size, channels)  # type: ignore[arg-type]
    return array(picture), facts


def array(picture: Pictures) -> np.ndarray:
    return np.frombuffer(picture.data, np.uint8).reshape(picture.height, picture.width, picture.channels)


def png(image: Image.Image) -> PngImage:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return PngImage(buffer.getvalue())


def colours(width: int = 8, height: int = 8) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_the_models_own_size_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = colours()
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found, facts = framed(tmp_path / "a.png", channels=3)
    assert (found == pixels).all()
    assert (facts.resample, facts.notes, facts.kind) == ("none", (), "PNG, RGB")
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "grey.png")
    found, facts = framed(tmp_path / "grey.png")
    assert (found[:, :, 0] == pixels[:, :, 0]).all()
    assert facts.notes == ()
    assert framed(tmp_path / "a.png")[1].notes == ("made grey",)


def test_the_middle_square_is_cut_and_said(tmp_path: Path) -> None:
    pixels = colours(20, 8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    found, facts = framed(tmp_path / "wide.png", channels=3)
    assert (found == pixels[:, 6:14]).all()
    assert facts.crop == (6, 0, 8, 8)
    assert "the square in its middle" in facts.notes[0]


def test_a_crop_may_reach_beyond_the_image(tmp_path: Path) -> None:
    pixels = colours(4, 4)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    found, facts = framed(tmp_path / "small.png", channels=3, crop=(-2, -2, 8, 8), background=(9, 8, 7))
    assert (found[2:6, 2:6] == pixels).all()
    assert (found[0, 0] == [9, 8, 7]).all()
    assert facts.resample == "none"
    for crop in ((4, 0, 2, 2), (0, -9, 4, 8), (-8, 0, 8, 8)):
        with pytest.raises(BadRequest, match="outside") as caught:
            framed(tmp_path / "small.png", crop=crop)
        assert caught.value.field == "crop"
    with pytest.raises(BadRequest, match="million pixels"):
        framed(tmp_path / "small.png", crop=(0, 0, 1_000_000, 1_000_000))


def test_reducing_takes_the_mean_and_says_what_it_did(tmp_path: Path) -> None:
    pixels = colours(16, 16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found, facts = framed(tmp_path / "a.png", channels=3)
    mean = pixels.reshape(8, 2, 8, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(found - mean).max() <= 1.0
    assert facts.resample == "box"
    assert framed(tmp_path / "a.png", channels=3, resample="nearest")[1].resample == "nearest"
    assert framed(tmp_path / "a.png", size=32, channels=3)[1].resample == "lanczos"


def test_orientation_of_the_camera(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    found, facts = framed(tmp_path / "a.png")
    assert (found[:, -1] == 255).all()
    assert found[:, 0].max() == 0
    assert "turned upright as the camera noted" in facts.notes


def test_sixteen_bits_and_floating_point(tmp_path: Path) -> None:
    ramp = (np.arange(64, dtype=np.uint16) * 1040).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    found, facts = framed(tmp_path / "deep.png")
    assert (found[:, :, 0] == np.rint(ramp / 257.0)).all()
    assert "16 bits reduced to 8" in facts.notes
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "float.tif")
    found, facts = framed(tmp_path / "float.tif")
    assert np.abs(found[:, :, 0] - ramp / 257.0).max() <= 1.0
    assert any("numbers from 0 to 1" in note for note in facts.notes)


def test_transparency_shows_the_background(tmp_path: Path) -> None:
    layers = np.zeros((8, 8, 4), np.uint8)
    layers[:4] = (255, 0, 0, 255)
    Image.fromarray(layers).save(tmp_path / "rgba.png")
    found, facts = framed(tmp_path / "rgba.png", channels=3, background=(0, 0, 255))
    assert (found[0, 0] == [255, 0, 0]).all()
    assert (found[7, 7] == [0, 0, 255]).all()
    assert "transparent parts filled with the background" in facts.notes

    palette = Image.fromarray(np.array([[0, 1]] * 2, np.uint8)).convert("P")
    palette.putpalette([10, 20, 30, 200, 100, 50] + [0] * 762)
    palette.save(tmp_path / "p.png", transparency=0)
    found, _ = framed(tmp_path / "p.png", size=2, channels=3, background=(1, 2, 3))
    assert (found[:, 0] == [1, 2, 3]).all()
    assert (found[:, 1] == [200, 100, 50]).all()


def test_cmyk_and_colour_profiles(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg")
    found, facts = framed(tmp_path / "c.jpg", channels=3)
    assert found[..., 0].min() > 200
    assert found[..., 1:].max() < 60
    assert any("CMYK" in note for note in facts.notes)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours()).save(tmp_path / "p.png", icc_profile=profile)
    found, facts = framed(tmp_path / "p.png", channels=3)
    assert np.abs(found.astype(int) - colours()).max() <= 1
    assert "its colour profile applied" in facts.notes
    Image.fromarray(colours()).save(tmp_path / "bad.png", icc_profile=b"no profile")
    assert (framed(tmp_path / "bad.png", channels=3)[0] == colours()).all()


def test_damaged_words_of_a_camera_do_not_spoil_the_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_image: Image.Image) -> Image.Image:
        raise struct.error("unpack requires a buffer of 2 bytes")

    Image.fromarray(colours()).save(tmp_path / "a.png")
    monkeypatch.setattr("engine.photos.ImageOps.exif_transpose", broken)
    picture, _ = framed(tmp_path / "a.png", 8, 3)
    assert (picture == colours()).all()


@pytest.mark.parametrize("error", [struct.error("short"), KeyError(7), ZeroDivisionError(), IndexError()])
def test_whatever_a_reader_says_of_damage_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise error

    Image.fromarray(colours()).save(tmp_path / "a.png")
    monkeypatch.setattr("engine.photos.Image.open", broken)
    with pytest.raises(BadImage, match="damaged"):
        framed(tmp_path / "a.png")


def test_colours_that_can_not_be_shown_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_image: Image.Image, *_mode: object) -> Image.Image:
        raise ValueError("conversion from LAB to RGB not supported")

    Image.new("LAB", (8, 8), (50, 20, 20)).save(tmp_path / "lab.tif")
    monkeypatch.setattr("engine.photos.Image.Image.convert", broken)
    with pytest.raises(BadImage, match=r"its colours .LAB. can't be shown"):
        framed(tmp_path / "lab.tif")


def test_all_of_a_photo_is_upright_and_opaque(tmp_path: Path) -> None:
    image = Image.new("RGBA", (20, 10), (255, 255, 255, 0))
    image.save(tmp_path / "a.png")
    flat, kind, notes = open_photo(Photo(FileImage(str(tmp_path / "a.png"))))
    assert (flat.mode, flat.size, kind) == ("RGB", (20, 10), "PNG, RGBA")
    assert flat.getpixel((0, 0)) == (0, 0, 0)
    assert notes == ("transparent parts filled with the background",)


def test_of_an_animation_the_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (40, 80, 120)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found, facts = framed(tmp_path / "a.gif")
    assert set(found.flatten()) == {40}
    assert "the first of 3 frames" in facts.notes


def _png_of_size(width: int, height: int) -> bytes:
    """A PNG that claims a size; its pixels are missing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def _truncated() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours(64, 64)).save(buffer, "PNG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"These are words.", "not an image"),
        (_png_of_size(0, 0), "."),
        (_png_of_size(0, 5), "."),
        (_png_of_size(60_000, 60_000), "larger than"),
        (_png_of_size(9_000, 9_000), "larger than"),
        (_png_of_size(64, 64), "Couldn't read"),
        (_truncated(), "cut off"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "."),
        (b"GIF89a" + bytes(20), "."),
    ],
    ids=["empty", "words", "0x0", "0x5", "bomb", "large", "no-pixels", "truncated", "zeros", "gif"],
)
def test_what_is_no_image_is_refused_with_its_name(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(data)
    with pytest.raises(BadImage, match=words) as caught:
        framed(path)
    assert "odd.png" in caught.value.message
    assert caught.value.field == "images"


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_flipped_bytes_are_survived(tmp_path: Path, kind: str) -> None:
    """Said in words, or harmless."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "words"
    buffer = io.BytesIO()
    Image.fromarray(colours(24, 16)).save(buffer, kind, exif=exif)
    random = np.random.default_rng(0)
    path = tmp_path / "picture"
    for trial in range(200):
        raw = bytearray(buffer.getvalue())
        for place in random.integers(0, (60, 200, len(raw))[trial % 3], 1 + trial % 4):
            raw[min(place, len(raw) - 1)] ^= 1 << int(random.integers(8))
        path.write_bytes(raw)
        try:
            said: object = framed(path, channels=3)[0].shape[1]
        except BadImage as error:
            said = error.message
        assert said == 8 or str(path) in str(said)


def test_files_that_are_not_there_or_changed(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="No such file"):
        framed(tmp_path / "none.png")
    with pytest.raises(BadImage, match="is a folder"):
        framed(tmp_path)
    Image.fromarray(colours()).save(tmp_path / "a.png")
    with pytest.raises(BadImage, match="has changed"):
        frame_photo(Photo(FileImage(str(tmp_path / "a.png"), "0" * 64)), 8, 1)


def test_the_whole_photo_for_choosing_a_crop() -> None:
    image = png(Image.new("L", (3000, 1500), 77))
    _, whole, facts = frame_photo(Photo(image), 8, 1)
    assert (whole.width, whole.height, whole.channels) == (1024, 512, 3)
    assert (facts.width, facts.height) == (3000, 1500)


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="holds no images"):
        images_in(tmp_path)
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "inner.png").mkdir()
    assert [path.name for path in images_in(tmp_path)] == ["a.png", "b.JPG"]
    with pytest.raises(BadImage, match="Couldn't read the folder"):
        images_in(tmp_path / "none")


def test_masks(tmp_path: Path) -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4] = 255
    found = read_mask(png(Image.fromarray(mask)), 8)
    assert (found == mask / 255).all()
    with pytest.raises(BadImage, match="8 x 8; the picture is 16 x 16") as caught:
        read_mask(png(Image.fromarray(mask)), 16)
    assert caught.value.field == "mask"
    with pytest.raises(BadImage, match="mask is 5000 x 5000"):
        read_mask(PngImage(_png_of_size(5000, 5000)), 16)  # whose pixels are not even there


@pytest.mark.parametrize("channels", [1, 3])
def test_paint_covers_what_it_covers(channels: int) -> None:
    under = Pictures(1, 8, 8, channels, bytes([100] * 64 * channels))
    layer = np.zeros((8, 8, 4), np.uint8)
    layer[0] = (255, 255, 255, 255)
    found = array(read_painted(png(Image.fromarray(layer)), under))
    assert (found[0] == 255).all()
    assert (found[1:] == 100).all()
    with pytest.raises(BadImage, match="painting is 4 x 4"):
        read_painted(png(Image.new("RGBA", (4, 4))), under)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda image: Photo(image, (0, 0, 0, 4)), "crop"),
        (lambda image: Photo(image, (0, 0, 4)), "crop"),
        (lambda image: Photo(image, "middle"), "crop"),
        (lambda image: Photo(image, None, "cubic"), "resample"),
        (lambda image: Photo(image, None, "auto", (0, 0, 256)), "background"),
        (lambda image: Photo("a.png"), "images"),
    ],
)
def test_photos_that_cannot_be(make: Callable[[object], object], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        make(FileImage("a.png"))
    assert caught.value.field == field
