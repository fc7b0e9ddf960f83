"""Changes of settings as something that can be undone: a drag of a slider is one change, not fifty."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QTimer, Slot

from app.models.settings import LABELS, GenerateSettings
from app.models.undo import UndoList

__all__ = ["SettingEdits"]

_PAUSE = 700  # ms without a change after which the next one is a change of its own


class SettingEdits(QObject):
    """Notes in the undo list what a person does to the controls, once they pause.

    Whoever changes settings and notes that himself calls `settle` before and `absorb` after.
    """

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

    def _note(self, after: dict[str, Any]) -> None:
        before = self._before
        names = [name for name in LABELS if before.get(name) != after.get(name)]
        self._before = after
        if names:
            words = f"{LABELS[names[0]]} changed." if len(names) == 1 else "Settings changed."
            self._undo_list.add(words, lambda: self._put(before), lambda: self._put(after))

    def _put(self, values: dict[str, Any]) -> None:
        self._settings.from_dict(values)
        self.absorb()
