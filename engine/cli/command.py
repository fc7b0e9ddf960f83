"""What a command is, and a parser whose errors say what was meant."""

from __future__ import annotations

import argparse
import itertools
import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from engine.cli.console import Console
from engine.errors import BadRequest
from engine.messages import checks

__all__ = ["Command", "Namespace", "Parser", "make_parser", "nearest", "number", "whole"]


@dataclass(frozen=True)
class Command:
    """A command of `genie`: `run` does it and returns the exit code.

    `json` adds `--json`: the command then hands one object to `Console.result`.
    """

    name: str
    summary: str
    example: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Console], int]
    json: bool = True


def nearest(name: str, among: Sequence[str]) -> str:
    """ " Did you mean ...?" or nothing."""
    return checks.nearest(name, among, quoted=False)


def shorten(text: str) -> str:
    """A value as it may stand in a message, however long somebody made it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argparse type: a whole number from low to high."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ArgumentTypeError(f"is {shorten(text)}; a whole number from {low:,} to {high:,} is needed.")
        return value

    return convert


def number(low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a finite number from low to high."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # NaN fails this too
            raise ArgumentTypeError(f"is {shorten(text)}; a number from {low:g} to {high:g} is needed.")
        return value

    return convert


class Parser(ArgumentParser):
    """An argparse parser that raises `BadRequest` with a plain sentence instead of exiting."""

    @property
    def options(self) -> list[str]:
        """The long options it knows."""
        return [name for name in self._option_string_actions if name.startswith("--")]

    def read(self, argv: Sequence[str]) -> Namespace:
        """The arguments, with options before, between and behind the names.

        Beside them `given`: the options that were, in order, whatever their values.
        """
        argv = self._joined(argv)
        words = itertools.takewhile(lambda word: word != "--", argv)
        known = self._option_string_actions
        given = [known[name].dest for word in words if (name := word.partition("=")[0]) in known]
        # What argparse has for that loses a default in --help, and what "--" means.
        mixed = not {"--", "-h", "--help"}.intersection(argv)
        arguments = self.parse_intermixed_args(argv) if mixed else self.parse_args(argv)
        arguments.given = tuple(dict.fromkeys(given))
        return arguments

    def _joined(self, argv: Sequence[str]) -> list[str]:
        """`--crop -5,0,9,9` as `--crop=-5,0,9,9`: argparse would take the numbers for an option."""
        joined: list[str] = []
        for word in argv:
            action = self._option_string_actions.get(joined[-1]) if joined and "--" not in joined else None
            if action is not None and action.nargs != 0 and re.fullmatch(r"-\d+(,-?\d+)+", word):
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return joined

    def error(self, message: str) -> NoReturn:
        field = None
        if match := re.fullmatch(r"argument ([^:]+): (.*)", message, re.DOTALL):
            name, rest = match[1].split("/")[-1], match[2]
            field = name.lstrip("-").replace("-", "_") if name.startswith("-") else None
            if rest == "expected one argument":
                rest = "needs a value."
            elif chosen := re.fullmatch(r"invalid choice: '(.*)' \(choose from (.*)\)", rest, re.DOTALL):
                allowed = [entry.strip(" '") for entry in chosen[2].split(",")]
                rest = f"is {shorten(chosen[1])}.{nearest(chosen[1], allowed)} Allowed: {', '.join(allowed)}."
            message = f"{name} {rest}"
        elif message.startswith("unrecognized arguments: "):
            stranger = message.removeprefix("unrecognized arguments: ").split()[0].partition("=")[0]
            message = (
                f"There is no option {stranger}.{nearest(stranger, self.options)} There is: {', '.join(self.options)}."
                if stranger.startswith("-")
                else f"{shorten(stranger)} was not expected here."
            )
        elif message.startswith("the following arguments are required: "):
            message = f"Missing: {message.removeprefix('the following arguments are required: ')}."
        raise BadRequest(message, field=field)


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults beside each option that has one; the example keeps its lines."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == argparse.SUPPRESS:
            return action.help
        return super()._get_help_string(action)


def make_parser(command: Command) -> Parser:
    parser = Parser(
        prog=f"genie {command.name}",
        description=command.summary,
        epilog=f"example:\n  {command.example}",
        formatter_class=_Help,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    if command.json:
        parser.add_argument(
            "--json", action="store_true", help="one JSON object on standard output, for machines"
        )
    return parser
