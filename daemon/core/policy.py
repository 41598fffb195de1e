"""What the user ordered for one calendar, as values: the words of the config's `calendars` section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Direction(StrEnum):
    """Which way changes travel."""

    BOTH = "both"
    TO_CALENDAR = "to-calendar"
    FROM_CALENDAR = "from-calendar"


class Backlog(StrEnum):
    """Eligible items from before the calendar was connected."""

    IMPORT = "import"
    ASK = "ask"
    SKIP = "skip"


class PrivateEvents(StrEnum):
    """What becomes of private events that were born in the calendar."""

    FULL = "full"
    BUSY = "busy"
    SKIP = "skip"


class GuestMail(StrEnum):
    """Whether writing to this calendar may mail guests."""

    NEVER = "never"
    ASK = "ask"
    SEND = "send"


class DoneShown(StrEnum):
    """How a done activity shows in the calendar."""

    FREE = "free"
    PREFIX = "prefix"
    DELETE = "delete"
    NOTHING = "nothing"


class OnConflict(StrEnum):
    """Which side wins where both changed one field to different values."""

    NEWEST = "newest"
    FILE = "file"
    CALENDAR = "calendar"
    ASK = "ask"


class OnCalendarDelete(StrEnum):
    """What an event's deletion does to its file."""

    TRASH = "trash"
    DONE = "done"
    KEEP = "keep"


class Since(StrEnum):
    """The words that `since` takes beside a date."""

    NOW = "now"
    ALL = "all"


class FileFormat(StrEnum):
    """The form of files that are made for incoming events."""

    YAML = "yaml"
    ICS = "ics"


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives an incoming event its type where all the given conditions fit.

    `title` is searched for in the subject; `category` equals one, whatever its case; `guest_domain` is a
    mail domain of any guest; `calendar` the route's name; `video`: whether a meeting URL is there;
    `longer` and `shorter` bound the length.
    """

    type: str
    title: re.Pattern[str] | None = None
    category: str | None = None
    guest_domain: str | None = None
    calendar: str | None = None
    video: bool | None = None
    longer: timedelta | None = None
    shorter: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Brake:
    """Deletions or mass edits within a rolling hour that are let through: `count`, or `share` of the links."""

    count: int = 10
    share: float = 0.2


@dataclass(frozen=True, slots=True)
class Route:
    """One calendar of the config: a route between the store and one calendar of one account."""

    name: str
    account: str
    calendar: str = "primary"
    direction: Direction = Direction.BOTH
    send: frozenset[str] | None = None  # None: all types
    receive_as: str = "meeting"
    rules: tuple[Rule, ...] = ()
    since: Since | date = Since.NOW
    backlog: Backlog = Backlog.ASK
    private_events: PrivateEvents = PrivateEvents.FULL
    guests: GuestMail = GuestMail.NEVER
    done_in_calendar: DoneShown = DoneShown.FREE
    on_conflict: OnConflict = OnConflict.NEWEST
    on_calendar_delete: OnCalendarDelete = OnCalendarDelete.TRASH
    brake: Brake = Brake()
    delete_grace: timedelta = timedelta(seconds=10)
    include_context: bool = False
    folder: str = "{year}/{month}"
    format: FileFormat = FileFormat.YAML
    poll: timedelta = timedelta(seconds=60)

    @property
    def sends(self) -> bool:
        """Whether files go out to this calendar."""
        return self.direction is not Direction.FROM_CALENDAR

    @property
    def receives(self) -> bool:
        """Whether events of this calendar come in as files."""
        return self.direction is not Direction.TO_CALENDAR
