"""What the window and the engine say to each other: frozen requests and events.

Standard library only, so that the window is on screen before torch loads and the engine may
one day live in another process. A request is complete: it alone decides the result.
"""

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

__all__ = [
    "DEVICES",
    "MAX_COUNT",
    "MAX_SEED",
    "MAX_STEPS",
    "PRECISIONS",
    "SPACINGS",
    "BlendLatent",
    "Catalogue",
    "Control",
    "Event",
    "FileLatent",
    "GenerateRequest",
    "Label",
    "LatentSource",
    "Loading",
    "ModelInfo",
    "Notice",
    "Outcome",
    "Pictures",
    "Progress",
    "Provenance",
    "Request",
    "Result",
    "SeedLatent",
    "SlerpLatent",
    "SolverInfo",
    "StepFrame",
    "WarmUp",
    "choose_labels",
    "find_name",
    "request_from_json",
    "request_to_json",
    "source_from_dict",
    "source_to_dict",
]
