"""How an import stands, and what was refused and why, above the details of a model."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.models.library import LibraryModel
from app.views import icons, theme, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.words import counted
from engine.messages import Refused

__all__ = ["ImportPanel"]

_NAMED = 3  # files named one by one while they are imported


class _RefusedRow(QWidget):
    """One file that no model was made of: its name, why, and what would do where that is known."""

    named = Signal(str, str)  # file, which model it is
    replaced = Signal(str)  # file

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused
        self.answers: list[QPushButton] = []
        sign = QLabel()
        sign.setPixmap(icons.pixmap("warning", "care", tokens.ICON, self.devicePixelRatioF()))
        self.name = QLabel(Path(refused.file).name)
        self.name.setProperty("role", "strong")
        self.name.setToolTip(refused.file)
        self.words = QLabel(_reason(refused))
        self.words.setWordWrap(True)
        self.words.setProperty("role", "quiet")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setAccessibleName(f"Why {Path(refused.file).name} was not imported")
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(self.name)
        column.addWidget(self.words)
        if refused.choices or refused.field == "replace":
            column.addLayout(self._answers())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)

    def _answers(self) -> QHBoxLayout:
        """Buttons that import the file after all."""
        row = QHBoxLayout()
        row.setContentsMargins(0, tokens.GAP_TINY, 0, 0)
        row.setSpacing(tokens.GAP)
        file = Path(self.refused.file).name
        if self.refused.field == "replace":
            button = QPushButton("Replace it")
            describe(
                button, f"Replace the model by {file}", "The model that is there gives way to this file."
            )
            button.clicked.connect(lambda: self.replaced.emit(self.refused.file))
            self.answers.append(button)
        for name in self.refused.choices:
            button = QPushButton(f"It is {name}")
            describe(button, f"Import {file} as {name}", f"Import it as {name}.")
            button.clicked.connect(lambda _=False, name=name: self.named.emit(self.refused.file, name))
            self.answers.append(button)
        for button in self.answers:
            row.addWidget(button)
        row.addStretch(1)
        return row


class ImportPanel(QWidget):
    """Hidden while there is nothing to say; a bar and Cancel while files are read; then what came of it."""

    def __init__(self, library: LibraryModel) -> None:
        super().__init__()
        self.setProperty("panel", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._library = library
        self.title = QLabel()
        self.title.setProperty("role", "title")
        self.title.setWordWrap(True)
        self.close_button = icon_button("close", "Close", "Close this message.")
        self.close_button.clicked.connect(library.dismiss)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the import")
        self.words = QLabel()
        self.words.setProperty("role", "quiet")
        self.words.setWordWrap(True)
        self.words.setAccessibleName("State of the import")
        self.cancel = QPushButton("Cancel")
        describe(self.cancel, "Cancel the import", "Stop. Models that are whole by then stay, nothing half.")
        self.cancel.clicked.connect(library.cancel_import)
        self.rows: list[_RefusedRow] = []
        head = QHBoxLayout()
        head.setSpacing(tokens.GAP)
        head.addWidget(self.title, 1)
        head.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        foot = QHBoxLayout()
        foot.setSpacing(tokens.GAP)
        foot.addWidget(self.words, 1)
        foot.addWidget(self.cancel)
        self._refused = QVBoxLayout()
        self._refused.setSpacing(12)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 12, 12)
        column.setSpacing(tokens.GAP)
        column.addLayout(head)
        column.addWidget(self.bar)
        column.addLayout(foot)
        column.addLayout(self._refused)
        library.changed.connect(self.refresh)
        theme.current().changed.connect(self._dress)
        self.refresh()

    @Slot()
    def _dress(self) -> None:
        """The signs in the colours of the theme."""
        self._fill(())
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Words, bar and rows as things are now."""
        library = self._library
        state, outcome, failure = library.importing, library.outcome, library.failure
        self.setVisible(
            state is not None or outcome is not None or failure is not None or bool(library.refused)
        )
        self._fill(library.refused)
        for row in self.rows:
            for button in row.answers:
                button.setEnabled(state is None)  # one import at a time
        self.bar.setVisible(state is not None)
        self.cancel.setVisible(state is not None)
        self.close_button.setVisible(state is None)
        words = ""
        if state is not None:
            names = ", ".join(path.name for path in state.files[:_NAMED])
            more = len(state.files) - _NAMED
            self.title.setText(f"Importing {names}{f' and {more} more' if more > 0 else ''}")
            self.bar.setValue(round(1000 * state.fraction))
            self.bar.setAccessibleDescription(f"{state.fraction:.0%} done")
            words = f"{state.words} · {state.fraction:.0%}" if state.fraction else state.words
        elif failure is not None:
            self.title.setText("Nothing was imported")
            words = failure.message
        elif outcome is None:  # stopped while it waited
            self.title.setText("Nothing was imported")
        else:
            made, refused = len(outcome.models), len(outcome.refused)
            done = f"{counted(made, 'model')} imported" if made else "Nothing was imported"
            self.title.setText(f"{'Stopped. ' if outcome.stopped else ''}{done}")
            if made:
                words = "Ready to use: " + ", ".join(outcome.models) + "."
            words = " ".join([words, *outcome.notices]).strip()
            if refused and not words:
                words = "Everything that was here before is untouched."
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _fill(self, refused: tuple[Refused, ...]) -> None:
        if tuple(row.refused for row in self.rows) == refused:
            return
        for row in self.rows:
            self._refused.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.rows = [_RefusedRow(one) for one in refused]
        for row in self.rows:
            row.replaced.connect(self._replace)
            row.named.connect(self._name)
            self._refused.addWidget(row)

    @Slot(str)
    def _replace(self, file: str) -> None:
        self._library.import_again(file, replace=True)

    @Slot(str, str)
    def _name(self, file: str, name: str) -> None:
        self._library.import_again(file, name=name)


def _reason(refused: Refused) -> str:
    """The message without the path that stands above it already."""
    words = refused.message.removeprefix(f"Couldn't import {refused.file}: ")
    return words[:1].upper() + words[1:]
