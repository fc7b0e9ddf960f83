"""The middle of the Edit room: what goes in, how it comes back, what it is changed into."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.edit.asking import FARTHEST, STRIP
from app.models.edit.edits import Edits
from app.models.edit.facts import facts_of_fidelity, fidelity_words
from app.models.edit.tree import EditNode
from app.views import theme, tokens
from app.views.canvas_states import FailedPage, StateLine, progress_words
from app.views.edit.brush_canvas import BrushCanvas
from app.views.edit.class_dialog import ClassDialog
from app.views.edit.following_view import link
from app.views.edit.linked_view import LinkedView, Pane
from app.views.edit.stage_pages import EmptyStage, PlotPage
from app.views.edit.strip_view import StripView
from app.views.edit.tool_panel import ToolPanel
from app.views.fields import icon_button
from app.views.picture_images import to_image
from app.views.words import counted, seconds
from app.views.zoom_view import ZoomView
from engine.messages import Pictures

__all__ = ["Stage"]


class Stage(QWidget):
    """Toolbar, pictures, strips, line of state."""

    save_wanted = Signal()  # the picture looked at

    def __init__(self, edits: Edits, panel: ToolPanel) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(360)
        self._edits = edits
        self._panel = panel
        self._images: dict[int, tuple[Pictures, QImage]] = {}
        self._difference = True
        self._plot = False
        self.dialog: ClassDialog | None = None
        self.empty = EmptyStage()
        self.failed = FailedPage()
        self.linked = LinkedView("Pictures beside each other")
        self.mask_canvas = BrushCanvas("Mask to paint")
        self.mask_canvas.set_layer(edits.pending.mask)
        self.paint_canvas = BrushCanvas("Picture to paint on")
        self.paint_canvas.set_layer(edits.pending.paint)
        for canvas in (self.mask_canvas, self.paint_canvas, self.linked):
            canvas.setMinimumWidth(120)
        self.paint_canvas.colour = panel.paint_page.colour
        self.plot_page = PlotPage(edits)
        self.variations = StripView("Variations", "Which of the variations is meant: Left and Right.")
        self.strip = StripView("Strength", "The edit over its strength: choose one with Left and Right.")
        self.line = StateLine()
        self.readout = QLabel()
        self.readout.setProperty("role", "caption")
        self.readout.setAccessibleName("Pixel under the pointer")
        self.readout.setFont(theme.current().font(tokens.FONT_CAPTION, figures=True))
        self._build()
        self._connect()
        self.refresh()

    # --- building

    def _build(self) -> None:
        bar = QWidget()
        bar.setProperty("panel", "bar")
        bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        bar.setFixedHeight(44)
        row = QHBoxLayout(bar)
        row.setContentsMargins(tokens.GAP, 0, tokens.GAP, 0)
        row.setSpacing(2)
        self.fit_button = icon_button("fit", "Fit", "Show all of it, as large as whole pixels allow (0).")
        self.actual_button = icon_button(
            "actual", "Actual pixels", "One screen pixel for one of the picture (1)."
        )
        self.difference_button = icon_button(
            "difference", "Difference", "Show what differs, brightened to be seen (D).", checkable=True
        )
        self.plot_button = icon_button(
            "lab", "Error versus steps", "How closely the picture comes back by the number of steps (E).",
            checkable=True,
        )  # fmt: skip
        self.zoom_label = QLabel()
        self.zoom_label.setProperty("role", "caption")
        self.zoom_label.setAccessibleName("Zoom")
        self.zoom_label.setToolTip("Screen pixels for one pixel of the picture. The wheel changes it.")
        self.zoom_label.setFixedWidth(36)
        for widget in (self.fit_button, self.actual_button, self.zoom_label):
            row.addWidget(widget)
        row.addSpacing(12)
        row.addWidget(self.difference_button)
        row.addWidget(self.plot_button)
        row.addStretch(1)
        row.addWidget(self.readout)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(self.mask_canvas)
        self.splitter.addWidget(self.paint_canvas)
        self.splitter.addWidget(self.linked)
        self.strips = QWidget()
        self.strips.setProperty("panel", "panel")
        self.strips.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        below = QVBoxLayout(self.strips)
        below.setContentsMargins(12, tokens.GAP, 12, tokens.GAP)
        below.setSpacing(tokens.GAP_TINY)
        below.addWidget(self.variations)
        below.addWidget(self.strip)
        self.stack = QStackedWidget()
        for page in (self.empty, self.failed, self.splitter, self.plot_page):
            self.stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(bar)
        column.addWidget(self.stack, 1)
        column.addWidget(self.strips)
        column.addWidget(self.line)

    def _connect(self) -> None:
        edits, pending = self._edits, self._edits.pending
        self.fit_button.clicked.connect(self.fit)
        self.actual_button.clicked.connect(self.actual_pixels)
        self.difference_button.clicked.connect(self.toggle_difference)
        self.plot_button.clicked.connect(self.toggle_plot)
        self.linked.zoom_changed.connect(self._show_zoom)
        self.linked.hovered.connect(self._show_pixel)
        self.strip.chosen.connect(self._choose_strength)
        self.variations.chosen.connect(pending.select)
        self.failed.retried.connect(edits.encode.retry)
        for canvas in (self.mask_canvas, self.paint_canvas):
            link(canvas, self.linked)
            canvas.painted.connect(pending.settle)
        self.mask_canvas.erase_changed.connect(self._show_erase)
        self._panel.mask_page.brush.mode.chosen.connect(
            lambda mode: self.mask_canvas.set_erase(mode == "erase")
        )
        self.paint_canvas.picked.connect(self._panel.paint_page.take)
        pending.mask.changed.connect(self._draft_while_painting)
        pending.paint.changed.connect(self._draft_while_painting)
        edits.page_changed.connect(self.refresh)
        edits.sessions.current_changed.connect(self.refresh)
        edits.encode.state_changed.connect(self.refresh)
        edits.encode.preview_changed.connect(self._show_pictures)
        edits.encode.progress_changed.connect(self._refresh_line)
        edits.encode.class_wanted.connect(self._ask_class)
        edits.encode.refused.connect(self.empty.refuse)
        edits.encode.state_changed.connect(self._forget_refusal)
        pending.tool_changed.connect(self.refresh)
        pending.pictures_changed.connect(self._show_pictures)
        pending.pictures_changed.connect(self._show_strips)
        pending.strip_changed.connect(self._show_strips)
        pending.state_changed.connect(self._refresh_line)
        pending.changed.connect(self._show_strips)

    # --- verbs

    def view(self) -> ZoomView | None:
        """The surface on screen that zooms, if there is one."""
        return self.linked if self.stack.currentWidget() is self.splitter else None

    def _views(self) -> list[ZoomView]:
        views: list[ZoomView] = [self.linked, self.mask_canvas, self.paint_canvas]
        return [view for view in views if view.isVisible()]

    def fit(self) -> None:
        for view in self._views():
            view.fit()

    def actual_pixels(self) -> None:
        for view in self._views():
            view.actual_pixels()

    def toggle_difference(self) -> None:
        self._difference = not self._difference
        self.refresh()

    def toggle_plot(self) -> None:
        self._plot = not self._plot
        self.refresh()

    def leave_plot(self) -> bool:
        """Back to the pictures; False if they are there."""
        if self.stack.currentWidget() is not self.plot_page:
            return False
        self.toggle_plot()
        return True

    def _choose_strength(self, index: int) -> None:
        strengths = (0.0, *STRIP)
        if self._edits.pending.tool == "attribute":
            farthest = math.copysign(FARTHEST, self._edits.pending.asked.scale)
            self._edits.pending.set(scale=round(farthest * strengths[index], 3))
        else:
            self._edits.pending.set(strength=strengths[index])

    def _draft_while_painting(self) -> None:
        layer = self._edits.layer
        if layer is not None and layer.painting:
            self._edits.pending.drag()

    def _show_erase(self, erase: bool) -> None:
        self._panel.mask_page.brush.mode.choose("erase" if erase else "paint")

    @Slot(int)
    def _ask_class(self, count: int) -> None:
        self.dialog = ClassDialog(self._edits, count, self)
        self.dialog.finished.connect(self._class_done)
        self.dialog.open()

    def _class_done(self) -> None:
        self.dialog = None

    # --- showing

    def refresh(self, _signal: object = None) -> None:
        edits, page = self._edits, self._edits.page
        self.failed.set_failure(edits.encode.failure)
        tool = edits.pending.tool
        shown: QWidget = {"empty": self.empty, "failed": self.failed}.get(page, self.splitter)
        if shown is self.splitter and self._plot and page != "encoding" and not tool:
            shown = self.plot_page
        if self.stack.currentWidget() is not shown:
            self.stack.setCurrentWidget(shown)
        painting = (tool == "mask", tool == "paint")
        before = (self.mask_canvas.isVisibleTo(self.splitter), self.paint_canvas.isVisibleTo(self.splitter))
        for canvas, wanted in zip((self.mask_canvas, self.paint_canvas), painting, strict=True):
            canvas.setVisible(wanted and page == "edit")
        if painting != before:
            half = max(1, self.splitter.width() // 2)
            self.splitter.setSizes([half, half, half])
        pictures = shown is self.splitter
        for button in (self.fit_button, self.actual_button):
            button.setEnabled(pictures)
        self.difference_button.setEnabled(pictures and page != "encoding")
        self.difference_button.setChecked(self._difference and pictures)
        self.plot_button.setEnabled(shown is self.plot_page or (pictures and page != "encoding" and not tool))
        self.plot_button.setChecked(shown is self.plot_page)
        self._show_pictures()
        self._show_strips()
        self._refresh_line()
        self._show_zoom()
        if shown is not self.empty:
            self.empty.refuse("")

    def _forget_refusal(self, state: str) -> None:
        if state:
            self.empty.refuse("")

    def _image(self, picture: Pictures | None) -> QImage:
        """As a QImage, made once for each picture that is on screen."""
        if picture is None:
            return QImage()
        kept = self._images.get(id(picture))
        if kept is None or kept[0] is not picture:
            if len(self._images) > 64:
                self._images.clear()
            kept = self._images[id(picture)] = (picture, to_image(picture))
        return kept[1]

    def _show_pictures(self) -> None:
        page = self._edits.page
        if page == "encoding":
            encode = self._edits.encode
            panes = [Pane("Original", self._image(encode.original))] if encode.count == 1 else []
            panes.append(Pane("On its way to noise", self._image(encode.preview)))
        elif page == "round trip":
            panes = self._round_trip()
        elif page == "edit":
            panes = self._edited()
        else:
            return
        self.linked.set_panes(panes)

    def _round_trip(self) -> list[Pane]:
        edits, node = self._edits, self._edits.current
        assert node is not None
        original = edits.sessions.picture(node)
        back = edits.sessions.picture(node, "round_trip")
        panes = [Pane("Original", self._image(original))]
        if back is not None:
            panes.append(Pane("Round trip", self._image(back)))
            panes += self._difference_pane(original, back)
        noise = edits.sessions.noise(node)
        if noise is not None and self._difference:
            panes.append(Pane("Its noise", self._image(noise)))
        return panes

    def _difference_pane(self, left: Pictures | None, right: Pictures | None) -> list[Pane]:
        difference = self._edits.difference(left, right) if self._difference else None
        if difference is None or difference.picture is None:
            return []
        words = "no difference" if difference.largest == 0 else f"difference ×{difference.gain}"
        return [Pane(words.capitalize(), to_image(difference.picture))]

    def _edited(self) -> list[Pane]:
        edits, pending = self._edits, self._edits.pending
        node = edits.current
        assert node is not None
        now = edits.sessions.picture(node)
        if not pending.tool:
            before = edits.before()
            was = edits.sessions.picture(before) if before is not None else None
            panes = [Pane(before.name, self._image(was))] if before is not None else []
            return [*panes, Pane(node.name, self._image(now)), *self._difference_pane(was, now)]
        made = pending.pictures.one(pending.selected) if pending.pictures is not None else None
        title = pending.title + ("" if pending.final or made is None else " (draft)")
        if pending.tool in ("mask", "paint"):
            if pending.tool == "mask":
                self.mask_canvas.set_base(self._image(now))
            return [Pane("As it is" if made is None else title, self._image(now if made is None else made))]
        panes = [Pane(node.name, self._image(now)), Pane(title, self._image(made))]
        return panes + (self._difference_pane(now, made) if made is not None else [])

    def _show_strips(self) -> None:
        edits, pending = self._edits, self._edits.pending
        shown = bool(pending.tool) and edits.page == "edit" and pending.outcome is not None
        self.strips.setVisible(shown)
        if not shown:
            return
        pictures = pending.pictures
        several = pending.tool == "vary" and pictures is not None and pictures.count > 1
        self.variations.setVisible(several)
        if several and pictures is not None:
            images = [to_image(pictures, i) for i in range(pictures.count)]
            self.variations.show_pictures(images, [str(i + 1) for i in range(pictures.count)])
            self.variations.select(pending.selected)
        node, strip = edits.current, pending.strip
        base = self._image(edits.sessions.picture(node)) if node is not None else QImage()
        marks: list[float] = [0.0, *STRIP]
        words = [f"{mark:.0%}" for mark in marks]
        here = pending.asked.strength
        if pending.tool == "attribute":
            here = pending.asked.scale
            marks = [math.copysign(FARTHEST, here) * mark for mark in marks]
            words = [f"{mark:+.1f}" for mark in marks]
        if strip is None:
            images = [base] + [QImage()] * len(STRIP)
        else:
            images = [base] + [to_image(strip.pictures, i) for i in range(strip.pictures.count)]
        self.strip.show_pictures(images, words, waiting=not (pending.strip_current and pending.final))
        near = min(range(len(marks)), key=lambda i: abs(marks[i] - here))
        self.strip.select(near if abs(marks[near] - here) < 0.005 else -1)

    def _show_zoom(self, _zoom: float = 0.0) -> None:
        view = self.view()
        zoom = view.zoom if view is not None else 0.0
        self.zoom_label.setText("" if view is None else f"{zoom:.0f}×" if zoom >= 1 else f"{zoom:.0%}")

    def _show_pixel(self, x: int, y: int) -> None:
        if x < 0:
            self.readout.setText("")
            return
        values = []
        for pane in self.linked.panes[:2]:
            if pane.image.rect().contains(x, y):
                colour = pane.image.pixelColor(x, y)
                grey = colour.red() == colour.green() == colour.blue()
                values.append(
                    str(colour.red()) if grey else f"{colour.red()} {colour.green()} {colour.blue()}"
                )
        self.readout.setText(f"{x}, {y}:  {' → '.join(values)}" if values else "")

    # --- the line of state

    def _refresh_line(self, _signal: object = None) -> None:
        edits = self._edits
        page = edits.page
        self.line.setVisible(page not in ("empty", "failed"))
        fraction: float | None = None
        if page == "encoding":
            fraction = self._say_encoding()
        elif edits.pending.tool:
            self._say_pending()
        else:
            node = edits.current
            self.line.say(*(self._words(node) if node is not None else ("", "")))
        self.line.set_fraction(fraction)

    def _say_encoding(self) -> float | None:
        encode = self._edits.encode
        match encode.state:
            case "waiting" if self._edits.engine_state == "starting":
                self.line.say(
                    f"Starting the engine: {encode.name} is encoded as soon as it is ready", icon="generate"
                )
                return 0.0
            case "waiting":
                self.line.say(f"{encode.name} waits for its turn", "Esc takes it back", icon="queue")
                return 0.0
            case "loading":
                self.line.say(f"Loading the model · {encode.progress.loading:.0%}", icon="models")
                return encode.progress.loading
            case "stopped":
                self.line.say(f"Stopped: {encode.name} is not encoded.", icon="stop", role="care")
                return None
        left, right = progress_words(encode.progress, encode.count)
        self.line.say(f"Encoding {encode.name} · {left}", right, icon="generate", role="accent")
        return encode.progress.fraction

    def _say_pending(self) -> None:
        pending = self._edits.pending
        if pending.problem is not None:
            self.line.say(pending.problem.message, icon="info", role="quiet")
            return
        if pending.loading is not None:
            self.line.say(f"Loading the model · {pending.loading:.0%}", icon="models")
            return
        outcome = pending.outcome
        if outcome is None:
            self.line.say("Trying it out…", icon="generate", role="accent")
            return
        rate = pending.drafts_per_second
        words = fidelity_words(
            facts_of_fidelity(outcome.fidelity[min(pending.selected, len(outcome.fidelity) - 1)])
        )
        if pending.state == "draft":
            self.line.say(f"Draft at {outcome.request.steps} steps", f"{rate:.0f} a second" if rate else "")
        else:
            cost = f"{counted(outcome.evaluations, 'evaluation')} · {seconds(outcome.seconds)}"
            self.line.say(f"{words} to the picture before", cost)

    def _words(self, node: EditNode) -> tuple[str, str]:
        facts = node.facts
        cost = ""
        if facts.get("evaluations"):
            cost = f"{counted(int(facts['evaluations']), 'evaluation')} · {seconds(float(facts.get('seconds', 0)))}"
        if node.kind == "picture":
            return str(facts.get("comes_back") or node.name), cost
        return f"{node.name}: {fidelity_words(facts)} to the picture before", cost

    # --- keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if plain and event.key() == Qt.Key.Key_D and self.difference_button.isEnabled():
            self.toggle_difference()
        elif plain and event.key() == Qt.Key.Key_E and self.plot_button.isEnabled():
            self.toggle_plot()
        elif plain and event.key() == Qt.Key.Key_0:
            self.fit()
        elif plain and event.key() == Qt.Key.Key_S and self._edits.current is not None:
            self.save_wanted.emit()
        else:
            super().keyPressEvent(event)
