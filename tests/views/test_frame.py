"""The window around the rooms: names, keys, messages, drops, closing, coming back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.store import Store
from app.store.records import StoreFull
from app.views import attention, theme
from app.views.main_window import MainWindow
from app.views.palette import score
from app.views.question import closing_question
from engine.messages import GenerateRequest, ImportRequest, Request, WarmUp
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import add_batch

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
INTERACTIVE = (QAbstractButton, QLineEdit, QComboBox, QAbstractSlider, QAbstractItemView, QKeySequenceEdit)


def interactive(root: QWidget) -> list[QWidget]:
    """Everything a person can press, type into or choose from, without the inner parts of Qt's own widgets."""
    found = []
    for widget in root.findChildren(QWidget):
        inner = isinstance(widget.parent(), (QComboBox, QKeySequenceEdit, QLineEdit)) or isinstance(
            widget, QScrollBar
        )
        inside_combo = isinstance(widget, QAbstractItemView) and widget.window() is not root.window()
        # Docks keep hidden buttons of Qt's own under our title bars.
        own = not widget.objectName().startswith("qt_")
        if isinstance(widget, INTERACTIVE) and own and not inner and not inside_combo:
            found.append(widget)
    return found


def test_every_control_has_a_name_and_a_tooltip(window: MainWindow) -> None:
    window.generate_room.controls.set_advanced(True)
    rooms = (window.models_page, window.settings_page)  # which are built when they are first wanted
    found = interactive(window)
    assert len(found) > 80
    assert all(any(room.isAncestorOf(one) for one in found) for room in rooms)
    nameless = [
        f"{type(w).__name__} {w.objectName() or getattr(w, 'text', str)()}"
        for w in found
        if not w.accessibleName()
    ]
    # Lists explain their entries, one by one, instead of themselves.
    spoken = [w for w in found if w.isEnabled() and not isinstance(w, QAbstractItemView)]
    silent = [f"{type(w).__name__} {w.accessibleName()}" for w in spoken if not w.toolTip()]
    assert nameless == []
    assert silent == []


def test_tab_goes_through_the_controls_as_the_eye_does(window: MainWindow) -> None:
    controls = window.generate_room.controls
    controls.model.card.setFocus()
    wanted = [
        controls.model.card, controls.classes.chips[0], controls.classes.button, controls.guidance.slider,
        controls.guidance.entry, *controls.preset.segments.buttons.values(), controls.steps.slider,
        controls.steps.entry, controls.solver.choice, controls.seed.entry, controls.seed.dice,
        controls.count.slider, controls.count.entry, controls.fold, controls.generate, controls.forever,
    ]  # fmt: skip
    seen = [QApplication.focusWidget()]
    for _ in wanted[1:]:
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        seen.append(QApplication.focusWidget())
    assert [w.accessibleName() for w in seen if w] == [w.accessibleName() for w in wanted]


def test_ctrl_enter_generates_and_ctrl_shift_enter_goes_first(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    queue = window.studio.queue
    QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)
    assert len(queue.jobs) == 1
    window.studio.settings.steps = 3
    QTest.keyClick(window, Qt.Key.Key_Enter, CONTROL)
    window.studio.settings.steps = 4
    QTest.keyClick(window, Qt.Key.Key_Return, CONTROL | SHIFT)
    assert [job.request.steps for job in queue.pending] == [4, 3]
    with qtbot.waitSignal(queue.idle):
        engine.open_all()


def test_ctrl_shift_enter_puts_the_edited_job_first(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    studio, queue = window.studio, window.studio.queue
    for steps in (2, 3, 4):
        studio.settings.steps = steps
        QTest.keyClick(window, Qt.Key.Key_Return, CONTROL)
    assert studio.edit_job(queue.pending[-1].id)
    studio.settings.steps = 5
    QTest.keyClick(window, Qt.Key.Key_Return, CONTROL | SHIFT)
    assert [job.request.steps for job in queue.pending] == [5, 3]
    assert (studio.editing, studio.settings.steps) == (None, 4)
    with qtbot.waitSignal(queue.idle):
        engine.open_all()


def test_ctrl_enter_says_why_it_can_not(window: MainWindow) -> None:
    entry = window.generate_room.controls.steps.entry
    entry.setFocus()
    entry.selectAll()
    QTest.keyClicks(entry, "0")
    QTest.keyClick(entry, Qt.Key.Key_Return, CONTROL)
    assert window.studio.queue.jobs == ()
    assert "Steps" in window.notices.shown[-1].text


def test_escape_closes_the_popup_first_and_stops_then(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.queue.running is not None)
    controls = window.generate_room.controls
    controls.model.open()
    popup = controls.model.popup
    assert popup is not None
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    assert window.studio.queue.running is not None
    with qtbot.waitSignal(window.studio.queue.job_cancelled):
        QTest.keyClick(window, Qt.Key.Key_Escape)
        engine.open_all()
    assert window.studio.queue.running is None


def test_rooms_by_rail_and_by_keys(window: MainWindow, qtbot: QtBot) -> None:
    assert window.room == "generate"
    qtbot.mouseClick(window.rail.buttons["models"], LEFT)
    assert window.room == "models"
    assert window.models_page.isVisible()
    QTest.keyClick(window, Qt.Key.Key_1, CONTROL)
    assert window.room == "generate"
    assert window.rail.buttons["generate"].isChecked()
    QTest.keyClick(window, Qt.Key.Key_Comma, CONTROL)
    assert window.room == "settings"


def test_the_models_room_describes_and_hands_over(window: MainWindow, qtbot: QtBot) -> None:
    window.show_room("models")
    page = window.models_page
    assert [card.info.title for card in page.cards if card.info] == [
        "Fashion 32",
        "Headless",
        "Plain",
        "Broken",
    ]
    qtbot.mouseClick(page.cards[3], LEFT)
    assert "its weights are missing" in page.details.problem.text()
    assert not page.details.use.isEnabled()
    qtbot.mouseClick(page.cards[1], LEFT)
    qtbot.mouseClick(page.details.use, LEFT)
    assert window.room == "generate"
    assert window.studio.settings.model == "headless"


def test_a_message_with_undo_by_button_and_by_key(window: MainWindow, qtbot: QtBot) -> None:
    taken_back: list[str] = []
    window.studio.notice.emit("Picture deleted.", "info", lambda: taken_back.append("first"))
    notice = window.notices.shown[-1]
    assert notice.isVisible()
    assert notice.undo is not None
    qtbot.mouseClick(notice.undo, LEFT)
    window.studio.notice.emit("Settings applied.", "info", lambda: taken_back.append("second"))
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert taken_back == ["first", "second"]
    assert window.notices.shown == []


def test_problems_stay_and_at_most_three_messages_are_shown(window: MainWindow) -> None:
    for number in range(5):
        window.studio.notice.emit(f"Message {number}.", "info", None)
    window.studio.notice.emit("It could not be read.", "bad", None)
    window.studio.notice.emit("It could not be read.", "bad", None)
    assert [n.text for n in window.notices.shown] == ["Message 3.", "Message 4.", "It could not be read."]
    assert not window.notices.shown[-1].timer.isActive()
    assert window.notices.shown[0].timer.isActive()
    assert window.rect().contains(window.notices.geometry())


def test_the_details_of_a_bug_can_be_copied_for_a_report(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def boom(_item: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("app.models.saving.write_image", boom)
    with qtbot.waitSignal(window.studio.queue.job_finished):
        window.studio.generate()
    with qtbot.waitSignal(window.studio.writer.failed):
        window.studio.save_images([0], tmp_path / "boot.png")
    notice = window.notices.shown[-1]
    assert "report it" in notice.text
    assert notice.copy is not None
    qtbot.mouseClick(notice.copy, LEFT)
    assert "RuntimeError: boom" in QApplication.clipboard().text()
    window.studio.notice.emit("It could not be read.", "bad", None)
    assert window.notices.shown[-1].copy is None


def test_rooms_nobody_has_entered_are_not_built(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    store = Store(None)
    window = open_window(store=store)
    assert window.findChildren(QKeySequenceEdit) == []
    qtbot.mouseClick(window.rail.buttons["settings"], LEFT)
    page = window.settings_page
    assert page.isVisible()
    assert window.settings_page is page
    assert window.rooms.count() == len(window.rail.buttons)
    window.remember()
    assert store is window.studio.store
    again = MainWindow(window.studio)  # comes back in the room it was closed in
    assert (again.room, len(again.findChildren(QKeySequenceEdit)) > 10) == ("settings", True)
    again.deleteLater()


def test_messages_cover_pictures_only(window: MainWindow, qtbot: QtBot) -> None:
    """No control, no list, no line of state: in every room, at every size."""
    room = window.generate_room
    with qtbot.waitSignal(window.studio.queue.job_finished):
        window.studio.generate()
    for size in ((1024, 640), (1600, 1000)):
        window.resize(*size)
        window.studio.notice.emit(
            f"The memory ran out at {size}, so the job goes on with less.", "care", None
        )
        QApplication.processEvents()
        covered = window.notices.geometry()
        stack = room.canvas.stack
        assert stack.rect().translated(stack.mapTo(window, QPoint(0, 0))).contains(covered)
        for needed in (room.canvas.line, room.canvas.filmstrip, room.queue, window.status_line):
            place = needed.rect().translated(needed.mapTo(window, QPoint(0, 0)))
            assert not place.intersects(covered), needed.accessibleName()
    window.show_room("models")
    assert not window.status_line.geometry().intersects(window.notices.geometry())
    assert window.notices.isVisible()


def test_a_message_whose_undo_failed_stays_to_be_tried_again(window: MainWindow, qtbot: QtBot) -> None:
    studio, connection = window.studio, window.studio.store._connection
    studio.delete_records(add_batch(studio, 2))
    notice = window.notices.shown[-1]
    assert notice.undo is not None
    connection.execute("PRAGMA query_only = 1")
    qtbot.mouseClick(notice.undo, LEFT)
    assert studio.history.total == 0
    assert window.notices.shown[0] is notice
    assert window.notices.shown[1].kind == "bad"
    connection.execute("PRAGMA query_only = 0")
    qtbot.mouseClick(notice.undo, LEFT)
    assert studio.history.total == 2
    assert notice not in window.notices.shown


def test_undo_and_redo_by_keys_take_the_message_along(window: MainWindow, qtbot: QtBot) -> None:
    studio = window.studio
    with qtbot.waitSignal(studio.history.added):
        studio.generate()
    window.generate_room.canvas.setFocus()
    studio.delete_records([studio.history.record_at(0).id])
    assert [n.text for n in window.notices.shown] == ["Picture deleted."]
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert studio.history.total == 16
    assert [n.text for n in window.notices.shown] == ["Undone: picture deleted."]
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert studio.history.total == 15
    again = window.notices.shown[-1]
    assert (again.text, again.undo is not None) == ("Done again: picture deleted.", True)
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert window.notices.shown[-1].text == "There is nothing to redo."


def test_a_pasted_picture_without_a_file_is_told_why(window: MainWindow) -> None:
    picture = QImage(4, 4, QImage.Format.Format_RGB32)
    picture.fill(Qt.GlobalColor.black)
    QApplication.clipboard().setImage(picture)
    window.generate_room.canvas.setFocus()
    QTest.keyClick(window, Qt.Key.Key_V, CONTROL)
    assert "no settings to read" in window.notices.shown[-1].text
    QApplication.clipboard().clear()


def test_long_work_that_ends_unseen_asks_for_attention(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(QApplication, "alert", lambda _window, *_: asked.append("alert"))
    window.studio.work_finished.emit("16 pictures finished.", 60.0)
    assert asked == []  # the window is in front
    monkeypatch.setattr(window, "isActiveWindow", lambda: False)
    window.studio.work_finished.emit("16 pictures finished.", 0.5)
    assert asked == []  # it was no long work
    window.studio.work_finished.emit("16 pictures finished.", 60.0)
    assert asked == ["alert"]  # a screen that is none has no messages
    monkeypatch.setattr(attention, "has_messages", lambda: True)
    monkeypatch.setattr(window.attention, "_show_message", asked.append)
    window.studio.work_finished.emit("16 pictures finished.", 60.0)
    assert asked == ["alert", "16 pictures finished."]


def test_the_palette_finds_and_does(window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_K, CONTROL)
    palette = window.palette_popup
    assert palette is not None
    QTest.keyClicks(palette.search, "draft")
    QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert window.studio.settings.steps == 5
    window.open_palette()
    assert window.palette_popup is not None
    QTest.keyClicks(window.palette_popup.search, "go to end time")
    QTest.keyClick(window.palette_popup.search, Qt.Key.Key_Return)
    assert window.generate_room.controls.advanced.isVisible()
    assert window.generate_room.controls.t_end.entry.hasFocus()


def test_the_palette_ranks_beginnings_first() -> None:
    assert score("gen", "Generate") > score("gen", "Solver: GENIE") > score("gnr", "Generate") > 0
    assert score("xyz", "Generate") == 0


def test_help_explains_the_focused_control(window: MainWindow) -> None:
    window.generate_room.controls.guidance.entry.setFocus()
    QTest.keyClick(window, Qt.Key.Key_F1)
    card = window.term_card
    assert card is not None
    assert any("(1+w)" in label.text() for label in card.findChildren(QLabel))
    QTest.keyClick(card, Qt.Key.Key_Escape)


def test_the_sheet_lists_every_command(window: MainWindow) -> None:
    window.generate_room.controls.generate.setFocus()
    QTest.keyClick(window, Qt.Key.Key_Question, SHIFT)
    assert window.sheet is not None
    words = {label.text() for label in window.sheet.findChildren(QLabel)}
    for command in window.shortcuts.available():
        if window.shortcuts.keys(command.name):
            assert command.title in words
    window.sheet.close()


def test_keys_can_be_changed_but_not_shared(window: MainWindow) -> None:
    window.show_room("settings")
    edit = window.settings_page.edits["forever"]
    edit.setKeySequence(QKeySequence("Ctrl+K"))
    edit.editingFinished.emit()
    assert "Find a command" in window.settings_page.problem.text()
    assert window.shortcuts.keys("forever") == "Ctrl+Shift+F"
    edit.setKeySequence(QKeySequence("Ctrl+G"))
    edit.editingFinished.emit()
    assert window.shortcuts.actions["forever"].shortcut() == QKeySequence("Ctrl+G")
    window.shortcuts.reset()
    assert window.shortcuts.keys("forever") == "Ctrl+Shift+F"


def test_keys_of_a_command_that_is_gone_are_forgotten(
    open_window: Callable[..., MainWindow], tmp_path: Path
) -> None:
    store = Store(tmp_path / "history.db")
    store.set_setting("session.shortcuts", {"forever": "Ctrl+G", "of-another-version": "Ctrl+J"})
    window = open_window(store=store)
    assert window.shortcuts.keys("forever") == "Ctrl+G"
    window.shortcuts.reset()
    assert window.shortcuts.keys("forever") == "Ctrl+Shift+F"
    assert window.studio.session.get("shortcuts") == {}


def test_looks_are_changed_at_once_and_remembered(window: MainWindow, qtbot: QtBot) -> None:
    window.show_room("settings")
    qtbot.mouseClick(window.settings_page.look.buttons["light"], LEFT)
    assert theme.current().name == "light"
    assert window.studio.session.get("theme") == "light"
    QTest.keyClick(window, Qt.Key.Key_L, CONTROL | SHIFT)
    assert theme.current().name == "dark"
    assert window.settings_page.look.buttons["dark"].isChecked()


def test_panels_hide_and_come_back(window: MainWindow, qtbot: QtBot) -> None:
    room, line = window.generate_room, window.status_line
    QTest.keyClick(window, Qt.Key.Key_B, CONTROL)
    assert not room.controls_dock.isVisible()
    assert not line.left.isChecked()
    qtbot.mouseClick(line.left, LEFT)
    assert room.controls_dock.isVisible()
    qtbot.mouseClick(room.history_dock.close_button, LEFT)
    qtbot.mouseClick(room.queue_dock.close_button, LEFT)
    assert not line.right.isChecked()
    room.reset_layout()
    assert room.history_shown


def test_the_title_follows_the_studio(window: MainWindow) -> None:
    window.studio.title_changed.emit("step 6/10 - GENIE Studio")
    assert window.windowTitle() == "step 6/10 - GENIE Studio"


def test_closing_asks_only_while_work_runs(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    window.studio.generate()
    qtbot.waitUntil(lambda: window.studio.queue.running is not None)
    window.close()
    assert window.isVisible()
    assert window.closing is not None
    qtbot.mouseClick(window.closing.stay, LEFT)
    assert window.isVisible()
    window.close()
    qtbot.mouseClick(window.closing.leave, LEFT)
    assert not window.isVisible()


def words_of(question: QWidget) -> str:
    return " ".join(label.text() for label in question.findChildren(QLabel))


def test_the_question_promises_only_what_happens(window: MainWindow, qtbot: QtBot) -> None:
    def asked(request: Request | None) -> str:
        question = closing_question(window, running=request)
        qtbot.addWidget(question)
        return words_of(question)

    picture = asked(GenerateRequest("fashion32"))
    assert "A picture is being made" in picture
    assert "starts again" in picture
    models = asked(ImportRequest(("a.pth",)))
    assert "A model is being imported" in models
    assert "starts again" in models  # it lasts, see tests/models/test_library.py
    other = asked(WarmUp("fashion32"))  # like all that does not last
    assert "starts again" not in other
    assert "asked for again" in other


def test_closing_asks_while_a_result_is_in_memory_only(
    open_window: Callable[..., MainWindow], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    history = window.studio.history

    def full(*_arguments: object) -> list[int]:
        raise StoreFull("Couldn't keep the result in the history: the disk is full.")

    with monkeypatch.context() as disk:
        disk.setattr(window.studio.store, "add_encoded", full)
        with qtbot.waitSignal(window.studio.queue.job_finished):
            window.generate_room.controls.generate.click()
        window.close()
        assert window.isVisible()
        assert window.closing is not None
        words = words_of(window.closing)
        assert "1 result is not in the history yet" in words
        qtbot.mouseClick(window.closing.stay, LEFT)
        assert (window.isVisible(), history.waiting) == (True, 1)
    window.close()  # there is room again, so it is kept and nothing is asked
    assert not window.isVisible()
    assert (history.waiting, history.total) == (0, 16)


def test_size_room_and_panels_come_back(open_window: Callable[..., MainWindow], tmp_path: Path) -> None:
    window = open_window(store=Store(tmp_path / "history.db"), size=(1180, 700))
    window.generate_room.show_history(False)
    window.show_room("models")
    window.close()
    window.studio.shutdown()
    again = open_window(store=Store(tmp_path / "history.db"), size=(1180, 700))
    assert again.room == "models"
    again.show_room("generate")
    assert not again.generate_room.history_shown
    assert again.generate_room.controls_shown


@pytest.mark.parametrize("size", [(1024, 640), (1280, 800), (3840, 2160)])
def test_nothing_is_cut_off(open_window: Callable[..., MainWindow], size: tuple[int, int]) -> None:
    window = open_window(size=size)
    assert (window.width(), window.height()) == size
    controls = window.generate_room.controls
    for button in (
        controls.generate,
        *controls.preset.segments.buttons.values(),
        *window.rail.buttons.values(),
    ):
        assert button.sizeHint().width() <= button.width() + 1, button.accessibleName()
        corner = button.mapTo(window, QPoint(button.width(), button.height()))
        assert window.rect().contains(corner)
    assert window.generate_room.canvas.width() >= 400


def test_a_dropped_picture_of_ours_opens_its_settings(
    open_window: Callable[..., MainWindow], tmp_path: Path, qtbot: QtBot
) -> None:
    window = open_window()
    with qtbot.waitSignal(window.studio.queue.job_finished):
        window.studio.generate()
    file = tmp_path / "boot.png"
    with qtbot.waitSignal(window.studio.writer.written):
        assert window.studio.save_images([0], file)
    drop(window, file)
    assert window.dropped is not None
    assert window.dropped.diff.request.steps == 10
    window.dropped.close()


def test_a_foreign_picture_is_refused_in_words(window: MainWindow, tmp_path: Path) -> None:
    file = tmp_path / "foreign.png"
    file.write_bytes(b"no picture")
    drop(window, file)
    assert window.dropped is None
    assert "foreign.png" in window.notices.shown[-1].text
    QApplication.clipboard().setText(str(file))
    window.generate_room.canvas.setFocus()
    QTest.keyClick(window, Qt.Key.Key_V, CONTROL)
    assert "foreign.png" in window.notices.shown[-1].text


def drop(window: MainWindow, file: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file))])
    event = QDropEvent(
        QPointF(600, 300), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier
    )
    window.dropEvent(event)
