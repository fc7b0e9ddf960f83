"""What the window and the engine say to each other: frozen requests and events.

Standard library only, so that the window is on screen before torch loads and the engine may
one day live in another process. A request is complete: it alone decides the result.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from engine.messages.catalogue import Catalogue, ModelInfo, SolverInfo, find_name
from engine.messages.checks import DEVICES, MAX_COUNT, MAX_SEED, MAX_STEPS, PRECISIONS, SPACINGS
from engine.messages.events import (
    Control,
    Event,
    Loading,
    Notice,
    Outcome,
    Pictures,
    Progress,
    Provenance,
    Result,
    StepFrame,
)
from engine.messages.generate import GenerateRequest, WarmUp, choose_labels
from engine.messages.latents import (
    BlendLatent,
    FileLatent,
    Label,
    LatentSource,
    SeedLatent,
    SlerpLatent,
    source_from_dict,
    source_to_dict,
)
from engine.messages.request import Request
from engine.messages.wire import request_from_json, request_to_json

if TYPE_CHECKING:
    from engine.messages.images import FileImage, ImageSource, PngImage, image_from_dict, image_to_dict
    from engine.messages.importing import Imported, ImportRequest, Refused
    from engine.messages.traverse import (
        DRAFT,
        FrameRequest,
        FrameResult,
        PaceRequest,
        PaceResult,
        RenderProgress,
        Sampling,
        TraverseRequest,
        TraverseResult,
    )
    from engine.messages.upsample import Upsampled, UpsampleRequest, Upsampling
    from engine.messages.videos import FORMATS, QUALITIES, VideoFormat, expected_bytes, video_format
    from engine.messages.walks import (
        EASINGS,
        MAX_FRAMES,
        MAX_KEYFRAMES,
        PATHS,
        Easing,
        Keyframe,
        Pace,
        Point,
        Walk,
    )

__all__ = [
    "DEVICES",
    "DRAFT",
    "EASINGS",
    "FORMATS",
    "MAX_COUNT",
    "MAX_FRAMES",
    "MAX_KEYFRAMES",
    "MAX_SEED",
    "MAX_STEPS",
    "PATHS",
    "PRECISIONS",
    "QUALITIES",
    "SPACINGS",
    "BlendLatent",
    "Catalogue",
    "Control",
    "Easing",
    "Event",
    "FileImage",
    "FileLatent",
    "FrameRequest",
    "FrameResult",
    "GenerateRequest",
    "ImageSource",
    "ImportRequest",
    "Imported",
    "Keyframe",
    "Label",
    "LatentSource",
    "Loading",
    "ModelInfo",
    "Notice",
    "Outcome",
    "Pace",
    "PaceRequest",
    "PaceResult",
    "Pictures",
    "PngImage",
    "Point",
    "Progress",
    "Provenance",
    "Refused",
    "RenderProgress",
    "Request",
    "Result",
    "Sampling",
    "SeedLatent",
    "SlerpLatent",
    "SolverInfo",
    "StepFrame",
    "TraverseRequest",
    "TraverseResult",
    "UpsampleRequest",
    "Upsampled",
    "Upsampling",
    "VideoFormat",
    "Walk",
    "WarmUp",
    "choose_labels",
    "expected_bytes",
    "find_name",
    "image_from_dict",
    "image_to_dict",
    "request_from_json",
    "request_to_json",
    "source_from_dict",
    "source_to_dict",
    "video_format",
]

# What the window can open without is read when it is first asked for.
_LATER = {
    "DRAFT": "traverse",
    "EASINGS": "walks",
    "Easing": "walks",
    "FORMATS": "videos",
    "FileImage": "images",
    "FrameRequest": "traverse",
    "FrameResult": "traverse",
    "ImageSource": "images",
    "ImportRequest": "importing",
    "Imported": "importing",
    "Keyframe": "walks",
    "MAX_FRAMES": "walks",
    "MAX_KEYFRAMES": "walks",
    "PATHS": "walks",
    "Pace": "walks",
    "PaceRequest": "traverse",
    "PaceResult": "traverse",
    "PngImage": "images",
    "Point": "walks",
    "QUALITIES": "videos",
    "Refused": "importing",
    "RenderProgress": "traverse",
    "Sampling": "traverse",
    "TraverseRequest": "traverse",
    "TraverseResult": "traverse",
    "UpsampleRequest": "upsample",
    "Upsampled": "upsample",
    "Upsampling": "upsample",
    "VideoFormat": "videos",
    "Walk": "walks",
    "expected_bytes": "videos",
    "image_from_dict": "images",
    "image_to_dict": "images",
    "video_format": "videos",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
