"""An activity's values as the fields of an EWS item: writing (pure). Reading is in ews_view.

Only what is asked for is set. Values that Exchange has no field for go into one property of our own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from adapters.ews_item import Attendee, Body, EwsItem, Fields, FieldValue, Mailbox, Zone
from adapters.ews_view import (
    BUSY,
    PRIORITY,
    PRIVACY,
    Extra,
    Owner,
    body_text,
    extra_of,
)
from adapters.html_text import html_of, plain, sendable
from adapters.outlook_properties import EXTRA, TOKEN, UID
from adapters.recurrence_codec import index_of, instances, recurrence_of, rule_of
from adapters.recurrence_pattern import EWS, NotHeld, Recurrence
from adapters.windows_zones import iana_zone, windows_zone
from daemon.core.fields import effective, normal
from daemon.core.model import (
    AllDay,
    Busy,
    Field,
    Guest,
    Key,
    Original,
    Patch,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    When,
    when_of,
)
from daemon.core.store import Create

MAX_SUBJECT = 255
_NEW = EwsItem("", "")
_WIRE_BUSY = {value: name for name, value in BUSY.items()}
_WIRE_PRIVACY = {value: name for name, value in PRIVACY.items() if name != "Personal"}
_WIRE_PRIORITY = {value: name for name, value in PRIORITY.items()}
_NEIGHBOUR_WITHIN = 400  # days: farther than a yearly series' next instance
_SERIES_FIELDS = frozenset({Field.REPEAT, Field.SKIP})


class Unheld(ValueError):
    """Exchange can't hold this; the text is the reason, for its user."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What an item is to show, what of it changes, and the item as it is."""

    view: View
    changed: frozenset[Field]
    item: EwsItem
    owner: Owner
    floating: bool = False
    zone_id: str = ""  # of the series, for one of its instances

    def value(self, name: Field) -> Value | None:
        return self.view.get(Key(name))

    def text(self, name: Field) -> str:
        value = self.value(name)
        return sendable(value) if isinstance(value, str) else ""


def create_fields(create: Create, owner: Owner) -> Fields:
    """The fields of a new item, its instances aside. Raises Unheld."""
    reason = refusal(create.view)
    if reason:
        raise Unheld(reason)
    changed = frozenset(key.field for key in create.view if key.instance is None)
    target = _Target(create.view, changed, _NEW, owner, create.floating)
    fields = {name: value for name, value in _fields(target).items() if value is not None}
    return {**fields, "UID": create.uid, UID: create.uid, TOKEN: create.token}


def patch_fields(item: EwsItem, after: View, changed: Collection[Field], owner: Owner, uid: str = "") -> Fields:
    """The fields of the item itself that make it show `after`; its instances are no part of it. Raises Unheld."""
    changed = set(changed)
    if Field.WHEN in changed and Key(Field.REPEAT) in after:
        changed.add(Field.REPEAT)  # its range begins with the series
    if Field.REPEAT in changed and Key(Field.SKIP) in after:
        changed.add(Field.SKIP)
    fields = dict(_fields(_Target(after, frozenset(changed), item, owner, extra_of(item).floating)))
    if uid and item.properties.get(UID) != uid:
        fields[UID] = uid
    return fields


def instance_fields(  # noqa: PLR0913, PLR0917  a series, one of its instances, and what is wanted of it
    series: View, original: date, wanted: Patch, master: EwsItem, exception: EwsItem | None, owner: Owner
) -> Fields:
    """The fields of one occurrence that are to differ from its series; None in `wanted`: what the series says."""
    item = master if exception is None else exception
    if EXTRA not in item.properties and EXTRA in master.properties:
        item = replace(item, properties={**item.properties, EXTRA: master.properties[EXTRA]})
    after: dict[Key, Value] = {}
    changed = set()
    for name in Field:
        said = wanted.get(Key(name, original))
        value = said if said is not None else effective(series, Key(name, original))
        if value is not None:
            after[Key(name)] = value
        if Key(name, original) in wanted:
            changed.add(name)
    if not when_of(after):
        raise Unheld("an instance without a date")
    target = _Target(after, frozenset(changed) - _SERIES_FIELDS, item, owner, extra_of(master).floating, master.zone_id)
    fields = _fields(target)
    # Without a property of its own an instance is read with that of its series.
    return {**fields, EXTRA: "{}"} if EXTRA in fields and fields[EXTRA] is None else fields


def patched(view: View, patch: Patch) -> dict[Key, Value]:
    """A view after a patch."""
    after = {key: value for key, value in view.items() if key not in patch}
    return after | {key: value for key, value in patch.items() if value is not None}


def recurrence_in(view: View) -> Recurrence | None:
    """The recurrence of a view; None: a single event. Raises Unheld."""
    rule, when = view.get(Key(Field.REPEAT)), when_of(view)
    if not isinstance(rule, str) or not rule or when is None:
        return None
    found = recurrence_of(rule, when, EWS)
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


def refusal(view: View) -> str:
    """Why Exchange can't hold an item that shows this; "": it can."""
    try:
        recurrence = recurrence_in(view)
        _check_texts(view)
        _check_zones(view)
        _check_instances(view, recurrence)
    except Unheld as reason:
        return str(reason)
    return ""


# --- what can't be held


def _check_texts(view: View) -> None:
    for key, value in view.items():
        if key.field is Field.SUBJECT and isinstance(value, str) and len(value) > MAX_SUBJECT:
            raise Unheld(f"Exchange holds subjects of at most {MAX_SUBJECT} characters, this one has {len(value)}")


def _check_zones(view: View) -> None:
    for value in view.values():
        if isinstance(value, Timed) and windows_zone(value.zone) is None:
            raise Unheld(f"Windows, and so Exchange, has no name for the time zone {value.zone}")


def _check_instances(view: View, recurrence: Recurrence | None) -> None:
    originals = {original_day(key.instance) for key in view if key.instance is not None}
    if recurrence is None:
        return
    skipped = skip_days(view.get(Key(Field.SKIP)))
    for day in sorted(originals - skipped):
        if index_of(recurrence, day) is None:
            raise Unheld(f"the series has no instance on {day.isoformat()}, so Exchange can't hold a change to it")
    moved = {key.instance: value for key, value in view.items() if key.instance and key.field is Field.WHEN}
    _check_moves({original_day(day): value for day, value in moved.items()}, recurrence, skipped)


def _check_moves(moved: Mapping[date, Value], recurrence: Recurrence, skipped: Collection[date]) -> None:
    """Exchange keeps the instances of a series in order, one a day."""
    if not moved:
        return
    horizon = max(moved) + timedelta(days=_NEIGHBOUR_WITHIN)
    days = [day for day in takewhile(lambda day: day <= horizon, instances(recurrence)) if day not in skipped]
    lands = [_first_day(moved[day]) if day in moved else day for day in days]
    for day, before, after in zip(days, lands, lands[1:], strict=False):
        if before >= after:
            raise Unheld(
                f"around {day.isoformat()} an instance would pass its neighbour, which Exchange does not allow"
            )


def _first_day(when: Value) -> date:
    return when.start.date() if isinstance(when, Timed) else when.first if isinstance(when, AllDay) else date.max


# --- values -> fields


def _fields(target: _Target) -> Fields:
    fields: dict[str, FieldValue | None] = {}
    for names, encode in _ENCODERS:
        if target.changed & names:
            fields |= encode(target)
    before = extra_of(target.item)
    after = _extra(before, target)
    if after != before:
        fields[EXTRA] = after.text()
    return fields


def _subject(target: _Target) -> Fields:
    return {"Subject": " ".join(target.text(Field.SUBJECT).split()) or None}


def _location(target: _Target) -> Fields:
    return {"Location": target.text(Field.LOCATION) or None}


def _body(target: _Target) -> Fields:
    """The body, unless its text is what it was: HTML that somebody made stays."""
    text = plain(target.text(Field.DESCRIPTION))
    if text == body_text(target.item.body):
        return {}
    if not text:
        return {"Body": None}
    return {"Body": Body(html_of(text), is_html=True) if target.item.body.is_html else Body(text)}


def _categories(target: _Target) -> Fields:
    kind = target.text(Field.TYPE)
    rest = target.value(Field.CATEGORIES)
    others = {sendable(word) for word in rest if isinstance(word, str)} if isinstance(rest, frozenset) else set()
    kept = [word for word in target.item.categories if word in others]
    words = dict.fromkeys(word for word in [kind, *kept, *sorted(others)] if word)
    return {"Categories": tuple(words) or None}


def _when(target: _Target) -> Fields:
    when = when_of(target.view)
    if when is None:
        raise Unheld("Exchange holds no event without a date")
    zone_id = _zone_id(when, target)
    start, end = _span(when, ZoneInfo(iana_zone(zone_id) or target.owner.zone))
    return {
        "Start": _utc(start),
        "End": _utc(end),
        "IsAllDayEvent": "true" if isinstance(when, AllDay) else "false",
        "StartTimeZone": Zone(zone_id),
        "EndTimeZone": Zone(zone_id),
    }


def _zone_id(when: When, target: _Target) -> str:
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


def _recurrence(target: _Target) -> Fields:
    return {"Recurrence": recurrence_in(target.view)}


def _busy(target: _Target) -> Fields:
    value = target.value(Field.BUSY)
    if not isinstance(value, Busy):
        value = Busy.FREE if isinstance(when_of(target.view), AllDay) else Busy.BUSY
    return {"LegacyFreeBusyStatus": _WIRE_BUSY[value]}


def _sensitivity(target: _Target) -> Fields:
    value = target.value(Field.PRIVATE)
    return {"Sensitivity": _WIRE_PRIVACY[value if isinstance(value, Privacy) else Privacy.PUBLIC]}


def _importance(target: _Target) -> Fields:
    value = target.value(Field.PRIORITY)
    return {"Importance": _WIRE_PRIORITY[value if isinstance(value, Priority) else Priority.MEDIUM]}


def _reminder(target: _Target) -> Fields:
    """The nearest one: Exchange has room for one, and none after the start."""
    value = target.value(Field.REMINDERS)
    spans = value if isinstance(value, frozenset) else frozenset()
    before = [span for span in spans if isinstance(span, timedelta) and span >= timedelta()]
    if not before:
        return {"ReminderIsSet": "false"}
    minutes = min(before) // timedelta(minutes=1)
    return {"ReminderIsSet": "true", "ReminderMinutesBeforeStart": str(minutes)}


def _attendees(target: _Target) -> Fields:
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


def _nothing(_target: _Target) -> Fields:
    return {}


_ENCODERS: tuple[tuple[frozenset[Field], Callable[[_Target], Fields]], ...] = (
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


def _extra(extra: Extra, target: _Target) -> Extra:
    """Our property after the change: the file's words where Exchange's own would read differently."""
    when, rule, status = when_of(target.view), target.text(Field.REPEAT), target.value(Field.STATUS)
    changed = target.changed
    if Field.WHEN in changed:
        zone = when.zone if isinstance(when, Timed) else ""
        extra = replace(extra, zone=zone, floating=target.floating)
    if Field.REPEAT in changed:
        extra = replace(extra, rule="" if not rule or _reads_back(rule, when) else rule)
    if changed & {Field.TYPE, Field.CATEGORIES}:
        extra = replace(extra, type=target.text(Field.TYPE))
    if Field.STATUS in changed:
        extra = replace(extra, status=status.value if isinstance(status, Status) else "")
    if Field.MEETING_URL in changed:
        extra = replace(extra, url=target.text(Field.MEETING_URL))
    if Field.SKIP in changed:
        recurrence = recurrence_in(target.view)
        days = skip_days(target.value(Field.SKIP))
        idle = days if recurrence is None else idle_skips(days, recurrence)
        extra = replace(extra, skip=tuple(sorted(day.isoformat() for day in idle)))
    return extra


def _reads_back(rule: str, when: When | None) -> bool:
    if when is None:
        return False
    held = recurrence_of(rule, when, EWS)
    key = Key(Field.REPEAT)
    return isinstance(held, Recurrence) and normal(key, rule_of(held, when)) == normal(key, rule)
