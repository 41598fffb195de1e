"""When the occurrences of a series begin, worked out from its Recurrence element by the words of Microsoft's page."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from lxml import etree

from tests.servers.ews_schema import T

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SETS = {"Day": set(range(7)), "Weekday": set(range(5)), "WeekendDay": {5, 6}}
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905  twelve names are easier to read as a sentence
)
_PLACES = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
_FOREVER = date(2100, 1, 1)


def starts(recurrence: etree._Element, start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The starts in UTC, in order; the time of day is that of `start` in the zone of the series."""
    pattern, boundary = recurrence[0], recurrence[1]
    first = date.fromisoformat(_text(boundary, "StartDate")[:10])
    until = date.fromisoformat(_text(boundary, "EndDate", str(_FOREVER))[:10])
    most = int(_text(boundary, "NumberOfOccurrences", "100000"))
    clock = start.astimezone(zone).time()
    number = 0
    for day in _days(pattern, first):
        if day < first:
            continue
        number += 1
        if day > until or number > most:
            return
        yield datetime.combine(day, clock, zone).astimezone(UTC)


def _days(pattern: etree._Element, first: date) -> Iterator[date]:
    name = etree.QName(pattern).localname
    step = int(_text(pattern, "Interval", "1"))
    match name:
        case "DailyRecurrence":
            return (first + timedelta(days=step * n) for n in count())
        case "WeeklyRecurrence":
            return _weekly(pattern, first, step)
        case "AbsoluteMonthlyRecurrence":
            return _monthly(first, step, _absolute(pattern))
        case "RelativeMonthlyRecurrence":
            return _monthly(first, step, _relative(pattern))
        case "AbsoluteYearlyRecurrence":
            return _yearly(pattern, first, _absolute(pattern))
        case "RelativeYearlyRecurrence":
            return _yearly(pattern, first, _relative(pattern))
    raise ValueError(name)


def _weekly(pattern: etree._Element, first: date, step: int) -> Iterator[date]:
    wanted = _day_set(pattern)
    begins = _DAYS.index(_text(pattern, "FirstDayOfWeek", "Sunday"))
    week = first - timedelta(days=(first.weekday() - begins) % 7)
    for n in count():
        for day in range(7):
            found = week + timedelta(weeks=step * n, days=day)
            if found.weekday() in wanted:
                yield found


def _monthly(first: date, step: int, choose: Callable[[int, int], date]) -> Iterator[date]:
    for n in count():
        months = first.year * 12 + first.month - 1 + step * n
        yield choose(months // 12, months % 12 + 1)


def _yearly(pattern: etree._Element, first: date, choose: Callable[[int, int], date]) -> Iterator[date]:
    month = _MONTHS.index(_text(pattern, "Month")) + 1
    return (choose(year, month) for year in count(first.year))


def _absolute(pattern: etree._Element) -> Callable[[int, int], date]:
    wanted = int(_text(pattern, "DayOfMonth"))
    return lambda year, month: date(year, month, min(wanted, monthrange(year, month)[1]))


def _relative(pattern: etree._Element) -> Callable[[int, int], date]:
    wanted, place = _day_set(pattern), _PLACES[_text(pattern, "DayOfWeekIndex")]

    def choose(year: int, month: int) -> date:
        days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
        return [day for day in days if day.weekday() in wanted][place]

    return choose


def _day_set(pattern: etree._Element) -> set[int]:
    words = _text(pattern, "DaysOfWeek").split()
    return {day for word in words for day in _SETS.get(word) or {_DAYS.index(word)}}


def _text(element: etree._Element, name: str, default: str = "") -> str:
    return element.findtext(f"{{{T}}}{name}") or default
