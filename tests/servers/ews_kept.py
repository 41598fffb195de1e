"""What the EWS simulator keeps: folders, items with their exceptions, errors."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from exchangelib.winzone import MS_TIMEZONE_TO_IANA_MAP
from lxml import etree

from tests.servers.ews_schema import T
from tests.servers.ews_series import starts

Element = etree._Element
Fields = dict[str, Element]


class EwsError(Exception):
    """An error as a response message says it."""

    def __init__(self, code: str, text: str = "The simulator says no.") -> None:
        super().__init__(code)
        self.code = code
        self.text = text


class Stumble(Exception):
    """The server's own program breaks on a request."""


@dataclass
class Folder:
    """A folder of the mailbox; only calendars hold items here."""

    id: str
    name: str
    calendar: bool = True
    writable: bool = True
    distinguished: str = ""  # the name that every mailbox has for it


@dataclass
class Item:
    """A calendar item, or an exception of one: what was set, and what the server owns."""

    id: str
    folder: str
    fields: Fields
    properties: dict[tuple[str, str], str]
    created: datetime
    modified: datetime
    key: int = 1
    cancelled: bool = False
    organizer: str = ""
    join_url: str = ""
    exceptions: dict[datetime, Item] = field(default_factory=dict)
    deleted: set[datetime] = field(default_factory=set)

    @property
    def changekey(self) -> str:
        return base64.b64encode(f"{self.id}:{self.key}".encode()).decode()

    def text(self, name: str, default: str = "") -> str:
        found = self.fields.get(name)
        return default if found is None or found.text is None else found.text

    @property
    def is_series(self) -> bool:
        return "Recurrence" in self.fields

    @property
    def guests(self) -> tuple[str, ...]:
        lists = (self.fields.get(name) for name in ("RequiredAttendees", "OptionalAttendees", "Resources"))
        return tuple(
            found.text or "" for each in lists if each is not None for found in each.iter(f"{{{T}}}EmailAddress")
        )

    @property
    def zone(self) -> ZoneInfo:
        found = self.fields.get("StartTimeZone")
        return ZoneInfo(MS_TIMEZONE_TO_IANA_MAP.get("UTC" if found is None else found.get("Id"), "UTC"))

    @property
    def start(self) -> datetime:
        return moment(self.text("Start"))

    @property
    def length(self) -> timedelta:
        return moment(self.text("End")) - self.start

    def starts(self) -> Iterator[datetime]:
        return starts(self.fields["Recurrence"], self.start, self.zone)


def leaf(name: str, text: str) -> Element:
    """An element with text alone."""
    element = etree.Element(f"{{{T}}}{name}")
    element.text = text
    return element


def moment(text: str) -> datetime:
    """An xs:dateTime; without an offset in UTC."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def utc(when: datetime) -> str:
    """As Exchange writes it."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def property_key(uri: Element) -> tuple[str, str]:
    """What names an extended property."""
    return (uri.get("PropertySetId") or "").lower(), uri.get("PropertyName") or uri.get("PropertyTag") or ""
