"""The Recurrence element of EWS, both ways (types.xsd, RecurrenceType)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TypeVar

from lxml import etree

from adapters.outlook.recurrence_pattern import WEEK, Kind, Pattern, Recurrence

T = "{http://schemas.microsoft.com/exchange/services/2006/types}"

_V = TypeVar("_V")
Element = etree._Element  # noqa: SLF001  lxml gives its element type no public name

_WEEK_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY_SETS = {"Day": WEEK, "Weekday": WEEK[:5], "WeekendDay": WEEK[5:]}
_DAYS = dict(zip(_WEEK_NAMES, WEEK, strict=True))
_INDEXES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_PATTERNS = {
    "DailyRecurrence": Kind.DAILY,
    "WeeklyRecurrence": Kind.WEEKLY,
    "AbsoluteMonthlyRecurrence": Kind.ABSOLUTE_MONTHLY,
    "RelativeMonthlyRecurrence": Kind.RELATIVE_MONTHLY,
    "AbsoluteYearlyRecurrence": Kind.ABSOLUTE_YEARLY,
    "RelativeYearlyRecurrence": Kind.RELATIVE_YEARLY,
}
_INDEX_NAMES = {number: name for name, number in _INDEXES.items()}
_DAY_NAMES = {day: name for name, day in _DAYS.items()}
_PATTERN_NAMES = {kind: name for name, kind in _PATTERNS.items()}
_SET_NAMES = {WEEK: "Day", WEEK[:5]: "Weekday", WEEK[5:]: "WeekendDay"}


def read_recurrence(element: Element) -> Recurrence | None:
    """What the element says; None: it is none of the six patterns. Raises ValueError for words unknown to EWS."""
    pattern = boundary = None
    for child in element:
        name = etree.QName(child).localname
        if name in _PATTERNS:
            pattern = _read_pattern(_PATTERNS[name], child)
        elif name.endswith("Recurrence"):
            boundary = child
    if pattern is None or boundary is None:
        return None
    count, until = _text(boundary, f"{T}NumberOfOccurrences"), _text(boundary, f"{T}EndDate")
    return Recurrence(
        pattern,
        _day(_text(boundary, f"{T}StartDate")),
        _day(until) if until else None,
        int(count) if count else None,
    )


def _read_pattern(kind: Kind, element: Element) -> Pattern:
    days = {day for word in _text(element, f"{T}DaysOfWeek").split() for day in _days(word)}
    month = _text(element, f"{T}Month")
    index = _text(element, f"{T}DayOfWeekIndex")
    return Pattern(
        kind,
        interval=int(_text(element, f"{T}Interval") or "1"),
        days=tuple(day for day in WEEK if day in days),
        first_day=_DAYS.get(_text(element, f"{T}FirstDayOfWeek"), "MO"),
        day_of_month=int(_text(element, f"{T}DayOfMonth") or "0"),
        month=_MONTHS.index(month) + 1 if month else 0,
        index=_meant(_INDEXES, index) if index else 0,
    )


def _days(word: str) -> Sequence[str]:
    return _DAY_SETS.get(word) or [_meant(_DAYS, word)]


def _meant(words: Mapping[str, _V], word: str) -> _V:
    """What a word of the schema means. Raises ValueError for a word that it does not know."""
    if word not in words:
        raise ValueError("a word that EWS does not know")
    return words[word]


def _day(text: str) -> date:
    """A date; its offset, if any, is that of the series' zone and changes nothing."""
    return date.fromisoformat(text[:10])


# --- pattern -> element


def write_recurrence(element: Element, recurrence: Recurrence) -> None:
    """Fill the element, parts in the order of types.xsd."""
    pattern = recurrence.pattern
    said = _add(element, f"{T}{_PATTERN_NAMES[pattern.kind]}")
    for name, text in _parts(pattern):
        _add(said, f"{T}{name}").text = text
    if recurrence.count is not None:
        boundary = _add(element, f"{T}NumberedRecurrence")
        _add(boundary, f"{T}StartDate").text = _date(recurrence.first)
        _add(boundary, f"{T}NumberOfOccurrences").text = str(recurrence.count)
    elif recurrence.until is not None:
        boundary = _add(element, f"{T}EndDateRecurrence")
        _add(boundary, f"{T}StartDate").text = _date(recurrence.first)
        _add(boundary, f"{T}EndDate").text = _date(recurrence.until)
    else:
        _add(_add(element, f"{T}NoEndRecurrence"), f"{T}StartDate").text = _date(recurrence.first)


def _parts(pattern: Pattern) -> list[tuple[str, str]]:
    """The parts of a pattern in the order of types.xsd."""
    month = [("Month", _MONTHS[pattern.month - 1])] if pattern.month else []
    interval = [("Interval", str(pattern.interval))]
    match pattern.kind:
        case Kind.DAILY:
            return interval
        case Kind.WEEKLY:
            days = " ".join(_DAY_NAMES[day] for day in pattern.days)
            return [*interval, ("DaysOfWeek", days), ("FirstDayOfWeek", _DAY_NAMES[pattern.first_day])]
        case Kind.ABSOLUTE_MONTHLY:
            return [*interval, ("DayOfMonth", str(pattern.day_of_month))]
        case Kind.RELATIVE_MONTHLY:
            return [*interval, *_relative(pattern)]
        case Kind.ABSOLUTE_YEARLY:
            return [("DayOfMonth", str(pattern.day_of_month)), *month]
        case Kind.RELATIVE_YEARLY:
            return [*_relative(pattern), *month]


def _relative(pattern: Pattern) -> list[tuple[str, str]]:
    named = _SET_NAMES.get(pattern.days) or _DAY_NAMES[pattern.days[0]]
    return [("DaysOfWeek", named), ("DayOfWeekIndex", _INDEX_NAMES[pattern.index])]


def _date(day: date) -> str:
    # With an offset, as in Exchange's own samples: without one some clients shift the day.
    return f"{day.isoformat()}Z"


def _text(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def _add(parent: Element, tag: str) -> Element:
    return etree.SubElement(parent, tag)
