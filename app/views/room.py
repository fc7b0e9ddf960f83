"""What the window asks the room on screen before it does something itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from PySide6.QtCore import QMimeData

if TYPE_CHECKING:
    from app.views.palette import Entry

__all__ = ["Room"]


@runtime_checkable
class Room(Protocol):
    """A room with work of its own. Each `take_...` returns whether that is what it did."""

    def take_generate(self, first: bool) -> bool:
        """Ctrl+Enter, or Ctrl+Shift+Enter for `first`: the one thing to do next here."""
        ...

    def take_escape(self) -> bool:
        """Close what is open, else stop what this room has running."""
        ...

    def take_undo(self) -> bool: ...

    def take_redo(self) -> bool: ...

    def take_paste(self, data: QMimeData) -> bool:
        """Ctrl+V with something other than text being typed."""
        ...

    def take_files(self, paths: Sequence[Path]) -> bool:
        """Files dropped on the window."""
        ...

    def entries(self) -> Sequence[Entry]:
        """What the command palette offers while this room is on screen."""
        ...
