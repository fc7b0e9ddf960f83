"""A window that moves to a screen of another scale."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.views import model_details
from app.views.image_view import ImageView
from app.views.zoom_view import ZoomView
from engine.messages import ModelInfo
from tests.fake_engine import FakeEngine, fake_catalogue
from tests.views.studio_kit import show, studio_with

Move = Callable[[type, float], None]


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Lets widgets of a class say that they are on a screen of this scale."""

    def say(kind: type, ratio: float) -> None:
        monkeypatch.setattr(kind, "devicePixelRatioF", lambda _self: ratio)

    return say


def moved(view: QWidget) -> None:
    QApplication.sendEvent(view, QEvent(QEvent.Type.DevicePixelRatioChange))


@pytest.fixture
def view(qtbot: QtBot, scale: Move) -> ImageView:
    scale(ZoomView, 1.0)
    made = ImageView()
    made.set_image(QImage(8, 8, QImage.Format.Format_RGB32), "")
    show(qtbot, made, 200, 160)
    return made


def test_a_fitted_picture_is_fitted_and_centred_again(view: ImageView, scale: Move) -> None:
    before = view.zoom
    scale(ZoomView, 2.0)
    moved(view)
    assert (view.fitted, view.zoom) == (True, view.fit_zoom())
    assert view.zoom == 2 * before
    rect, size = view.image_rect(), view.view_size()
    assert rect.left() == (size.width() - rect.width()) // 2
    assert rect.top() == (size.height() - rect.height()) // 2


def test_what_was_zoomed_keeps_its_size_and_place(view: ImageView, scale: Move) -> None:
    view.zoom_to(4.0, view.rect().toRectF().center())
    view.pan_to(QPoint(30, 20))
    scale(ZoomView, 2.0)
    moved(view)
    assert (view.zoom, view.origin, view.fitted) == (8.0, QPoint(60, 40), False)
    moved(view)  # told twice, it changes once
    assert (view.zoom, view.origin) == (8.0, QPoint(60, 40))
    scale(ZoomView, 1.0)
    moved(view)
    assert (view.zoom, view.origin) == (4.0, QPoint(30, 20))


def test_the_picture_of_a_model_is_made_for_the_screen(
    qtbot: QtBot, scale: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []

    def sample(_info: ModelInfo, _size: int, ratio: float) -> QPixmap:
        made.append(ratio)
        return QPixmap()

    monkeypatch.setattr(model_details, "sample_pixmap", sample)
    with studio_with(qtbot, FakeEngine()) as studio:
        details = model_details.ModelDetails(studio)
        qtbot.addWidget(details)
        scale(model_details.ModelDetails, 1.0)
        details.show_model(fake_catalogue().models[0])
        scale(model_details.ModelDetails, 2.0)
        moved(details)
    assert made == [1.0, 2.0]
