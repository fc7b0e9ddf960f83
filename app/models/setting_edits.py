"""Changes of settings as something that can be undone: a drag of a slider is one change, not fifty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.models.settings import LABELS, GenerateSettings
from app.models.undo import NOT_NOW, Change, UndoList
from engine.messages import GenerateRequest

__all__ = ["SettingEdits"]

_PAUSE = 700  # ms without a change after which the next one is a change of its own


class SettingEdits(QObject):
    """Notes in the undo list what a person does to the controls, once they pause.

    Whoever changes settings and notes that himself calls `settle` before and `absorb` after.
    """

    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self, settings: GenerateSettings, undo_list: UndoList, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._undo_list = undo_list
        self._before = settings.to_dict()
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE)
        self._timer.timeout.connect(self.settle)
        self._closed = False
        self._aside: dict[str, Any] | None = None  # a person's own while the controls show others
        self._of_others: list[Change] = []
        settings.changed.connect(self._on_changed)

    def close(self) -> None:
        """Note nothing more."""
        self._closed = True
        self._timer.stop()

    @Slot()
    def _on_changed(self) -> None:
        if not self._closed:
            self._timer.start()

    @Slot()
    def settle(self) -> None:
        """Note now what was changed since the last time."""
        self._timer.stop()
        self._note(self._settings.to_dict())

    def settle_up_to(self, values: dict[str, Any]) -> None:
        """The same up to the moment the settings were `values`; what came after is somebody else's."""
        self._note(values)
        self.absorb()

    def absorb(self) -> None:
        """What was changed since the last time is none of this one's business."""
        self._timer.stop()
        self._before = self._settings.to_dict()

    def add(self, words: str, before: dict[str, Any]) -> Change:
        """Note as one change what made the settings `before` those they are."""
        self.absorb()
        return self._add(words, before, self._before)

    @property
    def own(self) -> dict[str, Any]:
        """A person's own settings, also while the controls show those of something else."""
        return self._settings.to_dict() if self._aside is None else self._aside

    def own_request(self, seed: int) -> GenerateRequest:
        """What a person's own settings ask for; a `BadRequest` if they can't be."""
        if self._aside is None:
            return self._settings.build_request(seed=seed)
        own = GenerateSettings()
        own.set_catalogue(self._settings.catalogue)
        own.from_dict(self._aside)
        return own.build_request(seed=seed)

    def put_aside(self) -> None:
        """From here to `bring_back` the controls show the settings of something else."""
        if self._aside is None:
            self.settle()
            self._aside = self._settings.to_dict()

    def bring_back(self) -> None:
        """The settings as they were; what was done to the others can't be undone in them."""
        if self._aside is None:
            return
        self._settings.clear_errors()
        self._settings.from_dict(self._aside)
        self._aside = None
        self._undo_list.forget(self._of_others)
        self._of_others.clear()
        self.absorb()

    def _note(self, after: dict[str, Any]) -> None:
        before = self._before
        names = [name for name in LABELS if before.get(name) != after.get(name)]
        self._before = after
        if names:
            words = f"{LABELS[names[0]]} changed." if len(names) == 1 else "Settings changed."
            self._add(words, before, after)

    def _add(self, words: str, before: dict[str, Any], after: dict[str, Any]) -> Change:
        own = self._aside is None
        change = self._undo_list.add(
            words, lambda: self._put(after, before, own), lambda: self._put(before, after, own)
        )
        if not own:
            self._of_others.append(change)
        return change

    def _put(self, left: Mapping[str, Any], wanted: Mapping[str, Any], own: bool) -> object:
        """Go from one side of a change to the other; what was set by other changes since stays."""
        if own and self._aside is not None:
            self.notice.emit(
                "Your own settings are put aside while a waiting job is edited. End that first, then undo.",
                "info",
                None,
            )
            return NOT_NOW
        if self._settings.to_dict() != left:  # only what this change was about, and what follows from that
            wanted = {name: value for name, value in wanted.items() if left.get(name) != value}
        self._settings.from_dict(wanted)
        self.absorb()
        return None
