"""What is on the canvas: pictures on their way, finished ones with their steps, a comparison."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from PySide6.QtCore import QObject, Signal, Slot

from app.failure import Failure
from app.models.batch import LiveBatch
from app.models.blocks import of_one_size
from app.models.comparison import ComparePane, Difference, difference_of, differing_settings
from app.models.facts import count_of, label_of, seed_of, title_of
from app.models.live_steps import LiveSteps
from app.models.progress import CanvasProgress
from app.models.shown import Held, Shown, ShownResult
from engine.messages import (
    Catalogue,
    Loading,
    ModelInfo,
    Notice,
    Pictures,
    Progress,
    Request,
    StepFrame,
)

__all__ = ["MODES", "STATES", "CanvasModel", "CanvasProgress", "ComparePane", "Shown", "ShownResult"]

# starting: the engine is; loading: a model is read; recovered: done, after giving way (notices say how)
STATES = ("empty", "starting", "loading", "running", "stopped", "failed", "done", "recovered")
MODES = ("grid", "single", "compare", "difference")
_COMPARING = ("compare", "difference")


class CanvasModel(QObject):
    """The batch on the canvas. Studio feeds it; views read it and set selection, step and mode."""

    request_changed = Signal()  # another batch is on the canvas
    pictures_changed = Signal(int, int)  # first, count of the pictures that look different now
    selection_changed = Signal(int)  # index, -1: nothing there
    mode_changed = Signal(str)
    state_changed = Signal(str)
    progress_changed = Signal()
    step_changed = Signal()  # `shown_step` or the list of steps
    stale_changed = Signal(bool)
    compare_changed = Signal()  # the panes
    slider_changed = Signal(float)
    pinned_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._request: Request | None = None
        self._live: LiveBatch | None = None
        self._live_steps = LiveSteps()
        self._held: Held | None = None
        self._final: Pictures | None = None
        self._result: ShownResult | None = None
        self._record_ids: tuple[int, ...] = ()
        self._title = ""
        self._state = "empty"
        self._mode = "grid"
        self._selected = -1
        self._shown_step: int | None = None
        self._stale = False
        self._failure: Failure | None = None
        self._notices: tuple[str, ...] = ()
        self._progress = CanvasProgress()
        self._panes: tuple[ComparePane, ComparePane] | None = None
        self._difference: Difference | None = None
        self._slider = 0.5
        self._pinned: ComparePane | None = None
        self._before: tuple[Request, Pictures] | None = None
        self._catalogue: Catalogue | None = None

    # --- what is there

    @property
    def request(self) -> Request | None:
        """The request the pictures answer; None when the canvas is empty."""
        return self._request

    @property
    def result(self) -> ShownResult | None:
        """The finished (or stopped) result with its provenance; None while live."""
        return self._result

    @property
    def shown(self) -> Shown:
        """What can be saved now, and later, too: the batch of the selected picture, as it is seen."""
        held = self._held_at(max(self._selected, 0))
        if held is not None:
            return Shown(held.result, held.record_ids)
        return Shown(self._result, self._record_ids, self._shown_step)

    @property
    def record_ids(self) -> tuple[int, ...]:
        """The ids in the history of the pictures shown, once they are stored; index for index."""
        return self._record_ids

    def set_record_ids(self, ids: Sequence[int]) -> None:
        if tuple(ids) != self._record_ids:
            self._record_ids = tuple(ids)
            self.request_changed.emit()

    def take_record_ids(self, source: object, ids: Sequence[int]) -> None:
        """The pictures of the result `source` are in the history now, under these ids."""
        if source is None:
            return
        if source is self._result:
            self.set_record_ids(ids)
        elif self._held is not None and source is self._held.result:
            self._held = dataclasses.replace(self._held, record_ids=tuple(ids))
            self.request_changed.emit()

    def record_id_of(self, index: int) -> int | None:
        """The id in the history of what is seen in tile `index`; None: it is not there (yet)."""
        held = self._held_at(index)
        ids = held.record_ids if held is not None else self._record_ids
        return ids[index] if 0 <= index < len(ids) else None

    def request_of(self, index: int) -> Request | None:
        """The request that what is seen in tile `index` answers."""
        held = self._held_at(index)
        return held.request if held is not None else self._request

    @property
    def title(self) -> str:
        return self._title

    @property
    def count(self) -> int:
        """How many tiles the grid has."""
        if self._final is not None:
            return self._final.count
        if self._live is not None:
            return self._live.count
        return count_of(self._request) if self._request is not None else 0

    @property
    def pictures(self) -> Pictures | None:
        """What is to be seen, as one batch: the scrubbed step, the final pictures or the live ones.

        Tiles not begun yet are black; see `begun`. None before the size of a picture is known.
        Copies a live batch: to draw some tiles, ask for them with `picture`.
        """
        if self._shown_step is not None:
            return self.steps[self._shown_step].pictures
        if self._final is not None:
            return self._final
        return self._live.pictures() if self._live is not None else None

    @property
    def live_pictures(self) -> Pictures | None:
        """The batch as it stands now while it is made, whatever step is looked at; a copy."""
        return self._live.pictures() if self._live is not None else None

    def picture(self, index: int) -> Pictures | None:
        """The picture to be seen in tile `index`: its own or, until that is begun, a held one."""
        if not self.begun(index):
            held = self._held_at(index)
            return held.pictures.one(index) if held is not None else None
        if self._shown_step is not None:
            if self._final is None and not self._live_steps.begun(self._shown_step, index):
                return None
            return self.steps[self._shown_step].pictures.one(index)
        if self._final is not None:
            return self._final.one(index)
        return self._live.one(index) if self._live is not None else None

    def begun(self, index: int) -> bool:
        """Whether tile `index` has a picture of this batch; if not, it is blank or held."""
        if self._final is not None:
            return 0 <= index < self._final.count
        return self._live is not None and index in self._live.begun

    def seed_of(self, index: int) -> int | None:
        """The seed that picture `index` was made with; None where none was drawn."""
        request = self.request_of(index)
        return None if request is None else seed_of(request, index)

    def label_of(self, index: int) -> int | None:
        request = self.request_of(index)
        return None if request is None else label_of(request, index)

    # --- state

    @property
    def state(self) -> str:
        """One of `STATES`."""
        return self._state

    @property
    def busy(self) -> bool:
        return self._state in ("starting", "loading", "running")

    @property
    def failure(self) -> Failure | None:
        """Why, when the state is "failed"."""
        return self._failure

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know about this batch, say that the batch was halved."""
        return self._notices

    @property
    def progress(self) -> CanvasProgress:
        return self._progress

    @property
    def kept(self) -> int:
        """How many finished images there are (all when done, some after a stop)."""
        return self._final.count if self._final is not None else 0

    @property
    def stale(self) -> bool:
        """The settings have changed since these pictures: a small dot, not a redraw."""
        return self._stale

    def set_stale(self, stale: bool) -> None:
        if stale != self._stale:
            self._stale = stale
            self.stale_changed.emit(stale)

    # --- the person's verbs: selection, mode, step

    @property
    def selected(self) -> int:
        """The selected tile, -1 for none."""
        return self._selected

    def select(self, index: int) -> None:
        """Select a tile; out of range selects none."""
        index = index if 0 <= index < self.count else -1
        if index != self._selected:
            self._selected = index
            self.selection_changed.emit(index)

    def select_next(self, by: int = 1) -> None:
        """The tile after the selected one; stays on the last."""
        if self.count:
            self.select(0 if self._selected < 0 else min(max(self._selected + by, 0), self.count - 1))

    def select_previous(self, by: int = 1) -> None:
        self.select_next(-by)

    @property
    def mode(self) -> str:
        """One of `MODES`."""
        return self._mode

    def set_mode(self, mode: str) -> None:
        """Choose how pictures are shown; "compare" and "difference" need panes to compare.

        Any other forgets them: the next comparison is of what is selected then.
        """
        if mode not in MODES:
            raise ValueError(f"there is no mode {mode!r}")
        if mode in _COMPARING and self._panes is None:
            return
        if mode == "single" and self._selected < 0:
            self.select(0)
        if mode != self._mode:
            left = self._panes is not None and mode not in _COMPARING
            if left:
                self._panes = self._difference = None
            self._mode = mode
            self.mode_changed.emit(mode)
            if left:
                self.compare_changed.emit()

    @property
    def steps(self) -> tuple[StepFrame, ...]:
        """The steps of the batch, for the filmstrip; while it is made, those so far. Empty: none were kept."""
        if self._final is None:
            return self._live_steps.frames
        return self._result.steps if self._result is not None else ()

    @property
    def shown_step(self) -> int | None:
        """Index into `steps` of what is shown; None: the final pictures, or the live ones."""
        return self._shown_step

    def show_step(self, index: int | None) -> None:
        """Scrub to a step, clipped to those there are; None goes back to the final pictures."""
        if index is not None:
            index = min(max(index, 0), len(self.steps) - 1) if self.steps else None
        if index != self._shown_step:
            self._shown_step = index
            self.step_changed.emit()
            self.pictures_changed.emit(0, self.count)

    def step_by(self, by: int) -> None:
        """Scrub `by` steps; beyond the last step is the final picture."""
        if not self.steps:
            return
        here = len(self.steps) if self._shown_step is None else self._shown_step
        there = max(here + by, 0)
        self.show_step(there if there < len(self.steps) else None)

    # --- comparing

    @property
    def panes(self) -> tuple[ComparePane, ComparePane] | None:
        """Left and right, when something is compared."""
        return self._panes

    @property
    def differing(self) -> list[tuple[str, str, str]]:
        """The settings that differ between the panes, as a person calls them: (name, left, right)."""
        if self._panes is None:
            return []
        return differing_settings(self._panes[0], self._panes[1], self._catalogue)

    @property
    def difference(self) -> Difference | None:
        """|left - right| of the panes and how large it is; None when nothing is compared."""
        if self._panes is not None and self._difference is None:
            self._difference = difference_of(self._panes[0].picture, self._panes[1].picture)
        return self._difference

    @property
    def slider(self) -> float:
        """Where the divider of the comparison stands, 0 (all right) to 1 (all left)."""
        return self._slider

    def set_slider(self, position: float) -> None:
        position = min(max(position, 0.0), 1.0)
        if position != self._slider:
            self._slider = position
            self.slider_changed.emit(position)

    def pane(self, index: int | None = None) -> ComparePane | None:
        """Tile `index` (the selected one, or the first) as one side of a comparison."""
        if index is None:
            index = max(self._selected, 0)
        picture, request = self.picture(index), self.request_of(index)
        if picture is None or request is None:
            return None
        title = title_of(request, index, self._catalogue)
        step = self._step_number() if self.begun(index) else None
        return ComparePane(title if step is None else f"{title}, step {step}", picture, request, index, step)

    @property
    def pinned(self) -> ComparePane | None:
        """The picture put aside for the next comparison."""
        return self._pinned

    def pin(self, index: int | None = None) -> bool:
        """Put a tile aside, to be compared with what comes."""
        pane = self.pane(index)
        if pane is None:
            return False
        self._pinned = pane
        self.pinned_changed.emit()
        return True

    def unpin(self) -> None:
        if self._pinned is not None:
            self._pinned = None
            self.pinned_changed.emit()

    @property
    def can_compare(self) -> bool:
        return self.pane() is not None and (self._pinned is not None or self._previous_pane() is not None)

    def compare(self, mode: str = "compare") -> bool:
        """Compare the selected tile with the pinned one or, without one, with the batch before.

        False: there is nothing to compare with.
        """
        left, right = self._pinned or self._previous_pane(), self.pane()
        if left is None or right is None:
            return False
        self.compare_with(left, right, mode)
        return True

    def compare_with(self, left: ComparePane, right: ComparePane, mode: str = "compare") -> None:
        """Show two pictures against each other, a small one in blocks as large as the other's pixels."""
        one, other = of_one_size(left.picture, right.picture)
        left, right = dataclasses.replace(left, picture=one), dataclasses.replace(right, picture=other)
        self._panes, self._difference = (left, right), None
        self.compare_changed.emit()
        self.set_mode(mode)

    def swap_panes(self) -> None:
        if self._panes is not None:
            self._panes, self._difference = (self._panes[1], self._panes[0]), None
            self.compare_changed.emit()

    def leave_compare(self) -> None:
        """Back to the grid; the panes are forgotten."""
        if self._mode in _COMPARING:
            self.set_mode("grid")

    def _previous_pane(self) -> ComparePane | None:
        index = max(self._selected, 0)
        held = self._held_at(index)
        before = held.before if held is not None else self._before
        if before is None:
            return None
        request, pictures = before
        index = min(index, pictures.count - 1)
        return ComparePane(title_of(request, index, self._catalogue), pictures.one(index), request, index)

    # --- fed by Studio

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Where the names of models, solvers and classes come from."""
        self._catalogue = catalogue
        self.compare_changed.emit()

    def begin(
        self, request: Request, model: ModelInfo | None, state: str = "running", *, hold: bool = False
    ) -> None:
        """A job is about to fill the canvas ("starting", "loading" or "running").

        With `hold` the pictures of the batch before are seen until the new ones come, if they are
        as many and as large: where one batch follows another, nothing goes blank in between.
        """
        count = count_of(request)
        live = LiveBatch(count, model.image_size, model.image_size, model.channels) if model else None
        held: Held | None = None
        if self._final is not None and self._request is not None and self._final.count:
            final = self._final
            if hold and live is not None and live.fits(final) and final.count == count:
                held = Held(self._request, final, self._result, self._record_ids, self._before)
            self._before = (self._request, final)
        self._progress = CanvasProgress(steps=int(getattr(request, "steps", 0)), count=count)
        with self._entering(state):
            self._put(request, live=live, held=held)
            self.progress_changed.emit()

    def wait(self, state: str) -> None:
        """Only the state changes: "starting" before the request is known, "running" once it is."""
        self._set_state(state)

    def show_result(self, result: ShownResult, ids: Sequence[int] = ()) -> None:
        """The pictures are finished: all of them, or those a stopped job has kept."""
        state = "stopped" if not result.complete else "recovered" if result.notices else "done"
        with self._entering(state):
            if result.request == self._request and self._live is not None:
                looked_at = self._step_number()
                self._live, self._held = None, None
                self._final, self._result = result.pictures, result
                self._shown_step = self._place_of(looked_at)
                self._record_ids = tuple(ids)
                self._notices = result.notices
                if self._selected >= self.count:
                    self.select(self.count - 1)
                self.step_changed.emit()
                self.request_changed.emit()
                self.pictures_changed.emit(0, self.count)
            else:
                self._put(
                    result.request, final=result.pictures, result=result, ids=ids, notices=result.notices
                )

    def show_pictures(
        self, request: Request, pictures: Pictures, ids: Sequence[int] = (), title: str = ""
    ) -> None:
        """Finished pictures from elsewhere: the history, a file. They have no steps."""
        with self._entering("done"):
            self._put(request, final=pictures, ids=ids, title=title)

    @Slot(object)
    def on_event(self, event: Progress | Loading | Notice) -> None:
        """Progress of the job that `begin` announced."""
        if isinstance(event, Loading):
            self._progress = CanvasProgress(steps=self._progress.steps, loading=event.fraction)
            self.progress_changed.emit()
            self._set_state("loading")
        elif isinstance(event, Notice):
            self._notices = (*self._notices, event.message)
            self.progress_changed.emit()
        else:
            self._set_state("running")
            self._progress = CanvasProgress.of(event)
            self.progress_changed.emit()
            if event.preview is not None:
                self.show_preview(event)

    def show_preview(self, progress: Progress) -> None:
        """Merge the preview of one group into the batch."""
        preview = progress.preview
        if preview is None or self._final is not None or self._request is None:
            return
        if self._live is None or not self._live.fits(preview):
            self._live = LiveBatch(count_of(self._request), preview.width, preview.height, preview.channels)
        self._live.merge(progress.first, preview)
        looked_at = self._step_number()
        if self._live_steps.add(progress, count_of(self._request)):
            self._shown_step = self._place_of(looked_at)  # a step may have come before it
            self.step_changed.emit()
        self.pictures_changed.emit(progress.first, preview.count)

    def fill(self, pictures: Pictures) -> None:
        """Show these in the tiles of a job that has not come to them yet."""
        if self._final is None and self._live is not None and self._live.fits(pictures):
            self._live.merge(0, pictures)
            self.pictures_changed.emit(0, pictures.count)

    def stop(self, result: ShownResult | None) -> None:
        """The job was stopped; `result` is what it has finished, if anything.

        Without a finished image the last preview stays to be looked at; `kept` is 0 then.
        """
        if result is not None and result.pictures.count:
            self.show_result(result)
        self._set_state("stopped")

    def fail(self, failure: Failure) -> None:
        self._failure = failure
        self._set_state("failed")

    def clear(self) -> None:
        """Nothing yet."""
        self._put(None)
        self._set_state("empty")

    # --- inside

    def _held_at(self, index: int) -> Held | None:
        """The batch before, where tile `index` still shows its picture."""
        held = self._held
        if held is None or self.begun(index) or not 0 <= index < held.pictures.count:
            return None
        return held

    def _step_number(self) -> int | None:
        """The number of the step that is looked at."""
        return None if self._shown_step is None else self.steps[self._shown_step].step

    def _place_of(self, step: int | None) -> int | None:
        """Where the step of that number is in `steps` now."""
        return next((place for place, frame in enumerate(self.steps) if frame.step == step), None)

    def _put(
        self,
        request: Request | None,
        *,
        live: LiveBatch | None = None,
        held: Held | None = None,
        final: Pictures | None = None,
        result: ShownResult | None = None,
        ids: Sequence[int] = (),
        notices: tuple[str, ...] = (),
        title: str = "",
    ) -> None:
        self._request, self._live, self._final, self._result = request, live, final, result
        self._held = held
        self._live_steps = LiveSteps()
        self._record_ids, self._notices, self._title = tuple(ids), notices, title
        self._failure, self._shown_step = None, None
        self.step_changed.emit()
        self.request_changed.emit()
        self.pictures_changed.emit(0, self.count)
        if self._selected >= self.count:
            self.select(self.count - 1)
        if self.count == 0 and self._mode == "single":
            self.set_mode("grid")

    @contextlib.contextmanager
    def _entering(self, state: str) -> Iterator[None]:
        """What is announced within is seen in its new state, which is announced behind it.

        Views that looked at new pictures in the old state would show a moment of neither, and
        show it all again.
        """
        changed, self._state = state != self._state, state
        yield
        if changed:
            self.state_changed.emit(state)

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            held, self._held = self._held, self._held if self.busy else None
            self.state_changed.emit(state)
            if self._held is not held:  # what has not come by now does not come: nothing is in its place
                self.pictures_changed.emit(0, self.count)
