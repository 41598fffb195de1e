"""What one VEVENT says, field by field: properties as values of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from adapters.ics.content_lines import Component, Line
from adapters.ics.ics_alarms import reminders_of
from adapters.ics.ics_people import guests_of
from adapters.ics.ics_properties import Properties, properties_of, text_of, word_of
from adapters.ics.ics_values import parse_duration, parse_moment, split_list, unescape
from adapters.ics.ics_zones import Zones
from daemon.core.errors import Unreadable
from daemon.core.model import (
    AllDay,
    Busy,
    Field,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    When,
)
from daemon.core.overlay import without_block
from daemon.core.times import elapsed

Fields = Mapping[Field, Value]


class Moment(NamedTuple):
    """A DATE or DATE-TIME as it stands: naive wall-clock time, and its zone ("" for a date)."""

    value: date | datetime
    zone: str = ""
    floating: bool = False


@dataclass(frozen=True, slots=True)
class Reader:
    """What reading needs beside the properties: the zones of the object, and the config's types."""

    zones: Zones
    types: Sequence[str] = ()

    def fields(self, component: Component) -> dict[Field, Value]:
        """Everything that a VEVENT says, but its rule and what is left out of it."""
        properties = properties_of(component)
        found: dict[Field, Value] = {}
        for field, read in _READERS.items():
            value = read(properties)
            if value is not None:
                found[field] = value
        when = self.when(properties)
        if when is not None:
            found[Field.WHEN] = when
        reminders = reminders_of(component)
        if reminders:
            found[Field.REMINDERS] = reminders
        found.update(self._categories(properties))
        return found

    def moment(self, line: Line) -> Moment:
        """The value of DTSTART, DTEND and the like. Raises Unreadable."""
        params, value = line.parts()
        return self.moment_of(params, value, line.name.decode("ascii", "replace"))

    def moment_of(self, params: Mapping[str, str], value: str, name: str = "") -> Moment:
        """One DATE or DATE-TIME with the parameters of its property. Raises Unreadable."""
        moment = parse_moment(value, name)
        if not isinstance(moment, datetime):
            return Moment(moment)
        if params.get("VALUE", "").upper() == "DATE":
            return Moment(moment.date())
        if moment.tzinfo:
            return Moment(moment.replace(tzinfo=None), "UTC")
        tzid = params.get("TZID")
        if tzid:
            return Moment(moment, self.zones.name(tzid, moment.year))
        return Moment(moment, self.zones.default, floating=True)

    def when(self, properties: Properties) -> When | None:
        """The span; None without DTSTART. Raises Unreadable."""
        if b"DTSTART" not in properties:
            return None
        start = self.moment(properties[b"DTSTART"][0])
        length = self._length(start, properties)
        if isinstance(start.value, datetime):
            return Timed(start.value, start.zone, max(length or timedelta(), timedelta()))
        return AllDay(start.value, max(1, -(-length // timedelta(days=1)) if length else 1))

    def _length(self, start: Moment, properties: Properties) -> timedelta | None:
        if b"DTEND" in properties:
            end = self.moment(properties[b"DTEND"][0])
            if isinstance(start.value, datetime) and isinstance(end.value, datetime):
                return elapsed(start.value, end.value, start.zone, end.zone)
            return _day(end.value) - _day(start.value)
        if b"DURATION" in properties:
            return parse_duration(properties[b"DURATION"][0].value)
        return None

    def _categories(self, properties: Properties) -> dict[Field, Value]:
        names = categories_of(properties)
        mark = text_of(properties, b"X-DATEBOOK-TYPE")
        kind = type_among(names, mark, self.types)
        rest = frozenset(name for name in names if not kind or name.casefold() != kind.casefold())
        found: dict[Field, Value] = {}
        if kind:
            found[Field.TYPE] = kind
        if rest:
            found[Field.CATEGORIES] = rest
        return found


def type_among(names: Sequence[str], mark: str, types: Sequence[str]) -> str:
    """The type that categories and our own mark stand for; the mark leads while its category is there."""
    words = {word.casefold(): word for word in types}
    if mark and any(name.casefold() == mark.casefold() for name in names):
        return words.get(mark.casefold(), mark)
    return next((words[name.casefold()] for name in names if name.casefold() in words), mark)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _text_reader(name: bytes) -> Callable[[Properties], Value | None]:
    return lambda properties: text_of(properties, name) or None


def _description(properties: Properties) -> str | None:
    return without_block(text_of(properties, b"DESCRIPTION")).rstrip("\n") or None


# In the order in which they are believed.
MEETING_URLS = (b"CONFERENCE", b"X-GOOGLE-CONFERENCE", b"X-MICROSOFT-SKYPETEAMSMEETINGURL", b"URL")


def meeting_line(properties: Properties) -> Line | None:
    """The line that gives the meeting's URL; a telephone number is none."""
    for name in MEETING_URLS:
        for line in properties.get(name, ()):
            url = line.value.strip()
            if url and url[:4].lower() != "tel:":
                return line
    return None


def _meeting_url(properties: Properties) -> str | None:
    line = meeting_line(properties)
    return line.value.strip() if line else None


_BUSY_WORDS = {"TENTATIVE": Busy.TENTATIVE, "OOF": Busy.OOF, "WORKINGELSEWHERE": Busy.ELSEWHERE}


def _busy(properties: Properties) -> Busy | None:
    """TRANSP leads: it is what programs edit. Microsoft's word says which kind of busy it is."""
    shown, word = word_of(properties, b"TRANSP"), word_of(properties, b"X-MICROSOFT-CDO-BUSYSTATUS")
    if shown == "TRANSPARENT":
        return Busy.ELSEWHERE if word == "WORKINGELSEWHERE" else Busy.FREE
    if not shown and word == "FREE":
        return Busy.FREE
    if shown or word:
        return _BUSY_WORDS.get(word, Busy.BUSY)
    return None


_CLASSES = {"PUBLIC": Privacy.PUBLIC, "PRIVATE": Privacy.PRIVATE, "CONFIDENTIAL": Privacy.CONFIDENTIAL}


def _privacy(properties: Properties) -> Privacy | None:
    """RFC 5545 section 3.8.1.3: a class that is not known counts as private."""
    word = word_of(properties, b"CLASS")
    return _CLASSES.get(word, Privacy.PRIVATE) if word else None


_PRIORITIES = (None, *[Priority.HIGH] * 4, Priority.MEDIUM, *[Priority.LOW] * 4)


def _priority(properties: Properties) -> Priority | None:
    word = word_of(properties, b"PRIORITY")
    return _PRIORITIES[int(word)] if word.isdecimal() and len(word) == 1 else None


def _status(properties: Properties) -> Status | None:
    word = word_of(properties, b"STATUS").lower()
    return Status(word) if word in {"confirmed", "tentative", "cancelled"} else None


def categories_of(properties: Properties) -> list[str]:
    """The categories, in order."""
    names = (unescape(item).strip() for line in properties.get(b"CATEGORIES", ()) for item in split_list(line.value))
    return [name for name in names if name]


_READERS: Mapping[Field, Callable[[Properties], Value | None]] = MappingProxyType(
    {
        Field.SUBJECT: _text_reader(b"SUMMARY"),
        Field.LOCATION: _text_reader(b"LOCATION"),
        Field.DESCRIPTION: _description,
        Field.MEETING_URL: _meeting_url,
        Field.BUSY: _busy,
        Field.PRIVATE: _privacy,
        Field.PRIORITY: _priority,
        Field.STATUS: _status,
        Field.ATTENDEES: guests_of,
    }
)


def stamp_of(line: Line | None) -> datetime | None:
    """A moment in UTC, such as LAST-MODIFIED; None where it is missing or not in UTC."""
    if line is None:
        return None
    try:
        moment = parse_moment(line.value)
    except Unreadable:
        return None
    return moment if isinstance(moment, datetime) and moment.tzinfo else None
