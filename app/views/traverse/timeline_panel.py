"""The lower part of the room: the walk's transport and tools above its track; for a film, its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.models.traverse.desk import KeptWalk, TraverseModel
from app.models.traverse.timeline import KEYS_MIME
from app.views import clipboard, icons, theme, tokens
from app.views.fields import CalmSlider, icon_button
from app.views.help import describe
from app.views.traverse.track import Track

__all__ = ["TimelinePanel"]

_RECENT, _OLDER = 12, 200
# A hand that moves the playhead stops what plays, or the clock would take it back at once.
_MOVES = ("frame-back", "frame-on", "start", "end", "key-back", "key-on")
_ROOMY = 640  # px of width that the words on the buttons need


class TimelinePanel(QWidget):
    """Buttons, the track, and everything its keys do."""

    file_wanted = Signal()  # open a walk or a video

    def __init__(self, traverse: TraverseModel) -> None:
        super().__init__()
        self.setProperty("panel", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._traverse = traverse
        self._timeline = traverse.timeline
        self.track = Track(traverse)
        self.to_start = icon_button("skip-first", "To the start", "Go to the first frame (Home).")
        self.back = icon_button("chevron-left", "Frame back", "One frame back (Left).")
        self.play = icon_button("play", "Play", "Play or pause (Space).")
        self.on = icon_button("chevron-right", "Frame on", "One frame on (Right).")
        self.to_end = icon_button("skip-last", "To the end", "Go to the last frame (End).")
        self.time = QLabel()
        self.time.setFont(theme.current().font(figures=True))
        self.time.setAccessibleName("Time")
        self.add = icon_button("plus", "Add a keyframe", "Add what the stage shows as a keyframe (K).")
        self.remove = icon_button("trash", "Delete keyframes", "Take the selected keyframes away (Delete).")
        self.random = QPushButton("Random walk")
        icons.bind(self.random, "dice")
        describe(self.random, "Random walk", "Six new seeds and a smooth closed curve through them.")
        self.noise = QPushButton("Noise loop")
        icons.bind(self.noise, "forever")
        describe(
            self.noise, "Noise loop", "Once round a circle of noise with one class: it ends where it began."
        )
        self.walks = icon_button("more", "Walks and files", "New, open, save, and the walks you made before.")
        self.seek = CalmSlider()
        describe(self.seek, "Film position", "Drag to any frame of the film.")
        self.take_frame = QPushButton("Use as keyframe")
        icons.bind(self.take_frame, "plus")
        describe(
            self.take_frame, "Use this frame as a keyframe", "Put the latent of this frame on the timeline."
        )
        self.open_walk = QPushButton("Open its walk")
        icons.bind(self.open_walk, "traverse")
        describe(self.open_walk, "Open its walk", "Put the walk this film was made of on the timeline.")
        self._worded = {
            button: button.text() for button in (self.random, self.noise, self.take_frame, self.open_walk)
        }
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        tools = QHBoxLayout()
        tools.setContentsMargins(tokens.GAP, tokens.GAP_TINY, tokens.GAP, tokens.GAP_TINY)
        tools.setSpacing(tokens.GAP_TINY)
        for button in (self.to_start, self.back, self.play, self.on, self.to_end):
            tools.addWidget(button)
        tools.addSpacing(tokens.GAP)
        tools.addWidget(self.time)
        tools.addStretch(1)
        for button in (
            self.add,
            self.remove,
            self.random,
            self.noise,
            self.take_frame,
            self.open_walk,
            self.walks,
        ):
            tools.addWidget(button)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(self.track)
        self.area.setMinimumHeight(self.track.minimumSizeHint().height() + 2)
        film = QHBoxLayout()
        film.setContentsMargins(tokens.GAP_LARGE, 0, tokens.GAP_LARGE, 0)
        film.addWidget(self.seek)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, tokens.GAP_TINY)
        column.setSpacing(0)
        column.addLayout(tools)
        column.addLayout(film)
        column.addWidget(self.area, 1)

    def _connect(self) -> None:
        traverse = self._traverse
        for button, wish in (
            (self.to_start, "start"),
            (self.back, "frame-back"),
            (self.play, "play"),
            (self.on, "frame-on"),
            (self.to_end, "end"),
            (self.add, "add-here"),
            (self.remove, "delete"),
        ):
            button.clicked.connect(lambda _checked=False, wish=wish: self.run(wish))
        self.random.clicked.connect(lambda: traverse.random_walk())
        self.noise.clicked.connect(lambda: traverse.noise_loop())
        self.walks.clicked.connect(self._open_walks_menu)
        self.take_frame.clicked.connect(traverse.add_here)
        self.open_walk.clicked.connect(traverse.open_walk_of_film)
        self.seek.valueChanged.connect(self._seek_film)
        self.track.wanted.connect(self.run)
        self.track.menu_wanted.connect(self._open_menu)
        self.track.zoomed.connect(self._fit_track)
        self._timeline.changed.connect(self.refresh)
        self._timeline.selection_changed.connect(self.refresh)
        self._timeline.playhead_changed.connect(self._on_playhead)
        traverse.player.playing_changed.connect(self.refresh)
        traverse.film.playing_changed.connect(self.refresh)
        traverse.film.frame_changed.connect(self._say_time)
        traverse.film.opened.connect(self.refresh)
        traverse.stage_changed.connect(self.refresh)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room, the icons have to do."""
        super().resizeEvent(event)
        roomy = event.size().width() >= _ROOMY
        for button, words in self._worded.items():
            button.setText(words if roomy else "")
        if self.track.zoom > 1:
            self._fit_track()

    # --- showing

    @property
    def _film_shown(self) -> bool:
        return self._traverse.stage == "film" and self._traverse.film.path is not None

    @Slot()
    def refresh(self) -> None:
        traverse, timeline = self._traverse, self._timeline
        film = self._film_shown
        playing = traverse.film.playing if film else traverse.player.playing
        icons.bind(self.play, "pause" if playing else "play")
        title = "Pause" if playing else "Play"
        describe(self.play, title, f"{title} (Space).")
        enabled = traverse.film.total > 1 if film else timeline.total > 1
        for button in (self.to_start, self.back, self.play, self.on, self.to_end):
            button.setEnabled(enabled)
        self.remove.setEnabled(bool(timeline.selected))
        for button in (self.add, self.remove, self.random, self.noise):
            button.setVisible(not film)
        self.take_frame.setVisible(film and traverse.film.walk is not None)
        self.open_walk.setVisible(film and traverse.film.walk is not None)
        self.seek.setVisible(film)
        if film:
            self.seek.blockSignals(True)
            self.seek.setRange(0, max(traverse.film.total - 1, 0))
            self.seek.blockSignals(False)
        self._say_time()

    @Slot()
    def _say_time(self) -> None:
        if self._film_shown:
            film = self._traverse.film
            frame, fps, total = film.frame, film.fps, film.total
            if self.seek.value() != frame:
                self.seek.blockSignals(True)
                self.seek.setValue(frame)
                self.seek.blockSignals(False)
        else:
            frame, fps, total = self._timeline.frame, self._timeline.fps, self._timeline.total
        self.time.setText(f"{frame / fps:.2f} / {total / fps if total > 1 else 0:.2f} s")

    @Slot()
    def _on_playhead(self) -> None:
        self._say_time()
        if self.track.zoom > 1:
            x = self.track.x_of(self._timeline.frame / self._timeline.fps)
            self.area.ensureVisible(round(x), 0, 48, 0)

    @Slot()
    def _fit_track(self) -> None:
        """The track is as wide as its zoom says."""
        width = self.area.viewport().width()
        self.track.setMinimumWidth(round(width * self.track.zoom) if self.track.zoom > 1 else 160)
        self._on_playhead()

    # --- what keys and buttons do

    @Slot(str)
    def run(self, wish: str) -> None:
        """One of `TRACK_KEYS`."""
        film, timeline, player = self._traverse.film, self._timeline, self._traverse.player
        if wish in _MOVES:
            film.pause()
            player.pause()
        if self._film_shown and wish in ("frame-back", "frame-on", "start", "end", "play"):
            step: dict[str, Callable[[], object]] = {
                "frame-back": lambda: film.step(-1),
                "frame-on": lambda: film.step(1),
                "start": lambda: film.seek(0),
                "end": lambda: film.seek(film.total - 1),
                "play": film.toggle,
            }
            step[wish]()
            return
        frame = 1 / timeline.fps
        verbs: dict[str, Callable[[], object]] = {
            "frame-back": lambda: player.step(-1),
            "frame-on": lambda: player.step(1),
            "key-back": lambda: timeline.seek_key(-1),
            "key-on": lambda: timeline.seek_key(1),
            "nudge-back": lambda: timeline.nudge(-max(0.1, frame)),
            "nudge-on": lambda: timeline.nudge(max(0.1, frame)),
            "select-back": lambda: self._select_by(-1),
            "select-on": lambda: self._select_by(1),
            "earlier": lambda: timeline.shift(-1),
            "later": lambda: timeline.shift(1),
            "start": lambda: timeline.seek(0),
            "end": lambda: timeline.seek(timeline.total - 1),
            "play": player.toggle,
            "delete": timeline.remove,
            "select-all": timeline.select_all,
            "copy": self.copy,
            "cut": self.cut,
            "paste": self.paste,
            "duplicate": timeline.duplicate,
            "add-here": self._traverse.add_here,
            "zoom-in": lambda: self.track.set_zoom(self.track.zoom * 1.5),
            "zoom-out": lambda: self.track.set_zoom(self.track.zoom / 1.5),
            "zoom-fit": lambda: self.track.set_zoom(1.0),
        }
        if wish == "play" or wish in _MOVES:
            self._traverse.set_stage("walk")
        verbs[wish]()

    def _select_by(self, by: int) -> None:
        """Take the keyframe beside the current one into the selection."""
        current = self._timeline.current
        if current is None:
            return
        index = self._timeline.index(current.id) + by
        if 0 <= index < len(self._timeline.keys):
            self._timeline.select([self._timeline.keys[index].id], add=True)

    def copy(self) -> None:
        mime = self._timeline.copy()
        if mime is not None:
            clipboard.put(mime)

    def cut(self) -> None:
        if self._timeline.selected:
            self.copy()
            self._timeline.remove()

    def paste(self) -> None:
        """Keyframes, latents, seeds or short ids from the clipboard."""
        mime = QGuiApplication.clipboard().mimeData()
        if mime.hasFormat(KEYS_MIME):
            self._timeline.paste_keys(mime)
            return
        spots = self._traverse.spots_of(mime)
        if spots:
            current = self._timeline.current
            self._timeline.add(spots, self._timeline.index(current.id) + 1 if current is not None else None)
        else:
            words = "There is no latent on the clipboard: copy one from the shelf, or type a seed somewhere and copy it."
            self._traverse.notice.emit(words, "care", None)

    @Slot(int)
    def _seek_film(self, frame: int) -> None:
        self._traverse.film.pause()
        self._traverse.film.seek(frame)

    # --- menus

    @Slot(object)
    def _open_menu(self, place: QPoint) -> None:
        self.menu().popup(place)

    def menu(self) -> QMenu:
        """What can be done with the selected keyframes."""
        timeline, traverse = self._timeline, self._traverse
        some = bool(timeline.selected)
        chosen = [key.spot for key in timeline.keys if key.id in timeline.selected]
        return self._filled(
            (
                ("plus", "Add what the stage shows\tK", lambda: self.run("add-here"), True),
                ("paste", "Paste\tCtrl+V", self.paste, True),
                None,
                ("copy", "Copy\tCtrl+C", self.copy, some),
                ("grid", "Duplicate\tCtrl+D", timeline.duplicate, some),
                ("chevron-left", "Earlier\tAlt+Up", lambda: timeline.shift(-1), some),
                ("chevron-right", "Later\tAlt+Down", lambda: timeline.shift(1), some),
                ("swap", "Turn the walk round", timeline.reverse, len(timeline.keys) > 1),
                None,
                ("star", "Put on the shelf", lambda: traverse.shelf.add(chosen), some),
                ("traverse", "Pin to the pad", lambda: traverse.pad.add_pins(chosen), some),
                None,
                ("trash", "Delete\tDel", timeline.remove, some),
            )
        )

    @Slot()
    def _open_walks_menu(self) -> None:
        menu = self.walks_menu()
        menu.popup(self.walks.mapToGlobal(QPoint(0, self.walks.height())))

    def walks_menu(self) -> QMenu:
        """New, open and save, and the walks made before."""
        traverse, timeline = self._traverse, self._timeline
        menu = self._filled(
            (
                ("plus", "New walk", traverse.new_walk, bool(timeline.keys)),
                ("folder", "Open a walk or video…", self.open_file_dialog, True),
                ("save", "Save the walk as a file…", self.save_file_dialog, timeline.plan is not None),
                ("close", "Clear the walk", timeline.clear, bool(timeline.keys)),
            )
        )
        kept = [walk for walk in traverse.walks if walk.id != traverse.walk_id]
        if kept:
            menu.addSeparator()
            self._list_walks(menu, kept[:_RECENT])
        if kept[_RECENT:]:
            self._list_walks(menu.addMenu(icons.icon("history"), "Older walks"), kept[_RECENT:_OLDER])
        return menu

    def _list_walks(self, menu: QMenu, walks: list[KeptWalk]) -> None:
        for walk in walks:
            when = walk.changed.astimezone().strftime("%d %b, %H:%M")
            action = menu.addAction(icons.icon("history"), f"{walk.name}\t{when}")
            action.triggered.connect(lambda _checked=False, id=walk.id: self._traverse.open_walk(id))

    def _filled(self, entries: tuple[tuple[str, str, Callable[[], object], bool] | None, ...]) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            icon, title, work, enabled = entry
            action = menu.addAction(icons.icon(icon), title)
            action.setEnabled(enabled)
            action.triggered.connect(lambda _checked=False, work=work: work())
        return menu

    def open_file_dialog(self) -> None:
        dialog = QFileDialog(self, "Open a walk or a video")
        dialog.setNameFilter("Walks and videos (*.toml *.mp4 *.webm *.gif *.apng *.webp *.png)")
        dialog.fileSelected.connect(lambda path: self._traverse.open_file(Path(path)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def save_file_dialog(self) -> None:
        dialog = QFileDialog(self, "Save the walk")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("toml")
        dialog.setNameFilter("Walk (*.toml)")
        dialog.selectFile(f"{self._timeline.name or 'walk'}.toml")
        dialog.fileSelected.connect(lambda path: self._traverse.save_walk(Path(path)))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
