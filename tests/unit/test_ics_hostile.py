"""Hostile and broken calendars: refused in words, within bounds."""

from datetime import UTC, datetime
from time import process_time

import pytest

from adapters.ics.ics_codec import patch, peek_title, peek_uid, problems, read, split
from daemon.core.errors import Unreadable

ZONE = "Europe/Helsinki"
EVENT = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20261124T100000Z\r\n%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


def code_of(raw: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read(raw, zone=ZONE, path="x.ics")
    assert caught.value.path == "x.ics"
    return caught.value.code


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "bad_calendar"),
        (b"\0" * 1000, "bad_calendar"),
        (b"hello", "bad_calendar"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n", "bad_calendar"),
        (b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", "bad_calendar"),
        (b"END:VCALENDAR\r\n", "bad_calendar"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "no_event"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR\r\n", "no_event"),
        (EVENT % b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:other", "several_events"),
        (EVENT % b"SUMMARY:\xff\xfe", "encoding"),
        (EVENT.replace(b"20261124T100000Z", b"tomorrow") % b"X-A:b", "bad_value"),
        (EVENT.replace(b"20261124T100000Z", b"20261341T100000Z") % b"X-A:b", "bad_value"),
        (
            EVENT % b"RRULE:FREQ=DAILY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\nDTSTART:20261126T100000Z\r\n"
            b"RECURRENCE-ID;RANGE=THISANDFUTURE:20261126T100000Z",
            "this_and_future",
        ),
        (
            EVENT.replace(b"DTSTART:20261124T100000Z", b"DTSTART;TZID=Nowhere/At All:20261124T100000") % b"",
            "unknown_zone",
        ),
        (b"BEGIN:A\r\n" * 100_000, "bad_calendar"),
        (b"X" * (20 << 20), "too_large"),
    ],
    ids=range(16),
)
def test_what_is_no_event_is_refused_in_words(raw: bytes, code: str) -> None:
    began = process_time()
    assert code_of(raw) == code
    assert process_time() - began < 5


def test_a_cure_stands_beside_what_can_be_cured() -> None:
    with pytest.raises(Unreadable) as caught:
        read(EVENT % b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:other", zone=ZONE)
    assert caught.value.cure == "datebook import FILE"
    assert [one.code for one in problems(EVENT % b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:other", zone=ZONE)] == [
        "several_events"
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"RRULE:FREQ=SECONDLY",
        b"RRULE:FREQ=DAILY;COUNT=999999999999",
        b"RRULE:FREQ=YEARLY;BYMONTH=1,1,1;BYHOUR=" + b",".join(b"%d" % hour for hour in range(24)) * 50,
        b"RRULE:" + b"A=B;" * 5000,
        b"RRULE:",
        b"RRULE:FREQ=WEEKLY\r\nRRULE:FREQ=DAILY",
        b"RRULE:FREQ=WEEKLY;RSCALE=HEBREW",
        b"DTEND:20261124T090000Z",
        b"DTEND;VALUE=DATE:20261125",
        b"DURATION:P999999999W",
        b"EXDATE:,,,",
        b"SEQUENCE:99999999999999999999",
        b"PRIORITY:high",
        b"ATTENDEE:",
        b'ATTENDEE;CN="no end:mailto:a@b.example',
        b"CATEGORIES:,,\\,",
        b"BEGIN:VALARM\r\nTRIGGER:nonsense\r\nACTION:DISPLAY\r\nEND:VALARM",
        b"no colon at all",
        b":",
        b" ",
        b"SUMMARY:nul \0 in it",
        b"LAST-MODIFIED:0000",
        b"DTEND:99991231T235959Z",
    ],
)
def test_odd_properties_stand_in_nobodys_way(line: bytes) -> None:
    raw = EVENT % line
    seen = read(raw, zone=ZONE)
    assert patch(raw, seen.view, zone=ZONE, now=datetime(2026, 11, 22, tzinfo=UTC)) == raw


def test_a_long_line_takes_little_time() -> None:
    raw = EVENT % (b"DESCRIPTION:" + b"a\\,b" * 3_000_000)
    began = process_time()
    assert read(raw, zone=ZONE).uid == peek_uid(raw) == "u"
    assert len(split(raw)) == 1
    assert process_time() - began < 10


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        (b"SUMMARY;LANGUAGE=en:Mars\\, the\r\n  red one", '"Mars, the red one"'),
        (b"SUMMARY:Whisper\r\nCLASS:PRIVATE", "a private event"),
        (b"X-A:b", ""),
    ],
)
def test_an_event_that_cannot_be_read_is_named_by_its_title_unless_it_is_private(lines: bytes, title: str) -> None:
    assert peek_title(EVENT % lines) == title
