"""A mailbox in the EWS simulator, as a scenario's people see it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from tests.scenarios.outlook import Kept, secret
from tests.scenarios.outlook_words import THEIRS, Json, Told, moment_of, wall
from tests.servers.ews_kept import Element, Item, leaf, utc
from tests.servers.ews_mailbox import Mailbox
from tests.servers.ews_schema import T
from tests.servers.ews_server import EwsServer, Trouble, serving
from tests.servers.world import HandClock

_numbers = itertools.count(1)
Change = tuple[str, str, Element | None]
_SHOW = {"free": "Free", "busy": "Busy", "tentative": "Tentative", "oof": "OOF", "workingElsewhere": "WorkingElsewhere"}
_ANSWERS = {"none": "Unknown", "accepted": "Accept", "declined": "Decline", "tentativelyAccepted": "Tentative"}
_GUESTS = {"required": "RequiredAttendees", "optional": "OptionalAttendees"}
_NONE = "SendToNone"


@dataclass
class ExchangeHand:
    """Another program at the mailbox."""

    ews: EwsServer

    @property
    def box(self) -> Mailbox:
        return self.ews.mailbox

    def address(self, user: str) -> None:
        self.box.address = self.ews.user = user

    def account(self, folder: Path) -> dict[str, Any]:
        return {"service": "exchange", "url": self.ews.address, "password": secret(folder, self.ews.password)}

    def kept(self) -> Iterator[Kept]:
        for item in self.box.items.values():
            kept = item.properties.items()
            names = {name.upper() if owner == THEIRS else name: value for (owner, name), value in kept}
            told = self._told(item, names.get("datebook-uid") or item.text("UID"))
            extra = json.loads(names.get("datebook-extra") or "{}")
            yield Kept(item, told, {**names, "key": str(item.key)}, extra)

    def make(self, told: Told) -> Item:
        element = etree.Element(f"{{{T}}}CalendarItem")
        element.append(leaf("UID", told.uid))
        element.extend(new for _, _, new in _changes(told.body) if new is not None)
        item = self.box.create(self.box.default, element, _NONE, "UTC")
        item.organizer = told.organizer or self.box.address
        return item

    def set(self, handle: Item, body: Json) -> None:
        self.box.update(handle, _changes(self._timed(handle, body)), _NONE)

    def instance(self, handle: Item, day: date) -> Json:
        start = self._original(handle, day)
        zone = handle.fields["StartTimeZone"].get("Id")
        moments = {"start": start, "end": start + handle.length}
        return {name: {"dateTime": wall(moment, zone), "timeZone": zone} for name, moment in moments.items()}

    def set_instance(self, handle: Item, day: date, body: Json) -> None:
        self.box.update_occurrence(handle, self._original(handle, day), _changes(body), _NONE)

    def skip(self, handle: Item, day: date) -> None:
        self.box.delete_occurrence(handle, self._original(handle, day), _NONE)

    def cancel(self, handle: Item) -> None:
        handle.cancelled = True
        self.box.bump(handle)

    def call_off(self, handle: Item, day: date) -> None:
        self.box.update_occurrence(handle, self._original(handle, day), [], _NONE).cancelled = True

    def meet(self, handle: Item, url: str) -> None:
        handle.join_url = url
        self.box.bump(handle)

    def drop(self, handle: Item) -> None:
        self.box.delete(handle, _NONE)

    def copy(self, handle: Item) -> Item:
        """What Outlook does with Ctrl+C, Ctrl+V: programs' properties too."""
        element = _holding("CalendarItem", [deepcopy(one) for name, one in handle.fields.items() if name != "UID"])
        copied = self.box.create(handle.folder, element, _NONE, "UTC")
        copied.properties = dict(handle.properties)
        return copied

    def rename(self, name: str) -> None:
        """Call the calendar otherwise, or put it elsewhere in the mailbox: its id stays."""
        self.box.folders[self.box.default].name = name

    def move_away(self) -> None:
        """Put the calendar into another mailbox, where it has another id."""
        gone = self.box.default
        self.box.default = self.box.add_folder("Elsewhere").id
        for item in self.box.items.values():
            item.folder = self.box.default
        del self.box.folders[gone]

    def stop_answering(self, *, times: int) -> None:
        """Be away for so many requests."""
        self.ews.fail(Trouble.UNAVAILABLE, times=times)

    def answer_again(self) -> None:
        """Be back."""
        self.ews.faults.clear()

    def mails(self) -> list[Any]:
        return list(self.box.outbox)

    def _timed(self, item: Item, body: Json) -> Json:
        """Outlook sends both times and their zone together."""
        if not {"start", "end", "isAllDay"} & body.keys():
            return body
        known = _body(item)
        return {**{name: known[name] for name in ("start", "end", "isAllDay")}, **body}

    def _original(self, item: Item, day: date) -> datetime:
        return next(start for start in item.starts() if start.astimezone(item.zone).date() == day)

    def _told(self, item: Item, uid: str) -> Told:
        instances = {
            original.astimezone(item.zone).date(): _body(self.box.merged(item, original, one), whole=False)
            for original, one in item.exceptions.items()
        }
        skipped = frozenset(start.astimezone(item.zone).date() for start in item.deleted)
        off = frozenset(
            original.astimezone(item.zone).date() for original, one in item.exceptions.items() if one.cancelled
        )
        return Told(uid, _body(item), item.organizer, item.cancelled, skipped, instances, item.join_url, off)


@contextmanager
def in_exchange(clock: HandClock) -> Iterator[ExchangeHand]:
    """A fresh mailbox, whose clock is the story's."""
    server = EwsServer(Mailbox(numbers=_numbers))
    server.mailbox.now = clock.now  # type: ignore[method-assign]  # the story's clock in place of its own
    with serving(server) as ews:
        yield ExchangeHand(ews)
    assert server.violations == [], server.violations


# --- Graph's JSON -> EWS


def _changes(body: Json) -> list[Change]:
    changes: list[Change] = []
    for name, value in body.items():
        changes += [("SetItemField", *one) for one in _elements(name, value, body)]
    return changes


def _elements(name: str, value: Any, body: Json) -> list[tuple[str, Element | None]]:  # noqa: C901, PLR0911, PLR0912  a line a field
    match name:
        case "subject":
            return [("Subject", leaf("Subject", value))]
        case "location":
            return [("Location", leaf("Location", value["displayName"]))]
        case "body":
            return [("Body", _with(leaf("Body", value["content"]), BodyType="Text"))]
        case "start" | "end":
            zone = f"{name.title()}TimeZone"
            at = leaf(name.title(), utc(moment_of(value)))
            return [(name.title(), at), (zone, etree.Element(f"{{{T}}}{zone}", Id=value["timeZone"]))]
        case "isAllDay":
            return [("IsAllDayEvent", leaf("IsAllDayEvent", str(value).lower()))]
        case "showAs":
            return [("LegacyFreeBusyStatus", leaf("LegacyFreeBusyStatus", _SHOW[value]))]
        case "sensitivity" | "importance":
            return [(name.title(), leaf(name.title(), value.title()))]
        case "categories":
            return [("Categories", _holding("Categories", [leaf("String", word) for word in value]))]
        case "isReminderOn":
            return [("ReminderIsSet", leaf("ReminderIsSet", str(value).lower()))]
        case "reminderMinutesBeforeStart":
            return [("ReminderMinutesBeforeStart", leaf("ReminderMinutesBeforeStart", str(value)))]
        case "attendees":
            return [_people(kind, [one for one in value if one["type"] == kind]) for kind in _GUESTS]
        case "recurrence":
            return [("Recurrence", _recurrence(value) if value else None)]
        case "singleValueExtendedProperties":
            return [_property(one) for one in value]
    raise AssertionError(name)


def _property(one: Json) -> tuple[str, Element]:
    name = one["id"].rpartition(" ")[2]
    uri = etree.Element(f"{{{T}}}ExtendedFieldURI", PropertySetId=THEIRS, PropertyName=name, PropertyType="String")
    return f"{{{THEIRS}}}{name}", _holding("ExtendedProperty", [uri, leaf("Value", one["value"])])


def _people(kind: str, people: Sequence[Json]) -> tuple[str, Element | None]:
    return _GUESTS[kind], _holding(_GUESTS[kind], [_attendee(one) for one in people]) if people else None


def _attendee(one: Json) -> Element:
    person = one["emailAddress"]
    mailbox = _holding("Mailbox", [leaf("Name", person["name"]), leaf("EmailAddress", person["address"])])
    return _holding("Attendee", [mailbox, leaf("ResponseType", _ANSWERS[one["status"]["response"]])])


def _recurrence(said: Json) -> Element:
    pattern, limits = said["pattern"], said["range"]
    parts = [leaf("Interval", str(pattern["interval"]))]
    if "daysOfWeek" in pattern:
        parts.append(leaf("DaysOfWeek", " ".join(day.title() for day in pattern["daysOfWeek"])))
        parts.append(leaf("FirstDayOfWeek", pattern["firstDayOfWeek"].title()))
    first = leaf("StartDate", limits["startDate"])
    kind, more = {
        "noEnd": ("NoEndRecurrence", []),
        "numbered": ("NumberedRecurrence", [leaf("NumberOfOccurrences", str(limits.get("numberOfOccurrences")))]),
        "endDate": ("EndDateRecurrence", [leaf("EndDate", limits.get("endDate", ""))]),
    }[limits["type"]]
    days = _holding(f"{pattern['type'].title()}Recurrence", parts)
    return _holding("Recurrence", [days, _holding(kind, [first, *more])])


def _holding(name: str, children: Sequence[Element]) -> Element:
    element = etree.Element(f"{{{T}}}{name}")
    element.extend(children)
    return element


def _with(element: Element, **attributes: str) -> Element:
    element.attrib.update(attributes)
    return element


# --- EWS -> Graph's JSON


def _body(item: Item, *, whole: bool = True) -> Json:
    zone = "UTC" if item.fields.get("StartTimeZone") is None else str(item.fields["StartTimeZone"].get("Id"))
    text = item.fields.get("Body")
    return {
        "subject": item.text("Subject"),
        "location": {"displayName": item.text("Location")},
        "body": {"contentType": "text" if text is None else text.get("BodyType").lower(), "content": item.text("Body")},
        "start": {"dateTime": wall(item.start, zone), "timeZone": zone},
        "end": {"dateTime": wall(item.start + item.length, zone), "timeZone": zone},
        "isAllDay": item.text("IsAllDayEvent") == "true",
        "showAs": next(word for word, said in _SHOW.items() if said == item.text("LegacyFreeBusyStatus", "Busy")),
        "sensitivity": item.text("Sensitivity", "Normal").lower(),
        "importance": item.text("Importance", "Normal").lower(),
        "categories": [one.text for one in item.fields.get("Categories", ())],
        "isReminderOn": item.text("ReminderIsSet") == "true",
        "reminderMinutesBeforeStart": int(item.text("ReminderMinutesBeforeStart", "15")),
        "recurrence": _read_recurrence(item.fields["Recurrence"]) if whole and item.is_series else None,
        "attendees": [
            _read_guest(one, kind) for kind, name in _GUESTS.items() for one in item.fields.get(name, ())
        ],
        "singleValueExtendedProperties": [
            {"id": f" {name.upper()}", "value": value}
            for (owner, name), value in item.properties.items()
            if whole and owner == THEIRS
        ],
    }  # fmt: skip


def _read_guest(one: Element, kind: str) -> Json:
    email = one.findtext(f".//{{{T}}}EmailAddress") or ""
    answer = one.findtext(f"{{{T}}}ResponseType") or "Unknown"
    response = next(word for word, said in _ANSWERS.items() if said == answer)
    person = {"address": email, "name": one.findtext(f".//{{{T}}}Name") or email}
    return {"type": kind, "status": {"response": response}, "emailAddress": person}


def _read_recurrence(element: Element) -> Json:
    pattern, limits = element[0], element[1]

    def text(holder: Element, name: str) -> str:
        return holder.findtext(f"{{{T}}}{name}") or ""

    kind = etree.QName(pattern).localname.removesuffix("Recurrence").lower()
    said: Json = {"type": kind, "interval": int(text(pattern, "Interval"))}
    if kind == "weekly":
        said["daysOfWeek"] = text(pattern, "DaysOfWeek").lower().split()
    ends = {
        "NoEndRecurrence": {"type": "noEnd"},
        "NumberedRecurrence": {"type": "numbered", "numberOfOccurrences": text(limits, "NumberOfOccurrences")},
        "EndDateRecurrence": {"type": "endDate", "endDate": text(limits, "EndDate")[:10]},
    }[etree.QName(limits).localname]
    return {"pattern": said, "range": ends}
