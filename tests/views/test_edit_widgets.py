"""The parts of the Edit room by themselves: linked pictures, brush, crop, strip, plot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from app.models.edit.brush import Brush, BrushLayer, MaskLayer
from app.models.edit.crop import CropModel
from app.views import theme
from app.views.edit.brush_canvas import BrushCanvas
from app.views.edit.crop_dialog import CropView
from app.views.edit.following_view import link
from app.views.edit.linked_view import LinkedView, Pane
from app.views.edit.param import Param
from app.views.edit.plot_view import PlotView
from app.views.edit.strip_view import StripView
from app.views.edit.swatches import Swatches
from app.views.picture_images import to_image
from engine.messages import Pictures
from tests.views.studio_kit import drag, pixels, show, wheel


def grey(seed: int, size: int = 8) -> Pictures:
    data = bytes((seed * 37 + i * 11) % 256 for i in range(size * size))
    return Pictures(1, size, size, 1, data)


def shown_as(screen: QImage, rect: QRect, picture: Pictures) -> bool:
    wanted = to_image(picture).scaled(rect.size())
    return screen.rect().contains(rect) and screen.copy(rect) == wanted


@pytest.fixture
def linked(qtbot: QtBot, dressed: theme.Theme) -> LinkedView:
    view = LinkedView("Pictures")
    view.set_panes([Pane(str(i), to_image(grey(i))) for i in range(3)])
    show(qtbot, view, 630, 300)
    return view


def test_each_pane_shows_its_picture_pixel_for_pixel(linked: LinkedView) -> None:
    screen = pixels(linked)
    assert linked.zoom >= 10
    for number in range(3):
        assert shown_as(screen, linked.image_rect(number), grey(number))


def test_zoom_and_pan_are_one_for_all(linked: LinkedView) -> None:
    for pane in range(3):
        place = QPointF(linked.pane_rect(pane).center()) / linked.devicePixelRatioF()
        before = linked.zoom
        wheel(linked, place, -1)
        assert linked.zoom < before
        offsets = {
            (linked.image_rect(n).topLeft() - linked.pane_rect(n).topLeft()).toTuple() for n in range(3)
        }
        assert len(offsets) == 1
    origin = linked.origin
    start = linked.pane_rect(2).center()
    drag(linked, start, start + QPoint(20, 9))
    assert linked.origin - origin == QPoint(20, 9) * linked.devicePixelRatioF()


def test_the_pixel_under_the_pointer_is_said_in_every_pane(qtbot: QtBot, linked: LinkedView) -> None:
    for pane in range(3):
        zoom = int(linked.zoom)
        place = linked.image_rect(pane).topLeft() + QPoint(3 * zoom + 2, 5 * zoom + 2)
        with qtbot.waitSignal(linked.hovered) as heard:
            qtbot.mouseMove(linked, place)
        assert heard.args == [3, 5]
        qtbot.mouseMove(linked, QPoint(linked.width() - 1, linked.height() - 1))


def test_panes_stand_where_their_pictures_are_largest(qtbot: QtBot, dressed: theme.Theme) -> None:
    view = LinkedView("Pictures")
    view.set_panes([Pane(str(i), to_image(grey(i))) for i in range(4)])
    window = show(qtbot, view, 400, 400)
    assert view.columns() == 2
    window.resize(900, 250)
    assert view.columns() == 4
    rects = [view.pane_rect(i) for i in range(4)]
    assert all(not a.intersects(b) for i, a in enumerate(rects) for b in rects[:i])


# --- brush


@pytest.fixture
def mask(qtbot: QtBot, dressed: theme.Theme) -> BrushCanvas:
    layer = MaskLayer()
    layer.start(Pictures(1, 8, 8, 1, bytes(64)))
    layer.set_brush(Brush(2, 1))
    layer.set_feather(0)
    canvas = BrushCanvas("Mask")
    canvas._kept_layer = layer  # type: ignore[attr-defined]
    canvas.set_layer(layer)
    canvas.set_base(to_image(grey(1)))
    show(qtbot, canvas, 320, 320)
    return canvas


def at(canvas: BrushCanvas, x: float, y: float) -> QPoint:
    return canvas.position_of(x, y).toPoint()


def level(canvas: BrushCanvas, x: int, y: int) -> int:
    assert canvas.layer is not None
    return int(canvas.layer.pixels[y, x, 0])


def test_the_left_button_paints_and_the_right_one_erases(qtbot: QtBot, mask: BrushCanvas) -> None:
    with qtbot.waitSignal(mask.painted):
        drag(mask, at(mask, 1, 4), at(mask, 7, 4))
    assert [level(mask, x, 4) for x in range(1, 7)] == [255] * 6
    assert level(mask, 4, 0) == 0
    drag(mask, at(mask, 4, 4), at(mask, 7, 4), Qt.MouseButton.RightButton)
    assert level(mask, 5, 4) == 0
    assert level(mask, 1, 4) == 255


def test_the_middle_button_pans(mask: BrushCanvas) -> None:
    before = mask.origin
    drag(mask, QPoint(100, 100), QPoint(130, 110), Qt.MouseButton.MiddleButton)
    assert mask.origin - before == QPoint(30, 10) * mask.devicePixelRatioF()
    assert mask.layer is not None
    assert not mask.layer.can_undo


def test_keys_paint_too(qtbot: QtBot, mask: BrushCanvas) -> None:
    qtbot.keyClick(mask, Qt.Key.Key_Right)  # the brush appears in the middle
    qtbot.keyClick(mask, Qt.Key.Key_Space)
    assert level(mask, 4, 4) > 100
    qtbot.keyClick(mask, Qt.Key.Key_Up)
    qtbot.keyClick(mask, Qt.Key.Key_Up)
    qtbot.keyClick(mask, Qt.Key.Key_Space)
    assert level(mask, 4, 2) > 100
    with qtbot.waitSignal(mask.erase_changed):
        qtbot.keyClick(mask, Qt.Key.Key_X)
    painted = level(mask, 4, 2)
    qtbot.keyClick(mask, Qt.Key.Key_Space)
    assert level(mask, 4, 2) < painted
    qtbot.keyClick(mask, Qt.Key.Key_BracketRight)
    assert mask.layer is not None
    assert mask.layer.brush.size > 2


def test_a_mask_is_seen_over_the_picture(mask: BrushCanvas) -> None:
    before = pixels(mask)
    drag(mask, at(mask, 2, 2), at(mask, 6, 2))
    after = pixels(mask)
    inside, outside = at(mask, 4, 2), at(mask, 4, 7)
    assert before.pixel(inside) != after.pixel(inside)
    assert before.pixel(outside) == after.pixel(outside)


def test_painting_colours_and_taking_one_up(qtbot: QtBot, dressed: theme.Theme) -> None:
    layer = BrushLayer()
    layer.start(Pictures(1, 8, 8, 3, bytes(192)))
    layer.set_brush(Brush(2, 1))
    canvas = BrushCanvas("Paint")
    canvas._kept_layer = layer  # type: ignore[attr-defined]
    canvas.set_layer(layer)
    canvas.colour = lambda _erase: (10, 200, 30)
    show(qtbot, canvas, 320, 320)
    drag(canvas, at(canvas, 2, 2), at(canvas, 5, 2))
    assert tuple(layer.pixels[2, 4]) == (10, 200, 30)
    with qtbot.waitSignal(canvas.picked) as taken:
        qtbot.mouseClick(
            canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier, at(canvas, 4.5, 2)
        )
    assert taken.args == [(10, 200, 30)]


# --- crop


@pytest.fixture
def crop(qtbot: QtBot, dressed: theme.Theme, tmp_path: Path) -> CropView:
    model = CropModel(Image.new("L", (100, 60), 90), "x", 8, 1)
    view = CropView(model)
    view.model = model  # type: ignore[attr-defined]
    show(qtbot, view, 408, 300)
    return view


def test_the_square_is_dragged_resized_and_moved_by_keys(qtbot: QtBot, crop: CropView) -> None:
    model: CropModel = crop.model  # type: ignore[attr-defined]
    assert (model.crop.left, model.crop.side) == (20, 60)
    middle = crop.square().center().toPoint()
    drag(crop, middle, middle + QPoint(40, 0))
    assert model.crop.left == 20 + round(40 / crop.scale())
    corner = crop.square().topLeft().toPoint()
    right = model.crop.left + model.crop.side
    drag(crop, corner, corner + QPoint(80, 80))
    assert model.crop.side < 60
    assert model.crop.left + model.crop.side == right
    before = model.crop
    qtbot.keyClick(crop, Qt.Key.Key_Left)
    assert model.crop.left == before.left - 1
    qtbot.keyClick(crop, Qt.Key.Key_Minus)
    assert model.crop.side == before.side - 1
    wheel(crop, crop.square().center(), 1)
    assert model.crop.side < before.side - 1
    assert model.crop.left >= 0
    assert model.crop.left + model.crop.side <= 100


# --- strip, plot, numbers, colours


def test_a_strip_is_chosen_from_with_pointer_and_keys(qtbot: QtBot, dressed: theme.Theme) -> None:
    strip = StripView("Strength", "x")
    strip.show_pictures([to_image(grey(i)) for i in range(5)], [f"{i}" for i in range(5)])
    show(qtbot, strip, 500, 96)
    chosen: list[int] = []
    strip.chosen.connect(chosen.append)
    qtbot.mouseClick(
        strip, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, strip.picture_rect(3).center()
    )
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert chosen == [3, 2, 1]
    assert "chosen: 1" in strip.accessibleDescription()
    rect = strip.picture_rect(4)
    assert shown_as(pixels(strip), rect, grey(4))


def test_a_better_point_is_higher_and_the_figures_are_said(qtbot: QtBot, dressed: theme.Theme) -> None:
    plot = PlotView()
    curves = {"genie": ((5, 25.0), (10, 33.0), (50, 48.0)), "ddim": ((5, 18.0), (10, 21.0), (50, 30.0))}
    plot.show_curves(curves, {"genie": "GENIE", "ddim": "DDIM"})
    show(qtbot, plot, 480, 320)
    for points in curves.values():
        places = [plot.point(*point) for point in points]
        assert [p.x() for p in places] == sorted(p.x() for p in places)
        assert [p.y() for p in places] == sorted((p.y() for p in places), reverse=True)
    assert plot.point(10, 33.0).x() == plot.point(10, 21.0).x()
    assert "GENIE: 25.0 dB at 5 steps" in plot.accessibleDescription()
    accent = theme.current().color("accent").rgb()
    assert pixels(plot).pixel(plot.point(10, 33.0).toPoint()) == accent


def test_a_number_says_when_it_is_dragged_and_when_it_is_settled(qtbot: QtBot, dressed: theme.Theme) -> None:
    param = Param("Strength", "x", 0, 1, 0.01, suffix=" %", scale=100)
    show(qtbot, param, 320, 60)
    said: list[tuple[str, float]] = []
    param.dragged.connect(lambda value: said.append(("dragged", value)))
    param.settled.connect(lambda value: said.append(("settled", value)))
    slider = param.slider
    slider.setSliderDown(True)
    slider.setValue(40)
    slider.setValue(45)
    slider.setSliderDown(False)
    assert said == [("dragged", 0.4), ("dragged", 0.45), ("settled", 0.45)]
    param.entry.setFocus()
    param.entry.selectAll()
    qtbot.keyClicks(param.entry, "70")
    assert param.value == 0.7
    param.entry.selectAll()
    qtbot.keyClicks(param.entry, "170")
    assert "from 0 % to 100 %" in param.error.text()
    assert param.value <= 1
    param.entry.editingFinished.emit()
    assert param.error.text() == ""


def test_colours_follow_the_model(qtbot: QtBot, dressed: theme.Theme) -> None:
    swatches = Swatches()
    show(qtbot, swatches, 200, 28)
    swatches.set_grey(True)
    swatches.choose((255, 255, 255))
    qtbot.keyClick(swatches, Qt.Key.Key_Left)
    red, green, blue = swatches.colour
    assert red == green == blue < 255
    swatches.set_grey(False)
    qtbot.mouseClick(swatches, Qt.MouseButton.LeftButton, pos=QPoint(swatches.width() // 2, 14))


def test_what_is_painted_on_and_what_comes_of_it_are_looked_at_together(
    qtbot: QtBot, mask: BrushCanvas
) -> None:
    view = LinkedView("Made")
    view.set_panes([Pane("made", to_image(grey(2)))])
    show(qtbot, view, 320, 320)
    link(mask, view)
    wheel(mask, QPointF(100, 100), -2)
    assert (view.zoom, view.origin) == (mask.zoom, mask.origin)
    drag(view, QPoint(150, 150), QPoint(170, 160))
    assert (view.zoom, view.origin) == (mask.zoom, mask.origin)
    qtbot.keyClick(mask, Qt.Key.Key_0)
    assert view.fitted
    assert mask.fitted
