"""Pictures of single points, as fast as they can be had: a pad, a scrub, frames made ahead."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.messages import Control, Event, FrameRequest, FrameResult, Notice, Pictures, Progress
from engine.pictures import join_pictures, to_pictures
from engine.points import Stroke, load_painter
from engine.provenance import provenance
from engine.workbench import Workbench

__all__ = ["run"]


def run(workbench: Workbench, request: FrameRequest, control: Control) -> Iterator[Event]:
    """The pictures of the request's points; ends with exactly one `FrameResult`.

    After a stop it holds the groups that were finished by then, perhaps none.
    """
    painter = yield from load_painter(workbench, request.model, request.points, request.sampling)
    began, batch = time.monotonic(), painter.batch if request.count > 1 else 1
    done: list[Pictures] = []
    notices: list[str] = []
    finished = 0
    while finished < request.count and not control.cancelled.is_set():
        points = request.points[finished : finished + batch]
        try:
            strokes = painter.paint(points)
            while True:
                stroke = next(strokes)
                yield _progress(request, control, stroke, finished, len(points), batch, began)
                if control.cancelled.is_set() and stroke.evaluations < stroke.total:
                    break
        except StopIteration as ended:
            done.append(to_pictures(ended.value))
            finished += len(points)
        except Exception as error:
            smaller = painter.smaller(len(points), error)
            if smaller is None:
                raise
            batch = smaller
            notices.append(f"Memory ran out with {len(points)} pictures at once; it goes on with {batch}.")
            yield Notice(notices[-1])
    yield FrameResult(
        request,
        join_pictures(done, painter.shape),
        painter.evaluations(request.points),
        time.monotonic() - began,
        provenance(painter.placement, [part.count for part in done]),
        tuple(notices),
    )


def _progress(
    request: FrameRequest,
    control: Control,
    stroke: Stroke,
    first: int,
    count: int,
    batch: int,
    began: float,
) -> Progress:
    share = (first + count * stroke.evaluations / stroke.total) / request.count
    seconds = time.monotonic() - began
    groups = -(-request.count // batch)
    before = first // batch * stroke.total
    return Progress(
        first,
        count,
        stroke.step,
        stroke.steps,
        stroke.t,
        before + stroke.evaluations,
        groups * stroke.total,
        seconds,
        max(0.0, seconds / share - seconds) if share > 0.0 else 0.0,
        to_pictures(stroke.x0) if control.wants_preview() else None,
    )
