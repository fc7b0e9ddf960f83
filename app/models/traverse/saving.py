"""Latents written to files of their own, by the engine: to be kept, sent, or copied as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.traverse.quality import Quality
from app.models.traverse.spots import Spot, short_id, source_words
from engine.errors import EngineError
from engine.messages import Outcome
from engine.messages.latent_files import LatentRequest, LatentSaved

__all__ = ["LANE", "SUFFIX", "LatentSaver", "file_name"]

LANE = "latent:"  # and a number: nothing that is saved takes the place of another
SUFFIX = ".safetensors"


def file_name(spot: Spot) -> str:
    """What the file of a latent is called."""
    words = spot.name or source_words(spot.source)
    plain = "".join(c if c.isalnum() or c in "-_ " else "-" for c in words).strip(" -")
    return f"{plain[:80] or short_id(spot)}{SUFFIX}"


class _Batch:
    """Files that were asked for together."""

    def __init__(self, lanes: set[str], then: Callable[[list[Path]], None]) -> None:
        self.waiting = lanes
        self.then = then
        self.written: list[Path] = []


class LatentSaver(QObject):
    """One order to the engine for each file, between whatever else it does."""

    notice = Signal(str, str, object)  # as that of Studio

    def __init__(self, host: EngineHost, quality: Quality, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._quality = quality
        self._batches: dict[str, _Batch] = {}
        self._number = 0
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)

    @property
    def busy(self) -> bool:
        return bool(self._batches)

    def save(self, spot: Spot, path: Path) -> None:
        """Write one latent to a file of this name."""
        self.write([(spot, path)], self._say)

    def save_all(self, spots: Sequence[Spot], folder: Path) -> None:
        """Write several into a folder, none over another or over what is there."""
        self.write(self.named(spots, folder), self._say)

    def named(self, spots: Sequence[Spot], folder: Path) -> list[tuple[Spot, Path]]:
        """Each with a name of its own in a folder."""
        taken: set[Path] = set()
        files = []
        for spot in spots:
            first = path = folder / file_name(spot)
            count = 1
            while path in taken or path.exists():
                count += 1
                path = first.with_name(f"{first.stem} {count}{SUFFIX}")
            taken.add(path)
            files.append((spot, path))
        return files

    def write(self, files: Sequence[tuple[Spot, Path]], then: Callable[[list[Path]], None]) -> None:
        """Write them; `then` hears of those that could be, once the engine is through with all."""
        orders = {}
        for spot, path in files:
            if not self._quality.usable(spot.model):
                words = f"The model {spot.model} is not here, so its latent can't be written. Import it in Models."
                self.notice.emit(words, "care", None)
                return
            try:
                request = LatentRequest(spot.model, spot.source, str(path), spot.label)
            except EngineError as error:
                self.notice.emit(error.message, "bad", None)
                return
            self._number += 1
            orders[f"{LANE}{self._number}"] = request
        batch = _Batch(set(orders), then)
        self._batches |= dict.fromkeys(orders, batch)
        for lane, request in orders.items():
            self._host.live(lane, request)

    def _say(self, written: list[Path]) -> None:
        if written:
            words = f"Saved {written[0].name}." if len(written) == 1 else f"{len(written)} latents saved."
            self.notice.emit(words, "good", None)

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        batch = self._batches.pop(lane, None)
        if batch is not None and isinstance(outcome, LatentSaved):
            batch.written.append(Path(outcome.path))
            self._end(batch, lane)

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        batch = self._batches.pop(lane, None)
        if batch is not None:
            self.notice.emit(failure.message, "bad", failure)
            self._end(batch, lane)

    def _end(self, batch: _Batch, lane: str) -> None:
        batch.waiting.discard(lane)
        if not batch.waiting:
            batch.then(batch.written)
