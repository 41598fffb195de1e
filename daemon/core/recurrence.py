"""The one canonical text of a recurrence rule, from RRULE text or from an English phrase."""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from daemon.core.model import AllDay, When
from daemon.core.phrases import EXAMPLES, is_phrase, rule_from_phrase
from daemon.core.rules import Freq, NthDay, Rule, Weekday

__all__ = ["Freq", "NthDay", "Rule", "Weekday", "parse_rule", "rule_of", "settled", "until_instant"]

_END_OF_DAY = time(23, 59, 59)


def parse_rule(text: str, *, start: date | None = None) -> Rule:
    """A rule from RRULE text or a phrase. Raises ValueError with a reason and the nearest example."""
    if not is_phrase(text):
        return Rule.parse(text)
    try:
        return rule_from_phrase(text, start)
    except ValueError as error:
        raise ValueError(f"{error}; for example: {_nearest(text)}") from None


def rule_of(text: str, *, start: date | None = None) -> str:
    """The canonical RRULE text of a rule or phrase. Raises ValueError with a reason and the nearest example.

    Where the span of the series is known, `settled` then brings UNTIL to its canonical form.
    """
    return str(parse_rule(text, start=start))


def _nearest(text: str) -> str:
    close = difflib.get_close_matches(text.lower()[:100], EXAMPLES, n=1, cutoff=0.0)
    return close[0] if close else EXAMPLES[2]


def settled(text: str, when: When) -> str:
    """Canonical rule text with UNTIL as its series says it: both sides of a route compare equal by it.

    A whole local day (the last instance's own time, or the day's last second) becomes that date; any
    other moment stays exact, as local wall-clock time of the series.
    """
    if "UNTIL" not in text:
        return text
    rule = Rule.parse(text)
    return text if rule.until is None else str(rule.ending(_settled_until(rule, rule.until, when)))


def _settled_until(rule: Rule, until: date | datetime, when: When) -> date | datetime:
    if not isinstance(until, datetime):
        return until
    if isinstance(when, AllDay):
        return until.date()
    local = until if until.tzinfo is None else _wall(until, when.zone)
    if local.time() == _END_OF_DAY:
        return local.date()
    if rule.repeats_within_a_day:
        return local
    own_time = until_instant(rule.ending(local.date()), when)
    return local.date() if own_time == until_instant(rule.ending(local), when) else local


def _wall(moment: datetime, zone: str) -> datetime:
    try:
        return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    except OverflowError:
        return moment.replace(tzinfo=None)


def until_instant(rule: Rule, when: When) -> datetime | None:
    """UNTIL as the instant that iCalendar wants for a series with time of day; None where there is none.

    A local day stands for the instance on it (RFC 5545 section 3.3.10: UNTIL in UTC).
    """
    until = rule.until
    if until is None or isinstance(when, AllDay):
        return None
    if not isinstance(until, datetime):
        last = _END_OF_DAY if rule.repeats_within_a_day else when.start.time()
        until = datetime.combine(until, last)
    if until.tzinfo is not None:
        return until
    offset = until.replace(tzinfo=ZoneInfo(when.zone)).utcoffset() or timedelta()
    return (until - offset).replace(tzinfo=UTC)
