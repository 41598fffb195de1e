"""Every field of every calendar that others wrote, edited by itself: only that field's lines change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.ics.content_lines import parse
from adapters.ics.ics_codec import patch, read, split
from daemon.core.errors import Unreadable
from daemon.core.model import (
    Activity,
    AllDay,
    Busy,
    Field,
    Guest,
    Key,
    Priority,
    Privacy,
    Status,
    Timed,
    Value,
    guests_of,
)

CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "ics").glob("*.ics"))
ZONE = "Europe/Helsinki"
TYPES = ("call", "meeting")
NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)

_STAMPS = frozenset({"DTSTAMP", "LAST-MODIFIED", "SEQUENCE"})
# The lines that say a field; all others are not its own.
_LINES: Mapping[Field, frozenset[str]] = {
    Field.SUBJECT: frozenset({"SUMMARY"}),
    Field.LOCATION: frozenset({"LOCATION", "X-APPLE-STRUCTURED-LOCATION"}),
    Field.DESCRIPTION: frozenset({"DESCRIPTION", "X-ALT-DESC"}),
    Field.MEETING_URL: frozenset({"CONFERENCE", "URL", "X-GOOGLE-CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL"}),
    Field.STATUS: frozenset({"STATUS"}),
    Field.PRIVATE: frozenset({"CLASS"}),
    Field.PRIORITY: frozenset({"PRIORITY"}),
    Field.BUSY: frozenset({"TRANSP", "X-MICROSOFT-CDO-BUSYSTATUS"}),
    Field.REMINDERS: frozenset({"VALARM"}),
    Field.CATEGORIES: frozenset({"CATEGORIES"}),
    Field.TYPE: frozenset({"CATEGORIES", "X-DATEBOOK-TYPE"}),
    Field.ATTENDEES: frozenset({"ATTENDEE", "ORGANIZER"}),
    Field.WHEN: frozenset({"DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RECURRENCE-ID"}),
    Field.REPEAT: frozenset({"RRULE"}),
    Field.SKIP: frozenset({"EXDATE"}),
}
_NEW: Mapping[Field, tuple[Value | None, ...]] = {
    Field.SUBJECT: ("Other; title, with \\ and ÿ", "(no title)"),
    Field.LOCATION: ("Elsewhere\nsecond line", None),
    Field.DESCRIPTION: ("One, two; " * 30, None),
    Field.MEETING_URL: ("https://meet.example.com/other?a=1,2;b", None),
    Field.STATUS: (Status.TENTATIVE, Status.CANCELLED, None),
    Field.PRIVATE: (Privacy.CONFIDENTIAL, Privacy.PUBLIC),
    Field.PRIORITY: (Priority.LOW, None),
    Field.BUSY: (Busy.FREE, Busy.OOF),
    Field.REMINDERS: (frozenset({timedelta(minutes=7)}), None),
    Field.CATEGORIES: (frozenset({"New, with a comma"}), None),
    Field.TYPE: ("call", "lunch"),
}
_CONTENT = re.compile(rb"[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*(?:\r\n|\n|\r|\Z)")
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]")


def shipped() -> list[Path]:
    found = find_spec("icalendar")
    places = found.submodule_search_locations if found else None
    return sorted(Path(places[0], "tests").rglob("*.ics")) if places else []


def labelled(raw: bytes) -> list[tuple[str, bytes]]:
    """The content lines with what they are: a property's name, or the component that they stand in."""
    found, inside = [], ""
    for chunk in _CONTENT.findall(raw.removeprefix(b"\xef\xbb\xbf")):
        text = _FOLD.sub(b"", chunk).strip()
        name, _, value = text.upper().partition(b":")
        if name == b"BEGIN" and value in {b"VALARM", b"VTIMEZONE"}:
            inside = value.decode()
        if chunk:
            found.append((inside or re.split(rb"[;:]", text)[0].upper().decode("ascii", "replace"), chunk))
        if name == b"END" and value.decode("ascii", "replace") == inside:
            inside = ""
    return found


def changed_names(before: bytes, after: bytes) -> set[str]:
    """What the lines are that differ; a line that stands elsewhere differs."""
    old, new = labelled(before), labelled(after)
    found: set[str] = set()
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            found |= {name for name, _ in (*old[i1:i2], *new[j1:j2])}
    return found


def edits(activity: Activity) -> Iterator[tuple[Field, Value | None]]:
    """New values for every field that this activity lets be edited."""
    view = activity.view
    for field, values in _NEW.items():
        yield from ((field, value) for value in values if view.get(Key(field)) != value)
    guests = frozenset(guests_of(view))
    yield Field.ATTENDEES, guests | {Guest("new@example.org", 'New "One"')}
    if gone := sorted(guest.email for guest in guests if not guest.organizer):
        kept = frozenset(guest for guest in guests if guest.email != gone[0])
        yield Field.ATTENDEES, kept or None
    when = view.get(Key(Field.WHEN))
    if isinstance(when, Timed):
        yield Field.WHEN, replace(when, start=when.start + timedelta(days=7, hours=1))
        yield Field.WHEN, replace(when, length=when.length + timedelta(minutes=10))
    elif isinstance(when, AllDay):
        yield Field.WHEN, replace(when, first=when.first + timedelta(days=1))
        yield Field.WHEN, replace(when, days=when.days + 3)
    if Key(Field.REPEAT) in activity.frozen or when is None:
        return
    yield Field.REPEAT, "FREQ=DAILY;COUNT=5"
    rule = view.get(Key(Field.REPEAT))
    skips = view.get(Key(Field.SKIP), frozenset())
    if isinstance(rule, str) and isinstance(skips, frozenset):
        day = when.first if isinstance(when, AllDay) else when.start.date()
        yield Field.SKIP, frozenset({*skips, day})
        yield Field.SKIP, None


def check_edits(raw: bytes) -> None:
    activity = read(raw, zone=ZONE, types=TYPES)
    for field, value in edits(activity):
        key = Key(field)
        after = patch(raw, {key: value}, zone=ZONE, now=NOW, types=TYPES)
        touched = changed_names(raw, after)
        assert touched <= _LINES[field] | _STAMPS, f"{field}: {touched}"
        again = read(after, zone=ZONE, types=TYPES)
        expected = None if value == "(no title)" else value
        if field is Field.REPEAT or (field is Field.WHEN and Key(Field.SKIP) in activity.view):
            expected = again.view.get(key)
        assert again.view.get(key) == expected, field
        for other in activity.view.keys() - {key}:
            if other.field is not field and not (field is Field.WHEN and other.field in {Field.REPEAT, Field.SKIP}):
                assert again.view.get(other) == activity.view[other], f"{field} changed {other}"


def changed_instances(activity: Activity) -> list[date | datetime]:
    """The instances that differ from their series."""
    return sorted({key.instance for key in activity.view if key.instance is not None}, key=str)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_an_edit_of_one_instance_changes_that_instance_alone(path: Path) -> None:
    raw = path.read_bytes()
    before = read(raw, zone=ZONE, types=TYPES).view
    for instance in changed_instances(read(raw, zone=ZONE, types=TYPES)):
        for field in (Field.SUBJECT, Field.LOCATION, Field.STATUS, Field.PRIORITY, Field.REMINDERS):
            key, value = Key(field, instance), _NEW[field][0]
            after = patch(raw, {key: value}, zone=ZONE, now=NOW, types=TYPES)
            assert changed_names(raw, after) <= _LINES[field] | _STAMPS
            assert read(after, zone=ZONE, types=TYPES).view == {**before, key: value}


def test_a_moved_series_leaves_out_the_added_date_that_was_left_out() -> None:
    raw = next(path for path in CORPUS if path.stem == "rdate-and-several-rules").read_bytes()
    when = read(raw, zone=ZONE).view[Key(Field.WHEN)]
    assert isinstance(when, Timed)
    later = replace(when, start=when.start + timedelta(hours=2))
    after = patch(raw, {Key(Field.WHEN): later}, zone=ZONE, now=NOW)
    assert b"EXDATE;TZID=Europe/Helsinki:20261128T120000\r\n" in after
    assert b"EXDATE;TZID=Europe/Helsinki:20261203T110000\r\n" in after
    assert [line for line in after.splitlines() if line.startswith((b"RDATE", b"RRULE", b"EXRULE"))] == [
        line for line in raw.splitlines() if line.startswith((b"RDATE", b"RRULE", b"EXRULE"))
    ]


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_an_edit_of_one_field_changes_the_lines_of_that_field_alone(path: Path) -> None:
    check_edits(path.read_bytes())


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.name)
def test_any_readable_calendar_is_edited_field_by_field(path: Path) -> None:
    try:
        parts = split(path.read_bytes())
    except Unreadable:
        return
    for _, part in parts[:10]:
        try:
            read(part, zone=ZONE, types=TYPES)
        except Unreadable:
            continue
        check_edits(part)


@pytest.mark.parametrize("path", [*CORPUS, *shipped()], ids=lambda path: path.name)
def test_a_calendar_that_is_taken_apart_and_put_together_is_the_same_bytes(path: Path) -> None:
    raw = path.read_bytes()
    try:
        document = parse(raw)
    except Unreadable:
        return
    assert document.dump() == raw


@pytest.mark.parametrize(
    ("agent", "silent"),
    [(";SCHEDULE-AGENT=CLIENT", {"ann@example.com"}), (";SCHEDULE-AGENT=NONE", set()), ("", set())],
    ids=["by the client", "by nobody", "by the server"],
)
def test_only_a_guest_whom_the_client_mails_counts_as_left_alone_by_the_server(agent: str, silent: set[str]) -> None:
    body = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:one\r\nDTSTAMP:20261122T070000Z\r\n"
        "DTSTART:20261124T100000Z\r\nDTEND:20261124T110000Z\r\nSUMMARY:One\r\nORGANIZER:mailto:me@example.com\r\n"
        f"ATTENDEE{agent}:mailto:ann@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert read(body.encode(), zone=ZONE, types=TYPES).unmailed == silent
