"""What a solver is: a generator over a flow and a falling (or rising) list of gammas.

A solver file holds `INFO`, which says what it is, and `solve`, which does it:

    def solve(flow: Flow, xbar: Tensor, gammas: Sequence[float]) -> Iterator[State]

It sees nothing but the ODE d xbar / d gamma = eps(xbar, gamma): guidance, labels, devices,
the analytic first step and the choice of derivative are settled before it. It yields a
`State` after every network evaluation, so that its consumer can show, stop or record; the
states with `index == k` and `whole` are those that stand at `gammas[k]`.

No solver imports torch: the arithmetic is that of its arguments. That keeps the registry
cheap enough to be read before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.messages import SolverInfo

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Field", "Flow", "Solver", "State", "taylor_step"]


@dataclass(frozen=True)
class Field:
    """eps at a point of the flow and, where asked for, d eps/d gamma along it.

    Shapes are those of xbar, (B, C, H, W); `x0 = xbar - gamma eps` is the image predicted. What is
    `guessed` was not asked of the network: near enough for a step, not for differences.
    """

    eps: Tensor
    x0: Tensor
    derivative: Tensor | None = None
    guessed: bool = False


def taylor_step(xbar: Tensor, here: Field, h: float) -> Tensor:
    """xbar + h eps + h^2/2 d eps/d gamma (GENIE, equation 8)."""
    assert here.derivative is not None
    return xbar.add(here.eps, alpha=h).add_(here.derivative, alpha=0.5 * h * h)


class Flow(Protocol):
    """The right-hand side of the ODE. Each call is one network evaluation (or says otherwise)."""

    def field(self, xbar: Tensor, gamma: float) -> Field: ...

    def field_with_derivative(self, xbar: Tensor, gamma: float) -> Field:
        """The field and its derivative from the head, in one evaluation."""
        ...

    def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
        """`here`, which stands at (xbar, gamma), with its exact derivative: one evaluation more."""
        ...


@dataclass(frozen=True)
class State:
    """Where the solver is: `index` whole steps are done, at `gammas[index]` if `whole`."""

    index: int
    xbar: Tensor
    x0: Tensor
    whole: bool = True


@dataclass(frozen=True)
class Solver:
    """A registered solver."""

    info: SolverInfo
    solve: Callable[[Flow, Tensor, Sequence[float]], Iterator[State]]
