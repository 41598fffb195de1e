"""An EWS item as an activity: reading (pure). Writing is in outlook_codec.

What Exchange has no word for, and what it would say in other words, stands in one property of our own, in
the words of the file: a zone's IANA name, a rule's text, a meeting's URL, a status. Such a word counts only
while Exchange's own field still means the same; who changes the event in Outlook is believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from adapters.outlook.html_text import plain, text_of
from adapters.outlook.outlook_extra import Extra, extra_of, instance_extra, with_extra
from adapters.outlook.outlook_item import Attendee, Body, OutlookItem, Series
from adapters.outlook.outlook_properties import UID
from adapters.outlook.recurrence_codec import instances, recurrence_of, rule_of
from adapters.outlook.recurrence_pattern import EWS, Limits, Recurrence
from adapters.outlook.windows_zones import iana_zone, same_zone, windows_zone
from daemon.core.errors import Unreadable
from daemon.core.fields import effective, equal
from daemon.core.model import (
    Activity,
    AllDay,
    Answer,
    Busy,
    Field,
    Guest,
    Key,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    When,
)
from daemon.core.times import FAR

BUSY = {
    "Free": Busy.FREE,
    "Tentative": Busy.TENTATIVE,
    "Busy": Busy.BUSY,
    "OOF": Busy.OOF,
    "WorkingElsewhere": Busy.ELSEWHERE,
}
PRIVACY = {
    "Normal": Privacy.PUBLIC,
    "Personal": Privacy.PRIVATE,
    "Private": Privacy.PRIVATE,
    "Confidential": Privacy.CONFIDENTIAL,
}
PRIORITY = {"High": Priority.HIGH, "Normal": Priority.MEDIUM, "Low": Priority.LOW}
ANSWERS = {
    "Accept": Answer.ACCEPTED,
    "Decline": Answer.DECLINED,
    "Tentative": Answer.TENTATIVE,
    "Organizer": Answer.ACCEPTED,
}
_EMPTY: Mapping[Field, Value] = {
    Field.PRIVATE: Privacy.PUBLIC,
    Field.PRIORITY: Priority.MEDIUM,
    Field.STATUS: Status.CONFIRMED,
    Field.TYPE: "meeting",
    **dict.fromkeys((Field.ATTENDEES, Field.REMINDERS, Field.CATEGORIES), frozenset[str]()),
}
# What one instance of a series may say differently.
INSTANCE_FIELDS = tuple(field for field in Field if field not in {Field.REPEAT, Field.SKIP})


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose mailbox it is: the address, lower-cased, and the zone for what comes in none; how its service repeats.

    `also` is another address of the same person: a mail to it is a mail to nobody else.
    """

    address: str
    zone: str
    limits: Limits = EWS
    also: str = ""


def activity_of(series: Series, owner: Owner, uid: str = "") -> Activity:
    """The activity that an item shows; `uid` overrides what it carries (a copy). Raises Unreadable."""
    item = series.master
    view = dict(item_view(item, owner))
    if item.is_series:
        for exception in series.exceptions:
            view |= _instance_view(view, item, exception, owner)
        view |= _skips(item, owner)
    return Activity(
        uid=uid or item.properties.get(UID) or item.uid,
        view=view,
        modified=item.last_modified,
        frozen=_frozen(item),
        lasts=FAR if item.regenerates else None,
        floating=extra_of(item).floating,
    )


def item_view(item: OutlookItem, owner: Owner) -> View:
    """What one item says by itself, without its instances. Raises Unreadable."""
    return {Key(name): value for name, value in _said(item, owner) if value}


def body_text(body: Body) -> str:
    """A body as text."""
    return text_of(body.content) if body.is_html else plain(body.content)


def zone_of(item: OutlookItem, owner: Owner) -> str:
    """The IANA zone of an item: the one that was written, while Windows's name for it is unchanged.

    Of the many places that share a Windows zone, the user's own is the likeliest.
    """
    written = extra_of(item).zone
    if not item.zone_id:  # the service says none: the instant is what counts, and the zone that was written shows it
        return written if windows_zone(written) else owner.zone
    for name in (written, owner.zone):
        if name and same_zone(name, item.zone_id):
            return name
    shown = iana_zone(item.zone_id)
    if shown is None and item.is_series:
        raise Unreadable(
            f"a series in a time zone of its own making ({item.zone_id!r}), whose summer time can't be known",
            code="unknown_zone",
            cure="choose a named time zone for the series in Outlook",
        )
    # A single event is an instant: any zone shows it truly.
    return shown or owner.zone


def when_of_item(item: OutlookItem, owner: Owner) -> When:
    """The span of an item. Raises Unreadable."""
    if item.start is None or item.end is None:
        raise Unreadable("an event without start or end", code="no_times", cure="give it both in Outlook")
    if item.all_day:
        first, after = _midnight(item.start, item, owner), _midnight(item.end, item, owner)
        return AllDay(first, max(1, (after - first).days))
    zone = zone_of(item, owner)
    wall = item.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return Timed(wall, zone, item.end - item.start)


def _from_first(when: When, recurrence: Recurrence | None) -> When:
    """The span of a series' first instance: its pattern may begin after the start that its service keeps.

    In the services only the pattern's days are instances; in iCalendar the start is one, whatever the rule.
    """
    begins = when.start.date() if isinstance(when, Timed) else when.first
    if recurrence is None or recurrence.first != begins:  # days of another zone say nothing of this one's
        return when
    first = next(instances(recurrence), begins)
    if isinstance(when, AllDay):
        return replace(when, first=first)
    return replace(when, start=datetime.combine(first, when.start.time()))


def local_day(moment: datetime, item: OutlookItem, owner: Owner) -> date:
    """The day of a series on which this instance begins."""
    if item.all_day:
        return _midnight(moment, item, owner)
    return moment.astimezone(ZoneInfo(zone_of(item, owner))).date()


def same_recurrence(a: Recurrence, b: Recurrence) -> bool:
    """Whether two recurrences give the same days: the first day of the week counts only where weeks are left out."""

    def plain_pattern(recurrence: Recurrence) -> Recurrence:
        if recurrence.pattern.interval > 1:
            return recurrence
        return replace(recurrence, pattern=replace(recurrence.pattern, first_day="MO"))

    return plain_pattern(a) == plain_pattern(b)


def _midnight(moment: datetime, item: OutlookItem, owner: Owner) -> date:
    """The day of a midnight; of an unknown zone: the midnight in UTC that is nearest."""
    zone = iana_zone(item.zone_id) if item.zone_id else owner.zone
    local = None if zone is None else moment.astimezone(ZoneInfo(zone))
    if local is not None and (item.zone_id or local.time() == time()):
        return local.date()
    return (moment + timedelta(hours=12)).date()


def _said(item: OutlookItem, owner: Owner) -> Iterator[tuple[Field, Value | None]]:
    extra = extra_of(item)
    when = _from_first(when_of_item(item, owner), item.recurrence)
    kind, rest = _type(item, extra)
    yield Field.SUBJECT, item.subject
    yield Field.TYPE, kind
    yield Field.CATEGORIES, rest
    yield Field.WHEN, when
    yield Field.LOCATION, item.location
    yield Field.MEETING_URL, extra.url or item.join_url
    yield Field.DESCRIPTION, body_text(item.body)
    yield Field.ATTENDEES, _guests(item, owner)
    yield Field.BUSY, BUSY.get(item.free_busy, Busy.BUSY)
    yield Field.PRIVATE, None if item.sensitivity == "Normal" else PRIVACY.get(item.sensitivity, Privacy.PRIVATE)
    yield Field.PRIORITY, None if item.importance == "Normal" else PRIORITY.get(item.importance)
    yield Field.STATUS, _status(item, extra)
    yield Field.REMINDERS, frozenset() if item.reminder is None else frozenset({timedelta(minutes=item.reminder)})
    yield Field.REPEAT, _rule(item, when, extra, owner.limits)


def _type(item: OutlookItem, extra: Extra) -> tuple[str, frozenset[str]]:
    """The type is the category that we wrote as such, else the first; the others are categories."""
    kind = extra.type if extra.type in item.categories else next(iter(item.categories), "")
    return kind, frozenset(item.categories) - {kind}


def _status(item: OutlookItem, extra: Extra) -> Status | None:
    if item.is_cancelled:
        return Status.CANCELLED
    return Status(extra.status) if extra.status in set(Status) else None


def _rule(item: OutlookItem, when: When, extra: Extra, limits: Limits) -> str:
    if item.recurrence is None:
        return ""
    if extra.rule:
        written = recurrence_of(extra.rule, when, limits)
        if isinstance(written, Recurrence) and same_recurrence(written, item.recurrence):
            return extra.rule
    return rule_of(item.recurrence, when)


def _guests(item: OutlookItem, owner: Owner) -> frozenset[Guest]:
    """The guests and the organiser; an event that nobody else is on has none."""
    guests = {}
    for optional, attendees in ((True, item.optional), (False, item.required)):
        for attendee in attendees:
            guest = _guest(attendee, item, owner, optional=optional)
            if guest.email:
                guests[guest.email] = guest
    if guests and item.organizer is not None and item.organizer.email:
        email = item.organizer.email.lower()
        known = guests.get(email, Guest(email, item.organizer.name))
        guests[email] = replace(known, organizer=True, optional=False, answer=Answer.ACCEPTED)
    return frozenset(guests.values())


def _guest(attendee: Attendee, item: OutlookItem, owner: Owner, *, optional: bool) -> Guest:
    email = attendee.mailbox.email.lower()
    answer = ANSWERS.get(attendee.response, Answer.NEEDS_ACTION)
    if email == owner.address and item.my_response:
        answer = ANSWERS.get(item.my_response, answer)  # a guest's own copy says it here alone
    return Guest(email, attendee.mailbox.name, optional=optional, answer=answer)


def _frozen(item: OutlookItem) -> dict[Key, str]:
    if item.regenerates:
        return {Key(Field.REPEAT): "Exchange keeps a recurrence here that is none of the calendar's patterns"}
    return {}


def _instance_view(series: View, master: OutlookItem, exception: OutlookItem, owner: Owner) -> dict[Key, Value]:
    """What a modified occurrence says differently from its series."""
    if exception.original_start is None:
        raise Unreadable("a modified occurrence without its original start", code="no_original")
    original = local_day(exception.original_start, master, owner)
    exception = with_extra(exception, instance_extra(master, exception, original))
    own = item_view(replace(exception, zone_id=exception.zone_id or master.zone_id), owner)
    found = {}
    for name in INSTANCE_FIELDS:
        key = Key(name, original)
        value = own.get(Key(name), _EMPTY.get(name, ""))
        if not equal(Key(name), value, effective(series, key)):
            found[key] = value
    return found


def _skips(item: OutlookItem, owner: Owner) -> dict[Key, Value]:
    days = {local_day(start, item, owner) for start in item.deleted}
    days |= {date.fromisoformat(day) for day in extra_of(item).skip}
    return {Key(Field.SKIP): frozenset(days)} if days else {}
