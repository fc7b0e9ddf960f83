"""Pictures of the window in a folder: at the start and after each job, for screens nobody sees."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot

from app.views.main_window import MainWindow

__all__ = ["Screenshots"]

_SETTLE = 400  # ms for the first layout, and for the last picture of a job to be painted


class Screenshots(QObject):
    """Saves `window-start.png`, then `window-1.png`, `window-2.png` ... into the folder."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        super().__init__(window)
        self._window = window
        self._folder = folder
        self._count = 0
        self._told = False
        self._start = QTimer(self, singleShot=True, interval=_SETTLE)
        self._start.timeout.connect(self._at_start)
        self._start.start()
        self._after = QTimer(self, singleShot=True, interval=_SETTLE)
        self._after.timeout.connect(self._after_job)
        queue = window.studio.queue
        for ended in (queue.job_finished, queue.job_cancelled, queue.job_failed):
            ended.connect(self._ended)

    @Slot()
    def _at_start(self) -> None:
        self.take("start")

    @Slot()
    def _ended(self) -> None:
        self._after.start()

    @Slot()
    def _after_job(self) -> None:
        self._count += 1
        self.take(str(self._count))

    def take(self, name: str) -> bool:
        """Save the window as it looks now; a folder that can't be written is told once."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            saved = self._window.grab().save(str(self._folder / f"window-{name}.png"))
        except OSError:
            saved = False
        if not saved and not self._told:
            self._told = True
            self._window.studio.notice.emit(
                f"The screenshots can't be written to {self._folder}.", "care", None
            )
        return saved
