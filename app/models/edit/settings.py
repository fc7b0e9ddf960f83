"""How pictures are walked up and back: the settings of the Edit room."""

from __future__ import annotations

from typing import Any

from app.models.settings import GenerateSettings
from engine.messages.encode import FAST_SOLVER

__all__ = ["EditSettings"]


class EditSettings(GenerateSettings):
    """Those of the Generate room, with the solver that goes there and back best."""

    def preset_values(self, name: str) -> dict[str, Any]:
        """What the preset sets, for the model chosen now."""
        values = super().preset_values(name)
        info = self.model_info
        known = any(solver.name == FAST_SOLVER for solver in self.catalogue.solvers)
        if info is not None and info.has_head and known:
            values["solver"] = FAST_SOLVER
        return values
