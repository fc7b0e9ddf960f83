"""Latents: the sphere they live on, and how they are kept."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.errors import BadRequest
from engine.latents import (
    Latent,
    blend,
    latent_from_bytes,
    latent_to_bytes,
    noise,
    read_latent,
    realise,
    short_id,
    slerp,
    write_latent,
)
from engine.messages import BlendLatent, FileLatent, SeedLatent, SlerpLatent, source_from_dict, source_to_dict

SHAPE = (3, 32, 32)
DIMENSIONS = math.prod(SHAPE)


def two(first: int = 1, second: int = 2) -> tuple[Tensor, Tensor]:
    a, b = noise([first, second], SHAPE)
    return a, b


def looks_normal(z: Tensor) -> None:
    """Within five standard errors of mean 0, variance 1 and kurtosis 3."""
    error = 1.0 / math.sqrt(z.numel())
    assert abs(z.mean().item()) < 5 * error
    assert abs(z.square().mean().item() - 1.0) < 5 * math.sqrt(2) * error
    assert abs((z**4).mean().item() - 3.0) < 5 * math.sqrt(96) * error


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(10_001, 20_000), st.floats(0.0, 1.0))
def test_the_way_between_two_draws_stays_a_draw(first: int, second: int, t: float) -> None:
    a, b = two(first, second)
    looks_normal(slerp(a, b, t))


def test_the_ends_are_the_latents_themselves() -> None:
    a, b = two()
    assert torch.equal(slerp(a, b, 0.0), a)
    assert torch.equal(slerp(a, b, 1.0), b)
    assert torch.equal(realise(SlerpLatent(SeedLatent(1), SeedLatent(2), 1.0), SHAPE), b)


@given(st.integers(0, 64))
@settings(max_examples=20, deadline=None)
def test_the_way_back_is_the_way_there(steps: int) -> None:
    a, b = two()
    torch.testing.assert_close(slerp(a, b, steps / 64), slerp(b, a, 1 - steps / 64), rtol=0, atol=1e-12)


def test_equal_times_are_equal_angles_and_the_middle_is_as_far_from_both() -> None:
    a, b = two()
    a, b = a / a.norm(), b / b.norm()
    points = [slerp(a, b, i / 10) for i in range(11)]
    angles = [math.acos(min(1.0, (p * q).sum().item())) for p, q in itertools.pairwise(points)]
    assert max(angles) - min(angles) < 1e-7
    middle = slerp(a, b, 0.5)
    assert (middle - a).norm().item() == pytest.approx((middle - b).norm().item(), abs=1e-12)


@pytest.mark.parametrize("t", [0.25, 0.5, 0.75])
def test_opposite_and_equal_latents_have_a_way_too(t: float) -> None:
    a, _ = two()
    assert torch.equal(slerp(a, a, t), a) or torch.allclose(slerp(a, a, t), a, atol=1e-12)
    across = slerp(a, -a, t)
    assert across.norm().item() == pytest.approx(a.norm().item(), rel=1e-9)
    torch.testing.assert_close(across, slerp(-a, a, 1 - t), rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-3.0, 3.0), min_size=2, max_size=6).filter(lambda ws: max(map(abs, ws)) > 0.01))
def test_a_blend_keeps_the_variance(weights: list[float]) -> None:
    looks_normal(blend(list(noise(range(len(weights)), SHAPE)), weights))


def test_a_blend_of_independent_latents_is_the_weighted_sum() -> None:
    z = noise([1, 2, 3], SHAPE)
    weights = [0.5, 0.3, 0.2]
    plain = sum(w * x for w, x in zip(weights, z, strict=True)) / math.sqrt(sum(w * w for w in weights))
    assert isinstance(plain, Tensor)
    made = blend(list(z), weights)
    cosine = (made * plain).sum() / (made.norm() * plain.norm())
    assert cosine.item() == pytest.approx(1.0, abs=1e-3)
    assert made.norm().item() == pytest.approx(plain.norm().item(), rel=0.03)


def test_a_blend_of_one_latent_with_itself_is_that_latent() -> None:
    a, b = two()
    torch.testing.assert_close(blend([a, a], [0.5, 0.5]), a)
    assert blend([a, b], [1.0, 0.0]) is a
    assert torch.equal(blend([a, b], [0.0, -2.0]), -b)


def test_latents_that_cancel_say_so() -> None:
    a, _ = two()
    with pytest.raises(BadRequest, match="cancel"):
        blend([a, -a], [1.0, 1.0])


# --- kept ---------------------------------------------------------------------------------------


def latent() -> Latent:
    return Latent(noise([5], SHAPE)[0], "tiny", ((None, 0.25), (2, 0.75)), 152.17, {"made by": "a test"})


def test_a_file_gives_the_latent_back(tmp_path: Path) -> None:
    digest = write_latent(tmp_path / "a.safetensors", latent())
    back = read_latent(tmp_path / "a.safetensors")
    assert torch.equal(back.z, latent().z)
    assert (back.model, back.label, back.gamma) == ("tiny", ((None, 0.25), (2, 0.75)), 152.17)
    assert back.provenance == {"made by": "a test"}
    assert back.id == latent().id == short_id(latent().z)
    assert len(back.id) == 10
    source = FileLatent(str(tmp_path / "a.safetensors"), digest)
    assert torch.equal(realise(source, SHAPE, "tiny"), latent().z)


def test_short_ids_tell_latents_apart() -> None:
    assert len({short_id(z) for z in noise(range(200), (1, 8, 8))}) == 200


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_latent(path, latent())
    before = realise(FileLatent(str(path)), SHAPE)
    write_latent(path, Latent(noise([6], SHAPE)[0], "tiny", provenance={"and": "something longer"}))
    assert not torch.equal(realise(FileLatent(str(path)), SHAPE), before)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "missing.safetensors"}, "Couldn't read the latent"),
        ({"sha256": "0" * 64}, "content has changed"),
        ({"model": "other"}, "belongs to the model 'tiny', not to 'other'"),
        ({"shape": (1, 32, 32)}, "needs 1 channel of 32 x 32"),
    ],
)
def test_a_latent_that_does_not_fit_says_why(tmp_path: Path, change: dict[str, object], said: str) -> None:
    write_latent(tmp_path / "a.safetensors", latent())
    source = FileLatent(
        str(tmp_path / str(change.get("path", "a.safetensors"))), str(change.get("sha256", ""))
    )
    shape = change.get("shape", SHAPE)
    with pytest.raises(BadRequest, match=said) as caught:
        realise(source, shape, str(change.get("model", "tiny")))  # type: ignore[arg-type]
    assert caught.value.field == "latent"


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_a_damaged_file_is_no_latent(cut: int) -> None:
    data = latent_to_bytes(latent())
    with pytest.raises(BadRequest, match="latent"):
        latent_from_bytes(data[:cut])


def test_numbers_that_are_none_are_refused() -> None:
    broken = Latent(torch.full(SHAPE, math.nan, dtype=torch.float64))
    with pytest.raises(BadRequest, match="no numbers"):
        latent_from_bytes(latent_to_bytes(broken))


def test_every_source_survives_the_wire() -> None:
    a, b = SeedLatent(1), FileLatent("x", "0" * 64)
    for source in (a, b, BlendLatent(((a, 0.5), (b, -0.5))), SlerpLatent(a, BlendLatent(((b, 1.0),)), 0.25)):
        assert source_from_dict(source_to_dict(source)) == source
