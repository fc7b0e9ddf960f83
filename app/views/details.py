"""Everything that is known of one picture: what was asked for, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.history import Details
from app.models.studio import Studio
from app.views import tokens
from app.views.fields import icon_button
from app.views.picture_images import to_image
from app.views.words import class_name, counted, model_title, seconds, solver_title
from engine.messages import Catalogue, GenerateRequest, Pictures, Provenance, Result

__all__ = ["DetailsDialog", "DetailsPanel", "Section", "facts_of_details", "facts_of_result"]


@dataclass(frozen=True)
class Section:
    """A heading and facts under it: (name, value)."""

    title: str
    facts: tuple[tuple[str, str], ...]


def facts_of_result(
    catalogue: Catalogue | None, request: GenerateRequest | None, result: Result | None, index: int
) -> list[Section]:
    """What is known of picture `index` on the canvas; `result` is None while it is being made."""
    if request is None or index >= request.count:
        return []
    sections = [
        _picture(catalogue, request, index, result.pictures if result is not None else None),
        _settings(catalogue, request),
    ]
    if result is not None:
        counts = (result.evaluations, result.evaluations_paper, result.seconds)
        sections.append(_making(*counts, result.provenance, result.notices))
    return sections


def facts_of_details(catalogue: Catalogue | None, details: Details) -> list[Section]:
    """The same of an image of the history."""
    record = details.record
    picture = _picture(catalogue, details.request, record.index, None)
    moment = record.created.astimezone().strftime("%Y-%m-%d %H:%M")
    more = [("Size", f"{record.width} × {record.height} px"), ("Made", moment)]
    if record.note:
        more.append(("Note", record.note))
    counts = (details.evaluations, details.evaluations_paper, details.seconds)
    return [
        Section(picture.title, (*picture.facts, *more)),
        _settings(catalogue, details.request),
        _making(*counts, details.provenance, details.notices),
    ]


def _picture(
    catalogue: Catalogue | None, request: GenerateRequest, index: int, pictures: Pictures | None
) -> Section:
    facts = [("Seed", str(request.seeds[index]))]
    if name := class_name(catalogue, request.model, request.labels[index]):
        facts.insert(0, ("Class", name))
    if request.count > 1:
        facts.append(("In its batch", f"{index + 1} of {request.count}"))
    if pictures is not None:
        facts.append(("Size", f"{pictures.width} × {pictures.height} px"))
    return Section("Picture", tuple(facts))


def _settings(catalogue: Catalogue | None, request: GenerateRequest) -> Section:
    facts = [
        ("Model", model_title(catalogue, request.model)),
        ("Solver", solver_title(catalogue, request.solver)),
        ("Steps", str(request.steps)),
        ("Spacing", request.spacing),
        ("Guidance", f"{request.guidance:g}"),
        ("Analytic first step", "on" if request.analytic_first else "off"),
        ("Final denoising step", "on" if request.denoise else "off"),
        ("End time", f"{request.t_end:g}"),
        ("Device", request.device),
        ("Precision", request.precision),
    ]
    if request.guidance_model is not None:
        facts.insert(5, ("Guidance model", model_title(catalogue, request.guidance_model)))
    if request.batch:
        facts.append(("Batch", str(request.batch)))
    return Section("Settings", tuple(facts))


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
    """The details of an image of the history, in a window that follows the selection there."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.setWindowTitle("Details")
        self.panel = DetailsPanel()
        self.panel.setFixedWidth(320)
        self.panel.closed.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.panel)
        self.resize(320, 640)

    def show_record(self, id: int) -> None:
        """Raises `EngineError` if the image is gone."""
        details = self._studio.history.details(id)
        self.panel.show_facts(
            facts_of_details(self._studio.catalogue, details), self._studio.history.pictures(id)
        )
