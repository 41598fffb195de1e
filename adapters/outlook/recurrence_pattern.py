"""Recurrence patterns as Exchange and Graph know them: six kinds, three ranges, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class Kind(StrEnum):
    """The six patterns; the value is Graph's word, and EWS's with another capital."""

    DAILY = "daily"
    WEEKLY = "weekly"
    ABSOLUTE_MONTHLY = "absoluteMonthly"
    RELATIVE_MONTHLY = "relativeMonthly"
    ABSOLUTE_YEARLY = "absoluteYearly"
    RELATIVE_YEARLY = "relativeYearly"


@dataclass(frozen=True, slots=True)
class Pattern:
    """When instances happen. `days` are RFC 5545's names in the order of the week.

    `index` is 1 to 4, or -1 for the last. A relative pattern with several days means one of: any day
    (all seven), a weekday, a weekend day.
    """

    kind: Kind
    interval: int = 1
    days: tuple[str, ...] = ()
    first_day: str = "MO"
    day_of_month: int = 0
    month: int = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A pattern and its range: from `first` on, to `until` (that day included), or `count` times, or for ever."""

    pattern: Pattern
    first: date
    until: date | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class NotHeld:
    """The rule is none that the service knows; `reason` is a sentence for its user."""

    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How far apart and how often a service can repeat: largest intervals, largest count."""

    service: str
    daily: int = 999
    weekly: int = 99
    monthly: int = 99
    yearly: int = 1
    count: int = 999


EWS = Limits("Exchange")
GRAPH = Limits("Microsoft 365", yearly=99)
