"""One model with all that its card says, and what can be done with it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.library import parameters_of
from app.models.studio import Studio
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.model_picker import abilities, facts, sample_pixmap
from app.views.words import counted, in_bytes, model_title
from engine.messages import Catalogue, ModelInfo

__all__ = ["ModelDetails"]

_PICTURE = 192
_CLASSES_SHOWN = 40
_USE = "Choose it and go to Generate."


class ModelDetails(QWidget):
    """Shows `shown`; without a model, what to try."""

    used = Signal()  # a model was taken: on to Generate
    import_wanted = Signal()
    upsample_wanted = Signal()  # a picture of the person's own, by the upsampler that is shown

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "plain")
        self._studio = studio
        self.shown: ModelInfo | None = None
        self.picture = QLabel()
        self.picture.setFixedSize(_PICTURE, _PICTURE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = QLabel()
        self.title.setProperty("role", "hero")
        self.title.setWordWrap(True)
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.problem = QLabel()
        self.problem.setProperty("role", "care")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("Why this model can't be used")
        self.use = self._button("Use this model", "", _USE)
        self.use.setProperty("kind", "primary")
        self.reveal = self._button(
            "Show the folder", "folder", "Open the folder with the model's card and weights."
        )
        self.remove = self._button(
            "Remove",
            "trash",
            "Take the model away, with undo. Its files stay on the disk until you empty what was removed.",
        )
        self.first_import = self._button("Import…", "plus", "Choose the files of a model on this computer.")
        self.use.clicked.connect(self._use)
        self.reveal.clicked.connect(self._reveal)
        self.remove.clicked.connect(self._remove)
        self.first_import.clicked.connect(self.import_wanted)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        for button in (self.use, self.reveal, self.remove, self.first_import):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(tokens.GAP_LARGE)
        self._facts.setVerticalSpacing(tokens.GAP)
        self._facts.setColumnStretch(1, 1)
        words = QVBoxLayout()
        words.setSpacing(tokens.GAP)
        words.addWidget(self.title)
        words.addWidget(self.summary)
        words.addWidget(self.problem)
        words.addSpacing(tokens.GAP)
        words.addLayout(buttons)
        words.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(24)
        top.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(24)
        column.addLayout(top)
        column.addLayout(self._facts)
        theme.current().changed.connect(self.refresh)

    def _button(self, title: str, icon: str, tip: str) -> QPushButton:
        button = QPushButton(title)
        if icon:
            icons.bind(button, icon)
        button.setFixedHeight(tokens.CONTROL + tokens.GAP_TINY)
        describe(button, title.removesuffix("…"), tip)
        return button

    def show_model(self, info: ModelInfo | None) -> None:
        self.shown = info
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """All of it anew."""
        info = self.shown
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for widget in (self.use, self.reveal):
            widget.setVisible(info is not None)
        self.first_import.setVisible(info is None)
        self.remove.setVisible(info is not None and self._studio.library.can_remove(info))
        if info is None:
            self._show_nothing()
            return
        self.use.setEnabled(not info.problem)
        words = "Upsample a picture…" if info.is_upsampler else "Use this model"
        tip = "Choose a picture of your own to be made large." if info.is_upsampler else _USE
        self.use.setText(words)
        describe(self.use, words.removesuffix("…"), tip)
        self.title.setText(info.title)
        self.summary.setText(info.summary)
        self.problem.setText(f"It can't be used: {info.problem}" if info.problem else "")
        self.problem.setVisible(bool(info.problem))
        picture = sample_pixmap(info, _PICTURE, self.devicePixelRatioF())
        self.picture.setPixmap(picture)
        self.picture.setVisible(not picture.isNull())
        for row, (name, value) in enumerate(_rows(info, self._studio.catalogue)):
            left = QLabel(name)
            left.setProperty("role", "quiet")
            right = QLabel(value)
            right.setWordWrap(True)
            right.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            right.setAccessibleName(name)
            self._facts.addWidget(left, row, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(right, row, 1)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.refresh()  # the picture is made for the screen
        return super().event(event)

    def _show_nothing(self) -> None:
        self.problem.hide()
        self.picture.hide()
        if self._studio.catalogue is None:
            self.first_import.hide()
            self.title.setText("Looking for models…")
            self.summary.setText("The engine lists them as soon as it has started, which takes a moment.")
        else:
            self.title.setText("No models here yet")
            self.summary.setText(
                "Drop the files of a model anywhere on this window, or press Import. The checkpoints "
                "published with GENIE come as two files each: the network and its GENIE head."
            )

    @Slot()
    def _use(self) -> None:
        if self.shown is None:
            return
        if self.shown.is_upsampler:
            self.upsample_wanted.emit()
        else:
            self._studio.settings.model = self.shown.name
            self.used.emit()

    @Slot()
    def _reveal(self) -> None:
        if self.shown is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(self.shown.folder)):
            self._studio.notice.emit(f"The folder is {Path(self.shown.folder)}.", "info", None)

    @Slot()
    def _remove(self) -> None:
        if self.shown is not None:
            self._studio.library.remove(self.shown)


def _rows(info: ModelInfo, catalogue: Catalogue | None) -> list[tuple[str, str]]:
    parts = parameters_of(Path(info.folder))
    network, head = parts.get("network", sum(parts.values())), parts.get("head", 0)
    parameters = f"{_millions(network)}{f', GENIE head {_millions(head)}' if head else ''}" if network else ""
    classes = ", ".join(info.classes[:_CLASSES_SHOWN])
    more = len(info.classes) > _CLASSES_SHOWN
    rows = [
        ("Pictures", facts(info)),
        ("Can do", abilities(info)),
        ("Enlarged by", model_title(catalogue, info.upsampler) if info.upsampler else ""),
        ("Classes", f"{counted(len(info.classes), 'class')}: {classes} …" if more else classes),
        ("Parameters", parameters),
        ("Size", f"{in_bytes(info.bytes)} on disk"),
        ("Best spacing", info.spacing),
        ("Trained on", info.data),
        ("Licence", info.licence or "Not known: ask where the files come from before you share pictures."),
        ("Folder", f"{info.folder}{' (comes with the program)' if info.bundled else ''}"),
    ]
    return [(name, value) for name, value in rows if value]


def _millions(number: int) -> str:
    """ "106.6 million", "41,000"."""
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{round(number, -3):,}"
