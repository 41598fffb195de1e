"""A recurrence rule as a value: RFC 5545 section 3.3.10, parsed and written in one canonical order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import IntEnum, StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

LONGEST_RULE = 5000  # characters: BYYEARDAY with every day of the year takes 1,500


class Freq(StrEnum):
    """FREQ."""

    SECONDLY = "SECONDLY"
    MINUTELY = "MINUTELY"
    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    YEARLY = "YEARLY"


SUB_DAILY = frozenset({Freq.SECONDLY, Freq.MINUTELY, Freq.HOURLY})


class Weekday(IntEnum):
    """A day of the week, numbered as `date.weekday()` does; its name is RFC 5545's."""

    MO = 0
    TU = 1
    WE = 2
    TH = 3
    FR = 4
    SA = 5
    SU = 6


class NthDay(NamedTuple):
    """One entry of BYDAY: the nth such day of the month or year, counted from its end if negative; 0: every one."""

    n: int
    weekday: Weekday

    def __str__(self) -> str:
        """RFC 5545's text, such as `-1FR`."""
        return f"{self.n or ''}{self.weekday.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence rule.

    `until` is a date (the whole local day is in), a naive date-time (local to the series) or an aware one
    in UTC. The tuples are sorted and hold nothing twice. `others` are parts of other RFCs (RSCALE, SKIP)
    or of nobody, which are kept and not understood.
    """

    freq: Freq
    until: date | datetime | None = None
    count: int | None = None
    interval: int = 1
    bysecond: tuple[int, ...] = ()
    byminute: tuple[int, ...] = ()
    byhour: tuple[int, ...] = ()
    byday: tuple[NthDay, ...] = ()
    bymonthday: tuple[int, ...] = ()
    byyearday: tuple[int, ...] = ()
    byweekno: tuple[int, ...] = ()
    bymonth: tuple[int, ...] = ()
    bysetpos: tuple[int, ...] = ()
    wkst: Weekday = Weekday.MO
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read RRULE text, with or without `RRULE:`. Raises ValueError with a reason for its user."""
        return _parse(text)

    def __str__(self) -> str:
        """The canonical text: a fixed order of parts, and none that says nothing."""
        return ";".join(f"{name}={value}" for name, value in _parts(self))

    @property
    def repeats_within_a_day(self) -> bool:
        """Whether it can fire more than once a day, so that an instance is named by date and time."""
        times = max(1, len(self.byhour)) * max(1, len(self.byminute)) * max(1, len(self.bysecond))
        return self.freq in SUB_DAILY or times > 1

    @property
    def is_endless(self) -> bool:
        """Whether nothing bounds it."""
        return self.until is None and self.count is None

    def ending(self, until: date | datetime | None) -> Rule:
        """The same rule with another UNTIL, and no COUNT."""
        return replace(self, until=until, count=None)


def _parts(rule: Rule) -> list[tuple[str, str]]:
    parts = [("FREQ", rule.freq.value)]
    if rule.until is not None:
        parts.append(("UNTIL", until_text(rule.until)))
    if rule.count is not None:
        parts.append(("COUNT", str(rule.count)))
    if rule.interval != 1:
        parts.append(("INTERVAL", str(rule.interval)))
    for name in _LISTS:
        values: tuple[object, ...] = getattr(rule, name.lower())
        if values:
            parts.append((name, ",".join(map(str, values))))
    if _week_start_matters(rule):
        parts.append(("WKST", rule.wkst.name))
    return [*parts, *rule.others]


def _week_start_matters(rule: Rule) -> bool:
    """Google and Outlook write WKST=SU on every rule; it changes only these (RFC 5545, the WKST examples)."""
    if rule.wkst is Weekday.MO:
        return False
    return bool(rule.byweekno) or bool(rule.others) or (rule.freq is Freq.WEEKLY and rule.interval > 1)


def until_text(until: date | datetime) -> str:
    """UNTIL as RFC 5545 writes it."""
    if not isinstance(until, datetime):
        return f"{until.year:04}{until.month:02}{until.day:02}"
    return until.isoformat().replace("-", "").replace(":", "")[:15] + ("Z" if until.tzinfo else "")


_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)


def _until(text: str) -> date | datetime:
    found = _UNTIL.fullmatch(text.upper())
    if not found:
        raise ValueError(f"UNTIL={text[:30]} is no date; write UNTIL=20270628")
    try:
        if not found[2]:
            return date.fromisoformat(found[1])
        moment = datetime.fromisoformat(
            f"{found[1]}T{found[2].replace('60', '59') if found[2][4:] == '60' else found[2]}"
        )
    except ValueError:
        raise ValueError(f"UNTIL={text[:30]} is no day of the calendar; write UNTIL=20270628") from None
    return moment.replace(tzinfo=UTC) if found[3] else moment


_NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_BYDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)


def _number(name: str, text: str, low: int, high: int, *, signed: bool = False) -> int:
    number = int(text) if _NUMBER.fullmatch(text) else None
    if number is None or not (low <= (abs(number) if signed else number) <= high):
        raise ValueError(f"{name}={text[:30]} is not a number from {'±' if signed else ''}{low} to {high}")
    return number


def _numbers(low: int, high: int, *, signed: bool = False) -> Callable[[str, str], tuple[int, ...]]:
    def read(name: str, text: str) -> tuple[int, ...]:
        return tuple(sorted({_number(name, item.strip(), low, high, signed=signed) for item in text.split(",")}))

    return read


def _days(name: str, text: str) -> tuple[NthDay, ...]:
    days = set()
    for item in text.upper().split(","):
        found = _BYDAY.fullmatch(item.strip())
        if not found:
            raise ValueError(f"{name}={item[:30]} is no weekday; write BYDAY=MO,TH or BYDAY=-1FR")
        days.add(NthDay(int(found[1] or 0), Weekday[found[2]]))
    return tuple(sorted(days))


_LISTS: Mapping[str, Callable[[str, str], tuple[int, ...] | tuple[NthDay, ...]]] = MappingProxyType(
    {
        "BYMONTH": _numbers(1, 12),
        "BYWEEKNO": _numbers(1, 53, signed=True),
        "BYYEARDAY": _numbers(1, 366, signed=True),
        "BYMONTHDAY": _numbers(1, 31, signed=True),
        "BYDAY": _days,
        "BYHOUR": _numbers(0, 23),
        "BYMINUTE": _numbers(0, 59),
        "BYSECOND": _numbers(0, 60),
        "BYSETPOS": _numbers(1, 366, signed=True),
    }
)

_LARGEST = 2**31 - 1


def _fields(text: str) -> dict[str, str]:
    text = text.strip()
    if text[:6].upper() == "RRULE:":
        text = text[6:]
    if len(text) > LONGEST_RULE:
        raise ValueError(f"the rule is longer than {LONGEST_RULE} characters")
    fields: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.partition("=")
        name = name.strip().upper()
        if not equals or not value.strip():
            raise ValueError(f"'{part[:30]}' is not NAME=VALUE; write FREQ=WEEKLY;BYDAY=MO")
        if name in fields:
            raise ValueError(f"{name[:30]} stands twice in the rule")
        fields[name] = value.strip()
    return fields


@lru_cache(maxsize=1024)
def _parse(text: str) -> Rule:
    fields = _fields(text)
    frequency = fields.pop("FREQ", "").upper()
    if frequency not in Freq.__members__:
        raise ValueError("the rule has no FREQ that is known; write FREQ=WEEKLY;BYDAY=MO")
    known: dict[str, tuple[int, ...] | tuple[NthDay, ...]] = {}
    for name in [name for name in _LISTS if name in fields]:
        known[name.lower()] = _LISTS[name](name, fields.pop(name))
    until = _until(fields.pop("UNTIL")) if "UNTIL" in fields else None
    count = _number("COUNT", fields.pop("COUNT"), 1, _LARGEST) if "COUNT" in fields else None
    if until is not None and count is not None:
        raise ValueError("the rule has both UNTIL and COUNT; keep one of them")
    interval = _number("INTERVAL", fields.pop("INTERVAL", "1"), 1, _LARGEST)
    week_start = fields.pop("WKST", "MO").upper()
    if week_start not in Weekday.__members__:
        raise ValueError(f"WKST={week_start[:30]} is no weekday; write WKST=MO")
    rule = Rule(Freq(frequency), until, count, interval, wkst=Weekday[week_start], others=tuple(sorted(fields.items())))
    return replace(rule, **known) if known else rule  # type: ignore[arg-type]  # the keys are those of _LISTS
