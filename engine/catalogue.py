"""Everything that can be chosen, read before torch is: the window opens on this."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.checkpoints.library import list_models
from engine.messages import Catalogue
from engine.solvers import solver_infos

__all__ = ["read_catalogue"]


def read_catalogue(folders: Sequence[Path] | None = None) -> Catalogue:
    """The models in `folders` (default: the bundled and the user's own) and all solvers."""
    return Catalogue(models=list_models(folders), solvers=solver_infos())
