"""English phrases for recurrence, such as `every week on Monday until 2027-06-28`, as rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

from daemon.core.rules import Freq, NthDay, Rule, Weekday

EXAMPLES = (
    "every day",
    "every weekday",
    "every week on Monday until 2027-06-28",
    "every 2 weeks on Tue and Thu",
    "every month on the 15th",
    "every month on the last Friday",
    "every year",
    "every day for 10 times",
)

_UNITS: Mapping[str, Freq] = MappingProxyType(
    {
        "day": Freq.DAILY, "days": Freq.DAILY, "week": Freq.WEEKLY, "weeks": Freq.WEEKLY,
        "month": Freq.MONTHLY, "months": Freq.MONTHLY, "year": Freq.YEARLY, "years": Freq.YEARLY,
        "hour": Freq.HOURLY, "hours": Freq.HOURLY,
    }
)  # fmt: skip
_ADVERBS: Mapping[str, str] = MappingProxyType(
    {
        "daily": "every day", "weekly": "every week", "biweekly": "every 2 weeks", "fortnightly": "every 2 weeks",
        "monthly": "every month", "quarterly": "every 3 months", "yearly": "every year", "annually": "every year",
        "hourly": "every hour", "weekdays": "every weekday",
    }
)  # fmt: skip
_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
        "eleven": 11, "twelve": 12, "other": 2, "second": 2, "third": 3, "fourth": 4, "once": 1, "twice": 2,
    }
)  # fmt: skip
_ORDINALS: Mapping[str, int] = MappingProxyType(
    {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WORKDAYS = tuple(NthDay(0, Weekday(number)) for number in range(5))
_WEEKEND = (NthDay(0, Weekday.SA), NthDay(0, Weekday.SU))
_ISO_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_NTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.?", re.ASCII)
_TOKEN = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d+(?:st|nd|rd|th)?|[a-z]+|\S", re.ASCII)


_TIMES = ("times", "time", "occurrences", "occurrence", "instances")


class _Words:
    """The words of a phrase, read from left to right."""

    def __init__(self, text: str) -> None:
        self._words = [word for word in _TOKEN.findall(text.lower()) if word not in {",", "."}]
        self._at = 0

    @property
    def next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def begins_amount(self) -> bool:
        """Whether `10 times` or the like comes next."""
        amount, unit = [*self._words[self._at : self._at + 2], "", ""][:2]
        return (amount.isdecimal() or amount in _NUMBERS) and unit in _TIMES

    def take(self) -> str:
        word = self.next
        self._at += 1
        return word

    def accept(self, *words: str) -> bool:
        if self.next not in words:
            return False
        self._at += 1
        return True


def is_phrase(text: str) -> bool:
    """Whether this is meant as English: RRULE text has an equals sign, a phrase has none."""
    return "=" not in text


def rule_from_phrase(text: str, start: date | None = None) -> Rule:
    """The rule that a phrase stands for; `for 6 weeks` needs `start`. Raises ValueError with a reason."""
    first, _, rest = text.strip().lower().partition(" ")
    words = _Words(f"{_ADVERBS[first]} {rest}" if first in _ADVERBS else text)
    if not words.accept("every", "each"):
        raise ValueError("a phrase begins with 'every'")
    rule = _unit(words)
    while words.next:
        rule = _clause(words, rule, start)
    return rule


def _unit(words: _Words) -> Rule:
    interval = _interval(words)
    word = words.take()
    if word in _UNITS:
        return Rule(_UNITS[word], interval=interval)
    if word in {"weekday", "weekdays", "workday", "workdays"}:
        return Rule(Freq.WEEKLY, interval=interval, byday=_WORKDAYS)
    if word in {"weekend", "weekends"}:
        return Rule(Freq.WEEKLY, interval=interval, byday=_WEEKEND)
    day = _weekday(word)
    if day is not None:
        days = {day, *_more_weekdays(words)}
        return Rule(Freq.WEEKLY, interval=interval, byday=tuple(NthDay(0, each) for each in sorted(days)))
    raise ValueError(f"'{word[:30]}' is not day, weekday, week, month, year or the name of a day")


def _interval(words: _Words) -> int:
    if words.next.isdecimal() or words.next in _NUMBERS:
        interval = _amount(words)
        if interval:
            return interval
        raise ValueError("'every 0' never happens")
    found = _NTH.fullmatch(words.next)
    if found and words.take():
        return int(found[1]) or 1
    return 1


def _amount(words: _Words) -> int:
    word = words.take()
    if word in _NUMBERS:
        return _NUMBERS[word]
    if word.isdecimal() and len(word) <= 9:  # noqa: PLR2004  fits RFC 5545's integers
        return int(word)
    raise ValueError(f"'{word[:30]}' is not a number")


def _clause(words: _Words, rule: Rule, start: date | None) -> Rule:
    word = words.take()
    if word in {"on", "at"}:
        return _on(words, rule)
    if word == "in":
        return replace(rule, bymonth=tuple(sorted({_month(words), *_more_months(words)})))
    if word in {"until", "till", "through", "to"}:
        return rule.ending(_date(words))
    if word == "for":
        return _for(words, rule, start)
    if word in _NUMBERS or word.isdecimal():
        words = _Words(" ".join([word, *_rest(words)]))
        return _times(words, rule)
    raise ValueError(f"'{word[:30]}' is not understood here")


def _rest(words: _Words) -> Iterator[str]:
    while words.next:
        yield words.take()


def _times(words: _Words, rule: Rule) -> Rule:
    count = _amount(words)
    if not words.accept(*_TIMES) or count < 1 or words.next:
        raise ValueError("write how often as 'for 10 times'")
    return replace(rule, count=count, until=None)


def _for(words: _Words, rule: Rule, start: date | None) -> Rule:
    count = _amount(words)
    unit = words.take()
    if count < 1:
        raise ValueError("'for 0 times' never happens")
    if unit in _TIMES:
        return replace(rule, count=count, until=None)
    if unit not in _UNITS or _UNITS[unit] is Freq.HOURLY:
        raise ValueError("write how often as 'for 10 times'")
    if start is None:
        raise ValueError(f"'for {count} {unit}' needs a due_date; write 'for 10 times' or 'until 2027-06-28'")
    return rule.ending(_later(start, count, _UNITS[unit]) - timedelta(days=1))


def _later(start: date, count: int, unit: Freq) -> date:
    day = date(start.year, start.month, start.day)
    try:
        if unit is Freq.DAILY:
            return day + timedelta(days=count)
        if unit is Freq.WEEKLY:
            return day + timedelta(weeks=count)
        months = day.month - 1 + count * (12 if unit is Freq.YEARLY else 1)
        first = date(day.year + months // 12, months % 12 + 1, 1)
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return first.replace(day=min(day.day, (following - timedelta(days=1)).day))
    except (ValueError, OverflowError):
        raise ValueError(f"'for {count}' goes beyond the calendar") from None


def _on(words: _Words, rule: Rule) -> Rule:
    days: list[NthDay] = list(rule.byday)
    numbers: set[int] = set(rule.bymonthday)
    months: set[int] = set(rule.bymonth)
    while True:
        _one_day(words, rule, days, numbers, months)
        words.accept("and")
        ends = words.next in {"", "until", "till", "through", "for", "in", "to", "on"}
        if ends or words.begins_amount():
            break
    if numbers and rule.freq in {Freq.DAILY, Freq.WEEKLY}:
        raise ValueError("a day of the month goes with 'every month' or 'every year'")
    return replace(
        rule, byday=tuple(sorted(set(days))), bymonthday=tuple(sorted(numbers)), bymonth=tuple(sorted(months))
    )


def _one_day(words: _Words, rule: Rule, days: list[NthDay], numbers: set[int], months: set[int]) -> None:  # noqa: PLR0913, PLR0917, RUF100  the three lists being gathered
    words.accept("the")
    word = words.take()
    day = _weekday(word)
    nth = _ORDINALS.get(word)
    found = _NTH.fullmatch(word)
    if day is not None:
        days.append(NthDay(0, day))
    elif word in {"weekday", "weekdays", "workdays"}:
        days.extend(_WORKDAYS)
    elif word in {"weekend", "weekends"}:
        days.extend(_WEEKEND)
    elif nth is not None or (found and _weekday(words.next) is not None):
        _nth_day(words, rule, nth if nth is not None else int(found[1] if found else 0), days, numbers)
    elif found and 1 <= int(found[1]) <= 31:  # noqa: PLR2004  days of a month
        numbers.add(int(found[1]))
        words.accept("of")
        if _month_number(words.next):
            months.add(_month(words))
        else:
            words.accept("every") and words.accept("month")
    elif _month_number(word):
        months.add(_month_number(word))
    else:
        raise ValueError(f"'{word[:30]}' is no day")


def _nth_day(words: _Words, rule: Rule, nth: int, days: list[NthDay], numbers: set[int]) -> None:
    if rule.freq not in {Freq.MONTHLY, Freq.YEARLY}:
        raise ValueError("'first', 'last' and the like go with 'every month'")
    word = words.take()
    day = _weekday(word)
    if day is not None and -1 <= nth <= 5:  # noqa: PLR2004  weeks of a month
        days.append(NthDay(nth, day))
    elif word == "day":
        numbers.add(nth)
    else:
        raise ValueError(f"'{word[:30]}' is no day of the week")


def _weekday(word: str) -> Weekday | None:
    """A day by its name, its plural, or its first two letters and more."""
    stem = word.removesuffix("s") if word.endswith("days") else word
    for number, name in enumerate(_DAYS):
        if len(stem) >= 2 and name.startswith(stem) and (len(stem) < 6 or stem == name):  # noqa: PLR2004  Mo, Tues
            return Weekday(number)
    return None


def _more_weekdays(words: _Words) -> Iterator[Weekday]:
    while words.accept("and") or _weekday(words.next) is not None:
        day = _weekday(words.take())
        if day is None:
            raise ValueError("after 'and' the name of a day is missing")
        yield day


def _month_number(word: str) -> int:
    """1 to 12, or 0 where the word is no month."""
    fits = (number for number, name in enumerate(_MONTHS, 1) if len(word) >= 3 and name.startswith(word))  # noqa: PLR2004  Jan
    return next(fits, 0)


def _month(words: _Words) -> int:
    word = words.take()
    number = _month_number(word)
    if not number:
        raise ValueError(f"'{word[:30]}' is no month")
    return number


def _more_months(words: _Words) -> Iterator[int]:
    while words.accept("and") or _month_number(words.next):
        yield _month(words)


def _date(words: _Words) -> date:
    word = words.take()
    found = _ISO_DATE.fullmatch(word)
    try:
        if found:
            return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise ValueError(f"{word} is no day of the calendar") from None
    raise ValueError("after 'until' a date such as 2027-06-28 is missing")
