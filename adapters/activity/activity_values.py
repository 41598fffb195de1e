"""The values of an activity file as people write them: text to value and back, a key's form at a time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from daemon.core.model import Original

Word = TypeVar("Word", bound=StrEnum)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONGEST = timedelta(days=36_600)
FIRST_YEAR, LAST_YEAR = 1800, 2999


class BadValue(ValueError):
    """A text that is no value of its key: what is wrong, and what to write."""

    def __init__(self, message: str, cure: str) -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure


def shown(text: str) -> str:
    """A short piece of a machine-readable value, safe to print in a message."""
    return repr(text if len(text) <= 40 else text[:37] + "...")  # noqa: PLR2004  fits on a line


def nearest(text: str, words: Iterable[str]) -> str:
    """The most similar word, or "" when none is similar."""
    found = difflib.get_close_matches(text.strip().casefold(), list(words), n=1, cutoff=0.6)
    return found[0] if found else ""


def bad_word(text: str, words: Iterable[str]) -> BadValue:
    """The report about a word that is none of the words allowed."""
    words = list(words)
    close = nearest(text, words)
    return BadValue(
        f"{shown(text)} is not one of {', '.join(words)}",
        f"Did you mean {close}?" if close else f"Write one of {', '.join(words)}.",
    )


_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))


def truth(text: str) -> bool:
    """`true` or `false`; yes, no, on and off mean the same."""
    word = text.strip().casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise bad_word(text, ("true", "false"))


def word_of(text: str, words: type[Word]) -> Word:
    """A word of an enumeration; a boolean counts as `true` or `false`."""
    word = text.strip().casefold()
    if word in _TRUE:
        word = "true"
    elif word in _FALSE:
        word = "false"
    try:
        return words(word)
    except ValueError:
        raise bad_word(text, [w.value for w in words]) from None


def type_of(text: str, types: Iterable[str]) -> str:
    """An activity type; without `types` any word will do."""
    word = text.strip()
    types = tuple(types)
    if not types or word in types:
        return word
    for known in types:
        if known.casefold() == word.casefold():
            return known
    raise bad_word(text, types)


_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)


def date_of(text: str) -> date:
    """`2026-11-24`."""
    found = _DATE.fullmatch(text.strip())
    if not found:
        raise BadValue(f"{shown(text)} is not a date", "Write year-month-day, such as 2026-11-24.")
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise BadValue(f"{shown(text)}: there is no such day", "Correct the month or the day.") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadValue(f"{shown(text)}: the year is out of range", "Correct the year.")
    return day


_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)


def time_of(text: str) -> time:
    """`9:30`, `14:00`, `14:00:30`."""
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise BadValue(f"{shown(text)} is not a time of day", "Write hours:minutes, such as 9:30 or 14:00.")
    try:
        return time(int(found[1]), int(found[2]), int(found[3] or 0))
    except ValueError:
        raise BadValue(f"{shown(text)}: there is no such time of day", "Write 0:00 to 23:59.") from None


_UNITS = re.compile(
    r"(?:(?P<w>\d+)\s*w)?\s*(?:(?P<d>\d+)\s*d)?\s*(?:(?P<h>\d+(?:\.\d+)?)\s*h)?\s*(?:(?P<m>\d+)\s*m(?:in)?)?\s*(?:(?P<s>\d+)\s*s)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(r"(\d+):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)S)?)?", re.ASCII | re.IGNORECASE
)
_LONG_NUMBER = re.compile(r"\d{10}")


@lru_cache(maxsize=512)
def duration_of(text: str) -> timedelta:
    """`45m`, `1h30m`, `1:30`, `3d`, `2w`, `PT45M`."""
    length = _length(text.strip())
    if length is None:
        raise BadValue(f"{shown(text)} is not a duration", "Write it such as 45m, 1h30m, 1:30, 3d or PT45M.")
    if length > LONGEST:
        raise BadValue(f"{shown(text)} is longer than a century", "Correct the duration.")
    return length


def _length(text: str) -> timedelta | None:
    if _LONG_NUMBER.search(text):
        return None
    if found := _CLOCK.fullmatch(text):
        return timedelta(hours=int(found[1]), minutes=int(found[2]), seconds=int(found[3] or 0))
    found = _UNITS.fullmatch(text) or _ISO.fullmatch(text)
    if not found or not any(found.groups()):
        return None
    part = found.groupdict(default="0")
    return timedelta(
        weeks=int(part["w"]),
        days=int(part["d"]),
        minutes=round(float(part["h"]) * 60) + int(part["m"]),
        seconds=int(part["s"]),
    )


def reminder_of(text: str) -> timedelta:
    """How long before the start; `-15m` is after it."""
    text = text.strip()
    return -duration_of(text[1:]) if text.startswith("-") else duration_of(text)


_NO_ZONES = frozenset(("localtime", "posixrules", "Factory"))  # files of the zone database that name no place


@lru_cache(maxsize=512)
def zone_of(text: str) -> str:
    """An IANA zone name that this machine knows."""
    name = text.strip()
    try:
        return ZoneInfo("" if name in _NO_ZONES else name).key
    except (ValueError, OSError, LookupError):
        words = {zone.casefold(): zone for zone in available_timezones()}
        close = words.get(nearest(name, words), "")
        raise BadValue(
            f"{shown(text)} is not a known time zone",
            f"Did you mean {close}?" if close else "Write an IANA name such as Europe/Helsinki.",
        ) from None


_MOMENT = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})(?:[T ]+(\d{1,2}:\d\d(?::\d\d)?))?", re.ASCII)


def original_of(text: str) -> Original:
    """The original start of an instance: a date, or a date and a time (`2026-12-14 9:00`)."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        raise BadValue(f"{shown(text)} is not a date", "Write year-month-day, such as 2026-12-14 or 2026-12-14 9:00.")
    day = date_of(found[1])
    return datetime.combine(day, time_of(found[2])) if found[2] else day


_MAIL = re.compile(r"[^\s@<>,;\"()\x00-\x1f\x7f]+@[^\s@<>,;\"()\x00-\x1f\x7f]+")
_QUOTED_LOCAL = re.compile(r'"[^"\x00-\x1f\x7f<>]+"@[^\s@<>,;"()\x00-\x1f\x7f]+')
_NAMED = re.compile(r"(?P<name>[^<>]*?)\s*<\s*(?P<mail>[^<>]*?)\s*>")
_MAX_MAIL = 320


def mail_of(text: str) -> str:
    """A mail address, lower-cased."""
    mail = text.strip()
    mail = mail.removeprefix("mailto:")
    if len(mail) > _MAX_MAIL or not (_MAIL.fullmatch(mail) or _QUOTED_LOCAL.fullmatch(mail)):
        raise BadValue("this is no mail address", "Write `Name <name@example.com>` or name@example.com.")
    return mail.lower()


def name_and_mail(text: str) -> tuple[str, str]:
    """`Name <mail>` or a bare address, as name and lower-cased address."""
    found = _NAMED.fullmatch(text.strip())
    if not found:
        return "", mail_of(text)
    name = found["name"]
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return name, mail_of(found["mail"])


def truth_text(value: bool) -> str:  # noqa: FBT001  the value itself
    """A boolean as written."""
    return "true" if value else "false"


def time_text(value: time, *, like: str = "") -> str:
    """A time of day, padded unless the text that it replaces is not."""
    text = value.strftime("%H:%M:%S" if value.second else "%H:%M")
    unpadded = len(like.split(":", maxsplit=1)[0].strip()) == 1
    return text[1:] if unpadded and text[0] == "0" else text


def duration_text(value: timedelta, *, like: str = "") -> str:
    """A duration in the form of the text that it replaces, else such as `1h30m`."""
    if value < timedelta():
        return "-" + duration_text(-value, like=like.removeprefix("-"))
    days, rest = divmod(value.days * 86_400 + value.seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if ":" in like and not seconds:
        return f"{days * 24 + hours}:{minutes:02d}"
    if like[:1] in ("P", "p"):
        clock = _units((hours, "H"), (minutes, "M"), (seconds, "S"))
        return "P" + (f"{days}D" if days else "") + ("T" + clock if clock else "") if value else "PT0M"
    return _units((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")) or "0m"


def _units(*parts: tuple[int, str]) -> str:
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def original_text(value: Original) -> str:
    """The original start of an instance as a key or an element of `skip`."""
    if isinstance(value, datetime):
        return f"{value.date().isoformat()} {time_text(value.time())}"
    return value.isoformat()


def named_mail(name: str, mail: str) -> str:
    """`Name <mail>`, or "" where the name has signs that this form can't hold."""
    if not name:
        return mail
    if any(sign in name for sign in '<>"\\') or name != " ".join(name.split()):
        return ""
    return f"{name} <{mail}>"
