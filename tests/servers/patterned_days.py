"""The days of a recurrence pattern as Microsoft's pages define it, which EWS and Graph only spell differently."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date, timedelta
from itertools import count

Choose = Callable[[int, int], date]  # the day of a year's month


def within(days: Iterable[date], first: date, until: date, most: int) -> Iterator[date]:
    """Those of a pattern's days that its range holds."""
    number = 0
    for day in days:
        if day < first:
            continue
        number += 1
        if day > until or number > most:
            return
        yield day


def daily(first: date, step: int) -> Iterator[date]:
    return (first + timedelta(days=step * n) for n in count())


def weekly(wanted: Collection[int], begins: int, first: date, step: int) -> Iterator[date]:
    """Weekdays, of which Monday is 0, of every so many weeks, which begin on `begins`."""
    week = first - timedelta(days=(first.weekday() - begins) % 7)
    for n in count():
        for day in range(7):
            found = week + timedelta(weeks=step * n, days=day)
            if found.weekday() in wanted:
                yield found


def monthly(first: date, step: int, choose: Choose) -> Iterator[date]:
    for n in count():
        months = first.year * 12 + first.month - 1 + step * n
        yield choose(months // 12, months % 12 + 1)


def yearly(month: int, first: date, step: int, choose: Choose) -> Iterator[date]:
    return (choose(year, month) for year in count(first.year, step))


def absolute(wanted: int) -> Choose:
    """That day of a month, or its last where it is shorter."""
    return lambda year, month: date(year, month, min(wanted, monthrange(year, month)[1]))


def relative(wanted: Collection[int], place: int) -> Choose:
    """The weekday at that place in a month: 0 is the first, -1 the last."""

    def choose(year: int, month: int) -> date:
        days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
        return [day for day in days if day.weekday() in wanted][place]

    return choose
