"""Looking at finished pictures: one alone, large, its details, its steps, two against each other."""

from __future__ import annotations

from PySide6.QtCore import QPoint

from app.models.comparison import difference_of
from app.tour.chapters.making import generate, set_solver
from app.tour.guide import Guide

__all__ = ["compare", "single_picture", "steps"]


def click_tile(guide: Guide, index: int) -> None:
    """Click a picture of the grid."""
    grid = guide.window.generate_room.canvas.grid
    guide.click(grid, grid.tile_rect(index).center().toPointF() / grid.devicePixelRatioF())


def single_picture(guide: Guide) -> None:
    canvas, panel = guide.studio.canvas, guide.window.generate_room.canvas
    pictures = guide.result.pictures
    click_tile(guide, 1)
    guide.state(
        "single picture",
        {
            "the click opens it": canvas.mode == "single" and canvas.selected == 1,
            "the screen shows it, pixel for pixel": guide.single_as(pictures, 1),
        },
    )
    guide.keys("Right")
    guide.state(
        "next picture",
        {"Right goes on": canvas.selected == 2, "the screen shows it": guide.single_as(pictures, 2)},
    )
    zoom = panel.single.zoom
    guide.keys("1")
    guide.state("actual pixels", {"one screen pixel for one of the picture": panel.single.zoom == 1})
    guide.keys("0")
    guide.wheel(panel.single, panel.single.rect().toRectF().center(), -1)
    guide.state("zoomed", {"the wheel zooms": 1 <= panel.single.zoom < zoom})
    guide.keys("0", "I")
    guide.state(
        "details",
        {
            "they are beside it": panel.details.isVisible(),
            "with its seed": str(guide.result.request.seeds[2]) in panel.details.text(),
            "and what it cost": str(guide.result.evaluations) in panel.details.text(),
        },
    )
    guide.keys("I", "Space")
    preview = panel._preview
    guide.state("large", {"Space shows it over the window": preview is not None and preview.isVisible()})
    guide.keys("Esc", "Esc")
    guide.state(
        "back to the grid",
        {
            "Esc goes back": canvas.mode == "grid",
            "the picture is still selected": canvas.selected == 2,
            "the details are closed": not panel.details.isVisible(),
        },
    )


def steps(guide: Guide) -> None:
    canvas, strip = guide.studio.canvas, guide.window.generate_room.canvas.filmstrip
    result = guide.result
    guide.click(strip, strip.center_of(1))
    guide.state(
        "a step",
        {
            "the strip leads to it": canvas.shown_step == 1,
            "the screen shows what the network saw then": guide.tiles_as(result.steps[1].pictures),
            "every step is on the strip": strip.positions == len(result.steps),
        },
    )
    guide.drag(strip, strip.center_of(1), strip.center_of(2))
    guide.state("scrubbed", {"dragging goes on": canvas.shown_step == 2})
    guide.keys("End")
    guide.state(
        "the last step",
        {
            "End is the finished picture": canvas.shown_step is None,
            "the screen shows it": guide.tiles_as(result.pictures),
        },
    )


def compare(guide: Guide) -> None:
    """The same seed by two solvers: side by side, under a slider, as their difference."""
    canvas, panel = guide.studio.canvas, guide.window.generate_room.canvas
    generate(guide)
    before = guide.result
    set_solver(guide, "ddim")
    generate(guide)
    click_tile(guide, 0)
    guide.keys("C")
    left, right = before.pictures.one(0), guide.result.pictures.one(0)
    guide.state(
        "compare side by side",
        {
            "the batch before is A, this one B": canvas.panes is not None
            and (canvas.panes[0].picture, canvas.panes[1].picture) == (left, right),
            "the solver is among what differs": any(
                "ddim" in str(row).casefold() for row in canvas.differing
            ),
            "they lie side by side": panel.compare.view.arrangement == "side",
        },
    )
    guide.click(panel.compare.arrangement.buttons["split"])
    view = panel.compare.view
    middle = QPoint(view.width() // 2, view.height() // 2)
    guide.drag(view, middle, QPoint(view.width() // 3, middle.y()))
    guide.state(
        "compare with a slider",
        {
            "they lie upon each other": view.arrangement == "split",
            "the line was dragged": abs(canvas.slider - 1 / 3) < 0.02,
        },
    )
    guide.click(panel.compare.arrangement.buttons["difference"])
    expected = difference_of(left, right)
    guide.state(
        "difference",
        {
            "it is shown": canvas.mode == "difference" and view.arrangement == "difference",
            "the figures are right": canvas.difference == expected
            and (f"{expected.rmse:.2f}" in panel.compare.figures.text() or expected.largest == 0),
        },
    )
    guide.keys("Esc")
    guide.wait(lambda: canvas.mode == "grid" and canvas.panes is None, "Esc leaves the comparison")
