"""The Traverse room's state, all of it: what `Studio.traverse` is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import QMimeData, QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.history import HistoryModel
from app.models.queue import QueueModel
from app.models.session import Session
from app.models.settings import GenerateSettings, fresh_seed
from app.models.traverse.drafts import DraftFrames
from app.models.traverse.film import FilmModel
from app.models.traverse.pace import PaceMeter
from app.models.traverse.pad import PadModel
from app.models.traverse.pictures import Thumbnailer
from app.models.traverse.player import Player
from app.models.traverse.quality import Quality
from app.models.traverse.render import RenderModel
from app.models.traverse.saving import LatentSaver
from app.models.traverse.shelf import ShelfModel, point_of
from app.models.traverse.spots import Spot, has_spots, spot_of_record, spots_from_mime
from app.models.traverse.timeline import KEYS_MIME, TimelineModel
from app.models.undo import UndoList
from app.store import Store
from app.store.shelf import KeptWalk, ShelfStore
from engine.checkpoints.card import CARD
from engine.errors import EngineError
from engine.messages import Label, Pictures, SeedLatent
from engine.messages.walks import Point, Walk

__all__ = ["VIDEOS", "WALKS", "KeptWalk", "TraverseModel", "opens_here"]

WALKS = (".toml",)
VIDEOS = (".mp4", ".webm", ".gif", ".apng", ".webp")
_TAIL = 4_000_000
_RANDOM_KEYS = 6


def opens_here(path: Path) -> bool:
    """Whether a file is a walk, a video, or a moving picture that carries a walk."""
    suffix = path.suffix.casefold()
    if suffix in (".png", ".webp"):
        try:
            with path.open("rb") as file:
                start = file.read(4096)  # a PNG has ours near its beginning, a WebP at its end
                file.seek(max(path.stat().st_size - _TAIL, 0))
                return b"gnIe" in start if suffix == ".png" else b"GNIE" in file.read()
        except OSError:
            return False
    return suffix in (*WALKS, *VIDEOS) and path.name != CARD  # the card of a model is none of them


class TraverseModel(QObject):
    """Shelf, pad, walk, drafts, render and film, and what goes between them."""

    notice = Signal(str, str, object)  # as that of Studio
    stage_changed = Signal(str)  # "pad", "walk" or "film": what the large picture shows
    walks_changed = Signal()

    def __init__(
        self,
        host: EngineHost,
        queue: QueueModel,
        history: HistoryModel,
        settings: GenerateSettings,
        store: Store,
        session: Session,
        undo_list: UndoList,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._history = history
        self._settings = settings
        self._session = session
        self._shelf_store = ShelfStore(store)
        self.quality = Quality(settings, self)
        self.thumbnails = Thumbnailer(host, self.quality, self)
        self.shelf = ShelfModel(self._shelf_store, history, self.quality, self.thumbnails, undo_list, self)
        self.pad = PadModel(host, self.quality, undo_list, self)
        self.timeline = TimelineModel(undo_list, self)
        self.drafts = DraftFrames(host, queue, self.quality, self.timeline, self)
        self.pace = PaceMeter(host, self.quality, self.timeline, self)
        self.player = Player(self.timeline, self)
        self.render = RenderModel(host, queue, self.quality, self.timeline, self)
        self.film = FilmModel(self)
        self.latents = LatentSaver(host, self.quality, self)
        self._stage = "pad"
        self._looked_at = False
        self._walk_wanted = False  # the film that is being opened is opened for its walk
        self._walk_id: int | None = None
        self._ready_made: Walk | None = None  # as it came: nothing is lost with it
        self._folder: TemporaryDirectory[str] | None = None  # of pictures that were handed on
        self._closed = False
        self._restore()
        self._connect()

    def _connect(self) -> None:
        for part in (self.shelf, self.pad, self.timeline, self.render, self.latents):
            part.notice.connect(self.notice)
        self.film.ready.connect(self._on_film_ready)
        self.film.failed.connect(self._on_film_failed)
        self.pad.pins_changed.connect(self._on_pins)
        self.pad.position_changed.connect(self._show_pad)
        self.pad.state_changed.connect(self._hold_drafts)
        self.pad.drifting_changed.connect(self._hold_drafts)
        self.pad.recorded.connect(self._on_recorded)
        self.timeline.playhead_changed.connect(self._show_walk)
        self.timeline.changed.connect(self._on_walk_changed)
        self.timeline.settled.connect(self._on_walk_settled)
        self.drafts.state_changed.connect(self._hold_drafts)
        self.player.playing_changed.connect(self.drafts.set_playing)
        self.thumbnails.made.connect(self.timeline.set_thumbnail)
        self.thumbnails.made.connect(self._on_thumbnail)
        self.render.choices_changed.connect(self._remember)
        self.render.state_changed.connect(self._remember)
        self.quality.changed.connect(self._remember)

    # --- the stage

    @property
    def stage(self) -> str:
        """What the large picture shows: "pad", "walk" or "film", whichever was touched last."""
        return self._stage

    def set_stage(self, stage: str) -> None:
        if stage != self._stage:
            self._stage = stage
            if stage != "pad":
                self.pad.set_drifting(False)
            if stage != "walk":
                self.player.pause()
            if stage != "film":
                self.film.pause()
            self._hold_drafts()
            self.stage_changed.emit(stage)

    def set_looked_at(self, looked_at: bool) -> None:
        """Whether the room is on screen: nothing is made ahead while it is not."""
        if looked_at == self._looked_at:
            return
        self._looked_at = looked_at
        if looked_at:
            if self.pad.pins and self.pad.picture is None:
                self.pad.refine()
        else:
            self.pad.release()
            self.pad.set_drifting(False)
            self.player.pause()
            self.film.pause()
        self._hold_drafts()

    @Slot()
    def _hold_drafts(self) -> None:
        # A hand on the pad needs all of the engine.
        moving = self.pad.moving
        self.drafts.set_held(not self._looked_at or moving)
        self.thumbnails.set_held(moving)
        # Drafts of what the playhead may come to go before the pace, which takes seconds.
        drafting = self.drafts.state in ("drafting", "loading")
        self.pace.set_held(not self._looked_at or moving or drafting)

    @Slot()
    def _show_pad(self) -> None:
        self._hold_drafts()
        self.set_stage("pad")

    @Slot()
    def _show_walk(self) -> None:
        self.set_stage("walk")

    @Slot()
    def _on_pins(self) -> None:
        self._want_pictures([pin.spot for pin in self.pad.pins])
        self._remember()

    @property
    def here(self) -> Spot | None:
        """The latent of what the stage shows."""
        if self._stage == "pad":
            return self.pad.here
        if self._stage == "walk":
            return self.timeline.spot_here()
        return self.film.spot_here()

    # --- what new latents are of

    @property
    def model(self) -> str:
        """The model that is worked with: of the walk, else of the pad, else of the settings."""
        return self.timeline.model or self.pad.model or self._settings.model

    @property
    def label(self) -> Label:
        """A class for what has none yet: the one chosen in Generate, or the first there is."""
        info = self.quality.info(self.model)
        if info is None or not info.classes:
            return None
        pick = self._settings.pick
        if isinstance(pick, tuple) and pick and pick[0] < len(info.classes):
            return int(pick[0])
        return 0

    @property
    def history(self) -> HistoryModel:
        """The pictures there are, to be dragged onto shelf, pad and timeline."""
        return self._history

    # --- verbs between the parts

    def spots_of(self, mime: QMimeData) -> list[Spot]:
        """The latents in a drag or on the clipboard; what can't be read is said."""
        spots, troubles = spots_from_mime(
            mime, self._history, self.shelf.everything, self.model, self._shelf_store.folder
        )
        for words in troubles[:3]:
            self.notice.emit(words, "bad", None)
        return spots

    def accepts(self, mime: QMimeData | None) -> bool:
        """Whether a drag may bring latents; files of walks and videos are for the window."""
        if mime is None or not has_spots(mime):
            return False
        return not any(opens_here(Path(url.toLocalFile())) for url in mime.urls() if url.isLocalFile())

    def drop_on_track(self, mime: QMimeData, index: int | None = None) -> bool:
        """Latents from anywhere become keyframes."""
        if mime.hasFormat(KEYS_MIME):
            return self.timeline.paste_keys(mime)
        return bool(self.timeline.add(self.spots_of(mime), index))

    def add_records(self, record_ids: Sequence[int]) -> bool:
        """Keyframes of pictures of the history, behind those there are."""
        spots = []
        for record_id in record_ids:
            try:
                spots.append(spot_of_record(self._history, record_id))
            except EngineError as error:
                self.notice.emit(error.message, "bad", None)
        ids = self.timeline.add(spots)
        if ids:
            words = "1 keyframe" if len(ids) == 1 else f"{len(ids)} keyframes"
            self.notice.emit(f"{words} added to the walk.", "good", None)
        return bool(ids)

    def add_here(self) -> bool:
        """A keyframe of what the stage shows: behind the last, or in a walk where the playhead is."""
        spot = self.here
        if spot is None:
            words = (
                "There is nothing on the stage yet. Pin latents to the pad, or add keyframes from the shelf."
            )
            self.notice.emit(words, "info", None)
            return False
        if self._stage == "walk":
            return bool(self.timeline.add_at_playhead(spot))
        return bool(self.timeline.add([spot]))

    def shelve_here(self) -> bool:
        """Put what the stage shows on the shelf."""
        spot = self.here
        if spot is None:
            self.notice.emit("There is nothing on the stage yet to put on the shelf.", "info", None)
            return False
        return bool(self.shelf.add([spot]))

    @property
    def guidance(self) -> float:
        """What suits the model: a latent that is new begins with it."""
        info = self.quality.info(self.model)
        return 0.0 if info is None else info.guidance

    def pin_seeds(self, seeds: Sequence[int] = (1, 2, 3, 4)) -> None:
        """Pins to begin with: the noise of a few seeds."""
        spots = [
            Spot(self.model, SeedLatent(seed), self.label, self.guidance, f"Seed {seed}") for seed in seeds
        ]
        self.pad.add_pins(spots)
        self.set_stage("pad")

    def random_walk(self, count: int = _RANDOM_KEYS, seed: int | None = None) -> None:
        """A closed curve through `count` seeds, each of another class where there are some."""
        info = self.quality.info(self.model)
        classes = len(info.classes) if info is not None else 0
        labels: tuple[Label, ...] = (None,)
        if classes:
            first = self.label
            begin = first if isinstance(first, int) else 0
            labels = tuple((begin + i) % classes for i in range(min(count, classes)))
        model = self.model
        self._make_room()
        seed = fresh_seed() if seed is None else seed
        self.timeline.random_walk(model, count, seed, labels=labels, guidance=self.guidance)
        self._ready_made = self.timeline.walk
        self.set_stage("walk")

    def noise_loop(self, seed: int | None = None) -> None:
        """A circle of noise with one class."""
        self._make_room()
        seed = fresh_seed() if seed is None else seed
        self.timeline.noise_loop(self.model, seed, label=self.label, guidance=self.guidance)
        self._ready_made = self.timeline.walk
        self.set_stage("walk")

    @Slot(object)
    def _on_recorded(self, stops: Sequence[tuple[float, Spot]]) -> None:
        self.timeline.set_walk_of(stops, f"{len(stops)} keyframes recorded.")
        self.notice.emit(f"{len(stops)} keyframes recorded from the pad.", "good", None)

    # --- files

    def open_file(self, path: Path) -> None:
        """A walk, or a video of ours with the walk in it; any other video is played."""
        if path.suffix.casefold() not in WALKS:
            self._walk_wanted = True
            self._open_film(path)
            return
        from engine.walk_files import read_walk

        try:
            walk = read_walk(path)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return
        self._load(walk, path)

    def show_film(self, path: Path) -> None:
        """Play a video on the stage, leaving the walk as it is."""
        self._walk_wanted = False
        self._open_film(path)

    def _open_film(self, path: Path) -> None:
        self.film.open(path, self._shelf_store.folder or self.passing)
        self.set_stage("film")

    @Slot()
    def _on_film_ready(self) -> None:
        path, walk = self.film.path, self.film.walk
        if path is None:
            return
        if self._walk_wanted and walk is not None:
            self._load(walk, path)
        elif self._walk_wanted:
            words = self.film.trouble or (
                f"{path.name} carries no walk of ours, so it can be played here but not changed. Videos lose it "
                "when they are edited, converted or sent by some programs."
            )
            self.notice.emit(words, "care", None)
        else:
            self.film.play()
        self._walk_wanted = False

    @Slot(object)
    def _on_film_failed(self, failure: Failure) -> None:
        self.notice.emit(failure.message, "bad", failure)

    def _load(self, walk: Walk, path: Path) -> None:
        """Put a walk from a file on the track; the one that was there is kept."""
        if self.new_walk():
            self.timeline.load_walk(walk, f"{walk.name or path.stem} opened from {path.name}.")
            self.set_stage("walk")

    def open_walk_of_film(self) -> None:
        """Put the walk of the film on the track."""
        if self.film.walk is not None and self.film.path is not None:
            self._load(self.film.walk, self.film.path)

    def save_walk(self, path: Path) -> bool:
        """Write the walk as a file that `genie traverse` renders, its latents beside it."""
        walk = self.timeline.walk
        if walk is None:
            self.notice.emit("A walk of two keyframes or more can be saved.", "care", None)
            return False
        from engine.walk_files import write_walk

        try:
            named = dataclasses.replace(walk, name=walk.name or path.stem)
            write_walk(path, named, self.quality.final(walk.model))
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        self.notice.emit(f"Saved {path.name}.", "good", None)
        return True

    @property
    def passing(self) -> Path:
        """A folder for files that are handed on and needed no longer than the program runs."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="genie-traverse-")
        return Path(self._folder.name)

    def picture_file(self, picture: Pictures) -> Path | None:
        """A picture as a file, to be handed on; None (and why) if it can't be written."""
        from engine.images import encode_png

        here = self.here
        name = "".join(c if c.isalnum() else "-" for c in (here.name if here is not None else "picture"))
        path = self.passing / f"{name.strip('-') or 'picture'}.png"
        try:
            path.write_bytes(encode_png(picture))
        except OSError as error:
            self.notice.emit(f"Couldn't write {path}: {error.strerror or error}.", "bad", None)
            return None
        return path

    # --- walks that are kept

    @property
    def walks(self) -> list[KeptWalk]:
        """All walks, the one changed last first."""
        try:
            return self._shelf_store.walks()
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return []

    @property
    def walk_id(self) -> int | None:
        return self._walk_id

    def new_walk(self) -> bool:
        """Put the walk aside, where it is kept, and begin another; False if it could not be kept."""
        if not self._keep_walk():
            return False
        if self.timeline.keys:
            self._walk_id = None
            self.timeline.from_dict({})
            self._remember()
            self.walks_changed.emit()
        return True

    def _make_room(self) -> None:
        """Before a ready-made walk: one that was authored by hand is put aside, and has its own place."""
        if self.timeline.keys and self.timeline.walk != self._ready_made and self._keep_walk():
            self._walk_id = None

    def open_walk(self, walk_id: int) -> bool:
        """Go on with a walk that was put aside."""
        if not self._keep_walk():
            return False
        try:
            data = self._shelf_store.walk(walk_id)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        if data is None:
            self.notice.emit("That walk is no longer there.", "care", None)
            return False
        self._walk_id = walk_id
        self.timeline.from_dict(data)
        self._remember()
        self.walks_changed.emit()
        self.set_stage("walk")
        return True

    def _keep_walk(self) -> bool:
        if not self.timeline.keys and self._walk_id is None:
            return True
        name = self.timeline.name or "Walk"
        try:
            self._walk_id = self._shelf_store.keep_walk(self._walk_id, name, self.timeline.to_dict())
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        return True

    # --- what changes

    @Slot()
    def _on_walk_changed(self) -> None:
        self._want_pictures([key.spot for key in self.timeline.keys])

    @Slot()
    def _on_walk_settled(self) -> None:
        if self._closed:
            return
        self._keep_walk()
        self._remember()
        self.walks_changed.emit()

    def _want_pictures(self, spots: Sequence[Spot]) -> None:
        for spot in spots:
            if not spot.thumbnail:
                self.thumbnails.want(spot.model, point_of(spot))

    @Slot(str, object, object)
    def _on_thumbnail(self, model: str, point: Point, png: bytes) -> None:
        pins = [
            dataclasses.replace(pin, spot=dataclasses.replace(pin.spot, thumbnail=png))
            if pin.spot.model == model and not pin.spot.thumbnail and point_of(pin.spot) == point
            else pin
            for pin in self.pad.pins
        ]
        self.pad.show_thumbnails(pins)

    # --- the session

    def _restore(self) -> None:
        data = self._session.get("traverse", {})
        if not isinstance(data, dict):
            return
        self.quality.set_preset(str(data.get("quality", "good")))
        self.pad.from_dict(data.get("pad"))
        self.render.from_dict(data.get("render"))
        walk_id = data.get("walk")
        if isinstance(walk_id, int):
            try:
                kept = self._shelf_store.walk(walk_id)
            except EngineError:  # the history has said at the start what is wrong with it
                kept = None
            if kept is not None:
                self._walk_id = walk_id
                self.timeline.from_dict(kept)
        if self.timeline.keys and not self.pad.pins:
            self._stage = "walk"

    @Slot()
    def _remember(self) -> None:
        self._session.set(
            "traverse",
            {
                "pad": self.pad.to_dict(),
                "render": self.render.to_dict(),
                "quality": self.quality.preset,
                "walk": self._walk_id,
            },
        )

    def close(self) -> None:
        """Keep everything; before the session and the store close."""
        if self._closed:
            return
        self._closed = True
        self.set_looked_at(False)
        self.film.close()
        self.timeline.close()
        self._keep_walk()
        self._remember()
        if self._folder is not None:
            self._folder.cleanup()
