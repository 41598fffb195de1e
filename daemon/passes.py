"""What a look at the folder and a pass over a calendar answer, and the two verbs that the loop calls.

The folder is looked at by one thread; each account's calendars are passed over by a thread of their
own, so that a service that hangs holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from daemon.core.errors import SyncError


class Stopping(SyncError):
    """The program is to end: the write in hand is finished and settled, and no other is begun."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at the folder found.

    `wake`: the routes that have something to do now. `again`: when to look at those routes again though
    nothing may have changed (a grace ends, a retry is due, an editor may have let go). `error`: the folder
    is not there or not ours; nothing may be synced until it is.
    """

    wake: frozenset[str] = frozenset()
    again: datetime | None = None
    changed: int = 0
    error: SyncError | None = None


@dataclass(frozen=True, slots=True)
class Synced:
    """What a pass over one route did. An error is a value here: the loop decides when to try again."""

    route: str
    wrote: int = 0
    read: int = 0
    again: datetime | None = None
    wake: frozenset[str] = frozenset()  # other routes that have something to do because of this pass
    error: SyncError | None = None
    files: int = 0  # of what it wrote, the files; the rest went to the calendar


class Passes(Protocol):
    """The engine, as the loop knows it."""

    def look(self, places: Collection[str] | None, *, full: bool = False) -> Looked:
        """Look at the folder: at the given relative paths, or at all of it; `full` reads every file."""

    def sync(self, route: str, *, poll: bool) -> Synced:
        """Pass over one route: `poll` asks its calendar for changes first, else only files go out."""
