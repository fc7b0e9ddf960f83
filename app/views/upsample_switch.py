"""The switch of the generate panel that makes everything generated large at once."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.models.upsampling import UpsampleModel
from app.views import tokens
from app.views.fields import LABEL_WIDTH, Switch
from app.views.help import TERMS, describe
from engine.messages import ModelInfo

__all__ = ["UpsampleSwitch"]


class UpsampleSwitch(QWidget):
    """Label to the left, as the rows of the panel; hidden where no upsampler goes with the model."""

    def __init__(self, model: UpsampleModel) -> None:
        super().__init__()
        self._model = model
        label = QLabel("Upsample")
        label.setFixedWidth(LABEL_WIDTH)
        label.setMinimumHeight(tokens.CONTROL)
        self.switch = Switch("")
        label.setBuddy(self.switch)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP)
        row.addWidget(label)
        row.addWidget(self.switch, 1)
        self.switch.toggled.connect(model.set_auto)
        model.changed.connect(self.refresh)
        self.refresh()

    def set_upsampler(self, info: ModelInfo | None) -> None:
        """The upsampler that goes with the model chosen now."""
        self.setVisible(info is not None)
        if info is not None:
            self.switch.setText(f"{info.image_size} × {info.image_size}")
            words = f"Upsample everything to {info.image_size} × {info.image_size}"
            describe(self.switch, words, f"{words} as soon as it is generated. {TERMS['upsample'].short}")
            self.switch.setProperty("help_term", "upsample")

    @Slot()
    def refresh(self) -> None:
        self.switch.setChecked(self._model.auto)
