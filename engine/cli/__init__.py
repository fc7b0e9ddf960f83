"""`genie` on the command line: the same tasks as in the window, without one.

Each command is one module with a `COMMAND`. torch is imported only by what computes, so help
and mistakes in an option answer at once.

Exit codes: 0 done, 1 a bug of ours, 2 bad input or surroundings, 130 stopped with Ctrl+C.
"""

from __future__ import annotations

from engine.cli.command import Command, Namespace
from engine.cli.console import Console
from engine.cli.entry import main

__all__ = ["Command", "Console", "Namespace", "main"]
