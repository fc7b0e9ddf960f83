"""Walking through latents: shelf, pad, timeline, a render and its film."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF

from app.tour.chapters.keeping import FILE, files
from app.tour.guide import Guide, LostTheWay
from app.views.traverse.room import TraverseRoom

__all__ = ["pad", "render", "shelf", "walk"]

_LONG = 180.0  # seconds a render of some frames may take on a busy machine


def _room(guide: Guide) -> TraverseRoom:
    guide.click(guide.window.rail.buttons["traverse"])
    guide.wait(lambda: guide.window.room == "traverse", "the room opens")
    return guide.window.traverse_room


def shelf(guide: Guide) -> None:
    room = _room(guide)
    panel, model = room.shelf, guide.studio.traverse.shelf
    guide.state(
        "traverse, nothing yet",
        {
            "the shelf says what it is for": panel.empty.isVisible(),
            "the stage offers something that works": room.stage.four.isVisible(),
            "a video can't be rendered yet": not room.keys.render_button.isEnabled(),
        },
    )
    guide.click(panel.example)
    guide.wait(lambda: all(spot.thumbnail for spot in model.everything), "pictures of the latents", 60)
    guide.click_item(panel.list, 0)
    guide.keys(".")
    guide.state(
        "shelf",
        {
            "four latents are on it": model.total == 4,
            "the key stars": model.spot_at(0).starred,
            "each has its picture": all(spot.thumbnail for spot in model.everything),
        },
    )
    guide.close_notices()


def pad(guide: Guide) -> None:
    room = _room(guide)
    desk, view = guide.studio.traverse, room.pad
    guide.click(room.stage.four)
    guide.wait(lambda: desk.pad.state == "done", "the picture of the middle", 60)
    drafts: list[bool] = []
    desk.pad.picture_changed.connect(lambda: drafts.append(desk.pad.picture_is_draft))
    guide.drag(view, view.place_of(0.5, 0.5).toPoint(), view.place_of(0.2, 0.7).toPoint())
    guide.wait(lambda: drafts and not drafts[-1], "the full picture after the drag", 60)
    guide.state(
        "pad",
        {
            "the point is where it was let go": abs(desk.pad.position[0] - 0.2) < 0.02,
            "the picture is in full": room.stage.note.text() == "Full quality",
        },
    )
    guide.click(view, view.place_of(0.4, 0.4))
    guide.keys("Right", "Shift+Up")
    guide.wait(lambda: desk.pad.state == "done", "the picture after the arrow keys", 60)
    guide.click(room.stage.add_key)
    guide.click(view, view.place_of(0.9, 0.9))
    guide.wait(lambda: desk.pad.state == "done", "the picture of another place", 60)
    guide.click(room.stage.add_key)
    guide.state(
        "keyframes of the pad",
        {
            "two are on the timeline": len(desk.timeline.keys) == 2,
            "they are a walk": desk.timeline.plan is not None,
        },
    )


def walk(guide: Guide) -> None:
    room = _room(guide)
    desk, line, track = guide.studio.traverse, guide.studio.traverse.timeline, room.timeline.track
    guide.click(room.timeline.random)
    guide.wait(lambda: desk.drafts.level(0) > 0, "the first frame", 60)
    guide.wait(lambda: all(key.spot.thumbnail for key in line.keys), "pictures of the keyframes", 60)
    guide.state(
        "random walk",
        {
            "six keyframes, closed": len(line.keys) == 6 and line.loop,
            "the stage shows it": desk.stage == "walk",
        },
    )
    guide.close_notices()
    start, end = QPoint(round(track.x_of(1.0)), 8), QPoint(round(track.x_of(3.0)), 8)
    guide.drag(track, start, end)
    guide.state("scrubbed", {"the playhead is there": abs(line.frame / line.fps - 3.0) < 0.1})
    guide.click(track, track.key_rect(1).center())
    guide.fill(room.keys.hold.entry, "-3")
    guide.keys("Return")
    guide.state(
        "a hold that can't be",
        {"it is said beside it": room.keys.hold.error.isVisible(), "nothing is lost": line.keys[1].hold == 0},
    )
    guide.keys("Esc")
    guide.fill(room.keys.hold.entry, "0.5")
    guide.keys("Return")
    guide.choose(room.keys.easing, "custom")
    curve = room.keys.curve
    guide.drag(curve, curve.handle(0).toPoint(), curve.place_of(0.7, 0.1).toPoint())
    guide.state(
        "own easing",
        {
            "the keyframe has it": isinstance(line.keys[1].easing, tuple),
            "and holds": line.keys[1].hold == 0.5,
        },
    )
    guide.click(track, QPointF(track.x_of(0.2), 8))
    guide.click(room.timeline.play)
    guide.wait(lambda: line.frame > 12, "the walk plays")
    guide.state("playing", {"it plays": desk.player.playing})
    guide.keys("Esc")
    guide.click(track, track.key_rect(2).center())
    guide.keys("Delete")
    guide.state("keyframe deleted", {"it is gone": len(line.keys) == 5})
    guide.keys("Ctrl+Z")
    guide.state("and back", {"Ctrl+Z takes it back": len(line.keys) == 6})
    guide.close_notices()


def render(guide: Guide) -> None:
    room = _room(guide)
    desk, line = guide.studio.traverse, guide.studio.traverse.timeline
    guide.fill(room.keys.total.entry, "1")
    guide.keys("Return")
    guide.fill(room.keys.fps.entry, "12")
    guide.keys("Return")
    guide.click(room.keys.render_button)
    dialog = room.dialog
    if dialog is None or not dialog.isVisible():
        raise LostTheWay("the button opens no dialog")
    guide.fill(dialog.folder, str(files(guide)))
    guide.fill(dialog.name, FILE)
    guide.state("render", {"it says what will be made": f"{line.total} frames" in dialog.note.text()})
    guide.click(dialog.accept_button)
    guide.wait(lambda: desk.render.state not in ("waiting", "loading"), "the render begins", 60)
    guide.state("rendering", {"it tells how far it is": room.keys.card.isVisible()})
    guide.wait(lambda: desk.render.state == "done", "the video is finished", _LONG)
    guide.close_notices()
    guide.state(
        "rendered",
        {
            "the file is there": (files(guide) / f"{FILE}.mp4").exists(),
            "it can be played": room.keys.card.play.isVisible(),
        },
    )
    guide.click(room.keys.card.play)
    guide.wait(lambda: desk.film.picture is not None, "the film is opened")
    guide.wait(lambda: desk.film.frame > 2, "the film plays", 30)
    guide.keys("Esc")
    guide.state(
        "film",
        {
            "the stage shows it": desk.stage == "film" and desk.film.picture is not None,
            "Esc pauses it": not desk.film.playing,
            "it has as many frames as the walk": desk.film.total == line.total,
        },
    )
    guide.click(room.timeline.back)
    guide.click(room.timeline.take_frame)
    guide.state("a frame as keyframe", {"it is on the timeline": len(line.keys) == 7})
    desk.new_walk()
    guide.drop(files(guide) / f"{FILE}.mp4")
    guide.wait(lambda: len(line.keys) == 6, "the dropped video opens its walk")
    guide.state("dropped video", {"the walk is on the timeline": desk.stage == "walk"})
