"""The right column: which session is open, its tree of edits, and the report of the one looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QMenu,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.models.edit.edits import BUNDLE_SUFFIX, Edits
from app.models.edit.tree import EditNode
from app.views import icons, tokens
from app.views.edit.report_card import ReportCard
from app.views.edit.tree_view import EditTreeView
from app.views.fields import Choice, icon_button
from app.views.help import describe
from app.views.words import counted, solver_title

__all__ = ["ReportPanel", "SessionPanel"]


class ReportPanel(QWidget):
    """The report, which may be longer than there is room."""

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._edits = edits
        self.card = ReportCard()
        self.empty = QLabel("How well a picture comes back, and what an edit has changed, is told here.")
        self.empty.setProperty("role", "quiet")
        self.empty.setWordWrap(True)
        self.empty.setContentsMargins(16, 16, 16, 16)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(self.card)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.empty)
        column.addWidget(self.area, 1)
        edits.sessions.current_changed.connect(self.refresh)
        edits.settings.catalogue_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        node = self._edits.current
        self.empty.setVisible(node is None)
        self.area.setVisible(node is not None)
        label, solver = "", ""
        if node is not None:
            known = node.facts.get("label")
            label = self._edits.class_name(known if isinstance(known, int) else None)
            solver = solver_title(self._edits.settings.catalogue, str(node.facts.get("solver", "")))
        self.card.show_node(node, label, solver)


class SessionPanel(QWidget):
    """The sessions there are, the tree of the open one, and what can be done with it."""

    open_wanted = Signal()

    def __init__(self, edits: Edits) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._edits = edits
        self.choice = Choice(elides=True)
        describe(self.choice, "Session", "The picture being edited. Others you have edited are here, too.")
        self.more = icon_button("more", "This session", "Rename, export, import or delete a session.")
        self.tree = EditTreeView(edits.sessions)
        self.empty = QLabel("Every edit is kept here with what it came from, and is back at the next start.")
        self.empty.setProperty("role", "quiet")
        self.empty.setWordWrap(True)
        self.empty.setContentsMargins(16, 16, 16, 16)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.tree)
        self.stack.addWidget(self.empty)
        self.undo = icon_button("undo", "Undo", "Back to the edit before (Ctrl+Z).")
        self.redo = icon_button("redo", "Redo", "On to the edit after (Ctrl+Shift+Z).")
        self.count = QLabel()
        self.count.setProperty("role", "caption")
        self._menu: QMenu | None = None
        top = QHBoxLayout()
        top.setContentsMargins(8, 4, 8, 0)
        top.setSpacing(tokens.GAP_TINY)
        top.addWidget(self.choice, 1)
        top.addWidget(self.more)
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 0, 8, 4)
        foot.setSpacing(tokens.GAP_TINY)
        foot.addWidget(self.count, 1)
        foot.addWidget(self.undo)
        foot.addWidget(self.redo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(tokens.GAP_TINY)
        column.addLayout(top)
        column.addWidget(self.stack, 1)
        column.addLayout(foot)
        sessions = edits.sessions
        self.choice.activated.connect(self._chosen)
        self.more.clicked.connect(self.open_menu)
        self.undo.clicked.connect(edits.undo)
        self.redo.clicked.connect(edits.redo)
        self.tree.blend_wanted.connect(self._blend)
        self.tree.clicked.connect(lambda _index: edits.encode.dismiss())
        self.tree.save_wanted.connect(self.save_picture)
        self.tree.latent_wanted.connect(self.save_latent)
        sessions.listed_changed.connect(self.refresh)
        sessions.opened.connect(self.refresh)
        sessions.tree_changed.connect(self.refresh)
        sessions.current_changed.connect(self._show_undo)
        sessions.undo_changed.connect(self._show_undo)
        self.refresh()

    def refresh(self) -> None:
        sessions = self._edits.sessions
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.addItem("New session", "")
        for row in sessions.listed():
            self.choice.addItem(row.name, row.id)
            about = f"{row.name}: {counted(row.edits, 'edit')}, {row.model}, {row.changed.astimezone():%d %b %H:%M}"
            self.choice.setItemData(self.choice.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self.choice.blockSignals(False)
        self.choice.choose(sessions.id)
        there = len(sessions.tree) > 0
        self.stack.setCurrentWidget(self.tree if there else self.empty)
        self.count.setText(counted(len(sessions.tree), "edit") if there else "")
        self._show_undo()

    def _show_undo(self) -> None:
        sessions = self._edits.sessions
        self.undo.setEnabled(sessions.undo_list.can_undo or sessions.tree.back() is not None)
        self.redo.setEnabled(sessions.undo_list.can_redo or sessions.tree.forward() is not None)

    def _chosen(self, _index: int) -> None:
        id = self.choice.currentData()
        if id:
            self._edits.encode.dismiss()
            self._edits.sessions.open(id)
        else:
            self._edits.new_session()
        self.refresh()

    def _blend(self, id: str) -> None:
        sessions, pending = self._edits.sessions, self._edits.pending
        if id in sessions.tree:
            pending.set_tool("blend")
            pending.set_other(sessions.tree.node(id))

    def save_picture(self, node: EditNode) -> None:
        """Ask where the picture of an edit should go."""
        self._ask_where(node, "picture", "png", "Pictures (*.png *.jpg *.webp)", self._edits.save_picture)

    def save_latent(self, node: EditNode) -> None:
        """Ask where the latent of an encoded picture should go."""
        self._ask_where(
            node, "latent", "latent.safetensors", "Latents (*.safetensors)", self._edits.save_latent
        )

    def _ask_where(
        self, node: EditNode, what: str, ending: str, kinds: str, save: Callable[[EditNode, Path], object]
    ) -> None:
        name = _file_name(node.name) or "picture"
        dialog = QFileDialog(self, f"Save the {what}", f"{name}.{ending}", kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(ending.rpartition(".")[2])
        dialog.fileSelected.connect(lambda file: save(node, Path(file)))
        dialog.open()

    def open_menu(self) -> None:
        self._menu = self.menu()
        self._menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def menu(self) -> QMenu:
        """What can be done with the session."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        there = bool(self._edits.sessions.id)
        for entry in (
            ("edit", "Rename…", self.rename, there),
            ("export", "Export as one file…", self.export, there),
            ("folder", "Open a file of edits…", self.import_file, True),
            None,
            ("trash", "Delete", lambda: self._edits.sessions.delete(self._edits.sessions.id), there),
        ):
            if entry is None:
                menu.addSeparator()
                continue
            icon, title, work, enabled = entry
            action = menu.addAction(icons.icon(icon), title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu

    def rename(self) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Rename the session")
        dialog.setLabelText("Name")
        dialog.setTextValue(self._edits.sessions.name)
        dialog.textValueSelected.connect(self._edits.sessions.rename)
        dialog.open()

    def export(self) -> None:
        name = _file_name(self._edits.sessions.name)
        dialog = QFileDialog(self, "Export the session", f"{name or 'edits'}{BUNDLE_SUFFIX}", "Edits (*.zip)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("zip")
        dialog.fileSelected.connect(lambda file: self._edits.export_bundle(Path(file)))
        dialog.open()

    def import_file(self) -> None:
        dialog = QFileDialog(self, "Open a file of edits", "", "Edits (*.zip)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda file: self._edits.import_bundle(Path(file)))
        dialog.open()


def _file_name(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_ " else "-" for c in name).strip()
