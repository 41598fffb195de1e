"""patternedRecurrence of Graph, both ways (pure): only the properties of a pattern's own type count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from adapters.outlook.recurrence_pattern import WEEK, Kind, Pattern, Recurrence

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = dict(zip(_NAMES, WEEK, strict=True))
_DAY_NAMES = {day: name for name, day in _DAYS.items()}
_INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_INDEX_NAMES = {number: name for name, number in _INDEXES.items()}

Json = Mapping[str, object]


def read_recurrence(said: Json) -> Recurrence | None:
    """What a patternedRecurrence says; None: it is none of the six patterns. Raises ValueError."""
    pattern, limits = said.get("pattern"), said.get("range")
    if not isinstance(pattern, Mapping) or not isinstance(limits, Mapping):
        return None
    try:
        kind = Kind(str(pattern.get("type")))
    except ValueError:
        return None
    ends = limits.get("type")
    return Recurrence(
        _read_pattern(kind, pattern),
        date.fromisoformat(str(limits.get("startDate"))),
        date.fromisoformat(str(limits.get("endDate"))) if ends == "endDate" else None,
        _number(limits, "numberOfOccurrences") if ends == "numbered" else None,
    )


def write_recurrence(recurrence: Recurrence, zone: str) -> dict[str, object]:
    """The patternedRecurrence of a series in this zone."""
    limits: dict[str, object] = {"type": "noEnd", "startDate": recurrence.first.isoformat()}
    if recurrence.count is not None:
        limits |= {"type": "numbered", "numberOfOccurrences": recurrence.count}
    elif recurrence.until is not None:
        limits |= {"type": "endDate", "endDate": recurrence.until.isoformat()}
    return {"pattern": _write_pattern(recurrence.pattern), "range": {**limits, "recurrenceTimeZone": zone}}


def _read_pattern(kind: Kind, said: Json) -> Pattern:
    interval = _number(said, "interval") or 1
    month = _number(said, "month")
    match kind:
        case Kind.DAILY:
            return Pattern(kind, interval)
        case Kind.WEEKLY:
            first = _DAYS.get(str(said.get("firstDayOfWeek")), "SU")
            return Pattern(kind, interval, days=_days(said), first_day=first)
        case Kind.ABSOLUTE_MONTHLY:
            return Pattern(kind, interval, day_of_month=_number(said, "dayOfMonth"))
        case Kind.RELATIVE_MONTHLY:
            return Pattern(kind, interval, days=_days(said), index=_index(said))
        case Kind.ABSOLUTE_YEARLY:
            return Pattern(kind, interval, day_of_month=_number(said, "dayOfMonth"), month=month)
        case Kind.RELATIVE_YEARLY:
            return Pattern(kind, interval, days=_days(said), index=_index(said), month=month)


def _write_pattern(pattern: Pattern) -> dict[str, object]:
    said: dict[str, object] = {"type": pattern.kind.value, "interval": pattern.interval}
    match pattern.kind:
        case Kind.DAILY:
            return said
        case Kind.WEEKLY:
            # Graph's own default is Sunday, iCalendar's Monday: always said.
            return said | {"daysOfWeek": _day_names(pattern), "firstDayOfWeek": _DAY_NAMES[pattern.first_day]}
        case Kind.ABSOLUTE_MONTHLY:
            return said | {"dayOfMonth": pattern.day_of_month}
        case Kind.RELATIVE_MONTHLY:
            return said | {"daysOfWeek": _day_names(pattern), "index": _INDEX_NAMES[pattern.index]}
        case Kind.ABSOLUTE_YEARLY:
            return said | {"dayOfMonth": pattern.day_of_month, "month": pattern.month}
        case Kind.RELATIVE_YEARLY:
            relative = {"daysOfWeek": _day_names(pattern), "index": _INDEX_NAMES[pattern.index]}
            return said | relative | {"month": pattern.month}


def _day_names(pattern: Pattern) -> list[str]:
    return [_DAY_NAMES[day] for day in pattern.days]


def _days(said: Json) -> tuple[str, ...]:
    names = said.get("daysOfWeek")
    days = {_DAYS[str(name).lower()] for name in names if str(name).lower() in _DAYS} if isinstance(names, list) else ()
    return tuple(day for day in WEEK if day in days)


def _index(said: Json) -> int:
    return _INDEXES.get(str(said.get("index")), 1)


def _number(said: Json, name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) else 0
