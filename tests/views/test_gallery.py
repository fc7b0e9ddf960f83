"""The first minute: samples of the models, and more like one of them with a click."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.models.gallery import more_like, samples_of
from app.models.settings import RANDOM_SEED
from app.store import Store
from app.views.main_window import MainWindow
from engine.images import SavedSettings, save, settings_to_json
from engine.messages import Catalogue, GenerateRequest, Provenance
from tests.fake_engine import FakeEngine, fake_catalogue, fake_pictures
from tests.views.studio_kit import PATIENCE_MS, add_batch

LEFT = Qt.MouseButton.LeftButton
Open = Callable[..., MainWindow]
MADE = Provenance("cpu", "Some processor", "fp32", "2.6.0", "0.1.0", (1,))


def saved(seed: int, label: int, **changes: object) -> SavedSettings:
    request = GenerateRequest("fashion32", seed=seed, labels=(label,), steps=7, **changes)  # type: ignore[arg-type]
    return SavedSettings(request, 0, MADE)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    """The fake one; its first model has three samples, one of them without settings."""
    folder = tmp_path / "fashion32"
    (folder / "samples").mkdir(parents=True)
    save(folder / "samples" / "a.png", fake_pictures(1, 40), saved(5, 9, device="cpu", precision="fp32"))
    save(folder / "samples" / "b.png", fake_pictures(1, 90), saved(6, 8))
    save(folder / "samples" / "c.png", fake_pictures(1, 200))
    models = fake_catalogue().models
    return Catalogue(
        (dataclasses.replace(models[0], folder=str(folder)), *models[1:]), fake_catalogue().solvers
    )


def test_samples_of_models_that_can_be_used(catalogue: Catalogue) -> None:
    assert [sample.path.name for sample in samples_of(catalogue)] == ["a.png", "b.png", "c.png"]
    broken = dataclasses.replace(catalogue.models[0], problem="its weights are missing.")
    assert samples_of(Catalogue((broken,), ())) == []
    assert samples_of(None) == []


def test_more_like_one_is_a_batch_that_begins_with_it(catalogue: Catalogue) -> None:
    info = dataclasses.replace(catalogue.models[0], image_size=64)
    request = more_like(settings_to_json(saved(5, 9, device="cpu", precision="fp32")), info)
    assert request is not None
    assert (request.seed, request.labels, request.steps) == (5, (9,) * 4, 7)
    assert (request.device, request.precision) == ("auto", "auto")
    for hostile in ("", "{", "[]", '{"request": 7}', '{"request": {"genie": 1, "kind": "warm-up"}}'):
        assert more_like(hostile, info) is None
    assert more_like(settings_to_json(saved(5, 9)), catalogue.models[1]) is None


def test_a_click_makes_more_and_the_gallery_is_gone(
    open_window: Open, qtbot: QtBot, catalogue: Catalogue
) -> None:
    engine = FakeEngine(catalogue=catalogue)
    window = open_window(engine)
    canvas = window.generate_room.canvas
    assert canvas.gallery.isVisible()
    assert len(canvas.gallery.buttons) == 2  # what carries no settings can't be made more of
    assert not canvas.empty.drawing.isVisible()
    assert "Ankle boot" in canvas.gallery.buttons[0].accessibleName()
    qtbot.mouseClick(canvas.gallery.buttons[0], LEFT)
    qtbot.waitUntil(lambda: window.studio.canvas.state == "done", timeout=PATIENCE_MS)
    asked = engine.requests[-1]
    assert (asked.seed, set(asked.labels), asked.steps) == (5, {9}, 7)
    settings = window.studio.settings
    assert (settings.pick, settings.steps, settings.seed) == ((9,), 7, RANDOM_SEED)
    assert not canvas.gallery.isVisible()


def test_the_keyboard_reaches_every_sample(open_window: Open, catalogue: Catalogue) -> None:
    engine = FakeEngine(catalogue=catalogue)
    window = open_window(engine)
    buttons = window.generate_room.canvas.gallery.buttons
    buttons[0].setFocus()
    QTest.keyClick(buttons[0], Qt.Key.Key_Tab)
    assert buttons[1].hasFocus()
    QTest.keyClick(buttons[1], Qt.Key.Key_Space)
    assert window.studio.settings.pick == (8,)


def test_who_has_pictures_already_is_not_greeted(
    open_window: Open, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "history.sqlite"
    first = open_window(FakeEngine(catalogue=catalogue), Store(path))
    add_batch(first.studio, 2)
    first.close_anyway()
    first.studio.shutdown()
    window = open_window(FakeEngine(catalogue=catalogue), Store(path))
    assert not window.generate_room.canvas.gallery.isVisible()
    assert window.generate_room.canvas.empty.drawing.isVisible()


def test_the_bundled_models_have_samples_that_can_be_made_again() -> None:
    from engine.catalogue import read_catalogue
    from engine.images import read_settings

    samples = samples_of(read_catalogue())
    assert samples
    for sample in samples:
        found = read_settings(sample.path)
        assert more_like(settings_to_json(found), sample.model) is not None, sample.path
