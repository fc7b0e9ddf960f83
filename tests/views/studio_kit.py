"""A studio over the fake engine and a store in memory, for tests of views."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.models.studio import Studio
from app.store import Store
from app.views import theme
from engine.messages import GenerateRequest
from tests.fake_engine import CLASSES, FakeEngine, fake_result

__all__ = ["add_batch", "drag", "finish", "pixels", "show", "studio_with", "wheel"]

PATIENCE_MS = 20_000


@contextmanager
def studio_with(qtbot: QtBot, engine: FakeEngine, store: Store | None = None) -> Iterator[Studio]:
    """A started studio; it is shut down, and the engine released, afterwards."""
    theme.current().install("dark")
    studio = Studio(store or Store(None), lambda: engine)
    try:
        with qtbot.waitSignal(studio.host.engine_ready, timeout=PATIENCE_MS):
            studio.start()
        yield studio
    finally:
        engine.open_all()
        studio.shutdown()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def show(qtbot: QtBot, widget: QWidget, width: int, height: int) -> QWidget:
    """Put a widget into a window of its own (at a known size) and show it."""
    window = QWidget()
    layout = QVBoxLayout(window)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(widget)
    window.resize(width, height)
    widget._kept_window = window  # type: ignore[attr-defined]  # qtbot alone lets it go
    qtbot.addWidget(window)
    with qtbot.waitExposed(window):
        window.show()
    return window


def finish(qtbot: QtBot, studio: Studio, **settings: object) -> None:
    """Generate with these settings and wait until the canvas shows the result."""
    for name, value in settings.items():
        studio.settings.set_value(name, value)
    assert studio.generate() is not None, studio.settings.errors
    qtbot.waitUntil(lambda: studio.canvas.state in ("done", "recovered"), timeout=PATIENCE_MS)


def add_batch(
    studio: Studio, count: int = 4, *, seed: int = 100, label: int = 9, solver: str = "genie"
) -> list[int]:
    """Put a result into the history; its ids."""
    request = GenerateRequest("fashion32", seed=seed, labels=(label,) * count, solver=solver)
    return studio.history.add_result(fake_result(request), CLASSES)


def pixels(widget: QWidget) -> QImage:
    """What is on screen there, a device pixel a pixel."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(1)
    return image


def wheel(widget: QWidget, position: QPointF, notches: int) -> None:
    """Turn the wheel by so many notches over `position`."""
    event = QWheelEvent(
        position,
        QPointF(widget.mapToGlobal(position.toPoint())),
        QPoint(0, 0),
        QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def drag(
    widget: QWidget, start: QPoint, end: QPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton
) -> None:
    """Press at `start`, move over to `end`, release."""
    none = Qt.MouseButton.NoButton
    halfway = (start + end) / 2
    for kind, at, changed, held in (
        (QEvent.Type.MouseButtonPress, start, button, button),
        (QEvent.Type.MouseMove, halfway, none, button),
        (QEvent.Type.MouseMove, end, none, button),
        (QEvent.Type.MouseButtonRelease, end, button, none),
    ):
        event = QMouseEvent(
            kind,
            QPointF(at),
            QPointF(widget.mapToGlobal(at)),
            changed,
            held,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)
