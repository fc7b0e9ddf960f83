"""What every request is: frozen, complete, and writable as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from engine.errors import BadRequest
from engine.messages.checks import shown

__all__ = ["Request"]


class Request:
    """Base of the frozen dataclasses a task is asked with. A request alone decides the result.

    A class whose fields are not plain values overrides `to_dict` and `from_dict`.
    """

    kind: ClassVar[str]
    lasting: ClassVar[bool] = False  # if it still waits at the end, it waits again at the next start

    model: str  # the model it needs first; empty for a task without one

    @property
    def summary(self) -> str:
        """One line for a list."""
        return f"{self.kind}, {self.model}"

    @property
    def count(self) -> int:
        """How many pictures it is for."""
        return 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values only."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The request of `to_dict`; a `BadRequest` names what is wrong with it."""
        unknown = sorted(set(data) - {f.name for f in dataclasses.fields(cls)})  # type: ignore[arg-type]
        if unknown:
            raise BadRequest(f"The settings have fields nobody knows: {', '.join(map(str, unknown))[:200]}.")
        try:
            return cls(**{name: _tuples(value) for name, value in data.items()})
        except TypeError as error:
            raise BadRequest(f"The settings are incomplete: {error}.") from error


def _tuples(value: Any, depth: int = 8) -> Any:
    """Lists, which JSON makes of tuples, as tuples again."""
    if not isinstance(value, list):
        return value
    if depth == 0:
        raise BadRequest(f"The settings are nested too deep: {shown(value)}.")
    return tuple(_tuples(part, depth - 1) for part in value)
