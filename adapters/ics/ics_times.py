"""Writes spans, rules and original starts in the form that a series has: date, UTC, floating, or its own TZID."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from adapters.ics.content_lines import Component, Line, ending_of, line, params_of
from adapters.ics.ics_fields import Moment, Reader
from adapters.ics.ics_lines import add, drop, put, remove
from adapters.ics.ics_series import Series, names_instance
from adapters.ics.ics_values import parse_duration, write_date, write_duration, write_moment
from adapters.ics.vtimezone import vtimezone
from daemon.core.model import AllDay, Original, Timed, When
from daemon.core.recurrence import settled, until_instant
from daemon.core.rules import Rule
from daemon.core.times import shifted, start_of, wall_end, zone_of
from daemon.core.zone_names import current_name

UTC_NAME = "UTC"


@dataclass(frozen=True, slots=True)
class Form:
    """How the moments of a series are written: parameters, whether in UTC, whether as dates."""

    params: str = ""
    utc: bool = False
    dates: bool = False
    zone: str = ""  # the zone that its TZID names, where it is a fresh one

    def text(self, moment: datetime) -> str:
        """A wall-clock moment of the series."""
        if self.dates:
            return write_date(moment)
        return write_moment(moment) + ("Z" if self.utc else "")


def fresh_form(when: When, floating: str) -> Form:
    """The form of a span that is not written yet; of times in the zone `floating` without a zone."""
    if isinstance(when, AllDay):
        return Form(";VALUE=DATE", dates=True)
    if when.zone == floating:
        return Form()
    if current_name(when.zone) == current_name(UTC_NAME):  # under any of its names: iCalendar has a form for it
        return Form(utc=True)
    return Form(f";TZID={_param(when.zone)}", zone=when.zone)


def fresh_lines(when: When, form: Form) -> list[str]:
    """DTSTART and the end of an event that has none yet."""
    lines = [f"DTSTART{form.params}:{form.text(_start(when))}"]
    at, length = _end(when), timedelta(days=when.days) if isinstance(when, AllDay) else when.length
    if at.fold:
        lines.append(f"DURATION:{write_duration(length)}")
    elif length != (timedelta(days=1) if isinstance(when, AllDay) else timedelta()):
        lines.append(f"DTEND{form.params}:{form.text(at)}")
    return lines


@dataclass(slots=True)
class TimeWriter:
    """Writes into one calendar object; a TZID that comes in brings its VTIMEZONE along."""

    calendar: Component
    reader: Reader
    year: int

    def form(self, when: When, old: Line | None, *, floating: bool = False) -> Form:
        """The form for a span, as near as can be to what the line said before."""
        known = self.reader.moment(old) if old is not None and isinstance(when, Timed) else None
        if known is not None:
            floating = known.floating
        form = fresh_form(when, self.reader.zones.default if floating else "")
        if form.zone and old is not None and known is not None and known.zone == form.zone and not known.floating:
            tzid = params_of(old.head).get("TZID", "")
            if tzid:
                return Form(f";TZID={_param(tzid)}")
        if form.zone:
            self._define(form.zone)
        return form

    def _define(self, zone: str) -> None:
        if zone_of(zone) is None or self.reader.zones.defines(zone):
            return
        definition = Component(b"VTIMEZONE", vtimezone(zone, self.year).replace(b"\r\n", ending_of(self.calendar)))
        body = self.calendar.body
        at = next((i for i, each in enumerate(body) if isinstance(each, Component)), len(body))
        body.insert(at, definition)
        self.reader.zones.add(zone)

    def put_when(self, event: Component, when: When | None, *, floating: bool = False) -> Form:
        """Write DTSTART and the end; None: take them away."""
        start = event.first(b"DTSTART")
        if when is None:
            drop(event, b"DTSTART", b"DTEND", b"DURATION")
            return Form()
        form = self.form(when, start, floating=floating)
        known = self.reader.moment(start) if start is not None else None
        if known is None or not _says(known, when) or start is None or _is_other_form(start, form):
            put(event, "DTSTART", f"DTSTART{form.params}:{form.text(_start(when))}")
        self._put_end(event, when, form)
        return form

    def _put_end(self, event: Component, when: When, form: Form) -> None:
        end, duration = event.first(b"DTEND"), event.first(b"DURATION")
        length = timedelta(days=when.days) if isinstance(when, AllDay) else when.length
        if end is None and duration is not None and parse_duration(duration.value) == length:
            return
        at = _end(when)
        if (end is None and duration is not None) or at.fold:
            drop(event, b"DTEND")
            self._put_behind(event, "DURATION", f"DURATION:{write_duration(length)}")
            return
        drop(event, b"DURATION")
        if end is None and length == (timedelta(days=1) if isinstance(when, AllDay) else timedelta()):
            return
        self._put_behind(event, "DTEND", f"DTEND{form.params}:{form.text(at)}")

    def _put_behind(self, event: Component, name: str, content: str) -> None:
        if event.first(name.encode()) is not None:
            put(event, name, content)
        else:
            add(event, line(content, ending_of(event)), event.first(b"DTSTART"))


def put_rule(event: Component, text: str, when: When | None, form: Form) -> None:
    """Write RRULE; a rule that says the same already stays as it is. "": take it away."""
    existing = event.first(b"RRULE")
    if not text:
        drop(event, b"RRULE")
        return
    rule = Rule.parse(text)
    if existing is not None and when is not None and _rule_says(existing, when, form) == settled(str(rule), when):
        return
    put(event, "RRULE", f"RRULE:{rule_text(rule, when, form)}")


def _rule_says(existing: Line, when: When, form: Form) -> str:
    """The rule that stands there, "" where its UNTIL has another type than the start (RFC 5545 section 3.3.10)."""
    try:
        rule = Rule.parse(existing.value)
    except ValueError:
        return ""
    if rule.until is not None:
        is_time = isinstance(rule.until, datetime)
        is_utc = isinstance(rule.until, datetime) and rule.until.tzinfo is not None
        if is_time == form.dates or (is_time and is_utc == (not form.params and not form.utc)):
            return ""
    return settled(str(rule), when)


def rule_text(rule: Rule, when: When | None, form: Form) -> str:
    """RRULE's value, with UNTIL in the form that its series needs."""
    until = rule.until
    if until is None or when is None:
        return str(rule)
    if form.dates or isinstance(when, AllDay):
        return str(rule.ending(until.date() if isinstance(until, datetime) else until))
    if not form.params and not form.utc:  # floating
        if not isinstance(until, datetime):
            until = datetime.combine(until, time(23, 59, 59) if rule.repeats_within_a_day else when.start.time())
        return str(rule.ending(until))
    return str(rule.ending(until_instant(rule, when)))


def original_moment(original: Original, when: When | None) -> datetime:
    """The wall-clock start that an original names."""
    if isinstance(original, datetime):
        return original
    return datetime.combine(original, when.start.time() if isinstance(when, Timed) else time())


def original_text(original: Original, when: When | None, form: Form) -> str:
    """An original start in the form of its series."""
    return form.text(original_moment(original, when))


def put_skips(series: Series, wanted: frozenset[Original], when: When | None, form: Form) -> None:
    """Write EXDATE: dates that stay keep their lines. In another form than before all are written anew."""
    event = series.master
    fresh = set(wanted)
    for each in list(event.lines(b"EXDATE")):
        params, value = each.parts()
        kept = []
        for item in filter(None, value.split(",")):
            moment = series.reader.moment_of(params, item, "EXDATE")
            original = series.original(moment)
            if not names_instance(series, moment):
                kept.append(item)
            elif original in wanted:
                kept.append(item)
                fresh.discard(original)
        if not kept:
            remove(event, [each])
        elif ",".join(kept) != value:
            event.body[event.body.index(each)] = line(f"{each.head}:{','.join(kept)}", ending_of(event))
    _add_skips(event, fresh, when, form)


def rewrite_skips(series: Series, wanted: Iterable[Original], when: When | None, form: Form) -> None:
    """Write EXDATE anew, after the series moved. What takes out an RDATE stays with it: that has not moved."""
    event = series.master
    added = {_instant(moment) for moment in series.added()}
    fresh = set(wanted)
    for each in list(event.lines(b"EXDATE")):
        params, value = each.parts()
        moments = [(item, series.reader.moment_of(params, item, "EXDATE")) for item in filter(None, value.split(","))]
        kept = [(item, moment) for item, moment in moments if _instant(moment) in added]
        fresh -= {series.original(moment) for _, moment in kept if names_instance(series, moment)}
        if not kept:
            remove(event, [each])
        elif len(kept) != len(moments):
            text = f"{each.head}:{','.join(item for item, _ in kept)}"
            event.body[event.body.index(each)] = line(text, ending_of(event))
    _add_skips(event, fresh, when, form)


def _instant(moment: Moment) -> date | datetime:
    if not isinstance(moment.value, datetime):
        return moment.value
    return start_of(Timed(moment.value, moment.zone, timedelta()), moment.zone)


def _add_skips(event: Component, fresh: Iterable[Original], when: When | None, form: Form) -> None:
    texts = sorted({original_text(original, when, form) for original in fresh})
    if not texts:
        return
    last = next(reversed(list(event.lines(b"EXDATE", b"RRULE", b"DTEND", b"DTSTART"))), None)
    add(event, line(f"EXDATE{form.params}:{','.join(texts)}", ending_of(event)), last)


def _start(when: When) -> datetime:
    return datetime.combine(when.first, time()) if isinstance(when, AllDay) else when.start


def _end(when: When) -> datetime:
    if isinstance(when, AllDay):
        return shifted(datetime.combine(when.first, time()), timedelta(days=when.days))
    return wall_end(when)


def _says(known: Moment, when: When) -> bool:
    if isinstance(when, AllDay):
        return known.value == when.first
    return known.value == when.start and known.zone == when.zone


def _is_other_form(start: Line, form: Form) -> bool:
    """A date-time that is floating, in UTC or in a zone must stay what the form says."""
    params, value = start.parts()
    if form.dates:
        return "T" in value.upper()
    return bool(form.params) != ("TZID" in params) or form.utc != value.strip().upper().endswith("Z")


def _param(value: str) -> str:
    return f'"{value}"' if any(character in value for character in ';:,"') else value
