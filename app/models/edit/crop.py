"""Which pixels of a picture are encoded: a square of it, brought to the model's size."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from engine.messages import Pictures

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Crop", "CropModel", "cropped", "halved", "middle", "reduced"]

_SHOWN = 1024  # px; a larger picture is shown reduced, and cut from the original
_WHOLE = 4096  # px a side of the square that a whole picture is put into
_FINE = 4  # px at least, of what is cut from, for each new one and each way


@dataclass(frozen=True)
class Crop:
    """A square in pixels of the source, what is done where it is no square, and how it is read.

    `whole` takes all of the picture, with a margin in the colour of its border. `invert` swaps
    light and dark: a model that learnt light things on black makes little of dark ones on white.
    """

    left: int = 0
    top: int = 0
    side: int = 1
    whole: bool = False
    invert: bool = False


def middle(width: int, height: int) -> Crop:
    """The largest square in the middle."""
    side = min(width, height)
    return Crop((width - side) // 2, (height - side) // 2, side)


def halved(image: Image.Image) -> tuple[Image.Image, ...]:
    """A picture, its half, its quarter and so on: large squares are cut from small ones in no time."""
    halves = [image]
    while max(halves[-1].size) > _SHOWN:
        halves.append(halves[-1].reduce(2))
    return tuple(halves)


def cropped(
    image: Image.Image, crop: Crop, size: int, channels: int, halves: Sequence[Image.Image] = ()
) -> Pictures:
    """The exact pixels that are encoded: (size, size, channels).

    Reduced to the mean of what each new pixel covers, enlarged smoothly; of the model's size
    already, untouched. With `halves` (see `halved`) a large square is cut from the smallest that
    still has some pixels for each new one: the mean of means.
    """
    from PIL import Image, ImageOps

    side, times = (max(image.size) if crop.whole else crop.side), 1
    for half in halves[1:]:
        if side < 2 * times * _FINE * size:
            break
        image, times = half, 2 * times
    if crop.whole:
        if max(image.size) > _WHOLE:  # the square of a long strip would be larger than any memory
            scale = _WHOLE / max(image.size)
            width, height = (max(1, round(length * scale)) for length in image.size)
            image = image.resize((width, height), Image.Resampling.BOX)
        whole = max(image.size)
        source = Image.new(image.mode, (whole, whole), _border_colour(image))
        source.paste(image, ((whole - image.width) // 2, (whole - image.height) // 2))
        box: tuple[float, float, float, float] = (0, 0, whole, whole)
    else:
        source = image
        right, bottom = crop.left + side, crop.top + side
        box = (crop.left / times, crop.top / times, right / times, bottom / times)
    if side == size:
        square = source.crop((round(box[0]), round(box[1]), round(box[2]), round(box[3])))
    else:
        kind = Image.Resampling.LANCZOS if side < size else Image.Resampling.BOX
        square = source.resize((size, size), kind, box=box)
    square = square.convert("L" if channels == 1 else "RGB")
    if crop.invert:
        square = ImageOps.invert(square)
    return Pictures(1, size, size, channels, square.tobytes())


def _border_colour(image: Image.Image) -> int | tuple[int, int, int]:
    """The colour in the middle of all those along the border, channel by channel."""
    import numpy as np

    right, bottom = image.width, image.height
    edges = (
        (0, 0, right, 1),
        (0, bottom - 1, right, bottom),
        (0, 0, 1, bottom),
        (right - 1, 0, right, bottom),
    )
    bands = len(image.getbands())
    around = np.concatenate([np.asarray(image.crop(edge)).reshape(-1, bands) for edge in edges])
    level = np.median(around, axis=0)
    if image.mode == "L":
        return int(level[0])
    red, green, blue = (int(value) for value in level)
    return red, green, blue


def reduced(image: Image.Image) -> Pictures:
    """A picture as it is shown: at most 1024 pixels a side."""
    from engine.images import from_pil

    if max(image.size) > _SHOWN:
        image = image.copy()
        image.thumbnail((_SHOWN, _SHOWN))
    return from_pil(image)


class CropModel(QObject):
    """The crop of one picture while a person decides on it."""

    changed = Signal()

    def __init__(
        self,
        image: Image.Image,
        name: str,
        size: int,
        channels: int,
        notes: tuple[str, ...] = (),
        shown: Pictures | None = None,
        halves: Sequence[Image.Image] = (),
        parent: QObject | None = None,
    ) -> None:
        """`shown` is the picture as it is shown, where it was reduced already; for `halves` see `cropped`."""
        super().__init__(parent)
        self.name = name
        self.notes = notes  # what was done to read it
        self.size, self.channels = size, channels
        self._image, self._halves = image, halves
        self._crop = middle(image.width, image.height)
        self._result: Pictures | None = None
        self.shown = shown or reduced(image)

    @property
    def width(self) -> int:
        return self._image.width

    @property
    def height(self) -> int:
        return self._image.height

    @property
    def crop(self) -> Crop:
        return self._crop

    @property
    def exact(self) -> bool:
        """The square has the model's size already: no pixel is changed."""
        side = max(self.width, self.height) if self._crop.whole else self._crop.side
        return side == self.size

    @property
    def pixels(self) -> Pictures:
        """Exactly what will be encoded."""
        if self._result is None:
            self._result = cropped(self._image, self._crop, self.size, self.channels, self._halves)
        return self._result

    def move_to(self, left: float, top: float) -> None:
        """Put the square's corner there, kept inside the picture."""
        side = self._crop.side
        self._set(
            dataclasses.replace(
                self._crop,
                left=max(0, min(round(left), self.width - side)),
                top=max(0, min(round(top), self.height - side)),
            )
        )

    def resize(self, side: float, about: tuple[float, float] | None = None) -> None:
        """Another side; the point `about` (source pixels, the square's middle) keeps its place in it."""
        crop = self._crop
        new = max(1, min(round(side), self.width, self.height))
        x, y = about or (crop.left + crop.side / 2, crop.top + crop.side / 2)
        ratio = new / crop.side
        left, top = x - (x - crop.left) * ratio, y - (y - crop.top) * ratio
        self._crop = dataclasses.replace(crop, side=new)
        self._result = None
        self.move_to(left, top)
        self.changed.emit()

    def set_whole(self, whole: bool) -> None:
        self._set(dataclasses.replace(self._crop, whole=whole))

    def set_invert(self, invert: bool) -> None:
        self._set(dataclasses.replace(self._crop, invert=invert))

    def reset(self) -> None:
        """The largest square in the middle, as at first."""
        self._set(middle(self.width, self.height))

    def _set(self, crop: Crop) -> None:
        if crop != self._crop:
            self._crop = crop
            self._result = None
            self.changed.emit()
