"""From what the controls of an edit say to what the engine is asked."""

from __future__ import annotations

from dataclasses import dataclass

from app.models.edit.sessions import Sessions
from app.models.edit.tree import EditNode
from app.models.settings import GenerateSettings
from engine.errors import BadRequest
from engine.messages import FileLatent, Pictures, PngImage
from engine.messages.edit import (
    CLASS_GUIDANCE,
    AttributeEdit,
    BlendEdit,
    ClassEdit,
    Edit,
    EditRequest,
    MaskEdit,
    PaintEdit,
    VaryEdit,
)
from engine.messages.encode import EXACT_SOLVERS, Photo

__all__ = [
    "DRAFT_STEPS",
    "FARTHEST",
    "PULLED",
    "STRIP",
    "TOOLS",
    "Asked",
    "label_after",
    "photo_of",
    "request_for",
    "words_of",
]

TOOLS = ("class", "blend", "vary", "mask", "attribute", "paint")
PULLED = ("class", "mask", "paint")  # that draw something of a class, which a little guidance helps them to
DRAFT_STEPS = 5
FARTHEST = 3.0  # of an attribute: how far along its direction the strip goes
STRIP = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)  # strengths; 0 is the picture itself


@dataclass(frozen=True)
class Asked:
    """The controls of all edits; each edit reads its own."""

    strength: float = 0.6
    to: int | None = None  # class, mask: what it becomes
    pull: float = CLASS_GUIDANCE  # class, mask, paint: the guidance of the way down
    fresh: bool = False  # mask: from noise, instead of by way of the flow
    seed: int = 0  # vary: the first; mask: that of the noise
    count: int = 4  # vary: how many at once
    direction: str = ""  # attribute: the name of its file
    direction_name: str = ""
    scale: float = 1.0


def photo_of(sessions: Sessions, node: EditNode) -> Photo:
    """The picture of an edit, as the engine is given it: its pixels themselves."""
    return Photo(PngImage(sessions.png(node)))


def request_for(
    tool: str,
    asked: Asked,
    node: EditNode,
    sessions: Sessions,
    settings: GenerateSettings,
    *,
    strengths: tuple[float, ...],
    draft: bool,
    exact: bool = False,
    mask: Pictures | None = None,
    painted: Pictures | None = None,
    other: EditNode | None = None,
    only_seed: int | None = None,
) -> EditRequest:
    """The request for `tool` on an edit of the tree; a `BadRequest` names the control to use first."""
    label = _label(node)
    solver = settings.solver
    info = settings.model_info
    pulled = tool in PULLED and (info is None or info.null_label)
    if exact and solver not in EXACT_SOLVERS:
        exact = False
    return EditRequest(
        model=sessions.model,
        solver=solver,
        steps=min(settings.steps, DRAFT_STEPS) if draft else settings.steps,
        spacing=settings.spacing,
        guidance=asked.pull if pulled else settings.guidance,
        t_end=settings.t_end,
        device=settings.device,
        precision=settings.precision,
        source=photo_of(sessions, node),
        edit=_edit(tool, asked, sessions, mask, painted, other, only_seed),
        label=label,
        strengths=strengths,
        exact=exact and not draft,
    )


def _edit(
    tool: str,
    asked: Asked,
    sessions: Sessions,
    mask: Pictures | None,
    painted: Pictures | None,
    other: EditNode | None,
    only_seed: int | None,
) -> Edit:
    match tool:
        case "class":
            return ClassEdit(asked.to)
        case "blend":
            if other is None:
                raise BadRequest("Choose the picture to blend with.", field="other")
            return BlendEdit(photo_of(sessions, other), _label(other))
        case "vary":
            seeds = tuple(asked.seed + i for i in range(asked.count))
            return VaryEdit(seeds if only_seed is None else (asked.seed + only_seed,))
        case "mask":
            if mask is None or not any(mask.data):
                raise BadRequest("Paint over what may change first.", field="mask")
            # The edge is softened already, exactly as it is shown.
            return MaskEdit(_png(mask), asked.to, 0.0, asked.seed if asked.fresh else None)
        case "attribute":
            if not asked.direction:
                raise BadRequest("Choose a direction, or make one.", field="direction")
            path = sessions.files.path(asked.direction)
            return AttributeEdit(FileLatent(str(path)), asked.scale)
        case "paint":
            if painted is None:
                raise BadRequest("Paint something on the picture first.", field="painted")
            return PaintEdit(_png(painted))
    raise BadRequest(f"There is no edit {tool!r}.", field="kind")


def _png(picture: Pictures) -> PngImage:
    from engine.images import encode_png

    return PngImage(encode_png(picture))


def _label(node: EditNode) -> int | None:
    label = node.facts.get("label")
    return label if isinstance(label, int) else None


def label_after(tool: str, asked: Asked, node: EditNode) -> int | None:
    """The class the picture is of once it is edited."""
    return asked.to if tool == "class" else _label(node)


def words_of(tool: str, asked: Asked, class_name: str, other: str) -> str:
    """What a new edit is called until a person calls it otherwise."""
    share = f"{asked.strength:.0%}"
    match tool:
        case "class":
            return f"{class_name or 'No class'} {share}"
        case "blend":
            return f"Blend with {other} {share}"
        case "vary":
            return f"Variation {share}"
        case "mask":
            return f"{class_name} inside the mask" if class_name else "Inside the mask"
        case "attribute":
            return f"{asked.direction_name} {asked.scale:+.1f}"
    return f"Painted, made real {share}"
