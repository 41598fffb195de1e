"""The parser of the command line: every command with its help, in the order in which one meets them."""

from __future__ import annotations

import argparse
from typing import Any, Protocol

from daemon.cli import (
    accounts,
    asking_about,
    carrying,
    check,
    completion,
    demo,
    doctor,
    init,
    new,
    service,
    status,
    syncing,
)
from daemon.cli.shell import Run

_DESCRIPTION = """\
Keeps CRM activities as files in a folder that you own, in step with your calendars.

New here: `datebook init`, `datebook connect ACCOUNT`, `datebook run`.
"""
_EPILOG = "Exit codes: 0 done and healthy, 1 failed, 2 wrong usage or config, 3 done, but something needs you."


class Group(Protocol):
    """A module of commands."""

    def add_to(self, commands: Commands) -> None:
        """Add the module's commands."""


class Commands:
    """Takes commands into the parser."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._choices: Any = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")

    def add(self, name: str, run: Run, brief: str, text: str, *, json: bool = False) -> argparse.ArgumentParser:
        """A command: what it does in one line, and its whole help."""
        command: argparse.ArgumentParser = self._choices.add_parser(
            name, help=brief, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        _add_places(command, default=argparse.SUPPRESS)
        if json:
            command.add_argument("--json", action="store_true", help="report as JSON, for programs")
        command.set_defaults(run=run)
        return command


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="datebook",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_places(whole, default=None)
    whole.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = Commands(whole)
    for group in (
        init,
        accounts,
        syncing,
        status,
        asking_about,
        carrying,
        new,
        check,
        doctor,
        service,
        completion,
        demo,
    ):
        group.add_to(commands)
    return whole


def _add_places(parser: argparse.ArgumentParser, default: str | None) -> None:
    places = parser.add_argument_group("places")
    places.add_argument("--config", metavar="FILE", default=default, help="the config file ($DATEBOOK_CONFIG)")
    places.add_argument("--state", metavar="DIR", default=default, help="the state folder ($DATEBOOK_STATE)")


class _Version(argparse.Action):
    """Looks the version up only when it is asked for: that costs more than the whole parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        print(f"datebook {metadata.version('datebook')}")
        parser.exit(0)
