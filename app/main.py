"""Starts GENIE Studio: without arguments the window, with arguments the command line."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cli.command import Command

__all__ = ["main"]

_NO_SCREEN = """\
GENIE Studio can't open its window: there is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set).

  On this machine   sit at it, or connect with `ssh -X`
  Without a screen  `make run` starts a virtual one (Xvfb); or: xvfb-run -a genie
  Without a window  `genie generate --help`"""
_START_ANYWAY = 2_000  # ms
_SHUTDOWN = 30_000  # ms the engine may take to come back from its last evaluation


def main(argv: Sequence[str] | None = None) -> int:
    """Run and return the exit code: 0, or 2 where something is missing or was asked wrongly."""
    if getattr(sys, "frozen", False):  # elsewhere it does nothing, and is slow to import
        import multiprocessing

        multiprocessing.freeze_support()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] != "--screenshots":
        return _command_line(arguments)
    screenshots = os.environ.get("GENIE_SCREENSHOTS", "")
    if arguments:
        if len(arguments) != 2:
            print("genie: --screenshots needs a folder and nothing else.", file=sys.stderr)  # noqa: T201
            return 2
        screenshots = arguments[1]
    if not _has_screen():
        print(_NO_SCREEN, file=sys.stderr)  # noqa: T201
        return 2
    return _window(Path(screenshots) if screenshots else None)


def _command_line(arguments: list[str]) -> int:
    from engine.cli import main as command_line

    return command_line(arguments, extra_commands=_extra_commands())


def _extra_commands() -> tuple[Command, ...]:
    """The commands that need the window."""
    from importlib import import_module
    from importlib.util import find_spec

    if find_spec("app.tour") is None:
        return ()
    return (import_module("app.tour").COMMAND,)


def _has_screen() -> bool:
    """Whether Qt will find a screen: it would abort the process if it doesn't."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return True
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    if asked and not asked.startswith(("xcb", "wayland")):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _window(screenshots: Path | None) -> int:
    gc.disable()  # until the first paint, which looking through all that is made would only put off
    from PySide6.QtCore import QEventLoop, QTimer
    from PySide6.QtWidgets import QApplication

    from app.models.studio import APP_TITLE, Studio
    from app.store import data_folder
    from app.views import icons, theme
    from app.views.main_window import MainWindow

    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName(APP_TITLE)
    application.setDesktopFileName("genie-studio")
    studio = Studio()
    look = theme.current()
    look.set_still(bool(studio.session.get("still", False)))
    kept = studio.session.get("theme", "system")
    choice: theme.Choice = kept if kept in ("system", "dark", "light") else "system"
    look.prepare(choice)
    application.setWindowIcon(icons.icon("generate", "accent", 16, 32, 64))
    window = MainWindow(studio)
    look.install(choice)
    trouble = _TroubleHook(data_folder() / "trouble.log", studio)
    trouble.install()
    if screenshots is not None:
        from app.views.screenshots import Screenshots

        Screenshots(window, screenshots)  # the window owns it
    window.show()
    try:
        # What takes long to load waits until the window is on screen: asyncio, and torch above all.
        shown = QEventLoop()
        window.painted.connect(shown.quit)
        QTimer.singleShot(_START_ANYWAY, shown.quit)  # minimised, it is never painted
        shown.exec()
        gc.enable()
        QTimer.singleShot(0, studio.start)
        if window.isVisible():
            _run_loop(application)
    finally:
        gc.enable()
        trouble.uninstall()
        window.hide()
        ended = studio.shutdown(_SHUTDOWN)
        window.deleteLater()
    if not ended:  # inside a call that can't be stopped; everything is written, so leave without waiting
        sys.stdout.flush()
        os._exit(0)
    return 0


def _run_loop(application: object) -> None:
    """One loop for Qt and asyncio, in the window's thread; leaves when the last window is closed."""
    import asyncio
    import contextlib
    import signal

    import qasync  # takes the Qt binding that is imported already
    from PySide6.QtWidgets import QApplication

    assert isinstance(application, QApplication)
    loop = qasync.QEventLoop(application)
    loop.set_default_executor(qasync.QThreadExecutor(2))
    asyncio.set_event_loop(loop)
    closed = asyncio.Event()
    application.aboutToQuit.connect(closed.set)
    with loop:
        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
            for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl+C, or the system is shutting down
                loop.add_signal_handler(number, closed.set)
        loop.run_until_complete(closed.wait())
    asyncio.set_event_loop(None)


class _TroubleHook:
    """An exception nobody caught: into the log and before the person's eyes, and the window goes on."""

    def __init__(self, log: Path, studio: object) -> None:
        self._log = log
        self._studio = studio
        self._before = sys.excepthook

    def install(self) -> None:
        sys.excepthook = self._hook

    def uninstall(self) -> None:
        sys.excepthook = self._before

    def _hook(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        from app.models.studio import Studio

        self._before(kind, error, trace)
        if issubclass(kind, KeyboardInterrupt):
            return
        told = write_trouble(self._log, error)
        if isinstance(self._studio, Studio) and threading.current_thread() is threading.main_thread():
            self._studio.notice.emit(
                "Something went wrong inside GENIE Studio. Your settings and pictures are safe."
                + (f" The details are in {self._log}." if told else ""),
                "bad",
                None,
            )


def write_trouble(log: Path, error: BaseException) -> bool:
    """Add an exception to the log; False where that can't be written. Starts anew beyond 1 MB."""
    import traceback
    from datetime import datetime

    text = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        mode = "w" if log.exists() and log.stat().st_size > 1_000_000 else "a"
        with log.open(mode, encoding="utf-8") as file:
            file.write(f"{datetime.now().isoformat(timespec='seconds')}\n{text}\n")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
