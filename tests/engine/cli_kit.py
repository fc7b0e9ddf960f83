"""`genie ARGV...` in this process, for tests of one command each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine import cli

__all__ = ["Ended", "Genie", "runner"]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be exactly one JSON object on one line."""
        assert self.out.count("\n") == 1
        data = json.loads(self.out)
        assert isinstance(data, dict)
        return data


Genie = Callable[..., Ended]


def runner(capsys: Any) -> Genie:
    def run(*argv: object) -> Ended:
        capsys.readouterr()
        code = cli.main([str(a) for a in argv])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run
