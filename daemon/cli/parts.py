"""The command line taken apart again: its commands and options, for the completions and the manual page."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument. `names` are empty for an argument; `value` is "" for a flag."""

    names: tuple[str, ...]
    value: str
    help: str
    choices: tuple[str, ...]
    repeats: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Part:
    """One command."""

    name: str
    brief: str
    text: str
    options: tuple[Option, ...]


def whole_of(parser: argparse.ArgumentParser) -> Part:
    """What stands before a command."""
    return Part(parser.prog, "", parser.description or "", tuple(_options(parser)))


def parts_of(parser: argparse.ArgumentParser) -> tuple[Part, ...]:
    """The commands, in the order in which the help lists them."""
    found = next(one for one in parser._actions if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001  argparse tells it nowhere else
    briefs = {choice.dest: choice.help or "" for choice in found._choices_actions}  # noqa: SLF001  as above
    return tuple(
        Part(name, briefs.get(name, ""), one.description or "", tuple(_options(one)))
        for name, one in found.choices.items()
    )


def _options(parser: argparse.ArgumentParser) -> Iterator[Option]:
    for one in parser._actions:  # noqa: SLF001  argparse tells it nowhere else
        if isinstance(one, argparse._SubParsersAction) or one.help == argparse.SUPPRESS:  # noqa: SLF001  as above
            continue
        choices = tuple(str(choice) for choice in one.choices or ())
        value = "" if one.nargs == 0 else str(one.metavar or "|".join(choices) or one.dest.upper())
        yield Option(
            tuple(one.option_strings),
            value,
            one.help or "",
            choices,
            repeats=one.nargs in {"*", "+"},
            optional=bool(one.option_strings) or one.nargs in {"?", "*"},
        )
