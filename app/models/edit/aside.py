"""Files of the Edit room that take their time, read and written off the window's thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.background import background_pool
from app.failure import Failure

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Aside"]

_Found = TypeVar("_Found")


class Aside(QObject):
    """One thread for one task after another; what came of each is told in the window's thread."""

    _ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._executor: ThreadPoolExecutor | None = None
        self._tasks: deque[tuple[Future[Any], Callable[[Any], object], Callable[[Failure], object]]] = deque()
        self._ended.connect(self._tell, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def do(
        self,
        work: Callable[[], _Found],
        then: Callable[[_Found], object],
        failed: Callable[[Failure], object],
    ) -> None:
        """Do `work` in the thread, then call `then` with what it gave, or `failed` with why not."""
        if self._executor is None:
            self._executor = background_pool("edit-files")
        future = self._executor.submit(work)
        self._tasks.append((future, then, failed))
        future.add_done_callback(lambda _future: self._ended.emit())

    def close(self) -> None:
        """Wait until everything is done, and tell it."""
        while self._tasks:
            self._tell_first()
        if self._executor is not None:
            self._executor.shutdown()
            self._executor = None

    @Slot()
    def _tell(self) -> None:
        while self._tasks and self._tasks[0][0].done():
            self._tell_first()

    def _tell_first(self) -> None:
        future, then, failed = self._tasks.popleft()
        error = future.exception()  # waits for it
        if error is None:
            then(future.result())
        else:
            failed(Failure.from_exception(error))
