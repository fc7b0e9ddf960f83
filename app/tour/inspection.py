"""What every state has to hold: controls have names and tooltips, no words are cut off.

Each function looks at all visible widgets and answers with what is wrong, in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QApplication,
    QComboBox,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QScrollBar,
    QSizeGrip,
    QStyle,
    QStyleOptionComboBox,
    QWidget,
)

from app.views.inputs import Choice
from app.views.zoom_view import ZoomView

__all__ = ["controls_without_a_name", "controls_without_a_tooltip", "cut_words", "shown_windows"]

_CONTROLS = (QAbstractButton, QLineEdit, QComboBox, QAbstractSlider, QKeySequenceEdit)
_NAMED = (*_CONTROLS, QAbstractItemView, QPlainTextEdit, ZoomView)
_INSIDE = (QComboBox, QKeySequenceEdit, QLineEdit, QAbstractItemView)  # what these are made of is Qt's


def shown_windows() -> list[QWidget]:
    """The window, and the dialogs, popups and menus over it, from bottom to top."""
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    return sorted(shown, key=lambda w: (not isinstance(w, QMainWindow), _is_popup(w)))


def _is_popup(window: QWidget) -> bool:
    return window.windowType() in (Qt.WindowType.Popup, Qt.WindowType.ToolTip)


def controls_without_a_name() -> list[str]:
    """What a screen reader could not name."""
    missing = []
    for widget in _widgets(_NAMED):
        heard = QAccessible.queryAccessibleInterface(widget)
        name = heard.text(QAccessible.Text.Name) if heard is not None else widget.accessibleName()
        if not name.strip():
            missing.append(_place_of(widget))
    return missing


def controls_without_a_tooltip() -> list[str]:
    return [_place_of(widget) for widget in _widgets(_CONTROLS) if not widget.toolTip().strip()]


def cut_words() -> list[str]:
    """Labels, buttons and lists whose words do not fit into them, or stick out of what they lie in."""
    cut = []
    for widget in _widgets((QLabel, QAbstractButton, QComboBox, QLineEdit)):
        words, why = _words(widget), ""
        if not words:
            continue
        if isinstance(widget, QLabel):
            why = _label_is_cut(widget)
        else:
            room, needed = _room(widget), _advance(widget, words)
            if needed > room:
                why = f"needs {needed} px, has {room}"
        why = why or _sticks_out(widget)
        if why:
            cut.append(f'"{words}" in {_place_of(widget)} ({why})')
    return cut


def _widgets(kinds: tuple[type, ...]) -> Iterator[QWidget]:
    for window in shown_windows():
        everything: Iterable[QWidget] = (window, *window.findChildren(QWidget))
        for widget in everything:
            if isinstance(widget, kinds) and widget.isVisible() and not _belongs_to_qt(widget):
                yield widget


def _belongs_to_qt(widget: QWidget) -> bool:
    if isinstance(widget, (QScrollBar, QSizeGrip)) or widget.objectName().startswith("qt_"):
        return True
    parent = widget.parentWidget()
    while parent is not None and not widget.isWindow():
        if isinstance(parent, _INSIDE) or parent.metaObject().className() == "QComboBoxPrivateContainer":
            return True
        parent = parent.parentWidget() if not parent.isWindow() else None
    return False


def _place_of(widget: QWidget) -> str:
    """ "QPushButton 'Stop' of ControlPanel", so that a person finds it in the source."""
    heard = QAccessible.queryAccessibleInterface(widget)
    name = heard.text(QAccessible.Text.Name) if heard is not None else ""
    parent = widget.parentWidget()
    while parent is not None and type(parent).__module__.startswith("PySide6"):
        parent = parent.parentWidget()
    owner = f" of {type(parent).__name__}" if parent is not None else ""
    return f"{type(widget).__name__} {name!r}{owner}"


def _words(widget: QWidget) -> str:
    if isinstance(widget, QLabel):
        return widget.text() if widget.pixmap().isNull() else ""
    if isinstance(widget, QAbstractButton):
        return widget.text().replace("&", "")
    if isinstance(widget, QComboBox):
        return widget.shown_text() if isinstance(widget, Choice) else widget.currentText()
    if isinstance(widget, QLineEdit):
        # What is typed may be longer than the line; what we put there should not be.
        return widget.placeholderText() if not widget.text() else ""
    return ""


def _label_is_cut(label: QLabel) -> str:
    size = label.size()
    if label.wordWrap():
        needed = label.heightForWidth(size.width())
        if needed > size.height() + 1:
            return f"needs {needed} px of height, has {size.height()}"
        longest = max(
            (label.fontMetrics().horizontalAdvance(w) for w in re.split(r"[\s\u200b]+", _plain(label))),
            default=0,
        )
        room = label.contentsRect().width()
        return f"a word needs {longest} px, has {room}" if longest > room + 1 else ""
    needed_size = label.sizeHint()
    if needed_size.width() > size.width() + 1:
        return f"needs {needed_size.width()} px, has {size.width()}"
    if label.fontMetrics().height() > size.height() + 1:
        return f"needs {label.fontMetrics().height()} px of height, has {size.height()}"
    return ""


def _plain(label: QLabel) -> str:
    return "" if "<" in label.text() else label.text()


def _advance(widget: QWidget, words: str) -> int:
    """Pixels the words need, the icon before them included."""
    needed = max(widget.fontMetrics().horizontalAdvance(line) for line in words.splitlines())
    if isinstance(widget, QAbstractButton) and not widget.icon().isNull() and not _words_below(widget):
        needed += widget.iconSize().width() + 4
    return needed


def _words_below(button: QAbstractButton) -> bool:
    style = getattr(button, "toolButtonStyle", None)
    return style is not None and style() == Qt.ToolButtonStyle.ToolButtonTextUnderIcon


def _room(widget: QWidget) -> int:
    """Pixels there are for words."""
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        option.initFrom(widget)
        field = widget.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, widget
        )
        return min(field.width(), widget.width() - 8)
    return widget.width() - 4


def _sticks_out(widget: QWidget) -> str:
    """Whether something it lies in cuts it off; what can be scrolled to is not cut off."""
    rect = QRect(QPoint(0, 0), widget.size())
    inner, outer = widget, widget.parentWidget()
    while outer is not None and not inner.isWindow():
        rect.translate(inner.pos())
        area = outer.parentWidget()
        if isinstance(area, QAbstractScrollArea) and area.viewport() is outer:
            never = Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            if area.horizontalScrollBarPolicy() == never and (
                rect.left() < 0 or rect.right() > outer.width()
            ):
                return f"sticks out of {type(area).__name__} sideways"
            return ""
        if not outer.rect().adjusted(-1, -1, 1, 1).contains(rect):
            return f"sticks out of {_place_of(outer)}"
        inner, outer = outer, outer.parentWidget()
    return ""
