"""How quickly the pad follows the hand: `python -m tests.benchmarks.bench_pad`.

Drags the point of the Traverse room over four pins in the real window and counts what arrives on
the stage. Prints a table and writes build/bench/pad.json:

- pad_images_per_second: pictures that the stage painted, in a second of dragging
- pad_p50_ms, pad_p95_ms: from the pointer's event to the painted picture of that place, over the
  places that were painted
- pad_engine_ms: of these, the median that the engine computed
- pad_moves_per_second: how often the pointer moved; places in between were replaced by newer ones
- pad_cpu_ms: what all threads of the process computed for a picture; on a busy machine this is
  steadier than the others
- pad_window_own_ms: the median that the window's thread computed for a picture
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GOALS = {"pad_images_per_second": 20, "pad_p95_ms": 80}


def measure(model: str, seconds: float, label: int | None) -> dict[str, Any]:
    """Drag on the pad for so long."""
    from PySide6.QtCore import QEvent, QEventLoop, QPointF, Qt, QTimer
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication

    from app.models.studio import Studio
    from app.models.traverse.mixing import Pin
    from app.models.traverse.shelf import point_of
    from app.models.traverse.spots import Spot
    from app.store import Store
    from app.views import theme
    from app.views.main_window import MainWindow
    from engine.messages import SeedLatent

    application = QApplication.instance() or QApplication(["genie"])
    assert isinstance(application, QApplication)
    theme.current().install("dark")
    studio = Studio(Store(None))
    window = MainWindow(studio)
    window.resize(1280, 800)
    window.show()

    def spend(until: Any, most: float) -> None:
        loop, poll, end = QEventLoop(), QTimer(), time.monotonic() + most
        poll.timeout.connect(lambda: (until() or time.monotonic() > end) and loop.quit())
        poll.start(5)
        if not until():
            loop.exec()
        poll.stop()

    studio.start()
    spend(lambda: studio.engine_state != "starting", 60)
    window.show_room("traverse")
    traverse, room = studio.traverse, window.traverse_room
    corners = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    spots = [Spot(model, SeedLatent(seed), label, thumbnail=b"-") for seed in range(4)]
    traverse.pad.set_pins([Pin(spot, *at) for spot, at in zip(spots, corners, strict=True)])
    spend(lambda: traverse.pad.state == "done", 120)

    pad, view = room.pad, room.stage.view
    moved: dict[object, float] = {}  # when the pointer was at each place
    engine: list[float] = []
    shown: list[tuple[float, float]] = []  # when it was painted, seconds since the pointer was there
    own: list[float] = []
    waiting: list[tuple[object, float]] = []
    paint = view.paintEvent

    def painted(event: Any) -> None:
        paint(event)
        now = time.perf_counter()
        while waiting:
            point, began = waiting.pop()
            shown.append((now, now - moved[point]))
            own.append(time.thread_time() - began)
            waiting.clear()

    def arrived(lane: str, outcome: Any) -> None:
        if lane == "pad" and outcome.request.points[0] in moved:
            engine.append(outcome.seconds)
            waiting.append((outcome.request.points[0], time.thread_time()))

    view.paintEvent = painted  # type: ignore[method-assign]
    # Before the pad hears of it, so that its own work counts.
    studio.host.live_finished.connect(arrived)

    def send(kind: QEvent.Type, at: QPointF, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
        place = QPointF(pad.mapToGlobal(at.toPoint()))
        event = QMouseEvent(kind, at, place, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(pad, event)

    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    began, cpu = time.perf_counter(), time.process_time()
    moves = 0

    def move() -> None:
        nonlocal moves
        t = time.perf_counter() - began
        at = pad.place_of(0.5 + 0.42 * math.sin(2.1 * t), 0.5 + 0.42 * math.sin(1.3 * t + 0.5))
        now = time.perf_counter()
        send(QEvent.Type.MouseMove, at, none, left)
        here = traverse.pad.here
        assert here is not None
        moved.setdefault(point_of(here), now)
        moves += 1

    send(QEvent.Type.MouseButtonPress, pad.place_of(0.5, 0.5), left, left)
    ticks = QTimer()
    ticks.setTimerType(Qt.TimerType.PreciseTimer)
    ticks.timeout.connect(move)
    ticks.start(8)  # a mouse reports 125 times a second
    spend(lambda: False, seconds)
    ticks.stop()
    cpu = time.process_time() - cpu
    send(QEvent.Type.MouseButtonRelease, pad.place_of(0.5, 0.5), left, none)
    delays = sorted(1000 * delay for _, delay in shown)
    rate = (len(shown) - 1) / (shown[-1][0] - shown[0][0])
    window.close_anyway()
    studio.shutdown()
    return {
        "pad_images_per_second": rate,
        "pad_p50_ms": statistics.median(delays),
        "pad_p95_ms": delays[int(0.95 * len(delays))],
        "pad_max_ms": delays[-1],
        "pad_engine_ms": 1000 * statistics.median(engine),
        "pad_cpu_ms": 1000 * cpu / len(shown),
        "pad_window_own_ms": 1000 * statistics.median(own),
        "pad_moves_per_second": moves / seconds,
        "pad_images": len(shown),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fashion32")
    parser.add_argument("--label", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=Path("build/bench/pad.json"))
    arguments = parser.parse_args()
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as home:
        os.environ["GENIE_HOME"] = home
        figures = measure(arguments.model, arguments.seconds, arguments.label)
    figures |= {"model": arguments.model, "platform": os.environ.get("QT_QPA_PLATFORM", "screen")}
    figures |= {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for name, value in figures.items():
        shown = f"{value:.2f}" if isinstance(value, float) else str(value)
        goal = f"  (goal: {GOALS[name]})" if name in GOALS else ""
        print(f"{name:<24}  {shown}{goal}")


if __name__ == "__main__":
    main()
