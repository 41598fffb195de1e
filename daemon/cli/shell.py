"""What every command is handed: the places, the environment, the two streams, the time."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from config.places import Places
from daemon.cli.screen import Screen
from daemon.status import Json

if TYPE_CHECKING:
    from config.schema import Config


class Exit(IntEnum):
    """The exit codes, as scripts know them."""

    DONE = 0  # and healthy
    FAILED = 1
    WRONG = 2  # usage or config
    NEEDS_USER = 3  # done, but something waits for its user


@dataclass(frozen=True, slots=True)
class Shell:
    """One call of the command. `out` and `err` show; questions are asked only where `interactive`."""

    places: Places
    env: Mapping[str, str]
    out: Screen
    err: Screen

    @property
    def interactive(self) -> bool:
        """Whether somebody sits there to answer."""
        return sys.stdin.isatty() and self.err.terminal

    def now(self) -> datetime:
        """The time, in the zone of this machine."""
        return datetime.now().astimezone()

    def config(self) -> Config:
        """The config. Raises ConfigError."""
        from config.load import load

        return load(self.places.config)

    def json(self, data: Json) -> None:
        """Print a report for a program."""
        self.out.line(json.dumps(data, ensure_ascii=False, indent=1))


Run = Callable[[argparse.Namespace, Shell], int]
