"""What the canvas says when it does not show pictures, and the line under them when it does."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QGuiApplication, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.failure import Failure
from app.models.progress import CanvasProgress
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.words import counted, seconds

__all__ = ["EmptyPage", "FailedPage", "StaleSign", "StateLine", "first_class", "progress_words"]

# A boot, for the picture of an empty canvas: dark to bright as "." to "3".
_BOOT = (
    "............",
    "......222222",
    "......233332",
    "......223332",
    "......223332",
    ".....2233332",
    "...22233333.",
    ".2222333333.",
    "222333333333",
    "233333333333",
    "111111..1111",
    "............",
)


class _NoiseToBoot(QWidget):
    """Five small pictures from noise to a boot: what this program does, without a word."""

    _TILE, _GAP, _TILES = 48, 8, 5

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(self.sizeHint())
        self.setAccessibleName("Noise that turns into a boot in five steps")

    def sizeHint(self) -> QSize:
        return QSize(self._TILES * (self._TILE + self._GAP) - self._GAP, self._TILE)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.current().colours
        side = self._TILE / len(_BOOT)
        state = 12345
        for tile in range(self._TILES):
            clear = tile / (self._TILES - 1)
            for row, line in enumerate(_BOOT):
                for column, level in enumerate(line):
                    state = (1103515245 * state + 12345) % 2**31
                    noise = (state >> 8) % 1000 / 1000
                    value = 0.0 if level == "." else int(level) / 3
                    share = clear * value + (1 - clear) ** 1.5 * noise * 0.9
                    colour = tokens.mix(colours.line, colours.quiet, min(1.0, share))
                    left = tile * (self._TILE + self._GAP) + column * side
                    painter.fillRect(QRectF(left, row * side, side, side), colour)


_WORDS = (
    "Choose what to make on the left and press Generate. The pictures appear here while they come out of the "
    "noise, and afterwards you can look back at every step."
)
_FIRST_WORDS = (
    "These were made here, from nothing but noise. Click one to make more like it, or choose what to make on "
    "the left and press Generate."
)


class EmptyPage(QWidget):
    """Nothing yet: what the canvas is for, one thing to try, and a button that does it.

    With a `gallery` (at the very first start) its pictures stand where a drawing stands otherwise.
    """

    tried = Signal()

    def __init__(self, gallery: QWidget) -> None:
        super().__init__()
        self._gallery = gallery
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        title = QLabel("Pictures out of noise")
        title.setProperty("role", "hero")
        self.text = QLabel(_WORDS)
        self.text.setProperty("role", "quiet")
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.text.setMaximumWidth(420)
        self.button = QPushButton("Generate 16 images")
        self.button.setProperty("kind", "primary")
        self.button.setMinimumHeight(36)
        self.button.clicked.connect(self.tried)
        hint = QLabel("or press Ctrl+Enter for the settings as they are")
        hint.setProperty("role", "caption")
        inside = QWidget()
        inside.setProperty("panel", "plain")
        column = QVBoxLayout(inside)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(tokens.GAP_LARGE)
        column.addStretch(3)
        self.drawing = _NoiseToBoot()
        top: tuple[QWidget, ...] = (self.drawing, title)
        for widget in top:
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.text, 100)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(gallery)
        column.addSpacing(tokens.GAP)
        for widget in (self.button, hint):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(4)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    def greet(self, first: bool) -> None:
        """Whether this is the first minute: pictures to make more of, instead of the drawing."""
        shown = first and not self._gallery.isHidden()
        self.drawing.setVisible(not shown)
        self.text.setText(_FIRST_WORDS if shown else _WORDS)

    def offer(self, words: str) -> None:
        """What the button does, say "Generate 16 ankle boots"."""
        self.button.setText(words)
        describe(self.button, words, f"{words}: a first try with settings that work well.")


class FailedPage(QWidget):
    """Something could not be done: why, what to do, and a way to try again."""

    retried = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._failure: Failure | None = None
        card = QWidget()
        card.setProperty("panel", "card")
        card.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        card.setMaximumWidth(560)
        card.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._sign = QLabel()
        self._title = QLabel("This could not be made")
        self._title.setProperty("role", "title")
        self.message = QLabel()
        self.message.setWordWrap(True)
        self.message.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.message.setAccessibleName("What happened")
        self.retry = QPushButton("Try again")
        self.retry.setProperty("kind", "primary")
        describe(self.retry, "Try again", "Run the same request once more.")
        self.retry.clicked.connect(self.retried)
        self.fold = QPushButton("Details")
        self.fold.setCheckable(True)
        self.fold.setProperty("kind", "fold")
        icons.bind(self.fold, "chevron-right", "quiet")
        describe(self.fold, "Details", "Show what a person who mends this needs to know.")
        self.copy = QPushButton("Copy")
        self.copy.setProperty("kind", "flat")
        icons.bind(self.copy, "copy", "quiet")
        describe(self.copy, "Copy", "Copy the message and the details.")
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setAccessibleName("Details")
        self.details.setMinimumHeight(140)
        self.details.hide()
        self.fold.toggled.connect(self._unfold)
        self.copy.clicked.connect(self._copy)
        head = QHBoxLayout()
        head.addWidget(self._sign)
        head.addWidget(self._title, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addWidget(self.retry)
        buttons.addStretch(1)
        buttons.addWidget(self.fold)
        buttons.addWidget(self.copy)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(20, 20, 20, 20)
        inside.setSpacing(tokens.GAP_LARGE)
        inside.addLayout(head)
        inside.addWidget(self.message)
        inside.addLayout(buttons)
        inside.addWidget(self.details)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(card, 100)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.addStretch(2)
        column.addLayout(row)
        column.addStretch(3)

    def set_failure(self, failure: Failure | None) -> None:
        self._failure = failure
        if failure is None:
            return
        self._sign.setPixmap(icons.pixmap("warning", "bad", tokens.ICON_LARGE, self.devicePixelRatioF()))
        self.message.setText(failure.message)
        self.details.setPlainText(failure.details)
        self.fold.setVisible(bool(failure.details))
        self.fold.setChecked(False)

    def _unfold(self, open_: bool) -> None:
        icons.bind(self.fold, "chevron-down" if open_ else "chevron-right", "quiet")
        self.details.setVisible(open_)

    def _copy(self) -> None:
        if self._failure is not None:
            parts = (self._failure.message, self._failure.details)
            QGuiApplication.clipboard().setText("\n\n".join(part for part in parts if part))


class StaleSign(QLabel):
    """The dot that says the settings have changed since these pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Settings changed since this picture")
        self.setToolTip("The settings have changed since these pictures. Press Generate to use them.")
        self._short = False
        self._paint_dot()
        theme.current().changed.connect(self._paint_dot)

    def set_short(self, short: bool) -> None:
        """The dot alone, where there is no room for its word."""
        if short != self._short:
            self._short = short
            self._paint_dot()

    @Slot()
    def _paint_dot(self) -> None:
        dot = theme.current().color("care").name()
        self.setText(f'<span style="color:{dot}">●</span>{"" if self._short else "&nbsp;changed"}')


class _Line(QLabel):
    """One line of text, or two small ones where it has no room in one."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.words_width = 0  # what the text needs in one line
        self._fit()

    def setText(self, text: str) -> None:
        super().setText(text)
        self.words_width = QFontMetrics(theme.current().font(figures=True)).horizontalAdvance(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        small = self.words_width > self.width()
        if small != self.wordWrap():
            self.setWordWrap(small)
        theme.set_look(self, role="small" if small else "figures")


_SIDES = 12  # widget pixels beside the words of a line
_BAR = 4  # the height the stylesheet gives to a progress bar


class StateLine(QWidget):
    """The line under the pictures: how far it is, or what came of it.

    Its parts are put in their places here: new words in a layout would have the whole window laid
    out again, and these are new with every step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("panel", "foot")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self._sign = QLabel()
        self.left = _Line()
        self.left.setAccessibleName("State of the canvas")
        self.right = QLabel()
        self.right.setProperty("role", "quiet")
        for label in (self.left, self.right):
            label.setFont(theme.current().font(figures=True))
        self.right.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for part in (self.bar, self._sign, self.left, self.right):
            part.setParent(self)
        self.setFixedHeight(36)
        self._words = ("", "")
        self._icon = ("", "")
        theme.current().changed.connect(self._paint_sign)

    def say(self, left: str, right: str = "", *, icon: str = "", role: str = "quiet") -> None:
        """Words at both ends; an icon in the colour of `role` before them."""
        if (left, right) != self._words:
            self._words = (left, right)
            self.left.setText(left)
            self.left.setToolTip(left)
            self.right.setText(right)
        elif (icon, role) == self._icon:
            return
        if (icon, role) != self._icon:
            self._icon = (icon, role)
            self._paint_sign()
        self._arrange()

    def _arrange(self) -> None:
        """Side by side; what stands to the right gives way where the words to the left would be cut."""
        begin, end, top = _SIDES, self.width() - _SIDES, 1 + _BAR
        self.bar.setGeometry(0, 1, self.width(), _BAR)
        if self._icon[0]:
            self._sign.setGeometry(begin, top, tokens.ICON, self.height() - top)
            begin += tokens.ICON + tokens.GAP
        words = self.right.sizeHint().width() if self.right.text() else 0
        shown = 0 < words <= end - begin - tokens.GAP - self.left.words_width
        self.right.setVisible(shown)
        if shown:
            end -= words
            self.right.setGeometry(end, top, words, self.height() - top)
            end -= tokens.GAP
        self.left.setGeometry(begin, top, end - begin, self.height() - top)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def set_fraction(self, fraction: float | None) -> None:
        """Show how much is done, from 0 to 1; None when nothing is under way."""
        self.bar.setVisible(fraction is not None)
        if fraction is None:
            return
        value = round(1000 * max(0.0, min(1.0, fraction)))
        if value != self.bar.value():
            # With updates on, it would paint at once all that waits to be painted in the window.
            self.bar.setUpdatesEnabled(False)
            self.bar.setValue(value)
            self.bar.setUpdatesEnabled(True)
            self.bar.setAccessibleDescription(f"{fraction:.0%} done")

    def _paint_sign(self) -> None:
        name, role = self._icon
        self._sign.setVisible(bool(name))
        if name:
            self._sign.setPixmap(icons.pixmap(name, role, tokens.ICON, self.devicePixelRatioF()))


def progress_words(progress: CanvasProgress, of: int) -> tuple[str, str]:
    """How far a job of `of` images is, for both ends of the line."""
    parts = [f"step {progress.step}/{progress.steps}"]
    if 0 < progress.count < of:  # too many to be made at once: one group after another
        last = progress.first + progress.count
        parts.insert(0, f"images {progress.first + 1} to {last} of {of}")
    else:
        parts.append(counted(progress.evaluations, "evaluation"))
    if progress.seconds_per_step:
        parts.append(f"{seconds(progress.seconds_per_step)} a step")
    left = f"{seconds(progress.seconds_left)} left" if progress.evaluations else ""
    return " · ".join(parts), left


def first_class(classes: tuple[str, ...]) -> int:
    """The class of the first try."""
    return classes.index("Ankle boot") if "Ankle boot" in classes else 0
