"""From arguments to an exit code: finds the command, and turns every end into plain words."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Iterable, Sequence

from engine.cli import decode, distil, edit, encode, generate, models, train, traverse, upsample, version
from engine.cli.command import Command, Parser, make_parser, nearest
from engine.cli.console import Console
from engine.errors import EngineError

__all__ = ["BAD_INPUT", "BUG", "COMMANDS", "STOPPED", "main"]

COMMANDS = (
    generate.COMMAND,
    encode.COMMAND,
    decode.COMMAND,
    edit.COMMAND,
    traverse.COMMAND,
    upsample.COMMAND,
    models.COMMAND,
    train.COMMAND,
    distil.COMMAND,
    version.COMMAND,
)
BUG, BAD_INPUT, STOPPED = 1, 2, 130

# Fields of a request whose option is called otherwise.
_OPTIONS = {
    "analytic_first": "afs",
    "card": "model",
    "labels": "classes",
    "image": "from",
    "index": "from",
    "provenance": "from",
    "request": "from",
    "weights": "model",
}


def main(argv: Sequence[str], extra_commands: Sequence[Command] = ()) -> int:
    """Run `genie ARGV...` and return the exit code.

    `extra_commands` are those the engine can't have, because they need the window.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr does: no name of a file ends a command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _main(argv, extra_commands)
    except BrokenPipeError:  # whoever read our output has left: nothing to say, nobody to say it to
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED


def _main(argv: Sequence[str], extra_commands: Sequence[Command]) -> int:
    commands = {command.name: command for command in (*COMMANDS, *extra_commands)}
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview(commands.values()))
        return 0 if argv else BAD_INPUT
    if argv[0] in ("-V", "--version"):
        argv = ["version", *argv[1:]]
    command = commands.get(argv[0])
    if command is None:
        known = ", ".join(commands)
        what = "option" if argv[0].startswith("-") else "command"
        print(
            f"genie: There is no {what} {argv[0]!r}.{nearest(argv[0], list(commands))} Commands: {known}.",
            file=sys.stderr,
        )
        return BAD_INPUT
    # Known before the arguments are read, so that a mistake in them is reported as JSON too.
    console = Console(json=command.json and "--json" in argv[1:])
    parser = make_parser(command)
    try:
        return command.run(parser.read(argv[1:]), console)
    except SystemExit as leaving:  # --help
        return int(leaving.code or 0)
    except EngineError as error:
        option, message = _with_option(error, parser)
        console.note(f"genie {command.name}: {message}")
        if error.details:
            console.note(error.details)
        console.result({"error": {"kind": error.kind, "message": message, "option": option}})
        return BAD_INPUT
    except KeyboardInterrupt:
        console.note("Stopped.")
        console.result({"error": {"kind": "stopped", "message": "Stopped.", "option": None}})
        return STOPPED
    except BrokenPipeError:
        raise
    except Exception as error:
        console.note(
            f"genie {command.name}: something went wrong that shouldn't have: "
            f"{type(error).__name__}: {error}\n"
            "This is a mistake in GENIE Studio. Please report it with the lines below."
        )
        console.note("".join(traceback.format_exception(error, limit=-6)).rstrip())
        console.result(
            {"error": {"kind": "bug", "message": f"{type(error).__name__}: {error}", "option": None}}
        )
        return BUG


def _with_option(error: EngineError, parser: Parser) -> tuple[str | None, str]:
    """The option an error is about, if the command has it, and its message with that name in it."""
    if not error.field:
        return None, error.message
    option = "--" + _OPTIONS.get(error.field, error.field).replace("_", "-")
    if option not in parser.options:
        return None, error.message
    prefix = f"{error.field} is "
    if error.message.startswith(prefix):
        return option, f"{option} is {error.message.removeprefix(prefix)}"
    return option, error.message if option in error.message else f"{option}: {error.message}"


def _overview(commands: Iterable[Command]) -> str:
    listed = list(commands)
    width = max(len(command.name) for command in listed)
    lines = [
        f"GENIE Studio {version.program_version()}: generate images with diffusion models, quickly.",
        "",
        "usage: genie                      open the window",
        "       genie COMMAND [OPTION...]  do one thing without it",
        "       genie COMMAND --help       its options, defaults and an example",
        "",
        "commands:",
        *(f"  {command.name:<{width}}  {command.summary}" for command in listed),
    ]
    return "\n".join(lines)
