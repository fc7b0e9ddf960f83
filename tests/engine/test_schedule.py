"""The noise schedule and the grids, against published numbers and against autograd."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import messages, schedule
from engine.schedule import VPSchedule, expand, step_grid

VP = VPSchedule()


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize(("t", "gamma"), [(1.0, 152.17), (1e-3, 0.01049), (0.5, 3.4129)])
def test_gamma_has_the_published_values(t: float, gamma: float) -> None:
    # alpha = exp(-(0.1 t + 19.9 t^2 / 2) / 2), worked out with plain floats.
    alpha = math.exp(-(0.1 * t + 9.95 * t * t) / 2)
    assert VP.alpha(number(t)).item() == pytest.approx(alpha, rel=1e-12)
    assert VP.gamma(number(t)).item() == pytest.approx(gamma, rel=5e-4)
    assert VP.gamma(number(t)).item() == pytest.approx(math.sqrt(1 / alpha**2 - 1), rel=1e-9)


@given(st.floats(1e-6, 1.0))
def test_t_inverts_gamma(t: float) -> None:
    assert VP.t(VP.gamma(number(t))).item() == pytest.approx(t, rel=1e-9)


@given(st.floats(1e-6, 1.0))
def test_alpha_and_sigma_preserve_variance(t: float) -> None:
    alpha, sigma = VP.alpha(number(t)), VP.sigma(number(t))
    assert (alpha**2 + sigma**2).item() == pytest.approx(1.0, abs=1e-14)
    assert (sigma / alpha).item() == pytest.approx(VP.gamma(number(t)).item(), rel=1e-12)


@given(st.floats(1e-3, 152.0))
@settings(max_examples=50)
def test_dt_dgamma_is_the_derivative_of_t(gamma: float) -> None:
    variable = number(gamma).requires_grad_()
    (by_autograd,) = torch.autograd.grad(VP.t(variable), variable)
    assert VP.dt_dgamma(number(gamma)).item() == pytest.approx(by_autograd.item(), rel=1e-9)


@given(st.sampled_from(schedule.SPACINGS), st.integers(1, 1000), st.floats(1e-5, 0.5))
@settings(max_examples=60)
def test_grids_fall_strictly_and_end_exactly(spacing: str, steps: int, t_end: float) -> None:
    gammas = step_grid(VP, steps, spacing, t_end).tolist()
    assert len(gammas) == steps + 1
    assert all(after < before for before, after in pairwise(gammas))
    assert gammas[0] == VP.gamma(number(1.0)).item()
    assert gammas[-1] == VP.gamma(number(t_end)).item()


@pytest.mark.parametrize(
    ("spacing", "even"),
    [
        ("linear", lambda gamma: VP.t(gamma)),
        ("quadratic", lambda gamma: VP.t(gamma).sqrt()),
        ("log-snr", lambda gamma: gamma.log()),
        ("rho", lambda gamma: gamma ** (1 / 7)),
    ],
)
def test_each_spacing_is_even_in_its_own_variable(spacing: str, even) -> None:
    differences = even(step_grid(VP, 17, spacing, 2e-3)).diff()
    torch.testing.assert_close(differences, differences.mean().expand_as(differences), rtol=1e-9, atol=0)


def test_the_window_offers_exactly_the_spacings_there_are() -> None:
    assert messages.SPACINGS == schedule.SPACINGS
    with pytest.raises(ValueError, match="'cosine' is none of linear"):
        step_grid(VP, 5, "cosine")


def test_expand_lets_one_number_an_image_multiply_images() -> None:
    images = torch.ones(3, 1, 2, 2)
    scaled = expand(torch.tensor([1.0, 2.0, 3.0]), images) * images
    assert scaled[:, 0, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert expand(torch.tensor(2.0), images).ndim == 0
