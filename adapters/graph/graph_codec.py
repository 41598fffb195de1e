"""The fields of an Outlook item as the JSON that a Graph write sends (pure). Reading is in graph_event.

Only what is asked for is set, and times stand in the zone that their user named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from adapters.graph.graph_event import BLOB, SHOW_AS, Json
from adapters.graph.graph_recurrence import write_recurrence
from adapters.outlook.outlook_extra import extra_of
from adapters.outlook.outlook_fields import Unheld
from adapters.outlook.outlook_item import Attendee, Body, Fields, FieldValue, OutlookItem, Zone
from adapters.outlook.outlook_properties import EXTRA, NAMES, graph_id
from adapters.outlook.recurrence_pattern import Recurrence
from adapters.outlook.windows_zones import iana_zone, same_zone

_SHOW_AS = {ours: theirs for theirs, ours in SHOW_AS.items()}
_GUESTS = ("RequiredAttendees", "OptionalAttendees")


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be set, the item as it is (of an instance: its series), and the event as Graph said it.

    `guests`: they may be sent.
    """

    fields: Fields
    item: OutlookItem
    event: Json
    guests: bool = False
    windows_zones: bool = False  # Graph did not take the IANA name

    @property
    def zone(self) -> str:
        """The zone that times are written in: the user's own word for it, where it means the same."""
        said = self.fields.get("StartTimeZone")
        zone_id = said.id if isinstance(said, Zone) else self.item.zone_id
        if self.windows_zones:
            return zone_id
        written = replace(self.item, properties={EXTRA: str(self.fields.get(EXTRA) or "")})
        for name in (extra_of(written).zone, extra_of(self.item).zone):
            if name and same_zone(name, zone_id):
                return name
        return iana_zone(zone_id) or "UTC"


def new_event(fields: Fields, transaction: str, *, guests: bool, windows_zones: bool = False) -> dict[str, object]:
    """The event to make. What Graph would choose by itself is said: reminders, and how it shows."""
    body = event_json(Change(fields, OutlookItem("", ""), {}, guests, windows_zones))
    chosen = {"isReminderOn": False, "showAs": "free" if body.get("isAllDay") is True else "busy"}
    return {**chosen, **body, "transactionId": transaction}


def event_json(change: Change) -> dict[str, object]:
    """The properties that these fields are in Graph; guests only where they may be sent. Raises Unheld."""
    body: dict[str, object] = {}
    for name, value in change.fields.items():
        encode = _ENCODERS.get(name)
        if encode is not None:
            body |= encode(value, change)
    if change.guests and any(name in change.fields for name in _GUESTS):
        body["attendees"] = _attendees(change)
    properties = [
        {"id": graph_id(name), "value": str(change.fields[name] or "")} for name in NAMES if name in change.fields
    ]
    return {**body, "singleValueExtendedProperties": properties} if properties else body


def _plain(name: str) -> Callable[[FieldValue | None, Change], dict[str, object]]:
    return lambda value, _change: {name: value if isinstance(value, str) else ""}


def _lower(name: str) -> Callable[[FieldValue | None, Change], dict[str, object]]:
    return lambda value, _change: {name: str(value).lower()}


def _location(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"location": {"displayName": value if isinstance(value, str) else ""}}


def _body(value: FieldValue | None, change: Change) -> dict[str, object]:
    if change.event.get("isOnlineMeeting") is True:
        raise Unheld(BLOB)
    body = value if isinstance(value, Body) else Body("")
    return {"body": {"contentType": "html" if body.is_html else "text", "content": body.content}}


def _categories(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"categories": list(value) if isinstance(value, tuple) else []}


def _start(value: FieldValue | None, change: Change) -> dict[str, object]:
    return {"start": _time(value, change)}


def _end(value: FieldValue | None, change: Change) -> dict[str, object]:
    return {"end": _time(value, change)}


def _time(value: FieldValue | None, change: Change) -> dict[str, object]:
    moment = datetime.fromisoformat(str(value))
    zone = change.zone
    local = moment.astimezone(ZoneInfo(iana_zone(zone) or zone))
    if local.fold and not isinstance(change.fields.get("Recurrence"), Recurrence):
        # The second of two hours that the clocks show alike has no other name.
        local, zone = moment.astimezone(UTC), "UTC"
    return {"dateTime": local.replace(tzinfo=None).isoformat(), "timeZone": zone}


def _all_day(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"isAllDay": value == "true"}


def _recurrence(value: FieldValue | None, change: Change) -> dict[str, object]:
    return {"recurrence": write_recurrence(value, change.zone) if isinstance(value, Recurrence) else None}


def _show_as(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"showAs": _SHOW_AS[str(value)]}


def _reminder_is_on(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"isReminderOn": value == "true"}


def _reminder(value: FieldValue | None, _change: Change) -> dict[str, object]:
    return {"reminderMinutesBeforeStart": int(str(value))}


def _attendees(change: Change) -> list[object]:
    """All who are to be on it: Graph takes the list whole. Rooms, and what Graph knows of each, stay."""
    said = change.event.get("attendees")
    there = [each for each in said if isinstance(each, Mapping)] if isinstance(said, list) else []
    known = {_address(each): each for each in there}
    people: list[object] = []
    for name, kind in zip(_GUESTS, ("required", "optional"), strict=True):
        value = change.fields.get(name)
        for each in value if isinstance(value, tuple) else ():
            if isinstance(each, Attendee):
                mailbox = {"address": each.mailbox.email, "name": each.mailbox.name or each.mailbox.email}
                own = known.get(each.mailbox.email.lower(), {"emailAddress": mailbox})
                people.append({**own, "type": kind})
    return people + [each for each in there if each.get("type") == "resource"]


def _address(attendee: Json) -> str:
    mailbox = attendee.get("emailAddress")
    return str(mailbox.get("address")).lower() if isinstance(mailbox, Mapping) else ""


_ENCODERS: Mapping[str, Callable[[FieldValue | None, Change], dict[str, object]]] = {
    "Subject": _plain("subject"),
    "Location": _location,
    "Body": _body,
    "Categories": _categories,
    "Start": _start,
    "End": _end,
    "IsAllDayEvent": _all_day,
    "Recurrence": _recurrence,
    "LegacyFreeBusyStatus": _show_as,
    "Sensitivity": _lower("sensitivity"),
    "Importance": _lower("importance"),
    "ReminderIsSet": _reminder_is_on,
    "ReminderMinutesBeforeStart": _reminder,
}
