"""A video that is played in the window: its frames are decoded in a thread of their own.

The thread reads a little ahead of where the film is shown. What was decoded last is kept, so that
stepping back is at once.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal, Slot

from app.background import give_way
from app.failure import Failure
from app.models.traverse.spots import Spot
from engine.errors import BadImage, EngineError
from engine.messages import Pictures
from engine.messages.walks import Walk
from engine.walk import FramePlan, plan_frames

if TYPE_CHECKING:
    from engine.video_files import VideoReader

__all__ = ["FilmModel"]

_AHEAD = 32  # frames read beyond the one that is shown, fewer of a large video
_KEPT_BYTES = 192 * 2**20
_LEAST_MS = 8


class _Reader:
    """The thread that opens a video and reads its frames; `want` says which."""

    def __init__(self, path: Path, folder: Path, owner: FilmModel) -> None:
        self._path = path
        self._folder = folder
        self._owner = owner
        self._wanted: tuple[int, int] | None = None
        self._closed = False
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="read-film", daemon=True)
        self._thread.start()

    def want(self, first: int, count: int) -> None:
        with self._lock:
            self._wanted = (first, count)
            self._lock.notify()

    def close(self, patience: float) -> None:
        """End the thread; wait for it so many seconds at most."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        self._thread.join(patience)

    def _next(self) -> tuple[int, int] | None:
        with self._lock:
            while self._wanted is None and not self._closed:
                self._lock.wait()
            wanted, self._wanted = self._wanted, None
            return None if self._closed else wanted

    def _run(self) -> None:
        give_way()
        name = str(self._path)
        try:
            from engine.video_files import open_video

            reader = open_video(self._path)
            walk, trouble = self._walk()
            self._owner._opened.emit(name, reader, walk, trouble)
            frames: Iterator[Pictures] = iter(())
            at = -1  # the frame that comes next
            while (wanted := self._next()) is not None:
                first, count = wanted
                if first != at:
                    frames, at = reader.frames(first), first
                for frame in range(first, min(first + count, reader.count)):
                    picture = next(frames, None)
                    if picture is None:  # it is shorter than it says
                        self._owner._short.emit(name, frame)
                        at = -1
                        break
                    at = frame + 1
                    self._owner._read.emit(name, frame, picture)
                    with self._lock:
                        if self._closed or self._wanted is not None:
                            break
        except Exception as error:
            self._owner._broken.emit(name, Failure.from_exception(error))

    def _walk(self) -> tuple[Walk | None, str]:
        """The walk the video carries, and where there is one that can't be used, why."""
        from engine.video_files import read_video_walk

        try:
            return read_video_walk(self._path, self._folder).walk, ""
        except BadImage:  # no video, which is said when it is played, or none of ours
            return None, ""
        except EngineError as error:
            return None, error.message


class FilmModel(QObject):
    """The film, where it stands, and the walk it was made of if it carries one."""

    opened = Signal()  # another film, or more is known of it
    ready = Signal()  # it can be played, and whether it carries a walk is known
    frame_changed = Signal()  # which frame is shown, or its picture came
    playing_changed = Signal(bool)
    failed = Signal(object)  # Failure
    # From the reading thread: path, VideoReader, Walk | None, why there is no walk
    _opened = Signal(str, object, object, str)
    _short = Signal(str, int)  # path, how many frames there really are
    _read = Signal(str, int, object)  # path, frame, Pictures
    _broken = Signal(str, object)  # path, Failure

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._info: VideoReader | None = None
        self._walk: Walk | None = None
        self._trouble = ""
        self._plan: FramePlan | None = None
        self._reader: _Reader | None = None
        self._pictures: OrderedDict[int, Pictures] = OrderedDict()
        self._bytes = 0
        self._asked_to = -1  # frames up to here were asked for
        self._asked_from = 0
        self._frame = 0
        self._shown: Pictures | None = None
        self._failure: Failure | None = None
        self._clock = QElapsedTimer()
        self._from = 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._opened.connect(self._on_opened, Qt.ConnectionType.QueuedConnection)
        self._short.connect(self._on_short, Qt.ConnectionType.QueuedConnection)
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)
        self._broken.connect(self._on_broken, Qt.ConnectionType.QueuedConnection)

    # --- state

    @property
    def path(self) -> Path | None:
        return self._path

    @property
    def total(self) -> int:
        return self._info.count if self._info is not None else 0

    @property
    def fps(self) -> float:
        return self._info.fps if self._info is not None and self._info.fps > 0 else 25.0

    @property
    def walk(self) -> Walk | None:
        return self._walk

    @property
    def trouble(self) -> str:
        """Why the walk it carries can't be used; "" if it carries none, or a good one."""
        return self._trouble

    @property
    def size(self) -> tuple[int, int]:
        return (self._info.width, self._info.height) if self._info is not None else (0, 0)

    @property
    def frame(self) -> int:
        return self._frame

    @property
    def picture(self) -> Pictures | None:
        """The frame, or the last one shown while it is being read."""
        return self._pictures.get(self._frame, self._shown)

    @property
    def failure(self) -> Failure | None:
        return self._failure

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def spot_here(self) -> Spot | None:
        """The latent of the frame that is shown, where the film carries its walk."""
        if self._plan is None or not 0 <= self._frame < self._plan.total:
            return None
        point, walk = self._plan.point(self._frame), self._plan.walk
        name = f"{walk.name or (self._path.stem if self._path else 'Film')} frame {self._frame}"
        return Spot(walk.model, point.latent, point.label, point.guidance, name)

    # --- verbs

    def open(self, path: Path, folder: Path) -> None:
        """Open a video; `opened` follows, or `failed`. Latents it carries are put into `folder`."""
        self._let_go(0.02)  # the last one's thread may be deep in a frame: it is not waited for
        self._path = path
        self._frame, self._shown, self._failure = 0, None, None
        self._reader = _Reader(path, folder, self)
        self.opened.emit()

    def close(self) -> None:
        """Let go of the film."""
        self._let_go(5.0)

    def _let_go(self, patience: float) -> None:
        self.pause()
        if self._reader is not None:
            self._reader.close(patience)
            self._reader = None
        self._path = self._info = self._walk = self._plan = None
        self._trouble = ""
        self._pictures.clear()
        self._bytes, self._asked_from, self._asked_to = 0, 0, -1

    def seek(self, frame: int) -> None:
        frame = min(max(frame, 0), max(self.total - 1, 0))
        if frame != self._frame:
            if self._frame in self._pictures:
                self._shown = self._pictures[self._frame]
            self._frame = frame
            self._want()
            self.frame_changed.emit()

    def step(self, by: int) -> None:
        self.pause()
        self.seek(self._frame + by)

    def play(self) -> None:
        if self.total < 2 or self.playing:
            return
        if self._frame >= self.total - 1:
            self.seek(0)
        self._from = self._frame
        self._clock.start()
        self._timer.start(max(_LEAST_MS, int(500 / self.fps)))
        self.playing_changed.emit(True)

    def pause(self) -> None:
        if self.playing:
            self._timer.stop()
            self.playing_changed.emit(False)

    @Slot()
    def toggle(self) -> None:
        self.pause() if self.playing else self.play()

    @Slot()
    def _tick(self) -> None:
        frame = self._from + int(self._clock.elapsed() * self.fps / 1000)
        if self._frame not in self._pictures and self._failure is None:
            # Reading has fallen behind: the film waits for it rather than leaving frames out.
            self._from = self._frame
            self._clock.restart()
            return
        if frame >= self.total:
            if self._plan is not None and self._plan.walk.loop:
                self._from = 0
                self._clock.restart()
                self.seek(0)
                return
            self.seek(self.total - 1)
            self.pause()
            return
        self.seek(frame)

    @property
    def _ahead(self) -> int:
        """How many frames are read ahead: a quarter of those that are kept at most."""
        width, height = self.size
        return min(max(_KEPT_BYTES // 4 // max(3 * width * height, 1), 1), _AHEAD)

    def _want(self) -> None:
        if self._reader is None:
            return
        missing = self._frame not in self._pictures
        outside = not self._asked_from <= self._frame <= self._asked_to
        ahead = self._ahead
        if (missing and outside) or (self._frame + ahead // 2 > self._asked_to < self.total - 1):
            first = self._frame
            while first in self._pictures and first < self.total - 1:
                first += 1
            self._asked_from, self._asked_to = first, min(first + ahead, self.total) - 1
            self._reader.want(first, ahead)

    # --- the reading thread

    @Slot(str, object, object, str)
    def _on_opened(self, path: str, info: VideoReader, walk: Walk | None, trouble: str) -> None:
        if self._path is None or path != str(self._path):
            return
        if walk is not None and info.path.is_dir():  # single pictures don't say how fast they follow
            info = dataclasses.replace(info, fps=walk.fps)
        self._info, self._walk, self._trouble = info, walk, trouble
        self._plan = plan_frames(walk) if walk is not None else None
        self._want()
        self.ready.emit()
        self.opened.emit()

    @Slot(str, int)
    def _on_short(self, path: str, count: int) -> None:
        if self._path is None or path != str(self._path) or self._info is None:
            return
        self._info = dataclasses.replace(self._info, count=max(count, 1))
        self.opened.emit()
        self.seek(self._frame)

    @Slot(str, int, object)
    def _on_read(self, path: str, frame: int, picture: Pictures) -> None:
        if self._path is None or path != str(self._path):
            return
        if frame not in self._pictures:
            self._bytes += len(picture.data)
        self._pictures[frame] = picture
        while self._bytes > _KEPT_BYTES and len(self._pictures) > 1:
            furthest = max(self._pictures, key=lambda one: abs(one - self._frame))
            self._bytes -= len(self._pictures.pop(furthest).data)
        if frame == self._frame:
            self.frame_changed.emit()

    @Slot(str, object)
    def _on_broken(self, path: str, failure: Failure) -> None:
        if self._path is not None and path == str(self._path):
            self._failure = failure
            self.pause()
            self.failed.emit(failure)
