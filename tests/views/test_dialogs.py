"""The dialogs: files as asked for, and dropped settings taken over as chosen."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.models.studio import Studio
from app.store.encoding import decode_png
from app.views.dialogs import DroppedSettingsDialog, ExportStepsDialog, SaveDialog
from engine import image_sizes
from engine.images import NoSettings, grid, read_settings
from engine.messages import GenerateRequest, Pictures
from tests.fake_engine import FakeEngine
from tests.views.studio_kit import PATIENCE_MS, add_batch, finish, studio_with


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    """Four boots on the canvas, the second selected."""
    with studio_with(qtbot, FakeEngine()) as made:
        finish(qtbot, made, count=4, seed=70, pick=(9,), steps=3)
        made.canvas.select(1)
        yield made


def save(qtbot: QtBot, studio: Studio, dialog: SaveDialog | ExportStepsDialog, folder: Path) -> None:
    """Press the button and wait until everything is written."""
    dialog.folder.setText(str(folder))
    dialog.open()
    with qtbot.waitSignal(studio.writer.written, timeout=PATIENCE_MS):
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert not (isValid(dialog) and dialog.isVisible())


def test_one_picture_enlarged_pixel_for_pixel(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    dialog = SaveDialog.for_canvas(studio)
    dialog.scale.setCurrentIndex(dialog.scale.findData(4))
    assert dialog.note.text() == "One file, 32 px wide."
    save(qtbot, studio, dialog, tmp_path / "new")
    (file,) = (tmp_path / "new").iterdir()
    assert file.name == "fashion32-ankle-boot-71.png"
    with Image.open(file) as image:
        assert image.size == (32, 32)
        assert [image.getpixel((x, 0)) for x in range(6)] == [1, 1, 1, 1, 255, 255]
    saved = read_settings(file)
    assert (saved.request, saved.index) == (studio.canvas.request, 1)


def test_all_pictures_a_file_each(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    dialog = SaveDialog.for_canvas(studio)
    dialog.which.buttons["all"].click()
    dialog.format.buttons["webp"].click()
    assert not dialog.name.isEnabled()
    save(qtbot, studio, dialog, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        f"fashion32-ankle-boot-{seed}.webp" for seed in (70, 71, 72, 73)
    ]


def test_all_pictures_in_one_grid(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    dialog = SaveDialog.for_canvas(studio)
    dialog.which.buttons["grid"].click()
    save(qtbot, studio, dialog, tmp_path)
    with Image.open(tmp_path / "fashion32-ankle-boot-71-grid.png") as image:
        assert image.size == (16, 16)
        assert [image.getpixel(at) for at in ((0, 0), (8, 0), (0, 8), (8, 8))] == [0, 1, 2, 3]


def test_pictures_of_the_history(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    ids = add_batch(studio, 3, seed=300)
    dialog = SaveDialog.for_records(studio, ids[:2])
    save(qtbot, studio, dialog, tmp_path)
    assert sorted(read_settings(file).request.seed for file in tmp_path.iterdir()) == [300, 300]


def test_pictures_of_the_history_are_read_where_they_are_written(
    qtbot: QtBot, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def damaged(_png: bytes) -> Pictures:
        threads.append(threading.current_thread())
        raise OSError("torn")

    monkeypatch.setattr("app.models.saving.decode_png", damaged)
    with qtbot.waitSignal(studio.writer.failed, timeout=PATIENCE_MS) as failed:
        assert studio.save_records(add_batch(studio, 2), tmp_path)
    assert "is damaged" in failed.args[0].message
    assert len(threads) == 2
    assert threading.main_thread() not in threads


def test_what_is_saved_is_what_was_there_when_it_was_asked_for(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    pictures, steps = SaveDialog.for_canvas(studio), ExportStepsDialog(studio)
    asked = studio.canvas.request
    studio.canvas.clear()
    finish(qtbot, studio, count=1, seed=5, pick=(2,), steps=6)  # a job that ends while they are open
    pictures.which.buttons["all"].click()
    save(qtbot, studio, pictures, tmp_path)
    assert {file.name: read_settings(file).request for file in tmp_path.iterdir()} == {
        f"fashion32-ankle-boot-{seed}.png": asked for seed in (70, 71, 72, 73)
    }
    save(qtbot, studio, steps, tmp_path)
    with Image.open(tmp_path / "fashion32-ankle-boot-71-steps.gif") as film:
        assert film.n_frames == 4  # type: ignore[attr-defined]


def test_the_step_that_is_shown_is_what_is_saved(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    result = studio.canvas.result
    assert result is not None
    studio.canvas.show_step(0)
    dialog = SaveDialog.for_canvas(studio)
    assert "carries no settings" in dialog.note.text()
    save(qtbot, studio, dialog, tmp_path / "step")
    (file,) = (tmp_path / "step").iterdir()
    assert file.name == "fashion32-ankle-boot-71-step-1.png"
    assert decode_png(file.read_bytes()) == result.steps[0].pictures.one(1)
    with pytest.raises(NoSettings):  # they would make another picture: the finished one
        read_settings(file)
    for which, folder, count in (("all", "several", 4), ("grid", "grid", 1)):
        dialog = SaveDialog.for_canvas(studio)
        dialog.which.buttons[which].click()
        save(qtbot, studio, dialog, tmp_path / folder)
        files = sorted((tmp_path / folder).iterdir())
        assert (len(files), "-step-1" in files[0].name) == (count, True)
        first = decode_png(files[0].read_bytes())
        assert first == (grid(result.steps[0].pictures) if count == 1 else result.steps[0].pictures.one(0))
    dialog = SaveDialog.for_canvas(studio)
    dialog.moment.buttons["finished"].click()
    save(qtbot, studio, dialog, tmp_path / "finished")
    (file,) = (tmp_path / "finished").iterdir()
    assert decode_png(file.read_bytes()) == result.pictures.one(1)
    assert read_settings(file).index == 1


def test_a_picture_larger_than_its_format_is_said_beside_it(
    qtbot: QtBot, studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(image_sizes._LARGEST, ".webp", 100)
    for dialog in (SaveDialog.for_canvas(studio), ExportStepsDialog(studio)):
        qtbot.addWidget(dialog)
        dialog.folder.setText(str(tmp_path))
        dialog.which.buttons["grid"].click()
        dialog.format.buttons[".webp" if isinstance(dialog, ExportStepsDialog) else "webp"].click()
        dialog.scale.setCurrentIndex(dialog.scale.findData(4))  # 2 x 2 pictures of 8 pixels
        assert dialog.problem.text() == ""
        dialog.scale.setCurrentIndex(dialog.scale.findData(8))
        assert "128 x 128 pixels; a WebP file has room for 100" in dialog.problem.text()
        dialog.accept()
        assert not studio.writer.busy
        dialog.which.buttons["one"].click()
        assert dialog.problem.text() == ""


def test_what_can_not_be_a_place_is_said_while_it_is_typed(
    qtbot: QtBot, studio: Studio, tmp_path: Path
) -> None:
    dialogs: tuple[SaveDialog | ExportStepsDialog, ...] = (
        SaveDialog.for_canvas(studio),
        ExportStepsDialog(studio),
    )
    for dialog in dialogs:
        qtbot.addWidget(dialog)
        for folder, name, words in (
            ("~nosuch/pics", "boot", "no such user"),
            ("x" * 300, "boot", "can't be the folder: it is too long"),
            ("a\0b", "boot", "can't be the folder: it holds a character"),
            ("~a\0b", "boot", "can't be the folder: it holds a character"),
            (str(tmp_path), "x" * 300, "can't be the name of the file: it is too long"),
            (str(tmp_path), "boot", ""),
        ):
            dialog.folder.setText(folder)
            dialog.name.setText(name)
            assert words in dialog.problem.text()
            assert bool(words) == bool(dialog.problem.text())


def test_a_folder_that_cannot_be_is_said_beside_it(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    dialog = SaveDialog.for_canvas(studio)
    dialog.open()
    for folder, name, words in (
        ("", "boot", "No folder"),
        (str(tmp_path / "file"), "boot", "a file, not a folder"),
        (str(tmp_path), "a/b", "can't be the name"),
        (str(tmp_path), "  ", "can't be the name"),
    ):
        dialog.folder.setText(folder)
        dialog.name.setText(name)
        dialog.accept_button.click()
        assert words in dialog.problem.text()
        assert dialog.isVisible()
    dialog.reject()
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_it_says_when_a_file_would_be_replaced(studio: Studio, tmp_path: Path) -> None:
    dialog = SaveDialog.for_canvas(studio)
    dialog.folder.setText(str(tmp_path))
    assert "replaced" not in dialog.note.text()
    dialog.target().write_text("here first")
    dialog.refresh()
    assert "will be replaced" in dialog.note.text()
    dialog.reject()


def test_steps_become_an_animation(qtbot: QtBot, studio: Studio, tmp_path: Path) -> None:
    dialog = ExportStepsDialog(studio)
    dialog.which.buttons["one"].click()
    dialog.format.buttons[".webp"].click()
    dialog.scale.setCurrentIndex(dialog.scale.findData(2))
    dialog.speed.setValue(5)
    assert dialog.note.text() == "4 frames, 1.6 s, repeated for ever."
    save(qtbot, studio, dialog, tmp_path)
    with Image.open(tmp_path / "fashion32-ankle-boot-71-steps.webp") as image:
        assert image.n_frames == 4
        assert image.size == (16, 16)


@pytest.fixture
def dropped(studio: Studio, tmp_path: Path) -> DroppedSettingsDialog:
    """A picture with other settings than those the window has."""
    ids = add_batch(studio, 3, seed=900, label=3, solver="ddim")
    path = tmp_path / "dropped.png"
    path.write_bytes(studio.history.png(ids[2]))
    diff = studio.open_dropped_file(path)
    assert diff is not None
    dialog = DroppedSettingsDialog(studio, diff)
    dialog.open()
    return dialog


def test_what_would_change_is_shown(dropped: DroppedSettingsDialog) -> None:
    texts = [label.text() for label in dropped.rows.findChildren(QLabel)]
    for one in ("Class", "Ankle boot", "Dress", "Solver", "GENIE", "DDIM", "Seed", "70", "900"):
        assert one in texts
    assert "Model" not in texts
    dropped.reject()


def test_apply_takes_everything_over(qtbot: QtBot, studio: Studio, dropped: DroppedSettingsDialog) -> None:
    wanted = GenerateRequest("fashion32", seed=900, labels=(3,) * 3, solver="ddim")
    with qtbot.waitSignal(studio.notice) as notice:
        dropped.apply_button.click()
    assert studio.settings.matches(wanted)
    notice.args[2]()
    assert studio.settings.seed == 70


def test_seed_only_takes_the_seed_of_this_very_picture(
    studio: Studio, dropped: DroppedSettingsDialog
) -> None:
    dropped.seed_button.click()
    assert studio.settings.seed == 902
    assert studio.settings.solver == "genie"


def test_cancel_changes_nothing(qtbot: QtBot, studio: Studio, dropped: DroppedSettingsDialog) -> None:
    before = studio.settings.to_dict()
    qtbot.keyClick(dropped, Qt.Key.Key_Escape)
    assert studio.settings.to_dict() == before
