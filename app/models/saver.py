"""Saving pictures and steps: what is to be written, and under which names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.models.canvas import CanvasModel, Shown
from app.models.history import HistoryModel
from app.models.saving import FileWriter, SaveItem, items_of_records, items_of_result, place
from engine.errors import EngineError
from engine.messages import Request, StepFrame

__all__ = ["Saver"]


class Saver(QObject):
    """Saves from the canvas and from the history, off the window's thread; `writer` says when."""

    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        writer: FileWriter,
        canvas: CanvasModel,
        history: HistoryModel,
        class_names: Callable[[Request], Sequence[str]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._writer = writer
        self._canvas = canvas
        self._history = history
        self._class_names = class_names

    def save_images(
        self,
        indices: Sequence[int],
        path: Path,
        format: str,
        scale: int,
        grid: bool,
        shown: Shown | None,
    ) -> bool:
        """See `Studio.save_images`."""
        shown = shown or self._canvas.shown
        result = shown.result
        if result is None and shown.record_ids:
            return self.save_records([shown.record_ids[i] for i in indices], path, format, scale)
        kept = [i for i in indices if result is not None and 0 <= i < result.pictures.count]
        if result is None or not kept:
            self.notice.emit("There is no finished picture to save yet.", "care", None)
            return False
        items = items_of_result(result, kept, self._class_names(result.request))
        pictures = result.pictures
        if shown.step is not None and 0 <= shown.step < len(result.steps):
            frame = result.steps[shown.step]
            pictures = frame.pictures
            items = [_of_step(item, frame) for item in items]
        if grid:
            items = [dataclasses.replace(items[0], picture=pictures)]
        return self._save(lambda: items, path, format, scale)

    def save_records(self, ids: Sequence[int], path: Path, format: str, scale: int) -> bool:
        """See `Studio.save_records`."""
        return self._save(lambda: items_of_records(self._history, ids), path, format, scale)

    def _save(self, items: Callable[[], list[SaveItem]], path: Path, format: str, scale: int) -> bool:
        try:
            enlarged = [dataclasses.replace(item, scale=scale) for item in items()]
            placed = place(enlarged, path, format)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        if placed:
            self._writer.write_images(placed)
        return bool(placed)

    def export_steps(
        self, path: Path, index: int | None, scale: int, step_ms: int, shown: Shown | None
    ) -> bool:
        """See `Studio.export_steps`."""
        result = (shown or self._canvas.shown).result
        if result is None or not result.steps:
            self.notice.emit(
                "These pictures have no steps to export. Generate them again first.", "care", None
            )
            return False
        self._writer.write_animation(path, result, index, scale, step_ms)
        return True


def _of_step(item: SaveItem, frame: StepFrame) -> SaveItem:
    """The picture as it was predicted at a step. Its file carries no settings: they make the finished one."""
    path, picture = Path(f"{item.path}-step-{frame.step}"), frame.pictures.one(item.index)
    return dataclasses.replace(item, path=path, picture=picture, provenance=None, saved=None)
