"""The list of the shelf: a picture, a name and what it is in every row; and small lines to type in."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QPainter,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.models.traverse.desk import TraverseModel
from app.models.traverse.shelf import ShelfRole
from app.models.traverse.spots import Spot
from app.views import icons, theme, tokens
from app.views.help import describe
from app.views.popup import Popup
from app.views.traverse.thumbs import draw_thumb

__all__ = ["SeedPopup", "ShelfList", "SpotDelegate", "TagPopup"]

_THUMB = 40
_ROW = 48
_CTRL, _NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
_KEYS: dict[tuple[Qt.Key, Qt.KeyboardModifier], str] = {
    (Qt.Key.Key_Delete, _NONE): "delete",
    (Qt.Key.Key_Period, _NONE): "star",
    (Qt.Key.Key_Return, _NONE): "keyframe",
    (Qt.Key.Key_Enter, _NONE): "keyframe",
    (Qt.Key.Key_P, _NONE): "pin",
    (Qt.Key.Key_T, _NONE): "tags",
    (Qt.Key.Key_F2, _NONE): "rename",
    (Qt.Key.Key_C, _CTRL): "copy",
    (Qt.Key.Key_V, _CTRL): "paste",
}
_Index = QModelIndex | QPersistentModelIndex


class SpotDelegate(QStyledItemDelegate):
    """A picture, a name, and below it what it is."""

    def __init__(self, parent: QWidget, facts: Callable[[Spot], str]) -> None:
        """`facts` gives the second line of a row."""
        super().__init__(parent)
        self._facts = facts

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        look, spot = theme.current(), index.data(ShelfRole.SPOT)
        if not isinstance(spot, Spot):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        cell = QRectF(QRect(option.rect)).adjusted(2, 1, -2, -1)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if chosen or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("selected" if chosen else "hover"))
            painter.drawRoundedRect(cell, 4, 4)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(look.color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        draw_thumb(painter, QRectF(cell.left() + 3, cell.top() + 3, _THUMB, _THUMB), spot.thumbnail)
        left, right = cell.left() + _THUMB + 11, cell.right() - 6
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        if spot.starred:
            right -= 16
            star = icons.pixmap("star-filled", "care", 12, ratio)
            painter.drawPixmap(QRectF(right + 2, cell.top() + 8, 12, 12).topLeft(), star)
        facts = self._facts(spot)
        for top, words, role, font in (
            (5, spot.name, "text", look.font()),
            (23, facts, "quiet", look.font(tokens.FONT_CAPTION)),
        ):
            painter.setFont(font)
            painter.setPen(look.color("text" if chosen else role))
            metrics = painter.fontMetrics()
            line = QRectF(left, cell.top() + top, right - left, metrics.height())
            painter.drawText(
                line,
                Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(line.width())),
            )
        painter.restore()

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(120, _ROW)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: _Index) -> None:
        box = QRect(option.rect)
        editor.setGeometry(box.left() + _THUMB + 8, box.top() + 8, box.width() - _THUMB - 12, tokens.CONTROL)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        editor = super().createEditor(parent, option, index)
        describe(editor, "Name", "A name for this latent; Enter keeps it, Esc leaves the old one.")
        return editor


class ShelfList(QListView):
    """The list. Keys that mean something here do not reach the window; drops come as latents."""

    wished = Signal(str)
    dropped = Signal(object)  # QMimeData

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self._traverse = traverse
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setUniformItemSizes(True)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self.setAccessibleName("Shelf")
        self.setProperty("help_term", "shelf")

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and _wish(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() != QAbstractItemView.State.EditingState and (wish := _wish(event)):
            self.wished.emit(wish)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is not self and self._traverse.accepts(event.mimeData()):
            event.acceptProposedAction()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if event.source() is not self:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        if event.source() is not self:
            event.acceptProposedAction()
            self.dropped.emit(event.mimeData())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.scheduleDelayedItemsLayout()


class SeedPopup(Popup):
    """One line: which seeds."""

    entered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.line = QLineEdit()
        self.line.setMinimumWidth(200)
        self.line.setPlaceholderText("7, or 7 8 9, or 100-115")
        describe(self.line, "Seeds", "Numbers of the noise: one, several, or a range. Enter adds them.")
        self.column.addWidget(self.line)
        self.line.returnPressed.connect(self._enter)

    def open_at(self, control: QWidget) -> None:
        self.open_under(control)
        self.line.setFocus(Qt.FocusReason.PopupFocusReason)

    def _enter(self) -> None:
        words = self.line.text()
        self.close()
        self.entered.emit(words)


class TagPopup(SeedPopup):
    """One line: the tags of what is selected."""

    def __init__(self, parent: QWidget, tags: str) -> None:
        super().__init__(parent)
        self.line.setPlaceholderText("boots, warm, for the talk")
        self.line.setText(tags)
        describe(self.line, "Tags", "Words to find it by, parted by commas. Enter keeps them.")


def _wish(event: QKeyEvent) -> str:
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return _KEYS.get((Qt.Key(event.key()), modifiers), "")
