"""The mailbox behind the Graph simulator: calendars, events, change keys, a change log, and an outbox.

It keeps events as the properties that were set and knows nothing of the program under test.
"""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from exchangelib.winzone import MS_TIMEZONE_TO_IANA_MAP

from tests.servers.graph_series import days
from tests.servers.graph_types import violations
from tests.servers.outlook_kept import Mail, wrapped_in_html

Json = dict[str, Any]

_DEFAULTS: Mapping[str, Any] = {
    "subject": "", "body": {"contentType": "html", "content": ""}, "categories": [], "importance": "normal",
    "sensitivity": "normal", "showAs": "busy", "location": {"displayName": ""}, "isAllDay": False,
    "recurrence": None, "isReminderOn": True, "reminderMinutesBeforeStart": 15, "attendees": [],
    "isOnlineMeeting": False,
}  # fmt: skip
_DROPS = {"recurrence", "start", "end", "isAllDay"}
_MAX_SUBJECT = 255
_ZONES = available_timezones()


class GraphError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, text: str = "The simulator says no.") -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status, self.code, self.text = status, code, text


@dataclass
class Knobs:
    """How this service behaves where real ones differ, or may."""

    html_bodies: bool = True  # a text body comes back wrapped in HTML
    bump_after_write: bool = False  # a write's change key is stale at once: the service touched the event again
    events_delta: bool = True  # v1.0 answers events/delta
    delta_exceptions: bool = False  # events/delta tells of exceptions too
    duplicates: bool = False  # each event comes twice in a round
    checks_if_match: bool = True
    zone_error: str = "TimeZoneNotSupportedException"
    iana_names: bool = True  # IANA names are taken; else Windows's alone
    tells_windows_names: bool = False  # originalStartTimeZone is always Windows's
    strict_ids: bool = True  # every request must ask for immutable ids
    at_once: int = 4  # requests of one app for one mailbox
    links_to: str = ""  # nextLink and deltaLink name this address, as behind a gateway
    names_occurrences: bool = True  # exceptionOccurrences and cancelledOccurrences are there
    omits: frozenset[str] = frozenset()  # properties that no answer shows, whatever was asked for
    expands: int = 100  # exceptions that come with their master; the others stand behind a nextLink
    shifts_all_day: bool = False  # whole days are shown in the zone that was asked for too
    batches: int = 200  # what $batch answers; 200: as it should
    delta_as_id: bool = False  # "delta" is taken as the id of an event
    refuses_options: tuple[int, str] = (0, "")  # what is answered to an expansion of exceptions
    refuses_filter: int = 0  # what is answered to a filter
    calendars_answer: bool = True
    finds_all: bool = True  # `ne null` in a filter on an extended property


@dataclass
class Calendar:
    """A calendar of the mailbox."""

    id: str
    name: str
    default: bool = False
    writable: bool = True


@dataclass
class Event:
    """An event, or an exception of one: what was set, and what the service owns."""

    id: str
    calendar: str
    fields: Json
    created: datetime
    modified: datetime
    key: int = 1
    owned: Json = field(default_factory=dict)  # isOrganizer, organizer, isCancelled, onlineMeeting, responseStatus
    properties: dict[str, str] = field(default_factory=dict)
    transaction: str | None = None
    exceptions: dict[date, Event] = field(default_factory=dict)
    cancelled: set[date] = field(default_factory=set)
    original: date | None = None
    master: Event | None = None

    @property
    def changekey(self) -> str:
        return base64.b64encode(f"{self.id}:{self.key}".encode()).decode()

    @property
    def etag(self) -> str:
        return f'W/"{self.changekey}"'

    @property
    def is_series(self) -> bool:
        return self.fields["recurrence"] is not None

    @property
    def guests(self) -> tuple[str, ...]:
        return tuple(each["emailAddress"]["address"] for each in self.fields["attendees"])

    @property
    def all_guests(self) -> tuple[str, ...]:
        return (*self.guests, *(each for exception in self.exceptions.values() for each in exception.guests))

    @property
    def zone(self) -> ZoneInfo:
        return zone_info(self.fields["start"]["timeZone"])

    @property
    def start(self) -> datetime:
        return instant(self.fields["start"])

    @property
    def length(self) -> timedelta:
        return instant(self.fields["end"]) - self.start

    def on(self, day: date) -> datetime:
        """When the occurrence of a day begins."""
        wall = datetime.fromisoformat(self.fields["start"]["dateTime"][:19]).time()
        return datetime.combine(day, wall, self.zone).astimezone(UTC)

    def days(self) -> Iterator[date]:
        return days(self.fields["recurrence"])


class Mailbox:
    """One user's mailbox."""

    def __init__(
        self,
        address: str = "me@corp.example",
        clock: datetime = datetime(2026, 11, 20, 8, tzinfo=UTC),
        numbers: Iterator[int] | None = None,  # of ids; mailboxes that share them share no id
    ) -> None:
        self.address, self._clock = address, clock
        self.knobs = Knobs()
        self.lock = threading.RLock()
        self.outbox: list[Mail] = []
        self.trash: list[Event] = []
        self.events: dict[str, Event] = {}
        self.log: list[tuple[str, str]] = []  # calendar, event: the change feed
        self.epoch = 0  # links of another epoch are forgotten
        self._numbers = numbers or itertools.count(1)
        self.calendars: dict[str, Calendar] = {}
        self.default = self.add_calendar("Calendar", default=True).id

    def now(self) -> datetime:
        """A clock that goes on by a second with every look."""
        self._clock += timedelta(seconds=1)
        return self._clock

    def add_calendar(self, name: str, *, default: bool = False, writable: bool = True) -> Calendar:
        calendar = Calendar(f"AAMk-cal-{next(self._numbers)}/+=", name, default, writable)
        self.calendars[calendar.id] = calendar
        return calendar

    def calendar(self, calendar_id: str) -> Calendar:
        if calendar_id not in self.calendars:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return self.calendars[calendar_id]

    def event(self, event_id: str) -> Event:
        """An event by its id; that of an occurrence stands for an exception that is not there yet."""
        if event_id in self.events:
            return self.events[event_id]
        master, day = self._occurrence(event_id)
        if master is None or day in master.cancelled or day not in set(master.days()):
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return master.exceptions.get(day) or self.occurrence(master, day)

    # --- writes

    def create(self, calendar_id: str, body: Json) -> Event:
        if not self.calendar(calendar_id).writable:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied.")
        transaction = body.get("transactionId")
        known = [each for each in self.events.values() if transaction and each.transaction == transaction]
        if known:
            return known[0]
        self._check_body(body, creating=True)
        now = self.now()
        event = Event(f"AAkALg-{next(self._numbers)}+/=", calendar_id, deepcopy(dict(_DEFAULTS)), now, now)
        event.owned = {
            "organizer": {"emailAddress": {"address": self.address, "name": "Me"}}, "isOrganizer": True,
            "isCancelled": False, "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
            "iCalUId": f"040000008200E00074C5B7101A82E008{next(self._numbers):08X}", "onlineMeeting": None,
        }  # fmt: skip
        event.transaction = transaction
        self._set(event, body)
        self._check(event)
        self.events[event.id] = event
        self._note(event)
        self._send("invitation", event, event.guests)
        self._after_write(event)
        return event

    def update(self, event: Event, body: Json, if_match: str = "") -> Event:
        """Set properties of an event, or make an exception of an occurrence."""
        self._check_version(event, if_match)
        if not self.calendars[event.calendar].writable:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied.")
        self._check_body(body, creating=False)
        if event.master is not None and "recurrence" in body:
            raise GraphError(400, "ErrorInvalidPropertySet", "An occurrence has no recurrence.")
        before = (deepcopy(event.fields), dict(event.properties), event.all_guests)
        try:
            self._set(event, body)
            self._check(event)
        except GraphError:
            event.fields, event.properties = before[0], before[1]
            raise
        if "recurrence" in body or (
            event.is_series and any(before[0][name] != event.fields[name] for name in _DROPS & body.keys())
        ):
            event.exceptions, event.cancelled = {}, set()
        if event.master is not None and event.original is not None:
            event.master.exceptions[event.original] = event
        elif event.is_series:
            self._inherit(event, before[0], body)
        self._touch(event)
        if set(body) - {"singleValueExtendedProperties"}:
            self._send("update", event, (*event.guests, *before[2]))
        self._after_write(event)
        return event

    def delete(self, event: Event, if_match: str = "") -> None:
        """Delete an event, or leave out an occurrence; guests of one instance alone hear of the end of the series."""
        self._check_version(event, if_match)
        guests = event.all_guests
        if event.master is not None and event.original is not None:
            event.master.cancelled.add(event.original)
            event.master.exceptions.pop(event.original, None)
            self._touch(event.master)
        else:
            del self.events[event.id]
            self.trash.append(event)
            self._note(event)
        self._send("cancellation", event, guests)

    def move(self, event: Event, calendar_id: str) -> None:
        """As somebody does by hand: an immutable id stays."""
        self._note(event)
        event.calendar = calendar_id
        self._touch(event)

    def bump(self, event: Event) -> None:
        """The service itself touches an event."""
        self._touch(event)

    # --- series

    def occurrence(self, master: Event, day: date) -> Event:
        """An occurrence as it shows, before anybody made an exception of it."""
        fields = deepcopy(master.fields)
        start = master.on(day)
        for name, moment in (("start", start), ("end", start + master.length)):
            zone = master.fields[name]["timeZone"]
            wall = moment.astimezone(zone_info(zone)).replace(tzinfo=None)
            fields[name] = {"dateTime": wall.isoformat(), "timeZone": zone}
        if master.fields["isAllDay"]:
            whole = datetime.combine(day, time())
            fields["start"]["dateTime"] = whole.isoformat()
            fields["end"]["dateTime"] = (whole + timedelta(days=round(master.length / timedelta(days=1)))).isoformat()
        fields["recurrence"] = None
        event = Event(occurrence_id(master, day), master.calendar, fields, master.created, master.modified, master.key)
        event.owned, event.properties = dict(master.owned), dict(master.properties)
        event.original, event.master = day, master
        return event

    def instances(self, master: Event, begin: datetime, end: datetime) -> list[Event]:
        """The occurrences and exceptions that lie in a window."""
        if not master.is_series:
            raise GraphError(400, "ErrorInvalidRequest", "The event is no series.")
        found = []
        for day in master.days():
            if day > end.date() + timedelta(days=2):
                break
            if day not in master.cancelled:
                found.append(master.exceptions.get(day) or self.occurrence(master, day))
        return [each for each in found if each.start < end and each.start + each.length > begin]

    def _occurrence(self, event_id: str) -> tuple[Event | None, date]:
        master_id, _, text = event_id.removeprefix("OID.").rpartition(".")
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None, date.min
        master = self.events.get(master_id) if event_id.startswith("OID.") else None
        return (master if master is not None and master.is_series else None), day

    def _inherit(self, master: Event, before: Json, body: Json) -> None:
        """What an exception has not of its own it takes from its series."""
        for exception in master.exceptions.values():
            for name in set(body) & set(before) - _DROPS:
                if exception.fields[name] == before[name]:
                    exception.fields[name] = deepcopy(master.fields[name])

    # --- parts

    def _set(self, event: Event, body: Json) -> None:
        for name, value in body.items():
            if name == "singleValueExtendedProperties":
                event.properties |= {each["id"].casefold(): each["value"] for each in value}
            elif name != "transactionId":
                event.fields[name] = self._stored(name, value)

    def _stored(self, name: str, value: Any) -> Any:
        if name == "body" and value["contentType"] == "text" and self.knobs.html_bodies:
            return {"contentType": "html", "content": wrapped_in_html(value["content"], "font-size:11pt")}
        if name == "attendees":
            unanswered = {"response": "none", "time": "0001-01-01T00:00:00Z"}
            return [{"type": "required", "status": unanswered, **each} for each in value]
        return deepcopy(_DEFAULTS.get(name)) if value is None else deepcopy(value)

    def _check_body(self, body: Json, *, creating: bool) -> None:
        wrong = list(violations(body, creating=creating))
        if wrong:
            raise GraphError(400, "RequestBodyRead", "; ".join(wrong))
        for name in ("start", "end"):
            if creating and name not in body:
                raise GraphError(400, "ErrorInvalidRequest", f"{name} is required.")
            if name in body and not self.knows_zone(body[name]["timeZone"]):
                raise GraphError(400, self.knobs.zone_error, body[name]["timeZone"])

    def knows_zone(self, name: str) -> bool:
        return name in MS_TIMEZONE_TO_IANA_MAP or (self.knobs.iana_names and name in _ZONES)

    def _check(self, event: Event) -> None:
        if len(event.fields["subject"]) > _MAX_SUBJECT:
            raise GraphError(400, "ErrorPropertyValidationFailure", "Subject is too long.")
        if event.length < timedelta():
            raise GraphError(400, "ErrorPropertyValidationFailure", "It ends before it begins.")
        if event.fields["isAllDay"]:
            walls = [event.fields[name]["dateTime"][11:19] for name in ("start", "end")]
            zones = {event.fields[name]["timeZone"] for name in ("start", "end")}
            if walls != ["00:00:00"] * 2 or len(zones) > 1 or event.length < timedelta(hours=23):
                raise GraphError(
                    400, "ErrorPropertyValidationFailure", "An all-day event goes from midnight to midnight."
                )
        if event.is_series and next(event.days(), None) is None:
            raise GraphError(400, "ErrorRecurrenceHasNoOccurrence")
        if event.master is not None:
            self._neighbours(event.master, event)

    def _neighbours(self, master: Event, exception: Event) -> None:
        around = [
            each
            for each in self.instances(master, exception.start - timedelta(days=800), exception.start + timedelta(800))
            if each.original != exception.original
        ]
        before = [each.start for each in around if each.original < exception.original]
        after = [each.start for each in around if each.original > exception.original]
        if (before and exception.start <= max(before)) or (after and exception.start >= min(after)):
            raise GraphError(400, "ErrorOccurrenceCrossingBoundary", "It would cross its neighbour.")

    def _check_version(self, event: Event, if_match: str) -> None:
        if if_match and self.knobs.checks_if_match and if_match != event.etag:
            raise GraphError(412, "ErrorIrresolvableConflict", "The change key is another one.")

    def _after_write(self, event: Event) -> None:
        if self.knobs.bump_after_write:
            self.bump(event)

    def _touch(self, event: Event) -> None:
        event.key += 1
        event.modified = self.now()
        if event.master is not None:
            self._touch(event.master)
        else:
            self._note(event)

    def _note(self, event: Event) -> None:
        self.log.append((event.calendar, event.id))

    def _send(self, kind: str, event: Event, to: tuple[str, ...]) -> None:
        """Graph can't be asked not to."""
        people = tuple(sorted(set(to) - {self.address}))
        if people and event.owned["isOrganizer"]:
            self.outbox.append(Mail(kind, event.id, people))


def occurrence_id(master: Event, day: date) -> str:
    """The id of an occurrence: it ends in the day of its original start."""
    return f"OID.{master.id}.{day.isoformat()}"


def zone_info(name: str) -> ZoneInfo:
    """The rules of a zone by either kind of name."""
    return ZoneInfo(MS_TIMEZONE_TO_IANA_MAP.get(name, name))


def instant(said: Mapping[str, str]) -> datetime:
    """A dateTimeTimeZone in UTC."""
    wall = datetime.fromisoformat(said["dateTime"][:19])
    return wall.replace(tzinfo=zone_info(said["timeZone"])).astimezone(UTC)
