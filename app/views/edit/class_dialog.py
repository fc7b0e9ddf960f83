"""Which class pictures are of, and the question where several need one."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.edit.edits import Edits
from app.views import tokens
from app.views.edit.param import labelled
from app.views.fields import Choice
from app.views.help import describe
from app.views.words import counted

__all__ = ["ClassDialog", "class_choice"]


def class_choice(edits: Edits) -> Choice:
    """The classes of the model that encodes, at the one that was said last."""
    info = edits.settings.model_info
    assert info is not None, "a picture is opened for a model"
    choice = Choice(elides=True)
    if info.null_label or not info.classes:
        choice.addItem("No class", None)
    for number, name in enumerate(info.classes):
        choice.addItem(name, number)
    choice.choose(edits.encode.label)
    if choice.currentIndex() < 0:
        choice.setCurrentIndex(0)
    describe(
        choice,
        "Class",
        "What the picture shows. Encoded as what it is, it comes back closest and changes class best.",
    )
    return choice


class ClassDialog(QDialog):
    """Shown when several pictures were opened for a model that encodes none without a class."""

    def __init__(self, edits: Edits, count: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Which class")
        self.setFixedWidth(400)
        self._edits = edits
        info = edits.settings.model_info
        name = info.title if info is not None else "The model"
        title = QLabel(f"What {counted(count, 'picture')} show")
        title.setProperty("role", "title")
        words = QLabel(
            f"{name} encodes every picture as one of a class. All of these are encoded as the same: "
            "open pictures of other classes by themselves."
        )
        words.setWordWrap(True)
        words.setProperty("role", "quiet")
        self.label = class_choice(edits)
        self.accept_button = QPushButton("Encode")
        self.accept_button.setProperty("kind", "primary")
        self.accept_button.setDefault(True)
        describe(self.accept_button, "Encode", "Walk the pictures up to their noise, and back (Return).")
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Open nothing (Esc).")
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(words)
        column.addWidget(labelled("Class", self.label))
        column.addLayout(buttons)
        self.accept_button.clicked.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)

    def accept(self) -> None:
        self._edits.encode.encode_batch(self.label.currentData())
        super().accept()

    def reject(self) -> None:
        self._edits.encode.drop_crop()
        super().reject()
