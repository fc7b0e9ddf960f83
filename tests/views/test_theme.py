"""Tokens, palettes, fonts and icons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPalette
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.views import icons, theme, tokens

GROUNDS = [
    (colours.name, text, ground)
    for colours in (tokens.DARK, tokens.LIGHT)
    for text, grounds in tokens.TEXT_ON.items()
    for ground in grounds
]


@pytest.mark.parametrize(("name", "text", "ground"), GROUNDS)
def test_text_reaches_a_contrast_of_four_and_a_half(name: str, text: str, ground: str) -> None:
    colours = {"dark": tokens.DARK, "light": tokens.LIGHT}[name]
    assert tokens.contrast(getattr(colours, text), getattr(colours, ground)) >= 4.5


def test_contrast_agrees_with_the_standard() -> None:
    assert tokens.contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert tokens.contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=2e-3)
    assert tokens.contrast("#3d5bf5", "#3d5bf5") == 1.0


def test_mix_goes_from_one_colour_to_the_other() -> None:
    assert tokens.mix("#000000", "#ffffff", 0.0) == "#000000"
    assert tokens.mix("#000000", "#ffffff", 1.0) == "#ffffff"
    assert tokens.mix("#102030", "#304050", 0.5) == "#203040"


def test_the_switch_changes_palette_stylesheet_and_icons(dressed: theme.Theme, qtbot: QtBot) -> None:
    button = QPushButton()
    qtbot.addWidget(button)
    icons.bind(button, "dice")

    def seen() -> tuple[str, str, QImage]:
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        window = application.palette().color(QPalette.ColorRole.Window).name()
        return window, application.styleSheet(), button.icon().pixmap(16, 16).toImage()

    dark = seen()
    with qtbot.waitSignal(dressed.changed):
        dressed.set_choice("light")
    light = seen()
    assert (dark[0], light[0]) == (tokens.DARK.panel, tokens.LIGHT.panel)
    assert tokens.LIGHT.accent in light[1]
    assert tokens.LIGHT.accent not in dark[1]
    assert dark[2] != light[2]


def test_the_bundled_typeface_is_used_with_figures_of_one_width(dressed: theme.Theme) -> None:
    font = dressed.font(figures=True)
    assert font.family() == "Inter"
    assert QFont(font).exactMatch()
    metrics = QFontMetricsF(font)
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("8888")
    plain = QFontMetricsF(dressed.font())
    assert plain.horizontalAdvance("1111") != plain.horizontalAdvance("8888")
    assert QFontMetricsF(dressed.font(weight=600)).horizontalAdvance("boot") > plain.horizontalAdvance("boot")


def test_no_movement_where_none_is_wanted(dressed: theme.Theme) -> None:
    dressed.set_still(False)
    assert dressed.motion in (0, tokens.MOTION)
    dressed.set_still(True)
    assert dressed.motion == 0


@pytest.mark.parametrize("name", icons.names())
def test_every_icon_draws_something_in_the_colour_asked_for(name: str, dressed: theme.Theme) -> None:
    image = icons.pixmap(name, "bad", 20, 2.0).toImage()
    assert (image.width(), image.height()) == (40, 40)
    solid = {
        image.pixelColor(x, y).name()
        for x in range(40)
        for y in range(40)
        if image.pixelColor(x, y).alpha() == 255
    }
    assert solid == {tokens.DARK.bad}


def test_no_colour_is_written_outside_the_tokens(root: Path) -> None:
    colour = re.compile(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b|\brgba?\(")
    found = [
        f"{file.name}:{number}: {line.strip()}"
        for file in sorted((root / "app" / "views").glob("*.py"))
        if file.name != "tokens.py"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if colour.search(line)
    ]
    assert found == []


def test_the_fonts_come_with_their_licence_and_are_small(root: Path) -> None:
    folder = root / "resources" / "fonts" / "Inter"
    assert "SIL OPEN FONT LICENSE" in (folder / "OFL.txt").read_text(encoding="utf-8")
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_500_000
