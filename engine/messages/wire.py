"""Requests as one line of JSON, and back: what the store, a PNG and the command line keep."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.errors import BadRequest
from engine.messages.checks import shown
from engine.messages.generate import GenerateRequest, WarmUp
from engine.messages.request import Request

__all__ = ["FORMAT_VERSION", "REQUESTS", "request_from_json", "request_to_json"]

FORMAT_VERSION = 1

REQUESTS: dict[str, type[Request]] = {cls.kind: cls for cls in (GenerateRequest, WarmUp)}


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
    cls = REQUESTS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise BadRequest(f"The settings are of kind {shown(kind)}; known: {', '.join(REQUESTS)}.")
    return cls.from_dict(data)
