"""The Models room: every model there is, importing more, removing one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.library import CARD, MODEL_SUFFIXES, is_model_file
from app.models.studio import Studio
from app.views import icons, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.import_panel import ImportPanel
from app.views.model_details import ModelDetails
from app.views.model_picker import ModelCard
from app.views.question import Question
from app.views.words import counted, in_bytes
from engine.messages import ModelInfo

if TYPE_CHECKING:
    from app.views.palette import Entry

__all__ = ["ModelsPage"]

_HINT = (
    "Nothing imported yet. Drop checkpoint files anywhere on the window: the network and its GENIE head, "
    "as published (CIFAR-10, LSUN, ImageNet, AFHQ cats and their upsampler), or the folder of a model "
    "trained with `genie train`."
)
_MORE = "More: drop .pth or .pt files, or the folder of a trained model, anywhere on the window."


class ModelsPage(QWidget):
    """Cards to the left, details of the chosen one to the right, an import above them."""

    used = Signal()  # a model was taken: on to Generate

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        self._library = studio.library
        self._group = QButtonGroup(self)
        self._told: tuple[str, ...] = ()  # fresh models that were brought into view
        self.cards: list[ModelCard] = []
        self.dialog: QFileDialog | None = None
        self.question: Question | None = None
        self.importing = ImportPanel(studio.library)
        self.details = ModelDetails(studio)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._list_side())
        row.addWidget(self._details_side(), 1)
        self.details.used.connect(self.used)
        self.details.import_wanted.connect(self.choose_files)
        studio.catalogue_changed.connect(self.refresh)
        studio.library.changed.connect(self._show_storage)
        self.refresh()

    # --- parts others reach for

    @property
    def shown(self) -> ModelInfo | None:
        """The model whose details are shown."""
        return self.details.shown

    # --- building

    def _list_side(self) -> QWidget:
        side = QWidget()
        side.setProperty("panel", "rail")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setFixedWidth(tokens.CONTROLS_WIDTH)
        title = QLabel("Models")
        title.setProperty("role", "title")
        self.again = icon_button(
            "retry", "Look again", "Read the model folders again, after you put one there."
        )
        self.again.clicked.connect(self._studio.host.refresh_catalogue)
        self.import_button = QPushButton("Import…")
        icons.bind(self.import_button, "plus")
        describe(
            self.import_button,
            "Import models",
            "Choose files of a model: networks and GENIE heads, several at once, or the card of a trained one. "
            "Dropping them on the window does the same.",
        )
        self.import_button.clicked.connect(self.choose_files)
        head = QHBoxLayout()
        head.setSpacing(tokens.GAP)
        head.addWidget(title, 1)
        head.addWidget(self.again)
        head.addWidget(self.import_button)
        inside = QWidget()
        inside.setProperty("panel", "plain")
        self._cards = QVBoxLayout(inside)
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(tokens.GAP)
        self._cards.addStretch(1)
        self.card_scroll = QScrollArea()
        self.card_scroll.setWidgetResizable(True)
        self.card_scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.card_scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.card_scroll.setWidget(inside)
        self.hint = QLabel()
        self.hint.setProperty("role", "caption")
        self.hint.setWordWrap(True)
        self.storage = QLabel()
        self.storage.setProperty("role", "quiet")
        self.storage.setWordWrap(True)
        self.storage.setAccessibleName("What the models take on disk")
        column = QVBoxLayout(side)
        column.setContentsMargins(tokens.GAP_LARGE, 12, tokens.GAP_LARGE, tokens.GAP_LARGE)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.card_scroll, 1)
        column.addWidget(self.hint)
        self.empty = QPushButton("Empty what was removed…")
        self.empty.setProperty("kind", "flat")
        icons.bind(self.empty, "trash", "quiet")
        describe(
            self.empty,
            "Empty what was removed",
            "Delete the files of removed models for good, to get their space back.",
        )
        self.empty.clicked.connect(self.ask_to_empty)
        column.addWidget(self.storage)
        column.addWidget(self.empty)
        return side

    def _details_side(self) -> QWidget:
        inside = QWidget()
        inside.setProperty("panel", "plain")
        inside.setMaximumWidth(820)
        column = QVBoxLayout(inside)
        column.setContentsMargins(32, 32, 32, 32)
        column.setSpacing(24)
        column.addWidget(self.importing)
        column.addWidget(self.details)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        return scroll

    # --- showing

    @Slot()
    def refresh(self) -> None:
        """The cards anew; the one shown stays shown, a model just imported comes into view."""
        for card in self.cards:
            self._group.removeButton(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        catalogue = self._studio.catalogue
        models = catalogue.models if catalogue is not None else ()
        wanted = self.shown.name if self.shown is not None else self._studio.settings.model
        fresh = self._library.fresh
        if fresh and fresh != self._told and any(info.name == fresh[0] for info in models):
            self._told, wanted = fresh, fresh[0]
        shown = next((info for info in models if info.name == wanted), models[0] if models else None)
        for info in models:
            card = ModelCard()
            card.set_info(info)
            card.setChecked(info == shown)
            card.clicked.connect(self._card_clicked)
            self._group.addButton(card)
            self._cards.insertWidget(len(self.cards), card)
            self.cards.append(card)
        self.details.show_model(shown)
        self._show_storage()
        for card in self.cards:
            if card.isChecked() and fresh:
                self.card_scroll.ensureWidgetVisible(card)

    @Slot()
    def _show_storage(self) -> None:
        catalogue = self._studio.catalogue
        models = catalogue.models if catalogue is not None else ()
        own = [info for info in models if not info.bundled]
        self.hint.setText(_MORE if own else _HINT)
        self.storage.setText(_storage(models, own))
        removed = self._library.removed_bytes
        self.empty.setText(f"Empty what was removed ({in_bytes(removed)})…")
        self.empty.setVisible(removed > 0)

    @Slot()
    def _card_clicked(self) -> None:
        card = self.sender()
        assert isinstance(card, ModelCard)
        self.details.show_model(card.info)

    # --- verbs

    @Slot()
    def choose_files(self) -> None:
        """Ask for the files of models, and import them."""
        patterns = " ".join((*(f"*{suffix}" for suffix in MODEL_SUFFIXES), CARD))
        self.dialog = QFileDialog(self, "Import models", "", f"Model files ({patterns});;All files (*)")
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        self.dialog.setLabelText(QFileDialog.DialogLabel.Accept, "Import")
        self.dialog.filesSelected.connect(self._take_names)
        self.dialog.open()

    @Slot()
    def ask_to_empty(self) -> None:
        """Ask before files are deleted for good: it is the one thing here that can't be undone."""
        self.question = Question(
            self,
            "Delete removed models for good?",
            f"{in_bytes(self._library.removed_bytes)} become free. The files can't be brought back; the "
            "models can be imported again from where they came.",
            "Delete for good",
        )
        self.question.accepted.connect(self._library.empty_removed)
        self.question.open()

    @Slot(list)
    def _take_names(self, names: list[str]) -> None:
        self._library.import_files([Path(name) for name in names])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.details.remove.isVisibleTo(self):
            self.details.remove.click()
        else:
            super().keyPressEvent(event)

    # --- as a room

    def take_generate(self, _first: bool) -> bool:
        return False

    def take_escape(self) -> bool:
        return self._library.cancel_import()

    def take_undo(self) -> bool:
        return False

    def take_redo(self) -> bool:
        return False

    def take_paste(self, _data: QMimeData) -> bool:
        return False

    def take_files(self, paths: Sequence[Path]) -> bool:
        """Model files; anything else the window may know what to do with."""
        files = [path for path in paths if is_model_file(path)]
        if files:
            self._library.import_files(files)
        return bool(files)

    def entries(self) -> Sequence[Entry]:
        return ()  # what can be done here is offered everywhere


def _storage(models: Sequence[ModelInfo], own: Sequence[ModelInfo]) -> str:
    """ "3 models, 16.9 MB on disk; 1 of your own, 8.5 MB"."""
    if not models:
        return ""
    words = f"{counted(len(models), 'model')}, {in_bytes(sum(info.bytes for info in models))} on disk"
    mine = in_bytes(sum(info.bytes for info in own))
    return f"{words}; {len(own):,} of your own, {mine}." if own else f"{words}."
