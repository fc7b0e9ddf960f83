"""Line icons from resources/icons, tinted by the theme and sharp on every screen.

The files are drawn on a 20 px square with `currentColor`; `bind` keeps a button's icon in the
colours of the theme when that changes.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

import resources
from app.views import theme, tokens

__all__ = ["bind", "blank", "icon", "names", "pixmap", "unbind"]

_ROLE = "icon_role"
_NAME = "icon_name"
_SIZE = "icon_size"


def names() -> list[str]:
    """Every icon there is."""
    return sorted(file.stem for file in resources.path("icons").glob("*.svg"))


def pixmap(name: str, role: str = "text", size: int = tokens.ICON, ratio: float = 1.0) -> QPixmap:
    """An icon as a picture of `size` px for a screen of that pixel ratio, in the colour of `role`."""
    return _pixmap(name, getattr(theme.current().colours, role), size, ratio)


@cache
def _pixmap(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    tinted = QPixmap(_shape(name, size, ratio))
    painter = QPainter(tinted)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(tinted.rect(), QColor(colour))
    painter.end()
    return tinted


@cache
def _shape(name: str, size: int, ratio: float) -> QPixmap:
    """The icon in black: reading and drawing the file takes longer than tinting what came of it."""
    renderer = QSvgRenderer(str(resources.path("icons", f"{name}.svg")))
    drawn = QPixmap(QSize(size, size) * ratio)
    drawn.setDevicePixelRatio(ratio)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return drawn


def icon(name: str, role: str = "text", *sizes: int) -> QIcon:
    """The icon in the colours the theme has now: `role` at rest, accent when on, faint when disabled.

    Drawn in the sizes given, or in the one most icons have: each costs time at the start.
    """
    return _icon(name, role, sizes or (tokens.ICON,), _ratios(), theme.current().name)


@cache
def _icon(name: str, role: str, sizes: tuple[int, ...], ratios: tuple[float, ...], _theme: str) -> QIcon:
    made = QIcon()
    modes = (
        (role, QIcon.Mode.Normal, QIcon.State.Off),
        ("on_accent" if role == "on_accent" else "accent", QIcon.Mode.Normal, QIcon.State.On),
        ("disabled" if role != "on_accent" else "quiet", QIcon.Mode.Disabled, QIcon.State.Off),
    )
    for size in sizes:
        for ratio in ratios:
            for colour, mode, state in modes:
                made.addPixmap(pixmap(name, colour, size, ratio), mode, state)
    return made


def _ratios() -> tuple[float, ...]:
    """The pixel ratios of the screens there are."""
    return tuple(sorted({1.0, *(screen.devicePixelRatio() for screen in QGuiApplication.screens())}))


def bind(target: QAbstractButton | QAction, name: str, role: str = "text", size: int = tokens.ICON) -> None:
    """Give a button or an action this icon, now and whenever the theme changes."""
    target.setProperty(_NAME, name)
    target.setProperty(_ROLE, role)
    target.setProperty(_SIZE, size)
    target.setIcon(icon(name, role, size))
    _watch()


def unbind(target: QAbstractButton | QAction) -> None:
    """Take the icon away again."""
    target.setProperty(_NAME, None)
    target.setIcon(QIcon())


@cache
def _watch() -> None:
    """Once per process: repaint bound icons when the theme changes."""
    theme.current().changed.connect(_refresh)


def _refresh() -> None:
    seen: set[int] = set()
    for widget in QApplication.allWidgets():
        bound: list[QObject] = [widget, *widget.actions()]
        for target in bound:
            name = target.property(_NAME)
            if name and id(target) not in seen and isinstance(target, (QAbstractButton, QAction)):
                seen.add(id(target))
                target.setIcon(icon(name, target.property(_ROLE), target.property(_SIZE)))


@cache
def blank() -> QIcon:
    """Nothing, in the size of an icon: keeps the texts of a list in line."""
    nothing = QPixmap(tokens.ICON, tokens.ICON)
    nothing.fill(Qt.GlobalColor.transparent)
    return QIcon(nothing)
