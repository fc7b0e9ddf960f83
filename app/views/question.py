"""A question before something that can't be undone; everything else is done at once, with undo."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.views import tokens
from app.views.help import describe

__all__ = ["Question"]


class Question(QDialog):
    """`accepted` if it is to be done. Leaving things as they are is what Enter and Esc do."""

    def __init__(self, parent: QWidget, title: str, words: str, verb: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setFixedWidth(400)
        heading = QLabel(title)
        heading.setProperty("role", "title")
        heading.setWordWrap(True)
        text = QLabel(words)
        text.setWordWrap(True)
        self.stay = QPushButton("Leave it")
        self.stay.setProperty("kind", "primary")
        self.stay.setDefault(True)
        describe(self.stay, "Leave it", "Change nothing (Esc).")
        self.leave = QPushButton(verb)
        self.leave.setProperty("kind", "danger")
        self.leave.setAutoDefault(False)
        describe(self.leave, verb, f"{verb}. This can't be undone.")
        self.stay.clicked.connect(self.reject)
        self.leave.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.leave)
        buttons.addWidget(self.stay)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(heading)
        column.addWidget(text)
        column.addSpacing(tokens.GAP)
        column.addLayout(buttons)
