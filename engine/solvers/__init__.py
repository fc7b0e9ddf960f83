"""The registry: every module of this package with `INFO` and `solve` is a solver."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from engine.messages import SolverInfo, find_name
from engine.solvers.base import Field, Flow, Solver, State

__all__ = ["Field", "Flow", "Solver", "State", "solver", "solver_infos", "solvers"]

_ORDER = ("genie", "genie-2m", "genie-exact", "ddim", "heun", "dpmpp-2m", "unipc", "ipndm")


@cache
def solvers() -> MappingProxyType[str, Solver]:
    """All solvers by name, ours first, unknown newcomers last."""
    found: dict[str, Solver] = {}
    for module_info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        info = getattr(module, "INFO", None)
        if isinstance(info, SolverInfo):
            found[info.name] = Solver(info, module.solve)
    known = [name for name in _ORDER if name in found]
    return MappingProxyType({n: found[n] for n in known + sorted(set(found) - set(known))})


def solver_infos() -> tuple[SolverInfo, ...]:
    return tuple(entry.info for entry in solvers().values())


def solver(name: str) -> Solver:
    """The solver called `name`; an `UnknownName` lists those that exist."""
    return solvers()[find_name(name, solver_infos(), "solver").name]
