"""What is kept: the history, files, and the settings inside them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMenu

from app.tour.chapters.looking import click_tile
from app.tour.chapters.making import set_seed
from app.tour.guide import Guide, LostTheWay
from engine.messages import GenerateRequest, Pictures

__all__ = ["FILE", "FILES", "dropped_picture", "history", "save"]

FILES, FILE = "files", "saved-on-the-tour"


def history(guide: Guide) -> None:
    studio, panel = guide.studio, guide.window.generate_room.history
    model, view = studio.history, panel.list
    total = model.total
    guide.click_item(view, 0)
    guide.keys(".")
    starred = model.record_at(0)
    guide.click(panel.starred)
    guide.state(
        "starred only",
        {
            "the key stars": starred.starred,
            "only starred ones are left": model.total == 1 and model.record_at(0).id == starred.id,
        },
    )
    guide.click(panel.clear)
    guide.click(panel.fold)
    guide.choose(panel.filters.solver, "ddim")
    guide.state(
        "filtered by solver",
        {
            "only its pictures are left": 0 < model.total < total
            and all(model.record_at(row).solver == "ddim" for row in range(model.rowCount())),
        },
    )
    guide.click(panel.clear)
    guide.fill(panel.search, "heun")
    guide.keys("Return")
    guide.state(
        "searched",
        {
            "words are found": 0 < model.total < total
            and all(model.record_at(row).solver == "heun" for row in range(model.rowCount())),
        },
    )
    guide.fill(panel.search, "no picture is called like this")
    guide.keys("Return")
    guide.state("nothing found", {"it says so": panel.empty.isVisible() and model.total == 0})
    guide.click(panel.clear)
    guide.click(panel.fold)
    first, second = model.record_at(0), model.record_at(1)
    guide.click_item(view, 0)
    guide.click_item(view, 1, modifiers=Qt.KeyboardModifier.ControlModifier)
    guide.keys("Delete")
    guide.state(
        "deleted",
        {
            "they are gone at once": model.total == total - 2
            and model.row_of(first.id) is None
            and model.row_of(second.id) is None,
            "a message offers to undo it": bool(guide.window.notices.shown)
            and guide.window.notices.shown[-1].undo is not None,
        },
    )
    guide.keys("Ctrl+Z")
    guide.state(
        "undone",
        {
            "they are back": model.total == total and model.row_of(first.id) is not None,
            "and starred": starred.starred,
        },
    )
    guide.close_notices()
    heun = next((r for r in range(model.rowCount()) if model.record_at(r).solver == "heun"), None)
    if heun is None:
        raise LostTheWay("no picture of the history was made by heun")
    guide.click_item(view, heun, double=True)
    guide.state("settings of a picture", {"a double-click applies them": studio.settings.solver == "heun"})
    guide.click_item(view, heun)
    guide.keys("Return")
    guide.state(
        "picture of the history",
        {"it is on the canvas": getattr(studio.canvas.request, "solver", "") == "heun"},
    )
    guide.click_item(view, heun, button=Qt.MouseButton.RightButton)
    guide.wait(QApplication.activePopupWidget, "the right button opens a menu")
    menu = QApplication.activePopupWidget()
    if not isinstance(menu, QMenu):
        raise LostTheWay("the right button opens no menu")
    guide.state(
        "menu of a picture", {"it can copy the seed": any("seed" in a.text() for a in menu.actions())}
    )
    guide.pick_from_menu(menu, "Copy the seed")
    copied = QApplication.clipboard().text()
    guide.state("seed copied", {"it is on the clipboard": copied == str(model.record_at(heun).seed)})


def save(guide: Guide) -> None:
    from engine.images import from_pil, read_settings

    panel = guide.window.generate_room.canvas
    result = guide.result
    click_tile(guide, 0)
    guide.keys("S")
    dialog = panel._save_dialog
    if dialog is None or not dialog.isVisible():
        raise LostTheWay("S opens no dialog")
    guide.fill(dialog.folder, str(files(guide)))
    guide.fill(dialog.name, FILE)
    guide.state("save", {"it says what will be written": "One file" in dialog.note.text()})
    shown = guide.studio.canvas.request
    guide.click(dialog.accept_button)
    file = files(guide) / f"{FILE}.png"
    guide.wait(file.exists, "the file is written")
    guide.wait(lambda: not guide.studio.writer.busy, "the writer is done")
    guide.settle()
    settings = read_settings(file)
    guide.state(
        "saved",
        {
            "the file has the picture, pixel for pixel": _read(file, from_pil)
            == guide.studio.canvas.picture(0),
            "and the complete request": settings.request == shown,
            "and where it was computed": settings.provenance == result.provenance,
            "a message says so": bool(guide.window.notices.shown),
        },
    )
    guide.close_notices()
    guide.keys("Esc")
    guide.click(panel.buttons["export_steps"])
    export = panel._export_dialog
    if export is None or not export.isVisible():
        raise LostTheWay("the button opens no dialog to export the steps")
    guide.fill(export.folder, str(files(guide)))
    guide.fill(export.name, FILE)
    guide.state("export the steps", {"it says how long it will be": "frame" in export.note.text()})
    guide.click(export.accept_button)
    film = files(guide) / f"{FILE}.gif"
    guide.wait(film.exists, "the animation is written")
    guide.wait(lambda: not guide.studio.writer.busy, "the writer is done")
    guide.state("steps exported", {"it is an animation": film.read_bytes().startswith(b"GIF89a")})


def files(guide: Guide) -> Path:
    """Where the tour saves."""
    return guide.folder / FILES


def _read(file: Path, from_pil: object) -> Pictures:
    from PIL import Image

    with Image.open(file) as image:
        assert callable(from_pil)
        picture = from_pil(image)
    assert isinstance(picture, Pictures)
    return picture


def dropped_picture(guide: Guide) -> None:
    studio, window = guide.studio, guide.window
    from engine.images import read_settings

    file = files(guide) / f"{FILE}.png"
    if not file.exists():
        raise LostTheWay("no picture was saved that could be dropped")
    set_seed(guide, 4711)
    guide.click(window.generate_room.controls.preset.segments.buttons["best"])
    guide.drop(file)
    dialog = window.dropped
    if dialog is None or not dialog.isVisible():
        raise LostTheWay("the dropped picture opens no dialog")
    names = {row.name for row in dialog.diff.rows}
    guide.state("dropped picture", {"it shows what would change": {"seed", "steps"} <= names})
    guide.click(dialog.apply_button)
    wanted = read_settings(file).request
    guide.state(
        "its settings applied",
        {
            "they are those of the file": isinstance(wanted, GenerateRequest)
            and studio.settings.matches(wanted)
        },
    )
    guide.keys("Ctrl+Z")
    guide.state("and undone", {"Ctrl+Z takes it back": studio.settings.seed == 4711})
