"""A walk as a video: frame after frame through the network and on to the encoder.

Frames go through the network in groups that depend on nothing but the walk and the batch, and
are kept without loss (see `engine.journal`) until the video is whole. A render that goes on
therefore makes the very frames, and the very file, that it would have made in one go.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import time
from array import array
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.errors import BadRequest, UnusableFolder
from engine.files import surely
from engine.journal import Journal, unfinished_folder
from engine.messages import (
    Control,
    Event,
    Notice,
    Pictures,
    Point,
    RenderProgress,
    TraverseRequest,
    TraverseResult,
    Walk,
)
from engine.messages.traverse import sampling_to_dict
from engine.pace import corners, measure_pace
from engine.pictures import to_pictures
from engine.points import Painter, Stroke, load_painter
from engine.provenance import provenance
from engine.video import VideoWriter, open_writer, output_size, probe
from engine.video_encoder import Encoding
from engine.video_files import describe_walk
from engine.walk import FramePlan, plan_frames
from engine.walk_files import file_sha256, map_files, walk_from_plain, walk_to_plain
from engine.workbench import Workbench

__all__ = ["run"]


@dataclass
class _Render:
    """What a render has come to."""

    request: TraverseRequest
    control: Control
    painter: Painter
    walk: Walk
    out: Path
    began: float = field(default_factory=time.monotonic)
    notices: list[str] = field(default_factory=list)
    resumed: int = 0
    batch: int = 1
    new: int = 0  # frames this run made
    spent: float = 0.0  # seconds it took for them

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def pace(self) -> float:
        """Frames a second of this run."""
        return self.new / self.spent if self.spent > 0.0 else 0.0

    def notice(self, message: str) -> Notice:
        self.notices.append(message)
        return Notice(message)


class _Shots:
    """The frames of a walk without those that only repeat the one before, as in a hold.

    Of a shot only the number of its first frame is kept: points are made when they are needed.
    """

    def __init__(self, plan: FramePlan) -> None:
        self._plan = plan
        self.frames = array("q")  # the first frame of each shot, and the number of all frames
        before: Point | None = None
        for frame, point in enumerate(plan.points()):
            if point != before:
                self.frames.append(frame)
            before = point
        self.frames.append(plan.total)

    @property
    def count(self) -> int:
        return len(self.frames) - 1

    @property
    def total(self) -> int:
        """Of all frames."""
        return self.frames[-1]

    def points(self, first: int, count: int) -> list[Point]:
        """What so many shots show, fewer at the end."""
        return [self._plan.point(frame) for frame in self.frames[first : min(first + count, self.count)]]

    def repeats(self, shot: int) -> int:
        """How many frames show it."""
        return self.frames[shot + 1] - self.frames[shot]


def run(workbench: Workbench, request: TraverseRequest, control: Control) -> Iterator[Event]:
    """Render; ends with exactly one `TraverseResult`.

    After a stop, or once the disk is full, which a Notice says, its file holds what was
    finished by then and plays.
    """
    out = _place(request)
    painter = yield from load_painter(workbench, request.model, corners(request.walk), request.sampling)
    channels, height, width = painter.shape
    size = (width * request.scale, height * request.scale)
    probe(request.video.name, request.quality, size, channels, request.walk.fps)
    render = _Render(request, control, painter, request.walk, out)
    journal = yield from _journal(render)
    if journal is None:  # stopped before the first frame
        yield _result(render, None, 0, plan_frames(render.walk).total)
        return
    try:
        yield from _render(render, journal)
    finally:
        journal.close()


def _place(request: TraverseRequest) -> Path:
    """The file or folder to write, tried before anything is computed for it."""
    out = Path(request.out).expanduser().absolute()
    folder = request.video.suffix == ""
    if surely(out.exists) and out.is_dir() != folder:
        kind, other = ("file", "folder") if folder else ("folder", "file")
        raise UnusableFolder(f"{out} is a {kind}. Choose another name for the {other}.", field="out")
    if not request.replace and not surely(unfinished_folder(out).is_dir):
        _refuse_to_replace(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        allowed = os.access(out.parent, os.W_OK)
    except OSError as error:
        raise UnusableFolder(
            f"Couldn't write into {out.parent}: {error.strerror or error}. Choose a folder you may write to.",
            field="out",
        ) from error
    if not allowed:
        raise UnusableFolder(
            f"{out.parent} can't be written to. Choose a folder you may write to.", field="out"
        )
    return out


def _refuse_to_replace(out: Path) -> None:
    """A `BadRequest` if a video, or a picture of one, is there."""
    if any(out.glob("frame_*.png")) if surely(out.is_dir) else surely(out.exists):
        raise BadRequest(f"{out} is there already.", field="replace")


# --- beginning, or going on -----------------------------------------------------------------------


def _identity(render: _Render) -> str:
    """A checksum of everything that decides the frames, but for the pace (see `_same_pace`)."""
    walk, painter = render.request.walk, render.painter
    walk = map_files(walk, lambda latent: dataclasses.replace(latent, path="", sha256=_content(latent.path)))
    models = [m for m in (painter.model, painter.guide, painter.upsampler) if m is not None]
    parts = [part for model in models for part in (model.card.network, model.card.head) if part is not None]
    facts = {
        "walk": {**walk.to_dict(), "name": "", "pace": []},
        "sampling": {**sampling_to_dict(render.request.sampling), "device": "", "batch": 0},
        "precision": painter.placement.precision,
        "weights": [part.sha256 for part in parts],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()


def _same_pace(asked: Walk, begun: Walk) -> bool:
    """Whether a render of `begun` is one of `asked`: where no pace is given, what was measured counts."""
    return not asked.constant_pace or not asked.pace or asked.pace == begun.pace


def _begun(journal: Journal, identity: str, asked: Walk) -> Walk | None:
    """The walk with the pace it was begun with, if the journal is of this very render."""
    if journal.settings.get("identity") != identity:
        return None
    begun = walk_from_plain(journal.settings["walk"])
    return begun if _same_pace(asked, begun) else None


def _content(path: str) -> str:
    return file_sha256(Path(path))


def _journal(render: _Render) -> Generator[Event, None, Journal | None]:
    """The journal to go on with, or a new one; sets walk and batch. None after a stop."""
    request, painter = render.request, render.painter
    folder = unfinished_folder(render.out)
    identity = _identity(render)
    place = f"{painter.placement.title} with torch {torch.__version__}, {torch.get_num_threads()} threads"
    journal = Journal.resume(folder)
    begun = None if journal is None else _begun(journal, identity, request.walk)
    if begun is None and not request.replace:
        if journal is not None:
            journal.close()
            if journal.count and not request.fresh:
                raise BadRequest(
                    f"{folder} holds {journal.count:,} frames of another render, which was stopped.",
                    field="replace",
                )
        _refuse_to_replace(render.out)
    if journal is not None and (begun is None or request.fresh):
        journal.close()
        journal = None
        if not request.fresh:
            yield render.notice(f"{folder.name} held the frames of another render; this one begins anew.")
    if journal is not None and begun is not None:
        settings = journal.settings
        # The pace as it was measured then; the latents where they are now.
        render.walk = dataclasses.replace(request.walk, pace=begun.pace)
        render.batch = int(settings["batch"])
        if settings.get("place") != place:
            yield render.notice(
                f"The render was begun on {settings.get('place')}; here the rest may differ by rounding."
            )
        return journal
    if request.walk.constant_pace and not request.walk.pace:
        pace = yield from _measure(render)
        if not pace:
            return None
        render.walk = dataclasses.replace(request.walk, pace=pace)
    render.batch = painter.batch
    settings = {
        "identity": identity,
        "place": place,
        "batch": render.batch,
        "walk": walk_to_plain(render.walk),
    }
    channels, height, width = painter.shape
    return Journal(folder, settings, (channels, height, width))


def _measure(render: _Render) -> Generator[Event, None, Any]:
    """The pace of the walk; the pictures need not be enlarged for that."""
    plain = dataclasses.replace(render.painter, upsampler=None, calls=render.painter.plan.calls)
    pace = yield from measure_pace(plain, render.walk, render.control)
    return pace


# --- frames ---------------------------------------------------------------------------------------


def _render(render: _Render, journal: Journal) -> Generator[Event, None, None]:
    """Make what is missing, feed the encoder, and put the video in its place."""
    shots = _Shots(plan_frames(render.walk))
    encoding = Encoding(_writer(render, journal), render.request.scale)
    problem: OSError | None = None
    try:
        problem = yield from _fill(render, journal, shots, encoding)
        path = _close(render, journal, encoding)
    except OSError as error:
        encoding.abandon()
        problem, path = problem or error, None
    except BaseException:
        encoding.abandon()
        raise
    frames = shots.frames[journal.count]
    if problem is not None:
        where = f"{render.out} shows them, and " if path is not None else ""
        message = (
            f"Couldn't write {render.out}: {problem.strerror or problem}, at frame {frames + 1:,} of "
            f"{shots.total:,}. The {frames:,} frames before are kept: {where}the same render goes on from "
            "there once there is room."
        )
        if not frames:
            journal.remove()
            raise UnusableFolder(
                f"Couldn't write {render.out}: {problem.strerror or problem}. Free some space or choose "
                "another folder.",
                field="out",
            ) from problem
        yield render.notice(message)
    if journal.count == 0 or (path is not None and journal.count == shots.count):
        journal.remove()
    else:
        journal.close()
    yield _result(render, path, frames, shots.total)


def _writer(render: _Render, journal: Journal) -> VideoWriter:
    request = render.request
    channels, height, width = render.painter.shape
    return open_writer(
        journal.video if request.video.suffix else render.out,
        request.video.name,
        request.quality,
        (width * request.scale, height * request.scale),
        channels,
        request.walk.fps,
        describe_walk(render.walk, request.sampling),
        journal.make_room,
    )


def _fill(
    render: _Render, journal: Journal, shots: _Shots, encoding: Encoding
) -> Generator[Event, None, OSError | None]:
    """All frames to the encoder: those of an earlier run, then new ones.

    Returns why it ended early if the disk is full. Then there is a little room left to finish
    the video in.
    """

    def hand_over(pictures: Pictures, first: int) -> None:
        encoding.put(pictures, [shots.repeats(first + i) for i in range(pictures.count)])

    shot = 0
    for there in journal.pictures():
        hand_over(there, shot)
        shot += there.count
    render.resumed = shots.frames[shot]
    if 0 < shot < shots.count:
        yield render.notice(
            f"Goes on with frame {render.resumed + 1:,} of {shots.total:,}; those before are from an "
            "earlier render."
        )
    while shot < shots.count and not render.control.cancelled.is_set():
        began = time.monotonic()
        pictures = yield from _group(render, shots, shot)
        if pictures is None:
            return None
        try:
            journal.append(pictures)
        except OSError as error:
            journal.make_room()
            return error
        hand_over(pictures, shot)
        render.new += shots.frames[shot + pictures.count] - shots.frames[shot]
        render.spent += time.monotonic() - began
        shot += pictures.count
        if journal.room_was_made:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None


def _close(render: _Render, journal: Journal, encoding: Encoding) -> Path | None:
    """Finish the video and put it in its place; None if it has no frame yet."""
    if journal.count == 0:
        encoding.abandon()
        return None
    encoding.close()
    if render.request.video.suffix:
        journal.video.replace(render.out)
    return render.out


def _group(render: _Render, shots: _Shots, first: int) -> Generator[Event, None, Pictures | None]:
    """The next pictures, together through the network; None after a stop."""
    while True:
        points = shots.points(first, render.batch)
        try:
            strokes = render.painter.paint(points)
            while True:
                stroke = next(strokes)
                yield _progress(render, shots, stroke, first, len(points))
                if render.control.cancelled.is_set() and stroke.evaluations < stroke.total:
                    return None
        except StopIteration as ended:
            return to_pictures(ended.value)
        except Exception as error:
            smaller = render.painter.smaller(len(points), error)
            if smaller is None:
                raise
            render.batch = smaller
        yield render.notice(
            f"The memory of {render.painter.placement.title} ran out with {len(points)} pictures at once; "
            f"the render goes on with {render.batch}."
        )


def _progress(render: _Render, shots: _Shots, stroke: Stroke, first: int, count: int) -> RenderProgress:
    done = stroke.evaluations == stroke.total
    finished = shots.frames[first + count] if done else shots.frames[first]
    share = stroke.evaluations / stroke.total
    here = render.new + share * (shots.frames[first + count] - shots.frames[first])
    seconds = render.seconds
    left = (shots.total - render.resumed - here) * seconds / max(here, 1e-9)
    groups = -(-shots.count // render.batch)
    return RenderProgress(
        shots.frames[first], count, stroke.step, stroke.steps, stroke.t,
        first // render.batch * stroke.total + stroke.evaluations, groups * stroke.total,
        seconds, max(0.0, left),
        to_pictures(stroke.x0[-1:]) if render.control.wants_preview() else None,
        frames=finished, frames_total=shots.total, frames_per_second=render.pace,
    )  # fmt: skip


def _result(render: _Render, path: Path | None, frames: int, total: int) -> TraverseResult:
    _, height, width = render.painter.shape
    scale, name = render.request.scale, render.request.video.name
    width, height = output_size(name, width * scale, height * scale)
    waiting = unfinished_folder(render.out)
    return TraverseResult(
        request=render.request,
        path="" if path is None else str(path),
        frames=frames,
        frames_total=total,
        width=width,
        height=height,
        bytes=0 if path is None else _bytes(path),
        seconds=render.seconds,
        frames_per_second=render.pace,
        walk=render.walk,
        provenance=provenance(render.painter.placement, (render.batch,)),
        resumed=render.resumed,
        unfinished=str(waiting) if waiting.is_dir() else "",
        notices=tuple(render.notices),
    )


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(entry.stat().st_size for entry in path.glob("frame_*.png"))
    return path.stat().st_size
