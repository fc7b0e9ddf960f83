"""The controls of each kind of edit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QColorDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.models.edit.brush import BrushLayer
from app.models.edit.edits import Edits
from app.models.edit.opening import PICTURE_SUFFIXES
from app.models.edit.pending import PendingEdit
from app.views import tokens
from app.views.edit.param import Param, labelled
from app.views.edit.swatches import Swatches
from app.views.fields import Choice, Segments, Switch, icon_button
from app.views.help import TERMS, describe

__all__ = ["TOOL_PAGES", "BrushControls", "MaskTool", "PaintTool", "ToolPage"]

PICTURE_FILTER = f"Pictures ({' '.join(f'*{suffix}' for suffix in PICTURE_SUFFIXES)})"


class ToolPage(QWidget):
    """The controls of one edit. `field` names of the engine's refusals are answered by `complain`."""

    fields: tuple[str, ...] = ()

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self.setProperty("panel", "plain")
        self.edits = edits
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(tokens.GAP)
        self.problem = QLabel()
        self.problem.setProperty("role", "care")
        self.problem.setWordWrap(True)
        self.problem.setAccessibleName("What is needed first")
        self.problem.hide()

    @property
    def pending(self) -> PendingEdit:
        return self.edits.pending

    def refresh(self) -> None:
        """Show what is asked now."""

    def complain(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))

    def class_choice(self, tip: str) -> Choice:
        """The classes of the model; choosing one asks for it."""
        choice = Choice(elides=True)
        describe(choice, "Class", tip)
        choice.activated.connect(lambda _index: self.pending.set(to=choice.currentData()))
        return choice

    def pull_param(self) -> Param:
        """How hard it is drawn to the class: a draft while it is dragged."""
        param = Param("Pull", TERMS["edit_pull"].short, 0, 8, 0.1, term="edit_pull")
        param.dragged.connect(lambda value: self.pending.set(pull=value, settle=False))
        param.settled.connect(lambda value: self.pending.set(pull=value))
        return param

    def fill_pull(self, param: Param) -> None:
        """A model without an empty class can't be pulled."""
        info = self.edits.settings.model_info
        param.setVisible(info is None or info.null_label)
        param.set_value(self.pending.asked.pull)

    def fill_classes(self, choice: Choice) -> None:
        info = self.edits.settings.model_info
        names = info.classes if info is not None else ()
        entries: list[tuple[str, int | None]] = [(name, number) for number, name in enumerate(names)]
        if info is None or info.null_label or not names:
            entries.insert(0, ("No class", None))
        if [(choice.itemText(i), choice.itemData(i)) for i in range(choice.count())] != entries:
            choice.blockSignals(True)
            choice.clear()
            for title, number in entries:
                choice.addItem(title, number)
            choice.blockSignals(False)
        choice.choose(self.pending.asked.to)


class ClassTool(ToolPage):
    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        self.choice = self.class_choice("What it becomes: encoded as what it is, decoded as this.")
        self.pull = self.pull_param()
        self.column.addWidget(labelled("Becomes", self.choice))
        self.column.addWidget(self.pull)
        self.column.addWidget(self.problem)

    def refresh(self) -> None:
        self.fill_classes(self.choice)
        self.fill_pull(self.pull)
        info = self.edits.settings.model_info
        if info is not None and not info.classes:
            self.complain("This model has no classes to change between.")


class BlendTool(ToolPage):
    fields = ("other",)

    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        self.choice = Choice(elides=True)
        describe(
            self.choice, "Blend with", "The picture at full strength: an edit of this session, or a file."
        )
        self.open = icon_button("folder", "Open a picture", "Blend with a picture of your own.")
        both = QWidget()
        both.setProperty("panel", "plain")
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP_TINY)
        row.addWidget(self.choice, 1)
        row.addWidget(self.open)
        self.column.addWidget(labelled("With", both))
        self.column.addWidget(self.problem)
        self.choice.activated.connect(self._chosen)
        self.open.clicked.connect(self._browse)

    def refresh(self) -> None:
        sessions, other = self.edits.sessions, self.pending.other
        current = sessions.current
        self.choice.blockSignals(True)
        self.choice.clear()
        for node in sessions.tree:
            if current is None or node.id != current.id:
                self.choice.addItem(node.name, node.id)
        if other is not None and self.choice.findData(other.id) < 0:
            self.choice.addItem(other.name, other.id)
        self.choice.blockSignals(False)
        self.choice.setEnabled(self.choice.count() > 0)
        self.choice.choose(other.id if other is not None else None)

    def _chosen(self, _index: int) -> None:
        id = self.choice.currentData()
        tree = self.edits.sessions.tree
        if id in tree:
            self.pending.set_other(tree.node(id))

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Blend with a picture", "", PICTURE_FILTER)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda file: self.pending.open_other(Path(file)))
        dialog.open()


class VaryTool(ToolPage):
    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        self.count = Segments(
            [(str(n), str(n), f"{n} variations at once, each of its own noise.") for n in (1, 4, 6, 9)]
        )
        self.again = QPushButton("Other noise")
        describe(self.again, "Other noise", "Draw other variations.")
        self.column.addWidget(labelled("How many", self.count))
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.again)
        self.column.addLayout(row)
        self.column.addWidget(self.problem)
        self.count.chosen.connect(lambda n: self.pending.set(count=int(n)))
        self.again.clicked.connect(self.pending.reseed)

    def refresh(self) -> None:
        self.count.choose(str(self.pending.asked.count))


class BrushControls(QWidget):
    """Size, hardness, painting or erasing, undo and redo: for whatever is painted on."""

    def __init__(self, edits: Edits, layer: BrushLayer, *, erases: bool) -> None:
        super().__init__()
        self.setProperty("panel", "plain")
        self._edits = edits
        self._layer = layer
        self.width_param = Param(
            "Brush", "How wide the brush is, in pixels ([ and ] on the picture).", 1, 64, 0.5
        )
        self.hardness = Param(
            "Hardness", "How sharp its edge is: 100 % is hard.", 0, 1, 0.05, suffix=" %", scale=100
        )
        self.mode = Segments(
            (
                ("paint", "Paint", "Paint with the left button; the right one erases."),
                ("erase", "Erase", "Erase with the left button (X on the picture)."),
            )
        )
        self.mode.choose("paint")
        self.undo = icon_button("undo", "Undo the stroke", "Take the last stroke back (Ctrl+Z).")
        self.redo = icon_button("redo", "Redo the stroke", "Paint it again (Ctrl+Shift+Z).")
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(tokens.GAP_TINY)
        self.buttons.addWidget(self.undo)
        self.buttons.addWidget(self.redo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(tokens.GAP)
        if erases:
            column.addWidget(labelled("Brush does", self.mode))
        column.addWidget(self.width_param)
        column.addWidget(self.hardness)
        column.addLayout(self.buttons)
        for param in (self.width_param, self.hardness):
            param.dragged.connect(self._set)
            param.settled.connect(self._set)
        self.undo.clicked.connect(edits.undo)
        self.redo.clicked.connect(edits.redo)
        layer.brush_changed.connect(self.refresh)
        layer.undo_changed.connect(self.refresh)
        self.refresh()

    def refresh(self, _signal: object = None) -> None:
        brush = self._layer.brush
        self.width_param.set_value(brush.size)
        self.hardness.set_value(brush.hardness)
        self.undo.setEnabled(self._layer.can_undo)
        self.redo.setEnabled(self._layer.can_redo)

    def _set(self, _value: float) -> None:
        self._layer.set_brush(
            dataclasses.replace(self._layer.brush, size=self.width_param.value, hardness=self.hardness.value)
        )


class MaskTool(ToolPage):
    fields = ("mask",)

    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        mask = edits.pending.mask
        self.choice = self.class_choice("What grows inside the mask. Outside it every byte stays as it is.")
        self.fresh = Switch("Grow from noise")
        describe(
            self.fresh, "Grow from noise", "Forget what was inside and draw it anew, instead of changing it."
        )
        self.brush = BrushControls(edits, mask, erases=True)
        self.feather = Param("Feather", TERMS["edit_feather"].short, 0, 16, 0.5, term="edit_feather")
        for icon, title, tip, do in (
            ("swap", "Invert the mask", "What may change stays, what stays may change.", mask.invert),
            ("trash", "Clear the mask", "Nothing may change.", mask.clear),
            (
                "folder",
                "Import a mask",
                "White may change, black stays; it must have this picture's size.",
                None,
            ),
            ("export", "Export the mask", "Save it as a picture.", None),
        ):
            button = icon_button(icon, title, tip)
            button.clicked.connect(do or (self._import if icon == "folder" else self._export))
            if do is not None:
                button.clicked.connect(self.pending.settle)
            self.brush.buttons.addWidget(button)
        self.brush.buttons.addStretch(1)
        self.pull = self.pull_param()
        self.column.addWidget(labelled("Inside", self.choice))
        self.column.addWidget(self.pull)
        self.column.addWidget(self.fresh)
        self.column.addWidget(self.brush)
        self.column.addWidget(self.feather)
        self.column.addWidget(self.problem)
        self.fresh.toggled.connect(lambda on: self.pending.set(fresh=on))
        self.feather.dragged.connect(mask.set_feather)
        self.feather.settled.connect(self._feathered)

    def refresh(self) -> None:
        self.fill_classes(self.choice)
        self.fill_pull(self.pull)
        self.fresh.blockSignals(True)
        self.fresh.setChecked(self.pending.asked.fresh)
        self.fresh.blockSignals(False)
        self.feather.set_value(self.pending.mask.feather)

    def _feathered(self, radius: float) -> None:
        self.pending.mask.set_feather(radius)
        self.pending.settle()

    def _import(self) -> None:
        dialog = QFileDialog(self, "Import a mask", "", PICTURE_FILTER)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.import_file)
        dialog.open()

    def import_file(self, file: str) -> None:
        """Refused beside the button where it has another size; the mask then stays as it was."""
        self.complain(self.edits.import_mask(Path(file)))

    def _export(self) -> None:
        dialog = QFileDialog(self, "Export the mask", "mask.png", "PNG (*.png)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("png")
        dialog.fileSelected.connect(lambda path: self.edits.export_mask(Path(path)))
        dialog.open()


class AttributeTool(ToolPage):
    fields = ("direction",)

    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        self.choice = Choice(elides=True)
        describe(self.choice, "Direction", term="edit_direction")
        self.new = icon_button(
            "plus", "New direction", "Make a direction from two classes or two selections."
        )
        self.delete = icon_button("trash", "Delete the direction", "Delete it, with undo.")
        both = QWidget()
        both.setProperty("panel", "plain")
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP_TINY)
        row.addWidget(self.choice, 1)
        row.addWidget(self.new)
        row.addWidget(self.delete)
        self.amount = Param("Amount", "How far along the direction; below 0 is the other way.", -3, 3, 0.1)
        self.column.addWidget(labelled("Direction", both))
        self.column.addWidget(self.amount)
        self.column.addWidget(self.problem)
        self.choice.activated.connect(self._chosen)
        self.amount.dragged.connect(lambda value: self.pending.set(scale=value, settle=False))
        self.amount.settled.connect(lambda value: self.pending.set(scale=value))
        self.new.clicked.connect(self._make)
        self.delete.clicked.connect(self._delete)
        edits.directions.listed_changed.connect(self.refresh)
        edits.directions.made.connect(self._made)

    def refresh(self) -> None:
        rows = self.edits.directions.listed() if self.edits.sessions.id else []
        self.choice.blockSignals(True)
        self.choice.clear()
        for row in rows:
            self.choice.addItem(row.name, row)
        self.choice.blockSignals(False)
        files = [str(row.data.get("file")) for row in rows]
        asked = self.pending.asked.direction
        self.choice.setCurrentIndex(files.index(asked) if asked in files else -1)
        self.choice.setEnabled(bool(rows))
        self.delete.setEnabled(self.choice.currentIndex() >= 0)
        self.amount.set_value(self.pending.asked.scale)

    def _chosen(self, _index: int) -> None:
        row = self.choice.currentData()
        self.delete.setEnabled(row is not None)
        if row is not None:
            self.pending.set(direction=str(row.data["file"]), direction_name=row.name)

    def _made(self, row: object) -> None:
        self.pending.set(
            direction=str(row.data["file"]),  # type: ignore[attr-defined]
            direction_name=row.name,  # type: ignore[attr-defined]
        )
        self.refresh()

    def _delete(self) -> None:
        row = self.choice.currentData()
        if row is not None:
            self.pending.set(direction="", direction_name="")
            self.edits.directions.delete(row)

    def _make(self) -> None:
        from app.views.edit.direction_dialog import DirectionDialog

        self.dialog = DirectionDialog(self.edits, self)
        self.dialog.open()


class PaintTool(ToolPage):
    fields = ("painted",)

    def __init__(self, edits: Edits) -> None:
        super().__init__(edits)
        self.swatches = Swatches()
        self.other = icon_button("plus", "Another colour", "Choose any colour. Alt and a click takes one up.")
        both = QWidget()
        both.setProperty("panel", "plain")
        row = QHBoxLayout(both)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(tokens.GAP_TINY)
        row.addWidget(self.swatches, 1)
        row.addWidget(self.other)
        self.brush = BrushControls(edits, edits.pending.paint, erases=False)
        self.brush.buttons.addStretch(1)
        self.pull = self.pull_param()
        self.column.addWidget(labelled("Colour", both))
        self.column.addWidget(self.brush)
        self.column.addWidget(self.pull)
        self.column.addWidget(self.problem)
        self.other.clicked.connect(self._choose)

    def refresh(self) -> None:
        self.swatches.set_grey(self.pending.paint.channels == 1)
        self.fill_pull(self.pull)

    def colour(self, _erase: bool) -> tuple[int, ...]:
        """What a stroke paints, one level a channel."""
        red, green, blue = self.swatches.colour
        if self.pending.paint.channels == 1:
            return (round(0.299 * red + 0.587 * green + 0.114 * blue),)
        return red, green, blue

    def take(self, levels: tuple[int, ...]) -> None:
        """A colour of the picture."""
        self.swatches.choose(levels * 3 if len(levels) == 1 else levels[:3])

    def _choose(self) -> None:
        dialog = QColorDialog(QColor(*self.swatches.colour), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setOption(QColorDialog.ColorDialogOption.DontUseNativeDialog)
        dialog.colorSelected.connect(lambda c: self.swatches.choose((c.red(), c.green(), c.blue())))
        dialog.open()


TOOL_PAGES: dict[str, type[ToolPage]] = {
    "class": ClassTool,
    "blend": BlendTool,
    "vary": VaryTool,
    "mask": MaskTool,
    "attribute": AttributeTool,
    "paint": PaintTool,
}
