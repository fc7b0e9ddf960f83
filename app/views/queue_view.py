"""The queue: what runs, what waits (to be reordered, edited, removed), what has just been done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QStaticText,
    QTransform,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.models.queue import Job, JobState, QueueModel
from app.models.studio import ROOMS, Studio
from app.views import icons, theme, tokens
from app.views.fields import icon_button
from app.views.help import describe
from app.views.paint_later import PaintLater
from app.views.words import class_name, counted, model_title, solver_title
from app.views.zoom_view import claims_key
from engine.messages import GenerateRequest

__all__ = ["QueuePanel"]

_ROW = 48
_EDGE = 8
_SIGNS = {  # icon and colour of a state
    JobState.PENDING: ("queue", "quiet"),
    JobState.RUNNING: ("play", "accent"),
    JobState.FINISHED: ("check", "good"),
    JobState.CANCELLED: ("stop", "care"),
    JobState.FAILED: ("warning", "bad"),
}

_SELECTED = QStyle.StateFlag.State_Selected.value
_HOVERED = QStyle.StateFlag.State_MouseOver.value
_FOCUSED = QStyle.StateFlag.State_HasFocus.value

_KEYS = (Qt.Key.Key_Delete, Qt.Key.Key_Return, Qt.Key.Key_Enter)
_Index = QModelIndex | QPersistentModelIndex


@lru_cache(maxsize=256)
def _laid_out(text: str, size: int, width: int) -> QStaticText:
    """What of a line there is room for: all rows are painted anew when one of them has ended."""
    font = theme.current().font(size, figures=True)
    words = QStaticText(QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, width))
    words.setTextFormat(Qt.TextFormat.PlainText)
    words.prepare(QTransform(), font)
    return words


class _JobDelegate(QStyledItemDelegate):
    """Two lines of text, a sign for the state, the progress, and a cross (or stop) to press."""

    def __init__(self, studio: Studio, parent: QWidget) -> None:
        super().__init__(parent)
        self._studio = studio

    def sizeHint(self, _option: QStyleOptionViewItem, _index: _Index) -> QSize:
        return QSize(120, _ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        job = index.data(QueueModel.JobRole)
        if not isinstance(job, Job):
            return
        rect = QRect(option.rect)
        state = option.state.value  # as a number: an enumeration takes its time, and this is every row
        look = theme.current()
        device = painter.device()
        ratio = device.devicePixelRatio() if device is not None else 1.0
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hovered = bool(state & _HOVERED)
        selected = bool(state & _SELECTED)
        box = QRectF(rect).adjusted(4.5, 1.5, -4.5, -1.5)
        if selected or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("selected" if selected else "rail_hover"))
            painter.drawRoundedRect(box, tokens.RADIUS, tokens.RADIUS)
        if state & _FOCUSED:
            painter.setPen(QPen(look.color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, tokens.RADIUS, tokens.RADIUS)
        sign, role = _SIGNS[job.state]
        top = rect.center().y() - tokens.ICON // 2
        painter.drawPixmap(rect.left() + 12, top, icons.pixmap(sign, role, tokens.ICON, ratio))
        right = self.action_rect(rect)
        if hovered or selected or job.state == JobState.RUNNING:
            name = "stop" if job.state == JobState.RUNNING else "close"
            painter.drawPixmap(
                right.topLeft() + QPointF(6, 6).toPoint(), icons.pixmap(name, "quiet", 16, ratio)
            )
        words = QRect(rect.left() + 36, rect.top() + 6, right.left() - rect.left() - 40, 18)
        self._line(painter, words, self.title(job), "text", tokens.FONT_BODY)
        quiet = "text" if selected else "quiet"
        self._line(painter, words.translated(0, 18), self.subtitle(job), quiet, tokens.FONT_CAPTION)
        if job.state == JobState.RUNNING:
            groove = QRectF(words.left(), rect.bottom() - 5, words.width(), 3)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(look.color("groove"))
            painter.drawRoundedRect(groove, 1.5, 1.5)
            groove.setWidth(groove.width() * job.progress)
            painter.setBrush(look.color("accent"))
            painter.drawRoundedRect(groove, 1.5, 1.5)
        painter.restore()

    def _line(self, painter: QPainter, rect: QRect, text: str, role: str, size: int) -> None:
        painter.setFont(theme.current().font(size, figures=True))
        painter.setPen(theme.current().color(role))
        words = _laid_out(text, size, rect.width())
        top = rect.top() + round((rect.height() - words.size().height()) / 2)
        painter.drawStaticText(rect.left(), top, words)

    def action_rect(self, row: QRect) -> QRect:
        """Where the cross (or stop) of a row is."""
        return QRect(row.right() - 36, row.center().y() - 14, 28, 28)

    def title(self, job: Job) -> str:
        """ "16 × Ankle boot", or the model where there is no single class."""
        request, catalogue = job.request, self._studio.catalogue
        if not isinstance(request, GenerateRequest):
            return request.summary
        labels = set(request.labels)
        if len(labels) == 1 and (label := next(iter(labels))) is not None:
            return f"{request.count:,} × {class_name(catalogue, request.model, label)}"
        classes = f" · {counted(len(labels), 'class')}" if len(labels) > 1 else ""
        return f"{counted(request.count, 'image')}{classes}"

    def subtitle(self, job: Job) -> str:
        if job.message and (job.ended or not job.progress):
            return job.message
        request, catalogue = job.request, self._studio.catalogue
        if not isinstance(request, GenerateRequest):
            words = model_title(catalogue, request.model) if request.model else ""
            return f"{job.progress:.0%} · {words}" if job.state == JobState.RUNNING else words
        solver = solver_title(catalogue, request.solver)
        words = f"{solver} {request.steps} · {model_title(catalogue, request.model)} · seed {request.seed}"
        return f"{job.progress:.0%} · {words}" if job.state == JobState.RUNNING else words


class _JobList(QListView):
    """Rows of jobs. Pending ones are dragged to their place, or moved with Alt+Up and Alt+Down."""

    moved = Signal(int, int)  # row, row
    pressed_action = Signal(object)  # Job
    pressed_key = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(False)
        self.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setAccessibleName("Queue")
        self._drop_row = -1

    def dataChanged(self, first: _Index, last: _Index, roles: Sequence[int] = ()) -> None:
        """Paint these rows again. The list itself would paint all: a row might have another height."""
        QAbstractItemView.dataChanged(self, first, last, roles)

    def job_at(self, row: int) -> Job | None:
        job = self.model().index(row, 0).data(QueueModel.JobRole)
        return job if isinstance(job, Job) else None

    # --- dragging rows ---

    def _dragged(self, event: QDropEvent) -> int:
        """The row that is being dragged, or -1 for what comes from elsewhere."""
        return self.currentIndex().row() if event.source() is self else -1

    def _gap_at(self, y: float) -> int:
        """The gap between rows nearest to `y`: 0 is above the first."""
        return max(0, min(self.model().rowCount(), round((y + self.verticalOffset()) / _ROW)))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._dragged(event) >= 0:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        if self._dragged(event) < 0:
            event.ignore()
            return
        self._drop_row = self._gap_at(event.position().y())
        self.viewport().update()
        event.acceptProposedAction()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._drop_row = -1
        self.viewport().update()

    def dropEvent(self, event: QDropEvent) -> None:
        source, gap = self._dragged(event), self._gap_at(event.position().y())
        self._drop_row = -1
        self.viewport().update()
        if source < 0:
            event.ignore()
            return
        event.acceptProposedAction()
        self.moved.emit(source, gap - 1 if gap > source else gap)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._drop_row >= 0:
            painter = QPainter(self.viewport())
            y = self._drop_row * _ROW - self.verticalOffset()
            painter.fillRect(
                QRect(8, y - 1, self.viewport().width() - 16, 2), theme.current().color("accent")
            )

    # --- pointer and keys ---

    def _action_at(self, event: QMouseEvent) -> Job | None:
        index = self.indexAt(event.position().toPoint())
        delegate = self.itemDelegate()
        if not index.isValid() or not isinstance(delegate, _JobDelegate):
            return None
        inside = delegate.action_rect(self.visualRect(index)).contains(event.position().toPoint())
        return self.job_at(index.row()) if inside else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # The cross is no handle to drag the row by.
        if event.button() != Qt.MouseButton.LeftButton or self._action_at(event) is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        job = self._action_at(event) if event.button() == Qt.MouseButton.LeftButton else None
        if job is not None and self.state() == QAbstractItemView.State.NoState:
            self.pressed_action.emit(job)
        else:
            super().mouseReleaseEvent(event)

    def event(self, event: QEvent) -> bool:
        return claims_key(event, _KEYS) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if step and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            row = self.currentIndex().row()
            if row >= 0:
                self.moved.emit(row, row + step)
        elif event.key() in _KEYS:
            self.pressed_key.emit(event.key())
        else:
            super().keyPressEvent(event)


class QueuePanel(QWidget):
    """The list with its head (how much waits, editing) and its verbs."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._studio = studio
        self._queue = studio.queue
        self.list = _JobList()
        self.list.setModel(self._queue)
        PaintLater(self.list, 20)  # the list owns it
        self.list.setItemDelegate(_JobDelegate(studio, self.list))
        self.count = QLabel()  # shown beside the title of the panel
        self.count.setProperty("role", "caption")
        self.edit = icon_button("edit", "Edit", "Put its settings beside the canvas, to change them (Return)")
        self.up = icon_button("arrow-up", "Earlier", "Let it run earlier (Alt+Up)")
        self.down = icon_button("arrow-down", "Later", "Let it run later (Alt+Down)")
        self.remove = icon_button(
            "trash", "Remove", "Take it off the list (Delete). Can be undone while it waits."
        )
        self.stop = icon_button("stop", "Stop", "Stop what runs now. Finished pictures are kept.")
        self.tidy = icon_button(
            "check", "Clear what is done", "Take ended jobs off the list; their pictures stay."
        )
        self.editing = QWidget()
        self.commit = QPushButton("Put back")
        self.cancel_edit = QPushButton("Cancel")
        self.empty = QLabel("Nothing waits. What you generate while something runs is queued here.")
        self._build()
        self._connect()
        self._refresh()

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(12, 4, 8, 0)
        head.setSpacing(0)
        head.addStretch(1)
        for button in (self.edit, self.up, self.down, self.remove, self.stop, self.tidy):
            head.addWidget(button)
        self.editing.setProperty("panel", "card")
        self.editing.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        words = QLabel("Editing this job")
        words.setToolTip("Its settings are beside the canvas. Change them, then put them back.")
        self.commit.setProperty("kind", "primary")
        describe(self.commit, "Put back", "Give the changed settings to the waiting job.")
        describe(self.cancel_edit, "Cancel", "Leave the waiting job as it was.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.commit, 1)
        buttons.addWidget(self.cancel_edit, 1)
        inside = QVBoxLayout(self.editing)
        inside.setContentsMargins(12, 8, 12, 12)
        inside.addWidget(words)
        inside.addLayout(buttons)
        self.editing.hide()
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "quiet")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.empty.setContentsMargins(16, 16, 16, 16)
        card = QHBoxLayout()
        card.setContentsMargins(8, 0, 8, 0)
        card.addWidget(self.editing)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addLayout(card)
        column.addWidget(self.empty)
        column.addWidget(self.list, 1)

    def _connect(self) -> None:
        self.list.moved.connect(self._queue.move)
        self.list.pressed_action.connect(self._press_action)
        self.list.pressed_key.connect(self._run_key)
        self.list.doubleClicked.connect(self._double_clicked)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self.list.selectionModel().currentChanged.connect(self._refresh)
        self.edit.clicked.connect(self.edit_current)
        self.up.clicked.connect(lambda: self._move(-1))
        self.down.clicked.connect(lambda: self._move(1))
        self.remove.clicked.connect(self.remove_current)
        self.stop.clicked.connect(self._studio.stop)
        self.tidy.clicked.connect(self._queue.clear_ended)
        self.commit.clicked.connect(self._studio.commit_edit)
        self.cancel_edit.clicked.connect(self._studio.cancel_edit)
        self._studio.editing_changed.connect(self._show_editing)
        self._studio.catalogue_changed.connect(lambda _catalogue: self.list.viewport().update())
        self._queue.counts_changed.connect(self._refresh)
        for signal in (self._queue.rowsInserted, self._queue.rowsRemoved, self._queue.rowsMoved):
            signal.connect(self._refresh)

    # --- verbs ---

    def current_job(self) -> Job | None:
        return self.list.job_at(self.list.currentIndex().row())

    def edit_current(self) -> None:
        """Load the settings of the waiting job into the controls."""
        if (job := self.current_job()) is not None and job.state == JobState.PENDING:
            self._studio.edit_job(job.id)

    def remove_current(self) -> None:
        if (job := self.current_job()) is not None and job.state != JobState.RUNNING:
            self._studio.remove_job(job.id)

    def _move(self, by: int) -> None:
        row = self.list.currentIndex().row()
        self._queue.move(row, row + by)
        self._refresh()

    def _press_action(self, job: Job) -> None:
        if job.state == JobState.RUNNING:
            self._studio.stop()
        else:
            self._studio.remove_job(job.id)

    def _run_key(self, key: int) -> None:
        if key == Qt.Key.Key_Delete:
            self.remove_current()
        else:
            self._open_current()

    def _double_clicked(self, _index: QModelIndex) -> None:
        self._open_current()

    def _open_current(self) -> None:
        """A waiting job is edited, the running one shown, of one that ended the settings are taken."""
        job = self.current_job()
        if job is None:
            return
        if job.state == JobState.PENDING:
            self._studio.edit_job(job.id)
        elif job.state == JobState.RUNNING:
            self._studio.follow()
            self._studio.room_wanted.emit(ROOMS.get(job.request.kind, "generate"))
        else:
            self._studio.apply_settings(job.request)

    # --- showing ---

    def _show_editing(self, job_id: object) -> None:
        self.editing.setVisible(job_id is not None)
        if isinstance(job_id, int):
            self.list.setCurrentIndex(self._queue.index(self._queue.row_of(job_id)))

    def _refresh(self, *_signal: object) -> None:
        job, queue = self.current_job(), self._queue
        waiting = queue.pending_count
        rows = queue.rowCount()
        self.count.setText(f"{waiting:,} waiting" if waiting else "")
        self.empty.setVisible(rows == 0)
        self.list.setVisible(rows > 0)
        pending = job is not None and job.state == JobState.PENDING
        place = [one.id for one in queue.pending].index(job.id) if pending and job is not None else -1
        self.edit.setEnabled(pending)
        self.up.setEnabled(place > 0)
        self.down.setEnabled(pending and place < waiting - 1)
        self.remove.setEnabled(job is not None and job.state != JobState.RUNNING)
        self.stop.setEnabled(queue.running is not None)
        self.tidy.setEnabled(any(one.ended for one in queue.jobs))
        for button, shown in ((self.edit, rows), (self.up, rows), (self.down, rows), (self.tidy, rows)):
            button.setVisible(bool(shown))

    def _open_menu(self, position: object) -> None:
        if self.current_job() is not None:
            self.menu().popup(self.list.viewport().mapToGlobal(position))  # type: ignore[call-overload]

    def menu(self) -> QMenu:
        """What can be done with the current job."""
        job = self.current_job()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if job is None:
            return menu
        pending, running = job.state == JobState.PENDING, job.state == JobState.RUNNING
        for icon, title, work, shown in (
            ("play", "Run it next", lambda: self._queue.run_first(job.id), pending),
            ("edit", "Edit", self.edit_current, pending),
            ("generate", "Apply its settings", lambda: self._studio.apply_settings(job.request), True),
            ("eye", "Show on the canvas", self._studio.follow, running),
            ("stop", "Stop", self._studio.stop, running),
            ("trash", "Remove", self.remove_current, not running),
        ):
            if shown:
                action = menu.addAction(icons.icon(icon), title)
                action.triggered.connect(lambda _checked=False, work=work: work())
        return menu
