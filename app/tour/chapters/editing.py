"""The Edit room: a picture goes in, comes back, is changed, and everything stays in a tree."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage

from app.models.edit.tree import EditNode
from app.tour.guide import Guide, LostTheWay
from app.views.edit.crop_dialog import CropDialog
from app.views.edit_room import EditRoom
from app.views.picture_images import to_image
from engine.messages import Pictures

__all__ = ["changing_a_picture", "encoding_a_picture", "keeping_edits"]


def _room(guide: Guide) -> EditRoom:
    if guide.window.room != "edit":
        guide.click(guide.window.rail.buttons["edit"])
    return guide.window.edit_room


def _current(room: EditRoom) -> EditNode:
    node = room.edits.current
    if node is None:
        raise LostTheWay("no picture is open in the Edit room")
    return node


def _pane_shows(room: EditRoom, pane: int, picture: Pictures | None) -> bool:
    """Whether a pane shows exactly this picture, each pixel of it a block of screen pixels."""
    view = room.stage.linked
    if picture is None or pane >= len(view.panes):
        return False
    screen = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    screen.setDevicePixelRatio(1)
    rect = view.image_rect(pane)
    return bool(screen.copy(rect) == to_image(picture).scaled(rect.size()))


def _settle(guide: Guide, room: EditRoom) -> None:
    pending = room.edits.pending
    guide.wait(lambda: pending.final and pending.strip is not None, "the edit has final quality", 60)


def encoding_a_picture(guide: Guide) -> None:
    room = _room(guide)
    edits, stage = room.edits, room.stage
    guide.state("nothing to edit yet", {"it says what this is for": stage.empty.isVisible()})
    bad = guide.folder / "files" / "no-picture.png"
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_text("not a picture", encoding="utf-8")
    guide.window.take_files([bad], bad)
    guide.wait(lambda: room.panel.refusal.isVisible(), "the file is refused")
    guide.state("a file that is no picture", {"it is said by name": bad.name in room.panel.refusal.text()})
    guide.click(stage.empty.example)
    guide.wait(lambda: room.dialog is not None and room.dialog.isVisible(), "the crop is asked for")
    dialog = room.dialog
    assert isinstance(dialog, CropDialog)
    wanted = dialog.model.pixels
    guide.state("what to encode", {"the exact pixels are shown": dialog.preview.isVisible()})
    guide.click(dialog.accept_button)
    guide.wait(lambda: edits.page == "round trip", "the picture is encoded", 60)
    node = _current(room)
    card = room.report.card
    guide.state(
        "round trip",
        {
            "what the dialog showed was encoded": edits.sessions.picture(node) == wanted,
            "the original is on the screen": _pane_shows(room, 0, wanted),
            "and the round trip beside it": _pane_shows(room, 1, edits.sessions.picture(node, "round_trip")),
            "the report is in words": bool(card.comes_back.words.text() and card.noise.words.text()),
        },
    )
    guide.click(stage.plot_button)
    guide.click(stage.plot_page.measure)
    guide.wait(lambda: edits.round_trips.curves and not edits.round_trips.busy, "it is measured", 120)
    curves = edits.round_trips.curves
    guide.state(
        "error versus steps",
        {
            "solvers are measured against each other": len(curves) >= 2,
            "more steps come back closer": all(points[-1][1] > points[0][1] for points in curves.values()),
        },
    )
    guide.keys("Esc")


def changing_a_picture(guide: Guide) -> None:
    room = _room(guide)
    edits, stage, panel = room.edits, room.stage, room.panel
    root = _current(room)
    if edits.settings.model_info is not None and edits.settings.model_info.classes:
        guide.click(panel.tools["class"])
        _settle(guide, room)
        guide.state(
            "another class",
            {
                "what is made is on the screen": _pane_shows(room, 1, edits.pending.pictures),
                "the strip goes over the strength": stage.strip.count == 8,
            },
        )
        guide.click(stage.strip, stage.strip.picture_rect(5).center())
        _settle(guide, room)
        guide.keys("Ctrl+Return")
        guide.wait(lambda: not edits.pending.tool, "it is kept")
        guide.state("kept", {"it came of the picture": _current(room).parent == root.id})
    guide.click(panel.tools["vary"])
    _settle(guide, room)
    guide.click(stage.variations, stage.variations.picture_rect(2).center())
    made = edits.pending.pictures
    guide.state("variations", {"the third is shown": made is not None and _pane_shows(room, 1, made.one(2))})
    guide.click(panel.keep)
    guide.wait(lambda: not edits.pending.tool, "it is kept")
    before = edits.sessions.picture(_current(room))
    guide.click(panel.tools["mask"])
    canvas = stage.mask_canvas
    size = edits.pending.mask.width
    start = canvas.position_of(size * 0.4, size * 0.4).toPoint()
    guide.drag(canvas, start, start + QPoint(round(canvas.width() * 0.12), round(canvas.height() * 0.08)))
    _settle(guide, room)
    guide.state("a mask", {"it was painted": not edits.pending.mask.empty})
    guide.click(panel.keep)
    guide.wait(lambda: not edits.pending.tool, "it is kept")
    node = _current(room)
    after, mask = edits.sessions.picture(node), edits.sessions.picture(node, "mask")
    assert before is not None
    assert after is not None
    assert mask is not None
    channels = after.channels
    outside = [i for i in range(len(after.data)) if mask.data[i // channels] == 0]
    guide.state(
        "outside the mask",
        {"every byte is as it was": all(before.data[i] == after.data[i] for i in outside)},
    )
    guide.click(panel.tools["paint"])
    canvas = stage.paint_canvas
    start = canvas.position_of(size * 0.3, size * 0.5).toPoint()
    guide.drag(canvas, start, start + QPoint(round(canvas.width() * 0.25), 0))
    _settle(guide, room)
    guide.state("a scribble made real", {"there is a picture of it": edits.pending.outcome is not None})
    guide.keys("Esc")


def keeping_edits(guide: Guide) -> None:
    room = _room(guide)
    edits = room.edits
    count, here = len(edits.sessions.tree), _current(room)
    guide.keys("Ctrl+Z")
    guide.state(
        "one edit back",
        {
            "it is the one before": _current(room).id == here.parent,
            "none is lost": len(edits.sessions.tree) == count,
        },
    )
    guide.keys("Ctrl+Shift+Z")
    guide.wait(lambda: _current(room).id == here.id, "Ctrl+Shift+Z goes on")
    guide.close_notices()
    path: Path = guide.folder / "files" / "session.genie-edits.zip"
    edits.export_bundle(path)
    guide.wait(path.exists, "the session is in its file")
    guide.close_notices()
    guide.window.take_files([path], path)
    guide.wait(lambda: len(edits.sessions.listed()) == 2, "the file is opened")
    guide.state(
        "a session from one file",
        {
            "all of it is there": len(edits.sessions.tree) == count,
            "beside the one it was made of": len(edits.sessions.listed()) == 2,
        },
    )
    room.sessions.tree.setFocus()
    guide.keys("Delete")
    guide.state("an edit deleted", {"it is gone, with undo": len(edits.sessions.tree) == count - 1})
    guide.keys("Ctrl+Z")
    guide.wait(lambda: len(edits.sessions.tree) == count, "undo brings it back")
