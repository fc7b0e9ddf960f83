"""The dialog before a render: what kind of video, how good, how large, and where it goes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.traverse.desk import TraverseModel
from app.models.traverse.render import SCALES
from app.views import tokens
from app.views.fields import Choice, Segments, Switch
from app.views.help import describe
from app.views.traverse.render_card import bytes_words
from app.views.words import breakable, counted, model_title, seconds
from engine.errors import EngineError
from engine.messages.videos import FORMATS

__all__ = ["RenderDialog"]


class RenderDialog(QDialog):
    """Choices are kept for the next time; Render queues the job and closes."""

    def __init__(self, traverse: TraverseModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Render a video")
        self.setMinimumWidth(460)
        self._traverse = traverse
        self._render = traverse.render
        self._begin()
        self.format = Choice()
        describe(self.format, "Format", "What kind of file the video is.")
        for name, form in FORMATS.items():
            self.format.addItem(form.title, name)
            self.format.setItemData(self.format.count() - 1, form.summary, Qt.ItemDataRole.ToolTipRole)
        self.quality = Segments(
            (
                ("small", "Small file", "Fine for a message; fine detail is softened."),
                ("good", "Good", "Hardly any loss to be seen."),
                ("best", "Best", "As good as without loss; large."),
            )
        )
        self.scale = Segments(
            tuple(
                (str(scale), f"{scale}×", f"Every pixel becomes {scale} by {scale}, without smoothing.")
                for scale in SCALES
            )
        )
        self.upsample = Switch("Enlarge with the model's upsampler")
        describe(
            self.upsample,
            "Upsample",
            "Every frame is made large by the model's upsampler, with one noise for all, so that only the walk moves.",
        )
        self.name = QLineEdit()
        describe(self.name, "Name", "The name of the file, without its ending.")
        self.folder = QLineEdit()
        describe(self.folder, "Folder", "Where the video goes. The folder is made if it is not there.")
        self.browse = QPushButton("Choose…")
        describe(self.browse, "Choose a folder", "Choose the folder in a file dialog.")
        self.summary = QLabel()
        self.summary.setProperty("role", "caption")
        self.summary.setWordWrap(True)
        self.summary.setAccessibleName("What this format is for")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setAccessibleName("What will be made")
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("What is wrong")
        self.accept_button = QPushButton("Render")
        self.accept_button.setProperty("kind", "primary")
        self.accept_button.setDefault(True)
        describe(
            self.accept_button, "Render", "Make the video now, or when its turn comes in the queue (Enter)."
        )
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Close without rendering (Esc).")
        self._build()
        self._show()
        self._connect()

    def _begin(self) -> None:
        """A folder and a name to begin with."""
        chosen = self._render.choices
        if not chosen.folder:
            place = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
            self._render.choose(folder=place or str(Path.home()))
        name = self._traverse.timeline.name
        if name:
            self._render.choose(
                name="".join(c if c.isalnum() or c in "-_ " else "-" for c in name).strip() or "walk"
            )

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(tokens.GAP_LARGE)
        grid.setVerticalSpacing(tokens.GAP)
        grid.setColumnStretch(1, 1)
        place = QHBoxLayout()
        place.setSpacing(tokens.GAP)
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse)
        rows: tuple[tuple[str, QWidget | QHBoxLayout], ...] = (
            ("Format", self.format),
            ("", self.summary),
            ("Quality", self.quality),
            ("Enlarge", self.scale),
            ("Upsample", self.upsample),
            ("Name", self.name),
            ("Folder", place),
        )
        for number, (title, control) in enumerate(rows):
            label = QLabel(title)
            grid.addWidget(label, number, 0)
            if isinstance(control, QWidget):
                if title:
                    label.setBuddy(control)
                grid.addWidget(control, number, 1)
            else:
                label.setBuddy(self.folder)
                grid.addLayout(control, number, 1)
            if control is self.upsample:
                self._upsample_label = label
        heading = QLabel("Render a video")
        heading.setProperty("role", "title")
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(heading)
        column.addLayout(grid)
        column.addWidget(self.note)
        column.addWidget(self.problem)
        column.addStretch(1)
        column.addLayout(buttons)

    def _connect(self) -> None:
        render = self._render
        self.format.activated.connect(lambda: render.choose(format=self.format.currentData()))
        self.quality.chosen.connect(lambda quality: render.choose(quality=quality))
        self.scale.chosen.connect(lambda scale: render.choose(scale=int(scale)))
        self.upsample.toggled.connect(lambda on: render.choose(upsample=on))
        self.name.textEdited.connect(lambda name: render.choose(name=name))
        self.folder.textEdited.connect(lambda folder: render.choose(folder=folder))
        self.browse.clicked.connect(self._browse)
        self.accept_button.clicked.connect(self._start)
        self.cancel_button.clicked.connect(self.reject)
        render.choices_changed.connect(self._show)

    @Slot()
    def _show(self) -> None:
        chosen, render, timeline = self._render.choices, self._render, self._traverse.timeline
        form = FORMATS[chosen.format]
        self.format.choose(chosen.format)
        self.summary.setText(form.summary)
        self.quality.choose(chosen.quality)
        self.quality.setEnabled(not form.lossless)
        self.scale.choose(str(chosen.scale))
        upsampler = render.upsampler
        self.upsample.setVisible(upsampler is not None)
        self._upsample_label.setVisible(upsampler is not None)
        if upsampler is not None:
            self.upsample.setChecked(chosen.upsample)
            self.upsample.setText(f"With {model_title(self._traverse.quality.catalogue, upsampler)}")
        for line, text in ((self.name, chosen.name), (self.folder, chosen.folder)):
            if line.text() != text:
                line.setText(text)
        width, height = render.size
        self.note.setText(
            f"{counted(timeline.total, 'frame')}, {seconds(timeline.seconds)} at {timeline.fps:g} a second, "
            f"{width} × {height}, about {bytes_words(render.expected_bytes)}."
        )
        problem = ""
        try:
            render.request()
        except EngineError as error:
            problem = error.message
        if not problem and render.begun:
            self.note.setText(
                f"{self.note.text()} Frames of an unfinished render wait there: the same walk goes on with "
                "them, another begins anew."
            )
        elif not problem and render.path.exists():
            self.note.setText(f"{self.note.text()} {render.path.name} is there already and will be replaced.")
        self.problem.setText(breakable(problem))
        self.problem.setVisible(bool(problem))
        self.accept_button.setEnabled(not problem)

    @Slot()
    def _browse(self) -> None:
        dialog = QFileDialog(self, "Where the video goes")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setDirectory(self._render.choices.folder)
        dialog.fileSelected.connect(lambda folder: self._render.choose(folder=folder))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    @Slot()
    def _start(self) -> None:
        if self._render.start():
            self.accept()
