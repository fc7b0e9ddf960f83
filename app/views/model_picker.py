"""The model as a card: its picture, size, classes and what it can do; a click offers the others."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPainterPath, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.models.settings import GenerateSettings
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.popup import Popup
from app.views.words import counted
from engine.messages import ModelInfo

__all__ = ["ModelCard", "ModelPicker", "abilities", "facts", "sample_pixmap"]

_PICTURE = 48


def facts(info: ModelInfo) -> str:
    """ "32 × 32, grey, 10 classes"."""
    colours = {1: "grey", 3: "colour"}.get(info.channels, f"{info.channels} channels")
    if info.is_upsampler:
        return f"{info.upsamples_from} → {info.image_size} pixels, {colours}"
    classes = counted(len(info.classes), "class") if info.classes else "no classes"
    return f"{info.image_size} × {info.image_size}, {colours}, {classes}"


def abilities(info: ModelInfo) -> str:
    """What it can do, in a few words."""
    can = []
    if info.has_head:
        can.append("GENIE head")
    if info.null_label:
        can.append("guidance")
    if info.is_upsampler:
        can.append("upsamples pictures")
    if info.upsampler:
        can.append("upsampler")
    return " · ".join(can) or "plain solvers"


def sample_pixmap(info: ModelInfo, size: int, ratio: float) -> QPixmap:
    """The model's picture, cut square and enlarged without blurring its pixels; null if it has none."""
    if not info.sample:
        return QPixmap()
    image = QImage(info.sample)
    if image.isNull():
        return QPixmap()
    side = min(image.width(), image.height())
    image = image.copy(0, 0, side, side)
    wanted = round(size * ratio)
    kind = Qt.TransformationMode.FastTransformation
    if side > wanted:
        kind = Qt.TransformationMode.SmoothTransformation
    picture = QPixmap.fromImage(image.scaled(wanted, wanted, Qt.AspectRatioMode.IgnoreAspectRatio, kind))
    picture.setDevicePixelRatio(ratio)
    return picture


class ModelCard(QAbstractButton):
    """One model. Painted as a whole, so that a list of many stays light."""

    def __init__(self, parent: QWidget | None = None, *, opens: bool = False) -> None:
        super().__init__(parent)
        self._info: ModelInfo | None = None
        self._without = ("Looking for models…", "This takes a moment.")
        self._opens = opens
        self._sample: tuple[float, QPixmap] = (0.0, QPixmap())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCheckable(not opens)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.current().changed.connect(self.update)
        self.set_info(None)

    @property
    def info(self) -> ModelInfo | None:
        return self._info

    def say_instead(self, title: str, words: str) -> None:
        """What stands here while there is no model to show."""
        self._without = (title, words)
        self.update()

    def set_info(self, info: ModelInfo | None) -> None:
        self._info = info
        self._sample = (0.0, QPixmap())
        if info is None:
            describe(self, "Model", term="model")
        else:
            tip = f"{info.summary} {info.problem or ''}".strip()
            describe(self, f"Model {info.title}, {facts(info)}, {abilities(info)}", tip, term="model")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, _PICTURE + 2 * tokens.GAP)

    minimumSizeHint = sizeHint

    def paintEvent(self, _event: QPaintEvent) -> None:
        look, gap = theme.current(), tokens.GAP
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = self.rect().toRectF().adjusted(0.5, 0.5, -0.5, -0.5)
        ground = "selected" if self.isChecked() else "hover" if self.underMouse() else "raised"
        painter.setBrush(look.color(ground))
        painter.setPen(look.color("accent" if self.hasFocus() else "edge" if self._opens else "line"))
        painter.drawRoundedRect(box, tokens.RADIUS, tokens.RADIUS)
        self._paint_picture(painter, gap, gap)
        left = _PICTURE + 2 * gap + 4
        width = self.width() - left - (tokens.ICON + 2 * gap if self._opens else gap)
        lines = self._lines()
        heights = [18 if role == "text" else 15 for _, role, _ in lines]
        top = (self.height() - sum(heights)) // 2
        for (text, role, weight), height in zip(lines, heights, strict=True):
            font = look.font(tokens.FONT_BODY if role == "text" else tokens.FONT_CAPTION, weight)
            painter.setFont(font)
            painter.setPen(look.color(role))
            short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)
            painter.drawText(left, top, width, height, Qt.AlignmentFlag.AlignVCenter, short)
            top += height
        if self._opens:
            arrow = icons.pixmap("chevron-down", "quiet", tokens.ICON, self.devicePixelRatioF())
            painter.drawPixmap(self.width() - tokens.ICON - gap, (self.height() - tokens.ICON) // 2, arrow)

    def _lines(self) -> list[tuple[str, str, int]]:
        info = self._info
        if info is None:
            return [(self._without[0], "text", 600), (self._without[1], "quiet", 400)]
        if info.problem:
            return [(info.title, "text", 600), (facts(info), "quiet", 400), (info.problem, "care", 400)]
        return [(info.title, "text", 600), (facts(info), "quiet", 400), (abilities(info), "quiet", 400)]

    def _paint_picture(self, painter: QPainter, x: int, y: int) -> None:
        ratio = self.devicePixelRatioF()
        if self._info is not None and self._sample[0] != ratio:
            self._sample = (ratio, sample_pixmap(self._info, _PICTURE, ratio))
        picture = self._sample[1]
        painter.save()
        path = QPainterPath()
        path.addRoundedRect(x, y, _PICTURE, _PICTURE, 4, 4)
        painter.setClipPath(path)
        painter.fillRect(x, y, _PICTURE, _PICTURE, theme.current().color("ground"))
        if picture.isNull():
            mark = icons.pixmap(
                "warning" if self._info and self._info.problem else "models",
                "quiet",
                tokens.ICON_LARGE,
                ratio,
            )
            inset = (_PICTURE - tokens.ICON_LARGE) // 2
            painter.drawPixmap(x + inset, y + inset, mark)
        else:
            painter.drawPixmap(x, y, picture)
        painter.restore()


class ModelPicker(QWidget):
    """The chosen model's card; a click, Space or Down opens the list of all."""

    more_wanted = Signal()  # the Models room, please

    def __init__(self, settings: GenerateSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.card = ModelCard(opens=True)
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setWordWrap(True)
        self.error.setAccessibleName("What is wrong with the model")
        self.error.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.card)
        column.addWidget(self.error)
        self.popup: Popup | None = None
        self.cards: list[ModelCard] = []
        self.card.clicked.connect(self.open)
        settings.model_changed.connect(self.refresh)
        settings.catalogue_changed.connect(self.refresh)
        settings.errors_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        info = self._settings.model_info
        self.card.set_info(info)
        catalogue, chosen = self._settings.catalogue, self._settings.model
        problem = self._settings.errors.get("model", "")
        if catalogue.solvers and not catalogue.models:
            self.card.say_instead("No models here yet", "Put one into the models folder.")
        elif catalogue.solvers and chosen and info is None:  # a picture came with its name
            advice = "Choose another, or import it in Models."
            self.card.say_instead(f"{chosen} is not here", advice)
            problem = problem or f"{chosen} is not here. {advice}"
        if info is not None and info.problem and not problem:
            problem = f"{info.title} can't be used: {info.problem}"
        self.error.setText(problem)
        self.error.setVisible(bool(problem))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.open()
        else:
            super().keyPressEvent(event)

    @Slot()
    def open(self) -> None:
        """Offer all models, the chosen one marked."""
        if not self._settings.models:
            return
        self.popup = popup = _ModelPopup(self)
        inside = QWidget()
        inside.setProperty("panel", "plain")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(tokens.GAP_TINY)
        self.cards = []
        for info in self._settings.models:
            card = ModelCard()
            card.set_info(info)
            card.setChecked(info == self._settings.model_info)
            card.clicked.connect(self._chosen)
            column.addWidget(card)
            self.cards.append(card)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        popup.column.addWidget(scroll)
        height = min(len(self.cards), 5) * (_PICTURE + 2 * tokens.GAP + tokens.GAP_TINY) + 2 * tokens.GAP + 2
        popup.open_under(self.card, height)
        chosen = next((card for card in self.cards if card.isChecked()), None) or next(iter(self.cards), None)
        if chosen is not None:
            chosen.setFocus(Qt.FocusReason.PopupFocusReason)

    @Slot()
    def _chosen(self) -> None:
        card = self.sender()
        assert isinstance(card, ModelCard)
        if card.info is not None:
            self._settings.model = card.info.name
        if self.popup is not None:
            self.popup.close()
        self.card.setFocus(Qt.FocusReason.PopupFocusReason)


class _ModelPopup(Popup):
    """Up and Down move between the cards."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.focusNextChild()
        elif event.key() == Qt.Key.Key_Up:
            self.focusPreviousChild()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            focused = self.focusWidget()
            if isinstance(focused, ModelCard):
                focused.click()
        else:
            super().keyPressEvent(event)
