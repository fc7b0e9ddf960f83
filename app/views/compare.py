"""Comparing two pictures: how they lie beside each other, how they differ, and which settings do."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from app.models.comparison import difference_of
from app.models.studio import Studio
from app.views import tokens
from app.views.compare_view import CompareView
from app.views.fields import CalmSlider, Segments, icon_button
from app.views.help import describe
from app.views.picture_images import to_image

__all__ = ["ComparePanel"]

_GAINS = (1, 2, 4, 8, 16, 32, 64)


class ComparePanel(QWidget):
    """Shows `CanvasModel.panes`: A to the left, B to the right."""

    closed = Signal()

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self._canvas = studio.canvas
        self._gain: int | None = None  # None: as bright as nothing is cut off
        self._side_by_side = True
        self.view = CompareView()
        self.arrangement = Segments(
            (
                ("side", "Side by side", "The two beside each other, with one zoom and pan"),
                ("split", "Slider", "The two upon each other: drag the line, or press Left and Right"),
                ("difference", "Difference", "How far each pixel is from its counterpart, brightened (D)"),
            )
        )
        for button in self.arrangement.buttons.values():
            button.setMinimumWidth(92)
        self.gain = CalmSlider()
        self.gain.setRange(0, len(_GAINS) - 1)
        self.gain.setFixedWidth(96)
        describe(self.gain, "Brighten the difference", "How many times the difference is brightened.")
        self.gain_label = QLabel()
        self.gain_label.setFixedWidth(28)
        self.figures = QLabel()
        self.figures.setProperty("role", "caption")
        self.figures.setWordWrap(True)
        self.note = QLabel()
        self.note.setProperty("role", "care")
        self.note.setWordWrap(True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.swap = icon_button("swap", "Swap A and B", "Put A where B is and B where A is.")
        self.close_button = icon_button("close", "Close the comparison", "Back to the grid (Esc)")
        self.settings = QWidget()
        self._rows = QGridLayout(self.settings)
        self._rows.setContentsMargins(12, 8, 12, 8)
        self._rows.setHorizontalSpacing(tokens.GAP_LARGE)
        self._rows.setVerticalSpacing(tokens.GAP_TINY)
        self._build()
        self.arrangement.chosen.connect(self._choose)
        self.gain.valueChanged.connect(self._set_gain)
        self.swap.clicked.connect(self._canvas.swap_panes)
        self.close_button.clicked.connect(self.closed)
        self.view.closed.connect(self.closed)
        self.view.split_moved.connect(self._canvas.set_slider)
        self._canvas.slider_changed.connect(self.view.set_split)
        self._canvas.compare_changed.connect(self._show_panes)
        self._canvas.mode_changed.connect(self._show_arrangement)
        self._show_panes()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 8, 8, 8)
        head.setSpacing(tokens.GAP)
        head.addWidget(self.arrangement)
        head.addStretch(1)
        head.addWidget(self.swap)
        head.addWidget(self.close_button)
        self.table = QScrollArea()
        self.table.setWidgetResizable(True)
        self.table.setWidget(self.settings)
        self.table.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.table.setAccessibleName("Settings that differ")
        self.table.setProperty("panel", "panel")
        self.settings.setProperty("panel", "plain")
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 12, 8)
        foot.setSpacing(tokens.GAP)
        foot.addWidget(self.figures, 1)
        foot.addWidget(self.note, 1)
        foot.addWidget(self.gain)
        foot.addWidget(self.gain_label)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        column.addLayout(foot)
        column.addWidget(self.table)

    # --- showing ---

    def _show_panes(self) -> None:
        panes = self._canvas.panes
        if panes is None:
            return
        self.view.set_images(to_image(panes[0].picture), to_image(panes[1].picture))
        self._show_difference()
        self._show_settings()
        self._show_arrangement()

    def _show_difference(self) -> None:
        panes, automatic = self._canvas.panes, self._canvas.difference
        if panes is None or automatic is None:
            return
        shown = automatic
        if self._gain is not None and automatic.picture is not None:
            shown = difference_of(panes[0].picture, panes[1].picture, self._gain)
        self.view.set_difference(QImage() if shown.picture is None else to_image(shown.picture))
        self.gain_label.setText(f"×{shown.gain}")
        self.gain.blockSignals(True)
        self.gain.setValue(_GAINS.index(shown.gain) if shown.gain in _GAINS else 0)
        self.gain.blockSignals(False)
        self.note.setText(shown.note)
        self.note.setVisible(bool(shown.note))
        if shown.note:
            self.figures.setText("")
        elif shown.largest == 0:
            self.figures.setText("The two pictures are the same, pixel for pixel.")
        else:
            self.figures.setText(f"They differ by {shown.rmse:.2f} of 255 (RMS), at most by {shown.largest}.")

    def _show_settings(self) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        panes = self._canvas.panes
        if panes is None:
            return
        rows = [("", f"A · {panes[0].title}", f"B · {panes[1].title}"), *self._canvas.differing]
        for number, texts in enumerate(rows):
            for column, text in enumerate(texts):
                label = QLabel(text)
                if column == 0 or number == 0:
                    label.setProperty("role", "strong" if number == 0 else "quiet")
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                label.setWordWrap(column > 0)
                self._rows.addWidget(label, number, column, Qt.AlignmentFlag.AlignTop)
        if len(rows) == 1:
            label = QLabel("All settings are the same.")
            label.setProperty("role", "quiet")
            self._rows.addWidget(label, 1, 0, 1, 3)
        self._rows.setColumnStretch(1, 1)
        self._rows.setColumnStretch(2, 1)
        self._rows.setRowStretch(max(2, len(rows)), 1)
        self._fit_table()
        self.settings.setMinimumSize(QSize(0, 0))

    def _fit_table(self) -> None:
        """As high as its rows, where that leaves most of the room to the pictures."""
        high = self._rows.totalHeightForWidth(self.width()) if self.width() else 0
        self.table.setFixedHeight(min(max(high, 56), max(72, self.height() // 3)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_table()

    def _show_arrangement(self, _mode: str = "") -> None:
        mode = self._canvas.mode
        if mode not in ("compare", "difference"):
            return
        shown = "difference" if mode == "difference" else "side" if self._side_by_side else "split"
        self.arrangement.choose(shown)
        self.view.set_arrangement(shown)  # type: ignore[arg-type]
        self.view.set_split(self._canvas.slider)
        for widget in (self.gain, self.gain_label):
            widget.setVisible(shown == "difference")

    # --- choosing ---

    def _choose(self, arrangement: str) -> None:
        if arrangement != "difference":
            self._side_by_side = arrangement == "side"
        self._canvas.set_mode("difference" if arrangement == "difference" else "compare")
        self._show_arrangement()

    def _set_gain(self, position: int) -> None:
        self._gain = _GAINS[position]
        self._show_difference()
