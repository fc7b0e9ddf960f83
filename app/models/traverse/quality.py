"""How the pictures of the Traverse room are computed: five steps while something moves, then in full."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QObject, Signal, Slot

from app.models.settings import PRESETS, GenerateSettings
from engine.errors import UnknownName
from engine.messages import Catalogue, ModelInfo
from engine.messages.traverse import Sampling

__all__ = ["DRAFT_STEPS", "Quality"]

DRAFT_STEPS = PRESETS["draft"]


class Quality(QObject):
    """Solver and spacing that suit a model, with the steps of a preset; device as in the settings."""

    changed = Signal()

    def __init__(self, settings: GenerateSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._preset = "good"
        settings.catalogue_changed.connect(self.changed)

    @property
    def catalogue(self) -> Catalogue:
        return self._settings.catalogue

    @property
    def preset(self) -> str:
        """One of `PRESETS`: how carefully finished pictures and renders are made."""
        return self._preset

    def set_preset(self, preset: str) -> None:
        if preset in PRESETS and preset != self._preset:
            self._preset = preset
            self.changed.emit()

    @Slot(str)
    def choose(self, preset: str) -> None:
        self.set_preset(preset)

    def info(self, model: str) -> ModelInfo | None:
        """What is known of a model; None if it is not here."""
        try:
            return self.catalogue.model(model)
        except UnknownName:
            return None

    def usable(self, model: str) -> bool:
        info = self.info(model)
        return info is not None and not info.problem

    def draft(self, model: str) -> Sampling:
        """While something is dragged or played."""
        return dataclasses.replace(self.final(model), steps=DRAFT_STEPS)

    def final(self, model: str) -> Sampling:
        """What is kept and rendered."""
        info = self.info(model)
        solver = "genie" if info is None or info.has_head else "dpmpp-2m"
        return Sampling(
            solver=solver,
            steps=PRESETS[self._preset],
            spacing=info.spacing if info is not None else "quadratic",
            device=self._settings.device,
            precision=self._settings.precision,
        )
