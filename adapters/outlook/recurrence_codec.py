"""Recurrence rules: RRULE text (RFC 5545 section 3.3.10) to the patterns of Exchange and Graph, and back.

The two services know six patterns and three ranges. A rule that is none of them is not held, with the
reason for its user; it is never approximated. Their day of the month 29, 30 and 31 mean "or the last day",
which iCalendar says with BYSETPOS=-1 or BYMONTHDAY=-1, and which iCalendar's BYMONTHDAY=31 does not mean.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from adapters.outlook.recurrence_pattern import WEEK, Kind, Limits, NotHeld, Pattern, Recurrence
from daemon.core.model import AllDay, Timed, When

_LEAP_YEAR = 2024
_LAST = -1
_SHORTEST_MONTH = 28
_LAST_DAY = 31  # in the services: the last day of whatever month
_MAX_INDEX = 4

_WEEKDAYS = WEEK[:5]
_WEEKEND = WEEK[5:]
_DAY_SETS = (WEEK, _WEEKDAYS, _WEEKEND)
_KNOWN = frozenset("FREQ INTERVAL COUNT UNTIL BYDAY BYMONTHDAY BYMONTH BYSETPOS WKST".split())  # noqa: SIM905  reads as the RFC
_FINER = {
    "HOURLY": "hours",
    "MINUTELY": "minutes",
    "SECONDLY": "seconds",
}

Parts = Mapping[str, str]


class _Unheld(Exception):
    """Carries the reason out of a parser; never leaves this module."""


def recurrence_of(rule: str, when: When, limits: Limits) -> Recurrence | NotHeld:
    """What the service would be told for this rule of a series that begins with `when`."""
    try:
        found = _recurrence(_parts(rule), when, limits)
    except _Unheld as refusal:
        return NotHeld(str(refusal))
    except ValueError:
        return NotHeld(f"the rule {rule!r} is not a rule of RFC 5545")
    if next(instances(found), None) != found.first:
        return NotHeld("the series begins on a day that its rule does not fall on")
    return found


def rule_of(recurrence: Recurrence, when: When) -> str:
    """The RRULE text of what a service says; UNTIL is a date, or the last start in UTC for timed series."""
    parts = {"FREQ": _FREQUENCY[recurrence.pattern.kind], **_interval(recurrence.pattern)}
    if recurrence.count is not None:
        parts["COUNT"] = str(recurrence.count)
    elif recurrence.until is not None:
        parts["UNTIL"] = _until_text(recurrence.until, when)
    parts |= _by(recurrence.pattern)
    return ";".join(f"{name}={value}" for name, value in parts.items())


def instances(recurrence: Recurrence) -> Iterator[date]:
    """The days of the series in order, those left out or moved among them."""
    day_rule = rule_of(replace(recurrence, until=None, count=None), AllDay(recurrence.first))
    start = datetime.combine(recurrence.first, time())
    days = (found.date() for found in rrulestr(day_rule, dtstart=start))
    for number, day in enumerate(days, start=1):
        if recurrence.count is not None and number > recurrence.count:
            return
        if recurrence.until is not None and day > recurrence.until:
            return
        yield day


def index_of(recurrence: Recurrence, original: date) -> int | None:
    """Which instance falls on that day, counted from 1; None: none does."""
    upto = list(takewhile(lambda day: day <= original, instances(recurrence)))
    return len(upto) if upto and upto[-1] == original else None


# --- RRULE -> pattern


def _parts(rule: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in rule.removeprefix("RRULE:").strip(";").split(";")]
    parts = {name.strip().upper(): value.strip().upper() for name, _, value in pairs}
    unknown = sorted(set(parts) - _KNOWN)
    if "FREQ" not in parts:
        raise ValueError(rule)
    if unknown:
        raise _Unheld(f"no pattern of the service has {' or '.join(unknown)}")
    return parts


def _recurrence(parts: Parts, when: When, limits: Limits) -> Recurrence:
    first = when.start.date() if isinstance(when, Timed) else when.first
    pattern = _pattern(parts, first)
    _within(pattern, limits)
    count = int(parts["COUNT"]) if "COUNT" in parts else None
    if count is not None and not 1 <= count <= limits.count:
        raise _Unheld(f"{limits.service} repeats at most {limits.count} times")
    until = _until(parts["UNTIL"], when) if "UNTIL" in parts else None
    if until is not None and until < first:
        raise _Unheld("the series ends before it begins")
    return Recurrence(pattern, first, until, count)


def _within(pattern: Pattern, limits: Limits) -> None:
    unit, most = {
        Kind.DAILY: ("days", limits.daily),
        Kind.WEEKLY: ("weeks", limits.weekly),
        Kind.ABSOLUTE_MONTHLY: ("months", limits.monthly),
        Kind.RELATIVE_MONTHLY: ("months", limits.monthly),
        Kind.ABSOLUTE_YEARLY: ("years", limits.yearly),
        Kind.RELATIVE_YEARLY: ("years", limits.yearly),
    }[pattern.kind]
    if pattern.interval < 1:
        raise ValueError(pattern.interval)
    if pattern.interval > most:
        what = "every year only" if most == 1 else f"every {most} {unit} at most"
        raise _Unheld(f"{limits.service} repeats {what}, the rule says every {pattern.interval} {unit}")


def _pattern(parts: Parts, first: date) -> Pattern:
    frequency = parts["FREQ"]
    interval = int(parts.get("INTERVAL", "1"))
    if frequency in _FINER:
        raise _Unheld(f"the service can't repeat after {_FINER[frequency]}")
    match frequency:
        case "DAILY":
            _only(parts)
            return Pattern(Kind.DAILY, interval)
        case "WEEKLY":
            _only(parts, "BYDAY", "WKST")
            days = _plain_days(parts["BYDAY"]) if "BYDAY" in parts else (WEEK[first.weekday()],)
            return Pattern(Kind.WEEKLY, interval, days=days, first_day=_day(parts.get("WKST", "MO")))
        case "MONTHLY":
            _only(parts, "BYDAY", "BYMONTHDAY", "BYSETPOS")
            return _monthly(parts, first, interval)
        case "YEARLY":
            _only(parts, "BYDAY", "BYMONTHDAY", "BYSETPOS", "BYMONTH")
            return _yearly(parts, first, interval)
    raise ValueError(frequency)


def _only(parts: Parts, *allowed: str) -> None:
    extra = sorted(set(parts) - {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", *allowed})
    if extra:
        raise _Unheld(f"the service has no {parts['FREQ'].lower()} pattern with {' and '.join(extra)}")


def _monthly(parts: Parts, first: date, interval: int) -> Pattern:
    if "BYDAY" in parts:
        days, index = _relative(parts)
        return Pattern(Kind.RELATIVE_MONTHLY, interval, days=days, index=index)
    day = _day_of_month(parts, first, _SHORTEST_MONTH)
    return Pattern(Kind.ABSOLUTE_MONTHLY, interval, day_of_month=day)


def _yearly(parts: Parts, first: date, interval: int) -> Pattern:
    if "BYMONTH" not in parts and ("BYDAY" in parts or "BYMONTHDAY" in parts):
        raise _Unheld("the service's yearly patterns need one month (BYMONTH)")
    month = _single("BYMONTH", parts.get("BYMONTH", str(first.month)))
    if "BYDAY" in parts:
        days, index = _relative(parts)
        return Pattern(Kind.RELATIVE_YEARLY, interval, days=days, index=index, month=month)
    # 29 February comes only in leap years by RFC 5545, and every year as the 28th in the services.
    sure = _SHORTEST_MONTH if month == 2 else monthrange(_LEAP_YEAR, month)[1]  # noqa: PLR2004  February
    return Pattern(Kind.ABSOLUTE_YEARLY, interval, day_of_month=_day_of_month(parts, first, sure), month=month)


def _day_of_month(parts: Parts, first: date, sure: int) -> int:
    """A day that every month has, up to `sure`; or "this day or the last one"."""
    given = parts.get("BYMONTHDAY", str(first.day)).split(",")
    days = sorted(int(day) for day in given)
    position = parts.get("BYSETPOS", "")
    if position == "-1" and days == list(range(_SHORTEST_MONTH, days[-1] + 1)) and len(days) > 1:
        return days[-1]
    if position not in {"", "1", "-1"} or len(days) != 1:
        raise _Unheld("the service repeats on one day of the month only")
    if days[0] == _LAST:
        return _LAST_DAY
    if days[0] < 1:
        raise _Unheld("the service does not count days from the end of the month, save the last one")
    if days[0] > sure:
        raise _Unheld(
            f"some months have no day {days[0]}: the service would take their last day, "
            "the rule leaves those months out (BYMONTHDAY=-1 means the last day)"
        )
    return days[0]


def _relative(parts: Parts) -> tuple[tuple[str, ...], int]:
    """The second Tuesday, the last weekday: which day, and which of them in the month."""
    if "BYMONTHDAY" in parts:
        raise _Unheld("the service has no pattern with both a weekday and a day of the month")
    named = parts["BYDAY"].split(",")
    if len(named) == 1 and len(named[0]) > len("MO"):
        if parts.get("BYSETPOS", "1") not in {"1", "-1"}:
            raise _Unheld("the service has no pattern with both a number of the weekday and BYSETPOS")
        return (_day(named[0][-2:]),), _index(int(named[0][:-2]))
    if "BYSETPOS" not in parts:
        raise _Unheld("the service repeats on one such day of the month only (2TU, or BYSETPOS)")
    days = _plain_days(parts["BYDAY"])
    if len(days) > 1 and days not in _DAY_SETS:
        raise _Unheld("the service counts single days, weekdays, weekend days or all days, no other set of days")
    return days, _index(_single("BYSETPOS", parts["BYSETPOS"]))


def _index(number: int) -> int:
    if number == _LAST or 1 <= number <= _MAX_INDEX:
        return number
    raise _Unheld("the service counts the first four such days of a month and the last one")


def _plain_days(text: str) -> tuple[str, ...]:
    days = {_day(day) for day in text.split(",")}
    return tuple(day for day in WEEK if day in days)


def _day(text: str) -> str:
    if text in WEEK:
        return text
    if text[-2:] in WEEK:
        raise _Unheld("the service can't count weekdays in a weekly pattern")
    raise ValueError(text)


def _single(name: str, text: str) -> int:
    if "," in text:
        raise _Unheld(f"the service takes one {name} only")
    return int(text)


def _until(text: str, when: When) -> date:
    """The last day on which an instance may start, in the zone of the series."""
    day = datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC)
    if "T" not in text or isinstance(when, AllDay):
        return day.date()
    moment = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    local = moment.astimezone(ZoneInfo(when.zone)) if text.endswith("Z") else moment
    return local.date() if local.time() >= when.start.time() else local.date() - timedelta(days=1)


# --- pattern -> RRULE

_FREQUENCY = {
    Kind.DAILY: "DAILY",
    Kind.WEEKLY: "WEEKLY",
    Kind.ABSOLUTE_MONTHLY: "MONTHLY",
    Kind.RELATIVE_MONTHLY: "MONTHLY",
    Kind.ABSOLUTE_YEARLY: "YEARLY",
    Kind.RELATIVE_YEARLY: "YEARLY",
}


def _interval(pattern: Pattern) -> dict[str, str]:
    return {"INTERVAL": str(pattern.interval)} if pattern.interval > 1 else {}


def _by(pattern: Pattern) -> dict[str, str]:
    month = {"BYMONTH": str(pattern.month)} if pattern.month else {}
    match pattern.kind:
        case Kind.DAILY:
            return {}
        case Kind.WEEKLY:
            # The first day of the week matters only where weeks are left out.
            begins = {"WKST": pattern.first_day} if pattern.interval > 1 and pattern.first_day != "MO" else {}
            return {"BYDAY": ",".join(pattern.days), **begins}
        case Kind.ABSOLUTE_MONTHLY | Kind.ABSOLUTE_YEARLY:
            return month | _by_month_day(pattern)
        case Kind.RELATIVE_MONTHLY | Kind.RELATIVE_YEARLY:
            if len(pattern.days) == 1:
                return month | {"BYDAY": f"{pattern.index}{pattern.days[0]}"}
            return month | {"BYDAY": ",".join(pattern.days), "BYSETPOS": str(pattern.index)}


def _by_month_day(pattern: Pattern) -> dict[str, str]:
    day = pattern.day_of_month
    shortest = _SHORTEST_MONTH if pattern.month in {0, 2} else monthrange(_LEAP_YEAR, pattern.month)[1]
    longest = monthrange(_LEAP_YEAR, pattern.month)[1] if pattern.month else _LAST_DAY
    if day <= shortest:
        return {"BYMONTHDAY": str(day)}
    if day >= longest:
        return {"BYMONTHDAY": "-1"}
    return {"BYMONTHDAY": ",".join(map(str, range(_SHORTEST_MONTH, day + 1))), "BYSETPOS": "-1"}


def _until_text(until: date, when: When) -> str:
    if isinstance(when, AllDay):
        return f"{until:%Y%m%d}"
    last = datetime.combine(until, when.start.time(), ZoneInfo(when.zone)).astimezone(UTC)
    return f"{last:%Y%m%dT%H%M%SZ}"
