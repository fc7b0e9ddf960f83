"""The canvas: toolbar, the pictures in one of four ways to look at them, filmstrip, line of state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.models.studio import Studio
from app.views import icons, tokens
from app.views.canvas_states import EmptyPage, FailedPage, StaleSign, StateLine, first_class, progress_words
from app.views.canvas_tools import KEYS, TOOLS
from app.views.compare import ComparePanel
from app.views.details import DetailsPanel, facts_of_result
from app.views.fields import icon_button
from app.views.filmstrip import Filmstrip
from app.views.gallery import Gallery
from app.views.help import describe
from app.views.image_grid import ImageGrid
from app.views.image_view import ImageView, LargePreview
from app.views.picture_images import to_image
from app.views.step_player import StepPlayer
from app.views.words import class_name, counted, plural, seconds
from app.views.zoom_view import ZoomView

if TYPE_CHECKING:
    from app.views.dialogs import ExportStepsDialog, SaveDialog
    from app.views.upsample_dialog import UpsampleDialog

__all__ = ["CanvasPanel"]

_FIRST_COUNT = 16
_NARROW_BAR = 460  # widget pixels in which the toolbar with all its buttons has no room for a word
_LONG_NAME = 24  # characters; longer ones are no words for a button


class CanvasPanel(QWidget):
    """Everything between the controls and the history.

    What its keys do is also here as methods, for menus and the command palette: `fit`,
    `actual_pixels`, `show_grid`, `show_single`, `toggle_compare`, `toggle_difference`,
    `toggle_preview`, `toggle_details`, `play_steps`, `toggle_star`, `delete_selected`, `save`, `upsample`,
    `export_steps`, `go_back`.
    """

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(400)
        self._studio = studio
        self._canvas = studio.canvas
        self._save_dialog: SaveDialog | None = None
        self._export_dialog: ExportStepsDialog | None = None
        self.upsampling: UpsampleDialog | None = None
        self._preview: LargePreview | None = None
        self.gallery = Gallery(studio)
        self.empty = EmptyPage(self.gallery)
        self.failed = FailedPage()
        self.grid = ImageGrid(self._canvas.picture, self.caption)
        self.single = ImageView()
        self.compare = ComparePanel(studio)
        self.details = DetailsPanel()
        self.filmstrip = Filmstrip()
        self.player = StepPlayer(self._canvas, self)
        self.play = icon_button("play", "Play the steps", "Play the steps from noise to picture (P)")
        self.filmstrip.set_corner(self.play)
        self.line = StateLine()
        self.stale = StaleSign()
        self.stack = QStackedWidget()
        self.stack.setMinimumWidth(120)  # beside the details; pages of words need more, but not then
        for page in (self.empty, self.failed, self.grid, self.single, self.compare):
            self.stack.addWidget(page)
        self._build()
        self._connect()
        self._show_batch()
        self._offer_first()
        self._refresh()

    # --- building ---

    def _build(self) -> None:
        bar = QWidget()
        bar.setProperty("panel", "bar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setFixedHeight(44)
        row = QHBoxLayout(bar)
        row.setContentsMargins(tokens.GAP, 0, tokens.GAP, 0)
        row.setSpacing(2)
        self.buttons: dict[str, QPushButton] = {}
        for entry in TOOLS:
            if entry is None:
                row.addSpacing(12)
                continue
            name, icon, title, tip, checkable = entry
            if name == "stale":
                row.addStretch(1)
                row.addWidget(self.stale)
                row.addSpacing(4)
                continue
            button = icon_button(icon, title, tip, checkable=checkable)
            button.clicked.connect(getattr(self, name))
            self.buttons[name] = button
            row.addWidget(button)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.stack, 1)
        middle.addWidget(self.details)
        self.details.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addLayout(middle, 1)
        column.addWidget(self.filmstrip)
        column.addWidget(self.line)
        self.zoom_label = QLabel()
        self.zoom_label.setProperty("role", "caption")
        self.zoom_label.setAccessibleName("Zoom")
        self.zoom_label.setToolTip("Screen pixels for one pixel of the picture. The wheel changes it.")
        self.zoom_label.setFixedWidth(36)
        row.insertWidget(2, self.zoom_label)

    def _connect(self) -> None:
        canvas = self._canvas
        canvas.request_changed.connect(self._show_batch)
        canvas.pictures_changed.connect(self._show_pictures)
        canvas.selection_changed.connect(self._show_selection)
        canvas.mode_changed.connect(self._refresh)
        canvas.state_changed.connect(self._refresh)
        canvas.progress_changed.connect(self._show_progress)
        canvas.step_changed.connect(self._show_step)
        canvas.stale_changed.connect(self.stale.setVisible)
        canvas.compare_changed.connect(self._refresh)
        canvas.pinned_changed.connect(self._refresh)
        self._studio.catalogue_changed.connect(self._offer_first)
        self._studio.catalogue_changed.connect(self._refresh)
        self.empty.tried.connect(self.generate_first)
        self.gallery.chosen.connect(self._studio.make_like)
        self.failed.retried.connect(self._studio.retry)
        self.grid.selected.connect(canvas.select)
        self.grid.opened.connect(self._open)
        self.grid.preview_wanted.connect(self.toggle_preview)
        self.grid.zoom_changed.connect(self._show_zoom)
        self.single.moved.connect(canvas.select_next)
        self.single.closed.connect(self.show_grid)
        self.single.preview_wanted.connect(self.toggle_preview)
        self.single.zoom_changed.connect(self._show_zoom)
        self.compare.view.zoom_changed.connect(self._show_zoom)
        self.compare.closed.connect(self.leave_compare)
        self.filmstrip.valueChanged.connect(self._scrubbed)
        self.filmstrip.sliderPressed.connect(self.player.stop)
        self.play.clicked.connect(self.play_steps)
        self.player.playing_changed.connect(self._show_playing)
        self.details.closed.connect(self.toggle_details)

    # --- verbs ---

    def view(self) -> ZoomView | None:
        """The surface on screen, if it shows pictures."""
        page = self.stack.currentWidget()
        if page is self.compare:
            return self.compare.view
        return page if isinstance(page, ZoomView) else None

    def fit(self) -> None:
        if (view := self.view()) is not None:
            view.fit()

    def actual_pixels(self) -> None:
        if (view := self.view()) is not None:
            view.actual_pixels()

    def show_grid(self) -> None:
        self._canvas.set_mode("grid")
        self._refresh()
        self.grid.setFocus()

    def show_single(self) -> None:
        if self._canvas.count:
            self._canvas.set_mode("single")
            self.single.setFocus()
        self._refresh()

    def toggle_compare(self) -> None:
        """Compare the selected picture with the one put aside, or with the batch before."""
        self._toggle("compare")

    def toggle_difference(self) -> None:
        """The same, as the difference of the two."""
        self._toggle("difference")

    def _toggle(self, mode: str) -> None:
        canvas = self._canvas
        if canvas.mode == mode:
            self.leave_compare()
        elif canvas.mode in ("compare", "difference"):
            canvas.set_mode(mode)  # the same two, looked at another way
            self.compare.view.setFocus()
        elif canvas.compare(mode):
            self.compare.view.setFocus()
        else:
            self._studio.notice.emit(
                "There is nothing to compare with yet. Generate once more, or select two pictures of the "
                "history and press C.",
                "info",
                None,
            )
        self._refresh()

    def leave_compare(self) -> None:
        self._canvas.leave_compare()
        self.grid.setFocus()

    def go_back(self) -> bool:
        """Close what is open over the grid (Esc). False: nothing was."""
        if self._preview is not None and self._preview.isVisible():
            self.toggle_preview()
        elif self._canvas.mode in ("compare", "difference"):
            self.leave_compare()
        elif self._canvas.mode == "single":
            self.show_grid()
        else:
            return False
        return True

    def toggle_preview(self) -> None:
        """The selected picture over the whole window, or back."""
        if self._preview is not None and self._preview.isVisible():
            self._preview.hide()
            (self.view() or self).setFocus()
            return
        if self._selected_image().isNull():
            return
        if self._preview is None:
            self._preview = LargePreview(self.window())
            self._preview.moved.connect(self._canvas.select_next)
            self._preview.closed.connect(self.toggle_preview)
        self._show_selected_image()
        self._preview.set_image(self._selected_image(), self.caption(self._canvas.selected))
        self._preview.show_over()

    def toggle_details(self) -> None:
        """Everything about the selected picture, beside it."""
        self.details.setVisible(not self.details.isVisibleTo(self))
        self.buttons["toggle_details"].setChecked(self.details.isVisibleTo(self))
        self._show_details()

    def save(self) -> None:
        """Ask how and where to save what is seen; says so while nothing of it is finished."""
        if not self._canvas.shown.count:
            self._studio.notice.emit("There is no finished picture to save yet.", "info", None)
            return
        from app.views.dialogs import SaveDialog

        self._save_dialog = SaveDialog.for_canvas(self._studio, self)
        self._save_dialog.open()

    def upsample(self) -> None:
        """Ask how the pictures are to be made large; does nothing where no upsampler goes with them."""
        if self._can_upsample():
            from app.views.upsample_dialog import UpsampleDialog

            self.upsampling = UpsampleDialog.for_canvas(self._studio, self)
            if self.upsampling is not None:
                self.upsampling.open()

    def _can_upsample(self) -> bool:
        request = self._canvas.request
        if request is None or request.kind != "generate" or not self._canvas.kept:
            return False
        info = self._studio.model_info(request.model)
        return self._canvas.result is not None and info is not None and info.upsampler is not None

    def export_steps(self) -> None:
        """Ask how and where to save the steps as an animation."""
        from app.views.dialogs import ExportStepsDialog

        if self._canvas.steps and self._canvas.result is not None:
            self._export_dialog = ExportStepsDialog(self._studio, self)
            self._export_dialog.open()

    def play_steps(self) -> None:
        """Play the steps from noise to picture, or stop at the one shown."""
        self.player.toggle()

    def _show_playing(self, playing: bool) -> None:
        icons.bind(self.play, "pause" if playing else "play")
        if playing:
            describe(self.play, "Stop at this step", "Stop at the step shown (P)")
        else:
            describe(self.play, "Play the steps", "Play the steps from noise to picture (P)")

    def toggle_star(self) -> None:
        """Star the selected picture in the history, or take its star away."""
        if (record_id := self._kept_id()) is not None:
            self._studio.star_records([record_id], not self._studio.history.starred([record_id]))

    def delete_selected(self) -> None:
        """Delete the selected picture from the history, with undo."""
        if (record_id := self._kept_id()) is not None:
            self._studio.delete_records([record_id])

    def _kept_id(self) -> int | None:
        """The id of the selected picture in the history; None, and a notice, if it is not there."""
        record_id = self._canvas.record_id_of(self._canvas.selected)
        if record_id is not None and not self._studio.history.is_deleted(record_id):
            return record_id
        if self._canvas.selected < 0:
            words = "No picture is selected. Click one first."
        elif record_id is None:
            words = "This picture is not in the history: only finished ones go there."
        else:
            words = "It is in the trash. Undo brings it back."
        self._studio.notice.emit(words, "info", None)
        return None

    def generate_first(self) -> None:
        """What the button of the empty canvas promises."""
        settings = self._studio.settings
        info = settings.model_info
        if info is not None and info.classes:
            settings.pick = (first_class(info.classes),)
        settings.count = _FIRST_COUNT
        self._studio.generate()

    # --- words ---

    def caption(self, index: int) -> str:
        """ "Ankle boot · seed 48151625" """
        request = self._canvas.request_of(index)
        seed = self._canvas.seed_of(index)
        if request is None or seed is None:
            return ""
        name = class_name(self._studio.catalogue, request.model, self._canvas.label_of(index))
        return f"{name} · seed {seed}" if name else f"seed {seed}"

    # --- showing what the model says ---

    def _offer_first(self, _catalogue: object = None) -> None:
        info = self._studio.settings.model_info
        name = info.classes[first_class(info.classes)].lower() if info and info.classes else "image"
        thing = plural(name) if len(name) <= _LONG_NAME else "images of a class"
        self.empty.offer(f"Generate {_FIRST_COUNT} {thing}")
        first = self._studio.history.is_empty()
        if first:
            self.gallery.refresh()
        else:
            self.gallery.hide()
        self.empty.greet(first)

    def _show_batch(self) -> None:
        canvas = self._canvas
        shown = canvas.picture(0) or (canvas.pictures if canvas.count else None)
        size = QSize(shown.width, shown.height) if shown is not None else QSize(32, 32)
        self.grid.set_batch(canvas.count, size)
        self.grid.set_selection(canvas.selected)
        self._show_frames()
        self._refresh()

    def _show_pictures(self, first: int, count: int) -> None:
        self.grid.pictures_changed(first, count)
        if first <= self._canvas.selected < first + count:
            self.buttons["save"].setEnabled(self._canvas.shown.count > 0)
            self._show_selected_image()
            self._show_details()

    def _show_selection(self, index: int) -> None:
        self.grid.set_selection(index)
        self._show_frames()
        self._refresh()

    def _selected_image(self) -> QImage:
        picture = self._canvas.picture(self._canvas.selected)
        return QImage() if picture is None else to_image(picture)

    def _show_selected_image(self) -> None:
        """Only views on screen convert a picture."""
        shown = [self.single] if self._canvas.mode == "single" else []
        if self._preview is not None and self._preview.isVisible():
            shown.append(self._preview)
        if not shown:
            return
        image, caption = self._selected_image(), self.caption(self._canvas.selected)
        for view in shown:
            view.set_image(image, caption)

    def _show_step(self) -> None:
        self._show_frames()
        self._refresh_line()

    def _show_frames(self) -> None:
        """The strip of steps, and which of them is looked at."""
        canvas = self._canvas
        result, steps = canvas.result, canvas.steps
        final = result.pictures if result is not None else None
        to_come = 0
        if canvas.busy and steps:
            final, to_come = canvas.live_pictures, canvas.progress.steps - steps[-1].step
        self.filmstrip.set_frames(
            steps, final, max(0, canvas.selected), live=canvas.busy, to_come=max(0, to_come)
        )
        self.filmstrip.set_shown(canvas.shown_step)
        self.filmstrip.setEnabled(bool(steps))
        self.play.setEnabled(bool(steps))

    def _scrubbed(self, _position: int) -> None:
        self._canvas.show_step(self.filmstrip.shown)

    def _show_zoom(self, _zoom: float = 0.0) -> None:
        view = self.view()
        zoom = view.zoom if view is not None else 0.0
        self.zoom_label.setText("" if view is None else f"{zoom:.0f}×" if zoom >= 1 else f"{zoom:.0%}")

    def _page(self) -> QWidget:
        canvas = self._canvas
        if canvas.mode in ("compare", "difference") and canvas.panes is not None:
            return self.compare
        if canvas.state == "failed":
            return self.failed
        if canvas.count == 0:
            return self.empty
        return self.single if canvas.mode == "single" else self.grid

    def _refresh(self, _signal: object = None) -> None:
        canvas = self._canvas
        self.failed.set_failure(canvas.failure)
        page = self._page()
        if page is not self.stack.currentWidget():
            had_focus = self.stack.isAncestorOf(self.focusWidget() or self)
            self.stack.setCurrentWidget(page)
            if had_focus:
                (self.view() or page).setFocus()
        self._show_selected_image()
        pictures = page in (self.grid, self.single)
        # The strip keeps its place while a job runs, so that nothing jumps when the steps come.
        self.filmstrip.setVisible(pictures and (bool(canvas.steps) or canvas.busy))
        self.stale.setVisible(canvas.stale and page is not self.empty)
        self.buttons["show_grid"].setChecked(page is self.grid)
        self.buttons["show_single"].setChecked(page is self.single)
        self.buttons["toggle_compare"].setChecked(page is self.compare and canvas.mode == "compare")
        self.buttons["toggle_difference"].setChecked(page is self.compare and canvas.mode == "difference")
        comparable = canvas.can_compare or canvas.panes is not None
        for name, enabled in (
            ("fit", self.view() is not None),
            ("actual_pixels", self.view() is not None),
            ("show_grid", canvas.count > 0),
            ("show_single", canvas.count > 0),
            ("toggle_compare", comparable),
            ("toggle_difference", comparable),
            ("save", canvas.shown.count > 0),
            ("export_steps", bool(canvas.steps) and canvas.result is not None),
            ("toggle_details", canvas.count > 0),
        ):
            self.buttons[name].setEnabled(enabled)
        self.buttons["upsample"].setVisible(self._can_upsample())
        self._fit_bar()
        self._show_zoom()
        self._show_progress()
        self._show_details()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_bar()

    def _fit_bar(self) -> None:
        self.stale.set_short(self.width() < _NARROW_BAR and self._can_upsample())

    def _show_details(self) -> None:
        if self.details.isVisibleTo(self):
            canvas, index = self._canvas, max(0, self._canvas.selected)
            self.details.show_facts(
                facts_of_result(self._studio.catalogue, canvas.request_of(index), canvas.shown.result, index),
                canvas.picture(index),
            )

    def _show_progress(self) -> None:
        progress = self._canvas.progress
        self.filmstrip.set_dots(progress.step, progress.steps)
        self._refresh_line()

    def _refresh_line(self) -> None:
        canvas = self._canvas
        progress = canvas.progress
        line, selected = self.line, canvas.selected
        line.setVisible(canvas.state != "empty" and canvas.state != "failed")
        chosen = f"{selected + 1} of {canvas.count} · {self.caption(selected)}" if selected >= 0 else ""
        fraction: float | None = None
        match canvas.state:
            case "starting":
                fraction = 0.0
                line.say("Starting the engine: your pictures begin as soon as it is ready", icon="generate")
            case "loading":
                fraction = progress.loading
                line.say(f"Loading the model · {progress.loading:.0%}", icon="models")
            case "running":
                fraction = progress.fraction
                line.say(*progress_words(progress, canvas.count), icon="generate", role="accent")
            case "stopped":
                kept = canvas.kept
                words = (
                    f"Stopped. {counted(kept, 'finished image')} kept, in the history too."
                    if kept
                    else "Stopped: no image is finished, this is how far it came."
                )
                line.say(words, chosen, icon="stop", role="care")
            case "recovered":
                line.say(" ".join(canvas.notices), icon="warning", role="care")
            case _:
                line.say(chosen or counted(canvas.count, "image"), self._summary())
        line.set_fraction(fraction)

    def _summary(self) -> str:
        """What a finished batch cost: evaluations and time."""
        result = self._canvas.result
        if result is None:
            return ""
        return f"{counted(result.evaluations, 'evaluation')} · {seconds(result.seconds)}"

    # --- pointer and keys ---

    def _open(self, index: int) -> None:
        self._canvas.select(index)
        self.show_single()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys the surfaces leave over; those that scrub work from anywhere on the canvas."""
        alt = event.modifiers() == Qt.KeyboardModifier.AltModifier
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        key = Qt.Key(event.key())
        if alt and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._canvas.step_by(-1 if key == Qt.Key.Key_Left else 1)
        elif plain and key in KEYS:
            getattr(self, KEYS[key])()
        elif plain and key == Qt.Key.Key_Escape and self.go_back():
            pass
        else:
            super().keyPressEvent(event)
