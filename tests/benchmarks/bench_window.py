"""How the window feels: `python -m tests.benchmarks.bench_window`.

Prints a table and writes build/bench/window.json:

- first_paint_s: from the start of the process to the first time the window paints itself; not the
  first start ever, so with files in the disk cache and modules compiled
- first_paint_own_s: of these, what the process computed; the rest is waiting for a processor
- engine_ready_s: from there to torch loaded and jobs taken
- event_loop_p99_ms, event_loop_max_ms: between two ticks of a 5 ms timer in the window, while 16
  images at a time are made with live previews, kept in the history and begun again
- event_loop_own_p99_ms, event_loop_own_max_ms: of these, what the window itself computed; the rest
  is waiting for a processor that something else has
- cancel_evaluations: network evaluations that end after Stop was clicked, the most over all solvers
- idle_cpu_percent: of one core, with nothing to do
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

GOALS = {
    "first_paint_s": 0.3,
    "event_loop_p99_ms": 10.0,
    "event_loop_max_ms": 50.0,
    "cancel_evaluations": 1,
}
ROOT = Path(__file__).resolve().parents[2]

# Runs in a process of its own: notes when the window first paints, closes when the engine is there.
_START = """
import sys, time
began = float(sys.argv[1])
from PySide6.QtWidgets import QMainWindow
from app import main
from app.views.main_window import MainWindow
seen = {}

def paint(self, event):
    if not seen:
        seen.update(first_paint_s=time.monotonic() - began, first_paint_own_s=time.process_time())
    QMainWindow.paintEvent(self, event)

def show(self, event):
    QMainWindow.showEvent(self, event)
    self.studio.host.engine_ready.connect(self.note_ready)

def note_ready(self, _seconds):
    seen["engine_ready_s"] = time.monotonic() - began
    self.close()

MainWindow.paintEvent, MainWindow.showEvent, MainWindow.note_ready = paint, show, note_ready
sys.argv = ["genie"]
code = main.main([])
import json
print(json.dumps(seen))
sys.exit(code)
"""


def measure_start(repeats: int, home: Path) -> dict[str, float]:
    """Medians over fresh processes, the first one (which warms the caches) left out."""
    # Where Python is told to keep no bytecode, compiling would be a quarter of the start.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(home / "bytecode"), "GENIE_HOME": str(home)}
    figures: dict[str, list[float]] = {}
    for repeat in range(repeats + 1):
        done = subprocess.run(
            [sys.executable, "-c", _START, str(time.monotonic())],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name, seconds in json.loads(done.stdout).items():
            if repeat:
                figures.setdefault(name, []).append(seconds)
    return {name: statistics.median(values) for name, values in figures.items()}


class Bench:
    """One window over the real engine, in this process."""

    def __init__(self, home: Path, folders: Sequence[Path] | None, model: str) -> None:
        from PySide6.QtWidgets import QApplication

        from app.models.studio import Studio
        from app.store import open_store
        from app.tour.watched_engine import WatchedEngine
        from app.views import theme
        from app.views.main_window import MainWindow

        self.application = QApplication.instance() or QApplication(["genie"])
        theme.current().install("dark")
        self.engine = WatchedEngine(folders)
        self.studio = Studio(open_store(home / "history.sqlite"), lambda: self.engine)
        self.window = MainWindow(self.studio)
        self.window.resize(1440, 900)
        self.window.show()
        self.studio.start()
        self.wait(lambda: self.studio.engine_state != "starting", 60)
        self.studio.settings.model = model
        self.generate(count=16, steps=10)

    def close(self) -> None:
        self.window.close_anyway()
        self.studio.shutdown()

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        """Run the event loop until `condition` holds."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop, poll = QEventLoop(), QTimer()
        end = time.monotonic() + seconds
        poll.timeout.connect(lambda: (condition() or time.monotonic() > end) and loop.quit())
        poll.start(2)
        if not condition():
            loop.exec()
        poll.stop()
        if not condition():
            raise TimeoutError(f"not within {seconds:g} s; the canvas is {self.studio.canvas.state}")

    def spend(self, seconds: float) -> None:
        """Run the event loop for so long, with nothing of ours in it."""
        from PySide6.QtCore import QEventLoop, QTimer

        loop = QEventLoop()
        QTimer.singleShot(int(1000 * seconds), loop.quit)
        loop.exec()

    def generate(self, **settings: object) -> None:
        """Make pictures and wait until they are in the history."""
        for name, value in settings.items():
            self.studio.settings.set_value(name, value)
        if self.studio.generate() is None:
            raise RuntimeError(f"nothing can be generated: {self.studio.settings.errors}")
        self.idle()

    def idle(self) -> None:
        queue, history = self.studio.queue, self.studio.history
        self.wait(lambda: queue.running is None and not queue.pending and not history.waiting, 300)

    def event_loop(self, seconds: float) -> dict[str, Any]:
        """Ticks of a 5 ms timer while pictures are made again and again."""
        from PySide6.QtCore import Qt, QTimer

        ticks: list[float] = []
        work: list[float] = []  # seconds this thread has computed, at each tick

        def tick() -> None:
            ticks.append(time.perf_counter())
            work.append(time.thread_time())

        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(tick)
        pictures = self.studio.history.total
        self.studio.generate_forever(True)
        timer.start(5)
        self.spend(seconds)
        timer.stop()
        self.studio.stop()
        self.idle()
        gaps = sorted(1000 * (after - before) for before, after in itertools.pairwise(ticks))
        own = sorted(1000 * (after - before) for before, after in itertools.pairwise(work))
        return {
            "event_loop_p99_ms": gaps[int(0.99 * len(gaps))],
            "event_loop_max_ms": gaps[-1],
            "event_loop_own_p99_ms": own[int(0.99 * len(own))],
            "event_loop_own_max_ms": own[-1],
            "event_loop_median_ms": statistics.median(gaps),
            "event_loop_worst_ms": [round(gap, 1) for gap in gaps[-8:]],
            "event_loop_images": self.studio.history.total - pictures,
        }

    def cancel(self, trials: int) -> dict[str, Any]:
        """Evaluations that end after Stop was clicked, for every solver at several moments."""
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        info = self.studio.settings.model_info
        assert info is not None
        stop = self.window.generate_room.controls.stop
        settings, canvas = self.studio.settings, self.studio.canvas
        counted: dict[str, list[int]] = {}
        settings.steps = 200
        for solver in settings.catalogue.solvers:
            if solver.derivative == "head" and not info.has_head:
                continue
            settings.solver = solver.name
            for trial in range(trials):
                self.studio.generate()
                self.wait(lambda past=2 + 3 * trial: canvas.progress.evaluations >= past, 120)
                QTest.mouseClick(stop, Qt.MouseButton.LeftButton)
                self.idle()
                counted.setdefault(solver.name, []).append(self.engine.after_cancel)
        return {
            "cancel_evaluations": max(max(trials) for trials in counted.values()),
            "cancel_evaluations_by_solver": counted,
        }

    def idle_cpu(self, seconds: float) -> float:
        """Percent of one core this process uses while nobody does anything."""
        self.spend(2.0)  # what comes a moment after the last job: the session is written, notices go
        cpu, wall = time.process_time(), time.perf_counter()
        self.spend(seconds)
        return 100 * (time.process_time() - cpu) / (time.perf_counter() - wall)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion32")
    parser.add_argument("--folder", type=Path, help="a folder of models instead of the bundled ones")
    parser.add_argument(
        "--random", action="store_true", help="measure random weights of the fashion32 recipe"
    )
    parser.add_argument("--repeats", type=int, default=5, help="starts, and stops of each solver")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to watch the event loop")
    parser.add_argument("--out", type=Path, default=Path("build/bench/window.json"))
    arguments = parser.parse_args()
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        folder: Path | None = arguments.folder
        if arguments.random:
            from tests.benchmarks.bench_engine import write_random

            folder = home / "models"
            write_random(folder, arguments.model)
        figures: dict[str, Any] = measure_start(arguments.repeats, home)
        bench = Bench(home, [folder] if folder else None, arguments.model)
        try:
            figures["idle_cpu_percent"] = bench.idle_cpu(5.0)
            figures |= bench.event_loop(arguments.seconds)
            figures |= bench.cancel(arguments.repeats)
        finally:
            bench.close()
    figures |= {"model": arguments.model, "platform": os.environ.get("QT_QPA_PLATFORM", "screen")}
    figures |= {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {max(counts)}" for key, counts in value.items())
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        goal = f"  (goal: {GOALS[name]})" if name in GOALS else ""
        print(f"{name:<28}  {shown}{goal}")


if __name__ == "__main__":
    main()
