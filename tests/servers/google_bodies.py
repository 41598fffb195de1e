"""What Google makes of an event that is PUT: it writes the body anew, and knows whom it would mail.

Content lines are read here by a few lines of their own, so that the persona shares nothing with Datebook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

EPOCH = 62135683200  # Google's ETag is the second of the last change, counted from the year 1
_MAIL = re.compile(r"mailto:([^\s;:,\"]+)", re.IGNORECASE)
_ADDED = {"CREATED", "LAST-MODIFIED", "DTSTAMP"}


@dataclass(frozen=True)
class Rewriting:
    """How a body is changed. `drops` are names of properties, `X-` stands for all that begin with it."""

    drops: frozenset[str] = frozenset()
    default_alarm: str = ""  # a TRIGGER that an event without alarms is given
    floating_zone: str = "UTC"


@dataclass
class Event:
    """One VEVENT: its own lines, unfolded, and its alarms as they are."""

    lines: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def value(self, name: str) -> str:
        """The value of a property; "" when it is not there."""
        return next((line.partition(":")[2] for line in self.lines if name_of(line) == name), "")


def unfolded(body: bytes) -> list[str]:
    """The content lines of a body."""
    return re.sub(r"\r?\n[ \t]", "", body.decode()).replace("\r\n", "\n").strip("\n").split("\n")


def folded(lines: Iterable[str]) -> bytes:
    """Content lines as a body, folded at 75 bytes as Google does it."""
    return b"".join(_fold(line.encode()) for line in lines)


def _fold(line: bytes) -> bytes:
    parts, limit = [], 75
    while len(line) > limit:
        cut = limit
        while line[cut] & 0xC0 == 0x80:
            cut -= 1
        parts.append(line[:cut])
        line, limit = line[cut:], 74
    return b"\r\n ".join([*parts, line]) + b"\r\n"


def name_of(line: str) -> str:
    """The name of a content line, in capitals."""
    return re.split("[;:]", line, maxsplit=1)[0].upper()


def uid_of(body: bytes) -> str:
    """The UID of the event, as it is written there."""
    return next((line.partition(":")[2] for line in unfolded(body) if name_of(line) == "UID"), "")


def attendees_of(body: bytes) -> frozenset[str]:
    """The addresses of all guests."""
    lines = (line for line in unfolded(body) if name_of(line) == "ATTENDEE")
    return frozenset(match.group(1).lower() for line in lines if (match := _MAIL.search(line)))


def organizer_of(body: bytes) -> str:
    """The organiser's address; "" without one."""
    lines = (line for line in unfolded(body) if name_of(line) == "ORGANIZER")
    return next((match.group(1).lower() for line in lines if (match := _MAIL.search(line))), "")


def sequence_of(body: bytes) -> int:
    """The SEQUENCE of the first event; 0 without one."""
    return int(next((line.partition(":")[2] for line in unfolded(body) if name_of(line) == "SEQUENCE"), "0"))


def rewritten(body: bytes, before: bytes | None, now: datetime, how: Rewriting, calendar: str) -> bytes:
    """The body as Google keeps it."""
    made = next((line for line in unfolded(before or b"") if name_of(line) == "CREATED"), "")
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    zones, events = _parts(unfolded(body))
    lines = ["BEGIN:VCALENDAR", "PRODID:-//Google Inc//Google Calendar 70.9054//EN", "VERSION:2.0"]
    lines += ["CALSCALE:GREGORIAN", f"X-WR-CALNAME:{calendar}", f"X-WR-TIMEZONE:{how.floating_zone}", *zones]
    for event in events:
        lines += _event(event, stamp, made or f"CREATED:{stamp}", how)
    return folded([*lines, "END:VCALENDAR"])


def _event(event: Event, stamp: str, made: str, how: Rewriting) -> list[str]:
    kept = [_in_zone(line, how) for line in event.lines if name_of(line) not in _ADDED and not _dropped(line, how)]
    names = {name_of(line) for line in kept}
    kept += [made, f"LAST-MODIFIED:{stamp}", f"DTSTAMP:{stamp}"]
    added = {"DESCRIPTION": "", "LOCATION": "", "SEQUENCE": "0", "STATUS": "CONFIRMED", "TRANSP": "OPAQUE"}
    kept += [f"{name}:{value}" for name, value in added.items() if name not in names]
    alarms = [] if _dropped("VALARM:", how) else event.alarms
    if how.default_alarm and not alarms:
        alarms = ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:This is an event reminder"]
        alarms += [f"TRIGGER:{how.default_alarm}", "END:VALARM"]
    return ["BEGIN:VEVENT", *kept, *alarms, "END:VEVENT"]


def _dropped(line: str, how: Rewriting) -> bool:
    name = name_of(line)
    return name in how.drops or ("X-" in how.drops and name.startswith("X-"))


def _in_zone(line: str, how: Rewriting) -> str:
    """A floating time is read in the calendar's zone."""
    match = re.fullmatch(r"(DTSTART|DTEND|RECURRENCE-ID|EXDATE):(\d{8}T\d{6})", line)
    if match is None:
        return line
    name, value = match.groups()
    return f"{name}:{value}Z" if how.floating_zone == "UTC" else f"{name};TZID={how.floating_zone}:{value}"


def _parts(lines: list[str]) -> tuple[list[str], list[Event]]:
    """The lines of the time zones, and the events."""
    zones: list[str] = []
    events: list[Event] = []
    inside: list[str] = []
    for line in lines:
        if line.upper().startswith("BEGIN:"):
            inside.append(line[6:].strip().upper())
            if inside[-1] == "VEVENT":
                events.append(Event())
                continue
        if "VTIMEZONE" in inside:
            zones.append(line)
        elif "VALARM" in inside:
            events[-1].alarms.append(line)
        elif inside[-1:] == ["VEVENT"] and not line.upper().startswith("END:"):
            events[-1].lines.append(line)
        if line.upper().startswith("END:") and inside:
            inside.pop()
    return zones, events
