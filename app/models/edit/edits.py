"""The Edit room's model: pictures in, sessions, the edit being tried, and what is kept between starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.comparison import Difference, difference_of
from app.models.edit.aside import Aside
from app.models.edit.brush import BrushLayer
from app.models.edit.bundle import Bundle, read_bundle, write_bundle
from app.models.edit.encoding import EncodeModel
from app.models.edit.measuring import Directions, RoundTrips
from app.models.edit.pending import PendingEdit
from app.models.edit.sessions import Sessions
from app.models.edit.settings import EditSettings
from app.models.edit.tree import EditNode
from app.models.names import class_name
from app.store.edits import EditStore
from engine.errors import EngineError
from engine.files import write_atomically
from engine.messages import Catalogue, FileImage, Pictures
from engine.messages.edit import Edited

if TYPE_CHECKING:
    from app.models.studio import Studio

__all__ = ["BUNDLE_SUFFIX", "Edits"]

BUNDLE_SUFFIX = ".genie-edits.zip"
_KEPT = "edit"  # what the session calls what comes back at the next start


class Edits(QObject):
    """`page` is what the room shows: "empty", "encoding", "failed", "round trip" or "edit"."""

    page_changed = Signal(str)
    notice = Signal(str, str, object)  # as that of Studio

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self._studio = studio
        self.settings = EditSettings(self)
        self.sessions = Sessions(EditStore(studio.store), self)
        self._aside = Aside(self)
        self.encode = EncodeModel(
            self.settings, studio.queue, self.sessions, studio.history, self._aside, self
        )
        self.pending = PendingEdit(studio.host, self.settings, self.sessions, self)
        self.pending.class_name = self.class_name
        self.round_trips = RoundTrips(studio.queue, self.settings, self.sessions, self)
        self.directions = Directions(studio.queue, self.settings, self.sessions, self)
        self._page = "empty"
        self._closed = False
        self.encode.notice.connect(self.notice)
        self.sessions.notice.connect(self.notice)
        self.directions.notice.connect(self.notice)
        studio.host.preview_arrived.connect(self.encode.show_preview)
        studio.catalogue_changed.connect(self._on_catalogue)
        self.encode.state_changed.connect(self._refresh_page)
        self.sessions.opened.connect(self._on_opened)
        self.sessions.current_changed.connect(self._refresh_page)
        self.pending.tool_changed.connect(self._on_tool)
        self.pending.kept.connect(self._on_kept)
        self.settings.changed.connect(self._remember)
        self.settings.model_changed.connect(self._on_model)
        self._restore()

    # --- what is there

    @property
    def page(self) -> str:
        return self._page

    @property
    def current(self) -> EditNode | None:
        return self.sessions.current

    def class_name(self, label: int | None) -> str:
        """A class of the open session's model (or of the one chosen) by its name."""
        return class_name(self.settings.catalogue, self.settings.model, label)

    @property
    def engine_state(self) -> str:
        """ "starting", "ready" or "failed"."""
        return self._studio.engine_state

    def before(self) -> EditNode | None:
        """What the current edit was made of."""
        current = self.current
        return self.sessions.tree.parent(current) if current is not None else None

    def difference(self, left: Pictures | None, right: Pictures | None) -> Difference | None:
        return None if left is None or right is None else difference_of(left, right)

    # --- verbs

    def open_files(self, paths: Sequence[Path]) -> bool:
        """Pictures, a folder of them, or a file of edits."""
        if len(paths) == 1 and paths[0].suffix.casefold() == ".zip":
            self.import_bundle(paths[0])
            return True
        return self.encode.open_files(paths)

    def open_example(self) -> bool:
        """A picture that works: one of the model's own."""
        info = self.settings.model_info
        if info is None:
            return False
        recent = self._recent_picture(info.name)
        if recent is not None:
            self.encode.open_png(*recent)
            return True
        if not info.sample:
            return False
        from PIL import Image

        from engine.images import encode_png, from_pil

        try:
            with Image.open(info.sample) as sheet:
                side = min(info.image_size, *sheet.size)
                tile = from_pil(sheet.crop((0, 0, side, side)))
        except (OSError, ValueError):
            return False
        self.encode.open_png(encode_png(tile), f"{info.title} sample")
        return True

    def _recent_picture(self, model: str) -> tuple[bytes, str, int | None] | None:
        """The newest generated picture of a model in the history."""
        history = self._studio.history
        for row in range(min(32, history.rowCount())):
            record = history.record_at(row)
            if record.model == model and record.kind == "generate":
                try:
                    return history.png(record.id), record.label_name or record.model, record.label
                except EngineError:
                    return None
        return None

    def open_record(self, record_id: int) -> bool:
        """A picture of the history, under the class it was made as."""
        try:
            details = self._studio.history.details(record_id)
            data = self._studio.history.png(record_id)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        record = details.record
        info = next((m for m in self.settings.catalogue.models if m.name == record.model), None)
        if (
            info is not None
            and not info.problem
            and (info.image_size, info.channels)
            == (
                record.width,
                record.channels,
            )
        ):
            self.settings.model = record.model
        same = self.settings.model == record.model
        self.encode.open_png(
            data, record.label_name or f"Picture {record_id}", record.label if same else None
        )
        return True

    def save_picture(self, node: EditNode, path: Path) -> bool:
        """Write the picture of an edit as a PNG, JPEG or WebP file."""
        from engine.images import save

        picture = self.sessions.picture(node)
        if picture is None:
            return False
        try:
            save(path, picture)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        self.notice.emit(f"Saved {path.name}.", "good", None)
        return True

    def save_latent(self, node: EditNode, path: Path) -> bool:
        """Write the latent of an encoded picture as a safetensors file, as `genie decode` takes it."""
        name = node.files.get("latent")
        if name is None:
            return False
        try:
            data = self.sessions.files.get(name)
            write_atomically(path, lambda temporary: temporary.write_bytes(data))
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        self.notice.emit(f"Saved {path.name}.", "good", None)
        return True

    def export_bundle(self, path: Path) -> None:
        """Write the session as one file, off the window's thread; a notice says when it is there."""
        sessions = self.sessions
        name, model, tree, files = sessions.name, sessions.model, sessions.tree.copy(), sessions.files
        self._aside.do(
            lambda: write_bundle(path, name, model, tree, files),
            lambda _none: self.notice.emit(
                f"Saved {path.name}: pictures, latents and requests of {name}.", "good", None
            ),
            lambda failure: self.notice.emit(failure.message, "bad", failure),
        )

    def import_bundle(self, path: Path) -> None:
        """Open a file of edits as a session of its own; the open one stays as it is if it can't be.

        It is read off the window's thread; `sessions.opened` says when it is there.
        """
        files = self.sessions.files
        self._aside.do(lambda: read_bundle(path, files), self._show_bundle, self._refuse_bundle)

    def _refuse_bundle(self, failure: Failure) -> None:
        self.encode.refused.emit(failure.message)

    def _show_bundle(self, bundle: Bundle) -> None:
        shown = not self.encode.busy  # what is being encoded opens a session of its own
        self.sessions.create(bundle.name, bundle.model, bundle.nodes, show=shown)
        if shown:
            self.sessions.go_to(bundle.current)
        else:
            self.notice.emit(f"{bundle.name} is in the list of sessions now.", "good", None)
        known = {info.name for info in self.settings.catalogue.models}
        if bundle.model not in known:
            self.notice.emit(
                f"The edits of {bundle.name} are there to look at. To go on editing, the model "
                f"{bundle.model} is needed, which is not here.",
                "care",
                None,
            )

    def import_mask(self, path: Path) -> str:
        """Take a picture file as the mask; why it can't be, or "". The mask then stays as it was."""
        from engine.photos import read_mask

        mask = self.pending.mask
        try:
            levels = read_mask(FileImage(str(path)), mask.width)
        except EngineError as error:
            return error.message
        mask.put((levels * 255).round().astype("uint8")[:, :, None])
        self.pending.settle()
        return ""

    def export_mask(self, path: Path) -> bool:
        """Save the mask as it was painted; the feather is not in it."""
        from engine.images import save

        try:
            save(path, self.pending.mask.picture)
        except EngineError as error:
            self.notice.emit(error.message, "bad", None)
            return False
        self.notice.emit(f"Saved {path.name}.", "good", None)
        return True

    def new_session(self) -> None:
        """Put the open one away and begin with another picture."""
        self.pending.give_up()
        self.encode.drop_crop()
        self.sessions.close()

    def stop(self) -> bool:
        """Stop what this room has running; False if nothing is."""
        return self.encode.stop() or self.round_trips.stop() or self.directions.stop()

    def undo(self) -> bool:
        """A stroke, where one is painted; else what was done last to the session.

        Not in the middle of a stroke: going to another edit would take it from under the brush.
        """
        layer = self.layer
        if layer is not None and layer.painting:
            return True
        if layer is not None and layer.undo():
            self.pending.settle()
            return True
        return self.sessions.undo()

    def redo(self) -> bool:
        layer = self.layer
        if layer is not None and layer.painting:
            return True
        if layer is not None and layer.redo():
            self.pending.settle()
            return True
        return self.sessions.redo()

    @property
    def layer(self) -> BrushLayer | None:
        """What is being painted on, if anything is."""
        return self.pending.layer

    def close(self) -> None:
        """Before the store closes."""
        if not self._closed:
            self._closed = True
            self._aside.close()
            self.encode.close()
            self.pending.reader.close()
            self._studio.session.set(
                _KEPT, {"session": self.sessions.id, "settings": self.settings.to_dict()}
            )
            self.sessions.store.close()

    # --- inside

    def _restore(self) -> None:
        kept = self._studio.session.get(_KEPT, {})
        kept = kept if isinstance(kept, dict) else {}
        if isinstance(kept.get("settings"), dict):
            self.settings.from_dict(kept["settings"])
        else:
            self.settings.model = self._studio.settings.model or self.settings.model
        if self._studio.catalogue is not None:
            self._on_catalogue(self._studio.catalogue)
        if isinstance(kept.get("session"), str) and kept["session"]:
            self.sessions.open(kept["session"])
        self._refresh_page()

    @Slot()
    def _remember(self) -> None:
        self._studio.session.set(_KEPT, {"session": self.sessions.id, "settings": self.settings.to_dict()})

    @Slot(object)
    def _on_catalogue(self, catalogue: Catalogue) -> None:
        self.settings.set_catalogue(catalogue)
        self._follow_model()

    @Slot()
    def _on_opened(self) -> None:
        self._follow_model()
        self._remember()
        self._refresh_page()

    def _follow_model(self) -> None:
        """A session's edits are those of its model."""
        known = {info.name for info in self.settings.catalogue.models if not info.problem}
        if self.sessions.model in known:
            self.settings.model = self.sessions.model

    @Slot(str)
    def _on_tool(self, tool: str) -> None:
        """Work goes on: what failed before is dealt with."""
        if tool:
            self.encode.dismiss()
        self._refresh_page()

    @Slot(str)
    def _on_model(self, model: str) -> None:
        """Another model is for other pictures: what is open is put away."""
        if (
            self.sessions.id
            and model != self.sessions.model
            and self.sessions.model in {info.name for info in self.settings.catalogue.models}
        ):
            name = self.sessions.name
            self.new_session()
            self.notice.emit(
                f"{name} belongs to another model and was put away: it is under Sessions.", "info", None
            )

    @Slot(object)
    def _on_kept(self, kept: tuple[EditNode, Edited, int]) -> None:
        """A kept edit is in the history, too."""
        from engine.images import SavedSettings

        _node, outcome, index = kept
        info = self.settings.model_info
        self._studio.history.add_pictures(
            outcome.request,
            outcome.pictures.one(index),
            evaluations=outcome.evaluations,
            seconds=outcome.seconds,
            provenance=outcome.provenance,
            notices=outcome.notices,
            label_names=info.classes if info is not None else (),
            source=outcome,
            # Rounding depends on what goes through the network together: the file names all variations.
            saved=lambda _: SavedSettings(outcome.request, index, outcome.provenance),
        )

    @Slot()
    def _refresh_page(self) -> None:
        encode = self.encode
        if encode.busy and encode.state != "reading":
            page = "encoding"
        elif encode.state == "failed":
            page = "failed"
        elif self.current is None:
            page = "encoding" if encode.state == "stopped" else "empty"
        else:
            current = self.current
            looks = not self.pending.tool and current.kind == "picture"
            page = "round trip" if looks else "edit"
        if page != self._page:
            self._page = page
            self.page_changed.emit(page)
