"""Upsampling: which pictures, how, and what the upsampler will be given."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.models.blocks import enlarged
from app.models.edit.crop import CropModel
from app.models.studio import Studio
from app.models.upsampling import SmallPictures
from app.views import icons, tokens
from app.views.edit.crop_dialog import CropView
from app.views.edit.param import Param
from app.views.fields import Choice, NumberEntry, Segments
from app.views.help import TERMS, describe
from app.views.image_view import ImageView
from app.views.inputs import Switch
from app.views.picture_images import to_image
from app.views.traverse.rows import Row
from app.views.words import counted
from engine.errors import BadRequest
from engine.messages import ModelInfo

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["UpsampleDialog"]

_SIDE = 304
_EXACT = 224
_MOST_STEPS = 50
_FOLDED = ("aug_level", "consistent", "aug_seed", "seed")


class UpsampleDialog(QDialog):
    """`accepted` when the jobs are queued; the canvas then shows them."""

    def __init__(
        self,
        studio: Studio,
        parent: QWidget | None = None,
        *,
        small: SmallPictures | None = None,
        selected: int = 0,
        image: Image.Image | None = None,
        name: str = "",
    ) -> None:
        """`small` pictures of a result or of the history, or an `image` of the user's called `name`."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Upsample")
        self._studio = studio
        self._model = studio.upsampling
        self._small = small
        self._selected = selected
        self._image, self._name = image, name
        self.crop: CropModel | None = None
        self.crop_view: CropView | None = None
        self.upsampler = small.upsampler if small is not None else self._model.upsamplers()[0]
        self.title = QLabel(small.title if small is not None else name)
        self.title.setProperty("role", "title")
        self.caption = QLabel()
        self.caption.setProperty("role", "quiet")
        self.caption.setWordWrap(True)
        self.view = ImageView()
        self.view.setMinimumSize(_EXACT, _EXACT)
        self._build_controls()
        self._lay_out()
        self._set_upsampler(self.upsampler)
        self.fold.setChecked(self._model.differs(_FOLDED))  # what holds is seen
        self._model.changed.connect(self._show_put_back)
        self._show_put_back()
        self.resize(QSize(860, 600).boundedTo(self.screen().availableSize()))

    @classmethod
    def for_canvas(cls, studio: Studio, parent: QWidget | None = None) -> UpsampleDialog | None:
        """For the pictures on the canvas; None if no upsampler goes with them."""
        small = studio.upsampling.of_canvas()
        if small is None:
            return None
        return cls(studio, parent, small=small, selected=max(0, studio.canvas.selected))

    # --- building

    def _build_controls(self) -> None:
        count = self._small.pictures.count if self._small is not None else 1
        self.which = Segments(
            (
                ("one", "This picture", "The selected picture only."),
                ("all", f"All {count:,}", "Every picture of the batch, one after the other."),
            )
        )
        self.which.choose("one")
        self.which.setVisible(count > 1)
        self.which.chosen.connect(self._chose_which)
        self.by = Choice()
        for info in self._model.upsamplers() if self._small is None else ():
            self.by.addItem(info.title, info)
        describe(self.by, "Upsampler", "The model that paints the large picture.")
        self.by.setVisible(self.by.count() > 1)
        self.by.currentIndexChanged.connect(lambda _: self._set_upsampler(self.by.currentData()))
        self.steps = Param("Steps", TERMS["steps"].short, 1, _MOST_STEPS, 1)
        self.steps.settled.connect(lambda value: self._set("steps", round(value)))
        self.fold = QPushButton("Advanced")
        self.fold.setProperty("kind", "fold")
        self.fold.setCheckable(True)
        icons.bind(self.fold, "chevron-right")
        describe(self.fold, "Advanced settings", "The noise added to the small picture, and the seeds.")
        self.fold.toggled.connect(self._unfold)
        self.aug_level = Param("Added noise", TERMS["aug_level"].short, 0.0, 1.0, 0.01)
        self.aug_level.settled.connect(lambda value: self._set("aug_level", max(0.001, value)))
        self.consistent = Switch("Match the small picture")
        describe(self.consistent, "Match the small picture", term="consistent")
        self.consistent.clicked.connect(lambda on: self._set("consistent", on))
        self.aug_seed = self._seed_entry("aug_seed", "Its seed")
        self.seed = self._seed_entry("seed", "Seed")
        self.advanced = QWidget()
        self.advanced.setProperty("panel", "plain")
        rows = QVBoxLayout(self.advanced)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(tokens.GAP)
        for row in (self.aug_level, self.consistent, self.aug_seed, self.seed):
            rows.addWidget(row)
        self.advanced.hide()
        self.put_back = QPushButton("Put back")
        describe(self.put_back, "Put all upsampling settings back", "Steps, noise and seeds as at first.")
        self.put_back.setAutoDefault(False)
        self.put_back.clicked.connect(self._put_back)
        self.plan = QLabel()
        self.plan.setProperty("role", "caption")
        self.plan.setWordWrap(True)
        describe(self.plan, "Planned evaluations", term="evaluations")
        self.accept_button = QPushButton("Upsample")
        self.accept_button.setProperty("kind", "primary")
        self.accept_button.setDefault(True)
        icons.bind(self.accept_button, "enlarge", "on_accent")
        describe(self.accept_button, "Upsample", term="upsample")
        self.cancel_button = QPushButton("Cancel")
        describe(self.cancel_button, "Cancel", "Make nothing (Esc).")
        self.accept_button.clicked.connect(self.accept)
        self.cancel_button.clicked.connect(self.reject)

    def _seed_entry(self, name: str, title: str) -> Row:
        entry = NumberEntry()
        entry.setPlaceholderText("that of the picture")
        describe(entry, title, TERMS[name].short, term=name)
        row = Row(title, entry)
        entry.textEdited.connect(lambda text: self._typed_seed(name, row, text))
        entry.stepped.connect(lambda by: self._step_seed(name, row, by))
        return row

    def _lay_out(self) -> None:
        self.exact = ImageView()
        self.exact.setFixedSize(_EXACT, _EXACT)
        self.exact.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.exact.setAccessibleName("Exactly what is given to the upsampler")
        side = QVBoxLayout()
        side.setSpacing(12)
        for widget in (self.exact, self.caption, self.which, self.by, self.steps, self.fold, self.advanced):
            side.addWidget(widget)
        side.addStretch(1)
        side.addWidget(self.plan)
        panel = QWidget()
        panel.setProperty("panel", "plain")
        panel.setFixedWidth(_SIDE)
        panel.setLayout(side)
        self.place = QVBoxLayout()
        self.place.addWidget(self.view)
        middle = QHBoxLayout()
        middle.setSpacing(20)
        middle.addLayout(self.place, 1)
        middle.addWidget(panel)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addWidget(self.put_back)
        buttons.addStretch(1)
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.accept_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 20, 20, 20)
        column.setSpacing(12)
        column.addWidget(self.title)
        column.addLayout(middle, 1)
        column.addLayout(buttons)

    # --- showing

    def _set_upsampler(self, info: ModelInfo) -> None:
        self.upsampler = info
        size = info.upsamples_from
        assert size is not None
        if self._image is not None:
            self.crop = CropModel(self._image, self._name, size, info.channels, parent=self)
            self.crop.changed.connect(self._show_source)
            old, self.crop_view = self.crop_view, CropView(self.crop)
            self.place.addWidget(self.crop_view)
            if old is not None:
                old.hide()
                old.deleteLater()
        self.view.setVisible(self._image is None)
        self.exact.setVisible(self._image is not None)
        self._show_source()
        self._show_values()

    @Slot()
    def _show_source(self) -> None:
        """The pixels that are given to the upsampler, in the size they will have."""
        info = self.upsampler
        size = f"{info.upsamples_from} × {info.upsamples_from} → {info.image_size} × {info.image_size}"
        words = f"{size} by {info.title}."
        if self.crop is not None:
            self.exact.set_image(to_image(self.crop.pixels), "Exactly what is given to the upsampler")
            self.exact.fit()
            if not self.crop.exact:
                words += f" Your picture is brought to {info.upsamples_from} pixels first: here is how."
        elif self._small is not None:
            picture = self._small.pictures.one(min(self._selected, self._small.pictures.count - 1))
            self.view.set_image(
                to_image(enlarged(picture, info.image_size)), "The picture in its size to come"
            )
            self.view.fit()
        self.caption.setText(words)

    def _show_values(self) -> None:
        model = self._model
        self.steps.set_value(model.value("steps"))
        level = model.value("aug_level")
        self.aug_level.set_value(self.upsampler.aug_level if level is None else level)
        match = model.value("consistent")
        self.consistent.setChecked(self.upsampler.consistent if match is None else match)
        for name, row in (("aug_seed", self.aug_seed), ("seed", self.seed)):
            value = model.value(name)
            entry = row.control
            assert isinstance(entry, NumberEntry)
            if not entry.hasFocus():
                entry.setText("" if value is None else str(value))
        self._show_plan()

    def _show_plan(self) -> None:
        count = len(self._indices())
        pictures = counted(count, "picture")
        each = counted(self._model.value("steps"), "evaluation")
        self.plan.setText(f"{pictures}, {each}{' each' if count > 1 else ''}")

    def _indices(self) -> list[int]:
        if self._small is None or self._small.pictures.count == 1:
            return [0]
        if self.which.buttons["all"].isChecked():
            return list(range(self._small.pictures.count))
        return [self._selected]

    # --- doing

    @Slot(bool)
    def _unfold(self, open_: bool) -> None:
        icons.bind(self.fold, "chevron-down" if open_ else "chevron-right")
        self.advanced.setVisible(open_)

    @Slot()
    def _show_put_back(self) -> None:
        self.put_back.setEnabled(self._model.differs())

    @Slot()
    def _put_back(self) -> None:
        self.accept_button.setFocus()  # an entry that has the focus would keep what is typed there
        self._model.reset()
        for row in (self.aug_seed, self.seed):
            row.set_error("")
        self._show_values()

    @Slot(str)
    def _chose_which(self, which: str) -> None:
        self.which.choose(which)
        self._show_plan()

    def _set(self, name: str, value: object, complain: Callable[[str], object] | None = None) -> None:
        try:
            self._model.set_value(name, value)
        except BadRequest as error:
            if complain is not None:
                complain(error.message)
            return
        if complain is not None:
            complain("")
        self._show_plan()

    def _typed_seed(self, name: str, row: Row, text: str) -> None:
        text = text.strip()
        if text and not text.isdecimal():
            row.set_error("A whole number is needed, or nothing for that of the picture.")
            return
        self._set(name, int(text) if text else None, row.set_error)

    def _step_seed(self, name: str, row: Row, by: int) -> None:
        self._set(name, max(0, (self._model.value(name) or 0) + by), row.set_error)
        entry = row.control
        assert isinstance(entry, NumberEntry)
        entry.setText(str(self._model.value(name)))

    def accept(self) -> None:
        wrong = next((row for row in (self.aug_seed, self.seed) if row.error.text()), None)
        if wrong is not None:
            self.fold.setChecked(True)
            wrong.control.setFocus()
            return
        small = self._small
        if self.crop is not None:
            small = self._model.of_picture(self.crop.pixels, self._name, self.upsampler)
        assert small is not None
        of_result = small.result is not None
        if self._model.submit(small, self._indices() if of_result else None):
            super().accept()
