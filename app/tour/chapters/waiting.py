"""More than one thing at a time: the queue, and closing while something runs."""

from __future__ import annotations

from app.models.queue import Job
from app.tour.chapters.making import STEPS, set_number, set_seed
from app.tour.guide import Guide, LostTheWay
from engine.messages import GenerateRequest

__all__ = ["close_while_busy", "queue"]


def asked(job: Job) -> GenerateRequest:
    assert isinstance(job.request, GenerateRequest)
    return job.request


def queue(guide: Guide) -> None:
    studio, panel = guide.studio, guide.window.generate_room.queue
    jobs, view = studio.queue, panel.list
    set_number(guide, "steps", STEPS)
    guide.engine.hold_at(2)
    guide.keys("Ctrl+Return")
    guide.wait(guide.engine.held.is_set, "the first job runs", 60)
    set_seed(guide, 1)
    guide.keys("Ctrl+Return")
    set_seed(guide, 2)
    guide.keys("Ctrl+Return")
    set_seed(guide, 3)
    guide.keys("Ctrl+Shift+Return")
    order = [asked(job).seed for job in jobs.pending]
    guide.state(
        "queue",
        {
            "three wait, the last one first": order == [3, 1, 2],
            "their number is shown": panel.count.text().startswith("3"),
            "each has the settings of its moment": len({job.request for job in jobs.pending}) == 3,
        },
    )
    guide.click_item(view, 3)
    guide.keys("Alt+Up")
    guide.state(
        "reordered", {"Alt+Up lets it run earlier": [asked(j).seed for j in jobs.pending] == [3, 2, 1]}
    )
    guide.keys("Delete")
    guide.state("removed", {"it no longer waits": [asked(j).seed for j in jobs.pending] == [3, 1]})
    guide.keys("Ctrl+Z")
    guide.wait(lambda: [asked(j).seed for j in jobs.pending] == [3, 2, 1], "Ctrl+Z puts it back")
    guide.close_notices()
    guide.click_item(view, 1)
    guide.click(panel.edit)
    set_number(guide, "steps", 2)
    guide.state(
        "editing a job",
        {
            "the window says so": panel.editing.isVisible(),
            "its settings are beside the canvas": studio.settings.seed == 3,
            "it is unchanged until they are put back": asked(jobs.pending[0]).steps == STEPS,
        },
    )
    guide.click(panel.commit)
    guide.wait(lambda: asked(jobs.pending[0]).steps == 2, "the job has the new settings")
    guide.engine.let_go()
    guide.idle()
    guide.state(
        "queue done",
        {
            "all are done, in that order": [asked(job).seed for job in jobs.jobs[:3]] == [1, 2, 3]
            and all(job.state == "finished" for job in jobs.jobs[:3]),
            "the canvas followed": guide.tiles_as(guide.result.pictures),
        },
    )
    guide.click(panel.tidy)
    guide.state("queue cleared", {"nothing is listed": jobs.rowCount() == 0})


def close_while_busy(guide: Guide) -> None:
    window = guide.window
    guide.engine.hold_at(1)
    guide.keys("Ctrl+Return")
    guide.wait(guide.engine.held.is_set, "a job runs", 60)
    guide.keys("Ctrl+Q")
    asked = window.closing
    if asked is None or not asked.isVisible():
        raise LostTheWay("closing in the middle of a job asks nothing")
    guide.state("close while busy", {"it asks, and the window stays": window.isVisible()})
    guide.click(asked.stay)
    guide.engine.let_go()
    guide.idle()
    guide.state("kept working", {"the job was not touched": guide.result.complete and window.isVisible()})
