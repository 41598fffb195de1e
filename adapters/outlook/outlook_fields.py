"""The fields of an EWS item that make it show a view: an encoder for each group of fields (pure)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from adapters.outlook.html_text import html_of, plain, sendable
from adapters.outlook.outlook_extra import Extra, extra_of
from adapters.outlook.outlook_item import Attendee, Body, Fields, FieldValue, Mailbox, OutlookItem, Zone
from adapters.outlook.outlook_properties import EXTRA
from adapters.outlook.outlook_view import BUSY, PRIORITY, PRIVACY, Owner, body_text
from adapters.outlook.recurrence_codec import index_of, recurrence_of, rule_of
from adapters.outlook.recurrence_pattern import EWS, Limits, NotHeld, Recurrence
from adapters.outlook.windows_zones import iana_zone, windows_zone
from daemon.core.fields import normal
from daemon.core.model import (
    AllDay,
    Busy,
    Field,
    Guest,
    Key,
    Original,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    When,
    when_of,
)

_WIRE_BUSY = {value: name for name, value in BUSY.items()}
_WIRE_PRIVACY = {value: name for name, value in PRIVACY.items() if name != "Personal"}
_WIRE_PRIORITY = {value: name for name, value in PRIORITY.items()}


class Unheld(ValueError):
    """Exchange can't hold this; the text is the reason, for its user."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an item is to show, what of it changes, and the item as it is."""

    view: View
    changed: frozenset[Field]
    item: OutlookItem
    owner: Owner
    floating: bool = False
    zone_id: str = ""  # of the series, for one of its instances

    def value(self, name: Field) -> Value | None:
        """What it is to show of a field."""
        return self.view.get(Key(name))

    def text(self, name: Field) -> str:
        """The same, of a text; without what can't be sent."""
        value = self.value(name)
        return sendable(value) if isinstance(value, str) else ""


def recurrence_in(view: View, limits: Limits = EWS) -> Recurrence | None:
    """The recurrence of a view; None: a single event. Raises Unheld."""
    rule, when = view.get(Key(Field.REPEAT)), when_of(view)
    if not isinstance(rule, str) or not rule or when is None:
        return None
    found = recurrence_of(rule, when, limits)
    if isinstance(found, NotHeld):
        raise Unheld(found.reason)
    return found


def skip_days(value: Value | None) -> frozenset[date]:
    """The days that a `skip` leaves out."""
    items = value if isinstance(value, frozenset) else frozenset()
    return frozenset(original_day(item) for item in items if isinstance(item, date))


def original_day(original: Original) -> date:
    """The day of an original start; Exchange's patterns have at most one instance a day."""
    return original.date() if isinstance(original, datetime) else original


def idle_skips(days: Collection[date], recurrence: Recurrence) -> frozenset[date]:
    """Days left out that are no instances: nothing to delete there, only to remember."""
    return frozenset(day for day in days if index_of(recurrence, day) is None)


def fields_of(target: Target) -> Fields:
    """The fields of what changes. Raises Unheld."""
    fields: dict[str, FieldValue | None] = {}
    for names, encode in _ENCODERS:
        if target.changed & names:
            fields |= encode(target)
    before = extra_of(target.item)
    after = _extra(before, target)
    if after != before:
        fields[EXTRA] = after.text()
    return fields


def _subject(target: Target) -> Fields:
    return {"Subject": " ".join(target.text(Field.SUBJECT).split()) or None}


def _location(target: Target) -> Fields:
    return {"Location": target.text(Field.LOCATION) or None}


def _body(target: Target) -> Fields:
    """The body, unless its text is what it was: HTML that somebody made stays."""
    text = plain(target.text(Field.DESCRIPTION))
    if text == body_text(target.item.body):
        return {}
    if not text:
        return {"Body": None}
    return {"Body": Body(html_of(text), is_html=True) if target.item.body.is_html else Body(text)}


def _categories(target: Target) -> Fields:
    kind = target.text(Field.TYPE)
    rest = target.value(Field.CATEGORIES)
    others = {sendable(word) for word in rest if isinstance(word, str)} if isinstance(rest, frozenset) else set()
    kept = [word for word in target.item.categories if word in others]
    words = dict.fromkeys(word for word in [kind, *kept, *sorted(others)] if word)
    return {"Categories": tuple(words) or None}


def _when(target: Target) -> Fields:
    when = when_of(target.view)
    if when is None:
        raise Unheld(f"{target.owner.limits.service} holds no event without a date")
    zone_id = _zone_id(when, target)
    start, end = _span(when, ZoneInfo(iana_zone(zone_id) or target.owner.zone))
    return {
        "Start": _utc(start),
        "End": _utc(end),
        "IsAllDayEvent": "true" if isinstance(when, AllDay) else "false",
        "StartTimeZone": Zone(zone_id),
        "EndTimeZone": Zone(zone_id),
    }


def _zone_id(when: When, target: Target) -> str:
    """The Windows id: of whole days the one that the item has, else that of the mailbox's zone."""
    if isinstance(when, AllDay):
        own = target.item.zone_id if target.item.all_day else ""
        known = target.zone_id or own
        return known if iana_zone(known) else windows_zone(target.owner.zone) or "UTC"
    zone_id = windows_zone(when.zone)
    if zone_id is None:
        raise Unheld(f"Windows, and so Exchange, has no name for the time zone {when.zone}")
    return zone_id


def _span(when: When, midnights: ZoneInfo) -> tuple[datetime, datetime]:
    if isinstance(when, Timed):
        start = when.start.replace(tzinfo=ZoneInfo(when.zone)).astimezone(UTC)
        return start, start + when.length
    first = datetime.combine(when.first, time(), midnights)
    after = datetime.combine(when.first + timedelta(days=when.days), time(), midnights)
    return first, after


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _recurrence(target: Target) -> Fields:
    return {"Recurrence": recurrence_in(target.view, target.owner.limits)}


def _busy(target: Target) -> Fields:
    value = target.value(Field.BUSY)
    if not isinstance(value, Busy):
        value = Busy.FREE if isinstance(when_of(target.view), AllDay) else Busy.BUSY
    return {"LegacyFreeBusyStatus": _WIRE_BUSY[value]}


def _sensitivity(target: Target) -> Fields:
    value = target.value(Field.PRIVATE)
    return {"Sensitivity": _WIRE_PRIVACY[value if isinstance(value, Privacy) else Privacy.PUBLIC]}


def _importance(target: Target) -> Fields:
    value = target.value(Field.PRIORITY)
    return {"Importance": _WIRE_PRIORITY[value if isinstance(value, Priority) else Priority.MEDIUM]}


def _reminder(target: Target) -> Fields:
    """The nearest one: Exchange has room for one, and none after the start."""
    value = target.value(Field.REMINDERS)
    spans = value if isinstance(value, frozenset) else frozenset()
    before = [span for span in spans if isinstance(span, timedelta) and span >= timedelta()]
    if not before:
        return {"ReminderIsSet": "false"}
    minutes = min(before) // timedelta(minutes=1)
    return {"ReminderIsSet": "true", "ReminderMinutesBeforeStart": str(minutes)}


def _attendees(target: Target) -> Fields:
    """Both lists; who was there keeps name, address and answer as the server has them."""
    value = target.value(Field.ATTENDEES)
    guests = value if isinstance(value, frozenset) else frozenset()
    known = {entry.mailbox.email.lower(): entry for entry in (*target.item.optional, *target.item.required)}
    order = {email: place for place, email in enumerate(known)}
    lists: dict[bool, list[Attendee]] = {False: [], True: []}
    invited = [guest for guest in guests if isinstance(guest, Guest) and not guest.organizer]
    for guest in sorted(invited, key=lambda guest: (order.get(guest.email, len(order)), guest.email)):
        fresh = Attendee(Mailbox(guest.email, sendable(guest.name)))
        lists[guest.optional].append(known.get(guest.email.lower(), fresh))
    return {"RequiredAttendees": tuple(lists[False]) or None, "OptionalAttendees": tuple(lists[True]) or None}


def _nothing(_target: Target) -> Fields:
    return {}


_ENCODERS: tuple[tuple[frozenset[Field], Callable[[Target], Fields]], ...] = (
    (frozenset({Field.SUBJECT}), _subject),
    (frozenset({Field.LOCATION}), _location),
    (frozenset({Field.DESCRIPTION}), _body),
    (frozenset({Field.TYPE, Field.CATEGORIES}), _categories),
    (frozenset({Field.WHEN}), _when),
    (frozenset({Field.REPEAT}), _recurrence),
    (frozenset({Field.BUSY}), _busy),
    (frozenset({Field.PRIVATE}), _sensitivity),
    (frozenset({Field.PRIORITY}), _importance),
    (frozenset({Field.REMINDERS}), _reminder),
    (frozenset({Field.ATTENDEES}), _attendees),
    (frozenset({Field.MEETING_URL, Field.STATUS}), _nothing),  # they stand in our property alone
)


def _extra(extra: Extra, target: Target) -> Extra:
    """Our property after the change: the file's words where Exchange's own would read differently."""
    when, rule, status = when_of(target.view), target.text(Field.REPEAT), target.value(Field.STATUS)
    changed = target.changed
    if Field.WHEN in changed:
        zone = when.zone if isinstance(when, Timed) else ""
        extra = replace(extra, zone=zone, floating=target.floating)
    if Field.REPEAT in changed:
        extra = replace(extra, rule="" if not rule or _reads_back(rule, when, target.owner.limits) else rule)
    if changed & {Field.TYPE, Field.CATEGORIES}:
        extra = replace(extra, type=target.text(Field.TYPE))
    if Field.STATUS in changed:
        extra = replace(extra, status=status.value if isinstance(status, Status) else "")
    if Field.MEETING_URL in changed:
        extra = replace(extra, url=target.text(Field.MEETING_URL))
    if Field.SKIP in changed:
        recurrence = recurrence_in(target.view, target.owner.limits)
        days = skip_days(target.value(Field.SKIP))
        idle = days if recurrence is None else idle_skips(days, recurrence)
        extra = replace(extra, skip=tuple(sorted(day.isoformat() for day in idle)))
    return extra


def _reads_back(rule: str, when: When | None, limits: Limits) -> bool:
    if when is None:
        return False
    held = recurrence_of(rule, when, limits)
    key = Key(Field.REPEAT)
    return isinstance(held, Recurrence) and normal(key, rule_of(held, when)) == normal(key, rule)
