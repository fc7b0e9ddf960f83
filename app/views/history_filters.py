"""What the history can be narrowed by, beside its search: model, class, solver, way and date."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from app.models.facts import kind_title
from app.models.history import Filter
from app.models.studio import Studio
from app.views.fields import Choice
from app.views.help import describe
from app.views.words import model_title, solver_title

__all__ = ["HistoryFilters"]

_DAYS = ((0, "Today"), (6, "Last 7 days"), (29, "Last 30 days"))


class HistoryFilters(QWidget):
    """A drop-down list for each; they offer what there is, with how many pictures it has."""

    changed = Signal()

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._studio = studio
        self.model, self.label, self.solver = Choice(elides=True), Choice(elides=True), Choice()
        self.kind, self.days = Choice(), Choice()
        self.choices = (self.model, self.label, self.solver, self.kind, self.days)
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 8, 0)
        grid.setSpacing(4)
        for row, (choice, name, tip) in enumerate(
            (
                (self.model, "Model", "Show only pictures of this model."),
                (self.label, "Class", "Show only pictures of this class."),
                (self.solver, "Solver", "Show only pictures made by this solver."),
                (self.kind, "Made by", "Show only pictures made in this way."),
                (self.days, "Date", "Show only pictures made in this time."),
            )
        ):
            describe(choice, name, tip)
            label = QLabel(name)
            label.setProperty("role", "quiet")
            label.setBuddy(choice)
            grid.addWidget(label, row, 0)
            grid.addWidget(choice, row, 1)
        grid.setColumnStretch(1, 1)
        self.days.addItem("Any time", None)
        for days, title in _DAYS:
            self.days.addItem(title, days)
        self._fill()
        for choice in self.choices:
            choice.currentIndexChanged.connect(self.changed)
        studio.history.facets_changed.connect(self._refill)
        studio.catalogue_changed.connect(self._refill)

    def showEvent(self, event: QShowEvent) -> None:
        if self._outdated:
            self._fill()
        super().showEvent(event)

    def narrowed(self, filter: Filter) -> Filter:
        """A filter that lets only that pass which is chosen here, too."""
        days = self.days.currentData()
        return dataclasses.replace(
            filter,
            model=self.model.currentData(),
            label=self.label.currentData(),
            solver=self.solver.currentData(),
            kind=self.kind.currentData(),
            date_from=None if days is None else date.today() - timedelta(days=int(days)),
        )

    def clear(self) -> None:
        """Let everything pass; says nothing."""
        blocked = self.blockSignals(True)
        for choice in self.choices:
            choice.setCurrentIndex(0)
        self.blockSignals(blocked)

    @Slot()
    def _refill(self) -> None:
        """Now if it is seen: every finished job says so, and to count a large history takes its time."""
        if self.isVisible():
            self._fill()
        else:
            self._outdated = True

    def _fill(self) -> None:
        """Offer what there is, keeping what is chosen."""
        self._outdated = False
        facets, catalogue = self._studio.history.facets(), self._studio.catalogue
        for choice, everything, entries in (
            (self.model, "Every model", [(model_title(catalogue, n), n, c) for n, c in facets.models]),
            (self.label, "Every class", [(n, n, c) for n, c in facets.labels if n]),
            (self.solver, "Every solver", [(solver_title(catalogue, n), n, c) for n, c in facets.solvers]),
            (self.kind, "Any way", [(kind_title(n), n, c) for n, c in facets.kinds]),
        ):
            chosen = choice.currentData()
            choice.blockSignals(True)
            choice.clear()
            choice.addItem(everything, None)
            for title, name, count in entries:
                choice.addItem(f"{title} ({count:,})", name)
            if chosen is not None and choice.findData(chosen) < 0:
                choice.addItem(str(chosen), chosen)
            choice.setCurrentIndex(max(0, choice.findData(chosen)))
            choice.blockSignals(False)
