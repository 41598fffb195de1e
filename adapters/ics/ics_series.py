"""A calendar object as one activity: a master, its rule, what is left out, and its overrides as differences.

iCalendar's overrides are whole copies; a view holds only what differs. What a master has and an override
lacks is cleared in that instance: an empty text or set, or the value that RFC 5545 gives to silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from adapters.ics.content_lines import Component, parse
from adapters.ics.ics_fields import Moment, Reader, stamp_of
from adapters.ics.ics_local import is_done, local_of
from adapters.ics.ics_people import unmailed
from adapters.ics.ics_properties import properties_of
from adapters.ics.ics_values import unescape
from adapters.ics.ics_zones import Zones
from daemon.core.errors import Unreadable
from daemon.core.expansion import is_expandable
from daemon.core.model import (
    Activity,
    AllDay,
    Busy,
    Field,
    Key,
    Original,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    View,
    When,
)
from daemon.core.recurrence import settled
from daemon.core.rules import Rule
from daemon.core.times import FAR, end_of, natural, start_of, wall

# What silence means in an override where the series says something.
SILENCE: Mapping[Field, Value] = MappingProxyType(
    {
        Field.SUBJECT: "",
        Field.LOCATION: "",
        Field.MEETING_URL: "",
        Field.DESCRIPTION: "",
        Field.ATTENDEES: frozenset(),
        Field.REMINDERS: frozenset(),
        Field.CATEGORIES: frozenset(),
        Field.BUSY: Busy.BUSY,
        Field.PRIVATE: Privacy.PUBLIC,
        Field.PRIORITY: Priority.MEDIUM,
        Field.STATUS: Status.CONFIRMED,
    }
)
OF_THE_SERIES = frozenset({Field.REPEAT, Field.SKIP})
WHOLE = Key(Field.REPEAT)


@dataclass(slots=True)
class Series:
    """A calendar object taken apart. `own` is what the master says, `shown` what each override says, whole."""

    document: Component
    calendar: Component
    reader: Reader
    master: Component
    own: dict[Field, Value]
    rule: Rule | None = None
    overrides: dict[Original, Component] = field(default_factory=dict)
    shown: dict[Original, dict[Field, Value]] = field(default_factory=dict)
    frozen: dict[Key, str] = field(default_factory=dict)
    floating: bool = False

    @property
    def when(self) -> When | None:
        """The span of the master."""
        when = self.own.get(Field.WHEN)
        return when if isinstance(when, Timed | AllDay) else None

    def view(self) -> dict[Key, Value]:
        """The view that the object stands for."""
        view = {Key(name): value for name, value in self.own.items()}
        for original, shown in self.shown.items():
            for name, value in differences(self.own, shown, original).items():
                view[Key(name, original)] = value
        return view

    def original(self, moment: Moment) -> Original:
        """The original start that a RECURRENCE-ID or EXDATE names, local to the series."""
        value, when = moment.value, self.when
        if not isinstance(value, datetime) or not isinstance(when, Timed):
            return value.date() if isinstance(value, datetime) else value
        if moment.zone != when.zone:
            value = wall(start_of(Timed(value, moment.zone, when.length), moment.zone), when.zone)
        return value if self.rule and self.rule.repeats_within_a_day else value.date()

    def activity(self) -> Activity:
        """The activity, with what the object says beyond the view."""
        properties = properties_of(self.master)
        uid = unescape(properties[b"UID"][0].value.strip()) if b"UID" in properties else ""
        local = local_of(properties)
        done = frozenset(original for original, each in self.overrides.items() if is_done(properties_of(each)))
        components = (self.master, *self.overrides.values())
        stamps = [stamp_of(each.first(b"LAST-MODIFIED")) for each in components]
        return Activity(
            uid,
            self.view(),
            local=replace(local, done_instances=done) if done else local,
            modified=max((stamp for stamp in stamps if stamp), default=None),
            frozen=self.frozen,
            floating=self.floating,
            unmailed=unmailed(components),
            lasts=self._lasts(),
        )

    def _lasts(self) -> datetime | None:
        """Until when it goes on with dates that no rule in its view names."""
        if WHOLE not in self.frozen or self.when is None:
            return None
        rules = sum(1 for _ in self.master.lines(b"RRULE"))
        if rules > 1 or (rules and self.rule is None):
            return FAR
        return max((self._end_from(moment) for moment in self.added()), default=None)

    def _end_from(self, moment: Moment) -> datetime:
        if isinstance(self.when, Timed) and isinstance(moment.value, datetime):
            return end_of(replace(self.when, start=moment.value, zone=moment.zone), moment.zone)
        return end_of(AllDay(day_of(moment.value), getattr(self.when, "days", 1)), self.reader.zones.default)

    def added(self) -> Iterator[Moment]:
        """The single dates beside its rule (RDATE). A PERIOD counts by its start; one in no form adds nothing."""
        for each in self.master.lines(b"RDATE"):
            params, value = each.parts()
            for item in filter(None, value.split(",")):
                with suppress(Unreadable):
                    yield self.reader.moment_of(params, item.partition("/")[0], "RDATE")


def differences(own: Mapping[Field, Value], shown: Mapping[Field, Value], original: Original) -> dict[Field, Value]:
    """What an override says other than its series; a value equal to the series' counts as inherited."""
    found: dict[Field, Value] = {}
    for name in own.keys() | shown.keys():
        if name in OF_THE_SERIES:
            continue
        ours, theirs = own.get(name), shown.get(name)
        if name is Field.WHEN:
            if theirs is not None and not is_natural(own, theirs, original):
                found[name] = theirs
        elif ours != theirs and not (name is Field.TYPE and theirs is None):
            silence = SILENCE.get(name)
            said = silence if theirs is None else theirs
            if said is not None and said != (silence if ours is None else ours):
                found[name] = said
    return found


def is_natural(own: Mapping[Field, Value], span: Value, original: Original) -> bool:
    """Whether nothing moved an instance: it lies where its series puts it, whatever zone it is written in."""
    when = own.get(Field.WHEN)
    if not isinstance(when, Timed | AllDay) or not isinstance(span, Timed | AllDay):
        return False
    usual = natural(when, original)
    if span == usual:
        return True
    if not isinstance(span, Timed) or not isinstance(usual, Timed) or span.zone == usual.zone:
        return False
    return span.length == usual.length and start_of(span, span.zone) == start_of(usual, usual.zone)


def load(raw: bytes, *, zone: str, types: Sequence[str] = (), path: str = "") -> Series:
    """Take a calendar object apart. Raises Unreadable."""
    try:
        return _load(raw, zone, types, path)
    except Unreadable as error:
        error.path = error.path or path
        raise
    except (OverflowError, ValueError) as error:
        raise Unreadable("a date in it lies outside the calendar", code="bad_value", path=path) from error


def _load(raw: bytes, zone: str, types: Sequence[str], path: str) -> Series:
    document = parse(raw, path)
    calendar, events = _only_activity(document)
    masters = [event for event in events if event.first(b"RECURRENCE-ID") is None]
    reader = Reader(Zones(calendar, zone), types)
    master = masters[0] if masters else events[0]
    series = Series(document, calendar, reader, master, reader.fields(master))
    start = master.first(b"DTSTART")
    series.floating = start is not None and reader.moment(start).floating
    if not masters:
        series.frozen = dict.fromkeys(
            (WHOLE, Key(Field.SKIP)), "these are single instances of a series that is not in this calendar"
        )
    _read_rule(series)
    _read_skips(series)
    for event in events:
        if event is not master:
            _read_override(series, event)
    return series


def _only_activity(document: Component) -> tuple[Component, list[Component]]:
    """The calendar and its events, which must all be one activity. Raises Unreadable."""
    calendars = list(document.components(b"VCALENDAR"))
    found = [(calendar, list(calendar.components(b"VEVENT"))) for calendar in calendars]
    found = [(calendar, events) for calendar, events in found if events]
    if not calendars:
        raise Unreadable("it is no iCalendar text", code="bad_calendar", cure="it must begin with BEGIN:VCALENDAR")
    if not found:
        raise Unreadable("there is no event in it", code="no_event", cure="only VEVENT is an activity")
    calendar, events = found[0]
    uids = {_uid(event) for event in events}
    masters = sum(event.first(b"RECURRENCE-ID") is None for event in events)
    if len(found) > 1 or len(uids) > 1 or masters > 1:
        raise Unreadable("there are several unrelated events in it", code="several_events", cure="datebook import FILE")
    return calendar, events


def _uid(event: Component) -> str:
    line = event.first(b"UID")
    return unescape(line.value.strip()) if line else ""


def _read_rule(series: Series) -> None:
    rules = list(series.master.lines(b"RRULE"))
    if next(series.master.lines(b"RDATE", b"EXRULE"), None):
        series.frozen[WHOLE] = "it has single added dates (RDATE) or an excluding rule (EXRULE)"
    if len(rules) > 1:
        series.frozen[WHOLE] = "it has several recurrence rules"
    if not rules:
        return
    try:
        series.rule = Rule.parse(rules[0].value)
    except ValueError as error:
        series.frozen[WHOLE] = f"its rule is not understood: {error}"
        return
    if not is_expandable(series.rule):
        series.frozen[WHOLE] = "its rule has parts that are not understood"
    text = str(series.rule)
    series.own[Field.REPEAT] = settled(text, series.when) if series.when else text


def _read_skips(series: Series) -> None:
    skips: set[Original] = set()
    for line in series.master.lines(b"EXDATE"):
        params, value = line.parts()
        for item in filter(None, value.split(",")):
            moment = series.reader.moment_of(params, item, "EXDATE")
            if names_instance(series, moment):
                skips.add(series.original(moment))
    if skips:
        series.own[Field.SKIP] = frozenset(skips)


def names_instance(series: Series, moment: Moment) -> bool:
    """Whether an EXDATE can be the start of an instance: at another time of the day it leaves nothing out."""
    when = series.when
    if not isinstance(when, Timed) or not isinstance(moment.value, datetime):
        return True
    if series.rule is None or series.rule.repeats_within_a_day:
        return True
    local = moment.value
    if moment.zone != when.zone:
        local = wall(start_of(Timed(local, moment.zone, when.length), moment.zone), when.zone)
    return local.time() == when.start.time()


def _read_override(series: Series, event: Component) -> None:
    line = event.first(b"RECURRENCE-ID")
    if line is None:
        return
    if "RANGE" in line.parts()[0]:
        raise Unreadable(
            "one of its changes is meant for an instance and all that follow (RANGE=THISANDFUTURE)",
            code="this_and_future",
            cure="end the series before that instance, and make a new one that begins there",
        )
    original = series.original(series.reader.moment(line))
    known = series.overrides.get(original)
    if known is not None and _sequence(known) > _sequence(event):
        return
    series.overrides[original] = event
    series.shown[original] = series.reader.fields(event)


def _sequence(event: Component) -> int:
    line = event.first(b"SEQUENCE")
    value = line.value.strip() if line else ""
    return int(value) if value.isdecimal() and len(value) < 10 else 0  # noqa: PLR2004  fits RFC 5545's integers


def day_of(original: Original) -> date:
    """The day of an original start."""
    return original.date() if isinstance(original, datetime) else original


def apply(view: View, patch: Mapping[Key, Value | None]) -> dict[Key, Value]:
    """A view with a patch applied."""
    merged = {key: value for key, value in view.items() if key not in patch}
    merged.update({key: value for key, value in patch.items() if value is not None})
    return merged
