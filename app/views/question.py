"""A question before something that cuts off or can't be undone; everything else is done at once, with undo."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.views import tokens
from app.views.help import describe
from app.views.words import counted
from engine.messages import Request

__all__ = ["Question", "closing_question"]


class Question(QDialog):
    """`accepted` if it is to be done. Leaving things as they are is what Enter and Esc do.

    `verb` and `tip` say what is done, `stay` and `stay_tip` what isn't.
    """

    def __init__(
        self,
        parent: QWidget,
        title: str,
        words: str,
        verb: str,
        *,
        tip: str = "",
        stay: str = "Leave it",
        stay_tip: str = "Change nothing (Esc).",
        danger: bool = True,
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setFixedWidth(400)
        heading = QLabel(title)
        heading.setProperty("role", "title")
        heading.setWordWrap(True)
        text = QLabel(words)
        text.setWordWrap(True)
        self.stay = QPushButton(stay)
        self.stay.setProperty("kind", "primary")
        self.stay.setDefault(True)
        describe(self.stay, stay, stay_tip)
        self.leave = QPushButton(verb)
        if danger:
            self.leave.setProperty("kind", "danger")
        self.leave.setAutoDefault(False)
        describe(self.leave, verb, tip or f"{verb}. This can't be undone.")
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


def closing_question(
    parent: QWidget, *, unkept: int = 0, strokes: bool = False, running: Request | None = None
) -> Question:
    """Asked only when closing would cut off what is `running`, or lose `unkept` results or `strokes` of a brush."""
    if unkept:
        lost = "them and the brush strokes in the Edit room" if strokes else "them"
        return Question(
            parent,
            f"{counted(unkept, 'result')} {'is' if unkept == 1 else 'are'} not in the history yet",
            "The history couldn't be written. Free some space on its disk and it is tried again, or save the "
            f"pictures somewhere else. Closing now loses {lost}.",
            "Lose them and close",
            tip="Close the window without these pictures.",
            stay="Keep working",
            stay_tip="Leave the window open (Esc).",
        )
    if strokes:
        return Question(
            parent,
            "What you painted is in no edit yet",
            "Closing now throws the brush strokes in the Edit room away. Keep the edit there first "
            "(Ctrl+Enter); everything else comes back the next time you open GENIE Studio.",
            "Close without them",
            stay="Keep working",
            stay_tip="Leave the window open (Esc).",
        )
    importing = running is not None and running.kind == "import"
    after = "the job starts again the next time you open GENIE Studio."
    if running is not None and not running.lasting:
        after = "what is not finished has to be asked for again."
    return Question(
        parent,
        "A model is being imported" if importing else "A picture is being made",
        f"Closing now stops it. Everything finished is kept, and {after}",
        "Stop and close",
        tip="Stop what runs and close the window.",
        stay="Keep working",
        stay_tip="Leave the window open (Esc).",
        danger=False,
    )
