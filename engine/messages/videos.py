"""The kinds of video there are, in words, and how large a file will about be."""

from __future__ import annotations

import os
from dataclasses import dataclass

from engine.errors import BadRequest
from engine.messages.checks import nearest

__all__ = ["FORMATS", "QUALITIES", "VideoFormat", "expected_bytes", "video_format"]

# From the smallest file to the one that loses nothing that shows.
QUALITIES = ("small", "good", "best")


@dataclass(frozen=True)
class VideoFormat:
    """A kind of video a walk can be rendered to.

    `bits` holds, for each of `QUALITIES`, about how many bits a pixel of a frame takes in a walk
    of photographs or drawings; `frame_bytes` what every frame costs besides.
    """

    name: str
    title: str
    summary: str
    suffix: str  # "" for a folder of pictures
    bits: tuple[float, float, float]
    frame_bytes: int
    most_fps: float = 240.0
    lossless: bool = False  # the quality makes no difference

    def check_fps(self, fps: float) -> None:
        if fps > self.most_fps:
            raise BadRequest(
                f"fps is {fps:g}; {self.title} can show at most {self.most_fps:g} frames a second. "
                "Choose fewer or another format.",
                field="fps",
            )


FORMATS: dict[str, VideoFormat] = {
    entry.name: entry
    for entry in (
        VideoFormat(
            "mp4", "MP4 (H.264)", "Plays everywhere: phones, browsers, presentations.", ".mp4",
            (0.05, 0.16, 0.6), 30,
        ),
        VideoFormat(
            "webm", "WebM (VP9)", "For web pages; free of patents, smaller than MP4.", ".webm",
            (0.04, 0.13, 0.5), 25,
        ),
        VideoFormat(
            "webm-av1", "WebM (AV1)", "The smallest files; new players only, slow to write.", ".webm",
            (0.03, 0.10, 0.4), 25,
        ),
        VideoFormat(
            "gif", "GIF", "Moves wherever a picture can be put; 256 colours, large.", ".gif",
            (2.5, 3.5, 4.5), 800, most_fps=50.0,
        ),
        VideoFormat(
            "apng", "Animated PNG", "A moving picture without loss; browsers play it.", ".png",
            (6.0, 6.0, 6.0), 60, lossless=True,
        ),
        VideoFormat(
            "webp", "Animated WebP", "A moving picture, much smaller than GIF.", ".webp",
            (0.3, 0.7, 4.0), 40,
        ),
        VideoFormat(
            "png", "PNG sequence", "A folder with every frame as a picture, for other programs.", "",
            (6.0, 6.0, 6.0), 80, lossless=True,
        ),
    )
}  # fmt: skip


def video_format(out: str, name: str = "") -> VideoFormat:
    """The format called `name` or, if that is empty, the one that the suffix of `out` says."""
    if name:
        return FORMATS[name]
    suffix = os.path.splitext(out)[1].lower()  # noqa: PTH122  # what a person typed, not yet a path
    if suffix == ".apng":
        return FORMATS["apng"]
    for entry in FORMATS.values():
        if entry.suffix == suffix:
            return entry
    known = sorted({entry.suffix for entry in FORMATS.values() if entry.suffix})
    raise BadRequest(
        f"A video can't be saved as {suffix!r}.{nearest(suffix, known)} Use one of {', '.join(known)}, or a "
        "name without a suffix for a folder of pictures.",
        field="out",
    )


def expected_bytes(name: str, quality: str, width: int, height: int, frames: int) -> int:
    """About how large the file will be: a guide of the right order, not a promise."""
    entry = FORMATS[name]
    bits = entry.bits[QUALITIES.index(quality)]
    return int(1000 + frames * (entry.frame_bytes + bits * width * height / 8))
