"""Requests as one line of JSON, and back: what the store, a PNG and the command line keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from engine.errors import BadRequest
from engine.messages.checks import shown
from engine.messages.request import Request

__all__ = ["FORMAT_VERSION", "REQUESTS", "request_class", "request_from_json", "request_to_json"]

FORMAT_VERSION = 1

# Where the request of each kind is defined. A module is read when a request of its kind is:
# the window opens before that.
REQUESTS = {
    "decode": "encode:DecodeRequest",
    "direction": "edit:DirectionRequest",
    "edit": "edit:EditRequest",
    "encode": "encode:EncodeRequest",
    "frame": "traverse:FrameRequest",
    "generate": "generate:GenerateRequest",
    "import": "importing:ImportRequest",
    "latent": "latent_files:LatentRequest",
    "pace": "traverse:PaceRequest",
    "photo": "encode:PhotoRequest",
    "round-trip": "encode:RoundTripRequest",
    "traverse": "traverse:TraverseRequest",
    "upsample": "upsample:UpsampleRequest",
    "warm-up": "generate:WarmUp",
}


def request_class(kind: str) -> type[Request]:
    """The class of the requests of a kind, one of `REQUESTS`."""
    module, _, name = REQUESTS[kind].partition(":")
    found = getattr(import_module(f"engine.messages.{module}"), name)
    return cast("type[Request]", found)


def request_to_json(request: Request) -> str:
    """One line of JSON that `request_from_json` turns back into an equal request."""
    return json.dumps({"genie": FORMAT_VERSION, "kind": request.kind, **request.to_dict()})


def request_from_json(text: str | bytes | Mapping[str, Any]) -> Request:
    """The request in a JSON text or object; a `BadRequest` names what is wrong with it."""
    if isinstance(text, (str, bytes)):
        try:
            if len(text) > 4_000_000:
                raise ValueError("it is longer than any request")
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"The settings are not readable JSON: {error}.") from error
    else:
        data = dict(text)
    if not isinstance(data, dict):
        raise BadRequest("The settings are not a JSON object.")
    version, kind = data.pop("genie", None), data.pop("kind", None)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise BadRequest(
            f"The settings have version {shown(version)}; this program reads up to {FORMAT_VERSION}."
        )
    if not isinstance(kind, str) or kind not in REQUESTS:
        raise BadRequest(f"The settings are of kind {shown(kind)}; known: {', '.join(REQUESTS)}.")
    return request_class(kind).from_dict(data)
