"""What the middle of the Edit room shows when it shows no pictures: nothing yet, and the plot."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.edit.edits import Edits
from app.views import icons, theme, tokens
from app.views.edit.plot_view import PlotView
from app.views.help import describe
from app.views.words import breakable, solver_title

__all__ = ["EmptyStage", "PlotPage"]


class EmptyStage(QWidget):
    """Nothing yet: where pictures are dropped, what this is for, and an example that works."""

    open_wanted = Signal()
    paste_wanted = Signal()
    example_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._over = False
        sign = QLabel()
        sign.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._sign = sign
        title = QLabel("A picture of your own")
        title.setProperty("role", "hero")
        text = QLabel(
            "Drop one here. It is walked up to the noise it came from and back, so you see how well it is "
            "known; then change its class, blend it, vary it, paint on it. Every step stays in a tree."
        )
        text.setProperty("role", "quiet")
        text.setWordWrap(True)
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        text.setMaximumWidth(440)
        self.open = QPushButton("Open a picture…")
        self.open.setProperty("kind", "primary")
        self.open.setMinimumHeight(36)
        describe(self.open, "Open a picture", "Choose a picture, several, or a file of edits (Ctrl+O).")
        self.paste = QPushButton("Paste")
        self.paste.setMinimumHeight(36)
        describe(self.paste, "Paste", "Take the picture on the clipboard (Ctrl+V).")
        self.example = QPushButton("Try an example")
        self.example.setMinimumHeight(36)
        describe(self.example, "Try an example", "Take a picture the model has made.")
        hint = QLabel("PNG, JPEG, WebP, TIFF, BMP or GIF; a folder is encoded as one job")
        hint.setProperty("role", "caption")
        hint.setWordWrap(True)
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.refusal = QLabel()
        self.refusal.setProperty("role", "care")
        self.refusal.setWordWrap(True)
        self.refusal.setTextFormat(Qt.TextFormat.PlainText)
        self.refusal.setMaximumWidth(440)
        self.refusal.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.refusal.setAccessibleName("Why it can't be opened")
        self.refusal.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 28, 28, 28)
        column.setSpacing(tokens.GAP_LARGE)
        column.addStretch(3)
        column.addWidget(sign)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        for words in (text, self.refusal):
            row = QHBoxLayout()
            row.addStretch(1)
            row.addWidget(words, 100)
            row.addStretch(1)
            column.addLayout(row)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        for button in (self.example, self.paste, self.open):
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addWidget(hint)
        column.addStretch(4)
        self.open.clicked.connect(self.open_wanted)
        self.paste.clicked.connect(self.paste_wanted)
        self.example.clicked.connect(self.example_wanted)
        theme.current().changed.connect(self._paint_sign)
        self._paint_sign()

    def refuse(self, words: str) -> None:
        self.refusal.setText(breakable(words))
        self.refusal.setVisible(bool(words))

    def _paint_sign(self) -> None:
        self._sign.setPixmap(icons.pixmap("drop", "accent", 40, self.devicePixelRatioF()))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(theme.current().color("edge"), 1.5)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        inset = tokens.GAP_LARGE + 0.5
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 12, 12)


class PlotPage(QWidget):
    """Error versus steps, or a button that measures it."""

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._edits = edits
        title = QLabel("Error versus steps")
        title.setProperty("role", "title")
        self.words = QLabel()
        self.words.setProperty("role", "quiet")
        self.words.setWordWrap(True)
        self.plot = PlotView()
        self.measure = QPushButton("Measure")
        self.measure.setProperty("kind", "primary")
        describe(self.measure, "Measure", "Take the picture up and back at 5, 10, 15, 25 and 50 steps.")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.measure)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 24, 20)
        column.setSpacing(12)
        column.addLayout(head)
        column.addWidget(self.words)
        column.addWidget(self.plot, 1)
        self.measure.clicked.connect(edits.round_trips.measure)
        edits.round_trips.changed.connect(self.refresh)
        edits.sessions.current_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        model = self._edits.round_trips
        catalogue = self._edits.settings.catalogue
        curves = model.curves
        titles = {solver: solver_title(catalogue, solver) for solver in curves}
        self.plot.show_curves(curves, titles)
        self.measure.setText("Measure again" if curves else "Measure")
        self.measure.setEnabled(not model.busy and self._edits.current is not None)
        if model.busy:
            self.words.setText(f"Measuring: {model.progress:.0%}. Esc stops it.")
        elif model.failure is not None:
            self.words.setText(model.failure.message)
        elif curves:
            self.words.setText(
                "How closely this picture comes back by the number of steps: higher is closer. Above 40 dB no "
                "eye sees a difference."
            )
        else:
            self.words.setText(
                "The picture goes up to noise and back with few steps and with many, by several solvers. It "
                "shows how much a step of each is worth on this very picture."
            )
