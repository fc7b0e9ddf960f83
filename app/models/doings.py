"""What a person does, said and noted so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.models.setting_edits import SettingEdits
from app.models.settings import GenerateSettings
from app.models.undo import Change, UndoList

__all__ = ["Doings"]


class Doings(QObject):
    """The undo list, with the changes of settings in their order among all others."""

    notice = Signal(str, str, object)  # as that of Studio

    def __init__(self, settings: GenerateSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo_list = UndoList(self)
        self._settings = settings
        self.setting_edits = SettingEdits(settings, self.undo_list, self)
        self.setting_edits.notice.connect(self.notice)
        settings.put_back.connect(self._on_put_back)
        # By the button of a message, too:
        self.undo_list.about_to_move.connect(self.setting_edits.settle)
        self.undo_list.taken_back.connect(self.absorb)

    def close(self) -> None:
        """Note nothing more."""
        self.setting_edits.close()

    @Slot()
    def absorb(self) -> None:
        """The settings were changed by nobody: at the start, or where a model is gone."""
        self.setting_edits.absorb()

    def undo(self) -> Change | None:
        """Take back what was done last and say so, unless it failed; None if there is nothing."""
        change = self.undo_list.undo()
        self.setting_edits.absorb()
        if change is not None and not change.failed:
            self.notice.emit(f"Undone: {_inside(change.words)}", "info", None)
        return change

    def redo(self) -> Change | None:
        """Do again what was taken back last and say so, unless it failed; None if there is nothing."""
        change = self.undo_list.redo()
        self.setting_edits.absorb()
        if change is not None and not change.failed:
            self.notice.emit(f"Done again: {_inside(change.words)}", "info", change)
        return change

    def did(self, words: str, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        """Note what has just been done, and say it with an Undo button."""
        self.setting_edits.settle()  # what was done before comes before
        self.notice.emit(words, "info", self.undo_list.add(words, undo, redo))

    def change_settings(self, words: str, change: Callable[[], object]) -> None:
        """Change settings as one thing that is said and can be undone."""
        self.setting_edits.settle()
        before = self._settings.to_dict()
        change()
        self.notice.emit(words, "info", self.setting_edits.add(words, before))

    @Slot(str, object)
    def _on_put_back(self, words: str, before: dict[str, Any]) -> None:
        """A row or a preset was reset: its button says what happened, so only Undo needs to know."""
        self.setting_edits.settle_up_to(before)
        self.setting_edits.add(words, before)


def _inside(words: str) -> str:
    """A sentence as part of another."""
    return words[:1].lower() + words[1:]
