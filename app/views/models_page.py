"""The Models room: every model there is, with all its card says."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.studio import Studio
from app.views import icons, theme, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.model_picker import ModelCard, abilities, facts, sample_pixmap
from app.views.words import counted
from engine.messages import ModelInfo

__all__ = ["ModelsPage"]

_PICTURE = 192


class ModelsPage(QWidget):
    """Cards to the left, details of the chosen one to the right."""

    used = Signal()  # a model was taken: on to Generate

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        self._group = QButtonGroup(self)
        self.cards: list[ModelCard] = []
        self.shown: ModelInfo | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self._list_side())
        row.addWidget(self._details_side(), 1)
        studio.catalogue_changed.connect(self.refresh)
        theme.current().changed.connect(self._show_details)
        self.refresh()

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
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.again)
        inside = QWidget()
        inside.setProperty("panel", "plain")
        self._cards = QVBoxLayout(inside)
        self._cards.setContentsMargins(0, 0, 0, 0)
        self._cards.setSpacing(tokens.GAP)
        self._cards.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        column = QVBoxLayout(side)
        column.setContentsMargins(tokens.GAP_LARGE, 12, tokens.GAP_LARGE, tokens.GAP_LARGE)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addWidget(self._hint())
        return side

    def _hint(self) -> QWidget:
        """How more models come here."""
        hint = QLabel(
            "A model is a folder with its card and its weights. Train one with `genie train`, or put one into "
            "the folder `models` of your data folder (Settings shows where that is) and press Look again."
        )
        hint.setProperty("role", "caption")
        hint.setWordWrap(True)
        return hint

    def _details_side(self) -> QWidget:
        self.picture = QLabel()
        self.picture.setFixedSize(_PICTURE, _PICTURE)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = QLabel()
        self.title.setProperty("role", "hero")
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.problem = QLabel()
        self.problem.setProperty("role", "care")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("Why this model can't be used")
        self.use = QPushButton("Use this model")
        self.use.setProperty("kind", "primary")
        self.use.setFixedHeight(tokens.CONTROL + tokens.GAP_TINY)
        describe(self.use, "Use this model", "Choose it and go to Generate.")
        self.use.clicked.connect(self._use)
        self.reveal = QPushButton("Show the folder")
        icons.bind(self.reveal, "folder")
        self.reveal.setFixedHeight(tokens.CONTROL + tokens.GAP_TINY)
        describe(self.reveal, "Show the folder", "Open the folder with the model's card and weights.")
        self.reveal.clicked.connect(self._reveal)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addWidget(self.use)
        buttons.addWidget(self.reveal)
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
        inside = QWidget()
        inside.setProperty("panel", "plain")
        inside.setMaximumWidth(820)
        column = QVBoxLayout(inside)
        column.setContentsMargins(32, 32, 32, 32)
        column.setSpacing(24)
        column.addLayout(top)
        column.addLayout(self._facts)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        return scroll

    @Slot()
    def refresh(self) -> None:
        """The cards anew; the one shown stays shown."""
        for card in self.cards:
            self._group.removeButton(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        catalogue = self._studio.catalogue
        models = catalogue.models if catalogue is not None else ()
        wanted = self.shown.name if self.shown is not None else self._studio.settings.model
        self.shown = next((info for info in models if info.name == wanted), models[0] if models else None)
        for info in models:
            card = ModelCard()
            card.set_info(info)
            card.setChecked(info == self.shown)
            card.clicked.connect(self._card_clicked)
            self._group.addButton(card)
            self._cards.insertWidget(len(self.cards), card)
            self.cards.append(card)
        self._show_details()

    @Slot()
    def _card_clicked(self) -> None:
        card = self.sender()
        assert isinstance(card, ModelCard)
        self.shown = card.info
        self._show_details()

    @Slot()
    def _show_details(self) -> None:
        info = self.shown
        self.use.setEnabled(info is not None and not info.problem)
        self.reveal.setEnabled(info is not None)
        while (item := self._facts.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        if info is None:
            if self._studio.catalogue is None:
                self.title.setText("Looking for models…")
                self.summary.setText("The engine lists them as soon as it has started, which takes a moment.")
            else:
                self.title.setText("No models here yet")
                self.summary.setText(
                    "Put a model's folder, with its card and weights, into the folder `models` inside the "
                    "data folder (Settings shows where that is) and press Look again."
                )
            self.problem.hide()
            self.picture.hide()
            return
        self.title.setText(info.title)
        self.summary.setText(info.summary)
        self.problem.setText(f"It can't be used: {info.problem}" if info.problem else "")
        self.problem.setVisible(bool(info.problem))
        picture = sample_pixmap(info, _PICTURE, self.devicePixelRatioF())
        self.picture.setPixmap(picture)
        self.picture.setVisible(not picture.isNull())
        for row, (name, value) in enumerate(_rows(info)):
            left = QLabel(name)
            left.setProperty("role", "quiet")
            right = QLabel(value)
            right.setWordWrap(True)
            right.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._facts.addWidget(left, row, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(right, row, 1)

    @Slot()
    def _use(self) -> None:
        if self.shown is not None:
            self._studio.settings.model = self.shown.name
            self.used.emit()

    @Slot()
    def _reveal(self) -> None:
        if self.shown is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(self.shown.folder)):
            self._studio.notice.emit(f"The folder is {Path(self.shown.folder)}.", "info", None)


def _rows(info: ModelInfo) -> list[tuple[str, str]]:
    rows = [
        ("Pictures", facts(info)),
        ("Can do", abilities(info)),
        ("Classes", ", ".join(info.classes[:40]) + (" …" if len(info.classes) > 40 else "")),
        ("Best spacing", info.spacing),
        ("Size", f"{info.bytes / 1e6:.1f} MB on disk"),
        ("Trained on", info.data),
        ("Licence", info.licence),
        ("Upsampler", info.upsampler or ""),
        ("Folder", f"{info.folder}{' (comes with the program)' if info.bundled else ''}"),
        ("Number of classes", counted(len(info.classes), "class") if len(info.classes) > 40 else ""),
    ]
    return [(name, value) for name, value in rows if value]
