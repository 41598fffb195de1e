"""On which days the occurrences of a series fall, from its patternedRecurrence, by the words of Microsoft's page."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import count
from typing import Any

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_MOST = 2000


def days(recurrence: Mapping[str, Any]) -> Iterator[date]:
    """The days in order, within the range; an endless series ends after 2000 of them."""
    pattern, limits = recurrence["pattern"], recurrence["range"]
    first = date.fromisoformat(limits["startDate"])
    until = date.fromisoformat(limits["endDate"]) if limits["type"] == "endDate" else date.max
    most = limits["numberOfOccurrences"] if limits["type"] == "numbered" else _MOST
    number = 0
    for day in _unbounded(pattern, first):
        if day < first:
            continue
        number += 1
        if day > until or number > most:
            return
        yield day


def _unbounded(pattern: Mapping[str, Any], first: date) -> Iterator[date]:
    step = pattern["interval"]
    match pattern["type"]:
        case "daily":
            return (first + timedelta(days=step * n) for n in count())
        case "weekly":
            return _weekly(pattern, first, step)
        case "absoluteMonthly":
            return _monthly(first, step, _absolute(pattern))
        case "relativeMonthly":
            return _monthly(first, step, _relative(pattern))
        case "absoluteYearly":
            return _yearly(pattern, first, step, _absolute(pattern))
        case "relativeYearly":
            return _yearly(pattern, first, step, _relative(pattern))
    raise ValueError(pattern["type"])


def _weekly(pattern: Mapping[str, Any], first: date, step: int) -> Iterator[date]:
    wanted = {_DAYS.index(day) for day in pattern["daysOfWeek"]}
    week = first - timedelta(days=(first.weekday() - _DAYS.index(pattern["firstDayOfWeek"])) % 7)
    for n in count():
        for day in range(7):
            found = week + timedelta(weeks=step * n, days=day)
            if found.weekday() in wanted:
                yield found


def _monthly(first: date, step: int, choose: Callable[[int, int], date]) -> Iterator[date]:
    for n in count():
        months = first.year * 12 + first.month - 1 + step * n
        yield choose(months // 12, months % 12 + 1)


def _yearly(pattern: Mapping[str, Any], first: date, step: int, choose: Callable[[int, int], date]) -> Iterator[date]:
    return (choose(year, pattern["month"]) for year in count(first.year, step))


def _absolute(pattern: Mapping[str, Any]) -> Callable[[int, int], date]:
    return lambda year, month: date(year, month, min(pattern["dayOfMonth"], monthrange(year, month)[1]))


def _relative(pattern: Mapping[str, Any]) -> Callable[[int, int], date]:
    wanted = {_DAYS.index(day) for day in pattern["daysOfWeek"]}

    def choose(year: int, month: int) -> date:
        every = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
        return [day for day in every if day.weekday() in wanted][_PLACES[pattern["index"]]]

    return choose
