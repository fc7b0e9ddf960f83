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
from app.models.facts import file_name, name_of
from app.store.encoding import decode_png
from app.store.making import listing
from engine.errors import BadImage, BadRequest
from engine.files import is_disk_full, surely
from engine.image_sizes import too_large
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
_NAMED = 3  # how many files that could not be written are named behind the first
ANIMATION_FORMATS = {".gif": "GIF", ".png": "PNG", ".apng": "PNG", ".webp": "WEBP"}


@dataclass(frozen=True)
class SaveItem:
    """One picture to write, with what its file will know about it; several become one grid."""

    path: Path
    picture: Pictures | Callable[[], bytes]  # the latter gives a PNG file, in the writing thread
    request: Request | None  # None: the PNG file knows how it was made
    index: int  # of the picture in its request
    provenance: Provenance | None
    class_name: str = ""
    # Gives what the file will know, in the writing thread; without it, request and provenance say.
    saved: Callable[[], SavedSettings | None] | None = None
    scale: int = 1  # how many pixels of the file a pixel becomes, each way
    numbered: bool = False  # behind a name that is taken comes a number; otherwise it is overwritten


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


def items_of_records(history: HistoryModel, ids: Sequence[int]) -> list[SaveItem]:
    """Images of the history; see `items_of_result`. A `StoreError` if one is gone.

    There may be thousands: the pictures, and what they know of themselves, are read when they are written.
    """
    return [
        SaveItem(
            Path(name_of(record.kind, record.model, record.label_name, record.seed)),
            history.png_reader(record.id),
            None,
            record.index,
            None,
            record.label_name,
        )
        for record in history.each(ids)
    ]


def place(items: Sequence[SaveItem], path: Path, format: str) -> list[SaveItem]:
    """Give items their files: `path` itself for one picture if it has a suffix, else a file each in it.

    In a folder nothing is overwritten: a name that is taken when it is written gets a number. A
    `BadRequest` for a format that is none of `IMAGE_FORMATS`.
    """
    form = (format or "png").casefold().lstrip(".").replace("jpeg", "jpg")
    if form not in IMAGE_FORMATS:
        raise BadRequest(f"Pictures can be saved as {', '.join(IMAGE_FORMATS)}, not as {form}.", field="out")
    if len(items) == 1 and path.suffix and not path.is_dir():
        return [dataclasses.replace(items[0], path=path)]
    return [dataclasses.replace(item, path=path / f"{item.path}.{form}", numbered=True) for item in items]


def _free(path: Path, tried: dict[Path, int]) -> Path:
    """`path`, or the first name behind it that is not taken; `tried` says from which number on to look."""
    number = tried.get(path, 1)
    while surely((file := _numbered(path, number)).exists):
        number += 1
    tried[path] = number
    return file


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def write_image(item: SaveItem) -> None:
    from engine.images import (  # brings NumPy and Pillow, which the start can do without
        SavedSettings,
        grid,
        save,
        settings_in,
    )

    settings: SavedSettings | None = None
    if isinstance(item.picture, Pictures):
        picture = item.picture
        if item.saved is not None:
            settings = item.saved()
        elif item.request is not None and item.provenance is not None:
            settings = SavedSettings.alone(item.request, item.index, item.provenance, item.class_name)
    else:
        png = item.picture()
        picture, settings = _decoded(png, item.path), settings_in(png)
        if settings is not None:
            settings = dataclasses.replace(settings, class_name=item.class_name)
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
    if words := too_large(path.suffix, *size):
        raise BadRequest(f"Couldn't write {path.name}. {words}", field="out")
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
    _ended = Signal(object, object)  # paths, words or Failure; from the writing thread

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
        """Write pictures. One that can't be written keeps none of the others from it, a full disk does."""
        paths: list[Path] = []  # those that were written; whoever is told of them comes after the thread

        def work() -> str | Failure:
            tried: dict[Path, int] = {}
            failures: dict[str, Failure] = {}  # by the name of the file
            stopped = False
            for number, item in enumerate(items, start=1):
                # Only here nothing else is on its way to a name: this thread writes everything.
                path = _free(item.path, tried) if item.numbered else item.path
                try:
                    write_image(dataclasses.replace(item, path=path))
                    paths.append(path)
                except Exception as error:
                    failures[path.name] = Failure.from_exception(error)
                    if is_disk_full(error):
                        stopped = number < len(items)
                        break
            return _words(paths, failures, len(items), items[0].path.parent, stopped)

        self._submit(work, paths)

    def write_animation(
        self, path: Path, result: ShownResult, index: int | None, scale: int, step_ms: int
    ) -> None:
        def work() -> str:
            write_animation(path, animate(result, index), scale=scale, step_ms=step_ms)
            return f"Saved the steps as {path.name}."

        self._submit(work, [path])

    def close(self) -> None:
        """Wait until everything is written."""
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    def _submit(self, work: Callable[[], str | Failure], paths: list[Path]) -> None:
        if self._executor is None:
            self._executor = background_pool("write-files")
        self._busy += 1

        def done(future: Future[str | Failure]) -> None:
            error = future.exception()
            self._ended.emit(paths, future.result() if error is None else Failure.from_exception(error))

        self._executor.submit(work).add_done_callback(done)

    @Slot(object, object)
    def _on_ended(self, paths: list[Path], told: str | Failure) -> None:
        self._busy -= 1
        if isinstance(told, Failure):
            self.failed.emit(told)
        else:
            self.written.emit(paths, told)


def _words(
    saved: Sequence[Path], failures: dict[str, Failure], count: int, folder: Path, stopped: bool
) -> str | Failure:
    """How the writing of `count` pictures ended; it `stopped` where not all were tried."""
    if not failures:
        return f"Saved {saved[0].name}." if count == 1 else f"Saved {count:,} pictures in {folder}."
    (name, first), *others = failures.items()
    if count == 1:
        return first
    start = f"Saved {len(saved):,} of {count:,} pictures in {folder}{', then stopped' if stopped else ''}."
    why = first.message if first.message.startswith("Couldn't") else f"Couldn't save {name}: {first.message}"
    if others:
        names = ", ".join(other for other, _ in others[:_NAMED])
        rest = f" and {len(others) - _NAMED:,} more" if len(others) > _NAMED else ""
        why += f" Couldn't save these either: {names}{rest}."
    told = list(failures.items())[: 1 + _NAMED]
    details = (f"{name}: {failure.message}\n{failure.details}".strip() for name, failure in told)
    return Failure(f"{start} {why}", first.field, first.kind, "\n".join(details))
