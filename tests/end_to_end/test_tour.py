"""The tour in a process of its own: it finds nothing wrong, and does find what is made wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QImage

from app.tour import inspection
from app.tour.report import Check, Report, State
from app.tour.walk import _usable_model
from engine.catalogue import read_catalogue
from tests.engine.tiny_model import write_tiny_model

_TOUR = "import sys\nfrom app.main import main\n{before}\nsys.exit(main({arguments!r}))"


def run_tour(
    root: Path, home: Path, out: Path, *options: str, before: str = ""
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Walk in one look with the tiny model; the process and its JSON."""
    arguments = ["tour", "--out", str(out), "--quick", "--model", "tiny", "--json", *options]
    environment = {
        **os.environ,
        "GENIE_HOME": str(home),
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", _TOUR.format(before=before, arguments=arguments)],
        cwd=root, env=environment, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    return done, json.loads(done.stdout) if done.stdout else {}


@pytest.fixture
def home(genie_home: Path) -> Path:
    write_tiny_model(genie_home / "models")
    return genie_home


def test_the_whole_window_is_as_it_should_be(root: Path, home: Path, tmp_path: Path) -> None:
    done, report = run_tour(root, home, tmp_path / "tour")
    assert done.returncode == 0, done.stderr
    assert report == json.loads((tmp_path / "tour" / "tour.json").read_text(encoding="utf-8"))
    states = report["states"]
    assert {state["chapter"] for state in states} >= {
        "start", "first pictures", "solvers", "stop", "wrong input", "advanced", "single picture", "steps",
        "compare", "history", "save", "dropped picture", "queue", "close while busy", "rooms", "help",
    }  # fmt: skip
    assert {f"solver {name}" for name in ("genie", "genie-exact", "ddim", "heun", "unipc")} <= {
        state["name"] for state in states
    }
    for state in states:
        picture = QImage(str(tmp_path / "tour" / state["screenshot"]))
        assert (picture.width(), picture.height()) == (1024, 640), state["screenshot"]
        seen = {picture.pixel(x, y) for x in range(0, 1024, 16) for y in range(0, 640, 8)}
        assert len(seen) > 4, f"{state['screenshot']} is blank"
    # The person's own history was not touched: none was made.
    assert not (home / "history.sqlite").exists()
    assert "Traceback" not in done.stderr


def test_what_is_wrong_is_found(root: Path, home: Path, tmp_path: Path) -> None:
    """Wrong pixels, a control nobody explains, words cut off, an exception, a warning of Qt."""
    before = """
from app.tour import chapters
chapters.CHAPTERS = chapters.CHAPTERS[:2]
from app.views.image_grid import ImageGrid
from app.views.main_window import MainWindow
from PySide6.QtCore import QTimer, qWarning

painted, laid_out = ImageGrid.paint_content, MainWindow._lay_out

def paint_over(self, painter, dirty):
    painted(self, painter, dirty)
    painter.fillRect(self.tile_rect(0).adjusted(8, 8, -8, -8), 0xFF123456)

def lay_out(self):
    laid_out(self)
    controls = self.generate_room.controls
    controls.forever.setToolTip("")
    controls.summary.setWordWrap(False)
    controls.summary.setFixedWidth(60)
    controls.fold.setAccessibleName("")
    controls.fold.setText("")
    QTimer.singleShot(0, self, lambda: 1 / 0)
    QTimer.singleShot(0, self, lambda: qWarning("beware"))

ImageGrid.paint_content, MainWindow._lay_out = paint_over, lay_out
"""
    done, report = run_tour(root, home, tmp_path / "tour", before=before)
    assert done.returncode == 1, done.stderr
    wrong = {
        check["what"]: check["detail"] for s in report["states"] for check in s["checks"] if not check["ok"]
    }
    assert "the screen shows what the engine has so far" in wrong
    assert "the screen shows what the engine gave, pixel for pixel" in wrong
    assert "Generate for ever" in wrong["every control has a tooltip"]
    assert "_Column" in wrong["every control has a name"]  # that of the control panel
    assert "needs" in wrong["no words are cut off"]
    complaints = " ".join(
        check["detail"]
        for s in report["states"]
        for check in s["checks"]
        if check["what"] == "nothing was complained of"
    )
    assert "ZeroDivisionError" in complaints
    assert "beware" in complaints
    assert "not so: every control has a tooltip" in done.stderr


def test_a_model_that_is_not_there_is_bad_input(root: Path, home: Path, tmp_path: Path) -> None:
    done, report = run_tour(root, home, tmp_path / "tour", "--model", "tinny")
    assert done.returncode == 2
    assert "Did you mean 'tiny'?" in report["error"]["message"]


def test_a_report_is_good_only_if_all_of_it_is(tmp_path: Path) -> None:
    good, bad = Check("so", True), Check("so", False, "it is not")
    report = Report()
    assert not report.ok  # nothing was seen
    report.states.append(State("dark", "start", "start", "a.png", (good,)))
    assert report.ok
    report.states.append(State("dark", "start", "ready", "b.png", (good, bad)))
    assert not report.ok
    report.write(tmp_path / "tour.json")
    read = json.loads((tmp_path / "tour.json").read_text(encoding="utf-8"))
    assert [state["ok"] for state in read["states"]] == [True, False]
    assert read["states"][1]["checks"][1] == {"what": "so", "ok": False, "detail": "it is not"}


def test_inspection_finds_what_is_cut_and_what_has_no_name(qtbot: Any) -> None:
    from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

    window = QWidget()
    column = QVBoxLayout(window)
    fine, cut = QPushButton("Fine"), QPushButton("Far too long for this")
    fine.setToolTip("Fine.")
    cut.setFixedWidth(40)
    wrapped = QLabel("several words that need more than a single line of such a narrow label")
    wrapped.setWordWrap(True)
    wrapped.setFixedSize(80, 16)
    nameless = QPushButton()
    for widget in (fine, cut, wrapped, nameless):
        column.addWidget(widget)
    window.resize(300, 300)
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    found = inspection.cut_words()
    assert len(found) == 2
    assert "Far too long" in found[0]
    assert "of height" in found[1]
    assert len(inspection.controls_without_a_name()) == 1
    assert len(inspection.controls_without_a_tooltip()) == 2
    cut.setFixedWidth(300)
    wrapped.setFixedSize(400, 60)
    window.resize(500, 300)
    assert inspection.cut_words() == []


def test_without_a_choice_it_takes_a_model_that_makes_pictures_by_itself() -> None:
    chosen = read_catalogue().model(_usable_model(None))
    assert not chosen.is_upsampler
