"""What a person has done and can take back, newest last."""

from __future__ import annotations

from collections.abc import Callable, Collection

from PySide6.QtCore import QObject, Signal

__all__ = ["NOT_NOW", "Change", "UndoList"]

_KEPT = 100

NOT_NOW = object()  # what an `undo` or `redo` returns that can be tried again, say while the disk is full


class Change:
    """Something that was done. Calling it takes it back, which is what an Undo button does; see `NOT_NOW`.

    An `undo` or `redo` that could not be done has said why. It returns `NOT_NOW` if it may be done
    later, so that the change stays where it was, and False if it never can: the change is forgotten.
    """

    def __init__(
        self, owner: UndoList, words: str, undo: Callable[[], object], redo: Callable[[], object]
    ) -> None:
        self.words = words  # "Picture deleted."
        self.undo = undo
        self.redo = redo
        self.failed = False  # it could not be taken back, or done again, the last time that was tried
        self._owner = owner

    def __call__(self) -> object:
        self._owner.take_back(self)
        return NOT_NOW if self.failed and self._owner.holds(self) else None


class UndoList(QObject):
    """`undo` takes the newest change back, `redo` does again what was taken back last."""

    about_to_move = Signal()  # something will be undone or redone: note now what is not noted yet
    taken_back = Signal(object)  # Change; or it never can be any more
    changed = Signal()  # whether there is something to undo or to redo

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._done: list[Change] = []
        self._undone: list[Change] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    def add(self, words: str, undo: Callable[[], object], redo: Callable[[], object]) -> Change:
        """Note what has just been done; what had been taken back before can't be redone any more."""
        change = Change(self, words, undo, redo)
        self._done.append(change)
        del self._done[:-_KEPT]
        self._undone.clear()
        self.changed.emit()
        return change

    def holds(self, change: Change) -> bool:
        """Whether it can be taken back."""
        return change in self._done

    def forget(self, changes: Collection[Change]) -> None:
        """What they changed is gone: neither undo nor redo them."""
        self._done = [change for change in self._done if change not in changes]
        self._undone = [change for change in self._undone if change not in changes]
        self.changed.emit()

    def take_back(self, change: Change) -> bool:
        """Take back this one, even if others came after it. False: it is already, or it failed."""
        self.about_to_move.emit()
        if change not in self._done:
            return False
        row = self._done.index(change)
        self._undone.append(self._done.pop(row))
        if self._note(change, change.undo()):
            self._undone.remove(change)
            self._done.insert(row, change)
        else:
            self.taken_back.emit(change)
        self.changed.emit()
        return not change.failed

    def undo(self) -> Change | None:
        """Take back the newest change and return it, also if it `failed`; None if there is none."""
        self.about_to_move.emit()
        if not self._done:
            return None
        change = self._done[-1]
        self.take_back(change)
        return change

    def redo(self) -> Change | None:
        """Do again what was taken back last and return it, also if it `failed`; None if there is nothing."""
        self.about_to_move.emit()
        if not self._undone:
            return None
        change = self._undone.pop()
        self._done.append(change)
        if self._note(change, change.redo()):
            self._done.remove(change)
            self._undone.append(change)
        self.changed.emit()
        return change

    def _note(self, change: Change, came: object) -> bool:
        """What has come of it; whether it may still be done later."""
        change.failed = came is False or came is NOT_NOW
        if came is False:
            self.forget((change,))
        return came is NOT_NOW
