"""Comparing: true differences, one zoom for both, and the settings that differ."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.models.comparison import ComparePane
from app.models.studio import Studio
from app.views.canvas import CanvasPanel
from engine.messages import GenerateRequest, Pictures
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import add_batch, drag, finish, pixels, show, studio_with, wheel

A = Pictures(1, 8, 8, 1, random.Random(1).randbytes(64))
B = Pictures(1, 8, 8, 1, random.Random(2).randbytes(64))


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_with(qtbot, FakeEngine()) as made:
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> CanvasPanel:
    """A and B side by side."""
    made = CanvasPanel(studio)
    show(qtbot, made, 640, 640)
    one = GenerateRequest("fashion32", seed=5, labels=(9,), solver="genie")
    other = GenerateRequest("fashion32", seed=5, labels=(9,), solver="ddim", steps=25)
    studio.canvas.compare_with(ComparePane("genie 10", A, one), ComparePane("ddim 25", B, other))
    return made


def check(panel: CanvasPanel, corner: QPoint, values: bytes, columns: range = range(8)) -> None:
    """The screen shows `values` (8x8) from `corner` on, in the columns given."""
    screen, zoom = pixels(panel.compare.view), int(panel.compare.view.zoom)
    for y in range(8):
        for x in columns:
            for inside in (QPoint(0, 0), QPoint(zoom - 1, zoom - 1)):
                at = corner + QPoint(x * zoom, y * zoom) + inside
                assert screen.pixelColor(at).red() == values[8 * y + x]


def test_side_by_side_shows_both_in_full(panel: CanvasPanel) -> None:
    view = panel.compare.view
    assert panel.stack.currentWidget() is panel.compare
    check(panel, view.origin, A.data)
    middle = round(view.width() * view.devicePixelRatioF()) // 2
    check(panel, view.origin + QPoint(middle, 0), B.data)


@pytest.mark.parametrize("gain", [1, 4, 64])
def test_the_difference_is_right_at_every_gain(panel: CanvasPanel, gain: int) -> None:
    panel.compare.arrangement.buttons["difference"].click()
    panel.compare.gain.setValue({1: 0, 4: 2, 64: 6}[gain])
    wanted = bytes(min(255, abs(a - b) * gain) for a, b in zip(A.data, B.data, strict=True))
    assert panel.compare.gain_label.text() == f"×{gain}"
    panel.grab()  # lays out what has just been shown
    check(panel, panel.compare.view.origin, wanted)
    largest = max(abs(a - b) for a, b in zip(A.data, B.data, strict=True))
    assert panel.compare.figures.text().endswith(f"at most by {largest}.")


def test_under_the_slider_a_is_left_and_b_right(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    panel.compare.arrangement.buttons["split"].click()
    panel.grab()  # lays out what has just been hidden
    view = panel.compare.view
    middle = view.height() // 2
    drag(view, QPoint(view.width() // 2, middle + 40), QPoint(view.width() // 2 + 100, middle + 40))
    assert studio.canvas.slider == pytest.approx((view.width() / 2 + 100) / view.width())
    zoom = int(view.zoom)
    split = round(view.width() * view.devicePixelRatioF() * view.split)
    left = (split - view.origin.x()) // zoom - 1
    check(panel, view.origin, A.data, range(left))
    check(panel, view.origin, B.data, range(left + 3, 8))
    qtbot.keyClick(view, Qt.Key.Key_Left)
    assert view.split == pytest.approx((view.width() / 2 + 100) / view.width() - 0.02)


def test_zoom_is_one_for_both_and_stays_under_the_pointer(panel: CanvasPanel) -> None:
    view = panel.compare.view
    half = view.width() // 2
    for pointer in (QPointF(half * 0.6, 200), QPointF(half * 1.4, 220)):
        before = view.anchor_at(view.to_device(pointer) - view.origin.toPointF(), view.zoom)
        wheel(view, pointer, 1)
        after = view.anchor_at(view.to_device(pointer) - view.origin.toPointF(), view.zoom)
        assert abs((after - before).manhattanLength()) < 1 / view.zoom
    where = view.origin
    drag(view, QPoint(half + 100, 200), QPoint(half + 130, 190))
    assert view.origin - where == QPoint(30, -10) * view.devicePixelRatioF()


def test_settings_that_differ_are_listed(panel: CanvasPanel, studio: Studio) -> None:
    texts = {label.text() for label in panel.compare.settings.findChildren(QLabel)}
    assert {"Solver", "GENIE", "DDIM", "Steps", "10", "25"} <= texts
    assert "Seed" not in texts
    panel.compare.swap.click()
    check(panel, panel.compare.view.origin, B.data)


def test_pictures_of_two_sizes_say_why_there_is_no_difference(panel: CanvasPanel, studio: Studio) -> None:
    panes = studio.canvas.panes
    assert panes is not None
    small = Pictures(1, 3, 3, 1, bytes(9))  # no whole multiple of which the other is
    studio.canvas.compare_with(panes[0], ComparePane("small", small, panes[1].request), "difference")
    assert "different sizes" in panel.compare.note.text()


def test_c_compares_with_the_batch_before(qtbot: QtBot, studio: Studio) -> None:
    panel = CanvasPanel(studio)
    show(qtbot, panel, 640, 640)
    finish(qtbot, studio, count=2, seed=10)
    assert not panel.buttons["toggle_compare"].isEnabled()
    with qtbot.waitSignal(studio.notice):  # says that there is nothing yet
        qtbot.keyClick(panel.grid, Qt.Key.Key_C)
    finish(qtbot, studio, seed=20)
    qtbot.waitUntil(lambda: studio.canvas.request is not None and studio.canvas.request.seed == 20)
    qtbot.keyClick(panel.grid, Qt.Key.Key_C)
    panes = studio.canvas.panes
    assert panes is not None
    assert [pane.request.seed for pane in panes] == [10, 20]
    assert panel.compare.figures.text() == "The two pictures are the same, pixel for pixel."
    qtbot.keyClick(panel.compare.view, Qt.Key.Key_D)
    assert studio.canvas.mode == "difference"
    qtbot.keyClick(panel.compare.view, Qt.Key.Key_Escape)
    assert panel.stack.currentWidget() is panel.grid


def test_a_picture_of_half_the_size_is_compared_in_blocks(panel: CanvasPanel, studio: Studio) -> None:
    panes = studio.canvas.panes
    assert panes is not None
    small = Pictures(1, 4, 4, 1, bytes(range(0, 160, 10)))
    studio.canvas.compare_with(panes[0], ComparePane("small", small, panes[1].request), "difference")
    assert studio.canvas.panes is not None
    assert studio.canvas.panes[1].picture.data[:8] == bytes([0, 0, 10, 10, 20, 20, 30, 30])
    assert "different sizes" not in panel.compare.note.text()


def test_each_comparison_is_of_what_is_selected(panel: CanvasPanel, studio: Studio, qtbot: QtBot) -> None:
    panel.leave_compare()
    finish(qtbot, studio, count=4, seed=10, pick=(9,), steps=10)
    finish(qtbot, studio, seed=20)

    def seeds() -> list[str]:
        assert studio.canvas.panes is not None
        return [pane.title.split()[-1] for pane in studio.canvas.panes]

    studio.canvas.select(0)
    panel.toggle_compare()
    assert seeds() == ["10", "20"]
    panel.toggle_difference()  # of the same two
    assert (seeds(), studio.canvas.mode) == (["10", "20"], "difference")
    panel.buttons["show_grid"].click()
    assert studio.canvas.panes is None
    studio.canvas.select(2)
    panel.toggle_compare()
    assert seeds() == ["12", "22"]
    panel.buttons["show_single"].click()
    finish(qtbot, studio, seed=30)
    panel.toggle_difference()
    assert (seeds(), studio.canvas.mode) == (["22", "32"], "difference")


def test_show_on_the_canvas_leaves_the_comparison(panel: CanvasPanel, studio: Studio, qtbot: QtBot) -> None:
    (record, *_) = add_batch(studio, 2)
    assert studio.show_record(record)
    assert (studio.canvas.mode, studio.canvas.panes) == ("grid", None)
    assert panel.stack.currentWidget() is panel.grid


def test_a_step_is_compared_as_one(panel: CanvasPanel, studio: Studio, qtbot: QtBot) -> None:
    panel.leave_compare()
    finish(qtbot, studio, count=1, seed=10, pick=(9,), steps=3)
    finish(qtbot, studio)
    studio.canvas.show_step(0)
    panel.toggle_compare()
    assert studio.canvas.panes is not None
    assert studio.canvas.panes[1].title.endswith(", step 1")
    assert studio.canvas.differing == [("Shown", "the finished picture", "step 1 of 3")]
