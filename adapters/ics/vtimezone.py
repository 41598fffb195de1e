"""VTIMEZONE text for IANA zones, made from the zone's own rule now in force.

One STANDARD, and one DAYLIGHT where the clocks change by a yearly rule. The onset is the local time
*before* the jump (RFC 5545 section 3.6.5), and the component with the larger offset is DAYLIGHT, whatever
a country calls it (Ireland). Changes that follow no such rule (Morocco) are listed one by one.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from adapters.ics.content_lines import fold
from daemon.core.rules import Weekday
from daemon.core.times import zone_info

_YEARS = 28  # after so many the calendar's weekdays repeat
_LISTED_YEARS = 12  # how far changes without a rule are listed
_STEP = timedelta(days=14)
_FIRST = "19700101T000000"


class _Change(NamedTuple):
    """One change of the clocks: the local time before the jump, both offsets, and the name after it."""

    onset: datetime
    before: timedelta
    after: timedelta
    name: str


@lru_cache(maxsize=256)
def vtimezone(zone: str, year: int) -> bytes:
    """The VTIMEZONE of an IANA zone as it is from `year` on. Raises ValueError for no such zone."""
    changes = list(_changes(zone, year, _YEARS))
    if not changes:
        parts = [_component("STANDARD", _fixed(zone, year))]
    else:
        by_rule = _by_rule(changes)
        parts = by_rule or _listed(
            zone, year, [change for change in changes if change.onset.year < year + _LISTED_YEARS]
        )
    lines = ["BEGIN:VTIMEZONE", f"TZID:{zone}", *(line for part in parts for line in part), "END:VTIMEZONE"]
    return b"".join(map(fold, lines))


def _changes(zone: str, year: int, years: int) -> Iterator[_Change]:
    info = zone_info(zone)
    at = datetime(year, 1, 1, tzinfo=UTC)
    end = datetime(year + years, 1, 1, tzinfo=UTC)
    offset = at.astimezone(info).utcoffset() or timedelta()
    while at < end:
        following = min(at + _STEP, end)
        local = following.astimezone(info)
        later = local.utcoffset() or timedelta()
        if later != offset:
            moment = _between(at, following, zone)
            name = moment.astimezone(info).tzname() or ""
            yield _Change((moment + offset).replace(tzinfo=None), offset, later, name)
        at, offset = following, later


def _between(low: datetime, high: datetime, zone: str) -> datetime:
    """The second in which the offset changes."""
    info = zone_info(zone)
    offset = low.astimezone(info).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(info).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


def _fixed(zone: str, year: int) -> list[str]:
    local = datetime(year, 1, 1, tzinfo=zone_info(zone))
    offset = local.utcoffset() or timedelta()
    return _lines(_FIRST, offset, offset, local.tzname() or "")


def _component(name: str, lines: list[str]) -> list[str]:
    return [f"BEGIN:{name}", *lines, f"END:{name}"]


def _lines(onset: str, before: timedelta, after: timedelta, name: str, *more: str) -> list[str]:
    named = [f"TZNAME:{name}"] if name else []
    return [f"DTSTART:{onset}", *more, f"TZOFFSETFROM:{_offset(before)}", f"TZOFFSETTO:{_offset(after)}", *named]


def _offset(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{minutes:02}" + (f"{seconds_left:02}" if seconds_left else "")


def _kind(change: _Change) -> str:
    return "DAYLIGHT" if change.after > change.before else "STANDARD"


def _by_rule(changes: Sequence[_Change]) -> list[list[str]]:
    """The two components of a zone that changes its clocks twice in every year by one rule each; else none."""
    parts = []
    for kind in ("DAYLIGHT", "STANDARD"):
        found = [change for change in changes if _kind(change) == kind]
        rule = _yearly(found)
        if rule is None:
            return []
        onset = _first_onset(rule, found[0])
        lines = _lines(onset, found[0].before, found[0].after, found[0].name, f"RRULE:FREQ=YEARLY;{rule}")
        parts.append(_component(kind, lines))
    return parts


def _yearly(changes: Sequence[_Change]) -> str | None:
    """`BYMONTH=3;BYDAY=-1SU` for changes that all fit one rule, one in each year."""
    alike = {(c.onset.month, c.onset.weekday(), c.onset.time(), c.before, c.after, c.name) for c in changes}
    if len(changes) != _YEARS or len(alike) != 1 or len({change.onset.year for change in changes}) != _YEARS:
        return None
    month, weekday = changes[0].onset.month, Weekday(changes[0].onset.weekday()).name
    days = [change.onset.day for change in changes]
    first, last = min(days), max(days)
    if last - first > 6:  # noqa: PLR2004  one such weekday in any seven days
        return None
    if all(c.onset.day + 7 > calendar.monthrange(c.onset.year, month)[1] for c in changes):
        return f"BYMONTH={month};BYDAY=-1{weekday}"
    if (first - 1) // 7 == (last - 1) // 7:
        return f"BYMONTH={month};BYDAY={(first - 1) // 7 + 1}{weekday}"
    return f"BYMONTH={month};BYMONTHDAY={','.join(str(first + n) for n in range(7))};BYDAY={weekday}"


def _first_onset(rule: str, change: _Change) -> str:
    """The first onset since 1970 by the rule: a DTSTART must be an instance of it."""
    month, weekday = change.onset.month, change.onset.weekday()
    size = calendar.monthrange(1970, month)[1]
    of_weekday = [day for day in range(1, size + 1) if datetime(1970, month, day).weekday() == weekday]  # noqa: DTZ001  a wall-clock day
    if "BYDAY=-1" in rule:
        day = of_weekday[-1]
    elif "BYMONTHDAY=" in rule:
        first = int(rule.partition("BYMONTHDAY=")[2].partition(",")[0])
        day = next(day for day in of_weekday if day >= first)
    else:
        day = of_weekday[int(rule.rpartition("BYDAY=")[2][:-2]) - 1]
    return f"1970{month:02}{day:02}T{change.onset:%H%M%S}"


def _listed(zone: str, year: int, changes: Sequence[_Change]) -> list[list[str]]:
    """A component for each pair of offsets, with its onsets one by one."""
    parts = [_component("STANDARD", _fixed(zone, year))]
    for _, same in groupby(sorted(changes, key=lambda c: (c.before, c.after, c.name, c.onset)), key=lambda c: c[1:]):
        group = list(same)
        dates = [f"RDATE:{','.join(f'{change.onset:%Y%m%dT%H%M%S}' for change in group[1:])}"] if group[1:] else []
        lines = _lines(f"{group[0].onset:%Y%m%dT%H%M%S}", *group[0][1:], *dates)
        parts.append(_component(_kind(group[0]), lines))
    return parts
