"""What is done to pictures of the history and to waiting jobs, each with undo."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from app.models.doings import Doings
from app.models.history import HistoryModel, Undo
from app.models.queue import Job, QueueModel
from app.models.queue_keeper import QueueKeeper
from app.models.undo import NOT_NOW

__all__ = ["Deeds"]


class Deeds(QObject):
    """Says what was done only once it was; an undo that failed can be tried again."""

    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self, history: HistoryModel, queue: QueueModel, doings: Doings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._history = history
        self._queue = queue
        self._doings = doings

    def star(self, ids: Sequence[int], on: bool) -> None:
        """Star images, or take their stars away."""
        starred = self._history.starred(ids)
        changed = [id for id in ids if (id in starred) != on]

        def mark(on: bool) -> object:
            return self._history.star(changed, on) or NOT_NOW

        if not changed or mark(on) is NOT_NOW:
            return
        count = len(changed)
        many = f"{count:,} pictures starred." if on else f"{count:,} stars taken away."
        words = many if count > 1 else "Starred." if on else "Star taken away."
        self._doings.did(words, lambda: mark(not on), lambda: mark(on))

    def delete(self, ids: Sequence[int]) -> None:
        """Into the trash at once."""
        deleted = self._history.delete(ids)
        if deleted is None or not deleted.ids:
            return  # the history has said why not, or another window was quicker
        trash: Undo = deleted

        def back() -> object:
            came = self._history.undo_delete(trash)
            if came is None:
                return NOT_NOW
            return bool(came) or self._cannot("What was deleted is not in the trash any more.")

        def again() -> object:
            nonlocal trash
            deleted = self._history.delete(ids)
            if deleted is None:
                return NOT_NOW
            if not deleted.ids:
                return self._cannot("What was to be deleted again is gone already.")
            trash = deleted
            return True

        count = len(trash.ids)
        words = "Picture deleted." if count == 1 else f"{count:,} pictures deleted."
        self._doings.did(words, back, again)

    def remove_job(self, job_id: int) -> None:
        """Cancel a pending job (with undo) or take an ended one off the list."""
        pending = [job.id for job in self._queue.pending]
        position = pending.index(job_id) if job_id in pending else 0
        removed = self._queue.remove(job_id)
        if removed is None or removed.ended:
            return
        job: Job = removed

        def again() -> object:
            nonlocal job
            now = self._queue.job(job_id)
            if now is None or now.ended:
                return self._cannot("The job has run meanwhile, so it can't be removed again.")
            waiting = self._queue.remove(job_id)
            if waiting is None:
                return self._cannot("The job runs by now, so it can't be removed again. Stop ends it.")
            job = waiting  # its settings may have been changed since
            return True

        self._doings.did("Removed from the queue.", lambda: self._queue.restore(job, position), again)

    def queue_again(self, keeper: QueueKeeper) -> None:
        """Say that the jobs of the last time are back in the queue."""
        count = keeper.restored

        def drop() -> object:
            dropped = keeper.drop_restored()
            if not dropped:
                one = "The job does" if count == 1 else "The jobs do"
                return self._cannot(f"{one} not wait any more, so nothing could be taken out of the queue.")
            if dropped < count:
                words = f"{dropped:,} of the {count:,} jobs taken out of the queue. The others wait no more."
                self.notice.emit(words, "info", None)
            return True

        words = "The job that waited is" if count == 1 else f"The {count:,} jobs that waited are"
        self._doings.did(f"{words} back in the queue.", drop, keeper.put_back)

    def _cannot(self, words: str) -> bool:
        """It never can be done any more."""
        self.notice.emit(words, "care", None)
        return False
