"""What is asked before closing would cut something off."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.views import tokens
from app.views.help import describe

__all__ = ["ClosingDialog"]


class ClosingDialog(QDialog):
    """Asked only when closing would cut something off."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Close GENIE Studio?")
        self.setFixedWidth(400)
        title = QLabel("A picture is being made")
        title.setProperty("role", "title")
        words = QLabel(
            "Closing now stops it. Everything finished is kept, and the job starts again the next time you open "
            "GENIE Studio."
        )
        words.setWordWrap(True)
        stay = QPushButton("Keep working")
        stay.setProperty("kind", "primary")
        stay.setDefault(True)
        describe(stay, "Keep working", "Leave the window open (Esc).")
        leave = QPushButton("Stop and close")
        describe(leave, "Stop and close", "Stop what runs and close the window.")
        stay.clicked.connect(self.reject)
        leave.clicked.connect(self.accept)
        self.stay, self.leave = stay, leave
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(leave)
        buttons.addWidget(stay)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(words)
        column.addSpacing(tokens.GAP)
        column.addLayout(buttons)
