"""Seeded sets of activities: the same number and seed give the same bytes, as YAML files and as .ics files.

70 % are in a zone (with VTIMEZONE), 10 % all-day, 12 % recur, 35 % have alarms; of those that come from a
calendar 45 % have guests. An .ics file is 1.4 KB on average.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

SEED = 4791
_ZONES = {
    "Europe/Helsinki": (
        "BEGIN:VTIMEZONE", "TZID:Europe/Helsinki", "BEGIN:STANDARD", "DTSTART:19701025T040000",
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "TZOFFSETFROM:+0300", "TZOFFSETTO:+0200", "TZNAME:EET",
        "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700329T030000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
        "TZOFFSETFROM:+0200", "TZOFFSETTO:+0300", "TZNAME:EEST", "END:DAYLIGHT", "END:VTIMEZONE",
    ),
    "Europe/Moscow": (
        "BEGIN:VTIMEZONE", "TZID:Europe/Moscow", "BEGIN:STANDARD", "DTSTART:19700101T000000",
        "TZOFFSETFROM:+0300", "TZOFFSETTO:+0300", "TZNAME:MSK", "END:STANDARD", "END:VTIMEZONE",
    ),
    "America/New_York": (
        "BEGIN:VTIMEZONE", "TZID:America/New_York", "BEGIN:STANDARD", "DTSTART:19701101T020000",
        "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU", "TZOFFSETFROM:-0400", "TZOFFSETTO:-0500", "TZNAME:EST",
        "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700308T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",
        "TZOFFSETFROM:-0500", "TZOFFSETTO:-0400", "TZNAME:EDT", "END:DAYLIGHT", "END:VTIMEZONE",
    ),
}  # fmt: skip
_KINDS = ("call", "meeting", "task", "lunch")
_WHOM = ("Anna Petrova", "Oleg Sidorov", "Maria Lee", "Ivan Orlov", "Jürgen Weiß", "Zoë Martin", "李小龙")
_ABOUT = ("the renewal", "the pilot", "prices for 2030", "the security review", "a contract", "next steps")
_TEXT = "Talk about scope, dates and the price list; bring last year's figures and the open questions. "


@dataclass(frozen=True, slots=True)
class Event:
    """One activity of a set."""

    number: int
    kind: str
    subject: str
    start: datetime
    minutes: int
    all_day: bool
    zone: str
    repeats: bool
    reminder: int
    guests: tuple[str, ...]
    text: str

    @property
    def uid(self) -> str:
        """Its UID in the calendar."""
        return f"bench-{self.number:06d}@example.com"


def events(count: int, *, seed: int = SEED) -> Iterator[Event]:
    """A set of this size; a larger one begins with the same events."""
    dice = random.Random(seed)
    for number in range(count):
        all_day = dice.random() < 0.10
        yield Event(
            number,
            dice.choice(_KINDS),
            f"{dice.choice(_WHOM)} about {dice.choice(_ABOUT)} {number}",
            datetime.combine(date(2027, 1, 1) + timedelta(days=dice.randrange(1500)), datetime.min.time())
            + timedelta(minutes=15 * dice.randrange(32, 72)),
            dice.choice((15, 30, 45, 60, 90)),
            all_day,
            dice.choice(tuple(_ZONES)) if not all_day and dice.random() < 0.78 else "",
            dice.random() < 0.12,
            dice.choice((10, 15, 60)) if dice.random() < 0.35 else 0,
            tuple(dice.sample(_WHOM[:4], dice.randrange(2, 5))) if dice.random() < 0.45 else (),
            _TEXT * dice.randrange(3, 8),
        )


def as_ics(event: Event) -> bytes:
    """The event as a calendar would hold it; its guests were invited by somebody else."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Calendar 7//EN", *_ZONES.get(event.zone, ())]
    lines += ["BEGIN:VEVENT", f"UID:{event.uid}", "DTSTAMP:20261101T080000Z", "CREATED:20261101T080000Z"]
    lines += ["LAST-MODIFIED:20261102T090000Z", "SEQUENCE:0", f"SUMMARY:{event.subject}", *_span(event)]
    lines += [f"DESCRIPTION:{event.text.replace(';', chr(92) + ';').replace(',', chr(92) + ',')}"]
    lines += [f"LOCATION:Room {event.number % 40}", f"CATEGORIES:{event.kind}", "TRANSP:OPAQUE", "STATUS:CONFIRMED"]
    if event.repeats:
        lines.append("RRULE:FREQ=WEEKLY;COUNT=20")
    if event.guests:
        lines.append("ORGANIZER;CN=Host:mailto:host@partner.example")
        lines += [
            f"ATTENDEE;CN={name};ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:guest{at}@partner.example"
            for at, name in enumerate(event.guests)
        ]
    if event.reminder:
        lines += [
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"TRIGGER:-PT{event.reminder}M",
            "DESCRIPTION:Reminder",
            "END:VALARM",
        ]
    lines += ["X-EXAMPLE-COLOR:#336699", "END:VEVENT", "END:VCALENDAR", ""]
    return "\r\n".join(_folded(line) for line in lines).encode()


def _span(event: Event) -> list[str]:
    if event.all_day:
        return [f"DTSTART;VALUE=DATE:{event.start:%Y%m%d}", f"DTEND;VALUE=DATE:{event.start + timedelta(1):%Y%m%d}"]
    end = event.start + timedelta(minutes=event.minutes)
    zone, utc = (f";TZID={event.zone}", "") if event.zone else ("", "Z")
    return [f"DTSTART{zone}:{event.start:%Y%m%dT%H%M%S}{utc}", f"DTEND{zone}:{end:%Y%m%dT%H%M%S}{utc}"]


def _folded(line: str) -> str:
    pieces = [line[at : at + 70] for at in range(0, len(line), 70)]
    return "\r\n ".join(pieces)


def as_yaml(event: Event) -> str:
    """The activity as its user would have written it."""
    lines = [f"subject: {event.subject}", f"type: {event.kind}", f"due_date: {event.start:%Y-%m-%d}"]
    if not event.all_day:
        lines += [f"due_time: {event.start:%H:%M}", f"duration: {event.minutes}m"]
    if event.zone:
        lines.append(f"timezone: {event.zone}")
    lines += ["", f"location: Room {event.number % 40}", "public_description: |"]
    lines += [f"  {line.strip()}." for line in event.text.split(".") if line.strip()]
    lines += ["note: |", "  Nobody else reads this.", "deal: renewal-2030   # ours since May"]
    if event.repeats:
        lines.append("repeat: FREQ=WEEKLY;COUNT=20")
    if event.reminder:
        lines.append(f"reminders: [{event.reminder}m]")
    return "\n".join([*lines, ""])


def write_yaml(folder: Path, count: int) -> None:
    """The set as activity files, 500 to a folder."""
    for event in events(count):
        path = yaml_path(folder, event.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(as_yaml(event), encoding="utf-8")


def yaml_path(folder: Path, number: int) -> Path:
    """Where an activity of the set is."""
    return folder / f"part-{number // 500:02d}" / f"activity-{number:05d}.yaml"


def write_ics(folder: Path, count: int) -> None:
    """The set as .ics files in one folder, named by UID as vdirsyncer does."""
    folder.mkdir(parents=True, exist_ok=True)
    for event in events(count):
        (folder / f"{event.uid}.ics").write_bytes(as_ics(event))
