"""One walk through all chapters for each look: theme and size of the window."""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from app.models.studio import APP_TITLE, Studio
from app.store import open_store
from app.tour.chapters import CHAPTERS
from app.tour.chapters.keeping import FILE, FILES
from app.tour.guide import Guide, LostTheWay
from app.tour.report import Report
from app.tour.troubles import Troubles
from app.tour.watched_engine import WatchedEngine
from app.views import theme
from app.views.main_window import MainWindow
from engine.catalogue import read_catalogue
from engine.cli.console import Console
from engine.errors import BadRequest

__all__ = ["walk"]

_ENOUGH = 3  # chapters that can't be walked before a look is given up
Look = tuple[str, tuple[int, int]]


def walk(folder: Path, looks: Sequence[Look], model: str | None, console: Console) -> Report:
    """Walk through every chapter in every look; leaves pictures and `tour.json` in `folder`.

    The data folder is a temporary one: the person's history and settings are not touched.
    """
    name = _usable_model(model)
    began = time.monotonic()
    report = Report()
    application = QApplication.instance() or QApplication([APP_TITLE])
    assert isinstance(application, QApplication)
    application.setQuitOnLastWindowClosed(False)
    for look in looks:
        with _guide(folder, look, name, report) as guide:
            lost = 0
            for number, (title, chapter) in enumerate(CHAPTERS):
                console.progress(f"{_name_of(look)}: {title} ({number + 1}/{len(CHAPTERS)})")
                guide.chapter = title
                try:
                    if number:
                        guide.home()
                    chapter(guide)
                except Exception as problem:  # the other chapters can still be walked
                    words = str(problem)
                    if not isinstance(problem, LostTheWay):
                        words = f"{type(problem).__name__}: {words} ({_line(problem)})"
                    guide.went_wrong(words)
                    lost += 1
                    if lost == _ENOUGH:  # each takes its time to give up waiting
                        break
    report.seconds = time.monotonic() - began
    report.write(folder / "tour.json")
    return report


def _line(problem: Exception) -> str:
    last = traceback.extract_tb(problem.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _usable_model(wanted: str | None) -> str:
    catalogue = read_catalogue()
    if wanted is not None:
        info = catalogue.model(wanted)
        if info.problem:
            raise BadRequest(f"{info.title} can't be used: {info.problem}", field="model")
        return info.name
    # An upsampler makes nothing by itself.
    usable = [info.name for info in catalogue.models if not info.problem and not info.is_upsampler]
    if not usable:
        raise BadRequest(
            "There is no model to take on the tour. `genie train` makes one; `genie models` lists those there are.",
            field="model",
        )
    return usable[0]


def _name_of(look: Look) -> str:
    colours, (width, height) = look
    return f"{colours}-{width}x{height}"


@contextlib.contextmanager
def _guide(folder: Path, look: Look, model: str, report: Report) -> Iterator[Guide]:
    """A fresh window in this look, over a data folder that is gone afterwards."""
    name = _name_of(look)
    place = folder / name
    files = place / FILES
    files.mkdir(parents=True, exist_ok=True)
    for old in (*place.glob("*.png"), *files.glob(f"{FILE}.*")):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="genie-tour-") as home, Troubles() as troubles:
        engine = WatchedEngine()
        theme.current().set_still(True)
        theme.current().install("light" if look[0] == "light" else "dark")
        studio = Studio(open_store(Path(home) / "history.sqlite"), lambda: engine)
        window = MainWindow(studio)
        window.resize(*look[1])
        window.move(0, 0)
        window.show()
        window.activateWindow()
        guide = Guide(window, engine, report, troubles, place, name, model)
        try:
            guide.wait(window.isVisible, "the window is shown")
            yield guide
        finally:
            engine.let_go()
            window.close_anyway()
            window.hide()
            studio.shutdown()
            window.deleteLater()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
