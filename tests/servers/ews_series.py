"""When the occurrences of a series begin, worked out from its Recurrence element by the words of Microsoft's page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from lxml import etree

from tests.servers.ews_schema import T
from tests.servers.patterned_days import absolute, daily, monthly, relative, weekly, within, yearly

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
    days = within(_days(pattern, first), first, until, most)
    return (datetime.combine(day, clock, zone).astimezone(UTC) for day in days)


def _days(pattern: etree._Element, first: date) -> Iterator[date]:
    name = etree.QName(pattern).localname
    step = int(_text(pattern, "Interval", "1"))
    match name:
        case "DailyRecurrence":
            return daily(first, step)
        case "WeeklyRecurrence":
            begins = _DAYS.index(_text(pattern, "FirstDayOfWeek", "Sunday"))
            return weekly(_day_set(pattern), begins, first, step)
        case "AbsoluteMonthlyRecurrence":
            return monthly(first, step, absolute(_day_of_month(pattern)))
        case "RelativeMonthlyRecurrence":
            return monthly(first, step, relative(_day_set(pattern), _place(pattern)))
        case "AbsoluteYearlyRecurrence":
            return yearly(_month(pattern), first, 1, absolute(_day_of_month(pattern)))
        case "RelativeYearlyRecurrence":
            return yearly(_month(pattern), first, 1, relative(_day_set(pattern), _place(pattern)))
    raise ValueError(name)


def _month(pattern: etree._Element) -> int:
    return _MONTHS.index(_text(pattern, "Month")) + 1


def _day_of_month(pattern: etree._Element) -> int:
    return int(_text(pattern, "DayOfMonth"))


def _place(pattern: etree._Element) -> int:
    return _PLACES[_text(pattern, "DayOfWeekIndex")]


def _day_set(pattern: etree._Element) -> set[int]:
    words = _text(pattern, "DaysOfWeek").split()
    return {day for word in words for day in _SETS.get(word) or {_DAYS.index(word)}}


def _text(element: etree._Element, name: str, default: str = "") -> str:
    return element.findtext(f"{{{T}}}{name}") or default
