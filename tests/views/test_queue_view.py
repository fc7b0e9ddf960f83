"""The queue panel: reorder, edit, remove, stop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPointF, Qt
from PySide6.QtGui import QDropEvent, QPainter
from PySide6.QtWidgets import QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from app.models.queue import JobState
from app.models.settings import RANDOM_SEED
from app.models.studio import Studio
from app.views.queue_view import QueuePanel, _JobDelegate
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import PATIENCE_MS, pixels, show, studio_with


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(gated=True)


@pytest.fixture
def studio(qtbot: QtBot, engine: FakeEngine) -> Iterator[Studio]:
    """One job runs (seed 1), three wait (seeds 2, 3, 4)."""
    with studio_with(qtbot, engine) as made:
        for seed in (1, 2, 3, 4):
            made.settings.set_values({"seed": seed, "count": 4, "pick": (9,)})
            assert made.generate() is not None
        yield made


@pytest.fixture
def panel(qtbot: QtBot, studio: Studio) -> QueuePanel:
    made = QueuePanel(studio)
    show(qtbot, made, 280, 400)
    return made


def pending(studio: Studio) -> list[int]:
    return [job.request.seed for job in studio.queue.pending]


def choose(panel: QueuePanel, row: int) -> None:
    panel.list.setCurrentIndex(panel.list.model().index(row, 0))


def test_keys_and_buttons_reorder(qtbot: QtBot, panel: QueuePanel, studio: Studio) -> None:
    assert panel.count.text() == "3 waiting"
    choose(panel, 3)
    qtbot.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert pending(studio) == [2, 4, 3]
    assert panel.list.currentIndex().row() == 2  # the selection goes with the job
    panel.up.click()
    assert pending(studio) == [4, 2, 3]
    assert not panel.up.isEnabled()
    panel.down.click()
    assert pending(studio) == [2, 4, 3]


def test_a_row_dropped_between_others_goes_there(
    panel: QueuePanel, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(panel, 1)
    rect = panel.list.visualRect(panel.list.model().index(3, 0))
    event = QDropEvent(
        QPointF(50, rect.bottom() - 2),
        Qt.DropAction.CopyAction,
        QMimeData(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    monkeypatch.setattr(panel.list, "_dragged", lambda _event: panel.list.currentIndex().row())
    panel.list.dropEvent(event)
    assert pending(studio) == [3, 4, 2]


def test_delete_removes_and_undo_puts_it_back(qtbot: QtBot, panel: QueuePanel, studio: Studio) -> None:
    choose(panel, 2)
    with qtbot.waitSignal(studio.notice) as notice:
        qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert pending(studio) == [2, 4]
    notice.args[2]()
    assert pending(studio) == [2, 3, 4]


def test_the_cross_of_a_row_removes_it(qtbot: QtBot, panel: QueuePanel, studio: Studio) -> None:
    rect = panel.list.visualRect(panel.list.model().index(1, 0))
    cross = panel.list.itemDelegate().action_rect(rect).center()  # type: ignore[attr-defined]
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=cross)
    assert pending(studio) == [3, 4]


def test_editing_brings_the_settings_and_puts_them_back(
    qtbot: QtBot, panel: QueuePanel, studio: Studio
) -> None:
    choose(panel, 1)
    qtbot.keyClick(panel.list, Qt.Key.Key_Return)
    assert studio.settings.seed == 2
    assert panel.editing.isVisible()
    studio.settings.steps = 7
    panel.commit.click()
    assert [job.request.steps for job in studio.queue.pending] == [7, 10, 10]
    assert panel.editing.isHidden()
    panel.edit.click()
    panel.cancel_edit.click()
    assert studio.editing is None


@pytest.mark.parametrize("button", ["commit", "cancel_edit"])
def test_a_person_s_own_settings_are_back_after_editing(
    qtbot: QtBot, panel: QueuePanel, studio: Studio, button: str
) -> None:
    studio.settings.set_values({"seed": RANDOM_SEED, "steps": 25})
    qtbot.waitUntil(lambda: studio.undo_list.can_undo)
    mine = studio.settings.to_dict()
    choose(panel, 1)
    panel.edit.click()
    assert (studio.settings.seed, studio.settings.steps) == (2, 10)
    studio.settings.steps = 7
    studio.settings.reset("steps")
    studio.settings.count = 5
    studio.apply_settings(studio.queue.pending[2].request)
    getattr(panel, button).click()
    assert studio.settings.to_dict() == mine
    assert studio.queue.pending[0].request.seed == (4 if button == "commit" else 2)
    change = studio.undo()  # nothing of the job's is to be undone in them
    assert change is not None
    assert change.words == "Settings changed."
    assert (studio.settings.seed, studio.settings.steps) == (RANDOM_SEED, 10)
    assert not studio.undo_list.can_undo


def test_removing_the_job_that_is_edited_ends_that(panel: QueuePanel, studio: Studio) -> None:
    studio.settings.steps = 25
    choose(panel, 1)
    panel.edit.click()
    studio.queue.cancel_all()
    assert studio.editing is None
    assert studio.settings.steps == 25


def test_closing_while_editing_keeps_a_person_s_own_settings(
    panel: QueuePanel, studio: Studio, engine: FakeEngine
) -> None:
    studio.settings.seed = RANDOM_SEED
    choose(panel, 1)
    panel.edit.click()
    assert studio.settings.seed == 2
    engine.open_all()
    assert studio.shutdown(PATIENCE_MS)
    assert studio.settings.seed == RANDOM_SEED


def test_stop_and_what_is_done(qtbot: QtBot, panel: QueuePanel, studio: Studio, engine: FakeEngine) -> None:
    rect = panel.list.visualRect(panel.list.model().index(0, 0))
    stop = panel.list.itemDelegate().action_rect(rect).center()  # type: ignore[attr-defined]
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=stop)
    engine.open_all()
    qtbot.waitUntil(lambda: all(job.ended for job in studio.queue.jobs), timeout=PATIENCE_MS)
    states = {job.request.seed: job.state for job in studio.queue.jobs}
    assert states[1] == JobState.CANCELLED
    assert [states[seed] for seed in (2, 3, 4)] == [JobState.FINISHED] * 3
    assert panel.count.text() == ""
    assert not panel.stop.isEnabled()
    panel.tidy.click()
    assert panel.empty.isVisible()


def test_a_row_says_what_it_makes(panel: QueuePanel, studio: Studio) -> None:
    delegate = panel.list.itemDelegate()
    job = studio.queue.pending[0]
    assert delegate.title(job) == "4 × Ankle boot"  # type: ignore[attr-defined]
    assert delegate.subtitle(job) == "GENIE 10 · Fashion 32 · seed 2"  # type: ignore[attr-defined]
    assert "fashion32, 4 images" in panel.list.model().index(1, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert pixels(panel).width() >= 280


def test_progress_paints_the_row_it_is_about_and_no_other(
    qtbot: QtBot, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[int] = []
    paint = _JobDelegate.paint

    def note(self: _JobDelegate, painter: QPainter, option: QStyleOptionViewItem, row: QModelIndex) -> None:
        painted.append(row.row())
        paint(self, painter, option, row)

    monkeypatch.setattr(_JobDelegate, "paint", note)
    panel = QueuePanel(studio)
    show(qtbot, panel, 280, 400)
    qtbot.waitUntil(lambda: set(painted) == {0, 1, 2, 3}, timeout=PATIENCE_MS)
    qtbot.wait(50)  # whatever the first layout has left to paint
    painted.clear()
    row = studio.queue.index(1)
    studio.queue.dataChanged.emit(row, row)
    qtbot.waitUntil(lambda: bool(painted), timeout=PATIENCE_MS)
    assert set(painted) == {1}
