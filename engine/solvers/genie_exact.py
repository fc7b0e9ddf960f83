"""GENIE without a head: the same step, with the derivative by a Jacobian-vector product."""

from __future__ import annotations

from engine.messages import SolverInfo
from engine.solvers.genie import solve

__all__ = ["INFO", "solve"]

INFO = SolverInfo(
    name="genie-exact",
    title="GENIE (exact)",
    summary="GENIE's curved steps for a model without a head: the bend is computed, at twice the cost.",
    order=2,
    evaluations_per_step=2,
    derivative="exact",
    reference="Dockhorn, Vahdat and Kreis, GENIE, 2022, equations 8 and 9",
)
