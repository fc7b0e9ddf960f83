"""The settings of the next picture, as they stand beside the canvas."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar, cast, overload

from PySide6.QtCore import QObject, Signal

from app.models import checks
from app.models.checks import LABELS, Pick
from engine.errors import BadRequest
from engine.messages import (
    MAX_COUNT,
    MAX_SEED,
    MAX_STEPS,
    PRECISIONS,
    SPACINGS,
    Catalogue,
    GenerateRequest,
    ModelInfo,
    SolverInfo,
    choose_labels,
)

__all__ = ["LABELS", "PRESETS", "RANDOM_SEED", "GenerateSettings", "Pick", "fresh_seed"]

RANDOM_SEED = -1
PRESETS = {"draft": 5, "good": 10, "best": 25}  # name -> steps

_PRESET_NAMES = ("solver", "steps", "spacing", "analytic_first", "denoise", "t_end")
# What the engine calls a setting where the window calls it otherwise.
_FIELDS = {"classes": "pick", "labels": "pick", "class": "pick", "label": "pick", "out": ""}

T = TypeVar("T")


def fresh_seed() -> int:
    """A seed nobody chose; short enough to be read aloud."""
    import secrets  # the start can do without

    return secrets.randbelow(2**31)


class _Setting(Generic[T]):
    """A checked property: a bad value raises `BadRequest`, a new one is announced."""

    def __init__(self, default: T, check: Callable[[str, object], T]) -> None:
        self.default = default
        self.check = check
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, owner: None, kind: type) -> _Setting[T]: ...
    @overload
    def __get__(self, owner: GenerateSettings, kind: type) -> T: ...
    def __get__(self, owner: GenerateSettings | None, kind: type) -> _Setting[T] | T:
        return self if owner is None else cast(T, owner.value(self.name))

    def __set__(self, owner: GenerateSettings, value: T) -> None:
        owner.set_value(self.name, value)


class GenerateSettings(QObject):
    """Everything that decides a picture. Setters emit only when the value is another one.

    Values are always valid; what was typed wrongly is kept in `errors` (setting -> one line for
    the inline error) until the setting is set to something valid.
    """

    changed = Signal()  # any value
    errors_changed = Signal()
    put_back = Signal(str, object)  # words, all values before: a row was reset or a preset chosen
    preset_changed = Signal(str)
    catalogue_changed = Signal()

    model_changed = Signal(str)
    pick_changed = Signal(object)
    guidance_changed = Signal(float)
    guidance_model_changed = Signal(object)
    solver_changed = Signal(str)
    steps_changed = Signal(int)
    spacing_changed = Signal(str)
    analytic_first_changed = Signal(bool)
    denoise_changed = Signal(bool)
    t_end_changed = Signal(float)
    seed_changed = Signal(object)  # an int that may not fit into 32 bits
    count_changed = Signal(int)
    device_changed = Signal(str)
    precision_changed = Signal(str)

    model = _Setting("", checks.text)
    pick = _Setting[Pick]("all", checks.pick)
    guidance = _Setting(0.0, checks.number(-1.0, 50.0))
    guidance_model = _Setting[str | None](None, checks.optional_text)
    solver = _Setting("genie", checks.text)
    steps = _Setting(10, checks.whole(1, MAX_STEPS))
    spacing = _Setting("quadratic", checks.one_of(SPACINGS))
    analytic_first = _Setting(False, checks.flag)
    denoise = _Setting(False, checks.flag)
    t_end = _Setting(1e-3, checks.number(1e-5, 0.5))
    seed = _Setting(RANDOM_SEED, checks.whole(RANDOM_SEED, MAX_SEED))
    count = _Setting(16, checks.whole(1, MAX_COUNT))
    device = _Setting("auto", checks.device)
    precision = _Setting("auto", checks.one_of(PRECISIONS))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values: dict[str, Any] = {name: getattr(type(self), name).default for name in LABELS}
        self._mistyped: dict[str, str] = {}  # until the setting is typed again
        self._refused: dict[str, str] = {}  # of a combination: until anything changes
        self._catalogue = Catalogue((), ())
        self._base = "good"
        self._preset = "good"
        self._held = 0  # > 0 while several values change as one
        self._held_changed = False

    # --- values

    def value(self, name: str) -> Any:
        """The setting called `name`."""
        return self._values[name]

    def set_value(self, name: str, value: object) -> None:
        """Set the setting called `name`; a `BadRequest` with its `field` if it can't be that."""
        checked = getattr(type(self), name).check(name, value)
        different = checked != self._values[name]
        mistyped = self._mistyped.pop(name, None) is not None
        if mistyped or (different and self._refused):
            self._refused.clear()
            self.errors_changed.emit()
        if not different:
            return
        follow = name == "model" and self._preset != "custom"
        guided = name == "model" and not self.differs("guidance")
        self._values[name] = checked
        self._hold()
        try:
            getattr(self, f"{name}_changed").emit(checked)
            if name == "model":
                self._choose_partner()
            if guided:
                self.guidance = self.baseline("guidance")
            if follow:
                # The solver and the grid a preset stands for depend on the model.
                self._follow_preset()
            self._held_changed = True
        finally:
            self._release()

    def set_from_text(self, name: str, text: str) -> bool:
        """Set what was typed. False: it stays as it was and `errors[name]` says why."""
        try:
            self.set_value(name, self._parse(name, text.strip()))
        except BadRequest as error:
            self._mistyped[name] = error.message
            self.errors_changed.emit()
            return False
        return True

    def _parse(self, name: str, text: str) -> object:
        if name == "seed" and text.casefold() in ("", "random"):
            return RANDOM_SEED
        default = getattr(type(self), name).default
        try:
            if isinstance(default, float):
                return float(text.replace(",", ".") if text.count(",") == 1 else text)
            if isinstance(default, int) and not isinstance(default, bool):
                return int(text.replace("\N{NO-BREAK SPACE}", "").replace(" ", ""))
        except ValueError:
            pass  # the check below refuses the text and says what is needed
        return text

    # --- errors

    @property
    def errors(self) -> dict[str, str]:
        """Setting -> what is wrong with what was typed there, or with it in this combination."""
        return {**self._refused, **self._mistyped}

    def set_error(self, field: str | None, message: str) -> bool:
        """Show `message` beside the control of `field` until any setting changes.

        The engine's names of fields are understood. False: it is about none of these settings
        and has to be said elsewhere.
        """
        name = _FIELDS.get(field or "", field or "")
        if name not in LABELS:
            return False
        if self._refused.get(name) != message:
            self._refused[name] = message
            self.errors_changed.emit()
        return True

    def clear_error(self, name: str) -> None:
        """Forget the error beside one setting: what was typed there was given up."""
        mistyped = self._mistyped.pop(name, None) is not None
        refused = self._refused.pop(name, None) is not None
        if mistyped or refused:
            self.errors_changed.emit()

    def clear_errors(self) -> None:
        if self._refused or self._mistyped:
            self._refused.clear()
            self._mistyped.clear()
            self.errors_changed.emit()

    # --- what there is to choose from

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Take in what the engine offers; chooses a model if none, or a missing one, is chosen."""
        self._catalogue = catalogue
        usable = [info.name for info in self.models if not info.problem]
        if usable and self.model not in usable:
            self.model = usable[0]
        self._choose_partner()
        if self._preset != "custom":
            self._follow_preset()
        else:
            self._refresh_preset()
        self.catalogue_changed.emit()

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """Those that make pictures from noise, usable or not."""
        return tuple(info for info in self._catalogue.models if not info.is_upsampler)

    def partners(self) -> list[ModelInfo]:
        """Models that can guide the chosen one: trained without classes on pictures of its kind."""
        info = self.model_info
        if info is None or not info.classes or not info.data:
            return []
        kind = (info.image_size, info.channels, info.data)
        return [
            other
            for other in self.models
            if not other.classes
            and not other.problem
            and (other.image_size, other.channels, other.data) == kind
        ]

    def _default_partner(self) -> str | None:
        """The first partner of a model without an empty class of its own; any other guides itself."""
        info, partners = self.model_info, self.partners()
        return partners[0].name if partners and info is not None and not info.null_label else None

    def _choose_partner(self) -> None:
        """A partner that does not fit the chosen model gives way."""
        fitting = [partner.name for partner in self.partners()]
        if self.model_info is not None and self.guidance_model not in fitting:
            self.guidance_model = self._default_partner()

    @property
    def model_info(self) -> ModelInfo | None:
        """The chosen model, or None while the catalogue is not there or does not hold it."""
        return next((info for info in self._catalogue.models if info.name == self.model), None)

    @property
    def solver_info(self) -> SolverInfo | None:
        return next((info for info in self._catalogue.solvers if info.name == self.solver), None)

    # --- presets

    @property
    def preset(self) -> str:
        """ "draft", "good", "best", or "custom" when the values are none of theirs."""
        return self._preset

    def set_preset(self, name: str) -> None:
        """Solver, steps and everything under Advanced as `name` has them."""
        if name not in PRESETS:
            raise BadRequest(f"Quality can be {', '.join(PRESETS)}.", field="preset")
        before = self.to_dict()
        self._base = name
        self._follow_preset()
        self._tell_put_back(f"Quality set to {name.capitalize()}.", before)

    def _follow_preset(self) -> None:
        """The values of the preset: nobody's own change if a model or a catalogue brought it about."""
        self.set_values(self.preset_values(self._base))
        self._refresh_preset()

    def preset_values(self, name: str) -> dict[str, Any]:
        """What the preset sets, for the model chosen now.

        Without a GENIE head it is DPM-Solver++ 2M: genie-exact would be as good a step but costs
        several evaluations, and a preset promises its number of evaluations.
        """
        info = self.model_info
        values = {key: getattr(type(self), key).default for key in _PRESET_NAMES}
        values["steps"] = PRESETS[name]
        if info is not None:
            values["solver"] = "genie" if info.has_head else "dpmpp-2m"
            values["spacing"] = info.spacing
        return values

    def _refresh_preset(self) -> None:
        for name in (self._base, *PRESETS):
            if all(self._values[key] == value for key, value in self.preset_values(name).items()):
                self._base = found = name
                break
        else:
            found = "custom"
        if found != self._preset:
            self._preset = found
            self.preset_changed.emit(found)

    def baseline(self, name: str) -> Any:
        """What `reset(name)` goes back to: the preset's value, or the default."""
        if name in _PRESET_NAMES:
            return self.preset_values(self._base)[name]
        if name == "guidance_model":
            return self._default_partner()
        if name == "guidance" and self.model_info is not None:
            return self.model_info.guidance
        if name == "model":
            return next((info.name for info in self.models if not info.problem), self.model)
        return getattr(type(self), name).default

    def differs(self, name: str) -> bool:
        """Whether the row of this setting shows that it is not as the preset has it."""
        return bool(self._values[name] != self.baseline(name))

    def reset(self, name: str) -> None:
        """Put one setting back (double-click on its label)."""
        before = self.to_dict()
        self.set_value(name, self.baseline(name))
        self._tell_put_back(f"{LABELS.get(name, name)} put back.", before)

    def _tell_put_back(self, words: str, before: dict[str, Any]) -> None:
        if self.to_dict() != before:
            self.put_back.emit(words, before)

    # --- several at once

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Several settings as one change: `changed` comes once, at the end."""
        self._hold()
        try:
            for name in sorted(values, key=lambda name: name != "model"):  # which others follow
                self.set_value(name, values[name])
        finally:
            self._release()

    def _hold(self) -> None:
        self._held += 1

    def _release(self) -> None:
        self._held -= 1
        if self._held == 0 and self._held_changed:
            self._held_changed = False
            self._refresh_preset()
            self.changed.emit()

    # --- requests

    def build_request(self, catalogue: Catalogue | None = None, seed: int | None = None) -> GenerateRequest:
        """The complete request these settings stand for; draws a seed where it is random.

        With a `seed` that one is taken, whatever the settings say of it.

        Raises `BadRequest` with the `field` of the setting to change; shows it in `errors`, too.
        """
        try:
            return self._build(catalogue or self._catalogue, seed)
        except BadRequest as error:
            if error.field not in self._mistyped:
                self.set_error(error.field, error.message)
            raise

    def _build(self, catalogue: Catalogue, seed: int | None) -> GenerateRequest:
        for name, message in self._mistyped.items():
            raise BadRequest(message, field=name)
        self.clear_errors()
        if not self.model:
            raise BadRequest("Choose a model first.", field="model")
        model, solver = catalogue.model(self.model), catalogue.solver(self.solver)
        if model.problem:
            raise BadRequest(f"{model.title} can't be used: {model.problem}", field="model")
        if solver.derivative == "head" and not model.has_head:
            raise BadRequest(
                f"{model.title} has no GENIE head, which {solver.title} needs. "
                "Choose GENIE exact or another solver.",
                field="solver",
            )
        if self.guidance != 0.0 and not model.null_label and not self.guidance_model:
            raise BadRequest(
                f"{model.title} was trained without the empty class that guidance needs. Set guidance to 0.",
                field="guidance",
            )
        if seed is None:
            seed = fresh_seed() if self.seed == RANDOM_SEED else self.seed
        return GenerateRequest(
            model=self.model,
            seed=seed,
            labels=self._labels(model, seed),
            solver=self.solver,
            steps=self.steps,
            spacing=self.spacing,
            guidance=self.guidance,
            guidance_model=self.guidance_model,
            analytic_first=self.analytic_first,
            denoise=self.denoise,
            t_end=self.t_end,
            device=self.device,
            precision=self.precision,
        )

    def _labels(self, model: ModelInfo, seed: int) -> tuple[int | None, ...]:
        if self.pick == "none":
            if model.classes and not model.null_label:
                raise BadRequest(f"{model.title} always needs a class. Choose one.", field="pick")
            return (None,) * self.count
        if isinstance(self.pick, tuple):
            beyond = [n for n in self.pick if n >= len(model.classes)]
            if beyond and model.classes:
                raise BadRequest(
                    f"{model.title} has {len(model.classes)} classes; number {beyond[0]} is not one of them.",
                    field="pick",
                )
        return choose_labels(self.pick, self.count, len(model.classes), seed)

    def apply_request(self, request: GenerateRequest) -> None:
        """Make the settings those of `request`, its seed included."""
        values: dict[str, Any] = {
            field.name: getattr(request, field.name)
            for field in dataclasses.fields(request)
            if field.name in LABELS
        }
        values["count"] = request.count
        self.clear_errors()
        self._hold()
        try:
            self.model = request.model  # first: what a preset means depends on it
            values["pick"] = self._pick_of(request)
            self.set_values(values)
        finally:
            self._release()

    def _pick_of(self, request: GenerateRequest) -> Pick:
        """The shortest choice of classes that gives the request's labels."""
        classes = len(self.model_info.classes) if self.model_info else 0
        labels = tuple(label for label in request.labels if label is not None)
        if not labels:
            return "none" if classes else "all"
        if classes and request.count >= classes:
            for word in ("all", "random"):
                if request.labels == choose_labels(word, request.count, classes, request.seed):
                    return word
        for length in range(1, len(labels)):
            if all(label == labels[i % length] for i, label in enumerate(labels)):
                return labels[:length]
        return labels

    def matches(self, request: GenerateRequest) -> bool:
        """Whether these settings would ask for `request` (a random seed matches any)."""
        for name in LABELS:
            if name == "seed":
                same = self.seed in (RANDOM_SEED, request.seed)
            elif name == "count":
                same = self.count == request.count
            elif name == "pick":
                same = self._gives(request)
            else:
                same = self._values[name] == getattr(request, name)
            if not same:
                return False
        return True

    def _gives(self, request: GenerateRequest) -> bool:
        classes = len(self.model_info.classes) if self.model_info else 0
        if self.pick == "none" or classes == 0:
            return all(label is None for label in request.labels)
        if self.pick == ():
            return False
        return request.labels == choose_labels(self.pick, request.count, classes, request.seed)

    def planned_evaluations(self, catalogue: Catalogue | None = None) -> str:
        """What one image will cost, counted honestly: "20 evaluations (10 as the paper counts)"."""
        known = (catalogue or self._catalogue).solvers
        info = next((info for info in known if info.name == self.solver), None)
        if info is None:
            return ""
        once = info.evaluations(self.steps, analytic_first=self.analytic_first, denoise=self.denoise)
        if self.guidance == 0.0:
            return f"{once:,} evaluation{'' if once == 1 else 's'}"
        return f"{2 * once:,} evaluations ({once:,} as the paper counts)"

    # --- the session

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in self._values.items()}
        return {**values, "preset": self._preset}

    def from_dict(self, data: Mapping[str, Any]) -> None:
        """Take over what is valid in `data` and leave the rest as it is: a session never fails."""
        self._hold()
        try:
            for name in LABELS:
                if name in data:
                    try:
                        self.set_value(name, data[name])
                    except BadRequest:
                        continue
        finally:
            self._release()
        base = data.get("preset")
        if isinstance(base, str) and base in PRESETS:
            # What a preset stands for depends on the model; believe the name until it is known.
            self._base = base
            if self.model_info is None and self._preset != base:
                self._preset = base
                self.preset_changed.emit(base)
            else:
                self._refresh_preset()
