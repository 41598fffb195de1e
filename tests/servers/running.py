"""The servers of one run of the tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.servers.program import Program


@dataclass
class Servers:
    """The servers of one test run, started when they are first asked for; `own` is what one test alone opened."""

    stack: ExitStack
    running: dict[str, Program] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    own: ExitStack = field(default_factory=ExitStack)

    def get(self, make: Callable[[], Program]) -> Program:
        """The running server that `make` makes."""
        if make.__name__ not in self.running:
            self.running[make.__name__] = self.stack.enter_context(make())
        return self.running[make.__name__]

    def calendar(self, server: Program) -> str:
        """The URL of a fresh empty calendar."""
        return server.make_calendar(f"calendar-{next(self.numbers)}")
