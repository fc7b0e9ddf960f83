"""Brings images of the history back onto the canvas: to look at, or to compare."""

from __future__ import annotations

import dataclasses

from app.models.canvas import CanvasModel
from app.models.comparison import ComparePane
from app.models.facts import title_of
from app.models.history import Details, HistoryModel
from app.models.live import LiveCanvas
from app.models.settings import GenerateSettings
from engine.errors import BadRequest
from engine.messages import GenerateRequest, Request

__all__ = ["Recall"]


class Recall:
    """Between history and canvas. Its verbs raise an `EngineError` where an image is gone."""

    def __init__(
        self, history: HistoryModel, canvas: CanvasModel, live: LiveCanvas, settings: GenerateSettings
    ) -> None:
        self._history = history
        self._canvas = canvas
        self._live = live
        self._settings = settings

    def show(self, record_id: int) -> None:
        """Put an image on the canvas, with its whole batch where that is still there."""
        result = self._history.result(record_id)
        details = self._history.details(record_id)
        pictures = self._history.pictures(record_id)
        record = details.record
        self._live.leave()
        self._canvas.leave_compare()  # or nothing of it would be seen
        if result is not None:
            self._canvas.show_result(result, self._history.ids_of_result(record_id))
        else:
            self._canvas.show_pictures(_alone(details), pictures, [record_id])
        self._canvas.select(record.index if result is not None else 0)

    def compare(self, left: int, right: int) -> None:
        """Two images of the history against each other."""
        self._canvas.compare_with(self._pane(left), self._pane(right))

    def compare_with_canvas(self, record_id: int) -> None:
        """An image of the history (A) against the picture the canvas shows (B)."""
        shown = self._canvas.pane()
        if shown is None:
            raise BadRequest(
                "There is no picture on the canvas to compare it with. Select a second one with Ctrl+click, "
                "or generate first."
            )
        index = max(self._canvas.selected, 0)
        if shown.step is None and self._canvas.record_id_of(index) == record_id:
            raise BadRequest(
                "This is the picture the canvas shows. Select another one, or a second with Ctrl+click."
            )
        self._canvas.compare_with(self._pane(record_id), shown)

    def _pane(self, record_id: int) -> ComparePane:
        details = self._history.details(record_id)
        index = details.record.index
        title = title_of(details.request, index, self._settings.catalogue)
        return ComparePane(title, self._history.pictures(record_id), details.request, index)


def _alone(details: Details) -> Request:
    """The request for one image of a result."""
    request, record = details.request, details.record
    if isinstance(request, GenerateRequest):
        return dataclasses.replace(request, seed=request.seeds[record.index], labels=(record.label,))
    part = getattr(request, "part", None)
    return part(record.index, 1) if part is not None else request
