"""An edit of one field of a calendar object changes the property that says it, and no other line of any event."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from adapters.ics.ics_codec import patch, read
from daemon.core.model import (
    Activity,
    AllDay,
    Busy,
    Field,
    Guest,
    Key,
    Original,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    guests_of,
)
from daemon.core.times import occurrences

FILES = sorted((Path(__file__).parent.parent / "corpus" / "ics").glob("*.ics"))
CHANGED = [path for path in FILES if b"RECURRENCE-ID" in path.read_bytes()]
ZONE = "Europe/Helsinki"
TYPES = ("call", "meeting")
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)

# What every write may touch (RFC 5545 section 3.8.7), and the properties that say each field.
STAMPS = {"DTSTAMP", "LAST-MODIFIED", "SEQUENCE"}
SAYS = {
    Field.SUBJECT: {"SUMMARY"},
    Field.LOCATION: {"LOCATION", "X-APPLE-STRUCTURED-LOCATION"},
    Field.DESCRIPTION: {"DESCRIPTION", "X-ALT-DESC"},
    Field.MEETING_URL: {"CONFERENCE", "URL", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"},
    Field.STATUS: {"STATUS"},
    Field.PRIVATE: {"CLASS"},
    Field.PRIORITY: {"PRIORITY"},
    Field.BUSY: {"TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS"},
    Field.REMINDERS: {"VALARM"},
    Field.CATEGORIES: {"CATEGORIES"},
    Field.TYPE: {"CATEGORIES", "X-DATEBOOK-TYPE"},
    Field.ATTENDEES: {"ATTENDEE", "ORGANIZER"},
    Field.REPEAT: {"RRULE"},
    Field.SKIP: {"EXDATE"},
    Field.WHEN: {"DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RECURRENCE-ID"},
}
NEW: dict[Field, Value] = {
    Field.SUBJECT: "Something, else; new",
    Field.LOCATION: "Elsewhere",
    Field.DESCRIPTION: "Other\nwords",
    Field.MEETING_URL: "https://meet.example.com/new",
    Field.STATUS: Status.TENTATIVE,
    Field.PRIVATE: Privacy.CONFIDENTIAL,
    Field.PRIORITY: Priority.LOW,
    Field.BUSY: Busy.OOF,
    Field.REMINDERS: frozenset({timedelta(minutes=77)}),
    Field.CATEGORIES: frozenset({"Brand new"}),
    Field.TYPE: "call",
}


def events(raw: bytes) -> list[list[tuple[str, str]]]:
    """The events in order, each as the names of its properties with their whole unfolded lines; alarms whole."""
    text = re.sub(r"\r?\n[ \t]", "", raw.decode("utf-8-sig", "surrogateescape"))
    found: list[list[tuple[str, str]]] = []
    alarm: list[str] | None = None
    inside = False
    for each in text.splitlines():
        upper = each.strip().upper()
        if upper == "BEGIN:VEVENT":
            found.append([])
            inside = True
        elif upper == "END:VEVENT":
            inside = False
        elif upper.startswith("BEGIN:VALARM") and inside:
            alarm = [each]
        elif alarm is not None:
            alarm.append(each)
            if upper.startswith("END:VALARM"):
                found[-1].append(("VALARM", "\n".join(alarm)))
                alarm = None
        elif inside:
            found[-1].append((re.split("[;:]", upper, maxsplit=1)[0], each))
    return found


def beside_events(raw: bytes) -> bytes:
    return re.sub(rb"BEGIN:VEVENT.*?END:VEVENT\r?\n", b"", raw, flags=re.DOTALL | re.IGNORECASE)


def touched(before: bytes, after: bytes) -> list[set[str]]:
    """By event, the names of the properties of which a line is another one, or gone, or new."""
    one, two = events(before), events(after)
    assert len(one) == len(two)
    return [
        {name for name, _ in (Counter(a) - Counter(b)) + (Counter(b) - Counter(a))}
        for a, b in zip(one, two, strict=True)
    ]


def activity(path: Path) -> Activity:
    return read(path.read_bytes(), zone=ZONE, types=TYPES)


def wanted(seen: Activity, field: Field) -> Value | None:
    """Another value of a field; None: this event leaves no room for one."""
    if Key(field) in seen.frozen:
        return None
    when = seen.view.get(Key(Field.WHEN))
    if field is Field.WHEN:
        if when is None:
            return None
        assert isinstance(when, Timed | AllDay)
        if isinstance(when, AllDay):
            return replace(when, days=when.days + 1)
        return replace(when, start=when.start + timedelta(minutes=20))
    if field is Field.ATTENDEES:
        known = guests_of(seen.view)
        return frozenset({*known, Guest("new@example.com", "New One")}) if known else None
    if field is Field.REPEAT:
        return "FREQ=DAILY;COUNT=400" if Key(field) in seen.view else None
    if field is Field.SKIP:
        return frozenset({*_skips(seen), plain_instance(seen)}) if Key(Field.REPEAT) in seen.view else None
    return NEW[field] if NEW[field] != seen.view.get(Key(field)) else None


def _skips(seen: Activity) -> Iterator[Original]:
    value = seen.view.get(Key(Field.SKIP))
    yield from (item for item in value if isinstance(item, date)) if isinstance(value, frozenset) else ()


def plain_instance(seen: Activity) -> Original:
    """An instance of a series of which it says nothing yet."""
    said = {key.instance for key in seen.view}
    plain = (each.original for each in occurrences(seen.view, zone=ZONE) if each.original not in said)
    return next(islice(plain, 2, None))


CASES = [(path, field) for path in FILES for field in Field if wanted(activity(path), field) is not None]


@pytest.mark.parametrize(("path", "field"), CASES, ids=lambda value: getattr(value, "stem", None) or str(value))
def test_an_edit_of_one_field_touches_the_property_that_says_it_and_no_other(path: Path, field: Field) -> None:
    raw, seen = path.read_bytes(), activity(path)
    value = wanted(seen, field)
    after = patch(raw, {Key(field): value}, zone=ZONE, now=NOW, types=TYPES)
    master, *overrides = touched(raw, after)
    assert master <= SAYS[field] | STAMPS
    assert master & SAYS[field]
    for each in overrides:
        assert each <= SAYS[field] | STAMPS
    assert beside_events(after) == beside_events(raw)
    assert read(after, zone=ZONE, types=TYPES).view == {**seen.view, Key(field): value}


@pytest.mark.parametrize(("path", "field"), CASES, ids=lambda value: getattr(value, "stem", None) or str(value))
def test_an_edit_that_is_taken_back_leaves_every_property_and_parameter_as_it_was(path: Path, field: Field) -> None:
    raw, seen = path.read_bytes(), activity(path)
    changed = patch(raw, {Key(field): wanted(seen, field)}, zone=ZONE, now=NOW, types=TYPES)
    back = patch(changed, {Key(field): seen.view.get(Key(field))}, zone=ZONE, now=NOW, types=TYPES)
    assert read(back, zone=ZONE, types=TYPES).view == seen.view
    for names in touched(raw, back):
        assert names <= SAYS[field] | STAMPS


@pytest.mark.parametrize("field", [Field.SUBJECT, Field.LOCATION, Field.BUSY, Field.REMINDERS, Field.STATUS])
@pytest.mark.parametrize("path", CHANGED, ids=lambda path: path.stem)
def test_an_edit_of_one_instance_touches_that_instance_alone(path: Path, field: Field) -> None:
    raw, seen = path.read_bytes(), activity(path)
    for original in sorted({key.instance for key in seen.view if key.instance is not None}, key=str):
        after = patch(raw, {Key(field, original): NEW[field]}, zone=ZONE, now=NOW, types=TYPES)
        names = [each for each in touched(raw, after) if each]
        assert len(names) == 1
        assert names[0] <= SAYS[field] | STAMPS
        assert read(after, zone=ZONE, types=TYPES).view == {**seen.view, Key(field, original): NEW[field]}


@pytest.mark.parametrize(
    "path", [path for path in CHANGED if Key(Field.REPEAT) in activity(path).view], ids=lambda path: path.stem
)
def test_a_change_of_a_plain_instance_leaves_the_series_and_the_other_changes_as_they_are(path: Path) -> None:
    raw, seen = path.read_bytes(), activity(path)
    key = Key(Field.LOCATION, plain_instance(seen))
    after = patch(raw, {key: "Elsewhere"}, zone=ZONE, now=NOW, types=TYPES)
    known, there = events(raw), events(after)
    assert len(there) == len(known) + 1
    assert all(event in there for event in known)
    assert read(after, zone=ZONE, types=TYPES).view == {**seen.view, key: "Elsewhere"}
    back = patch(after, {key: None}, zone=ZONE, now=NOW, types=TYPES)
    assert events(back) == known
