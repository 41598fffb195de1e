"""The vocabulary of decisions: what the planner may say, and nothing else.

A `Decision` is about one activity on one route. Its steps are carried out in order by `apply`; each one
says which pairs are agreed once it is done, so that a step that fails leaves the base as it was. What an
activity's user must know without anything being done stands in `verdict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from daemon.core.model import Blank, Half, Key, Local, Pair, Patch, Value, View


class Side(StrEnum):
    """The two sides of a route."""

    FILE = "file"
    CALENDAR = "calendar"

    @property
    def other(self) -> Side:
        """The side across."""
        return Side.CALENDAR if self is Side.FILE else Side.FILE


class State(StrEnum):
    """The state of one file, as `why` names it."""

    SYNCED = "synced"
    WAITING = "waiting"
    HELD = "held"
    CONFLICT = "conflict"
    BLOCKED = "blocked"
    READ_ONLY = "read_only"
    IGNORED = "ignored"
    UNSCHEDULED = "unscheduled"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of an activity in words: a code for scripts, the reason and the cure for its user."""

    state: State
    code: str
    reason: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Both sides changed one key to different values. `chosen` None: open, its user must say.

    `old_buffer`: the file only put back what stood there before; that is shown until the file changes again.
    """

    key: Key
    base: Half
    file: Value | None
    calendar: Value | None
    chosen: Side | None
    old_buffer: bool = False


@dataclass(frozen=True, slots=True)
class CreateEvent:
    """Make an event for a file. `agrees` become the base.

    `like` is the raw object of the event whose place it takes, if there is one: what it says beyond the view is kept.
    """

    view: View
    agrees: Mapping[Key, Pair]
    overlay: Patch
    reason: str
    mails: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # whom the file names and the event is made without
    like: bytes = b""


@dataclass(frozen=True, slots=True)
class UpdateEvent:
    """Change keys of the event."""

    patch: Patch
    agrees: Mapping[Key, Pair]
    overlay: Patch
    reason: str
    mails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteEvent:
    """Delete the event, unlink, and remember not to bring it back."""

    reason: str
    mails: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateFile:
    """Make a file for an event."""

    place: str
    view: View
    local: Local
    agrees: Mapping[Key, Pair]
    reason: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """Change lines of the file."""

    patch: Patch
    agrees: Mapping[Key, Pair]
    reason: str


@dataclass(frozen=True, slots=True)
class FinishFile:
    """Mark the file done, unlink, and remember: its event was deleted."""

    reason: str


@dataclass(frozen=True, slots=True)
class TrashFile:
    """Move the file to the trash, unlink, and remember."""

    reason: str


@dataclass(frozen=True, slots=True)
class Agree:
    """Nothing to write: only what both sides agree on has moved."""

    agrees: Mapping[Key, Pair]


@dataclass(frozen=True, slots=True)
class Link:
    """Take this file and this event for the same activity."""

    agrees: Mapping[Key, Pair]
    overlay: Patch
    reason: str


@dataclass(frozen=True, slots=True)
class Unlink:
    """Stop syncing it; delete nothing. `tombstone`: it does not come back.

    `remember`: what was agreed on is kept, for the day on which the same two are linked again.
    """

    reason: str
    tombstone: bool
    remember: bool = False


@dataclass(frozen=True, slots=True)
class Recast:
    """Show as much of a private event as is ordered now, and forget the rest everywhere.

    `view` None: nothing of it. `place`: another name for a file whose name tells too much.
    """

    view: View | None
    place: str
    reason: str
    masked: bool = False
    secret: bool = False


EventStep = CreateEvent | UpdateEvent | DeleteEvent
FileStep = CreateFile | UpdateFile | FinishFile | TrashFile
Step = EventStep | FileStep | Agree | Link | Unlink | Recast


class Hold(StrEnum):
    """Why a decision waits for its user's word."""

    FIRST_IMPORT = "first_import"  # eligible items from before the calendar was connected
    REBUILD = "rebuild"  # the journal was lost: one-sided items
    BRAKE = "brake"  # more deletions or mass edits than the brake allows
    MAIL = "mail"  # it would mail guests
    DIRECTION = "direction"  # what was removed while the other side was not to follow
    TAKEN_BACK = "taken_back"  # what looks like the work of a server that was restored from a backup
    PRIVATE = "private"  # applying a new mode of private_events to what is there


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about one activity on one route, and what to tell its user.

    `clashes` are recorded before any step; `not_before`: nothing is done until then (a grace), look again;
    `hold`: its steps wait for approval, whatever the guard says; `after_all` are the pairs that hold once
    every step is done, where that is more than each one's own; `then` is what to tell once they are done;
    `again`: once they are, there is more to decide on at once. `elsewhere`: the file belongs in another calendar,
    which has to decide on it too.
    """

    verdict: Verdict
    steps: tuple[Step, ...] = ()
    clashes: tuple[Clash, ...] = ()
    not_before: datetime | None = None
    hold: Hold | None = None
    after_all: Mapping[Key, Pair] = field(default_factory=dict)
    then: Verdict | None = None
    again: bool = False
    elsewhere: bool = False


def blank_or(value: Value | None) -> Half:
    """The half that an optional value stands for."""
    return Blank.ABSENT if value is None else value
