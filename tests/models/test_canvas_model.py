"""The canvas: live batches, finished ones with steps, comparing."""

from __future__ import annotations

import dataclasses
import re

import pytest
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from app.failure import Failure
from app.models.canvas import CanvasModel, ComparePane
from app.preview import Mailbox, to_qimage
from engine.messages import GenerateRequest, Loading, Notice, Pictures, Progress
from tests.fake_engine import fake_catalogue, fake_pictures, fake_result

REQUEST = GenerateRequest("fashion32", seed=7, labels=(0, 1, 2, 3, 4, 5), steps=4)
MODEL = fake_catalogue().model("fashion32")


@pytest.fixture
def canvas(qtbot: QtBot) -> CanvasModel:
    return CanvasModel()


def progress(first: int, count: int, step: int, done: int, preview: Pictures | None = None) -> Progress:
    return Progress(first, count, step, 4, 1 - step / 4, done, 12, 0.5 * done, 0.5 * (12 - done), preview)


def test_blank_tiles_at_once_then_groups_fill_in(canvas: CanvasModel) -> None:
    touched: list[tuple[int, int]] = []
    canvas.begin(REQUEST, MODEL, "starting")
    canvas.pictures_changed.connect(lambda first, count: touched.append((first, count)))
    assert (canvas.state, canvas.count) == ("starting", 6)
    assert not any(canvas.begun(i) for i in range(6))
    assert canvas.picture(0) is None
    blank = canvas.pictures
    assert blank is not None
    assert (blank.count, blank.width, blank.data) == (6, 8, bytes(6 * 64))
    canvas.on_event(progress(0, 2, 1, 1, fake_pictures(2, 10)))
    canvas.on_event(progress(2, 2, 1, 5, fake_pictures(2, 20)))
    canvas.on_event(progress(2, 2, 2, 6, fake_pictures(2, 30)))
    assert touched == [(0, 2), (2, 2), (2, 2)]
    assert [canvas.begun(i) for i in range(6)] == [True] * 4 + [False] * 2
    merged = canvas.pictures
    assert merged is not None
    assert merged.data == fake_pictures(2, 10).data + fake_pictures(2, 30).data + bytes(2 * 64)
    assert canvas.picture(3) == fake_pictures(2, 30).one(1)


def test_a_preview_of_another_size_than_the_card_says(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, None)
    assert canvas.pictures is None
    canvas.on_event(progress(4, 2, 1, 1, fake_pictures(2, 9, size=4, channels=3)))
    assert canvas.pictures is not None
    assert (canvas.pictures.width, canvas.pictures.channels, canvas.begun(4)) == (4, 3, True)


def test_a_preview_that_does_not_fit_the_batch_is_cut(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.on_event(progress(4, 4, 1, 1, fake_pictures(4, 9)))
    assert canvas.pictures is not None
    assert canvas.pictures.count == 6
    assert canvas.picture(5) == fake_pictures(4, 9).one(1)
    canvas.on_event(progress(6, 1, 1, 2, fake_pictures(1, 9)))
    assert canvas.pictures.count == 6


def test_a_preview_that_comes_after_the_result_is_dropped(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.show_result(fake_result(REQUEST))
    canvas.show_preview(progress(0, 6, 4, 4, fake_pictures(6, 1)))
    assert canvas.pictures == fake_result(REQUEST).pictures
    canvas.clear()
    canvas.show_preview(progress(0, 6, 4, 4, fake_pictures(6, 1)))
    assert canvas.pictures is None


def test_progress_numbers(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.on_event(Loading("fashion32", 0.5))
    assert (canvas.state, canvas.progress.loading) == ("loading", 0.5)
    canvas.on_event(progress(2, 2, 3, 7))  # the third step of the second of three groups
    shown = canvas.progress
    assert (shown.step, shown.steps, shown.evaluations, shown.first, shown.count) == (3, 4, 7, 2, 2)
    assert shown.seconds_per_step == pytest.approx(0.5)
    assert shown.seconds_left == pytest.approx(2.5)
    assert shown.fraction == pytest.approx(7 / 12)
    assert canvas.state == "running"


def test_done_recovered_stopped_failed(canvas: CanvasModel) -> None:
    seen: list[str] = []
    canvas.state_changed.connect(seen.append)
    canvas.begin(REQUEST, MODEL)
    canvas.show_result(fake_result(REQUEST))
    canvas.begin(REQUEST, MODEL)
    canvas.on_event(Notice("The batch was halved."))
    assert canvas.notices == ("The batch was halved.",)
    canvas.show_result(fake_result(REQUEST, notices=["The batch was halved."]))
    canvas.begin(REQUEST, MODEL)
    canvas.on_event(progress(0, 6, 1, 1, fake_pictures(6, 1)))
    canvas.stop(None)
    assert (canvas.kept, canvas.count, canvas.begun(5)) == (0, 6, True)  # the last preview stays
    canvas.begin(REQUEST, MODEL)
    canvas.stop(fake_result(REQUEST, 2))
    assert (canvas.kept, canvas.count) == (2, 2)
    canvas.begin(REQUEST, MODEL)
    canvas.fail(Failure("It broke.", kind="bug"))
    assert canvas.failure == Failure("It broke.", kind="bug")
    canvas.begin(REQUEST, MODEL)
    assert canvas.failure is None
    assert seen == [
        "running", "done", "running", "recovered", "running", "stopped", "running", "stopped", "running",
        "failed", "running",
    ]  # fmt: skip
    canvas.clear()
    assert (canvas.state, canvas.count, canvas.request) == ("empty", 0, None)


def test_pictures_are_announced_in_the_state_they_are_in(canvas: CanvasModel) -> None:
    said: list[str] = []
    for signal in (canvas.step_changed, canvas.request_changed, canvas.state_changed):
        signal.connect(lambda *_: said.append(canvas.state))
    canvas.begin(REQUEST, MODEL)
    assert said == ["running"] * 3
    canvas.show_result(fake_result(REQUEST))
    assert said[3:] == ["done"] * 3
    canvas.begin(REQUEST, MODEL)
    assert said[6:] == ["running"] * 3


def test_selection_is_clipped_and_survives_the_result(canvas: CanvasModel) -> None:
    canvas.select_next()
    assert canvas.selected == -1
    canvas.begin(REQUEST, MODEL)
    canvas.select_previous()
    assert canvas.selected == 0
    canvas.select_next(4)
    canvas.select_next(4)
    assert canvas.selected == 5
    canvas.show_result(fake_result(REQUEST))
    assert canvas.selected == 5
    assert (canvas.seed_of(5), canvas.label_of(5)) == (12, 5)
    canvas.begin(REQUEST, MODEL)
    canvas.stop(fake_result(REQUEST, 2))
    assert canvas.selected == 1
    canvas.select(9)
    assert canvas.selected == -1
    assert canvas.seed_of(9) is None


def test_scrubbing_through_the_steps(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.show_step(2)
    assert canvas.shown_step is None  # nothing to scrub while it runs
    result = fake_result(REQUEST)
    canvas.show_result(result)
    changes: list[int | None] = []
    canvas.step_changed.connect(lambda: changes.append(canvas.shown_step))
    canvas.show_step(1)
    assert canvas.pictures == result.steps[1].pictures
    assert canvas.picture(3) == result.steps[1].pictures.one(3)
    canvas.step_by(-5)
    assert canvas.pictures == result.steps[0].pictures
    canvas.step_by(3)
    canvas.step_by(1)  # beyond the last step: the finished picture
    assert canvas.pictures == result.pictures
    canvas.step_by(-1)
    canvas.show_step(99)
    canvas.show_step(None)
    assert changes == [1, 0, 3, None, 3, None]
    canvas.show_step(2)
    canvas.begin(REQUEST, MODEL)
    assert canvas.shown_step is None


def test_modes(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.set_mode("compare")
    assert canvas.mode == "grid"  # nothing to compare
    canvas.set_mode("single")
    assert (canvas.mode, canvas.selected) == ("single", 0)
    canvas.begin(REQUEST, MODEL)
    assert canvas.mode == "single"
    canvas.clear()
    assert canvas.mode == "grid"
    with pytest.raises(ValueError, match="no mode"):
        canvas.set_mode("mosaic")


def test_comparing_with_the_batch_before(canvas: CanvasModel) -> None:
    canvas.begin(REQUEST, MODEL)
    canvas.show_result(fake_result(REQUEST))
    assert not canvas.can_compare
    assert not canvas.compare()
    other = dataclasses.replace(REQUEST, solver="ddim", steps=25)
    canvas.begin(other, MODEL)
    canvas.show_result(fake_result(other))
    canvas.select(3)
    assert canvas.can_compare
    assert canvas.compare()
    assert canvas.mode == "compare"
    assert canvas.panes is not None
    left, right = canvas.panes
    assert (left.request, right.request, left.index, right.index) == (REQUEST, other, 3, 3)
    assert left.picture == fake_result(REQUEST).pictures.one(3)
    assert canvas.differing == [("Solver", "genie", "ddim"), ("Steps", "4", "25")]
    assert canvas.difference is not None
    assert (canvas.difference.rmse, canvas.difference.largest) == (0.0, 0)
    canvas.swap_panes()
    assert canvas.differing[0] == ("Solver", "ddim", "genie")
    canvas.begin(REQUEST, MODEL)
    assert canvas.mode == "compare"  # a new job does not take a comparison away
    canvas.leave_compare()
    assert (canvas.mode, canvas.panes, canvas.difference) == ("grid", None, None)


def test_a_pinned_picture_is_the_left_side_and_its_own_seed_and_class_are_compared(
    canvas: CanvasModel,
) -> None:
    canvas.show_result(fake_result(REQUEST))
    assert canvas.pin(0)
    canvas.select(2)
    assert canvas.compare()
    assert canvas.differing == [("Seed", "7", "9"), ("Class", "class 0", "class 2")]
    canvas.set_catalogue(fake_catalogue())
    assert canvas.differing == [("Seed", "7", "9"), ("Class", "T-shirt", "Pullover")]
    canvas.unpin()
    assert canvas.pinned is None


def pane(*levels: int, width: int = 2, channels: int = 1) -> ComparePane:
    height = len(levels) // width // channels
    return ComparePane("", Pictures(1, width, height, channels, bytes(levels)), REQUEST)


def test_the_difference_is_absolute_brightened_and_measured(canvas: CanvasModel) -> None:
    canvas.compare_with(pane(10, 20, 30, 40), pane(13, 20, 26, 40), "difference")
    assert canvas.mode == "difference"
    assert canvas.difference is not None
    assert canvas.difference.picture is not None
    assert (canvas.difference.gain, canvas.difference.largest) == (16, 4)
    assert canvas.difference.picture.data == bytes([48, 0, 64, 0])
    assert canvas.difference.rmse == pytest.approx(2.5)  # sqrt((9 + 16) / 4)
    canvas.compare_with(pane(0, 255), pane(255, 0))
    assert canvas.difference.picture.data == b"\xff\xff"
    assert canvas.difference.gain == 1


def test_grey_and_colour_can_be_subtracted_other_sizes_can_not(canvas: CanvasModel) -> None:
    canvas.compare_with(pane(10, 10), pane(10, 11, 12, 10, 10, 10, channels=3))
    assert canvas.difference is not None
    assert canvas.difference.picture is not None
    assert canvas.difference.picture.data == bytes([0, 16, 32, 0, 0, 0])
    canvas.compare_with(pane(1, 2), pane(1, 2, 3, 4))
    assert canvas.difference.picture is None
    assert re.search("2x1 and 2x2", canvas.difference.note)


def test_the_slider_stays_inside(canvas: CanvasModel) -> None:
    canvas.set_slider(7.0)
    assert canvas.slider == 1.0
    canvas.set_slider(-1.0)
    assert canvas.slider == 0.0


def test_pictures_from_elsewhere(canvas: CanvasModel) -> None:
    canvas.show_pictures(REQUEST, fake_pictures(6, 3), [11, 12, 13, 14, 15, 16], "From the history")
    assert (canvas.state, canvas.record_ids[2], canvas.title, canvas.steps) == (
        "done",
        13,
        "From the history",
        (),
    )


def test_the_mailbox_keeps_the_newest_and_counts_time() -> None:
    now = [0.0]
    box = Mailbox(0.08, lambda: now[0])
    assert box.wants_preview()
    assert box.put(1, progress(0, 1, 1, 1))
    assert not box.wants_preview()
    assert not box.put(1, progress(0, 1, 2, 2))  # nobody has looked yet: no second signal
    now[0] = 0.081
    assert box.wants_preview()
    assert box.take() == (1, progress(0, 1, 2, 2))
    assert box.take() is None
    assert box.put(2, progress(0, 1, 3, 3))
    box.clear()
    assert box.wants_preview()
    assert box.take() is None


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_with_an_odd_width_becomes_an_image_of_its_own(channels: int) -> None:
    size = 5 * 3 * channels
    pictures = Pictures(2, 5, 3, channels, bytes(range(2 * size)))
    image = to_qimage(pictures, 1)
    del pictures
    assert (image.width(), image.height()) == (5, 3)
    for y in range(3):
        for x in range(5):
            first = size + (y * 5 + x) * channels
            expected = QColor(first, first, first) if channels == 1 else QColor(first, first + 1, first + 2)
            assert image.pixelColor(x, y) == expected
    assert image.format() == (
        QImage.Format.Format_Grayscale8 if channels == 1 else QImage.Format.Format_RGB888
    )
    with pytest.raises(IndexError):
        to_qimage(fake_pictures(1), 1)
