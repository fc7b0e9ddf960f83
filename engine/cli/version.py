"""`genie version`: what to put into a report."""

from __future__ import annotations

import platform
from argparse import ArgumentParser
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as metadata_version

from engine.cli.command import Command, Namespace
from engine.cli.console import Console

__all__ = ["COMMAND", "program_version"]


def program_version() -> str:
    """Our version, or "from source" where nothing is installed."""
    return _version_of("genie-studio") or "from source"


def _version_of(package: str) -> str | None:
    # From the package's metadata: importing torch for its number would take two seconds.
    try:
        return metadata_version(package)
    except PackageNotFoundError:
        return None


def _add_arguments(parser: ArgumentParser) -> None:
    del parser


def _run(arguments: Namespace, console: Console) -> int:
    del arguments
    versions = {
        "genie": program_version(),
        "python": platform.python_version(),
        "torch": _version_of("torch"),
        "pyside6": _version_of("PySide6-Essentials"),
        "platform": platform.platform(),
    }
    console.say(f"GENIE Studio {versions['genie']}")
    for name in ("python", "torch", "pyside6", "platform"):
        console.say(f"  {name:<8}  {versions[name] or 'missing'}")
    console.result(versions)
    return 0


COMMAND = Command(
    name="version",
    summary="Show the versions of the program and of what it runs on.",
    example="genie version --json",
    add_arguments=_add_arguments,
    run=_run,
)
