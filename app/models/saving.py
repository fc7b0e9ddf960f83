"""Writing pictures and animations to files, off the window's thread."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.background import background_pool
from app.failure import Failure
from app.models.facts import file_name
from app.store.encoding import decode_png
from app.store.making import listing
from engine.errors import BadImage, BadRequest
from engine.messages import Pictures, Provenance, Request, Result

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from PIL import Image

    from app.models.canvas import ShownResult
    from app.models.history import HistoryModel
    from engine.images import SavedSettings
    from engine.messages import Upsampled

__all__ = [
    "ANIMATION_FORMATS",
    "IMAGE_FORMATS",
    "FileWriter",
    "SaveItem",
    "items_of_records",
    "items_of_result",
    "place",
    "write_animation",
]

IMAGE_FORMATS = ("png", "jpg", "webp")
ANIMATION_FORMATS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP"}


@dataclass(frozen=True)
class SaveItem:
    """One picture to write, with what its file will know about it; several become one grid."""

    path: Path
    picture: Pictures | bytes  # a PNG file is read in the writing thread
    request: Request
    index: int  # of the picture in its request
    provenance: Provenance | None
    class_name: str = ""
    # Gives what the file will know, in the writing thread; without it, request and provenance say.
    saved: Callable[[], SavedSettings | None] | None = None
    scale: int = 1  # how many pixels of the file a pixel becomes, each way


def items_of_result(
    result: ShownResult, indices: Sequence[int], class_names: Sequence[str]
) -> list[SaveItem]:
    """Pictures of a result; `path` is a name without folder and suffix until `place` has seen it."""
    items = []
    for i in indices:
        words = listing(result.request, i, class_names).label_name
        name = Path(file_name(result.request, i, words))
        item = SaveItem(name, result.pictures.one(i), result.request, i, result.provenance, words)
        if not isinstance(result, Result):
            item = dataclasses.replace(item, saved=functools.partial(_of_upsampled, result, i))
        items.append(item)
    return items


def _of_upsampled(result: Upsampled, index: int) -> SavedSettings:
    from engine.upsample_requests import settings_of

    return settings_of(result, index)


def _of_png(png: bytes) -> SavedSettings | None:
    """What a picture of the history knows about itself."""
    from engine.images import settings_in

    return settings_in(png)


def items_of_records(history: HistoryModel, ids: Sequence[int]) -> list[SaveItem]:
    """Images of the history; see `items_of_result`. A `StoreError` if one is gone."""
    items = []
    for record_id in ids:
        details = history.details(record_id)
        index = details.record.index
        words = details.record.label_name
        name = Path(file_name(details.request, index, words))
        png = history.png(record_id)
        item = SaveItem(name, png, details.request, index, details.provenance, words)
        if details.request.kind != "generate":  # its file may know more than the request: see Making.saved
            item = dataclasses.replace(item, saved=functools.partial(_of_png, png))
        items.append(item)
    return items


def place(items: Sequence[SaveItem], path: Path, format: str) -> list[SaveItem]:
    """Give items their files: `path` itself for one picture if it has a suffix, else a file each in it.

    In a folder nothing is overwritten: a name that is taken gets a number. A `BadRequest` for a
    format that is none of `IMAGE_FORMATS`.
    """
    form = (format or "png").casefold().lstrip(".").replace("jpeg", "jpg")
    if form not in IMAGE_FORMATS:
        raise BadRequest(f"Pictures can be saved as {', '.join(IMAGE_FORMATS)}, not as {form}.", field="out")
    if len(items) == 1 and path.suffix and not path.is_dir():
        return [dataclasses.replace(items[0], path=path)]
    taken: set[Path] = set()
    placed = []
    for item in items:
        number, file = 1, path / f"{item.path}.{form}"
        while file in taken or file.exists():
            number += 1
            file = path / f"{item.path}-{number}.{form}"
        taken.add(file)
        placed.append(dataclasses.replace(item, path=file))
    return placed


def write_image(item: SaveItem) -> None:
    from engine.images import (  # brings NumPy and Pillow, which the start can do without
        SavedSettings,
        grid,
        save,
    )

    settings: SavedSettings | None = None
    if item.saved is not None:
        settings = item.saved()
    elif item.provenance is not None:
        settings = SavedSettings.alone(item.request, item.index, item.provenance, item.class_name)
    picture = item.picture if isinstance(item.picture, Pictures) else _decoded(item.picture, item.path)
    picture = picture if picture.count == 1 else grid(picture)
    save(item.path, enlarged(picture, item.scale), settings)


def _decoded(png: bytes, path: Path) -> Pictures:
    try:
        return decode_png(png)
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImage(
            f"Couldn't save {path.name}: its picture in the history is damaged. The others are untouched.",
            details=str(error),
        ) from error


def enlarged(picture: Pictures, scale: int) -> Pictures:
    """One picture with every pixel `scale` times as wide and high; nothing is blurred."""
    if scale == 1:
        return picture
    from PIL import Image

    from engine.images import from_pil, to_pil

    size = (picture.width * scale, picture.height * scale)
    return from_pil(to_pil(picture).resize(size, Image.Resampling.NEAREST))


def animate(result: ShownResult, index: int | None) -> list[Pictures]:
    """x0 as it was predicted at every step, then the finished picture; the grid if `index` is None."""
    from engine.images import grid

    batches = [*(frame.pictures for frame in result.steps), result.pictures]
    return [grid(batch) if index is None else batch.one(index) for batch in batches]


def write_animation(
    path: Path, frames: Sequence[Pictures], *, scale: int = 0, step_ms: int = 120, last_ms: int = 1500
) -> None:
    """Write frames (one picture each) as GIF, APNG or WebP, by the suffix; it repeats for ever.

    `scale` enlarges each pixel to so many (nearest neighbour); 0 makes the picture about 512 px.
    Frames last `step_ms`, the final one `last_ms`.
    """
    from PIL import Image

    form = ANIMATION_FORMATS.get(path.suffix.casefold())
    if form is None:
        raise BadRequest(
            f"Couldn't write {path.name}: animations can be {', '.join(ANIMATION_FORMATS)} files.",
            field="out",
        )
    if not frames:
        raise BadRequest("There are no steps to animate. Generate again: this result kept none.", field="out")
    scale = scale or max(1, 512 // max(frames[0].width, frames[0].height))
    size = (frames[0].width * scale, frames[0].height * scale)
    images = [_image(frame).resize(size, Image.Resampling.NEAREST) for frame in frames]
    options: dict[str, Any] = {
        "duration": [step_ms] * (len(images) - 1) + [last_ms],
        "loop": 0,
        "save_all": True,
    }
    if form == "GIF":
        images = _with_one_palette(images)
        options["optimize"] = False
    elif form == "WEBP":
        options |= {"lossless": True, "method": 3}
    first, rest = images[0], images[1:]
    from engine.files import write_atomically

    write_atomically(
        path, lambda temporary: first.save(temporary, format=form, append_images=rest, **options)
    )


def _image(picture: Pictures) -> Image.Image:
    from engine.images import to_pil

    return to_pil(picture)


def _with_one_palette(images: list[Image.Image]) -> list[Image.Image]:
    """A palette a frame makes a GIF slow to write and flicker; grey ones need none."""
    from PIL import Image

    if images[0].mode == "L":
        return images
    width, height = images[0].size
    sheet = Image.new("RGB", (width, height * len(images)))
    for row, image in enumerate(images):
        sheet.paste(image, (0, row * height))
    palette = sheet.quantize(256, dither=Image.Dither.NONE)
    return [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]


class FileWriter(QObject):
    """One thread that writes files, one task after another, and says how each ended."""

    written = Signal(object, str)  # list of paths, words for a person
    failed = Signal(object)  # Failure
    _ended = Signal(object, object, str)  # paths, Failure | None, words; from the writing thread

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor: ThreadPoolExecutor | None = None
        self._busy = 0
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """Something is being written or waits for it."""
        return self._busy > 0

    def write_images(self, items: Sequence[SaveItem]) -> None:
        """Write pictures; the ones before a failing one stay."""

        def work() -> None:
            for item in items:
                write_image(item)

        paths = [item.path for item in items]
        count = len(paths)
        words = f"Saved {paths[0].name}." if count == 1 else f"Saved {count:,} pictures in {paths[0].parent}."
        self._submit(work, paths, words)

    def write_animation(
        self, path: Path, result: ShownResult, index: int | None, scale: int, step_ms: int
    ) -> None:
        def work() -> None:
            write_animation(path, animate(result, index), scale=scale, step_ms=step_ms)

        self._submit(work, [path], f"Saved the steps as {path.name}.")

    def close(self) -> None:
        """Wait until everything is written."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def _submit(self, work: Callable[[], None], paths: list[Path], words: str) -> None:
        if self._executor is None:
            self._executor = background_pool("write-files")
        self._busy += 1

        def done(future: Future[None]) -> None:
            error = future.exception()
            self._ended.emit(paths, None if error is None else Failure.from_exception(error), words)

        self._executor.submit(work).add_done_callback(done)

    @Slot(object, object, str)
    def _on_ended(self, paths: list[Path], failure: Failure | None, words: str) -> None:
        self._busy -= 1
        if failure is None:
            self.written.emit(paths, words)
        else:
            self.failed.emit(failure)
