"""The tree of edits: a thumbnail and a name each, with lines that show what came of what."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QImage, QKeyEvent, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from app.models.edit.sessions import EditTreeRows, Sessions
from app.models.edit.tree import KINDS, EditNode, Row
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.picture_images import to_image
from app.views.zoom_view import claims_key

__all__ = ["EditTreeView"]

_THUMB = 40
_HEIGHT = 52
_LANE = 14
_LEFT = 10
_LANES = 6  # deeper branches share the last lane
_KEYS = (
    Qt.Key.Key_Delete,
    Qt.Key.Key_F2,
    Qt.Key.Key_Left,
    Qt.Key.Key_Right,
    Qt.Key.Key_Return,
    Qt.Key.Key_Enter,
)


class _Delegate(QStyledItemDelegate):
    """Paints a line: the lanes, the picture, the name, what kind of edit it is."""

    def __init__(self, view: EditTreeView, image: Callable[[EditNode], QImage]) -> None:
        super().__init__(view)
        self._image = image

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(160, _HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(EditTreeRows.RowRole)
        here = bool(index.data(EditTreeRows.CurrentRole))
        look = theme.current()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(option.rect).adjusted(4.5, 1.5, -4.5, -1.5)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        focused = bool(option.state & QStyle.StateFlag.State_HasFocus) and here
        if here or hovered:
            painter.setPen(look.color("accent") if focused else Qt.PenStyle.NoPen)
            painter.setBrush(look.color("selected" if here else "hover"))
            painter.drawRoundedRect(box, tokens.RADIUS, tokens.RADIUS)
        self._paint_lanes(painter, option.rect, row, here)
        left = option.rect.left() + _LEFT + (min(row.lane, _LANES) + 1) * _LANE + 2
        top = option.rect.top() + (_HEIGHT - _THUMB) // 2
        self._paint_picture(painter, QRect(left, top, _THUMB, _THUMB), row.node, here)
        words = QRect(left + _THUMB + tokens.GAP, top + 2, 0, 18)
        words.setRight(option.rect.right() - 10)
        painter.setFont(look.font(tokens.FONT_BODY, 600 if here else 400))
        painter.setPen(look.color("text"))
        middle = Qt.AlignmentFlag.AlignVCenter
        metrics = painter.fontMetrics()
        elide = Qt.TextElideMode.ElideRight
        painter.drawText(words, middle, metrics.elidedText(row.node.name, elide, words.width()))
        painter.setFont(look.font(tokens.FONT_CAPTION, figures=True))
        painter.setPen(look.color("quiet"))
        metrics = painter.fontMetrics()
        below = words.translated(0, 18)
        painter.drawText(below, middle, metrics.elidedText(_caption(row.node), elide, below.width()))
        painter.restore()

    def _paint_lanes(self, painter: QPainter, rect: QRect, row: Row, here: bool) -> None:
        look = theme.current()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(look.color("edge"), 1.5))
        middle = rect.top() + rect.height() / 2

        def x(lane: int) -> float:
            return rect.left() + _LEFT + min(lane, _LANES) * _LANE + _LANE / 2

        for lane in row.passing:
            painter.drawLine(QPointF(x(lane), rect.top()), QPointF(x(lane), rect.bottom() + 1))
        at = QPointF(x(row.lane), middle)
        if row.parent_lane >= 0:
            if row.branch:
                path = QPainterPath(QPointF(x(row.parent_lane), rect.top()))
                path.quadTo(QPointF(x(row.parent_lane), middle), at)
                painter.drawPath(path)
            else:
                painter.drawLine(QPointF(x(row.lane), rect.top()), at)
        if not row.last:
            painter.drawLine(at, QPointF(x(row.lane), rect.bottom() + 1))
        painter.setPen(QPen(look.color("panel"), 2))
        painter.setBrush(look.color("accent" if here else "quiet"))
        painter.drawEllipse(at, 5 if here else 4, 5 if here else 4)

    def _paint_picture(self, painter: QPainter, rect: QRect, node: EditNode, here: bool) -> None:
        image = self._image(node)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if image.isNull():
            painter.fillRect(rect, theme.current().color("ground"))
        else:
            smooth = image.width() > rect.width()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
            painter.drawImage(rect, image)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.current().color("accent" if here else "line"), 1))
        painter.drawRect(rect.adjusted(-1, -1, 0, 0))

    def setEditorData(self, editor: object, index: QModelIndex | QPersistentModelIndex) -> None:
        super().setEditorData(editor, index)  # type: ignore[arg-type]
        describe(editor, "Name of the edit", "Type a name, press Enter.")  # type: ignore[arg-type]

    def updateEditorGeometry(
        self, editor: object, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        row: Row = index.data(EditTreeRows.RowRole)
        left = option.rect.left() + _LEFT + (min(row.lane, _LANES) + 1) * _LANE + _THUMB + tokens.GAP
        editor.setGeometry(left, option.rect.top() + 11, option.rect.right() - left - 8, tokens.CONTROL + 2)  # type: ignore[attr-defined]


def _caption(node: EditNode) -> str:
    facts = node.facts
    if node.kind == "picture":
        psnr = facts.get("psnr", 0.0)
        return (
            "comes back to the byte"
            if psnr is None
            else f"comes back at {psnr:.1f} dB"
            if psnr
            else "picture"
        )
    scale = facts.get("scale")
    if isinstance(scale, (int, float)):
        return f"{KINDS[node.kind]} · {scale:+.1f}"
    strength = facts.get("strength")
    return f"{KINDS[node.kind]} · {strength:.0%}" if isinstance(strength, (int, float)) else KINDS[node.kind]


class EditTreeView(QListView):
    """Up and Down go from line to line, Left to the edit before, Right to the one after; F2, Delete."""

    blend_wanted = Signal(str)  # id
    save_wanted = Signal(object)  # EditNode
    shelf_wanted = Signal(object)  # EditNode whose latent is to be put on the shelf
    latent_wanted = Signal(object)  # EditNode whose latent should be saved

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        self._sessions = sessions
        self._images: dict[str, QImage] = {}
        self.setModel(sessions.rows)
        self.setItemDelegate(_Delegate(self, self._image))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        describe(
            self,
            "Edits",
            "Every edit and what came of it. Left goes to the one before, Right to the one after, F2 renames, "
            "Delete deletes with undo.",
        )
        self.customContextMenuRequested.connect(self._open_menu)
        self.selectionModel().currentChanged.connect(self._chosen)
        sessions.opened.connect(self._images.clear)
        sessions.current_changed.connect(self._show_current)
        sessions.tree_changed.connect(self._show_current)
        theme.current().changed.connect(self.viewport().update)
        self._show_current()

    def _image(self, node: EditNode) -> QImage:
        name = node.files["picture"]
        if name not in self._images:
            picture = self._sessions.picture(node)
            self._images[name] = QImage() if picture is None else to_image(picture)
        return self._images[name]

    def _show_current(self) -> None:
        current = self._sessions.current
        row = self._sessions.rows.row_of(current.id) if current is not None else -1
        if row >= 0 and row != self.currentIndex().row():
            index = self._sessions.rows.index(row)
            self.setCurrentIndex(index)
            self.scrollTo(index)
        self.viewport().update()

    def _chosen(self, index: QModelIndex, _before: QModelIndex) -> None:
        if index.isValid():
            self._sessions.go_to(self._sessions.rows.row_at(index.row()).node.id)

    def _open_menu(self, position: QPoint) -> None:
        index = self.indexAt(position)
        if index.isValid():
            self.menu(self._sessions.rows.row_at(index.row()).node).popup(
                self.viewport().mapToGlobal(position)
            )

    def menu(self, node: EditNode) -> QMenu:
        """What can be done with an edit."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sessions = self._sessions
        current = sessions.current
        other = current is not None and current.id != node.id
        for icon, title, work, enabled in (
            ("edit", "Rename\tF2", lambda: self._rename(node), True),
            ("compare", "Blend the current one with it", lambda: self.blend_wanted.emit(node.id), other),
            (
                "copy",
                "Copy the picture",
                lambda: QGuiApplication.clipboard().setImage(self._image(node)),
                True,
            ),
            ("save", "Save the picture…", lambda: self.save_wanted.emit(node), True),
            (
                "star",
                "Put its latent on the shelf",
                lambda: self.shelf_wanted.emit(node),
                sessions.latent_path(node) is not None,
            ),
            ("export", "Save the latent…", lambda: self.latent_wanted.emit(node), "latent" in node.files),
            ("trash", "Delete\tDel", lambda: sessions.delete_edit(node.id), True),
        ):
            action = menu.addAction(icons.icon(icon), title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu

    def _rename(self, node: EditNode) -> None:
        row = self._sessions.rows.row_of(node.id)
        if row >= 0:
            index = self._sessions.rows.index(row)
            self.setCurrentIndex(index)
            self.edit(index)

    def event(self, event: QEvent) -> bool:
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        tree, current = self._sessions.tree, self._sessions.current
        key = event.key()
        if current is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Delete:
            self._sessions.delete_edit(current.id)
        elif key == Qt.Key.Key_F2:
            self._rename(current)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            node = tree.back() if key == Qt.Key.Key_Left else tree.forward()
            if node is not None:
                self._sessions.go_to(node.id)
        else:
            super().keyPressEvent(event)
