"""The model that guides another: shown where there is one that fits."""

from __future__ import annotations

from PySide6.QtCore import Slot

from app.models.settings import GenerateSettings
from app.views.fields import ChoiceRow

__all__ = ["PartnerRow"]


class PartnerRow(ChoiceRow):
    """Which model answers without a class: the model itself, or one trained without classes."""

    def __init__(self, settings: GenerateSettings) -> None:
        super().__init__(settings, "guidance_model", "Guided by", self._partners)

    def _partners(self) -> list[tuple[str, str, str]]:
        info = self.settings.model_info
        entries = [(partner.name, partner.title, partner.summary) for partner in self.settings.partners()]
        if info is None or info.null_label:
            itself = "Its own answer without a class."
            entries.insert(0, ("", "Itself", itself))
        return entries

    def show_value(self) -> None:
        super().show_value()
        self.choice.choose(self.settings.guidance_model or "")  # a choice has no entry for None
        self.setVisible(bool(self.settings.partners()))

    @Slot()
    def _chosen(self) -> None:
        self.settings.guidance_model = self.choice.currentData() or None
