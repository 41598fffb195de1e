"""The types of Graph's calendar as data, taken from Microsoft's published ones, and a check of bodies against them.

A form is a set of words (an enumeration), a Python type, a list of one form, or a mapping of property to form.
`tests/unit/test_graph_types.py` compares the names with the npm package @microsoft/microsoft-graph-types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

DAYS = frozenset({"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"})
WEEK_INDEX = frozenset({"first", "second", "third", "fourth", "last"})
PATTERN_TYPES = frozenset({"daily", "weekly", "absoluteMonthly", "relativeMonthly", "absoluteYearly", "relativeYearly"})
RANGE_TYPES = frozenset({"endDate", "noEnd", "numbered"})
SHOW_AS = frozenset({"unknown", "free", "tentative", "busy", "oof", "workingElsewhere"})
SENSITIVITY = frozenset({"normal", "personal", "private", "confidential"})
IMPORTANCE = frozenset({"low", "normal", "high"})
ATTENDEE_TYPES = frozenset({"required", "optional", "resource"})
RESPONSES = frozenset({"none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded"})
BODY_TYPES = frozenset({"text", "html"})
EVENT_TYPES = frozenset({"singleInstance", "occurrence", "exception", "seriesMaster"})

TIME = {"dateTime": str, "timeZone": str}
ADDRESS = {"address": str, "name": str}
RECIPIENT = {"emailAddress": ADDRESS}
RESPONSE = {"response": RESPONSES, "time": str}
ATTENDEE = {**RECIPIENT, "type": ATTENDEE_TYPES, "status": RESPONSE}
PATTERN = {
    "type": PATTERN_TYPES, "interval": int, "daysOfWeek": [DAYS], "firstDayOfWeek": DAYS, "dayOfMonth": int,
    "month": int, "index": WEEK_INDEX,
}  # fmt: skip
RANGE = {"type": RANGE_TYPES, "startDate": str, "endDate": str, "numberOfOccurrences": int, "recurrenceTimeZone": str}
PROPERTY = {"id": str, "value": str}

WRITABLE: Mapping[str, Any] = {
    "subject": str, "body": {"contentType": BODY_TYPES, "content": str}, "categories": [str],
    "importance": IMPORTANCE, "sensitivity": SENSITIVITY, "showAs": SHOW_AS,
    "location": {"displayName": str, "locationType": str, "uniqueId": str, "uniqueIdType": str},
    "start": TIME, "end": TIME, "isAllDay": bool, "recurrence": {"pattern": PATTERN, "range": RANGE},
    "isReminderOn": bool, "reminderMinutesBeforeStart": int, "attendees": [ATTENDEE],
    "transactionId": str, "singleValueExtendedProperties": [PROPERTY],
    "isOnlineMeeting": bool, "responseRequested": bool, "allowNewTimeProposals": bool, "hideAttendees": bool,
}  # fmt: skip
READ_ONLY: Mapping[str, Any] = {
    "id": str, "changeKey": str, "createdDateTime": str, "lastModifiedDateTime": str, "iCalUId": str,
    "type": EVENT_TYPES, "seriesMasterId": str, "originalStart": str, "originalStartTimeZone": str,
    "originalEndTimeZone": str, "cancelledOccurrences": [str], "organizer": RECIPIENT, "isOrganizer": bool,
    "responseStatus": RESPONSE, "isCancelled": bool, "onlineMeeting": {"joinUrl": str}, "onlineMeetingUrl": str,
    "bodyPreview": str, "webLink": str, "hasAttachments": bool, "isDraft": bool, "exceptionOccurrences": None,
}  # fmt: skip
EVENT = {**WRITABLE, **READ_ONLY}
CALENDAR: Mapping[str, Any] = {
    "id": str, "name": str, "isDefaultCalendar": bool, "canEdit": bool, "hexColor": str, "owner": ADDRESS,
}  # fmt: skip

# Which interfaces of the published types the tables above stand for.
PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "Event": EVENT, "Calendar": CALENDAR, "DateTimeTimeZone": TIME, "EmailAddress": ADDRESS, "Attendee": ATTENDEE,
    "RecurrencePattern": PATTERN, "RecurrenceRange": RANGE, "SingleValueLegacyExtendedProperty": PROPERTY,
    "ResponseStatus": RESPONSE, "Location": WRITABLE["location"], "ItemBody": WRITABLE["body"],
}  # fmt: skip

# What each type of pattern and range takes, and needs (Microsoft's page on recurrencePattern).
_OF_PATTERN = {
    "daily": set(),
    "weekly": {"daysOfWeek", "firstDayOfWeek"},
    "absoluteMonthly": {"dayOfMonth"},
    "relativeMonthly": {"daysOfWeek", "index"},
    "absoluteYearly": {"dayOfMonth", "month"},
    "relativeYearly": {"daysOfWeek", "index", "month"},
}
_OF_RANGE = {"noEnd": set(), "endDate": {"endDate"}, "numbered": {"numberOfOccurrences"}}


def violations(body: Mapping[str, Any], *, creating: bool) -> Iterator[str]:
    """What is wrong with the body of a write."""
    allowed = WRITABLE if creating else {name: form for name, form in WRITABLE.items() if name != "transactionId"}
    yield from mismatches(body, allowed, "event")
    recurrence = body.get("recurrence")
    if isinstance(recurrence, Mapping):
        yield from _recurrence(recurrence)
    for name in ("start", "end"):
        if isinstance(body.get(name), Mapping):
            yield from _time(body[name])


def mismatches(value: object, form: Any, where: str) -> Iterator[str]:
    """Where a value has not this form; null is fine for any property."""
    if value is None or form is None:
        return
    if isinstance(form, frozenset):
        if value not in form:
            yield f"{where}: {value!r} is no word of it"
    elif isinstance(form, list):
        for each in value if isinstance(value, list) else [value]:
            yield from mismatches(each, form[0], where) if isinstance(value, list) else [f"{where}: no list"]
    elif isinstance(form, Mapping):
        if not isinstance(value, Mapping):
            yield f"{where}: no object"
            return
        for name, inner in value.items():
            known = name in form or name.startswith("@odata.")
            yield from mismatches(inner, form.get(name), f"{where}.{name}") if known else [f"{where}: unknown {name}"]
    elif type(value) is not form:
        yield f"{where}: {type(value).__name__} instead of {form.__name__}"


def _recurrence(said: Mapping[str, Any]) -> Iterator[str]:
    for part, needs, free in (
        ("pattern", _OF_PATTERN, {"type", "interval"}),
        ("range", _OF_RANGE, {"type", "startDate", "recurrenceTimeZone"}),
    ):
        inner = said.get(part) or {}
        needed = needs.get(inner.get("type"))
        if needed is None or set(inner) - free != needed:
            yield f"{part}: wrong properties for {inner.get('type')}"
    pattern, limits = said.get("pattern") or {}, said.get("range") or {}
    if not 1 <= pattern.get("interval", 0) <= 999:
        yield "pattern: interval"
    if "daysOfWeek" in pattern and not pattern["daysOfWeek"]:
        yield "pattern: no day"
    for name in ("startDate", "endDate"):
        if name in limits:
            try:
                date.fromisoformat(limits[name])
            except ValueError:
                yield f"range: {name}"
    if not 1 <= limits.get("numberOfOccurrences", 1) <= 999:
        yield "range: numberOfOccurrences"


def _time(said: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?", str(said.get("dateTime"))):
        yield "a dateTime with an offset, or none at all"
    if not said.get("timeZone"):
        yield "a time without timeZone"
