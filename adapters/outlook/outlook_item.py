"""A calendar item as EWS has it, as values: what is read, and what a write sets.

Names are those of EWS's schema. Times are aware and in UTC; the zone is a Windows id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from adapters.outlook.recurrence_pattern import Recurrence


class ItemKind(StrEnum):
    """CalendarItemType."""

    SINGLE = "Single"
    OCCURRENCE = "Occurrence"
    EXCEPTION = "Exception"
    MASTER = "RecurringMaster"


@dataclass(frozen=True, slots=True)
class Body:
    """A body as it is stored: plain text, or HTML."""

    content: str
    is_html: bool = False


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Name and address; `routing` is SMTP, or EX for an address inside the organisation."""

    email: str
    name: str = ""
    routing: str = ""


@dataclass(frozen=True, slots=True)
class Attendee:
    """A guest with the answer that the server keeps; `answered` is its time as the server wrote it."""

    mailbox: Mailbox
    response: str = "Unknown"
    answered: str = ""


@dataclass(frozen=True, slots=True)
class OccurrenceInfo:
    """A modified occurrence as its master names it."""

    id: str
    changekey: str
    original_start: datetime


@dataclass(frozen=True, slots=True)
class OutlookItem:
    """One CalendarItem, as far as Datebook asks for it.

    `reminder` is in minutes before the start; None: off. `regenerates`: the recurrence is none of the six
    patterns. `properties` are our own extended properties, by name.
    """

    id: str
    changekey: str
    kind: ItemKind = ItemKind.SINGLE
    uid: str = ""
    subject: str = ""
    sensitivity: str = "Normal"
    body: Body = Body("")
    categories: tuple[str, ...] = ()
    importance: str = "Normal"
    reminder: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    original_start: datetime | None = None
    all_day: bool = False
    free_busy: str = "Busy"
    location: str = ""
    zone_id: str = ""
    is_meeting: bool = False
    is_cancelled: bool = False
    my_response: str = ""
    organizer: Mailbox | None = None
    required: tuple[Attendee, ...] = ()
    optional: tuple[Attendee, ...] = ()
    recurrence: Recurrence | None = None
    regenerates: bool = False
    modified: tuple[OccurrenceInfo, ...] = ()
    deleted: tuple[datetime, ...] = ()
    join_url: str = ""
    created: datetime | None = None
    last_modified: datetime | None = None
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_series(self) -> bool:
        """Whether it is the master of a series."""
        return self.kind is ItemKind.MASTER

    @property
    def version(self) -> str:
        """The change key; of a series with exceptions, those of all."""
        parts = sorted(f"{known.original_start:%Y%m%dT%H%M%SZ}:{known.changekey}" for known in self.modified)
        return ";".join([self.changekey, *parts])


def master_key(version: str) -> str:
    """The change key of the item itself, out of a version."""
    return version.partition(";")[0]


@dataclass(frozen=True, slots=True)
class Series:
    """An item with the modified occurrences that its master names; a single item has none."""

    master: OutlookItem
    exceptions: tuple[OutlookItem, ...] = ()

    @property
    def version(self) -> str:
        """One version for all of it."""
        return self.master.version


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its Windows id."""

    id: str


# What a write sets: by the element's name in the schema, or by the name of one of our extended
# properties; None takes the field away.
FieldValue = str | Body | Zone | Recurrence | tuple[str, ...] | tuple[Attendee, ...]
Fields = Mapping[str, FieldValue | None]


@dataclass(frozen=True, slots=True)
class ItemTarget:
    """An item to write to, at the version that it must still have."""

    id: str
    changekey: str


@dataclass(frozen=True, slots=True)
class OccurrenceTarget:
    """An occurrence to write to: the instance `index`, counted from 1, of a series."""

    master_id: str
    index: int
    changekey: str = ""


Target = ItemTarget | OccurrenceTarget


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A folder: by its id, or (`distinguished`) by the name that every mailbox has; `mailbox`: in whose."""

    id: str
    distinguished: bool = False
    mailbox: str = ""


@dataclass(frozen=True, slots=True)
class CalendarFolder:
    """A calendar folder of the mailbox. `can_write` None: the server did not say.

    `named`: how requests address it where it has a name of its own; None: by its id.
    """

    id: str
    name: str
    can_write: bool | None = None
    can_read: bool = True
    named: FolderTarget | None = None

    @property
    def target(self) -> FolderTarget:
        """How requests address it."""
        return self.named or FolderTarget(self.id)
