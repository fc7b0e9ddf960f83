"""The filmstrip: scrubbing through the steps of a finished image."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.views import theme
from app.views.canvas import CanvasPanel
from app.views.filmstrip import Filmstrip
from engine.messages import StepFrame
from tests.fake_engine import FakeEngine, fake_pictures
from tests.views.studio_kit import PATIENCE_MS, drag, finish, pixels, show, studio_with


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    with studio_with(qtbot, FakeEngine()) as made:
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> CanvasPanel:
    """Four pictures made in five steps, on screen."""
    made = CanvasPanel(studio)
    show(qtbot, made, 640, 640)
    finish(qtbot, studio, count=4, steps=5)
    return made


def level(panel: CanvasPanel) -> int:
    """How bright the pictures on the canvas are: the fake engine makes step n 10 n bright."""
    return pixels(panel.grid).pixelColor(panel.grid.tile_rect(1).center()).red()


def test_it_ends_on_the_finished_image(panel: CanvasPanel) -> None:
    strip = panel.filmstrip
    assert strip.isVisible()
    assert strip.positions == 6
    assert strip.shown is None
    assert strip.caption(5) == "finished image"
    assert strip.caption(1) == "step 2 · 2 evaluations · t 0.6"
    assert level(panel) == 255


def test_pressing_and_dragging_scrubs(qtbot: QtBot, panel: CanvasPanel, studio: Studio) -> None:
    strip = panel.filmstrip
    for position in (0, 3):
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.center_of(position))
        assert studio.canvas.shown_step == position
        assert level(panel) == 10 * (position + 1)
    drag(strip, strip.center_of(1), strip.center_of(5))
    assert studio.canvas.shown_step is None
    assert level(panel) == 255


def test_keys_scrub_from_the_strip_and_from_the_pictures(
    qtbot: QtBot, panel: CanvasPanel, studio: Studio
) -> None:
    strip = panel.filmstrip
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert studio.canvas.shown_step == 4
    qtbot.keyClick(strip, Qt.Key.Key_Home)
    assert studio.canvas.shown_step == 0
    assert strip.accessibleDescription().startswith("step 1")
    alt = Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(panel.grid, Qt.Key.Key_Right, alt)
    assert (studio.canvas.shown_step, strip.value()) == (1, 1)
    panel.show_single()
    qtbot.keyClick(panel.single, Qt.Key.Key_Right, alt)
    assert studio.canvas.shown_step == 2
    assert panel.single.image.pixelColor(3, 3).red() == 30
    qtbot.keyClick(strip, Qt.Key.Key_End)
    assert studio.canvas.shown_step is None


def test_a_last_step_like_the_image_is_shown_once(qtbot: QtBot) -> None:
    final = fake_pictures(2, 99)
    frames = tuple(StepFrame(i, 1 - i / 3, i, fake_pictures(2, 33 * i)) for i in (1, 2, 3))
    strip = Filmstrip()
    strip.set_frames(frames, final, 0)
    assert strip.positions == 3
    assert strip.shown is None


def test_thumbnails_are_whole_multiples_of_the_picture(qtbot: QtBot) -> None:
    theme.current().install("dark")
    frames = tuple(StepFrame(i, 1 - i / 4, i, fake_pictures(3, 50 * i)) for i in (1, 2, 3))
    strip = Filmstrip()
    strip.set_frames(frames, fake_pictures(3, 200), 2)
    show(qtbot, strip, 400, strip.sizeHint().height())
    side = strip.thumb_side()
    assert side % 8 == 0
    screen, zoom = pixels(strip), side // 8
    corner = strip.center_of(0) * strip.devicePixelRatioF() - QPoint(side // 2, side // 2)
    for y in range(side):
        for x in range(side):
            wanted = 2 if x < zoom and y < zoom else 50  # picture 2 has a 2 in its first pixel
            assert screen.pixelColor(corner + QPoint(x, y)).red() == wanted


def test_a_hundred_steps_can_each_be_reached(qtbot: QtBot) -> None:
    frames = tuple(StepFrame(i, 1 - i / 100, i, fake_pictures(1, i)) for i in range(1, 101))
    strip = Filmstrip()
    strip.set_frames(frames, fake_pictures(1, 255), 0)
    show(qtbot, strip, 400, strip.sizeHint().height())
    reached = {strip.position_at(x / 4) for x in range(4 * 400)}
    assert reached == set(range(101))


def test_the_steps_so_far_can_be_looked_at_while_it_goes_on(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.engine_worker.PROGRESS_INTERVAL", 0.0)
    engine = FakeEngine(gated=True)
    with studio_with(qtbot, engine) as studio:
        studio.host.mailbox._interval = 0.0  # every step has a preview
        panel = CanvasPanel(studio)
        show(qtbot, panel, 640, 640)
        studio.settings.set_values({"count": 4, "steps": 5})
        studio.generate()
        strip, canvas = panel.filmstrip, studio.canvas
        engine.open(1)  # Loading
        for step in (1, 2, 3):
            engine.open(1)
            qtbot.waitUntil(lambda step=step: len(canvas.steps) == step, timeout=PATIENCE_MS)
        assert strip.isEnabled()
        assert [frame.step for frame in canvas.steps] == [1, 2, 3]
        assert (strip.positions, strip.caption(2)) == (3, "live")
        assert level(panel) == 3  # the fake engine's previews are as bright as their step
        place = strip.center_of(0)
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=place)
        assert canvas.shown_step == 0
        assert level(panel) == 1
        engine.open(1)
        qtbot.waitUntil(lambda: len(canvas.steps) == 4, timeout=PATIENCE_MS)
        assert (canvas.shown_step, level(panel)) == (0, 1)  # it goes on; what is looked at stays
        assert strip.center_of(0) == place  # nothing has moved: the steps to come have their places
        assert not panel.buttons["export_steps"].isEnabled()
        qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=strip.center_of(3))
        assert canvas.shown_step is None
        assert level(panel) == 4
        canvas.show_step(1)
        engine.open_all()
        qtbot.waitUntil(lambda: canvas.state == "done", timeout=PATIENCE_MS)
        assert (canvas.shown_step, level(panel)) == (1, 20)
        assert strip.positions == 6


def test_steps_that_were_there_already_are_not_drawn_anew(qtbot: QtBot) -> None:
    """While pictures are made the strip grows with every preview: only what is new costs time."""
    strip = Filmstrip()
    show(qtbot, strip, 500, 100)
    frames = tuple(StepFrame(step, 1 - step / 4, step, fake_pictures(1, 10 * step)) for step in (1, 2, 3))
    strip.set_frames(frames[:2], fake_pictures(1, 60), 0, live=True, to_come=2)
    strip.grab()
    before = dict(strip._images)
    assert set(before) == {0, 1, 2}
    strip.set_frames(frames, fake_pictures(1, 90), 0, live=True, to_come=1)
    strip.grab()
    assert [place for place in before if strip._images[place] is before[place]] == [0, 1]
    assert pixels(strip).pixelColor(strip.center_of(2)).red() == 30
