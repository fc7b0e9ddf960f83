"""The canvas: crisp pictures, pointer and keys, and a face for every state."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from pytestqt.qtbot import QtBot

from app.failure import Failure
from app.models.progress import CanvasProgress
from app.models.studio import Studio
from app.store import Store
from app.views import theme, tokens
from app.views.canvas import CanvasPanel
from app.views.canvas_states import StateLine, progress_words
from app.views.image_grid import ImageGrid, best_columns
from app.views.image_view import ImageView
from app.views.picture_images import draw_enlarged, to_image
from app.views.zoom_view import ZOOMS, fitting_zoom, next_zoom
from engine.messages import Pictures
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import PATIENCE_MS, drag, finish, pixels, show, studio_with, wheel


def noise(count: int, size: int, channels: int = 1) -> Pictures:
    data = random.Random(7).randbytes(count * size * size * channels)
    return Pictures(count, size, size, channels, data)


def gray_at(pictures: Pictures, index: int, x: int, y: int) -> int:
    return pictures.data[index * pictures.stride + y * pictures.width + x]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def studio(qtbot: QtBot, engine: FakeEngine) -> Iterator[Studio]:
    with studio_with(qtbot, engine) as made:
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> CanvasPanel:
    made = CanvasPanel(studio)
    show(qtbot, made, 640, 640)
    return made


@pytest.fixture
def grid(qtbot: QtBot) -> ImageGrid:
    """Nine pictures of 8x8 noise."""
    theme.current().install("dark")
    batch = noise(9, 8)
    made = ImageGrid(batch.one, lambda index: f"seed {index}")
    made.set_batch(9, QSize(8, 8))
    show(qtbot, made, 300, 260)
    return made


# --- the grid by itself ---


def test_every_pixel_of_the_grid_is_a_pixel_of_the_source(grid: ImageGrid) -> None:
    batch = noise(9, 8)
    screen = pixels(grid)
    zoom = int(grid.zoom)
    assert grid.zoom == zoom >= 2
    for index in range(9):
        corner = grid.tile_rect(index).topLeft()
        for y in range(8 * zoom):
            for x in range(8 * zoom):
                wanted = gray_at(batch, index, x // zoom, y // zoom)
                assert screen.pixelColor(corner + QPoint(x, y)).getRgb()[:3] == (wanted,) * 3


def test_a_colour_picture_keeps_its_colours() -> None:
    batch = noise(2, 5, channels=3)  # 15 bytes a line: not a multiple of four
    image = to_image(batch, 1)
    start = batch.stride + 3 * (2 * 5 + 3)
    assert image.pixelColor(3, 2).getRgb()[:3] == tuple(batch.data[start : start + 3])


def test_wheel_keeps_the_point_under_the_pointer(grid: ImageGrid) -> None:
    pointer = grid.tile_rect(4).center().toPointF() / grid.devicePixelRatioF()
    before = grid.anchor_at(grid.to_device(pointer) - grid.origin.toPointF(), grid.zoom)
    for notches in (1, 2, -1, 3, -2):
        zoom = grid.zoom
        wheel(grid, pointer, notches)
        assert grid.zoom == next_zoom(zoom, notches)
        after = grid.anchor_at(grid.to_device(pointer) - grid.origin.toPointF(), grid.zoom)
        # To the nearest screen pixel each time: never farther off than a fraction of a picture's.
        assert abs(after.x() - before.x()) < 0.02
        assert abs(after.y() - before.y()) < 0.02


def test_only_what_changed_is_asked_for_again(qtbot: QtBot) -> None:
    asked: list[int] = []
    batch = noise(16, 8)

    def source(index: int) -> Pictures | None:
        asked.append(index)
        return batch.one(index)

    grid = ImageGrid(source, str)
    grid.set_batch(16, QSize(8, 8))
    show(qtbot, grid, 300, 300)
    grid.grab()
    assert sorted(asked) == list(range(16))
    asked.clear()
    grid.pictures_changed(4, 2)
    grid.grab()
    assert asked == [4, 5]


def test_what_looks_the_same_is_not_painted_again(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [noise(4, 8)]
    grid = ImageGrid(lambda index: batch[0].one(index), str)
    grid.set_batch(4, QSize(8, 8))
    show(qtbot, grid, 300, 300)
    grid.grab()
    painted: list[QRect] = []
    monkeypatch.setattr(grid, "update", lambda rect: painted.append(rect))
    grid.pictures_changed(0, 4)
    grid.set_batch(4, QSize(8, 8))
    assert painted == []
    batch[0] = dataclasses.replace(batch[0], data=batch[0].data[:-1] + bytes([batch[0].data[-1] ^ 255]))
    grid.pictures_changed(0, 4)
    assert painted == [grid.device_rect_to_widget(grid.tile_rect(3))]


def test_placeholders_stand_where_nothing_has_come(qtbot: QtBot) -> None:
    theme.current().install("dark")
    grid = ImageGrid(lambda index: noise(1, 8) if index == 0 else None, str)
    grid.set_batch(2, QSize(8, 8))
    show(qtbot, grid, 300, 200)
    assert pixels(grid).pixelColor(grid.tile_rect(1).center()) == theme.current().color("groove")


def test_large_pictures_are_averaged_down(qtbot: QtBot) -> None:
    halves = Pictures(1, 512, 512, 1, bytes([0, 200] * (256 * 512)))
    grid = ImageGrid(lambda _index: halves, str)
    grid.set_batch(4, QSize(512, 512))
    show(qtbot, grid, 300, 300)
    assert grid.zoom < 1
    assert abs(pixels(grid).pixelColor(grid.tile_rect(3).center()).red() - 100) < 20


def test_drag_pans_and_does_not_click(grid: ImageGrid, qtbot: QtBot) -> None:
    for button in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
        before = grid.origin
        with qtbot.assertNotEmitted(grid.opened):
            drag(grid, QPoint(150, 130), QPoint(170, 120), button)
        assert grid.origin - before == QPoint(20, -10) * grid.devicePixelRatioF()
    assert not grid.fitted
    qtbot.keyClick(grid, Qt.Key.Key_0)
    assert grid.fitted
    qtbot.keyClick(grid, Qt.Key.Key_1)
    assert grid.zoom == 1


def test_selection_far_down_is_brought_into_view(qtbot: QtBot) -> None:
    grid = ImageGrid(lambda _index: noise(1, 8), str)
    grid.set_batch(1000, QSize(8, 8))
    show(qtbot, grid, 300, 300)
    assert grid.tile_rect(999).top() > 300
    grid.set_selection(999)
    assert grid.rect().contains(grid.device_rect_to_widget(grid.tile_rect(999)))


def test_hover_names_the_picture_under_the_pointer(grid: ImageGrid, qtbot: QtBot) -> None:
    calm = pixels(grid)
    place = (grid.tile_rect(4).center().toPointF() / grid.devicePixelRatioF()).toPoint()
    qtbot.mouseMove(grid, place)
    assert grid.index_at(QPointF(place)) == 4
    assert pixels(grid) != calm


@given(
    count=st.integers(1, 300),
    width=st.integers(50, 2000),
    height=st.integers(50, 2000),
    side=st.sampled_from([8, 32, 64, 512]),
)
@settings(deadline=None, max_examples=60)
def test_no_other_number_of_columns_shows_them_larger(count: int, width: int, height: int, side: int) -> None:
    def zoom(columns: int) -> float:
        rows = -(-count // columns)
        room = QSize(width - 8 * (columns - 1), height - 8 * (rows - 1))
        if room.isEmpty():
            return 0.0
        return fitting_zoom(QSize(side * columns, side * rows), room)

    best = best_columns(count, QSize(side, side), QSize(width, height), 8)
    assert zoom(best) == max(zoom(columns) for columns in range(1, count + 1))


@given(st.sampled_from(ZOOMS), st.integers(1, 5))
def test_zooming_in_and_out_again_comes_back(zoom: float, notches: int) -> None:
    there = next_zoom(zoom, notches)
    if there < ZOOMS[-1]:
        assert next_zoom(there, -notches) == zoom


def test_single_picture_is_crisp(qtbot: QtBot) -> None:
    picture = noise(1, 8)
    view = ImageView()
    view.set_image(to_image(picture), "")
    show(qtbot, view, 200, 200)
    screen, rect, zoom = pixels(view), view.image_rect(), int(view.zoom)
    for y in range(rect.height()):
        for x in range(rect.width()):
            wanted = gray_at(picture, 0, x // zoom, y // zoom)
            assert screen.pixelColor(rect.topLeft() + QPoint(x, y)).red() == wanted


@given(st.integers(1, 220), st.integers(1, 24))
@settings(deadline=None, max_examples=25)
def test_every_pixel_has_its_place_however_far_it_is_enlarged(zoom: int, side: int) -> None:
    image = to_image(Pictures(1, side, 1, 1, bytes(range(0, 10 * side, 10))))
    screen = QImage(side * zoom + 50, zoom, QImage.Format.Format_RGB32)
    painter = QPainter(screen)
    draw_enlarged(painter, QPoint(7, 0), image, zoom, screen.rect())
    painter.end()
    for x in range(side):
        for inside in (0, zoom - 1):
            assert screen.pixelColor(7 + x * zoom + inside, zoom // 2).red() == 10 * x


@pytest.mark.parametrize("scale", ["1.5", "2"])
def test_pictures_are_crisp_on_a_dense_screen(root: Path, scale: str) -> None:
    """The tests above that compare pixels, on such a screen: it is chosen when Qt starts."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "every_pixel or single_picture",
            __file__,
        ],
        cwd=root,
        env={**os.environ, "QT_SCALE_FACTOR": scale},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


# --- the panel over a studio ---


def test_empty_canvas_offers_ankle_boots_and_makes_them(
    qtbot: QtBot, panel: CanvasPanel, studio: Studio, engine: FakeEngine
) -> None:
    assert panel.stack.currentWidget() is panel.empty
    assert panel.empty.button.text() == "Generate 16 ankle boots"
    qtbot.mouseClick(panel.empty.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: studio.canvas.state == "done", timeout=PATIENCE_MS)
    assert engine.requests[0].labels == (9,) * 16
    assert panel.stack.currentWidget() is panel.grid
    assert "10 evaluations" in panel.line.right.text()


def test_a_click_opens_and_arrows_move(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    finish(qtbot, studio, count=9, seed=500)
    grid = panel.grid
    place = (grid.tile_rect(4).center().toPointF() / grid.devicePixelRatioF()).toPoint()
    qtbot.mouseClick(grid, Qt.MouseButton.LeftButton, pos=place)
    assert (studio.canvas.selected, studio.canvas.mode) == (4, "single")
    assert panel.stack.currentWidget() is panel.single
    assert panel.single.image.pixelColor(0, 0).red() == 4  # the fake engine numbers its pictures
    qtbot.keyClick(panel.single, Qt.Key.Key_Right)
    assert panel.single.image.pixelColor(0, 0).red() == 5
    assert "seed 505" in panel.line.left.text()
    qtbot.keyClick(panel.single, Qt.Key.Key_Escape)
    assert panel.stack.currentWidget() is panel.grid
    qtbot.keyClick(grid, Qt.Key.Key_Down)
    assert studio.canvas.selected == 5 + grid.columns
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    assert studio.canvas.selected == 0
    qtbot.keyClick(grid, Qt.Key.Key_Return)
    assert studio.canvas.mode == "single"


def test_space_shows_it_large_and_esc_closes(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    finish(qtbot, studio, count=4)
    studio.canvas.select(1)
    qtbot.keyClick(panel.grid, Qt.Key.Key_Space)
    preview = panel._preview
    assert preview is not None
    assert preview.isVisible()
    assert preview.geometry() == panel.window().rect()
    qtbot.keyClick(preview, Qt.Key.Key_Right)
    assert studio.canvas.selected == 2
    assert preview.image.pixelColor(0, 0).red() == 2
    qtbot.keyClick(preview, Qt.Key.Key_Escape)
    assert not preview.isVisible()
    assert studio.canvas.mode == "grid"


def test_the_grid_fills_in_live_and_says_how_far_it_is(qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True)
    with studio_with(qtbot, engine) as studio:
        panel = CanvasPanel(studio)
        show(qtbot, panel, 640, 640)
        studio.settings.set_values({"count": 4, "steps": 10})
        studio.generate()
        assert panel.stack.currentWidget() is panel.grid
        assert pixels(panel.grid).pixelColor(panel.grid.tile_rect(0).center()) == theme.current().color(
            "groove"
        )
        engine.open(2)  # loading, the first step
        qtbot.waitUntil(lambda: studio.canvas.progress.step == 1, timeout=PATIENCE_MS)
        qtbot.waitUntil(lambda: studio.canvas.begun(3), timeout=PATIENCE_MS)
        assert pixels(panel.grid).pixelColor(panel.grid.tile_rect(3).center()).red() == 1
        assert panel.line.left.text().startswith("step 1/10 · 1 evaluation")
        assert panel.line.right.text().endswith("left")
        assert panel.line.bar.value() == 100
        assert panel.filmstrip.accessibleDescription() == "Step 1 of 10"
        assert not panel.buttons["save"].isEnabled()
        engine.open_all()
        qtbot.waitUntil(lambda: studio.canvas.state == "done", timeout=PATIENCE_MS)
        assert panel.line.bar.isHidden()
        assert panel.buttons["save"].isEnabled()


def test_a_stop_says_what_was_kept(qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True, group=2)
    with studio_with(qtbot, engine) as studio:
        panel = CanvasPanel(studio)
        show(qtbot, panel, 640, 640)
        studio.settings.set_values({"count": 4, "steps": 3})
        studio.generate()
        engine.open(1 + 3 + 1)  # loading, the first group, a step of the second
        for _ in range(6):
            engine.gate.wait_reached()
        studio.stop()
        engine.open_all()
        qtbot.waitUntil(lambda: studio.canvas.state == "stopped", timeout=PATIENCE_MS)
        assert panel.line.left.text() == "Stopped. 2 finished images kept, in the history too."
        assert panel.grid.count == 2


def test_a_failure_says_why_and_can_be_tried_again(
    qtbot: QtBot, panel: CanvasPanel, studio: Studio, engine: FakeEngine
) -> None:
    finish(qtbot, studio, count=1)
    studio.canvas.fail(
        Failure("The weights are cut off. Copy the model again.", None, "bad-checkpoint", "line 1")
    )
    assert panel.stack.currentWidget() is panel.failed
    assert "cut off" in panel.failed.message.text()
    assert panel.failed.details.isHidden()
    panel.failed.fold.click()
    assert panel.failed.details.toPlainText() == "line 1"
    panel.failed.copy.click()
    assert QGuiApplication.clipboard().text() == "The weights are cut off. Copy the model again.\n\nline 1"
    panel.failed.retry.click()
    qtbot.waitUntil(lambda: studio.canvas.state == "done", timeout=PATIENCE_MS)
    assert engine.requests[1] == engine.requests[0]


def test_recovery_says_what_was_changed(qtbot: QtBot) -> None:
    with studio_with(qtbot, FakeEngine(notices=("Memory ran out: 8 images at a time now.",))) as studio:
        panel = CanvasPanel(studio)
        show(qtbot, panel, 640, 640)
        finish(qtbot, studio, count=2)
        assert studio.canvas.state == "recovered"
        assert panel.line.left.text() == "Memory ran out: 8 images at a time now."


def test_the_line_says_which_images_are_made_where_a_batch_goes_in_groups() -> None:
    progress = CanvasProgress(step=3, steps=10, evaluations=13, evaluations_total=20, first=8, count=4)
    assert progress_words(progress, 12)[0] == "images 9 to 12 of 12 · step 3/10"
    assert (
        progress_words(dataclasses.replace(progress, first=0, count=12), 12)[0]
        == "step 3/10 · 13 evaluations"
    )


def test_words_at_the_right_of_the_line_give_way(qtbot: QtBot, dressed: theme.Theme) -> None:
    line = StateLine()
    show(qtbot, line, 600, 36)
    line.say("6 of 16 · Ankle boot · seed 1727053763", "10 evaluations · 0.50 s")
    assert line.right.isVisible()
    line.window().resize(330, 36)
    qtbot.waitUntil(lambda: not line.right.isVisible())
    qtbot.waitUntil(lambda: not line.left.wordWrap())  # which leaves room for all of these
    line.window().resize(200, 36)
    qtbot.waitUntil(line.left.wordWrap)  # two small lines, and nothing is cut
    assert line.left.heightForWidth(line.left.width()) <= line.left.height()


def test_the_line_says_that_the_engine_starts(qtbot: QtBot) -> None:
    engine = FakeEngine(gate_load=True)
    theme.current().install("dark")
    studio = Studio(Store(None), lambda: engine)
    panel = CanvasPanel(studio)
    show(qtbot, panel, 640, 640)
    with qtbot.waitSignal(studio.catalogue_changed):
        studio.start()
    studio.generate()  # what is pressed now is done as soon as it can
    assert panel.line.isVisible()
    assert panel.line.left.text().startswith("Starting the engine")
    assert panel.grid.count == 16
    engine.open_all()
    qtbot.waitUntil(lambda: studio.canvas.state == "done", timeout=PATIENCE_MS)
    studio.shutdown()


def test_the_steps_are_played_once_and_stop_at_the_picture(
    qtbot: QtBot, panel: CanvasPanel, studio: Studio
) -> None:
    assert not panel.play.isEnabled()
    finish(qtbot, studio, count=1, steps=3)
    shown: list[int | None] = []
    studio.canvas.step_changed.connect(lambda: shown.append(studio.canvas.shown_step))
    qtbot.keyClick(panel.grid, Qt.Key.Key_P)
    timer = panel.player._timer
    assert panel.player.playing
    assert panel.play.accessibleName() == "Stop at this step"
    interval, timer_stays = timer.interval(), timer.isActive()
    assert timer_stays
    timer.setInterval(0)
    qtbot.waitUntil(lambda: not panel.player.playing)
    assert shown == [0, 1, 2, None]
    assert panel.play.accessibleName() == "Play the steps"
    theme.current().set_still(True)
    qtbot.mouseClick(panel.play, Qt.MouseButton.LeftButton)
    assert timer.interval() == tokens.PLAY_STEP_STILL >= interval
    qtbot.mouseClick(panel.play, Qt.MouseButton.LeftButton)
    assert not panel.player.playing
    assert studio.canvas.shown_step == 0  # it stays where it was stopped
    theme.current().set_still(False)


def test_a_dot_says_that_settings_changed(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    finish(qtbot, studio, count=1, steps=10)
    assert panel.stale.isHidden()
    studio.settings.steps = 12
    assert panel.stale.isVisible()


def test_details_tell_everything(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    finish(qtbot, studio, count=3, pick=(9,), seed=40)
    studio.canvas.select(2)
    qtbot.keyClick(panel.grid, Qt.Key.Key_I)
    words = panel.details.text()
    for fact in (
        "Class: Ankle boot",
        "Seed: 42",
        "In its batch: 3 of 3",
        "As the paper counts: 10",
        "Fake CPU (cpu)",
    ):
        assert fact in words
    qtbot.keyClick(panel.grid, Qt.Key.Key_I)
    assert panel.details.isHidden()


def test_keys_star_and_delete_the_selected_picture(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    finish(qtbot, studio, count=3, seed=60)
    studio.canvas.select(1)
    qtbot.keyClick(panel.grid, Qt.Key.Key_Period)
    assert [studio.history.record_at(row).starred for row in range(3)] == [False, True, False]
    qtbot.keyClick(panel.grid, Qt.Key.Key_Period)
    assert not studio.history.record_at(1).starred
    with qtbot.waitSignal(studio.notice) as notice:
        qtbot.keyClick(panel.grid, Qt.Key.Key_Delete)
    assert [studio.history.record_at(row).seed for row in range(2)] == [60, 62]
    for key in (Qt.Key.Key_Period, Qt.Key.Key_Delete):  # the canvas still shows it
        with qtbot.waitSignal(studio.notice) as refused:
            qtbot.keyClick(panel.grid, key)
        assert "in the trash" in refused.args[0]
    notice.args[2]()
    assert studio.history.total == 3
    assert not studio.history.record_at(1).starred


def test_everything_has_a_name(panel: CanvasPanel) -> None:
    for name, button in panel.buttons.items():
        assert button.accessibleName(), name
        assert button.toolTip(), name
