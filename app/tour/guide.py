"""The hands and eyes of the tour: mouse and keys go in, screenshots and checks come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, QPoint, QPointF, QRect, Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage, QMouseEvent, QPainter, QPixmap, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QComboBox, QMenu, QScrollArea, QWidget

from app.models.studio import Studio
from app.tour import inspection
from app.tour.report import Check, Report, State
from app.tour.troubles import Troubles
from app.tour.watched_engine import WatchedEngine
from app.views.main_window import MainWindow
from app.views.paint_later import PaintLater
from app.views.picture_images import to_image
from app.views.zoom_view import ZoomView
from engine.messages import Pictures, Result

__all__ = ["Guide", "LostTheWay"]

PATIENCE = 20.0  # seconds anything may take; only what never comes takes so long
_POLL = 4  # ms between two looks at a condition
_LEFT = Qt.MouseButton.LeftButton
_NONE = Qt.KeyboardModifier.NoModifier


class LostTheWay(Exception):
    """Something the way leads through is not there: the rest of the chapter can't be walked."""


class Guide:
    """Leads through one window in one look; chapters are functions of it.

    Everything is done as a person would: `click`, `drag`, `keys`, `type`, `choose`. `wait` waits
    for a condition, `state` takes a picture and records what was checked.
    """

    def __init__(
        self,
        window: MainWindow,
        engine: WatchedEngine,
        report: Report,
        troubles: Troubles,
        folder: Path,
        look: str,
        model: str,
    ) -> None:
        self.window = window
        self.studio: Studio = window.studio
        self.engine = engine
        self.folder = folder  # of this look; chapters may write files below it
        self.model = model
        self.results: list[Result] = []  # as the engine gave them, before any model had them
        self.chapter = ""
        self._report = report
        self._troubles = troubles
        self._look = look
        self._number = 0
        self.studio.notice.connect(self._on_notice)
        self.studio.host.job_finished.connect(self._on_finished)
        self.studio.host.job_cancelled.connect(self._on_cancelled)

    def _on_notice(self, words: str, kind: str, _undo: object) -> None:
        if kind == "bad":
            self._troubles.add(f"the window said: {words}")

    def _on_finished(self, _job: int, result: Result) -> None:
        self.results.append(result)

    def _on_cancelled(self, _job: int, result: Result | None) -> None:
        if result is not None:
            self.results.append(result)

    @property
    def result(self) -> Result:
        """What the engine gave last."""
        if not self.results:
            raise LostTheWay("the engine has given no result yet")
        return self.results[-1]

    # --- waiting

    def wait(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Let the window live until `condition()` holds; lost if that takes too long."""
        if condition():
            return
        loop, clock, poll = QEventLoop(), QElapsedTimer(), QTimer()
        clock.start()

        def look() -> None:
            if condition() or clock.elapsed() > 1000 * seconds:
                loop.quit()

        poll.timeout.connect(look)
        poll.start(_POLL)
        loop.exec()
        poll.stop()
        if not condition():
            raise LostTheWay(f"{what}: not within {seconds:g} s")

    def settle(self) -> None:
        """Everything that is waiting to be laid out, painted or deleted is."""
        for _ in range(3):
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            QApplication.processEvents()
        lists = self.window.findChildren(PaintLater)
        self.wait(lambda: not any(each.pending for each in lists), "lists that paint later have painted")

    def idle(self) -> None:
        """Wait until no job runs or waits and the history has everything."""
        queue, history = self.studio.queue, self.studio.history
        self.wait(
            lambda: queue.running is None and not queue.pending and not history.waiting,
            "all jobs are done",
            60,
        )

    # --- mouse

    def click(
        self,
        widget: QWidget,
        at: QPoint | QPointF | None = None,
        *,
        button: Qt.MouseButton = _LEFT,
        modifiers: Qt.KeyboardModifier = _NONE,
        double: bool = False,
    ) -> None:
        """Press and release where a person would; lost if the widget is hidden, disabled or covered."""
        window, place = self._reach(widget, at)
        send = QTest.mouseDClick if double else QTest.mouseClick
        send(window.windowHandle(), button, modifiers, place)
        self.settle()

    def click_item(
        self,
        view: QAbstractItemView,
        row: int,
        *,
        button: Qt.MouseButton = _LEFT,
        modifiers: Qt.KeyboardModifier = _NONE,
        double: bool = False,
    ) -> None:
        """Click an item of a list, turning the wheel until it is in sight."""
        self.settle()
        index = view.model().index(row, 0)
        if not index.isValid():
            raise LostTheWay(f"{view.accessibleName()} has no row {row}")
        port, bar = view.viewport(), view.verticalScrollBar()
        for _ in range(100):
            middle = view.visualRect(index).center()
            if port.rect().adjusted(0, 4, 0, -4).contains(middle):
                break
            before = bar.value()
            self.wheel(port, port.rect().toRectF().center(), 1 if middle.y() < 4 else -1)
            if bar.value() == before:
                break
        self.click(port, view.visualRect(index).center(), button=button, modifiers=modifiers, double=double)

    def drag(self, widget: QWidget, start: QPoint, end: QPoint) -> None:
        window, place = self._reach(widget, start)
        way = end - start
        handle = window.windowHandle()
        QTest.mousePress(handle, _LEFT, _NONE, place)
        for share in (0.3, 0.7, 1.0):
            # QTest.mouseMove of a window moves without the button held.
            at = QPointF(start + way * share)
            moved = QMouseEvent(
                QEvent.Type.MouseMove, at, QPointF(widget.mapToGlobal(at.toPoint())), Qt.MouseButton.NoButton,
                _LEFT, _NONE,
            )  # fmt: skip
            QApplication.sendEvent(widget, moved)
        QTest.mouseRelease(handle, _LEFT, _NONE, place + way)
        self.settle()

    def move_away(self) -> None:
        """The pointer where it hovers over nothing of the canvas."""
        QTest.mouseMove(
            self.window.windowHandle(), QPoint(self.window.width() // 2, self.window.height() - 3)
        )
        self.settle()

    def _reach(self, widget: QWidget, at: QPoint | QPointF | None) -> tuple[QWidget, QPoint]:
        """The top-level widget and the place in it to click at."""
        self.settle()
        name = widget.accessibleName() or type(widget).__name__
        if not widget.isVisible():
            raise LostTheWay(f"{name} can't be clicked: it is hidden")
        self._scroll_to(widget)
        inside = widget.rect().center() if at is None else QPointF(at).toPoint()
        window = widget.window()
        place = widget.mapTo(window, inside)
        hit = window.childAt(place) or window
        if hit is not widget and not widget.isAncestorOf(hit):
            raise LostTheWay(
                f"{name} can't be clicked: {type(hit).__name__} {hit.accessibleName()!r} covers it"
            )
        if not widget.isEnabled():
            raise LostTheWay(f"{name} can't be clicked: it is disabled")
        return window, place

    def _scroll_to(self, widget: QWidget) -> None:
        """Turn the wheel over the panel until the widget is in sight."""
        area = widget.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is None:
            return
        view = area.viewport()
        for _ in range(100):
            top = widget.mapTo(view, QPoint(0, 0)).y()
            if top >= 0 and top + min(widget.height(), view.height()) <= view.height():
                return
            before = area.verticalScrollBar().value()
            self.wheel(view, QPointF(3, view.height() - 3), 1 if top < 0 else -1)
            if area.verticalScrollBar().value() == before:
                return

    def wheel(self, widget: QWidget, at: QPointF, notches: int) -> None:
        event = QWheelEvent(
            at, QPointF(widget.mapToGlobal(at.toPoint())), QPoint(0, 0), QPoint(0, 120 * notches),
            Qt.MouseButton.NoButton, _NONE, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)
        self.settle()

    def drop(self, path: Path) -> None:
        """A file from the desktop falls on the middle of the window."""
        from PySide6.QtCore import QMimeData, QUrl

        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        middle = self.window.rect().center()
        copy = Qt.DropAction.CopyAction
        enter = QDragEnterEvent(middle, copy, data, _LEFT, _NONE)
        QApplication.sendEvent(self.window, enter)
        if not enter.isAccepted():
            raise LostTheWay(f"the window does not take {path.name}")
        QApplication.sendEvent(self.window, QDropEvent(QPointF(middle), copy, data, _LEFT, _NONE))
        self.settle()

    # --- keys

    def keys(self, *names: str) -> None:
        """Press keys one after another: `keys("Ctrl+Return")`, `keys("Home", "Down", "Return")`."""
        for name in names:
            key, modifiers = _key(name)
            QTest.keyClick(self._listening(), key, modifiers)
            self.settle()

    def type(self, text: str) -> None:
        """Type into what has the focus, over what is selected there."""
        focused = QApplication.focusWidget()
        if focused is None:
            raise LostTheWay(f"nothing has the focus to type {text!r} into")
        QTest.keyClicks(focused, text)
        self.settle()

    def fill(self, entry: QWidget, text: str) -> None:
        """Click into a line and replace what is there."""
        self.click(entry)
        self.keys("Ctrl+A")
        self.type(text)

    def choose(self, choice: QComboBox, data: object) -> None:
        """Open a drop-down list and choose the entry with this data by arrows and Enter."""
        index = choice.findData(data)
        if index < 0:
            raise LostTheWay(f"{choice.accessibleName()} does not offer {data!r}")
        self.click(choice)
        view = choice.view()
        self.wait(view.isVisible, f"the list of {choice.accessibleName()} opens")
        QTest.keyClick(view, Qt.Key.Key_Home)
        for _ in range(index):
            QTest.keyClick(view, Qt.Key.Key_Down)
        QTest.keyClick(view, Qt.Key.Key_Return)
        self.wait(lambda: not view.isVisible(), f"the list of {choice.accessibleName()} closes")

    def pick_from_menu(self, menu: QMenu, words: str) -> None:
        """Click the entry of an open menu that begins with `words`."""
        entry = next((a for a in menu.actions() if a.text().startswith(words)), None)
        if entry is None or not entry.isEnabled():
            raise LostTheWay(f"the menu does not offer {words!r}")
        self.click(menu, menu.actionGeometry(entry).center())

    def _listening(self) -> QWidget:
        """Where keys arrive: the popup that is open, the widget with the focus, or the window."""
        popup = QApplication.activePopupWidget()
        if popup is not None:
            return popup.focusWidget() or popup
        if QApplication.activeWindow() is None:
            self.window.activateWindow()  # what a window manager does when a dialog has closed
            self.wait(lambda: QApplication.activeWindow() is not None, "the window becomes active")
        return QApplication.focusWidget() or QApplication.activeWindow() or self.window

    # --- seeing

    def tiles_as(self, pictures: Pictures, of: int | None = None) -> bool:
        """Whether the grid shows exactly these pictures, pixel for pixel; the first of `of`, if given."""
        grid = self.window.generate_room.canvas.grid
        if not grid.isVisible() or grid.count != (of or pictures.count):
            return False
        self.move_away()
        screen = _pixels(grid)
        return all(_same(screen, grid.tile_rect(i), pictures, i) for i in range(pictures.count))

    def single_as(self, pictures: Pictures, index: int) -> bool:
        """Whether the single view shows exactly this picture."""
        single = self.window.generate_room.canvas.single
        return single.isVisible() and _same(_pixels(single), single.image_rect(), pictures, index)

    # --- recording

    def state(self, name: str, checks: Mapping[str, object]) -> None:
        """Take a picture of the window as it is, and record what is so and what is not."""
        self.settle()
        self._number += 1
        file = f"{self._look}/{self._number:02d}-{re.sub('[^a-z0-9]+', '-', name.casefold()).strip('-')}.png"
        picture = self.picture()
        saved = picture.save(str(self.folder.parent / file))
        general = (
            Check("the picture was written", saved),
            _none("every control has a name", inspection.controls_without_a_name()),
            _none("every control has a tooltip", inspection.controls_without_a_tooltip()),
            _none("no words are cut off", inspection.cut_words()),
            _none("nothing was complained of", self._troubles.take()),
        )
        own = tuple(Check(what, bool(so)) for what, so in checks.items())
        self._report.states.append(State(self._look, self.chapter, name, file, own + general))

    def went_wrong(self, words: str) -> None:
        """The chapter could not be walked to its end."""
        self._number += 1
        file = f"{self._look}/{self._number:02d}-lost-in-{self.chapter}.png"
        self.picture().save(str(self.folder.parent / file))
        checks = (
            Check("the way could be walked", False, words),
            _none("nothing was complained of", self._troubles.take()),
        )
        self._report.states.append(State(self._look, self.chapter, "lost", file, checks))

    def picture(self) -> QPixmap:
        """The window with the dialogs, popups and menus over it."""
        picture = self.window.grab()
        painter = QPainter(picture)
        for over in inspection.shown_windows():
            if over is not self.window:
                painter.drawPixmap(self.window.mapFromGlobal(over.mapToGlobal(QPoint(0, 0))), over.grab())
        painter.end()
        return picture

    # --- coming home

    def home(self) -> None:
        """Close what is open, let jobs end, and go back to the Generate room."""
        self.engine.let_go()
        for _ in range(8):
            over = [w for w in inspection.shown_windows() if w is not self.window]
            if not over:
                break
            over[-1].close()
            self.settle()
        self.idle()
        self.close_notices()
        if self.window.room != "generate":
            self.keys("Ctrl+1")

    def close_notices(self) -> None:
        notices = self.window.notices
        for _ in range(20):
            if not notices.shown:
                return
            self.click(notices.shown[0].close_button)


def _key(name: str) -> tuple[Qt.Key, Qt.KeyboardModifier]:
    """ "Ctrl+Shift+Return" as QTest wants it."""
    *held, last = name.split("+") if name != "+" else ["+"]
    modifiers = _NONE
    for one in held:
        modifiers |= {
            "Ctrl": Qt.KeyboardModifier.ControlModifier,
            "Shift": Qt.KeyboardModifier.ShiftModifier,
            "Alt": Qt.KeyboardModifier.AltModifier,
        }[one]
    signs = {",": "Comma", ".": "Period", "?": "Question", "Esc": "Escape"}
    return Qt.Key[f"Key_{signs.get(last, last)}"], modifiers


def _pixels(view: ZoomView) -> QImage:
    """What a view shows, a device pixel a pixel."""
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(1)
    return image


def _same(screen: QImage, rect: QRect, pictures: Pictures, index: int) -> bool:
    """Whether `rect` of the screen is picture `index`, each pixel of it a block of screen pixels."""
    wanted = to_image(pictures, index)
    if rect.width() % wanted.width() or not screen.rect().contains(rect):
        return False
    return screen.copy(rect) == wanted.scaled(rect.size())


def _none(what: str, found: list[str]) -> Check:
    return Check(what, not found, "; ".join(found))
