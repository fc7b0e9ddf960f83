"""A new direction: what there should be more of, against what."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.edit.edits import Edits
from app.models.edit.tree import EditNode
from app.views import tokens
from app.views.fields import Choice, Segments
from app.views.help import describe
from app.views.picture_images import to_image

__all__ = ["DirectionDialog", "Side"]

_THUMB = 32


class Side(QWidget):
    """One of the two: a class, or edits of this session."""

    def __init__(self, edits: Edits, title: str, first: int) -> None:
        super().__init__()
        self.setProperty("panel", "plain")
        info = edits.settings.model_info
        classes = info.classes if info is not None else ()
        heading = QLabel(title)
        heading.setProperty("role", "heading")
        self.kind = Segments(
            (
                ("class", "A class", f"{title}: pictures of a class, as the model draws them."),
                ("edits", "Pictures", f"{title}: pictures of this session."),
            )
        )
        self.choice = Choice(elides=True)
        for number, name in enumerate(classes):
            self.choice.addItem(name, number)
        if classes:
            self.choice.setCurrentIndex(min(first, len(classes) - 1))
        describe(self.choice, f"{title}: class", "Sixty-four pictures of it are drawn and encoded.")
        self.list = QListWidget()
        self.list.setProperty("kind", "menu")
        describe(self.list, f"{title}: pictures", "Space or a click on the box takes a picture in or out.")
        self._nodes: list[EditNode] = list(edits.sessions.tree)
        for node in self._nodes:
            item = QListWidgetItem(node.name)
            picture = edits.sessions.picture(node)
            if picture is not None:
                shown = to_image(picture).scaled(_THUMB, _THUMB, Qt.AspectRatioMode.KeepAspectRatio)
                item.setIcon(QIcon(QPixmap.fromImage(shown)))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.stack = QStackedWidget()
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.choice)
        column.addStretch(1)
        self.stack.addWidget(top)
        self.stack.addWidget(self.list)
        self.stack.setMinimumHeight(160)
        body = QVBoxLayout(self)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(tokens.GAP)
        body.addWidget(heading)
        body.addWidget(self.kind)
        body.addWidget(self.stack, 1)
        self.kind.chosen.connect(self.show_kind)
        self.show_kind("class" if classes else "edits")

    def show_kind(self, kind: str) -> None:
        self.kind.choose(kind)
        self.stack.setCurrentIndex(0 if kind == "class" else 1)

    @property
    def label(self) -> int | None:
        """The class, if a class is meant."""
        chosen = self.stack.currentIndex() == 0 and self.choice.currentIndex() >= 0
        return int(self.choice.currentData()) if chosen else None

    @property
    def nodes(self) -> list[EditNode]:
        """The pictures that are ticked."""
        rows = range(self.list.count())
        return [self._nodes[row] for row in rows if self.list.item(row).checkState() == Qt.CheckState.Checked]


class DirectionDialog(QDialog):
    """Both sides, a name, and a job that makes the direction; closes when it is there."""

    def __init__(self, edits: Edits, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("New direction")
        self.setMinimumSize(520, 420)
        self._edits = edits
        title = QLabel("What tells two kinds of picture apart")
        title.setProperty("role", "title")
        words = QLabel(
            "The mean latent of one side minus that of the other is a direction: along it there is more of "
            "the one and less of the other, in any picture."
        )
        words.setWordWrap(True)
        words.setProperty("role", "quiet")
        self.toward, self.away = Side(edits, "More of", 0), Side(edits, "Less of", 1)
        self.name = QLineEdit()
        self.name.setPlaceholderText("Name, say “sleeves”")
        self.name.setMaxLength(80)
        describe(self.name, "Name of the direction", "What it is called in the list of directions.")
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("What is wrong")
        self.problem.hide()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.bar.hide()
        self.make = QPushButton("Make it")
        self.make.setProperty("kind", "primary")
        self.make.setDefault(True)
        describe(self.make, "Make it", "Encode both sides and take the difference (Return).")
        self.cancel = QPushButton("Cancel")
        describe(self.cancel, "Cancel", "Make nothing; what runs is stopped (Esc).")
        sides = QHBoxLayout()
        sides.setSpacing(20)
        sides.addWidget(self.toward, 1)
        sides.addWidget(self.away, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.make)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addWidget(words)
        column.addLayout(sides, 1)
        for widget in (self.name, self.problem, self.bar):
            column.addWidget(widget)
        column.addLayout(buttons)
        self.make.clicked.connect(self._make)
        self.cancel.clicked.connect(self.reject)
        edits.directions.changed.connect(self._refresh)
        edits.directions.made.connect(self.accept)
        self.name.setFocus()

    def _make(self) -> None:
        self.complain("")
        directions, name = self._edits.directions, self.name.text()
        toward, away = self.toward.label, self.away.label
        if toward is not None and away is not None:
            directions.of_classes(name, toward, away)
        elif toward is None and away is None:
            if not self.toward.nodes or not self.away.nodes:
                self.complain("Tick one picture or more on each side.")
                return
            directions.of_edits(name, self.toward.nodes, self.away.nodes)
        else:
            self.complain("Choose classes on both sides, or pictures on both.")

    def complain(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))

    def _refresh(self) -> None:
        directions = self._edits.directions
        self.bar.setVisible(directions.busy)
        self.bar.setValue(round(1000 * directions.progress))
        self.make.setEnabled(not directions.busy)
        if directions.failure is not None:
            self.complain(directions.failure.message)

    def reject(self) -> None:
        self._edits.directions.stop()
        super().reject()
