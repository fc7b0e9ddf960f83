"""The models a person has: files made into models, models removed (and brought back), what they take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.doings import Doings
from app.models.queue import Job, QueueModel
from app.models.settings import GenerateSettings
from engine.checkpoints.card import CARD
from engine.checkpoints.library import user_folder
from engine.checkpoints.storage import Removed, empty_trash, remove, removed_models, restore
from engine.errors import EngineError
from engine.files import surely
from engine.messages import (
    Catalogue,
    Imported,
    ImportRequest,
    Loading,
    ModelInfo,
    Notice,
    Outcome,
    Progress,
    Refused,
)

__all__ = [
    "CARD",
    "MODEL_SUFFIXES",
    "ImportState",
    "LibraryModel",
    "is_model",
    "is_model_file",
    "parameters_of",
    "unusable_words",
]

MODEL_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")
_LONGEST_HEADER = 50_000_000  # bytes; that of the largest model here has 0.2 million


def is_model_file(path: Path) -> bool:
    """Whether a dropped file may hold a model, or is its card; a folder may hold such files."""
    return path.suffix.casefold() in MODEL_SUFFIXES or path.name == CARD or path.is_dir()


def is_model(path: Path) -> bool:
    """The same where folders are of pictures as a rule: one is a model's only if a card is in it."""
    if surely(path.is_dir):
        return surely((path / CARD).is_file)
    return is_model_file(path)


def unusable_words(path: Path) -> str:
    """What is said of a dropped file that nothing here can use."""
    return (
        f"{path.name} is neither a picture (PNG, JPEG, WebP, BMP or TIFF), a walk, a video nor a model file "
        f"({', '.join(MODEL_SUFFIXES)})."
    )


def parameters_of(folder: Path) -> dict[str, int]:
    """How many numbers each weights file of a model holds, by its name without ending.

    Read from the heads of the safetensors files; one that can't be read is left out.
    """
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with file.open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                head = json.loads(stream.read(min(length, _LONGEST_HEADER)))
            found[file.stem] = sum(
                _product(entry["shape"]) for name, entry in head.items() if name != "__metadata__"
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def _product(shape: Sequence[int]) -> int:
    product = 1
    for length in shape:
        product *= int(length)
    return product


@dataclass
class _Choice:
    """The settings with which a model was chosen that was removed, and which model they went to then."""

    settings: dict[str, Any]
    went_to: str | None = None
    restored: bool = False


@dataclass(frozen=True)
class ImportState:
    """An import that waits or runs."""

    job: int
    files: tuple[Path, ...]
    fraction: float = 0.0  # 0 to 1
    words: str = ""  # what is being done


class LibraryModel(QObject):
    """Imports one bundle of files at a time; removes models of the user's own folder."""

    changed = Signal()  # the import under way, or what came of the last one
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        settings: GenerateSettings,
        doings: Doings,
        parent: QObject | None = None,
    ) -> None:
        """Made when `settings` hear of a new catalogue already: they have to before this."""
        super().__init__(parent)
        self._host = host
        self._queue = queue
        self._settings = settings
        self._doings = doings
        self._choices: dict[str, _Choice] = {}  # of removed models, by their names
        self._importing: ImportState | None = None
        self._outcome: Imported | None = None
        self._failure: Failure | None = None
        self._fresh: tuple[str, ...] = ()
        self._still_refused: tuple[Refused, ...] = ()  # of imports before the last one
        host.catalogue_ready.connect(self._on_catalogue)
        queue.job_added.connect(self._on_added)
        queue.job_restored.connect(self._on_added)
        queue.job_removed.connect(self._on_removed)
        queue.job_progress.connect(self._on_progress)
        queue.job_finished.connect(self._on_ended)
        queue.job_cancelled.connect(self._on_ended)
        queue.job_failed.connect(self._on_failed)
        for job in queue.jobs:  # one of the last time
            if not job.ended:
                self._on_added(job)

    # --- state

    @property
    def importing(self) -> ImportState | None:
        """The import under way."""
        return self._importing

    @property
    def outcome(self) -> Imported | None:
        """What came of the last import, until it is dismissed or the next one begins."""
        return self._outcome

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The files of the last import that no model was made of, and those still unanswered before."""
        refused = self._outcome.refused if self._outcome is not None else ()
        return self._still_refused + refused

    @property
    def failure(self) -> Failure | None:
        """Why the last import could not be done at all."""
        return self._failure

    @property
    def fresh(self) -> tuple[str, ...]:
        """The names of the models the last import has made."""
        return self._fresh

    # --- importing

    def import_files(
        self, paths: Sequence[Path], *, name: str | None = None, replace: bool = False
    ) -> int | None:
        """Make models of files (`name`, `replace`: see `ImportRequest`). None, and a notice: not now."""
        return self._import(paths, name, replace)

    def import_again(self, file: str, *, name: str | None = None, replace: bool = False) -> int | None:
        """Import a refused file after all, with the head refused along with it; the others stay refused."""
        heads = [Path(one.file) for one in self.refused if one.network == file]
        others = tuple(one for one in self.refused if file not in (one.file, one.network))
        return self._import([Path(file), *heads], name, replace, others)

    def _import(
        self, paths: Sequence[Path], name: str | None, replace: bool, refused: tuple[Refused, ...] = ()
    ) -> int | None:
        if self._importing is not None:
            self.notice.emit("An import is under way. Drop these files again when it is done.", "care", None)
            return None
        try:
            request = ImportRequest(tuple(str(path) for path in paths), name, replace)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return None
        self._outcome, self._failure, self._fresh, self._still_refused = None, None, (), refused
        return self._queue.add(request, first=True)

    def cancel_import(self) -> bool:
        """Stop the import; models that are whole by then stay. False: none is under way."""
        if self._importing is None:
            return False
        running = self._queue.running
        if running is not None and running.id == self._importing.job:
            self._host.cancel(running.id)
        else:
            self._queue.remove(self._importing.job)
        return True

    def dismiss(self) -> None:
        """What came of the last import has been read."""
        self._outcome, self._failure, self._still_refused = None, None, ()
        self.changed.emit()

    @Slot(object)
    def _on_added(self, job: Job) -> None:
        if isinstance(job.request, ImportRequest) and self._importing is None:
            files = tuple(Path(file) for file in job.request.files)
            self._importing = ImportState(job.id, files, words="Waiting for the engine")
            self.changed.emit()

    @Slot(object)
    def _on_removed(self, job: Job) -> None:
        if self._importing is not None and job.id == self._importing.job:
            self._importing = None
            self.changed.emit()

    @Slot(object, object)
    def _on_progress(self, job: Job, event: Progress | Loading | Notice) -> None:
        if self._importing is None or job.id != self._importing.job:
            return
        fraction, words = self._importing.fraction, self._importing.words
        if isinstance(event, Loading):
            fraction = event.fraction
            words = f"{'Converting' if fraction else 'Reading'} {event.model}"
        elif isinstance(event, Progress):
            fraction = event.evaluations / max(event.evaluations_total, 1)
        else:
            words = event.message
        self._importing = ImportState(job.id, self._importing.files, fraction, words)
        self.changed.emit()

    @Slot(object, object)
    def _on_ended(self, job: Job, outcome: Outcome | None) -> None:
        if not isinstance(job.request, ImportRequest):
            return
        if self._importing is not None and job.id == self._importing.job:
            self._importing = None
        if isinstance(outcome, Imported):
            self._outcome, self._fresh = outcome, outcome.models
            self._host.refresh_catalogue()
        else:
            self.notice.emit("The import was stopped; nothing was imported.", "info", None)
        self.changed.emit()

    @Slot(object, object)
    def _on_failed(self, job: Job, failure: Failure) -> None:
        if isinstance(job.request, ImportRequest):
            if self._importing is not None and job.id == self._importing.job:
                self._importing = None
            self._failure = failure
            self.changed.emit()

    # --- removing

    def can_remove(self, info: ModelInfo) -> bool:
        """Those that come with the program stay, and so do folders that are none of the user's own."""
        return not info.bundled and Path(info.folder).parent == user_folder()

    def remove(self, info: ModelInfo) -> bool:
        """Take a model away at once, with undo. Its files stay until `empty_removed`."""
        if not self.can_remove(info):
            return False
        removed: list[Removed] = []

        def take() -> bool:
            if not self._managed(lambda: removed.append(remove(info))):
                return False
            if self._settings.model == info.name:
                self._choices[info.name] = _Choice(self._settings.to_dict())
            return True

        def back() -> bool:
            if not self._managed(lambda: restore(removed[-1])):
                return False
            if info.name in self._choices:
                self._choices[info.name].restored = True
            return True

        if not take():
            return False
        self._doings.did(f"{info.title} removed.", back, take)
        return True

    @Slot(object)
    def _on_catalogue(self, catalogue: Catalogue) -> None:
        """A chosen model that came back is chosen again, if nobody has chosen another meanwhile."""
        usable = {info.name for info in catalogue.models if not info.problem}
        for name, choice in list(self._choices.items()):
            if name not in usable:
                choice.went_to = choice.went_to or self._settings.model
            elif choice.restored and choice.went_to is not None:
                del self._choices[name]
                if self._settings.model == choice.went_to:
                    self._settings.from_dict(choice.settings)
                    self._doings.absorb()

    @property
    def removed_bytes(self) -> int:
        """What the files of removed models still take on disk."""
        return sum(removed.bytes for removed in removed_models())

    def empty_removed(self) -> int:
        """Delete the files of removed models for good; the bytes that became free."""
        freed = empty_trash()
        self.changed.emit()
        return freed

    def _managed(self, work: Callable[[], object]) -> bool:
        """Whether it could be done; if not, the person is told why. The models are read again."""
        try:
            work()
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        self._host.refresh_catalogue()
        self.changed.emit()
        return True
