"""Makes the pictures for README.md: the real window with the bundled model, and a walk in colour.

    python -m scripts.readme_pictures [FOLDER]

Needs no screen. Nothing of the person's own history or settings is read or changed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SIZE = (1280, 800)
PATIENCE = 300.0  # seconds; the processor may be busy with something else


def main(folder: Path) -> int:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="genie-pictures-") as home:
        os.environ["GENIE_HOME"] = home
        _take(folder)
        return _walk(folder / "walk.webp")


def _walk(path: Path) -> int:
    from engine.cli import main as genie

    return genie([
        "traverse", "--random", "5", "--model", "emoji64", "--classes", "Face,Heart,Plant,Vehicle,Place",
        "--seconds", "1.5", "--fps", "9", "--upsample", "--fresh", "--replace", "--out", str(path),
    ])  # fmt: skip


def _take(folder: Path) -> None:
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    from app.models.studio import Studio
    from app.views import theme
    from app.views.main_window import MainWindow

    application = QApplication.instance() or QApplication(sys.argv[:1])
    theme.current().set_still(True)
    theme.current().install("dark")
    studio = Studio()
    window = MainWindow(studio)
    window.resize(*SIZE)
    window.show()
    studio.start()
    canvas, room = studio.canvas, window.generate_room

    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            application.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            if time.monotonic() > end:
                raise TimeoutError("the window did not come to what should be pictured")

    def generate(**settings: object) -> None:
        studio.settings.set_values(settings)
        studio.generate()
        wait(lambda: studio.queue.running is None and not studio.queue.pending)
        wait(lambda: canvas.record_ids)

    def picture(name: str, colours: theme.Choice) -> None:
        theme.current().install(colours)
        window.notices.dismiss_all()
        for _ in range(5):
            application.processEvents()
        window.grab().save(str(folder / f"{name}.png"))

    wait(lambda: studio.engine_state == "ready")
    studio.settings.model = studio.edits.settings.model = "fashion32"
    # A history worth looking at, and something to compare with.
    generate(count=20, pick="all", seed=100)
    generate(count=16, pick=(8,), seed=300)
    generate(count=16, pick=(7, 5), seed=400)
    generate(count=16, pick=(9,), seed=7, solver="ddim", steps=5)
    generate(solver="genie", steps=5)
    canvas.select(10)
    room.canvas.toggle_compare()
    picture("compare", "light")
    room.canvas.leave_compare()
    canvas.select(-1)
    generate(steps=10)
    picture("generate", "dark")
    canvas.select(5)
    room.canvas.show_single()
    canvas.show_step(4)
    picture("steps", "dark")
    room.canvas.show_grid()
    canvas.select(-1)
    studio.settings.set_values({"pick": "all", "count": 16, "seed": 41, "steps": 25})
    studio.generate()
    wait(lambda: canvas.state == "running" and canvas.progress.fraction > 0.3)
    picture("running", "light")
    studio.stop()
    wait(lambda: studio.queue.running is None)

    window.show_room("edit")
    edit = window.edit_room
    edit.stage.empty.example.click()
    wait(lambda: edit.dialog is not None and edit.dialog.isVisible())
    edit.dialog.accept_button.click()
    wait(lambda: edit.edits.page == "round trip")
    edit.panel.tools["class"].click()
    wait(lambda: edit.edits.pending.final and edit.edits.pending.strip is not None)
    picture("edit", "dark")

    window.show_room("traverse")
    traverse = window.traverse_room
    traverse.shelf.example.click()
    traverse.stage.four.click()
    wait(lambda: studio.traverse.pad.state == "done")
    traverse.timeline.random.click()
    line = studio.traverse.timeline
    wait(lambda: line.keys and all(key.spot.thumbnail for key in line.keys))
    wait(lambda: all(spot.thumbnail for spot in studio.traverse.shelf.everything))
    picture("traverse", "light")
    window.close_anyway()
    studio.shutdown()


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("resources/readme")))
