"""The panel at the right: the chosen keyframe, and the walk as a whole."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.models.settings import PRESETS
from app.models.traverse.desk import TraverseModel
from app.models.traverse.keys import key_words
from app.models.traverse.shelf import label_words
from app.models.traverse.spots import short_id, source_words
from app.views import icons, tokens
from app.views.fields import Choice, Segments, Switch, icon_button
from app.views.help import describe
from app.views.traverse.easing_editor import EasingEditor, cubic_of
from app.views.traverse.render_card import RenderCard
from app.views.traverse.rows import NumberField, Row, call_with
from app.views.words import breakable, counted, seconds

__all__ = ["KeyPanel"]

_EASINGS = (
    ("linear", "Even", "The same speed all the way."),
    ("smooth", "Smooth", "Slow at both ends."),
    ("in", "Slow start", "Begins slowly, arrives at full speed."),
    ("out", "Slow end", "Begins at full speed, arrives slowly."),
    ("custom", "Own curve", "Shape the curve below yourself."),
)
_MIXED = "mixed"


class KeyPanel(QWidget):
    """Everything that is typed about a walk. What is typed wrongly is said beside it."""

    render_wanted = Signal()

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._traverse = traverse
        self._timeline = traverse.timeline
        self._filling = False
        self._classes: tuple[str, ...] | None = None
        self._make_key_rows()
        self._make_walk_rows()
        self._build()
        self._connect()
        self.refresh()

    # --- building

    def _make_key_rows(self) -> None:
        self.title = QLabel()
        self.title.setProperty("role", "strong")
        self.about = QLabel()
        self.about.setProperty("role", "caption")
        self.about.setWordWrap(True)
        self.copy_id = icon_button("copy", "Copy the short id", "Copy the ten letters that name this latent.")
        self.name = QLineEdit()
        describe(self.name, "Name of the keyframe", "A name for this keyframe.")
        self.label = Choice(elides=True)
        describe(
            self.label,
            "Class of the keyframe",
            "What the picture shows here. Between two classes it is mixed.",
        )
        self.guidance = NumberField(
            "Guidance", "How hard the picture is pushed towards its class here; it changes along the way.",
            step=0.1, term="guidance",
        )  # fmt: skip
        self.hold = NumberField(
            "Hold", "How long the walk stands still here.", step=0.1, unit="s", term="hold"
        )
        self.way = NumberField("Then", "How long the way to the next keyframe takes.", step=0.1, unit="s")
        self.easing = Choice()
        describe(self.easing, "Easing", term="easing")
        for value, title, tip in _EASINGS:
            self.easing.addItem(title, value)
            self.easing.setItemData(self.easing.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.curve = EasingEditor()

    def _make_walk_rows(self) -> None:
        self.walk_name = QLineEdit()
        self.walk_name.setPlaceholderText("Walk")
        describe(self.walk_name, "Name of the walk", "What the walk is called; the file is called so, too.")
        self.fps = NumberField(
            "Frames", "Frames a second: 24 as in the cinema, 30 or 60 for smooth motion.", unit="/s"
        )
        self.total = NumberField(
            "Length", "How long the whole walk lasts; every part is stretched alike.", unit="s"
        )
        self.loop = Switch("Closed")
        describe(
            self.loop, "Loop", "The walk closes: the first frame follows the last without being shown twice."
        )
        self.path = Segments(
            (
                ("arcs", "Arcs", "On great circles straight from keyframe to keyframe."),
                ("smooth", "Smooth", "One curve through all keyframes, without corners."),
            )
        )
        self.pace = Switch("Constant pace")
        describe(self.pace, "Constant pace", term="pace")
        self.pace_note = QLabel()
        self.pace_note.setProperty("role", "caption")
        self.pace_note.setWordWrap(True)
        self.quality = Segments(
            tuple(
                (name, name.capitalize(), f"{steps} steps for every picture that is kept.")
                for name, steps in PRESETS.items()
            )
        )
        self.render_button = QPushButton("Render a video…")
        self.render_button.setProperty("kind", "primary")
        icons.bind(self.render_button, "film", "on_accent")
        describe(
            self.render_button,
            "Render a video",
            "Choose format, size and place, and make the video (Ctrl+Enter).",
        )
        self.card = RenderCard(self._traverse)

    def _build(self) -> None:
        inside = QWidget()
        inside.setProperty("panel", "plain")
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 8, 12, 16)
        column.setSpacing(6)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.copy_id)
        self.rows = {
            "name": Row("Name", self.name),
            "label": Row("Class", self.label),
            "guidance": self.guidance,
            "hold": self.hold,
            "seconds": self.way,
            "easing": Row("Easing", self.easing),
            "walk_name": Row("Name", self.walk_name),
            "fps": self.fps,
            "total": self.total,
            "loop": Row("Loop", self.loop),
            "path": Row("Path", self.path),
            "constant_pace": Row("Pace", self.pace),
            "quality": Row("Quality", self.quality),
        }
        self.key_part = QWidget()
        part = QVBoxLayout(self.key_part)
        part.setContentsMargins(0, 0, 0, 0)
        part.setSpacing(6)
        for name in ("name", "label", "guidance", "hold", "seconds", "easing"):
            part.addWidget(self.rows[name])
        part.addWidget(self.curve)
        walk = QLabel("Walk")
        walk.setProperty("role", "strong")
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.key_part)
        column.addSpacing(tokens.GAP)
        column.addWidget(walk)
        for name in ("walk_name", "fps", "total", "loop", "path", "constant_pace"):
            column.addWidget(self.rows[name])
        column.addWidget(self.pace_note)
        column.addWidget(self.rows["quality"])
        column.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(inside)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 16)
        foot.setSpacing(tokens.GAP)
        foot.addWidget(self.card)
        foot.addWidget(self.render_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.area, 1)
        whole.addLayout(foot)

    def _connect(self) -> None:
        timeline, traverse = self._timeline, self._traverse
        timeline.changed.connect(self.refresh)
        timeline.selection_changed.connect(self.refresh)
        timeline.errors_changed.connect(self._show_errors)
        traverse.quality.changed.connect(self.refresh)
        traverse.pace.changed.connect(self._show_pace)
        traverse.render.state_changed.connect(self._show_render)
        self.name.editingFinished.connect(self._set_name)
        self.label.activated.connect(self._set_label)
        for field, name in ((self.guidance, "guidance"), (self.hold, "hold"), (self.way, "seconds")):
            field.entered.connect(call_with(timeline.edit, name))
        for name, row in self.rows.items():
            if isinstance(row, NumberField):
                row.cleared.connect(lambda name=name: timeline.clear_error(name))
        self.easing.activated.connect(self._set_easing)
        self.curve.edited.connect(self._shape)
        self.copy_id.clicked.connect(self._copy_id)
        self.walk_name.editingFinished.connect(self._set_walk_name)
        self.fps.entered.connect(call_with(timeline.set_setting, "fps"))
        self.total.entered.connect(timeline.set_seconds)
        self.loop.toggled.connect(lambda on: self._set("loop", on))
        self.path.chosen.connect(lambda path: self._set("path", path))
        self.pace.toggled.connect(lambda on: self._set("constant_pace", on))
        self.quality.chosen.connect(traverse.quality.choose)
        self.render_button.clicked.connect(self.render_wanted)

    # --- showing

    @Slot()
    def refresh(self) -> None:
        """Show keyframe and walk as they are."""
        self._filling = True
        timeline = self._timeline
        key, count = timeline.current, len(timeline.selected)
        self.key_part.setVisible(key is not None)
        self.copy_id.setVisible(key is not None)
        if key is None:
            self.title.setText("Keyframe")
            self.about.setText("None is chosen. Click one on the timeline.")
        else:
            spot = key.spot
            self.title.setText(
                f"{count} keyframes" if count > 1 else f"Keyframe {timeline.index(key.id) + 1}"
            )
            about = f"{source_words(spot.source).capitalize()} · {short_id(spot)}"
            if isinstance(spot.label, tuple):
                about += f"\n{label_words(self._traverse.quality, spot.model, spot.label)}"
            self.about.setText(about)
            if not self.name.hasFocus():
                self.name.setText(key_words(key))
                self.name.setCursorPosition(0)
            chosen = [k for k in timeline.keys if k.id in timeline.selected]
            self.guidance.show_value(spot.guidance, mixed=len({k.spot.guidance for k in chosen}) > 1)
            self.hold.show_value(key.hold, mixed=len({k.hold for k in chosen}) > 1)
            self.way.show_value(key.seconds, mixed=len({k.seconds for k in chosen}) > 1)
            self._fill_classes()
            custom = isinstance(key.easing, tuple)
            self.easing.choose("custom" if custom else key.easing)
            self.curve.set_easing(key.easing)
            last = timeline.index(key.id) == len(timeline.keys) - 1 and not timeline.loop
            for control in (self.way, self.easing, self.curve):
                control.setEnabled(not last or count > 1)
        if not self.walk_name.hasFocus():
            self.walk_name.setText(timeline.name)
            self.walk_name.setCursorPosition(0)
        self.fps.show_value(timeline.fps)
        self.total.show_value(round(timeline.seconds, 3))
        self.total.setEnabled(timeline.plan is not None)
        self.loop.setChecked(timeline.loop)
        self.path.choose(timeline.path)
        self.pace.setChecked(timeline.constant_pace)
        self.quality.choose(self._traverse.quality.preset)
        self._show_pace()
        self._show_render()
        self._filling = False

    def _fill_classes(self) -> None:
        """The classes of the model, and a mixture where the keyframe has one."""
        key = self._timeline.current
        assert key is not None
        info = self._traverse.quality.info(key.spot.model)
        label = key.spot.label
        entries: list[tuple[str, object]] = []
        if info is not None and info.classes:
            entries = [(name, number) for number, name in enumerate(info.classes)]
            if info.null_label or label is None:
                entries.append(("No class", None))
        elif label is None:
            entries = [("No classes", None)]
        if isinstance(label, tuple):
            entries.append(("Mixed", _MIXED))
        elif label is not None and label not in [value for _, value in entries]:
            entries.append((f"Class {label}", label))
        self.label.blockSignals(True)
        self.label.clear()
        for title, value in entries:
            self.label.addItem(title, value)
        wanted = _MIXED if isinstance(label, tuple) else label
        values = [value for _, value in entries]
        self.label.setCurrentIndex(values.index(wanted) if wanted in values else -1)
        self.label.setEnabled(len(entries) > 1)
        self.label.blockSignals(False)

    @Slot()
    def _show_errors(self) -> None:
        errors = self._timeline.errors
        for name in ("guidance", "hold", "seconds", "easing", "label", "name", "fps", "total", "loop"):
            self.rows[name].set_error(errors.get(name, ""))
        self.rows["constant_pace"].set_error(errors.get("walk", ""))

    @Slot()
    def _show_pace(self) -> None:
        traverse, timeline = self._traverse, self._timeline
        words = ""
        if timeline.constant_pace:
            failure = traverse.pace.failure
            if failure is not None:
                words = breakable(failure.message)
            elif traverse.pace.measuring:
                words = "Measuring how much the picture changes…"
            elif timeline.pace_missing:
                words = "The pace is measured as soon as the engine can."
            elif timeline.plan is not None:
                words = "Measured. Easings and single times give way to it; the length stays."
        self.pace_note.setText(words)
        self.pace_note.setVisible(bool(words))

    @Slot()
    def _show_render(self) -> None:
        timeline = self._timeline
        self.render_button.setEnabled(timeline.plan is not None and not self._traverse.render.busy)
        if timeline.plan is None:
            tip = "A video needs two keyframes or more."
        else:
            tip = (
                f"{counted(timeline.total, 'frame')}, {seconds(timeline.seconds)}: choose format, size and place, and "
                "make the video (Ctrl+Enter)."
            )
        describe(self.render_button, "Render a video", tip)

    # --- what was typed

    @Slot()
    def _set_name(self) -> None:
        if self._timeline.current is not None and self.name.isModified():
            self.name.setModified(False)
            self._timeline.edit("name", self.name.text(), [self._timeline.current.id])

    @Slot()
    def _set_label(self) -> None:
        value = self.label.currentData()
        if value != _MIXED:
            self._timeline.edit("label", value)

    @Slot()
    def _set_easing(self) -> None:
        value, key = self.easing.currentData(), self._timeline.current
        if key is not None:
            self._timeline.edit("easing", cubic_of(key.easing) if value == "custom" else value)

    @Slot(object, bool)
    def _shape(self, cubic: tuple[float, float, float, float], last: bool) -> None:
        if last:
            self._timeline.edit("easing", cubic)

    @Slot()
    def _copy_id(self) -> None:
        if (key := self._timeline.current) is not None:
            QGuiApplication.clipboard().setText(short_id(key.spot))
            self._traverse.notice.emit(f"{short_id(key.spot)} is on the clipboard.", "info", None)

    @Slot()
    def _set_walk_name(self) -> None:
        if self.walk_name.isModified():
            self.walk_name.setModified(False)
            self._set("name", self.walk_name.text().strip())

    def _set(self, name: str, value: object) -> None:
        if not self._filling:
            self._timeline.set_setting(name, value)
