"""The edit a person is trying out: answered live while a slider moves, kept when it is liked."""

from __future__ import annotations

import dataclasses
import math
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.engine_host import EngineHost
from app.failure import Failure
from app.models.edit.asking import FARTHEST, STRIP, TOOLS, Asked, label_after, request_for, words_of
from app.models.edit.brush import BrushLayer, MaskLayer
from app.models.edit.crop import cropped, middle
from app.models.edit.facts import facts_of_edit
from app.models.edit.opening import Opened, PictureReader
from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode, fresh_id
from app.models.settings import GenerateSettings, fresh_seed
from engine.errors import BadRequest, EngineError
from engine.messages import Loading, Outcome, Pictures, Progress
from engine.messages.edit import Edited, EditRequest

__all__ = ["PendingEdit"]

LANE = "edit"
STRIP_LANE = "edit-strip"
_RATE_OVER = 1.5  # seconds over which drafts are counted


class PendingEdit(QObject):
    """`tool` says which edit is being tried on the current one; "" none.

    While something is dragged `drag` asks for drafts; `settle` asks for final quality, and after
    that for the strip over the strength. `keep` puts the final picture into the tree.
    """

    tool_changed = Signal(str)
    changed = Signal()  # what is asked
    pictures_changed = Signal()  # what is shown of it
    strip_changed = Signal()
    state_changed = Signal(str)
    selected_changed = Signal(int)
    kept = Signal(object)  # EditNode, Edited: it is in the tree

    def __init__(
        self, host: EngineHost, settings: GenerateSettings, sessions: Sessions, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._settings = settings
        self._sessions = sessions
        self.mask = MaskLayer(self)
        self.paint = BrushLayer(self)
        self.class_name: Callable[[int | None], str] = lambda label: "" if label is None else f"class {label}"
        self.reader = PictureReader(self)
        self.reader.read.connect(self._on_read)
        self._tool = ""
        self._asked = Asked(seed=fresh_seed())
        self._model = ""  # that of the session `_asked` is about
        self._other: EditNode | None = None
        self._exact = False
        self._node: EditNode | None = None
        self._state = ""  # "", "waiting", "draft", "final", "failed"
        self._problem: Failure | None = None
        self._outcome: Edited | None = None
        self._outcome_final = False
        self._selected = 0
        self._strip: Edited | None = None
        self._strip_key: object = None
        self._strip_asked: EditRequest | None = None
        # (request, what was asked, whether it is final), the newest last: to know an answer by.
        self._sent: deque[tuple[EditRequest, Asked, bool]] = deque(maxlen=64)
        self._keep_then = False
        self._loading: float | None = None
        self._answered: deque[float] = deque(maxlen=64)
        host.live_progress.connect(self._on_progress)
        host.live_finished.connect(self._on_finished)
        host.live_failed.connect(self._on_failed)
        sessions.current_changed.connect(self._on_current)
        sessions.opened.connect(self._on_opened)
        settings.changed.connect(self._on_settings)

    # --- what is asked

    @property
    def tool(self) -> str:
        return self._tool

    @property
    def asked(self) -> Asked:
        return self._asked

    @property
    def other(self) -> EditNode | None:
        """Blend: the picture at strength 1."""
        return self._other

    @property
    def exact(self) -> bool:
        return self._exact

    @property
    def layer(self) -> BrushLayer | None:
        """What is being painted on, if anything is."""
        layers: dict[str, BrushLayer] = {"mask": self.mask, "paint": self.paint}
        return layers.get(self._tool)

    @property
    def unkept(self) -> bool:
        """There are strokes of a brush that are in no edit yet."""
        return self.mask.unkept or self.paint.unkept

    # --- what came of it

    @property
    def state(self) -> str:
        return self._state

    @property
    def problem(self) -> Failure | None:
        """Why there is no picture; `field` says beside which control."""
        return self._problem

    @property
    def loading(self) -> float | None:
        """How much of the model is loaded, while it is."""
        return self._loading

    @property
    def pictures(self) -> Pictures | None:
        """One picture, or one a seed; as good as they are by now."""
        return self._outcome.pictures if self._outcome is not None else None

    @property
    def outcome(self) -> Edited | None:
        return self._outcome

    @property
    def final(self) -> bool:
        """What is shown has final quality and is what the controls say."""
        return self._state == "final"

    @property
    def selected(self) -> int:
        """Which of several variations is meant."""
        return self._selected

    @property
    def strip(self) -> Edited | None:
        """The edit over its strength; the strengths are those of its request."""
        return self._strip

    @property
    def strip_current(self) -> bool:
        """The strip is that of what the controls say, and not on its way yet."""
        return self._strip is not None and self._strip.request is self._strip_asked

    @property
    def drafts_per_second(self) -> float:
        """How quickly a drag was answered just now."""
        while self._answered and self._answered[-1] - self._answered[0] > _RATE_OVER:
            self._answered.popleft()
        if len(self._answered) < 3:
            return 0.0
        return (len(self._answered) - 1) / max(1e-6, self._answered[-1] - self._answered[0])

    @property
    def title(self) -> str:
        """What the edit will be called if it is kept now."""
        other = self._other.name if self._other is not None else ""
        return words_of(self._tool, self._asked, self.class_name(self._asked.to), other)

    @property
    def can_keep(self) -> bool:
        return bool(self._tool) and self._outcome is not None and self._state in ("draft", "final", "waiting")

    # --- verbs

    def set_tool(self, tool: str) -> None:
        """Begin another kind of edit, or with "" none."""
        if tool not in ("", *TOOLS):
            raise ValueError(tool)
        if tool == self._tool:
            return
        self._tool = tool
        self._begin()
        self.tool_changed.emit(tool)
        if tool:
            self.settle()

    def set(self, *, settle: bool = True, **values: Any) -> None:
        """Change what is asked; with `settle` final quality follows, else a draft."""
        asked = dataclasses.replace(self._asked, **values)
        if asked == self._asked and not settle:
            return
        self._asked = asked
        self.changed.emit()
        if settle:
            self.settle()
        else:
            self.drag()

    def set_other(self, node: EditNode | None) -> None:
        self._other = node
        self.changed.emit()
        self.settle()

    def open_other(self, path: Path) -> None:
        """Blend with a picture file: the largest square in its middle. Refused beside the control."""
        info = self._settings.model_info
        self.reader.read_file(path, (0, 0, 0) if info is None else info.background)

    @Slot(object)
    def _on_read(self, opened: Opened) -> None:
        from engine.images import encode_png

        info = self._settings.model_info
        if opened.failure is not None or opened.image is None or info is None:
            message = opened.failure.message if opened.failure is not None else "It can't be read."
            self._fail(Failure(message, "other", "bad-image"))
            return
        image = opened.image
        square = middle(image.width, image.height)
        picture = cropped(image, square, info.image_size, info.channels, opened.halves)
        try:
            file = self._sessions.files.put(encode_png(picture), "png")
        except EngineError as error:
            self._fail(Failure(error.message, "other"))
            return
        name = Path(opened.name).stem[:80] or "Picture"
        self.set_other(EditNode(fresh_id(), None, "picture", name, {"picture": file}))

    def set_exact(self, exact: bool) -> None:
        if exact != self._exact:
            self._exact = exact
            self.changed.emit()
            self.settle()

    def select(self, index: int) -> None:
        count = self.pictures.count if self.pictures is not None else 0
        index = max(0, min(count - 1, index))
        if index != self._selected:
            self._selected = index
            self.selected_changed.emit(index)
            self.pictures_changed.emit()
            if self.final:
                self._ask_strip()

    def reseed(self) -> None:
        """Other noise for variations, or for what is new inside a mask."""
        self.set(seed=fresh_seed())

    def drag(self) -> None:
        """A draft of what the controls say now."""
        self._host.live_stop(STRIP_LANE)
        self._ask(draft=True)

    def settle(self) -> None:
        """Final quality of what the controls say now."""
        self._host.live_stop(STRIP_LANE)
        self._ask(draft=False)

    def keep(self) -> None:
        """Put what is shown into the tree: as soon as it has final quality."""
        if self.final:
            self._keep_now()
        elif self._tool and self._state != "failed":
            self._keep_then = True
            self.settle()

    def give_up(self) -> bool:
        """Leave the edit without keeping it; False if there is none."""
        if not self._tool:
            return False
        self._host.live_stop(LANE)
        self._host.live_stop(STRIP_LANE)
        self.set_tool("")
        return True

    # --- inside

    def _begin(self) -> None:
        """Nothing is shown of an edit yet; brushes start on the current picture."""
        self._outcome, self._strip, self._strip_key = None, None, None
        self._selected, self._keep_then = 0, False
        self._sent.clear()
        self._node = self._sessions.current
        self._problem, self._loading = None, None
        picture = self._sessions.picture(self._node) if self._node is not None else None
        if picture is not None and self._node is not None and self._tool == "mask":
            mask = self.mask.picture  # goes along to an edit that has none of its own
            if (mask.width, mask.height) != (picture.width, picture.height):
                blank = bytes(picture.width * picture.height)
                mask = Pictures(1, picture.width, picture.height, 1, blank)
            self.mask.go_to(self._node.id, mask)
        if picture is not None and self._node is not None and self._tool == "paint":
            self.paint.go_to(self._node.id, picture)
        if self._tool in ("class", "mask") and self._node is not None:
            label = self._node.facts.get("label")
            if self._tool == "mask" or self._asked.to in (None, label):
                self._asked = dataclasses.replace(self._asked, to=self._first_class(label))
        self._set_state("")
        self.changed.emit()
        self.pictures_changed.emit()
        self.strip_changed.emit()

    def _first_class(self, label: object) -> int | None:
        """What a class edit offers first: another class; inside a mask, the same."""
        info = self._settings.model_info
        count = len(info.classes) if info is not None else 0
        known = label if isinstance(label, int) else None
        if self._tool == "mask" or not count:
            return known
        return ((known if known is not None else -1) + 1) % count

    @property
    def strength(self) -> float:
        """How far it goes; of an attribute that is said by its scale."""
        return 1.0 if self._tool == "attribute" else self._asked.strength

    def _ask(self, *, draft: bool) -> None:
        if not self._tool or self._node is None:
            return
        try:
            request = self._request(self._asked, (self.strength,), draft=draft)
        except EngineError as error:
            self._fail(Failure.from_exception(error))
            return
        self._problem = None
        self._sent.append((request, self._asked, not draft))
        if self._state != "draft" or not draft:
            self._set_state("waiting")
        self._host.live(LANE, request, yields=not draft)

    def _request(
        self, asked: Asked, strengths: tuple[float, ...], *, draft: bool, one: bool = False
    ) -> EditRequest:
        assert self._node is not None
        return request_for(
            self._tool,
            asked,
            self._node,
            self._sessions,
            self._settings,
            strengths=strengths,
            draft=draft,
            exact=self._exact,
            mask=self.mask.soft_picture() if self._tool == "mask" else None,
            painted=self.paint.picture if self._tool == "paint" and self.paint.touched else None,
            other=self._other,
            only_seed=self._selected if one and self._tool == "vary" else None,
        )

    def _ask_strip(self) -> None:
        """The same over its strength, unless that is there already."""
        asked = dataclasses.replace(self._asked, scale=math.copysign(FARTHEST, self._asked.scale))
        try:
            request = self._request(asked, STRIP, draft=False, one=True)
        except BadRequest:
            return
        request = dataclasses.replace(request, exact=False)
        key = (request.edit, request.steps, request.solver, request.guidance, request.label)
        if key == self._strip_key and self.strip_current:
            return  # one that is only on its way was cut off by what has changed since
        self._strip_key, self._strip_asked = key, request
        self._host.live(STRIP_LANE, request, yields=True)
        self.strip_changed.emit()  # the one on screen is of before now

    def _keep_now(self) -> None:
        outcome, node = self._outcome, self._node
        if outcome is None or node is None or not self._sent:
            return
        index = min(self._selected, outcome.pictures.count - 1)
        asked = next((a for request, a, _ in self._sent if request is outcome.request), self._asked)
        try:
            kept = self._kept_node(outcome, node, asked, index)
        except EngineError as error:
            self._fail(Failure.from_exception(error))
            return
        self._keep_then = False
        if (layer := self.layer) is not None:
            layer.finish()
        self._host.live_stop(STRIP_LANE)
        self._tool = ""
        self._begin()
        self.tool_changed.emit("")
        self._sessions.add(kept)
        self.kept.emit((kept, outcome, index))

    def _kept_node(self, outcome: Edited, node: EditNode, asked: Asked, index: int) -> EditNode:
        from engine.images import encode_png

        request = outcome.request
        files = {"picture": self._sessions.files.put(encode_png(outcome.pictures.one(index)), "png")}
        if self._tool == "mask":
            files["mask"] = self._sessions.files.put(encode_png(self.mask.soft_picture()), "png")
        if self._tool == "attribute":
            files["direction"] = asked.direction
        other = self._other.name if self._other is not None else ""
        name = words_of(self._tool, asked, self.class_name(asked.to), other)
        facts = facts_of_edit(outcome, index, self.strength, label_after(self._tool, asked, node))
        if self._tool == "attribute":
            facts["scale"] = asked.scale
        else:
            facts["strength"] = asked.strength
        return EditNode(
            fresh_id(), node.id, self._tool, name, files, {"kind": request.kind, **request.to_dict()}, facts
        )

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)

    def _fail(self, failure: Failure) -> None:
        self._problem, self._keep_then = failure, False
        self._host.live_stop(LANE)
        self._set_state("")  # so that another reason is announced, too
        self._set_state("failed")

    # --- what the engine says

    @Slot(str, object)
    def _on_progress(self, lane: str, event: Progress | Loading) -> None:
        if lane == LANE:
            self._loading = event.fraction if isinstance(event, Loading) and event.fraction < 1 else None
            self.state_changed.emit(self._state)

    @Slot(str, object)
    def _on_finished(self, lane: str, outcome: Outcome) -> None:
        if not isinstance(outcome, Edited) or not outcome.complete:
            return
        if lane == STRIP_LANE and outcome.request is self._strip_asked:
            self._strip = outcome
            self.strip_changed.emit()
            return
        found = next((sent for sent in self._sent if sent[0] is outcome.request), None)
        if lane != LANE or found is None:
            return
        self._answered.append(time.perf_counter())
        final = found[2]
        newest = self._sent[-1][0] is outcome.request
        self._loading = None
        self._outcome = outcome
        self._selected = min(self._selected, outcome.pictures.count - 1)
        self._set_state("final" if final and newest else "draft")
        self.pictures_changed.emit()
        if self._state != "final":
            return
        if self._keep_then:
            self._keep_now()
        else:
            self._ask_strip()

    @Slot(str, object)
    def _on_failed(self, lane: str, failure: Failure) -> None:
        if lane == LANE and self._tool:
            self._fail(failure)

    @Slot()
    def _on_settings(self) -> None:
        if self._tool:
            self._strip_key = None
            self.settle()

    @Slot()
    def _on_current(self) -> None:
        """Another edit is looked at: what was tried belongs to the one before."""
        if self._tool and self._node is not self._sessions.current:
            node, self._node = self._node, self._sessions.current
            if node is not None and self._node is not None and node.id == self._node.id:
                return  # only its name or its facts
            self._begin()
            self.settle()

    @Slot()
    def _on_opened(self) -> None:
        self._other = None
        model = self._sessions.model
        if model and model != self._model:  # which has other classes, and directions of its own
            self._model = model
            self._asked = dataclasses.replace(self._asked, to=None, direction="", direction_name="")
        if self._tool:
            self.give_up()
