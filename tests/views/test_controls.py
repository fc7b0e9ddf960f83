"""The controls, by mouse and keyboard."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.views.control_panel import ControlPanel
from app.views.main_window import MainWindow
from engine.messages import Catalogue, GenerateRequest
from tests.fake_engine import FakeEngine, fake_catalogue
from tests.models.test_settings import paired
from tests.views.studio_kit import show, studio_with

LEFT = Qt.MouseButton.LeftButton


def retype(entry: QWidget, text: str) -> None:
    """Replace what stands in a field by typing."""
    entry.setFocus()
    QTest.keyClick(entry, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(entry, Qt.Key.Key_Delete)
    QTest.keyClicks(entry, text)


@pytest.fixture
def controls(window: MainWindow) -> ControlPanel:
    return window.generate_room.controls


@pytest.mark.parametrize("text", ["0", "-1", "10000000", "ten"])
def test_wrong_steps_are_answered_beside_the_field(
    window: MainWindow, controls: ControlPanel, text: str
) -> None:
    retype(controls.steps.entry, text)
    assert controls.steps.error.isVisible()
    assert "1 to 1,000" in controls.steps.error.text()
    assert controls.steps.entry.property("wrong") is True
    assert not controls.generate.isEnabled()
    assert controls.obstacle.isVisible()
    assert "Steps" in controls.obstacle.text()
    assert "Steps" in controls.generate.toolTip()
    error, entry = controls.steps.error, controls.steps.entry
    assert 0 <= error.mapTo(window, QPoint()).y() - entry.mapTo(window, QPoint()).y() <= entry.height() + 8

    retype(controls.steps.entry, "7")
    assert not controls.steps.error.isVisible()
    assert controls.generate.isEnabled()
    assert window.studio.settings.steps == 7


def test_a_model_that_is_not_here_is_told_of_and_generates_nothing(
    window: MainWindow, controls: ControlPanel
) -> None:
    window.studio.apply_settings(GenerateRequest("gone-model", seed=5, labels=(3,)))
    assert controls.model.card._lines()[0][0] == "gone-model is not here"
    assert controls.model.error.isVisible()
    assert "import it in Models" in controls.model.error.text()
    QTest.mouseClick(controls.generate, LEFT)
    assert window.studio.queue.running is None
    assert "gone-model" in controls.model.error.text()
    window.studio.settings.model = "fashion32"
    assert not controls.model.error.isVisible()


def test_escape_restores_a_wrong_field_before_it_stops_anything(
    window: MainWindow, controls: ControlPanel
) -> None:
    retype(controls.steps.entry, "0")
    QTest.keyClick(controls.steps.entry, Qt.Key.Key_Escape)
    assert controls.steps.entry.text() == "10"
    assert controls.generate.isEnabled()


def test_nan_guidance_is_refused(controls: ControlPanel) -> None:
    retype(controls.guidance.entry, "nan")
    assert controls.guidance.error.isVisible()
    assert not controls.generate.isEnabled()


def test_the_slider_and_the_field_show_one_value(window: MainWindow, controls: ControlPanel) -> None:
    controls.steps.slider.setFocus()
    QTest.keyClick(controls.steps.slider, Qt.Key.Key_Right)
    assert window.studio.settings.steps == 11
    assert controls.steps.entry.text() == "11"
    QTest.keyClick(controls.steps.entry, Qt.Key.Key_Up)
    assert controls.steps.slider.value() + 1 == 12
    retype(controls.steps.entry, "300")  # beyond the slider, still allowed
    assert window.studio.settings.steps == 300
    assert controls.steps.slider.value() == controls.steps.slider.maximum()


def test_the_wheel_does_nothing_without_the_focus(window: MainWindow, controls: ControlPanel) -> None:
    controls.generate.setFocus()
    for control in (controls.steps.slider, controls.steps.entry, controls.solver.choice):
        before = window.studio.settings.to_dict()
        wheel(control)
        assert window.studio.settings.to_dict() == before
    controls.steps.entry.setFocus()
    wheel(controls.steps.entry)
    assert window.studio.settings.steps == 11


def wheel(control: QWidget) -> None:
    middle = QPointF(control.rect().center())
    event = QWheelEvent(
        middle, control.mapToGlobal(middle), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(control, event)


def test_a_row_shows_that_it_differs_and_a_double_click_puts_it_back(
    window: MainWindow, controls: ControlPanel, qtbot: QtBot
) -> None:
    assert not controls.steps.label.differs
    retype(controls.steps.entry, "12")
    assert controls.steps.label.differs
    assert controls.preset.label.differs
    assert "Usually 10" in controls.steps.label.toolTip()
    qtbot.mouseDClick(controls.steps.label, LEFT)
    assert window.studio.settings.steps == 10
    assert controls.steps.entry.text() == "10"
    assert not controls.steps.label.differs


def test_ctrl_r_puts_the_focused_row_back(window: MainWindow, controls: ControlPanel) -> None:
    retype(controls.count.entry, "5")
    QTest.keyClick(controls.count.entry, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert window.studio.settings.count == 16


def test_presets_by_mouse_and_by_keys(window: MainWindow, controls: ControlPanel, qtbot: QtBot) -> None:
    buttons = controls.preset.segments.buttons
    assert buttons["good"].isChecked()
    qtbot.mouseClick(buttons["draft"], LEFT)
    assert window.studio.settings.steps == 5
    QTest.keyClick(buttons["draft"], Qt.Key.Key_Left)
    assert buttons["best"].hasFocus()
    QTest.keyClick(buttons["best"], Qt.Key.Key_Space)
    assert window.studio.settings.steps == 25
    assert controls.steps.entry.text() == "25"
    assert controls.plan.text() == "16 pictures, 25 evaluations each"


def test_the_plan_counts_guidance_honestly(window: MainWindow, controls: ControlPanel) -> None:
    retype(controls.guidance.entry, "1.5")
    assert controls.plan.text() == "16 pictures, 20 evaluations (10 as the paper counts) each"


def test_classes_are_searched_chosen_and_taken_out(
    window: MainWindow, controls: ControlPanel, qtbot: QtBot
) -> None:
    picker = controls.classes
    qtbot.mouseClick(picker.button, LEFT)
    assert picker.popup is not None
    QTest.keyClicks(picker.popup.search, "boot")
    QTest.keyClick(picker.popup.search, Qt.Key.Key_Return)
    assert window.studio.settings.pick == (9,)
    retype(picker.popup.search, "dress")
    QTest.keyClick(picker.popup.search, Qt.Key.Key_Down)
    QTest.keyClick(picker.popup.list, Qt.Key.Key_Space)
    assert window.studio.settings.pick == (9, 3)
    picker.popup.close()
    assert [chip.text() for chip in picker.chips] == ["Ankle boot", "Dress"]
    qtbot.mouseClick(picker.chips[0], LEFT)
    assert window.studio.settings.pick == (3,)
    qtbot.mouseClick(picker.chips[0], LEFT)
    assert window.studio.settings.pick == "all"
    assert [chip.text() for chip in picker.chips] == ["Every class"]


def test_random_is_one_choice_and_closes_the_list(
    window: MainWindow, controls: ControlPanel, qtbot: QtBot
) -> None:
    qtbot.mouseClick(controls.classes.chips[0], LEFT)
    popup = controls.classes.popup
    assert popup is not None
    QTest.keyClicks(popup.search, "random")
    QTest.keyClick(popup.search, Qt.Key.Key_Return)
    assert window.studio.settings.pick == "random"
    assert not popup.isVisible()


def test_another_model_brings_its_classes_and_its_solver(
    window: MainWindow, controls: ControlPanel, qtbot: QtBot
) -> None:
    qtbot.mouseClick(controls.model.card, LEFT)
    names = [card.info.name for card in controls.model.cards if card.info]
    assert names == ["fashion32", "headless", "plain", "broken"]
    qtbot.mouseClick(controls.model.cards[names.index("headless")], LEFT)
    assert window.studio.settings.model == "headless"
    assert window.studio.settings.solver == "dpmpp-2m"
    assert controls.solver.choice.currentText() == "DPM-Solver++ 2M"
    window.studio.settings.model = "plain"
    assert controls.classes.chips[0].text() == "This model has no classes"
    assert not controls.classes.chips[0].isEnabled()
    assert not controls.guidance.isEnabled()


def test_a_broken_model_says_why_and_disables_generate(window: MainWindow, controls: ControlPanel) -> None:
    window.studio.settings.model = "broken"
    assert "its weights are missing" in controls.model.error.text()
    assert controls.model.error.isVisible()
    assert not controls.generate.isEnabled()


def test_seed_typed_random_and_reused(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    window = open_window()
    row, settings = window.generate_room.controls.seed, window.studio.settings
    assert row.dice.isChecked()
    assert row.entry.text() == ""
    assert not row.reuse.isEnabled()
    retype(row.entry, "42")
    assert settings.seed == 42
    assert not row.dice.isChecked()
    with qtbot.waitSignal(window.studio.queue.job_finished):
        window.studio.generate()
    settings.seed = 7
    window.studio.canvas.select(3)
    assert row.used.text() == "Shown: 45"
    qtbot.mouseClick(row.reuse, LEFT)
    assert settings.seed == 45
    qtbot.mouseClick(row.dice, LEFT)
    assert settings.seed == -1
    assert row.entry.text() == ""
    retype(row.entry, "-1")
    assert settings.seed == -1
    assert not row.error.isVisible()


def test_advanced_opens_and_is_remembered(window: MainWindow, controls: ControlPanel, qtbot: QtBot) -> None:
    assert not controls.advanced.isVisible()
    qtbot.mouseClick(controls.fold, LEFT)
    assert controls.advanced.isVisible()
    assert window.studio.session.get("advanced") is True
    qtbot.mouseClick(controls.analytic_first.switch, LEFT)
    assert window.studio.settings.analytic_first is True
    assert controls.plan.text() == "16 pictures, 9 evaluations each"
    retype(controls.t_end.entry, "2")
    assert controls.t_end.error.isVisible()
    retype(controls.t_end.entry, "0.01")
    assert window.studio.settings.t_end == 0.01


def test_a_settings_error_of_the_engine_appears_at_its_row(
    open_window: Callable[..., MainWindow], qtbot: QtBot
) -> None:
    window = open_window()
    window.studio.settings.solver = "genie"
    window.studio.settings.set_value("model", "headless")
    window.studio.settings.solver = "genie"
    controls = window.generate_room.controls
    qtbot.mouseClick(controls.generate, LEFT)
    assert controls.solver.error.isVisible()
    assert "no GENIE head" in controls.solver.error.text()
    window.studio.settings.solver = "ddim"
    assert not controls.solver.error.isVisible()


def test_stop_appears_only_while_something_runs(open_window: Callable[..., MainWindow], qtbot: QtBot) -> None:
    engine = FakeEngine(gated=True)
    window = open_window(engine)
    controls = window.generate_room.controls
    assert not controls.stop.isVisible()
    qtbot.mouseClick(controls.generate, LEFT)
    assert controls.stop.isVisible()
    with qtbot.waitSignal(window.studio.queue.job_cancelled):
        qtbot.mouseClick(controls.stop, LEFT)
        engine.open_all()
    assert not controls.stop.isVisible()


def test_a_long_class_name_is_shortened_and_told_in_the_tooltip(
    open_window: Callable[..., MainWindow],
) -> None:
    long = "Ankle boot with laces, a zip, and a heel of medium height"
    known = fake_catalogue()
    model = dataclasses.replace(known.models[0], classes=(long, "Bag"))
    window = open_window(FakeEngine(catalogue=dataclasses.replace(known, models=(model,))))
    controls = window.generate_room.controls
    window.studio.settings.pick = (0,)
    chip = controls.classes.chips[0]
    QApplication.processEvents()  # lays the chips out
    assert chip.text().endswith("…")
    assert chip.sizeHint().width() <= chip.width() <= controls.classes.area.width()
    assert long in chip.toolTip()
    assert long in chip.accessibleName()
    assert long not in window.generate_room.canvas.empty.button.text()


def test_the_partner_row_is_there_where_a_model_can_guide_another(qtbot: QtBot, dressed: object) -> None:
    with studio_with(qtbot, FakeEngine(catalogue=paired())) as studio:
        panel = ControlPanel(studio)
        show(qtbot, panel, 320, 800)
        row = panel.partner
        assert row.isVisible()
        assert [row.choice.itemText(i) for i in range(row.choice.count())] == ["Uncond"]
        assert panel.guidance.isEnabled()
        studio.settings.model = "itself"
        assert [row.choice.itemText(i) for i in range(row.choice.count())] == ["Itself", "Uncond"]
        row.choice.setCurrentIndex(0)
        row.choice.activated.emit(0)
        assert studio.settings.guidance_model is None
        row.choice.setCurrentIndex(1)
        row.choice.activated.emit(1)
        assert studio.settings.guidance_model == "uncond"
        studio.settings.model = "other-data"
        assert not row.isVisible()


def test_a_class_is_found_by_its_synonym(qtbot: QtBot, dressed: object) -> None:
    first = dataclasses.replace(
        fake_catalogue().models[0], classes=("Pembroke", "streetcar"), synonyms=(("corgi",), ("tram",))
    )
    catalogue = Catalogue((first,), fake_catalogue().solvers)
    with studio_with(qtbot, FakeEngine(catalogue=catalogue)) as studio:
        panel = ControlPanel(studio)
        show(qtbot, panel, 320, 800)
        picker = panel.classes
        qtbot.mouseClick(picker.button, Qt.MouseButton.LeftButton)
        assert picker.popup is not None
        QTest.keyClicks(picker.popup.search, "tram")
        assert picker.popup.found.index(0).data() == "streetcar (tram)"
        QTest.keyClick(picker.popup.search, Qt.Key.Key_Return)
        assert studio.settings.pick == (1,)
        assert picker.chips[0].text() == "streetcar"
        picker.popup.close()


def test_for_ever_is_shown_as_it_is(window: MainWindow, controls: ControlPanel, qtbot: QtBot) -> None:
    window.studio.settings.set_values({"model": "headless", "solver": "genie"})
    qtbot.mouseClick(controls.forever, LEFT)
    assert not window.studio.queue.forever
    assert not controls.forever.isChecked()
    window.studio.settings.solver = "ddim"
    qtbot.mouseClick(controls.forever, LEFT)
    assert window.studio.queue.forever
    assert controls.forever.isChecked()
    qtbot.mouseClick(controls.forever, LEFT)
    assert not controls.forever.isChecked()
