"""The command `genie tour`: its options, and what it says at the end."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from engine.cli.command import Command, Namespace
from engine.cli.console import Console, duration
from engine.errors import EngineError, UnusableFolder

__all__ = ["COMMAND"]

THEMES = ("dark", "light")
SIZES = ((1024, 640), (1440, 900))
_SCREEN = {"name": "tour", "x": 0, "y": 0, "width": 1920, "height": 1080,
           "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}  # fmt: skip


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/tour"),
        metavar="DIR",
        help="folder for pictures and tour.json",
    )
    parser.add_argument("--model", metavar="NAME", help="the model to use (default: the first that works)")
    parser.add_argument("--quick", action="store_true", help="dark and 1024x640 only")


def _run(arguments: Namespace, console: Console) -> int:
    folder: Path = arguments.out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableFolder(
            f"Can't write to {folder}: {error.strerror or error}. Choose another folder.", field="out"
        ) from error
    looks = [(theme, size) for theme in THEMES for size in SIZES]
    with tempfile.TemporaryDirectory(prefix="genie-screen-") as screen:
        _have_a_screen(Path(screen))
        try:
            from app.tour.walk import walk
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "PySide6":
                raise
            raise EngineError(
                "The tour needs QtTest, which is left out of this program's bundle. Run it from the source."
            ) from error
        report = walk(folder, looks[:1] if arguments.quick else looks, arguments.model, console)
    for state in report.states:
        for check in state.checks:
            if not check.ok:
                detail = f": {check.detail}" if check.detail else ""
                console.note(f"{state.screenshot or state.chapter}: not so: {check.what}{detail}")
    wrong = sum(not state.ok for state in report.states)
    console.say(
        f"{len(report.states)} states in {duration(report.seconds)}, "
        + (f"{wrong} not as they should be." if wrong else "all as they should be.")
        + f" The pictures are in {folder}."
    )
    console.result(report.to_dict())
    return 1 if wrong else 0


def _have_a_screen(folder: Path) -> None:
    """Where there is no screen, Qt paints into memory, on one that is large enough for the window."""
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    if asked == "offscreen" or (sys.platform.startswith(("linux", "freebsd")) and not (shown or asked)):
        file = folder / "screen.json"
        file.write_text(json.dumps({"screens": [_SCREEN]}), encoding="utf-8")
        os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={file}"


COMMAND = Command(
    name="tour",
    summary="Lead the real window through all its states, take a picture of each, and check it.",
    example="genie tour --out build/tour",
    add_arguments=_add_arguments,
    run=_run,
)
