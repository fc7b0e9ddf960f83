"""The column of controls: model, class, guidance, quality, seed, count, and the one Generate button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.settings import LABELS, PRESETS, RANDOM_SEED, GenerateSettings
from app.models.studio import Studio
from app.views import icons, theme, tokens
from app.views.class_picker import ClassPicker
from app.views.fields import (
    LABEL_WIDTH,
    ChoiceRow,
    NumberEntry,
    NumberRow,
    Row,
    Segments,
    SwitchRow,
    icon_button,
)
from app.views.help import describe
from app.views.model_picker import ModelPicker
from app.views.partner_row import PartnerRow
from engine.messages import DEVICES, PRECISIONS, SPACINGS, ModelInfo

if TYPE_CHECKING:
    from app.views.upsample_switch import UpsampleSwitch

__all__ = ["ControlPanel", "GenerateButton", "SeedRow"]

_SPACING_TIPS = {
    "linear": "Even steps in time.",
    "quadratic": "Shorter steps near the picture.",
    "log-snr": "Even steps in the ratio of picture to noise.",
    "rho": "The spacing of EDM.",
}
_DEVICE_TITLES = {"auto": "Automatic", "cpu": "Processor", "cuda": "Graphics card", "mps": "Apple graphics"}


class GenerateButton(QPushButton):
    """The one accent button; its shortcut stands at its right edge."""

    hint = "Ctrl+Enter"

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        used = self.fontMetrics().horizontalAdvance(self.text()) + self.iconSize().width() + tokens.GAP
        if (self.width() - used) / 2 < 76:  # no room for the shortcut: the tooltip and the sheet have it
            return
        look = theme.current()
        painter = QPainter(self)
        painter.setFont(look.font(tokens.FONT_CAPTION, 500))
        painter.setPen(look.color("on_accent" if self.isEnabled() else "quiet"))
        place = self.rect().adjusted(0, 0, -12, 0)
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, self.hint)


class PresetRow(Row):
    """Quality: draft, good, best."""

    def __init__(self, settings: GenerateSettings, parent: QWidget | None = None) -> None:
        super().__init__(settings, "preset", "Quality", parent)
        tips = {
            "draft": "A quick look: five steps.",
            "good": "A good picture: ten steps.",
            "best": "The best there is: twenty-five steps.",
        }
        self.segments = Segments(
            [(name, f"{name.capitalize()} {steps}", tips[name]) for name, steps in PRESETS.items()]
        )
        self.label.setBuddy(self.segments.buttons["good"])
        self.body.addWidget(self.segments, 1)
        self.segments.chosen.connect(settings.set_preset)
        settings.preset_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        self.segments.choose(self.settings.preset)
        self.label.set_differs(self.settings.preset == "custom")
        describe(self.label, self.title, term="preset")

    @Slot()
    def reset(self) -> None:
        """Everything the preset decides back to it."""
        self.settings.set_preset("good" if self.settings.preset != "custom" else self._nearest())

    def _nearest(self) -> str:
        return min(PRESETS, key=lambda name: abs(PRESETS[name] - self.settings.steps))


class SeedRow(Row):
    """The seed of the next pictures; below it, that of the pictures shown."""

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(studio.settings, "seed", "Seed", parent)
        self._studio = studio
        self.entry = NumberEntry()
        self.entry.setPlaceholderText("new each time")
        self.entry.setFont(theme.current().font(figures=True))
        self.own(self.entry)
        self.dice = icon_button("dice", "Random seed", "A new seed each time.")
        self.dice.setCheckable(True)
        self.reuse = icon_button(
            "reuse",
            "Reuse the seed shown",
            "Take over the seed of the picture shown, to change something else.",
        )
        for button in (self.dice, self.reuse):
            button.setProperty("help_term", "seed")
        self.body.setSpacing(tokens.GAP_TINY)
        self.body.addWidget(self.entry, 1)
        self.body.addWidget(self.dice)
        self.body.addWidget(self.reuse)
        self.used = QLabel()
        self.used.setProperty("role", "caption")
        self.used.setAccessibleName("Seed of the picture shown")
        self.used.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        below = QHBoxLayout()
        below.setContentsMargins(LABEL_WIDTH + tokens.GAP, 2, 0, 0)
        below.addWidget(self.used)
        column = self.layout()
        assert isinstance(column, QVBoxLayout)
        column.addLayout(below)
        self.entry.textEdited.connect(self._typed)
        self.entry.stepped.connect(self._stepped)
        self.entry.restored.connect(self._restore)
        self.entry.editingFinished.connect(self.refresh)
        self.dice.clicked.connect(self._randomise)
        self.reuse.clicked.connect(self._reuse)
        studio.canvas.request_changed.connect(self._show_used)
        studio.canvas.selection_changed.connect(self._show_used)
        studio.canvas.pictures_changed.connect(self._show_used)  # one of another seed may have come
        self.refresh()
        self._show_used()

    def show_value(self) -> None:
        seed = self.settings.seed
        text = "" if seed == RANDOM_SEED else str(seed)
        if not self.entry.hasFocus() or self.entry.text() not in (text, "-", "-1"):
            self.entry.setText(text)
        self.dice.setChecked(seed == RANDOM_SEED)

    def show_wrong(self, wrong: bool) -> None:
        theme.set_look(self.entry, wrong=wrong)

    def say(self, value: object) -> str:
        return "new each time" if value == RANDOM_SEED else str(value)

    @Slot()
    def _show_used(self) -> None:
        seed = self._studio.canvas.seed_of(max(self._studio.canvas.selected, 0))
        self.reuse.setEnabled(seed is not None)
        self.used.setVisible(seed is not None)
        if seed is not None:
            self.used.setText(f"Shown: {seed}")

    @Slot(str)
    def _typed(self, text: str) -> None:
        if text != "-":  # the beginning of -1
            self.settings.set_from_text("seed", text)

    @Slot(int)
    def _stepped(self, steps: int) -> None:
        self.settings.set_from_text("seed", str(max(self.settings.seed + steps, RANDOM_SEED)))

    @Slot()
    def _restore(self) -> None:
        self.settings.clear_error("seed")
        self.refresh()

    @Slot()
    def _randomise(self) -> None:
        self.settings.seed = RANDOM_SEED
        self.refresh()

    @Slot()
    def _reuse(self) -> None:
        self._studio.reuse_seed()


class ControlPanel(QWidget):
    """All controls of the Generate room."""

    models_wanted = Signal()

    def __init__(self, studio: Studio, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        settings = studio.settings
        self.model = ModelPicker(settings)
        self.classes = ClassPicker(settings)
        self.guidance = NumberRow(settings, "guidance", "Guidance", 0, 8, step=0.1)
        self.partner = PartnerRow(settings)
        self.preset = PresetRow(settings)
        self.steps = NumberRow(settings, "steps", "Steps", 1, 50)
        self.solver = ChoiceRow(settings, "solver", "Solver", self._solvers)
        self.summary = QLabel()
        self.summary.setProperty("role", "caption")
        self.summary.setWordWrap(True)
        self.seed = SeedRow(studio)
        self.count = NumberRow(settings, "count", "Count", 1, 64)
        self.upsample: UpsampleSwitch | None = None
        self.fold = QPushButton("Advanced")
        self.fold.setProperty("kind", "fold")
        self.fold.setCheckable(True)
        describe(
            self.fold, "Advanced settings", "Spacing, first and last step, end time, device and precision."
        )
        icons.bind(self.fold, "chevron-right")
        self.advanced = QWidget()
        self.advanced.setProperty("panel", "plain")
        rows = QVBoxLayout(self.advanced)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(tokens.GAP)
        self.spacing = ChoiceRow(
            settings, "spacing", "Spacing", lambda: [(n, n, _SPACING_TIPS[n]) for n in SPACINGS]
        )
        self.analytic_first = SwitchRow(settings, "analytic_first", "First step", "Analytic, saves one")
        self.denoise = SwitchRow(settings, "denoise", "Last step", "Denoise once more")
        self.t_end = NumberRow(settings, "t_end", "End time", 1e-5, 0.5, step=0.001, curve="log")
        self.device = ChoiceRow(
            settings, "device", "Device", lambda: [(n, _DEVICE_TITLES[n], "") for n in DEVICES]
        )
        self.precision = ChoiceRow(
            settings,
            "precision",
            "Precision",
            lambda: [(n, n if n != "auto" else "Automatic", "") for n in PRECISIONS],
        )
        self.rows: dict[str, Row] = {
            row.name: row
            for row in (
                self.classes, self.guidance, self.partner, self.preset, self.steps, self.solver, self.seed, self.count,
                self.spacing, self.analytic_first, self.denoise, self.t_end, self.device, self.precision,
            )
        }  # fmt: skip
        for row in (
            self.spacing, self.analytic_first, self.denoise, self.t_end, self.device, self.precision
        ):  # fmt: skip
            rows.addWidget(row)
        self._lay_out()
        self._connect(studio)
        self.set_advanced(bool(studio.session.get("advanced", False)))
        self.refresh()

    # --- building

    def _lay_out(self) -> None:
        inside = QWidget()
        inside.setProperty("panel", "plain")
        column = QVBoxLayout(inside)
        column.setContentsMargins(tokens.GAP_LARGE, tokens.GAP, tokens.GAP_LARGE, tokens.GAP_LARGE)
        column.setSpacing(tokens.GAP)
        summary = QHBoxLayout()
        summary.setContentsMargins(LABEL_WIDTH + tokens.GAP, 0, 0, 0)
        summary.addWidget(self.summary)
        column.addWidget(self.model)
        column.addWidget(self.classes)
        column.addWidget(self.guidance)
        column.addWidget(self.partner)
        column.addWidget(_rule())
        column.addWidget(self.preset)
        column.addWidget(self.steps)
        column.addWidget(self.solver)
        column.addLayout(summary)
        column.addWidget(_rule())
        column.addWidget(self.seed)
        column.addWidget(self.count)
        self._below_count = QVBoxLayout()
        column.addLayout(self._below_count)
        column.addWidget(_rule())
        column.addWidget(self.fold)
        column.addWidget(self.advanced)
        column.addStretch(1)
        scroll = _Column()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inside)
        self._scroll = scroll
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addWidget(self._foot())

    def _foot(self) -> QWidget:
        foot = QWidget()
        foot.setProperty("panel", "foot")
        foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.plan = QLabel()
        self.plan.setProperty("role", "caption")
        self.plan.setWordWrap(True)
        describe(self.plan, "Planned evaluations", term="evaluations")
        self.obstacle = QLabel()
        self.obstacle.setProperty("role", "error")
        self.obstacle.setWordWrap(True)
        self.obstacle.setAccessibleName("Why nothing can be generated now")
        self.obstacle.hide()
        self.generate = GenerateButton("Generate")
        self.generate.setProperty("kind", "primary")
        self.generate.setFixedHeight(tokens.CONTROL + tokens.GAP)
        icons.bind(self.generate, "generate", "on_accent")
        describe(self.generate, "Generate", term="generate")
        self.forever = QPushButton()
        self.forever.setCheckable(True)
        icons.bind(self.forever, "forever")
        describe(self.forever, "Generate for ever", term="forever")
        self.stop = QPushButton()
        icons.bind(self.stop, "stop", "bad")
        describe(self.stop, "Stop", term="stop")
        for button in (self.forever, self.stop):
            button.setFixedSize(tokens.CONTROL + tokens.GAP, tokens.CONTROL + tokens.GAP)
            theme.set_look(button, kind="square")
        self.cancel_edit = QPushButton("Leave it as it was")
        self.cancel_edit.setProperty("kind", "flat")
        describe(self.cancel_edit, "Leave the job as it was", "Stop editing the job that waits.")
        self.cancel_edit.hide()
        buttons = QHBoxLayout()
        buttons.setSpacing(tokens.GAP)
        buttons.addWidget(self.generate, 1)
        buttons.addWidget(self.stop)
        buttons.addWidget(self.forever)
        column = QVBoxLayout(foot)
        column.setContentsMargins(tokens.GAP_LARGE, 12, tokens.GAP_LARGE, tokens.GAP_LARGE)
        column.setSpacing(tokens.GAP)
        column.addWidget(self.plan)
        column.addWidget(self.obstacle)
        column.addLayout(buttons)
        column.addWidget(self.cancel_edit)
        return foot

    def _connect(self, studio: Studio) -> None:
        settings = studio.settings
        self.generate.clicked.connect(self._generate)
        self.stop.clicked.connect(studio.stop)
        self.forever.clicked.connect(self._generate_forever)
        self.cancel_edit.clicked.connect(studio.cancel_edit)
        self.fold.toggled.connect(self.set_advanced)
        settings.changed.connect(self.refresh)
        settings.errors_changed.connect(self.refresh)
        settings.catalogue_changed.connect(self.refresh)
        studio.queue.counts_changed.connect(self.refresh)
        studio.queue.forever_changed.connect(self.forever.setChecked)
        studio.queue.forever_changed.connect(self.refresh)
        studio.canvas.state_changed.connect(self.refresh)
        studio.editing_changed.connect(self.refresh)

    # --- doing

    @Slot(bool)
    def set_advanced(self, open_: bool) -> None:
        """Open or close the fold."""
        self.fold.setChecked(open_)
        icons.bind(self.fold, "chevron-down" if open_ else "chevron-right")
        self.advanced.setVisible(open_)
        if open_ != self._studio.session.get("advanced", False):
            self._studio.session.set("advanced", open_)

    @Slot()
    def _generate(self) -> None:
        if self._studio.editing is not None:
            self._studio.commit_edit()
        else:
            self._studio.generate()

    @Slot(bool)
    def _generate_forever(self, on: bool) -> None:
        self._studio.generate_forever(on)
        self.forever.setChecked(self._studio.queue.forever)  # the settings may not let it

    @Slot()
    def refresh(self) -> None:
        """Words, buttons and obstacles as they are now."""
        studio, settings = self._studio, self._studio.settings
        info, solver = settings.model_info, settings.solver_info
        self.summary.setText(solver.summary if solver is not None else "")
        self.summary.setVisible(solver is not None)
        self.plan.setText(self._plan_text())
        obstacle = self._obstacle()
        self.obstacle.setText(obstacle)
        self.obstacle.setVisible(bool(obstacle))
        self.generate.setEnabled(not obstacle)
        editing = studio.editing is not None
        self.generate.setText("Change the job" if editing else "Generate")
        describe(self.generate, "Change the job" if editing else "Generate", obstacle, term="generate")
        self.cancel_edit.setVisible(editing)
        queue = studio.queue
        # Between two rounds, too: to hide and show it each time would lay out the whole window.
        running = queue.running is not None or queue.forever or studio.canvas.busy
        if not running and self.stop.hasFocus():
            self.generate.setFocus()  # Qt would go on to the button beside it
        self.stop.setVisible(running)
        self.forever.setEnabled(not obstacle or queue.forever)
        self._show_upsampling(info)
        guides = info is None or info.null_label or bool(settings.partners())
        self.guidance.setEnabled(guides or settings.guidance != 0)

    def _show_upsampling(self, info: ModelInfo | None) -> None:
        """The switch, built when a model is first chosen that an upsampler goes with."""
        upsampler = self._studio.model_info(info.upsampler) if info is not None and info.upsampler else None
        if self.upsample is None and upsampler is not None:
            from app.views.upsample_switch import UpsampleSwitch

            self.upsample = UpsampleSwitch(self._studio.upsampling)
            self._below_count.addWidget(self.upsample)
        if self.upsample is not None:
            self.upsample.set_upsampler(upsampler)

    def _plan_text(self) -> str:
        settings = self._studio.settings
        planned = settings.planned_evaluations()
        if not planned:
            return "The engine is starting. Press Generate any time."
        pictures = "1 picture" if settings.count == 1 else f"{settings.count:,} pictures"
        return f"{pictures}, {planned} each" if settings.count > 1 else f"{pictures}, {planned}"

    def _obstacle(self) -> str:
        """Why Generate can't be pressed: something typed is wrong, or the model can't be used."""
        settings = self._studio.settings
        wrong = [name for name in settings.errors if name in self.rows and self._typed_wrong(name)]
        if wrong:
            names = " and ".join(LABELS[name] for name in wrong)
            return f"Put {names} right first."
        info = settings.model_info
        if info is not None and info.problem:
            return f"{info.title} can't be used. Choose another model."
        return ""

    def _typed_wrong(self, name: str) -> bool:
        return isinstance(self.rows[name], (NumberRow, SeedRow))

    def _solvers(self) -> list[tuple[str, str, str]]:
        settings = self._studio.settings
        info = settings.model_info
        rows = []
        for solver in settings.catalogue.solvers:
            tip = solver.summary
            if solver.derivative == "head" and info is not None and not info.has_head:
                tip = f"{tip} {info.title} has no GENIE head, so it can't be used here."
            rows.append((solver.name, solver.title, tip))
        return rows

    def show_row(self, name: str) -> None:
        """Bring a row into view and into focus, opening the fold if it lies there."""
        row = self.rows.get(name)
        if row is None:
            return
        if self.advanced.isAncestorOf(row):
            self.set_advanced(True)
        self._scroll.ensureWidgetVisible(row)
        buddy = row.label.buddy()
        if buddy is not None:
            buddy.setFocus(Qt.FocusReason.ShortcutFocusReason)


class _Column(QScrollArea):
    """Scrolls up and down only: what is in it is as wide as there is room, whatever it would like."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        if (inside := self.widget()) is not None:
            inside.setFixedWidth(event.size().width())
        super().resizeEvent(event)


def _rule() -> QFrame:
    rule = QFrame()
    rule.setFrameShape(QFrame.Shape.HLine)
    rule.setFixedHeight(1)
    return rule
