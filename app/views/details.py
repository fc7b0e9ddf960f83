"""Everything that is known of one picture: what was asked for, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QHideEvent, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.canvas import ShownResult
from app.models.facts import count_of, facts_of, kind_title
from app.models.history import Details
from app.models.studio import Studio
from app.views import tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.picture_images import to_image
from app.views.words import counted, seconds
from engine.messages import Catalogue, Pictures, Provenance, Request

__all__ = ["DetailsDialog", "DetailsPanel", "Section", "facts_of_details", "facts_of_result"]


@dataclass(frozen=True)
class Section:
    """A heading and facts under it: (name, value)."""

    title: str
    facts: tuple[tuple[str, str], ...]


def facts_of_result(
    catalogue: Catalogue | None, request: Request | None, result: ShownResult | None, index: int
) -> list[Section]:
    """What is known of picture `index` on the canvas; `result` is None while it is being made."""
    if request is None or index >= count_of(request):
        return []
    more = []
    if count_of(request) > 1:
        more.append(("In its batch", f"{index + 1} of {count_of(request)}"))
    if result is not None:
        more.append(("Size", f"{result.pictures.width} × {result.pictures.height} px"))
    sections = _asked(catalogue, request, index, more)
    if result is not None:
        counts = (result.evaluations, result.evaluations_paper, result.seconds)
        sections.append(_making(*counts, result.provenance, result.notices))
    return sections


def facts_of_details(catalogue: Catalogue | None, details: Details) -> list[Section]:
    """The same of an image of the history."""
    record = details.record
    more = []
    if (count := count_of(details.request)) > 1:
        more.append(("In its batch", f"{record.index + 1} of {count}"))
    moment = record.created.astimezone().strftime("%Y-%m-%d %H:%M")
    more += [("Size", f"{record.width} × {record.height} px"), ("Made", moment)]
    counts = (details.evaluations, details.evaluations_paper, details.seconds)
    return [
        *_asked(catalogue, details.request, record.index, more),
        _making(*counts, details.provenance, details.notices),
    ]


def _asked(
    catalogue: Catalogue | None, request: Request, index: int, more: list[tuple[str, str]]
) -> list[Section]:
    """The picture's own facts, with `more` of them, and the settings it shares with its batch."""
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for name, value in facts_of(request, index, catalogue):
        if name == "Class" and value != "none":
            own.insert(0, (name, value))
        elif name == "Seed":
            own.append((name, value))
        elif (name, value) not in (("Guidance model", "none"), ("Batch", "0"), ("Class", "none")):
            shared.append((name, value))
    if request.kind != "generate":
        own.insert(0, ("Made by", kind_title(request.kind)))
    return [Section("Picture", (*own, *more)), Section("Settings", tuple(shared))]


def _on_threads(threads: int) -> str:
    return f", {counted(threads, 'thread')}" if threads else ""


def _making(
    evaluations: int | None,
    evaluations_paper: int | None,
    duration: float | None,
    provenance: Provenance | None,
    notices: tuple[str, ...],
) -> Section:
    facts: list[tuple[str, str]] = []
    if evaluations is not None:
        facts.append(("Network evaluations", str(evaluations)))
    if evaluations_paper is not None:
        facts.append(("As the paper counts", str(evaluations_paper)))
    if duration is not None:
        facts.append(("Time", seconds(duration)))
    if provenance is not None:
        facts += [
            ("Computed on", f"{provenance.device_name} ({provenance.device})"),
            ("Computed in", provenance.precision + _on_threads(provenance.threads)),
            ("Through the network", ", ".join(map(str, provenance.batches)) + " at a time"),
            ("torch", provenance.torch),
            ("GENIE Studio", provenance.version),
        ]
    facts += [("Note", notice) for notice in notices]
    return Section("How it was made", tuple(facts) or (("Not known", "made before the history kept it"),))


class DetailsPanel(QWidget):
    """Lists the facts of one picture; every value can be selected, and all be copied."""

    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(248)
        self._sections: list[Section] = []
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setAccessibleName("The picture")
        title = QLabel("Details")
        title.setProperty("role", "strong")
        self.copy = icon_button("copy", "Copy", "Copy all of this as text.")
        self.close_button = icon_button("close", "Close the details", "Close the details (I)")
        self.copy.clicked.connect(self._copy)
        self.close_button.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 8, 4)
        head.setSpacing(2)
        head.addWidget(title, 1)
        head.addWidget(self.copy)
        head.addWidget(self.close_button)
        self._body = QWidget()
        self._body.setProperty("panel", "plain")
        self._rows = QGridLayout(self._body)
        self._rows.setContentsMargins(12, 0, 12, 12)
        self._rows.setHorizontalSpacing(tokens.GAP)
        self._rows.setVerticalSpacing(tokens.GAP_TINY)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._body)
        scroll.setAccessibleName("Facts about this picture")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.picture)
        column.addWidget(scroll, 1)

    def text(self) -> str:
        """All facts, a line each."""
        return "\n\n".join(
            "\n".join((section.title, *(f"{name}: {value}" for name, value in section.facts)))
            for section in self._sections
        )

    def show_facts(self, sections: list[Section], picture: Pictures | None) -> None:
        """Show `sections`, and the picture above them where it is given."""
        self.picture.setVisible(picture is not None)
        if picture is not None:
            ratio = self.devicePixelRatioF()
            side = max(1, int(128 * ratio) // max(picture.width, picture.height))
            image = to_image(picture)
            size = QSize(picture.width, picture.height) * side
            if size.width() > 128 * ratio:
                size.scale(round(128 * ratio), round(128 * ratio), Qt.AspectRatioMode.KeepAspectRatio)
            shown = QPixmap.fromImage(image.scaled(size))
            shown.setDevicePixelRatio(ratio)
            self.picture.setPixmap(shown)
        if sections == self._sections:
            return
        self._sections = sections
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        row = 0
        for section in sections:
            heading = QLabel(section.title)
            heading.setProperty("role", "heading")
            heading.setContentsMargins(0, 12, 0, 2)
            self._rows.addWidget(heading, row, 0, 1, 2)
            for name, value in section.facts:
                row += 1
                self._add(row, name, value)
            row += 1
        self._rows.setRowStretch(row, 1)
        self._rows.setColumnStretch(1, 1)

    def _add(self, row: int, name: str, value: str) -> None:
        key, text = QLabel(name), QLabel(value)
        key.setProperty("role", "quiet")
        key.setWordWrap(True)
        text.setWordWrap(True)
        text.setAccessibleName(name)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        top = Qt.AlignmentFlag.AlignTop
        self._rows.addWidget(key, row, 0, top)
        self._rows.addWidget(text, row, 1, top)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text())


class DetailsDialog(QDialog):
    """The details of an image of the history, in a window that follows the selection there.

    Below them a note can be written; it is kept when the field or the picture is left.
    """

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.setWindowTitle("Details")
        self.panel = DetailsPanel()
        self.panel.setFixedWidth(320)
        self.panel.closed.connect(self.close)
        self._id: int | None = None
        self.note = QLineEdit()
        self.note.setPlaceholderText("Add a note")
        describe(
            self.note, "Note", "Your own words about this picture. The search of the history finds them."
        )
        self.note.editingFinished.connect(self._keep_note)
        for button in (self.panel.copy, self.panel.close_button):
            button.setAutoDefault(False)  # Return ends the note
        foot = QHBoxLayout()
        foot.setContentsMargins(12, tokens.GAP, 12, 12)
        foot.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.panel)
        column.addLayout(foot)
        self.resize(320, 640)

    @Slot()
    def _keep_note(self) -> None:
        if self._id is not None and self.note.isModified():
            self.note.setModified(False)
            self._studio.history.note(self._id, self.note.text().strip())

    def hideEvent(self, event: QHideEvent) -> None:
        self._keep_note()
        super().hideEvent(event)

    def show_record(self, id: int) -> None:
        """Raises `EngineError` if the image is gone."""
        self._keep_note()
        details = self._studio.history.details(id)
        self._id = id
        self.note.setText(details.record.note)
        self.panel.show_facts(
            facts_of_details(self._studio.catalogue, details), self._studio.history.pictures(id)
        )
