"""Starting: what is printed, what is imported when, and a whole run in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import main as start


def run(code: str, home: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GENIE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen", **changes}
    environment = {name: value for name, value in environment.items() if value}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
        cwd=Path(start.__file__).parent.parent,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only here can there be no screen at all")
def test_without_a_screen_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert start.main([]) == 2
    told = capsys.readouterr().err
    assert "no screen" in told
    assert "make run" in told
    assert "xvfb-run" in told
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    assert start.main([]) == 2


def test_a_screenshots_option_without_a_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--screenshots"]) == 2
    assert "needs a folder" in capsys.readouterr().err


def test_arguments_go_to_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["generat"]) == 2
    assert "generate" in capsys.readouterr().err
    assert start.main(["--help"]) == 0
    assert "generate" in capsys.readouterr().out


def test_nothing_heavy_is_imported_before_the_window_is_shown(genie_home: Path) -> None:
    """torch takes seconds: the window must be there first."""
    code = """
import json, sys
from PySide6.QtWidgets import QApplication
application = QApplication([])
from app.models.studio import Studio
from app.views import theme
from app.views.main_window import MainWindow
studio = Studio()
theme.current().install()
window = MainWindow(studio)
window.show()
application.processEvents()
heavy = [name for name in ("torch", "numpy", "PIL", "safetensors", "diffusers", "asyncio") if name in sys.modules]
window.close()
studio.shutdown()
print(json.dumps(heavy))
"""
    done = run(code, genie_home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_a_whole_run_leaves_a_screenshot_and_ends_cleanly(genie_home: Path, tmp_path: Path) -> None:
    """The real loop and the real engine thread: started, seen, closed by its own close button."""
    code = f"""
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app import main
from app.views.screenshots import Screenshots

taken = Screenshots.take

def take_and_close(self, name):
    saved = taken(self, name)
    QTimer.singleShot(0, self._window.close)
    return saved

Screenshots.take = take_and_close
sys.exit(main.main(["--screenshots", {str(tmp_path / "shots")!r}]))
"""
    done = run(code, genie_home)
    assert done.returncode == 0, done.stderr
    picture = (tmp_path / "shots" / "window-start.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000
    assert "Traceback" not in done.stderr
    assert "QThread" not in done.stderr


def test_trouble_is_written_and_the_window_is_told(genie_home: Path, tmp_path: Path) -> None:
    log = tmp_path / "deep" / "trouble.log"
    with pytest.raises(ValueError, match="a bug") as caught:
        raise ValueError("a bug of ours")
    assert start.write_trouble(log, caught.value)
    assert start.write_trouble(log, caught.value)
    assert log.read_text(encoding="utf-8").count("ValueError: a bug of ours") == 2
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert not start.write_trouble(tmp_path / "file" / "trouble.log", ValueError("no"))


def test_an_uncaught_exception_becomes_a_message(
    genie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: object
) -> None:
    from app.models.studio import Studio
    from app.store import Store
    from tests.fake_engine import FakeEngine

    monkeypatch.setattr(sys, "excepthook", lambda *_: None)
    studio = Studio(Store(None), FakeEngine)
    told: list[str] = []

    def hear(text: str, kind: str, undo: object) -> None:
        told.append(f"{kind}: {text}")

    studio.notice.connect(hear)
    hook = start._TroubleHook(tmp_path / "trouble.log", studio)
    hook.install()
    try:
        sys.excepthook(ValueError, ValueError("a bug of ours"), None)
    finally:
        hook.uninstall()
    studio.shutdown()
    assert told
    assert told[0].startswith("bad: Something went wrong")
    assert "trouble.log" in told[0]
    assert "a bug of ours" in (tmp_path / "trouble.log").read_text(encoding="utf-8")
