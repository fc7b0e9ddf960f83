"""Steps inverted: on data whose flow is known, and where it is made hard."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from engine.flow import ProbabilityFlow
from engine.inversion import Inversion, Inverted, Tolerance, invert, level_error
from engine.messages.encode import EXACT_SOLVERS
from engine.solvers import solver
from tests.engine.mixtures import Mixture, example_mixture

GAMMAS = (20.0, 6.0, 2.5, 1.2, 0.6, 0.25, 0.06, 0.012)
FINE = Tolerance(slack=0.0, residual=1e-9, iterations=60)


def pictures(count: int = 6) -> Tensor:
    """Levels of bytes, black and white among them."""
    levels = torch.randint(0, 256, (count, 1, 2, 2), generator=torch.Generator().manual_seed(3))
    levels[0], levels[1] = 0, 255
    return levels.double() / 127.5 - 1.0


def inverted(
    name: str,
    x: Tensor,
    gammas: Sequence[float] = GAMMAS,
    tolerance: Tolerance | None = None,
    mixture: Mixture | None = None,
) -> tuple[list[Inverted], list[Inversion]]:
    mixture = mixture or example_mixture()
    walk = invert(solver(name), lambda rows: ProbabilityFlow(mixture), x, gammas, tolerance)
    states = []
    while True:
        try:
            states.append(next(walk))
        except StopIteration as ended:
            return ended.value, states


def decoded(name: str, found: Inverted, mixture: Mixture | None = None) -> Tensor:
    """x_t (1, C, H, W) at the end of the grid the inversion names."""
    flow = ProbabilityFlow(mixture or example_mixture())
    *_, state = solver(name).solve(flow, found.xbar[None], found.gammas)
    return state.xbar * (1.0 + found.gammas[-1] ** 2) ** -0.5


@pytest.mark.parametrize("name", EXACT_SOLVERS)
def test_decoding_gives_back_what_was_inverted(name: str) -> None:
    x = pictures()
    found, _ = inverted(name, x, tolerance=FINE)
    assert all(one.converged for one in found)
    back = torch.cat([decoded(name, one) for one in found])
    assert (back - x).abs().max() < 1e-8


@pytest.mark.parametrize("name", EXACT_SOLVERS)
def test_the_usual_tolerance_gives_back_every_byte_for_few_evaluations(name: str) -> None:
    x = pictures()
    found, _ = inverted(name, x)
    back = torch.cat([decoded(name, one) for one in found])
    assert level_error(back, x).max() < 0.45
    cost = solver(name).info.evaluations_per_step * (len(GAMMAS) - 1)
    assert sum(one.evaluations for one in found) / len(found) < 6 * cost
    strict, _ = inverted(name, x, tolerance=FINE)
    assert found[2].evaluations < strict[2].evaluations


def test_an_image_does_not_depend_on_those_beside_it() -> None:
    x = pictures()
    together, _ = inverted("genie", x)
    alone, _ = inverted("genie", x[4:5])
    assert torch.allclose(together[4].xbar, alone[0].xbar, rtol=0, atol=1e-9)
    assert together[4].evaluations == alone[0].evaluations


def test_it_says_what_every_step_took_and_yields_after_every_evaluation() -> None:
    x = pictures()
    found, states = inverted("ddim", x)
    assert [state.evaluations for state in states] == list(range(1, len(states) + 1))
    for one in found:
        assert [(step.gamma, step.gamma_next) for step in one.steps] == list(pairwise(GAMMAS))
        assert one.evaluations == 1 + sum(step.evaluations for step in one.steps)
        assert all(step.parts == 1 and step.residual < 0.1 * (1 + step.gamma) for step in one.steps)
    assert states[0].gamma == GAMMAS[-1]
    assert states[-1].gamma == GAMMAS[0]


class Folding(Mixture):
    """A flow whose long steps fold: DDIM from far away arrives at the same place from two sides."""

    def __init__(self) -> None:
        means = torch.tensor([[-0.9] * 4, [0.9] * 4], dtype=torch.float64)
        super().__init__(means, torch.full((2,), 0.02).double(), torch.tensor([0.5, 0.5]).double())


def test_a_step_that_does_not_converge_is_split_and_the_grid_says_so() -> None:
    x = torch.tensor([[0.05, -0.1], [0.02, 0.1]], dtype=torch.float64).expand(1, 1, 2, 2)
    gammas, tolerance = (3.0, 0.02), Tolerance(iterations=6)
    (found,), _ = inverted("ddim", x, gammas, tolerance, Folding())
    assert found.steps[0].parts > 1
    assert len(found.gammas) == found.steps[0].parts + 1
    assert (found.gammas[0], found.gammas[-1]) == gammas
    ratios = [found.gammas[i] / found.gammas[i + 1] for i in range(len(found.gammas) - 1)]
    assert ratios == pytest.approx([ratios[0]] * len(ratios))
    if found.converged:
        assert level_error(decoded("ddim", found, Folding()), x).item() < 0.45


def test_where_nothing_helps_the_best_comes_back_with_its_error() -> None:
    x = pictures()
    found, _ = inverted("ddim", x, (20.0, 0.012), Tolerance(iterations=1))
    hopeless = [one for one in found if not one.converged]
    assert hopeless
    for one in hopeless:
        assert one.xbar.isfinite().all()
        assert math.isfinite(one.steps[0].residual)
        assert one.steps[0].residual > 0.1
        # One, two and four parts were tried.
        assert one.steps[0].evaluations == 7


class Wild(Mixture):
    """Not a number wherever x leaves the range of pictures by much."""

    def eps(self, x_t: Tensor, gamma) -> Tensor:  # type: ignore[no-untyped-def, override]
        eps = super().eps(x_t, gamma)
        far = x_t.flatten(1).abs().amax(dim=1) > 1.3
        return torch.where(far[:, None, None, None], torch.nan, eps)


def test_numbers_that_run_away_do_not_spoil_the_others() -> None:
    plain = example_mixture()
    wild = Wild(plain.means, plain.stds, plain.weights)
    x = torch.cat([torch.full((1, 1, 2, 2), 0.2).double(), torch.full((1, 1, 2, 2), -0.999).double()])
    found, _ = inverted("ddim", x, (0.9, 0.3, 0.1), None, wild)
    alone, _ = inverted("ddim", x[:1], (0.9, 0.3, 0.1), None, wild)
    assert torch.allclose(found[0].xbar, alone[0].xbar, rtol=0, atol=1e-9)


def test_beyond_black_and_white_nothing_is_an_error() -> None:
    picture = torch.tensor([[[[-1.0, 1.0], [0.0, 0.5]]]]).double()
    x = torch.tensor([[[[-1.5, 1.5], [0.0, 0.5]]]]).double()
    assert level_error(x, picture).item() == 0.0
    x[0, 0, 1, 0] = 1.0 / 127.5
    assert level_error(x, picture).item() == pytest.approx(1.0)
    assert level_error(picture * 0.99, picture).item() == pytest.approx(1.275)


def test_a_picture_is_solved_to_within_its_slack_only() -> None:
    x = pictures()
    loose, _ = inverted("genie", x, tolerance=Tolerance(slack=0.4, residual=0.01))
    tight, _ = inverted("genie", x, tolerance=Tolerance(slack=0.0, residual=0.01))
    assert sum(one.steps[-1].evaluations for one in loose) < sum(one.steps[-1].evaluations for one in tight)
    back = torch.cat([decoded("genie", one) for one in loose])
    assert 0.05 < level_error(back, x).max() < 0.5
