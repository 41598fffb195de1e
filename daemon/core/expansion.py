"""When a recurrence rule fires, in wall-clock time (RFC 5545 section 3.3.10), forwards and backwards.

Every walk has a budget of work: a rule that never fires again (30 February), or fires a billion times,
ends in `TooMuchWork` and not in a daemon that hangs.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import NamedTuple

from daemon.core.rules import SUB_DAILY, Freq, Rule

BUDGET = 100_000  # days or times looked at in one walk: about 0.1 s


class TooMuchWork(Exception):
    """The walk was given up; what it would have found lies beyond any calendar."""


class Walk:
    """The budget of one walk."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget

    def spend(self, amount: int = 1) -> None:
        """Count work. Raises TooMuchWork when the budget is gone."""
        self._left -= amount
        if self._left < 0:
            raise TooMuchWork


def is_expandable(rule: Rule) -> bool:
    """Whether every part of the rule is understood here (BYSETPOS within an hour and unknown parts are not)."""
    return not rule.others and not (rule.bysetpos and rule.freq in SUB_DAILY)


def forwards(rule: Rule, start: datetime, walk: Walk, *, since: date | None = None) -> Iterator[datetime]:
    """Instances from `start` on, or from the day `since` where the rule has no COUNT; UNTIL is not looked at."""
    first = 0
    if since is not None and rule.count is None and since > start.date():
        first = _period_of(rule, start, since)
    period = max(0, first)
    left = rule.count
    while left is None or left > 0:
        for moment in _period(rule, start, period, walk):
            if moment < start or (since is not None and rule.count is None and moment.date() < since):
                continue
            yield moment
            if left is not None:
                left -= 1
                if left == 0:
                    return
        period += 1


def backwards(rule: Rule, start: datetime, end: datetime, walk: Walk) -> Iterator[datetime]:
    """Instances from the last one not after `end` back to `start`; COUNT is not looked at."""
    for period in range(_period_of(rule, start, end.date()), -1, -1):
        found = [moment for moment in _period(rule, start, period, walk) if start <= moment <= end]
        yield from reversed(found)


def last_of_count(rule: Rule, start: datetime) -> datetime | None:
    """The last instance of a rule with COUNT by arithmetic; None where it must be walked. Raises TooMuchWork."""
    unit = _UNITS.get(rule.freq)
    plain = not (rule.bymonth or rule.byweekno or rule.byyearday or rule.bymonthday or rule.bysetpos)
    plain = plain and not (rule.byhour or rule.byminute or rule.bysecond)
    own_day = not rule.byday or (rule.freq is Freq.WEEKLY and rule.byday == ((0, start.weekday()),))
    if rule.count is None or unit is None or not plain or not own_day:
        return None
    try:
        return start + unit * rule.interval * (rule.count - 1)
    except OverflowError:
        raise TooMuchWork from None


_UNITS: Mapping[Freq, timedelta] = MappingProxyType(
    {
        Freq.SECONDLY: timedelta(seconds=1),
        Freq.MINUTELY: timedelta(minutes=1),
        Freq.HOURLY: timedelta(hours=1),
        Freq.DAILY: timedelta(days=1),
        Freq.WEEKLY: timedelta(weeks=1),
    }
)


def _period_of(rule: Rule, start: datetime, day: date) -> int:
    """The number of the period that holds `day`, or of the last one before it."""
    if rule.freq is Freq.YEARLY:
        return (day.year - start.year) // rule.interval
    if rule.freq is Freq.MONTHLY:
        return ((day.year - start.year) * 12 + day.month - start.month) // rule.interval
    if rule.freq is Freq.WEEKLY:
        return (day - _week_start(start.date(), rule)).days // (7 * rule.interval)
    days = (day - start.date()).days
    return days if rule.freq in SUB_DAILY else days // rule.interval


def _week_start(day: date, rule: Rule) -> date:
    return date.fromordinal(max(1, day.toordinal() - (day.weekday() - rule.wkst) % 7))


def _period(rule: Rule, start: datetime, number: int, walk: Walk) -> Iterator[datetime]:
    """The instances in one period, in order: a year, a month, a week or a day."""
    walk.spend()
    try:
        days = [day for day in _DAYS[rule.freq](rule, start.date(), number) if _fits(rule, day, walk)]
    except (ValueError, OverflowError):
        raise TooMuchWork from None  # beyond year 9999
    if rule.freq in SUB_DAILY:
        for day in days:
            yield from _within_a_day(rule, start, day, walk)
        return
    if not rule.bysetpos:
        for day in days:
            for moment in _times(rule, start):
                walk.spend()
                yield datetime.combine(day, moment)
        return
    yield from _at_positions(rule, start, days, walk)


def _at_positions(rule: Rule, start: datetime, days: list[date], walk: Walk) -> Iterator[datetime]:
    times = list(_times(rule, start))
    walk.spend(len(rule.bysetpos) + len(times))
    size = len(days) * len(times)
    chosen = {position - 1 if position > 0 else size + position for position in rule.bysetpos}
    for index in sorted(index for index in chosen if 0 <= index < size):
        yield datetime.combine(days[index // len(times)], times[index % len(times)])


def _times(rule: Rule, start: datetime) -> Iterator[time]:
    for hour in rule.byhour or (start.hour,):
        for minute in rule.byminute or (start.minute,):
            for second in rule.bysecond or (start.second,):
                yield time(hour, minute, min(second, 59))


def _within_a_day(rule: Rule, start: datetime, day: date, walk: Walk) -> Iterator[datetime]:
    """The instances of an hourly, minutely or secondly rule on one day, in wall-clock steps from the start."""
    step = int(_UNITS[rule.freq].total_seconds()) * rule.interval
    midnight = datetime.combine(day, time())
    offset = int((midnight - start.replace(microsecond=0)).total_seconds())
    second = -offset % step
    while second < 86_400:  # noqa: PLR2004  seconds of a day
        walk.spend()
        moment = midnight + timedelta(seconds=second)
        if _time_fits(rule, moment):
            yield from _finer(rule, moment, walk)
        second += step


def _time_fits(rule: Rule, moment: datetime) -> bool:
    """BYHOUR, BYMINUTE and BYSECOND where they limit; finer ones than the frequency expand instead."""
    if rule.byhour and moment.hour not in rule.byhour:
        return False
    if rule.freq is not Freq.HOURLY and rule.byminute and moment.minute not in rule.byminute:
        return False
    return rule.freq is not Freq.SECONDLY or not rule.bysecond or moment.second in rule.bysecond


def _finer(rule: Rule, moment: datetime, walk: Walk) -> Iterator[datetime]:
    minutes = (rule.byminute if rule.freq is Freq.HOURLY else ()) or (moment.minute,)
    seconds = (rule.bysecond if rule.freq is not Freq.SECONDLY else ()) or (moment.second,)
    for minute in minutes:
        for second in seconds:
            walk.spend()
            yield moment.replace(minute=minute, second=min(second, 59))


def _days_of_year(rule: Rule, start: date, number: int) -> Iterator[date]:
    year = start.year + number * rule.interval
    free = not (rule.byweekno or rule.byyearday or rule.bymonthday or rule.byday)
    months = rule.bymonth or ((start.month,) if free else range(1, 13))
    for month in months:
        yield from _of_month(rule, start, year, month, free=free)


def _days_of_month(rule: Rule, start: date, number: int) -> Iterator[date]:
    year, month = divmod(start.year * 12 + start.month - 1 + number * rule.interval, 12)
    free = not (rule.byweekno or rule.byyearday or rule.bymonthday or rule.byday)
    return _of_month(rule, start, year, month + 1, free=free)


def _of_month(rule: Rule, start: date, year: int, month: int, *, free: bool) -> Iterator[date]:
    size = calendar.monthrange(year, month)[1]
    days: Iterator[int] | list[int] | range = range(1, size + 1)
    if free:
        days = [start.day]
    elif rule.bymonthday:
        days = sorted({day if day > 0 else size + 1 + day for day in rule.bymonthday})
    return (date(year, month, day) for day in days if 1 <= day <= size)


def _days_of_week(rule: Rule, start: date, number: int) -> Iterator[date]:
    free = not (rule.byweekno or rule.byyearday or rule.bymonthday or rule.byday)
    first = _week_start(start, rule) + timedelta(weeks=number * rule.interval)
    days = (first + timedelta(days=offset) for offset in range(7))
    return (day for day in days if day.weekday() == start.weekday()) if free else days


def _day(rule: Rule, start: date, number: int) -> Iterator[date]:
    return iter((start + timedelta(days=number * (1 if rule.freq in SUB_DAILY else rule.interval)),))


_DAYS: Mapping[Freq, Callable[[Rule, date, int], Iterator[date]]] = MappingProxyType(
    {
        Freq.YEARLY: _days_of_year,
        Freq.MONTHLY: _days_of_month,
        Freq.WEEKLY: _days_of_week,
        Freq.DAILY: _day,
        Freq.HOURLY: _day,
        Freq.MINUTELY: _day,
        Freq.SECONDLY: _day,
    }
)


class _Place(NamedTuple):
    """Where a day stands in its month or year, counted from both ends."""

    day: int
    size: int


def _fits(rule: Rule, day: date, walk: Walk) -> bool:
    walk.spend()
    if rule.bymonth and day.month not in rule.bymonth:
        return False
    if rule.byday and not _weekday_fits(rule, day):
        return False
    if rule.bymonthday and not _counted(rule.bymonthday, _in_month(day)):
        return False
    if rule.byyearday and not _counted(rule.byyearday, _in_year(day)):
        return False
    return not rule.byweekno or _week_fits(rule, day)


def _counted(wanted: tuple[int, ...], place: _Place) -> bool:
    return place.day in wanted or place.day - place.size - 1 in wanted


def _in_month(day: date) -> _Place:
    return _Place(day.day, calendar.monthrange(day.year, day.month)[1])


def _in_year(day: date) -> _Place:
    return _Place(day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365)


def _weekday_fits(rule: Rule, day: date) -> bool:
    weekday = day.weekday()
    numbered = rule.freq in {Freq.MONTHLY, Freq.YEARLY} and not rule.byweekno
    for nth, wanted in rule.byday:
        if wanted != weekday:
            continue
        if nth == 0 or not numbered:
            return True
        by_month = rule.freq is Freq.MONTHLY or rule.bymonth
        place = _in_month(day) if by_month else _in_year(day)
        if nth == (place.day - 1) // 7 + 1 or -nth == (place.size - place.day) // 7 + 1:
            return True
    return False


def _week_fits(rule: Rule, day: date) -> bool:
    """BYWEEKNO: week 1 is the first with four days in the year (ISO 8601, with any first day of the week)."""
    thursday = _week_start(day, rule) + timedelta(days=3)
    number = (thursday.timetuple().tm_yday - 1) // 7 + 1
    last_day = date(thursday.year, 12, 31)
    final = _week_start(last_day, rule) + timedelta(days=3)
    weeks = (
        min(final, final if final.year == thursday.year else final - timedelta(7)).timetuple().tm_yday - 1
    ) // 7 + 1
    return number in rule.byweekno or number - weeks - 1 in rule.byweekno
