"""What a generate request needs before the network: everything it names, and whether that fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.devices import Placement, free_memory
from engine.errors import BadCheckpoint, BadRequest
from engine.messages import (
    Catalogue,
    GenerateRequest,
    Label,
    ModelInfo,
    SolverInfo,
)

__all__ = [
    "Plan",
    "choose_batch",
    "drawing_model",
    "label_numbers",
    "make_plan",
    "usable_model",
]

_FRAME_BYTES = 256 << 20  # more than this of recorded steps is not kept


@dataclass(frozen=True)
class Plan:
    """A request that was found possible, with everything it names looked up."""

    request: GenerateRequest
    model: ModelInfo
    guide: ModelInfo | None  # the second model of a guided pair
    solver: SolverInfo

    @property
    def guided(self) -> bool:
        return self.request.guidance != 0.0

    @property
    def calls(self) -> int:
        """Network evaluations one group costs, a guided pair or batch counted as one."""
        r = self.request
        return self.solver.evaluations(r.steps, analytic_first=r.analytic_first, denoise=r.denoise)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return (self.model.channels, self.model.image_size, self.model.image_size)

    def keeps_steps(self) -> bool:
        channels, height, width = self.shape
        frames = self.request.steps + int(self.request.denoise)
        return self.request.count * channels * height * width * frames <= _FRAME_BYTES


def usable_model(name: str, catalogue: Catalogue) -> ModelInfo:
    """The model called `name`, unless there is none or its files are damaged."""
    model = catalogue.model(name)
    if model.problem is not None:
        raise BadCheckpoint(model.problem, field="model")
    return model


def drawing_model(name: str, catalogue: Catalogue, field: str = "model") -> ModelInfo:
    """The model called `name`, if it can be used and makes images of noise alone."""
    model = usable_model(name, catalogue)
    if model.is_upsampler:
        raise BadRequest(
            f"{model.title} makes no images of noise: it enlarges images of {model.upsamples_from} x "
            f"{model.upsamples_from} pixels. Choose another model to make them, and enlarge them with it.",
            field=field,
        )
    return model


def label_numbers(labels: Iterable[Label]) -> tuple[int | None, ...]:
    """Every class that is asked for, alone or in a mixture, once."""
    found: dict[int | None, None] = {}
    for label in labels:
        parts = label if isinstance(label, tuple) else ((label, 1.0),)
        found.update((number, None) for number, weight in parts if weight)
    return tuple(found)


def make_plan(request: GenerateRequest, catalogue: Catalogue) -> Plan:
    """Check a request against what there is; errors say what doesn't fit and what would."""
    model = drawing_model(request.model, catalogue)
    solver = catalogue.solver(request.solver)
    guide = None
    if request.guidance_model is not None:
        guide = drawing_model(request.guidance_model, catalogue, field="guidance_model")
    plan = Plan(request, model, guide if request.guidance else None, solver)
    _check_labels(request, model)
    _check_guidance(plan)
    for needed in (model, plan.guide):
        if solver.derivative == "head" and needed is not None and not needed.has_head:
            raise BadRequest(
                f"{needed.title} has no GENIE head, which the solver {solver.name!r} needs. "
                "Use 'genie-exact', which computes the derivative itself, or any other solver.",
                field="solver",
            )
    if plan.calls < 1:
        raise BadRequest(
            f"{solver.title} with one step and an analytic first step would never look at the picture. "
            "Use two steps or more, or leave the analytic first step out.",
            field="steps",
        )
    _check_memory(plan)
    return plan


def _check_labels(request: GenerateRequest, model: ModelInfo) -> None:
    classes = len(model.classes)
    numbers = [label for label in request.labels if label is not None]
    if numbers and not classes:
        raise BadRequest(
            f"{model.title} knows no classes, so it can't be asked for class {numbers[0]}. "
            "Leave the class out.",
            field="classes",
        )
    beyond = next((number for number in numbers if number >= classes), None)
    if beyond is not None:
        named = ", ".join(f"{i} {name}" for i, name in enumerate(model.classes[:20]))
        raise BadRequest(
            f"{model.title} has no class {beyond}; its classes are 0 to {classes - 1}: "
            f"{named}{', ...' if classes > 20 else ''}.",
            field="classes",
        )
    if len(numbers) < request.count and classes and not model.null_label:
        raise BadRequest(
            f"{model.title} was not trained to make images without a class. Choose a class for each.",
            field="classes",
        )


def _check_guidance(plan: Plan) -> None:
    if not plan.guided:
        return
    model, guide = plan.model, plan.guide
    if guide is None:
        if not (model.classes and model.null_label):
            raise BadRequest(
                f"{model.title} can't guide itself: it was not trained with a null label. "
                "Set the guidance to 0, or name a second model without classes to guide it.",
                field="guidance",
            )
        return
    ours, theirs = (model.image_size, model.channels), (guide.image_size, guide.channels)
    if ours != theirs:
        raise BadRequest(
            f"{guide.title} makes images of {_size(guide)}, {model.title} of {_size(model)}. "
            "A guided pair needs the same size.",
            field="guidance_model",
        )
    if guide.classes and not guide.null_label:
        raise BadRequest(
            f"{guide.title} can't make images without a class, which the second of a guided pair must. "
            "Choose a model without classes or one with a null label.",
            field="guidance_model",
        )


def _size(model: ModelInfo) -> str:
    return f"{model.image_size}x{model.image_size} {'grey' if model.channels == 1 else 'colour'}"


def _check_memory(plan: Plan) -> None:
    """The network's memory is a matter of the batch; the pictures themselves must fit."""
    channels, height, width = plan.shape
    stride = channels * height * width
    free = free_memory()
    # Twice: the groups and their concatenation. Half of what is free is left to everything else.
    if free is not None and 2 * stride * plan.request.count > free // 2:
        most = max(1, free // (4 * stride))
        raise BadRequest(
            f"count is {plan.request.count:,}; the pictures alone would need "
            f"{2 * stride * plan.request.count / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free. "
            f"At most {most:,} are possible at once.",
            field="count",
        )


def choose_batch(plan: Plan, placement: Placement) -> int:
    """Images that go through the network together.

    Few enough that previews come and cancelling works at once (on a CPU bigger batches are
    hardly faster), and that memory is not an issue for the usual network.
    """
    if plan.request.batch:
        return min(plan.request.batch, plan.request.count)
    pixels = plan.model.image_size**2
    many = (16 if placement.device.type == "cpu" else 128) * 32 * 32
    return max(1, min(plan.request.count, 256, many // pixels))
