"""The dialogs: saving pictures, exporting steps, and the settings of a dropped picture.

None of them blocks: `open()` shows one over the window and returns at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt
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

from app.models.dropped import RequestDiff
from app.models.facts import file_name
from app.models.studio import Studio
from app.views import theme, tokens
from app.views.fields import CalmSlider, Choice, Segments
from app.views.help import describe
from app.views.words import class_name, counted, model_title, solver_title
from engine.image_sizes import grid_size, too_large

__all__ = ["SCALES", "DroppedSettingsDialog", "ExportStepsDialog", "SaveDialog"]

SCALES = (1, 2, 4, 8, 16)
_FOLDER = "save_folder"  # what the session calls the folder used last


class _FileDialog(QDialog):
    """Rows of choices, then where the file goes, then what is wrong with that, then the buttons."""

    def __init__(self, studio: Studio, parent: QWidget | None, title: str, verb: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setMinimumWidth(440)
        self._studio = studio
        self._shown = studio.canvas.shown  # a job may put other pictures there while it is open
        self._rows = QGridLayout()
        self._rows.setHorizontalSpacing(tokens.GAP_LARGE)
        self._rows.setVerticalSpacing(tokens.GAP)
        self._rows.setColumnStretch(1, 1)
        self.name = QLineEdit()
        describe(self.name, "Name", "The name of the file, without its ending.")
        self.folder = QLineEdit(str(_last_folder(studio)))
        describe(self.folder, "Folder", "Where the files go. The folder is made if it is not there.")
        self.browse = QPushButton("Choose…")
        describe(self.browse, "Choose a folder", "Choose the folder in a file dialog.")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setProperty("role", "caption")
        self.note.setAccessibleName("What will be written")
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setProperty("role", "error")
        self.problem.setAccessibleName("What is wrong")
        self.problem.hide()
        self.accept_button = QPushButton(verb)
        self.accept_button.setProperty("kind", "primary")
        self.accept_button.setDefault(True)
        describe(self.accept_button, verb, f"{verb} now (Return)")
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Close without writing anything (Esc)")
        self.browse.clicked.connect(self._browse)
        self.accept_button.clicked.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)
        self.name.textChanged.connect(self.refresh)
        self.folder.textChanged.connect(self.refresh)

    def _build(self, heading: str) -> None:
        """Put it together once the subclass has added its rows."""
        title = QLabel(heading)
        title.setProperty("role", "title")
        place = QHBoxLayout()
        place.setSpacing(tokens.GAP)
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse)
        self.row("Name", self.name)
        label = self.row("Folder", place)
        label.setBuddy(self.folder)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(title)
        column.addLayout(self._rows)
        column.addWidget(self.note)
        column.addWidget(self.problem)
        column.addStretch(1)
        column.addLayout(buttons)
        self.refresh()

    def row(self, title: str, control: QWidget | QHBoxLayout) -> QLabel:
        """A label and its control in the next row."""
        label = QLabel(title)
        number = self._rows.rowCount()
        self._rows.addWidget(label, number, 0)
        if isinstance(control, QWidget):
            label.setBuddy(control)
            self._rows.addWidget(control, number, 1)
        else:
            self._rows.addLayout(control, number, 1)
        return label

    def suffix(self) -> str:
        """The ending of the file, with its dot."""
        raise NotImplementedError

    def write(self, path: Path) -> bool:
        """Hand it to the studio; False leaves the dialog open."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Show what follows from the choices."""

    def needs_name(self) -> bool:
        return True

    def target(self) -> Path:
        """The file, or the folder where there will be several."""
        folder = Path(self.folder.text().strip())
        with contextlib.suppress(RuntimeError):  # of nobody here: `obstacle` says so
            folder = folder.expanduser()
        return folder / f"{self.name.text().strip()}{self.suffix()}" if self.needs_name() else folder

    def pixels(self) -> tuple[int, int]:
        """Width and height of the largest picture that will be written."""
        raise NotImplementedError

    def obstacle(self) -> str:
        """Why nothing can be written there, in words; empty where something can."""
        folder, name = self.folder.text().strip(), self.name.text().strip()
        if not folder:
            return "No folder is given. Choose where the file should go."
        try:
            if _is_there(place := Path(folder).expanduser()) and place.is_file():
                return "This is a file, not a folder. Choose a folder."
        except RuntimeError:
            user = Path(folder).parts[0]
            return f"{user} is nobody's folder here: there is no such user. Write the folder in full."
        except ValueError:  # what was pasted may hold a zero
            return "This can't be the folder: it holds a character that none can have. Choose another one."
        except OSError as error:
            return f"This can't be the folder: {_reason(error)}. Choose another one."
        if self.needs_name():
            if not name or name.startswith(".") or set(name) & set("/\\\0"):
                return "This can't be the name of a file. Use letters, digits, spaces and dashes."
            try:
                _is_there(self.target())
            except OSError as error:
                return f"This can't be the name of the file: {_reason(error)}. Choose another one."
        return too_large(self.suffix(), *self.pixels())

    def look(self) -> str:
        """Say what is wrong with what is chosen by now. Words about a file that will be replaced, or none."""
        typed = self.folder.text().strip() and (self.name.text().strip() or not self.needs_name())
        obstacle = self.obstacle()
        self.complain(obstacle if typed else "")
        if obstacle or not self.needs_name() or not _is_there(self.target()):
            return ""
        return " A file of this name is there already and will be replaced."

    def complain(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))

    def accept(self) -> None:
        if obstacle := self.obstacle():
            self.complain(obstacle)
        elif self.write(self.target()):
            self._studio.session.set(_FOLDER, self.folder.text().strip())
            super().accept()

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Choose a folder", self.folder.text())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self.folder.setText)
        dialog.open()


def _is_there(path: Path) -> bool:
    """An OSError where nothing can be: `Path.exists` raises it or not, as the version of Python has it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _reason(error: OSError) -> str:
    too_long = error.errno == errno.ENAMETOOLONG
    return "it is too long" if too_long else str(error.strerror or error).lower()


def _last_folder(studio: Studio) -> Path:
    used = studio.session.get(_FOLDER, "")
    if isinstance(used, str) and used:
        return Path(used)
    pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
    return Path(pictures or Path.home()) / "GENIE Studio"


class SaveDialog(_FileDialog):
    """Saves pictures of the canvas or of the history: which, in what format, how much enlarged."""

    def __init__(
        self,
        studio: Studio,
        parent: QWidget | None,
        *,
        count: int,
        size: tuple[int, int],
        name: str,
        selected: int = 0,
        records: Sequence[int] = (),
    ) -> None:
        """`count` pictures of `size` pixels; `records` are ids of the history instead of the canvas."""
        super().__init__(studio, parent, "Save", "Save")
        self._count, self._size, self._selected, self._records = count, size, selected, tuple(records)
        self._name = name
        result, step = self._shown.result, self._shown.step
        self._frame = result.steps[step] if result is not None and step is not None and not records else None
        if self._frame is not None:
            number = self._frame.step
            self.moment = Segments(
                (
                    ("step", f"Step {number}", f"As it was predicted at step {number}, which is shown"),
                    ("finished", "Finished", "As it was in the end"),
                )
            )
            self.moment.choose("step")
            self.row("Moment", self.moment)
            self.moment.chosen.connect(self._choose_which)
        which = [("one", "This picture", "The selected picture")]
        if count > 1:
            all_of = f"All {count:,}"
            which.append(("all", all_of, "Every picture, a file each, named by class and seed"))
            if not records:
                which.append(("grid", "As one grid", "All pictures together in one file"))
        if records and count > 1:
            which = which[1:]
        self.which = Segments(which)
        self.which.choose(which[0][0])
        self.format = Segments(
            (
                (
                    "png",
                    "PNG",
                    "Exact, and carries the complete settings: dropped on the window it brings them back",
                ),
                ("jpg", "JPEG", "Small, but not exact"),
                ("webp", "WebP", "Exact and small; not every program opens it"),
            )
        )
        self.format.choose("png")
        self.scale = Choice()
        for scale in SCALES:
            self.scale.addItem(f"×{scale}", scale)
        describe(
            self.scale,
            "Size",
            "How many pixels of the file each pixel of the picture becomes. Nothing is blurred.",
        )
        if count > 1 or records:
            self.row("Pictures", self.which)
        self.row("Format", self.format)
        self.row("Size", self.scale)
        self._choose_name()
        self.which.chosen.connect(self._choose_which)
        self.format.chosen.connect(self.refresh)
        self.scale.currentIndexChanged.connect(self.refresh)
        self._build("Save pictures" if count > 1 else "Save the picture")

    @classmethod
    def for_canvas(cls, studio: Studio, parent: QWidget | None = None) -> SaveDialog:
        """For the finished pictures on the canvas; there must be some."""
        canvas = studio.canvas
        index = max(0, canvas.selected)
        request, picture = canvas.request_of(index), canvas.picture(index)
        assert request is not None
        assert picture is not None
        label = class_name(studio.catalogue, request.model, canvas.label_of(index))
        return cls(
            studio,
            parent,
            count=canvas.shown.count,
            size=(picture.width, picture.height),
            name=file_name(request, index, label),
            selected=index,
        )

    @classmethod
    def for_records(cls, studio: Studio, ids: Sequence[int], parent: QWidget | None = None) -> SaveDialog:
        """For images of the history. Raises `EngineError` if the first is gone."""
        details = studio.history.details(ids[0])
        record = details.record
        name = file_name(details.request, record.index, record.label_name)
        return cls(studio, parent, count=len(ids), size=(record.width, record.height), name=name, records=ids)

    def chosen(self, segments: Segments) -> str:
        return next(value for value, button in segments.buttons.items() if button.isChecked())

    def suffix(self) -> str:
        return f".{self.chosen(self.format)}"

    def needs_name(self) -> bool:
        return self.chosen(self.which) != "all"

    def _of_step(self) -> bool:
        """The step that is looked at is saved, not the finished pictures."""
        return self._frame is not None and self.chosen(self.moment) == "step"

    def _choose_which(self, _choice: str) -> None:
        self._choose_name()
        self.refresh()

    def _choose_name(self) -> None:
        name = self._name
        if self._frame is not None and self._of_step():
            name += f"-step-{self._frame.step}"
        self.name.setText(f"{name}-grid" if self.chosen(self.which) == "grid" else name)

    def pixels(self) -> tuple[int, int]:
        scale = int(self.scale.currentData())
        size = (self._size[0] * scale, self._size[1] * scale)
        return grid_size(self._count, *size) if self.chosen(self.which) == "grid" else size

    def refresh(self, _changed: object = None) -> None:
        scale = int(self.scale.currentData())
        side = f"{self._size[0] * scale:,} px"
        which = self.chosen(self.which)
        self.name.setEnabled(which != "all")
        if which == "all":
            words = f"{counted(self._count, 'file')}, each {side} wide, named by model, class and seed."
        elif which == "grid":
            words = f"One file with all {self._count:,} pictures, each {side} wide."
        else:
            words = f"One file, {side} wide."
        if self._of_step():
            words += " It carries no settings: those make the finished picture."
        self.note.setText(words + self.look())

    def write(self, path: Path) -> bool:
        which = self.chosen(self.which)
        format, scale = self.chosen(self.format), int(self.scale.currentData())
        if self._records:
            return self._studio.save_records(self._records, path, format, scale=scale)
        indices = [self._selected] if which == "one" else range(self._count)
        grid = which == "grid"
        shown = self._shown if self._of_step() else dataclasses.replace(self._shown, step=None)
        return self._studio.save_images(indices, path, format, scale=scale, grid=grid, shown=shown)


class ExportStepsDialog(_FileDialog):
    """Saves the steps on the canvas as an animation."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(studio, parent, "Export the steps", "Export")
        canvas = studio.canvas
        assert self._shown.result is not None
        self._frames = len(self._shown.result.steps) + 1
        self._index = max(0, canvas.selected)
        request = canvas.request
        assert request is not None, "there are steps only of a batch"
        self.which = Segments(
            (
                ("one", "This picture", "The steps of the selected picture"),
                ("grid", "The whole grid", "The steps of all pictures together"),
            )
        )
        self.which.choose("one" if canvas.mode == "single" or canvas.count == 1 else "grid")
        self.format = Segments(
            (
                (".gif", "GIF", "Opens everywhere; 256 colours"),
                (".png", "APNG", "Exact; opens in every browser"),
                (".webp", "WebP", "Exact and smallest; opens in every browser"),
            )
        )
        self.format.choose(".gif")
        self.scale = Choice()
        self.scale.addItem("about 512 px", 0)
        for scale in SCALES:
            self.scale.addItem(f"×{scale}", scale)
        describe(self.scale, "Size", "How much each pixel is enlarged. Nothing is blurred.")
        self.speed = CalmSlider()
        self.speed.setRange(2, 50)
        self.speed.setValue(12)
        describe(self.speed, "Time of a step", "How long each step is shown.")
        self.speed_label = QLabel()
        self.speed_label.setFixedWidth(56)
        self.speed_label.setFont(theme.current().font(figures=True))
        speed = QHBoxLayout()
        speed.addWidget(self.speed, 1)
        speed.addWidget(self.speed_label)
        if canvas.count > 1:
            self.row("Pictures", self.which)
        self.row("Format", self.format)
        self.row("Size", self.scale)
        self.row("A step lasts", speed).setBuddy(self.speed)
        label = class_name(studio.catalogue, request.model, canvas.label_of(self._index))
        self.name.setText(f"{file_name(request, self._index, label)}-steps")
        for chosen in (self.which.chosen, self.format.chosen, self.scale.currentIndexChanged):
            chosen.connect(self.refresh)
        self.speed.valueChanged.connect(self.refresh)
        self._build("Export the steps as an animation")

    def suffix(self) -> str:
        return next(value for value, button in self.format.buttons.items() if button.isChecked())

    def pixels(self) -> tuple[int, int]:
        result = self._shown.result
        assert result is not None
        pictures = result.pictures
        size = (pictures.width, pictures.height)
        if not self.which.buttons["one"].isChecked():
            size = grid_size(pictures.count, *size)
        scale = int(self.scale.currentData()) or 1  # about 512 px is never too much
        return size[0] * scale, size[1] * scale

    def step_ms(self) -> int:
        return self.speed.value() * 10

    def refresh(self, _changed: object = None) -> None:
        self.speed_label.setText(f"{self.step_ms()} ms")
        frames = self._frames
        length = (self.step_ms() * (frames - 1) + 1500) / 1000
        words = f"{counted(frames, 'frame')}, {length:.1f} s, repeated for ever."
        self.note.setText(words + self.look())

    def write(self, path: Path) -> bool:
        index = self._index if self.which.buttons["one"].isChecked() else None
        scale = int(self.scale.currentData())
        return self._studio.export_steps(path, index, scale, self.step_ms(), shown=self._shown)


class DroppedSettingsDialog(QDialog):
    """What the settings in a dropped picture would change, with a choice of how much to take over."""

    def __init__(self, studio: Studio, diff: RequestDiff, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Settings in this picture")
        self.setMinimumWidth(480)
        self._studio = studio
        self.diff = diff
        title = QLabel("This picture knows how it was made")
        title.setProperty("role", "title")
        count = len(diff.rows)
        changes = "one of yours" if count == 1 else f"{count} of yours"
        words = (
            f"Applying its settings changes {changes}:" if count else "Its settings are those you have now."
        )
        intro = QLabel(words)
        intro.setProperty("role", "quiet")
        intro.setWordWrap(True)
        self.rows = QWidget()
        self.rows.setProperty("panel", "card")
        self.rows.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.rows.setAccessibleName("Settings that differ")
        self._fill(QGridLayout(self.rows))
        self.rows.setVisible(bool(diff.rows))
        self.apply_button = QPushButton("Apply")
        self.apply_button.setProperty("kind", "primary")
        self.apply_button.setDefault(True)
        describe(self.apply_button, "Apply", "Make all settings those of the picture. Can be undone.")
        self.seed_button = QPushButton("Seed only")
        describe(
            self.seed_button,
            "Seed only",
            f"Take over only the seed of this very picture, {diff.image_seed}. Can be undone.",
        )
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Leave the settings as they are (Esc)")
        self.apply_button.clicked.connect(self._apply)
        self.seed_button.clicked.connect(self._seed_only)
        self.cancel_button.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.seed_button)
        buttons.addWidget(self.apply_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        for widget in (title, intro, self.rows):
            column.addWidget(widget)
        column.addStretch(1)
        column.addLayout(buttons)

    def _fill(self, grid: QGridLayout) -> None:
        grid.setContentsMargins(16, 12, 16, 12)
        grid.setHorizontalSpacing(tokens.GAP_LARGE)
        grid.setVerticalSpacing(6)
        rows = [
            ("", "Now", "", "In the picture"),
            *(
                (r.label, self._title(r.name, r.current), "→", self._title(r.name, r.theirs))
                for r in self.diff.rows
            ),
        ]
        for number, texts in enumerate(rows):
            for column, text in enumerate(texts):
                label = QLabel(text)
                label.setWordWrap(column in (1, 3))
                heading = number == 0
                label.setProperty("role", "heading" if heading else "strong" if column == 3 else "quiet")
                grid.addWidget(label, number, column)
            if number:
                row = self.diff.rows[number - 1]
                label.setAccessibleName(f"{row.label}: now {texts[1]}, in the picture {texts[3]}")
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)

    def _title(self, name: str, value: str) -> str:
        """Models and solvers as a person calls them."""
        if name in ("model", "guidance_model"):
            return model_title(self._studio.catalogue, value)
        return solver_title(self._studio.catalogue, value) if name == "solver" else value

    def _apply(self) -> None:
        self._studio.apply_settings(self.diff.request)
        self.accept()

    def _seed_only(self) -> None:
        self._studio.use_seed(self.diff.image_seed)
        self.accept()
