"""Turns the tokens into what Qt wants: a palette, one stylesheet, fonts; and switches light and dark.

`current()` is the one theme of the process. `Theme.changed` tells widgets that paint themselves to
repaint; everything else follows the stylesheet.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyleFactory, QWidget

import resources
from app.views import tokens
from app.views.stylesheet import stylesheet

__all__ = ["Choice", "Theme", "current", "set_look"]

Choice = Literal["system", "dark", "light"]


class Theme(QObject):
    """The colours in use. Ask `color("accent")` while painting and repaint on `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._choice: Choice = "system"
        self._colours = tokens.DARK
        self._still = False
        self._installed = False
        self._dressing = True

    @property
    def colours(self) -> tokens.Colours:
        return self._colours

    @property
    def name(self) -> str:
        """ "dark" or "light"."""
        return self._colours.name

    @property
    def choice(self) -> Choice:
        return self._choice

    def color(self, role: str) -> QColor:
        """The colour of a role of `tokens.Colours`, say "accent" or "line"."""
        return QColor(getattr(self._colours, role))

    def font(self, size: int = tokens.FONT_BODY, weight: int = 400, *, figures: bool = False) -> QFont:
        """The bundled typeface; `figures` sets all digits equally wide, for numbers that change."""
        return QFont(_font(size, weight, figures=figures))

    @property
    def motion(self) -> int:
        """Milliseconds a movement may take: 0 where the system or the person asks for none."""
        style = QApplication.style()
        asked_for_none = style is not None and (
            style.styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration) == 0
        )
        return 0 if self._still or asked_for_none else tokens.MOTION

    def set_still(self, still: bool) -> None:
        """No movement at all, whatever the system says."""
        if still != self._still:
            self._still = still
            self.changed.emit()

    def prepare(self, choice: Choice = "system") -> None:
        """All of `install` but the stylesheet: every widget built under one is styled several times."""
        self._dressing = False
        self.install(choice)

    def install(self, choice: Choice = "system") -> None:
        """Dress the application: style, fonts, palette, stylesheet. Again and again is harmless."""
        application = _application()
        if not self._installed:
            self._installed = True
            _load_fonts()
            application.setStyle(QStyleFactory.create("Fusion"))
            hints = QGuiApplication.styleHints()
            hints.colorSchemeChanged.connect(self._system_changed)
        self._choice = choice
        self._dress()

    def set_choice(self, choice: Choice) -> None:
        """Follow the system, or always dark, or always light."""
        if choice != self._choice or not self._installed:
            self.install(choice)

    @Slot()
    def _system_changed(self) -> None:
        if self._choice == "system":
            self._dress()

    def _dress(self) -> None:
        application = _application()
        before = self._colours
        if self._choice == "system":
            light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
        else:
            light = self._choice == "light"
        self._colours = tokens.LIGHT if light else tokens.DARK
        application.setFont(_font())
        application.setPalette(_palette(self._colours))
        if self._dressing:
            application.setStyleSheet(stylesheet(self._colours))
        self._dressing = True
        if self._colours is not before:
            self.changed.emit()


_theme: Theme | None = None


def current() -> Theme:
    """The theme of this process."""
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def set_look(widget: QWidget, **properties: str | bool) -> None:
    """Set stylesheet properties (`kind="primary"`, `role="quiet"`) and have them take effect."""
    if all(widget.property(name) == value for name, value in properties.items()):
        return
    for name, value in properties.items():
        widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication), "the theme needs a QApplication"
    return application


def _load_fonts() -> None:
    for file in sorted(resources.path("fonts", "Inter").glob("*.otf")):
        QFontDatabase.addApplicationFont(str(file))


@cache
def _font(size: int = tokens.FONT_BODY, weight: int = 400, *, figures: bool = False) -> QFont:
    font = QFont(tokens.FONT_FAMILY)
    font.setPixelSize(size)
    font.setWeight(QFont.Weight(weight))
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    if figures:
        font.setFeature(QFont.Tag("tnum"), 1)
    return font


def _palette(colours: tokens.Colours) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: colours.panel,
        QPalette.ColorRole.WindowText: colours.text,
        QPalette.ColorRole.Base: colours.raised,
        QPalette.ColorRole.AlternateBase: colours.panel,
        QPalette.ColorRole.ToolTipBase: colours.raised,
        QPalette.ColorRole.ToolTipText: colours.text,
        QPalette.ColorRole.PlaceholderText: colours.quiet,
        QPalette.ColorRole.Text: colours.text,
        QPalette.ColorRole.Button: colours.raised,
        QPalette.ColorRole.ButtonText: colours.text,
        QPalette.ColorRole.BrightText: colours.bad,
        QPalette.ColorRole.Link: colours.accent,
        QPalette.ColorRole.Highlight: colours.accent,
        QPalette.ColorRole.HighlightedText: colours.on_accent,
        QPalette.ColorRole.Accent: colours.accent,
        QPalette.ColorRole.Light: colours.hover,
        QPalette.ColorRole.Midlight: colours.hover,
        QPalette.ColorRole.Mid: colours.line,
        QPalette.ColorRole.Dark: colours.line,
        QPalette.ColorRole.Shadow: colours.ground,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    faint = QColor(colours.disabled)
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, faint)
    return palette
