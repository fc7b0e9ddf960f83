"""The Models room: cards, importing by button and by drop, what was refused, removing, the space taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.views.import_panel import ImportPanel
from app.views.main_window import MainWindow
from engine.checkpoints.library import user_folder
from engine.messages import Catalogue, Imported, ImportRequest, Refused
from tests.engine.tiny_model import write_tiny_model
from tests.fake_engine import Gate, fake_catalogue
from tests.models.test_library import Importer

LEFT = Qt.MouseButton.LeftButton
Open = Callable[..., MainWindow]


@pytest.fixture(autouse=True)
def every_event_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine_worker.PROGRESS_INTERVAL", 0.0)


def drop(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    none = Qt.KeyboardModifier.NoModifier
    event = QDropEvent(QPointF(60, 60), Qt.DropAction.CopyAction, data, LEFT, none)
    window.dropEvent(event)


def with_own_model(importer: Importer) -> Path:
    """A model in the user's folder, and in the list."""
    folder = write_tiny_model(user_folder())
    own = dataclasses.replace(
        fake_catalogue().models[0],
        name="tiny", title="Tiny", folder=str(folder), bundled=False, bytes=2_000_000, licence="MIT",
    )  # fmt: skip
    importer.listed = Catalogue((*fake_catalogue().models, own), fake_catalogue().solvers)
    return folder


def shown_words(panel: ImportPanel) -> list[str]:
    return [panel.title.text(), panel.words.text(), *(row.words.text() for row in panel.rows)]


def test_with_nothing_imported_it_says_what_to_try(open_window: Open) -> None:
    window = open_window(Importer())
    window.show_room("models")
    page = window.models_page
    assert "Nothing imported yet" in page.hint.text()
    assert "GENIE head" in page.hint.text()
    assert page.storage.text() == "4 models, 64.0 MB on disk."
    assert page.importing.isHidden()
    assert not page.details.remove.isVisibleTo(page)  # it comes with the program


def test_files_dropped_in_any_room_are_imported(open_window: Open, qtbot: QtBot) -> None:
    importer = Importer(gated=True)
    window = open_window(importer)
    window.show_room("settings")
    drop(window, Path("/x/cifar.pth"), Path("/x/bad.pt"))
    assert window.room == "models"
    page = window.models_page
    panel = page.importing
    assert panel.isVisible()
    assert panel.title.text() == "Importing cifar.pth, bad.pt"
    assert panel.cancel.isVisible()
    importer.import_gate.open(2)
    qtbot.waitUntil(lambda: panel.bar.value() == 500)
    assert panel.words.text() == "Converting cifar · 50%"
    importer.import_gate.open_all()
    qtbot.waitUntil(lambda: panel.title.text() == "1 model imported")
    assert shown_words(panel) == ["1 model imported", "Ready to use: cifar.", "It is cut short."]
    assert not panel.bar.isVisible()
    qtbot.mouseClick(panel.close_button, LEFT)
    assert panel.isHidden()


def test_files_dropped_in_the_room_of_pictures_are_imported_too(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(Importer())
    model, pictures = write_tiny_model(tmp_path), tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.png").write_bytes(b"no picture")
    for files, words in (
        ([Path("/x/cifar.pth")], "Ready to use: cifar."),
        ([pictures / "a.png", Path("/x/own.safetensors")], "Ready to use: own."),
        ([model], "Ready to use: tiny."),
    ):
        window.show_room("edit")
        drop(window, *files)
        assert window.room == "models"
        panel = window.models_page.importing
        qtbot.waitUntil(lambda panel=panel, words=words: words in shown_words(panel))
    window.show_room("edit")
    (pictures / "a.png").unlink()
    with qtbot.waitSignal(window.edit_room.edits.encode.refused) as refused:
        drop(window, pictures)
    assert refused.args is not None
    assert "There is no picture in" in refused.args[0]
    assert window.room == "edit"


def test_escape_cancels_the_import(open_window: Open, qtbot: QtBot) -> None:
    importer = Importer(gated=True)
    window = open_window(importer)
    drop(window, Path("/x/one.pth"), Path("/x/two.pth"))
    importer.import_gate.open(1)
    qtbot.waitUntil(lambda: "one.pth" in window.models_page.importing.words.text())
    window.escape()
    importer.import_gate.open_all()
    qtbot.waitUntil(lambda: window.models_page.importing.isHidden())
    assert "nothing was imported" in window.notices.shown[-1].text


def test_the_import_button_asks_for_files(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(Importer())
    window.show_room("models")
    page = window.models_page
    qtbot.mouseClick(page.import_button, LEFT)
    assert page.dialog is not None
    assert "*.pth" in page.dialog.nameFilters()[0]
    page.dialog.filesSelected.emit(["/x/lsun.pth"])
    page.dialog.close()
    qtbot.waitUntil(lambda: page.importing.title.text() == "1 model imported")


def test_a_model_just_imported_is_shown(open_window: Open, qtbot: QtBot) -> None:
    importer = Importer()
    window = open_window(importer)
    with_own_model(importer)
    drop(window, Path("/x/tiny.pth"))
    page = window.models_page
    qtbot.waitUntil(lambda: page.shown is not None and page.shown.name == "tiny")
    assert [card.info.name for card in page.cards if card.info and card.isChecked()] == ["tiny"]
    assert page.storage.text() == "5 models, 66.0 MB on disk; 1 of your own, 2.0 MB."
    assert "Nothing imported" not in page.hint.text()


def answers(panel: ImportPanel) -> list[QPushButton]:
    return [button for row in panel.rows for button in row.answers]


def test_a_refusal_a_name_would_decide_offers_the_names(open_window: Open, qtbot: QtBot) -> None:
    asked: list[ImportRequest] = []
    importer = Importer()

    def ambiguous(request: ImportRequest, _control: object) -> object:
        asked.append(request)
        if request.name:
            yield Imported(request, (request.name,), (), 0.1)
            return
        network, head = request.files
        why = (
            f"{network} is the network of LSUN Bedrooms or LSUN Church-Outdoor: nothing in it tells which. "
            "Import it with its GENIE head, or give it a name: lsun-bedroom128 or lsun-church128."
        )
        pair = f"Couldn't import {head}: the network it belongs to, net.pth, was not imported."
        which = Refused(network, why, "name", ("lsun-bedroom128", "lsun-church128"))
        yield Imported(request, (), (which, Refused(head, pair, "file", network=network)), 0.1)

    importer.scripts["import"] = ambiguous  # type: ignore[assignment]
    window = open_window(importer)
    drop(window, Path("/x/net.pth"), Path("/x/head.pth"))
    panel = window.models_page.importing
    qtbot.waitUntil(lambda: len(panel.rows) == 2)
    assert panel.title.text() == "Nothing was imported"
    assert [button.text() for button in answers(panel)] == ["It is lsun-bedroom128", "It is lsun-church128"]
    qtbot.mouseClick(answers(panel)[1], LEFT)
    qtbot.waitUntil(lambda: panel.title.text() == "1 model imported")
    assert (asked[-1].name, asked[-1].files) == ("lsun-church128", ("/x/net.pth", "/x/head.pth"))


def test_a_model_that_is_there_can_be_replaced(open_window: Open, qtbot: QtBot) -> None:
    asked: list[ImportRequest] = []
    importer = Importer()

    def there(request: ImportRequest, _control: object) -> object:
        asked.append(request)
        if request.replace:
            yield Imported(request, ("cifar",), (), 0.1)
            return
        why, pair = "It is there already.", "Its network was not imported."
        refused = [
            one
            for network, head in zip(request.files[::2], request.files[1::2], strict=True)
            for one in (Refused(network, why, "replace"), Refused(head, pair, "file", network=network))
        ]
        yield Imported(request, (), tuple(refused), 0.1)

    importer.scripts["import"] = there  # type: ignore[assignment]
    window = open_window(importer)
    # Two of the same name, as published files are.
    drop(window, *(Path(folder, name) for folder in ("/x", "/y") for name in ("net.pth", "head.pth")))
    panel = window.models_page.importing
    qtbot.waitUntil(lambda: len(panel.rows) == 4)
    assert [button.text() for button in answers(panel)] == ["Replace it", "Replace it"]
    qtbot.mouseClick(answers(panel)[1], LEFT)
    qtbot.waitUntil(lambda: panel.title.text() == "1 model imported")
    assert asked[-1].files == ("/y/net.pth", "/y/head.pth")
    assert [row.refused.file for row in panel.rows] == ["/x/net.pth", "/x/head.pth"]  # not answered yet
    qtbot.mouseClick(answers(panel)[0], LEFT)
    qtbot.waitUntil(lambda: panel.title.text() == "1 model imported" and not panel.rows)
    assert asked[-1].files == ("/x/net.pth", "/x/head.pth")


def test_the_others_refused_wait_while_one_is_answered(open_window: Open, qtbot: QtBot) -> None:
    importer = Importer()

    def there(request: ImportRequest, _control: object) -> object:
        refused = tuple(Refused(file, "It is there already.", "replace") for file in request.files)
        if request.replace:
            importer.import_gate.pass_through()
        yield Imported(request, (), () if request.replace else refused, 0.1)

    importer.scripts["import"] = there  # type: ignore[assignment]
    window = open_window(importer)
    drop(window, Path("/x/one.pth"), Path("/x/two.pth"))
    panel, library = window.models_page.importing, window.studio.library
    qtbot.waitUntil(lambda: len(panel.rows) == 2)
    importer.import_gate = Gate()
    qtbot.mouseClick(answers(panel)[0], LEFT)
    assert [button.isEnabled() for button in answers(panel)] == [False]  # one at a time
    assert library.cancel_import()
    importer.import_gate.open_all()
    qtbot.waitUntil(lambda: library.importing is None)
    assert panel.isVisible()
    assert [button.isEnabled() for button in answers(panel)] == [True]


def test_an_own_model_is_removed_with_undo_and_emptied_after_a_question(
    open_window: Open, qtbot: QtBot
) -> None:
    importer = Importer()
    folder = with_own_model(importer)
    window = open_window(importer)
    window.show_room("models")
    page = window.models_page
    qtbot.mouseClick(page.cards[4], LEFT)
    assert page.details.remove.isVisible()
    qtbot.mouseClick(page.details.remove, LEFT)
    assert not folder.exists()
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert folder.exists()
    page.details.setFocus()
    QTest.keyClick(page, Qt.Key.Key_Delete)
    assert not folder.exists()
    assert page.empty.isVisible()
    qtbot.mouseClick(page.empty, LEFT)
    assert page.question is not None
    qtbot.mouseClick(page.question.stay, LEFT)
    assert window.studio.library.removed_bytes > 0
    qtbot.mouseClick(page.empty, LEFT)
    qtbot.mouseClick(page.question.leave, LEFT)
    assert window.studio.library.removed_bytes == 0
    assert not page.empty.isVisible()


def test_the_details_name_parameters_and_licence(open_window: Open, qtbot: QtBot) -> None:
    importer = Importer()
    with_own_model(importer)
    window = open_window(importer)
    window.show_room("models")
    page = window.models_page
    qtbot.mouseClick(page.cards[4], LEFT)
    facts = page.details._facts
    pairs = {}
    for row in range(facts.rowCount()):
        left, right = facts.itemAtPosition(row, 0), facts.itemAtPosition(row, 1)
        if left is not None and right is not None:
            pairs[left.widget().text()] = right.widget().text()  # type: ignore[union-attr]
    assert pairs["Licence"] == "MIT"
    assert "GENIE head" in pairs["Parameters"]
    assert pairs["Size"] == "2.0 MB on disk"
    qtbot.mouseClick(page.cards[0], LEFT)  # its folder is not there: nothing is made up
    assert page.details.shown is not None
    assert page.details.shown.name == "fashion32"


def test_a_file_that_is_neither_picture_nor_model_is_named(open_window: Open) -> None:
    window = open_window(Importer())
    drop(window, Path("/x/notes.txt"))
    assert "notes.txt is neither" in window.notices.shown[-1].text
