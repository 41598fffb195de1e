"""An event that is made in the place of another one: what Datebook does not know of that one is carried along."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.ics.ics_codec import compose_like, read
from daemon.core.errors import Unreadable
from daemon.core.model import Field, Guest, Key, Value, View

CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "ics").glob("*.ics"))
ZONE = "Europe/Helsinki"
NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
_STAMPS = ("DTSTAMP", "LAST-MODIFIED", "SEQUENCE", "UID", "METHOD", "ATTENDEE", "ORGANIZER")
EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//somebody//EN\r\nMETHOD:PUBLISH\r\n"
    "BEGIN:VEVENT\r\nUID:old\r\nDTSTAMP:20261101T080000Z\r\n"
    "DTSTART;TZID=Europe/Helsinki:20261124T100000\r\nDTEND;TZID=Europe/Helsinki:20261124T110000\r\n"
    "SUMMARY;LANGUAGE=fi:Palaveri\r\nGEO:60.17;24.94\r\nATTACH:https://example.org/plan.pdf\r\n"
    "ORGANIZER:mailto:me@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:guest@example.org\r\n"
    "BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT30M\r\nSUMMARY:Soon\r\nDESCRIPTION:Soon\r\n"
    "ATTENDEE:mailto:me@example.com\r\nEND:VALARM\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def _nobody_on(view: View) -> dict[Key, Value]:
    return {key: value for key, value in view.items() if key.field is not Field.ATTENDEES}


def _lines(text: bytes) -> list[str]:
    lines = re.sub(rb"\r?\n[ \t]", b"", text).decode("utf-8", "replace").splitlines()
    return [line for line in lines if not line.upper().startswith(_STAMPS)]


def test_what_datebook_does_not_know_comes_along_and_the_values_are_those_of_the_file() -> None:
    view = {**_nobody_on(read(EVENT.encode(), zone=ZONE).view), Key(Field.SUBJECT): "Meeting"}

    made = compose_like(EVENT.encode(), "new", view, zone=ZONE, now=NOW).decode()

    assert "SUMMARY;LANGUAGE=fi:Meeting" in made
    assert "GEO:60.17;24.94" in made
    assert "ATTACH:https://example.org/plan.pdf" in made
    assert "ACTION:EMAIL" in made
    assert "UID:new" in made
    assert "METHOD" not in made


def test_guests_are_those_of_the_new_event_alone_and_the_server_mails_none_of_them() -> None:
    bare = _nobody_on(read(EVENT.encode(), zone=ZONE).view)

    alone = compose_like(EVENT.encode(), "new", bare, zone=ZONE, now=NOW)
    guest = Guest("guest@example.org")
    invited = compose_like(
        EVENT.encode(),
        "new",
        {**bare, Key(Field.ATTENDEES): frozenset({guest})},
        zone=ZONE,
        now=NOW,
        organizer="me@example.com",
        client_schedules=True,
    )

    assert read(alone, zone=ZONE).guests == frozenset()
    assert read(invited, zone=ZONE).unmailed == {"guest@example.org"}
    assert {one.email for one in read(invited, zone=ZONE).guests} == {"guest@example.org", "me@example.com"}


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_any_readable_event_that_nothing_is_changed_of_is_the_same_lines(path: Path) -> None:
    raw = path.read_bytes()
    try:
        known = read(raw, zone=ZONE)
    except Unreadable:
        pytest.skip("no activity")
    view = _nobody_on(known.view)

    made = compose_like(raw, "new", view, zone=ZONE, now=NOW)

    assert _nobody_on(read(made, zone=ZONE).view) == view
    assert _lines(made) == _lines(raw)
