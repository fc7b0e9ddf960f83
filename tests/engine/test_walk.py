"""Walks: which frame shows what, and their files."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadRequest
from engine.latents import Latent, noise, realise, write_latent
from engine.messages import (
    EASINGS,
    BlendLatent,
    Easing,
    FileLatent,
    Keyframe,
    Point,
    SeedLatent,
    SlerpLatent,
    Walk,
)
from engine.walk import ease, mix_labels, noise_loop, plan_frames, point_at, random_walk, spline_weights
from engine.walk_files import file_latents, file_sha256, read_walk, write_walk

SHAPE = (1, 16, 16)


def walk(*seconds: float, holds: tuple[float, ...] = (), **more: object) -> Walk:
    holds = holds or (0.0,) * len(seconds)
    keyframes = tuple(
        Keyframe(SeedLatent(i), seconds=s, hold=h)
        for i, (s, h) in enumerate(zip(seconds, holds, strict=True))
    )
    return Walk("tiny", keyframes, **more)  # type: ignore[arg-type]


times = st.lists(st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 2.0)), min_size=2, max_size=6)


@settings(max_examples=100, deadline=None)
@given(times, st.floats(1.0, 60.0), st.booleans())
def test_every_keyframe_is_shown_once_and_exactly(
    spans: list[tuple[float, float]], fps: float, loop: bool
) -> None:
    w = walk(*(s for s, _ in spans), holds=tuple(h for _, h in spans), fps=fps, loop=loop)
    plan = plan_frames(w)
    points = list(plan.points())
    assert len(points) == plan.total
    for index, keyframe in enumerate(w.keyframes):
        shown = [frame for frame, point in enumerate(points) if point == keyframe.point]
        assert shown == list(range(plan.arrive[index], plan.leave[index] + 1))
    wanted = sum(h for _, h in spans) + sum(s for s, _ in spans[: w.segments])
    assert plan.total >= len(spans)
    if all(s * fps >= 1 for s, _ in spans):
        # Rounded where they end up: the whole is no more than a frame off, however many parts.
        assert abs(plan.total - (0 if loop else 1) - wanted * fps) <= 1.0


def test_a_loop_does_not_show_its_first_frame_twice() -> None:
    plan = plan_frames(walk(1.0, 1.0, 1.0, fps=10, loop=True))
    points = list(plan.points())
    assert plan.total == 30
    assert points.count(points[0]) == 1
    assert points[-1] != points[0]


def test_frames_of_a_second() -> None:
    plan = plan_frames(walk(1.0, 1.0, fps=10))
    assert plan.total == 11
    assert plan.frame_at(0.55) == 5
    assert plan.frame_at(-1.0) == 0
    assert plan.frame_at(99.0) == 10
    assert plan.seconds == pytest.approx(1.1)
    with pytest.raises(IndexError):
        plan.place(11)


@pytest.mark.parametrize("easing", [*EASINGS, (0.42, 0.0, 0.58, 1.0), (1.0, 0.0, 0.0, 1.0)])
def test_easings_rise_from_0_to_1(easing: Easing) -> None:
    values = [ease(easing, u / 50) for u in range(51)]
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert all(a <= b for a, b in itertools.pairwise(values))


def test_the_symmetric_easings_are_symmetric() -> None:
    for easing in ("linear", "smooth", (0.42, 0.0, 0.58, 1.0)):
        for u in (0.1, 0.25, 0.4):
            assert ease(easing, u) + ease(easing, 1 - u) == pytest.approx(1.0, abs=1e-9)
    assert ease((0.25, 0.25, 0.75, 0.75), 0.3) == pytest.approx(0.3, abs=1e-9)
    assert ease("in", 0.5) == 0.25
    assert ease("out", 0.5) == 0.75


def test_labels_mix_and_guidance_goes_along() -> None:
    assert mix_labels(1, 1, 0.3) == 1
    assert mix_labels(1, None, 0.25) == ((None, 0.25), (1, 0.75))
    assert mix_labels(((0, 0.5), (1, 0.5)), 1, 0.5) == ((0, 0.25), (1, 0.75))
    assert mix_labels(3, 4, 0.0) == 3
    assert mix_labels(3, 4, 1.0) == 4
    a, b = Keyframe(SeedLatent(0), 1, 0.0), Keyframe(SeedLatent(1), 2, 4.0)
    w = Walk("tiny", (a, b))
    assert point_at(w, 0, 0.25) == Point(
        SlerpLatent(SeedLatent(0), SeedLatent(1), 0.25), ((1, 0.75), (2, 0.25)), 1.0
    )
    assert point_at(w, 0, 0.0) == a.point
    assert point_at(w, 0, 1.0) == b.point


def test_the_spline_goes_through_its_points_without_corners() -> None:
    assert spline_weights(0.0) == (0.0, 1.0, 0.0, 0.0)
    assert spline_weights(1.0) == (0.0, 0.0, 1.0, 0.0)
    for s in (0.1, 0.5, 0.9):
        assert sum(spline_weights(s)) == pytest.approx(1.0)
    w = random_walk("tiny", 5, 3)
    step = 1e-4

    def z(segment: int, s: float):  # type: ignore[no-untyped-def]
        return realise(point_at(w, segment, s).latent, SHAPE)

    for segment in range(5):
        corner = z(segment, 0.0)
        before = (corner - z((segment - 1) % 5, 1.0 - step)) / step
        after = (z(segment, step) - corner) / step
        assert ((before - after).norm() / after.norm()).item() < 0.01


def test_a_smooth_walk_stays_among_the_draws() -> None:
    w = random_walk("tiny", 4, 11, fps=10)
    for point in plan_frames(w).points():
        z = realise(point.latent, (3, 16, 16))
        assert abs(z.square().mean().item() - 1.0) < 5 * math.sqrt(2 / z.numel())


def test_a_noise_loop_goes_round_one_circle() -> None:
    w = noise_loop("tiny", 3, seconds=4, fps=10)
    plan = plan_frames(w)
    assert plan.total == 40
    a, b = noise([3, 4], SHAPE)
    for point in plan.points():
        z = realise(point.latent, SHAPE)
        # In the plane of a and b: nothing is left after taking out both.
        u = a / a.norm()
        v = b - u * (u * b).sum()
        v = v / v.norm()
        rest = z - u * (u * z).sum() - v * (v * z).sum()
        assert rest.norm().item() < 1e-9
    assert w.keyframes[2].latent == BlendLatent(((SeedLatent(3), -1.0),))


# --- constant pace ------------------------------------------------------------------------------


def test_the_pace_spreads_the_frames_by_the_change() -> None:
    pace = (((0.0, 0.0), (0.5, 9.0), (1.0, 10.0)), ((0.0, 0.0), (1.0, 30.0)))
    w = walk(2.0, 2.0, 2.0, holds=(0.0, 0.5, 0.0), fps=10, constant_pace=True, pace=pace)
    even, plain = plan_frames(w), plan_frames(dataclasses.replace(w, constant_pace=False))
    assert even.total == plain.total
    assert even.arrive == (0, 10, 45)  # a quarter of the change, a quarter of 40 moving frames
    assert even.leave[1] - even.arrive[1] == plain.leave[1] - plain.arrive[1] == 5

    def far(frame: int) -> float:
        place = even.place(frame)
        (s0, d0), (s1, d1) = next(p for p in zip(pace[0], pace[0][1:], strict=False) if p[1][0] >= place.s)
        return d0 + (d1 - d0) * (place.s - s0) / (s1 - s0)

    steps = [far(frame + 1) - far(frame) for frame in range(9)]
    assert max(steps) - min(steps) < 1e-9


def test_a_walk_where_nothing_changes_keeps_its_times() -> None:
    still = (((0.0, 0.0), (1.0, 0.0)),)
    w = walk(1.0, 1.0, fps=10, constant_pace=True, pace=still)
    assert plan_frames(w).total == 11
    half_still = (((0.0, 0.0), (1.0, 0.0)), ((0.0, 0.0), (1.0, 5.0)))
    plan = plan_frames(walk(1.0, 1.0, 1.0, fps=10, constant_pace=True, pace=half_still))
    assert plan.total == 21
    assert all(0.0 <= plan.place(frame).s < 1.0 for frame in range(plan.total))


# --- files --------------------------------------------------------------------------------------


def kept(tmp_path: Path) -> FileLatent:
    path = tmp_path / "from" / "a.safetensors"
    write_latent(path, Latent(noise([1], SHAPE)[0], "tiny"))
    return FileLatent(str(path), file_sha256(path))


def test_a_file_gives_the_walk_back_wherever_it_is_moved(tmp_path: Path) -> None:
    source = kept(tmp_path)
    first = Keyframe(
        BlendLatent(((source, 0.5), (SeedLatent(2), 0.5))), ((None, 0.5), (1, 0.5)), 1.5, 0.5, 3.0,
        (0.1, 0.2, 0.3, 0.4), "Here",
    )  # fmt: skip
    second = Keyframe(SlerpLatent(source, SeedLatent(2**53 - 1), 0.3))
    pace = (((0.0, 0.0), (1.0, 2.0)), ((0.0, 0.0), (0.5, 1.0), (1.0, 4.0)))
    w = Walk("tiny", (first, second), 24.0, True, "smooth", True, pace, "A walk")
    write_walk(tmp_path / "saved" / "walk.toml", w)
    (tmp_path / "saved").rename(tmp_path / "moved")
    Path(source.path).unlink()
    back = read_walk(tmp_path / "moved" / "walk.toml")
    (there,) = file_latents(back)
    assert Path(there.path).is_file()
    assert there.sha256 == source.sha256
    assert back.pace == w.pace
    assert [k.label for k in back.keyframes] == [k.label for k in w.keyframes]
    assert back.keyframes[0].easing == (0.1, 0.2, 0.3, 0.4)
    same = realise(back.keyframes[0].latent, SHAPE, "tiny")
    again = realise(BlendLatent(((there, 0.5), (SeedLatent(2), 0.5))), SHAPE, "tiny")
    assert (same - again).norm().item() == 0.0


def test_a_walk_of_seeds_is_the_same_walk(tmp_path: Path) -> None:
    w = random_walk("tiny", 4, 9, labels=(0, None, 2))
    write_walk(tmp_path / "walk.toml", w)
    assert read_walk(tmp_path / "walk.toml") == w
    assert not (tmp_path / "walk.latents").exists()


def test_a_missing_latent_stops_the_saving(tmp_path: Path) -> None:
    w = Walk("tiny", (Keyframe(FileLatent(str(tmp_path / "gone"))), Keyframe(SeedLatent(1))))
    with pytest.raises(BadRequest, match="Couldn't read the latent"):
        write_walk(tmp_path / "walk.toml", w)
    assert not (tmp_path / "walk.toml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a walk"),
        ("kind = 3", "not a walk"),
        ("genie = 1\nkind = 'walk'", "incomplete|keyframe"),
        ("genie = 99\nkind = 'walk'", "version 99"),
        ("genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = [{latent = {seed = 1}}]", "one keyframe"),
        ("genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = [{latent = {seed = -1}}]", "seed is -1"),
        (
            "genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = [{latent = {seed = 1}, hold = -2}]",
            "hold is -2",
        ),
        ("genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = [{latent = {seed = 1}, colour = 2}]", "colour"),
        ("genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = 7", "not a list"),
        ("genie = 1\nkind = 'walk'\nmodel = 'm'\nkeyframes = []\npace = 3", "incomplete"),
        ("not toml at all", "not a readable walk"),
    ],
)
def test_a_file_that_is_no_walk_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "walk.toml").write_text(text, encoding="utf-8")
    with pytest.raises(BadRequest, match=said):
        read_walk(tmp_path / "walk.toml")


def test_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"Couldn.t read .*walk\.toml"):
        read_walk(tmp_path / "walk.toml")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"fps": 0.0}, "fps"),
        ({"fps": 1000.0}, "fps"),
        ({"fps": math.nan}, "fps"),
        ({"keyframes": ()}, "keyframes"),
        ({"path": "straight"}, "path"),
        ({"pace": (((0.0, 0.0), (1.0, 1.0)),) * 5}, "pace"),
        ({"keyframes": (Keyframe(SeedLatent(0), seconds=3600.0),) * 200, "fps": 60.0}, "fps"),
    ],
)
def test_a_walk_that_can_not_be_says_which_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        dataclasses.replace(walk(1.0, 1.0), **change)  # type: ignore[arg-type]
    assert caught.value.field == field
