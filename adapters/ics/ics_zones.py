"""TZIDs as IANA names: Windows names, prefixed names, names that only a VTIMEZONE explains.

Zones are resolved for each document on its own: two documents may give one TZID different meanings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from adapters.ics.content_lines import Component
from adapters.ics.ics_values import parse_moment, unescape
from adapters.outlook.windows_zones import iana_zone, shown_zones
from daemon.core.errors import Unreadable
from daemon.core.expansion import TooMuchWork, Walk, forwards
from daemon.core.rules import Rule
from daemon.core.times import zone_of

_PLAUSIBLE = re.compile(r"[A-Za-z][\w+-]*(?:/[\w+-]+){0,3}", re.ASCII)
_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory", "posix", "right"})
_FIXED = re.compile(r"(?:UTC|GMT|Z)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII | re.IGNORECASE)
_MOST_CHANGES = 2000


class Zones:
    """The zones of one calendar object; `default` is that of floating times."""

    __slots__ = ("_added", "_calendar", "_known", "default")

    def __init__(self, calendar: Component, default: str) -> None:
        self._calendar = calendar
        self._known: dict[str, str] = {}
        self._added: set[str] = set()
        self.default = default

    def name(self, tzid: str, year: int) -> str:
        """The IANA name of a TZID, around that year. Raises Unreadable."""
        known = self._known.get(tzid)
        if known is None:
            known = known_zone(tzid) or self._by_definition(tzid, year) or _fixed_zone(tzid)
            if known is None:
                raise Unreadable(
                    "it uses a time zone that is neither known nor defined in it",
                    code="unknown_zone",
                    cure="replace the TZID with an IANA name such as Europe/Helsinki",
                )
            self._known[tzid] = known
        return known

    def defines(self, tzid: str) -> bool:
        """Whether the object has a VTIMEZONE of that name."""
        return tzid in self._added or any(_tzid_of(each) == tzid for each in self._calendar.components(b"VTIMEZONE"))

    def add(self, tzid: str) -> None:
        """A VTIMEZONE of that name was put into the object."""
        self._added.add(tzid)

    def _by_definition(self, tzid: str, year: int) -> str | None:
        for each in self._calendar.components(b"VTIMEZONE"):
            if _tzid_of(each) == tzid:
                return _behaving_like(each, year)
        return None


def _tzid_of(vtimezone: Component) -> str:
    line = vtimezone.first(b"TZID")
    return unescape(line.value.strip()).strip('"') if line else ""  # TEXT there (section 3.8.3.1), no parameter


@lru_cache(maxsize=1024)
def known_zone(tzid: str) -> str | None:
    """The IANA name that a TZID is or contains; None: it says nothing by itself."""
    tzid = tzid.strip().strip('"')
    if len(tzid) > 200:  # noqa: PLR2004  no name is that long
        return None
    parts = [part for part in tzid.split("/") if part]
    for taken in (3, 2, 1) if tzid.startswith("/") else (len(parts),):
        name = "/".join(parts[-taken:])
        if parts and parts[-taken:][0] not in _OF_THE_MACHINE and _PLAUSIBLE.fullmatch(name) and zone_of(name):
            return name
    return iana_zone(tzid)


def _fixed_zone(tzid: str) -> str | None:
    found = _FIXED.fullmatch(tzid.strip())
    if not found:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return _fixed_offset(-offset if found[1] == "-" else offset)


def _fixed_offset(offset: timedelta) -> str | None:
    hours, rest = divmod(int(offset.total_seconds()), 3600)
    if rest == 0 and -14 <= -hours <= 12:  # noqa: PLR2004  the fixed zones there are
        return f"Etc/GMT{-hours:+d}" if hours else "UTC"
    samples = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
    return _first_fitting(samples, [offset] * len(samples))


class _Change(NamedTuple):
    """An onset in UTC and the offset from then on."""

    at: datetime
    offset: timedelta


def _behaving_like(vtimezone: Component, year: int) -> str | None:
    """An IANA zone that has the same offsets as a VTIMEZONE in that year and the next."""
    named = vtimezone.first(b"X-LIC-LOCATION")
    name = known_zone(named.value) if named else None
    if name:
        return name
    try:
        changes, initial = _changes(vtimezone, max(2, min(year, 9990)))
    except (Unreadable, ValueError, OverflowError, TooMuchWork):
        return None
    samples = [datetime(y, m, d, 12, tzinfo=UTC) for y in (year, year + 1) for m in range(1, 13) for d in (5, 20)]
    offsets = [max((c for c in changes if c.at <= at), default=_Change(at, initial)).offset for at in samples]
    if len(set(offsets)) == 1:
        return _fixed_offset(offsets[0])
    return _first_fitting(samples, offsets)


def _first_fitting(samples: list[datetime], offsets: list[timedelta]) -> str | None:
    for name in shown_zones():
        info = zone_of(name)
        if info and all(at.astimezone(info).utcoffset() == off for at, off in zip(samples, offsets, strict=True)):
            return name
    return None


def _changes(vtimezone: Component, year: int) -> tuple[list[_Change], timedelta]:
    changes: list[_Change] = []
    initial = timedelta()
    for each in vtimezone.body:
        if not isinstance(each, Component) or each.name not in {b"STANDARD", b"DAYLIGHT"}:
            continue
        before, after = (_offset(each, name) for name in (b"TZOFFSETFROM", b"TZOFFSETTO"))
        if each.name == b"STANDARD":
            initial = after
        changes += [_Change((at - before).replace(tzinfo=UTC), after) for at in _onsets(each, year)]
    return changes, initial


def _offset(component: Component, name: bytes) -> timedelta:
    line = component.first(name)
    found = _FIXED.fullmatch(line.value.strip()[:5]) if line else None
    if not found:
        raise ValueError(name)
    offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
    return -offset if found[1] == "-" else offset


def _onsets(component: Component, year: int) -> Iterator[datetime]:
    for line in component.lines(b"DTSTART", b"RDATE"):
        for value in line.value.split(",")[:_MOST_CHANGES]:
            moment = parse_moment(value.partition("/")[0])
            if isinstance(moment, datetime):
                yield moment.replace(tzinfo=None)
    start, rule = component.first(b"DTSTART"), component.first(b"RRULE")
    first = parse_moment(start.value) if start and rule else None
    if isinstance(first, datetime) and rule:
        parsed = Rule.parse(rule.value)
        until = parsed.until or date.max
        for moment in forwards(parsed, first.replace(tzinfo=None), Walk(5000), since=date(year - 1, 1, 1)):
            day = until.date() if isinstance(until, datetime) else until
            if moment.year > year + 1 or moment.date() > day:
                return
            yield moment
