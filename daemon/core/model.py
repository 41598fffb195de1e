"""The terms of Datebook, defined once: activity, view, key, value, pair, base.

A *view* is what one side says about an activity: a mapping from `Key` to `Value`. A key that is not
in the mapping is something that the side says nothing about. A series is one activity: what differs
in one of its instances stands under keys that name the instance by its original start.

The names of fields are those of the activity file; their meanings are RFC 5545's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum
from typing import NamedTuple

# The block at the end of DESCRIPTION that shows what an activity is about (`include_context`); never read back.
CONTEXT_FENCE_START = "--- context (Datebook) ---"
CONTEXT_FENCE_END = "--- end of context ---"


class Field(StrEnum):
    """A synchronised field; the value is its key in the activity file (`when` stands for four keys)."""

    SUBJECT = "subject"
    TYPE = "type"
    WHEN = "when"  # due_date, due_time, duration and timezone: one field
    LOCATION = "location"
    MEETING_URL = "conference_meeting_url"
    DESCRIPTION = "public_description"
    ATTENDEES = "attendees"
    BUSY = "busy"
    PRIVATE = "private"
    PRIORITY = "priority"
    STATUS = "status"
    REMINDERS = "reminders"
    REPEAT = "repeat"
    SKIP = "skip"
    CATEGORIES = "categories"  # those beyond the type; only an ICS file can say them


class Busy(StrEnum):
    """`busy`: TRANSP, and X-MICROSOFT-CDO-BUSYSTATUS for what TRANSP has no word for."""

    BUSY = "true"
    FREE = "false"
    TENTATIVE = "tentative"
    OOF = "oof"
    ELSEWHERE = "elsewhere"


class Privacy(StrEnum):
    """`private`: CLASS."""

    PUBLIC = "false"
    PRIVATE = "true"
    CONFIDENTIAL = "confidential"


class Priority(StrEnum):
    """`priority`: PRIORITY 1 to 4, 5, 6 to 9."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Status(StrEnum):
    """`status`: STATUS."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Answer(StrEnum):
    """A guest's `status`: PARTSTAT."""

    NEEDS_ACTION = "needs-action"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    DELEGATED = "delegated"


@dataclass(frozen=True, slots=True)
class Timed:
    """A span with a time of day: wall-clock start (naive) in the zone named, and its elapsed length.

    `zone` is an IANA name. Kept as given: a series is never stored in UTC.
    """

    start: datetime
    zone: str
    length: timedelta


@dataclass(frozen=True, slots=True)
class AllDay:
    """Whole days, in no zone: the first, and how many (at least 1)."""

    first: date
    days: int = 1


When = Timed | AllDay

# The original start of an instance, local to its series: a date where the series has at most one
# instance a day, else a naive date-time (RFC 5545 section 3.8.4.4, RECURRENCE-ID).
Original = date | datetime


@dataclass(frozen=True, slots=True)
class Guest:
    """One attendee. `email` is the lower-cased address; two guests are the same one by it."""

    email: str
    name: str = ""
    optional: bool = False
    answer: Answer = Answer.NEEDS_ACTION
    organizer: bool = False


Value = (
    str
    | When
    | Busy
    | Privacy
    | Priority
    | Status
    | frozenset[Guest]
    | frozenset[timedelta]
    | frozenset[Original]
    | frozenset[str]
)


class Key(NamedTuple):
    """Which field, and of which instance (None: the activity or the whole series)."""

    field: Field
    instance: Original | None = None


View = Mapping[Key, Value]

# What to change on one side: None clears the key there.
Patch = Mapping[Key, Value | None]


class Blank(Enum):
    """The halves of a pair that are no value."""

    ABSENT = "absent"  # this side says nothing about it
    UNKNOWN = "unknown"  # never agreed: counts as changed
    UNHELD = "unheld"  # the calendar can't hold it or was not sent it: never merged back


Half = Value | Blank


class Pair(NamedTuple):
    """What the file said and what the calendar said when they last agreed on one key."""

    file: Half
    calendar: Half


@dataclass(frozen=True, slots=True)
class Base:
    """What both sides last agreed on. A key without a pair: both said nothing then.

    `overlay` holds what was shown in the calendar in place of the agreed value (a done activity shown
    free): never read back. `complete` is False after a rebuild: a key without a pair was never agreed.
    """

    pairs: Mapping[Key, Pair] = field(default_factory=dict)
    overlay: Patch = field(default_factory=dict)
    complete: bool = True

    def pair(self, key: Key) -> Pair:
        """The pair of a key, with what a missing one means."""
        blank = Blank.ABSENT if self.complete else Blank.UNKNOWN
        return self.pairs.get(key, Pair(blank, blank))


@dataclass(frozen=True, slots=True)
class Local:
    """What a file says that never travels, as far as decisions need it.

    `done_instances` are the originals marked `done` inside `changes`. `context` are the CRM keys
    (person, org, deal, lead, project) in the file's order.
    """

    owner: str | None = None
    calendar: str | None = None
    sync: bool = True
    done: bool = False
    done_through: date | None = None
    done_instances: frozenset[Original] = frozenset()
    masked: bool = False
    context: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A remark about a file that could be read all the same; line and column count from 1."""

    code: str
    message: str
    cure: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity as one side has it: a file, or a calendar's event or series with all its instances.

    Without `Key(WHEN)` in the view it is unscheduled. The rest is what a side knows beyond the view:

    - `uid` is "" where that side has none yet (a new file).
    - `local` is said by files alone.
    - `modified` is the calendar's word (LAST-MODIFIED), aware; None: it did not say.
    - `frozen` names what this side holds and Datebook can't express or edit there (RDATE, several
      RRULEs, a rule that it doesn't understand), with the reason: those keys are never written.
    - `floating`: the times are in no zone there, and stay so.
    - `lasts` is the instant (UTC) until which it goes on with dates that the view doesn't tell of (RDATE; a
      rule that it doesn't understand: for ever). None: the view tells of all.
    - `unmailed` are the guests whom the service mails about nothing, each by the word on the event (iCalendar's
      SCHEDULE-AGENT), whoever changes it.
    - `notes` are what was read forgivingly in a file, for `check`.
    """

    uid: str
    view: View
    local: Local = Local()
    modified: datetime | None = None
    frozen: Mapping[Key, str] = field(default_factory=dict)
    floating: bool = False
    lasts: datetime | None = None
    unmailed: frozenset[str] = frozenset()
    notes: tuple[Note, ...] = ()

    @property
    def guests(self) -> frozenset[Guest]:
        """Everyone on it, its organiser among them."""
        return everyone_on(self.view)


def guests_of(view: View) -> frozenset[Guest]:
    """The guests that a view names, of the series as a whole."""
    value = view.get(Key(Field.ATTENDEES), frozenset())
    assert isinstance(value, frozenset)  # noqa: S101  the key decides the type of the value
    return frozenset(guest for guest in value if isinstance(guest, Guest))


def everyone_on(view: View) -> frozenset[Guest]:
    """The guests that a view names anywhere: of the series as a whole, and of single instances."""
    values = (value for key, value in view.items() if key.field is Field.ATTENDEES and isinstance(value, frozenset))
    return frozenset(guest for value in values for guest in value if isinstance(guest, Guest))


def when_of(view: View) -> When | None:
    """The span of an activity; None: unscheduled."""
    value = view.get(Key(Field.WHEN))
    return value if isinstance(value, Timed | AllDay) else None


def text_of(view: View, name: Field) -> str:
    """A text field of the activity as a whole; empty where the view says nothing."""
    value = view.get(Key(name), "")
    return value if isinstance(value, str) else ""
