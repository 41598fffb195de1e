"""What the instances of a series inherit: in the activity file `changes` holds only the differences."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from adapters.activity.activity_values import HOUR
from daemon.core.model import AllDay, Field, Key, Original, Timed, Value, View, When

ALL_DAY = "none"  # a `due_time` inside `changes` that makes one instance of a timed series all-day


class Span(NamedTuple):
    """What an instance's time keys count from: the original day, and what the series says of the rest."""

    day: date
    time: datetime | None  # only its time of day counts; None: all-day
    length: timedelta | None  # None: the default
    days: int | None
    zone: str


def span_of(original: Original, master: When | None, zone: str) -> Span:
    """What an instance has when its entry in `changes` says nothing about the time."""
    day = original.date() if isinstance(original, datetime) else original
    moment = original if isinstance(original, datetime) else None
    match master:
        case Timed():
            return Span(day, moment or master.start, master.length, None, master.zone)
        case AllDay():
            return Span(day, moment, None, master.days, zone)
        case None:
            return Span(day, moment, None, None, zone)


def when_of_span(span: Span) -> When:
    """The time of an instance that says nothing about it."""
    if span.time is None:
        return AllDay(span.day, span.days or 1)
    return Timed(datetime.combine(span.day, span.time.time()), span.zone, span.length or HOUR)


def inherited(key: Key, view: View, zone: str) -> Value | None:
    """What an instance has under a key of which its entry in `changes` says nothing."""
    assert key.instance is not None  # noqa: S101  only instances inherit
    if key.field is Field.WHEN:
        master = view.get(Key(Field.WHEN))
        assert master is None or isinstance(master, Timed | AllDay)  # noqa: S101  the key decides the type
        return when_of_span(span_of(key.instance, master, zone))
    return view.get(Key(key.field))


_MANY_A_DAY = ("FREQ=HOURLY", "FREQ=MINUTELY", "FREQ=SECONDLY")


def is_many_a_day(rule: str) -> bool:
    """Whether a rule can have several instances on one day, so that a date does not name one."""
    parts = rule.upper().split(";")
    return any(p in _MANY_A_DAY or (p.startswith(("BYHOUR=", "BYMINUTE=", "BYSECOND=")) and "," in p) for p in parts)


def named_by(original: Original, *, by_time: bool) -> Original:
    """The one name of an instance: its date, save in a series with several instances a day."""
    return original.date() if isinstance(original, datetime) and not by_time else original
