"""The frames of a render that is not finished, so that it can go on. Imports no torch.

Beside `walk.mp4` stands the folder `walk.mp4.unfinished` until the video is whole. In it:

- `render.json`: which render this is, and how its frames are grouped
- `frames.bin`: record after record of finished frames, without loss. A record is whole or is
  not counted: a process that was killed leaves at most one cut off at the end
- `video`: the video as far as it is, put in its place when it is finished or stopped
- `reserve`: room on the disk that is given up when it is full, for finishing the video
"""

from __future__ import annotations

import contextlib
import json
import shutil
import struct
import types
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from engine.errors import UnusableFolder
from engine.files import write_atomically
from engine.messages import Pictures

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # Windows, where files in use are kept from others anyway
    fcntl = None

__all__ = ["Journal", "unfinished_folder"]

_HEAD = struct.Struct("<4sIIII")  # mark, first frame, frames, bytes of the payload, its checksum
_MARK = b"GNfr"
_RESERVE = 2 << 20  # bytes: what the end of a video takes


def unfinished_folder(out: Path) -> Path:
    """Where the frames of an unfinished render to `out` wait."""
    return out.parent / f"{out.name}.unfinished"


class Journal:
    """Frames of one size, appended in order. `settings` says which render they are of."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], size: tuple[int, int, int]) -> None:
        """Begin anew in `folder`; an `UnusableFolder` if it can't be written to or is in use."""
        self.folder = folder
        self.settings = dict(settings)
        self._channels, self._height, self._width = size
        self.count = 0
        self.groups: list[int] = []  # frames of each record
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._frames.open("a+b", buffering=0)
            self._claim()
            self._file.truncate(0)
            self.video.unlink(missing_ok=True)
        except OSError as error:
            raise UnusableFolder(
                f"Couldn't write into {folder.parent}: {error.strerror or error}. Choose a folder you may "
                "write to.",
                field="out",
            ) from error
        text = json.dumps({**self.settings, "size": list(size)})
        write_atomically(folder / "render.json", lambda path: path.write_text(text, encoding="utf-8"))
        self._keep_room()

    @classmethod
    def resume(cls, folder: Path) -> Journal | None:
        """The journal that was left in `folder`, ready to go on, or None if there is none that is whole.

        An `UnusableFolder` if another render is writing it.
        """
        try:
            settings = json.loads((folder / "render.json").read_text(encoding="utf-8"))
            channels, height, width = (int(n) for n in settings.pop("size"))
            journal = cls.__new__(cls)
            journal.folder, journal.settings = folder, settings
            journal._channels, journal._height, journal._width = channels, height, width
            journal.count, journal.groups = 0, []
            journal._file = journal._frames.open("r+b", buffering=0)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        journal._claim()
        end = 0
        for count, _ in journal._records():
            journal.count += count
            journal.groups.append(count)
            end = journal._file.tell()
        journal._file.truncate(end)
        journal._keep_room()
        return journal

    def _claim(self) -> None:
        """Keep every other render out of this folder, also one in another process."""
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UnusableFolder(
                f"Another render is writing {self.folder.name.removesuffix('.unfinished')} just now. Stop "
                "it, wait for it, or choose another name.",
                field="out",
            ) from error

    @property
    def video(self) -> Path:
        """Where the video is written before it is finished."""
        return self.folder / "video"

    @property
    def _frames(self) -> Path:
        return self.folder / "frames.bin"

    @property
    def _stride(self) -> int:
        return self._channels * self._height * self._width

    def append(self, pictures: Pictures) -> None:
        """Add finished frames. An OSError (a full disk) leaves those before as they were."""
        payload = zlib.compress(pictures.data, 1)
        head = _HEAD.pack(_MARK, self.count, pictures.count, len(payload), zlib.crc32(payload))
        end = self._file.seek(0, 2)
        try:
            left = memoryview(head + payload)
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            with contextlib.suppress(OSError):
                self._file.truncate(end)
            raise
        self.count += pictures.count
        self.groups.append(pictures.count)

    def pictures(self) -> Iterator[Pictures]:
        """The frames so far, record by record."""
        for count, payload in self._records():
            yield Pictures(count, self._width, self._height, self._channels, zlib.decompress(payload))

    def _records(self) -> Iterator[tuple[int, bytes]]:
        """Frames and payload of every whole record; ends before the first that is not."""
        position, expected = 0, 0
        while True:
            self._file.seek(position)
            head = self._file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            mark, first, count, length, checksum = _HEAD.unpack(head)
            # Compressed noise is hardly longer than plain; a damaged head may say anything.
            if mark != _MARK or first != expected or length > 2 * count * self._stride + 1024:
                return
            payload = self._file.read(length)
            if len(payload) != length or zlib.crc32(payload) != checksum:
                return
            position = self._file.tell()
            yield count, payload
            expected += count

    def _keep_room(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / "reserve").write_bytes(b"\1" * _RESERVE)

    def make_room(self) -> bool:
        """Give the reserve up; False if it was given up already."""
        try:
            (self.folder / "reserve").unlink()
        except OSError:
            return False
        return True

    @property
    def room_was_made(self) -> bool:
        return not (self.folder / "reserve").exists()

    def close(self) -> None:
        """Leave everything for a later render to go on with."""
        self._file.close()
        self.make_room()

    def remove(self) -> None:
        """The video is whole: nothing of this is needed any more."""
        self._file.close()
        shutil.rmtree(self.folder, ignore_errors=True)
