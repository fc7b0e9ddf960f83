"""The first minute: pictures that come with the models, each a button that makes more like it."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QLabel, QVBoxLayout, QWidget

from app.models.gallery import Sample, more_like, samples_of
from app.models.names import class_name
from app.models.studio import Studio
from app.views import theme, tokens
from app.views.flow_layout import FlowLayout
from app.views.help import describe
from engine.messages import GenerateRequest

__all__ = ["Gallery", "SampleButton"]

_SIDE = 96  # widget pixels


class SampleButton(QAbstractButton):
    """One picture at a whole zoom, a frame where the pointer or the focus is."""

    def __init__(self, sample: Sample, image: QImage, request: GenerateRequest, words: str) -> None:
        super().__init__()
        self.sample, self.request = sample, request
        self._image = image
        self.setFixedSize(_SIDE + 2, _SIDE + 2)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        title = f"{words}, {sample.model.title}" if words else sample.model.title
        pictures = f"{request.count} pictures" if request.count > 1 else "a picture"
        describe(self, f"Make more like this: {title}", f"Make more like this: {pictures} of {title}.")
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return self.size()

    def paintEvent(self, _event: QPaintEvent) -> None:
        look = theme.current()
        painter = QPainter(self)
        active = self.hasFocus() or self.underMouse()
        painter.fillRect(self.rect(), look.color("accent" if active else "line"))
        inner = self.rect().adjusted(2, 2, -2, -2) if active else self.rect().adjusted(1, 1, -1, -1)
        painter.fillRect(inner, look.color("panel"))
        ratio = self.devicePixelRatioF()
        zoom = max(1, int(_SIDE * ratio) // max(self._image.width(), self._image.height()))
        size = self._image.size() * zoom / ratio
        corner = self.rect().center() - QRect(0, 0, size.width(), size.height()).center()
        painter.drawImage(QRect(corner, size), self._image)


class Gallery(QWidget):
    """The samples of every model, six of each at most; hidden while there are none."""

    chosen = Signal(object)  # GenerateRequest

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self._studio = studio
        self.buttons: list[SampleButton] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(tokens.GAP)
        self._rows: list[tuple[QWidget, int]] = []  # with how many buttons are in it
        self._shown: list[Sample] = []
        self.hide()

    @Slot()
    def refresh(self) -> None:
        """The samples of the models there are now."""
        samples = samples_of(self._studio.catalogue)
        if samples == self._shown:
            return
        self._shown = samples
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.buttons, self._rows = [], []
        for name in dict.fromkeys(sample.model.name for sample in samples):
            self._add_model([sample for sample in samples if sample.model.name == name])
        self.setVisible(bool(self.buttons))

    def _add_model(self, samples: list[Sample]) -> None:
        row = QWidget()
        flow = FlowLayout(row, tokens.GAP_TINY)
        for sample in samples:
            image = QImage(str(sample.path))
            request = more_like(image.text("genie"), sample.model)
            if image.isNull() or request is None:
                continue
            words = class_name(self._studio.catalogue, request.model, request.labels[0])
            button = SampleButton(sample, image, request, words)
            button.clicked.connect(self._pressed)
            self.buttons.append(button)
            flow.addWidget(button)
        if not flow.count():
            row.deleteLater()
            return
        heading = QLabel(samples[0].model.title)
        heading.setProperty("role", "heading")
        self._column.addWidget(heading, 0, Qt.AlignmentFlag.AlignHCenter)
        self._rows.append((row, flow.count()))
        self._column.addWidget(row, 0, Qt.AlignmentFlag.AlignHCenter)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As many in a line as the canvas has room for, in the middle."""
        cell = _SIDE + 2 + tokens.GAP_TINY
        for row, count in self._rows:
            columns = max(1, min(count, (self.width() + tokens.GAP_TINY) // cell))
            lines = -(-count // columns)
            row.setFixedSize(columns * cell - tokens.GAP_TINY, lines * cell - tokens.GAP_TINY)

    @Slot()
    def _pressed(self) -> None:
        button = self.sender()
        assert isinstance(button, SampleButton)
        self.chosen.emit(button.request)
