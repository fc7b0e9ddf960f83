"""The one stylesheet, written from the tokens.

Widgets say what they are through properties, never how they look:

    kind   of a button: "primary" (the one thing to do next), "flat", "icon", "segment", "chip", "danger"
    role   of a label: "quiet", "caption", "title", "hero", "error", "care", "good", "figures"
    panel  of a plain widget: "ground", "panel", "card", "bar", "rail"
"""

from __future__ import annotations

from app.views import tokens

__all__ = ["stylesheet"]


def stylesheet(c: tokens.Colours) -> str:
    """Qt style rules for a theme."""
    t = tokens
    return f"""
* {{ font-family: "{t.FONT_FAMILY}"; font-size: {t.FONT_BODY}px; }}
QWidget {{ color: {c.text}; selection-background-color: {c.accent}; selection-color: {c.on_accent}; }}
QMainWindow, QDialog, QWidget[panel="ground"] {{ background: {c.ground}; }}
QWidget[panel="panel"], QDockWidget, QDockWidget > QWidget {{ background: {c.panel}; }}
QWidget[panel="rail"] {{ background: {c.panel}; border: none; border-right: 1px solid {c.line}; }}
QWidget[panel="bar"] {{ background: {c.panel}; border: none; border-bottom: 1px solid {c.line}; }}
QWidget[panel="foot"] {{ background: {c.panel}; border: none; border-top: 1px solid {c.line}; }}
QWidget[panel="card"] {{ background: {c.raised}; border: 1px solid {c.line}; border-radius: {t.RADIUS}px; }}
QWidget[panel="plain"] {{ background: transparent; }}
QMainWindow::separator {{ background: {c.line}; width: 1px; height: 1px; }}
QMainWindow::separator:hover {{ background: {c.accent}; }}
QSplitter::handle {{ background: {c.line}; }}
QSplitter::handle:hover {{ background: {c.accent}; }}

QDialog {{ border: 1px solid {c.line}; }}

QLabel {{ background: transparent; }}
QLabel[role="quiet"] {{ color: {c.quiet}; }}
QLabel[role="caption"] {{ color: {c.quiet}; font-size: {t.FONT_CAPTION}px; }}
QLabel[role="small"] {{ font-size: {t.FONT_CAPTION}px; }}
QLabel[role="title"] {{ font-size: {t.FONT_TITLE}px; font-weight: 600; }}
QLabel[role="strong"] {{ font-weight: 600; }}
QLabel[role="hero"] {{ font-size: {t.FONT_HERO}px; font-weight: 600; }}
QLabel[role="heading"] {{ color: {c.quiet}; font-size: {t.FONT_CAPTION}px; font-weight: 600; }}
QLabel[role="error"] {{ color: {c.bad}; font-size: {t.FONT_CAPTION}px; }}
QLabel[role="care"] {{ color: {c.care}; font-size: {t.FONT_CAPTION}px; }}
QLabel[role="good"] {{ color: {c.good}; }}
QLabel[differs="true"] {{ font-weight: 600; }}
QLabel[key="true"] {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.edge};
    border-radius: 4px; padding: 1px 6px; font-size: {t.FONT_CAPTION}px; }}
QLabel:disabled {{ color: {c.disabled}; }}

QPushButton, QToolButton {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.edge};
    border-radius: {t.RADIUS}px; padding: 0 12px; min-height: {t.CONTROL - 2}px; }}
QPushButton:hover, QToolButton:hover {{ background: {c.hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {c.pressed}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {c.disabled}; background: {c.panel};
    border-color: {c.line}; }}
QPushButton:checked, QToolButton:checked {{ background: {c.selected}; border-color: {c.accent}; }}
QPushButton[kind="primary"] {{ background: {c.accent}; color: {c.on_accent}; border: 1px solid {c.accent};
    font-weight: 600; }}
QPushButton[kind="primary"]:hover {{ background: {c.accent_hover}; border-color: {c.accent_hover}; }}
QPushButton[kind="primary"]:pressed {{ background: {c.accent_pressed}; border-color: {c.accent_pressed}; }}
QPushButton[kind="primary"]:focus {{ border: 2px solid {c.text}; min-height: {t.CONTROL - 4}px; }}
QPushButton[kind="primary"]:disabled {{ background: {c.groove}; color: {c.quiet}; border-color: {c.groove}; }}
QPushButton[kind="flat"], QToolButton[kind="flat"], QToolButton[kind="icon"], QPushButton[kind="icon"]
    {{ background: transparent; border-color: transparent; }}
QPushButton[kind="flat"], QToolButton[kind="flat"] {{ padding: 0 8px; }}
QToolButton[kind="icon"], QPushButton[kind="icon"] {{ padding: 0; min-width: {t.CONTROL - 2}px; }}
QPushButton[kind="flat"]:hover, QToolButton[kind="flat"]:hover, QToolButton[kind="icon"]:hover,
    QPushButton[kind="icon"]:hover {{ background: {c.rail_hover}; }}
QPushButton[kind="flat"]:pressed, QToolButton[kind="flat"]:pressed, QToolButton[kind="icon"]:pressed,
    QPushButton[kind="icon"]:pressed {{ background: {c.pressed}; }}
QPushButton[kind="flat"]:focus, QToolButton[kind="flat"]:focus, QToolButton[kind="icon"]:focus,
    QPushButton[kind="icon"]:focus {{ border-color: {c.accent}; }}
QPushButton[kind="flat"]:checked, QToolButton[kind="flat"]:checked, QToolButton[kind="icon"]:checked,
    QPushButton[kind="icon"]:checked {{ background: {c.selected}; border-color: transparent; }}
QPushButton[kind="icon"]:checked:focus, QToolButton[kind="icon"]:checked:focus
    {{ border-color: {c.accent}; }}
QPushButton[kind="square"] {{ padding: 0; }}
QPushButton[kind="danger"] {{ color: {c.bad}; }}
QPushButton[kind="fold"] {{ background: transparent; border: 1px solid transparent; text-align: left;
    padding: 0 2px; font-weight: 600; }}
QPushButton[kind="fold"]:hover {{ background: {c.rail_hover}; }}
QPushButton[kind="fold"]:focus {{ border-color: {c.accent}; }}
QPushButton[kind="fold"]:checked {{ background: transparent; border-color: transparent; }}
QPushButton[kind="fold"]:checked:focus {{ border-color: {c.accent}; }}
QPushButton[kind="segment"] {{ padding: 0 4px; border-radius: 0; margin-left: -1px; }}
QPushButton[kind="segment"][place="first"] {{ border-top-left-radius: {t.RADIUS}px;
    border-bottom-left-radius: {t.RADIUS}px; margin-left: 0; }}
QPushButton[kind="segment"][place="last"] {{ border-top-right-radius: {t.RADIUS}px;
    border-bottom-right-radius: {t.RADIUS}px; }}
QPushButton[kind="segment"]:checked {{ background: {c.selected}; border-color: {c.accent};
    font-weight: 600; }}
QPushButton[kind="chip"] {{ background: {c.selected}; border: 1px solid transparent; border-radius: 12px;
    min-height: 22px; padding: 0 8px 0 10px; }}
QPushButton[kind="chip"]:hover {{ border-color: {c.edge}; }}
QPushButton[kind="chip"]:focus {{ border-color: {c.accent}; }}
QPushButton[kind="chip-add"] {{ background: transparent; border: 1px solid {c.edge}; border-radius: 12px;
    min-height: 22px; padding: 0 10px 0 6px; }}
QPushButton[kind="chip-add"]:hover {{ background: {c.rail_hover}; }}
QPushButton[kind="chip-add"]:focus {{ border-color: {c.accent}; }}
QPushButton[kind="tiny"] {{ background: transparent; border: 1px solid transparent; padding: 0;
    min-width: 20px; min-height: 20px; border-radius: 4px; }}
QPushButton[kind="tiny"]:hover {{ background: {c.rail_hover}; }}
QPushButton[kind="tiny"]:checked {{ background: {c.selected}; }}
QPushButton[kind="tiny"]:focus {{ border-color: {c.accent}; }}
QToolButton[kind="rail"] {{ background: transparent; border: 1px solid transparent; padding: 6px 0 4px 0;
    color: {c.quiet}; font-size: {t.FONT_CAPTION}px; border-radius: {t.RADIUS}px; }}
QToolButton[kind="rail"]:hover {{ background: {c.rail_hover}; color: {c.text}; }}
QToolButton[kind="rail"]:checked {{ background: {c.selected}; color: {c.text}; font-weight: 600; }}
QToolButton[kind="rail"]:focus {{ border-color: {c.accent}; }}
QToolButton::menu-indicator {{ image: none; width: 0; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}

QLineEdit, QPlainTextEdit, QTextEdit, QTextBrowser, QAbstractSpinBox, QComboBox, QDateEdit
    {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.edge}; border-radius: {t.RADIUS}px; }}
QLineEdit, QAbstractSpinBox, QComboBox {{ min-height: {t.CONTROL - 2}px; padding: 0 8px; }}
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover {{ border-color: {c.quiet}; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QTextBrowser:focus, QAbstractSpinBox:focus,
    QComboBox:focus, QComboBox:on {{ border-color: {c.accent}; }}
QLineEdit[wrong="true"], QAbstractSpinBox[wrong="true"], QComboBox[wrong="true"]
    {{ border-color: {c.bad}; }}
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {{ color: {c.disabled};
    background: {c.panel}; border-color: {c.line}; }}
QLineEdit[kind="bare"] {{ background: transparent; border: none; }}
QComboBox {{ padding-right: 24px; }}
QComboBox::drop-down {{ border: none; width: 24px; }}
QComboBox::down-arrow {{ image: none; }}
QComboBox QAbstractItemView {{ background: {c.raised}; border: 1px solid {c.edge}; outline: none;
    padding: 4px; selection-background-color: {c.selected}; selection-color: {c.text}; }}
QComboBox QAbstractItemView::item {{ min-height: {t.CONTROL - 2}px; padding: 0 4px; border-radius: 4px; }}

QListView, QTreeView, QTableView {{ background: transparent; border: none; outline: none; }}
QListView::item {{ border-radius: {t.RADIUS}px; border: 1px solid transparent; }}
QListView[kind="menu"]::item {{ min-height: {t.CONTROL - 2}px; padding: 0 8px; }}
QListView::item:hover {{ background: {c.hover}; }}
QListView::item:selected {{ background: {c.selected}; color: {c.text}; }}
QListView::item:selected:active:focus {{ border-color: {c.accent}; }}

QListView::indicator {{ width: 14px; height: 14px; border: 1px solid {c.edge}; border-radius: 4px;
    background: {c.raised}; }}
QListView::indicator:checked {{ background: {c.accent}; border-color: {c.accent}; }}

QSlider {{ min-height: {t.CONTROL}px; background: transparent; }}
QSlider::groove:horizontal {{ height: 4px; background: {c.groove}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ height: 4px; background: {c.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{ width: 12px; height: 12px; margin: -5px 0; border-radius: 7px;
    background: {c.text}; border: 1px solid {c.panel}; }}
QSlider::handle:horizontal:hover {{ background: {c.accent}; }}
QSlider::handle:horizontal:focus {{ background: {c.accent}; border: 1px solid {c.text}; }}
QSlider::sub-page:horizontal:disabled, QSlider::handle:horizontal:disabled {{ background: {c.disabled}; }}

QProgressBar {{ background: {c.groove}; border: none; border-radius: 2px; max-height: 4px; min-height: 4px; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 2px; }}

QScrollArea {{ background: transparent; border: none; }}
QScrollArea > QWidget > QWidget[panel="plain"] {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QScrollBar {{ background: transparent; border: none; margin: 0; }}
QScrollBar:vertical {{ width: 10px; }}
QScrollBar:horizontal {{ height: 10px; }}
QScrollBar::handle {{ background: {c.edge}; border-radius: 3px; margin: 2px; min-width: 24px;
    min-height: 24px; }}
QScrollBar::handle:hover {{ background: {c.quiet}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}

QMenu {{ background: {c.raised}; border: 1px solid {c.edge}; padding: 4px; }}
QMenu::item {{ padding: 5px 24px 5px 8px; border-radius: 4px; }}
QMenu::icon {{ padding-left: 6px; }}
QMenu::item:selected {{ background: {c.selected}; }}
QMenu::item:disabled {{ color: {c.disabled}; }}
QMenu::separator {{ height: 1px; background: {c.line}; margin: 4px 8px; }}
QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.edge}; padding: 6px 8px; }}

QCheckBox {{ spacing: 8px; background: transparent; min-height: {t.CONTROL}px; }}
QCheckBox:disabled {{ color: {c.disabled}; }}
QTabBar::tab {{ background: transparent; color: {c.quiet}; padding: 6px 12px; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {c.text}; border-bottom-color: {c.accent}; }}
QTabBar::tab:focus {{ color: {c.accent}; }}
QTabWidget::pane {{ border: none; }}
QFrame[frameShape="4"], QFrame[frameShape="5"] {{ color: {c.line}; background: {c.line}; border: none;
    max-height: 1px; }}
"""
