"""The grid of the history: thumbnails painted crisp, only those in sight."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.models.history import HistoryModel
from app.views import icons, theme
from app.views.picture_images import pixmap_of
from app.views.zoom_view import claims_key

__all__ = ["HISTORY_KEYS", "HistoryList"]

_SIDE = 64  # widget pixels of a thumbnail
_FRAME = 2  # around it, where the selection is drawn

# Keys that mean something in the list, with the method of the panel they run.
HISTORY_KEYS = {
    Qt.Key.Key_Delete: "delete_selected",
    Qt.Key.Key_Period: "toggle_star",
    Qt.Key.Key_C: "compare_selected",
    Qt.Key.Key_I: "show_details",
    Qt.Key.Key_S: "save_selected",
    Qt.Key.Key_U: "upsample",
    Qt.Key.Key_Return: "show_on_canvas",
    Qt.Key.Key_Enter: "show_on_canvas",
}

_SELECTED = QStyle.StateFlag.State_Selected.value
_HOVERED = QStyle.StateFlag.State_MouseOver.value
_FOCUSED = QStyle.StateFlag.State_HasFocus.value
_MARKS = _SELECTED | _HOVERED | _FOCUSED  # what is drawn over a thumbnail

_Index = QModelIndex | QPersistentModelIndex


class _ThumbnailDelegate(QStyledItemDelegate):
    """Paints a thumbnail at a whole zoom, its star, and a ring with corners when it is selected."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        cell = QRect(option.rect)
        state = option.state.value  # as a number: an enumeration takes its time, and this is every tile
        colours = theme.current()
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        png = index.data(HistoryModel.ThumbnailRole)
        picture = pixmap_of(png if isinstance(png, bytes) else b"", _SIDE, ratio)
        box = QRectF(0, 0, _SIDE, _SIDE)
        box.moveCenter(cell.toRectF().center())
        if picture.isNull():
            painter.fillRect(box, colours.color("groove"))
        else:
            size = picture.deviceIndependentSize()
            covers = QRectF(0, 0, size.width(), size.height())
            covers.moveCenter(box.center())
            covers.moveTopLeft(covers.topLeft().toPoint().toPointF())
            painter.drawPixmap(covers.topLeft(), picture)
            box = covers
        starred = index.data(HistoryModel.StarredRole)
        if not (starred or state & _MARKS):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(state & _SELECTED)
        if selected or state & _HOVERED:
            painter.setPen(QPen(colours.color("accent" if selected else "quiet"), 2 if selected else 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box.adjusted(-1, -1, 1, 1))
        if selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.color("accent"))
            tick = QRectF(box.right() - 12, box.bottom() - 12, 14, 14)
            painter.drawRoundedRect(tick, 3, 3)
            painter.drawPixmap(tick.topLeft(), icons.pixmap("check", "on_accent", 14, ratio))
        if state & _FOCUSED:
            painter.setPen(QPen(colours.color("text"), 1, Qt.PenStyle.DotLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(cell.toRectF().adjusted(0.5, 0.5, -0.5, -0.5))
        if starred:
            corner = QRectF(box.right() - 15, box.top() - 1, 16, 16)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.color("panel"))
            painter.drawEllipse(corner)
            star = icons.pixmap("star-filled", "care", 12, ratio)
            painter.drawPixmap(corner.adjusted(2, 2, -2, -2).topLeft(), star)
        painter.restore()

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(_SIDE + 2 * _FRAME, _SIDE + 2 * _FRAME)


class HistoryList(QListView):
    """The virtualised grid. Keys that mean something here do not reach the window."""

    pressed_key = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setBatchSize(400)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self.setItemDelegate(_ThumbnailDelegate(self))
        self.setAccessibleName("History")

    def selectAll(self) -> None:
        model = self.model()
        if isinstance(model, HistoryModel):
            model.fetch_all()  # all of the history, not all that was scrolled past
        super().selectAll()

    def selected_rows(self) -> list[int]:
        """The rows of the selection, in order. Read from its ranges: an index a row takes a second of 20,000."""
        ranges = self.selectionModel().selection().toList()
        return sorted({row for part in ranges for row in range(part.top(), part.bottom() + 1)})

    def resizeEvent(self, event: QResizeEvent) -> None:
        # Spread the columns over the width, so that no ragged strip is left.
        width = self.viewport().width() - 1
        cell = _SIDE + 2 * _FRAME
        self.setGridSize(QSize(width // max(1, width // cell), cell))
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        return claims_key(event, HISTORY_KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in HISTORY_KEYS and not event.modifiers():
            self.pressed_key.emit(event.key())
        else:
            super().keyPressEvent(event)
