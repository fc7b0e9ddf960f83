"""The column of controls: the model, how pictures are encoded, and the edit that is being tried."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.edit.edits import Edits
from app.views import icons, tokens
from app.views.control_panel import GenerateButton, PresetRow
from app.views.edit.param import Param, labelled
from app.views.edit.tools import TOOL_PAGES, MaskTool, PaintTool, ToolPage
from app.views.fields import ChoiceRow, NumberRow, Segments
from app.views.help import TERMS, describe
from app.views.model_picker import ModelPicker
from app.views.words import breakable

__all__ = ["TOOLS", "ToolPanel"]

# (kind, title, icon, tooltip)
TOOLS = (
    ("class", "Class", "swap", "Make it another class: encoded as what it is, decoded as something else."),
    ("blend", "Blend", "blend", "Blend it with another picture, along the sphere that noise lies on."),
    ("vary", "Vary", "dice", "Partly noise it and come back: relatives of the picture."),
    ("mask", "Mask", "mask", "Change only what is under a mask; outside it every byte stays."),
    ("attribute", "Attribute", "traverse", "Move it along a direction, say towards long sleeves."),
    ("paint", "Paint", "brush", "Scribble colours on it, then make it real."),
)
_WHY_ZERO = (
    "At 0 the way up is the way down, so the picture comes back. With guidance the two differ, and the "
    "round trip gets worse."
)


def _heading(words: str) -> QLabel:
    label = QLabel(words)
    label.setProperty("role", "heading")
    return label


class ToolPanel(QWidget):
    """`open_wanted` and `paste_wanted` are for the room, which knows the dialogs."""

    open_wanted = Signal()
    paste_wanted = Signal()

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._edits = edits
        settings = edits.settings
        self.model = ModelPicker(settings)
        self.open = QPushButton("Open…")
        icons.bind(self.open, "folder")
        describe(self.open, "Open pictures", "Open a picture, several, or a folder of them (Ctrl+O).")
        self.paste = QPushButton("Paste")
        icons.bind(self.paste, "paste")
        describe(self.paste, "Paste a picture", "Take the picture on the clipboard (Ctrl+V).")
        self.refusal = QLabel()
        self.refusal.setProperty("role", "error")
        self.refusal.setWordWrap(True)
        self.refusal.setTextFormat(Qt.TextFormat.PlainText)
        self.refusal.setAccessibleName("Why it can't be opened")
        self.refusal.hide()
        self.preset = PresetRow(settings)
        self.solver = ChoiceRow(
            settings,
            "solver",
            "Solver",
            lambda: [(s.name, s.title, s.summary) for s in settings.catalogue.solvers],
        )
        self.guidance = NumberRow(settings, "guidance", "Guidance", 0, 8, step=0.1)
        self.why_zero = QLabel(_WHY_ZERO)
        self.why_zero.setProperty("role", "caption")
        self.why_zero.setWordWrap(True)
        self.how = Segments(
            (
                ("fast", "Fast", "Up and down once: as close as the solver is."),
                (
                    "exact",
                    "Exact",
                    "Every step is inverted until the bytes are right: the same picture comes back. "
                    "Takes a few times as long.",
                ),
            )
        )
        for button in self.how.buttons.values():
            button.setProperty("help_term", "edit_exact")
        self.how.choose("exact" if edits.encode.exact else "fast")
        self.tools: dict[str, QPushButton] = {}
        self.pages: dict[str, ToolPage] = {}
        self.stack = QStackedWidget()
        self.strength = Param(
            "Strength",
            TERMS["edit_strength"].short,
            0,
            1,
            0.01,
            suffix=" %",
            scale=100,
            term="edit_strength",
        )
        self.hint = QLabel()
        self.hint.setProperty("role", "caption")
        self.hint.setWordWrap(True)
        self.keep = GenerateButton("Keep this edit")
        self.keep.setProperty("kind", "primary")
        self.keep.setMinimumHeight(36)
        describe(self.keep, "Keep this edit", "Put it into the tree and the history (Ctrl+Enter).")
        self.leave = QPushButton("Leave")
        self.leave.setMinimumHeight(36)
        describe(self.leave, "Leave this edit", "Go back to the picture without keeping it (Esc).")
        self._build()
        self._connect()
        self._show_tool()
        self._refresh()

    # --- building

    def _build(self) -> None:
        inside = QWidget()
        inside.setProperty("panel", "plain")
        column = QVBoxLayout(inside)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(tokens.GAP)
        column.addWidget(self.model)
        opening = QHBoxLayout()
        opening.setSpacing(tokens.GAP)
        opening.addWidget(self.open, 1)
        opening.addWidget(self.paste, 1)
        column.addLayout(opening)
        column.addWidget(self.refusal)
        column.addSpacing(tokens.GAP_TINY)
        self.edit_heading = _heading("Change it")
        column.addWidget(self.edit_heading)
        self.tool_grid = QWidget()
        self.tool_grid.setProperty("panel", "plain")
        grid = QGridLayout(self.tool_grid)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(tokens.GAP_TINY)
        for number, (kind, title, icon, tip) in enumerate(TOOLS):
            button = QPushButton(title)
            button.setCheckable(True)
            icons.bind(button, icon)
            describe(button, title, tip)
            button.clicked.connect(lambda _checked=False, kind=kind: self._toggle(kind))
            self.tools[kind] = button
            grid.addWidget(button, number // 3, number % 3)
            page = self.pages[kind] = TOOL_PAGES[kind](self._edits)
            self.stack.addWidget(page)
        column.addWidget(self.tool_grid)
        column.addWidget(self.strength)
        column.addWidget(self.stack)
        column.addWidget(self.hint)
        column.addSpacing(tokens.GAP_TINY)
        column.addWidget(_heading("How it is walked"))
        column.addWidget(self.preset)
        column.addWidget(labelled("Encode", self.how))
        column.addWidget(self.solver)
        column.addWidget(self.guidance)
        column.addWidget(self.why_zero)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        self.foot = QWidget()
        self.foot.setProperty("panel", "foot")
        self.foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self.foot)
        row.setContentsMargins(12, tokens.GAP, 12, tokens.GAP)
        row.setSpacing(tokens.GAP)
        row.addWidget(self.leave)
        row.addWidget(self.keep, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(scroll, 1)
        whole.addWidget(self.foot)

    def _connect(self) -> None:
        edits, pending = self._edits, self._edits.pending
        self.open.clicked.connect(self.open_wanted)
        self.paste.clicked.connect(self.paste_wanted)
        self.how.chosen.connect(self._set_exact)
        self.strength.dragged.connect(lambda value: pending.set(strength=value, settle=False))
        self.strength.settled.connect(lambda value: pending.set(strength=value))
        self.keep.clicked.connect(pending.keep)
        self.leave.clicked.connect(pending.give_up)
        pending.tool_changed.connect(self._show_tool)
        pending.changed.connect(self._refresh)
        pending.state_changed.connect(self._show_state)
        edits.sessions.current_changed.connect(self._refresh)
        edits.sessions.tree_changed.connect(self._refresh)
        edits.sessions.opened.connect(lambda: self.refuse(""))
        edits.encode.refused.connect(self.refuse)
        edits.encode.state_changed.connect(self._forget_refusal)
        edits.encode.state_changed.connect(self._refresh)
        edits.settings.catalogue_changed.connect(self._refresh)

    # --- verbs

    def refuse(self, words: str) -> None:
        """Why a picture can't be opened, below the button."""
        self.refusal.setText(breakable(words))
        self.refusal.setVisible(bool(words))

    def _forget_refusal(self, state: str) -> None:
        if state:
            self.refuse("")

    def _set_exact(self, how: str) -> None:
        self._edits.encode.set_exact(how == "exact")
        self._edits.pending.set_exact(how == "exact")

    def _toggle(self, kind: str) -> None:
        pending = self._edits.pending
        if pending.tool == kind:
            pending.give_up()
        else:
            pending.set_tool(kind)
        self._show_tool()

    # --- showing

    @property
    def mask_page(self) -> MaskTool:
        page = self.pages["mask"]
        assert isinstance(page, MaskTool)
        return page

    @property
    def paint_page(self) -> PaintTool:
        page = self.pages["paint"]
        assert isinstance(page, PaintTool)
        return page

    def _show_tool(self, _tool: str = "") -> None:
        tool = self._edits.pending.tool
        for kind, button in self.tools.items():
            button.setChecked(kind == tool)
        for page in self.pages.values():
            # A hidden page asks for no room: the stack is as high as the page on screen.
            page.setVisible(False)
        if tool:
            self.stack.setCurrentWidget(self.pages[tool])
            self.pages[tool].setVisible(True)
            self.stack.setFixedHeight(self.pages[tool].sizeHint().height())
        self.stack.setVisible(bool(tool))
        self.strength.setVisible(bool(tool) and tool != "attribute")
        self.foot.setVisible(bool(tool))
        self._refresh()
        self._show_state()

    def _refresh(self, _signal: object = None) -> None:
        edits, pending = self._edits, self._edits.pending
        there = edits.current is not None
        info = edits.settings.model_info
        fits = there and info is not None and info.name == edits.sessions.model
        self.tool_grid.setVisible(there)
        self.edit_heading.setVisible(there)
        self.tool_grid.setEnabled(fits and not edits.encode.busy)
        self.strength.set_value(pending.asked.strength)
        if pending.tool:
            self.pages[pending.tool].refresh()
            self._fit_page()
        words = ""
        if there and not pending.tool:
            words = "Choose what to change. Every edit you keep stays in the tree on the right."
        if there and not fits:
            words = f"To edit this, the model {edits.sessions.model} is needed, which is not here."
        self.hint.setText(words)
        self.hint.setVisible(bool(words))

    def _fit_page(self) -> None:
        page = self.stack.currentWidget()
        if isinstance(page, ToolPage):
            page.column.activate()
            width = max(200, self.stack.width())
            height = page.heightForWidth(width) if page.hasHeightForWidth() else page.sizeHint().height()
            self.stack.setFixedHeight(max(height, page.minimumSizeHint().height()))

    def _show_state(self, _state: str = "") -> None:
        pending = self._edits.pending
        problem = pending.problem
        words = problem.message if problem is not None else ""
        on_strength = problem is not None and problem.field == "strength"
        if pending.tool:
            self.pages[pending.tool].complain("" if on_strength else words)
            self._fit_page()
        self.strength.complain(words if on_strength else "")
        self.keep.setEnabled(pending.can_keep)
