"""The stage: one large picture of what was touched last, the pad, the walk or the film."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.failure import Failure
from app.models.traverse.desk import TraverseModel
from app.views import icons, tokens
from app.views.fields import Segments, icon_button
from app.views.help import describe
from app.views.image_view import ImageView
from app.views.picture_images import to_image
from app.views.words import breakable, counted
from engine.messages import Pictures

__all__ = ["Stage"]


class Stage(QWidget):
    """Shows pictures and, where there is none, what to do or what is waited for."""

    edit_wanted = Signal(object)  # Path of a picture: send it to the Edit room

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self.setProperty("panel", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._traverse = traverse
        self._shown: Pictures | None = None
        self.which = Segments(
            (
                ("pad", "Pad", "Show the point of the pad."),
                ("walk", "Walk", "Show the walk at the playhead."),
                ("film", "Film", "Show the video that was opened."),
            )
        )
        self.view = ImageView()
        self.view.setAccessibleName("Stage")
        self.view.setMinimumSize(120, 100)
        self.empty = QLabel()
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "quiet")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.example = QPushButton("Show me a random walk")
        describe(
            self.example,
            "Show me a random walk",
            "Put six seeds on the timeline, a smooth closed curve through them, and play it.",
        )
        self.four = QPushButton("Try the pad with four seeds")
        describe(self.four, "Try the pad with four seeds", "Pin four seeds to the corners of the pad.")
        self.failure = QLabel()
        self.failure.setWordWrap(True)
        self.failure.setProperty("role", "error")
        self.failure.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.failure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.retry = QPushButton("Try again")
        icons.bind(self.retry, "retry")
        describe(self.retry, "Try again", "Make this picture again.")
        self.copy_details = QPushButton("Copy details")
        icons.bind(self.copy_details, "copy")
        describe(self.copy_details, "Copy details", "Copy what went wrong, in full, to the clipboard.")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.bar.setAccessibleName("Loading the model")
        self.note = QLabel()
        self.note.setProperty("role", "caption")
        self.note.setAccessibleName("About this picture")
        self.add_key = icon_button(
            "plus",
            "Add a keyframe of this",
            "Put what is shown on the timeline as a keyframe (K on the timeline).",
        )
        self.shelve = icon_button(
            "star", "Put it on the shelf", "Keep the latent of what is shown on the shelf."
        )
        self.edit = icon_button("edit", "Send to Edit", "Open this picture in the Edit room.")
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(tokens.GAP, tokens.GAP, tokens.GAP, tokens.GAP_TINY)
        top.setSpacing(tokens.GAP_TINY)
        top.addWidget(self.which)
        top.addStretch(1)
        for button in (self.add_key, self.shelve, self.edit):
            top.addWidget(button)
        nothing = QWidget()
        column = QVBoxLayout(nothing)
        column.setContentsMargins(24, 8, 24, 8)
        column.setSpacing(12)
        column.addStretch(1)
        column.addWidget(self.empty)
        column.addWidget(self.four, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.example, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        broken = QWidget()
        column = QVBoxLayout(broken)
        column.setContentsMargins(24, 8, 24, 8)
        column.setSpacing(12)
        column.addStretch(1)
        column.addWidget(self.failure)
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.retry)
        buttons.addWidget(self.copy_details)
        buttons.addStretch(1)
        column.addLayout(buttons)
        column.addStretch(1)
        self.stack = QStackedWidget()
        for page in (self.view, nothing, broken):
            self.stack.addWidget(page)
        self._nothing, self._broken = nothing, broken
        foot = QHBoxLayout()
        foot.setContentsMargins(tokens.GAP, 0, tokens.GAP, tokens.GAP_TINY)
        foot.addWidget(self.note, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(top)
        whole.addWidget(self.bar)
        whole.addWidget(self.stack, 1)
        whole.addLayout(foot)

    def _connect(self) -> None:
        traverse = self._traverse
        self.which.chosen.connect(traverse.set_stage)
        self.example.clicked.connect(self._show_example)
        self.four.clicked.connect(lambda: traverse.pin_seeds())
        self.retry.clicked.connect(self._retry)
        self.copy_details.clicked.connect(self._copy_details)
        self.add_key.clicked.connect(traverse.add_here)
        self.shelve.clicked.connect(traverse.shelve_here)
        self.edit.clicked.connect(self._send)
        traverse.stage_changed.connect(self.refresh)
        traverse.pad.picture_changed.connect(self._on_pad)
        traverse.pad.state_changed.connect(self._on_pad_state)
        traverse.pad.rate_changed.connect(self._say)
        traverse.timeline.playhead_changed.connect(self._on_walk)
        traverse.timeline.changed.connect(self._on_walk)
        traverse.drafts.changed.connect(self._on_walk)
        traverse.drafts.state_changed.connect(self._on_walk)
        traverse.film.opened.connect(self.refresh)
        traverse.film.ready.connect(self.refresh)
        traverse.film.frame_changed.connect(self._on_film)
        traverse.film.failed.connect(self._on_film)

    # --- what is shown

    @property
    def picture(self) -> Pictures | None:
        """What is on screen."""
        return self._shown

    @Slot()
    def refresh(self) -> None:
        """Show what the stage shows, all of it."""
        traverse = self._traverse
        self.which.choose(traverse.stage)
        self.which.buttons["film"].setEnabled(traverse.film.path is not None)
        failure: Failure | None = None
        loading: float | None = None
        picture: Pictures | None = None
        if traverse.stage == "pad":
            pad = traverse.pad
            picture, failure = pad.picture, pad.failure if pad.state == "failed" else None
            loading = pad.loading if pad.state == "loading" else None
            self.empty.setText(
                "Pin two latents or more to the pad and drag between them: the picture follows your hand."
                if not pad.pins
                else "The engine is starting. Drag already: the picture comes as soon as it can."
            )
        elif traverse.stage == "walk":
            drafts, timeline = traverse.drafts, traverse.timeline
            found = drafts.nearest(timeline.frame) if timeline.keys else None
            picture = found[1] if found is not None else None
            failure = drafts.failure if drafts.state == "failed" else None
            loading = drafts.loading if drafts.state == "loading" else None
            if not timeline.keys:
                words = "A walk goes from latent to latent. Drop some on the timeline below, or try this:"
            elif not traverse.quality.usable(timeline.model) and traverse.quality.catalogue.models:
                words = (
                    f"The model {timeline.model} is not here, so the walk can't be shown. Import it in Models; "
                    "the walk is kept."
                )
            elif len(timeline.keys) == 1 and not timeline.plan:
                words = "One more keyframe, and it is a walk."
            else:
                words = "The first frames are on their way."
            self.empty.setText(words)
        else:
            picture, failure = traverse.film.picture, traverse.film.failure
            opening = traverse.film.path is not None and traverse.film.total == 0
            self.empty.setText(
                "The film is being opened." if opening else "Drop a video on the window to play it here."
            )
        nothing = not traverse.pad.pins and not traverse.timeline.keys
        self.example.setVisible(nothing and traverse.stage != "film")
        self.four.setVisible(not traverse.pad.pins and traverse.stage == "pad")
        self._show(picture, failure)
        self.bar.setVisible(loading is not None)
        if loading is not None:
            self.bar.setValue(round(1000 * loading))
        self._say()

    def _show(self, picture: Pictures | None, failure: Failure | None) -> None:
        if failure is not None:
            self.failure.setText(breakable(failure.message))
            self.copy_details.setVisible(bool(failure.details))
            self.stack.setCurrentWidget(self._broken)
        elif picture is None:
            self.stack.setCurrentWidget(self._nothing)
        else:
            if picture is not self._shown:
                self.view.set_image(to_image(picture), "")
            self.stack.setCurrentWidget(self.view)
        if picture is None:
            self.view.set_image(QImage(), "")
        self._shown = picture
        for button in (self.add_key, self.shelve):
            button.setEnabled((picture is not None and self._traverse.stage != "film") or self._has_spot())
        self.edit.setEnabled(picture is not None)

    def _has_spot(self) -> bool:
        return self._traverse.stage == "film" and self._traverse.film.walk is not None

    @Slot()
    def _on_pad(self) -> None:
        if self._traverse.stage == "pad":
            picture = self._traverse.pad.picture
            if picture is None or self.stack.currentWidget() is not self.view or self.bar.isVisible():
                self.refresh()
            else:  # twenty times a second and more: only what changes
                self._shown = picture
                self.view.set_image(to_image(picture), "")

    @Slot()
    def _on_pad_state(self) -> None:
        if self._traverse.stage == "pad":
            self.refresh()

    @Slot()
    def _on_walk(self) -> None:
        if self._traverse.stage == "walk":
            self.refresh()

    @Slot()
    def _on_film(self) -> None:
        if self._traverse.stage == "film":
            self.refresh()

    @Slot()
    def _say(self) -> None:
        """The line below the picture."""
        traverse = self._traverse
        words = ""
        if traverse.stage == "pad" and traverse.pad.pins:
            pad = traverse.pad
            if pad.moving and pad.rate:
                late = sorted(pad.delays)[len(pad.delays) // 2] if pad.delays else 0.0
                words = f"{pad.rate:.0f} pictures a second, {1000 * late:.0f} ms behind the hand"
            elif pad.state == "loading":
                words = "Loading the model"
            elif pad.picture is not None:
                words = "Draft, 5 steps" if pad.picture_is_draft else "Full quality"
        elif traverse.stage == "walk" and traverse.timeline.keys:
            timeline, drafts = traverse.timeline, traverse.drafts
            words = f"Frame {timeline.frame + 1:,} of {timeline.total:,}"
            if drafts.state == "loading":
                words = "Loading the model"
            elif self._shown is not None:
                words += {0: " · nearest draft", 1: " · draft", 2: " · full quality"}[
                    drafts.level(timeline.frame)
                ]
        elif traverse.stage == "film" and traverse.film.path is not None:
            film = traverse.film
            name = film.path.name if film.path is not None else ""
            words = (
                f"{name}: frame {film.frame + 1:,} of {counted(film.total, 'frame')}" if film.total else name
            )
        if words != self.note.text():
            self.note.setText(words)
            self.view.setAccessibleDescription(words)

    # --- what the buttons do

    @Slot()
    def _show_example(self) -> None:
        self._traverse.random_walk()
        self._traverse.player.play()

    @Slot()
    def _retry(self) -> None:
        traverse = self._traverse
        if traverse.stage == "pad":
            traverse.pad.retry()
        elif traverse.stage == "walk":
            traverse.drafts.retry()
        elif traverse.film.path is not None:
            traverse.show_film(traverse.film.path)

    @Slot()
    def _copy_details(self) -> None:
        from PySide6.QtGui import QGuiApplication

        traverse = self._traverse
        failure = {"pad": traverse.pad.failure, "walk": traverse.drafts.failure}.get(
            traverse.stage, traverse.film.failure
        )
        if failure is not None:
            QGuiApplication.clipboard().setText(f"{failure.message}\n\n{failure.details}")

    @Slot()
    def _send(self) -> None:
        if self._shown is not None and (path := self._traverse.picture_file(self._shown)) is not None:
            self.edit_wanted.emit(path)
