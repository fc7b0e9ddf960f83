"""What a brush paints on: a mask, or a picture. Strokes with size, hardness, and undo.

All lengths are pixels of the picture; pixel (0, 0) covers the square from 0 to 1 each way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from engine.messages import Pictures

__all__ = ["Brush", "BrushLayer", "MaskLayer", "coverage", "feathered"]

_UNDO = 64  # strokes that can be taken back

Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class Brush:
    """A round brush: `size` is its diameter, `hardness` the share of the radius that paints fully."""

    size: float = 6.0
    hardness: float = 0.8


def coverage(
    shape: tuple[int, int], x: float, y: float, brush: Brush, start: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """How much of each pixel one touch of the brush at (x, y) covers, (H, W) from 0 to 1.

    With a `start`, a straight stroke from there. 1 up to `hardness` of the radius, then falling to 0; the edge is never sharper than a pixel.
    """
    height, width = shape
    across = np.arange(width) + 0.5 - x
    down = np.arange(height) + 0.5 - y
    if start is not None and start != (x, y):
        back = (start[0] - x, start[1] - y)
        along = (across[None, :] * back[0] + down[:, None] * back[1]) / (back[0] ** 2 + back[1] ** 2)
        along = along.clip(0.0, 1.0)
        distance = np.hypot(down[:, None] - along * back[1], across[None, :] - along * back[0])
    else:
        distance = np.hypot(down[:, None], across[None, :])
    radius = max(brush.size / 2, 0.5)
    fall = max(radius * (1.0 - brush.hardness), 1.0)
    covered: NDArray[np.float64] = np.clip((radius + 0.5 - distance) / fall, 0.0, 1.0)
    return covered


def feathered(mask: Grey, radius: float) -> Grey:
    """The mask with its edge softened over about `radius` pixels to either side.

    A Gaussian of standard deviation radius / 2, cut off at `radius`: beyond it nothing changes.
    """
    if radius <= 0:
        return mask.copy()
    reach = math.ceil(radius)
    at = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (at / (radius / 2)) ** 2)
    weights /= weights.sum()
    soft = mask.astype(np.float64)
    for axis in (0, 1):
        around = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(soft, around, mode="edge")
        count = mask.shape[axis]
        parts = [weights[i] * np.take(padded, range(i, i + count), axis=axis) for i in range(len(at))]
        soft = np.sum(parts, axis=0)
    blurred: Grey = np.rint(soft).astype(np.uint8)
    return blurred


class BrushLayer(QObject):
    """Pixels (H, W, C) that strokes of a colour are painted on.

    Within one stroke the brush does not add up: going over a place twice paints it once.
    """

    changed = Signal()  # the pixels
    undo_changed = Signal()  # whether there is something to undo or redo
    brush_changed = Signal(object)  # Brush

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pixels: Grey = np.zeros((1, 1, 1), np.uint8)
        self._brush = Brush()
        self._undo: list[Grey] = []
        self._redo: list[Grey] = []
        self._place = ""
        self._elsewhere: dict[str, tuple[Grey, list[Grey], list[Grey]]] = {}  # pixels, undo, redo by place
        self._base: Grey | None = None  # the pixels before the stroke that is being painted
        self._covered: NDArray[np.float64] = np.zeros((1, 1))
        self._colour: NDArray[np.float64] = np.zeros(1)
        self._last = (0.0, 0.0)

    # --- what is there

    @property
    def pixels(self) -> Grey:
        """(H, W, C) uint8; not to be written to."""
        return self._pixels

    @property
    def width(self) -> int:
        return int(self._pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self._pixels.shape[0])

    @property
    def channels(self) -> int:
        return int(self._pixels.shape[2])

    @property
    def picture(self) -> Pictures:
        return Pictures(1, self.width, self.height, self.channels, self._pixels.tobytes())

    @property
    def brush(self) -> Brush:
        return self._brush

    def set_brush(self, brush: Brush) -> None:
        if brush != self._brush:
            self._brush = brush
            self.brush_changed.emit(brush)

    @property
    def painting(self) -> bool:
        return self._base is not None

    @property
    def touched(self) -> bool:
        """Something was painted since `start`."""
        return bool(self._undo)

    @property
    def unkept(self) -> bool:
        """There are strokes, here or at another place, that nothing was made of yet."""
        return self.touched or any(undo for _, undo, _ in self._elsewhere.values())

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    # --- verbs

    def start(self, picture: Pictures) -> None:
        """Begin anew on this picture; what was painted before is gone."""
        shape = (picture.height, picture.width, picture.channels)
        self._show_strokes(np.frombuffer(picture.data, np.uint8).reshape(shape).copy(), [], [])

    def go_to(self, place: str, picture: Pictures) -> None:
        """Paint at another place: on this picture, or on what was painted there already."""
        self.release()
        if self._undo or self._redo:
            self._elsewhere[self._place] = (self._pixels, self._undo, self._redo)
        self._place = place
        if place in self._elsewhere:
            self._show_strokes(*self._elsewhere.pop(place))
        else:
            self.start(picture)

    def finish(self) -> None:
        """Something was made of the strokes: who comes back begins anew."""
        self._show_strokes(self._pixels, [], [])

    def press(self, x: float, y: float, colour: Sequence[int]) -> None:
        """Touch down: a stroke of this colour (one level a channel) begins; one that was begun is done."""
        self.release()
        self._base = self._pixels
        self._covered = np.zeros(self._pixels.shape[:2])
        self._colour = np.asarray(colour, np.float64)
        self._last = (x, y)
        self._touch(x, y)
        self._show()

    def move(self, x: float, y: float) -> None:
        """The brush goes on in a straight line."""
        if self._base is None:
            return
        self._touch(x, y, self._last)
        self._last = (x, y)
        self._show()

    def release(self) -> None:
        """Lift the brush: the stroke is done and can be undone as one."""
        if self._base is None:
            return
        before, self._base = self._base, None
        self._did(before)

    def cancel(self) -> None:
        """Give the stroke up."""
        if self._base is not None:
            self._pixels, self._base = self._base, None
            self.changed.emit()

    def put(self, pixels: Grey) -> None:
        """Replace all pixels as one step that can be undone."""
        before, self._pixels = self._pixels, pixels
        self.changed.emit()
        self._did(before)

    def undo(self) -> bool:
        return self._swap(self._undo, self._redo)

    def redo(self) -> bool:
        return self._swap(self._redo, self._undo)

    # --- inside

    def _show_strokes(self, pixels: Grey, undo: list[Grey], redo: list[Grey]) -> None:
        self._pixels, self._undo, self._redo = pixels, undo, redo
        self._base = None
        self.changed.emit()
        self.undo_changed.emit()

    def _touch(self, x: float, y: float, start: tuple[float, float] | None = None) -> None:
        here = coverage((self.height, self.width), x, y, self._brush, start)
        np.maximum(self._covered, here, out=self._covered)

    def _show(self) -> None:
        assert self._base is not None
        share = self._covered[:, :, None]
        mixed = self._base * (1.0 - share) + self._colour * share
        self._pixels = np.rint(mixed).astype(np.uint8)
        self.changed.emit()

    def _did(self, before: Grey) -> None:
        if np.array_equal(before, self._pixels):
            return
        self._undo.append(before)
        del self._undo[:-_UNDO]
        self._redo.clear()
        self.undo_changed.emit()

    def _swap(self, out: list[Grey], into: list[Grey]) -> bool:
        if not out or self._base is not None:
            return False
        into.append(self._pixels)
        self._pixels = out.pop()
        self.changed.emit()
        self.undo_changed.emit()
        return True


class MaskLayer(BrushLayer):
    """A mask (H, W, 1): 255 where the picture may change, 0 where it stays as it is."""

    feather_changed = Signal(float)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feather = 1.0
        self._soft: Grey | None = None
        self.changed.connect(self._forget)

    @property
    def feather(self) -> float:
        """Pixels over which the edge is softened, to either side."""
        return self._feather

    def set_feather(self, feather: float) -> None:
        if feather != self._feather:
            self._feather = feather
            self._soft = None
            self.feather_changed.emit(feather)

    @property
    def empty(self) -> bool:
        return not self._pixels.any()

    @property
    def share(self) -> float:
        """How much of the picture may change, from 0 to 1."""
        return float(self.soft().mean()) / 255

    def soft(self) -> Grey:
        """The feathered mask (H, W): what the engine is given."""
        if self._soft is None:
            self._soft = feathered(self._pixels[:, :, 0], self._feather)
        return self._soft

    def soft_picture(self) -> Pictures:
        return Pictures(1, self.width, self.height, 1, self.soft().tobytes())

    def clear(self) -> None:
        self.put(np.zeros_like(self._pixels))

    def fill(self) -> None:
        self.put(np.full_like(self._pixels, 255))

    def invert(self) -> None:
        self.put(255 - self._pixels)

    def _forget(self) -> None:
        self._soft = None
