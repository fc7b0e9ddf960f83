"""Every registered solver on flows known in closed form. A new solver is tested by existing."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.errors import UnknownName
from engine.flow import AnalyticFirstStep, ProbabilityFlow
from engine.schedule import SPACINGS, VPSchedule, step_grid
from engine.solvers import Field, Solver, solver, solvers
from tests.engine.mixtures import accurate_end, example_mixture, gaussian, gaussian_end, noise

NAMES = list(solvers())
VP = VPSchedule()
DOWN, UP = (3.0, 0.2), (0.2, 3.0)


def finish(
    entry: Solver, flow: ProbabilityFlow | AnalyticFirstStep, xbar: Tensor, gammas: list[float]
) -> Tensor:
    *_, state = entry.solve(flow, xbar, gammas)
    assert state.whole
    assert state.index == len(gammas) - 1
    return state.xbar


def flow_of(entry: Solver, denoiser) -> ProbabilityFlow:
    return ProbabilityFlow(denoiser)


def even_in_log(ends: tuple[float, float], steps: int) -> list[float]:
    return [ends[0] * (ends[1] / ends[0]) ** (i / steps) for i in range(steps + 1)]


def rms(difference: Tensor) -> float:
    return difference.pow(2).mean().sqrt().item()


@cache
def reference(ends: tuple[float, float]) -> tuple[Tensor, Tensor]:
    start = noise(16) * math.sqrt(ends[0] ** 2 + 1.0)
    return start, accurate_end(example_mixture(), start, *ends)


def test_the_registry_knows_these_solvers() -> None:
    assert NAMES[:8] == ["genie", "genie-2m", "genie-exact", "ddim", "heun", "dpmpp-2m", "unipc", "ipndm"]
    with pytest.raises(UnknownName, match="Did you mean 'heun'"):
        solver("heum")


def test_the_registry_loads_without_torch() -> None:
    code = "import sys; import engine.solvers as s; s.solvers(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("ends", [DOWN, UP], ids=["down", "up"])
@pytest.mark.parametrize("name", NAMES)
def test_the_error_falls_with_the_promised_order(name: str, ends: tuple[float, float]) -> None:
    entry, mixture = solver(name), example_mixture()
    start, end = reference(ends)
    errors = [
        rms(finish(entry, flow_of(entry, mixture), start, even_in_log(ends, steps)) - end)
        for steps in (64, 128, 256)
    ]
    slopes = [math.log2(errors[i] / errors[i + 1]) for i in range(2)]
    assert slopes == pytest.approx([entry.info.order] * 2, abs=0.2), errors


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_gaussian_contracts_to_its_closed_form_on_every_grid(name: str, spacing: str) -> None:
    entry = solver(name)
    gammas = step_grid(VP, 250, spacing).tolist()
    start = noise(8) * math.sqrt(gammas[0] ** 2 + 1.0)
    expected = gaussian_end(start, 0.4, 0.7, gammas[0], gammas[-1])
    found = finish(entry, flow_of(entry, gaussian(0.4, 0.7)), start, gammas)
    assert rms(found - expected) < (3e-2 if entry.info.order == 1 else 3e-3)


@pytest.mark.parametrize("name", NAMES)
def test_walking_up_and_down_again_comes_back(name: str) -> None:
    entry, mixture = solver(name), example_mixture()
    images = accurate_end(mixture, noise(8) * math.sqrt(10.0), 3.0, 0.2, 400)

    def there_and_back(steps: int) -> float:
        gammas = even_in_log(UP, steps)
        latent = finish(entry, flow_of(entry, mixture), images, gammas)
        return rms(finish(entry, flow_of(entry, mixture), latent, gammas[::-1]) - images)

    few, many = there_and_back(20), there_and_back(80)
    # Four times the steps: at least nearly 4^order less, and small in itself.
    assert many < few / 4 ** (entry.info.order - 0.3)
    assert many < (1e-1 if entry.info.order == 1 else 3e-3)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_is_euler_with_what_the_solver_adds(name: str) -> None:
    entry, mixture = solver(name), example_mixture()
    xbar, g, g_next = noise(4) * 3.0, 2.5, 2.0
    h, lam = g_next - g, math.log(g / g_next)
    here = ProbabilityFlow(mixture).field_with_derivative(xbar, g)
    euler = xbar + h * here.eps
    expected = {
        "genie": euler + 0.5 * h * h * here.derivative,
        "genie-exact": euler + 0.5 * h * h * here.derivative,
        "genie-2m": here.x0.lerp(xbar, g_next / g) + (lam - (1.0 - g_next / g)) * g * g * here.derivative,
        "heun": xbar + 0.5 * h * (here.eps + ProbabilityFlow(mixture).field(euler, g_next).eps),
    }.get(name, euler)  # all others have no history yet and step as DDIM does
    torch.testing.assert_close(finish(entry, flow_of(entry, mixture), xbar, [g, g_next]), expected)


class Recorded:
    """A flow whose x0 and eps are given functions of gamma alone."""

    def __init__(self, eps=None, x0=None) -> None:
        self._eps, self._x0 = eps, x0

    def field(self, xbar: Tensor, gamma: float) -> Field:
        if self._eps is not None:
            eps = torch.full_like(xbar, self._eps(gamma))
            return Field(eps, xbar - gamma * eps, torch.zeros_like(eps))
        x0 = torch.full_like(xbar, self._x0(gamma))
        return Field((xbar - x0) / gamma, x0, torch.zeros_like(x0))

    field_with_derivative = field

    def with_exact_derivative(self, here: Field, xbar: Tensor, gamma: float) -> Field:
        return here


@given(
    gammas=st.lists(
        st.floats(0.01, 150.0), min_size=2, max_size=9, unique_by=lambda g: round(math.log(g), 2)
    ),
    falling=st.booleans(),
    eps=st.floats(-3.0, 3.0),
)
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("name", NAMES)
def test_a_straight_path_is_followed_exactly_on_any_grid(
    name: str, gammas: list[float], falling: bool, eps: float
) -> None:
    gammas = sorted(gammas, reverse=falling)
    xbar = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    for state in solver(name).solve(Recorded(eps=lambda _: eps), xbar, gammas):
        expected = 0.5 + (gammas[state.index] - gammas[0]) * eps
        assert state.xbar.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert state.x0.item() == pytest.approx(0.5 - gammas[0] * eps, rel=1e-9, abs=1e-9)


def test_ipndm_integrates_cubics_exactly_on_equal_steps_once_it_is_warm() -> None:
    """The published coefficients 55/24, -59/24, 37/24, -9/24, seen from outside."""
    gammas = [2.0 - 0.25 * i for i in range(8)]
    xbar = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    states = list(solver("ipndm").solve(Recorded(eps=lambda g: 4 * g**3), xbar, gammas))
    for before, after in pairwise(states[3:]):
        exact = gammas[after.index] ** 4 - gammas[before.index] ** 4
        assert (after.xbar - before.xbar).item() == pytest.approx(exact, rel=1e-12)
    # One step before it is warm there are three evaluations: 23/12, -16/12, 5/12.
    e = [4 * g**3 for g in gammas]
    assert (states[2].xbar - states[1].xbar).item() == pytest.approx(
        -0.25 * (23 * e[2] - 16 * e[1] + 5 * e[0]) / 12, rel=1e-12
    )


def test_ipndm_does_not_remember_an_analytic_first_step() -> None:
    """Its error, small for a step, would come back in differences over the longest steps."""
    gammas = [8.0, 5.0, 3.0, 2.0]
    xbar = torch.full((1, 1, 1, 1), 4.0, dtype=torch.float64)
    flow = Recorded(eps=lambda g: 4 * g**3)
    first, *rest = solver("ipndm").solve(AnalyticFirstStep(flow, gammas[0]), xbar, gammas)
    assert first.xbar.item() == pytest.approx(4.0 - 3.0 * 4.0 / math.sqrt(65.0))
    anew = list(solver("ipndm").solve(flow, first.xbar, gammas[1:]))
    assert [state.xbar.item() for state in rest] == [state.xbar.item() for state in anew]


def test_dpmpp_2m_reproduces_its_published_update() -> None:
    """x_t = sigma_t/sigma_s x_s - alpha_t (e^-h - 1) D, D = (1 + 1/(2r)) x0 - 1/(2r) x0_before."""
    gammas, x0 = [4.0, 2.5, 0.9], {4.0: 0.3, 2.5: 0.7}
    xbar = torch.full((1, 1, 1, 1), 5.0, dtype=torch.float64)
    first, second = solver("dpmpp-2m").solve(Recorded(x0=x0.__getitem__), xbar, gammas)
    alpha = {g: (1 + g * g) ** -0.5 for g in gammas}
    lam = {g: -math.log(g) for g in gammas}
    h, r = lam[0.9] - lam[2.5], (lam[2.5] - lam[4.0]) / (lam[0.9] - lam[2.5])
    d = (1 + 0.5 / r) * 0.7 - 0.5 / r * 0.3
    x_s = first.xbar.item() * alpha[2.5]
    x_t = (0.9 * alpha[0.9]) / (2.5 * alpha[2.5]) * x_s - alpha[0.9] * math.expm1(-h) * d
    assert second.xbar.item() == pytest.approx(x_t / alpha[0.9], rel=1e-12)


def test_unipc_corrects_parabolas_exactly() -> None:
    """Where x0 is a parabola in lambda, a corrected point depends on the first step's error alone."""

    def x0(gamma: float) -> float:
        u = -math.log(gamma)
        return 0.2 + 0.5 * u - 0.3 * u * u

    def exact(xbar: float, g: float, g_next: float, pieces: int = 2000) -> float:
        # integral of e^(s - h) x0 ds by Simpson's rule
        h = math.log(g / g_next)
        s = [h * i / pieces for i in range(pieces + 1)]
        values = [math.exp(v - h) * x0(g * math.exp(-v)) for v in s]
        weighted = values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
        return xbar * g_next / g + weighted * h / pieces / 3

    gammas = [3.0, 2.0, 1.1, 0.8, 0.3]
    seen: list[tuple[float, float]] = []

    class Watched(Recorded):
        def field(self, xbar: Tensor, gamma: float) -> Field:
            seen.append((gamma, xbar.item()))
            return super().field(xbar, gamma)

    xbar = torch.full((1, 1, 1, 1), 2.0, dtype=torch.float64)
    states = list(solver("unipc").solve(Watched(x0=x0), xbar, gammas))
    assert [gamma for gamma, _ in seen] == gammas[:-1]  # one evaluation a step, none at the end
    # Undo each prediction to find the corrected point it began at.
    corrected = [2.0]
    for i in range(1, 4):
        h, h_before = math.log(gammas[i] / gammas[i + 1]), math.log(gammas[i - 1] / gammas[i])
        middle = x0(gammas[i]) + 0.5 * h / h_before * (x0(gammas[i]) - x0(gammas[i - 1]))
        ratio = gammas[i + 1] / gammas[i]
        corrected.append((states[i].xbar.item() - (1 - ratio) * middle) / ratio)
    for i in (1, 2):
        assert corrected[i + 1] == pytest.approx(exact(corrected[i], gammas[i], gammas[i + 1]), rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_an_analytic_first_step_is_a_straight_one_and_free(name: str) -> None:
    entry, mixture = solver(name), example_mixture()
    gammas = step_grid(VP, 12, "log-snr").tolist()
    start = noise(4) * math.sqrt(gammas[0] ** 2 + 1.0)
    flow = flow_of(entry, mixture)
    states = list(entry.solve(AnalyticFirstStep(flow, gammas[0]), start, gammas))
    assert flow.evaluations == entry.info.evaluations(12, analytic_first=True, denoise=False)
    if entry.info.evaluations_per_step == 1 or entry.info.derivative == "exact":
        torch.testing.assert_close(
            next(s for s in states if s.whole).xbar, start + (gammas[1] - gammas[0]) * noise(4)
        )
    # At gamma = 152 a picture is so deep in noise that this changes the end by little.
    plain = finish(entry, flow_of(entry, mixture), start, gammas)
    assert 0.0 < rms(states[-1].xbar - plain) < 0.1
