"""A calendar with many events, taken apart into objects of one activity each, and put together of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from adapters.ics.content_lines import Component, Line, parse
from adapters.ics.ics_values import unescape

LARGEST_CALENDAR = 512 * 1024 * 1024  # bytes: decades of a busy life
_EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Datebook//Datebook//EN\r\nEND:VCALENDAR\r\n"
_HEADER = frozenset({b"VERSION", b"PRODID", b"CALSCALE"})
_TZID = re.compile(rb";TZID=(\"[^\"]*\"|[^:;,\r\n]*)", re.IGNORECASE)
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]")


def split(raw: bytes) -> list[tuple[str, bytes]]:
    """One calendar object for each activity, with its UID ("" where it has none) and the zones that it needs.

    Tasks, journals and the calendar's own properties are left out; every line of an event stays byte for
    byte. Raises Unreadable.
    """
    found: dict[object, tuple[str, Component, list[Component]]] = {}
    for calendar in parse(raw, largest=LARGEST_CALENDAR).components(b"VCALENDAR"):
        for event in calendar.components(b"VEVENT"):
            uid = _uid(event)
            found.setdefault((id(calendar), uid or id(event)), (uid, calendar, []))[2].append(event)
    return [(uid, b"".join(_object(calendar, events))) for uid, calendar, events in found.values()]


def join(objects: Iterable[bytes]) -> bytes:
    """One calendar of many objects, with each zone once."""
    whole: Component | None = None
    zones: set[bytes] = set()
    for raw in objects:
        for calendar in parse(raw).components(b"VCALENDAR"):
            if whole is None:
                whole = Component(b"VCALENDAR", calendar.begin, calendar.end)
                whole.body += [each for each in calendar.body if isinstance(each, Line)]
            for each in calendar.body:
                if not isinstance(each, Component) or (each.name == b"VTIMEZONE" and _named(each) in zones):
                    continue
                if each.name == b"VTIMEZONE":
                    zones.add(_named(each))
                whole.body.append(each)
    return whole.dump() if whole else _EMPTY


def _uid(event: Component) -> str:
    line = event.first(b"UID")
    return unescape(line.value.strip()) if line else ""


def _object(calendar: Component, events: Iterable[Component]) -> Iterator[bytes]:
    dumped = [event.dump() for event in events]
    used = {tzid for raw in dumped for tzid in _tzids(raw)}
    yield calendar.begin
    for each in calendar.body:
        if isinstance(each, Line):
            if each.name in _HEADER:
                yield each.raw
        elif each.name == b"VTIMEZONE" and _named(each) in used:
            yield each.dump()
    yield from dumped
    yield calendar.end


def _tzids(raw: bytes) -> Iterator[bytes]:
    return (found.strip(b'"') for found in _TZID.findall(_FOLD.sub(b"", raw)))


def _named(vtimezone: Component) -> bytes:
    line = vtimezone.first(b"TZID")
    return unescape(line.value.strip()).strip('"').encode() if line else b""
