"""Spans and series in time: instants, lengths over a change of the clocks, instances, and when it is over.

Time zones are IANA names; the rules of a name are taken as a function of it. `now` is always an argument.
An all-day span lies in no zone: where an instant is asked for, `zone` says whose midnight is meant.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from daemon.core.expansion import TooMuchWork, Walk, backwards, forwards, is_expandable, last_of_count
from daemon.core.model import Activity, AllDay, Field, Original, Status, Timed, View, When, text_of, when_of
from daemon.core.rules import Rule

DEFAULT_LENGTH = timedelta(hours=1)
DEFAULT_DAYS = 1

FAR = datetime(9999, 12, 30, tzinfo=UTC)  # an instant that can still be shown in every zone
LONG_AGO = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One instance of a series, or an activity that is none: its original start and its span."""

    original: Original
    when: When


def default_when(day: date, at: time | None, zone: str) -> When:
    """The span of an activity that says only when it begins: an hour, or a whole day."""
    return AllDay(day, DEFAULT_DAYS) if at is None else Timed(datetime.combine(day, at), zone, DEFAULT_LENGTH)


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo | None:
    """The rules of an IANA zone; None: there is no such zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def zone_info(name: str) -> ZoneInfo:
    """The rules of an IANA zone. Raises ValueError for a name that is none."""
    zone = zone_of(name)
    if zone is None:
        raise ValueError(f"'{name[:60]}' is no time zone; write one such as Europe/Helsinki")
    return zone


def instant(wall: datetime, zone: str) -> datetime:
    """The instant (UTC) of a wall-clock time; one that the clocks skip counts by the offset before the jump."""
    offset = wall.replace(tzinfo=zone_info(zone)).utcoffset() or timedelta()
    try:
        return (wall - offset).replace(tzinfo=UTC)
    except OverflowError:
        return FAR if wall.year > 2000 else LONG_AGO  # noqa: PLR2004  one end of the calendar or the other


def wall(moment: datetime, zone: str) -> datetime:
    """The wall-clock time (naive) of an instant."""
    try:
        return moment.astimezone(zone_info(zone)).replace(tzinfo=None)
    except OverflowError:
        return moment.replace(tzinfo=None)


def elapsed(start: datetime, end: datetime, zone: str, end_zone: str = "") -> timedelta:
    """How long it is from one wall-clock time to another, over a change of the clocks too."""
    return instant(end, end_zone or zone) - instant(start, zone)


def shifted(moment: datetime, by: timedelta) -> datetime:
    """`moment + by`, held within the calendar."""
    try:
        return moment + by
    except OverflowError:
        return (FAR if by > timedelta() else LONG_AGO).replace(tzinfo=moment.tzinfo)


def start_of(when: When, zone: str) -> datetime:
    """The instant (UTC) at which it begins."""
    if isinstance(when, AllDay):
        return instant(datetime.combine(when.first, time()), zone)
    return instant(when.start, when.zone)


def end_of(when: When, zone: str) -> datetime:
    """The instant (UTC) at which it is over: of whole days, the midnight after the last."""
    if isinstance(when, AllDay):
        return instant(shifted(datetime.combine(when.first, time()), timedelta(days=when.days)), zone)
    return shifted(instant(when.start, when.zone), when.length)


def wall_end(when: Timed) -> datetime:
    """The wall-clock time (naive) at which it is over, in its own zone."""
    return wall(end_of(when, when.zone), when.zone)


def first_day(when: When) -> date:
    """The day on which it begins, in its own zone."""
    return when.first if isinstance(when, AllDay) else when.start.date()


def rule_in(view: View) -> Rule | None:
    """The rule of a series; None: it is no series, or its rule is not understood."""
    text = text_of(view, Field.REPEAT)
    if not text:
        return None
    try:
        return Rule.parse(text)
    except ValueError:
        return None


def original_of(when: When, rule: Rule | None, at: datetime) -> Original:
    """The name of the instance that naturally begins at this wall-clock time.

    A date, unless the rule can fire more than once a day.
    """
    return at if rule and rule.repeats_within_a_day and isinstance(when, Timed) else at.date()


def natural(when: When, original: Original) -> When:
    """The span that an instance has where nothing moved it: that of its series, on its own original start."""
    if isinstance(when, AllDay):
        return replace(when, first=original.date() if isinstance(original, datetime) else original)
    if isinstance(original, datetime):
        return replace(when, start=original)
    return replace(when, start=datetime.combine(original, when.start.time()))


def wall_start(when: When) -> datetime:
    """The wall-clock time at which it begins: of whole days, midnight."""
    return when.start if isinstance(when, Timed) else datetime.combine(when.first, time())


def _moved(view: View) -> dict[Original, When | None]:
    """The instances that have a span of their own, or none: they are cancelled or left out."""
    moved: dict[Original, When | None] = {}
    for key, value in view.items():
        if key.instance is None:
            if key.field is Field.SKIP and isinstance(value, frozenset):
                moved.update({original: None for original in value if isinstance(original, date)})
        elif key.field is Field.WHEN and isinstance(value, Timed | AllDay):
            moved.setdefault(key.instance, value)
    for key, value in view.items():
        if key.instance is not None and key.field is Field.STATUS and value is Status.CANCELLED:
            moved[key.instance] = None
    return moved


def bound_of(rule: Rule, when: When) -> datetime | None:
    """UNTIL as a wall-clock bound of the series, inclusive."""
    until = rule.until
    if until is None:
        return None
    if not isinstance(until, datetime):
        return datetime.combine(until, time.max)
    if isinstance(when, AllDay):
        return datetime.combine(until.date(), time.max)
    return until if until.tzinfo is None else wall(until, when.zone)


def last_end(view: View, *, zone: str) -> datetime | None:
    """The instant (UTC) at which the activity, or the last instance of the series, is over.

    None: never (an endless series, or one that no calendar sees the end of), or it is unscheduled.
    """
    when = when_of(view)
    if when is None:
        return None
    if not text_of(view, Field.REPEAT):
        own = _moved(view)
        return max([end_of(when, zone), *(end_of(span, zone) for span in own.values() if span)])
    rule = rule_in(view)
    if rule is None or rule.is_endless or not is_expandable(rule):
        return None
    try:
        return _last_end(view, when, rule, zone)
    except TooMuchWork:
        return None


def _last_end(view: View, when: When, rule: Rule, zone: str) -> datetime:
    moved = _moved(view)
    ends = [end_of(span, zone) for span in moved.values() if span]
    for moment in _from_the_last(rule, wall_start(when), bound_of(rule, when)):
        original = original_of(when, rule, moment)
        if original not in moved:
            ends.append(end_of(natural(when, original), zone))
            break
    return max(ends, default=start_of(when, zone))


def _from_the_last(rule: Rule, start: datetime, until: datetime | None) -> Iterator[datetime]:
    walk = Walk()
    if until is not None:
        return backwards(rule, start, until, walk)
    last = last_of_count(rule, start)
    if last is not None:
        return backwards(rule, start, last, walk)
    return reversed(list(forwards(rule, start, walk)))


def is_over(view: View, now: datetime, zone: str) -> bool:
    """Whether nothing of it is left: the activity, or every instance of the series, has ended."""
    end = last_end(view, zone=zone)
    return end is not None and end <= now


def has_ended(activity: Activity, now: datetime, zone: str) -> bool:
    """The same of an activity, whose side may know of dates that its view doesn't tell of."""
    return is_over(activity.view, now, zone) and (activity.lasts is None or activity.lasts <= now)


def occurrences(
    view: View, *, zone: str, since: datetime | None = None, until: datetime | None = None
) -> Iterator[Occurrence]:
    """The instances that end after `since` and begin before `until` (instants), by their start.

    What is left out or cancelled is not among them. The walk is bounded: it stops quietly where a rule
    asks for more work than any calendar would do.
    """
    when = when_of(view)
    if when is None:
        return
    moved = _moved(view)
    own = (Occurrence(original, span) for original, span in moved.items() if span)
    try:
        for each in heapq.merge(
            _natural_ones(view, when, moved, zone, since),
            sorted(own, key=lambda each: start_of(each.when, zone)),
            key=lambda each: start_of(each.when, zone),
        ):
            if until is not None and start_of(each.when, zone) >= until:
                return
            if since is None or end_of(each.when, zone) > since:
                yield each
    except TooMuchWork:
        return


def _natural_ones(
    view: View, when: When, moved: Mapping[Original, When | None], zone: str, since: datetime | None
) -> Iterator[Occurrence]:
    start = wall_start(when)
    rule = rule_in(view)
    if rule is None or not is_expandable(rule):
        original = original_of(when, rule, start)
        if original not in moved:
            yield Occurrence(original, when)
        return
    bound = bound_of(rule, when)
    for moment in forwards(rule, start, Walk(), since=_day_before(when, since, zone)):
        if bound is not None and moment > bound:
            return
        original = original_of(when, rule, moment)
        if original not in moved:
            yield Occurrence(original, natural(when, original))


def _day_before(when: When, since: datetime | None, zone: str) -> date | None:
    """A day on which no instance begins that is over by `since`, nor any before it."""
    if since is None:
        return None
    length = timedelta(days=when.days) if isinstance(when, AllDay) else when.length
    local = wall(since, when.zone if isinstance(when, Timed) else zone)
    return shifted(local, -length - timedelta(days=2)).date()


def next_occurrence(view: View, now: datetime, zone: str) -> Occurrence | None:
    """The first instance that is not over; None: there is none."""
    return next(occurrences(view, zone=zone, since=now), None)
