"""Frames on their way into a video, beside the network: a thread that encodes. Imports no torch."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence

import numpy as np

from engine.messages import Pictures
from engine.video import VideoWriter

__all__ = ["Encoding"]

_WAITING = 2  # groups between network and encoder; more would only fill the memory


class Encoding:
    """A writer in a thread of its own. Whatever goes wrong there is raised by the next call.

    `scale` enlarges every frame so many times, without smoothing.
    """

    def __init__(self, writer: VideoWriter, scale: int = 1) -> None:
        self._writer = writer
        self._scale = scale
        self._groups: queue.Queue[tuple[Pictures, Sequence[int]] | None] = queue.Queue(_WAITING)
        self._failure: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, name="video encoder", daemon=True)
        self._thread.start()

    def put(self, pictures: Pictures, repeats: Sequence[int]) -> None:
        """Hand frames over, each to be shown `repeats` times; waits while the encoder is behind."""
        self._raise()
        self._groups.put((pictures, repeats))

    def close(self) -> None:
        """Finish the file."""
        self._end()
        self._raise()
        self._writer.close()

    def abandon(self) -> None:
        """Stop without finishing."""
        self._abandoned = True
        self._end()
        self._writer.abandon()

    def _end(self) -> None:
        if self._thread.is_alive():
            self._groups.put(None)
            self._thread.join()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while (group := self._groups.get()) is not None:
            if self._failure is not None or self._abandoned:
                continue  # so that nobody waits for room in the queue
            try:
                self._encode(*group)
            except BaseException as error:
                self._failure = error

    def _encode(self, pictures: Pictures, repeats: Sequence[int]) -> None:
        shape = (pictures.count, pictures.height, pictures.width, pictures.channels)
        frames = np.frombuffer(pictures.data, np.uint8).reshape(shape)
        for frame, count in zip(frames, repeats, strict=True):
            large = (
                frame.repeat(self._scale, axis=0).repeat(self._scale, axis=1) if self._scale > 1 else frame
            )
            for _ in range(count):
                self._writer.add(large)
