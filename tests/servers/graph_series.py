"""On which days the occurrences of a series fall, from its patternedRecurrence, by the words of Microsoft's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from tests.servers.patterned_days import absolute, daily, monthly, relative, weekly, within, yearly

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_MOST = 2000


def days(recurrence: Mapping[str, Any]) -> Iterator[date]:
    """The days in order, within the range; an endless series ends after 2000 of them."""
    limits = recurrence["range"]
    first = date.fromisoformat(limits["startDate"])
    until = date.fromisoformat(limits["endDate"]) if limits["type"] == "endDate" else date.max
    most = limits["numberOfOccurrences"] if limits["type"] == "numbered" else _MOST
    return within(_unbounded(recurrence["pattern"], first), first, until, most)


def _unbounded(pattern: Mapping[str, Any], first: date) -> Iterator[date]:
    step = pattern["interval"]
    match pattern["type"]:
        case "daily":
            return daily(first, step)
        case "weekly":
            return weekly(_day_set(pattern), _DAYS.index(pattern["firstDayOfWeek"]), first, step)
        case "absoluteMonthly":
            return monthly(first, step, absolute(pattern["dayOfMonth"]))
        case "relativeMonthly":
            return monthly(first, step, relative(_day_set(pattern), _PLACES[pattern["index"]]))
        case "absoluteYearly":
            return yearly(pattern["month"], first, step, absolute(pattern["dayOfMonth"]))
        case "relativeYearly":
            return yearly(pattern["month"], first, step, relative(_day_set(pattern), _PLACES[pattern["index"]]))
    raise ValueError(pattern["type"])


def _day_set(pattern: Mapping[str, Any]) -> set[int]:
    return {_DAYS.index(day) for day in pattern["daysOfWeek"]}
