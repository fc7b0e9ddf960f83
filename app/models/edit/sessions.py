"""The edit sessions: which there are, the one that is open, its tree, and undo."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.models.edit.noise import latent_picture
from app.models.edit.tree import KINDS, EditNode, EditTree, Row, fresh_id
from app.models.undo import NOT_NOW, UndoList
from app.store.edits import EditFiles, EditRow, EditStore, SessionRow
from app.store.encoding import decode_png
from engine.errors import BadRequest, EngineError
from engine.messages import Pictures

__all__ = ["EditTreeRows", "Sessions"]

Index = QModelIndex | QPersistentModelIndex
_NOWHERE = QModelIndex()


class EditTreeRows(QAbstractListModel):
    """The open session's tree, a line an edit, for a list view."""

    RowRole = Qt.ItemDataRole.UserRole + 1  # Row
    CurrentRole = Qt.ItemDataRole.UserRole + 2  # bool

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tree = EditTree()
        self._rows: list[Row] = []
        self.rename: Callable[[str, str], object] = lambda _id, _name: None

    def show(self, tree: EditTree) -> None:
        self.beginResetModel()
        self._tree, self._rows = tree, tree.rows()
        self.endResetModel()

    def refresh(self) -> None:
        """Another edit is the current one, or one is called otherwise."""
        if self._rows:
            self._rows = self._tree.rows()
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def row_of(self, id: str) -> int:
        return next((n for n, row in enumerate(self._rows) if row.node.id == id), -1)

    def row_at(self, number: int) -> Row:
        return self._rows[number]

    def rowCount(self, parent: Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or not 0 <= index.row() < len(self._rows):
            return None
        row = self._rows[index.row()]
        current = self._tree.current
        here = current is not None and current.id == row.node.id
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return row.node.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parent = self._tree.parent(row.node)
            after = f", from {parent.name}" if parent is not None else ""
            return f"{row.node.name}, {KINDS[row.node.kind]}{after}{', shown now' if here else ''}"
        if role == self.RowRole:
            return row
        return here if role == self.CurrentRole else None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        self.rename(self._rows[index.row()].node.id, str(value))
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable


class Sessions(QObject):
    """One session is open at a time; every change of it is in the store at once."""

    opened = Signal()  # another session, or none
    tree_changed = Signal()  # edits came or went
    current_changed = Signal()  # another edit is looked at
    listed_changed = Signal()  # names and order of the sessions
    undo_changed = Signal()  # whether there is something to undo or to redo
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(self, store: EditStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self.rows = EditTreeRows(self)
        self.rows.rename = self.rename_edit
        self.undo_list = self._fresh_undo()
        self._id = ""
        self._name = ""
        self._model = ""
        self._tree = EditTree()
        self._pictures: dict[str, Pictures] = {}
        self._png: tuple[str, bytes] = ("", b"")

    # --- what is there

    @property
    def files(self) -> EditFiles:
        return self.store.files

    @property
    def id(self) -> str:
        """That of the open session; "" when none is."""
        return self._id

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        """The model of the open session."""
        return self._model

    @property
    def tree(self) -> EditTree:
        return self._tree

    @property
    def current(self) -> EditNode | None:
        return self._tree.current

    def listed(self) -> list[SessionRow]:
        """The sessions there are, the one changed last first."""
        try:
            return self.store.sessions()
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return []

    def picture(self, node: EditNode, role: str = "picture") -> Pictures | None:
        """A picture of an edit; None, and a notice, where its file is gone."""
        name = node.files.get(role)
        if name is None:
            return None
        if name not in self._pictures:
            with self._telling():
                try:
                    self._pictures[name] = decode_png(self.files.get(name))
                except (OSError, ValueError, SyntaxError) as error:
                    raise BadRequest(f"A picture of {node.name} is damaged: {error}.") from error
        return self._pictures.get(name)

    def png(self, node: EditNode) -> bytes:
        """The file of an edit's picture; a `StoreError` where it is gone."""
        name = node.files["picture"]
        if self._png[0] != name:
            self._png = (name, self.files.get(name))
        return self._png[1]

    def noise(self, node: EditNode) -> Pictures | None:
        """What a latent looks like: three standard deviations to either side, from black to white."""
        name = node.files.get("latent")
        if name is None:
            return None
        if name not in self._pictures:
            picture = None
            with self._telling():
                picture = latent_picture(self.files.get(name))
            if picture is None:
                return None
            self._pictures[name] = picture
        return self._pictures[name]

    def latent_path(self, node: EditNode) -> Path | None:
        name = node.files.get("latent")
        return None if name is None else self.files.path(name)

    # --- sessions

    def create(self, name: str, model: str, nodes: Sequence[EditNode], *, show: bool = True) -> str:
        """A new session with these edits, which then is open (unless it is only to be kept)."""
        id = fresh_id()
        with self._telling():
            rows = [EditRow(node.id, node.parent, node.name, node.to_data()) for node in nodes]
            self.store.add_session(id, name, model, rows, nodes[0].id)
        if not show:
            self.listed_changed.emit()
            return id
        tree = EditTree()
        for node in nodes:
            tree.add(node)
        tree.go_to(nodes[0].id)
        self._show(id, name, model, tree)
        self.listed_changed.emit()
        return id

    def open(self, id: str) -> bool:
        """Open a session of the store; False, and a notice, if it can't be."""
        listed = next((row for row in self.listed() if row.id == id), None)
        if listed is None:
            return False
        tree = EditTree()
        left_out = 0
        with self._telling():
            for row in self.store.edits(id):
                try:
                    tree.add(EditNode.from_data(row.id, row.parent, row.name, row.data))
                except BadRequest:
                    left_out += 1
        if not len(tree):
            return False
        if listed.current in tree:
            tree.go_to(listed.current)
        self._show(id, listed.name, listed.model, tree)
        if left_out:
            self.notice.emit(f"{left_out} damaged edits of {listed.name} were left out.", "care", None)
        return True

    def close(self) -> None:
        """No session is open; it stays in the store."""
        if self._id:
            self._show("", "", "", EditTree())

    def rename(self, name: str) -> None:
        name = name.strip()
        if not name or name == self._name or not self._id:
            return
        self._name = name
        with self._telling():
            self.store.set_session(self._id, name=name)
        self.listed_changed.emit()

    def delete(self, id: str) -> None:
        """Into the trash, with undo."""
        name = next((row.name for row in self.listed() if row.id == id), "")
        was_open = id == self._id

        def put(deleted: bool) -> object:
            came = self.attempt(
                lambda: self.store.delete_session(id, deleted), f"Session {name} is not kept any more."
            )
            if came is NOT_NOW:
                return came
            if deleted and self._id == id:
                self.close()
            elif not deleted and came is True and was_open:
                self.open(id)
            self.listed_changed.emit()
            return came

        if put(True) is True:
            words = f"Session {name} deleted."
            self.notice.emit(words, "info", self.undo_list.add(words, lambda: put(False), lambda: put(True)))

    # --- edits

    def add(self, node: EditNode) -> None:
        """A new edit of the current one. Undo goes back to its parent; it stays in the tree."""
        self._tree.add(node)
        with self._telling():
            self.store.add_edit(self._id, EditRow(node.id, node.parent, node.name, node.to_data()))
        parent = node.parent
        if parent is not None:
            self.undo_list.add(
                f"{node.name} added.", lambda: self._go_back(parent), lambda: self._go_back(node.id)
            )
        self._changed()
        self.listed_changed.emit()

    def update(self, node: EditNode) -> None:
        """Other facts of an edit, of the open session or of one that was put away."""
        here = node.id in self._tree
        if here:
            self._tree.replace(node)
        with self._telling():
            self.store.set_edit(node.id, data=node.to_data())
        if here:
            self.rows.refresh()
            self.current_changed.emit()

    def go_to(self, id: str) -> None:
        """Look at an edit."""
        if id in self._tree and (self.current is None or id != self.current.id):
            self._visit(id)

    def rename_edit(self, id: str, name: str) -> None:
        name = name.strip()[:120]
        if id not in self._tree or not name or self._tree.node(id).name == name:
            return
        before = self._tree.node(id).name

        def call(it: str) -> object:
            if id not in self._tree:
                return self._cannot()
            came = self.attempt(lambda: self.store.set_edit(id, name=it))
            if came is True:
                self._tree.replace(dataclasses.replace(self._tree.node(id), name=it))
                self.rows.refresh()
                self.current_changed.emit()
            return came

        if call(name) is True:
            self.undo_list.add(f"{before} renamed.", lambda: call(before), lambda: call(name))

    def delete_edit(self, id: str) -> None:
        """Into the trash with all that came of it, with undo."""
        if id not in self._tree:
            return
        # Undo may be pressed in a message when another session is open by then.
        session, tree = self._id, self._tree
        node, order = tree.node(id), tree.order
        taken: list[EditNode] = []
        kept = True  # in the store; a full disk may have left them in memory only

        def gone() -> object:
            ids = [n.id for n in tree.branch(id)]
            whole = session if len(ids) == len(tree) else None  # which goes with its last edit

            def work() -> None:
                nonlocal kept
                kept = self.store.delete_edits(ids, session=whole)

            came = self.attempt(work)
            if came is True:
                taken[:] = tree.remove(id)
                show()
            return came

        def back() -> object:
            if node.parent is not None and node.parent not in tree:
                words = f"{node.name} came of an edit that is deleted as well. Bring that back first."
                self.notice.emit(words, "care", None)
                return NOT_NOW
            ids, whole = [n.id for n in taken], None if len(tree) else session
            came = self.attempt(
                lambda: self.store.delete_edits(ids, deleted=False, session=whole) or not kept,
                f"{node.name} is not kept any more.",
            )
            if came is True:
                tree.put_back(taken, order)
                show()
            return came

        def show() -> None:
            if tree is self._tree:
                self._changed()
            elif session == self._id:  # it was put away and opened again
                self.open(session)
            self.listed_changed.emit()

        if gone() is not True:
            return
        count = len(taken)
        words = f"{node.name} deleted." if count == 1 else f"{node.name} and {count - 1} more deleted."
        self.notice.emit(words, "info", self.undo_list.add(words, back, gone))

    # --- undo

    def undo(self) -> bool:
        """Take back what was done last here; without that, go to the edit before."""
        change = self.undo_list.undo()
        if change is not None:
            if not change.failed:
                self.notice.emit(f"Undone: {change.words[:1].lower()}{change.words[1:]}", "info", None)
            return True
        node = self._tree.back()
        if node is None:
            return False
        self._visit(node.id)
        return True

    def redo(self) -> bool:
        change = self.undo_list.redo()
        if change is not None:
            if not change.failed:
                self.notice.emit(f"Done again: {change.words[:1].lower()}{change.words[1:]}", "info", None)
            return True
        node = self._tree.forward()
        if node is None:
            return False
        self._visit(node.id)
        return True

    def attempt(self, work: Callable[[], bool | None], gone: str = "") -> object:
        """Change the store. True, or what a `Change` says that could not be done, and why is told.

        `gone` is told where `work` answers False: there is nothing to change any more.
        """
        try:
            if work() is not False:
                return True
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return NOT_NOW
        self.notice.emit(gone, "care", None)
        return False

    # --- inside

    def _show(self, id: str, name: str, model: str, tree: EditTree) -> None:
        self._id, self._name, self._model, self._tree = id, name, model, tree
        self._pictures.clear()
        self.undo_list = self._fresh_undo()  # a message on screen may still hold the one before
        self.rows.show(tree)
        self.opened.emit()
        self.tree_changed.emit()
        self.current_changed.emit()

    def _fresh_undo(self) -> UndoList:
        changes = UndoList()
        changes.changed.connect(self.undo_changed)
        return changes

    def _visit(self, id: str) -> None:
        if id not in self._tree:
            return
        self._tree.go_to(id)
        with self._telling():
            self.store.set_session(self._id, current=id)
        self.rows.refresh()
        self.current_changed.emit()

    def _go_back(self, id: str) -> object:
        """See `_visit`, for undo and redo."""
        if id not in self._tree:
            return self._cannot()
        self._visit(id)
        return True

    def _cannot(self) -> bool:
        """It never can be undone or redone any more."""
        self.notice.emit("The edit that this was about is not there any more.", "care", None)
        return False

    def _changed(self) -> None:
        self.rows.show(self._tree)
        self.tree_changed.emit()
        self.current_changed.emit()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What the store can't do is told; what a person sees stays in memory."""
        try:
            yield
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
