"""How the render is doing: the last frame, how far it is, stop and go on."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.models.traverse.desk import TraverseModel
from app.views import icons, theme, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.picture_images import to_image
from app.views.words import breakable, seconds

__all__ = ["RenderCard", "bytes_words"]

_SIDE = 48
_NAME = 136  # px of the file's name that fit into the narrowest panel


def bytes_words(size: int) -> str:
    """ "340 KB", "1.2 MB"."""
    if size < 1_000_000:
        return f"{max(size // 1000, 1):,} KB"
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


class _Frame(QWidget):
    """The last frame, small and crisp."""

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self.setFixedSize(_SIDE, _SIDE)
        self.setAccessibleName("Last frame")

    def sizeHint(self) -> QSize:
        return QSize(_SIDE, _SIDE)

    def set_image(self, image: QImage) -> None:
        self._image = image
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(self.rect(), theme.current().color("groove"))
            return
        smooth = max(self._image.width(), self._image.height()) > _SIDE * self.devicePixelRatioF()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(QRectF(self.rect()), self._image)


class RenderCard(QWidget):
    """Hidden until there is a render."""

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self.setProperty("panel", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._traverse = traverse
        self._render = traverse.render
        self.frame = _Frame()
        self.title = QLabel()
        self.title.setProperty("role", "strong")
        self.words = QLabel()
        self.words.setProperty("role", "caption")
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Render progress")
        self.stop = QPushButton("Stop")
        icons.bind(self.stop, "stop")
        describe(self.stop, "Stop the render", "Stop now. What is done plays, and you can go on later.")
        self.resume = QPushButton("Go on")
        icons.bind(self.resume, "play")
        describe(
            self.resume,
            "Go on with the render",
            "Go on from its last frame; the file is the same as without a stop.",
        )
        self.play = QPushButton("Play")
        icons.bind(self.play, "play")
        describe(self.play, "Play the video", "Play it on the stage.")
        self.folder = icon_button("folder", "Show the folder", "Open the folder the video lies in.")
        self.away = icon_button(
            "close", "Put this away", "Speak no more of this render. The files stay where they are."
        )
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(self.words)
        words.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(tokens.GAP)
        top.addWidget(self.frame, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP_TINY)
        for button in (self.stop, self.resume, self.play):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.folder)
        buttons.addWidget(self.away)
        column = QVBoxLayout(self)
        column.setContentsMargins(tokens.GAP, tokens.GAP, tokens.GAP, tokens.GAP)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(self.bar)
        column.addLayout(buttons)

    def _connect(self) -> None:
        self.stop.clicked.connect(self._render.stop)
        self.resume.clicked.connect(self._render.resume)
        self.play.clicked.connect(self._play)
        self.folder.clicked.connect(self._open_folder)
        self.away.clicked.connect(self._render.dismiss)
        self._render.state_changed.connect(self.refresh)
        self._render.progress_changed.connect(self.refresh)
        self._render.picture_changed.connect(self._show_picture)

    @Slot()
    def refresh(self) -> None:
        """Say how it is."""
        render = self._render
        state, progress, result = render.state, render.progress, render.result
        self.setVisible(state != "none")
        file = Path(render.rendered.out).name if render.rendered is not None else ""
        title, words, fraction = file, "", 0.0
        if state == "waiting":
            words = "Waits for its turn in the queue."
        elif state == "loading":
            words, fraction = "Loading the model", render.loading
        elif state in ("running", "measuring") and progress is not None:
            total = max(progress.frames_total, 1)
            if state == "measuring":
                words = "Measuring the pace first"
                fraction = progress.evaluations / max(progress.evaluations_total, 1)
            else:
                words = f"Frame {progress.frames:,} of {total:,}"
                if progress.frames_per_second:
                    words += (
                        f"\n{progress.frames_per_second:.1f} frames/s, {seconds(progress.seconds_left)} left"
                    )
                fraction = progress.frames / total
        elif state == "stopped":
            if result is not None:
                why = next((said for said in reversed(result.notices) if said.startswith("Couldn't")), "")
                # The title names the file already, and a path takes many lines here.
                words = why.replace(result.path or file, "it") or result.words + "."
            elif render.left_over:
                words = "Not finished the last time. Its frames are kept."
            else:
                words = "Stopped before the first frame."
        elif state == "failed" and render.failure is not None:
            words = f"{render.failure.message} What was done is kept."
        elif state == "done" and result is not None:
            words = (
                f"{result.frames:,} frames, {result.width} × {result.height}, {bytes_words(result.bytes)}, "
                f"made in {seconds(result.seconds)}."
            )
            fraction = 1.0
        self.title.setText(self.title.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, _NAME))
        self.title.setToolTip(render.rendered.out if render.rendered is not None else "")
        self.words.setText(breakable(words))
        self.words.setProperty("role", "error" if state == "failed" else "caption")
        self.words.style().unpolish(self.words)
        self.words.style().polish(self.words)
        self.bar.setVisible(render.busy)
        self.bar.setValue(round(1000 * fraction))
        self.stop.setVisible(render.busy)
        self.resume.setVisible(render.can_resume)
        playable = result is not None and bool(result.path) and Path(result.path).exists()
        self.play.setVisible(playable)
        self.folder.setVisible(result is not None and bool(result.path))
        self.away.setVisible(not render.busy)
        self.setAccessibleName(f"Render of {file}: {words}")

    @Slot()
    def _show_picture(self) -> None:
        picture = self._render.picture
        self.frame.set_image(to_image(picture) if picture is not None else QImage())

    @Slot()
    def _play(self) -> None:
        result = self._render.result
        if result is not None:
            self._traverse.show_film(Path(result.path))

    @Slot()
    def _open_folder(self) -> None:
        result = self._render.result
        if result is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(result.path).parent)))
