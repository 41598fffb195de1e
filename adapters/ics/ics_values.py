"""iCalendar's value types (RFC 5545 section 3.3): texts, dates, date-times, durations, to and from values."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from daemon.core.errors import Unreadable

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANS = {"n": "\n", "N": "\n"}


def clean(text: str) -> str:
    r"""A text as iCalendar can hold it: line ends are `\n`, no other control but the tab, no final line ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("", text).rstrip("\n")


def escape(text: str) -> str:
    """TEXT (section 3.3.11) from a text."""
    return escape_clean(clean(text))


def escape_clean(text: str) -> str:
    """The same of a text that was cleaned already."""
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    return text.replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def unescape(value: str) -> str:
    """The text that a TEXT value stands for, without final line ends."""
    if "\\" in value:
        value = _ESCAPED.sub(lambda found: _MEANS.get(found[1], found[1]), value)
    return clean(value)


_ITEM = re.compile(r"(?:[^\\,]|\\.)*", re.DOTALL)


def split_list(value: str) -> list[str]:
    """The items of a comma-separated TEXT list, still escaped."""
    if "\\" not in value:
        return value.split(",")
    items, at = [], 0
    while at <= len(value):
        found = _ITEM.match(value, at)
        end = found.end() if found else len(value)
        items.append(value[at:end])
        at = max(end, at) + 1
    return items


_DATE_TIME = re.compile(r"(\d{8})(?:T(\d{4})(\d{2})?(Z?))?", re.ASCII | re.IGNORECASE)


def parse_moment(value: str, name: str = "") -> date | datetime:
    """A DATE, a naive DATE-TIME, or one in UTC (aware). Raises Unreadable."""
    found = _DATE_TIME.fullmatch(value.strip())
    if found:
        day, minutes, seconds, utc = found.groups()
        try:
            if minutes is None:
                return date.fromisoformat(day)
            moment = datetime.fromisoformat(f"{day}T{minutes}{min(seconds or '00', '59')}")
            return moment.replace(tzinfo=UTC) if utc else moment
        except ValueError:
            pass
    raise Unreadable(f"{name or 'a value'} is no date or time", code="bad_value", cure="write it as 20261124T103000")


def write_date(day: date) -> str:
    """DATE."""
    return f"{day.year:04}{day.month:02}{day.day:02}"


def write_moment(moment: datetime) -> str:
    """DATE-TIME: with Z where it is aware (it must be in UTC then)."""
    text = f"{moment.year:04}{moment.month:02}{moment.day:02}T{moment.hour:02}{moment.minute:02}{moment.second:02}"
    return text + "Z" if moment.tzinfo else text


_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?",
    re.ASCII | re.IGNORECASE,
)


def parse_duration(value: str) -> timedelta | None:
    """A DURATION (section 3.3.6); None where it is none."""
    found = _DURATION.fullmatch(value.strip())
    if not found or not any(found.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups()[1:])
    try:
        length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None
    return -length if found[1] == "-" else length


def write_duration(length: timedelta) -> str:
    """DURATION: whole days as days, the rest in hours, minutes and seconds."""
    sign = "-" if length < timedelta() else ""
    length = abs(length)
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    days = f"{length.days}D" if length.days else ""
    return f"{sign}P{days}T{clock}" if clock else f"{sign}P{days}" if days else "PT0S"
